//! Conditions as Kubernetes means them: the transition time tells when the answer changed, not when it was given.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// What a condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can say.
    Unknown,
}

impl Answer {
    /// The word in the object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Answer {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Sets a condition, and tells whether anything changed. The transition time moves only when the answer flips.
pub fn upsert(
    conditions: &mut Vec<Condition>,
    type_: &str,
    answer: impl Into<Answer>,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> bool {
    let status = answer.into().as_str();
    let Some(old) = conditions.iter_mut().find(|condition| condition.type_ == type_) else {
        conditions.push(Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: Time(now),
            observed_generation: None,
        });
        return true;
    };
    let flips = old.status != status;
    if flips {
        status.clone_into(&mut old.status);
        old.last_transition_time = Time(now);
    }
    let says_more = old.reason != reason || old.message != message;
    if says_more {
        reason.clone_into(&mut old.reason);
        message.clone_into(&mut old.message);
    }
    flips || says_more
}

/// Whether a condition is there and true.
#[must_use]
pub fn holds(conditions: &[Condition], type_: &str) -> bool {
    conditions
        .iter()
        .any(|condition| condition.type_ == type_ && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_moves_only_on_a_flip() {
        let mut conditions = Vec::new();
        for (second, is_true, message, changed, transition) in [
            (1, true, "a", true, 1),
            (2, true, "a", false, 1),
            (3, true, "b", true, 1),
            (4, false, "b", true, 4),
            (5, false, "b", false, 4),
            (6, true, "c", true, 6),
        ] {
            assert_eq!(
                upsert(&mut conditions, "Stalled", is_true, "R", message, at(second)),
                changed,
                "{second}"
            );
            assert_eq!(conditions[0].last_transition_time, Time(at(transition)), "{second}");
            assert_eq!(
                (conditions[0].message.as_str(), holds(&conditions, "Stalled")),
                (message, is_true)
            );
        }
        assert_eq!(conditions.len(), 1);
    }

    #[test]
    fn other_conditions_stay_as_they_are() {
        let mut conditions = Vec::new();
        upsert(&mut conditions, "A", true, "R", "m", at(1));
        upsert(&mut conditions, "B", false, "R", "m", at(2));
        assert!(holds(&conditions, "A") && !holds(&conditions, "B") && !holds(&conditions, "C"));
        assert_eq!(conditions.len(), 2);
    }
}
