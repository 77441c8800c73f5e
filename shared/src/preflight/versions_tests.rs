//! Tests of the rules on versions.

use crate::{
    api::{Component, Management},
    finding::Severity,
    inventory::sample,
    mesh::meshes,
    preflight::{
        Target,
        tests::{CATALOG, TODAY, check, found, ids},
    },
};

#[test]
fn each_move_has_its_verdict() {
    for (from, to, expected) in [
        ("1.30.3", "1.31.0", &[][..]),
        ("1.30.3", "1.30.7", &[]),
        ("1.30.3", "1.30.3", &["MU104"]),
        ("1.29.2", "1.31.0", &["MU101", "MU111"]),
        ("1.31.0", "1.30.7", &["MU102", "MU102", "MU102"]),
        ("1.31.2", "1.31.1", &["MU102", "MU102", "MU102"]),
        // Its end of life is no matter any more.
        ("1.30.3", "1.28.9", &["MU102", "MU102", "MU102", "MU202"]),
        ("1.30.3", "1.31.0-mspider", &["MU103"]),
        ("1.30.3-mspider", "1.31.0-mspider", &[]),
        ("1.31.0", "1.31.9", &["MU107"]),
        ("1.31.0", "1.32.0", &["MU106"]),
        ("1.30.3-solo", "1.31.0-solo", &["MU106"]),
        ("1.30.3-solo-fips", "1.31.0-solo-fips", &["MU106"]),
        ("1.30.3-solo-fips", "1.31.0-solo", &["MU103", "MU106"]),
        ("1.28.4", "1.29.10", &["MU202", "MU111", "MU112"]),
        ("1.31.0", "1.31.1-rc.0", &["MU108"]),
        ("latest", "1.31.0", &["MU105"]),
    ] {
        let report = check(&sample::one(from, "v1.36.3"), to);
        assert_eq!(ids(&report), expected, "{from} -> {to}: {:#?}", report.findings);
    }
}

#[test]
fn an_unknown_flavor_is_to_be_declared_in_a_catalog() {
    let report = check(&sample::one("1.30.3-solo-fips", "v1.36.3"), "1.31.0-solo-fips");
    let finding = found(&report, "MU106");
    assert!(finding.cause.ends_with(", not solo-fips"), "{}", finding.cause);
    assert!(
        finding.fix.starts_with("declare the flavor solo-fips"),
        "{}",
        finding.fix
    );
}

#[test]
fn a_skip_names_the_next_hop_and_the_command() {
    let report = check(&sample::one("1.28.4", "v1.34.1"), "1.31.0");
    let finding = found(&report, "MU101");
    assert_eq!(
        finding.fix,
        "go to 1.29.10 first: kubectl mesh-upgrade check default --to 1.29.10"
    );
    assert_eq!(finding.object.as_deref(), Some("Deployment istio-system/istiod"));
    let report = check(&sample::one("1.7.0", "v1.34.1"), "1.31.0");
    assert!(found(&report, "MU101").fix.contains("a 1.8 release"));
}

#[test]
fn what_lags_behind_the_control_plane_is_brought_on_alone() {
    let mut inventory = sample::one("1.30.3", "v1.36.3");
    sample::add_ambient(&mut inventory.clusters[0], "1.28.4");
    let report = check(&inventory, "1.31.0");
    let skips: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.code.id() == "MU101")
        .collect();
    assert_eq!(skips.len(), 2, "CNI and ztunnel");
    // The whole mesh cannot go where the control plane has long been.
    for skip in skips {
        assert!(skip.fix.starts_with("bring this one alone to 1.29.10"), "{}", skip.fix);
    }
}

#[test]
fn a_pre_release_is_accepted_only_when_a_person_named_it() {
    let inventory = sample::one("1.30.3", "v1.36.3");
    let mesh = &meshes(&inventory)[0];
    let version = "1.31.0-rc.1".parse().unwrap();
    for (target, severity) in [
        (Target::new("1.31.0-rc.1".parse().unwrap()), Severity::Warning),
        (Target::proposed(version), Severity::Blocker),
    ] {
        let report = super::super::check(mesh, &inventory, &target, &CATALOG, TODAY);
        assert_eq!(found(&report, "MU108").severity, severity);
    }
}

