//! Who drives an upgrade, as far as one look at its Lease tells. It is only told: whether a driver may be followed is judged by
//! whether its Lease changes while it is watched, never by comparing clocks.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// What a look at the Lease of an upgrade came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driving {
    /// Nobody looked, or nobody may.
    #[default]
    Unknown,
    /// Somebody holds it.
    Held,
    /// Its last holder gave it up, or it is gone.
    Released,
    /// It has a holder, who has not renewed it since then, longer than it lasts by the clock of whoever looks.
    Silent(Timestamp),
}

impl Driving {
    /// Of a Lease that lasts so long.
    #[must_use]
    pub fn of(holder: Option<&str>, renewed: Option<Timestamp>, lasts: SignedDuration, now: Timestamp) -> Self {
        match (holder.filter(|holder| !holder.is_empty()), renewed) {
            (None, _) => Self::Released,
            (Some(_), Some(renewed)) if now.duration_since(renewed) > lasts => Self::Silent(renewed),
            (Some(_), _) => Self::Held,
        }
    }

    /// Whether nobody seems to drive.
    #[must_use]
    pub fn is_nobody(self) -> bool {
        matches!(self, Self::Released | Self::Silent(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_is_given_up_or_not_renewed_has_nobody() {
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        for (holder, renewed, expected) in [
            (Some("alice"), Some(at(100)), Driving::Held),
            (Some("alice"), Some(at(85)), Driving::Held),
            (Some("alice"), Some(at(84)), Driving::Silent(at(84))),
            // A clock that is behind tells nothing.
            (Some("alice"), Some(at(900)), Driving::Held),
            (Some("alice"), None, Driving::Held),
            (Some(""), Some(at(100)), Driving::Released),
            (None, Some(at(100)), Driving::Released),
            (None, None, Driving::Released),
        ] {
            let found = Driving::of(holder, renewed, SignedDuration::from_secs(15), at(100));
            assert_eq!(found, expected, "{holder:?} {renewed:?}");
            assert_eq!(found.is_nobody(), !matches!(expected, Driving::Held));
        }
    }
}
