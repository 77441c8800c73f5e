//! A kind of the Gateway API stands in the way only where somebody uses it and istiod reads it.

use super::*;
use crate::{
    inventory::{Inventory, sample},
    preflight::tests::{check, found, ids},
};

fn crd(resource: &str, bundle: Option<&str>) -> Crd {
    Crd {
        name: format!("{resource}.gateway.networking.k8s.io"),
        kind: "TCPRoute".to_owned(),
        bundle: bundle.map(str::to_owned),
        served: vec!["v1alpha2".to_owned()],
        ..Crd::default()
    }
}

fn set(inventory: &mut Inventory, name: &str, value: &str) {
    let settings = &mut inventory.seen(0).control_planes[0].settings;
    settings.environment.insert(name.to_owned(), value.to_owned());
}

#[test]
fn an_old_bundle_blocks_only_where_its_kind_is_used_and_read_today() {
    const BLOCKS: Option<Severity> = Some(Severity::Blocker);
    const WARNS: Option<Severity> = Some(Severity::Warning);
    let on = Some("true");
    for (from, to, resource, bundle, used, alpha, expected) in [
        ("1.30.3", "1.31.0", "tcproutes", Some("v1.5.1"), 2, on, BLOCKS),
        ("1.30.3", "1.31.0", "tcproutes", Some("v1.5.1"), 0, on, None),
        ("1.30.3", "1.31.0", "tcproutes", Some("v1.6.0"), 2, on, None),
        ("1.30.3", "1.31.0", "tcproutes", None, 2, on, BLOCKS),
        ("1.30.3", "1.31.0", "tcproutes", Some("v1.6.0-rc.1"), 2, on, None),
        ("1.29.9", "1.30.7", "tlsroutes", Some("v1.4.0"), 1, on, BLOCKS),
        ("1.29.9", "1.30.7", "tcproutes", Some("v1.4.0"), 1, on, None),
        // Read by nobody today: not without alpha, nor with a bundle that is too old for the running one, too.
        ("1.30.3", "1.31.0", "tcproutes", Some("v1.5.1"), 2, None, WARNS),
        ("1.30.3", "1.31.0", "tcproutes", None, 2, Some("false"), WARNS),
        ("1.29.9", "1.30.7", "tlsroutes", Some("v1.4.0"), 1, None, WARNS),
        (
            "1.27.9",
            "1.28.10",
            "backendtlspolicies",
            Some("v1.3.0"),
            1,
            None,
            WARNS,
        ),
        ("1.27.9", "1.28.10", "backendtlspolicies", Some("v1.3.0"), 1, on, BLOCKS),
        ("1.30.3", "1.30.7", "tlsroutes", Some("v1.4.0"), 1, on, WARNS),
        ("1.31.0", "1.31.3", "tcproutes", None, 1, None, WARNS),
        // A value that comes from elsewhere.
        ("1.30.3", "1.31.0", "tcproutes", Some("v1.5.1"), 2, Some(""), BLOCKS),
    ] {
        let mut inventory = sample::one(from, "v1.34.1");
        if let Some(alpha) = alpha {
            set(&mut inventory, ALPHA, alpha);
        }
        let around = inventory.around(0);
        around.crds = vec![crd(resource, bundle)];
        around.gateway_api.insert(resource.to_owned(), used);
        let report = check(&inventory, to);
        let mut findings = report.findings.iter();
        let found = findings.find(|one| one.code.id() == "MU728");
        assert_eq!(
            found.map(|one| one.severity),
            expected,
            "{from} to {to}: {resource} {bundle:?} {used} {alpha:?}"
        );
        if let Some(found) = found {
            let ignored = found.cause.ends_with("as the istiod that runs does already");
            assert_eq!(ignored, found.severity == Severity::Warning, "{}", found.cause);
            assert_ne!(ignored, found.fix.contains("right before the upgrade"), "{}", found.fix);
        }
    }
}

