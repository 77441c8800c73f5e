//! Whether what installed the parts of a mesh in one cluster can upgrade them beside each other.

use super::{Subject, named, parts_of};
use crate::{
    api::Component,
    engine::Engine,
    finding::{Finding, Report, codes},
    istioctl::Installation,
    mesh::ObservedMember,
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        let installations = member.installations();
        match conflict(member, &installations) {
            Some((cause, fix)) => {
                report.find(Finding::new(codes::MIXED_INSTALLERS, cause, fix).in_cluster(member.name()));
            }
            None => {
                if let [installation] = installations.as_slice() {
                    report.pass(
                        codes::MIXED_INSTALLERS,
                        Some(member.name()),
                        format!(
                            "istioctl alone installed revision {} and what it needs",
                            installation.revision
                        ),
                    );
                }
            }
        }
    }
}

/// What one object brings at once, so that it cannot be ordered.
fn all_at_once(member: &ObservedMember<'_>) -> Option<(String, String)> {
    let followed = member.observed.followed.iter();
    let followed = followed
        .filter(|followed| followed.obstacle.is_none())
        .find(|one| one.component().is_none())?;
    let components = followed.sources.iter().filter_map(|source| source.component);
    let components: Vec<&str> = components.map(Component::as_str).collect();
    Some((
        format!(
            "{} holds {}: what is merged there comes all at once, and cannot be ordered and proved component by component",
            followed.told(),
            components.join(", ")
        ),
        "split it into one object for each chart".to_owned(),
    ))
}

/// What does not go together, and what to do about it.
fn conflict(member: &ObservedMember<'_>, installations: &[Installation<'_>]) -> Option<(String, String)> {
    const ONE_OWNER: &str = "let one of them own it all: take it over into releases with helm upgrade --install \
                             --take-ownership, or uninstall the releases and install with istioctl alone";
    if installations.len() > 1 {
        let revisions: Vec<&str> = installations.iter().map(|one| one.revision).collect();
        return Some((
            format!(
                "istioctl installed the revisions {}: each istioctl install would rewrite the definitions and the node \
                 components that they share",
                revisions.join(", ")
            ),
            "end the canary first, so that one revision is left; kubectl mesh-upgrade guide tells how".to_owned(),
        ));
    }
    let by_helm: Vec<String> = member
        .releases()
        .iter()
        .filter(|release| release.component != Component::Gateway)
        .map(|release| format!("{} ({}/{})", release.component, release.namespace, release.name))
        .collect();
    let brought = member.brought();
    let brought: Vec<String> = brought
        .iter()
        .filter(|one| one.component != Component::Gateway)
        .map(|one| format!("{} brings {}", one.followed.told(), one.component))
        .collect();
    if let Some(told) = all_at_once(member) {
        return Some(told);
    }
    match installations {
        [installation] if !by_helm.is_empty() => Some((
            format!(
                "istioctl installed the control plane of revision {}, and helm {}: each would take over what the other owns",
                installation.revision,
                by_helm.join(", ")
            ),
            ONE_OWNER.to_owned(),
        )),
        [_] if !brought.is_empty() => Some((
            format!(
                "istioctl installed the control plane, and {} what it would take over",
                brought.join(", ")
            ),
            ONE_OWNER.to_owned(),
        )),
        [_] => None,
        _ => {
            let alone: Vec<String> = parts_of(member)
                .iter()
                .filter(|part| part.engine == Engine::Istioctl)
                .map(|part| named(part.workload))
                .collect();
            (!alone.is_empty()).then(|| {
                let cause = format!(
                    "istioctl installed {} and not the control plane: istioctl upgrades an installation as a whole",
                    alone.join(", ")
                );
                (cause, ONE_OWNER.to_owned())
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::{Inventory, sample},
        preflight::tests::{check, found, ids},
    };

    #[test]
    fn what_istioctl_installed_alone_is_free_to_go() {
        let inventory = sample::by_istioctl("1.30.3");
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), [""; 0]);
        assert!(report.is_free());
    }

    #[test]
    fn gateways_may_be_helms() {
        let mut inventory = sample::by_istioctl("1.30.3");
        let helms = sample::one("1.30.3", "v1.36.3").seen(0).clone();
        inventory.seen(0).gateways = helms.gateways;
        inventory.seen(0).helm_releases = helms.helm_releases;
        let releases = &mut inventory.seen(0).helm_releases;
        releases.retain(|release| release.chart == "gateway");
        assert_eq!(ids(&check(&inventory, "1.31.0")), [""; 0]);
    }

    type Spoil = fn(&mut Inventory);

    #[test]
    fn installers_that_take_from_each_other_are_refused() {
        let base = |inventory: &mut Inventory| {
            let release = sample::release("istio-system", "istio-base", "base", "1.30.3");
            inventory.seen(0).helm_releases.push(release);
        };
        let second = |inventory: &mut Inventory| {
            let mut plane = inventory.seen(0).control_planes[0].clone();
            plane.workload.name = "istiod-blue".to_owned();
            plane.revision = "blue".to_owned();
            inventory.seen(0).control_planes.push(plane);
        };
        let helms_plane = |inventory: &mut Inventory| {
            let helms = sample::istiod("istio-system", "1.30.3");
            inventory.seen(0).control_planes = vec![helms];
            let release = sample::release("istio-system", "istiod", "istiod", "1.30.3");
            inventory.seen(0).helm_releases.push(release);
        };
        let cases: [(Spoil, &str); 3] = [
            (base, "and helm base (istio-system/istio-base)"),
            (second, "the revisions default, blue"),
            (
                helms_plane,
                "istioctl installed DaemonSet istio-system/istio-cni-node, DaemonSet istio-system/ztunnel",
            ),
        ];
        for (spoil, part) in cases {
            let mut inventory = sample::by_istioctl("1.30.3");
            spoil(&mut inventory);
            let report = check(&inventory, "1.31.0");
            let cause = &found(&report, "MU416").cause;
            assert!(cause.contains(part), "{cause}");
            assert!(!report.is_free());
        }
    }
}
