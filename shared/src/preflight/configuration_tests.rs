//! Hits are told on the way that they matter for, and nowhere else.

use super::*;
use crate::{
    inventory::{Crd, Inventory, Overlooked, Unread, sample},
    preflight::tests::{check, found, ids},
};
use serde_json::json;

#[test]
fn a_hit_is_found_only_on_the_way_that_it_matters_for() {
    for (from, to, code, expected) in [
        ("1.30.3", "1.31.0", codes::MANAGED_GATEWAY_SELECTED, true),
        ("1.31.0", "1.31.3", codes::MANAGED_GATEWAY_SELECTED, false),
        ("1.29.9", "1.30.7", codes::MANAGED_GATEWAY_SELECTED, false),
        ("1.29.9", "1.30.7", codes::HOST_IN_SEVERAL_NAMESPACES, true),
        ("1.30.3", "1.31.0", codes::ENVOY_FILTER, true),
        ("1.31.0", "1.31.3", codes::ENVOY_FILTER, false),
        ("1.30.3", "1.31.0", codes::PASSTHROUGH_NACK, false),
    ] {
        let mut inventory = sample::one(from, "v1.34.1");
        inventory
            .around(0)
            .hits
            .add(code, "Kind a/b".to_owned(), "detail".to_owned());
        let found = ids(&check(&inventory, to)).contains(&code.id());
        assert_eq!(found, expected, "{code} from {from} to {to}");
    }
}

#[test]
fn what_istioctl_left_blocks_nothing() {
    let code = codes::IN_CLUSTER_OPERATOR;
    for (from, to, acted_on, expected) in [
        ("1.23.6", "1.24.6", false, &[Severity::Info][..]),
        ("1.23.6", "1.24.6", true, &[Severity::Blocker, Severity::Info]),
        ("1.24.6", "1.25.5", true, &[]),
    ] {
        let mut inventory = sample::one(from, "v1.29.1");
        let hits = &mut inventory.around(0).hits;
        let record = "IstioOperator istio-system/installed-state".to_owned();
        hits.add_left_behind(code, record, "x".to_owned());
        if acted_on {
            hits.add(code, "IstioOperator istio-system/mesh".to_owned(), "x".to_owned());
        }
        let report = check(&inventory, to);
        let found = report.findings.iter().filter(|one| one.code.id() == "MU708");
        let severities: Vec<Severity> = found.map(|one| one.severity).collect();
        assert_eq!(severities, expected, "{from} to {to}, {acted_on}");
    }
}

#[test]
fn a_mesh_that_exports_nothing_by_default_has_fewer_hosts_in_common() {
    for (default, certain, expected) in [
        (json!(null), false, true),
        (json!([]), false, true),
        (json!(["*"]), false, true),
        (json!(["."]), false, false),
        (json!(["~"]), false, false),
        (json!([".", "shared"]), false, true),
        (json!(["."]), true, true),
    ] {
        let mut inventory = sample::one("1.29.9", "v1.34.1");
        inventory.seen(0).control_planes[0].settings.mesh = json!({"defaultServiceExportTo": default});
        let entry = "ServiceEntry b/three".to_owned();
        let hits = &mut inventory.around(0).hits;
        if certain {
            hits.add(codes::HOST_IN_SEVERAL_NAMESPACES, entry, "x".to_owned());
        } else {
            hits.add_exported(codes::HOST_IN_SEVERAL_NAMESPACES, entry, "x".to_owned());
        }
        let found = ids(&check(&inventory, "1.30.7")).contains(&"MU723");
        assert_eq!(found, expected, "{default} {certain}");
    }
}

#[test]
fn one_object_is_named_and_many_are_counted() {
    let mut inventory = sample::one("1.30.3", "v1.36.3");
    let hits = &mut inventory.around(0).hits;
    for index in 0..25 {
        let object = format!("EnvoyFilter shop/f{index}");
        hits.add(codes::ENVOY_FILTER, object, "HTTP_FILTER".to_owned());
    }
    hits.add(
        codes::UNHEALTHY_ENDPOINTS,
        "DestinationRule vms/one".to_owned(),
        "x".to_owned(),
    );
    let report = check(&inventory, "1.31.0");
    let filters = found(&report, "MU727");
    assert!(filters.cause.contains("f9 (HTTP_FILTER), and 15 more") && filters.object.is_none());
    assert_eq!((filters.objects.len(), filters.unnamed), (20, 5));
    assert_eq!(filters.objects[19].object, "EnvoyFilter shop/f19");
    assert_eq!(
        found(&report, "MU725").object.as_deref(),
        Some("DestinationRule vms/one")
    );
}

