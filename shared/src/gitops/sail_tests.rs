//! What the Sail Operator has brought, how its revisions are named, and what it cannot be told.

use super::{
    SailKind, SailTag, are_of_one_istio, istio_of_revision, sample,
    tests::{steps, waits},
};
use crate::{
    api::InstallerKind,
    catalog::Catalog,
    inventory::OperatorObject,
    mesh::meshes,
    plan,
    preflight::{
        Target,
        tests::{check, found, ids},
    },
};
use serde_json::{Value, json};

#[test]
fn the_sail_operator_has_brought_what_its_conditions_say_of_the_version() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 5] = [
        (|_| {}, ""),
        (
            |it| it["spec"]["version"] = json!("v1.30.3"),
            "spec.version of Istio default to be 1.31.0 (now v1.30.3)",
        ),
        (
            |it| it["metadata"]["generation"] = json!(3),
            "Istio default to bring 1.31.0 (its operator has not seen the change yet)",
        ),
        (
            |it| {
                it["status"]["conditions"][1] =
                    json!({"type": "Ready", "status": "False", "reason": "IstiodNotReady", "message": "0 of 1\nready"});
            },
            "its condition Ready is False, IstiodNotReady: 0 of 1 ready",
        ),
        (
            |it| it["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]),
            "it has no condition Reconciled yet",
        ),
    ];
    for (change, expected) in cases {
        let found = waits(Some(sample::sail(SailKind::Istio, "1.31.0", change)));
        assert!(
            found.contains(expected) && found.is_empty() == expected.is_empty(),
            "{expected}: {found}"
        );
    }
}

#[test]
fn an_istio_of_revisions_has_arrived_when_the_operator_calls_the_new_one_active() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str, &str); 4] = [
        (
            |it| it["status"]["activeRevisionName"] = json!("default-v1-31-0"),
            "default-v1-31-0",
            "",
        ),
        (
            |it| it["status"]["activeRevisionName"] = json!("default-v1-30-3"),
            "default-v1-30-3",
            "its active revision is default-v1-30-3, and not default-v1-31-0 yet",
        ),
        (|_| {}, "default-v1-31-0", "its active revision is none"),
        (
            |it| {
                it["status"]["activeRevisionName"] = json!("default-v1-31-0");
                it["status"]["conditions"][1]["status"] = json!("False");
            },
            "default-v1-31-0",
            "its condition Ready is False",
        ),
    ];
    for (change, active, expected) in cases {
        let followed = sample::sail(SailKind::Istio, "1.31.0", |it| {
            it["spec"]["updateStrategy"] = json!({"type": "RevisionBased"});
            change(it);
        });
        assert_eq!(followed.release.as_ref().unwrap().name, format!("{active}-istiod"));
        assert_eq!(followed.revision().unwrap(), format!("istiorevisions/{active}"));
        let found = waits(Some(followed));
        assert!(
            found.contains(expected) && found.is_empty() == expected.is_empty(),
            "{expected}: {found}"
        );
    }
}

#[test]
fn revisions_and_their_releases_are_told_by_their_names() {
    for (revision, istio) in [
        ("default-v1-31-0", Some("default")),
        ("prod-v2-v1-31-latest", Some("prod-v2")),
        ("default", None),
        ("prod-v2", None),
        ("a-vx-1", None),
    ] {
        assert_eq!(istio_of_revision(revision), istio, "{revision}");
    }
    for (one, other, expected) in [
        ("default-v1-30-3-istiod", "default-v1-31-0-istiod", true),
        ("default-v1-30-3-istiod", "prod-v1-31-0-istiod", false),
        ("default-istiod", "default-istiod", false),
        ("default-v1-30-3-istiod", "default-v1-31-0", false),
    ] {
        assert_eq!(are_of_one_istio(one, other), expected, "{one} {other}");
    }
    let tag: SailTag = serde_json::from_value(json!({"metadata": {"name": "prod"},
        "spec": {"targetRef": {"kind": "Istio", "name": "default"}}}))
    .unwrap();
    assert_eq!((tag.following("default"), tag.following("other")), (Some("prod"), None));
    let pinned: SailTag = serde_json::from_value(json!({"metadata": {"name": "prod"},
        "spec": {"targetRef": {"kind": "IstioRevision", "name": "default"}}}))
    .unwrap();
    assert_eq!(pinned.following("default"), None);
}

