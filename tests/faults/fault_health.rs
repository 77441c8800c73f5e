//! An upgraded mesh that is not well is not called healthy: one whose validation is gone or that somebody else's policy keeps from
//! taking what is good, one whose injection is gone or yields an old proxy, one whose istiod is not what its image says, and one
//! that has lost its proxies, a gateway that istiod keeps or the way into another cluster. The upgrade stalls, frozen, says what
//! does not work, and goes on when that was mended.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Contexts, IstioOptions, Run, StandInProxy, Started, wait_until},
    product::{HeldHelm, SeveralClusters, Upgradable, journal_phase, make_managed_gateway, newest},
};
use serde_json::{Value, json};

const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(180);

/// Afterwards somebody else's admission policy refuses what Istio's validation would take.
#[test]
fn without_validation_it_is_not_healthy() -> Result<()> {
    let mesh = loses_a_webhook(
        "validation",
        "validatingwebhookconfiguration",
        &[
            "istiod/templates/validatingwebhookconfiguration.yaml",
            "base/templates/defaultrevision-validatingwebhookconfiguration.yaml",
        ],
        "Istio's validation to refuse a bad VirtualService",
    )?;
    mesh.cluster.apply_stdin(STRICT)?.ok()?;
    wait_until("the policy to be in force", DEADLINE, || {
        let answer = as_driver(&mesh, &["create", "--dry-run=server"], WEIGHTED)?;
        Ok(answer.refused()?.contains("no weights here").then_some(()))
    })?;
    let run = mesh.apply(&[])?;
    let says = [
        "Istio's validation to accept a good VirtualService (the answer was 422",
        "no weights here",
    ];
    tell(&mesh.stalled(&run, "Unhealthy", &says)?);
    mesh.cluster
        .kubectl(&["delete", "validatingadmissionpolicybinding", "strict"])?
        .ok()?;
    let run = mesh.apply(&[])?;
    mesh.arrived(&run)
}

const WEIGHTED: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: weighted, namespace: default}
spec: {hosts: [weighted], http: [{route: [{destination: {host: weighted}, weight: 100}]}]}
";

const STRICT: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: strict}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [networking.istio.io], apiVersions: ['*'], operations: [CREATE], resources: [virtualservices]}
  validations:
  - expression: '!object.spec.http.exists(http, http.route.exists(route, has(route.weight) && route.weight > 0))'
    message: no weights here
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: strict}
spec: {policyName: strict, validationActions: [Deny]}
";

/// Afterwards the injector's own ConfigMap says an old tag, as a template of somebody's own may.
#[test]
fn without_injection_it_is_not_healthy() -> Result<()> {
    let mesh = loses_a_webhook(
        "injection",
        "mutatingwebhookconfiguration",
        &["istiod/templates/mutatingwebhook.yaml"],
        "no proxy was added",
    )?;
    inject(&mesh, TO, "1.30.3")?;
    let run = mesh.apply(&[])?;
    let says = ["injection to yield the proxy of 1.31.0 (it yields ", "proxyv2:1.30.3)"];
    tell(&mesh.stalled(&run, "Unhealthy", &says)?);
    inject(&mesh, "1.30.3", TO)?;
    let run = mesh.apply(&[])?;
    mesh.arrived(&run)
}

/// Changes the tag that injection takes.
fn inject(mesh: &Upgradable, from: &str, to: &str) -> Result<()> {
    let injector = [
        "get",
        "configmap",
        "istio-sidecar-injector",
        "-n",
        "istio-system",
        "-o",
        "json",
    ];
    let mut injector = mesh.cluster.kubectl(&injector)?.json()?;
    let values = injector.pointer_mut("/data/values").context("values")?;
    let changed = values
        .as_str()
        .unwrap_or_default()
        .replace(&format!("\"tag\": \"{from}\""), &format!("\"tag\": \"{to}\""));
    ensure!(values.as_str() != Some(&changed), "no tag {from}: {values}");
    *values = changed.into();
    as_driver(mesh, &["replace"], &injector.to_string())?.ok()?;
    Ok(())
}

/// Runs kubectl over these manifests as the one whom the freeze lets through.
fn as_driver(mesh: &Upgradable, verb: &[&str], manifests: &str) -> Result<Run> {
    let journal = newest(&mesh.cluster)?.context("a journal")?;
    let epoch = journal.pointer("/status/epoch").context("its epoch")?;
    let epoch = format!("--as-user-extra=meshupgrade.io/epoch={epoch}");
    let driver = "--as=system:serviceaccount:mesh-upgrade-system:mesh-upgrade-driver";
    let arguments = [verb, &["--filename", "-", driver, &epoch]].concat();
    mesh.cluster.kubectl_with("admin", &arguments, Some(manifests))
}

