//! Images of the target, worked out from those that run: same registry, same variant, the new version.

use crate::{api::Component, mesh::ObservedMember, version::IstioVersion};
use std::collections::BTreeSet;

/// Variants of an image, as the end of its tag.
const VARIANTS: [&str; 2] = ["distroless", "debug"];

/// Images that the upgrade of a member's components needs.
pub(super) fn of(
    member: &ObservedMember<'_>,
    components: &BTreeSet<Component>,
    target: &IstioVersion,
) -> BTreeSet<String> {
    let mut images = BTreeSet::new();
    let observed = member.observed;
    for plane in member.control_planes() {
        if components.contains(&Component::Istiod) {
            images.insert(retagged(&plane.image, target));
        }
        // istiod injects the proxy of its own version into sidecars and gateways.
        if components.contains(&Component::Istiod) || components.contains(&Component::Gateway) {
            images.extend(sibling(&plane.image, "pilot", "proxyv2").map(|image| retagged(&image, target)));
        }
    }
    for node in &observed.node_components {
        if components.contains(&node.component) {
            images.insert(retagged(&node.image, target));
        }
    }
    images
}

/// The same image with another version, its digest dropped and its variant kept.
fn retagged(image: &str, target: &IstioVersion) -> String {
    let (name, tag) = split(image);
    let variant = tag
        .and_then(|tag| tag.rsplit('-').next())
        .filter(|word| VARIANTS.contains(word));
    match variant {
        Some(variant) => format!("{name}:{target}-{variant}"),
        None => format!("{name}:{target}"),
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
    }
}
