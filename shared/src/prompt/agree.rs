//! Drift between the clusters of a mesh, out of what the guard of each reports of its own.

use crate::{
    api::{ClusterReport, ClusterRole, MeshCluster},
    conditions::Answer,
    version::IstioVersion,
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// How often a report is made again although nothing has changed.
pub const REPORT_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// A report that is older says nothing any more: its guard is gone, or cannot reach the Mesh.
const STALE: SignedDuration = SignedDuration::from_hours(3);

/// Puts a cluster's report among those of the others; a Mesh that does not list the cluster takes none, and one that says
/// the same a moment later neither.
pub fn file(reports: &mut Vec<ClusterReport>, clusters: &[MeshCluster], own: ClusterReport) {
    let is_listed = |name: &str| clusters.iter().any(|cluster| cluster.name == name);
    reports.retain(|report| is_listed(&report.cluster));
    if !is_listed(&own.cluster) {
        return;
    }
    let Some(known) = reports.iter_mut().find(|report| report.cluster == own.cluster) else {
        reports.push(own);
        reports.sort_by(|a, b| a.cluster.cmp(&b.cluster));
        return;
    };
    let says_the_same = known.version == own.version && known.kubernetes == own.kubernetes;
    if !says_the_same || own.reported_at.0.duration_since(known.reported_at.0) >= REPORT_AGAIN {
        *known = own;
    }
}

/// Whether the control planes of all clusters run one version: the answer, a word for it, and a sentence. `None` for a mesh
/// whose object lists no clusters beside the one that holds it.
#[must_use]
pub fn agree(
    clusters: &[MeshCluster],
    reports: &[ClusterReport],
    now: Timestamp,
) -> Option<(Answer, &'static str, String)> {
    if clusters.len() < 2 {
        return None;
    }
    let of = |cluster: &MeshCluster| {
        let fresh = |report: &&ClusterReport| now.duration_since(report.reported_at.0) < STALE;
        reports
            .iter()
            .filter(fresh)
            .find(|report| report.cluster == cluster.name)
    };
    let version = |report: &ClusterReport| report.version.as_deref()?.parse::<IstioVersion>().ok();
    let mut known: Vec<(&str, IstioVersion)> = Vec::new();
    let mut missing: Vec<&str> = Vec::new();
    for cluster in clusters {
        match of(cluster).map(version) {
            Some(Some(version)) => known.push((&cluster.name, version)),
            // A remote has no control plane of its own.
            _ if cluster.role == ClusterRole::Remote => {}
            Some(None) | None => missing.push(&cluster.name),
        }
    }
    let newest = known
        .iter()
        .map(|(_, version)| version)
        .max_by(|a, b| a.cmp_release(b))?;
    let behind: Vec<String> = known
        .iter()
        .filter(|(_, version)| version != newest)
        .map(|(cluster, version)| format!("{cluster} runs {version}"))
        .collect();
    let ahead: Vec<&str> = known
        .iter()
        .filter(|(_, version)| version == newest)
        .map(|(cluster, _)| *cluster)
        .collect();
    let mut message = if behind.is_empty() {
        format!("{newest} runs in {}", ahead.join(", "))
    } else {
        format!("{}, behind {newest} of {}", behind.join(", "), ahead.join(", "))
    };
    if !missing.is_empty() {
        message.push_str(&format!("; no guard reports a version of {}", missing.join(", ")));
    }
    Some(match (behind.is_empty(), missing.is_empty()) {
        (false, _) => (Answer::False, "Behind", message),
        (true, false) => (Answer::Unknown, "NotReported", message),
        (true, true) => (Answer::True, "Agree", message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn report(cluster: &str, version: Option<&str>, hours: i64) -> ClusterReport {
        ClusterReport {
            cluster: cluster.to_owned(),
            version: version.map(str::to_owned),
            kubernetes: Some("v1.34.1".to_owned()),
            reported_at: Time(at(hours)),
        }
    }

    fn clusters(names: &[(&str, ClusterRole)]) -> Vec<MeshCluster> {
        let named = |(name, role): &(&str, ClusterRole)| MeshCluster {
            name: (*name).to_owned(),
            role: *role,
            context: None,
        };
        names.iter().map(named).collect()
    }

    #[test]
    fn the_cluster_that_is_behind_is_named_and_one_that_is_silent_is_not_fine() {
        let mesh = clusters(&[
            ("east", ClusterRole::Primary),
            ("west", ClusterRole::Primary),
            ("far", ClusterRole::Remote),
        ]);
        let east = || report("east", Some("1.31.0"), 10);
        for (what, reports, answer, message) in [
            (
                "one version",
                vec![east(), report("west", Some("1.31.0"), 10), report("far", None, 10)],
                Answer::True,
                "1.31.0 runs in east, west",
            ),
            (
                "one behind",
                vec![east(), report("west", Some("1.30.3"), 10)],
                Answer::False,
                "west runs 1.30.3, behind 1.31.0 of east",
            ),
            (
                "one silent",
                vec![east()],
                Answer::Unknown,
                "1.31.0 runs in east; no guard reports a version of west",
            ),
            (
                "one that has been silent for long",
                vec![east(), report("west", Some("1.31.0"), 6)],
                Answer::Unknown,
                "1.31.0 runs in east; no guard reports a version of west",
            ),
            (
                "one without a control plane that should have one",
                vec![east(), report("west", None, 10)],
                Answer::Unknown,
                "1.31.0 runs in east; no guard reports a version of west",
            ),
            (
                "another flavor",
                vec![east(), report("west", Some("1.31.0-mspider"), 10)],
                Answer::False,
                "",
            ),
            (
                "what the mesh does not list",
                vec![
                    east(),
                    report("west", Some("1.31.0"), 10),
                    report("old", Some("1.29.0"), 10),
                ],
                Answer::True,
                "1.31.0 runs in east, west",
            ),
        ] {
            let (found, _, said) = agree(&mesh, &reports, at(10)).unwrap();
            assert_eq!(found, answer, "{what}: {said}");
            assert!(message.is_empty() || said == message, "{what}: {said}");
        }
        assert_eq!(
            agree(&mesh[..1], &[east()], at(10)),
            None,
            "one cluster agrees with itself"
        );
        assert_eq!(agree(&mesh, &[], at(10)), None, "nobody has said anything");
    }

    #[test]
    fn a_report_is_filed_when_it_is_news() {
        let mesh = clusters(&[("east", ClusterRole::Primary), ("west", ClusterRole::Primary)]);
        let mut reports = vec![report("gone", Some("1.28.0"), 0)];
        file(&mut reports, &mesh, report("west", Some("1.30.3"), 1));
        file(&mut reports, &mesh, report("east", Some("1.30.3"), 1));
        assert_eq!(
            reports,
            [report("east", Some("1.30.3"), 1), report("west", Some("1.30.3"), 1)]
        );
        let mut soon = report("west", Some("1.30.3"), 1);
        soon.reported_at = Time(at(1) + SignedDuration::from_mins(59));
        file(&mut reports, &mesh, soon);
        assert_eq!(reports[1].reported_at, Time(at(1)), "nothing new");
        file(&mut reports, &mesh, report("west", Some("1.30.3"), 2));
        assert_eq!(reports[1].reported_at, Time(at(2)), "again after an hour");
        file(&mut reports, &mesh, report("west", Some("1.31.0"), 2));
        assert_eq!(reports[1].version.as_deref(), Some("1.31.0"));
        file(&mut reports, &mesh, report("nobody", Some("1.31.0"), 2));
        assert_eq!(reports.len(), 2);
    }
}
