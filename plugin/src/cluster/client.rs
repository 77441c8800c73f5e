//! Connecting to one cluster of the operator's kubeconfig, as the caller or as the driver.

use super::{
    connector::{self, Transport},
    error::ClusterError,
    failure,
    kubeconfig::Kubeconfigs,
    renewal::Renewing,
    stats::Meter,
};
use http::{HeaderValue, header};
use kube::{Client, Config, client::ConfigExt as _};
use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc, time::Duration};
use tower::Layer as _;

/// What the command line says about the cluster, with kubectl's meanings.
#[derive(Clone, Debug, Default)]
pub struct ClusterFlags {
    /// `--kubeconfig`; `KUBECONFIG` and then `~/.kube/config` when left out.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`; the current context when left out.
    pub context: Option<String>,
    /// `--request-timeout`: how long the server may be silent.
    pub request_timeout: Option<Duration>,
    /// `--as`.
    pub as_user: Option<String>,
    /// `--as-group`.
    pub as_groups: Vec<String>,
}

/// A cluster that can be asked. Clones share connections.
#[derive(Clone)]
pub struct Cluster {
    /// What it is called: by its mesh, or else by the context that leads to it.
    pub name: String,
    /// Name of the context that leads to it.
    pub(super) context: String,
    /// Client that acts as the caller, or as the driver after [`Cluster::impersonating`].
    pub client: Client,
    config: Config,
    transport: Transport,
    source: Kubeconfigs,
    pub(super) meter: Arc<Meter>,
}

/// How audit logs name this program; helm and istioctl, which it starts, say who they are themselves.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("kubectl-mesh_upgrade/v", env!("CARGO_PKG_VERSION")));
/// Seconds of the longest watch, however long its server may be silent: where only some run at once, others wait for it.
const LONGEST_WATCH: u32 = 240;
/// Requests to a single cluster that run at once.
pub(super) const AT_ONCE: usize = 32;

/// Connects to the cluster that the flags name. Reads files and may run the credential plugin; sends nothing yet.
///
/// # Errors
/// When the kubeconfig or its context cannot be used.
pub async fn connect(flags: &ClusterFlags) -> Result<Cluster, ClusterError> {
    let source = Kubeconfigs::read(flags.kubeconfig.as_deref())?;
    let name = source.context_name(flags.context.as_deref())?;
    open(&source, &name, flags, AT_ONCE).await
}

/// The same for one context of a kubeconfig that was read; at most `connections` will be open at once, and where requests
/// cannot share one, no more of them run.
pub(super) async fn open(
    source: &Kubeconfigs,
    context: &str,
    flags: &ClusterFlags,
    connections: usize,
) -> Result<Cluster, ClusterError> {
    // Fails only when a provider is already installed, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut config = source.config(context).await?;
    config.default_retry = false;
    config.connect_timeout = Some(connector::CONNECT_TIMEOUT);
    config.read_timeout = Some(flags.request_timeout.unwrap_or(connector::READ_TIMEOUT));
    config.reset_reader_on_write = true;
    config.headers.push((header::USER_AGENT, USER_AGENT));
    if flags.as_user.is_some() || !flags.as_groups.is_empty() {
        config.auth_info.impersonate.clone_from(&flags.as_user);
        config.auth_info.impersonate_groups = Some(flags.as_groups.clone());
    }
    let meter = Arc::new(Meter::new(connections));
    let (built, counted) = (config.clone(), Arc::clone(&meter));
    // The credential plugin is waited for without the runtime.
    let transport = tokio::task::spawn_blocking(move || connector::transport(&built, &counted))
        .await
        .map_err(|error| ClusterError::Credentials {
            context: context.to_owned(),
            reason: error.to_string(),
        })?
        .map_err(|error| failure::unusable(context, &error))?;
    let transport = if config.auth_info.exec.is_some() {
        let (config, meter) = (config.clone(), Arc::clone(&meter));
        let build = move || connector::transport(&config, &meter);
        Transport::new(Renewing::new(transport, build))
    } else {
        transport
    };
    let client = client(context, &config, &transport)?;
    Ok(Cluster {
        name: context.to_owned(),
        context: context.to_owned(),
        client,
        config,
        transport,
        source: source.clone(),
        meter,
    })
}

