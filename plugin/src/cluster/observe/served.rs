//! Proxies that are ready and proxies that istiod serves: what an upgrade must not lose.

use super::{
    ask::Asker,
    pods,
    protobuf::{Fields, Value},
    proxies::{self, PROXY},
    running, workloads,
};
use crate::cluster::client::Cluster;
use shared::connections::InCluster;
use std::time::Duration;

/// How long each single question may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// Container of an agentgateway, which istiod serves as it serves its other proxies; other projects run it for themselves, so
/// that only those count which istiod made: their label begins so (Istio's `files/agentgateway*.yaml`).
const AGENTGATEWAY: &str = "agentgateway";
const BY_ISTIOD: &str = "istio.io-agentgateway";

/// Counts the ready proxies of one cluster, and what its istiods count, those in the namespaces given.
///
/// # Errors
/// Why they cannot be counted.
pub async fn served(cluster: &Cluster, namespaces: &[String]) -> Result<InCluster, String> {
    let asker = Asker {
        cluster,
        deadline: DEADLINE,
    };
    let (mut ready, mut unready) = (0_i64, 0_i64);
    let pods = pods::each(asker, |pod| match readiness(pod) {
        Some(true) => ready = ready.saturating_add(1),
        Some(false) => unready = unready.saturating_add(1),
        None => {}
    });
    let (pods, counted) = futures::join!(pods, running::metrics(asker, namespaces));
    pods.map_err(|error| error.to_string())?;
    Ok(InCluster {
        cluster: cluster.name.clone(),
        ready,
        unready,
        istiods: counted?,
    })
}

/// How many proxies are connected to the istiods of one revision.
///
/// # Errors
/// Why they cannot be counted.
pub async fn connected_to(cluster: &Cluster, namespace: &str, revision: &str) -> Result<i64, String> {
    let asker = Asker {
        cluster,
        deadline: DEADLINE,
    };
    let counted = running::metrics_of(asker, namespace, revision).await?;
    let connected = counted.iter().map(|istiod| istiod.connected);
    Ok(connected.fold(0, i64::saturating_add))
}

/// Whether a pod's proxy says that it is ready, which it is with istiod's configuration only; `None` where there is none that
/// could be, as in a pod that has ended or has not begun. Field numbers are those of k8s.io/api, `core/v1/generated.proto`.
///
/// Pods that are being deleted count as long as their proxy is ready: it is connected to its end.
fn readiness(pod: Fields<'_>) -> Option<bool> {
    let status = pod.all(3).next().map_or(Fields(&[]), Value::fields);
    let name = proxy_name(pod).filter(|_| !is_on_a_silent_node(status))?;
    // Containers, and init containers that stay.
    let mut containers = status.all(8).chain(status.all(10)).map(Value::fields);
    let proxy = containers.find(|container| container.text(1) == name)?;
    if matches!(proxy.all(4).next(), Some(Value::Number(1))) {
        return Some(true);
    }
    let is_leaving = proxies::meta(pod).all(9).next().is_some();
    (!is_leaving && is_at_work(proxy)).then_some(false)
}

/// Whether a container runs, or has run and is started anew.
fn is_at_work(container: Fields<'_>) -> bool {
    let state = container.all(2).next().map_or(Fields(&[]), Value::fields);
    let mut waiting = state.all(1).map(Value::fields);
    state.all(2).next().is_some() || waiting.any(|waiting| waiting.text(1) == "CrashLoopBackOff")
}

