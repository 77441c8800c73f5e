//! Controllers that bring what was merged: let through for their own component, at its target, and for nothing else.

use super::*;
use crate::gitops::{TRACKING_ANNOTATION, TRACKING_LABEL, VERSION_LABEL};

fn tracked(application: &str) -> Value {
    json!({TRACKING_ANNOTATION: format!("{application}:/Service:istio-system/istiod")})
}

fn version(version: &str) -> Value {
    json!({VERSION_LABEL: version, "app": "istiod"})
}

fn service(operation: &str) -> Ask {
    Ask::new(operation, "", "services", "istio-system/istiod")
}

/// What an Application brings at a version, over what it brought before.
fn brought(ask: Ask, application: &str, to: &str) -> Ask {
    let has = |ask: &Ask, object: &str| ask.0["request"].get(object).is_some();
    let mut ask = ask;
    if has(&ask, "object") {
        ask = ask
            .set("object.metadata.annotations", tracked(application))
            .set("object.metadata.labels", version(to));
    }
    if has(&ask, "oldObject") {
        ask = ask
            .set("oldObject.metadata.annotations", tracked(application))
            .set("oldObject.metadata.labels", version("1.30.3"));
    }
    ask
}

/// The same by a helm release.
fn released(ask: Ask, to: &str) -> Ask {
    let mut ask = ask
        .new_release("istio-ingress", "gateway")
        .set("object.metadata.labels", version(to));
    if ask.0["request"].get("oldObject").is_some() {
        ask = ask.old_release("istio-ingress", "gateway");
    }
    ask
}

fn storage(operation: &str, revision: u8) -> Ask {
    secret(
        operation,
        &format!("istio-ingress/sh.helm.release.v1.gateway.v{revision}"),
    )
}

#[test]
fn what_applications_brought_is_frozen_by_their_marks() {
    let label = |application: &str| json!({TRACKING_LABEL: application});
    check(
        &frozen(),
        Some(Code::MeshFrozen),
        vec![
            ("by annotation", brought(service("CREATE"), "istiod", "1.31.0")),
            (
                "by annotation, with a namespace",
                brought(service("DELETE"), "argocd_istiod", "1.31.0"),
            ),
            (
                "by label",
                service("CREATE").set("object.metadata.labels", label("cni")),
            ),
            (
                "taken out of it",
                service("UPDATE").set("oldObject.metadata.annotations", tracked("istiod")),
            ),
            (
                "the mark alone",
                service("UPDATE")
                    .same()
                    .set("object.metadata.annotations", json!({TRACKING_ANNOTATION: "istiod"})),
            ),
            (
                "its mark, by its status",
                service("UPDATE")
                    .sub("status")
                    .set("oldObject.metadata.annotations", tracked("istiod")),
            ),
            (
                "by an old driver, without a change",
                brought(service("UPDATE"), "istiod", "1.30.3").same().driver("2"),
            ),
        ],
    );
    check(
        &frozen(),
        None,
        vec![
            (
                "by the holder",
                brought(service("CREATE"), "istiod", "1.31.0").driver("3"),
            ),
            ("nothing changed", brought(service("UPDATE"), "istiod", "1.31.0").same()),
            ("of another Application", brought(service("CREATE"), "kiali", "1.31.0")),
            (
                "of one that begins alike",
                brought(service("CREATE"), "istiod-of-others", "1.31.0"),
            ),
            (
                "by its annotation of another one",
                service("CREATE")
                    .set("object.metadata.annotations", tracked("kiali"))
                    .set("object.metadata.labels", label("cni")),
            ),
        ],
    );
}

