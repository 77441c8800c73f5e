//! The guard taken apart in the middle of an upgrade: noticed, the step held, the guard put back and proved; and where
//! that is not possible, stopped, frozen, with nothing changed further.

#![expect(
    clippy::indexing_slicing,
    reason = "JSON by key gives null, and a test fails by panicking"
)]

use std::{
    process::{Child, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Signal, Toolbox, no_leftovers, signal, wait_until},
    product::{Guard, HeldHelm, mesh_upgrade, mesh_upgrade_command, wait_for_journal},
};
use serde_json::{Value, json};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(120);
/// Within which a change must be noticed and told.
const NOTICED: Duration = Duration::from_secs(30);

const POLICY: &str = "validatingadmissionpolicy/mesh-freeze-default-1";
const BINDING: &str = "validatingadmissionpolicybinding/mesh-freeze-default-1";
const OWN_POLICY: &str = "validatingadmissionpolicy/mesh-upgrade-own-objects";
const OWN_BINDING: &str = "validatingadmissionpolicybinding/mesh-upgrade-own-objects";
const WEBHOOK: &str = "validatingwebhookconfiguration/mesh-upgrade-webhook";
const INJECTOR: &str = "mutatingwebhookconfiguration/istio-sidecar-injector";

type Disturb<'a> = &'a dyn Fn() -> Result<Run>;

const FOREIGN: &str = "\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: foreign, namespace: default}
spec: {host: foreign}
";

/// An upgrade held before istiod, with its standard error in a file.
struct Held {
    apply: Child,
    helm: HeldHelm,
}

impl Held {
    fn start(cluster: &Cluster) -> Result<Self> {
        let helm = HeldHelm::before("istiod")?;
        let charts = Toolbox::get()?.charts(TO)?.display().to_string();
        let program = helm.program().display().to_string();
        let resumes = wait_until("the API server", DEADLINE, || {
            let list = cluster.kubectl(&["get", "meshupgrades", "-o", "name"])?;
            Ok(list.success().then(|| !list.stdout.trim().is_empty()))
        })?;
        let mut arguments = vec!["apply", "--yes", "--helm", &program];
        if !resumes {
            arguments.extend(["--to", TO, "--charts", &charts]);
        }
        let log = std::fs::File::create(helm.dir().join("stderr"))?;
        let apply = mesh_upgrade_command(cluster, "alice", &arguments)?
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let held = Self { apply, helm };
        held.helm.wait_until_reached(DEADLINE).with_context(|| held.said())?;
        Ok(held)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.helm.dir().join("stderr")).unwrap_or_default()
    }

    fn signal(&self, what: Signal) -> Result<()> {
        signal(self.apply.id(), what)
    }

    /// Waits until the plugin ends by itself.
    fn ended(&mut self) -> Result<i32> {
        let status =
            wait_until("the plugin to end", DEADLINE, || Ok(self.apply.try_wait()?)).with_context(|| self.said())?;
        status.code().context("ended by a signal")
    }

    fn helm_pid(&self) -> Result<String> {
        let pid = std::fs::read_to_string(self.helm.dir().join("reached"))?;
        Ok(pid.trim().to_owned())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.apply.kill().ok();
        self.apply.wait().ok();
        self.helm.kill().ok();
    }
}

/// State of a process, as `S` or `T` for a stopped one; none when it is gone.
fn state_of(pid: &str) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next().filter(|state| *state != 'Z')
}

/// What an object does, without what the API server keeps books of.
fn spec(cluster: &Cluster, object: &str) -> Result<Option<Value>> {
    let run = cluster.kubectl(&["get", object, "-o", "json"])?;
    if !run.success() {
        return Ok(None);
    }
    let object = run.json()?;
    Ok(Some(json!([
        object["spec"],
        object["webhooks"],
        object["metadata"]["labels"]
    ])))
}

fn refused(cluster: &Cluster) -> Result<bool> {
    let run = cluster.kubectl_with("admin", &["create", "--dry-run=server", "-f", "-"], Some(FOREIGN))?;
    Ok(run.stderr.contains("MG001"))
}

fn history(journal: &Value) -> Vec<&str> {
    let events = journal["status"]["history"].as_array().into_iter().flatten();
    events.filter_map(|event| event["what"].as_str()).collect()
}

fn condition<'a>(object: &'a Value, type_: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .find(|condition| condition["type"] == type_)
        .unwrap_or(&Value::Null)
}

fn freeze(cluster: &Cluster) -> Result<Value> {
    cluster.kubectl(&["get", "meshfreeze", "default", "-o", "json"])?.json()
}

