//! Followed objects for tests: each brings one chart, and is where it was told to be.

use super::{Application, Followed, HelmRelease, SailKind, SailObject};
use crate::{
    api::ObjectName,
    inventory::{ControlPlane, GitOpsOwner, Inventory, OperatorObject, WebhookTarget, sample},
};
use serde_json::json;

/// Whom Argo CD writes as.
pub const ARGO_CD_USER: &str = "system:serviceaccount:argocd:argocd-application-controller";

/// An Application of one of Istio's charts that has brought what it says.
pub fn application(chart: &str, version: &str) -> Followed {
    application_of(chart, version, |_| {})
}

/// The same, changed by `change`.
pub fn application_of(chart: &str, version: &str, change: impl FnOnce(&mut serde_json::Value)) -> Followed {
    let source = json!({"repoURL": "https://charts.example.com", "chart": chart, "targetRevision": version});
    let mut object = json!({
        "metadata": {"namespace": "argocd", "name": chart},
        "spec": {"source": source, "destination": {"server": "https://kubernetes.default.svc", "namespace": "istio-system"},
            "syncPolicy": {"automated": {}}},
        "status": {"sync": {"status": "Synced", "revision": version}, "health": {"status": "Healthy"},
            "operationState": {"phase": "Succeeded", "message": "successfully synced"}},
    });
    change(&mut object);
    let read: Application = serde_json::from_value(object).expect("an Application");
    read.followed(&[ARGO_CD_USER.to_owned()])
        .expect("it brings a chart of Istio's")
}

/// A HelmRelease of one of Istio's charts that has brought what it says.
pub fn helm_release(chart: &str, name: &str, version: &str) -> Followed {
    helm_release_of(chart, name, version, |_| {})
}

/// The same, changed by `change`.
pub fn helm_release_of(
    chart: &str,
    name: &str,
    version: &str,
    change: impl FnOnce(&mut serde_json::Value),
) -> Followed {
    let mut object = json!({
        "metadata": {"namespace": "istio-system", "name": name, "generation": 2},
        "spec": {"chart": {"spec": {"chart": chart, "version": version}}},
        "status": {"observedGeneration": 2, "history": [{"chartName": chart, "chartVersion": version}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "UpgradeSucceeded", "message": "",
                "lastTransitionTime": "2026-11-24T04:00:00Z"}]},
    });
    change(&mut object);
    let read: HelmRelease = serde_json::from_value(object).expect("a HelmRelease");
    let user = "system:serviceaccount:flux-system:helm-controller";
    read.followed(Some(user)).expect("it brings a chart of Istio's")
}

/// One cluster with base, istiod, CNI, ztunnel and a gateway, each brought by an Application of its own.
pub fn by_argo_cd(istio: &str) -> Inventory {
    let mut inventory = sample::one(istio, "v1.36.3");
    sample::add_ambient(&mut inventory.clusters[0], istio);
    let observed = inventory.seen(0);
    observed.helm_releases.clear();
    observed.followed = ["base", "istiod", "cni", "ztunnel", "gateway"]
        .into_iter()
        .map(|chart| application(chart, istio))
        .collect();
    let planes = observed.control_planes.iter_mut();
    let planes = planes.map(|plane| ("istiod", &mut plane.helm_release, &mut plane.ownership));
    let nodes = observed.node_components.iter_mut();
    let nodes = nodes.map(|node| (node.component.as_str(), &mut node.helm_release, &mut node.ownership));
    let gateways = observed.gateways.iter_mut();
    let gateways = gateways.map(|gateway| ("gateway", &mut gateway.helm_release, &mut gateway.ownership));
    for (chart, release, ownership) in planes.chain(nodes).chain(gateways) {
        *release = None;
        ownership.gitops = Some(GitOpsOwner::application(chart));
    }
    inventory
}

/// The same after helm had installed it: its records are left, of a version that ran once, and what runs still names them.
pub fn by_argo_cd_after_helm(istio: &str, once: &str) -> Inventory {
    let mut inventory = by_argo_cd(istio);
    let mut before = sample::one(once, "v1.36.3");
    sample::add_ambient(&mut before.clusters[0], once);
    let before = before.seen(0).clone();
    let observed = inventory.seen(0);
    observed.helm_releases = before.helm_releases;
    observed.control_planes[0]
        .helm_release
        .clone_from(&before.control_planes[0].helm_release);
    for (node, named) in observed.node_components.iter_mut().zip(before.node_components) {
        node.helm_release = named.helm_release;
    }
    observed.gateways[0]
        .helm_release
        .clone_from(&before.gateways[0].helm_release);
    inventory
}

/// One cluster with base and istiod, each brought by a HelmRelease of its own.
pub fn by_flux(istio: &str) -> Inventory {
    let mut inventory = sample::one(istio, "v1.36.3");
    let observed = inventory.seen(0);
    observed.followed = vec![
        helm_release("base", "istio-base", istio),
        helm_release("istiod", "istiod", istio),
    ];
    observed.control_planes[0].ownership.gitops = Some(GitOpsOwner::HelmRelease(ObjectName {
        namespace: "istio-system".to_owned(),
        name: "istiod".to_owned(),
    }));
    inventory
}

/// Whom the Sail Operator writes as.
pub const SAIL_USER: &str = "system:serviceaccount:sail-operator:sail-operator";

