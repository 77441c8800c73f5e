//! Tests of plans: their order, what they leave out and refuse, what they are bound to.

use super::*;
use crate::{
    api::{FreezeSettings, JOURNAL_VERSION, MeshCluster, ObjectName},
    inventory::sample,
    mesh::meshes,
};
use std::sync::LazyLock;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());
const CHARTS: &str = "oci://ghcr.io/istio/release/charts";

fn plan_to(inventory: &Inventory, to: &str) -> Result<Plan, PlanError> {
    let meshes = meshes(inventory);
    let target = Target::new(to.parse().unwrap());
    plan(&meshes[0], inventory, &target, CHARTS, &CATALOG)
}

fn ambient(istio: &str) -> Inventory {
    let mut inventory = sample::one(istio, "v1.36.3");
    sample::add_ambient(&mut inventory.clusters[0], istio);
    inventory
}

/// Two clusters of one mesh.
fn two(first: &str, second: &str) -> Inventory {
    let mut inventory = ambient(first);
    inventory.clusters.push(sample::cluster("west", second, "v1.36.3"));
    sample::add_ambient(&mut inventory.clusters[1], second);
    for index in 0..2 {
        inventory.seen(index).control_planes[0].mesh_id = Some("shop".to_owned());
    }
    inventory
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

#[test]
fn crds_come_first_and_gateways_last_over_all_clusters() {
    let plan = plan_to(&two("1.30.3", "1.30.3"), "1.31.0").unwrap();
    assert_eq!(
        ids(&plan),
        [
            "east/base/istio-system/istio-base",
            "west/base/istio-system/istio-base",
            "east/istiod/istio-system/istiod",
            "east/cni/istio-system/istio-cni",
            "east/ztunnel/istio-system/ztunnel",
            "west/istiod/istio-system/istiod",
            "west/cni/istio-system/istio-cni",
            "west/ztunnel/istio-system/ztunnel",
            "east/gateway/istio-ingress/ingress",
            "west/gateway/istio-ingress/ingress",
        ]
    );
    let istiod = &plan.steps[2];
    assert_eq!(
        (istiod.from.as_str(), istiod.to.as_str(), istiod.release_revision),
        ("1.30.3", "1.31.0", 3)
    );
    assert_eq!(istiod.workloads[0].name, "istiod");
    assert_eq!(plan.charts.location, CHARTS);
}

#[test]
fn a_remote_comes_after_its_primary() {
    let mut inventory = two("1.30.3", "1.30.3");
    // The first cluster asked has no control plane; the Mesh object is in the second one.
    inventory.seen(0).control_planes.clear();
    inventory
        .seen(0)
        .helm_releases
        .retain(|release| release.component != Component::Istiod);
    let mut record = sample::record("shop");
    record.clusters = vec![MeshCluster {
        name: "east".to_owned(),
        ..MeshCluster::default()
    }];
    inventory.seen(1).meshes = vec![record];
    let plan = plan_to(&inventory, "1.31.0").unwrap();
    let of = |id: &str| ids(&plan).iter().position(|step| *step == id).unwrap();
    assert!(
        of("west/istiod/istio-system/istiod") < of("east/cni/istio-system/istio-cni"),
        "{:?}",
        ids(&plan)
    );
}

#[test]
fn what_is_at_the_target_is_left_out() {
    let mut inventory = two("1.31.0", "1.30.3");
    let plan = plan_to(&inventory, "1.31.0").unwrap();
    assert!(ids(&plan).iter().all(|id| id.starts_with("west/")), "{:?}", ids(&plan));
    assert_eq!(plan.clusters.len(), 1);

    // The chart alone does not make it so.
    inventory.seen(0).control_planes[0].version = sample::version("1.30.3");
    assert!(ids(&plan_to(&inventory, "1.31.0").unwrap()).contains(&"east/istiod/istio-system/istiod"));

    let error = plan_to(&ambient("1.31.0"), "1.31.0").unwrap_err();
    assert_eq!(
        error.to_string(),
        "mesh default has nothing to upgrade: every component is at 1.31.0"
    );
}

#[test]
fn a_plan_goes_one_hop_forward_in_one_flavor() {
    for (from, to, part) in [
        (
            "1.28.1",
            "1.31.0",
            "go to 1.29.10 first, with kubectl mesh-upgrade plan default --to 1.29.10",
        ),
        ("1.7.1", "1.31.0", "go to 1.8.0 first"),
        ("1.31.0", "1.30.7", "newer than 1.30.7: choose a version from 1.31.0 on"),
        (
            "1.30.3",
            "1.31.0-mspider",
            "another flavor: choose a version of the flavor community",
        ),
        ("sha256-00", "1.31.0", "cannot be read from \"sha256-00\""),
    ] {
        let error = plan_to(&ambient(from), to).unwrap_err().to_string();
        assert!(error.contains(part), "{from} -> {to}: {error}");
    }
    let mut inventory = ambient("1.30.3");
    inventory.clusters.push(sample::unknown("west"));
    assert!(
        plan_to(&inventory, "1.31.0")
            .unwrap_err()
            .to_string()
            .contains("connection refused")
    );
}

#[test]
fn a_newer_base_chart_is_no_way_back() {
    let mut inventory = ambient("1.30.3");
    inventory.seen(0).helm_releases[0].chart_version = "1.31.3".to_owned();
    assert!(matches!(
        plan_to(&inventory, "1.31.0"),
        Err(PlanError::Downgrade { .. })
    ));
}

#[test]
fn vendors_charts_may_leave_their_flavor_out() {
    let mut inventory = sample::one("1.30.3-mspider", "v1.36.3");
    for release in &mut inventory.seen(0).helm_releases {
        release.chart_version = "1.30.3".to_owned();
    }
    let plan = plan_to(&inventory, "1.31.0-mspider").unwrap();
    assert_eq!(plan.steps.len(), 2);
    assert_eq!(
        plan.images,
        [
            "docker.io/istio/pilot:1.31.0-mspider",
            "docker.io/istio/proxyv2:1.31.0-mspider"
        ]
    );
}

#[test]
fn images_are_those_of_the_steps() {
    let plan = plan_to(&ambient("1.30.3"), "1.31.0").unwrap();
    let names = ["install-cni", "pilot", "proxyv2", "ztunnel"];
    assert_eq!(plan.images, names.map(|name| format!("docker.io/istio/{name}:1.31.0")));
    assert_eq!(
        plan_to(&sample::one("1.30.3", "v1.36.3"), "1.31.0")
            .unwrap()
            .images
            .len(),
        2
    );
}

#[test]
fn the_scope_names_everything_of_the_mesh() {
    let plan = plan_to(&ambient("1.30.3"), "1.31.0").unwrap();
    let scope = &plan.clusters[0].scope;
    assert_eq!(scope.istio_namespaces, ["istio-system"]);
    assert_eq!(scope.istiod_users, ["system:serviceaccount:istio-system:istiod"]);
    let named = |objects: &[ObjectName]| -> Vec<String> {
        objects
            .iter()
            .map(|object| format!("{}/{}", object.namespace, object.name))
            .collect()
    };
    assert_eq!(
        named(&scope.config_maps),
        ["istio-system/istio", "istio-system/istio-sidecar-injector"]
    );
    assert_eq!(
        named(&scope.helm_releases),
        [
            "istio-ingress/ingress",
            "istio-system/istio-base",
            "istio-system/istio-cni",
            "istio-system/istiod",
            "istio-system/ztunnel"
        ]
    );
    assert_eq!(scope.workloads.len(), 4);
}

#[test]
fn the_scope_carries_the_settings_of_the_mesh() {
    let mut inventory = ambient("1.30.3");
    let settings = FreezeSettings {
        gateway_api: true,
        namespaces: vec!["shop".to_owned()],
        ..FreezeSettings::default()
    };
    let mut record = sample::record("default");
    record.freeze = settings.clone();
    inventory.seen(0).meshes = vec![record];
    let plan = plan_to(&inventory, "1.31.0").unwrap();
    assert_eq!(plan.clusters[0].scope.configuration, settings);
    assert_eq!(settings.differences().len(), 2);
}

#[test]
fn another_meshs_gateways_and_istiod_stay_out() {
    let mut inventory = ambient("1.30.3");
    let mut other = sample::istiod("other", "1.30.3");
    other.helm_release = Some(("other".to_owned(), "istiod".to_owned()));
    let observed = inventory.seen(0);
    observed.control_planes.push(other);
    observed
        .helm_releases
        .push(sample::release("other", "istiod", "istiod", "1.30.3"));
    let plan = plan_to(&inventory, "1.31.0").unwrap();
    assert!(
        ids(&plan)
            .iter()
            .all(|id| !id.contains("other") && !id.contains("ingress")),
        "{:?}",
        ids(&plan)
    );
    assert_eq!(plan.clusters[0].scope.workloads.len(), 3);
}

#[test]
fn the_hash_is_stable_and_tells_plans_apart() {
    let plan = plan_to(&ambient("1.30.3"), "1.31.0").unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    let read: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(hash(&plan), hash(&read));
    assert_eq!(hash(&plan).len(), 64);
    let mut other = plan.clone();
    other.steps.swap(0, 1);
    assert_ne!(hash(&plan), hash(&other));
}

#[test]
fn drift_is_told_in_sentences() {
    let before = ambient("1.30.3");
    let plan = plan_to(&before, "1.31.0").unwrap();
    assert_eq!(drift(&plan, &before), Vec::<String>::new());
    type Change = fn(&mut Inventory);
    let changes: [(Change, &str); 7] = [
        (
            |i| i.clusters.clear(),
            "cluster east is not among those that were asked",
        ),
        (
            |i| i.clusters[0] = sample::unknown("east"),
            "could not be observed: connection refused",
        ),
        (
            |i| i.seen(0).uid = "other".to_owned(),
            "is another one: its kube-system had the UID uid-of-east, now other",
        ),
        (
            |i| i.seen(0).helm_releases[1].revision = 4,
            "istio-system/istiod of east was at revision 3, now 4",
        ),
        (
            |i| i.seen(0).helm_releases[0].chart_version = "1.30.4".to_owned(),
            "was at 1.30.3, now 1.30.4",
        ),
        (
            |i| i.seen(0).control_planes[0].version = sample::version("1.30.4"),
            "istiod of east ran 1.30.3, now 1.30.4",
        ),
        (
            |i| drop(i.seen(0).helm_releases.remove(1)),
            "istio-system/istiod of east is gone",
        ),
    ];
    for (change, expected) in changes {
        let mut after = before.clone();
        change(&mut after);
        let told = drift(&plan, &after);
        assert!(told.len() == 1 && told[0].contains(expected), "{expected}: {told:?}");
    }
}

#[test]
fn what_istioctl_installed_is_one_step_and_frozen_by_its_labels() {
    let mut inventory = sample::by_istioctl("1.30.3");
    let plan = plan_to(&inventory, "1.31.0").unwrap();
    assert_eq!(ids(&plan), ["east/istiod/istio-system/default"]);
    let step = &plan.steps[0];
    let workloads: Vec<&str> = step.workloads.iter().map(|workload| workload.name.as_str()).collect();
    assert_eq!(workloads, ["istiod", "istio-cni-node", "ztunnel", "ingress"]);
    assert_eq!(
        (step.from.as_str(), step.installer),
        ("1.30.3", InstallerKind::Istioctl)
    );
    assert_eq!(step.changes().name, "istioctl/default");
    assert_eq!((plan.journal_version(), plan.takes_charts()), (2, false));
    let scope = &plan.clusters[0].scope;
    assert_eq!(
        scope.istioctl,
        [ObjectName {
            namespace: "istio-system".to_owned(),
            name: "default".to_owned(),
        }]
    );
    assert_eq!(scope.workloads.len(), 4);
    for image in ["pilot", "proxyv2", "install-cni", "ztunnel"] {
        assert!(
            plan.images.contains(&format!("docker.io/istio/{image}:1.31.0")),
            "{image}: {:?}",
            plan.images
        );
    }
    assert_eq!(drift(&plan, &inventory), Vec::<String>::new());
    // A gateway that is behind is behind, although all else has arrived.
    inventory = sample::by_istioctl("1.31.0");
    assert!(plan_to(&inventory, "1.31.0").is_err());
    inventory.seen(0).gateways[0].image = "docker.io/istio/proxyv2:1.30.3".to_owned();
    let plan = plan_to(&inventory, "1.31.0").unwrap();
    assert_eq!(ids(&plan), ["east/istiod/istio-system/default"]);
    assert_eq!(
        crate::arrival::of_step(&plan.steps[0], inventory.seen(0)),
        crate::arrival::Arrival::Waiting(
            "Deployment istio-ingress/ingress to run 1.31.0 (now docker.io/istio/proxyv2:1.30.3)".to_owned()
        )
    );
    inventory.seen(0).control_planes.clear();
    inventory.seen(0).node_components.clear();
    assert_eq!(
        drift(&plan, &inventory),
        ["istioctl's revision default in istio-system of east is gone"]
    );
}

#[test]
fn an_external_control_plane_comes_after_the_crds_and_before_what_it_serves() {
    let inventory = sample::hosted("1.30.3");
    let plan = plan_to(&inventory, "1.31.0").unwrap();
    let expected = [
        "config/base/istio-system/istio-base",
        "host/istiod/external-istiod/istiod",
        "config/istiod/external-istiod/istiod",
        "config/gateway/istio-ingress/ingress",
    ];
    assert_eq!(ids(&plan), expected);
    assert_eq!((plan.journal_version(), JOURNAL_VERSION), (3, 4));
    assert!(plan.configures("config") && !plan.configures("host"));

    // The same order where the Mesh object, and with it the journal, is in the cluster of the configuration.
    let mut at_config = inventory.clone();
    let mut record = sample::record("shop");
    record.istio_namespace = sample::HOSTED.to_owned();
    record.clusters = vec![MeshCluster {
        name: "host".to_owned(),
        ..MeshCluster::default()
    }];
    at_config.seen(1).meshes = vec![record];
    assert_eq!(ids(&plan_to(&at_config, "1.31.0").unwrap()), expected);
}

#[test]
fn both_clusters_of_an_external_control_plane_are_frozen_whichever_is_changed() {
    let mut inventory = sample::hosted("1.30.3");
    let environment = &mut inventory.seen(0).control_planes[0].settings.environment;
    environment.insert("SHARED_MESH_CONFIG".to_owned(), "mesh-config".to_owned());
    for (at_target, steps) in [(None, 4), (Some(0), 3), (Some(1), 1)] {
        let mut inventory = inventory.clone();
        if let Some(cluster) = at_target {
            let observed = inventory.seen(cluster);
            for release in &mut observed.helm_releases {
                release.chart_version = "1.31.0".to_owned();
            }
            for plane in &mut observed.control_planes {
                plane.version = sample::version("1.31.0");
            }
        }
        let plan = plan_to(&inventory, "1.31.0").unwrap();
        assert_eq!(plan.steps.len(), steps, "{at_target:?}: {:?}", ids(&plan));
        let [host, config] = plan.clusters.as_slice() else {
            panic!("{at_target:?}: {:?}", plan.clusters)
        };
        assert_eq!((host.name.as_str(), config.name.as_str()), ("host", "config"));
        assert!(!host.has_webhooks_of(sample::HOSTED) && config.has_webhooks_of(sample::HOSTED));
        // Configuration of the host is another mesh's; that of the mesh is frozen wherever it is.
        assert_eq!(host.scope.configuration.namespaces, [sample::HOSTED]);
        assert!(config.scope.configuration.namespaces.is_empty());
        assert_eq!(host.scope.workloads.len(), 1);
        assert_eq!(config.scope.istiod_users, host.scope.istiod_users);
        let maps: Vec<&str> = config.scope.config_maps.iter().map(|map| map.name.as_str()).collect();
        assert_eq!(maps, ["istio", "istio-sidecar-injector", "mesh-config"]);
    }
}
