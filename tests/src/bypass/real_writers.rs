//! Writers that a freeze must not hinder, at their real work: istiod with a Gateway of its own and with the workload of
//! a proxy, and the autoscaler. What they did is read from the audit log.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::{
    api::Api,
    table::{Row, Verb},
};
use crate::{
    audit::{self, Event},
    harness::{Cluster, StandInProxy, wait_until},
};

/// The autoscaler looks every 15 s.
const DEADLINE: Duration = Duration::from_secs(60);
const ISTIOD: &str = "system:serviceaccount:istio-system:istiod";
const AUTOSCALER: &str = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
const GATEWAY: &str = "istio-ingressgateway";
/// What istiod names the Deployment of the Gateway below.
const MANAGED: &str = "doorway-istio";

const OBJECTS: &str = "\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: doorway, namespace: shop}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: machines, namespace: shop}
spec: {template: {serviceAccount: default}}
";

/// Makes, before the freeze, what the writers will work on: a Gateway that istiod deploys, a WorkloadGroup, and a
/// gateway whose autoscaler rests, since nothing runs of it, and is to keep two pods.
///
/// # Errors
/// When something is refused, or istiod does not deploy the Gateway.
pub fn prepare(cluster: &Cluster) -> Result<()> {
    cluster.apply_stdin(OBJECTS)?.ok()?;
    wait_until("istiod to deploy the Gateway", DEADLINE, || {
        cluster
            .kubectl(&["get", "deployment", MANAGED, "--namespace=shop"])?
            .ok()?;
        Ok(Some(()))
    })?;
    let inside = format!("--namespace={GATEWAY}");
    cluster
        .kubectl(&["scale", "deployment", GATEWAY, "--replicas=0", &inside])?
        .ok()?;
    let two = r#"--patch={"spec": {"minReplicas": 2}}"#;
    cluster.kubectl(&["patch", "hpa", GATEWAY, two, &inside])?.ok()?;
    Ok(())
}

/// Has each of them work while the mesh is frozen; istiod has just started anew, which has it look after its Gateways.
///
/// # Errors
/// When the guard hindered one of them.
pub fn work(cluster: &Cluster, api: &Api, frozen_since: usize) -> Result<()> {
    passes(
        cluster,
        frozen_since,
        "istiod to apply its Gateway's Deployment",
        |event| event.user == ISTIOD && event.what() == "patch apps/deployments" && event.name == MANAGED,
    )?;

    let proxy = StandInProxy::of_workload_group(cluster, "shop", "machines", "192.0.2.77")?;
    passes(cluster, frozen_since, "istiod to register the workload", |event| {
        event.user == ISTIOD && event.what() == "create networking.istio.io/workloadentries"
    })?;
    drop(proxy);
    passes(
        cluster,
        frozen_since,
        "istiod to note that the workload has gone",
        |event| event.user == ISTIOD && event.resource.starts_with("workloadentries") && event.verb != "create",
    )?;

    let on = format!("apps/v1 deployments/scale {GATEWAY}/{GATEWAY}");
    let one = json!({"spec": {"replicas": 1}});
    api.write(&Row::new(
        "the driver starts the gateway",
        "driver",
        Verb::Merge,
        &on,
        one,
    )?)?;
    passes(
        cluster,
        frozen_since,
        "the autoscaler to start the second pod",
        |event| event.user == AUTOSCALER && event.what().ends_with(" apps/deployments/scale") && event.name == GATEWAY,
    )
}

/// How many requests the audit log holds by now.
///
/// # Errors
/// When it cannot be read.
pub fn events_so_far(cluster: &Cluster) -> Result<usize> {
    Ok(audit::read(&cluster.audit_log())?.len())
}

/// Waits for such a write, which is stored and was not refused before.
fn passes(cluster: &Cluster, since: usize, what: &str, is_it: impl Fn(&Event) -> bool) -> Result<()> {
    wait_until(what, DEADLINE, || {
        let events = audit::read(&cluster.audit_log())?;
        let such: Vec<_> = events
            .iter()
            .skip(since)
            .filter(|event| event.is_write() && !event.dry_run && is_it(event))
            .collect();
        if let Some(refused) = such.iter().find(|event| event.is_refused_by_the_guard()) {
            return Ok(Some(Err(refused.to_string())));
        }
        if such.iter().any(|event| event.passed()) {
            return Ok(Some(Ok(())));
        }
        let last = such.last().context("no such write yet")?;
        bail!("it failed for another reason: {last}")
    })?
    .map_err(|refused| anyhow::anyhow!("{what}: the guard hindered it: {refused}"))
}
