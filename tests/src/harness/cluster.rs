//! One cluster: its life, its files, and programs that talk to it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use super::background::Background;
use super::external_istiod;
use super::leftovers::{self, Footprint};
use super::on_demand::{OnDemand, with_program};
use super::run::Run;
use super::stages;
use super::supervisor::Supervisor;
use super::toolbox::Toolbox;
use super::wait::wait_until;

/// The variables of the test's own environment that programs under test also get. Above all no proxy is among them:
/// everything here is on loopback.
const PASSED_ON: [&str; 4] = ["LLVM_PROFILE_FILE", "RUST_BACKTRACE", "TMPDIR", "LANG"];

/// How often the supervisor is reminded of istiod, where it is.
const REMIND_EVERY: Duration = Duration::from_millis(200);

/// The programs that play istiod, by the minor of its image.
const OLD_ISTIOD: &str = "pilot-discovery-1.30";
const NEW_ISTIOD: &str = "pilot-discovery-1.31";

/// What kind of cluster to start.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Name of the cluster and of the context in its kubeconfigs.
    pub name: String,
    /// How many nodes it has.
    pub nodes: u32,
    /// A Kubernetes version that `/version` shall tell instead of the true one, such as `1.31.5`.
    pub report_version: Option<String>,
    /// An API server of another Kubernetes version, for real; everything else stays the same.
    pub api_server: Option<OnDemand>,
    /// Whether pods with the image of istiod 1.31 run 1.30 nevertheless, until [`Cluster::let_istiod_be_true`].
    pub false_istiod: bool,
    /// How long istiod's pods take to become ready; without it, no time at all.
    pub istiod_ready_after: Option<Duration>,
    /// Whether images of [`super::FALTERING_HUB`] cannot be pulled at first.
    pub registry_falters: bool,
    /// Whether istiod reads its configuration in another cluster, as [`super::ExternalIstiod`] does.
    pub istiod_is_external: bool,
}

impl ClusterOptions {
    /// A cluster with one node that tells its true version.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            nodes: 1,
            report_version: None,
            api_server: None,
            false_istiod: false,
            istiod_ready_after: None,
            registry_falters: false,
            istiod_is_external: false,
        }
    }

    /// The same, with a proxy in front that tells another Kubernetes version.
    pub fn reporting(name: &str, version: &str) -> Self {
        Self {
            report_version: Some(version.to_owned()),
            ..Self::named(name)
        }
    }
}

/// A running cluster. Dropping it ends every process of it and removes its folder.
///
/// Three people can act in it, each with a kubeconfig: `admin` (in `system:masters`, whom RBAC never asks), `alice`
/// (cluster-admin by RBAC, through the group `platform-admins`) and `bob` (no rights).
#[derive(Debug)]
pub struct Cluster {
    name: String,
    dir: PathBuf,
    home: PathBuf,
    description: Value,
    kubeconfig: PathBuf,
    /// The programs, where one of them is another; to be there as long as they run.
    programs: Option<tempfile::TempDir>,
    /// Reminds the supervisor of istiod, where it may not see for itself what becomes of it.
    reminder: Mutex<Option<Background>>,
    // Dropped by hand in `drop`, before the footprint is recorded.
    supervisor: Arc<Mutex<Option<Supervisor>>>,
}

impl Cluster {
    /// Starts a cluster and waits until nodes are ready and pods can be made.
    pub fn start(options: ClusterOptions) -> Result<Self> {
        let toolbox = Toolbox::get()?;
        // Kept, not deleted with the handle: the supervisor removes it, even if this process is killed.
        let prefix = format!("mesh-upgrade-{}-", options.name);
        let dir = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir()
            .context("create the cluster's folder")?
            .keep();
        let mut arguments = vec![
            format!("--name={}", options.name),
            format!("--dir={}", dir.display()),
            format!("--nodes={}", options.nodes),
        ];
        if let Some(version) = &options.report_version {
            arguments.push(format!("--report-version={version}"));
        }
        let programs = match options.api_server {
            Some(api_server) => Some(with_program("kube-apiserver", &api_server.program()?)?),
            None if options.false_istiod => Some(with_program(NEW_ISTIOD, &toolbox.program(OLD_ISTIOD))?),
            None if options.istiod_is_external => Some(external_istiod::programs()?),
            None => None,
        };
        if let Some(programs) = &programs {
            arguments.push(format!("--bin={}", programs.path().display()));
        }
        let stages = stages::of(&options)?;
        if let Some(stages) = &stages {
            arguments.push(format!("--kwok-stages={}", stages.path().display()));
        }
        let started = Supervisor::start(&toolbox.program("controlplane"), &arguments);
        if started.is_err() {
            // The supervisor removes it, unless it could not even start.
            let _ = std::fs::remove_dir_all(&dir);
        }
        let (supervisor, description) = started.with_context(|| format!("cluster {}", options.name))?;
        let home = dir.join("people");
        std::fs::create_dir_all(&home)?;
        let kubeconfig = person_file(&description, "admin")?;
        Ok(Self {
            name: options.name,
            dir,
            home,
            description,
            kubeconfig,
            programs,
            reminder: Mutex::new(None),
            supervisor: Arc::new(Mutex::new(Some(supervisor))),
        })
    }

