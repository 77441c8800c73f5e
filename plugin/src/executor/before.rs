//! What comes before anything is changed: the mesh is checked, what works is proved, every change is rehearsed, and images are
//! pulled.

use super::{
    effects::{Effects, all_or_why},
    health, images, writing_client,
};
use crate::{
    clock::{passed, today},
    cluster::ObserveOptions,
    installer::{Hold, Installer as _},
};
use futures::future::join_all;
use shared::{
    api::{Abilities, Management, MeshUpgradeSpec},
    arrival,
    inventory::Inventory,
    journals, mesh, plan,
    preflight::{self, Purpose, Target},
    waiver,
};
use std::time::Duration;

/// For how long what was seen before the upgrade was written down is looked at once more in the place of the clusters.
const SEEN_LATELY: Duration = Duration::from_secs(10);

impl Effects<'_> {
    /// As much as the operator's own check saw: what has come since must not slip through.
    async fn observe(&self) -> Inventory {
        let options = ObserveOptions {
            ask_running_versions: true,
            count_proxies: true,
            surroundings: true,
            ..self.options()
        };
        self.members.observe(&options).await
    }

    /// Whether the mesh is free to go, with the first step where that is seen to be due; or what is in its way, one line each.
    pub(super) async fn check(&self, spec: &MeshUpgradeSpec, frozen: bool) -> Result<Option<String>, Vec<String>> {
        let seen;
        let inventory = match self.lately {
            // Nothing was written since but the journal; and frozen it is observed anew.
            Some((begun, lately)) if !frozen && passed().saturating_sub(begun) < SEEN_LATELY => lately,
            _ => {
                seen = self.observe().await;
                &seen
            }
        };
        let meshes = mesh::meshes(inventory);
        // It may be called otherwise than where the upgrade began: from there more clusters were seen, or fewer.
        let mesh = match journals::mesh_of(&spec.plan.clusters, &spec.mesh, &meshes, inventory) {
            Some(mesh) => mesh,
            None => mesh::select(&meshes, Some(&spec.mesh)).map_err(|error| vec![error.to_string()])?,
        };
        let Ok(version) = spec.to.parse() else {
            return Err(vec![format!("the journal's target {:?} is no version", spec.to)]);
        };
        let purpose = if spec.unguarded.is_some() {
            Purpose::ApplyUnguarded
        } else {
            Purpose::Apply
        };
        let target = Target::new(version)
            .for_purpose(purpose)
            .as_canary(spec.plan.is_canary())
            .once_frozen(frozen);
        let report = preflight::check(mesh, inventory, &target, &self.catalog, today());
        let report = waiver::apply(report, &waiver::recorded(&spec.waivers), today());
        let external = (mesh.management == Management::External).then(|| has_become_external(&mesh.name));
        let mut blockers: Vec<String> = report
            .blockers()
            .map(|finding| format!("{} {}", finding.code.id(), finding.cause))
            .collect();
        blockers.extend(external);
        blockers.extend(plan::drift(&spec.plan, inventory));
        match plan::plan(mesh, inventory, &target, &spec.plan.charts.location, &self.catalog) {
            Ok(now) => blockers.extend(plan::joined(&spec.plan, &now)),
            // Told above.
            Err(plan::PlanError::NothingToDo { .. } | plan::PlanError::Unknown { .. }) => {}
            Err(error) => blockers.push(error.to_string()),
        }
        blockers.extend(self.still_served(spec).await);
        none_of(blockers)?;
        let first = spec.plan.steps.first().filter(|first| {
            let observed = inventory.observed(&first.cluster);
            observed.is_some_and(|observed| arrival::is_due(first, observed, &spec.waivers))
        });
        Ok(first.map(|first| first.id.clone()))
    }

    /// What does not work before the upgrade could not be proved after it: it is found out before anything is changed.
    pub(super) async fn prove_abilities(&self, spec: &MeshUpgradeSpec) -> Result<Vec<Abilities>, Vec<String>> {
        let proving = spec.plan.clusters.iter().map(|planned| async move {
            let cluster = self.cluster(&planned.name)?;
            let writer = writing_client(cluster, &self.writer)?;
            let configures = spec.plan.configures(&planned.name);
            let proved = health::abilities(self.ui, cluster, &writer, planned, configures).await;
            proved.map_err(|why| format!("{}: {why}", planned.name))
        });
        let proved = join_all(proving).await;
        let (proved, failed): (Vec<_>, Vec<_>) = proved.into_iter().partition(Result::is_ok);
        none_of(failed.into_iter().filter_map(Result::err).collect())?;
        Ok(proved.into_iter().flatten().flatten().collect())
    }

    /// Frozen, so that the driver's dry runs pass everywhere, and before anything is changed.
    pub(super) async fn rehearse(&self, spec: &MeshUpgradeSpec) -> Result<(), Vec<String>> {
        let hold = Hold::default();
        let trying = spec.plan.steps.iter().map(|step| async {
            let cluster = self.cluster(&step.cluster)?;
            let change = self.change(spec, step, cluster, &hold);
            let tried = self.engines.rehearse(&change).await;
            tried.map_err(|why| format!("{}: {why}", step.id))
        });
        let tried = join_all(trying).await;
        none_of(tried.into_iter().filter_map(Result::err).collect())
    }

    /// In all clusters at once: each has its own nodes, and its own way to the registry.
    pub(super) async fn pull(&self, spec: &MeshUpgradeSpec) -> Result<String, String> {
        let pulling = spec.plan.clusters.iter().map(|planned| async move {
            let cluster = self.cluster(&planned.name)?;
            let client = writing_client(cluster, &self.writer)?;
            let images = if planned.images.is_empty() {
                &spec.plan.images
            } else {
                &planned.images
            };
            images::pull(cluster, &client, planned, images).await
        });
        all_or_why(join_all(pulling).await)
    }
}

/// Why nothing is written any more for the upgrade of a mesh.
#[must_use]
pub fn has_become_external(mesh: &str) -> String {
    format!("mesh {mesh} is operated by its owner by now (management: External): nothing is ever written to it")
}

fn none_of(blockers: Vec<String>) -> Result<(), Vec<String>> {
    if blockers.is_empty() { Ok(()) } else { Err(blockers) }
}
