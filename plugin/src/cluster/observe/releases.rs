//! Helm releases of Istio's charts, out of helm's storage in the cluster.

use super::{
    ask::Asker,
    protobuf::{self, Fields, Value},
    workloads::{self, Istiod, Workloads},
};
use crate::cluster::error::ClusterError;
use futures::{StreamExt as _, stream};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, Resource, ResourceExt as _, api::ListParams, core::PartialObjectMeta};
use shared::{
    api::Component,
    helm,
    inventory::{HelmRelease, OldRelease},
    preflight::{charts, rules::removed_values},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

/// A CRD that Istio's `base` chart owns; its annotations name the release, which has no workload to name it.
const BASE_CRD: &str = "virtualservices.networking.istio.io";
/// Status of a release that was uninstalled and of which only the history was kept.
const UNINSTALLED: &str = "uninstalled";
/// Releases that are read at the same time.
const AT_ONCE: usize = 8;

/// Where helm keeps releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Driver {
    Secret,
    ConfigMap,
}

/// The newest stored revision of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    driver: Driver,
    namespace: String,
    name: String,
    revision: i64,
    status: String,
}

/// What helm's storage holds, before any release is read.
#[derive(Default)]
pub(super) struct Storage {
    newest: Vec<Stored>,
    /// Release that owns Istio's CRDs.
    base: Option<(String, String)>,
    /// What could not be listed.
    pub unreadable: Vec<String>,
}

/// Lists what is stored, without payloads; what may not be listed is said, not failed on. By how that begins, and by how
/// it does in [`read`], `shared::arrival` tells which steps it concerns.
pub(super) async fn list(asker: Asker<'_>) -> Storage {
    let secrets: Api<Secret> = Api::all(asker.cluster.client.clone());
    let config_maps: Api<ConfigMap> = Api::all(asker.cluster.client.clone());
    let crds: Api<CustomResourceDefinition> = Api::all(asker.cluster.client.clone());
    let owned = ListParams::default().labels("owner=helm");
    let released = owned.clone().fields("type=helm.sh/release.v1");
    let (secrets, config_maps, crd) = futures::join!(
        asker.list_metadata("list helm's Secrets", &secrets, &released),
        asker.list_metadata("list helm's ConfigMaps", &config_maps, &owned),
        asker.ask_optional("get Istio's CRDs", crds.get_metadata(BASE_CRD)),
    );
    let mut storage = Storage::default();
    let mut revisions = Vec::new();
    match secrets {
        Ok(found) => revisions.extend(found.items.iter().filter_map(|object| stored(Driver::Secret, object))),
        Err(error) => storage.unreadable.push(format!("helm releases: {error}")),
    }
    match config_maps {
        Ok(found) => revisions.extend(
            found
                .items
                .iter()
                .filter_map(|object| stored(Driver::ConfigMap, object)),
        ),
        Err(error) => storage
            .unreadable
            .push(format!("helm releases kept in ConfigMaps: {error}")),
    }
    match crd {
        Ok(crd) => storage.base = crd.and_then(|crd| workloads::helm_release(crd.annotations())),
        Err(error) => storage
            .unreadable
            .push(format!("the helm release of Istio's CRDs: {error}")),
    }
    storage.newest = newest(revisions);
    storage
}

fn stored<K>(driver: Driver, object: &PartialObjectMeta<K>) -> Option<Stored>
where
    K: Resource<DynamicType = ()> + Debug,
{
    let labels = object.labels();
    Some(Stored {
        driver,
        namespace: object.namespace()?,
        name: labels.get("name")?.clone(),
        revision: labels.get("version")?.parse().ok()?,
        status: labels.get("status").cloned().unwrap_or_default(),
    })
}

/// The newest revision of each release; of two storages the one that went further.
fn newest(revisions: Vec<Stored>) -> Vec<Stored> {
    let mut newest: BTreeMap<(String, String), Stored> = BTreeMap::new();
    for revision in revisions {
        let key = (revision.namespace.clone(), revision.name.clone());
        match newest.get(&key) {
            Some(known) if known.revision >= revision.revision => {}
            _ => {
                newest.insert(key, revision);
            }
        }
    }
    newest.into_values().collect()
}