/// Notes of the Events about an object of this kind, with their reasons before them.
fn events(cluster: &Cluster, kind: &str) -> Result<Vec<String>> {
    let list = cluster
        .kubectl(&["get", "events.events.k8s.io", "-n", "default", "-o", "json"])?
        .json()?;
    let items = list["items"].as_array().into_iter().flatten();
    Ok(items
        .filter(|event| event["regarding"]["kind"] == kind)
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text("reason"), text("note"))
        })
        .collect())
}

fn guarded(name: &str) -> Result<(Cluster, Istio, Guard)> {
    let cluster = Cluster::start(ClusterOptions::named(name))?;
    let options = IstioOptions {
        replicas: 2,
        ..IstioOptions::version(FROM)
    };
    let istio = Istio::install(&cluster, options)?;
    let guard = Guard::install(&cluster)?;
    Ok((cluster, istio, guard))
}

#[test]
fn whatever_is_taken_from_the_guard_holds_the_step_until_it_is_put_back() -> Result<()> {
    let (cluster, istio, guard) = guarded("taken")?;
    let mut held = Held::start(&cluster)?;
    let admin = |arguments: &[&str]| cluster.kubectl(arguments);
    let delete = |object: &str| admin(&["delete", object, "--wait=false"]);
    let patch = |object: &str, patch: &str| admin(&["patch", object, "--type=json", "-p", patch]);
    let disturbances: &[(&str, &str, Disturb<'_>)] = &[
        ("freeze policy deleted", POLICY, &|| delete(POLICY)),
        ("freeze policy's binding deleted", BINDING, &|| delete(BINDING)),
        ("freeze policy emptied", POLICY, &|| {
            patch(
                POLICY,
                r#"[{"op": "replace", "path": "/spec/validations/0/expression", "value": "true"}]"#,
            )
        }),
        ("freeze policy given an exception", POLICY, &|| {
            patch(
                POLICY,
                r#"[{"op": "add", "path": "/spec/matchConditions", "value": [{"name": "never", "expression": "false"}]}]"#,
            )
        }),
        ("binding turned into an audit", BINDING, &|| {
            patch(
                BINDING,
                r#"[{"op": "replace", "path": "/spec/validationActions", "value": ["Audit"]}]"#,
            )
        }),
        ("own-objects policy deleted", OWN_POLICY, &|| delete(OWN_POLICY)),
        ("own-objects binding deleted", OWN_BINDING, &|| delete(OWN_BINDING)),
        ("webhook's rules emptied", WEBHOOK, &|| {
            patch(
                WEBHOOK,
                r#"[{"op": "replace", "path": "/webhooks/0/rules", "value": []}]"#,
            )
        }),
        ("webhook's failurePolicy changed", WEBHOOK, &|| {
            patch(
                WEBHOOK,
                r#"[{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]"#,
            )
        }),
        ("webhook configuration deleted", WEBHOOK, &|| delete(WEBHOOK)),
    ];
    for (what, object, disturb) in disturbances {
        let told = history(&wait_for_journal(&cluster, "a journal", DEADLINE, |_| true)?).len();
        let stopped = holds_the_step(&cluster, &held, object, disturb);
        let stopped = stopped.with_context(|| format!("{what}\n{}", held.said()))?;
        println!("{what}: helm stopped after {} ms", stopped.as_millis());
        let journal = wait_for_journal(&cluster, "the journal to tell", NOTICED, |journal| {
            history(journal).len() >= told + 2
        });
        let journal = journal.with_context(|| format!("{what}\n{}", held.said()))?;
        let name = object.rsplit('/').next().unwrap_or_default();
        let history = history(&journal);
        ensure!(
            history[told..]
                .iter()
                .any(|line| line.contains("is held") && line.contains(name)),
            "{what}: {history:#?}"
        );
    }

    injector_drift_is_told(&cluster, &guard, &held)?;

    held.helm.release()?;
    ensure!(held.ended()? == 0, "{}", held.said());
    let journal = wait_for_journal(&cluster, "the end", DEADLINE, |_| true)?;
    ensure!(journal["status"]["phase"] == "Succeeded", "{journal:#}");
    ensure!(
        condition(&journal, "Drifted")["status"] == "False",
        "the upgrade's own changes are no drift: {journal:#}"
    );
    let told = events(&cluster, "MeshUpgrade")?;
    for reason in ["Begun", "Frozen", "Upgrading", "Drifted", "Thawed", "Succeeded"] {
        ensure!(
            told.iter().any(|event| event.starts_with(reason)),
            "{reason}: {told:#?}"
        );
    }
    let drifted: Vec<&String> = told.iter().filter(|event| event.starts_with("Drifted")).collect();
    ensure!(drifted.iter().all(|event| !event.contains("helm")), "{drifted:#?}");
    istio.wait_serving(&cluster, TO)?;
    drop(held);
    drop(guard);
    drop(cluster);
    no_leftovers()
}

/// Disturbs the guard, and waits until it is what it was and refuses again; helm is seen stopped meanwhile.
fn holds_the_step(cluster: &Cluster, held: &Held, object: &str, disturb: Disturb<'_>) -> Result<Duration> {
    let before = spec(cluster, object)?.context("nothing to disturb")?;
    let helm = held.helm_pid()?;
    ensure!(
        state_of(&helm).is_some_and(|state| state != 'T'),
        "helm is stopped already"
    );
    let (done, stopped) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                if state_of(&helm) == Some('T') {
                    stopped.store(true, Ordering::SeqCst);
                }
                std::thread::yield_now();
            }
        });
        let whole_again = || -> Result<Duration> {
            disturb()?.ok()?;
            let since = Instant::now();
            wait_until("helm to be stopped", NOTICED, || {
                Ok(stopped.load(Ordering::SeqCst).then_some(()))
            })?;
            let stopped_after = since.elapsed();
            wait_until("the object to be what it was", NOTICED, || {
                Ok((spec(cluster, object)?.as_ref() == Some(&before)).then_some(()))
            })?;
            wait_until("the freeze to refuse", NOTICED, || Ok(refused(cluster)?.then_some(())))?;
            wait_until("helm to go on", NOTICED, || {
                Ok(state_of(&helm).is_some_and(|state| state != 'T').then_some(()))
            })?;
            Ok(stopped_after)
        };
        let outcome = whole_again();
        done.store(true, Ordering::SeqCst);
        outcome
    })
}