#[test]
fn what_the_sail_operator_keeps_is_upgraded_by_its_objects() {
    let mut inventory = sample::by_sail("1.30.3");
    assert_eq!(ids(&check(&inventory, "1.31.0")), [""; 0]);
    let due = steps(&inventory);
    let shown: Vec<(&str, InstallerKind)> = due.iter().map(|step| (step.id.as_str(), step.installer)).collect();
    assert_eq!(
        shown,
        [
            ("east/istiod/istio-system/default-istiod", InstallerKind::Sail),
            ("east/cni/istio-system/istio-cni", InstallerKind::Sail)
        ]
    );
    let mesh = meshes(&inventory).remove(0);
    let target = Target::new("1.31.0".parse().unwrap());
    let plan = plan::plan(&mesh, &inventory, &target, "", &Catalog::embedded().unwrap()).unwrap();
    let scope = &plan.clusters[0].scope;
    assert_eq!(
        scope.operator_objects,
        ["istios/default", "istiorevisions/default", "istiocnis/default"]
    );
    let istiod = &scope.controllers[0];
    assert_eq!(
        (istiod.user.as_str(), istiod.version.as_str()),
        (sample::SAIL_USER, "1.31.0")
    );
    assert_eq!(istiod.operator_objects, ["istiorevisions/default"]);
    assert!(scope.controllers[1].operator_objects.is_empty());
    // The operator has helm upgrade at each of its rounds: that is no drift.
    inventory.seen(0).helm_releases[0].revision += 7;
    assert!(plan::drift(&plan, &inventory).is_empty());
}

#[test]
fn what_the_sail_operator_cannot_be_told_blocks() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 4] = [
        (
            |it| {
                it["metadata"]["labels"] = json!({"app.kubernetes.io/instance": "mesh"});
                it["metadata"]["managedFields"] = json!([{"manager": "argocd-controller"}]);
            },
            "a GitOps controller brings that object itself",
        ),
        (
            |it| it["spec"]["updateStrategy"] = json!({"type": "BlueGreen"}),
            "its update strategy is BlueGreen, of which it is not known",
        ),
        (
            |it| {
                it["metadata"]["annotations"] =
                    json!({"argocd.argoproj.io/tracking-id": "mesh:sailoperator.io/Istio:/default"});
            },
            "a GitOps controller brings that object itself",
        ),
        (
            |it| it["metadata"]["labels"] = json!({"kustomize.toolkit.fluxcd.io/name": "mesh"}),
            "a GitOps controller brings that object itself",
        ),
    ];
    for (change, expected) in cases {
        let mut inventory = sample::by_sail("1.30.3");
        inventory.seen(0).followed[0] = sample::sail(SailKind::Istio, "1.30.3", change);
        let report = check(&inventory, "1.31.0");
        let cause = &found(&report, "MU410").cause;
        assert!(
            cause.contains("IstioRevision default owns it") && cause.contains(expected),
            "{cause}"
        );
    }
    let taken_over = sample::sail(SailKind::Istio, "1.30.3", |it| {
        it["metadata"]["labels"] = json!({"app.kubernetes.io/instance": "mesh"});
        it["metadata"]["managedFields"] = json!([
            {"manager": "argocd-controller", "time": "2026-01-01T00:00:00Z"},
            {"manager": "helm", "time": "2026-02-01T00:00:00Z"}]);
    });
    assert_eq!(taken_over.obstacle, None, "Argo CD went, and helm came");
    let cni = sample::sail(SailKind::IstioCni, "1.30.3", |it| {
        it["spec"]["updateStrategy"] = json!({"type": "RevisionBased"});
    });
    assert_eq!((cni.obstacle, cni.revisions), (None, None), "it has no strategy");
    let in_place = sample::sail(SailKind::Istio, "1.30.3", |it| {
        it["spec"]["updateStrategy"] = json!({"type": "InPlace"});
    });
    assert_eq!(in_place.obstacle, None);
    for (owner, is_its) in [
        (OperatorObject::new("IstioRevision", "default"), true),
        (OperatorObject::new("IstioRevision", "default-v1-30-3"), true),
        (OperatorObject::new("IstioRevision", "defaulted"), false),
        (OperatorObject::new("IstioCNI", "default"), false),
    ] {
        assert_eq!(in_place.is_operators(&owner), is_its, "{owner}");
    }
}
