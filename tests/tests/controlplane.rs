//! Proves the test control plane itself, so that every other test may rely on it.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mesh_upgrade_tests::harness::{
    Cluster, ClusterOptions, Footprint, Istio, IstioOptions, Toolbox, no_leftovers, wait_until,
};

/// Tells a test that is started by another one where to write the folder of its cluster.
const VICTIM: &str = "CONTROLPLANE_TEST_VICTIM";

/// A pod that wants no sidecar, for whether the API server takes writes.
const CONFIG_MAP: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: probe}}";

#[test]
fn istio_is_installed_and_upgraded_for_real() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let istio = timed("install 1.30.3", || {
        Istio::install(&cluster, IstioOptions::version("1.30.3"))
    })?;
    ensure!(istio.injected_image(&cluster)?.ends_with("/proxyv2:1.30.3"));
    let refused = istio.write_bad_virtual_service(&cluster)?;
    ensure!(refused.refused()?.contains("weight -1 < 0"), "{refused}");
    ensure!(istio.version_through_port_forward(&cluster)? == "1.30.3-9739e10eb9d7-Clean");

    timed("upgrade to 1.31.0", || istio.upgrade(&cluster, "1.31.0"))?;
    ensure!(istio.injected_image(&cluster)?.ends_with("/proxyv2:1.31.0"));
    let refused = istio.write_bad_virtual_service(&cluster)?;
    ensure!(refused.refused()?.contains("weight -1 < 0"), "{refused}");
    ensure!(istio.version_through_port_forward(&cluster)? == "1.31.0-eed52ebb66ad-Clean");
    ensure!(istio.version_on_port(&cluster)? == "1.31.0-eed52ebb66ad-Clean");

    // istiod acts as its own service account, as every admission rule expects.
    let audit = std::fs::read_to_string(cluster.audit_log())?;
    ensure!(audit.contains(r#""username":"system:serviceaccount:istio-system:istiod""#));
    ensure!(audit.contains(r#""username":"system:serviceaccount:kube-system:deployment-controller""#));
    say(&format!("status {}", cluster.control("status")?));
    ended(cluster)
}

#[test]
fn every_component_and_flavor_installs() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions {
        nodes: 2,
        ..ClusterOptions::named("ambient")
    })?;
    let options = IstioOptions {
        replicas: 2,
        cni: true,
        ztunnel: true,
        gateway: true,
        ..IstioOptions::version("1.30.3-mspider")
    };
    let istio = timed("install 1.30.3-mspider, ambient", || Istio::install(&cluster, options))?;
    ensure!(istio.version_on_port(&cluster)?.starts_with("1.30.3-mspider-9739"));
    timed("upgrade to 1.31.0-mspider", || {
        istio.upgrade(&cluster, "1.31.0-mspider")
    })?;
    let images = cluster.kubectl(&["get", "pods", "-A", "-o=jsonpath={.items[*].spec.containers[*].image}"])?;
    for image in ["pilot", "install-cni", "ztunnel", "proxyv2"] {
        ensure!(
            images.ok()?.contains(&format!("/{image}:1.31.0-mspider-distroless")),
            "{image} is not among {images}"
        );
    }
    ended(cluster)
}

#[test]
fn the_api_server_can_be_stopped_and_people_have_their_rights() -> Result<()> {
    let clusters = Cluster::start_many([
        ClusterOptions::named("true"),
        ClusterOptions::reporting("low", "1.31.5"),
    ])?;
    for cluster in &clusters {
        ensure!(cluster.apply_stdin(CONFIG_MAP)?.success());
        cluster.stop_api_server()?;
        let while_stopped = cluster.kubectl(&["get", "nodes", "--request-timeout=2s"])?;
        ensure!(!while_stopped.success(), "{while_stopped}");
        cluster.start_api_server()?;
        timed("restart the API server", || cluster.restart_api_server())?;
        cluster.kubectl(&["get", "configmap", "probe"])?.ok()?;

        ensure!(
            cluster
                .kubectl_as("alice", &["auth", "can-i", "delete", "nodes"])?
                .ok()?
                == "yes"
        );
        let bob = cluster.kubectl_as("bob", &["get", "configmaps"])?;
        ensure!(bob.refused()?.contains("Forbidden"), "{bob}");
        // Watches have to stream and exec-like requests to upgrade through the proxy too.
        cluster
            .kubectl(&["create", "deployment", "app", "--image=example/app:1"])?
            .ok()?;
        cluster
            .kubectl(&["rollout", "status", "deployment/app", "--timeout=60s"])?
            .ok()?;
        cluster
            .kubectl(&["create", "deployment", "bad", "--image=example/unpullable:1"])?
            .ok()?;
        wait_until("an image that cannot be pulled", Duration::from_secs(60), || {
            let pods = cluster.kubectl(&["get", "pods", "--selector=app=bad", "--no-headers"])?;
            Ok(pods.ok()?.contains("0/1   ImagePullBackOff").then_some(()))
        })?;
        ensure!(cluster.kubectl(&["config", "current-context"])?.ok()? == cluster.name());
    }
    for (cluster, version) in clusters.iter().zip(["v1.36.3", "v1.31.5"]) {
        let told = cluster.kubectl(&["version", "--output=json"])?.json()?;
        ensure!(told["serverVersion"]["gitVersion"] == version, "{told}");
        let node = cluster.kubectl(&["get", "nodes", "-o=jsonpath={.items[*].status.nodeInfo.kubeletVersion}"])?;
        ensure!(node.ok()? == version, "{node}");
    }
    let istio = Istio::install(
        clusters.last().context("two clusters")?,
        IstioOptions::version("1.30.3"),
    )?;
    ensure!(istio.options().version == "1.30.3");
    clusters.into_iter().try_for_each(ended)
}

#[test]
fn a_panicking_test_leaves_nothing() -> Result<()> {
    let mut footprint = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let cluster = Cluster::start(ClusterOptions::named("panic"));
        footprint = cluster.as_ref().ok().map(Cluster::footprint);
        assert!(cluster.is_err(), "as a failing test would");
    }));
    ensure!(outcome.is_err(), "the cluster did not start");
    footprint.context("no cluster")?.gone()?;
    no_leftovers()
}

