//! A plan in a file: bound to the clusters' identities and to the versions that were observed, and to its own text.

use super::{drift, hash};
use crate::{
    api::Plan,
    document::{self, DocumentError},
    inventory::Inventory,
    version::KubernetesVersion,
};
use serde::{Deserialize, Serialize};

/// Version of the file's schema.
pub const PLAN_FILE_VERSION: &str = "plan.meshupgrade.io/v1alpha1";
/// Kind of the file.
pub const PLAN_FILE_KIND: &str = "PlanFile";

/// A plan as it is written to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanFile {
    /// [`PLAN_FILE_VERSION`].
    pub api_version: String,
    /// [`PLAN_FILE_KIND`].
    pub kind: String,
    /// Name of the mesh.
    pub mesh: String,
    /// Version that the mesh ran.
    pub from: String,
    /// Version that it is to go to.
    pub to: String,
    /// Day on which it was made, as `2026-11-25`.
    pub made: String,
    /// Kubernetes of each cluster that is written to.
    pub clusters: Vec<PlannedKubernetes>,
    /// [`hash`] of the plan.
    pub hash: String,
    /// The plan; it names the clusters' identities, releases, revisions and versions.
    pub plan: Plan,
}

/// Kubernetes of a cluster when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedKubernetes {
    /// Name of the cluster.
    pub name: String,
    /// Version of its API server, as it says it.
    pub kubernetes: String,
}

impl PlanFile {
    /// Binds a plan to what was observed.
    #[must_use]
    pub fn new(mesh: &str, from: &str, to: &str, made: &str, plan: Plan, inventory: &Inventory) -> Self {
        let clusters = plan.clusters.iter().filter_map(|planned| {
            Some(PlannedKubernetes {
                name: planned.name.clone(),
                kubernetes: kubernetes(inventory, &planned.name)?.to_string(),
            })
        });
        Self {
            api_version: PLAN_FILE_VERSION.to_owned(),
            kind: PLAN_FILE_KIND.to_owned(),
            mesh: mesh.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            made: made.to_owned(),
            clusters: clusters.collect(),
            hash: hash(&plan),
            plan,
        }
    }

    /// Reads a file, JSON or YAML.
    ///
    /// # Errors
    /// When it is no plan of this version, or its plan is not the one that its hash was made of.
    pub fn read(text: &str, origin: &str) -> Result<Self, DocumentError> {
        let file: Self = document::read_own(text, origin)?;
        let wrong = |reason: String| Err(DocumentError::at(origin, None, reason));
        if file.api_version != PLAN_FILE_VERSION || file.kind != PLAN_FILE_KIND {
            return wrong(format!(
                "it is a {} of {}, expected a {PLAN_FILE_KIND} of {PLAN_FILE_VERSION}: make it with kubectl mesh-upgrade \
                 plan --out FILE",
                file.kind, file.api_version
            ));
        }
        if hash(&file.plan) != file.hash {
            return wrong("its plan is not the one that was made: its hash differs; make a new one".to_owned());
        }
        Ok(file)
    }

    /// What no longer is as the plan found it, a sentence each; empty when the plan still holds.
    #[must_use]
    pub fn drift(&self, inventory: &Inventory) -> Vec<String> {
        let mut changes = drift(&self.plan, inventory);
        for planned in &self.clusters {
            let Some(now) = kubernetes(inventory, &planned.name) else {
                continue;
            };
            if now.to_string() != planned.kubernetes {
                changes.push(format!(
                    "Kubernetes of cluster {} was {}, now {now}",
                    planned.name, planned.kubernetes
                ));
            }
        }
        changes
    }
}

fn kubernetes<'a>(inventory: &'a Inventory, cluster: &str) -> Option<&'a KubernetesVersion> {
    Some(&inventory.observed(cluster)?.kubernetes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::Catalog, inventory::sample, mesh::meshes, plan::plan, preflight::Target};

    fn file(inventory: &Inventory) -> PlanFile {
        let target = Target::new("1.31.0".parse().unwrap());
        let catalog = Catalog::embedded().unwrap();
        let plan = plan(&meshes(inventory)[0], inventory, &target, "oci://c", &catalog).unwrap();
        PlanFile::new("default", "1.30.3", "1.31.0", "2026-11-25", plan, inventory)
    }

    #[test]
    fn what_is_written_is_read_and_what_was_edited_is_refused() {
        let inventory = sample::one("1.30.3", "v1.36.3");
        let written = file(&inventory);
        let text = serde_json::to_string_pretty(&written).unwrap();
        assert_eq!(PlanFile::read(&text, "p.json").unwrap(), written);
        assert_eq!(written.drift(&inventory), Vec::<String>::new());
        for (from, to, part) in [
            ("\"to\": \"1.31.0\"", "\"to\": \"1.31.1\"", "its hash differs"),
            ("uid-of-east", "uid-of-west", "its hash differs"),
            ("v1alpha1", "v9", "expected a PlanFile of plan.meshupgrade.io/v1alpha1"),
            ("\"mesh\"", "\"mess\"", "unknown field"),
        ] {
            let error = PlanFile::read(&text.replace(from, to), "p.json").unwrap_err();
            assert!(error.reason.contains(part), "{from}: {error}");
        }
        assert_eq!(PlanFile::read("{", "p.json").unwrap_err().line, Some(1));
    }

    #[test]
    fn a_cluster_that_moved_is_drift() {
        let before = sample::one("1.30.3", "v1.36.3");
        let written = file(&before);
        let mut after = before.clone();
        after.seen(0).kubernetes = "v1.36.4".parse().unwrap();
        assert_eq!(
            written.drift(&after),
            ["Kubernetes of cluster east was 1.36.3, now 1.36.4"]
        );
        let mut after = before;
        after.seen(0).uid = "other".to_owned();
        after.seen(0).helm_releases[1].revision = 9;
        let told = written.drift(&after);
        assert!(told.len() == 1 && told[0].contains("is another one"), "{told:?}");
    }
}