#[test]
fn what_was_ignored_and_takes_effect_is_told() {
    let on = Some("true");
    for (from, to, resource, bundle, used, alpha, expected) in [
        ("1.30.3", "1.31.0", "tcproutes", "v1.6.0", 2, None, true),
        ("1.30.3", "1.31.0", "tcproutes", "v1.6.0", 2, Some("false"), true),
        ("1.30.3", "1.31.0", "tcproutes", "v1.6.0", 0, None, false),
        ("1.30.3", "1.31.0", "tcproutes", "v1.6.0", 2, on, false),
        // A value that comes from elsewhere.
        ("1.30.3", "1.31.0", "tcproutes", "v1.6.0", 2, Some(""), false),
        // Ignored by the target, too.
        ("1.30.3", "1.31.0", "tcproutes", "v1.5.1", 2, None, false),
        ("1.29.9", "1.30.7", "tcproutes", "v1.6.0", 2, None, false),
        ("1.30.3", "1.30.7", "tcproutes", "v1.6.0", 2, None, false),
        ("1.31.0", "1.31.3", "tcproutes", "v1.6.0", 2, None, false),
        ("1.29.9", "1.30.7", "tlsroutes", "v1.5.1", 1, None, true),
        // 1.29 ignores what came with it, though it is told to read the kind.
        ("1.29.9", "1.30.7", "tlsroutes", "v1.5.1", 1, on, true),
        ("1.30.3", "1.31.0", "tlsroutes", "v1.5.1", 1, None, false),
        ("1.27.9", "1.28.10", "backendtlspolicies", "v1.4.0", 1, None, true),
        ("1.27.9", "1.28.10", "backendtlspolicies", "v1.4.0", 1, on, false),
        ("1.28.3", "1.29.10", "backendtlspolicies", "v1.4.0", 1, None, false),
        ("1.21.6", "1.22.8", "grpcroutes", "v1.1.0", 1, None, true),
        ("1.21.6", "1.22.8", "grpcroutes", "v1.0.0", 1, None, false),
        ("1.22.8", "1.23.6", "grpcroutes", "v1.1.0", 1, None, false),
        // Read by none before, told to or not.
        ("1.29.9", "1.30.7", "listenersets", "v1.5.1", 1, on, true),
        ("1.30.3", "1.31.0", "listenersets", "v1.5.1", 1, None, false),
    ] {
        let mut inventory = sample::one(from, "v1.34.1");
        if let Some(alpha) = alpha {
            set(&mut inventory, ALPHA, alpha);
        }
        let around = inventory.around(0);
        around.crds = vec![crd(resource, Some(bundle))];
        around.gateway_api.insert(resource.to_owned(), used);
        let report = check(&inventory, to);
        let found = report.findings.iter().find(|one| one.code.id() == "MU737");
        let told = found.map(|one| (one.severity, one.cause.contains("take effect with the upgrade")));
        let expected = expected.then_some((Severity::Warning, true));
        assert_eq!(told, expected, "{from} to {to}: {resource} {bundle} {used} {alpha:?}");
        if found.is_some() {
            set(&mut inventory, ANY, "false");
            assert!(!ids(&check(&inventory, to)).contains(&"MU737"), "{resource}");
        }
    }
}

#[test]
fn what_is_read_no_more_blocks_where_it_was_read() {
    for (from, to, used, alpha, expected) in [
        ("1.29.9", "1.30.7", 1, "true", true),
        ("1.29.9", "1.30.7", 0, "true", false),
        ("1.29.9", "1.30.7", 1, "false", false),
        ("1.28.3", "1.29.10", 1, "true", false),
        ("1.30.3", "1.31.0", 1, "true", false),
        ("1.26.8", "1.30.7", 1, "true", false),
    ] {
        let mut inventory = sample::one(from, "v1.34.1");
        set(&mut inventory, ALPHA, alpha);
        let around = inventory.around(0);
        around.crds = vec![Crd {
            name: "xlistenersets.gateway.networking.x-k8s.io".to_owned(),
            ..crd("xlistenersets", Some("v1.4.0"))
        }];
        around.gateway_api.insert("xlistenersets".to_owned(), used);
        let report = check(&inventory, to);
        let found = report.findings.iter().find(|one| one.code.id() == "MU737");
        let expected = expected.then_some(Severity::Blocker);
        assert_eq!(
            found.map(|one| one.severity),
            expected,
            "{from} to {to}: {used} {alpha}"
        );
    }
}

