//! Somebody who does not know of the upgrade and tries to change the mesh all the time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
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

/// The answers in their order.
#[derive(Debug)]
pub(crate) struct Answers(Vec<Answer>);

impl Answers {
    /// Open, then closed, then open again, and never open in between. Returns how many were refused.
    pub(crate) fn judge(&self) -> Result<usize> {
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

/// Somebody who writes until it is told to stop.
pub(crate) struct ForeignWriter {
    answers: Arc<Mutex<Vec<Answer>>>,
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
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
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
    use super::{Answer::*, Answers};

    #[test]
    fn an_open_moment_within_the_freeze_is_found() {
        assert_eq!(Answers(vec![Admitted, Refused, Refused, Admitted]).judge().unwrap(), 2);
        assert_eq!(Answers(vec![Admitted]).judge().unwrap(), 0);
        assert!(Answers(vec![Refused, Admitted, Refused]).judge().is_err());
    }
}
