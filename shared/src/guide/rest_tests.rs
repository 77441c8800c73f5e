//! Runbooks of clusters that are shared, or half-way, and what they need.

use super::{
    tests::{self, CATALOG, commands, guide, inventory, sidecars, wish},
    *,
};
use crate::{
    api::Component,
    inventory::{DataPlane, Inventory, OperatorObject, Owner, sample},
    mesh,
};

#[test]
fn another_meshs_workloads_and_gateways_are_left_alone() {
    let mut inventory = inventory("1.30.3");
    let mut foreign = sample::istiod("other-istio", "1.30.3");
    foreign.revision = "other".to_owned();
    let observed = inventory.seen(0);
    observed.control_planes.push(foreign);
    let mut theirs = sidecars(Owner::Deployment("theirs".to_owned()), "1.30.3");
    theirs.revision = Some("other".to_owned());
    let mut gateway = sample::gateway("other-ingress", "theirs");
    gateway.helm_release = None;
    observed.gateways.push(gateway);
    if let Some(data_plane) = &mut observed.data_plane {
        data_plane.workloads.push(theirs);
    }
    let ours = |inventory: &Inventory| {
        let mine = mesh::meshes(inventory).into_iter().find(|mesh| mesh.name == "default");
        let today = "2026-11-28".parse().unwrap();
        build(&mine.unwrap(), inventory, &wish("1.31.0", None), &CATALOG, today).unwrap()
    };
    let told = commands(&ours(&inventory)).join("\n");
    assert!(
        told.contains("deployment/reviews") && !told.contains("theirs"),
        "{told}"
    );
    let observed = inventory.seen(0);
    observed.control_planes[0].helm_release = None;
    observed.control_planes[0].ownership.operator = Some(OperatorObject::new("Istio", "default"));
    let told = commands(&ours(&inventory)).join("\n");
    assert!(
        told.contains("deployment/reviews") && !told.contains("theirs"),
        "{told}"
    );
}

#[test]
fn gateways_of_helm_go_beside_a_control_plane_of_istioctl() {
    for strategy in [Strategy::InPlace, Strategy::Canary] {
        let mut inventory = sample::by_istioctl("1.30.3");
        let observed = inventory.seen(0);
        observed.node_components.clear();
        observed.gateways = vec![sample::gateway("istio-ingress", "ingress")];
        observed.helm_releases = vec![sample::release("istio-ingress", "ingress", "gateway", "1.30.3")];
        let told = commands(&guide(&inventory, "1.31.0", Some(strategy)).unwrap());
        let upgrades = told
            .iter()
            .filter(|command| command.contains("upgrade ingress /charts/gateway"));
        assert_eq!(upgrades.count(), 1, "{strategy:?}: {told:#?}");
    }
}

#[test]
fn half_way_the_rest_is_gone_through_and_no_more() {
    let mut inventory = inventory("1.31.0");
    inventory
        .seen(0)
        .helm_releases
        .retain(|release| release.component != Component::Gateway);
    inventory
        .seen(0)
        .helm_releases
        .push(sample::release("istio-ingress", "ingress", "gateway", "1.30.3"));
    let runbook = guide(&inventory, "1.31.0", None).unwrap();
    assert_eq!((runbook.from.as_str(), runbook.chapters.len()), ("1.30.3", 2));
    let told = commands(&runbook);
    assert!(
        told[0].contains("upgrade ingress /charts/gateway") && !told.join("\n").contains("istiod"),
        "{told:#?}"
    );
    // Sidecars that were not restarted.
    let mut inventory = tests::inventory("1.31.0");
    inventory.seen(0).data_plane = tests::inventory("1.29.4").seen(0).data_plane.clone();
    let told = commands(&guide(&inventory, "1.31.0", None).unwrap());
    assert_eq!(
        told,
        ["kubectl --context=admin@east rollout restart deployment/reviews --namespace=shop"]
    );
    // Of a revision that nothing injects any more they would come back without a proxy.
    let lost = |inventory: &mut crate::inventory::Inventory| {
        let data_plane = inventory.seen(0).data_plane.as_mut().unwrap();
        for workload in &mut data_plane.workloads {
            workload.revision = Some("1-29".to_owned());
        }
    };
    lost(&mut inventory);
    // Deleting a Deployment leaves its injector.
    let mut left = sample::webhook("istio-sidecar-injector-1-29");
    left.revision = Some("1-29".to_owned());
    inventory.around(0).webhooks.push(left);
    let told = commands(&guide(&inventory, "1.31.0", None).unwrap()).join("\n");
    assert!(
        told.contains("nothing injects revision 1-29 any more: label shop") && !told.contains("rollout restart"),
        "{told}"
    );
    // What istioctl installed already is not installed again.
    let mut inventory = sample::by_istioctl("1.31.0");
    inventory.seen(0).data_plane = tests::inventory("1.30.3").seen(0).data_plane.clone();
    let told = commands(&guide(&inventory, "1.31.0", None).unwrap()).join("\n");
    assert!(
        told.contains("restart deployment/reviews") && !told.contains("istioctl"),
        "{told}"
    );
    // A Job ends by itself.
    let mut inventory = tests::inventory("1.31.0");
    inventory.seen(0).data_plane = Some(Box::new(DataPlane {
        workloads: vec![sidecars(Owner::Job("nightly".to_owned()), "1.30.3")],
        injected: Vec::new(),
    }));
    assert!(matches!(
        guide(&inventory, "1.31.0", None),
        Err(GuideError::NothingToDo { .. })
    ));
}

#[test]
fn the_private_folder_is_made_for_whatever_uses_it() {
    let check = Check::now("x", "cat \"$WORK\"/1-pods.txt".to_owned());
    let steps = [
        Step {
            before: vec![check.clone()],
            ..Step::default()
        },
        Step {
            after: vec![check.clone()],
            ..Step::default()
        },
        Step {
            look: vec![Look::at("x", check.command.clone())],
            ..Step::default()
        },
        Step {
            back: Back::by("x", vec![check.command.clone()]),
            ..Step::default()
        },
        Step {
            run: vec![Action::Run(check.command.clone())],
            ..Step::default()
        },
    ];
    let mut runbook = guide(&inventory("1.30.3"), "1.31.0", None).unwrap();
    assert!(!markdown(&runbook, &str::to_owned).contains("WORK=$(mktemp"));
    for step in steps {
        runbook.chapters[0].steps = vec![step];
        let page = markdown(&runbook, &str::to_owned);
        assert!(page.contains("WORK=$(mktemp"), "{page}");
    }
}
