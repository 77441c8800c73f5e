//! Istio, installed by helm from its own charts, with a real istiod behind its webhooks.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::cluster::Cluster;
use super::probes;
use super::run::Run;
use super::toolbox::Toolbox;
use super::wait::wait_until;

/// How long istiod may take until it serves and has proved its own webhooks.
const SERVING_DEADLINE: Duration = Duration::from_secs(90);

/// How Istio is to be installed.
#[derive(Debug, Clone)]
pub struct IstioOptions {
    /// Any version or flavor, such as `1.30.3` or `1.30.3-mspider`.
    pub version: String,
    /// The namespace of the control plane.
    pub namespace: String,
    /// Release name of the base chart.
    pub base_release: String,
    /// Release name of the istiod chart.
    pub istiod_release: String,
    /// How many istiod pods.
    pub replicas: u32,
    /// Install the CNI chart, as release `istio-cni`.
    pub cni: bool,
    /// Install ztunnel, as release `ztunnel`, and the ambient profile everywhere.
    pub ztunnel: bool,
    /// Install a gateway, as release `istio-ingressgateway` in a namespace of that name.
    pub gateway: bool,
    /// Install with helm 3 instead of 4.
    pub helm_3: bool,
    /// Whether what names no revision is validated; the Sail Operator brings no validator for that where it keeps revisions.
    pub validates_by_default: bool,
    /// More values for every chart of the control plane, as for helm's `--set`.
    pub values: Vec<String>,
}

impl IstioOptions {
    /// A plain sidecar control plane of this version: releases `istio-base` and `istiod` in `istio-system`.
    pub fn version(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            namespace: "istio-system".to_owned(),
            base_release: "istio-base".to_owned(),
            istiod_release: "istiod".to_owned(),
            replicas: 1,
            cni: false,
            ztunnel: false,
            gateway: false,
            helm_3: false,
            validates_by_default: true,
            values: Vec::new(),
        }
    }
}

/// The release name and namespace of the gateway.
const GATEWAY: &str = "istio-ingressgateway";

/// An installed Istio. It goes with its cluster.
#[derive(Debug, Clone)]
pub struct Istio {
    options: IstioOptions,
}

/// One helm release of Istio: chart, release name, namespace.
struct Release<'a> {
    chart: &'static str,
    name: &'a str,
    namespace: &'a str,
}

impl Istio {
    /// Installs Istio and waits until istiod serves its webhooks, closed, and tells its version.
    pub fn install(cluster: &Cluster, options: IstioOptions) -> Result<Self> {
        let istio = Self { options };
        let version = istio.options.version.clone();
        for release in istio.releases() {
            // A gateway's pods are injected, so istiod has to serve first.
            if release.chart == "gateway" {
                istio.wait_serving(cluster, &version)?;
            }
            let installed = istio.helm(cluster, &version, &release, &["install", "--create-namespace"])?;
            // A proxy before the API server may lose an answer; helm says that one may try again, and does not.
            if installed.success() || !installed.stderr.contains("unexpected EOF") {
                installed.ok()?;
            } else {
                istio
                    .helm(cluster, &version, &release, &["upgrade", "--install"])?
                    .ok()?;
            }
        }
        istio.wait_serving(cluster, &version)?;
        Ok(istio)
    }

    /// One that somebody else has installed as these options say; waits until it serves.
    pub fn installed(cluster: &Cluster, options: IstioOptions) -> Result<Self> {
        Self::installed_in(cluster, cluster, options)
    }

    /// The same of an istiod that serves another cluster than it runs in.
    pub(super) fn installed_in(host: &Cluster, cluster: &Cluster, options: IstioOptions) -> Result<Self> {
        let istio = Self { options };
        istio.wait_serving_in(host, cluster, &istio.options.version)?;
        Ok(istio)
    }

