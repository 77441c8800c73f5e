//! Runbooks proved by running them: the scripts of `guide`, in place and as a canary, executed as they are on a real
//! control plane with real helm, end with a healthy mesh at the target; and `guide` itself persists nothing.
//!
//! Of two revisions of istiod only the newest is a real process here, and it serves both.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    audit,
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Toolbox, wait_until},
    product::{Guard, mesh_upgrade, mesh_upgrade_command},
};
use serde_json::{Value, json};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(60);

/// Workloads of every kind that a restart meets, in a namespace of the default revision, and one of the tag `prod`.
const SHOP: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Namespace
metadata: {name: pay, labels: {istio.io/rev: prod}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: reviews}}
  template:
    metadata: {labels: {app: reviews}}
    spec: {containers: [{name: app, image: example/app:1}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: reviews, namespace: shop}
spec: {minAvailable: 2, selector: {matchLabels: {app: reviews}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ledger, namespace: pay}
spec:
  selector: {matchLabels: {app: ledger}}
  template:
    metadata: {labels: {app: ledger}}
    spec: {containers: [{name: app, image: example/app:1}]}
";

fn install(name: &str) -> Result<(Cluster, Istio)> {
    let cluster = Cluster::start(ClusterOptions::named(name))?;
    let options = IstioOptions {
        gateway: true,
        ..IstioOptions::version(FROM)
    };
    let istio = Istio::install(&cluster, options)?;
    Ok((cluster, istio))
}

/// Who may do everything, and nothing is written all the same.
fn declare_external(cluster: &Cluster) -> Result<()> {
    mesh_upgrade(cluster, &["adopt", "--management", "external", "--yes"])?.ok()?;
    Ok(())
}

#[test]
fn the_runbook_in_place_is_run_as_it_is_and_arrives() -> Result<()> {
    let (cluster, istio) = install("external")?;
    cluster.apply_stdin(SHOP)?.ok()?;
    wait_for_proxies(&cluster, FROM, 2)?;
    declare_external(&cluster)?;
    // The guard stands there, as it would in a cluster that others share.
    let _guard = Guard::install(&cluster)?;

    let before = audit::read(&cluster.audit_log())?.len();
    let refused = mesh_upgrade(&cluster, &["apply", "--to", TO, "--yes"])?;
    ensure!(
        refused.code == 3
            && refused
                .stderr
                .contains("kubectl mesh-upgrade guide default --to 1.31.0"),
        "apply does not point to the guide: {refused}"
    );
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let arguments = ["guide", "--to", TO, "--charts", charts.as_str()];
    let page = mesh_upgrade(&cluster, &arguments)?;
    ensure!(
        page.ok()?
            .starts_with("# Mesh default: Istio 1.30.3 to 1.31.0, in-place"),
        "{page}"
    );
    let document = mesh_upgrade(&cluster, &with(&arguments, &["-o", "json"]))?.json()?;
    ensure!(
        text(&document, "/kind") == "Guide" && text(&document, "/management") == "External",
        "{document:#}"
    );
    ensure!(
        page.stdout
            .contains("PodDisruptionBudgets that allow no eviction now: reviews"),
        "{page}"
    );
    let script = runbook(&cluster, &with(&arguments, &["--script"]))?;
    let status = mesh_upgrade(&cluster, &["dataplane", "status", "-o", "json"])?.json()?;
    nothing_was_persisted(&cluster, before)?;
    every_workload_is_known(&status)?;

    let ran = run(&cluster, &script)?;
    ran.ok()?;
    istio.wait_serving(&cluster, TO)?;
    wait_for_proxies(&cluster, TO, 2)?;
    let status = mesh_upgrade(&cluster, &["dataplane", "status"])?;
    ensure!(status.ok()?.contains("0 of them behind"), "{status}");
    let over = mesh_upgrade(&cluster, &arguments)?;
    ensure!(over.code == 0 && over.stderr.contains("nothing to guide to"), "{over}");

    goes_back_past_the_guard(&cluster, &document)?;
    istio.wait_serving(&cluster, FROM)
}

/// The way back, as the runbook says it: refused to everybody until its owner allows it, told of, and closed again.
fn goes_back_past_the_guard(cluster: &Cluster, document: &Value) -> Result<()> {
    let commands = way_back(document, "istiod: ")?;
    let script = |name: &str, commands: &[&String]| -> Result<PathBuf> {
        let mut text = String::from("set -eu\nexport REASON='gateways drop \"keep-alive\"'\n");
        for command in commands {
            text.push_str(&format!("{command}\n"));
        }
        let file = cluster.dir().join(name);
        std::fs::write(&file, text)?;
        Ok(file)
    };
    let rollback = commands.iter().find(|command| command.contains(" rollback "));
    let rollback = rollback.with_context(|| format!("no rollback in {commands:?}"))?;
    let refused = run(cluster, &script("unallowed.sh", &[rollback])?)?;
    ensure!(
        !refused.success() && refused.stderr.contains("MG003 downgrade"),
        "{refused}"
    );
    run(cluster, &script("back.sh", &commands.iter().collect::<Vec<_>>())?)?.ok()?;

    let mesh = wait_until("the version that it went back to, recorded", DEADLINE, || {
        let mesh = cluster.kubectl(&["get", "mesh", "default", "-o", "json"])?.json()?;
        ensure!(text(&mesh, "/status/version") == FROM, "{mesh:#}");
        Ok(Some(mesh))
    })?;
    ensure!(
        mesh.pointer("/spec/downgrade").is_none(),
        "the way back stands open: {mesh:#}"
    );
    let said = "as alice allowed for mesh \"default\"";
    wait_until("Events of what went back", DEADLINE, || {
        let notes = "jsonpath={range .items[*]}{.note}{\"\\n\"}{end}";
        let field = "--field-selector=reason=AllowedDowngrade";
        let events = cluster.kubectl(&["get", "events.events.k8s.io", field, "-o", notes])?;
        for what in ["Deployment istio-system/istiod", "helm release istio-system/istiod"] {
            let mut notes = events.ok()?.lines();
            ensure!(
                notes.any(|note| note.contains(what) && note.contains(said)),
                "{what}: {events}"
            );
        }
        Ok(Some(()))
    })?;
    let log = std::fs::read_to_string(cluster.audit_log())?;
    for annotation in [
        "workloads.guard.meshupgrade.io/downgrade",
        "helm.guard.meshupgrade.io/downgrade",
        "mesh-upgrade-own-objects/downgrade",
    ] {
        ensure!(log.contains(annotation), "the audit log has no {annotation}");
    }
    Ok(())
}

/// Commands of the way back from the step that upgrades a component.
fn way_back(document: &Value, title: &str) -> Result<Vec<String>> {
    let chapters = document.pointer("/chapters").and_then(Value::as_array);
    let steps = chapters.into_iter().flatten();
    let mut steps = steps.flat_map(|chapter| {
        chapter
            .pointer("/steps")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    });
    let step = steps.find(|step| text(step, "/title").starts_with(title));
    let commands = step.and_then(|step| step.pointer("/back/commands")?.as_array());
    let commands = commands.with_context(|| format!("no way back from {title}: {document:#}"))?;
    ensure!(!commands.is_empty(), "no way back from {title}");
    Ok(commands
        .iter()
        .filter_map(|command| Some(command.as_str()?.to_owned()))
        .collect())
}

#[test]
fn the_runbook_of_a_canary_is_run_as_it_is_and_the_old_revision_goes() -> Result<()> {
    let (cluster, istio) = install("canary")?;
    set_tag(&cluster, "prod")?;
    cluster.apply_stdin(SHOP)?.ok()?;
    wait_for_proxies(&cluster, FROM, 3)?;

    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let before = audit::read(&cluster.audit_log())?.len();
    let script = runbook(
        &cluster,
        &[
            "guide",
            "--to",
            TO,
            "--charts",
            &charts,
            "--strategy",
            "canary",
            "--script",
        ],
    )?;
    nothing_was_persisted(&cluster, before)?;
    let ran = run(&cluster, &script)?;
    ran.ok()?;

    let releases = cluster.helm(&["list", "--namespace", "istio-system", "--short"])?;
    ensure!(releases.ok()? == "istio-base\nistiod-1-31-0", "{releases}");
    for configuration in ["istio-revision-tag-prod", "istio-revision-tag-default"] {
        let path = "jsonpath={.metadata.labels.istio\\.io/rev}";
        let revision = cluster.kubectl(&["get", "mutatingwebhookconfiguration", configuration, "-o", path])?;
        ensure!(revision.ok()? == "1-31-0", "{configuration}: {revision}");
    }
    wait_for_proxies(&cluster, TO, 3)?;
    // What names no revision is injected by the new one, and what is wrong is still refused.
    let image = istio.injected_image(&cluster)?;
    ensure!(image.ends_with(&format!(":{TO}")), "{image}");
    let refused = istio.write_bad_virtual_service(&cluster)?;
    ensure!(refused.refused()?.contains("configuration is invalid"), "{refused}");
    let list = mesh_upgrade(&cluster, &["list", "-o", "json"])?.json()?;
    ensure!(text(&list, "/meshes/0/version") == TO, "{list:#}");
    Ok(())
}

#[test]
fn a_mesh_is_adopted_once_and_compared_afterwards() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("adopted"))?;
    Istio::install(&cluster, IstioOptions::version(FROM))?;
    let shown = mesh_upgrade(&cluster, &["adopt", "--dry-run"])?;
    ensure!(
        shown.ok()?.contains("kind: Mesh") && shown.stdout.contains("management: Dedicated"),
        "{shown}"
    );
    ensure!(shown.stderr.contains("Nothing was written"), "{shown}");
    let unasked = mesh_upgrade(&cluster, &["adopt"])?;
    ensure!(
        unasked.code == 64 && unasked.stderr.contains("no terminal to ask on"),
        "{unasked}"
    );
    ensure!(
        !cluster.kubectl(&["get", "meshes"])?.success(),
        "nothing was to be written"
    );

    mesh_upgrade(&cluster, &["adopt", "--yes"])?.ok()?;
    let table = cluster.kubectl(&["get", "meshes"])?;
    for cell in ["MANAGEMENT", "AVAILABLE", "UPGRADE", "Dedicated", FROM, "1.31."] {
        ensure!(table.ok()?.contains(cell), "{cell} is not in {table}");
    }
    let again = mesh_upgrade(&cluster, &["adopt", "--yes"])?;
    ensure!(again.ok()?.contains("nothing to do"), "{again}");
    let other = mesh_upgrade(&cluster, &["adopt", "--management", "external", "--yes"])?;
    ensure!(
        other.code == 3
            && other
                .stderr
                .contains("spec.management is Dedicated, and External was asked for"),
        "{other}"
    );
    Ok(())
}

