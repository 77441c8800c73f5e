//! Steps for what istioctl installed: one for each installation, since istioctl changes all its components at once.

use super::{PlanError, oldest};
use crate::{
    api::{Component, InstallerKind, ObjectName, PlanStep},
    catalog::Catalog,
    inventory::ObservedVersion,
    mesh::{MeshView, ObservedMember},
    version::IstioVersion,
};

/// Steps of a member's installations that are not at the target.
pub(super) fn due(
    mesh: &MeshView,
    member: &ObservedMember<'_>,
    target: &IstioVersion,
    catalog: &Catalog,
) -> Result<Vec<PlanStep>, PlanError> {
    let mut steps = Vec::new();
    for installation in member.installations() {
        let (namespace, revision) = (installation.namespace, installation.revision);
        let place = format!("revision {revision} of {}, installed by istioctl", member.name());
        let planes = installation
            .planes
            .iter()
            .map(|plane| (&plane.version, &plane.workload));
        let nodes = installation.nodes.iter().map(|node| (&node.version, &node.workload));
        let (versions, mut workloads): (Vec<&ObservedVersion>, Vec<_>) = planes
            .chain(nodes)
            .map(|(version, workload)| (version, workload.clone()))
            .unzip();
        let oldest = oldest(mesh, &place, &versions, target, catalog)?;
        let gateways = installation.gateways.iter();
        let at_target = |image: &str| image == "auto" || IstioVersion::from_image(image).as_ref() == Ok(target);
        let behind = gateways.clone().any(|gateway| !at_target(&gateway.image));
        if versions.iter().all(|found| found.version.as_ref() == Some(target)) && !behind {
            continue;
        }
        workloads.extend(gateways.map(|gateway| gateway.workload.clone()));
        let from = oldest.map(ToString::to_string).unwrap_or_default();
        let at = ObjectName {
            namespace: namespace.to_owned(),
            name: revision.to_owned(),
        };
        let (istiod, istioctl) = (Component::Istiod, InstallerKind::Istioctl);
        steps.push(PlanStep {
            workloads,
            ..PlanStep::upgrade(member.name(), istiod, istioctl, at, from, target.to_string())
        });
    }
    Ok(steps)
}
