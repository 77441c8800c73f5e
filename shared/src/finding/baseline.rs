//! Baseline: an earlier report, to tell what is new.

use super::{Finding, Report};
use crate::document::{self, DocumentError};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Findings of an earlier report, told apart by code, cluster and object: causes hold counts that change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline(BTreeSet<(String, Option<String>, Option<String>)>);

#[derive(Deserialize)]
struct Document {
    kind: String,
    findings: Vec<Known>,
    /// What was in the baseline of that report: it stood there, too.
    #[serde(default)]
    known: Vec<Known>,
}

#[derive(Deserialize)]
struct Known {
    code: String,
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default)]
    object: Option<String>,
}

impl Baseline {
    /// Reads what `check -o json` or `-o yaml` printed.
    ///
    /// # Errors
    /// When it is no such document; with line and reason.
    pub fn read(text: &str, origin: &str) -> Result<Self, DocumentError> {
        let document: Document = document::read_own(text, origin)?;
        if document.kind != "CheckReport" {
            let reason = format!(
                "it is a {}, expected a CheckReport: make one with kubectl mesh-upgrade check -o json",
                document.kind
            );
            return Err(DocumentError::at(origin, None, reason));
        }
        let known = document.findings.into_iter().chain(document.known);
        Ok(Self(known.map(|one| (one.code, one.cluster, one.object)).collect()))
    }

    /// Whether an earlier report had this finding.
    #[must_use]
    pub fn has(&self, finding: &Finding) -> bool {
        let key = (
            finding.code.to_string(),
            finding.cluster.clone(),
            finding.object.clone(),
        );
        self.0.contains(&key)
    }

    /// What is new in a report, and what the earlier one had already.
    #[must_use]
    pub fn split(&self, report: Report) -> (Report, Vec<Finding>) {
        let (known, new) = report.findings.into_iter().partition(|finding| self.has(finding));
        let new = Report {
            findings: new,
            passed: report.passed,
            waived: report.waived,
        };
        (new, known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::codes;

    #[test]
    fn only_what_is_new_is_left() {
        let finding = |cluster: &str, object: &str| {
            Finding::new(codes::ENVOY_FILTER, "3 of them", "fix")
                .in_cluster(cluster)
                .about(object)
        };
        let text = r#"{"apiVersion": "x", "kind": "CheckReport", "free": true, "findings": [
            {"code": "MU727", "severity": "Warning", "cluster": "east", "object": "a", "cause": "2", "fix": "f"}],
            "known": [{"code": "MU727", "cluster": "north", "object": "a"}]}"#;
        let baseline = Baseline::read(text, "b.json").unwrap();
        let report = Report {
            findings: vec![
                finding("east", "a"),
                finding("east", "b"),
                finding("west", "a"),
                finding("north", "a"),
            ],
            ..Report::default()
        };
        let (new, known) = baseline.split(report);
        assert_eq!((new.findings.len(), known.len()), (2, 2));
        assert_eq!(known[0].object.as_deref(), Some("a"));
    }

    #[test]
    fn a_report_of_a_large_mesh_is_a_baseline() {
        let findings = vec![r#"{"code":"MU727"}"#; 90_000].join(",");
        let text = format!(r#"{{"kind": "CheckReport", "findings": [{findings}]}}"#);
        assert!(Baseline::read(&text, "b.json").is_ok());
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for (text, part) in [
            (r#"{"kind": "Plan", "findings": []}"#, "it is a Plan"),
            (r#"{"kind": "CheckReport"}"#, "missing field"),
            ("[", ""),
        ] {
            let error = Baseline::read(text, "b.json").unwrap_err();
            assert!(error.reason.contains(part), "{error}");
        }
    }
}
