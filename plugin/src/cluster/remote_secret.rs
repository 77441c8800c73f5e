//! Kubeconfigs out of Secrets with the label `istio/multiCluster=true`. They are hostile: whoever may write the Secret
//! must not make this machine run a program, read a file, or take another way into the network.
//!
//! The list of what is refused is that of Istio's own `sanitizeKubeConfig` (istio/istio, `pkg/kube/util.go`), and
//! stricter in four points, since this runs on a person's machine: every auth provider, `certificate-authority` as a
//! path, `proxy-url` (whoever writes the Secret does not choose the proxy; the operator's own is used), and
//! `insecure-skip-tls-verify` (what an unproven server says is no observation). What is not refused is copied field by
//! field, so that a field that nobody has looked at is left out.

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};

/// Longest kubeconfig that is read: a Secret holds at most 1 MiB.
const MAX: usize = 1 << 20;

/// Most YAML events that aliases may stand for: a person writes a handful, and what `istioctl` writes has none. The
/// parser's own limit is a million, which a few hundred bytes of aliases of aliases reach.
const MAX_FROM_ALIASES: usize = 1_000;

/// Why a kubeconfig is not used; never with any of its content.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It would do something that a Secret must not make this machine do.
    #[error("its kubeconfig is refused: {0} is not allowed in a Secret")]
    NotAllowed(&'static str),
    /// It is no kubeconfig, or it leads nowhere.
    #[error("its kubeconfig is not usable: {0}")]
    Unusable(String),
}

/// The part of a kubeconfig that is used, with one context of the name given.
///
/// # Errors
/// When it would do what a Secret must not make this machine do, or is not usable.
pub fn sanitized(text: &[u8], name: &str) -> Result<Kubeconfig, Refused> {
    let unusable = |reason: &str| Refused::Unusable(reason.to_owned());
    if text.len() > MAX {
        return Err(unusable("it is longer than a Secret may be"));
    }
    let text = std::str::from_utf8(text).map_err(|_| unusable("it is not text"))?;
    // The parser's own message quotes the text around the fault, where a token may stand.
    let given = parse(text).ok_or_else(|| unusable("it is not the YAML of a kubeconfig"))?;
    // All of them, and not the one that is used alone: who writes one such user has no good in mind.
    for user in given.auth_infos.iter().filter_map(|user| user.auth_info.as_ref()) {
        check_user(user)?;
    }
    for cluster in given.clusters.iter().filter_map(|cluster| cluster.cluster.as_ref()) {
        check_cluster(cluster)?;
    }
    let current = given.current_context.as_deref().unwrap_or_default();
    let context = given.contexts.iter().find(|context| context.name == current);
    let context = context.and_then(|context| context.context.as_ref());
    let context = context.ok_or_else(|| unusable("its current-context is not in it"))?;
    let cluster = given.clusters.iter().find(|cluster| cluster.name == context.cluster);
    let cluster = cluster.and_then(|cluster| cluster.cluster.as_ref());
    let cluster = cluster.ok_or_else(|| unusable("its context's cluster is not in it"))?;
    if !cluster
        .server
        .as_deref()
        .is_some_and(|server| server.starts_with("https://"))
    {
        return Err(unusable("its cluster has no server at https://"));
    }
    let user = context.user.as_deref().unwrap_or_default();
    let user = given.auth_infos.iter().find(|found| found.name == user);
    let user = user.and_then(|user| user.auth_info.as_ref());
    let user = user.ok_or_else(|| unusable("its context's user is not in it"))?;
    Ok(one(name, cluster, user))
}

/// A kubeconfig: one document, as a Secret of Istio has it. Why another text is none is not told, see [`sanitized`].
fn parse(text: &str) -> Option<Kubeconfig> {
    let options = serde_saphyr::options! {
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_FROM_ALIASES },
    };
    serde_saphyr::from_str_with_options(text, options).ok()
}

/// URL of the API server of a kubeconfig, refused or not, for telling whether a context of the operator's leads there.
pub(super) fn server(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= MAX)?;
    let given = parse(text)?;
    let current = given.current_context.as_deref()?;
    let context = given
        .contexts
        .iter()
        .find(|context| context.name == current)?
        .context
        .as_ref()?;
    let cluster = given.clusters.iter().find(|cluster| cluster.name == context.cluster)?;
    cluster.cluster.as_ref()?.server.clone()
}

fn check_user(user: &AuthInfo) -> Result<(), Refused> {
    let set = |value: &Option<String>| value.as_deref().is_some_and(|value| !value.is_empty());
    for (is_set, what) in [
        (user.exec.is_some(), "an exec plugin"),
        (user.auth_provider.is_some(), "an auth-provider"),
        (set(&user.token_file), "a tokenFile"),
        (set(&user.client_certificate), "a client-certificate path"),
        (set(&user.client_key), "a client-key path"),
    ] {
        if is_set {
            return Err(Refused::NotAllowed(what));
        }
    }
    Ok(())
}

fn check_cluster(cluster: &Cluster) -> Result<(), Refused> {
    let set = |value: &Option<String>| value.as_deref().is_some_and(|value| !value.is_empty());
    for (is_set, what) in [
        (set(&cluster.certificate_authority), "a certificate-authority path"),
        (set(&cluster.proxy_url), "a proxy-url"),
        (
            cluster.insecure_skip_tls_verify == Some(true),
            "insecure-skip-tls-verify",
        ),
    ] {
        if is_set {
            return Err(Refused::NotAllowed(what));
        }
    }
    Ok(())
}

