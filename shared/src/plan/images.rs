//! Images of the target, worked out from those that run: same registry, same variant, the new version.

use crate::{
    api::{Component, InstallerKind, Plan, PlanStep},
    inventory::Observed,
    mesh::ObservedMember,
    version::IstioVersion,
};
use std::collections::{BTreeMap, BTreeSet};

/// Variants of an image, as the end of its tag.
const VARIANTS: [&str; 2] = ["distroless", "debug"];

/// Components that steps of a member change: istioctl's changes all that it installed.
pub(super) fn components(member: &ObservedMember<'_>, steps: &[PlanStep]) -> BTreeSet<Component> {
    let mut components: BTreeSet<Component> = steps.iter().map(|step| step.component).collect();
    if steps.iter().any(|step| step.installer == InstallerKind::Istioctl) {
        components.insert(Component::Gateway);
        let installations = member.installations();
        let nodes = installations.iter().flat_map(|installation| &installation.nodes);
        components.extend(nodes.map(|node| node.component));
    }
    components
}

/// Images that the upgrade of a member's components needs.
pub(super) fn of(
    member: &ObservedMember<'_>,
    components: &BTreeSet<Component>,
    target: &IstioVersion,
) -> BTreeSet<String> {
    let mut images = BTreeSet::new();
    for plane in member.control_planes() {
        if components.contains(&Component::Istiod) {
            images.insert(retagged(&plane.image, target));
        }
        // istiod injects the proxy of its own version into sidecars and gateways.
        if components.contains(&Component::Istiod) || components.contains(&Component::Gateway) {
            images.extend(sibling(&plane.image, "pilot", "proxyv2").map(|image| retagged(&image, target)));
        }
    }
    for node in member.node_components() {
        if components.contains(&node.component) {
            images.insert(retagged(&node.image, target));
        }
    }
    if components.contains(&Component::Vendor) {
        let upgraded = member.vendor_components();
        let upgraded = upgraded.filter(|found| found.release.is_some());
        images.extend(upgraded.map(|found| retagged(&found.image, target)));
    }
    images
}

/// Images that a step needs where nobody can render its charts: those that run, with the target's version.
///
/// # Errors
/// When the target is no version.
pub fn images_of_step(step: &PlanStep, observed: &Observed) -> Result<Vec<String>, String> {
    let target: IstioVersion = step.to.parse().map_err(|error| format!("{}: {error}", step.to))?;
    let planes = observed.control_planes.iter();
    // A new revision has the images of the one that it stands beside.
    let old = step.revisions.as_ref().map(|revisions| revisions.old.as_str());
    let planes =
        planes.filter(|plane| step.workloads.contains(&plane.workload) || Some(plane.revision.as_str()) == old);
    // istiod injects the proxy of its own version.
    let planes = planes.flat_map(|plane| [Some(plane.image.clone()), sibling(&plane.image, "pilot", "proxyv2")]);
    let nodes = observed.node_components.iter();
    let nodes = nodes.filter(|node| step.workloads.contains(&node.workload));
    let gateways = observed
        .gateways
        .iter()
        .filter(|gateway| step.workloads.contains(&gateway.workload));
    let gateways = gateways.filter(|gateway| gateway.image != "auto");
    let images: BTreeSet<String> = planes
        .flatten()
        .chain(nodes.map(|node| node.image.clone()))
        .chain(gateways.map(|gateway| gateway.image.clone()))
        .map(|image| retagged(&image, &target))
        .collect();
    Ok(images.into_iter().collect())
}

/// Takes over the images that the charts of each cluster's steps run. A cluster whose charts bring no istiod is injected
/// from elsewhere, and so needs the proxy that another cluster's charts name.
pub fn take_over_images(plan: &mut Plan, of_charts: &BTreeMap<String, BTreeSet<String>>) {
    let all: BTreeSet<&String> = of_charts.values().flatten().collect();
    if all.is_empty() {
        return;
    }
    let is_one = |image: &str, own: &str| sibling(image, own, "").is_some();
    let proxies: Vec<&String> = all.iter().copied().filter(|image| is_one(image, "proxyv2")).collect();
    plan.images = all.iter().copied().cloned().collect();
    // Of one cluster the plan's own list says it all.
    let several = plan.clusters.len() > 1;
    for cluster in plan.clusters.iter_mut().filter(|_| several) {
        let mut needed: BTreeSet<&String> = of_charts.get(&cluster.name).into_iter().flatten().collect();
        if !needed.iter().any(|image| is_one(image, "pilot")) {
            // Of images that are named otherwise nobody knows which is the proxy.
            needed.extend(if proxies.is_empty() {
                all.iter().copied().collect()
            } else {
                proxies.clone()
            });
        }
        cluster.images = needed.into_iter().cloned().collect();
    }
}