#[test]
fn node_components_count_as_much_as_the_control_plane() {
    for (component, running, expected) in [
        (Component::Cni, "1.30.3", None),
        (Component::Cni, "1.28.0", Some("MU101")),
        (Component::Ztunnel, "1.31.3", Some("MU102")),
        (Component::Ztunnel, "sha256-00", Some("MU105")),
        (Component::Ztunnel, "1.30.3-solo", Some("MU103")),
    ] {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        sample::add_ambient(&mut inventory.clusters[0], "1.30.3");
        let nodes = &mut inventory.seen(0).node_components;
        nodes
            .iter_mut()
            .find(|node| node.component == component)
            .unwrap()
            .version = sample::version(running);
        let report = check(&inventory, "1.31.0");
        assert_eq!(
            report.blockers().map(|finding| finding.code.id()).next(),
            expected,
            "{component} {running}"
        );
    }
}

#[test]
fn what_is_to_be_upgraded_needs_an_image_that_tells_its_version() {
    for (image, to, expected) in [
        ("registry.example.com/ossm/pilot@sha256:00", "1.31.0", true),
        ("registry.example.com/our-istiod:build-7", "1.31.0", true),
        ("registry.example.com/istio/pilot:1.30.3@sha256:00", "1.31.0", false),
        ("registry.example.com/istio/pilot:1.30.3-distroless", "1.31.0", false),
        // Nothing has to arrive.
        ("registry.example.com/ossm/pilot@sha256:00", "1.30.3", false),
    ] {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.seen(0).control_planes[0].image = image.to_owned();
        let report = check(&inventory, to);
        assert_eq!(ids(&report).contains(&"MU105"), expected, "{image} to {to}");
        if expected {
            let finding = found(&report, "MU105");
            assert!(finding.cause.contains(image), "{}", finding.cause);
            assert!(
                finding.fix.ends_with("kubectl mesh-upgrade guide default --to 1.31.0"),
                "{}",
                finding.fix
            );
            assert_eq!(finding.object.as_deref(), Some("Deployment istio-system/istiod"));
            assert!(!report.is_free());
        }
        // Its owner sees for himself whether it came.
        let mut record = sample::record("shop");
        record.management = Management::External;
        inventory.seen(0).meshes = vec![record];
        assert!(!ids(&check(&inventory, to)).contains(&"MU105"), "{image} to {to}");
    }
    let mut inventory = sample::one("1.30.3", "v1.36.3");
    sample::add_ambient(&mut inventory.clusters[0], "1.30.3");
    for node in &mut inventory.seen(0).node_components {
        node.image = "registry.example.com/ossm/node@sha256:00".to_owned();
    }
    let report = check(&inventory, "1.31.0");
    assert_eq!(ids(&report), ["MU105", "MU105"]);
}

#[test]
fn a_node_component_ahead_of_its_control_plane_is_told() {
    let mut inventory = sample::one("1.30.3", "v1.36.3");
    sample::add_ambient(&mut inventory.clusters[0], "1.30.3");
    inventory.seen(0).node_components[1].version = sample::version("1.31.0");
    let report = check(&inventory, "1.31.0");
    assert_eq!(found(&report, "MU113").severity, Severity::Warning);
}

#[test]
fn mixed_control_planes() {
    for (first, second, expected) in [
        ("1.30.3", "1.31.0", &["MU110"][..]),
        ("1.30.3", "1.30.3-mspider", &["MU103", "MU109"]),
        ("1.29.9", "1.30.3", &["MU101", "MU110"]),
    ] {
        let mut inventory = sample::one(first, "v1.35.1");
        inventory.clusters.push(sample::cluster("west", second, "v1.35.1"));
        for index in 0..2 {
            inventory.seen(index).control_planes[0].mesh_id = Some("shop".to_owned());
        }
        assert_eq!(ids(&check(&inventory, "1.31.0")), expected, "{first} and {second}");
    }
}

#[test]
fn the_mesh_object_remembers_version_and_flavor() {
    let mut inventory = sample::one("1.30.3", "v1.36.3");
    let mut record = sample::record("shop");
    record.recorded_version = Some("1.31.3".to_owned());
    inventory.seen(0).meshes = vec![record.clone()];
    assert!(
        found(&check(&inventory, "1.31.0"), "MU102")
            .cause
            .contains("recorded at 1.31.3")
    );

    record.recorded_version = None;
    record.flavor = Some("mspider".to_owned());
    inventory.seen(0).meshes = vec![record];
    assert!(check(&inventory, "1.31.0").has(crate::finding::codes::MIXED_FLAVORS));
}

#[test]
fn no_control_plane_blocks() {
    let mut inventory = sample::one("1.30.3", "v1.36.3");
    inventory.seen(0).control_planes.clear();
    inventory.seen(0).meshes = vec![sample::record("shop")];
    assert_eq!(found(&check(&inventory, "1.31.0"), "MU114").severity, Severity::Blocker);
}
