//! Kubeconfig files: reading them as kubectl does, and writing a private one for helm.

use super::{connector::Proxies, error::ClusterError, failure};
use kube::{
    Config,
    config::{
        AuthInfo, Context, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedAuthInfo, NamedCluster, NamedContext,
    },
};
use std::{
    fmt, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The operator's kubeconfig, merged from all its files.
#[derive(Clone)]
pub(super) struct Kubeconfigs {
    merged: Arc<Kubeconfig>,
    /// The first file, for messages.
    path: PathBuf,
}

impl Kubeconfigs {
    /// Reads `--kubeconfig`, the files of `KUBECONFIG`, or `~/.kube/config`, in this order of preference.
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
        Self::read_files(&[home.join(".kube").join("config")])
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
            }),
            (None, first) => Err(ClusterError::KubeconfigMissing {
                path: first.cloned().unwrap_or_default(),
            }),
        }
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
        let mut config = Config::from_custom_kubeconfig(self.merged.as_ref().clone(), &options)
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

    /// Writes a kubeconfig with this one context, whose user is `auth`.
    pub(super) fn private(&self, context: &str, auth: AuthInfo) -> Result<PrivateKubeconfig, ClusterError> {
        let unusable = |reason: &str| ClusterError::ContextUnusable {
            context: context.to_owned(),
            reason: reason.to_owned(),
        };
        let found = self
            .context(context)
            .ok_or_else(|| unusable("it is no longer in the kubeconfig"))?;
        let cluster = self
            .cluster(&found.cluster)
            .ok_or_else(|| unusable("its cluster is not in the kubeconfig"))?;
        let cluster = NamedCluster {
            name: PART.to_owned(),
            cluster: cluster.cluster.clone(),
            ..Default::default()
        };
        let user = NamedAuthInfo {
            name: PART.to_owned(),
            auth_info: Some(auth),
            ..Default::default()
        };
        let only = Context {
            cluster: PART.to_owned(),
            user: Some(PART.to_owned()),
            namespace: found.namespace.clone(),
            ..Default::default()
        };
        let document = Kubeconfig {
            api_version: Some("v1".to_owned()),
            kind: Some("Config".to_owned()),
            clusters: vec![cluster],
            auth_infos: vec![user],
            contexts: vec![NamedContext {
                name: context.to_owned(),
                context: Some(only),
                ..Default::default()
            }],
            current_context: Some(context.to_owned()),
            ..Default::default()
        };
        // JSON is YAML, and needs no second serialiser.
        let text = serde_json::to_vec(&document).map_err(|_| unusable("it cannot be written as JSON"))?;
        PrivateKubeconfig::write(&text)
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

/// Name of the one cluster and the one user of a private kubeconfig.
const PART: &str = "mesh-upgrade";

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

/// A kubeconfig that only the caller can read and that is removed when this is dropped.
pub struct PrivateKubeconfig {
    // Removed with everything in it.
    directory: tempfile::TempDir,
}

impl PrivateKubeconfig {
    const FILE: &str = "config";

    fn write(text: &[u8]) -> Result<Self, ClusterError> {
        let failed = |source| ClusterError::PrivateFile {
            path: std::env::temp_dir(),
            source,
        };
        // Both are created with owner-only permissions, so that there is no moment at which others can read.
        let directory = tempfile::Builder::new()
            .prefix("mesh-upgrade-")
            .tempdir()
            .map_err(failed)?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(directory.path().join(Self::FILE)).map_err(failed)?;
        file.write_all(text).map_err(failed)?;
        Ok(Self { directory })
    }

    /// Path of the file, for `KUBECONFIG` or `--kubeconfig` of a child process.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join(Self::FILE)
    }
}

/// The path only: the file holds credentials.
impl fmt::Debug for PrivateKubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKubeconfig").field(&self.path()).finish()
    }
}
