//! The prompt: what a Mesh object's status says of where its mesh could go and whether its clusters agree, kept true by
//! the guard's webhook.

mod agree;
mod observed;
mod target;

pub use agree::{REPORT_AGAIN, agree, file};
pub use observed::{drift, reachable_from};
pub use target::{Place, Reachable, Withheld, places, reachable};

use crate::{
    api::{ClusterReport, Downgrade, Mesh, MeshCluster, MeshStatus},
    catalog::{Catalog, DateKind},
    conditions,
    event::Report,
    guard::Facts,
    guard::decide::KnownMesh,
    version::{Flavor, IstioVersion, KubernetesVersion},
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp, tz::TimeZone},
};

/// A version that the mesh does not run can be reached in one hop.
pub const UPGRADE_AVAILABLE: &str = "UpgradeAvailable";
/// The minor that runs gets no fixes any more.
pub const END_OF_LIFE: &str = "EndOfLife";
/// The control planes of all clusters run one version, as far as their guards report.
pub const VERSIONS_AGREE: &str = "VersionsAgree";
/// The guard lets the mesh go back to the version in `spec.downgrade`. It stands there once the guard has seen it.
pub const DOWNGRADE_ALLOWED: &str = "DowngradeAllowed";

/// What is seen of a mesh in the cluster that holds its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The newest control plane's version, else the one that was recorded.
    pub version: Option<IstioVersion>,
    /// Name of the MeshUpgrade that runs.
    pub upgrade: Option<String>,
    /// The way back that its owner allows, open or over.
    pub downgrade: Option<Downgrade>,
    /// Version of this cluster's Kubernetes.
    pub kubernetes: Option<KubernetesVersion>,
    /// Name of this cluster, as the Mesh lists it.
    pub cluster: Option<String>,
    /// Newest version that a control plane of the mesh runs here.
    pub running: Option<IstioVersion>,
    /// What the other guards report, and the clusters that the Mesh lists: with either the answer changes.
    pub reported: (Vec<ClusterReport>, Vec<MeshCluster>),
}

/// What the guard knows of its own cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Here {
    /// Its name, as Mesh objects list it; where none is known, a Mesh's annotation may say it.
    pub cluster: Option<String>,
    /// Version of its Kubernetes.
    pub kubernetes: Option<KubernetesVersion>,
}

impl Seen {
    /// Out of what the guard knows.
    #[must_use]
    pub fn of(mesh: &KnownMesh, facts: &Facts, here: &Here) -> Self {
        let running = running(facts, &mesh.flavor, |namespace| mesh.has_namespace(namespace));
        let mut upgrades = facts.upgrades.iter();
        let upgrade = upgrades.find(|upgrade| upgrade.mesh == mesh.name && !upgrade.phase.is_final());
        Self {
            version: running.or(mesh.version.as_ref()).cloned(),
            upgrade: upgrade.map(|upgrade| upgrade.name.clone()),
            downgrade: mesh.downgrade.clone().filter(|_| mesh.is_external()),
            kubernetes: here.kubernetes.clone(),
            cluster: mesh.own_cluster.clone().or_else(|| here.cluster.clone()),
            running: running.cloned(),
            reported: (mesh.reports.clone(), mesh.clusters.clone()),
        }
    }

    /// What this guard reports of its own cluster; `None` where nobody says what it is called.
    fn report(&self, now: Timestamp) -> Option<ClusterReport> {
        Some(report(
            self.cluster.as_deref()?,
            self.running.as_ref(),
            self.kubernetes.as_ref(),
            now,
        ))
    }

    /// How long the way back is open; `None` where none is.
    #[must_use]
    pub fn open_for(&self, now: Timestamp) -> Option<SignedDuration> {
        let open = self.downgrade.as_ref().filter(|downgrade| downgrade.is_open(now))?;
        Some(open.expires.0.duration_since(now))
    }
}

/// The newest control plane of a flavor in these namespaces.
fn running<'f>(facts: &'f Facts, flavor: &Flavor, is_its: impl Fn(&str) -> bool) -> Option<&'f IstioVersion> {
    let planes = facts.control_planes.iter().filter(|plane| is_its(&plane.namespace));
    planes
        .filter_map(|plane| plane.version.as_ref())
        .filter(|version| version.flavor == *flavor)
        .max_by(|a, b| a.cmp_release(b))
}

