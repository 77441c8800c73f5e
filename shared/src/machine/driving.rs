//! Who drives an upgrade, as far as its Lease tells. It is only told: who takes a Lease watches it first for himself.
//!
//! Whoever looks once has nothing but two clocks to compare, which is told as such. Whoever looks again and again compares no
//! clocks: a Lease that changes has somebody, and one that stands still for as long as it lasts has nobody.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What the Lease of an upgrade came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driving {
    /// Nobody looked, or nobody may.
    #[default]
    Unknown,
    /// Somebody holds it.
    Held,
    /// Its last holder gave it up, or it is gone.
    Released,
    /// It has a holder, who has not renewed it since then, longer than it lasts by the clock of whoever looks once.
    Silent(Timestamp),
    /// It has a holder, who has not renewed it for as long as it lasts, while it was watched.
    Still,
}

impl Driving {
    /// Of a Lease with a holder that lasts so long, by one look. Only its holder's clock and the one here tell of it.
    #[must_use]
    pub fn by_the_clock(renewed: Option<Timestamp>, lasts: SignedDuration, now: Timestamp) -> Self {
        match renewed {
            Some(renewed) if now.duration_since(renewed) > lasts => Self::Silent(renewed),
            Some(_) | None => Self::Held,
        }
    }

    /// Whether nobody seems to drive.
    #[must_use]
    pub fn is_nobody(self) -> bool {
        matches!(self, Self::Released | Self::Silent(_) | Self::Still)
    }
}

/// One look at a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look<T> {
    /// It came to nothing: no answer, or no right to look.
    Missed,
    /// Nobody holds it.
    Free,
    /// Somebody holds it; what is written in it, which every renewal changes.
    Held(T),
}

/// A Lease that is looked at again and again.
#[derive(Clone, Debug)]
pub struct Watched<T> {
    lasts: Duration,
    /// What was written in it, and since when it is known to stand.
    last: Option<(T, Duration)>,
    driving: Driving,
}

impl<T: PartialEq> Watched<T> {
    /// One that lasts so long, before the first look.
    #[must_use]
    pub fn new(lasts: Duration) -> Self {
        Self {
            lasts,
            last: None,
            driving: Driving::Unknown,
        }
    }

    /// Who drives, by all the looks so far.
    #[must_use]
    pub fn driving(&self) -> Driving {
        self.driving
    }

    /// Takes a look into account; `at` is when, by a clock that only goes on. One that came to nothing changes nothing, but
    /// what may have kept it from an answer may have kept the holder from renewing: that time does not count.
    pub fn look(&mut self, look: Look<T>, at: Duration) {
        match look {
            Look::Missed => {
                if let Some((_, since)) = &mut self.last {
                    *since = at;
                }
            }
            Look::Free => {
                self.last = None;
                self.driving = Driving::Released;
            }
            Look::Held(seen) => match &self.last {
                Some((before, since)) if *before == seen => {
                    if at.saturating_sub(*since) >= self.lasts {
                        self.driving = Driving::Still;
                    }
                }
                Some(_) | None => {
                    self.last = Some((seen, at));
                    self.driving = Driving::Held;
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_look_can_but_compare_clocks() {
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        for (renewed, expected) in [
            (Some(at(100)), Driving::Held),
            (Some(at(85)), Driving::Held),
            (Some(at(84)), Driving::Silent(at(84))),
            // A clock that is behind tells nothing.
            (Some(at(900)), Driving::Held),
            (None, Driving::Held),
        ] {
            let found = Driving::by_the_clock(renewed, SignedDuration::from_secs(15), at(100));
            assert_eq!(found, expected, "{renewed:?}");
            assert_eq!(found.is_nobody(), expected != Driving::Held);
        }
    }

    /// Renewals are mere names here: no clock that they may have come from is asked.
    #[test]
    fn a_lease_has_nobody_when_it_was_watched_standing_still() {
        use Driving::{Held, Released, Still, Unknown};
        let held = Look::Held;
        for (what, looks, expected) in [
            (
                "it changes",
                vec![(0, held("a")), (14, held("b")), (28, held("c"))],
                vec![Held, Held, Held],
            ),
            (
                "it stands still",
                vec![(0, held("a")), (14, held("a")), (15, held("a")), (17, held("a"))],
                vec![Held, Held, Still, Still],
            ),
            (
                "its holder was only slow, or has another after him",
                vec![(0, held("a")), (15, held("a")), (16, held("b")), (30, held("b"))],
                vec![Held, Still, Held, Held],
            ),
            (
                "it is given up and taken again",
                vec![(0, Look::Free), (2, held("a")), (4, Look::Free), (20, held("a"))],
                vec![Released, Held, Released, Held],
            ),
            (
                "nobody may look",
                vec![(0, Look::Missed), (20, Look::Missed)],
                vec![Unknown, Unknown],
            ),
            (
                "what kept us from looking keeps others from renewing",
                vec![(0, held("a")), (14, Look::Missed), (20, held("a")), (29, held("a"))],
                vec![Held, Held, Held, Still],
            ),
            (
                "a look that failed brings nobody back",
                vec![(0, held("a")), (15, held("a")), (17, Look::Missed), (19, held("a"))],
                vec![Held, Still, Still, Still],
            ),
        ] {
            let mut watched = Watched::new(Duration::from_secs(15));
            let found: Vec<Driving> = looks
                .into_iter()
                .map(|(at, look)| {
                    watched.look(look, Duration::from_secs(at));
                    watched.driving()
                })
                .collect();
            assert_eq!(found, expected, "{what}");
        }
        assert!(Still.is_nobody() && Released.is_nobody() && !Unknown.is_nobody());
    }
}
