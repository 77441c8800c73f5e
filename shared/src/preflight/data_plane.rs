//! Whether the proxies that run can live with the target, and belong to a control plane that is there.

use super::{Subject, native};
use crate::{
    finding::{Code, Finding, Report, codes},
    guard::message::one_line,
    inventory::{Proxies, ProxyKind},
    mesh::ObservedMember,
    version::{IstioVersion, Minor},
};
use std::collections::{BTreeMap, BTreeSet};

/// Namespaces that a finding names.
const NAMED: usize = 8;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        let proxies = proxies(member);
        if proxies.is_empty() {
            continue;
        }
        versions(subject, member, &proxies, report);
        revisions(subject, member, &proxies, report);
        native::check(subject, member, &proxies, report);
    }
}

/// The proxies of the mesh: where another one shares the cluster, those of its own revisions. Ztunnels are components.
pub(super) fn proxies<'a>(member: &ObservedMember<'a>) -> Vec<&'a Proxies> {
    let foreign: BTreeSet<&str> = member
        .foreign_control_planes()
        .map(|plane| plane.revision.as_str())
        .collect();
    let own: BTreeSet<&str> = member.control_planes().map(|plane| plane.revision.as_str()).collect();
    let is_foreign = |revision: &str| foreign.contains(revision) && !own.contains(revision);
    member
        .observed
        .proxies
        .iter()
        .filter(|proxies| proxies.kind != ProxyKind::Ztunnel)
        .filter(|proxies| !proxies.revision.as_deref().is_some_and(is_foreign))
        .collect()
}

/// Proxies that are alike in what is wrong with them, over all namespaces.
#[derive(Default)]
pub(super) struct Group<'a> {
    namespaces: BTreeMap<&'a str, u64>,
    example: &'a str,
}

impl Group<'_> {
    /// `12 sidecars, as reviews-v1-0, in shop (8) and pay (4)`.
    pub(super) fn told(&self, kind: ProxyKind) -> String {
        let count: u64 = self.namespaces.values().sum();
        let plural = if count == 1 { "" } else { "s" };
        let mut named: Vec<String> = self
            .namespaces
            .iter()
            .take(NAMED)
            .map(|(namespace, count)| format!("{namespace} ({count})"))
            .collect();
        let more = self.namespaces.len().saturating_sub(NAMED);
        if more > 0 {
            named.push(format!("{more} more namespaces"));
        }
        format!(
            "{count} {}{plural}, as {}, in {}",
            kind.as_str(),
            self.example,
            named.join(", ")
        )
    }

    /// What restarts them, as far as one command can say it.
    fn restart(&self) -> String {
        let namespace = self.namespaces.keys().next().copied().unwrap_or("NAMESPACE");
        format!("kubectl rollout restart deployment -n {namespace}")
    }
}

pub(super) fn grouped<'a, K: Ord>(
    proxies: &[&'a Proxies],
    key: impl Fn(&'a Proxies) -> Option<K>,
) -> BTreeMap<(ProxyKind, K), Group<'a>> {
    let mut groups: BTreeMap<(ProxyKind, K), Group<'a>> = BTreeMap::new();
    for proxies in proxies {
        if let Some(key) = key(proxies) {
            let group = groups.entry((proxies.kind, key)).or_default();
            *group.namespaces.entry(&proxies.namespace).or_default() += u64::from(proxies.count);
            group.example = &proxies.example;
        }
    }
    groups
}