    /// Installs what a cluster without an istiod of its own has: the charts' remote profile, with webhooks that lead to
    /// the istiod of a primary.
    pub fn install_remote(cluster: &Cluster, primary: &Cluster, version: &str) -> Result<()> {
        let authority = primary.kubectl(&[
            "get",
            "mutatingwebhookconfiguration",
            "istio-sidecar-injector",
            "-o",
            "jsonpath={.webhooks[0].clientConfig.caBundle}",
        ])?;
        let authority = authority.ok()?;
        let url = format!("https://localhost:{}", primary.istiod_port("webhooks")?);
        let values = [
            "profile=remote".to_owned(),
            format!("base.validationURL={url}/validate"),
            format!("base.validationCABundle={authority}"),
            format!(
                "istiodRemote.injectionURL={url}/inject/cluster/{}/net/network1",
                cluster.name()
            ),
            format!("istiodRemote.injectionCABundle={authority}"),
        ];
        for (chart, release) in [("base", "istio-base"), ("istiod", "istiod")] {
            let chart = Toolbox::get()?.charts(version)?.join(chart).display().to_string();
            let mut arguments = vec![
                "install",
                release,
                &chart,
                "--namespace",
                "istio-system",
                "--create-namespace",
                "--wait",
            ];
            for value in &values {
                arguments.extend(["--set-string", value]);
            }
            cluster.helm(&arguments)?.ok()?;
        }
        Ok(())
    }

    /// The image that injection gives a new pod's sidecar, in a cluster of whatever kind.
    pub fn injected_image_in(cluster: &Cluster) -> Result<String> {
        probes::injected_image(cluster)
    }

    /// Upgrades every release with helm, as an operator without this tool would, and waits until the new istiod serves.
    pub fn upgrade(&self, cluster: &Cluster, version: &str) -> Result<()> {
        for release in self.releases() {
            if release.chart == "gateway" {
                self.wait_serving(cluster, version)?;
            }
            self.helm(cluster, version, &release, &["upgrade"])?.ok()?;
        }
        self.wait_serving(cluster, version)
    }

    /// Upgrades one release, `base`, `istiod`, `cni`, `ztunnel` or `gateway`, and does not judge how helm ended.
    pub fn upgrade_release(&self, cluster: &Cluster, chart: &str, version: &str) -> Result<Run> {
        let release = self.releases().into_iter().find(|release| release.chart == chart);
        self.helm(
            cluster,
            version,
            &release.with_context(|| format!("{chart} is not installed"))?,
            &["upgrade"],
        )
    }

    /// How it was installed.
    pub fn options(&self) -> &IstioOptions {
        &self.options
    }

    /// The values that lead Istio's webhooks to the cluster's istiod process: `--set` arguments for any chart.
    pub fn webhook_values(cluster: &Cluster) -> Result<Vec<String>> {
        let url = format!("https://localhost:{}", cluster.istiod_port("webhooks")?);
        Ok(vec![
            format!("base.validationURL={url}/validate"),
            format!("istiodRemote.injectionURL={url}/inject"),
        ])
    }

    /// Waits until the istiod of this version serves: its webhooks are closed, validation refuses, injection gives
    /// this version's proxy, and `/version` answers through a port-forward.
    pub fn wait_serving(&self, cluster: &Cluster, version: &str) -> Result<()> {
        self.wait_serving_in(cluster, cluster, version)
    }

    /// The same of an istiod that serves another cluster than it runs in.
    pub(super) fn wait_serving_in(&self, host: &Cluster, cluster: &Cluster, version: &str) -> Result<()> {
        let what = format!("istiod {version} of cluster {} to serve", host.name());
        wait_until(&what, SERVING_DEADLINE, || {
            let told = probes::version_on_port(host)?;
            if !told.starts_with(&format!("{version}-")) {
                bail!("istiod tells version {told}");
            }
            let policies = failure_policies(cluster)?;
            if policies.iter().any(|policy| policy != "Fail") || policies.is_empty() {
                bail!("validation's failure policies are {policies:?}");
            }
            let image = probes::injected_image(cluster)?;
            // The ambient profile takes the image's variant without a shell.
            if !image.trim_end_matches("-distroless").ends_with(&format!(":{version}")) {
                bail!("injection gives {image}");
            }
            if self.options.validates_by_default {
                let refused = probes::write_bad_virtual_service(cluster)?;
                if !refused.refused()?.contains("configuration is invalid") {
                    bail!("validation says {}", refused.stderr.trim());
                }
            }
            self.version_through_port_forward(host).map(|_| Some(()))
        })
    }