/// Releases of Istio's charts, and what could not be read.
#[derive(Default)]
pub(super) struct Releases {
    pub known: Vec<HelmRelease>,
    pub old: Vec<OldRelease>,
    pub unreadable: Vec<String>,
}

/// Reads the releases that may be of Istio's charts and returns those that are, with what could not be read.
pub(super) async fn read(asker: Asker<'_>, storage: &Storage, istiods: &[Istiod], found: &Workloads) -> Releases {
    let candidates = Candidates::of(storage, istiods, found);
    let newest = storage.newest.iter().filter(|stored| stored.status != UNINSTALLED);
    let asked = newest.filter(|stored| candidates.contains(stored));
    let asked: Vec<_> = asked
        .map(|stored| async move { (stored, payload(asker, stored).await) })
        .collect();
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut releases = Releases::default();
    let mut unreadable = BTreeSet::new();
    for (stored, payload) in answers {
        let about = |reason: &str| format!("helm release {}/{}: {reason}", stored.namespace, stored.name);
        match payload {
            // Deleted since it was listed.
            Ok(None) => {}
            Ok(Some(payload)) => match helm::decode(&payload) {
                Ok(release) if charts::is_discontinued(&release.chart_name) => releases.old.push(OldRelease {
                    namespace: stored.namespace.clone(),
                    name: stored.name.clone(),
                    chart: release.chart_name,
                }),
                Ok(release) if release.is_about_istio || candidates.are_named(stored) => {
                    releases.known.extend(istio_release(stored, release));
                }
                // Another chart of such a name, as `gateway`.
                Ok(_) => {}
                Err(error) => {
                    unreadable.insert(about(&error.to_string()));
                }
            },
            Err(error) => {
                unreadable.insert(about(&error.to_string()));
            }
        }
    }
    releases.unreadable = unreadable.into_iter().collect();
    releases
}

/// A release by its name, if it is of this chart, which is a vendor's.
///
/// # Errors
/// When it cannot be asked for.
pub(super) async fn of_chart(
    asker: Asker<'_>,
    storage: &Storage,
    namespace: &str,
    name: &str,
    chart: &str,
) -> Result<Option<HelmRelease>, ClusterError> {
    let mut newest = storage.newest.iter();
    let Some(stored) = newest.find(|stored| stored.namespace == namespace && stored.name == name) else {
        return Ok(None);
    };
    let Some(payload) = payload(asker, stored).await? else {
        return Ok(None);
    };
    // One that cannot be read is upgraded by whoever can.
    let release = helm::decode(&payload)
        .ok()
        .filter(|release| release.chart_name == chart);
    Ok(release.map(|release| told(stored, release, Component::Vendor)))
}

/// Releases worth reading: a cluster may hold hundreds of others, of megabytes each.
struct Candidates {
    owners: BTreeSet<(String, String)>,
    namespaces: BTreeSet<String>,
}

impl Candidates {
    fn of(storage: &Storage, istiods: &[Istiod], found: &Workloads) -> Self {
        let control_planes = istiods.iter().map(|istiod| &istiod.control_plane);
        let control_planes = control_planes.map(|one| (&one.workload.namespace, &one.helm_release));
        let nodes = found
            .node_components
            .iter()
            .map(|one| (&one.workload.namespace, &one.helm_release));
        let gateways = found.gateways.iter().filter_map(|one| one.helm_release.clone());
        let istio: Vec<_> = control_planes.chain(nodes).collect();
        Self {
            namespaces: istio.iter().map(|(namespace, _)| (*namespace).clone()).collect(),
            owners: istio
                .iter()
                .filter_map(|(_, release)| (*release).clone())
                .chain(gateways)
                .chain(storage.base.clone())
                .collect(),
        }
    }

    /// Whether something of Istio names it.
    fn are_named(&self, stored: &Stored) -> bool {
        self.owners.contains(&(stored.namespace.clone(), stored.name.clone()))
    }

    /// Whether something of Istio names it, or it lies beside something of Istio, or it is called like Istio: a
    /// release whose first install failed has no object that names it.
    fn contains(&self, stored: &Stored) -> bool {
        self.are_named(stored)
            || self.namespaces.contains(&stored.namespace)
            || ["istio", "ztunnel"].iter().any(|word| stored.name.contains(word))
    }
}

fn istio_release(stored: &Stored, release: helm::Release) -> Option<HelmRelease> {
    let component = Component::from_chart(&release.chart_name)?;
    Some(told(stored, release, component))
}