fn one(name: &str, cluster: &Cluster, user: &AuthInfo) -> Kubeconfig {
    let cluster = Cluster {
        server: cluster.server.clone(),
        certificate_authority_data: cluster.certificate_authority_data.clone(),
        tls_server_name: cluster.tls_server_name.clone(),
        ..Cluster::default()
    };
    let user = AuthInfo {
        username: user.username.clone(),
        password: user.password.clone(),
        token: user.token.clone(),
        client_certificate_data: user.client_certificate_data.clone(),
        client_key_data: user.client_key_data.clone(),
        ..AuthInfo::default()
    };
    let named = || name.to_owned();
    Kubeconfig {
        clusters: vec![NamedCluster {
            name: named(),
            cluster: Some(cluster),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: named(),
            auth_info: Some(user),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: named(),
            context: Some(Context {
                cluster: named(),
                user: Some(named()),
                ..Context::default()
            }),
            ..NamedContext::default()
        }],
        current_context: Some(named()),
        ..Kubeconfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const TOKEN: &str = "s3cr3t-t0k3n";

    /// A kubeconfig as `istioctl create-remote-secret` writes it, changed in one place.
    fn secret(pointer: &str, value: Value) -> Vec<u8> {
        let mut document = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "west", "preferences": {},
            "clusters": [{"name": "west", "cluster": {"server": "https://west:6443", "certificate-authority-data": "Q0E="}}],
            "users": [{"name": "west", "user": {"token": TOKEN}}, {"name": "other", "user": {"token": TOKEN}}],
            "contexts": [{"name": "west", "context": {"cluster": "west", "user": "west"}}],
        });
        if let Some((parent, key)) = pointer.rsplit_once('/') {
            document.pointer_mut(parent).unwrap()[key] = value;
        }
        document.to_string().into_bytes()
    }

    #[test]
    fn what_istioctl_writes_is_used() {
        let found = sanitized(&secret("", Value::Null), "cluster-west").unwrap();
        assert_eq!(found.current_context.as_deref(), Some("cluster-west"));
        assert_eq!(found.auth_infos.len(), 1);
        let text = serde_json::to_string(&found).unwrap();
        assert!(text.contains(TOKEN) && text.contains("https://west:6443"), "{text}");
        assert_eq!(server(&secret("", Value::Null)).as_deref(), Some("https://west:6443"));
    }

    #[test]
    fn what_would_run_or_read_something_here_is_refused() {
        let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", "touch /tmp/owned"]});
        for (pointer, value, named) in [
            ("/users/0/user/exec", exec.clone(), "exec plugin"),
            ("/users/1/user/exec", exec, "exec plugin"),
            (
                "/users/0/user/auth-provider",
                json!({"name": "gcp", "config": {"cmd-path": "sh"}}),
                "auth-provider",
            ),
            ("/users/0/user/auth-provider", json!({"name": "oidc"}), "auth-provider"),
            ("/users/0/user/tokenFile", json!("/etc/passwd"), "tokenFile"),
            (
                "/users/0/user/client-certificate",
                json!("/etc/passwd"),
                "client-certificate path",
            ),
            ("/users/0/user/client-key", json!("/etc/passwd"), "client-key path"),
            (
                "/clusters/0/cluster/certificate-authority",
                json!("/etc/passwd"),
                "certificate-authority path",
            ),
            ("/clusters/0/cluster/proxy-url", json!("http://proxy:3128"), "proxy-url"),
            (
                "/clusters/0/cluster/insecure-skip-tls-verify",
                json!(true),
                "insecure-skip-tls-verify",
            ),
        ] {
            let refused = sanitized(&secret(pointer, value), "west").unwrap_err();
            let text = refused.to_string();
            assert!(
                matches!(refused, Refused::NotAllowed(_)) && text.contains(named),
                "{pointer}: {text}"
            );
        }
    }

    #[test]
    fn what_leads_nowhere_is_told_without_quoting_it() {
        for (pointer, value) in [
            ("/current-context", json!("east")),
            ("/contexts/0/context/cluster", json!("east")),
            ("/contexts/0/context/user", json!("east")),
            ("/clusters/0/cluster/server", json!("http://west:8080")),
            ("/clusters/0/cluster/server", Value::Null),
            ("/users", json!(TOKEN)),
        ] {
            let refused = sanitized(&secret(pointer, value), "west").unwrap_err();
            let text = format!("{refused} {refused:?}");
            assert!(
                matches!(refused, Refused::Unusable(_)) && !text.contains(TOKEN),
                "{pointer}: {text}"
            );
        }
        for text in [&b"\xff\xfe"[..], b"", b"- a", b"{", &vec![b' '; MAX + 1]] {
            assert!(matches!(sanitized(text, "west"), Err(Refused::Unusable(_))));
        }
    }

    #[test]
    fn fields_that_nobody_looked_at_are_left_out() {
        let surprising = secret("/users/0/user/as", json!("system:admin"));
        let text = serde_json::to_string(&sanitized(&surprising, "west").unwrap()).unwrap();
        assert!(!text.contains("system:admin"), "{text}");
    }
}
