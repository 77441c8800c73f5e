//! Images that cannot be pulled, or that values pin, are found before anything is frozen or changed; once that is mended, the same
//! mesh arrives.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{
        Cluster, ClusterOptions, FALTERING_HUB, Istio, IstioOptions, Moment, Proxy, REGISTRY_IS_BACK, Run, Started,
        Toolbox, UNPULLABLE_HUB, wait_until,
    },
    product::{Guard, HeldPulls, images_of_pod, journals, mesh_upgrade, mesh_upgrade_command, wait_for_journal},
};
use serde_json::{Value, json};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(60);
/// Whose Secret pods of the mesh are pulled with.
const PULL_SECRET: &str = "global.imagePullSecrets[0]=mirror";
/// Charts of a release with this value apply what istiod writes, too.
const IGNORE: &str = "base.validationFailurePolicy=Ignore";

#[test]
fn images_that_cannot_be_pulled_withdraw_the_upgrade() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions {
        registry_falters: true,
        ..ClusterOptions::named("east")
    })?;
    let options = IstioOptions {
        values: [PULL_SECRET, IGNORE].map(str::to_owned).to_vec(),
        ..IstioOptions::version(FROM)
    };
    let istio = Istio::install(&cluster, options)?;
    let _guard = Guard::install(&cluster)?;
    let charts = cluster.dir().join("unpullable-charts");
    Toolbox::get()?.unpullable_charts(TO, &charts)?;
    let releases = ["get", "secrets", "-A", "-l", "owner=helm", "-o", "name"];
    let before = cluster.kubectl(&releases)?.ok()?.to_owned();

    let charts = charts.display().to_string();
    let apply = mesh_upgrade(&cluster, &["apply", "--to", TO, "--charts", &charts, "--yes"])?;
    ensure!(apply.code == 3, "{apply}");
    let node = cluster.kubectl(&["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"])?;
    let said = format!("{}{}", apply.stdout, apply.stderr);
    for expected in [UNPULLABLE_HUB, "ImagePullBackOff", &format!("on node {}", node.ok()?)] {
        ensure!(said.contains(expected), "{expected} is not named: {apply}");
    }
    let journal = wait_for_journal(&cluster, "a journal", Duration::from_secs(10), |_| true)?;
    let phase = journal.pointer("/status/phase").context("a phase")?;
    ensure!(phase == "Withdrawn", "{journal:#}");

    ensure!(cluster.kubectl(&releases)?.ok()? == before, "helm has written");
    for left in [
        &["get", "pods", "-A", "-l", "app=mesh-upgrade-pull", "-o", "name"][..],
        &["get", "meshfreezes", "-o", "name"],
    ] {
        let left = cluster.kubectl(left)?;
        ensure!(left.ok()?.is_empty(), "{left}");
    }
    let policies = cluster.kubectl(&["get", "validatingadmissionpolicies", "-o", "name"])?;
    ensure!(!policies.ok()?.contains("mesh-freeze"), "{policies}");
    ensure!(istio.injected_image(&cluster)?.ends_with(&format!(":{FROM}")));
    a_node_that_leaves_meanwhile_does_not_count(&cluster, &charts)?;
    an_image_that_the_values_pin_is_told_before_anything_is_begun(&cluster)?;
    mended_it_arrives_with_images_of_its_own_registry(&cluster, &istio)
}

/// Nodes are listed once, and autoscalers take some away before their turn. Only the pull's pod tolerates this one's taint.
fn a_node_that_leaves_meanwhile_does_not_count(cluster: &Cluster, charts: &str) -> Result<()> {
    let kubelet = "jsonpath={.items[0].status.nodeInfo.kubeletVersion}";
    let kubelet = cluster.kubectl(&["get", "nodes", "-o", kubelet])?;
    let kubelet = kubelet.ok()?;
    cluster
        .apply_stdin(&format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: leaving, labels: {{kubernetes.io/os: linux}}}}, \
             spec: {{taints: [{{key: example.com/alone, effect: NoSchedule}}]}}, \
             status: {{nodeInfo: {{kubeletVersion: {kubelet}, kubeProxyVersion: {kubelet}, operatingSystem: linux, \
             architecture: amd64}}}}}}"
        ))?
        .ok()?;
    let ready = ["wait", "--for=condition=Ready", "--timeout=60s", "node/leaving"];
    cluster.kubectl(&ready)?.ok()?;
    wait_until("the new node to lose the taint that it began with", DEADLINE, || {
        let taints = cluster.kubectl(&["get", "node", "leaving", "-o", "jsonpath={.spec.taints[*].key}"])?;
        Ok((taints.ok()?.trim() == "example.com/alone").then_some(()))
    })?;

    // The first of the nodes, by its name; the other one's pod fails meanwhile.
    let proxy = Proxy::holding(cluster, "alice", Some((1, Moment::Before)), |seen| {
        seen.method == "GET" && seen.path.contains("/pods/mesh-upgrade-pull-0")
    })?;
    let mut command = mesh_upgrade_command(cluster, "alice", &["apply", "--to", TO, "--charts", charts, "--yes"])?;
    command.env("KUBECONFIG", proxy.kubeconfig());
    let mut apply = Started::of(command)?;
    wait_until("apply to look at the pod of the node that leaves", DEADLINE, || {
        ensure!(
            apply.child.try_wait()?.is_none() || proxy.is_reached(),
            "apply ended before: {}",
            apply.said()
        );
        Ok(proxy.is_reached().then_some(()))
    })?;
    cluster.kubectl(&["delete", "node", "leaving", "--wait"])?.ok()?;
    proxy.let_go();
    let status = apply.ended()?;
    let said = apply.said();
    ensure!(status.code() == Some(3), "{status}: {said}");
    for expected in ["(1 passed over: leaving is gone)", "on node node-"] {
        ensure!(said.contains(expected), "{expected} is not told: {said}");
    }
    ensure!(!said.contains("on node leaving"), "{said}");
    Ok(())
}

