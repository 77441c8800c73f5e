//! Every cluster of a mesh is asked: found in the Mesh object, by --contexts and in remote Secrets; what cannot be read
//! is Unknown with its reason, and the others complete.
//!
//! One real cluster. A server that hangs, an address where nobody listens and a server with an expired certificate are
//! stand-ins; the cluster that forbids lists is the real one, asked by bob, who has no rights.

use std::{path::Path, process::Command, sync::atomic::Ordering};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use mesh_upgrade_tests::{
    harness::{
        Cluster, ClusterOptions, Contexts, Istio, IstioOptions, Run, stand_in_that_hangs, stand_in_that_refuses,
        stand_in_with_an_expired_certificate,
    },
    product::mesh_upgrade_command,
};
use serde_json::{Value, json};

/// How many connections one check may try to a server that says nothing: it makes a few at once, and gives it up.
const TRIES: usize = 16;

#[test]
fn what_cannot_be_read_is_unknown_with_its_reason_and_the_others_complete() -> Result<()> {
    let east = Cluster::start(ClusterOptions::named("east"))?;
    Istio::install(&east, IstioOptions::version("1.30.3"))?;
    let (alice, bob) = (east.kubeconfig_for("alice")?, east.kubeconfig_for("bob")?);
    let contexts = Contexts::of(&alice)?;
    let (server, administrator) = (contexts.cluster(), contexts.user());
    let nobody = json!({"token": "not-needed"});
    let (hanging, tries) = stand_in_that_hangs()?;
    let kubeconfig = contexts
        .clone()
        .with("again", &server, &administrator)
        .with("hanging", &hanging, &nobody)
        .with("refusing", &stand_in_that_refuses()?, &nobody)
        .with("expired", &stand_in_with_an_expired_certificate()?, &nobody)
        .with("forbidding", &server, &Contexts::of(&bob)?.user())
        .write(east.dir().join("several-contexts"))?;

    // By --contexts: one cluster under two names is one.
    let run = mesh_upgrade(
        &east,
        &kubeconfig,
        &["check", "--to", "1.31.0", "--contexts", "east,again"],
    )?;
    ensure!(run.code == 0, "{run}");
    ensure!(
        run.stderr.contains("east and again are one cluster, counted once"),
        "{run}"
    );
    let wrong = mesh_upgrade(&east, &kubeconfig, &["list", "--contexts", "east,wst"])?;
    ensure!(
        wrong.code == 1 && wrong.stderr.contains("no context \"wst\""),
        "{wrong}"
    );

    // By the Mesh object, which calls the cluster otherwise than the kubeconfig does.
    let crds = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../manifests/crds")
        .display()
        .to_string();
    east.kubectl(&["apply", "--server-side", "--filename", &crds])?.ok()?;
    east.wait_until_established()?;
    let members: Vec<Value> = [
        ("home", "east"),
        ("hanging", "hanging"),
        ("refusing", "refusing"),
        ("expired", "expired"),
    ]
    .into_iter()
    .chain([("forbidding", "forbidding"), ("nowhere", "no-such-context")])
    .map(|(name, context)| json!({"name": name, "context": context}))
    .collect();
    let mesh = json!({
        "apiVersion": "meshupgrade.io/v1alpha1", "kind": "Mesh", "metadata": {"name": "shop"},
        "spec": {"istioNamespace": "istio-system", "clusters": members},
    });
    east.apply_stdin(&mesh.to_string())?.ok()?;
    // And by Secrets: one leads to the same cluster by another address, two are hostile, and one lies where no istiod is.
    let trap = east.dir().join("trap");
    let exec = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch",
        "args": [trap.display().to_string()], "interactiveMode": "Never"}});
    let file = json!({"tokenFile": "/etc/hostname"});
    let mut other_address = server.clone();
    let address = east.server().replace("127.0.0.1", "localhost");
    ensure!(address != east.server(), "{address}");
    if let Some(server) = other_address.get_mut("server") {
        *server = json!(address);
    }
    for (namespace, name, kubeconfig) in [
        (
            "istio-system",
            "same",
            Contexts::alone("same", &other_address, &administrator),
        ),
        (
            "istio-system",
            "exec",
            Contexts::alone("exec", &stand_in_that_refuses()?, &exec),
        ),
        (
            "istio-system",
            "file",
            Contexts::alone("file", &stand_in_that_refuses()?, &file),
        ),
        (
            "default",
            "elsewhere",
            Contexts::alone("elsewhere", &stand_in_that_refuses()?, &nobody),
        ),
    ] {
        east.apply_stdin(&remote_secret(namespace, name, &kubeconfig).to_string())?
            .ok()?;
    }

    let arguments = [
        "check",
        "shop",
        "--to",
        "1.31.0",
        "--request-timeout",
        "4s",
        "--stats",
        "-o",
        "json",
    ];
    let run = mesh_upgrade(&east, &kubeconfig, &arguments)?;
    ensure!(run.code == 3, "{run}");
    let report: Value = serde_json::from_str(&run.stdout).with_context(|| run.to_string())?;
    for (cluster, reason) in [
        ("hanging", "did not answer in time"),
        ("refusing", "connection refused"),
        ("expired", "certificate of 127.0.0.1"),
        ("forbidding", "not allowed to"),
        ("nowhere", "no context \"no-such-context\""),
        ("exec", "an exec plugin is not allowed in a Secret"),
        ("file", "a tokenFile is not allowed in a Secret"),
    ] {
        let cause = unknown(&report, cluster).with_context(|| format!("{cluster} is not Unknown: {run}"))?;
        ensure!(cause.contains(reason), "{cluster}: {cause}");
    }
    // By its own record: it was tried, and given up.
    let tries = tries.load(Ordering::SeqCst);
    ensure!(
        (1..=TRIES).contains(&tries),
        "the server that hangs was tried {tries} times: {run}"
    );
    ensure!(!trap.exists(), "a program out of a Secret has run");
    let all: Vec<&str> = findings(&report)
        .filter_map(|finding| finding.get("cluster")?.as_str())
        .collect();
    ensure!(!all.contains(&"elsewhere") && !all.contains(&"same"), "{all:?}");
    // The cluster that answered was checked to the end, under its name in the mesh.
    let passed = report
        .get("passed")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let at_home = |code: &str| {
        passed
            .iter()
            .any(|one| one.get("code") == Some(&json!(code)) && one.get("cluster") == Some(&json!("home")))
    };
    ensure!(at_home("MU901") && at_home("MU201"), "{run}");
    let stats = report
        .get("stats")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let calls = |name: &str| {
        let of = stats.iter().find(|one| one.get("cluster") == Some(&json!(name)))?;
        of.get("calls")?.as_u64()
    };
    ensure!(calls("home") > Some(20) && calls("nowhere") == Some(0), "{stats:?}");
    // One that says nothing is given up after three deadlines in all, and the others are not kept waiting by it.
    let milliseconds = |name: &str| {
        let of = stats.iter().find(|one| one.get("cluster") == Some(&json!(name)))?;
        of.get("milliseconds")?.as_u64()
    };
    let (hanging, home) = (milliseconds("hanging"), milliseconds("home"));
    ensure!(
        hanging.is_some_and(|hanging| hanging <= 3 * 4_000) && home < hanging,
        "{hanging:?} {home:?}"
    );

    let list = mesh_upgrade(&east, &kubeconfig, &["list", "--request-timeout", "4s"])?;
    ensure!(
        list.code == 0 && list.stdout.contains("cluster expired is Unknown"),
        "{list}"
    );
    all_meshes_have_a_line_each(&east, &kubeconfig)?;
    let apply = mesh_upgrade(
        &east,
        &kubeconfig,
        &["apply", "shop", "--to", "1.31.0", "--yes", "--request-timeout", "4s"],
    )?;
    ensure!(apply.code == 3 && apply.stdout.contains("MU901"), "{apply}");
    let several = mesh_upgrade(
        &east,
        &kubeconfig,
        &["apply", "--to", "1.31.0", "--contexts", "east,again"],
    )?;
    ensure!(several.code == 3 && several.stdout.contains("MU901"), "{several}");
    Ok(())
}

