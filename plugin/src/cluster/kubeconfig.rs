//! Kubeconfig files: reading them as kubectl does, and reducing them to one context for helm.

use super::{connector::Proxies, error::ClusterError, failure, in_cluster};
use kube::{
    Config,
    config::{Context, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedCluster, NamedContext},
};
use shared::members::KnownContext;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The operator's kubeconfig, merged from all its files.
#[derive(Clone)]
pub(super) struct Kubeconfigs {
    merged: Arc<Kubeconfig>,
    /// The first file, for messages.
    path: PathBuf,
    /// Whether the operator's own files say it.
    own: bool,
}

/// Contexts of the operator's kubeconfig, for whoever chooses one; none where it cannot be read.
#[must_use]
pub fn known_contexts(flag: Option<&Path>) -> Vec<KnownContext> {
    Kubeconfigs::read(flag).map(|config| config.known()).unwrap_or_default()
}

impl Kubeconfigs {
    /// Reads `--kubeconfig`, the files of `KUBECONFIG`, or `~/.kube/config`, in this order of preference; where none is
    /// named or there, a pod has its ServiceAccount.
    pub(super) fn read(flag: Option<&Path>) -> Result<Self, ClusterError> {
        if let Some(path) = flag {
            return Self::read_files(&[path.to_owned()]);
        }
        let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
            .map(|list| {
                std::env::split_paths(&list)
                    .filter(|path| !path.as_os_str().is_empty())
                    .collect()
            })
            .unwrap_or_default();
        if !listed.is_empty() {
            return Self::read_files(&listed);
        }
        let home = std::env::home_dir().unwrap_or_default();
        match Self::read_files(&[home.join(".kube").join("config")]) {
            Err(missing @ ClusterError::KubeconfigMissing { .. }) => {
                let pod = in_cluster::kubeconfig();
                pod.map(|pod| Self::of(pod, "the ServiceAccount of the pod"))
                    .ok_or(missing)
            }
            read => read,
        }
    }

    /// Merges files by kubectl's rules: what an earlier file says wins, and of several some may be missing.
    fn read_files(paths: &[PathBuf]) -> Result<Self, ClusterError> {
        let mut merged: Option<(Kubeconfig, PathBuf)> = None;
        for path in paths {
            let Some(next) = read_file(path)? else {
                continue;
            };
            merged = Some(match merged {
                None => (next, path.clone()),
                Some((before, first)) => {
                    let both = before.merge(next).map_err(|error| failure::invalid(path, &error))?;
                    (both, first)
                }
            });
        }
        match (merged, paths.first()) {
            (Some((merged, path)), _) => Ok(Self {
                merged: Arc::new(merged),
                path,
                own: true,
            }),
            (None, first) => Err(ClusterError::KubeconfigMissing {
                path: first.cloned().unwrap_or_default(),
            }),
        }
    }

    /// A kubeconfig that came from elsewhere than from the operator's files, and may be used; `whence` is for messages.
    pub(super) fn of(config: Kubeconfig, whence: &str) -> Self {
        Self {
            merged: Arc::new(config),
            path: PathBuf::from(whence),
            own: false,
        }
    }

    /// Whether the operator's own files say it, so that kubectl and helm find its contexts, too.
    pub(super) fn is_own(&self) -> bool {
        self.own
    }

    /// All contexts, with the servers that they lead to.
    pub(super) fn known(&self) -> Vec<KnownContext> {
        let server = |context: &NamedContext| {
            let cluster = self.cluster(&context.context.as_ref()?.cluster)?;
            cluster.cluster.as_ref()?.server.clone()
        };
        let contexts = self.merged.contexts.iter();
        contexts
            .filter_map(|context| {
                Some(KnownContext {
                    name: context.name.clone(),
                    server: server(context)?,
                })
            })
            .collect()
    }

