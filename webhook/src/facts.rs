//! What the webhook's caches mean for the rules.

use k8s_openapi::api::apps::v1::Deployment;
use shared::{
    api::{Mesh, MeshFreeze, MeshUpgrade},
    guard::{
        Facts,
        decide::{Freeze, KnownControlPlane, KnownMesh, KnownUpgrade},
    },
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
}
