//! What the webhook's caches mean for the rules.

use k8s_openapi::{
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration,
        apps::v1::{DaemonSet, Deployment},
        core::v1::{ConfigMap, PodSpec},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use shared::{
    api::{Mesh, MeshFreeze},
    catalog::{CONFIG_MAP, CONFIG_MAP_KEY, Catalog},
    guard::{
        Facts,
        decide::{KnownControlPlane, KnownInjector, KnownNodeComponent},
        recorded,
        table::{HELM_RELEASE_NAME, HELM_RELEASE_NAMESPACE},
    },
    journals::Outline,
    names,
    version::{Flavor, IstioVersion},
};
use std::sync::Arc;

/// Label of a control plane's revision.
const REVISION: &str = "istio.io/rev";
/// Label of what helm installs with the version of its chart's contents.
const VERSION: &str = "app.kubernetes.io/version";
/// The container that runs istiod.
const DISCOVERY: &str = "discovery";
/// Labels of the pods of node components, with the container that runs each.
const NODE_COMPONENTS: &[(&str, &str, &str)] = &[
    ("k8s-app", "istio-cni-node", "install-cni"),
    ("app", "ztunnel", "istio-proxy"),
];

/// Objects in the caches.
#[derive(Clone, Debug, Default)]
pub struct Caches {
    /// Freezes that hold.
    pub freezes: Vec<Arc<MeshFreeze>>,
    /// Journals, as far as any plugin's are understood.
    pub upgrades: Vec<Arc<Outline>>,
    /// Meshes.
    pub meshes: Vec<Arc<Mesh>>,
    /// Deployments of istiod.
    pub istiods: Vec<Arc<Deployment>>,
    /// Injectors of Istio's.
    pub injectors: Vec<Arc<MutatingWebhookConfiguration>>,
    /// DaemonSets, those of Istio among them.
    pub daemon_sets: Vec<Arc<DaemonSet>>,
}

/// Facts out of the objects in the caches.
#[must_use]
pub fn build(caches: &Caches) -> Facts {
    let freezes = || caches.freezes.iter().map(Arc::as_ref);
    let upgrades = || caches.upgrades.iter().map(Arc::as_ref);
    let meshes = caches.meshes.iter().map(Arc::as_ref);
    let istiods = caches.istiods.iter();
    let injectors = caches.injectors.iter();
    let daemon_sets = caches.daemon_sets.iter();
    Facts {
        freezes: freezes().map(|freeze| recorded::freeze(freeze, upgrades())).collect(),
        control_planes: istiods.filter_map(|istiod| known_control_plane(istiod)).collect(),
        injectors: injectors.map(|injector| known_injector(injector)).collect(),
        node_components: daemon_sets
            .filter_map(|daemon_set| known_node_component(daemon_set))
            .collect(),
        meshes: recorded::meshes(meshes, freezes(), upgrades()),
        upgrades: upgrades().map(recorded::upgrade).collect(),
        ..Facts::default()
    }
}

/// The catalogs that the cluster brings; what cannot be read is left out, and is said.
#[must_use]
pub(crate) fn own_catalogs(maps: &[Arc<ConfigMap>]) -> Vec<Catalog> {
    let place = format!("ConfigMap {}/{CONFIG_MAP}", names::NAMESPACE);
    let texts = maps.iter().filter_map(|map| map.data.as_ref()?.get(CONFIG_MAP_KEY));
    let catalogs = texts.filter_map(|text| {
        let read = Catalog::from_yaml(text, &place);
        read.inspect_err(|error| tracing::warn!(%error, "the cluster's own catalog is not used"))
            .ok()
    });
    catalogs.collect()
}

/// Flavors of a catalog.
#[must_use]
pub(crate) fn flavors_of(catalog: &Catalog) -> Vec<Flavor> {
    catalog.flavors.iter().map(|of| of.flavor.clone()).collect()
}

fn known_control_plane(istiod: &Deployment) -> Option<KnownControlPlane> {
    let pods = istiod.spec.as_ref()?.template.spec.as_ref()?;
    let revision = istiod.metadata.labels.as_ref().and_then(|labels| labels.get(REVISION));
    let namespace = istiod.metadata.namespace.clone()?;
    let account = pods.service_account_name.as_deref().unwrap_or("default");
    Some(KnownControlPlane {
        user: format!("system:serviceaccount:{namespace}:{account}"),
        namespace,
        name: istiod.metadata.name.clone()?,
        revision: revision
            .filter(|name| !name.is_empty())
            .map_or("default", String::as_str)
            .to_owned(),
        version: version(pods, DISCOVERY)?,
        release: release(&istiod.metadata),
    })
}

/// The version is the chart's, whose labels helm has written.
fn known_injector(injector: &MutatingWebhookConfiguration) -> KnownInjector {
    let labels = injector.metadata.labels.as_ref();
    KnownInjector {
        version: labels.and_then(|labels| labels.get(VERSION)?.parse().ok()),
        release: release(&injector.metadata),
    }
}

fn known_node_component(daemon_set: &DaemonSet) -> Option<KnownNodeComponent> {
    let template = &daemon_set.spec.as_ref()?.template;
    let labels = template.metadata.as_ref()?.labels.as_ref()?;
    let (_, _, container) = NODE_COMPONENTS
        .iter()
        .find(|(key, value, _)| labels.get(*key).is_some_and(|found| found == value))?;
    Some(KnownNodeComponent {
        version: version(template.spec.as_ref()?, container)?,
        release: release(&daemon_set.metadata),
    })
}

/// The version of a container; `None` when there is no such container.
#[expect(clippy::option_option, reason = "a container without a version is not no container")]
fn version(pods: &PodSpec, container: &str) -> Option<Option<IstioVersion>> {
    let container = pods.containers.iter().find(|one| one.name == container)?;
    let image = container.image.as_deref();
    Some(image.and_then(|image| IstioVersion::from_image(image).ok()))
}

fn release(metadata: &ObjectMeta) -> Option<(String, String)> {
    let annotations = metadata.annotations.as_ref()?;
    let namespace = annotations.get(HELM_RELEASE_NAMESPACE)?;
    Some((namespace.clone(), annotations.get(HELM_RELEASE_NAME)?.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};
    use shared::phase::Phase;

    #[test]
    fn reads_versions_revisions_phases_and_flavors() {
        let istiod = |name: &str, labels: serde_json::Value, image: &str| -> Arc<Deployment> {
            from_value(json!({"metadata": {"namespace": "istio-system", "name": name, "labels": labels},
                "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "discovery", "image": image}]}}}}))
            .unwrap()
        };
        let freeze: Arc<MeshFreeze> = from_value(json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshFreeze",
            "metadata": {"name": "default"}, "spec": {"mesh": "default", "upgrade": "default-1", "from": "1.30.3",
            "to": "1.31.0", "holder": "alice", "epoch": 3, "since": "2026-01-01T00:00:00Z", "scope": {}}}))
        .unwrap();
        let upgrade: Outline = from_value(json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshUpgrade",
            "metadata": {"name": "default-1"}, "spec": {"journalVersion": 1, "mesh": "default", "from": "1.30.3",
            "to": "1.31.0", "plan": {"clusters": [], "steps": [], "charts": {"location": ""}}, "planHash": "",
            "requestedBy": "alice"}, "status": {"phase": "Upgrading"}}))
        .unwrap();
        let mesh: Arc<Mesh> = from_value(json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "Mesh",
            "metadata": {"name": "default"}, "spec": {"flavor": "mspider"}, "status": {"version": "1.30.3-mspider"}}))
        .unwrap();
        let facts = build(&Caches {
            freezes: vec![freeze],
            upgrades: vec![Arc::new(upgrade)],
            meshes: vec![mesh],
            istiods: vec![
                istiod("istiod", json!({}), "istio/pilot:1.30.3-distroless"),
                istiod("istiod-c", json!({REVISION: "c"}), "istio/pilot@sha256:00"),
            ],
            ..Caches::default()
        });
        assert_eq!(facts.freezes[0].phase, Some(Phase::Upgrading));
        assert_eq!(
            (facts.upgrades[0].mesh.as_str(), facts.upgrades[0].phase),
            ("default", Phase::Upgrading)
        );
        assert_eq!(facts.control_planes[0].revision, "default");
        assert_eq!(facts.control_planes[0].version.as_ref().unwrap().to_string(), "1.30.3");
        assert_eq!(facts.control_planes[1].revision, "c");
        assert_eq!(facts.control_planes[1].version, None);
        assert_eq!(facts.meshes[0].flavor, Flavor::Custom("mspider".to_owned()));
        assert_eq!(facts.meshes[0].istio_namespace, "istio-system");
        assert_eq!(
            facts.control_planes[1].user,
            "system:serviceaccount:istio-system:default"
        );
        assert_eq!(facts.control_planes[1].release, None);
    }

    #[test]
    fn reads_who_owns_a_component_and_passes_others_by() {
        let daemon_set = |labels: serde_json::Value, container: &str, image: &str| -> Arc<DaemonSet> {
            from_value(json!({
                "metadata": {"namespace": "istio-system", "name": "x", "annotations":
                    {HELM_RELEASE_NAME: "nodes", HELM_RELEASE_NAMESPACE: "mesh"}},
                "spec": {"selector": {}, "template": {"metadata": {"labels": labels},
                    "spec": {"containers": [{"name": container, "image": image}]}}}}))
            .unwrap()
        };
        let facts = build(&Caches {
            daemon_sets: vec![
                daemon_set(json!({"app": "ztunnel"}), "istio-proxy", "z:1.31.0"),
                daemon_set(json!({"k8s-app": "istio-cni-node"}), "install-cni", "c@sha256:00"),
                daemon_set(json!({"k8s-app": "istio-cni-node"}), "other", "c:1.31.0"),
                daemon_set(json!({"app": "logs"}), "istio-proxy", "z:1.31.0"),
            ],
            ..Caches::default()
        });
        let versions: Vec<_> = facts.node_components.iter().map(|node| node.version.as_ref()).collect();
        assert_eq!(versions, ["1.31.0".parse().ok().as_ref(), None]);
        assert_eq!(
            facts.node_components[0].release,
            Some(("mesh".to_owned(), "nodes".to_owned()))
        );
    }

    #[test]
    fn injectors_tell_the_version_of_their_chart() {
        let injector =
            |labels: serde_json::Value, annotations: serde_json::Value| -> Arc<MutatingWebhookConfiguration> {
                from_value(json!({"metadata": {"name": "x", "labels": labels, "annotations": annotations}})).unwrap()
            };
        let of_helm = || json!({HELM_RELEASE_NAME: "istiod", HELM_RELEASE_NAMESPACE: "mesh"});
        let facts = build(&Caches {
            injectors: vec![
                injector(json!({VERSION: "1.30.3"}), of_helm()),
                injector(json!({VERSION: "of today"}), of_helm()),
                injector(json!({VERSION: "1.31.0"}), json!({})),
            ],
            ..Caches::default()
        });
        let versions: Vec<_> = facts.injectors.iter().map(|known| known.version.clone()).collect();
        assert_eq!(versions, ["1.30.3".parse().ok(), None, "1.31.0".parse().ok()]);
        let release = facts.injectors[0].release.as_ref().unwrap();
        assert_eq!((release.0.as_str(), release.1.as_str()), ("mesh", "istiod"));
        assert_eq!(facts.injectors[2].release, None);
    }

    #[test]
    fn a_cluster_makes_its_vendors_flavor_known() {
        let map = |text: &str| -> Arc<ConfigMap> { from_value(json!({"data": {CONFIG_MAP_KEY: text}})).unwrap() };
        let own = r#"flavors: [{suffix: asm, sources: {images: r.example/asm, charts: "https://c.example"}, releases: [
            {minor: "1.31", newestPatch: 1.31.3-asm, released: 2026-08-31, kubernetes: ["1.32"],
             endOfLife: {date: 2027-04-30, kind: estimate}}]}]"#;
        let flavors = |maps: &[Arc<ConfigMap>]| own_catalogs(maps).iter().flat_map(flavors_of).collect::<Vec<_>>();
        assert_eq!(flavors(&[map(own)]), [Flavor::Custom("asm".to_owned())]);
        assert_eq!(flavors(&[map("no catalog")]), []);
        assert_eq!(flavors(&[]), []);
        assert!(flavors_of(&Catalog::embedded().unwrap()).contains(&Flavor::Native));
    }
}
