//! What a version is compared with where the object itself says nothing: the control planes of its mesh, and what was
//! recorded of the mesh after the last of them is gone.

use super::{
    super::decide::{Facts, KnownMesh},
    way_back,
};
use crate::version::IstioVersion;
use k8s_openapi::jiff::Timestamp;
use std::cmp::Ordering;

/// What is known beside an object.
pub(super) struct Known<'f> {
    /// Versions of control planes that can be read; where there are none, of the injectors of those that run elsewhere.
    pub planes: Vec<&'f IstioVersion>,
    /// Newest version that was recorded.
    recorded: Option<&'f IstioVersion>,
}

impl<'f> Known<'f> {
    /// What is known of the mesh whose control plane lives in `home`.
    pub(super) fn of_mesh(home: &str, facts: &'f Facts) -> Self {
        let meshes: Vec<&KnownMesh> = of_namespace(home, facts).collect();
        let belongs = |namespace: &str| namespace == home || meshes.iter().any(|mesh| mesh.has_namespace(namespace));
        let here = facts.control_planes.iter().filter(|plane| belongs(&plane.namespace));
        let mut planes: Vec<&IstioVersion> = here.filter_map(|plane| plane.version.as_ref()).collect();
        if planes.is_empty() {
            // Its control plane runs in another cluster; what it has here is of a version as well.
            let is_its = |release: &Option<(String, String)>| {
                let release = release.as_ref();
                release.is_some_and(|(namespace, _)| belongs(namespace))
            };
            let injectors = facts.injectors.iter().filter(|injector| is_its(&injector.release));
            planes.extend(injectors.filter_map(|injector| injector.version.as_ref()));
        }
        Self {
            planes,
            recorded: newest(meshes.iter().filter_map(|mesh| mesh.version.as_ref())),
        }
    }

    /// The same for what may live anywhere, as gateways and node components do: its own mesh where its namespace says
    /// which, else all of the cluster.
    pub(super) fn of_cluster(home: &str, facts: &'f Facts) -> Self {
        let own = Self::of_mesh(home, facts);
        if own.newest().is_some() {
            return own;
        }
        let planes = facts.control_planes.iter().map(|plane| plane.version.as_ref());
        let mut planes: Vec<&IstioVersion> = planes.flatten().collect();
        if planes.is_empty() {
            let injectors = facts.injectors.iter().map(|injector| injector.version.as_ref());
            planes.extend(injectors.flatten());
        }
        Self {
            planes,
            recorded: newest(facts.meshes.iter().filter_map(|mesh| mesh.version.as_ref())),
        }
    }

    /// The newest of all, and where it was seen.
    pub(super) fn newest(&self) -> Option<(&'f IstioVersion, &'static str)> {
        let running = newest(self.planes.iter().copied());
        match (running, self.recorded) {
            (Some(running), Some(recorded)) if recorded.cmp_release(running).is_gt() => {
                Some((recorded, "recorded of its mesh"))
            }
            (Some(running), _) => Some((running, "the newest control plane of its mesh")),
            (None, recorded) => recorded.map(|version| (version, "recorded of its mesh")),
        }
    }

    /// The oldest control plane that runs.
    pub(super) fn oldest(&self) -> Option<&'f IstioVersion> {
        self.planes.iter().copied().min_by(|a, b| a.cmp_release(b))
    }

    /// All versions that something may be compared with: those that run, else the recorded one.
    pub(super) fn all(&self) -> impl Iterator<Item = &'f IstioVersion> {
        let recorded = self.recorded.filter(|_| self.planes.is_empty());
        self.planes.iter().copied().chain(recorded)
    }
}

/// Meshes that a namespace belongs to.
pub(super) fn of_namespace<'f>(namespace: &str, facts: &'f Facts) -> impl Iterator<Item = &'f KnownMesh> {
    facts.meshes.iter().filter(move |mesh| mesh.has_namespace(namespace))
}

fn newest<'f>(versions: impl Iterator<Item = &'f IstioVersion>) -> Option<&'f IstioVersion> {
    versions.max_by(|a, b| a.cmp_release(b))
}