fn told(stored: &Stored, release: helm::Release, component: Component) -> HelmRelease {
    HelmRelease {
        namespace: stored.namespace.clone(),
        name: stored.name.clone(),
        revision: stored.revision,
        // The label is what helm itself selects by.
        status: if stored.status.is_empty() {
            release.status
        } else {
            stored.status.clone()
        },
        chart: release.chart_name,
        chart_version: release.chart_version,
        component,
        kinds: release.kinds,
        removed_values: removed_values(component, release.values.as_value()),
        settings: helm::ReleaseSettings::read(release.values.as_value(), release.server_side),
    }
}

/// The stored payload; `None` when it is gone.
async fn payload(asker: Asker<'_>, stored: &Stored) -> Result<Option<Vec<u8>>, ClusterError> {
    let kind = match stored.driver {
        Driver::Secret => "secrets",
        Driver::ConfigMap => "configmaps",
    };
    let object = helm::storage_name(&stored.name, stored.revision);
    let path = format!("/api/v1/namespaces/{}/{kind}/{object}", stored.namespace);
    let object = asker.packed("get helm's releases", &path).await?;
    Ok(object.map(|object| release_of(&object).to_vec()))
}

/// The entry `release` of a Secret or a ConfigMap; empty where there is none. Both keep their entries in field 2 (k8s.io/api,
/// `core/v1/generated.proto`).
fn release_of(object: &[u8]) -> &[u8] {
    let object = protobuf::unwrapped(object).map_or(Fields(&[]), Value::fields);
    let mut entries = object.all(2).map(Value::fields);
    let release = entries.find(|entry| entry.text(1) == "release");
    match release.and_then(|entry| entry.all(2).next()) {
        Some(Value::Bytes(payload)) => payload,
        Some(Value::Number(_)) | None => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::{super::protobuf::tests::held, *};

    #[test]
    fn the_release_is_found_among_the_entries() {
        let entry = |key: &str, value: &str| held(2, [held(1, key), held(2, value)].concat());
        let wrapped = |object: Vec<u8>| [b"k8s\0".to_vec(), held(1, held(2, "Secret")), held(2, object)].concat();
        let object = [
            held(1, held(1, "sh.helm.release.v1.istiod.v1")),
            entry("other", "x"),
            entry("release", "H4sI"),
        ];
        assert_eq!(release_of(&wrapped(object.concat())), b"H4sI");
        for none in [
            wrapped(entry("other", "x")),
            wrapped(Vec::new()),
            b"{}".to_vec(),
            Vec::new(),
        ] {
            assert_eq!(release_of(&none), b"", "{none:?}");
        }
    }

    fn one(driver: Driver, namespace: &str, name: &str, revision: i64) -> Stored {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Stored {
            driver,
            namespace,
            name,
            revision,
            status: "deployed".to_owned(),
        }
    }

    #[test]
    fn the_newest_revision_counts_as_a_number() {
        let newest = newest(vec![
            one(Driver::Secret, "istio-system", "istiod", 9),
            one(Driver::Secret, "istio-system", "istiod", 10),
            one(Driver::Secret, "istio-system", "istiod", 2),
            one(Driver::ConfigMap, "istio-system", "istiod", 3),
            one(Driver::ConfigMap, "other", "istiod", 1),
        ]);
        let newest: Vec<_> = newest
            .iter()
            .map(|one| (one.namespace.as_str(), one.revision, one.driver))
            .collect();
        assert_eq!(
            newest,
            [("istio-system", 10, Driver::Secret), ("other", 1, Driver::ConfigMap)]
        );
    }

    #[test]
    fn only_releases_near_istio_are_read() {
        let storage = Storage {
            base: Some(("mesh".to_owned(), "foundation".to_owned())),
            ..Storage::default()
        };
        let candidates = Candidates::of(&storage, &[], &Workloads::default());
        for (namespace, name, expected) in [
            ("mesh", "foundation", true),
            ("mesh", "other", false),
            ("anywhere", "istio-ingress", true),
            ("anywhere", "ztunnel", true),
            ("shop", "checkout", false),
        ] {
            assert_eq!(
                candidates.contains(&one(Driver::Secret, namespace, name, 1)),
                expected,
                "{namespace}/{name}"
            );
        }
    }
}