/// What a member's guard reports of its own cluster to the Mesh of another one.
#[must_use]
pub fn report_of_member(mesh: &Mesh, cluster: &str, facts: &Facts, here: &Here, now: Timestamp) -> ClusterReport {
    let flavor = Flavor::from_suffix(mesh.spec.flavor.as_deref());
    let running = running(facts, &flavor, |namespace| namespace == mesh.spec.istio_namespace);
    report(cluster, running, here.kubernetes.as_ref(), now)
}

fn report(
    cluster: &str,
    running: Option<&IstioVersion>,
    kubernetes: Option<&KubernetesVersion>,
    now: Timestamp,
) -> ClusterReport {
    ClusterReport {
        cluster: cluster.to_owned(),
        version: running.map(ToString::to_string),
        kubernetes: kubernetes.map(|kubernetes| kubernetes.git_version.clone()),
        reported_at: Time(now),
    }
}

/// The status that a Mesh should have; the version itself is recorded elsewhere, and never goes back.
#[must_use]
pub fn status(mesh: &Mesh, seen: &Seen, catalog: &Catalog, now: Timestamp) -> MeshStatus {
    let mut status = mesh.status.clone().unwrap_or_default();
    status.clusters = i32::try_from(mesh.spec.clusters.len().max(1)).ok();
    status.upgrade.clone_from(&seen.upgrade);
    tell_downgrade(&mut status, seen, now);
    if let Some(own) = seen.report(now) {
        file(&mut status.reports, &mesh.spec.clusters, own);
    }
    tell_agreement(&mut status, mesh, now);
    let Some(version) = &seen.version else {
        return status;
    };
    // One hop from where the last of the clusters stands.
    let reported = status
        .reports
        .iter()
        .filter_map(|report| report.version.as_deref()?.parse().ok());
    let last = reported.min_by(|a: &IstioVersion, b| a.cmp_release(b));
    let version = last
        .as_ref()
        .filter(|last| last.cmp_release(version).is_lt())
        .unwrap_or(version);
    let mut places = places(&status.reports);
    if let (true, Some(kubernetes)) = (places.is_empty(), &seen.kubernetes) {
        places.push((String::new(), kubernetes.clone()));
    }
    let Reachable {
        version: target,
        withheld,
    } = reachable(catalog, version, &places);
    status.available_version = target.as_ref().map(ToString::to_string);
    let name = mesh.metadata.name.as_deref().unwrap_or_default();
    let but = withheld
        .as_ref()
        .map(|withheld| format!("; {}", withheld.why))
        .unwrap_or_default();
    let (reason, message) = match (&target, &withheld) {
        (Some(target), _) => {
            let reason = if target.minor() == version.minor() {
                "NewPatch"
            } else {
                "NewMinor"
            };
            let range = catalog.kubernetes_range(target);
            let range = range
                .map(|range| format!(", which supports Kubernetes {range}"))
                .unwrap_or_default();
            (
                reason,
                format!(
                    "{version} can go to {target}{range}{but}; see kubectl mesh-upgrade check {name} --to {target} ({})",
                    catalog.edition()
                ),
            )
        }
        (None, Some(Withheld { version: newer, why })) => (
            "KubernetesNotSupported",
            format!(
                "{version} cannot go to {newer}: {why}; see kubectl mesh-upgrade plan {name} --to {newer} ({})",
                catalog.edition()
            ),
        ),
        (None, None) if catalog.knows(version) => (
            "UpToDate",
            format!("{} knows no newer version that {version} can go to", catalog.edition()),
        ),
        (None, None) => ("Unknown", format!("{} does not know {version}", catalog.edition())),
    };
    let conditions = &mut status.conditions;
    conditions::upsert(conditions, UPGRADE_AVAILABLE, target.is_some(), reason, &message, now);
    if let Some(release) = catalog.release_of(version) {
        let today = now.to_zoned(TimeZone::UTC).date();
        let end = release.end_of_life;
        let over = end.is_past(today);
        let (reason, message) = if over {
            ("Ended", format!("{} gets no fixes since {}", release.minor, end.date))
        } else {
            let sure = match end.kind {
                DateKind::Estimate => " or so",
                DateKind::Actual | DateKind::Announced => "",
            };
            (
                "Supported",
                format!("{} gets fixes until {}{sure}", release.minor, end.date),
            )
        };
        conditions::upsert(conditions, END_OF_LIFE, over, reason, &message, now);
    }
    status
}

