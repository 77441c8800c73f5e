//! Proxies that are ready and proxies that istiod serves: what an upgrade must not lose.

use super::{
    ask::Asker,
    pods,
    protobuf::{Fields, Value},
    proxies::{self, PROXY},
    running,
};
use crate::cluster::client::Cluster;
use shared::api::ProxyConnections;
use std::time::Duration;

/// How long each single question may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// Counts the ready proxies of one cluster and the connections of its istiods, those in the namespaces given.
///
/// # Errors
/// Why they cannot be counted.
pub async fn served(cluster: &Cluster, namespaces: &[String]) -> Result<ProxyConnections, String> {
    let asker = Asker {
        cluster,
        deadline: DEADLINE,
    };
    let mut ready = 0_i64;
    let pods = pods::each(asker, |pod| {
        ready = ready.saturating_add(i64::from(is_ready(pod)));
    });
    let (pods, counted) = futures::join!(pods, running::metrics(asker, namespaces));
    pods.map_err(|error| error.to_string())?;
    Ok(ProxyConnections { ready, ..counted? })
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
    Ok(counted.connected)
}

/// Whether a pod has a proxy that says that it is ready, which it is with istiod's configuration only. Field numbers are
/// those of k8s.io/api, `core/v1/generated.proto`.
fn is_ready(pod: Fields<'_>) -> bool {
    let status = pod.all(3).next().map_or(Fields(&[]), Value::fields);
    // Containers, and init containers that stay.
    let containers = status.all(8).chain(status.all(10)).map(Value::fields);
    proxies::proxy(pod).is_some()
        && containers
            .into_iter()
            .any(|container| container.text(1) == PROXY && matches!(container.all(4).next(), Some(Value::Number(1))))
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
            assert_eq!(is_ready(Fields(&pod)), ready, "{pod:?}");
        }
    }
}
