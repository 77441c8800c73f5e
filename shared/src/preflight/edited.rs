//! What stands beside a control plane's Deployment and was changed by hand: its ConfigMaps, Services, autoscalers and budgets.

use super::Subject;
use crate::{
    engine::Engine,
    finding::{Finding, Report, codes},
    inventory::ControlPlane,
    mesh::ObservedMember,
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        beside(member, report);
    }
}

fn beside(member: &ObservedMember<'_>, report: &mut Report) {
    let all = member.observed.surroundings.iter().flat_map(|around| &around.edited);
    for one in all {
        let is_own = |plane: &&ControlPlane| {
            let mut revision = one.revision.iter();
            plane.workload.namespace == one.namespace && revision.all(|revision| *revision == plane.revision)
        };
        let Some(plane) = member.control_planes().find(is_own) else {
            continue;
        };
        let (fields, editors) = (one.fields.join(", "), one.editors.join(", "));
        report.find(
            Finding::new(
                codes::EDITED_BY_HAND,
                format!("{fields} was set by {editors}"),
                keep_by(&Engine::of_plane(plane)),
            )
            .in_cluster(member.name())
            .about(one.object.clone()),
        );
    }
}

/// Where a change by hand has to stand that shall outlast the upgrade.
pub(super) fn keep_by(engine: &Engine) -> &'static str {
    match engine {
        Engine::Istioctl => {
            "move the change into the IstioOperator that is installed, or it may be lost with the upgrade"
        }
        _ => "move the change into the chart's values, or it is lost with the upgrade",
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::{EditedObject, sample},
        preflight::tests::check,
    };

    #[test]
    fn what_stands_beside_a_control_plane_is_its_installers_too() {
        for (namespace, expected) in [
            ("istio-system", Some("data.mesh was set by kubectl-edit, x")),
            ("other", None),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.around(0).edited.push(EditedObject {
                object: format!("ConfigMap {namespace}/istio"),
                namespace: namespace.to_owned(),
                revision: None,
                editors: vec!["kubectl-edit".to_owned(), "x".to_owned()],
                fields: vec!["data.mesh".to_owned()],
            });
            let report = check(&inventory, "1.31.0");
            let told = report.findings.iter().find(|finding| finding.code.id() == "MU411");
            assert_eq!(told.map(|finding| finding.cause.as_str()), expected);
            let object = told.and_then(|finding| finding.object.as_deref());
            assert_eq!(object, expected.map(|_| "ConfigMap istio-system/istio"));
        }
    }

    #[test]
    fn of_two_revisions_each_has_its_own() {
        for (revision, expected) in [
            (
                "default",
                Some("move the change into the chart's values, or it is lost with the upgrade"),
            ),
            (
                "1-30",
                Some("move the change into the IstioOperator that is installed, or it may be lost with the upgrade"),
            ),
            ("gone", None),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let planes = &mut inventory.seen(0).control_planes;
            let mut other = planes[0].clone();
            other.revision = "1-30".to_owned();
            other.workload.name = "istiod-1-30".to_owned();
            other.helm_release = None;
            other.ownership.istioctl = true;
            planes.push(other);
            inventory.around(0).edited.push(EditedObject {
                object: "ConfigMap istio-system/istio-1-30".to_owned(),
                namespace: "istio-system".to_owned(),
                revision: Some(revision.to_owned()),
                editors: vec!["x".to_owned()],
                fields: vec!["data.mesh".to_owned()],
            });
            let report = check(&inventory, "1.31.0");
            let told = report.findings.iter().find(|finding| finding.code.id() == "MU411");
            assert_eq!(told.map(|finding| finding.fix.as_str()), expected, "{revision}");
        }
    }
}