#[test]
fn settings_ztunnel_and_definitions_are_looked_at() {
    let spoilt = |from: &str, spoil: fn(&mut Inventory)| {
        let mut inventory = sample::one(from, "v1.32.1");
        sample::add_ambient(&mut inventory.clusters[0], from);
        spoil(&mut inventory);
        inventory
    };
    type Spoil = fn(&mut Inventory);
    let cases: [(&str, &str, Spoil, &str); 5] = [
        (
            "1.30.3",
            "1.31.0",
            |i| {
                let settings = &mut i.seen(0).control_planes[0].settings;
                let name = "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY";
                settings.environment.insert(name.to_owned(), "false".to_owned());
            },
            "MU712",
        ),
        (
            "1.26.1",
            "1.27.9",
            |i| {
                i.seen(0).control_planes[0].settings.mesh =
                    serde_json::json!({"extensionProviders": [{"name": "x", "lightstep": {}}]});
            },
            "MU713",
        ),
        (
            "1.25.1",
            "1.26.8",
            |i| {
                let releases = &mut i.seen(0).helm_releases;
                releases
                    .iter_mut()
                    .find(|release| release.chart == "ztunnel")
                    .unwrap()
                    .name = "mesh-ztunnel".to_owned();
            },
            "MU714",
        ),
        ("1.24.1", "1.25.5", |_| {}, "MU716"),
        (
            "1.27.1",
            "1.28.10",
            |i| {
                i.around(0).crds = vec![Crd {
                    name: "inferencepools.inference.networking.x-k8s.io".to_owned(),
                    served: vec!["v1alpha2".to_owned()],
                    ..Crd::default()
                }];
            },
            "MU717",
        ),
    ];
    for (from, to, spoil, expected) in cases {
        assert!(!ids(&check(&spoilt(from, |_| {}), "1.31.0")).contains(&"MU713"));
        let report = check(&spoilt(from, spoil), to);
        assert!(ids(&report).contains(&expected), "{expected}: {:?}", ids(&report));
    }
}

#[test]
fn what_the_cni_captures_decides_what_1_24_and_1_25_change() {
    for (from, to, captures, expected) in [
        ("1.23.6", "1.24.6", false, None),
        ("1.23.6", "1.24.6", true, Some(Severity::Warning)),
        ("1.24.6", "1.25.5", false, Some(Severity::Info)),
        ("1.24.6", "1.25.5", true, None),
        ("1.25.5", "1.26.8", false, None),
    ] {
        let mut inventory = sample::one(from, "v1.29.1");
        sample::add_ambient(&mut inventory.clusters[0], from);
        inventory.around(0).ambient.captures_dns = captures;
        let report = check(&inventory, to);
        let finding = report.findings.iter().find(|one| one.code.id() == "MU716");
        assert_eq!(finding.map(|one| one.severity), expected, "{from} to {to}, {captures}");
    }
}

#[test]
fn an_inference_pool_of_before_its_first_release_is_an_old_one() {
    const OLD: &str = "inferencepools.inference.networking.x-k8s.io";
    const NEW: &str = "inferencepools.inference.networking.k8s.io";
    for (name, bundle, to, expected) in [
        (OLD, None, "1.28.10", true),
        (NEW, Some("v1.0.0-rc.1"), "1.28.10", true),
        (NEW, Some("v0.5.1"), "1.28.10", true),
        (NEW, Some("v1.0.0"), "1.28.10", false),
        (NEW, Some("v1.4.0"), "1.28.10", false),
        (NEW, Some("main-dev"), "1.28.10", false),
        (NEW, None, "1.28.10", false),
        (NEW, Some("v1.0.0-rc.1"), "1.27.9", false),
    ] {
        let mut inventory = sample::one("1.27.1", "v1.32.1");
        inventory.around(0).crds = vec![Crd {
            name: name.to_owned(),
            bundle: bundle.map(str::to_owned),
            served: vec!["v1".to_owned()],
            ..Crd::default()
        }];
        let found = ids(&check(&inventory, to)).contains(&"MU717");
        assert_eq!(found, expected, "{name} {bundle:?} to {to}");
    }
}

