//! What joined a mesh after its plan was made: it would be neither upgraded nor frozen, and nobody would notice.

use crate::api::{FreezeScope, ObjectName, Plan, PlanStep};
use std::collections::BTreeSet;

/// What a plan made now has, and this one lacks, a sentence for each cluster. Images are left out: those of this plan are
/// the charts' own.
#[must_use]
pub fn joined(plan: &Plan, now: &Plan) -> Vec<String> {
    let mut told = Vec::new();
    for fresh in &now.clusters {
        let name = &fresh.name;
        let Some(planned) = plan.cluster(name) else {
            told.push(format!(
                "cluster {name} is to be upgraded and frozen with the mesh, and was not when the plan was made"
            ));
            continue;
        };
        let is_new = |id: &String| !plan.steps.iter().any(|step| step.id == *id);
        let steps = now
            .steps
            .iter()
            .filter(|step| step.cluster == *name && is_new(&step.id));
        let mut new: BTreeSet<String> = steps.map(PlanStep::told).collect();
        let known = names(&planned.scope);
        new.extend(names(&fresh.scope).into_iter().filter(|one| !known.contains(one)));
        if !new.is_empty() {
            let new: Vec<String> = new.into_iter().collect();
            told.push(format!(
                "of cluster {name} the plan knows nothing of {}, which would be neither upgraded nor frozen",
                new.join(", ")
            ));
        }
    }
    told
}

/// Everything that a freeze covers, by name.
fn names(scope: &FreezeScope) -> BTreeSet<String> {
    let object = |kind: &str, one: &ObjectName| format!("{kind} {}/{}", one.namespace, one.name);
    let mut names = BTreeSet::new();
    names.extend(scope.istio_namespaces.iter().map(|name| format!("namespace {name}")));
    names.extend(scope.config_maps.iter().map(|one| object("ConfigMap", one)));
    names.extend(scope.workloads.iter().map(|one| {
        let kind = one.kind.as_str();
        format!("{kind} {}/{}", one.namespace, one.name)
    }));
    names.extend(scope.helm_releases.iter().map(|one| object("helm release", one)));
    let installed = |one: &ObjectName| format!("istioctl's revision {} in {}", one.name, one.namespace);
    names.extend(scope.istioctl.iter().map(installed));
    names.extend(scope.applications.iter().map(|name| format!("Application {name}")));
    names.extend(scope.operator_objects.iter().cloned());
    names.extend(scope.istiod_users.iter().cloned());
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::Catalog,
        inventory::{Inventory, sample},
        mesh::meshes,
        plan::plan,
        preflight::Target,
    };

    fn plan_of(inventory: &Inventory) -> Plan {
        let meshes = meshes(inventory);
        let target = Target::new("1.31.0".parse().unwrap());
        plan(&meshes[0], inventory, &target, "charts", &Catalog::embedded().unwrap()).unwrap()
    }

    #[test]
    fn a_plan_knows_all_of_its_own_mesh_whatever_its_images() {
        let made = plan_of(&sample::one("1.30.3", "v1.36.3"));
        let mut now = made.clone();
        now.images.push("other".to_owned());
        assert_eq!(joined(&made, &now), Vec::<String>::new());
        // What has left the mesh is drift, and said there.
        now.steps.pop();
        assert_eq!(joined(&made, &now), Vec::<String>::new());
    }

    #[test]
    fn a_release_that_joined_is_named() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let made = plan_of(&inventory);
        let gateway = sample::release("istio-system", "ingress", "gateway", "1.30.3");
        inventory.seen(0).helm_releases.push(gateway);
        let told = joined(&made, &plan_of(&inventory));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("helm release istio-system/ingress"), "{told:?}");
    }

    #[test]
    fn a_control_plane_and_a_cluster_that_joined_are_named() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let made = plan_of(&inventory);
        let mut now = made.clone();
        let mut cluster = now.clusters[0].clone();
        cluster.name = "west".to_owned();
        now.clusters.push(cluster);
        let told = joined(&made, &now);
        assert!(told.len() == 1 && told[0].starts_with("cluster west "), "{told:?}");

        let mut plane = sample::istiod("istio-system", "1.30.3");
        plane.revision = "second".to_owned();
        plane.workload.name = "istiod-second".to_owned();
        inventory.seen(0).control_planes.push(plane);
        let told = joined(&made, &plan_of(&inventory));
        assert!(
            told.len() == 1 && told[0].contains("Deployment istio-system/istiod-second"),
            "{told:?}"
        );
    }
}
