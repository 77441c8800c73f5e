//! Findings: what a check says, under a stable code, with its cause and what to do about it.

mod baseline;
mod clusters;
mod configuration;
mod control_plane;
mod data_plane;
mod guard;
mod images;
mod install;
mod kubernetes;
mod objects;
mod permissions;
mod reference;
mod report;
mod versions;

pub use baseline::Baseline;
pub use objects::FoundObject;
pub use reference::reference;
pub use report::{Finding, Passed, Report, Waived};

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// All codes by family; the constants that the checks use.
pub mod codes {
    pub use super::{
        clusters::*, configuration::*, control_plane::*, data_plane::*, guard::*, images::*, install::*, kubernetes::*,
        permissions::*, versions::*,
    };
}

/// How much a finding weighs, heaviest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// No upgrade while it stands.
    Blocker,
    /// An upgrade may go on; somebody should have read it.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocker => "blocker",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Families of codes: the hundreds of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// MU0xx: what will be pulled, and from where.
    Images,
    /// MU1xx: which Istio runs and which one it should become.
    Versions,
    /// MU2xx: the clusters' Kubernetes.
    Kubernetes,
    /// MU3xx: health and shape of the control plane and the node components.
    ControlPlane,
    /// MU4xx: how Istio was installed.
    Install,
    /// MU5xx: what the caller and the driver may do.
    Permissions,
    /// MU6xx: the guard.
    Guard,
    /// MU7xx: configuration against the target.
    Configuration,
    /// MU8xx: the proxies that run.
    DataPlane,
    /// MU9xx: clusters, who operates them, and waivers.
    Clusters,
}

impl Family {
    /// All families in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Images,
        Self::Versions,
        Self::Kubernetes,
        Self::ControlPlane,
        Self::Install,
        Self::Permissions,
        Self::Guard,
        Self::Configuration,
        Self::DataPlane,
        Self::Clusters,
    ];

    /// The heading in reports.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Images => "Images",
            Self::Configuration => "Configuration against the target",
            Self::DataPlane => "Data plane",
            Self::Versions => "Versions",
            Self::Kubernetes => "Kubernetes",
            Self::ControlPlane => "Control plane",
            Self::Install => "Installation",
            Self::Permissions => "Permissions",
            Self::Guard => "Guard",
            Self::Clusters => "Clusters and waivers",
        }
    }

    /// The digit that all its codes begin with.
    fn digit(self) -> char {
        match self {
            Self::Images => '0',
            Self::Configuration => '7',
            Self::DataPlane => '8',
            Self::Versions => '1',
            Self::Kubernetes => '2',
            Self::ControlPlane => '3',
            Self::Install => '4',
            Self::Permissions => '5',
            Self::Guard => '6',
            Self::Clusters => '9',
        }
    }

    fn rules(self) -> &'static [Code] {
        match self {
            Self::Images => images::ALL,
            Self::Configuration => configuration::ALL,
            Self::DataPlane => data_plane::ALL,
            Self::Versions => versions::ALL,
            Self::Kubernetes => kubernetes::ALL,
            Self::ControlPlane => control_plane::ALL,
            Self::Install => install::ALL,
            Self::Permissions => permissions::ALL,
            Self::Guard => guard::ALL,
            Self::Clusters => clusters::ALL,
        }
    }
}

/// What stands behind a code.
struct Rule {
    id: &'static str,
    title: &'static str,
    severity: Severity,
    waivable: bool,
    cause: &'static str,
    evidence: &'static str,
    fix: &'static str,
}

