//! Somebody who does not know of the upgrade and tries to change the mesh all the time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    audit::Period,
    harness::{Background, Cluster},
    traffic::{BlockingCaller, Identity},
};

/// How long it waits before it tries again: less than anything that an upgrade does.
const PAUSE: Duration = Duration::from_millis(5);
/// What a journal's times are cut off to.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// What the guard said to one attempt; answers that say nothing of the guard are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Admitted,
    Refused,
}

/// One attempt.
#[derive(Debug, Clone, Copy)]
struct Asked {
    sent: Timestamp,
    answered: Timestamp,
    answer: Answer,
}

impl Asked {
    fn is_refused(&self) -> bool {
        self.answer == Answer::Refused
    }
}

/// When a mesh was frozen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frozen {
    /// The freeze was proved before that.
    closed: Timestamp,
    /// Nothing was taken down before that.
    thawing: Timestamp,
    /// Whether it stays open then. Whoever follows a driver that was killed while it withdrew closes it once more.
    for_good: bool,
}

impl Frozen {
    /// As the newest journal's history tells, from the note that the freeze is closed to the one that it is taken down. Its
    /// times are whole seconds, so that of the second of a note nothing is known.
    pub(crate) fn of(journal: &Value) -> Result<Self> {
        let history = journal.pointer("/status/history").and_then(Value::as_array);
        let noted = |beginning: &str| -> Result<Timestamp> {
            let mut notes = history.into_iter().flatten();
            let is_it = |note: &&Value| {
                let what = note.get("what").and_then(Value::as_str);
                what.is_some_and(|what| what.starts_with(beginning))
            };
            let at = notes.find(is_it).and_then(|note| note.get("at")?.as_str());
            let at = at.with_context(|| format!("the journal does not tell {beginning:?}: {history:#?}"))?;
            at.parse().with_context(|| at.to_owned())
        };
        Ok(Self {
            closed: noted("the freeze is closed")?.checked_add(SECOND)?,
            thawing: noted("Thawing: ")?,
            for_good: true,
        })
    }

    /// Of an upgrade that is withdrawn, whose journal has no note of that, as the audit log tells.
    pub(super) fn until_withdrawn(period: &Period) -> Result<Self> {
        Ok(Self {
            closed: period.closed.parse()?,
            thawing: period.opened.parse()?,
            for_good: false,
        })
    }

    /// Whether an attempt lies in it as a whole.
    fn holds(&self, asked: &Asked) -> bool {
        asked.sent >= self.closed && asked.answered < self.thawing
    }
}

/// The answers in their order.
#[derive(Debug)]
pub(crate) struct Answers(Vec<Asked>);

impl Answers {
    /// Refused for as long as the mesh is said to be frozen, and never let through between the first refusal and the
    /// last; nor without an answer for longer than `silence`: what nobody tried might have passed. Returns how many were
    /// refused.
    pub(crate) fn judge(&self, frozen: &Frozen, silence: Duration) -> Result<usize> {
        let all = self.0.iter();
        let all: Vec<&Asked> = all
            .filter(|asked| frozen.for_good || asked.answered < frozen.thawing)
            .collect();
        let passed = all.iter().filter(|asked| frozen.holds(asked) && !asked.is_refused());
        let passed: Vec<&&Asked> = passed.collect();
        ensure!(
            passed.is_empty(),
            "{} foreign writes passed while the mesh is said to have been frozen: {frozen:?}, {:?} to {:?}",
            passed.len(),
            passed.first(),
            passed.last()
        );
        let is = |asked: &&Asked| asked.is_refused();
        let (Some(first), Some(last)) = (all.iter().position(is), all.iter().rposition(is)) else {
            return Ok(0);
        };
        let between = all.get(first..=last).unwrap_or_default();
        let admitted = between.iter().filter(|asked| !asked.is_refused()).count();
        ensure!(
            admitted == 0,
            "{admitted} of {} foreign writes passed between the first refusal and the last",
            between.len()
        );
        let mut known: Vec<Timestamp> = between.iter().map(|asked| asked.answered).collect();
        known.extend([frozen.closed.min(frozen.thawing), frozen.thawing]);
        known.sort();
        let next = known.get(1..).unwrap_or_default();
        let silences = known.iter().zip(next).map(|(one, other)| other.duration_since(*one));
        let longest = silences.max().unwrap_or_default();
        ensure!(
            longest <= SignedDuration::try_from(silence)?,
            "the foreign writer had no answer for {longest:?} while the mesh was frozen"
        );
        Ok(between.len())
    }
}

