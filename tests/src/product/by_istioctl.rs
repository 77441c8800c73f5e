//! A mesh that the real istioctl installed. It is of 1.31 alone; 1.30.3 is installed by it out of 1.30's own charts and
//! profiles.

use anyhow::Result;

use crate::harness::{Cluster, OnDemand, Run, Toolbox};

const FROM: &str = "1.30.3";

/// Installs with istioctl, as an administrator without this tool would: a control plane, CNI and a gateway,
/// with these lines more under `components`.
///
/// # Errors
/// When it cannot be started; its own failure is in the result.
pub fn installed_by_istioctl(cluster: &Cluster, version: &str, overlay: &str) -> Result<Run> {
    let url = format!("https://localhost:{}", cluster.istiod_port("webhooks")?);
    let file = cluster.dir().join("istio.yaml");
    let text = format!(
        "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  hub: docker.io/istio\n  tag: {version}\n  \
         meshConfig: {{accessLogFile: /dev/stdout}}\n  components:\n    cni: {{enabled: true}}\n{overlay}  values:\n    \
         base: {{validationURL: {url}/validate}}\n    istiodRemote: {{injectionURL: {url}/inject}}\n    gateways: \
         {{istio-ingressgateway: {{type: ClusterIP}}}}\n"
    );
    std::fs::write(&file, text)?;
    let mut command = cluster.command(OnDemand::Istioctl131.program()?)?;
    command
        .args(["install", "--skip-confirmation", "--filename"])
        .arg(&file);
    if version == FROM {
        command.arg("--manifests").arg(Toolbox::get()?.manifests_130()?);
    }
    Run::of(command, None)
}
