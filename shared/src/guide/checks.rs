//! Checks that more than one kind of step makes.

use super::{Check, Look, place::Place, shell};
use crate::{
    api::{Component, WorkloadKind, WorkloadName},
    inventory::HelmRelease,
    version::IstioVersion,
};

/// How long a rollout may take.
pub(super) const ROLLOUT: &str = "--timeout=10m";

/// A VirtualService that every Istio refuses.
const BAD: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: mesh-upgrade-probe}
spec:
  hosts: [mesh-upgrade-probe]
  http: [{route: [{destination: {host: mesh-upgrade-probe}, weight: -1}]}]
";

/// `deployment/istiod`.
pub(super) fn reference(workload: &WorkloadName) -> String {
    format!("{}/{}", resource(workload.kind), workload.name)
}

fn resource(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "deployment",
        WorkloadKind::DaemonSet => "daemonset",
    }
}

pub(super) fn namespace(name: &str) -> String {
    format!("--namespace={name}")
}

/// Every pod is new and ready.
pub(super) fn rolled_out(place: &Place, workload: &WorkloadName) -> Check {
    let name = reference(workload);
    Check::now(
        format!("{name} in {} is rolled out", workload.namespace),
        place.kubectl(&["rollout", "status", &name, &namespace(&workload.namespace), ROLLOUT]) + " > /dev/null",
    )
}

/// A workload's template names an image of the version.
pub(super) fn runs(place: &Place, workload: &WorkloadName, version: &IstioVersion) -> Check {
    let name = reference(workload);
    let images = place.kubectl(&[
        "get",
        &name,
        &namespace(&workload.namespace),
        "--output=jsonpath={.spec.template.spec.containers[*].image}",
    ]);
    Check::soon(
        format!("{name} in {} is at {version}", workload.namespace),
        format!("{images} | {}", has_tag(version)),
    )
}

/// A filter that ends with 0 when an image of this version is among what it reads, whatever its variant.
fn has_tag(version: &IstioVersion) -> String {
    let tag = shell::pattern(&version.to_string());
    shell::command(["grep", "-Eq", &format!(":{tag}(-distroless|-debug)?(@[^ ]*)?( |$)")])
}

/// Helm's last word on a release is `deployed`.
pub(super) fn deployed(place: &Place, release: &HelmRelease) -> Check {
    let releases = place.helm(&["list", "--deployed", "--short", &namespace(&release.namespace)]);
    Check::now(
        format!("helm release {} in {} is deployed", release.name, release.namespace),
        format!("{releases} | {}", shell::command(["grep", "-qxF", "--", &release.name])),
    )
}

/// The chart is there, and holds the target: found before anything is changed.
pub(super) fn chart(place: &Place, component: Component, words: &[String], version: &IstioVersion) -> Check {
    let mut show = vec!["show".to_owned(), "chart".to_owned()];
    show.extend(words.iter().cloned());
    let pattern = format!("version: {}", shell::pattern(&version.to_string()));
    Check::now(
        format!("chart {component} {version} is to be had"),
        format!("{} | {}", place.helm(&show), shell::command(["grep", "-qx", &pattern])),
    )
}

/// Istio's validation answers, and refuses what is wrong.
pub(super) fn validates(place: &Place) -> Check {
    let create = place.kubectl(&["create", "--dry-run=server", "--namespace=default", "--filename=-"]);
    Check::soon(
        "Istio's validation refuses a VirtualService that is wrong (a dry run: nothing is written)",
        format!("{create} 2>&1 << 'EOF' | grep -q 'denied the request'\n{BAD}EOF"),
    )
}

/// What injection gives a pod.
pub(super) fn injects(place: &Place, revision: &str, version: &IstioVersion) -> Look {
    let mut labels = "--labels=sidecar.istio.io/inject=true".to_owned();
    if revision != "default" {
        labels.push_str(&format!(",istio.io/rev={revision}"));
    }
    let run = place.kubectl(&[
        "run",
        "mesh-upgrade-probe",
        "--image=mesh-upgrade-probe",
        "--dry-run=server",
        "--namespace=default",
        &labels,
        "--output=jsonpath={.spec.initContainers[*].image} {.spec.containers[*].image}{\"\\n\"}",
    ]);
    Look::at(
        format!("a pod that asks for injection gets the proxy {version} (a dry run: nothing is written)"),
        run,
    )
}

/// What proxies make of the new control plane.
pub(super) fn proxies(place: &Place) -> Look {
    Look::at(
        "every proxy is connected and SYNCED, and none says STALE or is missing",
        place.istioctl(&["proxy-status"]),
    )
}

/// Warnings of what happened in a namespace.
pub(super) fn events(place: &Place, name: &str) -> Look {
    Look::at(
        format!("no warning in {name} that is new"),
        place.kubectl(&["get", "events", "--field-selector=type=Warning", &namespace(name)]),
    )
}
