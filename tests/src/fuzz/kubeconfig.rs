//! Kubeconfigs out of Secrets: whatever stands in one, what is left runs no program, reads no file and leaves TLS alone.

use plugin::sanitized_kubeconfig;

/// What stands in the corpus where secrets stand.
const TOKEN: &str = "s3cr3t-t0k3n";

/// A kubeconfig of which everything is in order but the user, whose fields are to come, indented by four.
const HEAD: &str = "\
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: 'https://192.0.2.1:6443'}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users:
- name: u
  user:
    token: t
";

/// Reads an input as a kubeconfig, and as fields of its user.
pub fn run(input: &[u8]) {
    read(input);
    let mut whole = HEAD.as_bytes().to_vec();
    for line in input.split(|byte| *byte == b'\n') {
        whole.extend_from_slice(b"    ");
        whole.extend_from_slice(line);
        whole.push(b'\n');
    }
    read(&whole);
}

fn read(input: &[u8]) {
    let shown = || String::from_utf8_lossy(input);
    let config = match sanitized_kubeconfig(input, "member") {
        Ok(config) => config,
        Err(refused) => {
            let told = format!("{refused} {refused:?}");
            assert!(told.len() < 500 && !told.contains(TOKEN), "{told}");
            return;
        }
    };
    for user in config.auth_infos.iter().filter_map(|named| named.auth_info.as_ref()) {
        assert!(user.exec.is_none() && user.auth_provider.is_none(), "{}", shown());
        assert!(
            user.token_file.is_none() && user.client_certificate.is_none() && user.client_key.is_none(),
            "{}",
            shown()
        );
        assert!(
            user.impersonate.is_none() && user.impersonate_groups.is_none(),
            "{}",
            shown()
        );
    }
    for cluster in config.clusters.iter().filter_map(|named| named.cluster.as_ref()) {
        assert!(
            cluster.certificate_authority.is_none() && cluster.proxy_url.is_none(),
            "{}",
            shown()
        );
        assert_ne!(cluster.insecure_skip_tls_verify, Some(true), "{}", shown());
        assert!(
            cluster
                .server
                .as_deref()
                .is_some_and(|server| server.starts_with("https://")),
            "{}",
            shown()
        );
    }
    assert_eq!(
        (config.clusters.len(), config.auth_infos.len(), config.contexts.len()),
        (1, 1, 1)
    );
}
