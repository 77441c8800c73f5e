//! A real upgrade under traffic: while it runs, foreigners try every guarded kind without a pause, and the writers of the
//! cluster do their work. The audit log alone tells that no foreign write passed between freeze and thaw, and that
//! nobody else was ever hindered.
#![expect(clippy::print_stdout, reason = "its figures are recorded")]

use std::{
    collections::BTreeSet,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    audit::{self, Judged},
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Toolbox, wait_until},
    product::{Guard, journal_phase, mesh_upgrade, mesh_upgrade_command},
    traffic::{Caller, FOREIGNERS, prepare, try_everything, work},
};
use shared::names;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(120);

/// What must have been tried, and refused, for the silence of the rest to mean something.
const TRIED: [&str; 37] = [
    "create networking.istio.io/virtualservices",
    "patch networking.istio.io/virtualservices",
    "delete networking.istio.io/virtualservices",
    "deletecollection networking.istio.io/virtualservices",
    "create networking.istio.io/destinationrules",
    "create networking.istio.io/gateways",
    "create networking.istio.io/serviceentries",
    "create networking.istio.io/sidecars",
    "create networking.istio.io/workloadentries",
    "create networking.istio.io/workloadgroups",
    "create networking.istio.io/envoyfilters",
    "create security.istio.io/authorizationpolicies",
    "create security.istio.io/peerauthentications",
    "create security.istio.io/requestauthentications",
    "create telemetry.istio.io/telemetries",
    "create extensions.istio.io/wasmplugins",
    "patch configmaps",
    "delete configmaps",
    "patch apiextensions.k8s.io/customresourcedefinitions",
    "delete apiextensions.k8s.io/customresourcedefinitions",
    "delete namespaces",
    "create secrets",
    "create configmaps",
    "delete secrets",
    "deletecollection secrets",
    "patch apps/deployments",
    "patch apps/deployments/scale",
    "delete apps/deployments",
    "patch apps/deployments/status",
    "patch serviceaccounts",
    "patch services",
    "patch autoscaling/horizontalpodautoscalers",
    "patch policy/poddisruptionbudgets",
    "patch rbac.authorization.k8s.io/clusterroles",
    "patch rbac.authorization.k8s.io/clusterrolebindings",
    "patch rbac.authorization.k8s.io/roles",
    "patch rbac.authorization.k8s.io/rolebindings",
];

const ISTIOD: &str = "system:serviceaccount:istio-system:istiod";
const KUBE_SYSTEM: &str = "system:serviceaccount:kube-system:";
/// Who must have been at work while frozen: user, and what was written.
const WORKED: [(&str, &str); 17] = [
    (ISTIOD, "patch networking.istio.io/virtualservices/status"),
    (ISTIOD, "create networking.istio.io/workloadentries"),
    (ISTIOD, "patch networking.istio.io/workloadentries"),
    (ISTIOD, "delete networking.istio.io/workloadentries"),
    (ISTIOD, "patch configmaps"),
    (ISTIOD, "patch coordination.k8s.io/leases"),
    (ISTIOD, "create apps/deployments"),
    (ISTIOD, "delete apps/deployments"),
    (
        "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
        "patch apps/deployments/scale",
    ),
    ("developer", "create apps/deployments"),
    ("developer", "patch apps/deployments/scale"),
    ("developer", "delete apps/deployments"),
    (
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "delete networking.istio.io/virtualservices",
    ),
    (
        "system:serviceaccount:kube-system:namespace-controller",
        "deletecollection networking.istio.io/virtualservices",
    ),
    (
        "system:serviceaccount:kube-system:deployment-controller",
        "update apps/deployments/status",
    ),
    (
        "system:serviceaccount:kube-system:endpointslice-controller",
        "update discovery.k8s.io/endpointslices",
    ),
    (
        "system:serviceaccount:kube-system:endpointslicemirroring-controller",
        "update discovery.k8s.io/endpointslices",
    ),
];

#[test]
fn no_foreign_write_passes_and_nobody_else_is_hindered() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let options = IstioOptions {
        gateway: true,
        // With one, the chart makes no PodDisruptionBudget.
        replicas: 2,
        ..IstioOptions::version(FROM)
    };
    let istio = Istio::install(&cluster, options)?;
    let _guard = Guard::install(&cluster)?;
    in_runtime(cluster.kubeconfig(), async |caller| prepare(&caller).await)?;
    wait_until("the mesh to be free to go", DEADLINE, || {
        Ok(mesh_upgrade(&cluster, &["check", "--to", TO])?.success().then_some(()))
    })?;

    upgrade_under_traffic(&cluster)?;
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));
    istio.wait_serving(&cluster, TO)?;

    // The driver's name with another epoch is found by the judge itself.
    let foreigners: BTreeSet<String> = FOREIGNERS
        .iter()
        .map(|who| who.user.to_owned())
        .filter(|user| *user != names::driver_user())
        .collect();
    let judged = audit::judge(&audit::read(&cluster.audit_log())?, &foreigners)?;
    tell(&judged);
    ensure!(
        judged.faults.is_empty(),
        "{} faults: {:#?}",
        judged.faults.len(),
        judged.faults
    );
    for what in TRIED {
        let tried = judged.refused.get(what).copied().unwrap_or_default();
        ensure!(tried >= 2, "{what} was refused {tried} times: too few to say anything");
    }
    for who in FOREIGNERS {
        ensure!(
            judged.refused_users.contains_key(who.user),
            "{} tried nothing",
            who.user
        );
    }
    for (user, what) in WORKED {
        let key = (user.to_owned(), what.to_owned());
        ensure!(judged.passed.contains_key(&key), "{user} did not {what} while frozen");
    }
    Ok(())
}

/// Runs the upgrade to its end beside both kinds of writers.
fn upgrade_under_traffic(cluster: &Cluster) -> Result<()> {
    let (frozen, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let mut apply = mesh_upgrade_command(cluster, "alice", &["apply", "--to", TO, "--charts", &charts, "--yes"])?;
    apply.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let kubeconfig = cluster.kubeconfig();
    std::thread::scope(|scope| {
        let foreign =
            scope.spawn(|| in_runtime(kubeconfig, async |caller| try_everything(&caller, &frozen, &done).await));
        let system = scope.spawn(|| in_runtime(kubeconfig, async |caller| work(&caller, &frozen, &done).await));
        let output = apply.spawn().and_then(std::process::Child::wait_with_output);
        done.store(true, Ordering::Relaxed);
        for writer in [foreign, system] {
            writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        }
        let output = output.context("run apply")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    })
}

fn in_runtime(kubeconfig: &Path, run: impl AsyncFnOnce(Caller) -> Result<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { run(Caller::new(kubeconfig).await?).await })
}

fn tell(judged: &Judged) {
    let refused: usize = judged.refused.values().sum();
    println!(
        "{refused} foreign writes refused, of {} kinds: {:#?}",
        judged.refused.len(),
        judged.refused
    );
    println!("failed by themselves: {:#?}", judged.failed_otherwise);
    let system = judged
        .passed
        .iter()
        .filter(|((user, _), _)| user.starts_with(KUBE_SYSTEM) || user == ISTIOD);
    let system: usize = system.map(|(_, count)| count).sum();
    let all: usize = judged.passed.values().sum();
    println!("{all} other writes passed while frozen, {system} of them by istiod and the controllers");
}
