//! Phases of an upgrade and which may follow which; the CRD's rule and the machine both read it from here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Phase of a `MeshUpgrade`. `Stalled` is a condition on a phase, not a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// The journal exists; nothing was looked at yet.
    #[default]
    Pending,
    /// The mesh is being checked against the target.
    Checking,
    /// The target's images are pulled on the nodes.
    Pulling,
    /// The freeze is put up and proved closed; then the mesh is checked once more.
    Freezing,
    /// Components are changed: from here on there is no way back.
    Upgrading,
    /// Every component is at the target; the mesh's health is proved.
    Verifying,
    /// The freeze is taken down.
    Thawing,
    /// The mesh runs the target and is open again.
    Succeeded,
    /// Given up before the first component was changed.
    Withdrawn,
}

impl Phase {
    /// All phases, in the order in which an upgrade goes through them.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Checking,
        Self::Pulling,
        Self::Freezing,
        Self::Upgrading,
        Self::Verifying,
        Self::Thawing,
        Self::Succeeded,
        Self::Withdrawn,
    ];

    /// The name as it stands in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Checking => "Checking",
            Self::Pulling => "Pulling",
            Self::Freezing => "Freezing",
            Self::Upgrading => "Upgrading",
            Self::Verifying => "Verifying",
            Self::Thawing => "Thawing",
            Self::Succeeded => "Succeeded",
            Self::Withdrawn => "Withdrawn",
        }
    }

    /// Phases that may follow this one; the phase itself may always stay.
    #[must_use]
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Checking, Self::Withdrawn],
            Self::Checking => &[Self::Pulling, Self::Withdrawn],
            Self::Pulling => &[Self::Freezing, Self::Withdrawn],
            Self::Freezing => &[Self::Upgrading, Self::Withdrawn],
            Self::Upgrading => &[Self::Verifying],
            Self::Verifying => &[Self::Thawing],
            Self::Thawing => &[Self::Succeeded],
            Self::Succeeded | Self::Withdrawn => &[],
        }
    }

    /// Whether `to` may be written over this phase.
    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        self == to || self.next().contains(&to)
    }

    /// Whether the upgrade is over.
    #[must_use]
    pub fn is_final(self) -> bool {
        self.next().is_empty()
    }

    /// Whether a component may already have been changed, so that there is no way back.
    #[must_use]
    pub fn is_past_return(self) -> bool {
        matches!(self, Self::Upgrading | Self::Verifying | Self::Thawing)
    }

    /// CEL for the root of the CRD: true when the phase of `self` may follow that of `oldSelf`.
    ///
    /// It stands at the root and asks with `has()`, because a rule on `status.phase` itself is bypassed by writing
    /// null first (tried on Kubernetes 1.36).
    #[must_use]
    pub fn transition_rule() -> String {
        let old = "oldSelf.status.phase";
        let new = "self.status.phase";
        format!(
            "!has(oldSelf.status) || !has(oldSelf.status.phase) || \
             (has(self.status) && has(self.status.phase) && ({}))",
            Self::follows(old, new)
        )
    }

    /// CEL that is true when the phase that the expression `new` yields may be written over the one of `old`.
    #[must_use]
    pub fn follows(old: &str, new: &str) -> String {
        let steps: Vec<String> = Self::ALL
            .iter()
            .filter(|from| !from.is_final())
            .map(|from| {
                let to: Vec<String> = from
                    .next()
                    .iter()
                    .map(|phase| format!("'{}'", phase.as_str()))
                    .collect();
                format!("({old} == '{}' && {new} in [{}])", from.as_str(), to.join(", "))
            })
            .collect();
        format!("{new} == {old} || {}", steps.join(" || "))
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn withdrawal_is_possible_only_before_upgrading() {
        for phase in Phase::ALL {
            assert_eq!(
                phase.next().contains(&Phase::Withdrawn),
                phase < Phase::Upgrading,
                "{phase} and Withdrawn"
            );
        }
    }

    #[test]
    fn no_phase_goes_back() {
        for from in Phase::ALL {
            for to in from.next() {
                assert!(*to > from, "{from} -> {to}");
            }
        }
    }

    #[test]
    fn rule_names_every_legal_transition_and_asks_for_presence_first() {
        let rule = Phase::transition_rule();
        assert!(rule.starts_with("!has(oldSelf.status) || !has(oldSelf.status.phase)"));
        assert!(rule.contains("(oldSelf.status.phase == 'Upgrading' && self.status.phase in ['Verifying'])"));
        assert!(!rule.contains("'Succeeded' &&"));
    }
}