fn versions(subject: &Subject<'_>, member: &ObservedMember<'_>, proxies: &[&Proxies], report: &mut Report) {
    let target = &subject.target.version;
    // The oldest control plane of the mesh: a remote cluster has none of its own.
    let oldest = subject
        .members
        .iter()
        .flat_map(ObservedMember::control_planes)
        .filter_map(|plane| plane.version.version.as_ref().map(IstioVersion::minor))
        .min();
    // Where it cannot be read there is a finding, and nothing to compare with; a way back has findings of its own.
    let Some(oldest) = oldest.filter(|oldest| target.minor() >= *oldest) else {
        return;
    };
    let mut all_fit = true;
    let told = |code: Code, kind: ProxyKind, version: &str, cause: String, fix: String| {
        Finding::new(code, cause, fix)
            .in_cluster(member.name())
            .about(format!("{}s of {version}", kind.as_str()))
    };
    for ((kind, version), group) in grouped(proxies, |one| {
        let version = one.version.version.as_ref()?;
        Some((version.minor(), version.patch))
    }) {
        let (minor, patch) = version;
        let shown = format!("{minor}.{patch}");
        let (code, cause, fix) = match behind(minor, target) {
            // Where the control plane itself is too far behind, that is the finding.
            Some(behind) if behind > 1 && minor < oldest => (
                codes::PROXIES_TOO_OLD,
                format!("{} run {shown}, {behind} minors behind {target}", group.told(kind)),
                format!(
                    "restart them first, so that they get the proxy of the control plane that runs: {}",
                    group.restart()
                ),
            ),
            Some(behind) if behind < 0 => (
                codes::PROXIES_AHEAD,
                format!("{} run {shown}, newer than {target}", group.told(kind)),
                "find out who injected them, and choose a target that is not older".to_owned(),
            ),
            _ if kind == ProxyKind::Waypoint && (minor, patch) < KNOWS_HASHABLE => {
                let Some(mended) = mended(target) else {
                    continue;
                };
                (
                    codes::PROXIES_REFUSE_NEWER,
                    format!(
                        "{} run {shown}, which refuses listeners of istiod {target}",
                        group.told(kind)
                    ),
                    format!("choose {mended} or newer, which sends them what they know"),
                )
            }
            _ => continue,
        };
        all_fit = false;
        report.find(told(code, kind, &shown, cause, fix));
    }
    for ((kind, raw), group) in grouped(proxies, |one| {
        one.version.version.is_none().then(|| one.version.raw.clone())
    }) {
        all_fit = false;
        let cause = if raw == "auto" {
            format!("{} were never injected: their image is auto", group.told(kind))
        } else {
            format!("the version of {} cannot be read from {raw:?}", group.told(kind))
        };
        let fix = format!(
            "let them run an image whose tag is a version, or restart them: {}",
            group.restart()
        );
        report.find(told(codes::PROXIES_UNREADABLE, kind, &raw, cause, fix));
    }
    if all_fit {
        let count: u64 = proxies.iter().map(|one| u64::from(one.count)).sum();
        let summary = format!("{count} proxies are at most one minor behind {target}");
        report.pass(codes::PROXIES_TOO_OLD, Some(member.name()), summary);
    }
}

/// First proxies that know the filter state `istio.hashable_string`.
const KNOWS_HASHABLE: (Minor, u64) = (Minor::new(1, 29), 2);

/// Of a patch that sends it to every waypoint, the first patch that asks how old the waypoint is.
fn mended(target: &IstioVersion) -> Option<IstioVersion> {
    let mended = [(29, 2..=4, 5), (30, 0..=1, 2)];
    let mended = mended
        .into_iter()
        .find(|(minor, patches, _)| target.minor() == Minor::new(1, *minor) && patches.contains(&target.patch));
    let (_, _, patch) = mended?;
    Some(IstioVersion {
        patch,
        pre: None,
        ..target.clone()
    })
}

/// How many minors a proxy is behind the target; `None` across majors.
fn behind(minor: Minor, target: &IstioVersion) -> Option<i64> {
    minor.distance(target.minor())
}