/// A second mesh beside the first, of which nothing runs.
fn all_meshes_have_a_line_each(east: &Cluster, kubeconfig: &Path) -> Result<()> {
    let lonely = json!({
        "apiVersion": "meshupgrade.io/v1alpha1", "kind": "Mesh", "metadata": {"name": "lonely"},
        "spec": {"istioNamespace": "lonely"},
    });
    east.apply_stdin(&lonely.to_string())?.ok()?;
    let all = ["check", "--all", "--to", "1.31.0", "--request-timeout", "4s"];
    let run = mesh_upgrade(east, kubeconfig, &all)?;
    let line = |mesh: &str| {
        let line = run.stdout.lines().find(|line| line.starts_with(&format!("{mesh} ")));
        line.with_context(|| format!("no line of {mesh}: {run}"))
    };
    ensure!(run.code == 3, "{run}");
    ensure!(
        line("shop")?.contains("blocked") && line("shop")?.contains("MU901"),
        "{run}"
    );
    ensure!(
        line("lonely")?.contains("unknown") && line("lonely")?.contains("blocked"),
        "{run}"
    );
    ensure!(run.stdout.contains("Meshes: 2, 0 free, 2 blocked; "), "{run}");
    let document = mesh_upgrade(east, kubeconfig, &[&all[..], &["-o", "json"]].concat())?;
    let document: Value = serde_json::from_str(&document.stdout).with_context(|| document.to_string())?;
    let reports = document.get("reports").and_then(Value::as_array).map_or(0, Vec::len);
    ensure!(
        reports == 2 && document.get("free") == Some(&json!(false)),
        "{document:#}"
    );
    // Afterwards the first mesh is the only one again.
    east.kubectl(&["delete", "mesh", "lonely"])?.ok()?;
    Ok(())
}

fn mesh_upgrade(cluster: &Cluster, kubeconfig: &Path, arguments: &[&str]) -> Result<Run> {
    let mut command: Command = mesh_upgrade_command(cluster, "alice", arguments)?;
    command.env("KUBECONFIG", kubeconfig);
    Run::of(command, None)
}

fn remote_secret(namespace: &str, name: &str, kubeconfig: &Value) -> Value {
    let kubeconfig = base64::engine::general_purpose::STANDARD.encode(kubeconfig.to_string());
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": format!("istio-remote-secret-{name}"), "namespace": namespace,
            "labels": {"istio/multiCluster": "true"}},
        "data": {name: kubeconfig},
    })
}

fn findings(report: &Value) -> impl Iterator<Item = &Value> {
    report.get("findings").and_then(Value::as_array).into_iter().flatten()
}

/// Why a cluster is Unknown.
fn unknown(report: &Value, cluster: &str) -> Option<String> {
    let of = findings(report).find(|finding| {
        finding.get("code") == Some(&json!("MU901")) && finding.get("cluster") == Some(&json!(cluster))
    })?;
    of.get("cause")?.as_str().map(str::to_owned)
}
