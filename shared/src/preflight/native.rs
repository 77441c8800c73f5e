//! Whether ordinary sidecars become native ones with their next restart.

use super::{
    Subject,
    configuration::{crosses, is_remote, serving},
    data_plane::grouped,
    effect::{compatibility, home},
};
use crate::{
    finding::{Finding, Report, codes},
    inventory::{ControlPlane, Proxies, ProxyKind},
    mesh::ObservedMember,
    version::Minor,
};
use std::{cmp::Ordering, collections::BTreeSet};

pub(super) fn check(subject: &Subject<'_>, member: &ObservedMember<'_>, proxies: &[&Proxies], report: &mut Report) {
    let planes = serving(subject, member);
    let oldest = planes
        .iter()
        .filter_map(|plane| plane.version.version.as_ref())
        .min_by(|a, b| a.cmp_release(b));
    let becomes = oldest.is_some_and(|from| {
        from.cmp_release(&subject.target.version) == Ordering::Less
            && crosses(from.minor(), subject.target.version.minor(), 27)
    });
    if !becomes {
        return;
    }
    let by_itself = planes.into_iter().any(|plane| makes_native(subject, plane, member));
    let ordinary = grouped(proxies, |one| {
        let becomes_native = !one.native && one.asks_native.unwrap_or(by_itself);
        (one.kind == ProxyKind::Sidecar && becomes_native).then_some(())
    });
    let around = member.observed.surroundings.as_ref();
    let others = around.map_or_else(String::new, |around| mutators(&around.pod_mutators));
    for ((kind, ()), group) in ordinary {
        report.find(
            Finding::new(
                codes::BECOME_NATIVE,
                format!(
                    "{} are ordinary containers, and become native ones when restarted{others}",
                    group.told(kind)
                ),
                codes::BECOME_NATIVE.fix(),
            )
            .in_cluster(member.name()),
        );
    }
}

/// Configurations that a sentence names.
const NAMED: usize = 8;

/// Who changes pods as well, and may look for the container where it was.
fn mutators(names: &BTreeSet<String>) -> String {
    let mut named: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMED);
    let more = format!("and {more} more");
    if names.len() > NAMED {
        named.push(&more);
    }
    if named.is_empty() {
        return String::new();
    }
    format!(
        "; MutatingWebhookConfigurations that change pods, too, are {}",
        named.join(", ")
    )
}

/// First kubelet with which istiod makes sidecars native unless it is told otherwise.
const NATIVE_SINCE: Minor = Minor::new(1, 33);

/// Whether what a control plane injects from 1.27 on is native: by its word, or else where every node can do it of the cluster
/// that it reads (`DetectNativeSidecar` in `pkg/kube/inject` of release 1.31). The target's chart says no for who asks by
/// `compatibilityVersion` for the behaviour of an older minor.
fn makes_native(subject: &Subject<'_>, plane: &ControlPlane, member: &ObservedMember<'_>) -> bool {
    let said = plane.settings.environment.get("ENABLE_NATIVE_SIDECARS");
    match said.map(String::as_str) {
        Some("true") => true,
        None if compatibility(subject, plane).is_some_and(|minor| minor < Minor::new(1, 27)) => false,
        // A value that comes from elsewhere is not known.
        None | Some("auto" | "") => {
            let read = if is_remote(subject, member) {
                home(subject, plane)
            } else {
                Some(member)
            };
            let around = read.and_then(|member| member.observed.surroundings.as_ref());
            // Nodes that could not be listed are not known.
            around.is_some_and(|around| {
                let mut nodes = around.nodes.iter();
                !around.nodes.is_empty() && nodes.all(|nodes| nodes.kubelet.minor >= NATIVE_SINCE)
            })
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::{Nodes, sample},
        preflight::tests::{check, found, ids},
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

    #[test]
    fn what_a_pod_asks_for_overrules_the_control_plane() {
        for (switch, asks, expected) in [
            ("true", Some(false), false),
            ("true", Some(true), true),
            ("false", Some(true), true),
            ("false", Some(false), false),
            ("false", None, false),
        ] {
            let mut inventory = sample::one("1.26.1", "v1.33.1");
            let proxies = &mut inventory.seen(0).proxies[0];
            (proxies.native, proxies.asks_native) = (false, asks);
            let environment = &mut inventory.seen(0).control_planes[0].settings.environment;
            environment.insert("ENABLE_NATIVE_SIDECARS".to_owned(), switch.to_owned());
            let report = check(&inventory, "1.27.9");
            assert_eq!(ids(&report).contains(&"MU806"), expected, "{switch} {asks:?}");
        }
    }

    #[test]
    fn who_else_changes_pods_is_named() {
        for (count, end) in [
            (0, "when restarted"),
            (2, "; MutatingWebhookConfigurations that change pods, too, are m0, m1"),
            (9, "m7, and 1 more"),
        ] {
            let mut inventory = sample::one("1.26.1", "v1.33.1");
            inventory.seen(0).proxies[0].native = false;
            inventory.around(0).pod_mutators = (0..count).map(|index| format!("m{index}")).collect();
            let cause = found(&check(&inventory, "1.27.9"), "MU806").cause.clone();
            assert!(cause.ends_with(end), "{cause}");
        }
    }
}
