//! A finding, and a report of them.

use super::{Code, FoundObject, Severity};
use serde::{Deserialize, Serialize};

/// One result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its stable code.
    pub code: Code,
    /// How much it weighs here.
    pub severity: Severity,
    /// Cluster it was found in; `None` for the mesh as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Object it is about, as `Deployment istio-system/istiod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Objects it is about, where there are several; as many as are kept by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<FoundObject>,
    /// How many more it is about.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unnamed: u64,
    /// What is the matter, with the values that were seen.
    pub cause: String,
    /// What to do, with the command where there is one.
    pub fix: String,
}

impl Finding {
    /// A finding about the mesh as a whole, with the code's own severity. Its cause is one line: what was seen may hold
    /// another one that somebody has made up.
    #[must_use]
    pub fn new(code: Code, cause: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            cluster: None,
            object: None,
            objects: Vec::new(),
            unnamed: 0,
            cause: in_one_line(cause.into()),
            fix: fix.into(),
        }
    }

    /// The same, found in a cluster.
    #[must_use]
    pub fn in_cluster(mut self, cluster: &str) -> Self {
        self.cluster = Some(cluster.to_owned());
        self
    }

    /// The same, about an object.
    #[must_use]
    pub fn about(mut self, object: impl Into<String>) -> Self {
        self.object = Some(in_one_line(object.into()));
        self
    }

    /// The same, with another weight than the code's own.
    #[must_use]
    pub fn weighing(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Cause and place on one line, as the journal keeps it.
    #[must_use]
    pub fn one_line(&self) -> String {
        self.one_line_told(&str::to_owned)
    }

    /// The same for people, whose language `tell` knows.
    #[must_use]
    pub fn one_line_told(&self, tell: &dyn Fn(&str) -> String) -> String {
        let object = self.object.as_deref().map(tell);
        let place = match (&self.cluster, &object) {
            (Some(cluster), Some(object)) => format!("{cluster}, {object}: "),
            (Some(place), None) | (None, Some(place)) => format!("{place}: "),
            (None, None) => String::new(),
        };
        format!("{} {place}{}", self.code, tell(&self.cause))
    }
}

fn is_none(unnamed: &u64) -> bool {
    *unnamed == 0
}

/// Nothing is cut off: by its object a finding is waived.
pub(super) fn in_one_line(text: String) -> String {
    if text.chars().any(char::is_control) {
        text.replace(char::is_control, " ")
    } else {
        text
    }
}

/// A check that found nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Passed {
    /// Code that would have been reported.
    pub code: Code,
    /// Cluster it was looked for in; `None` for the mesh as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What was seen, in a few words.
    pub summary: String,
}

/// A finding that somebody has accepted in writing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waived {
    /// The finding as the check made it.
    pub finding: Finding,
    /// The one object for which it was accepted; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Who accepted it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Last day on which it is accepted, as `2026-12-31`.
    pub expires: String,
}

/// Result of all checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was found, heaviest first.
    pub findings: Vec<Finding>,
    /// What was looked for and not found.
    pub passed: Vec<Passed>,
    /// What was found and accepted in writing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<Waived>,
}

impl Report {
    /// Findings that stand in the way of an upgrade.
    pub fn blockers(&self) -> impl Iterator<Item = &Finding> {
        self.of(Severity::Blocker)
    }

    /// Findings that somebody should have read.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.of(Severity::Warning)
    }

    /// Findings of one weight.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.severity == severity)
    }

    /// Whether nothing stands in the way.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.blockers().next().is_none()
    }

    /// Whether a finding with this code stands.
    #[must_use]
    pub fn has(&self, code: Code) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }

    pub(crate) fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(crate) fn pass(&mut self, code: Code, cluster: Option<&str>, summary: impl Into<String>) {
        self.passed.push(Passed {
            code,
            cluster: cluster.map(str::to_owned),
            summary: summary.into(),
        });
    }

    /// Heaviest first, then by code, cluster and object, so that two runs print the same.
    pub(crate) fn sort(&mut self) {
        self.findings.sort_by(|a, b| {
            let key = |f: &Finding| (f.severity, f.code, f.cluster.clone(), f.object.clone());
            key(a).cmp(&key(b))
        });
        self.passed
            .sort_by(|a, b| (a.code, &a.cluster).cmp(&(b.code, &b.cluster)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::codes;

    #[test]
    fn json_names_are_stable() {
        let finding = Finding::new(codes::SKIPS_A_MINOR, "cause", "fix")
            .in_cluster("east")
            .about("Deployment a/b");
        let report = Report {
            findings: vec![finding],
            ..Report::default()
        };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"findings":[{"code":"MU101","severity":"Blocker","cluster":"east","object":"Deployment a/b","cause":"cause","fix":"fix"}],"passed":[]}"#
        );
        assert_eq!(report.findings[0].one_line(), "MU101 east, Deployment a/b: cause");
    }

    #[test]
    fn free_means_no_blocker() {
        let mut report = Report::default();
        assert!(report.is_free());
        report.find(Finding::new(codes::SKIPS_A_MINOR, "c", "f").weighing(Severity::Warning));
        assert!(report.is_free() && report.warnings().count() == 1);
        report.find(Finding::new(codes::SKIPS_A_MINOR, "c", "f"));
        assert!(!report.is_free());
        report.sort();
        assert_eq!(report.findings[0].severity, Severity::Blocker);
    }
}