    /// What istiod's `/version` says, past Kubernetes.
    pub fn version_on_port(&self, cluster: &Cluster) -> Result<String> {
        probes::version_on_port(cluster)
    }

    /// What istiod's `/version` says through a port-forward to its pod, as istioctl asks.
    pub fn version_through_port_forward(&self, cluster: &Cluster) -> Result<String> {
        probes::version_through_port_forward(cluster, &self.options.namespace)
    }

    /// The image that injection gives a new pod's sidecar.
    pub fn injected_image(&self, cluster: &Cluster) -> Result<String> {
        probes::injected_image(cluster)
    }

    /// Tries, as a dry run, to create a VirtualService that Istio's validation must refuse.
    pub fn write_bad_virtual_service(&self, cluster: &Cluster) -> Result<Run> {
        probes::write_bad_virtual_service(cluster)
    }

    /// The releases in the order of Istio's own upgrade notes.
    fn releases(&self) -> Vec<Release<'_>> {
        let o = &self.options;
        let system = |chart, name| Release {
            chart,
            name,
            namespace: o.namespace.as_str(),
        };
        let mut releases = vec![system("base", &o.base_release), system("istiod", &o.istiod_release)];
        if o.cni || o.ztunnel {
            releases.push(system("cni", "istio-cni"));
        }
        if o.ztunnel {
            releases.push(system("ztunnel", "ztunnel"));
        }
        if o.gateway {
            releases.push(Release {
                chart: "gateway",
                name: GATEWAY,
                namespace: GATEWAY,
            });
        }
        releases
    }

    fn helm(&self, cluster: &Cluster, version: &str, release: &Release<'_>, verb: &[&str]) -> Result<Run> {
        let chart = Toolbox::get()?
            .charts(version)?
            .join(release.chart)
            .display()
            .to_string();
        let mut arguments: Vec<String> = verb.iter().copied().map(String::from).collect();
        arguments.extend(
            [
                release.name,
                &chart,
                "--namespace",
                release.namespace,
                "--wait",
                "--timeout=3m",
            ]
            .map(String::from),
        );
        for value in self.values(cluster, release.chart)? {
            arguments.extend(["--set".to_owned(), value]);
        }
        if self.options.helm_3 {
            cluster.helm_3(&arguments)
        } else {
            cluster.helm(&arguments)
        }
    }

    fn values(&self, cluster: &Cluster, chart: &str) -> Result<Vec<String>> {
        let o = &self.options;
        // The gateway chart's schema refuses values it does not know.
        if chart == "gateway" {
            return Ok(vec!["service.type=ClusterIP".to_owned()]);
        }
        let mut values = Self::webhook_values(cluster)?;
        values.push(format!("global.istioNamespace={}", o.namespace));
        if chart == "istiod" {
            values.push(format!("autoscaleMin={}", o.replicas));
            values.push(format!("replicaCount={}", o.replicas));
        }
        if o.ztunnel {
            values.push("profile=ambient".to_owned());
        }
        values.extend(o.values.iter().cloned());
        Ok(values)
    }
}

/// The failure policies of Istio's validating webhooks.
fn failure_policies(cluster: &Cluster) -> Result<Vec<String>> {
    let template = "--output=jsonpath={range .items[*].webhooks[*]}{.failurePolicy}{\"\\n\"}{end}";
    let found = cluster.kubectl(&[
        "get",
        "validatingwebhookconfigurations",
        "--selector=app=istiod",
        template,
    ])?;
    Ok(found.ok()?.lines().map(str::to_owned).collect())
}