/// Name of the container in which a pod's proxy runs.
fn proxy_name(pod: Fields<'_>) -> Option<&'static str> {
    if proxies::proxy(pod).is_some() {
        return Some(PROXY);
    }
    let spec = pod.all(2).next().map_or(Fields(&[]), Value::fields);
    let mut containers = spec.all(2).map(Value::fields);
    let mut labels = proxies::meta(pod).all(11).map(Value::fields);
    let is_made_by_istiod =
        labels.any(|label| label.text(1) == workloads::MANAGED && label.text(2).starts_with(BY_ISTIOD));
    (is_made_by_istiod && containers.any(|container| container.text(1) == AGENTGATEWAY)).then_some(AGENTGATEWAY)
}

/// Whether nothing is heard of a pod any more: where a node is silent, the node controller takes back the pod's condition
/// `Ready` and leaves its containers' states as they were (Kubernetes' `MarkPodsNotReady`, as of 1.36). The kubelet itself
/// says of a pod whose containers are ready and which is not that its readiness gates are not.
fn is_on_a_silent_node(status: Fields<'_>) -> bool {
    let condition = |wanted: &str| {
        let mut all = status.all(2).map(Value::fields);
        all.find(|condition| condition.text(1) == wanted)
    };
    let (Some(pod), Some(containers)) = (condition("Ready"), condition("ContainersReady")) else {
        return false;
    };
    pod.text(2) == "False" && containers.text(2) == "True" && pod.text(5) != "ReadinessGatesNotReady"
}

#[cfg(test)]
mod tests {
    use super::{super::protobuf::tests::held, *};

    #[test]
    fn a_proxy_is_ready_by_its_own_container() {
        let status = |name: &str, ready: u8| [held(1, name), vec![4 << 3, ready]].concat();
        let pod = |at, name: &str, ready| {
            let spec = held(at, held(1, "istio-proxy"));
            let at = if at == 2 { 8 } else { 10 };
            [held(2, spec), held(3, held(at, status(name, ready)))].concat()
        };
        for (pod, ready) in [
            (pod(2, "istio-proxy", 1), true),
            (pod(20, "istio-proxy", 1), true),
            (pod(2, "istio-proxy", 0), false),
            (pod(2, "app", 1), false),
            (held(3, held(8, status("istio-proxy", 1))), false),
            (Vec::new(), false),
        ] {
            assert_eq!(readiness(Fields(&pod)) == Some(true), ready, "{pod:?}");
        }
    }

    #[test]
    fn a_proxy_that_is_at_work_and_not_ready_is_told_from_one_that_cannot_be() {
        let running = held(2, held(2, Vec::new()));
        let waiting = |reason: &str| held(2, held(1, held(1, reason)));
        let terminated = held(2, held(3, Vec::new()));
        for (state, is_leaving, expected) in [
            (running.clone(), false, Some(false)),
            (running, true, None),
            (waiting("CrashLoopBackOff"), false, Some(false)),
            (waiting("ImagePullBackOff"), false, None),
            (terminated, false, None),
        ] {
            let container = [held(1, PROXY), state, vec![4 << 3, 0]].concat();
            let meta = if is_leaving { held(9, Vec::new()) } else { Vec::new() };
            let spec = held(2, held(1, PROXY));
            let pod = [held(1, meta), held(2, spec), held(3, held(8, container))].concat();
            assert_eq!(readiness(Fields(&pod)), expected, "{pod:?}");
        }
    }

    #[test]
    fn an_agentgateway_counts_where_istiod_made_it() {
        let pod = |managed_by: &str, ready: u8| {
            let label = [held(1, workloads::MANAGED), held(2, managed_by)].concat();
            let status = [held(1, AGENTGATEWAY), vec![4 << 3, ready]].concat();
            let spec = held(2, held(1, AGENTGATEWAY));
            [held(1, held(11, label)), held(2, spec), held(3, held(8, status))].concat()
        };
        for (managed_by, ready, expected) in [
            ("istio.io-agentgateway-controller", 1, true),
            ("istio.io-agentgateway-waypoint-controller", 1, true),
            ("istio.io-agentgateway-controller", 0, false),
            ("somebody-else", 1, false),
        ] {
            assert_eq!(
                readiness(Fields(&pod(managed_by, ready))) == Some(true),
                expected,
                "{managed_by} {ready}"
            );
        }
    }

    #[test]
    fn a_proxy_of_a_dead_node_is_not_ready() {
        let condition = |name: &str, status: &str, reason: &str| {
            held(2, [held(1, name), held(2, status), held(5, reason)].concat())
        };
        let container = held(8, [held(1, "istio-proxy"), vec![4 << 3, 1]].concat());
        for (ready, containers, reason, expected) in [
            ("True", "True", "", true),
            ("False", "True", "", false),
            ("False", "True", "ReadinessGatesNotReady", true),
            // The proxy is ready, and another container is not.
            ("False", "False", "ContainersNotReady", true),
        ] {
            let conditions = [
                condition("Ready", ready, reason),
                condition("ContainersReady", containers, ""),
            ];
            let status = [conditions.concat(), container.clone()].concat();
            let pod = [held(2, held(2, held(1, "istio-proxy"))), held(3, status)].concat();
            assert_eq!(
                readiness(Fields(&pod)) == Some(true),
                expected,
                "{ready} {containers} {reason}"
            );
        }
    }
}
