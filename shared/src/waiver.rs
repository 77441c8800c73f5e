//! Waivers: findings accepted in writing, with an owner and an expiry. What cannot be waived stays a blocker.

use crate::{
    api::RecordedWaiver,
    catalog::Date,
    document::{self, DocumentError},
    finding::{Code, Finding, Report, Severity, Waived, codes},
    inventory::EXAMPLES,
};
use serde::Deserialize;
use serde_saphyr::Spanned;

/// Annotation of a Mesh whose value is the text of a file of waivers.
pub const ANNOTATION: &str = "meshupgrade.io/waivers";

/// One finding, or several of one code, accepted in writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Code of the finding.
    pub code: Code,
    /// Cluster it is accepted in; `None` for all.
    pub cluster: Option<String>,
    /// Object it is accepted for; `None` for all.
    pub object: Option<String>,
    /// Who accepts it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Last day on which it holds.
    pub expires: Date,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    waivers: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    code: Spanned<Code>,
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default)]
    object: Option<String>,
    owner: Spanned<String>,
    reason: Spanned<String>,
    expires: Date,
}

/// Reads a file of waivers.
///
/// # Errors
/// When the text is no YAML, has unknown or missing fields, names no owner or reason, or waives what cannot be waived;
/// with line and reason.
pub fn read(text: &str, origin: &str) -> Result<Vec<Waiver>, DocumentError> {
    let file: File = document::read(text, origin)?;
    file.waivers
        .into_iter()
        .map(|entry| {
            for (field, text) in [("owner", &entry.owner), ("reason", &entry.reason)] {
                if text.value.trim().is_empty() {
                    return Err(DocumentError::at(
                        origin,
                        Some(text.defined),
                        format!("a waiver needs an {field}"),
                    ));
                }
            }
            let code = entry.code.value;
            if !code.is_waivable() {
                let reason = format!("{code} cannot be waived: {}", code.title());
                return Err(DocumentError::at(origin, Some(entry.code.defined), reason));
            }
            Ok(Waiver {
                code,
                cluster: entry.cluster,
                object: entry.object,
                owner: entry.owner.value,
                reason: entry.reason.value,
                expires: entry.expires,
            })
        })
        .collect()
}

impl Waiver {
    /// Whether it is about such a finding, in its cluster, of whatever object.
    fn concerns(&self, finding: &Finding) -> bool {
        self.code == finding.code
            && self.code.is_waivable()
            && (self.cluster.is_none() || self.cluster == finding.cluster)
    }

    fn covers(&self, finding: &Finding) -> bool {
        let names = |wanted: &String| finding.named().any(|object| object == wanted);
        self.concerns(finding) && self.object.as_ref().is_none_or(names)
    }

    /// What of a finding it accepts, and what is left of it: of several objects the one that it names.
    fn accept(&self, finding: Finding) -> (Option<Finding>, Option<Finding>) {
        match &self.object {
            _ if !self.covers(&finding) => (None, Some(finding)),
            Some(wanted) => finding.part(|object| object == wanted),
            None => (Some(finding), None),
        }
    }
}

/// Moves what is waived out of the findings, and reports waivers that have no effect.
#[must_use]
pub fn apply(report: Report, waivers: &[Waiver], today: Date) -> Report {
    let mut result = Report {
        passed: report.passed,
        waived: report.waived,
        ..Report::default()
    };
    for waiver in waivers {
        if let Some((severity, cause)) = without_effect(waiver, &report.findings, today) {
            result.find(
                Finding::new(
                    codes::WAIVER_WITHOUT_EFFECT,
                    cause,
                    "renew the waiver with a new expiry, correct it, or remove it",
                )
                .about(format!("waiver of {} by {}", waiver.code, waiver.owner))
                .weighing(severity),
            );
        }
    }
    for finding in report.findings {
        let mut left = Some(finding);
        for waiver in waivers.iter().filter(|waiver| waiver.expires >= today) {
            let Some(finding) = left.take() else { break };
            let (accepted, rest) = waiver.accept(finding);
            result.waived.extend(accepted.map(|finding| Waived {
                finding,
                object: waiver.object.clone(),
                owner: waiver.owner.clone(),
                reason: waiver.reason.clone(),
                expires: waiver.expires.to_string(),
            }));
            left = rest;
        }
        result.findings.extend(left);
    }
    result.sort();
    result
}

/// What of a report was waived, for the journal.
#[must_use]
pub fn record(report: &Report) -> Vec<RecordedWaiver> {
    let waived = report.waived.iter();
    waived
        .map(|waived| RecordedWaiver {
            code: waived.finding.code.to_string(),
            cluster: waived.finding.cluster.clone(),
            object: waived.object.as_ref().or(waived.finding.object.as_ref()).cloned(),
            cause: waived.finding.cause.clone(),
            owner: waived.owner.clone(),
            reason: waived.reason.clone(),
            expires: waived.expires.clone(),
        })
        .collect()
}

