//! Whether ordinary sidecars become native ones with their next restart.

use super::{Subject, configuration::crosses, data_plane::grouped};
use crate::{
    finding::{Finding, Report, codes},
    inventory::{ControlPlane, Proxies, ProxyKind},
    mesh::ObservedMember,
    version::Minor,
};
use std::cmp::Ordering;

pub(super) fn check(subject: &Subject<'_>, member: &ObservedMember<'_>, proxies: &[&Proxies], report: &mut Report) {
    let oldest = member
        .control_planes()
        .filter_map(|plane| plane.version.version.as_ref())
        .min_by(|a, b| a.cmp_release(b));
    let becomes = oldest.is_some_and(|from| {
        from.cmp_release(&subject.target.version) == Ordering::Less
            && crosses(from.minor(), subject.target.version.minor(), 27)
    });
    if !becomes || !member.control_planes().any(|plane| makes_native(plane, member)) {
        return;
    }
    let ordinary = grouped(proxies, |one| {
        (one.kind == ProxyKind::Sidecar && !one.native).then_some(())
    });
    for ((kind, ()), group) in ordinary {
        report.find(
            Finding::new(
                codes::BECOME_NATIVE,
                format!(
                    "{} are ordinary containers, and become native ones when restarted",
                    group.told(kind)
                ),
                codes::BECOME_NATIVE.fix(),
            )
            .in_cluster(member.name()),
        );
    }
}

/// First kubelet with which istiod makes sidecars native unless it is told otherwise.
const NATIVE_SINCE: Minor = Minor::new(1, 33);

/// Whether what a control plane injects from 1.27 on is native: by its word, or else where every node can do it.
fn makes_native(plane: &ControlPlane, member: &ObservedMember<'_>) -> bool {
    let said = plane.settings.environment.get("ENABLE_NATIVE_SIDECARS");
    match said.map_or("auto", String::as_str) {
        "true" => true,
        // A value that comes from elsewhere is not known.
        "auto" | "" => {
            let around = member.observed.surroundings.as_ref();
            around.is_some_and(|around| around.nodes.iter().all(|nodes| nodes.kubelet.minor >= NATIVE_SINCE))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::{Nodes, sample},
        preflight::tests::{check, ids},
    };

    #[test]
    fn ordinary_sidecars_become_native_on_the_way_over_1_27() {
        for (from, to, native, kubelet, switch, expected) in [
            ("1.26.1", "1.27.9", false, "v1.33.0", None, true),
            ("1.26.1", "1.27.9", true, "v1.33.0", None, false),
            ("1.27.1", "1.28.10", false, "v1.33.0", None, false),
            ("1.26.1", "1.27.9", false, "v1.32.9", None, false),
            ("1.26.1", "1.27.9", false, "v1.32.9", Some("true"), true),
            ("1.26.1", "1.27.9", false, "v1.32.9", Some("auto"), false),
            ("1.26.1", "1.27.9", false, "v1.33.0", Some("auto"), true),
            ("1.26.1", "1.27.9", false, "v1.33.0", Some("false"), false),
        ] {
            let mut inventory = sample::one(from, "v1.33.1");
            inventory.seen(0).proxies[0].native = native;
            let environment = &mut inventory.seen(0).control_planes[0].settings.environment;
            environment.extend(switch.map(|value| ("ENABLE_NATIVE_SIDECARS".to_owned(), value.to_owned())));
            let nodes = &mut inventory.around(0).nodes;
            nodes.push(Nodes {
                kubelet: kubelet.parse().unwrap(),
                ..nodes[0].clone()
            });
            assert_eq!(
                ids(&check(&inventory, to)).contains(&"MU806"),
                expected,
                "{from} to {to}, {kubelet}, {switch:?}"
            );
        }
    }
}