/// What `guide` and `dataplane status` did on the API server: access reviews and port-forwards are creates that persist
/// nothing.
fn nothing_was_persisted(cluster: &Cluster, before: usize) -> Result<()> {
    let alice = "alice";
    let events = audit::read(&cluster.audit_log())?;
    let own: Vec<_> = events.iter().skip(before).filter(|event| event.user == alice).collect();
    ensure!(own.len() > 10, "alice was hardly seen: {own:?}");
    for event in own {
        let reviews = ["authentication.k8s.io", "authorization.k8s.io"].contains(&event.group.as_str());
        let forwards = event.resource == "pods/portforward";
        ensure!(
            !event.is_write() || event.dry_run || reviews || forwards,
            "it wrote: {event}"
        );
    }
    Ok(())
}

/// A budget that allows no eviction is told of, and the command is one that can be run.
fn every_workload_is_known(status: &Value) -> Result<()> {
    let workloads = status.pointer("/workloads").and_then(Value::as_array);
    let mut workloads = workloads.into_iter().flatten();
    let reviews = workloads
        .find(|one| text(one, "/workload") == "deployment/reviews")
        .with_context(|| format!("no reviews: {status:#}"))?;
    ensure!(
        text(reviews, "/skew") == "Current" && reviews.pointer("/pods") == Some(&json!(2)),
        "{reviews:#}"
    );
    Ok(())
}