#[test]
fn a_controller_brings_its_own_component_at_the_target() {
    let crd = |operation| {
        let group = "apiextensions.k8s.io";
        Ask::new(
            operation,
            group,
            "customresourcedefinitions",
            "gateways.networking.istio.io",
        )
    };
    let role = |operation| Ask::new(operation, "rbac.authorization.k8s.io", "clusterroles", "istiod");
    let map = |operation| Ask::new(operation, "", "configmaps", "istio-system/istio");
    let gateway = |operation| Ask::new(operation, "", "services", "istio-ingress/gateway");
    let superseded = json!({"owner": "helm", "name": "gateway", "status": "superseded"});
    check(
        &frozen(),
        None,
        vec![
            ("created", brought(service("CREATE"), "istiod", "1.31.0").by(ARGO_CD)),
            ("changed", brought(service("UPDATE"), "istiod", "1.31.0").by(ARGO_CD)),
            (
                "changed, with a namespace",
                brought(map("UPDATE"), "argocd_istiod", "1.31.0").by(ARGO_CD),
            ),
            ("a definition", brought(crd("UPDATE"), "istiod", "1.31.0").by(ARGO_CD)),
            (
                "a role that is no more",
                brought(role("DELETE"), "istiod", "1.31.0").by(ARGO_CD),
            ),
            ("Flux's helm", released(gateway("CREATE"), "1.31.0").by(FLUX)),
            ("Flux's helm again", released(gateway("UPDATE"), "1.31.0").by(FLUX)),
            ("helm's storage", storage("CREATE", 4).by(FLUX)),
            (
                "an old revision of it",
                storage("DELETE", 1)
                    .set("oldObject.metadata.labels", superseded)
                    .by(FLUX),
            ),
        ],
    );
    let deployed = json!({"owner": "helm", "name": "gateway", "status": "deployed"});
    check(
        &frozen(),
        Some(Code::MeshFrozen),
        vec![
            (
                "the old version",
                brought(service("UPDATE"), "istiod", "1.30.3").by(ARGO_CD),
            ),
            (
                "another version",
                brought(service("UPDATE"), "istiod", "1.32.0").by(ARGO_CD),
            ),
            (
                "another flavor",
                brought(service("UPDATE"), "istiod", "1.31.0-mspider").by(ARGO_CD),
            ),
            (
                "no version",
                service("CREATE")
                    .set("object.metadata.annotations", tracked("istiod"))
                    .by(ARGO_CD),
            ),
            (
                "another component",
                brought(service("UPDATE"), "cni", "1.31.0").by(ARGO_CD),
            ),
            (
                "somebody else's",
                brought(service("UPDATE"), "istiod", "1.31.0").by(FLUX),
            ),
            ("somebody else", brought(service("UPDATE"), "istiod", "1.31.0")),
            (
                "what was not its own",
                service("UPDATE")
                    .set("object.metadata.annotations", tracked("istiod"))
                    .set("object.metadata.labels", version("1.31.0"))
                    .old_release("istio-system", "istiod")
                    .by(ARGO_CD),
            ),
            (
                "a Service's end",
                brought(service("DELETE"), "istiod", "1.31.0").by(ARGO_CD),
            ),
            (
                "a definition's end",
                brought(crd("DELETE"), "istiod", "1.31.0").by(ARGO_CD),
            ),
            (
                "the control plane's end",
                brought(
                    Ask::new("DELETE", "apps", "deployments", "istio-system/istiod"),
                    "istiod",
                    "1.31.0",
                )
                .by(ARGO_CD),
            ),
            (
                "its scale",
                Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod")
                    .sub("scale")
                    .by(ARGO_CD),
            ),
            ("configuration", config("CREATE").by(ARGO_CD)),
            (
                "configuration with the version",
                config("CREATE")
                    .set("object.metadata.labels", version("1.31.0"))
                    .by(ARGO_CD),
            ),
            (
                "the deployed revision's end",
                storage("DELETE", 3).set("oldObject.metadata.labels", deployed).by(FLUX),
            ),
            ("an unlabelled revision's end", storage("DELETE", 3).by(FLUX)),
            (
                "another release's storage",
                secret("CREATE", "istio-system/sh.helm.release.v1.istiod.v4").by(FLUX),
            ),
        ],
    );
}

#[test]
fn what_the_sail_operator_is_told_is_frozen_and_its_revision_follows_the_target() {
    let ask = |operation: &str, path: &str, version: &str| {
        let (resource, name) = path.split_once('/').unwrap();
        let ask = Ask::new(operation, "sailoperator.io", resource, name);
        let spec = |version: &str| json!({"version": version, "namespace": "istio-system"});
        let ask = if operation == "CREATE" {
            ask
        } else {
            ask.set("oldObject.spec", spec("v1.30.3"))
        };
        if operation == "DELETE" {
            ask
        } else {
            ask.set("object.spec", spec(version))
        }
    };
    check(
        &frozen(),
        Some(Code::MeshFrozen),
        vec![
            ("a person", ask("UPDATE", "istios/default", "v1.31.0")),
            ("its end", ask("DELETE", "istiocnis/default", "")),
            (
                "a revision, by a person",
                ask("UPDATE", "istiorevisions/default", "v1.31.0"),
            ),
            (
                "the operator's own Istio",
                ask("UPDATE", "istios/default", "v1.31.0").by(SAIL),
            ),
            (
                "a revision of another version",
                ask("UPDATE", "istiorevisions/default", "v1.31.1").by(SAIL),
            ),
            (
                "a revision without helm's v",
                ask("UPDATE", "istiorevisions/default", "1.31.0").by(SAIL),
            ),
            (
                "the end of a revision",
                ask("DELETE", "istiorevisions/default", "").by(SAIL),
            ),
            (
                "a revision, by somebody else",
                ask("UPDATE", "istiorevisions/default", "v1.31.0").by(FLUX),
            ),
            ("an old driver", ask("UPDATE", "istios/default", "v1.31.0").driver("2")),
            (
                "a tag, led elsewhere",
                ask("UPDATE", "istiorevisiontags/default", "v1.31.0"),
            ),
            (
                "a tag, by the operator at the target",
                ask("UPDATE", "istiorevisiontags/default", "v1.31.0").by(SAIL),
            ),
            (
                "the end of a tag",
                ask("DELETE", "istiorevisiontags/default", "").by(SAIL),
            ),
        ],
    );
    check(
        &frozen(),
        None,
        vec![
            ("the holder", ask("UPDATE", "istios/default", "v1.31.0").driver("3")),
            (
                "a revision of the target",
                ask("UPDATE", "istiorevisions/default", "v1.31.0").by(SAIL),
            ),
            (
                "its status",
                ask("UPDATE", "istios/default", "v1.31.0").sub("status").by(SAIL),
            ),
            ("nothing changed", ask("UPDATE", "istios/default", "v1.30.3").same()),
            ("another one", ask("UPDATE", "istios/other", "v1.31.0")),
            (
                "where a tag has been led to",
                ask("UPDATE", "istiorevisiontags/default", "v1.31.0")
                    .sub("status")
                    .by(SAIL),
            ),
            (
                "another Istio's tag",
                ask("UPDATE", "istiorevisiontags/other", "v1.31.0"),
            ),
        ],
    );
}