fn revisions(subject: &Subject<'_>, member: &ObservedMember<'_>, proxies: &[&Proxies], report: &mut Report) {
    let Some(mut known) = member.injecting_revisions() else {
        return;
    };
    if member.control_planes().next().is_none() {
        let others = subject.members.iter().flat_map(ObservedMember::control_planes);
        known.extend(others.map(|plane| plane.revision.as_str()));
    }
    if known.is_empty() {
        return;
    }
    let gone = grouped(proxies, |one| {
        let revision = one.revision.as_deref()?;
        (!known.contains(revision)).then_some(revision)
    });
    for ((kind, revision), group) in gone {
        // An annotation of a Pod is a text of any length.
        let revision = one_line(revision);
        let names: Vec<&str> = known.iter().copied().collect();
        report.find(
            Finding::new(
                codes::PROXIES_OF_NO_REVISION,
                format!(
                    "{} belong to the revision {revision}, which is not there; there are {}",
                    group.told(kind),
                    names.join(", ")
                ),
                format!(
                    "label their namespace with one that is there, then: {}",
                    group.restart()
                ),
            )
            .in_cluster(member.name())
            .about(format!("{}s of revision {revision}", kind.as_str())),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        api::MeshCluster,
        finding::Severity,
        inventory::{Proxies, ProxyKind, Webhook, WebhookTarget, sample},
        preflight::tests::{check, found, ids},
    };

    #[test]
    fn skew_is_judged_against_the_target() {
        for (proxy, from, to, expected) in [
            ("1.30.3", "1.30.3", "1.31.0", None),
            ("1.29.9", "1.30.3", "1.31.0", Some("MU801")),
            ("1.28.1", "1.30.3", "1.31.0", Some("MU801")),
            ("1.29.9", "1.30.3", "1.30.7", None),
            ("1.31.0", "1.31.0", "1.31.3", None),
            ("1.31.3", "1.30.3", "1.30.7", Some("MU802")),
            ("1.29.1", "1.29.9", "1.30.7", None),
            ("1.29.1", "1.29.9", "1.30.2", None),
            ("1.29.1", "1.29.9", "1.30.1", Some("MU805")),
            ("1.29.1", "1.29.1", "1.29.4", Some("MU805")),
            ("1.28.9", "1.28.9", "1.29.2", Some("MU805")),
            ("1.28.9", "1.28.9", "1.29.5", None),
            ("1.29.2", "1.29.9", "1.30.1", None),
            ("sha256-0", "1.30.3", "1.31.0", Some("MU803")),
            ("auto", "1.30.3", "1.31.0", Some("MU803")),
        ] {
            for kind in [
                ProxyKind::Sidecar,
                ProxyKind::Gateway,
                ProxyKind::Waypoint,
                ProxyKind::Ztunnel,
            ] {
                let mut inventory = sample::one(from, "v1.34.1");
                inventory.seen(0).proxies = vec![Proxies {
                    kind,
                    ..sample::sidecars(proxy, 12)
                }];
                let report = check(&inventory, to);
                let outcome = ids(&report).into_iter().find(|id| id.starts_with("MU8"));
                // ztunnel is judged as a component, and only waypoints get what they may not know.
                let expected = expected.filter(|code| match kind {
                    ProxyKind::Ztunnel => false,
                    ProxyKind::Waypoint => true,
                    ProxyKind::Sidecar | ProxyKind::Gateway => *code != "MU805",
                });
                assert_eq!(outcome, expected, "{proxy} {kind:?} {from} to {to}");
            }
        }
    }

    #[test]
    fn namespaces_are_named_and_counted() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let of = |namespace: &str, count| Proxies {
            namespace: namespace.to_owned(),
            ..sample::sidecars("1.28.1", count)
        };
        let mut proxies: Vec<Proxies> = (0..10).map(|index| of(&format!("ns-{index}"), 2)).collect();
        proxies.push(of("ns-0", 1));
        inventory.seen(0).proxies = proxies;
        let report = check(&inventory, "1.31.0");
        let finding = found(&report, "MU801");
        assert!(
            finding
                .cause
                .starts_with("21 sidecars, as reviews-v1-0, in ns-0 (3), ns-1 (2)")
                && finding
                    .cause
                    .ends_with("2 more namespaces run 1.28.1, 3 minors behind 1.31.0"),
            "{}",
            finding.cause
        );
        assert_eq!(
            (finding.severity, finding.object.as_deref()),
            (Severity::Blocker, Some("sidecars of 1.28.1"))
        );
        assert!(finding.fix.contains("rollout restart deployment -n ns-0"));
    }

    #[test]
    fn a_revision_that_is_gone_is_told_unless_a_tag_has_its_name() {
        for (revision, tag, expected) in [
            (Some("default"), None, false),
            (None, None, false),
            (Some("1-29"), None, true),
            (Some("prod"), Some("prod"), false),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.seen(0).proxies[0].revision = revision.map(str::to_owned);
            inventory.around(0).webhooks[0].tag = tag.map(str::to_owned);
            let report = check(&inventory, "1.31.0");
            assert_eq!(ids(&report).contains(&"MU804"), expected, "{revision:?} {tag:?}");
        }
    }

    #[test]
    fn what_a_pod_says_makes_no_lines_of_its_own() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let hostile = "x\n\u{1b}[2J\u{1b}[32mall checks passed";
        inventory.seen(0).proxies = vec![
            Proxies {
                revision: Some(format!("{hostile}{}", "y".repeat(4096))),
                ..sample::sidecars("1.30.3", 1)
            },
            sample::sidecars(hostile, 1),
        ];
        let report = check(&inventory, "1.31.0");
        for id in ["MU803", "MU804"] {
            let finding = found(&report, id);
            let object = finding.object.as_deref().unwrap_or_default();
            assert!(object.len() < 200 && finding.cause.len() < 600, "{finding:?}");
            assert!(
                !object.chars().chain(finding.cause.chars()).any(char::is_control),
                "{finding:?}"
            );
        }
    }

    #[test]
    fn a_revision_that_stands_in_another_cluster_is_there() {
        let missing = WebhookTarget::Missing("istio-system/istiod-1-30".to_owned());
        let service = WebhookTarget::Service("istio-system/istiod-1-30".to_owned());
        let elsewhere = WebhookTarget::Elsewhere("istio-system/istiod-1-30".to_owned());
        for (plane_here, target, plane_there, expected) in [
            (false, None, "default", true),
            (false, None, "1-30", false),
            (false, Some(WebhookTarget::Url), "default", false),
            (false, Some(elsewhere.clone()), "default", false),
            (false, Some(missing.clone()), "default", true),
            // With control planes of its own a cluster is served by them.
            (true, None, "1-30", true),
            (true, Some(missing), "default", true),
            (true, Some(elsewhere), "default", false),
            // What kubectl delete deployment leaves injects nothing.
            (true, Some(service.clone()), "default", true),
            (false, Some(service), "default", true),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.clusters.push(sample::cluster("west", "1.30.3", "v1.36.3"));
            inventory.seen(0).control_planes[0].revision = plane_there.to_owned();
            let west = inventory.seen(1);
            west.proxies[0].revision = Some("1-30".to_owned());
            if !plane_here {
                west.control_planes.clear();
                west.helm_releases.clear();
            }
            let tagged = Webhook {
                tag: Some("prod".to_owned()),
                ..sample::webhook("istio-revision-tag-prod")
            };
            let around = inventory.around(1);
            around.webhooks = vec![tagged];
            around.webhooks.extend(target.map(|target| Webhook {
                revision: Some("1-30".to_owned()),
                target,
                ..sample::webhook("istio-sidecar-injector-1-30")
            }));
            let mut mesh = sample::record("shop");
            mesh.clusters = ["east", "west"]
                .map(|name| MeshCluster {
                    name: name.to_owned(),
                    ..MeshCluster::default()
                })
                .to_vec();
            inventory.seen(0).meshes = vec![mesh];
            let report = check(&inventory, "1.31.0");
            let found = report
                .findings
                .iter()
                .any(|one| one.code.id() == "MU804" && one.cluster.as_deref() == Some("west"));
            assert_eq!(
                found,
                expected,
                "{plane_here} {:?} {plane_there}",
                inventory.around(1).webhooks.get(1)
            );
        }
    }

    #[test]
    fn another_meshs_proxies_are_left_to_it() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let mut other = sample::istiod("other", "1.28.1");
        other.revision = "theirs".to_owned();
        inventory.seen(0).control_planes.push(other);
        inventory.seen(0).proxies = vec![Proxies {
            revision: Some("theirs".to_owned()),
            ..sample::sidecars("1.28.1", 4)
        }];
        assert!(!ids(&check(&inventory, "1.31.0")).contains(&"MU801"));
    }
}
