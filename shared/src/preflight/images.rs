//! What will be pulled, and from where.

use super::Subject;
use crate::{
    finding::{Finding, Report, codes},
    inventory::ControlPlane,
    mesh::ObservedMember,
    version::IstioVersion,
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        for plane in member.control_planes() {
            if let (Some(hub), Some(running)) = (hub(&plane.image), plane.version.version.as_ref()) {
                default_hub(subject, member, hub, (running, names_hub(member, plane)), report);
            }
        }
    }
}

/// The registry and path of istiod's image.
fn hub(image: &str) -> Option<&str> {
    image.rsplit_once('/').map(|(hub, _)| hub)
}

/// Whether the values of its release say where images come from; of what helm does not keep, that is not known.
fn names_hub(member: &ObservedMember<'_>, plane: &ControlPlane) -> bool {
    let owner = plane.helm_release.as_ref();
    let release = owner.and_then(|(namespace, name)| member.observed.helm_release(namespace, name));
    release.is_some_and(|release| release.settings.names_hub)
}

/// Where the values name no hub the chart's default counts, and that may be another one in the target.
fn default_hub(
    subject: &Subject<'_>,
    member: &ObservedMember<'_>,
    hub: &str,
    (running, is_named): (&IstioVersion, bool),
    report: &mut Report,
) {
    let target = &subject.target.version;
    // A way back has findings of its own.
    if target.cmp_release(running).is_lt() {
        return;
    }
    let follows_default = !is_named && subject.catalog.default_hub(running) == Some(hub);
    let source = match subject.catalog.default_hub(target) {
        Some(default) if follows_default => default,
        _ => hub,
    };
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
            .in_cluster(member.name()),
        ),
        _ => {
            let summary = format!("images of {target} come from {source}");
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
}
