//! What the webhook's caches mean for the rules.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use shared::{
    api::{Mesh, MeshFreeze, MeshUpgrade},
    catalog::{CONFIG_MAP, CONFIG_MAP_KEY, Catalog, CatalogError},
    guard::{
        Facts,
        decide::{Freeze, KnownControlPlane, KnownMesh, KnownUpgrade},
    },
    names,
    version::{Flavor, IstioVersion},
};
use std::sync::Arc;

/// Label of a control plane's revision.
const REVISION: &str = "istio.io/rev";
/// The container that runs istiod.
const DISCOVERY: &str = "discovery";

/// Facts out of the objects in the caches.
#[must_use]
pub fn build(
    freezes: &[Arc<MeshFreeze>],
    upgrades: &[Arc<MeshUpgrade>],
    meshes: &[Arc<Mesh>],
    istiods: &[Arc<Deployment>],
) -> Facts {
    Facts {
        freezes: freezes.iter().map(|freeze| known_freeze(freeze, upgrades)).collect(),
        control_planes: istiods
            .iter()
            .filter_map(|istiod| known_control_plane(istiod))
            .collect(),
        meshes: meshes.iter().map(|mesh| known_mesh(mesh)).collect(),
        upgrades: upgrades.iter().map(|upgrade| known_upgrade(upgrade)).collect(),
        ..Facts::default()
    }
}

/// Flavors of the built-in catalog.
///
/// # Errors
/// When it cannot be read, which its own tests rule out.
pub(crate) fn built_in_flavors() -> Result<Vec<Flavor>, CatalogError> {
    Ok(flavors_of(Catalog::embedded()?))
}

/// Flavors of the catalog that the cluster brings; what cannot be read makes none known, and is said.
#[must_use]
pub(crate) fn own_flavors(maps: &[Arc<ConfigMap>]) -> Vec<Flavor> {
    let place = format!("ConfigMap {}/{CONFIG_MAP}", names::NAMESPACE);
    let texts = maps.iter().filter_map(|map| map.data.as_ref()?.get(CONFIG_MAP_KEY));
    let catalogs = texts.filter_map(|text| {
        let read = Catalog::from_yaml(text, &place);
        read.inspect_err(|error| tracing::warn!(%error, "the cluster's own catalog is not used"))
            .ok()
    });
    catalogs.flat_map(flavors_of).collect()
}

fn flavors_of(catalog: Catalog) -> Vec<Flavor> {
    catalog.flavors.into_iter().map(|of| of.flavor).collect()
}

fn known_upgrade(upgrade: &MeshUpgrade) -> KnownUpgrade {
    KnownUpgrade {
        name: upgrade.metadata.name.clone().unwrap_or_default(),
        mesh: upgrade.spec.mesh.clone(),
        phase: upgrade.status.as_ref().map(|status| status.phase).unwrap_or_default(),
    }
}

fn known_freeze(freeze: &MeshFreeze, upgrades: &[Arc<MeshUpgrade>]) -> Freeze {
    let journal = upgrades
        .iter()
        .find(|upgrade| upgrade.metadata.name.as_ref() == Some(&freeze.spec.upgrade));
    Freeze {
        spec: freeze.spec.clone(),
        phase: journal
            .and_then(|journal| journal.status.as_ref())
            .map(|status| status.phase),
    }
}

fn known_control_plane(istiod: &Deployment) -> Option<KnownControlPlane> {
    let template = istiod.spec.as_ref()?.template.spec.as_ref()?;
    let discovery = template
        .containers
        .iter()
        .find(|container| container.name == DISCOVERY)?;
    let revision = istiod.metadata.labels.as_ref().and_then(|labels| labels.get(REVISION));
    Some(KnownControlPlane {
        namespace: istiod.metadata.namespace.clone()?,
        name: istiod.metadata.name.clone()?,
        revision: revision
            .filter(|name| !name.is_empty())
            .map_or("default", String::as_str)
            .to_owned(),
        version: discovery
            .image
            .as_deref()
            .and_then(|image| IstioVersion::from_image(image).ok()),
    })
}

fn known_mesh(mesh: &Mesh) -> KnownMesh {
    let recorded = mesh.status.as_ref().and_then(|status| status.version.as_deref());
    KnownMesh {
        name: mesh.metadata.name.clone().unwrap_or_default(),
        istio_namespace: mesh.spec.istio_namespace.clone(),
        flavor: Flavor::from_suffix(mesh.spec.flavor.as_deref()),
        version: recorded.and_then(|version| version.parse().ok()),
    }
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
        let upgrade: MeshUpgrade = from_value(json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshUpgrade",
            "metadata": {"name": "default-1"}, "spec": {"journalVersion": 1, "mesh": "default", "from": "1.30.3",
            "to": "1.31.0", "plan": {"clusters": [], "steps": [], "charts": {"location": ""}}, "planHash": "",
            "requestedBy": "alice"}, "status": {"phase": "Upgrading"}}))
        .unwrap();
        let mesh: Arc<Mesh> = from_value(json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "Mesh",
            "metadata": {"name": "default"}, "spec": {"flavor": "mspider"}, "status": {"version": "1.30.3-mspider"}}))
        .unwrap();
        let facts = build(
            &[freeze],
            &[Arc::new(upgrade)],
            &[mesh],
            &[
                istiod("istiod", json!({}), "istio/pilot:1.30.3-distroless"),
                istiod("istiod-c", json!({REVISION: "c"}), "istio/pilot@sha256:00"),
            ],
        );
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
    }

    #[test]
    fn a_cluster_makes_its_vendors_flavor_known() {
        let map = |text: &str| -> Arc<ConfigMap> { from_value(json!({"data": {CONFIG_MAP_KEY: text}})).unwrap() };
        let own = r#"flavors: [{suffix: asm, sources: {images: r.example/asm, charts: "https://c.example"}, releases: [
            {minor: "1.31", newestPatch: 1.31.3-asm, released: 2026-08-31, kubernetes: ["1.32"],
             endOfLife: {date: 2027-04-30, kind: estimate}}]}]"#;
        assert_eq!(own_flavors(&[map(own)]), [Flavor::Custom("asm".to_owned())]);
        assert_eq!(own_flavors(&[map("no catalog")]), []);
        assert_eq!(own_flavors(&[]), []);
        assert!(built_in_flavors().unwrap().contains(&Flavor::Native));
    }
}
