//! Findings on the real control plane: a healthy mesh has none, and one that is spoilt everywhere at once has them all.

#[path = "findings/case.rs"]
mod case;
#[path = "findings/releases.rs"]
mod releases;

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Toolbox, wait_until},
    product::{Guard, mesh_upgrade},
};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

const DEFINITIONS: &str = include_str!("../fixtures/findings/definitions.yaml");
const OBJECTS: &str = include_str!("../fixtures/findings/objects.yaml");
const SEEDS: &str = include_str!("../fixtures/findings/seeds.yaml");

/// What a check finds, by code.
fn codes(cluster: &Cluster, arguments: &[&str]) -> Result<(BTreeSet<String>, Value)> {
    let mut all = vec!["check", "-o", "json"];
    all.extend(arguments);
    let run = mesh_upgrade(cluster, &all)?;
    let report: Value = serde_json::from_str(&run.stdout).with_context(|| run.to_string())?;
    let findings = report.get("findings").and_then(Value::as_array).cloned();
    let found = findings
        .unwrap_or_default()
        .iter()
        .filter_map(|finding| Some(finding.get("code")?.as_str()?.to_owned()))
        .collect();
    Ok((found, report))
}

fn expect(found: &BTreeSet<String>, wanted: &[&str], report: &Value) -> Result<()> {
    let missing: Vec<&&str> = wanted.iter().filter(|code| !found.contains(**code)).collect();
    ensure!(missing.is_empty(), "{missing:?} were not found: {report:#}");
    Ok(())
}

fn done(run: &Run) -> Result<()> {
    run.ok().map(drop)
}

#[test]
fn a_healthy_mesh_has_no_finding_and_a_spoilt_one_has_them_all() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let istio = Istio::install(
        &cluster,
        IstioOptions {
            replicas: 2,
            ..IstioOptions::version("1.30.3")
        },
    )?;
    let _guard = Guard::install(&cluster)?;
    // The autoscaler brings the second one, in its own time.
    wait_until("two istiod", Duration::from_secs(60), || {
        let ready = [
            "get",
            "deployment",
            "istiod",
            "-n",
            "istio-system",
            "-o",
            "jsonpath={.status.readyReplicas}",
        ];
        Ok((cluster.kubectl(&ready)?.ok()? == "2").then_some(()))
    })?;
    // No day in the embedded catalog makes a finding of 1.30 or 1.31 while their ends are estimates; the registry that
    // 1.30's charts name is retired all the same.
    let (found, report) = codes(&cluster, &["--to", "1.31.0"])?;
    let beside: Vec<&String> = found.iter().filter(|code| *code != "MU405").collect();
    ensure!(beside.is_empty(), "{report:#}");

    releases::the_operator_sees_everything(&cluster)?;
    a_plan_file_is_refused_when_it_no_longer_holds(&cluster, &istio)?;
    catalogs_extend_or_are_refused_with_their_line(&cluster)?;
    releases::OF_CHARTS.iter().try_for_each(|case| case.show(&cluster))?;

    spoil(&cluster)?;
    let (found, report) = codes(&cluster, &["--to", "1.31.0"])?;
    expect(
        &found,
        &[
            "MU307", "MU308", "MU309", "MU311", "MU312", "MU402", "MU405", "MU408", "MU409", "MU411", "MU712", "MU724",
            "MU725", "MU726", "MU727", "MU728", "MU801", "MU804",
        ],
        &report,
    )?;
    for (code, object) in [("MU726", "WorkloadEntry seeded/vm-1"), ("MU312", "Namespace seeded")] {
        let named = report
            .get("findings")
            .and_then(Value::as_array)
            .is_some_and(|findings| {
                findings.iter().any(|one| {
                    one.get("code").and_then(Value::as_str) == Some(code)
                        && one.get("object").and_then(Value::as_str) == Some(object)
                })
            });
        ensure!(named, "{code} does not name {object}: {report:#}");
    }
    waivers_take_findings_out_until_they_expire(&cluster)
}

