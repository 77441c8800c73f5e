//! ConfigMaps that configure a control plane: which exist, and the mesh's ID in them.

use super::{ask::Asker, workloads::Istiod};
use crate::cluster::error::ClusterError;
use futures::future::try_join_all;
use serde::Deserialize;
use std::collections::BTreeSet;

/// What is read of a ConfigMap: injection's templates, a hundred kilobytes of them, are passed over.
#[derive(Deserialize)]
struct ConfigMap {
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Data {
    mesh: Option<String>,
    merged_values: Option<String>,
}

/// What the ConfigMaps of a control plane say.
pub(super) struct MeshConfig {
    /// Names of those that exist.
    pub names: Vec<String>,
    /// The mesh's ID if one is set.
    pub mesh_id: Option<String>,
    /// The mesh configuration; null where there is none that can be read.
    pub mesh: serde_json::Value,
}

/// Reads the ConfigMaps of a control plane.
pub(super) async fn read(asker: Asker<'_>, istiod: &Istiod) -> Result<MeshConfig, ClusterError> {
    let control_plane = &istiod.control_plane;
    let namespace = &control_plane.workload.namespace;
    let names = candidates(&control_plane.revision, istiod.shared_config_map.as_deref());
    let found = try_join_all(names.iter().map(|name| async move {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
        let found = asker.fields::<ConfigMap>("get the ConfigMaps of istiod", &path).await?;
        Ok::<_, ClusterError>(found.map(|config_map| (name.clone(), config_map)))
    }))
    .await?;
    let found: Vec<(String, ConfigMap)> = found.into_iter().flatten().collect();
    // The mesh configuration first: the values are only what it was once rendered from.
    let of_mesh = found
        .iter()
        .find_map(|(_, config_map)| mesh_id(config_map.data.mesh.as_deref()?));
    let of_values = || {
        found
            .iter()
            .find_map(|(_, config_map)| values_mesh_id(config_map.data.merged_values.as_deref()?))
    };
    let mesh_id = of_mesh.or_else(of_values);
    let mesh = found.iter().find_map(|(_, config_map)| {
        let text = config_map.data.mesh.as_deref()?;
        serde_saphyr::from_str::<serde_json::Value>(text).ok()
    });
    Ok(MeshConfig {
        names: found.into_iter().map(|(name, _)| name).collect(),
        mesh_id,
        mesh: mesh.unwrap_or_default(),
    })
}

/// Names under which a revision's ConfigMaps go.
fn candidates(revision: &str, shared: Option<&str>) -> BTreeSet<String> {
    let suffix = if revision == "default" {
        String::new()
    } else {
        format!("-{revision}")
    };
    let mut names: BTreeSet<String> = ["istio", "istio-sidecar-injector", "values"]
        .into_iter()
        .map(|name| format!("{name}{suffix}"))
        .collect();
    names.insert(format!("istio-{revision}"));
    names.extend(shared.filter(|name| !name.is_empty()).map(str::to_owned));
    names
}

/// `defaultConfig.meshId` of a mesh configuration.
fn mesh_id(mesh: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Mesh {
        default_config: Option<ProxyConfig>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ProxyConfig {
        mesh_id: Option<String>,
    }
    let mesh: Mesh = serde_saphyr::from_str(mesh).ok()?;
    mesh.default_config?.mesh_id.filter(|id| !id.is_empty())
}

/// `global.meshID` of the chart's merged values.
fn values_mesh_id(values: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Values {
        global: Option<Global>,
    }
    #[derive(Deserialize)]
    struct Global {
        #[serde(rename = "meshID")]
        mesh_id: Option<String>,
    }
    let values: Values = serde_json::from_str(values).ok()?;
    values.global?.mesh_id.filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_names_of_a_revision() {
        let names = |revision, shared| candidates(revision, shared).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(
            names("default", None),
            "istio istio-default istio-sidecar-injector values"
        );
        assert_eq!(
            names("1-31", None),
            "istio-1-31 istio-sidecar-injector-1-31 values-1-31"
        );
        assert_eq!(
            names("asm-1-29", Some("istio-shared-configmap-asm-1-29")),
            "istio-asm-1-29 istio-shared-configmap-asm-1-29 istio-sidecar-injector-asm-1-29 values-asm-1-29"
        );
    }

    #[test]
    fn reads_the_mesh_id() {
        let mesh = "accessLogFile: /dev/stdout\ndefaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\n  \
                    meshId: payments\nrootNamespace: istio-system\n";
        assert_eq!(mesh_id(mesh).as_deref(), Some("payments"));
        for mesh in [
            "",
            "{}",
            "defaultConfig: {}",
            "defaultConfig:\n  meshId: \"\"\n",
            "- no mapping",
            "{{ template",
        ] {
            assert_eq!(mesh_id(mesh), None, "{mesh}");
        }
        assert_eq!(
            values_mesh_id(r#"{"global":{"meshID":"payments","hub":"x"}}"#).as_deref(),
            Some("payments")
        );
        for values in ["", "{}", r#"{"global":{"meshID":""}}"#, "[]"] {
            assert_eq!(values_mesh_id(values), None, "{values}");
        }
    }
}
