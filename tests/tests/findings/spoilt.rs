//! What a running mesh can be made to show: everything that is spoilt at once is found at once.

use std::time::Duration;

use super::case::{Case, Report, kubectl};
use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use mesh_upgrade_tests::harness::{Cluster, wait_until};
use serde_json::json;

const DEFINITIONS: &str = include_str!("../../fixtures/findings/definitions.yaml");
const OBJECTS: &str = include_str!("../../fixtures/findings/objects.yaml");
const SEEDS: &str = include_str!("../../fixtures/findings/seeds.yaml");

/// Of the mesh of today.
pub const AT_ONCE: &[Case] = &[Case {
    what: "a mesh that is spoilt everywhere",
    shows: &[
        ("MU307", "PodDisruptionBudget istio-system/istiod"),
        ("MU308", "the tag canary points to the revision 1-29"),
        ("MU309", "its Service istio-system/istiod-1-29 is not there"),
        ("MU311", "Secret istio-system/cacerts, root-cert.pem"),
        (
            "MU311",
            "ValidatingWebhookConfiguration ended, webhook ended.istio.io: what the API server trusts this webhook by expired on",
        ),
        ("MU312", "Namespace seeded"),
        ("MU315", "istio-revision-tag-twin"),
        ("MU402", "helm release istio-system/istiod: its revision 1 is failed"),
        ("MU405", "registry.istio.io/release"),
        ("MU408", "sidecars.networking.istio.io"),
        ("MU409", "Flux HelmRelease"),
        ("MU411", "Deployment istio-system/istiod"),
        (
            "MU411",
            "ConfigMap istio-system/istio: data.mesh was set by kubectl-patch",
        ),
        ("MU411", "PodDisruptionBudget istio-system/istiod: spec.minAvailable"),
        ("MU712", "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY"),
        ("MU724", "Gateway seeded/merged"),
        ("MU725", "DestinationRule seeded/outside"),
        ("MU727", "EnvoyFilter seeded/patched"),
        ("MU728", "tcproutes.gateway.networking.k8s.io"),
        ("MU801", "1.19.4"),
        ("MU804", "belong to the revision 1-28"),
    ],
    report: |cluster| {
        spoil(cluster)?;
        Report::of(cluster, &["--to", "1.31.0"])
    },
}];

/// Objects of every kind that rules look at.
pub fn seed(cluster: &Cluster) -> Result<()> {
    cluster.apply_stdin(DEFINITIONS)?.ok()?;
    cluster.wait_until_established()?;
    cluster.apply_stdin(SEEDS)?.ok()?;
    let placed = [
        "wait",
        "--for=condition=PodScheduled",
        "--timeout=60s",
        "pod/edge-istio",
    ];
    kubectl(cluster, &[&placed[..], &["--namespace", "default"]].concat())?;
    cluster.apply_stdin(OBJECTS)?.ok().map(drop)
}

/// Everything at once; what takes a moment to be seen is waited for.
fn spoil(cluster: &Cluster) -> Result<()> {
    seed(cluster)?;
    let system = |arguments: &[&str]| kubectl(cluster, &[&["-n", "istio-system"], arguments].concat());
    let certificate = cluster.dir().join("root-cert.pem");
    std::fs::write(&certificate, certificate_that_expired()?)?;
    let bundle = STANDARD.encode(certificate_that_expired()?);
    let service = json!({"namespace": "istio-system", "name": "istiod", "path": "/validate"});
    let asked = json!({"apiGroups": ["nobody.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothings"]});
    let webhook = json!({"name": "ended.istio.io", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore",
        "clientConfig": {"service": service, "caBundle": bundle}, "rules": [asked]});
    let configuration = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "ended"}, "webhooks": [webhook]});
    cluster.apply_stdin(&configuration.to_string())?.ok()?;
    let root = format!("--from-file=root-cert.pem={}", certificate.display());
    system(&["create", "secret", "generic", "cacerts", &root])?;
    system(&["label", "deployment/istiod", "helm.toolkit.fluxcd.io/name=istiod"])?;
    let variable = "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY=false";
    system(&["set", "env", "deployment/istiod", variable])?;
    let release = "secret/sh.helm.release.v1.istiod.v1";
    system(&["label", release, "status=failed", "--overwrite"])?;
    let both = r#"{"spec":{"minAvailable":2}}"#;
    system(&["patch", "pdb/istiod", "--type=merge", "-p", both])?;
    let definition = "crd/sidecars.networking.istio.io";
    kubectl(cluster, &["annotate", definition, "meta.helm.sh/release-name-"])?;
    let what = "the PodDisruptionBudget to allow no eviction";
    wait_until(what, Duration::from_secs(30), || {
        let allowed = system(&["get", "pdb/istiod", "-o=jsonpath={.status.disruptionsAllowed}"])?;
        Ok((allowed == "0").then_some(()))
    })
}

/// A self-signed certificate that ended a while ago.
fn certificate_that_expired() -> Result<String> {
    let mut parameters = rcgen::CertificateParams::new(vec!["root".to_owned()])?;
    parameters.not_after = rcgen::date_time_ymd(2026, 1, 1);
    let key = rcgen::KeyPair::generate()?;
    Ok(parameters.self_signed(&key)?.pem())
}