#[test]
fn an_envoy_filter_is_told_once_for_each_release_on_the_way() {
    for (from, to, expected) in [
        ("1.24.6", "1.25.5", 1),
        ("1.30.3", "1.31.0", 0),
        ("1.27.9", "1.28.10", 1),
    ] {
        let mut inventory = sample::one(from, "v1.32.1");
        let hits = &mut inventory.around(0).hits;
        for minor in [25, 28] {
            let object = "EnvoyFilter shop/patch".to_owned();
            hits.add_since(codes::ENVOY_FILTER_OUTDATED, minor, object, "a field".to_owned());
        }
        let report = check(&inventory, to);
        let found: Vec<_> = report.findings.iter().filter(|one| one.code.id() == "MU733").collect();
        assert_eq!(found.len(), expected, "{from} to {to}");
        assert!(found.iter().all(|one| one.cause.starts_with("since 1.2")));
    }
}

#[test]
fn what_could_not_be_looked_at_is_said() {
    let mut inventory = sample::one("1.30.3", "v1.36.3");
    inventory.around(0).overlooked = vec![Overlooked {
        unread: Unread::Objects("envoyfilters.networking.istio.io".to_owned()),
        told: "EnvoyFilters: forbidden".to_owned(),
    }];
    let report = check(&inventory, "1.31.0");
    assert_eq!(ids(&report), ["MU906"]);
    assert!(report.is_free());
}

#[test]
fn configuration_is_judged_where_an_external_control_plane_reads_it() {
    let hit = |cluster: usize| {
        let mut inventory = sample::hosted("1.27.9");
        let hits = &mut inventory.around(cluster).hits;
        let object = "EnvoyFilter shop/patch".to_owned();
        hits.add_since(codes::ENVOY_FILTER_OUTDATED, 28, object, "a field".to_owned());
        let report = check(&inventory, "1.28.10");
        ids(&report).contains(&"MU733")
    };
    assert_eq!([hit(0), hit(1)], [false, true]);
}

/// A primary, and a cluster beside it without a control plane of its own.
fn with_remote(istio: &str) -> Inventory {
    let mut inventory = sample::one(istio, "v1.32.1");
    let mut remote = sample::cluster("remote", istio, "v1.32.1");
    sample::seen(&mut remote).control_planes.clear();
    inventory.clusters.push(remote);
    let members = ["east", "remote"].map(|name| crate::api::MeshCluster {
        name: name.to_owned(),
        ..crate::api::MeshCluster::default()
    });
    let mut record = sample::record("mesh");
    record.clusters = members.to_vec();
    inventory.seen(0).meshes.push(record);
    inventory
}

#[test]
fn a_remote_cluster_is_asked_about_its_workloads_and_not_about_configuration_that_nobody_reads() {
    for (from, to, code, expected) in [
        ("1.23.6", "1.24.6", codes::CORE_DUMP_ANNOTATION, true),
        ("1.22.8", "1.23.6", codes::EXCLUDED_DNS, true),
        ("1.23.6", "1.24.6", codes::IN_CLUSTER_OPERATOR, true),
        ("1.30.3", "1.31.0", codes::ENVOY_FILTER, false),
        ("1.23.6", "1.24.6", codes::GATEWAY_NAME_LABEL, false),
    ] {
        let mut inventory = with_remote(from);
        let hits = &mut inventory.around(1).hits;
        hits.add(code, "Kind a/b".to_owned(), "detail".to_owned());
        let report = check(&inventory, to);
        let found = report.findings.iter().any(|one| one.code == code);
        assert_eq!(found, expected, "{code}: {:?}", ids(&report));
    }
}

#[test]
fn a_release_and_an_ambient_mesh_of_a_remote_cluster_are_looked_at() {
    let mut inventory = with_remote("1.29.9");
    sample::add_ambient(&mut inventory.clusters[1], "1.29.9");
    let ambient = &mut inventory.around(1).ambient;
    ambient.namespaces.insert("pay".to_owned());
    ambient.excluded.insert("pay".to_owned());
    let report = check(&inventory, "1.30.7");
    let excluded = found(&report, "MU730");
    assert_eq!(excluded.cluster.as_deref(), Some("remote"));
}