/// A real istiod 1.30 under an image of 1.31. What it tells of its version is rewritten on its way, for flavors' sake; that
/// it is another is seen by what it cannot do with the target's templates.
#[test]
fn with_an_istiod_of_another_version_it_is_not_healthy() -> Result<()> {
    let options = ClusterOptions {
        false_istiod: true,
        ..ClusterOptions::named("false-istiod")
    };
    let mesh = Upgradable::start_in(options, TO)?;
    let run = mesh.apply(&[])?;
    tell(&mesh.stalled(
        &run,
        "Unhealthy",
        &["waited 180 s in vain for injection to add a proxy"],
    )?);
    ensure!(journal_phase(&mesh.cluster)?.as_deref() == Some("Verifying"));
    mesh.cluster.let_istiod_be_true()?;
    let run = mesh.apply(&[])?;
    mesh.arrived(&run)
}

type Connect = fn(&Cluster, &str, &str, &str) -> Result<StandInProxy>;

/// Clients that speak xDS as proxies do, and do not come back by themselves.
#[test]
fn without_its_proxies_it_is_not_healthy() -> Result<()> {
    let mesh = Upgradable::start("proxies", TO)?;
    mesh.cluster.apply_stdin(MACHINES)?.ok()?;
    let connected = |connect: Connect| -> Result<Vec<StandInProxy>> {
        let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
        let proxies = addresses.iter().map(|address| {
            wait_until("istiod to take a proxy", DEADLINE, || {
                connect(&mesh.cluster, "shop", "machines", address).map(Some)
            })
        });
        proxies.collect()
    };
    let before = connected(StandInProxy::of_workload_group)?;
    let run = mesh.apply(&[])?;
    tell(&mesh.stalled(
        &run,
        "Unhealthy",
        &["3 of the 3 proxies that were connected to istiod before"],
    )?);
    drop(before);
    let _after = connected(StandInProxy::rejecting)?;
    let run = mesh.apply(&[])?;
    mesh.arrived(&run)?;
    ensure!(
        run.stderr
            .contains("3 configurations were rejected by proxies, none before"),
        "{run}"
    );
    ensure!(
        run.stdout.contains("3 proxies connected (3 before)") || run.stderr.contains("3 proxies connected (3 before)"),
        "{run}"
    );
    Ok(())
}

const MACHINES: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: machines, namespace: shop}
spec: {template: {serviceAccount: default}}
";

/// West's istiod reads east by a Secret of its own. While west is frozen, what it comes with loses its rights: the istiod that
/// runs does not notice, the new one does not get in.
#[test]
fn without_the_way_into_another_cluster_it_is_not_healthy() -> Result<()> {
    let mesh = SeveralClusters::two_primaries(&IstioOptions::version("1.30.3"))?;
    let (east, west) = (mesh.cluster("east")?, mesh.cluster("west")?);
    lead_by_an_account(west, east)?;

    let helm = HeldHelm::at("west", "istiod")?;
    let program = helm.program().display().to_string();
    let mut run = Started::of(mesh.apply("west", &["--helm", &program])?)?;
    helm.wait_until_reached_by(&mut run.child, LONG)
        .with_context(|| run.said())?;
    east.kubectl(&["delete", "clusterrolebinding", "west-reads"])?.ok()?;
    helm.release()?;
    let ended = run.ended()?;
    let said = run.said();
    let says = "every istiod of cluster west to reach the remote cluster east as before (one says: timeout)";
    ensure!(
        ended.code() == Some(1) && said.contains("stalled (Unhealthy)") && said.contains(says),
        "{said}"
    );
    tell(&said);
    mesh.is_frozen()?;

    east.apply_stdin(READS)?.ok()?;
    let run = Run::of(mesh.apply("west", &[])?, None)?;
    run.ok()?;
    ensure!(run.to_string().contains("1 remote clusters reached as before"), "{run}");
    mesh.succeeded(1)?;
    Ok(())
}