/// The same image with another version, its digest dropped and its variant kept where it stands, at the end as Istio's charts
/// put it or before the flavor.
fn retagged(image: &str, target: &IstioVersion) -> String {
    let (name, tag) = split(image);
    let mut words = tag.unwrap_or_default().split('-');
    let Some(variant) = words.find(|word| VARIANTS.contains(word)) else {
        return format!("{name}:{target}");
    };
    let version = target.to_string();
    match (words.next(), version.split_once('-')) {
        (Some(_), Some((number, flavor))) => format!("{name}:{number}-{variant}-{flavor}"),
        _ => format!("{name}:{version}-{variant}"),
    }
}

/// Another image of the same registry, where the name follows Istio's own.
fn sibling(image: &str, own: &str, other: &str) -> Option<String> {
    let (name, tag) = split(image);
    let hub = name.strip_suffix(own)?;
    (hub.is_empty() || hub.ends_with('/')).then(|| match tag {
        Some(tag) => format!("{hub}{other}:{tag}"),
        None => format!("{hub}{other}"),
    })
}

/// Name and tag of an image; the port of a registry is no tag.
fn split(image: &str) -> (&str, Option<&str>) {
    let without_digest = image.split('@').next().unwrap_or_default();
    match without_digest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (without_digest, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cluster_pulls_what_its_nodes_run() {
        let images = |names: &[&str]| {
            names
                .iter()
                .map(|name| format!("hub/{name}:1.31.0"))
                .collect::<BTreeSet<_>>()
        };
        let taken = |clusters: &[(&str, &[&str])]| {
            let planned = clusters.iter().map(|(name, _)| crate::api::PlanCluster {
                name: (*name).to_owned(),
                ..Default::default()
            });
            let mut plan = Plan {
                clusters: planned.collect(),
                ..Plan::default()
            };
            let of_charts = clusters.iter().map(|(name, names)| ((*name).to_owned(), images(names)));
            take_over_images(&mut plan, &of_charts.collect());
            plan.clusters
                .iter()
                .map(|cluster| cluster.images.join(" "))
                .collect::<Vec<_>>()
        };
        let all = "hub/pilot:1.31.0 hub/proxyv2:1.31.0";
        assert_eq!(taken(&[("east", &["pilot", "proxyv2"])]), [""]);
        assert_eq!(
            taken(&[
                ("east", &["pilot", "proxyv2"]),
                ("north", &[]),
                ("south", &["install-cni"])
            ]),
            [all, "hub/proxyv2:1.31.0", "hub/install-cni:1.31.0 hub/proxyv2:1.31.0"]
        );
        assert_eq!(
            taken(&[("east", &["disco"]), ("north", &[])]),
            ["hub/disco:1.31.0", "hub/disco:1.31.0"]
        );
    }

    #[test]
    fn registry_and_variant_stay() {
        let target = "1.31.0".parse().unwrap();
        for (image, expected, proxy) in [
            (
                "docker.io/istio/pilot:1.30.3",
                "docker.io/istio/pilot:1.31.0",
                Some("docker.io/istio/proxyv2:1.31.0"),
            ),
            (
                "r:5000/istio/pilot:1.30.3-distroless",
                "r:5000/istio/pilot:1.31.0-distroless",
                Some("r:5000/istio/proxyv2:1.31.0-distroless"),
            ),
            (
                "r:5000/istio/pilot",
                "r:5000/istio/pilot:1.31.0",
                Some("r:5000/istio/proxyv2:1.31.0"),
            ),
            (
                "istio/pilot:1.30.3-debug@sha256:00",
                "istio/pilot:1.31.0-debug",
                Some("istio/proxyv2:1.31.0-debug"),
            ),
            ("r.io/my-pilot:1.30.3", "r.io/my-pilot:1.31.0", None),
            ("r.io/istiod:1.30.3", "r.io/istiod:1.31.0", None),
        ] {
            assert_eq!(retagged(image, &target), expected);
            assert_eq!(
                sibling(image, "pilot", "proxyv2")
                    .map(|image| retagged(&image, &target))
                    .as_deref(),
                proxy,
                "{image}"
            );
        }
        let vendor = "1.31.0-mspider".parse().unwrap();
        assert_eq!(
            retagged("r/pilot:1.30.3-mspider-distroless", &vendor),
            "r/pilot:1.31.0-mspider-distroless"
        );
        let fips = "1.31.0-fips".parse().unwrap();
        for (image, expected) in [
            ("r/pilot:1.30.3-fips", "r/pilot:1.31.0-fips"),
            ("r/pilot:1.30.3-fips-distroless", "r/pilot:1.31.0-fips-distroless"),
            ("r/pilot:1.30.3-distroless-fips", "r/pilot:1.31.0-distroless-fips"),
        ] {
            assert_eq!(retagged(image, &fips), expected);
        }
    }
}
