//! A mesh that the real istioctl installed, upgraded by `apply` with the real istioctl: what no record tells is not undone,
//! a kill in its middle is survived, foreign istioctls are refused meanwhile, and every write carries the epoch.

use std::{collections::BTreeSet, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    audit,
    harness::{Cluster, ClusterOptions, Istio, Moment, OnDemand, Proxy, Run, Started, wait_until},
    product::{Guard, installed_by_istioctl, mesh_upgrade, mesh_upgrade_command, wait_for_journal},
};
use serde_json::Value;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(120);
const KUBE_SYSTEM: &str = "system:serviceaccount:kube-system:";

/// What an IstioOperator sets beside the values.
const OVERLAY: &str = "    pilot: {k8s: {env: [{name: SET_BESIDE, value: hunter2}]}}\n";

#[test]
fn killed_in_the_middle_of_istioctl_it_stays_frozen_and_is_finished() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("istioctl"))?;
    installed_by_istioctl(&cluster, FROM, OVERLAY)?.ok()?;
    let _guard = Guard::install(&cluster)?;
    wait_until("the mesh to be free to go", DEADLINE, || {
        let check = check(&cluster, true)?;
        Ok((check.code == 0).then_some(()))
    })?;
    it_is_told_what_will_do(&cluster)?;
    what_no_record_tells_is_not_undone(&cluster)?;

    installed_by_istioctl(&cluster, FROM, "")?.ok()?;
    let proxy = Proxy::holding(&cluster, "alice", Some((1, Moment::After)), |seen| {
        let of_istiod = seen.path.contains("/namespaces/istio-system/deployments/istiod");
        seen.agent.starts_with("istioctl/") && seen.method == "PATCH" && of_istiod && !seen.path.contains("dryRun")
    })?;
    let mut command = apply(&cluster)?;
    command.env("KUBECONFIG", proxy.kubeconfig());
    let mut killed = Started::of(command)?;
    wait_until("istioctl to have changed istiod", DEADLINE, || {
        ensure!(
            killed.child.try_wait()?.is_none() || proxy.is_reached(),
            "apply ended before istioctl was at istiod"
        );
        Ok(proxy.is_reached().then_some(()))
    })?;
    killed.kill()?;
    // The istioctl that it has left behind has lost its way to the API server.
    drop(proxy);
    let journal = wait_for_journal(&cluster, "a journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Upgrading", "{journal:#}");
    ensure!(text(&journal, "/status/steps/0/state") == "Running", "{journal:#}");
    let half: Vec<String> = images(&cluster)?;
    ensure!(half.iter().any(|image| image.ends_with(FROM)), "it had ended: {half:?}");

    foreign_changes_are_refused(&cluster)?;
    ensure!(images(&cluster)? == half, "somebody wrote on: {half:?}");
    // As most have it: nobody names the program.
    let unnamed = mesh_upgrade_command(&cluster, "alice", &["apply", "--yes"])?;
    Run::of(with_istioctl_on_path(unnamed)?, None)?.ok()?;
    it_has_arrived(&cluster)?;
    istioctl_wrote_with_an_epoch(&cluster)?;
    controllers_of_kubernetes_went_on(&cluster)
}

