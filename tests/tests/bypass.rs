//! The bypass corpus against a real API server with real Istio: every row is asked of the policy alone, of the webhook
//! alone, and of both together; wherever both can see a change, they agree.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    bypass::{Answer, Api, Barriers, Freeze, Row, Table, Verb, hours_ahead, real_writers},
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Toolbox, no_leftovers, wait_until},
    product::{Guard, install_gateway_api},
};
use serde_json::{Value, json};
use shared::{
    api::{FreezeMode, FreezeSettings},
    guard::codes::Code,
};

const SETUP: &str = include_str!("../fixtures/bypass/setup.yaml");
const OPERATOR_CRDS: &str = include_str!("../fixtures/minimal-operator-crds.yaml");
const DEADLINE: Duration = Duration::from_secs(30);
/// How long istiod may take to start and to prove its own validation.
const ISTIOD_DEADLINE: Duration = Duration::from_secs(90);
const JOURNALS: &str = "meshupgrade.io/v1alpha1 meshupgrades";

#[test]
fn every_known_bypass_is_refused_and_everything_else_passes() -> Result<()> {
    let began = Instant::now();
    let table = Table::read()?;
    ensure!(table.rows.len() >= 150, "the corpus has only {} rows", table.rows.len());
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    install_gateway_api(&cluster)?;
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
    real_writers::prepare(&cluster)?;
    let mut guard = Guard::install(&cluster)?;
    let api = Api::new(&cluster, table.identities.clone())?;
    write_own_objects(&api)?;
    let mut freeze = Freeze::record(&api)?;
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
    kubectl_is_refused(&cluster)?;
    helm_is_refused(&cluster)?;
    let so_far = real_writers::events_so_far(&cluster)?;
    istiod_proves_its_own_validation(&cluster)?;
    real_writers::work(&cluster, &api, so_far)?;
    a_namespace_of_an_application_goes_and_is_told_of(&cluster, &guard, freeze.policy())?;
    // The webhook asks every freeze, and this one has no other settings.
    let unlocked = "meshupgrade.io/v1alpha1 meshfreezes unlocked";
    api.write(&Row::new(
        "no second freeze",
        "admin",
        Verb::Delete,
        unlocked,
        Value::Null,
    )?)?;
    freeze.change_settings(FreezeSettings {
        mode: FreezeMode::Warn,
        namespaces: vec!["shop".to_owned()],
        ..FreezeSettings::default()
    })?;
    let other = Table::under_other_settings()?;
    let answers = api.ask(&other.rows, freeze.policy())?;
    wrong.extend(surprises(Barriers::Both, &other.rows, &answers));

    let (both, agreed) = agreement(&table, &by_policy, &by_webhook, &asked, &mut wrong);
    let refused = table.rows.iter().filter(|row| row.expect.is_refused()).count();
    println!(
        "bypass corpus: {} rows, {refused} denied, {} admitted; both barriers were asked about {both} and agreed on \
         {agreed}; {} rows under other settings; {:.1} s, of them {:.1} s for the rows",
        table.rows.len(),
        table.rows.len() - refused,
        other.rows.len(),
        began.elapsed().as_secs_f64(),
        (rows - prepared).as_secs_f64(),
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
    cluster.apply_stdin(OPERATOR_CRDS)?.ok()?;
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
        "scope": {
            "istiodUsers": ["system:serviceaccount:istio-system:istiod"],
            "configuration": {
                "gatewayAPI": true, "extraWriters": ["system:serviceaccount:flagger-system:flagger"],
            },
        },
    }});
    write("driver", Verb::Create, on, freeze)?;
    let unlock = json!({"spec": {"unlock": {"by": "admin", "reason": "the corpus needs one"}}});
    write("admin", Verb::Merge, on, unlock)?;
    let mesh = json!({"kind": "Mesh", "spec": {"istioNamespace": "istio-system"}});
    write("alice", Verb::Create, "meshupgrade.io/v1alpha1 meshes default", mesh)?;
    let external = json!({"kind": "Mesh", "spec": {"management": "External", "istioNamespace": "owned"}});
    write("alice", Verb::Create, "meshupgrade.io/v1alpha1 meshes owned", external)?;
    let sail = "system:serviceaccount:sail-operator:sail-operator";
    let external = json!({"kind": "Mesh", "spec": {"management": "External", "istioNamespace": "theirs", "downgrade": {
        "to": "1.29.9", "by": "admin", "reason": "the corpus needs one", "expires": hours_ahead(1)?, "writers": [sail],
    }}});
    write("admin", Verb::Create, "meshupgrade.io/v1alpha1 meshes theirs", external)?;
    let ran = json!({"status": {"version": "1.30.2"}});
    write(
        "webhook",
        Verb::Merge,
        "meshupgrade.io/v1alpha1 meshes/status theirs",
        ran,
    )
}

