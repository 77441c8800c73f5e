//! What will be pulled, and from where.

use super::{Subject, named};
use crate::{
    api::WorkloadName,
    finding::{Finding, Report, codes},
    mesh::ObservedMember,
    version::IstioVersion,
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        for installed in installed(member) {
            default_hub(subject, member, &installed, report);
        }
    }
}

/// What an installation takes an image for.
struct Installed<'a> {
    workload: &'a WorkloadName,
    /// Registry and path of its image.
    hub: &'a str,
    running: &'a IstioVersion,
    release: Option<&'a (String, String)>,
}

/// Control planes, node components and gateways whose images say where they come from: an injected gateway has that of its
/// istiod.
fn installed<'a>(member: &ObservedMember<'a>) -> Vec<Installed<'a>> {
    // What has no version of its own is of the newest control plane.
    let versions = member
        .control_planes()
        .filter_map(|plane| plane.version.version.as_ref());
    let newest = versions.max_by(|one, other| one.cmp_release(other));
    let planes = member.control_planes().map(|plane| {
        let running = plane.version.version.as_ref();
        (&plane.workload, &plane.image, running, plane.helm_release.as_ref())
    });
    let nodes = member.node_components().map(|node| {
        let running = node.version.version.as_ref();
        (&node.workload, &node.image, running, node.helm_release.as_ref())
    });
    let gateways = member
        .gateways()
        .map(|gateway| (&gateway.workload, &gateway.image, newest, gateway.helm_release.as_ref()));
    let all = planes.chain(nodes).chain(gateways);
    let installed = all.filter_map(|(workload, image, running, release)| {
        Some(Installed {
            workload,
            hub: hub(image)?,
            running: running?,
            release,
        })
    });
    installed.collect()
}

/// The registry and path of an image.
fn hub(image: &str) -> Option<&str> {
    image.rsplit_once('/').map(|(hub, _)| hub)
}

/// Whether the values of its release say where images come from; of what helm does not keep, that is not known.
fn names_hub(member: &ObservedMember<'_>, release: Option<&(String, String)>) -> bool {
    let release = release.and_then(|(namespace, name)| member.observed.helm_release(namespace, name));
    release.is_some_and(|release| release.settings.names_hub)
}

/// Where the values name no hub the chart's default counts, and that may be another one in the target.
fn default_hub(subject: &Subject<'_>, member: &ObservedMember<'_>, installed: &Installed<'_>, report: &mut Report) {
    let Installed { hub, running, .. } = *installed;
    let target = &subject.target.version;
    // A way back has findings of its own.
    if target.cmp_release(running).is_lt() {
        return;
    }
    let is_named = names_hub(member, installed.release);
    let follows_default = !is_named && subject.catalog.default_hub(running) == Some(hub);
    let source = match subject.catalog.default_hub(target) {
        Some(default) if follows_default => default,
        _ => hub,
    };
    let workload = named(installed.workload);
    match subject.catalog.retired_registry(source) {
        Some(registry) if follows_default && source != hub => report.find(
            Finding::new(
                codes::RETIRED_DEFAULT_HUB,
                format!(
                    "the charts of {target} take their images from {source}, which may not answer from {} on",
                    registry.gone
                ),
                format!("set global.hub to {} in the values of each chart", registry.replacement),
            )
            .in_cluster(member.name())
            .about(workload),
        ),
        _ => {
            let summary = format!("images of {target} for {workload} come from {source}");
            report.pass(codes::RETIRED_DEFAULT_HUB, Some(member.name()), summary);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::sample,
        preflight::tests::{check, found, ids},
    };

    #[test]
    fn the_targets_own_default_counts_where_no_hub_is_named() {
        for (from, image, to, expected) in [
            ("1.29.9", "docker.io/istio/pilot:1.29.9", "1.30.7", true),
            ("1.29.9", "mirror.example.com/istio/pilot:1.29.9", "1.30.7", false),
            ("1.30.3", "docker.io/istio/pilot:1.30.3", "1.31.0", false),
            ("1.30.3", "registry.istio.io/release/pilot:1.30.3", "1.31.0", false),
        ] {
            let mut inventory = sample::one(from, "v1.34.1");
            inventory.seen(0).control_planes[0].image = image.to_owned();
            let report = check(&inventory, to);
            assert_eq!(ids(&report).contains(&"MU001"), expected, "{image} to {to}");
            if expected {
                assert!(found(&report, "MU001").fix.contains("global.hub to docker.io/istio"));
                // Which is what one then does.
                for release in &mut inventory.seen(0).helm_releases {
                    let values = serde_json::json!({"global": {"hub": "docker.io/istio"}});
                    release.settings = crate::helm::ReleaseSettings::read(&values, false);
                }
                assert!(!ids(&check(&inventory, to)).contains(&"MU001"));
            }
        }
    }

    #[test]
    fn each_release_that_has_images_is_judged_by_its_own_values() {
        let values = serde_json::json!({"global": {"hub": "docker.io/istio"}});
        for (named, gateway, expected) in [
            (&["istiod", "istio-cni", "ztunnel"][..], "auto", &[][..]),
            (&["istiod"], "auto", &["istio-cni-node", "ztunnel"]),
            (&["istiod", "ztunnel"], "auto", &["istio-cni-node"]),
            (&["istio-cni", "ztunnel"], "auto", &["istiod"]),
            (
                &["istiod", "istio-cni", "ztunnel"],
                "docker.io/istio/proxyv2:1.29.9",
                &["ingress"],
            ),
        ] {
            let mut inventory = sample::one("1.29.9", "v1.34.1");
            sample::add_ambient(&mut inventory.clusters[0], "1.29.9");
            inventory.seen(0).gateways[0].image = gateway.to_owned();
            let releases = inventory.seen(0).helm_releases.iter_mut();
            for release in releases.filter(|release| named.contains(&release.name.as_str())) {
                release.settings = crate::helm::ReleaseSettings::read(&values, false);
            }
            let report = check(&inventory, "1.30.7");
            let about = report.findings.iter().filter(|one| one.code.id() == "MU001");
            let mut about: Vec<&str> = about
                .filter_map(|one| Some(one.object.as_deref()?.rsplit_once('/')?.1))
                .collect();
            about.sort_unstable();
            assert_eq!(about, expected, "{named:?} {gateway}");
            let passed = report.passed.iter().filter(|one| one.code.id() == "MU001").count();
            let judged = if gateway == "auto" { 3 } else { 4 };
            assert_eq!(passed + expected.len(), judged, "{named:?}");
        }
    }
}
