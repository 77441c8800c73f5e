//! Followed objects for tests: each brings one chart, and is where it was told to be.

use super::{Application, Followed, HelmRelease, SailKind, SailObject};
use crate::inventory::{Inventory, sample};
use serde_json::json;

/// Whom Argo CD writes as.
pub const ARGO_CD_USER: &str = "system:serviceaccount:argocd:argocd-application-controller";

/// An Application of one of Istio's charts that has brought what it says.
pub fn application(chart: &str, version: &str) -> Followed {
    let source = json!({"repoURL": "https://charts.example.com", "chart": chart, "targetRevision": version});
    let object = json!({
        "metadata": {"namespace": "argocd", "name": chart},
        "spec": {"source": source, "destination": {"server": "https://kubernetes.default.svc", "namespace": "istio-system"},
            "syncPolicy": {"automated": {}}},
        "status": {"sync": {"status": "Synced", "revision": version}, "health": {"status": "Healthy"},
            "operationState": {"phase": "Succeeded", "message": "successfully synced"}},
    });
    let read: Application = serde_json::from_value(object).expect("an Application");
    read.followed(Some(ARGO_CD_USER)).expect("it brings a chart of Istio's")
}

/// A HelmRelease of one of Istio's charts that has brought what it says.
pub fn helm_release(chart: &str, name: &str, version: &str) -> Followed {
    let object = json!({
        "metadata": {"namespace": "istio-system", "name": name, "generation": 2},
        "spec": {"chart": {"spec": {"chart": chart, "version": version}}},
        "status": {"observedGeneration": 2, "history": [{"chartName": chart, "chartVersion": version}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "UpgradeSucceeded", "message": "",
                "lastTransitionTime": "2026-11-24T04:00:00Z"}]},
    });
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
        ownership.gitops = Some(format!("Argo CD application {chart}"));
    }
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
    observed.control_planes[0].ownership.gitops = Some("Flux HelmRelease istio-system/istiod".to_owned());
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
    observed.control_planes[0].ownership.operator = Some("IstioRevision default".to_owned());
    observed.node_components = vec![sample::node(crate::api::Component::Cni, istio)];
    observed.node_components[0].ownership.operator = Some("IstioCNI default".to_owned());
    inventory
}