#[test]
fn definitions_that_istiod_is_told_to_leave_alone_are_none_of_its() {
    let kind = "tlsroutes.gateway.networking.k8s.io";
    for (ignored, included, reads) in [
        (kind, "", false),
        ("*.gateway.networking.k8s.io", "", false),
        (" *.istio.io , *.k8s.io ", "", false),
        ("*.", "", false),
        ("*.k8s.io", kind, true),
        (
            "*.k8s.io",
            "httproutes.gateway.networking.k8s.io, *.networking.k8s.io",
            true,
        ),
        ("*.istio.io", "", true),
        ("tlsroutes", "", true),
        ("gateway.networking.k8s.io", "", true),
        // A value that comes from elsewhere.
        ("", "", true),
    ] {
        // In too new a bundle, read from now on, and in too old a bundle. The first way begins at a release that does not
        // know the variables, and ends at one that does.
        for (from, to, bundle, code) in [
            ("1.28.3", "1.29.10", "v1.5.1", "MU728"),
            ("1.29.9", "1.30.7", "v1.5.1", "MU737"),
            ("1.29.9", "1.30.7", "v1.4.0", "MU728"),
        ] {
            let mut inventory = sample::one(from, "v1.34.1");
            if code == "MU728" {
                set(&mut inventory, ALPHA, "true");
            }
            set(&mut inventory, IGNORED, ignored);
            set(&mut inventory, INCLUDED, included);
            let around = inventory.around(0);
            around.crds = vec![crd("tlsroutes", Some(bundle))];
            around.gateway_api.insert("tlsroutes".to_owned(), 1);
            let told = |inventory: &Inventory| ids(&check(inventory, to)).contains(&code);
            assert_eq!(told(&inventory), reads, "{from} to {to}: {ignored} {included}");
            // Another istiod that is told nothing reads them all the same.
            let mut other = sample::istiod("istio-system", from);
            other.settings = inventory.seen(0).control_planes[0].settings.clone();
            other.settings.environment.remove(IGNORED);
            other.revision = "canary".to_owned();
            inventory.seen(0).control_planes.push(other);
            assert!(told(&inventory), "{from} to {to}: {ignored} {included}");
        }
    }
}

#[test]
fn what_is_left_alone_stands_in_nobodys_way() {
    for (from, to, resource, group, ignored, id) in [
        (
            "1.30.3",
            "1.31.0",
            "httproutes",
            "networking.k8s.io",
            "*.k8s.io",
            "MU728",
        ),
        ("1.27.9", "1.28.10", "httproutes", "networking.k8s.io", "", "MU728"),
        (
            "1.29.9",
            "1.30.7",
            "tcproutes",
            "networking.k8s.io",
            "*.k8s.io",
            "MU728",
        ),
        (
            "1.29.9",
            "1.30.7",
            "xlistenersets",
            "networking.x-k8s.io",
            "*.x-k8s.io",
            "MU737",
        ),
    ] {
        let mut inventory = sample::one(from, "v1.34.1");
        set(&mut inventory, ALPHA, "true");
        let around = inventory.around(0);
        around.crds = vec![Crd {
            name: format!("{resource}.gateway.{group}"),
            served: vec!["v1alpha1".to_owned()],
            ..crd(resource, Some("v1.4.0"))
        }];
        around.gateway_api.insert(resource.to_owned(), 1);
        assert!(ids(&check(&inventory, to)).contains(&id), "{from} to {to}: {resource}");
        set(&mut inventory, IGNORED, ignored);
        let told = ids(&check(&inventory, to)).contains(&id);
        assert_eq!(told, ignored.is_empty(), "{from} to {to}: {resource}");
        // Before 1.29 nobody heeds it.
        set(&mut inventory, IGNORED, "*.");
        let told = ids(&check(&inventory, to)).contains(&id);
        assert_eq!(told, to.starts_with("1.28"), "{from} to {to}: {resource}");
    }
}

#[test]
fn one_istiod_that_reads_a_kind_is_enough() {
    let mut inventory = sample::one("1.30.3", "v1.34.1");
    set(&mut inventory, ALPHA, "true");
    let mut other = sample::istiod("istio-system", "1.30.3");
    other.revision = "canary".to_owned();
    inventory.seen(0).control_planes.push(other);
    let around = inventory.around(0);
    around.crds = vec![crd("tcproutes", Some("v1.5.1"))];
    around.gateway_api.insert("tcproutes".to_owned(), 1);
    let report = check(&inventory, "1.31.0");
    assert_eq!(found(&report, "MU728").severity, Severity::Blocker);
}