/// With the target's istioctl on the PATH, and without.
fn it_is_told_what_will_do(cluster: &Cluster) -> Result<()> {
    let without = check(cluster, false)?;
    ensure!(
        without.stdout.contains("MU116") && without.stdout.contains("--istioctl FILE"),
        "{without}"
    );
    let plan = mesh_upgrade(cluster, &["plan", "--to", TO])?;
    ensure!(plan.ok()?.contains("istioctl istio-system/default"), "{plan}");
    let adopted = mesh_upgrade(cluster, &["adopt", "--dry-run"])?;
    ensure!(adopted.ok()?.contains("management: Dedicated"), "{adopted}");
    let another = cluster.dir().join("another-istioctl");
    std::fs::write(
        &another,
        "#!/bin/sh\necho '{\"clientVersion\": {\"version\": \"1.30.3\"}}'\n",
    )?;
    std::fs::set_permissions(&another, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let arguments = [
        "apply",
        "--to",
        TO,
        "--yes",
        "--istioctl",
        &another.display().to_string(),
    ];
    let refused = mesh_upgrade(cluster, &arguments)?;
    ensure!(
        refused.code == 1 && refused.stderr.contains("it is version \"1.30.3\""),
        "{refused}"
    );
    Ok(())
}

/// It is found out by dry runs, frozen, before anything is changed.
fn what_no_record_tells_is_not_undone(cluster: &Cluster) -> Result<()> {
    let before = images(cluster)?;
    let withdrawn = Run::of(apply(cluster)?, None)?;
    let lost = "spec.template.spec.containers[discovery].env[SET_BESIDE] of Deployment istio-system/istiod";
    ensure!(withdrawn.code == 3 && withdrawn.stderr.contains(lost), "{withdrawn}");
    ensure!(!withdrawn.stderr.contains("hunter2"), "a value is told: {withdrawn}");
    ensure!(images(cluster)? == before);
    let journal = wait_for_journal(cluster, "a journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Withdrawn", "{journal:#}");
    is_open(cluster)
}

fn is_open(cluster: &Cluster) -> Result<()> {
    let kinds = "meshfreezes,validatingadmissionpolicies,validatingadmissionpolicybindings";
    let left = cluster.kubectl(&["get", kinds, "-o", "name"])?;
    ensure!(!left.ok()?.contains("mesh-freeze-"), "a freeze is left: {left}");
    Ok(())
}

/// What the freeze is there to stop, tried by an administrator: a second istioctl above all.
fn foreign_changes_are_refused(cluster: &Cluster) -> Result<()> {
    let system = |arguments: &[&str]| cluster.kubectl(&[&["-n", "istio-system"], arguments].concat());
    for (what, run) in [
        (
            "istioctl install of the old version",
            installed_by_istioctl(cluster, FROM, "")?,
        ),
        (
            "istioctl install of the target",
            installed_by_istioctl(cluster, TO, "")?,
        ),
        (
            "kubectl scale",
            system(&["scale", "deployment/istiod", "--replicas=0"])?,
        ),
        (
            "deletion of a ServiceAccount",
            system(&["delete", "serviceaccount", "istiod"])?,
        ),
        ("deletion of a Service", system(&["delete", "service", "istiod"])?),
        (
            "deletion of the gateway",
            system(&["delete", "deployment", "istio-ingressgateway"])?,
        ),
        (
            "taking a label off",
            system(&["label", "service", "istiod", "istio.io/rev-"])?,
        ),
        (
            "deletion of a ClusterRole",
            cluster.kubectl(&["delete", "clusterrole", "istiod-clusterrole-istio-system"])?,
        ),
    ] {
        let said = format!("{}{}", run.stdout, run.stderr);
        ensure!(
            !run.success() && said.contains("MG001"),
            "{what} was not refused: {run}"
        );
    }
    Ok(())
}

fn it_has_arrived(cluster: &Cluster) -> Result<()> {
    let journal = wait_for_journal(cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Succeeded", "{journal:#}");
    ensure!(
        journal.pointer("/status/steps/0/attempts") == Some(&Value::from(2)),
        "{journal:#}"
    );
    let images = images(cluster)?;
    ensure!(
        images.len() == 3 && images.iter().all(|image| image.ends_with(TO)),
        "{images:?}"
    );
    ensure!(Istio::injected_image_in(cluster)?.ends_with(TO));
    let settings = [
        "-n",
        "istio-system",
        "get",
        "configmap",
        "istio",
        "-o",
        "jsonpath={.data.mesh}",
    ];
    let mesh = cluster.kubectl(&settings)?;
    ensure!(mesh.ok()?.contains("accessLogFile: /dev/stdout"), "{mesh}");
    is_open(cluster)?;
    let again = Run::of(apply(cluster)?, None)?;
    ensure!(again.ok()?.contains("already: nothing to do"), "{again}");
    Ok(())
}

/// From the API server's audit log.
fn istioctl_wrote_with_an_epoch(cluster: &Cluster) -> Result<()> {
    let log = std::fs::read_to_string(cluster.audit_log())?;
    let mut epochs = std::collections::BTreeMap::new();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line)?;
        let user = text(&event, "/impersonatedUser/username");
        let writes = matches!(text(&event, "/verb"), "patch" | "create" | "update" | "delete");
        if !writes || !text(&event, "/userAgent").starts_with("istioctl/") || !user.ends_with(":mesh-upgrade-driver") {
            continue;
        }
        let epoch = event.pointer("/impersonatedUser/extra/meshupgrade.io~1epoch/0");
        let epoch = epoch
            .and_then(Value::as_str)
            .with_context(|| format!("without an epoch: {event}"))?;
        *epochs.entry(epoch.to_owned()).or_insert(0) += 1;
    }
    ensure!(
        epochs.len() == 2 && epochs.values().all(|writes| *writes > 5),
        "{epochs:?}"
    );
    Ok(())
}

/// istioctl's labels on a Service are copied to its EndpointSlices: who copies them must not be taken for a foreigner, or the new
/// istiod could not be reached.
fn controllers_of_kubernetes_went_on(cluster: &Cluster) -> Result<()> {
    let events = audit::read(&cluster.audit_log())?;
    let judged = audit::judge(&events, &BTreeSet::new())?;
    let of_kubernetes = |fault: &&String| fault.contains("hindered") && fault.contains(KUBE_SYSTEM);
    let hindered: Vec<&String> = judged.faults.iter().filter(of_kubernetes).collect();
    ensure!(hindered.is_empty(), "{hindered:#?}");
    let slices = format!("{KUBE_SYSTEM}endpointslice-controller");
    let mut theirs = events.iter().filter(|event| event.user == slices && event.is_write());
    let closed = audit::Period::of(&events)?.closed;
    ensure!(
        theirs.any(|event| event.passed() && event.received > closed),
        "no EndpointSlice was written from the freeze on"
    );
    Ok(())
}

fn apply(cluster: &Cluster) -> Result<Command> {
    let istioctl = OnDemand::Istioctl131.program()?.display().to_string();
    mesh_upgrade_command(
        cluster,
        "alice",
        &["apply", "--to", TO, "--yes", "--istioctl", &istioctl],
    )
}

fn check(cluster: &Cluster, with_istioctl: bool) -> Result<Run> {
    let command = mesh_upgrade_command(cluster, "alice", &["check", "--to", TO, "--verbose"])?;
    let command = if with_istioctl {
        with_istioctl_on_path(command)?
    } else {
        command
    };
    Run::of(command, None)
}

fn with_istioctl_on_path(mut command: Command) -> Result<Command> {
    let istioctl = OnDemand::Istioctl131.program()?;
    let mut path = vec![istioctl.parent().map(PathBuf::from).unwrap_or_default()];
    let before = command
        .get_envs()
        .find(|(name, _)| *name == "PATH")
        .and_then(|(_, value)| value);
    path.extend(std::env::split_paths(before.unwrap_or_default()));
    let path = std::env::join_paths(path)?;
    command.env("PATH", path);
    Ok(command)
}

/// Images of all that istioctl installed, sorted.
fn images(cluster: &Cluster) -> Result<Vec<String>> {
    let template = "-o=jsonpath={range .items[*]}{.spec.template.spec.containers[0].image}{\"\\n\"}{end}";
    let label = "operator.istio.io/managed=Reconcile";
    let found = cluster.kubectl(&["get", "deployments,daemonsets", "-A", "-l", label, template])?;
    let mut images: Vec<String> = found.ok()?.lines().map(str::to_owned).collect();
    images.sort();
    Ok(images)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
