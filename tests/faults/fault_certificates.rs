//! The webhook's certificates: rotated under load without one failed call, expired, and not trusted.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kube::{Client, Config, client::Body};
use mesh_upgrade_tests::{
    bypass::{Answer, Api, Freeze, Row, Table, Verb},
    harness::{Cluster, ClusterOptions, no_leftovers, wait_until},
    product::{Guard, mesh_upgrade},
};
use serde_json::{Value, json};
use shared::{guard::codes::Code, names};

/// A minute of validity, renewed after forty seconds; five seconds for the API server to read the bundle.
const FAST: [&str; 2] = ["--serving-certificate-lifetime=60s", "--authority-settle-time=5s"];
/// How long a thing may take that happens once in a rotation.
const DEADLINE: Duration = Duration::from_secs(120);
/// Pairs that must have been served one after the other.
const ROTATIONS: f64 = 4.0;
/// More writers than connections that an API server keeps open to a webhook: each burst makes new ones.
const WRITERS: usize = 5;

/// An istiod for the version rules to compare with: the webhook reads Deployments, whoever made them.
const ISTIOD: &str = r#"
apiVersion: v1
kind: Namespace
metadata: { name: istio-system }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: istiod, namespace: istio-system, labels: { app: istiod } }
spec:
  replicas: 0
  selector: { matchLabels: { app: istiod } }
  template:
    metadata: { labels: { app: istiod } }
    spec: { containers: [{ name: discovery, image: "docker.io/istio/pilot:1.30.3" }] }
"#;

/// A stand-in for cert-manager: its kinds without schemas, and nobody who acts on them.
const CERT_MANAGER_CRDS: &str = include_str!("../fixtures/cert-manager-crds-without-schemas.yaml");

#[test]
fn certificates_are_rotated_under_load_and_no_call_fails() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    cluster.apply_stdin(ISTIOD)?.ok()?;
    let guard = Guard::install_with(&cluster, &FAST)?;
    let replica = guard.replica()?;
    let skip = skip_attempts(8)?;
    refused(&cluster, &skip[..1], "the guard to know istiod")?;

    let opened_before = failed_open(&cluster)?;
    let audited_before = failed_open_in_audit(&cluster)?;
    let (ended, refusals) = (AtomicBool::new(false), AtomicU64::new(0));
    let handshakes = std::thread::scope(|scope| -> Result<u64> {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| scope.spawn(|| write_until(&cluster, &skip, &ended, &refusals)))
            .collect();
        let watched = watch_rotations(&cluster, &[&guard, &replica]);
        ended.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        }
        watched
    });
    let context = || std::fs::read_to_string(guard.log()).unwrap_or_default();
    let handshakes = handshakes.with_context(context)?;
    let opened = failed_open(&cluster)? - opened_before;
    let audited = failed_open_in_audit(&cluster)? - audited_before;
    println!(
        "certificate rotation: {} attempts, all refused by the webhook; {handshakes} new connections to both replicas, \
         all trusted; {opened} calls failed open by the API server's metric, {audited} by its audit log",
        refusals.load(Ordering::Relaxed)
    );
    ensure!(opened == 0.0 && audited == 0, "{}", context());
    let steps = |step: &str| -> Result<f64> {
        let name = format!("mesh_upgrade_webhook_certificate_rotation_steps_total{{step=\"{step}\"}}");
        Ok(guard.metric(&name)? + replica.metric(&name)?)
    };
    ensure!(steps("forget")? >= 1.0, "no former authority was ever forgotten");
    // Replicas agree: none has a pair of its own, and each pair was made once.
    ensure!(
        steps("issue")? <= steps("promote")? + 1.0,
        "replicas made pairs beside each other"
    );
    drop((guard, replica));
    drop(cluster);
    no_leftovers()
}

