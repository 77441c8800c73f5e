//! What stands in the way of an upgrade from the moment on at which its mesh is frozen: the check before the freeze is free,
//! and the one under it is not.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::{
    harness::{Background, Cluster},
    traffic::{BlockingCaller, Identity},
};

/// Shorter than any proof of a freeze.
const PAUSE: Duration = Duration::from_millis(5);
const FREEZES: &str = "/apis/meshupgrade.io/v1alpha1/meshfreezes";
const PODS: &str = "/api/v1/namespaces/default/pods";

/// Somebody who starts a pod whose proxy is too old for the target (MU801), as soon as the mesh is frozen: no freeze covers pods.
pub(super) fn comes_once_frozen(cluster: &Cluster) -> Result<Background> {
    let caller = BlockingCaller::new(cluster.kubeconfig(), Identity::of("owner"))?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "behind", "namespace": "default"},
        "spec": {"containers": [
            {"name": "app", "image": "registry.example.com/app:1.0.0"},
            {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.28.3", "args": ["proxy", "sidecar"]},
        ]},
    });
    let mut is_there = false;
    Ok(Background::every(PAUSE, move || {
        if is_there {
            return;
        }
        // There is no kind of freezes before the guard is there; what fails is done in the next round.
        let freezes = caller.read(FREEZES).unwrap_or_default();
        let is_frozen = freezes.pointer("/items/0").is_some_and(Value::is_object);
        if is_frozen
            && caller
                .call("POST", PODS, &pod)
                .is_ok_and(|(status, _)| matches!(status, 201 | 409))
        {
            is_there = true;
        }
    }))
}