/// The real kubectl, for real, in the ways in which people use it.
fn kubectl_is_refused(cluster: &Cluster) -> Result<()> {
    let attempts: [&[&str]; 9] = [
        &["scale", "deployment/istiod", "--replicas=0"],
        &[
            "set",
            "image",
            "deployment/istiod",
            "discovery=docker.io/istio/pilot:1.30.4",
        ],
        &["rollout", "restart", "daemonset/ztunnel"],
        &["annotate", "peerauthentication/default", "x=y"],
        &["label", "deployment/istiod", "app-"],
        &["patch", "configmap/istio", "--patch={\"data\":{\"mesh\":\"\"}}"],
        &["delete", "--all", "peerauthentications.security.istio.io"],
        &["delete", "crd", "virtualservices.networking.istio.io"],
        &["delete", "namespace", "istio-system"],
    ];
    for arguments in attempts {
        let run = cluster.kubectl(&[arguments, &["--namespace=istio-system"]].concat())?;
        let said = run.refused()?;
        ensure!(said.contains("MG001 mesh-frozen"), "kubectl {arguments:?}: {said}");
    }
    Ok(())
}

/// A freeze may neither keep istiod from closing its own validation nor be taken for it: istiod starts anew under both
/// barriers, finds its webhooks open, and closes them only when its own refusal has come back.
fn istiod_proves_its_own_validation(cluster: &Cluster) -> Result<()> {
    let policies = || -> Result<Vec<String>> {
        let each = "--output=jsonpath={range .items[*].webhooks[*]}{.failurePolicy}{\"\\n\"}{end}";
        let kinds = "validatingwebhookconfigurations";
        let found = cluster.kubectl(&["get", kinds, "--selector=app=istiod", each])?;
        Ok(found.ok()?.lines().map(str::to_owned).collect())
    };
    cluster.control("stop istiod")?;
    let names = cluster.kubectl(&[
        "get",
        "validatingwebhookconfigurations",
        "--selector=app=istiod",
        "--output=name",
    ])?;
    for name in names.ok()?.lines() {
        let open = r#"[{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]"#;
        cluster
            .kubectl(&["patch", name, "--type=json", "--patch", open])?
            .ok()?;
    }
    let open = policies()?;
    ensure!(
        !open.is_empty() && open.iter().all(|policy| policy == "Ignore"),
        "istiod's webhooks could not be opened: {open:?}"
    );
    cluster.control("start istiod")?;
    wait_until("istiod to close its own validation", ISTIOD_DEADLINE, || {
        let closed = policies()?;
        ensure!(
            closed.len() == open.len() && closed.iter().all(|policy| policy == "Fail"),
            "still {closed:?}"
        );
        Ok(Some(()))
    })
}

/// The namespace goes, with the configuration in it; who deletes it is warned, and the audit log and the webhook's
/// metrics tell of each object.
fn a_namespace_of_an_application_goes_and_is_told_of(cluster: &Cluster, guard: &Guard, policy: &str) -> Result<()> {
    let told = || guard.metric(r#"mesh_upgrade_webhook_reviews_total{decision="warn",code="MG001"}"#);
    let before = told()?;
    let run = cluster.kubectl(&["delete", "namespace", "closing", "--timeout=60s"])?;
    run.ok()?;
    ensure!(
        run.stderr.contains("Warning: MG001 mesh-frozen"),
        "nobody was warned: {run}"
    );
    ensure!(
        told()? >= before + 3.0,
        "the webhook's metrics tell of {} instead of the namespace and two objects",
        told()? - before
    );
    let annotations = [
        format!("{policy}/let-through"),
        "config.guard.meshupgrade.io/code".to_owned(),
    ];
    let log = std::fs::read_to_string(cluster.audit_log())?;
    for resource in ["virtualservices", "authorizationpolicies"] {
        let is_deletion = |event: &Value| {
            let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            at("/objectRef/namespace") == "closing"
                && at("/objectRef/resource") == resource
                && at("/verb").starts_with("delete")
        };
        let is_told = |event: &Value| {
            annotations.iter().all(|key| {
                let text = event.get("annotations").and_then(|all| all.get(key)?.as_str());
                text.is_some_and(|text| text.starts_with("MG001"))
            })
        };
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let told = events.filter(is_deletion).any(|event| is_told(&event));
        ensure!(told, "the audit log does not tell of the {resource} that went");
    }
    Ok(())
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
