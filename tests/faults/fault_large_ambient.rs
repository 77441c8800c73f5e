//! An ambient mesh that is too large for istiod's messages, in full: forty thousand pods and one, where one less is nothing
//! to tell. They are read in several lists at once, so this shows that each pod is counted once. None of them is in the mesh
//! but what Istio runs: each ztunnel knows all.

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions},
    product::mesh_upgrade,
};
use serde_json::{Value, json};

/// Pods from which on it is told; the upgrade notes of 1.31 say so.
const LARGE: usize = 40_000;
/// Writes that run at once.
const AT_ONCE: usize = 24;
/// Namespaces that they are spread over.
const NAMESPACES: usize = 7;

#[test]
fn forty_thousand_ambient_pods_and_one_are_too_many() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("large"))?;
    let ambient = IstioOptions {
        ztunnel: true,
        ..IstioOptions::version("1.30.3")
    };
    Istio::install(&cluster, ambient)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let client = runtime.block_on(client(&cluster))?;
    for number in 0..NAMESPACES {
        cluster.kubectl(&["create", "namespace", &namespace(number)])?.ok()?;
    }
    let pods = cluster.kubectl(&["get", "pods", "--all-namespaces", "--output=name"])?;
    let left = LARGE.saturating_sub(pods.ok()?.lines().count());
    runtime.block_on(create(&client, 0..left))?;
    ensure!(told(&cluster)?.is_none(), "told of {LARGE} pods");
    runtime.block_on(create(&client, left..left + 1))?;
    let cause = told(&cluster)?.context("one more was not told")?;
    ensure!(cause.starts_with("each ztunnel knows 40001 pods"), "{cause}");
    Ok(())
}

/// The cause of the finding, where it is made.
fn told(cluster: &Cluster) -> Result<Option<String>> {
    let run = mesh_upgrade(cluster, &["check", "--to", "1.31.0", "-o", "json"])?;
    let report: Value = serde_json::from_str(&run.stdout).with_context(|| run.to_string())?;
    let findings = report.get("findings").and_then(Value::as_array).into_iter().flatten();
    let mut causes = findings
        .filter(|finding| finding.get("code") == Some(&json!("MU732")))
        .filter_map(|finding| Some(finding.get("cause")?.as_str()?.to_owned()));
    Ok(causes.next())
}

async fn client(cluster: &Cluster) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

fn namespace(number: usize) -> String {
    format!("ambient-{}", number % NAMESPACES)
}

/// Pods on no node, so that nobody else writes to them.
async fn create(client: &Client, numbers: std::ops::Range<usize>) -> Result<()> {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Pod"), "pods");
    let create = |number: usize| {
        let pods: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace(number), &kind);
        async move {
            let pod = json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("ambient-{number:05}")},
                "spec": {"schedulerName": "nobody",
                    "containers": [{"name": "app", "image": "registry.example.com/app:1.0.0"}]}});
            pods.create(&PostParams::default(), &serde_json::from_value(pod)?)
                .await?;
            anyhow::Ok(())
        }
    };
    stream::iter(numbers.map(create))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await
        .context("create pods")
        .map(drop)
}
