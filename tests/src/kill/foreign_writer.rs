//! Somebody who does not know of the upgrade and tries to change the mesh all the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::{Result, anyhow, ensure};

use crate::harness::Cluster;

/// What the guard said to one attempt; answers that say nothing of the guard are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Admitted,
    Refused,
}

/// The answers in their order.
#[derive(Debug)]
pub(super) struct Answers(Vec<Answer>);

impl Answers {
    /// Open, then closed, then open again, and never open in between. Returns how many were refused.
    pub(super) fn judge(&self) -> Result<usize> {
        let is = |answer: &Answer| *answer == Answer::Refused;
        let (Some(first), Some(last)) = (self.0.iter().position(is), self.0.iter().rposition(is)) else {
            return Ok(0);
        };
        let frozen = self.0.get(first..=last).unwrap_or_default();
        let admitted = frozen.iter().filter(|answer| **answer == Answer::Admitted).count();
        ensure!(
            admitted == 0,
            "{admitted} of {} foreign writes passed between the first refusal and the last",
            frozen.len()
        );
        Ok(frozen.len())
    }
}

/// A thread that writes until it is told to stop.
#[derive(Debug)]
pub(super) struct ForeignWriter {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Answer>>>,
}

impl ForeignWriter {
    /// Starts to try, as an administrator whom RBAC never asks, and for real: a dry run would change nothing.
    pub(super) fn start(cluster: &Cluster, config_map: &'static str) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut kubectl = cluster.command("kubectl")?;
        kubectl.env("KUBECONFIG", cluster.kubeconfig_for("admin")?);
        let program = kubectl.get_program().to_owned();
        let environment: Vec<_> = kubectl
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut answers = Vec::new();
            let mut count = 0_u64;
            while !stopped.load(Ordering::SeqCst) {
                count += 1;
                let output = std::process::Command::new(&program)
                    .env_clear()
                    .envs(environment.iter().map(|(name, value)| (name, value)))
                    .args(["-n", "istio-system", "annotate", "--overwrite", "configmap", config_map])
                    .arg(format!("meshupgrade.test/foreign={count}"))
                    .output()?;
                if output.status.success() {
                    answers.push(Answer::Admitted);
                } else if String::from_utf8_lossy(&output.stderr).contains("MG001") {
                    answers.push(Answer::Refused);
                }
            }
            Ok(answers)
        });
        Ok(Self { stop, thread })
    }

    /// Stops, and gives what it was answered.
    pub(super) fn stop(self) -> Result<Answers> {
        self.stop.store(true, Ordering::SeqCst);
        let answers = self
            .thread
            .join()
            .map_err(|_| anyhow!("the foreign writer panicked"))??;
        Ok(Answers(answers))
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer::*, Answers};

    #[test]
    fn an_open_moment_within_the_freeze_is_found() {
        assert_eq!(Answers(vec![Admitted, Refused, Refused, Admitted]).judge().unwrap(), 2);
        assert_eq!(Answers(vec![Admitted]).judge().unwrap(), 0);
        assert!(Answers(vec![Refused, Admitted, Refused]).judge().is_err());
    }
}