/// It would stay as it is, and the upgrade would wait for the target, frozen, for ever.
fn an_image_that_the_values_pin_is_told_before_anything_is_begun(cluster: &Cluster) -> Result<()> {
    let pin = format!("pilot.image=docker.io/istio/pilot:{FROM}");
    let bare = ["--reuse-values", "--set", &pin];
    let conflict = upgrade_by_hand(cluster, &bare)?;
    ensure!(
        !conflict.success() && conflict.stderr.contains("conflict") && conflict.stderr.contains("failurePolicy"),
        "istiod's field is no conflict to helm: {conflict}"
    );
    upgrade_by_hand(cluster, &[&bare[..], &["--force-conflicts"]].concat())?.ok()?;
    let journals = ["get", "meshupgrades", "-o", "name"];
    let before = cluster.kubectl(&journals)?.ok()?.to_owned();
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let apply = mesh_upgrade(cluster, &["apply", "--to", TO, "--charts", &charts, "--yes"])?;
    ensure!(apply.code == 1, "{apply}");
    for expected in [
        "would run docker.io/istio/pilot:1.30.3",
        "helm get values istiod -n istio-system",
    ] {
        ensure!(apply.stderr.contains(expected), "{expected} is not told: {apply}");
    }
    ensure!(cluster.kubectl(&journals)?.ok()? == before, "{apply}");
    Ok(())
}

fn upgrade_by_hand(cluster: &Cluster, more: &[&str]) -> Result<Run> {
    let chart = Toolbox::get()?.charts(FROM)?.join("istiod").display().to_string();
    let arguments = [
        "upgrade",
        "istiod",
        &chart,
        "-n",
        "istio-system",
        "--wait",
        "--timeout=3m",
    ];
    cluster.helm(&[&arguments[..], more].concat())
}

/// The values lead to another registry by now, which gives no image at first, to the pods that pull with the mesh's own Secret.
fn mended_it_arrives_with_images_of_its_own_registry(cluster: &Cluster, istio: &Istio) -> Result<()> {
    let hub = format!("global.hub={FALTERING_HUB}");
    let mut values = vec!["--reset-values".to_owned(), "--force-conflicts".to_owned()];
    let webhooks = Istio::webhook_values(cluster)?;
    for value in webhooks.iter().map(String::as_str).chain([&*hub, PULL_SECRET, IGNORE]) {
        values.extend(["--set".to_owned(), value.to_owned()]);
    }
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    upgrade_by_hand(cluster, &values)?.ok()?;
    istio.wait_serving(cluster, FROM)?;

    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let pulls = HeldPulls::of(cluster)?;
    let falters = |pod: &Value| {
        let waiting = pod.pointer("/status/containerStatuses/0/state/waiting/reason");
        waiting == Some(&Value::from("ErrImagePull"))
    };
    let apply = pulls.run(&["apply", "--to", TO, "--charts", &charts, "--yes"], || {
        let pods = pulls.pods(1, falters)?;
        let pod = pods.first().context("a pod")?;
        let expected = ["pilot", "proxyv2"].map(|name| format!("{FALTERING_HUB}/{name}:{TO}"));
        ensure!(images_of_pod(pod) == expected, "{pod:#}");
        ensure!(
            pod.pointer("/spec/imagePullSecrets") == Some(&json!([{ "name": "mirror" }])),
            "{pod:#}"
        );
        pulls.seen()?;
        let pods = [
            "annotate",
            "pods",
            "-n",
            "istio-system",
            "-l",
            "app=mesh-upgrade-pull",
            REGISTRY_IS_BACK,
        ];
        cluster.kubectl(&pods)?.ok().map(drop)
    })?;
    apply.ok()?;
    let journals = journals(cluster)?;
    let phases: Vec<_> = journals
        .iter()
        .map(|journal| journal.pointer("/status/phase"))
        .collect();
    let [withdrawn, succeeded] = ["Withdrawn", "Succeeded"].map(Value::from);
    ensure!(
        phases == [Some(&withdrawn), Some(&withdrawn), Some(&succeeded)],
        "{phases:?}: {apply}"
    );
    let planned = journals
        .last()
        .and_then(|journal| journal.pointer("/spec/plan/images")?.as_array());
    let mut planned = planned.into_iter().flatten().filter_map(Value::as_str);
    ensure!(planned.all(|image| image.starts_with(FALTERING_HUB)), "{journals:#?}");
    istio.wait_serving(cluster, TO)?;
    ensure!(istio.injected_image(cluster)? == format!("{FALTERING_HUB}/proxyv2:{TO}"));
    Ok(())
}
