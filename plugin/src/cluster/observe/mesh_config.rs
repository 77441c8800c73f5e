//! ConfigMaps that configure a control plane: which exist, and the mesh's ID in them.

use super::{ask::Asker, workloads::Istiod};
use crate::cluster::error::ClusterError;
use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::Value;
use shared::yaml;
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
    pub mesh: Value,
    /// Why one that exists cannot be read.
    pub unreadable: Vec<String>,
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
    Ok(told(namespace, found.into_iter().flatten().collect()))
}

/// What ConfigMaps say, by their names.
fn told(namespace: &str, found: Vec<(String, ConfigMap)>) -> MeshConfig {
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    for (name, config_map) in &found {
        let Some(text) = &config_map.data.mesh else { continue };
        match yaml::as_go_reads::<Option<Value>>(text) {
            Ok(mesh) => read.extend(mesh),
            // Without quoting it: somebody may have put a password into an address.
            Err(at) => unreadable.push(format!(
                "mesh configuration in {namespace} cannot be read: ConfigMap {name} is no YAML at line {} column {}",
                at.line, at.column
            )),
        }
    }
    // The mesh configuration first: the values are only what it was once rendered from.
    let of_mesh = read.iter().find_map(mesh_id);
    let of_values = || {
        found
            .iter()
            .find_map(|(_, config_map)| values_mesh_id(config_map.data.merged_values.as_deref()?))
    };
    MeshConfig {
        mesh_id: of_mesh.or_else(of_values),
        mesh: read.into_iter().next().unwrap_or_default(),
        names: found.into_iter().map(|(name, _)| name).collect(),
        unreadable,
    }
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
fn mesh_id(mesh: &Value) -> Option<String> {
    let id = mesh.pointer("/defaultConfig/meshId")?.as_str()?;
    (!id.is_empty()).then(|| id.to_owned())
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

    fn of(mesh: &str) -> MeshConfig {
        let data = Data {
            mesh: Some(mesh.to_owned()),
            merged_values: None,
        };
        told("istio-system", vec![("istio".to_owned(), ConfigMap { data })])
    }

    #[test]
    fn reads_the_mesh_id() {
        let mesh = "accessLogFile: /dev/stdout\ndefaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\n  \
                    meshId: payments\nrootNamespace: istio-system\n";
        let found = of(mesh);
        assert_eq!(found.mesh_id.as_deref(), Some("payments"));
        assert_eq!(found.mesh.pointer("/rootNamespace"), Some(&Value::from("istio-system")));
        // As istiod reads it.
        let found = of(&format!("rootNamespace: other\n{mesh}"));
        assert_eq!(
            (found.mesh_id.as_deref(), found.unreadable.len()),
            (Some("payments"), 0)
        );
        for mesh in [
            "",
            "# nothing",
            "{}",
            "defaultConfig: {}",
            "defaultConfig:\n  meshId: \"\"\n",
            "- no mapping",
        ] {
            let found = of(mesh);
            assert_eq!((found.mesh_id, found.unreadable), (None, Vec::new()), "{mesh}");
        }
        assert_eq!(
            values_mesh_id(r#"{"global":{"meshID":"payments","hub":"x"}}"#).as_deref(),
            Some("payments")
        );
        for values in ["", "{}", r#"{"global":{"meshID":""}}"#, "[]"] {
            assert_eq!(values_mesh_id(values), None, "{values}");
        }
    }

    #[test]
    fn a_mesh_configuration_that_cannot_be_read_is_told() {
        let found = of("accessLogFile: hunter2\ndefaultConfig: {{ template\n");
        assert_eq!((found.names.len(), found.mesh_id, found.mesh), (1, None, Value::Null));
        let [why] = &found.unreadable[..] else {
            panic!("{:?}", found.unreadable);
        };
        assert!(
            why.starts_with("mesh configuration in istio-system cannot be read: ConfigMap istio is no YAML at line ")
                && !why.contains("hunter2"),
            "{why}"
        );
    }
}
