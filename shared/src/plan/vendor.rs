//! Steps for what a vendor's build runs beside Istio's own components, where the catalog names its chart.

use super::{PlanError, judge, oldest};
use crate::{
    api::{Component, InstallerKind, PlanStep, WorkloadName},
    catalog::Catalog,
    inventory::{HelmRelease, ObservedVersion, VendorComponent},
    mesh::{MeshView, ObservedMember},
    version::IstioVersion,
};

/// Steps of a member's vendor components that are not at the target: one for each helm release.
pub(super) fn due(
    mesh: &MeshView,
    member: &ObservedMember<'_>,
    target: &IstioVersion,
    catalog: &Catalog,
) -> Result<Vec<PlanStep>, PlanError> {
    let mut steps: Vec<PlanStep> = Vec::new();
    for (release, workloads, versions) in releases(member) {
        let place = format!(
            "{} of {}, helm release {}/{}",
            release.chart,
            member.name(),
            release.namespace,
            release.name
        );
        let oldest = oldest(mesh, &place, &versions, target, catalog)?;
        let chart = super::chart_version(release, &target.flavor);
        if let Some(chart) = &chart {
            judge(mesh, &place, chart, target, catalog)?;
        }
        if chart.as_ref() == Some(target) && oldest.is_none_or(|version| version == target) {
            continue;
        }
        let from = oldest.map_or_else(|| release.chart_version.clone(), ToString::to_string);
        let (helm, at) = (InstallerKind::Helm, release.object());
        steps.push(PlanStep {
            chart: Some(release.chart.clone()),
            release_revision: release.revision,
            workloads,
            ..PlanStep::upgrade(member.name(), Component::Vendor, helm, at, from, target.to_string())
        });
    }
    Ok(steps)
}

/// A step of what a vendor's build runs that a catalog does not name: nobody would look for what it changes, which would
/// never be seen to arrive.
#[must_use]
pub fn unknown_to<'a>(catalog: &Catalog, steps: impl IntoIterator<Item = &'a PlanStep>) -> Option<&'a PlanStep> {
    let is_named = |step: &PlanStep| {
        let version: Option<IstioVersion> = step.to.parse().ok();
        let flavor = version.and_then(|version| catalog.flavor(&version.flavor));
        let mut components = flavor.iter().flat_map(|flavor| &flavor.components);
        components.any(|component| component.chart.as_deref() == Some(step.chart()))
    };
    let mut of_vendor = steps.into_iter().filter(|step| step.component == Component::Vendor);
    of_vendor.find(|step| !is_named(step))
}

/// Helm releases of vendor components with what runs of them.
fn releases<'a>(member: &ObservedMember<'a>) -> Vec<(&'a HelmRelease, Vec<WorkloadName>, Vec<&'a ObservedVersion>)> {
    let mut found: Vec<(&HelmRelease, Vec<WorkloadName>, Vec<&ObservedVersion>)> = Vec::new();
    for VendorComponent {
        workload,
        version,
        release,
        ..
    } in member.vendor_components()
    {
        let Some(release) = release else { continue };
        let same = |one: &&mut (&HelmRelease, Vec<WorkloadName>, Vec<&ObservedVersion>)| {
            one.0.namespace == release.namespace && one.0.name == release.name
        };
        match found.iter_mut().find(same) {
            Some((_, workloads, versions)) => {
                workloads.push(workload.clone());
                versions.push(version);
            }
            None => found.push((release, vec![workload.clone()], vec![version])),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::unknown_to;
    use crate::{
        api::{Component, Plan, PlanStep},
        arrival::{self, Arrival},
        catalog::Catalog,
        inventory::{Inventory, sample},
        mesh,
        plan::{drift, plan},
        preflight::Target,
    };

    fn planned(inventory: &Inventory, to: &str) -> Plan {
        let target = Target::new(to.parse().unwrap());
        let meshes = mesh::meshes(inventory);
        plan(&meshes[0], inventory, &target, "charts", &Catalog::embedded().unwrap()).unwrap()
    }

    #[test]
    fn a_vendors_component_comes_after_the_control_plane_and_is_frozen_with_it() {
        let mut inventory = sample::one("1.30.3-mspider", "v1.34.1");
        inventory.seen(0).vendor_components = vec![sample::merbridge("1.30.3-mspider", true)];
        let plan = planned(&inventory, "1.31.0-mspider");
        let place = |component| plan.steps.iter().position(|step| step.component == component).unwrap();
        assert!(place(Component::Istiod) < place(Component::Vendor));
        let step = &plan.steps[place(Component::Vendor)];
        assert_eq!((step.chart(), step.from.as_str()), ("merbridge", "1.30.3-mspider"));
        let scope = &plan.clusters[0].scope;
        assert!(scope.workloads.iter().any(|workload| workload.name == "merbridge"));
        assert!(scope.helm_releases.iter().any(|release| release.name == "merbridge"));
        assert!(
            plan.images
                .iter()
                .any(|image| image.ends_with("/merbridge:1.31.0-mspider"))
        );
        assert_eq!(plan.journal_version(), 3);
        assert_eq!(drift(&plan, &inventory), Vec::<String>::new());

        assert!(matches!(arrival::of_step(step, inventory.seen(0)), Arrival::Waiting(_)));
        inventory.seen(0).vendor_components = vec![sample::merbridge("1.31.0-mspider", true)];
        assert!(matches!(arrival::of_step(step, inventory.seen(0)), Arrival::Arrived(_)));
        inventory.seen(0).vendor_components.clear();
        assert!(drift(&plan, &inventory)[0].contains("is gone"));
    }

    #[test]
    fn whoever_goes_on_needs_a_catalog_that_names_what_is_changed() {
        let mut inventory = sample::one("1.30.3-mspider", "v1.34.1");
        inventory.seen(0).vendor_components = vec![sample::merbridge("1.30.3-mspider", true)];
        let plan = planned(&inventory, "1.31.0-mspider");
        let mut catalog = Catalog::embedded().unwrap();
        assert_eq!(unknown_to(&catalog, &plan.steps), None);
        let flavor = catalog
            .flavors
            .iter_mut()
            .find(|one| !one.components.is_empty())
            .unwrap();
        flavor.components[0].chart = None;
        let unnamed = unknown_to(&catalog, &plan.steps).map(PlanStep::chart);
        assert_eq!(unnamed, Some("merbridge"));
        catalog.flavors.retain(|one| one.components.is_empty());
        assert!(unknown_to(&catalog, &plan.steps).is_some());
        let community = planned(&sample::one("1.30.3", "v1.34.1"), "1.31.0");
        assert_eq!(unknown_to(&catalog, &community.steps), None);
    }

    #[test]
    fn what_no_release_owns_is_no_step() {
        let mut inventory = sample::one("1.30.3-mspider", "v1.34.1");
        inventory.seen(0).vendor_components = vec![sample::merbridge("1.30.3-mspider", false)];
        let plan = planned(&inventory, "1.31.0-mspider");
        assert!(plan.steps.iter().all(|step| step.component != Component::Vendor));
        assert!(
            plan.clusters[0]
                .scope
                .workloads
                .iter()
                .all(|workload| workload.name != "merbridge")
        );
    }
}
