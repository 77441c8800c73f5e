//! A mesh whose Istio is RevisionBased, upgraded by `apply`: the Sail Operator brings a revision beside the one that runs and moves
//! its tag, workloads stay where they are until their owners restart them, and then the old revision goes by itself. The
//! operator is a stand-in; its helm, its charts and its identity are the real ones, and its kinds have the documented fields.
//!
//! Of two revisions of istiod only the newest is a real process here, and it serves both.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, Moment, Proxy, Run, Started, wait_until},
    product::{
        FOREIGN_CHANGE, Guard, StandInSail, images, mesh_upgrade, mesh_upgrade_command,
        two_revisions::{move_workloads, run_workloads, wait_for_proxies},
        wait_for_journal,
    },
};
use serde_json::{Value, json};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const OLD: &str = "default-v1-30-3";
const NEW: &str = "default-v1-31-0";
/// Whom the operator writes as.
const OPERATOR: &str = "system:serviceaccount:sail-operator:sail-operator";
const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn a_revision_comes_beside_and_the_old_one_goes_by_itself_with_a_stand_in_operator() -> Result<()> {
    let cluster = Arc::new(Cluster::start(ClusterOptions::named("sail-revisions"))?);
    let sail = StandInSail::install_revision_based(&cluster, FROM, TO)?;
    sail.follow_with_a_tag()?;
    let _at_work = sail.run();
    upgrade(&cluster, &sail)
}

/// What nothing refers to the operator takes away in the round that is told the version, in the middle of the freeze.
#[test]
fn a_revision_that_nothing_uses_goes_in_the_freeze_with_a_stand_in_operator() -> Result<()> {
    let cluster = Arc::new(Cluster::start(ClusterOptions::named("sail-unused"))?);
    let sail = StandInSail::install_revision_based(&cluster, FROM, TO)?;
    let _at_work = sail.run();
    upgrade_what_nothing_uses(&cluster, &sail)
}

fn upgrade(cluster: &Cluster, sail: &StandInSail) -> Result<()> {
    sail.wait_for_all()?;
    serves(cluster)?;
    injects(cluster, FROM)?;
    run_workloads(cluster, "istio-injection: enabled", OLD)?;
    let _guard = Guard::install(cluster)?;
    what_will_happen_is_told(cluster)?;

    killed_before_the_operator_is_told(cluster)?;
    foreign_changes_are_refused(cluster)?;
    the_operator_brings_nothing_else(cluster, sail)?;
    let applied = Run::of(apply(cluster)?, None)?;
    let said = applied.ok()?.to_owned();
    for part in [
        "runs revision default-v1-31-0 (1.31.0) beside default-v1-30-3",
        "takes default-v1-30-3 away by itself",
    ] {
        ensure!(
            said.contains(part) || applied.stderr.contains(part),
            "{part} is not said: {applied}"
        );
    }
    it_stands_beside(cluster)?;
    what_is_left_is_told_and_hinders_nothing(cluster)?;
    // The operator goes over the old one again and again; nothing of it may be in its way.
    sail.bring_revision(OLD, FROM)?.ok()?;

    move_workloads(cluster, NEW, TO)?;
    the_old_one_is_gone(cluster)?;
    everything_is_as_before(cluster)
}

fn upgrade_what_nothing_uses(cluster: &Cluster, sail: &StandInSail) -> Result<()> {
    sail.wait_for_all()?;
    serves(cluster)?;
    let _guard = Guard::install(cluster)?;
    Run::of(apply(cluster)?, None)?.ok()?;
    it_has_succeeded(cluster)?;
    the_old_one_is_gone(cluster)?;
    // In the freeze: whoever took it away was let through, and nobody else.
    let log = std::fs::read_to_string(cluster.audit_log())?;
    let mut ends = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_end = |event: &Value| {
        text(event, "/objectRef/resource") == "istiorevisions"
            && text(event, "/verb") == "delete"
            && event.pointer("/responseStatus/code") == Some(&Value::from(200))
    };
    let end = ends.find(is_end).context("the old revision's end")?;
    let user = text(&end, "/impersonatedUser/username");
    ensure!(user == OPERATOR, "{end:#}");
    everything_is_as_before(cluster)
}

