//! Baseline: an earlier report, to tell what is new.

use super::{Finding, FoundObject, Report};
use crate::document::{self, DocumentError};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Findings of an earlier report, told apart by code, cluster and object: causes hold counts that change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline(BTreeMap<(String, Option<String>), Before>);

/// What was found under one code in one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Before {
    /// Whether a finding was about no object.
    as_a_whole: bool,
    /// Objects by name.
    objects: BTreeSet<String>,
    /// How many more there were.
    unnamed: u64,
}

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
    #[serde(default)]
    objects: Vec<KnownObject>,
    #[serde(default)]
    unnamed: u64,
}

#[derive(Deserialize)]
struct KnownObject {
    object: String,
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
        let mut baseline = Self::default();
        for known in document.findings.into_iter().chain(document.known) {
            let before = baseline.0.entry((known.code, known.cluster)).or_default();
            // Of an earlier release, which named one object only, several are known by no name: they are new.
            before.as_a_whole |= known.object.is_none() && known.objects.is_empty();
            let objects = known.objects.into_iter().map(|one| one.object);
            before.objects.extend(known.object.into_iter().chain(objects));
            before.unnamed = before.unnamed.saturating_add(known.unnamed);
        }
        Ok(baseline)
    }

    /// What of a finding an earlier report had, and what is new; of its code and cluster it may be the only one.
    fn part(&self, finding: Finding, is_only: bool) -> (Option<Finding>, Option<Finding>) {
        let nothing = Before::default();
        let key = (finding.code.to_string(), finding.cluster.clone());
        let before = self.0.get(&key).unwrap_or(&nothing);
        if finding.objects.is_empty() && finding.unnamed == 0 {
            let is_known = match &finding.object {
                Some(object) => before.objects.contains(object) || (is_only && before.names_none()),
                None => before.as_a_whole,
            };
            return if is_known {
                (Some(finding), None)
            } else {
                (None, Some(finding))
            };
        }
        before.part(&finding)
    }

    /// What is new in a report, and what the earlier one had already.
    #[must_use]
    pub fn split(&self, report: Report) -> (Report, Vec<Finding>) {
        let mut new = Report {
            findings: Vec::new(),
            passed: report.passed,
            waived: report.waived,
        };
        let mut known = Vec::new();
        let key = |finding: &Finding| (finding.code, finding.cluster.clone());
        let mut counts = BTreeMap::new();
        for finding in &report.findings {
            let count: &mut usize = counts.entry(key(finding)).or_default();
            *count = count.saturating_add(1);
        }
        for finding in report.findings {
            let is_only = counts.get(&key(&finding)) == Some(&1);
            let (had, rest) = self.part(finding, is_only);
            known.extend(had);
            new.findings.extend(rest);
        }
        (new, known)
    }
}

impl Before {
    /// Whether a finding was there that named nothing: releases of before named no object where there was only one, too.
    fn names_none(&self) -> bool {
        self.as_a_whole && self.objects.is_empty() && self.unnamed == 0
    }

