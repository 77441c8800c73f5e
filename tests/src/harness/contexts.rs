//! A kubeconfig with several contexts, made out of one that is there.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// A kubeconfig that grows.
#[derive(Debug, Clone)]
pub struct Contexts {
    document: Value,
}

impl Contexts {
    /// Begins with what stands in a file.
    pub fn of(kubeconfig: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(kubeconfig).with_context(|| format!("read {}", kubeconfig.display()))?;
        let document = serde_saphyr::from_str(&text).with_context(|| format!("parse {}", kubeconfig.display()))?;
        Ok(Self { document })
    }

    /// The cluster's part of the first context.
    pub fn cluster(&self) -> Value {
        self.document
            .pointer("/clusters/0/cluster")
            .cloned()
            .unwrap_or_default()
    }

    /// The user's part of the first context.
    pub fn user(&self) -> Value {
        self.document.pointer("/users/0/user").cloned().unwrap_or_default()
    }

    /// Adds a context of a name with its own cluster and user.
    #[must_use]
    pub fn with(mut self, name: &str, cluster: &Value, user: &Value) -> Self {
        let parts = [
            ("clusters", json!({"name": name, "cluster": cluster})),
            ("users", json!({"name": name, "user": user})),
            (
                "contexts",
                json!({"name": name, "context": {"cluster": name, "user": name}}),
            ),
        ];
        for (list, part) in parts {
            if let Some(list) = self.document.get_mut(list).and_then(Value::as_array_mut) {
                list.push(part);
            }
        }
        self
    }

    /// The same with one context alone, as `istioctl create-remote-secret` writes it into a Secret.
    #[must_use]
    pub fn alone(name: &str, cluster: &Value, user: &Value) -> Value {
        let empty = json!({"apiVersion": "v1", "kind": "Config", "current-context": name,
            "clusters": [], "users": [], "contexts": []});
        Self { document: empty }.with(name, cluster, user).document
    }

    /// Writes it, for the environment of a command.
    pub fn write(&self, path: PathBuf) -> Result<PathBuf> {
        std::fs::write(&path, self.document.to_string()).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}