fn apply(cluster: &Cluster) -> Result<std::process::Command> {
    mesh_upgrade_command(cluster, "alice", &["apply", "--to", TO, "--yes"])
}

/// istiod closes its validation when it has proved it.
fn serves(cluster: &Cluster) -> Result<()> {
    wait_until("istiod to close its validation", DEADLINE, || {
        let template = "-o=jsonpath={range .items[*].webhooks[*]}{.failurePolicy}{\"\\n\"}{end}";
        let get = ["get", "validatingwebhookconfigurations", "-l", "app=istiod", template];
        let found = cluster.kubectl(&get)?;
        let mut policies = found.ok()?.lines().peekable();
        let is_one = policies.peek().is_some();
        Ok((is_one && policies.all(|policy| policy == "Fail")).then_some(()))
    })
}

fn injects(cluster: &Cluster, version: &str) -> Result<()> {
    wait_until(&format!("injection of {version} by the tag"), DEADLINE, || {
        let image = Istio::injected_image_in(cluster)?;
        ensure!(image.ends_with(version), "{image}");
        Ok(Some(()))
    })
}

fn what_will_happen_is_told(cluster: &Cluster) -> Result<()> {
    let check = mesh_upgrade(cluster, &["check", "--to", TO, "--verbose"])?;
    ensure!(check.code == 0, "{check}");
    for part in [
        "apply sets the version of Istio default",
        "the Sail Operator brings revision default-v1-31-0 beside default-v1-30-3, which stays until nothing refers to it",
    ] {
        ensure!(check.stdout.contains(part), "{part} is not told: {check}");
    }
    let canary = mesh_upgrade(cluster, &["check", "--to", TO, "--strategy", "canary"])?;
    ensure!(
        canary.code != 0 && canary.stdout.contains("leave --strategy canary out"),
        "{canary}"
    );
    let in_place = mesh_upgrade(cluster, &["plan", "--to", TO, "--strategy", "in-place"])?;
    ensure!(
        in_place.code == 64 && in_place.stderr.contains("is not upgraded in place"),
        "{in_place}"
    );
    let plan = mesh_upgrade(cluster, &["plan", "--to", TO])?;
    for part in [
        "istio-system/default-v1-31-0-istiod (new)",
        "brings revision default-v1-31-0 beside default-v1-30-3",
        "takes default-v1-30-3 away by itself when nothing refers to it",
    ] {
        ensure!(plan.ok()?.contains(part), "{part} is not told: {plan}");
    }
    let guide = mesh_upgrade(cluster, &["guide", "--to", TO])?;
    for part in [
        "The Sail Operator brings revision default-v1-31-0 beside default-v1-30-3",
        "label namespace shop --overwrite istio.io/rev=default-v1-31-0",
    ] {
        ensure!(guide.ok()?.contains(part), "{part} is not told: {guide}");
    }
    Ok(())
}

/// The driver dies as it is about to tell the operator: the freeze lets the operator through, which was told nothing.
fn killed_before_the_operator_is_told(cluster: &Cluster) -> Result<()> {
    let proxy = Proxy::holding(cluster, "alice", Some((1, Moment::Before)), |seen| {
        seen.method == "PATCH" && seen.path.contains("/istios/default") && !seen.path.contains("dryRun")
    })?;
    let mut command = apply(cluster)?;
    command.env("KUBECONFIG", proxy.kubeconfig());
    let mut killed = Started::of(command)?;
    let reached = wait_until("apply to be about to tell the operator", DEADLINE, || {
        ensure!(
            killed.child.try_wait()?.is_none() || proxy.is_reached(),
            "apply ended before"
        );
        Ok(proxy.is_reached().then_some(()))
    });
    killed.kill()?;
    drop(proxy);
    reached.with_context(|| killed.said())?;
    let journal = wait_for_journal(cluster, "a journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Upgrading", "{journal:#}");
    ensure!(
        journal.pointer("/spec/journalVersion") == Some(&Value::from(4)),
        "{journal:#}"
    );
    Ok(())
}