/// Says whether the clusters agree; nothing, where there is but one, or nobody has reported.
fn tell_agreement(status: &mut MeshStatus, mesh: &Mesh, now: Timestamp) {
    let answer = agree(&mesh.spec.clusters, &status.reports, now);
    let conditions = &mut status.conditions;
    let Some((answer, reason, message)) = answer else {
        conditions.retain(|condition| condition.type_ != VERSIONS_AGREE);
        return;
    };
    conditions::upsert(conditions, VERSIONS_AGREE, answer, reason, &message, now);
}

/// Says whether the guard lets the mesh go back; nothing, where nobody asked for it.
fn tell_downgrade(status: &mut MeshStatus, seen: &Seen, now: Timestamp) {
    let conditions = &mut status.conditions;
    let Some(downgrade) = &seen.downgrade else {
        conditions.retain(|condition| condition.type_ != DOWNGRADE_ALLOWED);
        return;
    };
    let Downgrade {
        to,
        by,
        reason,
        expires,
        ..
    } = downgrade;
    let open = downgrade.is_open(now);
    let (word, verb) = if open {
        ("Allowed", "may go")
    } else {
        ("Expired", "might go")
    };
    let message = format!("{verb} back to {to} until {}, as {by} allowed: {reason}", expires.0);
    conditions::upsert(conditions, DOWNGRADE_ALLOWED, open, word, &message, now);
}

