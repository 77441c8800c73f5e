//! With istioctl: the binary of the target version, and the file that Istio was installed with.

use super::{
    Action, Back, Check, Look, Step, checks,
    journey::{Hop, Seat},
    shell, way_back,
};
use crate::path::Leg;

/// The file that Istio was installed with, as a word; the shell ends with this message where it is not named.
pub(super) const FILE: &str = "--filename=\"${ISTIO_FILE:?name the file that Istio was installed with}\"";

/// What has to be at hand.
pub(super) fn tools(legs: &[Leg]) -> Vec<Check> {
    let first = legs.iter().find_map(|leg| match leg {
        Leg::Istio { to, .. } => Some(to),
        Leg::Kubernetes { .. } => None,
    });
    let mut checks = vec![Check::now(
        "ISTIO_FILE names the IstioOperator file that this mesh was installed with (istioctl keeps no record of it; the \
         values that came out of it stand in the ConfigMap values, key original-values)",
        "test -r \"${ISTIO_FILE:?name the file that Istio was installed with}\"".to_owned(),
    )];
    checks.extend(first.map(binary));
    checks
}

/// istioctl installs its own version.
pub(super) fn binary(version: &crate::version::IstioVersion) -> Check {
    let pattern = format!("(^|[ :v]){}(-|$| )", shell::pattern(&version.to_string()));
    Check::now(
        format!("istioctl is {version}: it installs its own version"),
        format!(
            "{} | {}",
            shell::command(["istioctl", "version", "--remote=false"]),
            shell::command(["grep", "-Eq", &pattern])
        ),
    )
}

/// The arguments of `istioctl install`, before the file.
pub(super) fn install(seat: &Seat<'_>, more: &[String]) -> String {
    let mut words: Vec<String> = vec!["install".to_owned(), "--skip-confirmation".to_owned()];
    words.extend(more.iter().cloned());
    format!("{} {FILE}", seat.place.istioctl(&words))
}

/// What istioctl's own check says, which never stops anything.
pub(super) fn precheck(seat: &Seat<'_>) -> Look {
    Look::at("what istioctl itself reports", seat.place.istioctl(&["x", "precheck"]))
}

/// The whole of a cluster in one step, because istioctl does it in one.
pub(super) fn in_place(hop: &Hop<'_>, seat: &Seat<'_>) -> Vec<Step> {
    if !seat.has_components_behind(hop.to) {
        return Vec::new();
    }
    let place = &seat.place;
    let mut step = Step {
        title: format!("istioctl to {}", hop.to),
        cluster: Some(place.cluster.clone()),
        notes: vec![
            "Definitions, control plane, CNI, ztunnel and the gateways of the file, in istioctl's own order."
                .to_owned(),
            "A tag or a hub that the file names is what gets installed: move it to the target first.".to_owned(),
        ],
        before: vec![binary(hop.to)],
        run: vec![Action::Run(install(seat, &[]))],
        back: way_back::past_the_guard(
            hop,
            seat,
            None,
            Back::none(format!(
                "istioctl {} install with the same file, as long as nothing newer relies on the new version",
                hop.from
            )),
        ),
        ..Step::default()
    };
    for plane in seat.member.control_planes() {
        step.after.push(checks::runs(place, &plane.workload, hop.to));
        step.after.push(checks::rolled_out(place, &plane.workload));
        step.look.push(checks::injects(&seat.proof, &plane.revision, hop.to));
        if plane.revision != "default" {
            step.run = vec![Action::Run(install(seat, &[format!("--revision={}", plane.revision)]))];
        }
    }
    for node in seat.member.node_components() {
        step.after.push(checks::runs(place, &node.workload, hop.to));
        step.after.push(checks::rolled_out(place, &node.workload));
    }
    step.after.extend(seat.validates());
    step.look.push(checks::proxies(place));
    vec![step]
}
