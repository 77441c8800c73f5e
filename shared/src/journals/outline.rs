//! What of a journal is understood whichever plugin wrote it. A newer one may have put a word into it that this one does not
//! know: that must not hide all the other journals, nor that this one has begun.

use crate::{
    api::{FreezeScope, JOURNAL_VERSION, MeshUpgrade, MeshUpgradeSpec, MeshUpgradeStatus, Plan, PlanCluster},
    managed_fields,
    phase::Phase,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt as _};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// A journal as far as it is always understood. Everything else of it is not read.
#[derive(Clone, Debug, Default, Deserialize, Resource)]
#[resource(inherit = MeshUpgrade)]
pub struct Outline {
    /// Name, identity and version of the object.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What was asked for.
    #[serde(default)]
    pub spec: OutlineSpec,
    /// How far it is; `None` where no driver has written that yet.
    #[serde(default)]
    pub status: Option<OutlineStatus>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutlineSpec {
    /// Version of the journal's meaning.
    pub journal_version: i32,
    /// Name of the mesh.
    pub mesh: String,
    /// Version before the upgrade.
    pub from: String,
    /// Version that the upgrade goes to.
    pub to: String,
    /// Who asked for it.
    pub requested_by: String,
    plan: OutlinePlan,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct OutlinePlan {
    clusters: Vec<OutlineCluster>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct OutlineCluster {
    name: String,
    uid: String,
    scope: OutlineScope,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OutlineScope {
    istio_namespaces: Vec<String>,
}

/// How far an upgrade is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OutlineStatus {
    /// Its phase; one that is not known counts as [`Phase::Upgrading`].
    #[serde(deserialize_with = "phase")]
    pub phase: Phase,
    /// Who drives it.
    pub holder: Option<String>,
    /// Epoch of its last driver.
    pub epoch: i64,
}

/// Where a newer plugin has further phases, one of them says that the upgrade has begun and not that it has ended: nothing is
/// taken for over, nor for done, that may not be.
fn phase<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Phase, D::Error> {
    let word = Option::<String>::deserialize(deserializer)?;
    Ok(word.map_or(Phase::Pending, |word| {
        let known = Phase::ALL.into_iter().find(|phase| phase.as_str() == word);
        known.unwrap_or(Phase::Upgrading)
    }))
}

impl Outline {
    /// Namespaces of the control planes that are upgraded.
    pub fn istio_namespaces(&self) -> impl Iterator<Item = &String> {
        let clusters = self.spec.plan.clusters.iter();
        clusters.flat_map(|cluster| &cluster.scope.istio_namespaces)
    }
}

impl From<Outline> for MeshUpgrade {
    fn from(outline: Outline) -> Self {
        let name = outline.name_any();
        let clusters = outline.spec.plan.clusters.into_iter().map(|cluster| PlanCluster {
            name: cluster.name,
            uid: cluster.uid,
            scope: FreezeScope {
                istio_namespaces: cluster.scope.istio_namespaces,
                ..FreezeScope::default()
            },
            ..PlanCluster::default()
        });
        let mut journal = Self::new(
            &name,
            MeshUpgradeSpec {
                journal_version: outline.spec.journal_version,
                mesh: outline.spec.mesh,
                from: outline.spec.from,
                to: outline.spec.to,
                plan: Plan {
                    clusters: clusters.collect(),
                    ..Plan::default()
                },
                plan_hash: String::new(),
                requested_by: outline.spec.requested_by,
                unguarded: None,
                skip_image_pull: false,
                waivers: Vec::new(),
            },
        );
        journal.metadata = outline.metadata;
        journal.status = outline.status.map(|status| MeshUpgradeStatus {
            phase: status.phase,
            holder: status.holder,
            epoch: status.epoch,
            ..MeshUpgradeStatus::default()
        });
        journal
    }
}

/// A journal as it is listed or watched, before it is understood: one that a newer plugin wrote would hide all others. It is kept
/// without its [`managed_fields`].
#[derive(Clone, Debug, Resource)]
#[resource(inherit = MeshUpgrade)]
pub struct Listed {
    /// Name, identity and version of the object.
    pub metadata: ObjectMeta,
    object: Value,
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Value::deserialize(deserializer)?;
        managed_fields::forget(&mut object);
        let metadata = object.get("metadata").map(ObjectMeta::deserialize).transpose();
        Ok(Self {
            metadata: metadata.map_err(D::Error::custom)?.unwrap_or_default(),
            object,
        })
    }
}

impl Listed {
    /// The journal; of one that a newer plugin wrote in words that this one does not know, its outline.
    ///
    /// # Errors
    /// What is wrong with one that this plugin should understand.
    pub fn read(&self) -> Result<MeshUpgrade, String> {
        read(&self.object)
    }
}

/// A journal as the API server has it. Of one that a newer plugin wrote in words that this one does not know it is the
/// outline: enough to tell of it, and to refuse to drive it by its version.
///
/// # Errors
/// What is wrong with one that this plugin should understand.
fn read(journal: &Value) -> Result<MeshUpgrade, String> {
    let why = match MeshUpgrade::deserialize(journal) {
        Ok(journal) => return Ok(journal),
        Err(why) => why,
    };
    match Outline::deserialize(journal) {
        Ok(outline) if outline.spec.journal_version > JOURNAL_VERSION => Ok(outline.into()),
        Ok(outline) => Err(format!("{}: {why}", outline.name_any())),
        Err(_) => Err(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn journal(version: i32, installer: &str, phase: Option<&str>) -> Value {
        let step = json!({"id": "east/istiod/istio-system/istiod", "cluster": "east", "component": "Istiod",
            "installer": installer, "namespace": "istio-system", "release": "istiod", "from": "1.30.3", "to": "1.31.0",
            "releaseRevision": 1});
        let mut journal = json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshUpgrade",
            "metadata": {"name": "shop-1", "uid": "u"}, "spec": {"journalVersion": version, "mesh": "shop",
            "from": "1.30.3", "to": "1.31.0", "planHash": "", "requestedBy": "alice", "plan": {"steps": [step],
            "clusters": [{"name": "east", "uid": "e", "scope": {"istioNamespaces": ["istio-system"]}}],
            "charts": {"location": ""}}}});
        if let Some(phase) = phase {
            journal["status"] = json!({"phase": phase, "epoch": 3, "holder": "alice"});
        }
        journal
    }

    #[test]
    fn a_newer_journal_is_told_by_its_outline_and_ones_own_is_read_in_full() {
        let newer = JOURNAL_VERSION + 1;
        for (version, installer, phase, expected, steps) in [
            (JOURNAL_VERSION, "Helm", Some("Upgrading"), Phase::Upgrading, 1),
            (newer, "Helm", Some("Succeeded"), Phase::Succeeded, 1),
            (newer, "X", Some("Succeeded"), Phase::Succeeded, 0),
            (newer, "X", Some("Upgrading"), Phase::Upgrading, 0),
            (newer, "X", None, Phase::Pending, 0),
            (newer, "Helm", Some("Soaking"), Phase::Upgrading, 0),
        ] {
            let read = read(&journal(version, installer, phase)).unwrap();
            let status = read.status.clone().unwrap_or_default();
            let what = format!("{version} {installer} {phase:?}");
            assert_eq!((status.phase, read.spec.plan.steps.len()), (expected, steps), "{what}");
            assert_eq!(status.epoch, if phase.is_some() { 3 } else { 0 }, "{what}");
            assert_eq!((read.spec.mesh.as_str(), read.spec.journal_version), ("shop", version));
            assert_eq!(read.uid().as_deref(), Some("u"));
            let cluster = &read.spec.plan.clusters[0];
            assert_eq!((cluster.uid.as_str(), cluster.scope.istio_namespaces.len()), ("e", 1));
        }
    }

    #[test]
    fn a_far_time_of_a_field_manager_hides_no_journal() {
        let mut far = journal(JOURNAL_VERSION, "Helm", Some("Upgrading"));
        far["metadata"]["managedFields"] =
            json!([{"manager": "x", "operation": "Update", "time": "9999-12-31T00:00:00Z"}]);
        assert!(MeshUpgrade::deserialize(&far).is_err());
        let listed: Listed = serde_json::from_value(far).unwrap();
        assert_eq!(listed.name_any(), "shop-1");
        assert_eq!(listed.read().unwrap().status.unwrap().phase, Phase::Upgrading);
    }

    #[test]
    fn what_this_plugin_should_understand_and_does_not_is_an_error_that_names_it() {
        let why = read(&journal(JOURNAL_VERSION, "X", Some("Succeeded"))).unwrap_err();
        assert!(why.starts_with("shop-1: ") && why.contains("unknown variant"), "{why}");
        assert!(read(&json!("no journal")).is_err());
    }
}