#[test]
fn an_expired_or_untrusted_certificate_hinders_nobody_and_opens_no_freeze() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("west"))?;
    cluster.apply_stdin(ISTIOD)?.ok()?;
    let mut guard = Guard::install_with(
        &cluster,
        &["--serving-certificate-lifetime=30s", "--authority-settle-time=1s"],
    )?;
    let skip = skip_attempts(1)?;
    refused(&cluster, &skip, "the guard to know istiod")?;
    let api = Api::new(&cluster, Table::read()?.identities)?;
    let freeze = Freeze::unrecorded(&api)?;

    // A bundle that somebody has spoilt is written anew, and nobody has to do anything.
    let spoilt = spoil_bundle(&cluster)?;
    wait_until("the webhook to mend its bundle", DEADLINE, || {
        Ok((bundle(&cluster)?.trim() != spoilt.trim()).then_some(()))
    })?;
    refused(&cluster, &skip, "the webhook to be trusted again")?;

    // From here on nobody renews: the last pair is served from a directory, as one that somebody else makes.
    let directory = guard.dir().join("tls");
    export_pair(&cluster, &directory)?;
    let flag = format!("--tls-dir={}", directory.display());
    guard.restart_with(&[flag.as_str()])?;
    wait_until("the certificate to expire", DEADLINE, || {
        Ok(guard.readiness()?.contains("the certificate has expired").then_some(()))
    })?;
    status_says(&cluster, "have expired")?;
    idle_is_unhindered_and_frozen_stays_frozen(&cluster, &api, &freeze, &skip)?;

    // A valid certificate that nobody trusts.
    guard.restart_with(&["--serving-certificate-lifetime=1h", "--authority-settle-time=1s"])?;
    refused(&cluster, &skip, "the webhook to renew what had expired")?;
    export_pair(&cluster, &directory)?;
    guard.restart_with(&[flag.as_str()])?;
    wait_until("the webhook to be ready", DEADLINE, || {
        Ok(guard.readiness()?.contains("200 OK").then_some(()))
    })?;
    spoil_bundle(&cluster)?;
    status_says(&cluster, "NOT PROVED in ")?;
    idle_is_unhindered_and_frozen_stays_frozen(&cluster, &api, &freeze, &skip)?;
    drop(guard);
    drop(cluster);
    no_leftovers()
}

#[test]
fn pods_are_admitted_under_the_restricted_standard_and_cert_manager_is_asked_for_first() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("north"))?;
    let install = ["guard", "install", "--cert-manager"];
    let missing = mesh_upgrade(&cluster, &install)?;
    ensure!(
        missing.code == 3 && missing.stderr.contains("has no cert-manager"),
        "{missing}"
    );
    let namespace = cluster.kubectl(&["get", "namespace", names::NAMESPACE])?;
    ensure!(
        !namespace.success(),
        "something was installed before cert-manager was missed"
    );
    cluster.apply_stdin(CERT_MANAGER_CRDS)?.ok()?;
    mesh_upgrade(&cluster, &install)?.ok()?;
    let home = ["-n", names::NAMESPACE];
    let certificates =
        cluster.kubectl(&[&home[..], &["get", "certificates.cert-manager.io", "-o", "name"]].concat())?;
    ensure!(certificates.ok()?.lines().count() == 2, "{certificates}");

    // An update keeps that, and the defaults bring the webhook's own certificates back, with the same objects otherwise.
    mesh_upgrade(&cluster, &["guard", "install"])?.ok()?;
    let kept = cluster.kubectl(&[&home[..], &["get", "certificates.cert-manager.io", "-o", "name"]].concat())?;
    ensure!(kept.ok()?.lines().count() == 2, "{kept}");
    let mounted = [
        &home[..],
        &["get", "deployment", names::WEBHOOK, "-o=jsonpath={..volumes}"],
    ]
    .concat();
    ensure!(
        cluster.kubectl(&mounted)?.ok()?.contains("\"tls\""),
        "an update has put the way of installation back"
    );
    mesh_upgrade(&cluster, &["guard", "install", "--reset"])?.ok()?;
    let rollout = [
        &home[..],
        &["rollout", "status", "deployment", names::WEBHOOK, "--timeout=60s"],
    ]
    .concat();
    cluster.kubectl(&rollout)?.ok()?;
    ensure!(
        !cluster.kubectl(&mounted)?.ok()?.contains("\"tls\""),
        "the volume of before is still mounted"
    );

    // The webhook reaches its one Secret and its own configuration, and no other.
    let account = format!(
        "--as=system:serviceaccount:{}:{}",
        names::NAMESPACE,
        names::WEBHOOK_SERVICE_ACCOUNT
    );
    let may = |arguments: &[&str]| -> Result<bool> {
        let all = [&home[..], &["auth", "can-i"], arguments, &[account.as_str()]].concat();
        Ok(cluster.kubectl(&all)?.stdout.trim() == "yes")
    };
    let secret = format!("secrets/{}", names::CERTIFICATES);
    ensure!(may(&["patch", &secret])? && may(&["get", &secret])?);
    for beyond in [
        &["list", "secrets"][..],
        &["get", "secrets/other"],
        &["create", "secrets"],
        &["delete", &secret],
    ] {
        ensure!(!may(beyond)?, "the webhook may {beyond:?}");
    }
    let configuration = "validatingwebhookconfigurations.admissionregistration.k8s.io";
    ensure!(may(&["patch", &format!("{configuration}/{}", names::WEBHOOK)])?);
    ensure!(!may(&["patch", &format!("{configuration}/other")])?);

    mesh_upgrade(&cluster, &["guard", "uninstall", "--yes"])?.ok()?;
    let left = cluster.kubectl(&[
        "get",
        "certificates.cert-manager.io,issuers.cert-manager.io",
        "-A",
        "-o",
        "name",
    ])?;
    ensure!(left.ok()?.is_empty(), "{left}");
    drop(cluster);
    no_leftovers()
}