fn client(context: &str, config: &Config, transport: &Transport) -> Result<Client, ClusterError> {
    let headers = config
        .extra_headers_layer()
        .map_err(|error| failure::unusable(context, &error))?;
    Ok(Client::new(
        headers.layer(transport.clone()),
        config.default_namespace.clone(),
    ))
}

impl Cluster {
    /// The same cluster, asked as the driver's ServiceAccount with these extras; it shares the connections.
    ///
    /// # Errors
    /// When somebody is impersonated already.
    pub fn impersonating(&self, extra: &[(&str, &str)]) -> Result<Self, ClusterError> {
        if let Some(user) = self.impersonated() {
            return Err(ClusterError::ImpersonationNests {
                context: self.context.clone(),
                user: user.to_owned(),
            });
        }
        let mut config = self.config.clone();
        config.auth_info.impersonate = Some(shared::names::driver_user());
        config.auth_info.impersonate_groups = None;
        config.auth_info.impersonate_uid = None;
        config.auth_info.impersonate_user_extra = Some(extras(extra));
        Ok(Self {
            client: client(&self.context, &config, &self.transport)?,
            config,
            ..self.clone()
        })
    }

    /// The same cluster, asked for a program that says itself who it is; it shares the connections.
    ///
    /// # Errors
    /// When the kubeconfig's headers cannot be sent.
    pub fn for_another_program(&self) -> Result<Self, ClusterError> {
        let mut config = self.config.clone();
        config.headers.retain(|(name, _)| name != header::USER_AGENT);
        Ok(Self {
            client: client(&self.context, &config, &self.transport)?,
            config,
            ..self.clone()
        })
    }

    /// Name of the context that leads to it.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The context of the operator's own kubeconfig that leads here, as kubectl and helm know it.
    #[must_use]
    pub fn own_context(&self) -> Option<&str> {
        self.source.is_own().then_some(self.context.as_str())
    }

    /// Host and port of the API server, for messages.
    #[must_use]
    pub fn server(&self) -> String {
        let url = &self.config.cluster_url;
        let host = url.host().unwrap_or_default();
        match url.port_u16() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The API server's address as an engine knows it that reaches it through a relay of this machine: TLS is the relay's.
    #[must_use]
    pub fn address_behind_a_relay(&self) -> String {
        format!(
            "http://{}{}",
            self.server(),
            self.config.cluster_url.path().trim_end_matches('/')
        )
    }

    /// How many seconds a watch may be asked for: nothing may happen for so long, and a server that is silent for longer
    /// counts as away.
    #[must_use]
    pub fn watch_seconds(&self) -> u32 {
        shorter_than(self.config.read_timeout)
    }

    /// What a failed request means; `what` completes "not allowed to …", as `list Deployments`.
    #[must_use]
    pub fn error(&self, what: &str, error: &kube::Error) -> ClusterError {
        failure::explain(&self.context, &self.server(), what, error)
    }

    fn impersonated(&self) -> Option<&str> {
        self.config
            .auth_info
            .impersonate
            .as_deref()
            .filter(|user| !user.is_empty())
    }
}

fn shorter_than(silence: Option<Duration>) -> u32 {
    let silence = silence.unwrap_or(connector::READ_TIMEOUT);
    let five_sixths = silence.saturating_mul(5) / 6;
    let seconds = u32::try_from(five_sixths.as_secs()).unwrap_or(u32::MAX);
    seconds.clamp(1, LONGEST_WATCH)
}

/// Names only: the configuration holds tokens and keys.
impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("server", &self.server())
            .finish_non_exhaustive()
    }
}

fn extras(extra: &[(&str, &str)]) -> HashMap<String, Vec<String>> {
    let mut map: HashMap<String, Vec<String>> = HashMap::new();
    for (key, value) in extra {
        map.entry((*key).to_owned()).or_default().push((*value).to_owned());
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_watch_ends_before_its_server_counts_as_away() {
        for (silence, seconds) in [
            (None, 25),
            (Some(30), 25),
            (Some(12), 10),
            (Some(0), 1),
            (Some(3600), 240),
        ] {
            assert_eq!(shorter_than(silence.map(Duration::from_secs)), seconds, "{silence:?}");
        }
    }
}