#[test]
fn a_killed_test_leaves_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let told = folder.path().join("dir");
    // Built here, so that the victim's deadline is not the build's.
    Toolbox::get()?;
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "controlplane::victim", "--nocapture"])
        .env(VICTIM, &told)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let dir = wait_until("the victim's cluster", Duration::from_secs(120), || {
        if let Some(status) = victim.try_wait()? {
            bail!("the victim ended by itself with {status}");
        }
        Ok(std::fs::read_to_string(&told).ok().filter(|dir| !dir.is_empty()))
    });
    victim.kill()?;
    victim.wait()?;
    Footprint::of(Path::new(&dir?)).gone()
}

/// Started by `a_killed_test_leaves_nothing`, which kills it; on its own it does nothing.
#[test]
fn victim() -> Result<()> {
    let Some(told) = std::env::var_os(VICTIM) else {
        return Ok(());
    };
    let cluster = Cluster::start(ClusterOptions::named("victim"))?;
    let unfinished = Path::new(&told).with_extension("unfinished");
    std::fs::write(&unfinished, cluster.dir().display().to_string())?;
    std::fs::rename(unfinished, told)?;
    wait_until("the end", Duration::from_secs(120), || Ok(None))
}

/// Drops a cluster and checks that it is gone.
fn ended(cluster: Cluster) -> Result<()> {
    let footprint = cluster.footprint();
    timed("end a cluster", || {
        drop(cluster);
        footprint.gone()
    })
}

/// Shows how long something took, for the figures in the documents.
fn timed<T>(what: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    let result = act().with_context(|| what.to_owned());
    say(&format!("{what}: {:.1} s", began.elapsed().as_secs_f64()));
    result
}

fn say(text: &str) {
    // Only for a reader; a closed standard error fails no test.
    let _ = writeln!(std::io::stderr(), "{text}");
}
