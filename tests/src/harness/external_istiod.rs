//! Istio's external control plane: istiod runs in one cluster, and reads its configuration in another, as Istio's document
//! "Install Istio with an External Control Plane" sets it up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::cluster::Cluster;
use super::contexts::Contexts;
use super::istio::{Istio, IstioOptions};
use super::run::Run;
use super::toolbox::Toolbox;

/// Namespace of the control plane, in both clusters.
const NAMESPACE: &str = "external-istiod";
/// Name of the gateway, of its release and of its namespace, in the cluster of the configuration.
const GATEWAY: &str = "istio-ingressgateway";

/// An istiod in one cluster that is configured in another. It goes with them.
#[derive(Debug, Clone)]
pub struct ExternalIstiod {
    istio: Istio,
}

impl ExternalIstiod {
    /// Installs it with helm and waits until it serves. The host is a cluster with `istiod_is_external`.
    pub fn install(host: &Cluster, config: &Cluster, version: &str) -> Result<Self> {
        let url = format!("https://localhost:{}", host.istiod_port("webhooks")?);
        let of_config = [
            "profile=remote".to_owned(),
            "global.configCluster=true".to_owned(),
            "configMap=true".to_owned(),
            format!("global.istioNamespace={NAMESPACE}"),
            format!("base.validationURL={url}/validate"),
            format!(
                "istiodRemote.injectionURL={url}/inject/cluster/{}/net/network1",
                config.name()
            ),
        ];
        install(config, version, ("base", "istio-base", NAMESPACE), &of_config)?;
        install(config, version, ("istiod", "istiod", NAMESPACE), &of_config)?;
        host.kubectl(&["create", "namespace", NAMESPACE])?.ok()?;
        host.apply_stdin(&secret(config)?)?.ok()?;
        let mut of_host: Vec<String> = [
            "global.externalIstiod=true",
            "global.operatorManageWebhooks=true",
            "global.configValidation=false",
            "env.SHARED_MESH_CONFIG=istio",
            "env.VALIDATION_WEBHOOK_CONFIG_NAME=istio-validator-external-istiod",
            "env.INJECTION_WEBHOOK_CONFIG_NAME=istio-sidecar-injector-external-istiod",
            "volumes[0].name=config-volume",
            "volumes[0].configMap.name=istio",
            "volumes[1].name=inject-volume",
            "volumes[1].configMap.name=istio-sidecar-injector",
            "volumeMounts[0].name=config-volume",
            "volumeMounts[0].mountPath=/etc/istio/config",
            "volumeMounts[1].name=inject-volume",
            "volumeMounts[1].mountPath=/var/lib/istio/inject",
        ]
        .map(str::to_owned)
        .to_vec();
        of_host.push(format!("global.istioNamespace={NAMESPACE}"));
        of_host.push(format!("global.multiCluster.clusterName={}", config.name()));
        install(host, version, ("istiod", "istiod", NAMESPACE), &of_host)?;
        let options = IstioOptions {
            namespace: NAMESPACE.to_owned(),
            ..IstioOptions::version(version)
        };
        let external = Self {
            istio: Istio::installed_in(host, config, options)?,
        };
        let values = ["service.type=ClusterIP".to_owned()];
        install(config, version, ("gateway", GATEWAY, GATEWAY), &values)?;
        Ok(external)
    }

    /// Waits until the istiod of this version serves the cluster of its configuration.
    pub fn wait_serving(&self, host: &Cluster, config: &Cluster, version: &str) -> Result<()> {
        self.istio.wait_serving_in(host, config, version)
    }
}

/// The Secret that `istioctl create-remote-secret --type=config --service-account=istiod` writes: istiod acts in the
/// cluster of its configuration as the account that the chart has made there.
fn secret(config: &Cluster) -> Result<String> {
    let token = config.kubectl(&["create", "token", "istiod", "-n", NAMESPACE, "--duration=24h"])?;
    let server = Contexts::of(config.kubeconfig())?.cluster();
    let kubeconfig = Contexts::alone(config.name(), &server, &json!({"token": token.ok()?.trim()}));
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"config": kubeconfig.to_string()},
        "metadata": {"namespace": NAMESPACE, "name": "istio-kubeconfig",
            "labels": {"istio/multiCluster": "true"},
            "annotations": {"networking.istio.io/cluster": config.name()}},
    });
    Ok(secret.to_string())
}

/// Installs one of Istio's charts under a release name in a namespace.
fn install(
    cluster: &Cluster,
    version: &str,
    (chart, release, namespace): (&str, &str, &str),
    values: &[String],
) -> Result<Run> {
    let chart = Toolbox::get()?.charts(version)?.join(chart).display().to_string();
    let mut arguments = vec![
        "install",
        release,
        &chart,
        "--namespace",
        namespace,
        "--create-namespace",
        "--wait",
    ];
    for value in values {
        arguments.extend(["--set", value]);
    }
    let installed = cluster.helm(&arguments)?;
    installed.ok()?;
    Ok(installed)
}

/// All programs of the test control plane, with each istiod behind a script that does what a kubelet would: it puts what
/// the Deployment mounts where istiod looks for it. kwok's pods mount nothing.
pub(super) fn programs() -> Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("mesh-upgrade-programs-").tempdir()?;
    let programs = Toolbox::get()?.bin_dir();
    for entry in fs::read_dir(programs)? {
        let entry = entry?;
        let at = folder.path().join(entry.file_name());
        if entry.file_name().to_string_lossy().starts_with("pilot-discovery-") {
            mounting(programs, &entry.path(), &at)?;
        } else {
            std::os::unix::fs::symlink(entry.path(), at)?;
        }
    }
    Ok(folder)
}

/// istiod takes the last `--kubeconfig`.
fn mounting(programs: &Path, istiod: &Path, at: &Path) -> Result<()> {
    let script = format!(
        r#"#!/bin/sh
for argument in "$@"; do
  case "$argument" in --kubeconfig=*) own=${{argument#--kubeconfig=}} ;; esac
done
get() {{
  '{programs}/kubectl' "--kubeconfig=$own" get -n "$POD_NAMESPACE" "$1" "$2" "-o=go-template={{{{(index .data \"$3\")$4}}}}"
}}
mkdir -p etc/istio/config var/lib/istio/inject
get configmap istio mesh > etc/istio/config/mesh || exit 1
get configmap istio-sidecar-injector config > var/lib/istio/inject/config || exit 1
get configmap istio-sidecar-injector values > var/lib/istio/inject/values || exit 1
get secret istio-kubeconfig config ' | base64decode' > configuration || exit 1
exec '{istiod}' "$@" --kubeconfig=configuration
"#,
        programs = programs.display(),
        istiod = istiod.display(),
    );
    fs::write(at, script).with_context(|| format!("write {}", at.display()))?;
    fs::set_permissions(at, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
