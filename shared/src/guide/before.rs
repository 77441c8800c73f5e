//! The first chapter: tools, access, and a copy of what could be lost.

use super::{Action, Back, Chapter, Check, Engine, Step, checks, istioctl, journey::Seat};
use crate::path::Leg;

/// Tools, access and a copy of what could be lost.
pub(super) fn before(seats: &[Seat<'_>], legs: &[Leg]) -> Chapter {
    let mut steps = Vec::new();
    let tools = seats.iter().flat_map(|seat| tools(seat, legs));
    let mut known: Vec<Check> = Vec::new();
    for check in tools {
        if !known.contains(&check) {
            known.push(check);
        }
    }
    steps.push(Step {
        title: "Tools at hand".to_owned(),
        before: known,
        back: Back::none("nothing is changed"),
        ..Step::default()
    });
    for seat in seats {
        let place = &seat.place;
        let mut checks = Vec::new();
        for plane in seat.member.control_planes() {
            let Some(version) = &plane.version.version else {
                continue;
            };
            checks.push(checks::runs(place, &plane.workload, version));
            checks.push(checks::rolled_out(place, &plane.workload));
        }
        for check in &mut checks {
            check.patient = false;
        }
        let copy = place.kubectl(&["get", "istio-io", "--all-namespaces", "--output=yaml"]);
        steps.push(Step {
            title: "The mesh is what this guide was made for; keep a copy of its configuration".to_owned(),
            cluster: Some(place.cluster.clone()),
            notes: vec![
                "The copy goes into the folder named by KEEP, or the current one: it holds your mesh's configuration, and \
                 no Secret."
                    .to_owned(),
            ],
            before: checks,
            run: vec![Action::Run(format!(
                "{copy} > \"${{KEEP:-.}}\"/{}",
                place.file_name(&format!("{}-configuration", place.cluster), ".yaml")
            ))],
            back: Back::none("nothing is changed"),
            ..Step::default()
        });
    }
    Chapter {
        title: "Before you begin".to_owned(),
        notes: vec![
            "Tell everybody who changes this mesh, and stop pipelines that do: nothing here freezes it.".to_owned(),
        ],
        steps,
    }
}

fn tools(seat: &Seat<'_>, legs: &[Leg]) -> Vec<Check> {
    let mut checks = vec![Check::now(
        format!("{} answers", seat.place.cluster),
        seat.place.kubectl(&["version", "--output=json"]) + " > /dev/null",
    )];
    let releases = seat.member.releases();
    if seat.engine == Engine::Helm || !releases.is_empty() {
        let version = "helm version --template '{{.Version}}'";
        checks.push(if releases.iter().any(|release| release.settings.server_side) {
            Check::now(
                "helm is version 4, which made these releases",
                format!("{version} | grep -q '^v4\\.'"),
            )
        } else {
            Check::now(
                "helm is 3.14 or newer, which knows --reset-then-reuse-values",
                format!("{version} | grep -Eq '^v(4\\.|3\\.(1[4-9]|[2-9][0-9])\\.)'"),
            )
        });
    }
    if seat.engine == Engine::Istioctl {
        checks.extend(istioctl::tools(legs));
    }
    checks
}