fn foreign_changes_are_refused(cluster: &Cluster) -> Result<()> {
    let patch = |kind: &str, told: &str| cluster.kubectl(&["patch", kind, "default", "--type=merge", "-p", told]);
    let delete = |object: &str| cluster.kubectl(&["delete", object, "--wait=false"]);
    let told = r#"{"spec": {"version": "v1.31.0"}}"#;
    let led = r#"{"spec": {"targetRef": {"kind": "IstioRevision", "name": "default-v1-30-3"}}}"#;
    let revision = json!({"apiVersion": "sailoperator.io/v1", "kind": "IstioRevision", "metadata": {"name": NEW},
        "spec": {"version": "v1.31.0", "namespace": "istio-system"}});
    for (what, run) in [
        ("configuration", cluster.apply_stdin(FOREIGN_CHANGE)?),
        (
            "telling the operator the target",
            patch("istios.sailoperator.io", told)?,
        ),
        (
            "leading the tag elsewhere",
            patch("istiorevisiontags.sailoperator.io", led)?,
        ),
        ("the tag's end", delete("istiorevisiontags.sailoperator.io/default")?),
        (
            "a revision of the target by hand",
            cluster.apply_stdin(&revision.to_string())?,
        ),
        ("the Istio's end", delete("istios.sailoperator.io/default")?),
        (
            "the old revision's end",
            delete(&format!("istiorevisions.sailoperator.io/{OLD}"))?,
        ),
        (
            "the old istiod's end",
            cluster.kubectl(&["-n", "istio-system", "delete", "deployment", &format!("istiod-{OLD}")])?,
        ),
    ] {
        run.refused_by(&["MG001"]).context(what)?;
    }
    Ok(())
}

/// While the new revision is waited for: no other version of it, nothing new of the old one, and no other component.
fn the_operator_brings_nothing_else(cluster: &Cluster, sail: &StandInSail) -> Result<()> {
    let before = images(cluster)?;
    let mut refused = vec![("cni", sail.bring("cni", TO)?)];
    for (what, revision, version) in [
        ("the old revision at the target", OLD, TO),
        ("the old revision once more", OLD, FROM),
        ("the new revision at another minor", NEW, "1.32.0"),
        ("the new revision of another flavor", NEW, "1.31.0-mspider"),
    ] {
        refused.push((what, sail.bring_revision(revision, version)?));
    }
    for (what, revision, version) in [
        ("the new revision, told another version", NEW, "v1.31.3"),
        ("the old revision, told the target", OLD, "v1.31.0"),
    ] {
        let told = json!({"apiVersion": "sailoperator.io/v1", "kind": "IstioRevision", "metadata": {"name": revision},
            "spec": {"version": version, "namespace": "istio-system"}});
        let apply = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--as",
            OPERATOR,
            "--filename",
            "-",
        ];
        refused.push((what, cluster.kubectl_with("admin", &apply, Some(&told.to_string()))?));
    }
    for (what, run) in refused {
        run.refused_by(&["MG001", "MG002", "MG003", "MG004"]).context(what)?;
    }
    ensure!(images(cluster)? == before, "something was brought");
    Ok(())
}