/// Stable code of a finding, as `MU101`: once published it keeps its number and its meaning.
#[derive(Clone, Copy)]
pub struct Code(&'static Rule);

impl Code {
    /// All codes in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        Family::ALL
            .into_iter()
            .flat_map(|family| family.rules().iter().copied())
    }

    /// The code as it is written, as `MU101`.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.0.id
    }

    /// What it says, in a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.0.title
    }

    /// How much it weighs unless the check says otherwise.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.0.severity
    }

    /// Whether it may be accepted in writing.
    #[must_use]
    pub fn is_waivable(self) -> bool {
        self.0.waivable
    }

    /// Why it matters.
    #[must_use]
    pub fn cause(self) -> &'static str {
        self.0.cause
    }

    /// What was looked at.
    #[must_use]
    pub fn evidence(self) -> &'static str {
        self.0.evidence
    }

    /// What to do.
    #[must_use]
    pub fn fix(self) -> &'static str {
        self.0.fix
    }

    /// Where the reference tells of it: page and heading, as a reader of Markdown makes anchors out of headings.
    #[must_use]
    pub fn anchor(self) -> String {
        let heading = format!("{}: {}", self.id(), self.title()).to_lowercase();
        let slug: String = heading
            .chars()
            .filter_map(|character| match character {
                ' ' => Some('-'),
                other if other.is_alphanumeric() || other == '-' || other == '_' => Some(other),
                _ => None,
            })
            .collect();
        format!("shared/reference/findings.md#{slug}")
    }

    /// Its family.
    #[must_use]
    pub fn family(self) -> Family {
        Family::ALL
            .into_iter()
            .find(|family| self.0.id.chars().nth(2) == Some(family.digit()))
            .unwrap_or(Family::Clusters)
    }

    /// Everything that is to be said of it, for `kubectl mesh-upgrade explain`.
    #[must_use]
    pub fn explain(self) -> String {
        let Rule {
            id,
            title,
            severity,
            waivable,
            cause,
            evidence,
            fix,
        } = self.0;
        let waiver = match (severity, waivable) {
            (Severity::Info, _) => "needs no waiver",
            (_, true) => "may be waived in writing, with an owner and an expiry",
            (_, false) => "cannot be waived",
        };
        format!(
            "{id}: {title} ({severity}, {waiver})\n\nCause:    {cause}\nEvidence: {evidence}\nFix:      {fix}\nDocs:     {}\n",
            self.anchor()
        )
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Code {}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Code {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.id.cmp(other.0.id)
    }
}

impl std::hash::Hash for Code {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

/// Text that is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a code of a finding; the codes are {1}")]
pub struct UnknownCode(String, String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::all()
            .find(|code| code.id().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| {
                let known: Vec<&str> = Self::all().map(Self::id).collect();
                UnknownCode(text.chars().take(40).collect(), known.join(", "))
            })
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.id)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
pub(crate) use objects::tests::filters;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_sorted_and_in_their_family() {
        let all: Vec<Code> = Code::all().collect();
        let sorted: BTreeSet<Code> = all.iter().copied().collect();
        assert_eq!(all, sorted.into_iter().collect::<Vec<_>>());
        for family in Family::ALL {
            for code in family.rules() {
                assert_eq!(code.family(), family, "{code}");
                assert!(
                    code.id().starts_with(&format!("MU{}", family.digit())) && code.id().len() == 5,
                    "{code}"
                );
            }
        }
    }

    #[test]
    fn every_code_explains_itself() {
        for code in Code::all() {
            for text in [code.title(), code.cause(), code.evidence(), code.fix()] {
                assert!(text.len() > 10, "{code} says too little: {text:?}");
            }
            assert!(code.explain().starts_with(code.id()));
            for text in [code.cause(), code.evidence(), code.fix()] {
                assert!(text.ends_with('.'), "{code}: {text:?} is no sentence");
            }
        }
    }

    #[test]
    fn what_the_rules_call_unwaivable_is_unwaivable() {
        for id in ["MU101", "MU102", "MU103", "MU105", "MU109", "MU601", "MU602", "MU901"] {
            assert!(!id.parse::<Code>().unwrap().is_waivable(), "{id}");
        }
    }

    #[test]
    fn anchors_are_those_of_the_headings() {
        let code = "MU407".parse::<Code>().unwrap();
        assert_eq!(
            code.anchor(),
            "shared/reference/findings.md#mu407-another-mesh-shares-the-cluster"
        );
        let slugs: BTreeSet<String> = Code::all().map(Code::anchor).collect();
        assert_eq!(slugs.len(), Code::all().count());
    }

    #[test]
    fn reads_codes_and_names_the_known_ones_when_it_cannot() {
        assert_eq!(" mu101 ".parse::<Code>().unwrap().id(), "MU101");
        let error = "MU999".parse::<Code>().unwrap_err().to_string();
        assert!(error.contains("\"MU999\"") && error.contains("MU101"), "{error}");
    }
}