/// What people should be told of between two statuses.
#[must_use]
pub fn between(before: &MeshStatus, after: &MeshStatus) -> Vec<Report> {
    let mut reports = Vec::new();
    let said = |status: &MeshStatus, condition: &str| {
        let mut conditions = status.conditions.iter();
        let found = conditions.find(|found| found.type_ == condition && found.status == "True")?;
        Some(found.message.clone())
    };
    if after.available_version.is_some() && after.available_version != before.available_version {
        reports.extend(said(after, UPGRADE_AVAILABLE).map(Report::available));
    }
    if said(before, END_OF_LIFE).is_none() {
        reports.extend(said(after, END_OF_LIFE).map(Report::ended));
    }
    let differ = |status: &MeshStatus| {
        let mut conditions = status.conditions.iter();
        let found = conditions.find(|found| found.type_ == VERSIONS_AGREE && found.status == "False")?;
        Some(found.message.clone())
    };
    // An upgrade goes through the clusters one after the other.
    if after.upgrade.is_none() && differ(before).is_none() {
        reports.extend(differ(after).map(Report::differs));
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::MeshSpec,
        guard::decide::{KnownControlPlane, KnownUpgrade},
        phase::Phase,
    };

    fn seen(version: &str) -> Seen {
        Seen {
            version: version.parse().ok(),
            upgrade: None,
            downgrade: None,
            kubernetes: None,
            cluster: None,
            running: None,
            reported: Default::default(),
        }
    }

    fn now() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().unwrap()
    }

    fn shown(mesh: &Mesh, seen: &Seen) -> MeshStatus {
        status(mesh, seen, &Catalog::embedded().unwrap(), now())
    }

    #[test]
    fn the_prompt_tells_the_best_target_and_why() {
        let mesh = Mesh::new("shop", MeshSpec::default());
        for (version, available, reason, ended) in [
            ("1.30.3", Some("1.31.3"), "NewMinor", "False"),
            ("1.31.0", Some("1.31.3"), "NewPatch", "False"),
            ("1.31.3", None, "UpToDate", "False"),
            ("1.28.1", Some("1.29.10"), "NewMinor", "True"),
        ] {
            let status = shown(&mesh, &seen(version));
            assert_eq!(status.available_version.as_deref(), available, "{version}");
            let [upgrade, end] = status.conditions.as_slice() else {
                panic!("{status:?}");
            };
            assert_eq!(
                (upgrade.reason.as_str(), end.status.as_str()),
                (reason, ended),
                "{version}"
            );
        }
        let unknown = shown(&mesh, &seen("1.99.0"));
        assert_eq!(unknown.conditions[0].reason, "Unknown");
        assert_eq!(shown(&mesh, &seen("none")).conditions, []);
    }

    #[test]
    fn what_is_new_is_told_once() {
        let mut mesh = Mesh::new("shop", MeshSpec::default());
        let first = shown(&mesh, &seen("1.28.1"));
        let told: Vec<&str> = between(&MeshStatus::default(), &first)
            .iter()
            .map(|report| report.reason)
            .collect();
        assert_eq!(told, ["UpgradeAvailable", "EndOfLife"]);
        mesh.status = Some(first.clone());
        let again = shown(&mesh, &seen("1.28.1"));
        assert_eq!((&again, between(&first, &again)), (&first, Vec::new()));
        let arrived = shown(&mesh, &seen("1.31.3"));
        assert_eq!(between(&first, &arrived), Vec::new());
    }

    #[test]
    fn a_way_back_is_told_while_it_is_asked_for() {
        let mut mesh = Mesh::new("shop", MeshSpec::default());
        let seen = |expires: &str| Seen {
            downgrade: Some(Downgrade {
                to: "1.30.3".to_owned(),
                by: "alice".to_owned(),
                reason: "pager 7".to_owned(),
                expires: Time(expires.parse().unwrap()),
                writers: Vec::new(),
            }),
            ..seen("1.31.0")
        };
        let found = |status: &MeshStatus| {
            let mut conditions = status.conditions.iter();
            let found = conditions.find(|condition| condition.type_ == DOWNGRADE_ALLOWED)?;
            Some((found.status.clone(), found.reason.clone()))
        };
        let pair = |status: &str, reason: &str| Some((status.to_owned(), reason.to_owned()));
        let open = seen("2026-11-28T14:00:00Z");
        assert_eq!(open.open_for(now()), Some(SignedDuration::from_hours(2)));
        mesh.status = Some(shown(&mesh, &open));
        assert_eq!(found(mesh.status.as_ref().unwrap()), pair("True", "Allowed"));
        let over = seen("2026-11-28T12:00:00Z");
        assert_eq!(over.open_for(now()), None);
        mesh.status = Some(shown(&mesh, &over));
        assert_eq!(found(mesh.status.as_ref().unwrap()), pair("False", "Expired"));
        assert_eq!(found(&shown(&mesh, &super::tests::seen("1.31.0"))), None);
    }

    #[test]
    fn the_newest_control_plane_and_the_running_upgrade_are_seen() {
        let mesh = KnownMesh {
            name: "shop".to_owned(),
            istio_namespace: "istio-system".to_owned(),
            namespaces: Vec::new(),
            flavor: Flavor::Native,
            version: "1.29.0".parse().ok(),
            ..KnownMesh::default()
        };
        let plane = |namespace: &str, version: &str| KnownControlPlane {
            namespace: namespace.to_owned(),
            version: version.parse().ok(),
            ..KnownControlPlane::default()
        };
        let upgrade = |name: &str, phase: Phase| KnownUpgrade {
            name: name.to_owned(),
            mesh: "shop".to_owned(),
            phase,
            epoch: 1,
        };
        let mut facts = Facts::default();
        assert_eq!(Seen::of(&mesh, &facts, &Here::default()), seen("1.29.0"));
        facts.control_planes = vec![
            plane("istio-system", "1.30.3"),
            plane("istio-system", "1.30.10"),
            plane("other", "1.31.0"),
            plane("istio-system", "1.31.0-mspider"),
        ];
        facts.upgrades = vec![upgrade("over", Phase::Succeeded), upgrade("runs", Phase::Upgrading)];
        let found = Seen::of(&mesh, &facts, &Here::default());
        assert_eq!(
            (found.version, found.upgrade.as_deref()),
            ("1.30.10".parse().ok(), Some("runs"))
        );
    }
}
