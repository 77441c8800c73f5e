//! Gateways that an istiod keeps itself: it makes their Deployments out of Gateway objects, and writes them anew when it is
//! replaced.

use super::{ask::Asker, workloads};
use crate::cluster::client::Cluster;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, ResourceExt as _, api::ListParams};
use shared::managed::Managed;
use std::time::Duration;

/// How long the question may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// Annotation of the pods' template with the revision of the istiod that wrote it (Istio's `files/kube-gateway.yaml` and
/// `files/waypoint.yaml`).
const REVISION: &str = "istio.io/rev";

/// All of one cluster.
///
/// # Errors
/// Why they cannot be listed.
pub async fn managed(cluster: &Cluster) -> Result<Vec<Managed>, String> {
    let asker = Asker {
        cluster,
        deadline: DEADLINE,
    };
    let api: Api<Deployment> = Api::all(cluster.client.clone());
    let labelled = ListParams::default().labels(workloads::MANAGED);
    let found = asker.list("list Deployments", &api, &labelled).await;
    let found = found.map_err(|error| error.to_string())?;
    Ok(found.items.iter().filter_map(of).collect())
}

fn of(deployment: &Deployment) -> Option<Managed> {
    let template = &deployment.spec.as_ref()?.template;
    let annotations = template.metadata.as_ref()?.annotations.as_ref();
    // One whose Gateway was deleted without it is kept by nobody.
    if !deployment
        .owner_references()
        .iter()
        .any(|owner| owner.kind == "Gateway")
    {
        return None;
    }
    Some(Managed {
        name: format!("{}/{}", deployment.namespace()?, deployment.name_any()),
        revision: annotations?.get(REVISION)?.clone(),
        image: workloads::container(template, "istio-proxy")?.image.clone()?,
        rollout: workloads::of_deployment(deployment),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_gateway_tells_whose_it_is_in_its_template() {
        let owned = |template: Value, owners: Value| -> Deployment {
            let object = json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"namespace": "shop", "name": "waypoint", "generation": 2, "ownerReferences": owners},
                "spec": {"replicas": 2, "selector": {}, "template": template},
                "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 1},
            });
            serde_json::from_value(object).unwrap()
        };
        let gateway = json!([{"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "Gateway", "name": "waypoint", "uid": "1"}]);
        let deployment = |template: Value| owned(template, gateway.clone());
        let containers = json!({"containers": [{"name": "istio-proxy", "image": "hub/proxyv2:1.30.3"}]});
        let annotated = json!({"metadata": {"annotations": {"istio.io/rev": "default"}}, "spec": containers});
        let found = of(&deployment(annotated.clone())).unwrap();
        assert_eq!(
            (found.name.as_str(), found.revision.as_str()),
            ("shop/waypoint", "default")
        );
        assert_eq!(found.image, "hub/proxyv2:1.30.3");
        assert!(!found.rollout.is_complete());
        assert!(
            of(&owned(annotated, json!([]))).is_none(),
            "its Gateway was deleted without it"
        );
        // Another project's, and an agentgateway.
        assert!(of(&deployment(json!({"spec": containers}))).is_none());
        let other = json!({"containers": [{"name": "agentgateway", "image": "hub/agentgateway:1"}]});
        let other = json!({"metadata": {"annotations": {"istio.io/rev": "default"}}, "spec": other});
        assert!(of(&deployment(other)).is_none());
    }
}