/// An object of the Sail Operator, with what it says of itself, changed by `change`.
pub fn sail(kind: SailKind, version: &str, change: impl FnOnce(&mut serde_json::Value)) -> Followed {
    let mut object = json!({
        "metadata": {"name": "default", "generation": 2},
        "spec": {"version": format!("v{version}"), "namespace": "istio-system"},
        "status": {"observedGeneration": 2, "conditions": [
            {"type": "Reconciled", "status": "True"}, {"type": "Ready", "status": "True"}]},
    });
    change(&mut object);
    let read: SailObject = serde_json::from_value(object).expect("an object of the Sail Operator");
    read.followed(kind, Some(SAIL_USER))
}

/// One cluster with istiod and CNI, each brought by an object of the Sail Operator.
pub fn by_sail(istio: &str) -> Inventory {
    let mut inventory = sample::one(istio, "v1.36.3");
    let observed = inventory.seen(0);
    observed.followed = [SailKind::Istio, SailKind::IstioCni]
        .map(|kind| sail(kind, istio, |_| {}))
        .to_vec();
    observed.helm_releases = vec![
        sample::release("istio-system", "default-istiod", "istiod", istio),
        sample::release("istio-system", "istio-cni", "cni", istio),
    ];
    observed.control_planes[0].helm_release = Some(("istio-system".to_owned(), "default-istiod".to_owned()));
    observed.control_planes[0].ownership.operator = Some(OperatorObject::new("IstioRevision", "default"));
    observed.node_components = vec![sample::node(crate::api::Component::Cni, istio)];
    observed.node_components[0].ownership.operator = Some(OperatorObject::new("IstioCNI", "default"));
    inventory
}

/// The same cluster with an Istio of strategy RevisionBased, whose tag `default` follows it.
pub fn by_sail_revisions(istio: &str) -> Inventory {
    let mut inventory = by_sail(istio);
    let revision = super::revision_of("default", istio);
    let mut followed = revision_based(istio, &revision);
    if let Some(revisions) = &mut followed.revisions {
        revisions.tags = vec!["default".to_owned()];
    }
    let observed = inventory.seen(0);
    observed.followed[0] = followed;
    observed.control_planes = vec![revision_plane(istio)];
    observed.helm_releases[0].name = super::release_of_revision(&revision);
    let injector = |name: &str, release: String, tag: Option<&str>| {
        let mut webhook = sample::webhook(name);
        webhook.revision = Some(revision.clone());
        webhook.tag = tag.map(str::to_owned);
        webhook.helm_release = Some(("istio-system".to_owned(), release));
        webhook.target = WebhookTarget::Service(format!("istio-system/istiod-{revision}"));
        webhook
    };
    // Of who leads which revision.
    inventory.around(0).elections.clear();
    inventory.around(0).webhooks = vec![
        injector(
            &format!("istio-sidecar-injector-{revision}"),
            format!("{revision}-istiod"),
            None,
        ),
        injector(
            "istio-revision-tag-default",
            "default-revisiontags".to_owned(),
            Some("default"),
        ),
    ];
    inventory
}

/// The same when the Sail Operator has brought the revision of another version beside, and moved the tag.
pub fn beside_by_sail(from: &str, to: &str) -> Inventory {
    let mut inventory = by_sail_revisions(from);
    let revision = super::revision_of("default", to);
    let observed = inventory.seen(0);
    let mut followed = revision_based(to, &revision);
    followed.revisions.clone_from(&observed.followed[0].revisions);
    if let Some(revisions) = &mut followed.revisions {
        revisions.active.clone_from(&revision);
    }
    observed.followed = vec![followed, sail(SailKind::IstioCni, to, |_| {})];
    observed.control_planes.push(revision_plane(to));
    observed.node_components = vec![sample::node(crate::api::Component::Cni, to)];
    observed.node_components[0].ownership.operator = Some(OperatorObject::new("IstioCNI", "default"));
    observed.helm_releases[1].chart_version = to.to_owned();
    observed.helm_releases.push(sample::release(
        "istio-system",
        &super::release_of_revision(&revision),
        "istiod",
        to,
    ));
    let mut injector = inventory.around(0).webhooks[0].clone();
    injector.configuration = format!("MutatingWebhookConfiguration istio-sidecar-injector-{revision}");
    injector.helm_release = Some(("istio-system".to_owned(), super::release_of_revision(&revision)));
    injector.injects = Some("what the new one selects".to_owned());
    let tag = &mut inventory.around(0).webhooks[1];
    for webhook in [&mut injector, tag] {
        webhook.revision = Some(revision.clone());
        webhook.target = WebhookTarget::Service(format!("istio-system/istiod-{revision}"));
    }
    inventory.around(0).webhooks.push(injector);
    inventory
}

fn revision_based(istio: &str, active: &str) -> Followed {
    sail(SailKind::Istio, istio, |it| {
        it["spec"]["updateStrategy"] = json!({"type": "RevisionBased"});
        it["status"]["activeRevisionName"] = json!(active);
    })
}

/// A revision that the Sail Operator brought of its Istio.
fn revision_plane(istio: &str) -> ControlPlane {
    let revision = super::revision_of("default", istio);
    let mut plane = sample::istiod("istio-system", istio);
    plane.workload.name = format!("istiod-{revision}");
    plane.user = format!("system:serviceaccount:istio-system:istiod-{revision}");
    plane.config_maps = vec![format!("istio-{revision}")];
    plane.helm_release = Some(("istio-system".to_owned(), super::release_of_revision(&revision)));
    plane.ownership.operator = Some(OperatorObject::new("IstioRevision", &revision));
    plane.revision = revision;
    plane
}
