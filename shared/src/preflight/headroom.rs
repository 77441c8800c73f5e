//! Whether a node has room for the pod with which a rolling update begins.

use super::{Subject, named};
use crate::{
    api::WorkloadName,
    finding::{Finding, Report, codes},
    inventory::{NodeRoom, Rollout, Surge},
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
            judge(member, &around.room, workload, rollout, surge, report);
        }
    }
}

fn judge(
    member: &ObservedMember<'_>,
    nodes: &[NodeRoom],
    workload: &WorkloadName,
    rollout: Rollout,
    surge: &Surge,
    report: &mut Report,
) {
    if rollout.desired == 0 || !surge.adds_first {
        return;
    }
    if let Some(node) = nodes.iter().find(|node| surge.fits(node)) {
        let summary = format!("{} can add a pod on {}", named(workload), node.name);
        return report.pass(codes::NO_ROOM_FOR_SURGE, Some(member.name()), summary);
    }
    let fit: Vec<&NodeRoom> = nodes.iter().filter(|node| surge.may_run_on(node)).collect();
    let roomiest = fit.iter().max_by_key(|node| {
        // What is short counts, not what is plenty.
        (
            node.free.pods > 0,
            node.free.memory >= surge.pod.memory,
            node.free.milli_cpu,
        )
    });
    let nodes = match (roomiest, fit.len()) {
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

#[cfg(test)]
mod tests {
    use crate::{
        inventory::{Inventory, sample},
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