/// A version of a mesh that is not recorded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unrecorded<'f> {
    /// Name of the mesh.
    pub mesh: &'f str,
    /// The newest version that a control plane of it runs.
    pub version: &'f IstioVersion,
    /// Whether it is older than what is recorded, because the owner of the mesh allowed to go back to it.
    pub goes_back: bool,
}

/// What is to be recorded of each mesh: a version that is newer than the recorded one, or the one that its owner went back
/// to, as long as that is allowed. Otherwise whatever comes after the way back would be compared with what it left.
#[must_use]
pub fn unrecorded(facts: &Facts, now: Timestamp) -> Vec<Unrecorded<'_>> {
    let of_mesh = |mesh: &KnownMesh| {
        let planes = facts
            .control_planes
            .iter()
            .filter(|plane| mesh.has_namespace(&plane.namespace));
        let versions = planes.filter_map(|plane| plane.version.as_ref());
        newest(versions.filter(|version| version.flavor == mesh.flavor))
    };
    let meshes = facts.meshes.iter();
    meshes
        .filter_map(|mesh| {
            let version = of_mesh(mesh)?;
            let goes_back = match mesh.version.as_ref().map(|recorded| version.cmp_release(recorded)) {
                None | Some(Ordering::Greater) => false,
                Some(Ordering::Equal) => return None,
                Some(Ordering::Less) => way_back::leads_to(mesh, version, now).then_some(true)?,
            };
            Some(Unrecorded {
                mesh: &mesh.name,
                version,
                goes_back,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::super::decide::KnownControlPlane, *};
    use crate::api::{Downgrade, Management};
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::SignedDuration};

    #[test]
    fn only_what_is_newer_and_of_the_mesh_is_recorded() {
        let plane = |namespace: &str, version: &str| KnownControlPlane {
            namespace: namespace.to_owned(),
            version: version.parse().ok(),
            ..KnownControlPlane::default()
        };
        let recorded = |version: &str| Facts {
            control_planes: vec![
                plane("istio-system", "1.30.3"),
                plane("canary", "1.31.0"),
                plane("istio-system", "1.32.0-mspider"),
                plane("team", "1.33.0"),
                plane("istio-system", "latest"),
            ],
            meshes: vec![KnownMesh {
                name: "default".to_owned(),
                istio_namespace: "istio-system".to_owned(),
                namespaces: vec!["canary".to_owned()],
                version: version.parse().ok(),
                ..KnownMesh::default()
            }],
            ..Facts::default()
        };
        let due = |version: &str| -> Vec<String> {
            let facts = recorded(version);
            let due = unrecorded(&facts, Timestamp::UNIX_EPOCH).into_iter();
            due.map(|due| format!("{} {}", due.mesh, due.version)).collect()
        };
        assert_eq!(due(""), ["default 1.31.0"]);
        assert_eq!(due("1.30.3"), ["default 1.31.0"]);
        assert!(due("1.31.0").is_empty() && due("1.31.1").is_empty());
    }

    #[test]
    fn an_older_version_is_recorded_only_where_its_owner_went_back_to_it() {
        let back = |management: Management, to: &str, hours: i64| {
            let facts = Facts {
                control_planes: vec![KnownControlPlane {
                    namespace: "istio-system".to_owned(),
                    version: "1.30.3".parse().ok(),
                    ..KnownControlPlane::default()
                }],
                meshes: vec![KnownMesh {
                    name: "default".to_owned(),
                    istio_namespace: "istio-system".to_owned(),
                    version: "1.31.0".parse().ok(),
                    management: Some(management),
                    downgrade: Some(Downgrade {
                        to: to.to_owned(),
                        by: "alice".to_owned(),
                        reason: "pager 7".to_owned(),
                        expires: Time(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)),
                        writers: Vec::new(),
                    }),
                    ..KnownMesh::default()
                }],
                ..Facts::default()
            };
            let due = unrecorded(&facts, Timestamp::UNIX_EPOCH);
            due.first().map(|due| due.goes_back)
        };
        assert_eq!(back(Management::External, "1.30.3", 1), Some(true));
        for (management, to, hours) in [
            (Management::Dedicated, "1.30.3", 1),
            (Management::External, "1.30.2", 1),
            (Management::External, "1.30.3", 0),
            (Management::External, "1.30.3", 25),
        ] {
            assert_eq!(back(management, to, hours), None, "{management:?} {to} {hours}");
        }
    }
}