/// The Sail Operator's RevisionBased: it may take an old revision away, and leave it as it is, and nothing else of it.
#[test]
fn an_old_revision_goes_by_the_operators_hand_alone() {
    let mut facts = frozen();
    let scope = &mut facts.freezes[0].spec.scope;
    for release in ["old-istiod", "default-istiod"] {
        scope.helm_releases.push(super::object("istio-system", release));
    }
    scope.operator_objects.push("istiorevisions/old".to_owned());
    scope.controllers.push(Controller {
        user: SAIL.to_owned(),
        step: scope.controllers[0].step.clone(),
        helm_releases: vec![super::object("istio-system", "old-istiod")],
        operator_objects: vec!["istiorevisions/old".to_owned()],
        ..Controller::default()
    });
    let storage = |operation: &str, release: &str| {
        secret(
            operation,
            &format!("istio-system/sh.helm.release.v1.{release}-istiod.v1"),
        )
    };
    let owned = |operation: &str, group: &str, resource: &str, release: &str| {
        let ask = Ask::new(operation, group, resource, "istio-system/istiod-x");
        let ask = if operation == "DELETE" {
            ask
        } else {
            ask.new_release("istio-system", release)
                .set("object.metadata.labels", version("1.30.3"))
        };
        ask.old_release("istio-system", release)
    };
    let revision = |operation: &str, name: &str| Ask::new(operation, "sailoperator.io", "istiorevisions", name);
    check(
        &facts,
        None,
        vec![
            ("the revision", revision("DELETE", "old").by(SAIL)),
            (
                "its istiod",
                owned("DELETE", "apps", "deployments", "old-istiod").by(SAIL),
            ),
            ("its Service", owned("DELETE", "", "services", "old-istiod").by(SAIL)),
            (
                "its roles",
                owned("DELETE", "rbac.authorization.k8s.io", "clusterroles", "old-istiod").by(SAIL),
            ),
            ("helm's word that it goes", storage("UPDATE", "old").by(SAIL)),
            (
                "its deployed storage",
                storage("DELETE", "old")
                    .set("oldObject.metadata.labels", helm_labels("old-istiod"))
                    .by(SAIL),
            ),
        ],
    );
    check(
        &facts,
        Some(Code::MeshFrozen),
        vec![
            ("by a person", revision("DELETE", "old")),
            ("a person's uninstall", storage("DELETE", "old")),
            ("an upgrade of the old one", storage("CREATE", "old").by(SAIL)),
            ("another revision", revision("DELETE", "default").by(SAIL)),
            (
                "the old one, told something",
                revision("UPDATE", "old")
                    .set("object.spec", json!({"version": "v1.31.0"}))
                    .by(SAIL),
            ),
            (
                "the old one, told nothing",
                revision("UPDATE", "old")
                    .set("object.spec", json!({"version": "v"}))
                    .by(SAIL),
            ),
            (
                "the new one's istiod",
                owned("DELETE", "apps", "deployments", "default-istiod").by(SAIL),
            ),
            (
                "the old one's istiod, changed",
                owned("UPDATE", "apps", "deployments", "old-istiod").by(SAIL),
            ),
            (
                "another's storage",
                secret("DELETE", "istio-system/sh.helm.release.v1.istiod.v1").by(SAIL),
            ),
            (
                "the deployed storage of the new one",
                storage("DELETE", "default")
                    .set("oldObject.metadata.labels", helm_labels("default-istiod"))
                    .by(SAIL),
            ),
        ],
    );
}
