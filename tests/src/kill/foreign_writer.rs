//! Somebody who does not know of the upgrade and tries to change the mesh all the time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    harness::{Background, Cluster},
    traffic::{BlockingCaller, Identity},
};

/// How long it waits before it tries again: less than anything that an upgrade does.
const PAUSE: Duration = Duration::from_millis(5);

/// What the guard said to one attempt; answers that say nothing of the guard are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Admitted,
    Refused,
}

/// The answers in their order, with the moment of each.
#[derive(Debug)]
pub(crate) struct Answers(Vec<(Instant, Answer)>);

impl Answers {
    /// Open, then closed, then open again, and never open in between; nor without an answer for longer than `silence`: what
    /// nobody tried might have passed. Returns how many were refused.
    pub(crate) fn judge(&self, silence: Duration) -> Result<usize> {
        let is = |(_, answer): &(Instant, Answer)| *answer == Answer::Refused;
        let (Some(first), Some(last)) = (self.0.iter().position(is), self.0.iter().rposition(is)) else {
            return Ok(0);
        };
        let frozen = self.0.get(first..=last).unwrap_or_default();
        let admitted = frozen.iter().filter(|answer| !is(answer)).count();
        ensure!(
            admitted == 0,
            "{admitted} of {} foreign writes passed between the first refusal and the last",
            frozen.len()
        );
        let next = frozen.get(1..).unwrap_or_default();
        let silences = frozen
            .iter()
            .zip(next)
            .map(|((one, _), (other, _))| other.duration_since(*one));
        let longest = silences.max().unwrap_or_default();
        ensure!(
            longest <= silence,
            "the foreign writer had no answer for {longest:?} while the mesh was frozen"
        );
        Ok(frozen.len())
    }
}

/// Somebody who writes until it is told to stop.
pub(crate) struct ForeignWriter {
    answers: Arc<Mutex<Vec<(Instant, Answer)>>>,
    at_work: Background,
}

impl ForeignWriter {
    /// Starts to try, as an administrator whom RBAC never asks, and for real: a dry run would change nothing.
    pub(crate) fn start(cluster: &Cluster, config_map: &'static str) -> Result<Self> {
        let caller = BlockingCaller::new(cluster.kubeconfig(), Identity::of("foreigner"))?;
        let path = format!("/api/v1/namespaces/istio-system/configmaps/{config_map}");
        let answers = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&answers);
        let mut count = 0_u64;
        let at_work = Background::every(PAUSE, move || {
            count += 1;
            let patch = json!({"metadata": {"annotations": {"meshupgrade.test/foreign": count.to_string()}}});
            let answer = match caller.call("PATCH", &path, &patch) {
                Ok((200, _)) => Answer::Admitted,
                Ok((_, why)) if why.to_string().contains("MG001") => Answer::Refused,
                Ok(_) | Err(_) => return,
            };
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push((Instant::now(), answer));
        });
        Ok(Self { answers, at_work })
    }

    /// Stops, and gives what it was answered.
    pub(crate) fn stop(self) -> Answers {
        drop(self.at_work);
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        Answers(answers.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer::*, *};

    const SILENCE: Duration = Duration::from_secs(15);

    /// What comes of answers at these seconds.
    fn judged(answers: &[(u64, Answer)]) -> Result<usize> {
        let began = Instant::now();
        let answers = answers
            .iter()
            .map(|(second, answer)| (began + Duration::from_secs(*second), *answer));
        Answers(answers.collect()).judge(SILENCE)
    }

    #[test]
    fn an_open_moment_within_the_freeze_is_found() {
        assert_eq!(
            judged(&[(0, Admitted), (1, Refused), (2, Refused), (3, Admitted)]).unwrap(),
            2
        );
        assert_eq!(judged(&[(0, Admitted)]).unwrap(), 0);
        assert!(judged(&[(0, Refused), (1, Admitted), (2, Refused)]).is_err());
    }

    #[test]
    fn a_writer_that_falls_silent_within_the_freeze_is_found() {
        assert_eq!(judged(&[(0, Refused), (15, Refused), (30, Refused)]).unwrap(), 3);
        assert!(judged(&[(0, Refused), (1, Refused), (17, Refused)]).is_err());
        // Before and after it nothing is promised.
        assert_eq!(judged(&[(0, Admitted), (60, Refused), (120, Admitted)]).unwrap(), 1);
    }
}
