//! Whether the holder of a Lease lives, judged by whether the Lease changes while it is watched, never by comparing clocks.

use std::time::Duration;

/// What a look at a Lease tells of its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// The first look: watching begins with it.
    Begun,
    /// The Lease stands still, and not for long enough yet.
    Undecided,
    /// The Lease has changed while it was watched.
    Alive,
    /// The Lease has stood still for as long as it lasts.
    Dead,
}

/// A Lease that is watched: what was seen of it first, and when.
#[derive(Clone, Debug)]
pub struct Watched<T> {
    first: Option<(T, Duration)>,
}

impl<T> Default for Watched<T> {
    fn default() -> Self {
        Self { first: None }
    }
}

impl<T: PartialEq> Watched<T> {
    /// Judges what is seen now. `now` is time that passed since any one moment, and `ttl` how long a Lease lasts.
    pub fn look(&mut self, seen: T, now: Duration, ttl: Duration) -> Liveness {
        match &self.first {
            None => {
                self.first = Some((seen, now));
                Liveness::Begun
            }
            Some((before, _)) if *before != seen => Liveness::Alive,
            Some((_, since)) if now.saturating_sub(*since) < ttl => Liveness::Undecided,
            Some(_) => Liveness::Dead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Liveness::*, *};
    use proptest::prelude::*;

    const TTL: Duration = Duration::from_secs(15);

    #[test]
    fn a_holder_is_dead_when_its_lease_stands_still_and_alive_when_it_does_not() {
        for (looks, expected) in [
            (&[(7, 100)][..], &[Begun][..]),
            (&[(7, 100), (7, 100), (7, 114)], &[Begun, Undecided, Undecided]),
            (&[(7, 100), (7, 115)], &[Begun, Dead]),
            // Whoever could not take it looks again.
            (&[(7, 100), (7, 115), (7, 116)], &[Begun, Dead, Dead]),
            (&[(7, 100), (8, 101)], &[Begun, Alive]),
            // It is renewed late, or by another: somebody drives, however long it stood still.
            (&[(7, 100), (8, 500)], &[Begun, Alive]),
            (&[(7, 100), (7, 115), (8, 116)], &[Begun, Dead, Alive]),
            // A clock that is set back proves nothing.
            (&[(7, 100), (7, 20)], &[Begun, Undecided]),
        ] {
            let mut watched = Watched::default();
            let found: Vec<Liveness> = looks
                .iter()
                .map(|(seen, now)| watched.look(*seen, Duration::from_secs(*now), TTL))
                .collect();
            assert_eq!(found, expected, "{looks:?}");
        }
    }

    proptest! {
        #[test]
        fn nobody_is_dead_before_the_lease_has_lasted(looks in prop::collection::vec((0_u8..2, 0_u64..5), 1..20)) {
            let mut watched = Watched::default();
            let mut passed = 0;
            let first = looks[0].0;
            for (place, (seen, waited)) in looks.iter().enumerate() {
                passed += if place == 0 { 0 } else { *waited };
                let expected = match (place, *seen == first) {
                    (0, _) => Begun,
                    (_, false) => Alive,
                    (_, true) if passed < 15 => Undecided,
                    (_, true) => Dead,
                };
                prop_assert_eq!(watched.look(*seen, Duration::from_secs(passed), TTL), expected);
            }
        }
    }
}
