//! The bypass corpus against a real API server with real Istio: every row is asked of the policy alone, of the webhook
//! alone, and of both together; wherever both can see a change, they agree.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    bypass::{Answer, Api, Barriers, Freeze, Row, Table, Verb},
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Toolbox, no_leftovers, wait_until},
    product::Guard,
};
use serde_json::{Value, json};
use shared::guard::codes::Code;

const SETUP: &str = include_str!("../fixtures/bypass/setup.yaml");
const DEADLINE: Duration = Duration::from_secs(30);
const JOURNALS: &str = "meshupgrade.io/v1alpha1 meshupgrades";

#[test]
fn every_known_bypass_is_refused_and_everything_else_passes() -> Result<()> {
    let began = Instant::now();
    let table = Table::read()?;
    ensure!(table.rows.len() >= 150, "the corpus has only {} rows", table.rows.len());
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    Istio::install(
        &cluster,
        IstioOptions {
            // With one, the chart makes no PodDisruptionBudget.
            replicas: 2,
            cni: true,
            ztunnel: true,
            gateway: true,
            ..IstioOptions::version("1.30.3")
        },
    )?;
    set_up(&cluster)?;
    let mut guard = Guard::install(&cluster)?;
    let api = Api::new(&cluster, table.identities.clone())?;
    write_own_objects(&api)?;
    let freeze = Freeze::record(&api)?;
    let prepared = began.elapsed();

    let mut wrong = Vec::new();
    let mut ask = |barriers: Barriers| -> Result<Vec<Answer>> {
        let answers = api.ask(&table.rows, freeze.policy())?;
        wrong.extend(surprises(barriers, &table.rows, &answers));
        Ok(answers)
    };
    let by_webhook = ask(Barriers::WebhookAlone)?;
    guard.kill();
    freeze.need_webhook()?;
    let asked = ask(Barriers::AskedAtAll)?;
    freeze.ignore_webhook()?;
    freeze.close_policy()?;
    let by_policy = ask(Barriers::PolicyAlone)?;
    guard.start()?;
    freeze.prove_webhook_beside_policy()?;
    ask(Barriers::Both)?;
    let rows = began.elapsed();
    helm_is_refused(&cluster)?;

    let (both, agreed) = agreement(&table, &by_policy, &by_webhook, &asked, &mut wrong);
    let refused = table.rows.iter().filter(|row| row.expect.is_refused()).count();
    println!(
        "bypass corpus: {} rows, {refused} denied, {} admitted; both barriers were asked about {both} and agreed on \
         {agreed}; {:.1} s, of them {:.1} s for the rows and {:.1} s for helm",
        table.rows.len(),
        table.rows.len() - refused,
        began.elapsed().as_secs_f64(),
        (rows - prepared).as_secs_f64(),
        (began.elapsed() - rows).as_secs_f64(),
    );
    ensure!(wrong.is_empty(), "{} surprises:\n{}", wrong.len(), wrong.join("\n"));

    let footprint = cluster.footprint();
    drop(guard);
    drop(cluster);
    footprint.gone()?;
    no_leftovers()
}

/// What the rows need, applied before the freeze.
fn set_up(cluster: &Cluster) -> Result<()> {
    // Objects of a new CRD cannot be applied together with it, and a webhook of Istio's may not have all its caches yet.
    wait_until("the rows' objects", DEADLINE, || {
        cluster.apply_stdin(SETUP)?.ok()?;
        Ok(Some(()))
    })
}

/// A journal that runs, one that is over, and a freeze that was unlocked: the corpus tries to tamper with them.
fn write_own_objects(api: &Api) -> Result<()> {
    let write = |identity: &str, verb, on: &str, body: Value| {
        let row = Row::new(&format!("preparing {on}"), identity, verb, on, body)?;
        api.write(&row).map(drop)
    };
    let plan = json!({"clusters": [], "steps": [], "charts": {"location": "x"}});
    // The one that is over comes first: a mesh has one upgrade at a time.
    for (name, mesh, phases) in [
        ("default-0", "default", &["Withdrawn"][..]),
        (
            "default-1",
            "default",
            &["Checking", "Pulling", "Freezing", "Upgrading"][..],
        ),
        ("fresh-1", "fresh", &[][..]),
    ] {
        let journal = json!({"kind": "MeshUpgrade", "spec": {
            "journalVersion": 1, "mesh": mesh, "from": "1.30.3", "to": "1.31.0", "plan": plan, "planHash": "h",
            "requestedBy": "alice",
        }});
        // The webhook may see a moment later than we that the one before is over.
        wait_until("a journal", DEADLINE, || {
            write("driver", Verb::Create, &format!("{JOURNALS} {name}"), journal.clone())?;
            Ok(Some(()))
        })?;
        for phase in phases {
            let status = json!({"status": {"phase": phase, "epoch": 3}});
            write(
                "driver",
                Verb::Merge,
                &format!("meshupgrade.io/v1alpha1 meshupgrades/status {name}"),
                status,
            )?;
        }
    }
    let on = "meshupgrade.io/v1alpha1 meshfreezes unlocked";
    let freeze = json!({"kind": "MeshFreeze", "spec": {
        "mesh": "unlocked", "upgrade": "unlocked-1", "from": "1.30.3", "to": "1.31.0", "holder": "alice", "epoch": 3,
        "since": "2026-11-24T04:00:00Z",
        // The webhook asks every freeze, so that what this one lets through must be what the other does.
        "scope": {"istiodUsers": ["system:serviceaccount:istio-system:istiod"]},
    }});
    write("driver", Verb::Create, on, freeze)?;
    let unlock = json!({"spec": {"unlock": {"by": "admin", "reason": "the corpus needs one"}}});
    write("admin", Verb::Merge, on, unlock)?;
    let mesh = json!({"kind": "Mesh", "spec": {"istioNamespace": "istio-system"}});
    write("alice", Verb::Create, "meshupgrade.io/v1alpha1 meshes default", mesh)
}

