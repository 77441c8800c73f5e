//! The guard by kustomize and by Helm is the guard of `guard install`: what the real kubectl and the real helm render is
//! compared object by object with what the code makes, for each way to install; and a real API server takes the chart.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Run, Toolbox},
    product::mesh_upgrade,
};
use serde_json::{Value, json};
use shared::{
    api,
    guard::{
        chart::CHART,
        install::{Certificates, InstallOptions, objects},
    },
};

fn manifests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

/// Objects by kind, namespace and name.
type Objects = BTreeMap<String, Value>;

fn keyed(objects: impl IntoIterator<Item = Value>) -> Objects {
    let text = |object: &Value, pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let key = |object: &Value| {
        let parts = ["/kind", "/metadata/namespace", "/metadata/name"];
        parts.map(|pointer| text(object, pointer)).join("/")
    };
    objects.into_iter().map(|object| (key(&object), object)).collect()
}

/// What the code makes: the custom resources and the guard.
fn made(options: &InstallOptions) -> Objects {
    let crds = api::crds().into_iter().map(|crd| json!(crd));
    keyed(crds.chain(objects(options)))
}

/// What a program printed as YAML documents.
fn rendered(run: &Run) -> Result<Objects> {
    let documents = run.ok()?.split("\n---\n");
    let read = documents.map(|document| {
        let document = document.trim_start_matches("---\n");
        serde_saphyr::from_str::<Value>(document).with_context(|| document.to_owned())
    });
    let objects: Vec<Value> = read.collect::<Result<_>>()?;
    Ok(keyed(objects.into_iter().filter(|object| !object.is_null())))
}

fn same(way: &str, rendered: &Objects, made: &Objects) -> Result<()> {
    let (theirs, ours): (Vec<_>, Vec<_>) = (rendered.keys().collect(), made.keys().collect());
    ensure!(theirs == ours, "{way}: {theirs:#?} instead of {ours:#?}");
    for (key, object) in made {
        ensure!(
            rendered.get(key) == Some(object),
            "{way}: {key} differs: {:#} instead of {object:#}",
            rendered[key]
        );
    }
    Ok(())
}

fn chart() -> String {
    manifests().join("charts").join(CHART).display().to_string()
}

fn helm_template(values: &[&str]) -> Result<Objects> {
    let home = tempfile::tempdir()?;
    let mut helm = Command::new(Toolbox::get()?.helm());
    helm.env_clear().env("HOME", home.path());
    helm.args(["template", "guard", &chart(), "--include-crds"]);
    for value in values {
        helm.args(["--set", value]);
    }
    rendered(&Run::of(helm, None)?)
}

#[test]
fn helm_and_kustomize_render_what_guard_install_applies() -> Result<()> {
    let usual = made(&InstallOptions::default());
    let mut kubectl = Command::new(Toolbox::get()?.kubectl());
    kubectl.env_clear().arg("kustomize").arg(manifests());
    same("kustomize", &rendered(&Run::of(kubectl, None)?)?, &usual)?;

    same("helm", &helm_template(&[])?, &usual)?;
    let policies = InstallOptions {
        policy_only: true,
        ..InstallOptions::default()
    };
    same(
        "helm, policies",
        &helm_template(&["policyOnly=true"])?,
        &made(&policies),
    )?;
    let managed = InstallOptions {
        certificates: Certificates::CertManager,
        ..InstallOptions::default()
    };
    same(
        "helm, cert-manager",
        &helm_template(&["certManager=true"])?,
        &made(&managed),
    )?;
    let both = helm_template(&["policyOnly=true", "certManager=true"])?;
    same("helm, both", &both, &made(&policies))?;
    let digest = format!("sha256:{}", "a".repeat(64));
    let own = InstallOptions {
        image: format!("registry.internal:5000/istio/guard@{digest}"),
        image_pull_secrets: vec!["mirror".to_owned()],
        replicas: 5,
        api_server_ports: vec![443, 6443, 8443],
        priority_class: "guards".to_owned(),
        user: Some(1000),
        ..InstallOptions::default()
    };
    let values = [
        "image.repository=registry.internal:5000/istio/guard",
        &format!("image.digest={digest}"),
        "replicas=5",
        "apiServerPorts={443,6443,8443}",
        "imagePullSecrets[0].name=mirror",
        "priorityClassName=guards",
        "podSecurityContext.runAsUser=1000",
        "podSecurityContext.runAsGroup=1000",
        "podSecurityContext.fsGroup=1000",
    ];
    same("helm, own values", &helm_template(&values)?, &made(&own))
}

#[test]
fn an_api_server_takes_the_chart_and_guard_install_over_it() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let chart = chart();
    cluster
        .helm(&[
            "install",
            "guard",
            &chart,
            "-n",
            "kube-system",
            "--set",
            "policyOnly=true",
        ])?
        .ok()?;
    let version = mesh_upgrade(&cluster, &["version"])?;
    ensure!(version.ok()?.contains("they fit together"), "{version}");
    let proved = mesh_upgrade(&cluster, &["guard", "status"])?;
    ensure!(proved.code == 0, "{proved}");
    // Whoever goes over to another way is told by the API server whose the objects are now, and takes them back.
    mesh_upgrade(&cluster, &["guard", "install", "--policy-only"])?.ok()?;
    let upgrade = [
        "upgrade",
        "guard",
        &chart,
        "-n",
        "kube-system",
        "--set",
        "policyOnly=true",
    ];
    let refused = cluster.helm(&upgrade)?;
    ensure!(refused.refused()?.contains("conflict"), "{refused}");
    cluster.helm(&[&upgrade[..], &["--force-conflicts"]].concat())?.ok()?;
    let proved = mesh_upgrade(&cluster, &["guard", "status"])?;
    ensure!(proved.code == 0, "{proved}");
    Ok(())
}