/// Waivers that a journal recorded. What this build does not know any more, or cannot be waived, waives nothing.
#[must_use]
pub fn recorded(records: &[RecordedWaiver]) -> Vec<Waiver> {
    let read = |record: &RecordedWaiver| {
        Some(Waiver {
            code: record.code.parse().ok()?,
            cluster: record.cluster.clone(),
            object: record.object.clone(),
            owner: record.owner.clone(),
            reason: record.reason.clone(),
            expires: record.expires.parse().ok()?,
        })
    };
    records
        .iter()
        .filter_map(read)
        .filter(|waiver| waiver.code.is_waivable())
        .collect()
}

fn without_effect(waiver: &Waiver, findings: &[Finding], today: Date) -> Option<(Severity, String)> {
    let is_covered = findings.iter().any(|finding| waiver.covers(finding));
    let counted = |finding: &Finding| finding.unnamed > 0 && waiver.concerns(finding);
    if !waiver.code.is_waivable() {
        Some((Severity::Warning, format!("{} cannot be waived", waiver.code)))
    } else if !is_covered && findings.iter().any(counted) {
        let cause = format!("no finding names its object; of more than {EXAMPLES} alike the rest is only counted");
        Some((Severity::Info, cause))
    } else if !is_covered {
        Some((Severity::Info, "no finding was made that it covers".to_owned()))
    } else if waiver.expires < today {
        Some((Severity::Warning, format!("it expired on {}", waiver.expires)))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::filters;

    const TODAY: Date = Date::constant(2026, 11, 24);

    fn waiver(code: Code, cluster: Option<&str>, expires: Date) -> Waiver {
        Waiver {
            code,
            cluster: cluster.map(str::to_owned),
            object: None,
            owner: "alice".to_owned(),
            reason: "tried in staging".to_owned(),
            expires,
        }
    }

    fn report() -> Report {
        let finding = |code, cluster| Finding::new(code, "cause", "fix").in_cluster(cluster);
        Report {
            findings: vec![
                finding(codes::NO_ISTIO_FOR_KUBERNETES, "east"),
                finding(codes::NO_ISTIO_FOR_KUBERNETES, "west"),
                finding(codes::CLUSTER_UNKNOWN, "north"),
            ],
            ..Report::default()
        }
    }

    #[test]
    fn only_what_a_valid_waiver_covers_is_waived() {
        let (later, past) = (Date::constant(2026, 12, 31), Date::constant(2026, 11, 23));
        for (code, cluster, expires, blockers, complaint) in [
            (codes::NO_ISTIO_FOR_KUBERNETES, Some("east"), later, 2, None),
            (codes::NO_ISTIO_FOR_KUBERNETES, None, later, 1, None),
            (codes::NO_ISTIO_FOR_KUBERNETES, None, TODAY, 1, None),
            (
                codes::NO_ISTIO_FOR_KUBERNETES,
                None,
                past,
                3,
                Some((Severity::Warning, "expired on 2026-11-23")),
            ),
            (
                codes::NO_ISTIO_FOR_KUBERNETES,
                Some("south"),
                later,
                3,
                Some((Severity::Info, "no finding was made")),
            ),
            (
                codes::CLUSTER_UNKNOWN,
                None,
                later,
                3,
                Some((Severity::Warning, "MU901 cannot be waived")),
            ),
        ] {
            let result = apply(report(), &[waiver(code, cluster, expires)], TODAY);
            assert_eq!(result.blockers().count(), blockers, "{code} {cluster:?} {expires}");
            assert_eq!(result.waived.len(), 3 - blockers);
            let told = result
                .findings
                .iter()
                .find(|finding| finding.code == codes::WAIVER_WITHOUT_EFFECT);
            assert_eq!(
                told.map(|finding| finding.severity),
                complaint.map(|(severity, _)| severity)
            );
            if let (Some(told), Some((_, part))) = (told, complaint) {
                assert!(told.cause.contains(part), "{}", told.cause);
            }
        }
    }

    #[test]
    fn of_several_objects_each_is_accepted_by_itself() {
        let kept: Vec<String> = (0..20).map(|index| format!("f{index}")).collect();
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        for (names, more, waived, left, complaint) in [
            (&["a"][..], 0, &["a"][..], &[][..], None),
            (&["a", "b"], 0, &["a"], &["b"], None),
            (&["a", "b", "c"], 0, &["a", "c"], &["b"], None),
            (&["a", "b"], 0, &["a", "b"], &[], None),
            (&["a", "a", "b"], 0, &["a"], &["b"], None),
            (&["b"], 0, &["a"], &["b"], Some("no finding was made")),
            (&kept, 3, &["f1"], &kept, None),
            (&kept, 3, &["z"], &kept, Some("only counted")),
        ] {
            let report = Report {
                findings: vec![filters(names, more).in_cluster("east")],
                ..Report::default()
            };
            let object = |name: &&str| format!("EnvoyFilter shop/{name}");
            let waivers: Vec<Waiver> = waived
                .iter()
                .map(|name| Waiver {
                    object: Some(object(name)),
                    ..waiver(codes::ENVOY_FILTER, None, TODAY)
                })
                .collect();
            let result = apply(report, &waivers, TODAY);
            let has = |name: &&&str| names.contains(name);
            let accepted: Vec<_> = waived.iter().filter(has).map(object).collect();
            let told: Vec<_> = result.waived.iter().map(|one| one.finding.object.clone()).collect();
            assert_eq!(told, accepted.iter().cloned().map(Some).collect::<Vec<_>>());
            let of_code = |code| result.findings.iter().find(move |finding| finding.code == code);
            let rest = of_code(codes::ENVOY_FILTER);
            let named: Vec<&str> = rest.iter().flat_map(|finding| finding.named()).collect();
            let expected: Vec<_> = left.iter().map(object).filter(|one| !accepted.contains(one)).collect();
            assert_eq!(named, expected, "{names:?}, waived {waived:?}");
            assert_eq!(rest.map_or(0, |finding| finding.unnamed), more);
            let without_effect = of_code(codes::WAIVER_WITHOUT_EFFECT).map(|finding| finding.cause.as_str());
            assert_eq!(without_effect.is_some(), complaint.is_some(), "{without_effect:?}");
            assert!(
                without_effect
                    .unwrap_or_default()
                    .contains(complaint.unwrap_or_default())
            );
            // What the journal keeps accepts the same objects and no others.
            let again = recorded(&record(&result));
            let further = Report {
                findings: vec![filters(&[names, &["later"][..]].concat(), more).in_cluster("east")],
                ..Report::default()
            };
            let resumed = apply(further, &again, TODAY);
            assert_eq!(resumed.waived.len(), accepted.len());
            assert!(resumed.findings[0].named().any(|object| object.ends_with("/later")));
        }
    }

    #[test]
    fn what_was_accepted_for_one_object_is_recorded_for_that_one() {
        let report = |names| Report {
            findings: vec![filters(names, 0)],
            ..Report::default()
        };
        let of_one = Waiver {
            object: Some("EnvoyFilter shop/a".to_owned()),
            ..waiver(codes::ENVOY_FILTER, None, TODAY)
        };
        let mut result = apply(report(&["a", "a", "b"]), &[of_one], TODAY);
        // However a finding says which object it is about.
        result.waived[0].finding.object = None;
        let again = recorded(&record(&result));
        assert_eq!(again[0].object.as_deref(), Some("EnvoyFilter shop/a"));
        assert!(!again[0].covers(&filters(&["b"], 0)));
        assert_eq!(apply(report(&["b"]), &again, TODAY).waived, []);
    }

    #[test]
    fn what_is_waived_is_kept_with_its_owner() {
        let result = apply(
            report(),
            &[waiver(codes::NO_ISTIO_FOR_KUBERNETES, Some("west"), TODAY)],
            TODAY,
        );
        let waived = &result.waived[0];
        assert_eq!(
            (waived.owner.as_str(), waived.expires.as_str()),
            ("alice", "2026-11-24")
        );
        assert_eq!(waived.finding.cluster.as_deref(), Some("west"));
        assert!(
            serde_json::to_string(&result)
                .unwrap()
                .contains("\"waived\":[{\"finding\":{\"code\":\"MU203\"")
        );
    }

    #[test]
    fn the_journal_keeps_what_was_waived_and_no_more() {
        let accepted = [waiver(codes::NO_ISTIO_FOR_KUBERNETES, Some("west"), TODAY)];
        let mut records = record(&apply(report(), &accepted, TODAY));
        let blockers =
            |records: &[RecordedWaiver], today| apply(report(), &recorded(records), today).blockers().count();
        assert_eq!((records.len(), records[0].cluster.as_deref()), (1, Some("west")));
        assert_eq!(blockers(&records, TODAY), 2);
        assert_eq!(blockers(&records, Date::constant(2026, 11, 25)), 3, "it has expired");
        records[0].code = "MU901".to_owned();
        records[0].cluster = None;
        assert_eq!(
            blockers(&records, TODAY),
            3,
            "an edited record waives nothing unwaivable"
        );
    }

    #[test]
    fn reads_waivers_and_refuses_broken_ones_with_their_line() {
        let good = "waivers:\n  - code: MU203\n    cluster: east\n    owner: alice\n    reason: tried\n    expires: 2026-12-31\n";
        let read_good = read(good, "w.yaml").unwrap();
        assert_eq!(read_good[0].expires, Date::constant(2026, 12, 31));
        for (from, to, line, part) in [
            ("MU203", "MU999", 2, "not a code of a finding"),
            ("MU203", "MU101", 2, "MU101 cannot be waived: The target skips a minor"),
            ("owner: alice", "owner: \" \"", 4, "needs an owner"),
            ("    reason: tried\n", "", 5, "missing field `reason`"),
            ("2026-12-31", "soon", 6, ""),
            ("cluster", "clustre", 3, "unknown field"),
        ] {
            let error = read(&good.replace(from, to), "w.yaml").unwrap_err();
            assert_eq!(error.line, Some(line), "{error}");
            assert!(error.reason.contains(part), "{error}");
        }
    }
}