/// Writes the runbook where it will be run.
fn runbook(cluster: &Cluster, arguments: &[&str]) -> Result<PathBuf> {
    let script = mesh_upgrade(cluster, arguments)?;
    let file = cluster.dir().join("runbook.sh");
    std::fs::write(&file, script.ok()?)?;
    Ok(file)
}

/// Runs a runbook as alice, unattended, with real kubectl and helm.
fn run(cluster: &Cluster, script: &PathBuf) -> Result<Run> {
    let environment = mesh_upgrade_command::<&str>(cluster, "alice", &[])?;
    let mut command = Command::new("sh");
    command.arg(script).arg("--yes").env_clear().current_dir(cluster.dir());
    for (name, value) in environment.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    Run::of(command, None)
}

/// Lets a tag stand for the default revision, as Istio's documents say with helm.
fn set_tag(cluster: &Cluster, tag: &str) -> Result<()> {
    let chart = Toolbox::get()?.charts(FROM)?.join("istiod").display().to_string();
    let mut template: Vec<String> = ["template", "istiod", &chart, "--namespace=istio-system"]
        .map(String::from)
        .into();
    template.push("--show-only=templates/revision-tags-mwc.yaml".to_owned());
    template.push(format!("--set-json=revisionTags=[\"{tag}\"]"));
    for value in Istio::webhook_values(cluster)? {
        template.extend(["--set".to_owned(), value]);
    }
    let manifests = cluster.helm(&template)?;
    cluster.apply_stdin(manifests.ok()?)?.ok()?;
    Ok(())
}

/// Waits until so many running pods have a sidecar, and all of this version.
fn wait_for_proxies(cluster: &Cluster, version: &str, at_least: usize) -> Result<()> {
    let what = format!("proxies of {version}");
    wait_until(&what, DEADLINE, || {
        let pods = cluster
            .kubectl(&["get", "pods", "--all-namespaces", "--output=json"])?
            .json()?;
        let pods = pods
            .pointer("/items")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let images: Vec<String> = pods
            .iter()
            .filter(|pod| ["shop", "pay"].contains(&text(pod, "/metadata/namespace")))
            .filter(|pod| pod.pointer("/metadata/deletionTimestamp").is_none())
            .filter_map(proxy)
            .collect();
        let all = images.iter().all(|image| image.ends_with(&format!(":{version}")));
        ensure!(all && images.len() >= at_least, "{images:?}");
        Ok(Some(()))
    })
}

fn proxy(pod: &Value) -> Option<String> {
    let lists = ["/spec/initContainers", "/spec/containers"];
    let mut containers = lists.iter().filter_map(|list| pod.pointer(list)?.as_array()).flatten();
    let proxy = containers.find(|container| text(container, "/name") == "istio-proxy")?;
    Some(text(proxy, "/image").to_owned())
}

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [arguments, more].concat()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