fn a_plan_file_is_refused_when_it_no_longer_holds(cluster: &Cluster, istio: &Istio) -> Result<()> {
    let file = cluster.dir().join("plan.json").display().to_string();
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    done(&mesh_upgrade(
        cluster,
        &["plan", "--to", "1.31.0", "--charts", &charts, "--out", &file],
    )?)?;
    done(&istio.upgrade_release(cluster, "base", "1.30.3")?)?;
    let refused = mesh_upgrade(cluster, &["apply", &file, "--yes"])?;
    ensure!(
        refused.code == 3 && refused.stderr.contains("was at revision 1, now 2"),
        "{refused}"
    );
    Ok(())
}

fn catalogs_extend_or_are_refused_with_their_line(cluster: &Cluster) -> Result<()> {
    let text = "extends: embedded\nflavors:\n  - releases:\n      - minor: \"1.32\"\n        newestPatch: 1.32.0\n        \
                released: 2026-11-20\n        endOfLife: {date: 2027-08-31, kind: estimate}\n        kubernetes: \
                [\"1.35\", \"1.36\"]\n";
    let apply = |text: &str| -> Result<()> {
        let file = cluster.dir().join("catalog.yaml");
        std::fs::write(&file, text)?;
        let from = format!("--from-file=catalog.yaml={}", file.display());
        let made = cluster.kubectl(&[
            "-n",
            "mesh-upgrade-system",
            "create",
            "configmap",
            "mesh-upgrade-catalog",
            &from,
            "--dry-run=client",
            "-o",
            "yaml",
        ])?;
        done(&cluster.apply_stdin(made.ok()?)?)
    };
    apply(text)?;
    let path = mesh_upgrade(cluster, &["plan", "--to", "1.32.0", "-o", "json"])?.json()?;
    let to: Vec<&str> = path
        .get("legs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|leg| leg.get("to")?.as_str())
        .collect();
    ensure!(to == ["1.31.3", "1.32.0"], "{path:#}");
    let catalog = path.get("catalog").and_then(Value::as_str).unwrap_or_default();
    ensure!(
        catalog.starts_with("ConfigMap mesh-upgrade-system/mesh-upgrade-catalog over"),
        "{catalog}"
    );

    apply(&text.replace("\"1.35\", \"1.36\"", "\"1.36\", \"1.35\""))?;
    let refused = mesh_upgrade(cluster, &["check", "--to", "1.31.0"])?;
    ensure!(
        refused.code == 1 && refused.stderr.contains("line 8") && refused.stderr.contains("must ascend"),
        "{refused}"
    );
    done(&cluster.kubectl(&[
        "-n",
        "mesh-upgrade-system",
        "delete",
        "configmap",
        "mesh-upgrade-catalog",
    ])?)
}

/// Everything at once; what takes a moment to be seen is waited for.
fn spoil(cluster: &Cluster) -> Result<()> {
    done(&cluster.apply_stdin(DEFINITIONS)?)?;
    done(&cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=20s", "crd", "--all"])?)?;
    done(&cluster.apply_stdin(SEEDS)?)?;
    done(&cluster.apply_stdin(OBJECTS)?)?;
    let system = |arguments: &[&str]| -> Result<()> {
        let mut all = vec!["-n", "istio-system"];
        all.extend(arguments);
        done(&cluster.kubectl(&all)?)
    };
    let secret = cluster.dir().join("root-cert.pem");
    std::fs::write(&secret, certificate_that_expires()?)?;
    let root = format!("--from-file=root-cert.pem={}", secret.display());
    system(&["create", "secret", "generic", "cacerts", &root])?;
    system(&["label", "deployment/istiod", "helm.toolkit.fluxcd.io/name=istiod"])?;
    system(&[
        "set",
        "env",
        "deployment/istiod",
        "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY=false",
    ])?;
    system(&[
        "label",
        "secret/sh.helm.release.v1.istiod.v1",
        "status=failed",
        "--overwrite",
    ])?;
    system(&[
        "patch",
        "pdb/istiod",
        "--type=merge",
        "-p",
        r#"{"spec":{"minAvailable":2}}"#,
    ])?;
    done(&cluster.kubectl(&[
        "annotate",
        "crd/sidecars.networking.istio.io",
        "meta.helm.sh/release-name-",
    ])?)?;
    wait_until(
        "the PodDisruptionBudget to allow no eviction",
        Duration::from_secs(30),
        || {
            let path = "-o=jsonpath={.status.disruptionsAllowed}";
            let allowed = cluster.kubectl(&["-n", "istio-system", "get", "pdb/istiod", path])?;
            Ok((allowed.ok()?.trim() == "0").then_some(()))
        },
    )
}

/// A self-signed certificate that ended a while ago.
fn certificate_that_expires() -> Result<String> {
    let mut parameters = rcgen::CertificateParams::new(vec!["root".to_owned()])?;
    parameters.not_after = rcgen::date_time_ymd(2026, 1, 1);
    let key = rcgen::KeyPair::generate()?;
    Ok(parameters.self_signed(&key)?.pem())
}

fn waivers_take_findings_out_until_they_expire(cluster: &Cluster) -> Result<()> {
    let file = cluster.dir().join("waivers.yaml");
    let text = "waivers:\n  - {code: MU727, owner: alice, reason: tried in staging, expires: 2999-12-31}\n  - {code: \
                MU726, owner: alice, reason: tried in staging, expires: 2020-12-31}\n";
    std::fs::write(&file, text)?;
    let path = file.display().to_string();
    let (found, report) = codes(cluster, &["--to", "1.31.0", "--waivers", &path])?;
    ensure!(
        !found.contains("MU727") && found.contains("MU726") && found.contains("MU904"),
        "{report:#}"
    );
    let waived = report.pointer("/waived/0/finding/code").and_then(Value::as_str);
    ensure!(waived == Some("MU727"), "{report:#}");

    std::fs::write(&file, text.replace("MU727", "MU101"))?;
    let refused = mesh_upgrade(cluster, &["check", "--to", "1.31.0", "--waivers", &path])?;
    ensure!(refused.code == 1 && refused.stderr.contains("line 2"), "{refused}");
    Ok(())
}

#[test]
fn the_long_way_from_1_20_shows_what_each_release_breaks() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("old"))?;
    Istio::install(
        &cluster,
        IstioOptions {
            // Selects every namespace.
            values: vec![
                "meshConfig.discoverySelectors[0].matchExpressions[0].key=kubernetes.io/metadata.name".to_owned(),
                "meshConfig.discoverySelectors[0].matchExpressions[0].operator=Exists".to_owned(),
                releases::REMOVED_VALUE.to_owned(),
            ],
            ..IstioOptions::version("1.20.8")
        },
    )?;
    done(&cluster.apply_stdin(DEFINITIONS)?)?;
    done(&cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=20s", "crd", "--all"])?)?;
    done(&cluster.apply_stdin(SEEDS)?)?;
    done(&cluster.apply_stdin(OBJECTS)?)?;
    let (found, report) = codes(&cluster, &["--to", "1.31.0"])?;
    expect(
        &found,
        &[
            "MU101", "MU111", "MU701", "MU702", "MU703", "MU704", "MU705", "MU707", "MU708", "MU709", "MU710", "MU711",
            "MU715", "MU718", "MU720", "MU722", "MU723", "MU724", "MU725", "MU726", "MU727", "MU728", "MU801", "MU804",
        ],
        &report,
    )?;
    releases::OF_THE_OLD_MESH
        .iter()
        .try_for_each(|case| case.show(&cluster))?;
    let path = mesh_upgrade(&cluster, &["plan", "default", "--to", "1.31.0"])?;
    ensure!(path.code == 0 && path.stdout.contains("in 11 hops"), "{path}");
    Ok(())
}