/// Attempts to run an istiod that skips a minor, which the webhook alone refuses, at any time.
fn skip_attempts(count: usize) -> Result<Vec<Row>> {
    let attempt = |number: usize| {
        let labels = json!({"app": "istiod", "attempt": number.to_string()});
        let container = json!({"name": "discovery", "image": "docker.io/istio/pilot:1.32.0"});
        let body = json!({"kind": "Deployment", "spec": {
            "replicas": 0, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }});
        let on = format!("apps/v1 deployments istio-system/istiod-{number}");
        Row::new("a skipped minor", "admin", Verb::Create, &on, body)
    };
    (0..count).map(attempt).collect()
}

fn refused(cluster: &Cluster, rows: &[Row], what: &str) -> Result<()> {
    let api = Api::new(cluster, Table::read()?.identities)?;
    wait_until(what, DEADLINE, || {
        let answers = api.ask(rows, "")?;
        let all = answers
            .iter()
            .all(|answer| *answer == Answer::Webhook(Code::SkipVersion));
        ensure!(all, "{answers:?}");
        Ok(Some(()))
    })
}

/// Tries without pause; an attempt that is answered otherwise than by the webhook's refusal ends it.
fn write_until(cluster: &Cluster, rows: &[Row], ended: &AtomicBool, refusals: &AtomicU64) -> Result<()> {
    let api = Api::new(cluster, Table::read()?.identities)?;
    while !ended.load(Ordering::Relaxed) {
        for answer in api.ask(rows, "")? {
            ensure!(answer == Answer::Webhook(Code::SkipVersion), "fell through: {answer:?}");
            refusals.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Until enough pairs were served, connects to every replica anew, trusting what the API server's webhook configuration
/// said just before. Returns how often.
fn watch_rotations(cluster: &Cluster, replicas: &[&Guard]) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut handshakes = 0;
    wait_until("the certificates to be rotated", 4 * DEADLINE, || {
        let trusted = bundle(cluster)?;
        for replica in replicas {
            // Not an error to be waited out: this one must hold each time.
            if let Err(error) = runtime.block_on(handshake(&trusted, replica.port())) {
                return Ok(Some(Err(error.context(format!("not trusted by\n{trusted}")))));
            }
            handshakes += 1;
        }
        let promoted = "mesh_upgrade_webhook_certificate_rotation_steps_total{step=\"promote\"}";
        let forgotten = "mesh_upgrade_webhook_certificate_rotation_steps_total{step=\"forget\"}";
        let sum = |name: &str| -> Result<f64> { replicas.iter().map(|replica| replica.metric(name)).sum() };
        Ok((sum(promoted)? > ROTATIONS && sum(forgotten)? >= 1.0).then_some(Ok(())))
    })??;
    Ok(handshakes)
}

/// A new TLS connection that trusts only this bundle.
async fn handshake(bundle: &str, port: u16) -> Result<()> {
    let mut config = Config::new(format!("https://localhost:{port}").parse()?);
    let blocks = bundle.split("-----END CERTIFICATE-----");
    let encoded = blocks.map(|block| block.replace("-----BEGIN CERTIFICATE-----", ""));
    let encoded = encoded.map(|block| block.split_whitespace().collect::<String>());
    let decoded = encoded
        .filter(|block| !block.is_empty())
        .map(|block| STANDARD.decode(block));
    config.root_cert = Some(decoded.collect::<Result<_, _>>()?);
    config.proxy_url = None;
    let request = http::Request::builder().uri("/").body(Body::empty())?;
    // Whatever the answer is: it came over a connection that was trusted.
    Client::try_from(config)?.send(request).await?;
    Ok(())
}

/// What the first webhook of the configuration trusts, and that the others trust the same.
fn bundle(cluster: &Cluster) -> Result<String> {
    let name = names::WEBHOOK;
    let configuration = cluster
        .kubectl(&["get", "validatingwebhookconfiguration", name, "-o", "json"])?
        .json()?;
    let webhooks = configuration
        .get("webhooks")
        .and_then(Value::as_array)
        .context("webhooks")?;
    let of = |webhook: &Value| {
        webhook
            .pointer("/clientConfig/caBundle")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let first = webhooks.first().and_then(of).context("a caBundle")?;
    ensure!(
        webhooks.iter().all(|webhook| of(webhook).as_ref() == Some(&first)),
        "{configuration}"
    );
    Ok(String::from_utf8(STANDARD.decode(first)?)?)
}

/// Writes a bundle that trusts nobody of ours: the API server's own authority. Returns it.
fn spoil_bundle(cluster: &Cluster) -> Result<String> {
    let name = names::WEBHOOK;
    let admin = cluster
        .kubectl(&["config", "view", "--raw", "--flatten", "--minify", "-o", "json"])?
        .json()?;
    let foreign = admin.pointer("/clusters/0/cluster/certificate-authority-data");
    let foreign = foreign.and_then(Value::as_str).context("the API server's authority")?;
    let configuration = cluster
        .kubectl(&["get", "validatingwebhookconfiguration", name, "-o", "json"])?
        .json()?;
    let count = configuration
        .get("webhooks")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let patch: Vec<Value> = (0..count)
        .map(|index| {
            let path = format!("/webhooks/{index}/clientConfig/caBundle");
            json!({"op": "replace", "path": path, "value": foreign})
        })
        .collect();
    let patch = Value::from(patch).to_string();
    let arguments = [
        "patch",
        "validatingwebhookconfiguration",
        name,
        "--type=json",
        "-p",
        &patch,
    ];
    cluster.kubectl(&arguments)?.ok()?;
    Ok(String::from_utf8(STANDARD.decode(foreign)?)?)
}

/// The pair that is served now, as files.
fn export_pair(cluster: &Cluster, directory: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    let get = [
        "get",
        "secret",
        names::CERTIFICATES,
        "-n",
        names::NAMESPACE,
        "-o",
        "json",
    ];
    let secret = cluster.kubectl(&get)?.json()?;
    for file in ["tls.crt", "tls.key"] {
        let encoded = secret.pointer(&format!("/data/{file}")).and_then(Value::as_str);
        std::fs::write(directory.join(file), STANDARD.decode(encoded.context(file)?)?)?;
    }
    Ok(())
}

fn status_says(cluster: &Cluster, words: &str) -> Result<()> {
    wait_until("guard status to say so", DEADLINE, || {
        let status = mesh_upgrade(cluster, &["guard", "status"])?;
        ensure!(status.code == 3 && status.stdout.contains(words), "{status}");
        Ok(Some(()))
    })
}

/// What the webhook alone would refuse goes through, and so does everybody's work; under the policy nothing does.
fn idle_is_unhindered_and_frozen_stays_frozen(
    cluster: &Cluster,
    api: &Api,
    freeze: &Freeze<'_>,
    skip: &[Row],
) -> Result<()> {
    let config_map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: istio, namespace: istio-system}}";
    wait_until("the API server to call the webhook in vain", DEADLINE, || {
        let answers = api.ask(skip, "")?;
        ensure!(answers.iter().all(|answer| *answer == Answer::Admitted), "{answers:?}");
        Ok(Some(()))
    })?;
    cluster.apply_stdin(config_map)?.ok()?;
    cluster
        .kubectl(&["delete", "configmap", "istio", "-n", "istio-system"])?
        .ok()?;
    // The two counts that the rotation is judged by do see failed calls.
    let counted = (failed_open(cluster)?, failed_open_in_audit(cluster)?);
    ensure!(
        counted.0 > 0.0 && counted.1 > 0,
        "failed calls are not counted: {counted:?}"
    );
    freeze.close_policy()?;
    let refused = cluster.apply_stdin(config_map)?;
    ensure!(refused.refused()?.contains(Code::MeshFrozen.as_str()), "{refused}");
    freeze.open_policy()
}

/// Calls of the guard's webhooks that failed and were ignored, by the API server's own count.
fn failed_open(cluster: &Cluster) -> Result<f64> {
    let metrics = cluster.kubectl(&["get", "--raw", "/metrics"])?;
    let counts = metrics.ok()?.lines().filter(|line| {
        line.starts_with("apiserver_admission_webhook_fail_open_count{") && line.contains("guard.meshupgrade.io")
    });
    Ok(counts
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum())
}

/// The same by the audit log, which annotates each request that a failed call let through.
fn failed_open_in_audit(cluster: &Cluster) -> Result<usize> {
    let audit = std::fs::read_to_string(cluster.audit_log())?;
    let opened = audit.lines().filter(|line| {
        line.contains("failed-open.validating.webhook.admission.k8s.io") && line.contains("guard.meshupgrade.io")
    });
    Ok(opened.count())
}