#[test]
fn who_reads_nothing_of_the_gateway_api_is_left_alone() {
    for (switches, expected) in [
        (&[][..], 2),
        (&[(ANY, "true")], 2),
        (&[(ANY, "false")], 0),
        (&[(ANY, "false"), (AMBIENT, "true")], 1),
    ] {
        let mut inventory = sample::one("1.30.3", "v1.34.1");
        for (name, value) in switches {
            set(&mut inventory, name, value);
        }
        let around = inventory.around(0);
        let classes = crd("gatewayclasses", Some("v0.8.1"));
        around.crds = vec![crd("tcproutes", Some("v1.5.1")), classes];
        around.gateway_api.insert("tcproutes".to_owned(), 1);
        let report = check(&inventory, "1.31.0");
        let found = ids(&report).into_iter().filter(|id| *id == "MU728").count();
        assert_eq!(found, expected, "{switches:?}");
    }
}

#[test]
fn a_bundle_too_new_blocks_where_istiod_reads_its_kind() {
    for (from, to, resource, bundle, served, alpha, part) in [
        (
            "1.28.3",
            "1.29.10",
            "tlsroutes",
            "v1.5.1",
            "v1alpha2",
            "true",
            Some("ignores them from 1.5.0 on"),
        ),
        (
            "1.28.3",
            "1.29.10",
            "tlsroutes",
            "v1.5.0-rc.1",
            "v1alpha2",
            "true",
            Some("ignores them from 1.5.0 on"),
        ),
        ("1.28.3", "1.29.10", "tlsroutes", "v1.4.1", "v1alpha2", "true", None),
        ("1.28.3", "1.29.10", "tlsroutes", "v1.5.1", "v1alpha2", "", None),
        ("1.29.9", "1.30.7", "tlsroutes", "v1.5.1", "v1", "true", None),
        (
            "1.29.9",
            "1.30.7",
            "tcproutes",
            "v1.6.0",
            "v1",
            "true",
            Some("Istio 1.30 reads v1alpha2"),
        ),
        ("1.29.9", "1.30.7", "tcproutes", "v1.6.0", "v1alpha2", "true", None),
        ("1.29.9", "1.30.7", "tcproutes", "v1.6.0", "v1", "", None),
        ("1.30.3", "1.31.0", "tcproutes", "v1.6.0", "v1", "true", None),
    ] {
        let mut inventory = sample::one(from, "v1.34.1");
        set(&mut inventory, ALPHA, alpha);
        let around = inventory.around(0);
        around.crds = vec![Crd {
            served: vec![served.to_owned()],
            ..crd(resource, Some(bundle))
        }];
        around.gateway_api.insert(resource.to_owned(), 1);
        let report = check(&inventory, to);
        let cause = report
            .findings
            .iter()
            .find(|one| one.code.id() == "MU728")
            .map(|one| &one.cause);
        assert_eq!(
            cause.is_some(),
            part.is_some(),
            "{to} {resource} {bundle} {served}: {cause:?}"
        );
        assert!(
            cause.is_none_or(|cause| cause.contains(part.unwrap_or_default())),
            "{cause:?}"
        );
    }
}

#[test]
fn definitions_that_do_not_serve_what_istio_reads_block_unused_too() {
    for (from, to, resource, served, expected) in [
        ("1.30.3", "1.31.0", "httproutes", &["v1alpha2", "v1beta1"][..], true),
        ("1.30.3", "1.31.0", "gateways", &["v1beta1"], true),
        ("1.30.3", "1.31.0", "httproutes", &["v1beta1", "v1"], false),
        ("1.30.3", "1.31.0", "referencegrants", &["v1alpha2"], true),
        ("1.30.3", "1.31.0", "referencegrants", &["v1beta1"], false),
        ("1.30.3", "1.31.0", "udproutes", &["v1alpha2"], false),
        ("1.20.1", "1.21.6", "httproutes", &["v1beta1"], false),
    ] {
        let mut inventory = sample::one(from, "v1.34.1");
        inventory.around(0).crds = vec![Crd {
            served: served.iter().map(|version| (*version).to_owned()).collect(),
            ..crd(resource, Some("v0.5.1"))
        }];
        let report = check(&inventory, to);
        assert_eq!(ids(&report).contains(&"MU728"), expected, "{to} {resource} {served:?}");
    }
}
