//! The writers of a cluster at their work, which a freeze must not hinder: istiod, the autoscaler, who writes elections,
//! applications and their owners; and by what these do the real controllers, the garbage collector among them.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::call::{Caller, Identity};

const ISTIOD: Identity = Identity::of("system:serviceaccount:istio-system:istiod");
const AUTOSCALER: Identity = Identity::of("system:serviceaccount:kube-system:horizontal-pod-autoscaler");
/// Who deploys applications, and nothing of the mesh.
const DEVELOPER: Identity = Identity::of("developer");

/// So many owners, and namespaces, are there to be deleted.
const OWNERS: usize = 40;
const NAMESPACES: usize = 6;

const CORE: &str = "/api/v1/namespaces/default";
const NETWORKING: &str = "/apis/networking.istio.io/v1/namespaces/default";
const APPS: &str = "/apis/apps/v1/namespaces/default/deployments";
const SYSTEM: &str = "/api/v1/namespaces/istio-system/configmaps";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases";

/// Makes what the writers need and could not make while frozen.
///
/// # Errors
/// When something is refused.
pub async fn prepare(caller: &Caller) -> Result<()> {
    let make = async |path: String, body: Value| -> Result<Value> {
        let (status, answer) = caller.call(DEVELOPER, "POST", &path, &body).await?;
        ensure!(status == 201, "{path}: {status} {answer}");
        Ok(answer)
    };
    make(
        format!("{NETWORKING}/virtualservices"),
        virtual_service("existing", &Value::Null),
    )
    .await?;
    for number in 0..OWNERS {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("owner-{number}")}});
        let owner = make(format!("{CORE}/configmaps"), map).await?;
        let reference = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": format!("owner-{number}"),
            "uid": owner.pointer("/metadata/uid")}]);
        let owned = virtual_service(&format!("owned-{number}"), &reference);
        make(format!("{NETWORKING}/virtualservices"), owned).await?;
    }
    for number in 0..NAMESPACES {
        let name = format!("application-{number}");
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        make("/api/v1/namespaces".to_owned(), namespace).await?;
        let path = format!("/apis/networking.istio.io/v1/namespaces/{name}/virtualservices");
        make(path, virtual_service("inside", &Value::Null)).await?;
    }
    for name in ["istio-traffic-election"] {
        make(
            SYSTEM.to_owned(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}),
        )
        .await?;
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}});
        make(LEASES.to_owned(), lease).await?;
    }
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mirrored"},
        "spec": {"ports": [{"port": 80}]}});
    make(format!("{CORE}/services"), service).await?;
    make(format!("{CORE}/endpoints"), endpoints(0)).await?;
    Ok(())
}

/// Works, round after round, until it is done. Owners and namespaces are deleted, and the gateway is scaled, once the
/// mesh is frozen.
///
/// # Errors
/// When the API server does not answer.
pub async fn work(caller: &Caller, frozen: &AtomicBool, done: &AtomicBool) -> Result<()> {
    let mut frozen_rounds = 0;
    for round in 0_usize.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let mut steps = steps(round);
        if frozen.load(Ordering::Relaxed) {
            while_frozen(frozen_rounds, &mut steps);
            frozen_rounds += 1;
        }
        for (who, method, path, body) in steps {
            caller.call(who, method, &path, &body).await?;
        }
    }
    Ok(())
}

/// One request: who, method, path, and body.
type Step = (Identity, &'static str, String, Value);

fn steps(round: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    istiod(round, &mut steps);
    applications(round, &mut steps);
    steps
}

fn istiod(round: usize, steps: &mut Vec<Step>) {
    let mut push = |method, path: String, body| steps.push((ISTIOD, method, path, body));
    let condition =
        json!({"status": {"conditions": [{"type": "Seen", "status": "True", "message": format!("{round}")}]}});
    push(
        "PATCH",
        format!("{NETWORKING}/virtualservices/existing/status"),
        condition,
    );
    let entry = format!("machine-{round}");
    push(
        "POST",
        format!("{NETWORKING}/workloadentries"),
        json!({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry", "metadata": {"name": entry},
            "spec": {"address": "192.0.2.7"}}),
    );
    let labelled = json!({"spec": {"labels": {"round": format!("r{round}")}}});
    push("PATCH", format!("{NETWORKING}/workloadentries/{entry}"), labelled);
    push("DELETE", format!("{NETWORKING}/workloadentries/{entry}"), Value::Null);
    let holder = json!({"metadata": {"annotations": {"control-plane.alpha.kubernetes.io/leader": format!("{round}")}}});
    push("PATCH", format!("{SYSTEM}/istio-traffic-election"), holder);
    let lease = json!({"spec": {"holderIdentity": format!("istiod-{round}")}});
    push("PATCH", format!("{LEASES}/istio-traffic-election"), lease);
    // What istiod makes for a Gateway carries the annotations of that, helm's too.
    let mut managed = deployment(&format!("managed-{round}"));
    if let Some(metadata) = managed.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert(
            "labels".to_owned(),
            json!({"gateway.istio.io/managed": "istio.io-gateway-controller"}),
        );
        let helm = json!({"meta.helm.sh/release-name": "istiod", "meta.helm.sh/release-namespace": "istio-system"});
        metadata.insert("annotations".to_owned(), helm);
    }
    push("POST", APPS.to_owned(), managed);
    push(
        "PATCH",
        format!("{APPS}/managed-{round}"),
        json!({"spec": {"replicas": 0}}),
    );
    push("DELETE", format!("{APPS}/managed-{round}"), Value::Null);
}

fn applications(round: usize, steps: &mut Vec<Step>) {
    let mut push = |method, path: String, body| steps.push((DEVELOPER, method, path, body));
    let name = format!("application-{round}");
    push("POST", APPS.to_owned(), deployment(&name));
    push(
        "PATCH",
        format!("{APPS}/{name}/scale"),
        json!({"spec": {"replicas": 2}}),
    );
    push(
        "DELETE",
        format!("{APPS}/{name}"),
        json!({"propagationPolicy": "Background"}),
    );
    push("PUT", format!("{CORE}/endpoints/mirrored"), endpoints(round));
}

/// What has owners, or stands in a namespace, goes with these, configuration of the mesh included; and the gateway
/// follows its load, now and then: a specification that is not rolled out yet would keep the upgrade from its next step.
fn while_frozen(round: usize, steps: &mut Vec<Step>) {
    if round % 16 == 12 {
        let scale = json!({"spec": {"replicas": 1 + round / 16 % 2}});
        let gateway = "/apis/apps/v1/namespaces/istio-ingressgateway/deployments/istio-ingressgateway/scale";
        steps.push((AUTOSCALER, "PATCH", gateway.to_owned(), scale));
    }
    if round < OWNERS {
        steps.push((
            DEVELOPER,
            "DELETE",
            format!("{CORE}/configmaps/owner-{round}"),
            Value::Null,
        ));
    }
    if round.is_multiple_of(4) && round / 4 < NAMESPACES {
        let path = format!("/api/v1/namespaces/application-{}", round / 4);
        steps.push((DEVELOPER, "DELETE", path, Value::Null));
    }
}

fn virtual_service(name: &str, owners: &Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": name, "ownerReferences": owners},
        "spec": {"hosts": [name], "http": [{"route": [{"destination": {"host": name}}]}]}})
}

fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"replicas": 1,
        "selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]}}}})
}

fn endpoints(round: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "mirrored"},
        "subsets": [{"addresses": [{"ip": format!("192.0.2.{}", 10 + round % 200)}], "ports": [{"port": 80}]}]})
}