    /// Starts several clusters at the same time.
    pub fn start_many(options: impl IntoIterator<Item = ClusterOptions>) -> Result<Vec<Self>> {
        // Built before the threads, so that they do not all wait for it.
        Toolbox::get()?;
        std::thread::scope(|scope| {
            let starting: Vec<_> = options
                .into_iter()
                .map(|one| scope.spawn(|| Self::start(one)))
                .collect();
            starting
                .into_iter()
                .map(|thread| thread.join().map_err(|_| anyhow!("starting a cluster panicked"))?)
                .collect()
        })
    }

    /// The cluster's name, which is also the context's in its kubeconfigs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder with everything of this cluster; it goes when the cluster does.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The kubeconfig of `admin`, `alice` or `bob`.
    pub fn kubeconfig_for(&self, user: &str) -> Result<PathBuf> {
        person_file(&self.description, user)
    }

    /// The address that the kubeconfigs name.
    pub fn server(&self) -> &str {
        self.description
            .get("server")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The audit log: one JSON line for each finished request, written before its answer is sent.
    pub fn audit_log(&self) -> PathBuf {
        self.dir.join("audit.log")
    }

    /// The components' logs.
    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// The fixed loopback port that leads to istiod's `webhooks`, `monitoring`, `http`, `grpc` or `secureGrpc` port.
    pub fn istiod_port(&self, role: &str) -> Result<u16> {
        let port = self
            .description
            .get("istiod")
            .and_then(|ports| ports.get(role))
            .and_then(Value::as_u64);
        let port = port.with_context(|| format!("istiod has no role {role:?}"))?;
        Ok(u16::try_from(port)?)
    }

    /// What is left to check for after the cluster was dropped.
    pub fn footprint(&self) -> Footprint {
        Footprint::of(&self.dir)
    }

    /// The environment for programs that act in this cluster as its administrator: the test's own programs first in
    /// `PATH`, a home of their own, and no proxy.
    pub fn env(&self) -> Result<Vec<(OsString, OsString)>> {
        self.env_for(self.kubeconfig.as_os_str())
    }

    /// The same with another kubeconfig, or several joined by `:`.
    pub fn env_for(&self, kubeconfig: &OsStr) -> Result<Vec<(OsString, OsString)>> {
        let mut path = vec![Toolbox::get()?.bin_dir().to_owned()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let mut env = vec![
            (OsString::from("PATH"), std::env::join_paths(path)?),
            (OsString::from("HOME"), self.home.clone().into_os_string()),
            (OsString::from("KUBECONFIG"), kubeconfig.to_owned()),
            // What tests look for is English, whoever runs them.
            (OsString::from("LC_MESSAGES"), OsString::from("C")),
        ];
        env.extend(
            PASSED_ON
                .iter()
                .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))),
        );
        Ok(env)
    }

    /// A program that will run with [`Self::env`] and nothing else; a bare name is looked up in that `PATH`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let ours = Toolbox::get()?.bin_dir().join(program.as_ref());
        let mut command = if ours.is_file() {
            Command::new(ours)
        } else {
            Command::new(program)
        };
        command.env_clear().envs(self.env()?).current_dir(&self.home);
        Ok(command)
    }

    /// Waits until every definition of a kind is served.
    ///
    /// # Errors
    /// When one is not within a minute.
    pub fn wait_until_established(&self) -> Result<()> {
        let wait = ["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"];
        // kubectl gives up at once on a new one whose conditions are null yet.
        wait_until("the definitions to be established", Duration::from_secs(60), || {
            self.kubectl(&wait)?.ok()?;
            Ok(Some(()))
        })
    }

    /// Runs kubectl as the administrator.
    pub fn kubectl<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Run> {
        self.kubectl_as("admin", arguments)
    }

    /// Runs kubectl as `admin`, `alice` or `bob`.
    pub fn kubectl_as<S: AsRef<OsStr>>(&self, user: &str, arguments: &[S]) -> Result<Run> {
        self.kubectl_with(user, arguments, None)
    }

    /// Runs kubectl as somebody with a standard input.
    pub fn kubectl_with<S: AsRef<OsStr>>(&self, user: &str, arguments: &[S], stdin: Option<&str>) -> Result<Run> {
        let mut command = self.command("kubectl")?;
        command.env("KUBECONFIG", self.kubeconfig_for(user)?).args(arguments);
        Run::of(command, stdin)
    }

    /// Applies manifests as the administrator: `kubectl apply --filename -`.
    pub fn apply_stdin(&self, manifests: &str) -> Result<Run> {
        self.kubectl_with("admin", &["apply", "--filename", "-"], Some(manifests))
    }

    /// Runs helm as the administrator.
    pub fn helm<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Run> {
        self.helm_as("admin", arguments)
    }

    /// Runs helm 3 as the administrator.
    pub fn helm_3<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Run> {
        let mut command = self.command("helm-3")?;
        command.env("KUBECONFIG", self.kubeconfig_for("admin")?).args(arguments);
        Run::of(command, None)
    }

    /// Runs helm as `admin`, `alice` or `bob`.
    pub fn helm_as<S: AsRef<OsStr>>(&self, user: &str, arguments: &[S]) -> Result<Run> {
        let mut command = self.command("helm")?;
        command.env("KUBECONFIG", self.kubeconfig_for(user)?).args(arguments);
        Run::of(command, None)
    }

    /// Kills the API server, starts it again, and waits until it is ready.
    pub fn restart_api_server(&self) -> Result<()> {
        self.control("restart kube-apiserver").map(drop)
    }

    /// Kills the API server.
    pub fn stop_api_server(&self) -> Result<()> {
        self.control("stop kube-apiserver").map(drop)
    }

    /// Starts the API server again and waits until it is ready.
    pub fn start_api_server(&self) -> Result<()> {
        self.control("start kube-apiserver").map(drop)
    }

    /// Has the pods of istiod 1.31 run 1.31, where they did not, and istiod start anew.
    pub fn let_istiod_be_true(&self) -> Result<()> {
        let programs = self.programs.as_ref().context("istiod has always been true")?;
        let at = programs.path().join(NEW_ISTIOD);
        std::fs::remove_file(&at)?;
        std::os::unix::fs::symlink(Toolbox::get()?.program(NEW_ISTIOD), at)?;
        self.control("restart istiod").map(drop)
    }

    /// Sends the supervisor a command: `stop`, `start`, `restart`, `pause` or `resume`, and `etcd`, `kube-apiserver`,
    /// `kube-controller-manager`, `kube-scheduler`, `kwok` or `istiod`; `show istiod`; or `status`, which tells
    /// processes and memory.
    pub fn control(&self, command: &str) -> Result<Value> {
        send(&self.supervisor, command)
    }

    /// Has the supervisor look again and again which istiod is to run, or no longer.
    pub(super) fn remind_of_istiod(&self, again: bool) {
        let supervisor = Arc::clone(&self.supervisor);
        let remind = || {
            Background::every(REMIND_EVERY, move || {
                // It tells how the last look ended, and the next one follows.
                let _ = send(&supervisor, "start istiod");
            })
        };
        let mut reminder = self.reminder.lock().unwrap_or_else(PoisonError::into_inner);
        *reminder = again.then(remind);
    }
}

fn send(supervisor: &Mutex<Option<Supervisor>>, command: &str) -> Result<Value> {
    let mut supervisor = supervisor.lock().unwrap_or_else(PoisonError::into_inner);
    supervisor.as_mut().context("the cluster has ended")?.command(command)
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.remind_of_istiod(false);
        drop(self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take());
        // Normally gone already; the supervisor cannot remove it if it had to be killed.
        let _ = std::fs::remove_dir_all(&self.dir);
        leftovers::dropped(self.footprint());
    }
}

fn person_file(description: &Value, user: &str) -> Result<PathBuf> {
    let file = description
        .get("kubeconfigs")
        .and_then(|all| all.get(user))
        .and_then(Value::as_str);
    Ok(PathBuf::from(file.with_context(|| {
        format!("nobody is called {user:?}; there are admin, alice and bob")
    })?))
}