    /// The context that is meant, checked to exist.
    pub(super) fn context_name(&self, flag: Option<&str>) -> Result<String, ClusterError> {
        let available = || {
            self.merged
                .contexts
                .iter()
                .map(|context| context.name.clone())
                .collect()
        };
        let current = self.merged.current_context.as_deref();
        let Some(name) = flag.or(current).filter(|name| !name.is_empty()) else {
            return Err(ClusterError::NoCurrentContext { available: available() });
        };
        if self.context(name).is_none() {
            return Err(ClusterError::ContextNotFound {
                context: name.to_owned(),
                available: available(),
            });
        }
        Ok(name.to_owned())
    }

    /// kube's configuration for a context, with the proxy that kubectl would use.
    pub(super) async fn config(&self, context: &str) -> Result<Config, ClusterError> {
        let options = KubeConfigOptions {
            context: Some(context.to_owned()),
            ..KubeConfigOptions::default()
        };
        let mut config = Config::from_custom_kubeconfig(self.only(context), &options)
            .await
            .map_err(|error| failure::context(&self.path, context, &error))?;
        let own = self
            .context(context)
            .and_then(|found| self.cluster(&found.cluster))
            .and_then(|named| {
                let url = named.cluster.as_ref()?.proxy_url.clone()?;
                (!url.is_empty()).then_some(url)
            });
        if own.is_none() {
            config.proxy_url = Proxies::from_environment().for_server(&config.cluster_url);
        }
        Ok(config)
    }

    /// What concerns one context. kube takes a kubeconfig to keep: one of a hundred contexts would be copied as often.
    fn only(&self, context: &str) -> Kubeconfig {
        let merged = &self.merged;
        let found = self.context(context);
        let cluster = found.and_then(|found| self.cluster(&found.cluster));
        let user = found.and_then(|found| {
            let user = found.user.as_ref()?;
            merged.auth_infos.iter().find(|one| one.name == *user)
        });
        let named = merged.contexts.iter().find(|one| one.name == context);
        Kubeconfig {
            clusters: cluster.into_iter().cloned().collect(),
            auth_infos: user.into_iter().cloned().collect(),
            contexts: named.into_iter().cloned().collect(),
            ..Kubeconfig::default()
        }
    }

    fn context(&self, name: &str) -> Option<&Context> {
        self.merged
            .contexts
            .iter()
            .find(|context| context.name == name)?
            .context
            .as_ref()
    }

    fn cluster(&self, name: &str) -> Option<&NamedCluster> {
        self.merged.clusters.iter().find(|cluster| cluster.name == name)
    }
}