    /// The same for a finding about several objects. Those that are kept by name are the first of a list that is always in
    /// the same order: where another one comes or goes before them, one of them is only counted now, or was before. So what
    /// stands behind the last known one, or is only counted, is known as long as there are no more of them than there were.
    fn part(&self, finding: &Finding) -> (Option<Finding>, Option<Finding>) {
        let is_known = |one: &&FoundObject| self.objects.contains(&one.object);
        let last = finding.objects.iter().rposition(|one| is_known(&one));
        let beyond = last.map_or(0, |last| last.saturating_add(1));
        let pushed_out = |object: &&String| !finding.named().any(|named| named == object.as_str());
        let gone = self.objects.iter().filter(pushed_out).count() as u64;
        let allowed = self.unnamed.saturating_add(if finding.unnamed > 0 { gone } else { 0 });
        let behind = finding.objects.len().saturating_sub(beyond) as u64;
        let grown = finding.unnamed.saturating_add(behind) > allowed;
        let mut known = Vec::new();
        let mut new = Vec::new();
        for (index, one) in finding.objects.iter().enumerate() {
            let had = is_known(&one) || (index >= beyond && !grown);
            let list = if had { &mut known } else { &mut new };
            list.push(one.clone());
        }
        let more = finding.unnamed.saturating_sub(allowed);
        (
            finding.of(known, finding.unnamed.saturating_sub(more)),
            finding.of(new, more),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{codes, filters};

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
    fn of_several_objects_only_the_new_ones_are_left() {
        let kept: Vec<String> = (10..30).map(|index| format!("f{index}")).collect();
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        let first = |name| [&[name][..], &kept[..19]].concat();
        let without_one = [&kept[..3], &kept[4..], &["f30"][..]].concat();
        for (before, now, new, count) in [
            ((&["a", "b"][..], 0), (&["a", "b"][..], 0), &[][..], 0),
            ((&["a", "b"], 0), (&["a", "b", "c"], 0), &["c"], 0),
            ((&["a"], 0), (&["a", "b"], 0), &["b"], 0),
            ((&["a", "b"], 0), (&["b"], 0), &[], 0),
            ((&["a", "b"], 0), (&["c"], 0), &["c"], 0),
            ((&["a", "b"], 0), (&["a", "c"], 0), &["c"], 0),
            // More than are kept by name.
            ((&kept, 5), (&kept, 5), &[], 0),
            ((&kept, 5), (&kept, 4), &[], 0),
            ((&kept, 5), (&kept, 7), &[], 2),
            ((&kept, 0), (&kept, 1), &[], 1),
            ((&kept, 5), (&first("a"), 6), &["a"], 0),
            ((&kept, 0), (&first("a"), 1), &["a"], 0),
            ((&kept, 5), (&without_one, 4), &[], 0),
        ] {
            let earlier = Report {
                findings: vec![filters(before.0, before.1)],
                ..Report::default()
            };
            let mut document = serde_json::json!(earlier);
            document["kind"] = serde_json::json!("CheckReport");
            let baseline = Baseline::read(&document.to_string(), "b.json").unwrap();
            let report = Report {
                findings: vec![filters(now.0, now.1)],
                ..Report::default()
            };
            let (left, known) = baseline.split(report);
            let named: Vec<_> = left.findings.iter().flat_map(Finding::named).collect();
            let expected: Vec<_> = new.iter().map(|name| format!("EnvoyFilter shop/{name}")).collect();
            assert_eq!(named, expected, "{before:?} {now:?}");
            assert_eq!(
                left.findings.first().map_or(0, |finding| finding.unnamed),
                count,
                "{now:?}"
            );
            let told = known
                .iter()
                .map(|one| one.named().count() as u64 + one.unnamed)
                .sum::<u64>();
            assert_eq!(
                told + new.len() as u64 + count,
                now.0.len() as u64 + now.1,
                "{before:?} {now:?}"
            );
        }
    }

    #[test]
    fn several_objects_of_a_report_that_names_none_are_new() {
        let text = r#"{"kind": "CheckReport", "findings": [{"code": "MU727", "cause": "2 of them"}]}"#;
        let baseline = Baseline::read(text, "b.json").unwrap();
        let report = Report {
            findings: vec![filters(&["a", "b"], 0)],
            ..Report::default()
        };
        assert_eq!(baseline.split(report.clone()), (report, Vec::new()));
    }

    #[test]
    fn one_object_is_known_by_a_report_that_names_none() {
        let entries =
            |more: &str| format!(r#"{{"kind": "CheckReport", "findings": [{{"code": "MU727", "cause": "c"}}{more}]}}"#);
        let of = |names: &[&str]| names.iter().map(|name| filters(&[name], 0)).collect::<Vec<_>>();
        for (more, findings, known) in [
            ("", of(&["a"]), 1),
            // Which of them was meant is not known.
            ("", of(&["a", "b"]), 0),
            (r#", {"code": "MU727", "object": "x"}"#, of(&["a"]), 0),
            (r#", {"code": "MU727", "unnamed": 1}"#, of(&["a"]), 0),
        ] {
            let baseline = Baseline::read(&entries(more), "b.json").unwrap();
            let report = Report {
                findings,
                ..Report::default()
            };
            assert_eq!(baseline.split(report).1.len(), known, "{more}");
        }
    }

    #[test]
    fn pods_that_come_and_go_change_nothing_of_their_namespaces() {
        let annotated = |pods: &[(&str, u32, &str)]| {
            let examples = pods.iter().map(|(namespace, count, example)| crate::inventory::Hit {
                object: format!("Namespace {namespace}"),
                detail: format!("x in {count} pods, as {example}"),
            });
            let hits = crate::inventory::HitsOfRule {
                examples: examples.collect(),
                count: pods.len() as u64,
            };
            let finding = Finding::new(codes::CORE_DUMP_ANNOTATION, "pods: ", "fix").hitting(&hits);
            Report {
                findings: vec![finding],
                ..Report::default()
            }
        };
        for (before, now, new) in [
            (&[("a", 3, "x-1")][..], &[("a", 1, "x-2")][..], None),
            (
                &[("a", 1, "x-1"), ("b", 3, "y-1")],
                &[("a", 2, "x-2"), ("b", 1, "y-2")],
                None,
            ),
            (&[("a", 1, "x-1"), ("b", 3, "y-1")], &[("b", 3, "y-1")], None),
            (
                &[("b", 3, "y-1")],
                &[("a", 2, "x-2"), ("b", 1, "y-2")],
                Some("Namespace a"),
            ),
        ] {
            let mut document = serde_json::json!(annotated(before));
            document["kind"] = serde_json::json!("CheckReport");
            let baseline = Baseline::read(&document.to_string(), "b.json").unwrap();
            let left = baseline.split(annotated(now)).0;
            let named: Vec<_> = left.findings.iter().flat_map(Finding::named).collect();
            assert_eq!(named, Vec::from_iter(new), "{before:?} {now:?}");
        }
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
