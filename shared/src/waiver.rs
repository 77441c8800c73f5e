//! Waivers: findings accepted in writing, with an owner and an expiry. What cannot be waived stays a blocker.

use crate::{
    api::RecordedWaiver,
    catalog::Date,
    document::{self, DocumentError},
    finding::{Code, Finding, Report, Severity, Waived, codes},
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
    fn covers(&self, finding: &Finding) -> bool {
        let matches = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        self.code == finding.code
            && self.code.is_waivable()
            && matches(&self.cluster, &finding.cluster)
            && matches(&self.object, &finding.object)
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
        let matching = report.findings.iter().filter(|finding| waiver.covers(finding)).count();
        if let Some((severity, cause)) = without_effect(waiver, matching, today) {
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
        let accepted = waivers
            .iter()
            .find(|waiver| waiver.expires >= today && waiver.covers(&finding));
        match accepted {
            Some(waiver) => result.waived.push(Waived {
                finding,
                owner: waiver.owner.clone(),
                reason: waiver.reason.clone(),
                expires: waiver.expires.to_string(),
            }),
            None => result.find(finding),
        }
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
            object: waived.finding.object.clone(),
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

fn without_effect(waiver: &Waiver, matching: usize, today: Date) -> Option<(Severity, String)> {
    if !waiver.code.is_waivable() {
        Some((Severity::Warning, format!("{} cannot be waived", waiver.code)))
    } else if matching == 0 {
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