/// Replaces the Secret by which west reaches east with one whose rights can be taken back, and waits for west's istiod to be in.
fn lead_by_an_account(west: &Cluster, east: &Cluster) -> Result<()> {
    east.kubectl(&["create", "serviceaccount", "west-reads", "-n", "default"])?
        .ok()?;
    east.apply_stdin(READS)?.ok()?;
    let token = east.kubectl(&["create", "token", "west-reads", "-n", "default"])?;
    let theirs = Contexts::of(east.kubeconfig())?.cluster();
    let user = json!({"token": token.ok()?.trim()});
    let kubeconfig = Contexts::alone("east", &theirs, &user).to_string();
    let delete = ["delete", "secret", "-n", "istio-system", "istio-remote-secret-east"];
    west.kubectl(&delete)?.ok()?;
    is_reached(west, false)?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "istio-remote-secret-east", "namespace": "istio-system",
            "labels": {"istio/multiCluster": "true"}},
        "stringData": {"east": kubeconfig},
    });
    west.apply_stdin(&secret.to_string())?.ok()?;
    is_reached(west, true)
}

/// Waits until west's istiod says of east that it is in, or that it knows no such cluster.
fn is_reached(west: &Cluster, expected: bool) -> Result<()> {
    wait_until("istiod to look for east", DEADLINE, || {
        let mut asked = TcpStream::connect(("127.0.0.1", west.istiod_port("monitoring")?))?;
        asked.set_read_timeout(Some(DEADLINE))?;
        // The end of this one's answer is the connection's.
        write!(asked, "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut told = String::new();
        asked.read_to_string(&mut told)?;
        let synced = told.lines().any(|line| {
            line.starts_with("istiod_remote_cluster_sync_status{cluster=\"east\"")
                && line.contains("status=\"synced\"")
                && line.ends_with(" 1")
        });
        Ok((synced == expected).then_some(()))
    })
}

const READS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: west-reads}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: west-reads, namespace: default}]
";

/// istiod brings its gateway to the target by itself, and there is no room for another pod beside the old one.
#[test]
fn without_a_gateway_that_it_keeps_it_is_not_healthy() -> Result<()> {
    let mesh = Upgradable::start("gateway", TO)?;
    make_managed_gateway(&mesh.cluster, "shop")?;
    let quota = "--hard=count/pods=1";
    mesh.cluster
        .kubectl(&["create", "quota", "one-pod", "-n", "shop", quota])?
        .ok()?;
    // Until it is counted nothing is refused.
    wait_until("the quota to be counted", DEADLINE, || {
        let used = "jsonpath={.status.used.count/pods}";
        let used = mesh
            .cluster
            .kubectl(&["get", "quota", "one-pod", "-n", "shop", "-o", used])?;
        Ok((used.ok()?.trim() == "1").then_some(()))
    })?;
    let run = mesh.apply(&[])?;
    let says =
        ["Deployment shop/ingress-istio, a gateway that istiod keeps, to roll out (0 of 1 pods are new and ready)"];
    tell(&mesh.stalled(&run, "Unhealthy", &says)?);
    mesh.cluster
        .kubectl(&["delete", "quota", "one-pod", "-n", "shop"])?
        .ok()?;
    let run = mesh.apply(&[])?;
    mesh.arrived(&run)?;
    ensure!(
        run.to_string()
            .contains("gateways that istiod keeps run 1.31.0: shop/ingress-istio"),
        "{run}"
    );
    Ok(())
}

/// A chart without this template takes the webhook away that was there before; somebody puts it back.
fn loses_a_webhook(name: &str, kind: &str, templates: &[&str], says: &str) -> Result<Upgradable> {
    let mesh = Upgradable::start(name, TO)?;
    for template in templates {
        std::fs::remove_file(mesh.charts.join(template)).with_context(|| (*template).to_owned())?;
    }
    let ours = ["get", kind, "-l", "app in (istiod, sidecar-injector)", "-o", "json"];
    let mut before = mesh.cluster.kubectl(&ours)?.json()?;
    let run = mesh.apply(&[])?;
    tell(&mesh.stalled(&run, "Unhealthy", &[says])?);
    ensure!(journal_phase(&mesh.cluster)?.as_deref() == Some("Verifying"));

    let items = before.get_mut("items").and_then(Value::as_array_mut);
    for item in items.context("items")? {
        if let Some(metadata) = item.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| ["name", "labels", "annotations"].contains(&key.as_str()));
        }
    }
    mesh.cluster.apply_stdin(&before.to_string())?.ok()?;
    Ok(mesh)
}

/// Past the runner's capture: what is said is to be recorded.
fn tell(text: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}
