//! What runs of Istio, told by its workloads, and gateways that it makes itself.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::harness::{Cluster, Toolbox, wait_until};

/// A new istiod waits for the lease of the one before it.
const DEADLINE: Duration = Duration::from_secs(120);

/// Names and images of what runs in Istio's namespace, sorted.
///
/// # Errors
/// When kubectl fails.
pub fn images(cluster: &Cluster) -> Result<Vec<String>> {
    let template =
        "-o=jsonpath={range .items[*]}{.metadata.name} {.spec.template.spec.containers[0].image}{\"\\n\"}{end}";
    let found = cluster.kubectl(&["-n", "istio-system", "get", "deployments,daemonsets", template])?;
    let mut images: Vec<String> = found.ok()?.lines().map(str::to_owned).collect();
    images.sort();
    Ok(images)
}

/// The Gateway API's own CRDs, as far as istiod needs them to make gateways.
///
/// # Errors
/// When they cannot be created.
pub fn install_gateway_api(cluster: &Cluster) -> Result<()> {
    let folder = Toolbox::get()?.gateway_api_crds()?;
    for resource in ["gatewayclasses", "gateways", "httproutes", "referencegrants"] {
        let file = folder.join(format!("gateway.networking.k8s.io_{resource}.yaml"));
        let file = file.display().to_string();
        cluster.kubectl(&["create", "--filename", &file])?.ok()?;
    }
    Ok(())
}

/// Has istiod of an ambient mesh make a waypoint in a new namespace, with the Gateway API's CRDs, and waits until it runs.
///
/// # Errors
/// When it does not.
pub fn make_waypoint(cluster: &Cluster, namespace: &str) -> Result<()> {
    let listener = json!({"name": "mesh", "port": 15008, "protocol": "HBONE"});
    made_by_istiod(cluster, namespace, "waypoint", "istio-waypoint", &listener, "waypoint")
}

/// The same for a gateway `ingress`, which istiod of any mesh makes as Deployment `ingress-istio`.
///
/// # Errors
/// When it does not.
pub fn make_managed_gateway(cluster: &Cluster, namespace: &str) -> Result<()> {
    let listener = json!({"name": "http", "port": 80, "protocol": "HTTP"});
    made_by_istiod(cluster, namespace, "ingress", "istio", &listener, "ingress-istio")
}

fn made_by_istiod(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    class: &str,
    listener: &Value,
    deployment: &str,
) -> Result<()> {
    install_gateway_api(cluster)?;
    cluster.kubectl(&["create", "namespace", namespace])?.ok()?;
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"gatewayClassName": class, "listeners": [listener]},
    });
    // A new definition is not served at once.
    wait_until("the Gateway to be taken", DEADLINE, || {
        Ok(cluster.apply_stdin(&gateway.to_string())?.ok().is_ok().then_some(()))
    })?;
    wait_until(&format!("istiod to make {deployment}"), DEADLINE, || {
        let ready = "-o=jsonpath={.status.readyReplicas}";
        let made = [
            "get",
            "deployment",
            deployment,
            "--ignore-not-found",
            "-n",
            namespace,
            ready,
        ];
        Ok((cluster.kubectl(&made)?.ok()? == "1").then_some(()))
    })
}