/// Reads one file; `None` when there is none.
fn read_file(path: &Path) -> Result<Option<Kubeconfig>, ClusterError> {
    // Relative paths within the file are made absolute beside this one, so it must be absolute itself.
    let absolute = std::path::absolute(path).map_err(|source| ClusterError::KubeconfigUnreadable {
        path: path.to_owned(),
        source,
    })?;
    match Kubeconfig::read_from(&absolute) {
        Ok(config) => Ok(Some(config)),
        Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(KubeconfigError::ReadConfig(source, path)) => Err(ClusterError::KubeconfigUnreadable { path, source }),
        Err(error) => Err(failure::invalid(path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const TOKEN: &str = "s3cr3t-t0k3n";

    fn kubeconfig(context: &str, server: &str) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": context,
            "clusters": [{"name": "c", "cluster": {"server": server, "proxy-url": "http://proxy:3128"}}],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "contexts": [{"name": context, "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        })
        .to_string()
    }

    fn file(directory: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn failure(result: Result<Kubeconfigs, ClusterError>) -> ClusterError {
        result.err().expect("it must be refused")
    }

    #[test]
    fn the_first_of_several_files_wins_and_some_may_be_missing() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let east = file(&directory, "east", &kubeconfig("east", "https://east:6443"));
        let west = file(&directory, "west", &kubeconfig("west", "https://west:6443"));
        let merged = Kubeconfigs::read_files(&[missing.clone(), east, west]).unwrap();
        assert_eq!(merged.context_name(None).unwrap(), "east");
        assert_eq!(merged.context_name(Some("west")).unwrap(), "west");
        let server = merged
            .cluster("c")
            .and_then(|named| named.cluster.as_ref()?.server.as_deref());
        assert_eq!(server, Some("https://east:6443"));
        let error = failure(Kubeconfigs::read_files(std::slice::from_ref(&missing)));
        assert!(
            matches!(&error, ClusterError::KubeconfigMissing { path } if *path == missing),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("--kubeconfig"));
    }

    #[test]
    fn a_context_must_be_named_and_exist() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(&directory, "config", &kubeconfig("east", "https://east:6443"));
        let config = Kubeconfigs::read(Some(&path)).unwrap();
        let error = config.context_name(Some("wst")).unwrap_err();
        assert_eq!(error.to_string(), r#"the kubeconfig has no context "wst""#);
        assert_eq!(error.hint().unwrap(), "choose one with --context: east");
        let none = Kubeconfigs::read(Some(&file(&directory, "none", &kubeconfig("", "https://east:6443")))).unwrap();
        assert!(matches!(
            none.context_name(None).unwrap_err(),
            ClusterError::NoCurrentContext { .. }
        ));
        let empty = Kubeconfigs::read(Some(&file(&directory, "empty", ""))).unwrap();
        let error = empty.context_name(None).unwrap_err();
        assert_eq!(error.hint().unwrap(), "the kubeconfig has no contexts at all");
    }

    #[test]
    fn a_broken_file_is_located_and_never_quoted() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("mapping", format!("users:\n- name: u\n  user:\n    token: [{TOKEN}\n")),
            (
                "type",
                format!("users:\n- name: u\n  user:\n    token:\n      {TOKEN}: {TOKEN}\n"),
            ),
            ("list", format!("- {TOKEN}\n")),
        ] {
            let path = file(&directory, name, &text);
            let error = failure(Kubeconfigs::read(Some(&path)));
            assert!(
                matches!(error, ClusterError::KubeconfigInvalid { .. }),
                "{name}: {error}"
            );
            let printed = format!("{error} {error:?} {}", error.hint().unwrap());
            assert!(
                printed.contains(&path.display().to_string()) && printed.contains(" line "),
                "{printed}"
            );
            assert!(!printed.contains(TOKEN), "{printed}");
        }
        let error = failure(Kubeconfigs::read(Some(directory.path())));
        assert!(matches!(error, ClusterError::KubeconfigUnreadable { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_context_that_leads_nowhere_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let mut document: Value = serde_json::from_str(&kubeconfig("east", "https://east:6443")).unwrap();
        document["users"][0]["user"] = json!({"client-certificate-data": "%%%", "client-key": "gone.key"});
        for (pointer, value, expected) in [
            ("/clusters", json!([]), r#"its cluster "c" is not in the kubeconfig"#),
            ("/clusters/0/cluster", json!({}), "its cluster has no server"),
            (
                "/clusters/0/cluster/server",
                json!("not a url"),
                "its cluster's server is not a URL",
            ),
            (
                "/clusters/0/cluster/proxy-url",
                json!("no proxy url"),
                "its proxy-url, or HTTPS_PROXY, is not a URL",
            ),
            (
                "/clusters/0/cluster/certificate-authority",
                json!("gone.crt"),
                "its certificate-authority ",
            ),
        ] {
            let mut document = document.clone();
            let place = if pointer.ends_with("authority") {
                document["clusters"][0]["cluster"]["certificate-authority"] = Value::Null;
                document.pointer_mut(pointer)
            } else {
                document.pointer_mut(pointer)
            };
            *place.unwrap() = value;
            let config = Kubeconfigs::read(Some(&file(&directory, "config", &document.to_string()))).unwrap();
            let error = config.config("east").await.unwrap_err().to_string();
            assert!(error.contains(expected), "{pointer}: {error}");
        }
    }
}
