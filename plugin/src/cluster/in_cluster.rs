//! Within a pod, without a kubeconfig: its ServiceAccount, as kubectl takes it. It is put into the words of a kubeconfig, so
//! that helm, which gets one of its own made of ours, acts by it, too.

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use std::{env, path::Path};

/// What the context is called.
pub(super) const CONTEXT: &str = "in-cluster";
/// Where the kubelet puts the token and the authority.
const DIRECTORY: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The pod's own kubeconfig, where this runs in a pod that has a ServiceAccount.
pub(super) fn kubeconfig() -> Option<Kubeconfig> {
    let host = env::var("KUBERNETES_SERVICE_HOST").ok()?;
    let port = env::var("KUBERNETES_SERVICE_PORT").ok()?;
    of(&host, &port, Path::new(DIRECTORY))
}

fn of(host: &str, port: &str, directory: &Path) -> Option<Kubeconfig> {
    let file = |name: &str| {
        let path = directory.join(name);
        path.is_file().then(|| path.display().to_string())
    };
    if host.is_empty() || port.is_empty() {
        return None;
    }
    let token = file("token")?;
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let cluster = Cluster {
        server: Some(format!("https://{host}:{port}")),
        certificate_authority: file("ca.crt"),
        ..Cluster::default()
    };
    // A file and no token: the kubelet renews it.
    let user = AuthInfo {
        token_file: Some(token),
        ..AuthInfo::default()
    };
    let context = Context {
        cluster: CONTEXT.to_owned(),
        user: Some(CONTEXT.to_owned()),
        ..Context::default()
    };
    Some(Kubeconfig {
        clusters: vec![NamedCluster {
            name: CONTEXT.to_owned(),
            cluster: Some(cluster),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: CONTEXT.to_owned(),
            auth_info: Some(user),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: CONTEXT.to_owned(),
            context: Some(context),
            ..NamedContext::default()
        }],
        current_context: Some(CONTEXT.to_owned()),
        ..Kubeconfig::default()
    })
}

#[cfg(test)]
mod tests {
    use super::{super::kubeconfig::Kubeconfigs, *};

    #[tokio::test]
    async fn a_pod_is_led_by_its_service_account() {
        let directory = tempfile::tempdir().unwrap();
        assert!(of("10.96.0.1", "443", directory.path()).is_none(), "it has no token");
        std::fs::write(directory.path().join("token"), "s3cr3t-t0k3n").unwrap();
        assert!(of("", "443", directory.path()).is_none());
        for (host, server) in [
            ("10.96.0.1", "https://10.96.0.1:443/"),
            ("fd00::1", "https://[fd00::1]:443/"),
        ] {
            let found = of(host, "443", directory.path()).unwrap();
            let found = Kubeconfigs::of(found, "the ServiceAccount of the pod");
            let name = found.context_name(None).unwrap();
            assert_eq!(name, CONTEXT);
            assert!(!found.is_own(), "kubectl and helm know no such context");
            let config = found.config(&name).await.unwrap();
            assert_eq!(config.cluster_url.to_string(), server);
        }
    }
}
