//! Whether a node has room for the pod with which a rolling update begins.

use super::{Subject, named};
use crate::{
    api::WorkloadName,
    finding::{Finding, Report, codes},
    inventory::{NodeRoom, Rollout, Surge, Surroundings},
    mesh::ObservedMember,
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        let Some(around) = member
            .observed
            .surroundings
            .as_ref()
            .filter(|around| !around.room.is_empty())
        else {
            continue;
        };
        let planes = member
            .control_planes()
            .map(|plane| (&plane.workload, plane.rollout, &plane.surge));
        let gateways = member.observed.gateways.iter();
        let gateways = gateways.map(|gateway| (&gateway.workload, gateway.rollout, &gateway.surge));
        for (workload, rollout, surge) in planes.chain(gateways) {
            judge(member, around, workload, rollout, surge, report);
        }
    }
}

fn judge(
    member: &ObservedMember<'_>,
    around: &Surroundings,
    workload: &WorkloadName,
    rollout: Rollout,
    surge: &Surge,
    report: &mut Report,
) {
    if rollout.desired == 0 || !surge.adds_first {
        return;
    }
    let nodes = &around.room;
    let stands_apart = |node: &NodeRoom| {
        let mut terms = surge.apart.iter();
        terms.find(|term| term.forbids(node, &workload.namespace, &around.placed, nodes))
    };
    let roomy: Vec<&NodeRoom> = nodes.iter().filter(|node| surge.fits(node)).collect();
    if let Some(node) = roomy.iter().find(|node| stands_apart(node).is_none()) {
        let summary = format!("{} can add a pod on {}", named(workload), node.name);
        return report.pass(codes::NO_ROOM_FOR_SURGE, Some(member.name()), summary);
    }
    let nodes = match roomy.iter().find_map(|node| stands_apart(node)) {
        Some(term) => {
            let count = roomy.len();
            let within = &term.within;
            format!("{count} nodes have room, and its pod anti-affinity ({within}) keeps it away from each of them")
        }
        None => nobody_has_room(nodes, surge),
    };
    report.find(
        Finding::new(
            codes::NO_ROOM_FOR_SURGE,
            format!("its update begins with one more pod of {}: {nodes}", surge.pod),
            "add a node or free one before the upgrade, lower the requests, or let the update remove a pod first \
             (rollingMaxUnavailable in istiod's values, strategy in a gateway's)",
        )
        .in_cluster(member.name())
        .about(named(workload)),
    );
}

fn nobody_has_room(nodes: &[NodeRoom], surge: &Surge) -> String {
    let fit: Vec<&NodeRoom> = nodes.iter().filter(|node| surge.may_run_on(node)).collect();
    let roomiest = fit.iter().max_by_key(|node| {
        // What is short counts, not what is plenty.
        (
            node.free.pods > 0,
            node.free.memory >= surge.pod.memory,
            node.free.milli_cpu,
        )
    });
    match (roomiest, fit.len()) {
        (None, _) => {
            "no node that takes pods is one that its node selector, node affinity and tolerations allow".to_owned()
        }
        (Some(node), count) => {
            let full = if node.free.pods == 0 {
                ", and takes no more pods"
            } else {
                ""
            };
            format!(
                "of {count} nodes that it may run on none has room; {} has {}{full} left",
                node.name, node.free
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::{Apart, Demand, Inventory, PlacedPod, sample},
        preflight::tests::{check, found, ids},
    };

    fn spoilt(spoil: impl FnOnce(&mut Inventory)) -> Vec<&'static str> {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        sample::add_ambient(&mut inventory.clusters[0], "1.30.3");
        spoil(&mut inventory);
        ids(&check(&inventory, "1.31.0"))
    }

    #[test]
    fn one_node_with_room_is_enough() {
        assert_eq!(spoilt(|_| {}), [""; 0]);
        let full = |inventory: &mut Inventory| inventory.around(0).room[0].free.milli_cpu = 499;
        assert_eq!(spoilt(full), ["MU314"], "istiod; the gateway still fits");
        assert_eq!(
            spoilt(|inventory| inventory.around(0).room[0].free.pods = 0),
            ["MU314", "MU314"]
        );
        assert_eq!(
            spoilt(|inventory| {
                full(inventory);
                inventory.around(0).room.push(sample::room("node-1"));
            }),
            [""; 0]
        );
    }

    #[test]
    fn who_makes_room_itself_or_was_not_counted_is_left_alone() {
        for spoil in [
            (|inventory| inventory.around(0).room.clear()) as fn(&mut Inventory),
            |inventory| {
                inventory.around(0).room[0].free.memory = 0;
                inventory.seen(0).control_planes[0].surge.adds_first = false;
                inventory.seen(0).gateways.clear();
            },
        ] {
            assert_eq!(spoilt(spoil), [""; 0]);
        }
    }

    #[test]
    fn a_pod_that_must_stand_apart_from_its_like_needs_a_node_without_it() {
        let apart = |inventory: &mut Inventory| {
            inventory.seen(0).control_planes[0].surge.apart = vec![Apart {
                from: vec![("app".to_owned(), Demand::Exists)],
                within: "host".to_owned(),
            }];
            let around = inventory.around(0);
            around.room[0].labels.insert("host".to_owned(), "node-0".to_owned());
            around.placed = vec![PlacedPod {
                namespace: "istio-system".to_owned(),
                labels: [("app".to_owned(), "istiod".to_owned())].into(),
                node: "node-0".to_owned(),
            }];
        };
        assert_eq!(spoilt(apart), ["MU314"]);
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        apart(&mut inventory);
        let report = check(&inventory, "1.31.0");
        let cause = &found(&report, "MU314").cause;
        assert!(
            cause.contains("1 nodes have room, and its pod anti-affinity"),
            "{cause}"
        );
        let with_another = |inventory: &mut Inventory| {
            apart(inventory);
            inventory.around(0).room.push(sample::room("node-1"));
        };
        assert_eq!(spoilt(with_another), [""; 0]);
    }

    #[test]
    fn what_is_short_is_told() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let room = &mut inventory.around(0).room;
        room[0].free.milli_cpu = 300;
        let report = check(&inventory, "1.31.0");
        let finding = found(&report, "MU314");
        assert_eq!(
            finding.cause,
            "its update begins with one more pod of 500m CPU and 2048 MiB memory: of 1 nodes that it may run on none \
             has room; node-0 has 300m CPU and 4096 MiB memory left"
        );
        assert_eq!(finding.object.as_deref(), Some("Deployment istio-system/istiod"));

        let selector = &mut inventory.seen(0).control_planes[0].surge.selector;
        selector.insert("pool".to_owned(), "infra".to_owned());
        let report = check(&inventory, "1.31.0");
        assert!(
            found(&report, "MU314")
                .cause
                .contains("no node that takes pods is one that its node selector")
        );
    }
}