fn it_has_succeeded(cluster: &Cluster) -> Result<Value> {
    let journal = wait_for_journal(cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Succeeded", "{journal:#}");
    let conditions = journal.pointer("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    let drifted = conditions.any(|one| text(one, "/type") == "Drifted" && text(one, "/status") == "True");
    ensure!(
        !drifted,
        "what the operator did itself is taken for somebody's: {journal:#}"
    );
    let left = cluster.kubectl(&["get", "meshfreezes,validatingadmissionpolicies", "-o", "name"])?;
    ensure!(!left.ok()?.contains("mesh-freeze-"), "a freeze is left: {left}");
    Ok(journal)
}

fn it_stands_beside(cluster: &Cluster) -> Result<()> {
    it_has_succeeded(cluster)?;
    let images = images(cluster)?;
    for (name, version) in [
        (format!("istiod-{OLD}"), FROM),
        (format!("istiod-{NEW}"), TO),
        ("istio-cni-node".to_owned(), TO),
    ] {
        let is_there = images
            .iter()
            .any(|image| image.starts_with(&format!("{name} ")) && image.ends_with(version));
        ensure!(is_there, "{name} is not at {version}: {images:?}");
    }
    let istio = cluster.kubectl(&["get", "istios.sailoperator.io", "default", "-o", "json"])?;
    let istio = istio.json()?;
    ensure!(
        text(&istio, "/status/activeRevisionName") == NEW && text(&istio, "/spec/version") == "v1.31.0",
        "{istio:#}"
    );
    let tag = "istio-revision-tag-default";
    let tag = cluster.kubectl(&["get", "mutatingwebhookconfiguration", tag, "-o", "json"])?;
    let tag = tag.json()?;
    ensure!(text(&tag, "/metadata/labels/istio.io~1rev") == NEW, "{tag:#}");
    injects(cluster, TO)?;
    // What runs is left to its owners, and the old revision serves it.
    wait_for_proxies(cluster, FROM)
}

fn what_is_left_is_told_and_hinders_nothing(cluster: &Cluster) -> Result<()> {
    let check = mesh_upgrade(cluster, &["check", "--to", TO])?;
    ensure!(check.code == 0, "{check}");
    for part in [
        "MU304",
        "runs beside default-v1-31-0 and is still in use: Namespace shop",
        "in namespace pay",
        "lead it to revision default-v1-31-0",
    ] {
        let said = check.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(said.contains(part), "{part} is not told: {check}");
    }
    let plan = mesh_upgrade(cluster, &["plan", "--to", TO])?;
    ensure!(plan.ok()?.contains("already: nothing to do"), "{plan}");
    let next = mesh_upgrade(cluster, &["check", "--to", "1.31.1"])?;
    ensure!(next.code != 0 && next.stdout.contains("MU316"), "{next}");
    let list = mesh_upgrade(cluster, &["list"])?;
    ensure!(list.ok()?.contains(TO), "{list}");
    Ok(())
}

fn the_old_one_is_gone(cluster: &Cluster) -> Result<()> {
    wait_until("the operator to take the old revision away", DEADLINE, || {
        let revisions = cluster.kubectl(&["get", "istiorevisions.sailoperator.io", "-o", "name"])?;
        let revisions: Vec<String> = revisions.ok()?.lines().map(str::to_owned).collect();
        ensure!(
            revisions == [format!("istiorevision.sailoperator.io/{NEW}")],
            "{revisions:?}"
        );
        let images = images(cluster)?;
        ensure!(!images.iter().any(|image| image.contains(OLD)), "{images:?}");
        Ok(Some(()))
    })
}

fn everything_is_as_before(cluster: &Cluster) -> Result<()> {
    let check = mesh_upgrade(cluster, &["check", "--to", TO])?;
    ensure!(check.code == 0, "{check}");
    for code in ["MU304", "MU305", "MU306", "MU308", "MU309", "MU312", "MU316"] {
        ensure!(!check.stdout.contains(code), "{code} is left: {check}");
    }
    let list = mesh_upgrade(cluster, &["list"])?;
    ensure!(list.ok()?.contains(TO) && !list.stdout.contains(FROM), "{list}");
    let again = Run::of(apply(cluster)?, None)?;
    ensure!(again.ok()?.contains("already: nothing to do"), "{again}");
    Ok(())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