/// Istio's injector is nobody's to freeze: its change is told by the webhook and by the plugin, and stops nothing.
fn injector_drift_is_told(cluster: &Cluster, guard: &Guard, held: &Held) -> Result<()> {
    let patch = |value: &str| {
        let patch = format!(r#"[{{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "{value}"}}]"#);
        cluster
            .kubectl(&["patch", INJECTOR, "--type=json", "-p", &patch])?
            .ok()
            .map(drop)
    };
    let drifted = |object: &Value, status: &str| {
        let condition = condition(object, "Drifted");
        condition["status"] == status
            && (status == "False"
                || condition["message"]
                    .to_string()
                    .contains("istio-sidecar-injector was changed"))
    };
    let everywhere = |status: &str| -> Result<()> {
        wait_until("the webhook's condition", NOTICED, || {
            let freeze = freeze(cluster)?;
            Ok(drifted(&freeze, status).then_some(()))
        })?;
        wait_for_journal(cluster, "the plugin's condition", NOTICED, |journal| {
            drifted(journal, status)
        })?;
        Ok(())
    };
    everywhere("False").context("before")?;
    patch("Ignore")?;
    everywhere("True").with_context(|| held.said())?;
    for kind in ["MeshFreeze", "MeshUpgrade"] {
        let told = events(cluster, kind)?;
        ensure!(
            told.iter()
                .any(|event| event.starts_with("Drifted") && event.contains("istio-sidecar-injector")),
            "{kind}: {told:#?}"
        );
    }
    let drifted_objects = guard.metric("mesh_upgrade_webhook_drifted_objects{mesh=\"default\"}")?;
    ensure!((drifted_objects - 1.0).abs() < 0.1, "{drifted_objects}");
    ensure!(
        state_of(&held.helm_pid()?).is_some_and(|state| state != 'T'),
        "it stops nothing"
    );
    patch("Fail")?;
    everywhere("False").context("after it was taken back")
}

/// The kinds of our own deleted, which takes breaking the glass first: the plugin is stopped meanwhile, as a machine
/// that sleeps is.
#[test]
fn without_its_kinds_an_upgrade_stops_frozen_and_changes_nothing_further() -> Result<()> {
    let (cluster, istio, mut guard) = guarded("kinds")?;
    guard.kill();
    cluster
        .apply_stdin(FOREIGN)?
        .ok()
        .context("idle, without any webhook")?;
    cluster.kubectl(&["delete", "destinationrule", "foreign"])?.ok()?;
    guard.start()?;

    // Without any driver the webhook alone tells.
    let held = Held::start(&cluster)?;
    drop(held);
    cluster.kubectl(&["label", INJECTOR, "somebody=was-here"])?.ok()?;
    cluster.kubectl(&["delete", WEBHOOK])?.ok()?;
    for name in ["istio-sidecar-injector", "mesh-upgrade-webhook"] {
        wait_until("the webhook's condition", NOTICED, || {
            let freeze = freeze(&cluster)?;
            let condition = condition(&freeze, "Drifted");
            let is_told = condition["status"] == "True" && condition["message"].to_string().contains(name);
            Ok(is_told.then_some(()))
        })?;
    }
    let before = releases(&cluster)?;
    let resumed = mesh_upgrade(&cluster, &["apply", "--yes"])?;
    ensure!(
        resumed.code == 1 && resumed.stderr.contains("FreezeNotClosed") && resumed.stderr.contains("guard install"),
        "{resumed}"
    );
    ensure!(refused(&cluster)? && releases(&cluster)? == before);
    guard.reinstall(&cluster)?;

    // MeshFreeze: the record cannot be written, so the freeze cannot be proved.
    let mut held = Held::start(&cluster)?;
    let drift = wait_for_journal(&cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(
        condition(&drift, "Drifted")["message"]
            .to_string()
            .contains("istio-sidecar-injector"),
        "what changed without a driver is not forgotten: {drift:#}"
    );
    delete_kind(&cluster, &held, "meshfreezes")?;
    ensure!(
        held.ended()? == 1 && held.said().contains("FreezeNotClosed"),
        "{}",
        held.said()
    );
    stopped_and_frozen(&cluster, &held, &before)?;
    guard.reinstall(&cluster)?;

    // MeshUpgrade: nowhere to write what is done.
    let mut held = Held::start(&cluster)?;
    delete_kind(&cluster, &held, "meshupgrades")?;
    ensure!(
        held.ended()? == 1
            && ["the journal default-1.31.0-", "-1 is gone"]
                .iter()
                .all(|words| held.said().contains(words)),
        "{}",
        held.said()
    );
    stopped_and_frozen(&cluster, &held, &before)?;
    // Frozen as it is, Istio's own validation cannot be asked.
    ensure!(istio.version_through_port_forward(&cluster)?.starts_with(FROM));
    ensure!(istio.injected_image(&cluster)?.ends_with(&format!(":{FROM}")));
    drop(held);
    drop(guard);
    drop(cluster);
    no_leftovers()
}

/// Breaks the glass, deletes a kind, and puts the freeze's policies up again, while the driver sleeps.
fn delete_kind(cluster: &Cluster, held: &Held, plural: &str) -> Result<()> {
    held.signal(Signal::STOP)?;
    let policies = [
        "get",
        "validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings",
        "-l",
        "app.kubernetes.io/part-of=mesh-upgrade",
    ];
    let saved = cluster.kubectl(&[&policies[..], &["-o", "json"]].concat())?.json()?;
    for item in saved["items"].as_array().into_iter().flatten() {
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let object = format!("{}/{}", text("/kind"), text("/metadata/name"));
        cluster.kubectl(&["delete", &object])?.ok()?;
    }
    let kind = format!("{plural}.meshupgrade.io");
    wait_until("the kind to be deleted", DEADLINE, || {
        let deleted = cluster.kubectl(&["delete", "crd", &kind, "--timeout=20s"])?;
        Ok((deleted.success() || deleted.stderr.contains("NotFound")).then_some(()))
    })?;
    let mut saved = saved;
    for item in saved["items"].as_array_mut().into_iter().flatten() {
        if let Some(metadata) = item["metadata"].as_object_mut() {
            for key in [
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "managedFields",
                "generation",
            ] {
                metadata.remove(key);
            }
        }
    }
    cluster
        .kubectl_with("admin", &["create", "-f", "-"], Some(&saved.to_string()))?
        .ok()?;
    wait_until("the freeze to refuse", NOTICED, || Ok(refused(cluster)?.then_some(())))?;
    held.signal(Signal::CONT)
}

fn stopped_and_frozen(cluster: &Cluster, held: &Held, releases_before: &[String]) -> Result<()> {
    let helm = held.helm_pid()?;
    wait_until("helm to be ended", NOTICED, || {
        Ok(state_of(&helm).is_none().then_some(()))
    })?;
    ensure!(refused(cluster)?, "the freeze policy was not left in place");
    ensure!(releases(cluster)? == releases_before, "something was changed further");
    Ok(())
}

fn releases(cluster: &Cluster) -> Result<Vec<String>> {
    let list = cluster.kubectl(&["get", "secrets", "-A", "-l", "owner=helm", "-o", "name"])?;
    Ok(list.ok()?.lines().map(str::to_owned).collect())
}
