//! How an upgrade stands that is not over, to whoever follows it and has to know when nothing more comes.

use crate::{
    api::{CONDITION_STALLED, MeshUpgrade},
    conditions,
    machine::{driving::Driving, progress},
};
use std::time::Duration;

/// What whoever goes on with an upgrade takes, beside watching the Lease of the one before, until anything is seen of it: the
/// charts are looked at first.
const TO_COME: Duration = Duration::from_secs(5);

/// How an upgrade stands that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Somebody drives it, as far as is known.
    Driven,
    /// Nobody drives it any more, though it has not stopped by itself.
    Left,
    /// It has stopped, and nobody has taken it up again.
    Stopped,
}

impl Standing {
    /// As the journal and its Lease tell. Of whom the Lease is not shown, only what the driver itself wrote of its end is known:
    /// what was lifted by hand may be closed again by now.
    #[must_use]
    pub fn of(journal: &MeshUpgrade, driving: Driving) -> Self {
        let status = journal.status.as_ref();
        let is_stalled = status.is_some_and(|status| conditions::holds(&status.conditions, CONDITION_STALLED));
        let has_stopped = match driving {
            Driving::Held => false,
            Driving::Unknown => is_stalled,
            Driving::Released | Driving::Silent(_) | Driving::Still => progress::has_stopped(journal),
        };
        if has_stopped {
            Self::Stopped
        } else if driving.is_nobody() {
            Self::Left
        } else {
            Self::Driven
        }
    }
}

/// An end that is believed only when it lasts: who has just begun to go on shows nothing of it yet.
#[derive(Clone, Debug)]
pub struct Patience {
    lasts: Duration,
    since: Option<Duration>,
}

impl Patience {
    /// For an upgrade whose Lease lasts so long.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self {
            lasts: lease.saturating_add(TO_COME),
            since: None,
        }
    }

    /// Whether it has stopped for long enough; `at` is when, by a clock that only goes on.
    pub fn is_over(&mut self, standing: Standing, at: Duration) -> bool {
        if standing != Standing::Stopped {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(at);
        at.saturating_sub(since) >= self.lasts
    }

    /// Somebody wrote into the journal, and so is there; or nobody could look for a while.
    pub fn begin_anew(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::own_objects::CONDITION_UNLOCKED;
    use k8s_openapi::jiff::Timestamp;

    #[test]
    fn what_has_stopped_is_left_unless_somebody_takes_it_up() {
        let silent = Driving::Silent(Timestamp::UNIX_EPOCH);
        for (holds, driving, expected) in [
            (&[][..], Driving::Held, Standing::Driven),
            (&[], Driving::Unknown, Standing::Driven),
            (&[], Driving::Released, Standing::Left),
            (&[], Driving::Still, Standing::Left),
            (&[], silent, Standing::Left),
            // Its driver is about to let go, or somebody has just come.
            (&[CONDITION_STALLED], Driving::Held, Standing::Driven),
            (&[CONDITION_STALLED], Driving::Unknown, Standing::Stopped),
            (&[CONDITION_STALLED], Driving::Released, Standing::Stopped),
            (&[CONDITION_STALLED], Driving::Still, Standing::Stopped),
            (&[CONDITION_UNLOCKED], Driving::Held, Standing::Driven),
            (&[CONDITION_UNLOCKED], Driving::Unknown, Standing::Driven),
            (&[CONDITION_UNLOCKED], Driving::Released, Standing::Stopped),
            (&[CONDITION_UNLOCKED], Driving::Still, Standing::Stopped),
        ] {
            let mut journal = MeshUpgrade::new("shop-1", crate::machine::tests::spec());
            let conditions = &mut journal.status.get_or_insert_default().conditions;
            for type_ in holds {
                conditions::upsert(conditions, type_, true, "X", "x", Timestamp::UNIX_EPOCH);
            }
            assert_eq!(Standing::of(&journal, driving), expected, "{holds:?} {driving:?}");
        }
    }

    #[test]
    fn only_an_end_that_lasts_is_one() {
        use Standing::{Driven, Left, Stopped};
        for (what, looks, is_written, expected) in [
            ("at once", vec![(0, Stopped)], None, false),
            ("a moment before", vec![(0, Stopped), (19, Stopped)], None, false),
            (
                "long enough",
                vec![(0, Stopped), (19, Stopped), (20, Stopped)],
                None,
                true,
            ),
            (
                "somebody goes on",
                vec![(0, Stopped), (18, Driven), (20, Stopped)],
                None,
                false,
            ),
            (
                "and stops again",
                vec![(0, Stopped), (18, Driven), (20, Stopped), (40, Stopped)],
                None,
                true,
            ),
            ("it has not stopped", vec![(0, Left), (60, Left)], None, false),
            (
                "somebody writes",
                vec![(0, Stopped), (18, Stopped), (20, Stopped)],
                Some(18),
                false,
            ),
        ] {
            let mut patience = Patience::new(Duration::from_secs(15));
            let mut found = false;
            for (at, standing) in looks {
                found = patience.is_over(standing, Duration::from_secs(at));
                if is_written == Some(at) {
                    patience.begin_anew();
                }
            }
            assert_eq!(found, expected, "{what}");
        }
    }
}