/// Somebody who writes until it is told to stop.
pub(crate) struct ForeignWriter {
    answers: Arc<Mutex<Vec<Asked>>>,
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
            let sent = Timestamp::now();
            let answer = match caller.call("PATCH", &path, &patch) {
                Ok((200, _)) => Answer::Admitted,
                Ok((_, why)) if why.to_string().contains("MG001") => Answer::Refused,
                Ok(_) | Err(_) => return,
            };
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(Asked {
                sent,
                answered: Timestamp::now(),
                answer,
            });
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

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// What comes of answers at these seconds.
    fn judge(frozen: &Frozen, answers: &[(i64, Answer)]) -> Result<usize> {
        let answers = answers.iter().map(|(second, answer)| Asked {
            sent: at(*second),
            answered: at(*second).checked_add(SignedDuration::from_millis(10)).unwrap(),
            answer: *answer,
        });
        Answers(answers.collect()).judge(frozen, SILENCE)
    }

    /// The same of a mesh that was frozen between these seconds, as its journal says.
    fn judged(frozen: (i64, i64), answers: &[(i64, Answer)]) -> Result<usize> {
        let history = json!([
            {"at": at(0).to_string(), "what": "Freezing: all images are there"},
            {"at": at(frozen.0).to_string(), "what": "the freeze is closed: canaries refused"},
            {"at": at(frozen.1).to_string(), "what": "Thawing: healthy"},
        ]);
        let frozen = Frozen::of(&json!({"status": {"history": history}})).unwrap();
        judge(&frozen, answers)
    }

    #[test]
    fn an_open_moment_between_refusals_is_found() {
        let brief = (2, 2);
        assert_eq!(
            judged(brief, &[(0, Admitted), (1, Refused), (2, Refused), (3, Admitted)]).unwrap(),
            2
        );
        assert_eq!(judged(brief, &[(0, Admitted)]).unwrap(), 0);
        assert!(judged(brief, &[(0, Refused), (1, Admitted), (2, Refused)]).is_err());
    }

    #[test]
    fn what_was_withdrawn_may_be_closed_once_more_by_whoever_follows() {
        let period = Period {
            closed: "1970-01-01T00:00:05.000000Z".to_owned(),
            opened: "1970-01-01T00:00:10.500000Z".to_owned(),
            epochs: Default::default(),
        };
        let withdrawn = Frozen::until_withdrawn(&period).unwrap();
        let again = [(4, Admitted), (6, Refused), (9, Refused), (11, Admitted), (30, Refused)];
        assert_eq!(judge(&withdrawn, &again).unwrap(), 2);
        assert!(judge(&withdrawn, &[(6, Refused), (9, Admitted), (30, Refused)]).is_err());
    }

    #[test]
    fn an_open_moment_before_the_journal_tells_of_thawing_is_found_and_so_is_one_after_it_tells_of_the_freeze() {
        let frozen = (10, 30);
        let well = [
            (5, Admitted),
            (9, Refused),
            (20, Refused),
            (29, Refused),
            (31, Admitted),
        ];
        assert_eq!(judged(frozen, &well).unwrap(), 3);
        let open_too_early = [(9, Refused), (20, Refused), (25, Admitted), (26, Admitted)];
        assert!(
            judged(frozen, &open_too_early)
                .unwrap_err()
                .to_string()
                .contains("2 foreign writes")
        );
        assert!(judged(frozen, &[(11, Admitted), (12, Refused), (25, Refused)]).is_err());
        // Of the second of a note nothing is known: it may have been before or after.
        assert!(judged(frozen, &[(10, Admitted), (12, Refused), (25, Refused), (30, Admitted)]).is_ok());
    }

    #[test]
    fn a_writer_that_falls_silent_within_the_freeze_is_found() {
        let frozen = (0, 31);
        assert_eq!(
            judged(frozen, &[(0, Refused), (15, Refused), (30, Refused)]).unwrap(),
            3
        );
        assert!(judged(frozen, &[(0, Refused), (1, Refused), (17, Refused), (30, Refused)]).is_err());
        // Neither does it begin late nor end early.
        assert!(judged((0, 40), &[(20, Refused), (30, Refused)]).is_err());
        assert!(judged((0, 40), &[(0, Refused), (15, Refused)]).is_err());
        // Before and after it nothing is promised.
        assert_eq!(
            judged((60, 61), &[(0, Admitted), (60, Refused), (120, Admitted)]).unwrap(),
            1
        );
    }

    #[test]
    fn a_journal_that_tells_of_no_freeze_proves_none() {
        assert!(Frozen::of(&json!({"status": {"history": []}})).is_err());
    }
}