/// The real helm, for real: it is refused and changes nothing of what an API server lets anybody guard. Istio's
/// webhook configurations are beyond that: an uninstall deletes them although its other deletions are refused, and a
/// second release takes them over. The holder's own upgrade of istiod makes them anew.
fn helm_is_refused(cluster: &Cluster) -> Result<()> {
    let before = state(cluster)?;
    let chart = Toolbox::get()?.charts("1.31.0")?.join("istiod").display().to_string();
    let namespace = "--namespace=istio-system";
    let upgrade = ["upgrade", "istiod", &chart, namespace, "--reuse-values"];
    let attempts: [(&str, &str, &[&str]); 6] = [
        ("upgrade", "secret", &upgrade),
        (
            "upgrade with another storage",
            "configmap",
            &["upgrade", "--install", "--take-ownership", "istiod", &chart, namespace],
        ),
        ("rollback", "secret", &["rollback", "istiod", "1", namespace]),
        // Helm logs only the first refusal of an uninstall, and only with this flag.
        ("uninstall", "secret", &["uninstall", "istiod", namespace, "--debug"]),
        (
            "uninstall that keeps its history",
            "secret",
            &["uninstall", "ztunnel", namespace, "--keep-history", "--debug"],
        ),
        (
            "a second release that takes ownership",
            "secret",
            &["install", "second", &chart, namespace, "--take-ownership"],
        ),
    ];
    for (what, storage, arguments) in attempts {
        let mut helm = cluster.command("helm")?;
        helm.env("HELM_DRIVER", storage).args(arguments);
        let run = Run::of(helm, None)?;
        ensure!(
            !run.success() && run.stderr.contains("MG001 mesh-frozen"),
            "helm {what}: {run}"
        );
    }
    // The storage of a second release is nobody's yet; what it would have taken over is as it was.
    cluster
        .kubectl(&["delete", "secrets", "--selector=owner=helm,name=second", namespace])?
        .ok()?;
    let after = state(cluster)?;
    ensure!(
        before == after,
        "helm was refused, and changed this:\n{before}\n{after}"
    );
    Ok(())
}

/// Everything of the mesh with its identity, and with its generation where it has one.
fn state(cluster: &Cluster) -> Result<String> {
    let kinds = "deployments,daemonsets,services,serviceaccounts,configmaps,secrets,poddisruptionbudgets,roles,\
                 clusterroles,clusterrolebindings,customresourcedefinitions";
    let columns = "custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,GENERATION:.metadata.generation,\
                   RELEASE:.metadata.annotations.meta\\.helm\\.sh/release-name";
    let all = cluster.kubectl(&["get", kinds, "--namespace=istio-system", "--no-headers", "-o", columns])?;
    Ok(all.ok()?.to_owned())
}

/// Rows whose answer is not the expected one.
fn surprises(barriers: Barriers, rows: &[Row], answers: &[Answer]) -> Vec<String> {
    let mut surprises = Vec::new();
    for (row, answer) in rows.iter().zip(answers) {
        let Some(expected) = row.expect.answer(barriers) else {
            continue;
        };
        if !answer.is(&expected) {
            surprises.push(format!(
                "{barriers:?}: {} (as {}): expected {expected:?}, got {answer:?}",
                row.name, row.identity
            ));
        }
    }
    surprises
}

/// Compares the two barriers by what they answered, not by what the table expects: how many rows both were asked
/// about, and on how many they agreed. The versions are the webhook's alone, and a probe is meant to divide them.
fn agreement(
    table: &Table,
    by_policy: &[Answer],
    by_webhook: &[Answer],
    asked: &[Answer],
    wrong: &mut Vec<String>,
) -> (usize, usize) {
    let (mut both, mut agreed) = (0, 0);
    for (((row, policy), webhook), asked) in table.rows.iter().zip(by_policy).zip(by_webhook).zip(asked) {
        let about_versions = matches!(webhook, Answer::Webhook(code) if *code != Code::MeshFrozen);
        if *asked != Answer::AskedTheWebhook || about_versions || table.is_webhook_probe(row) {
            continue;
        }
        both += 1;
        let refused = |answer: &Answer| matches!(answer, Answer::FreezePolicy | Answer::Webhook(_));
        if refused(policy) == refused(webhook) {
            agreed += 1;
        } else {
            wrong.push(format!(
                "{}: the policy says {policy:?}, the webhook {webhook:?}",
                row.name
            ));
        }
    }
    (both, agreed)
}
