//! Stand-ins for Argo CD's application controller and for Flux's helm-controller: each follows objects of the real kind, has
//! the real helm render or upgrade the real charts as the real controller's ServiceAccount, and says so in their status.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{
    harness::{Background, Cluster, Istio, Run, Toolbox, wait_until},
    traffic::{BlockingCaller, Identity},
};

const ARGO_CD_DEFINITION: &str = include_str!("../../fixtures/argocd-application-crd.yaml");
const FLUX_DEFINITION: &str = include_str!("../../fixtures/minimal-flux-crd.yaml");
/// Field manager of Argo CD's server-side apply.
const ARGO_CD_MANAGER: &str = "argocd-controller";
/// Where Istio goes.
const SYSTEM: &str = "istio-system";
const DEADLINE: Duration = Duration::from_secs(60);
/// Who looks at its objects.
pub(super) const READER: &str = "stand-in";
/// How often it looks whether something was merged.
const PAUSE: Duration = Duration::from_millis(200);
/// When everything happens, as far as statuses tell.
const MOMENT: &str = "2026-11-24T04:00:00Z";

/// Whom it stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitOpsKind {
    /// Argo CD.
    ArgoCd,
    /// Flux.
    Flux,
}

impl GitOpsKind {
    /// Kind of the objects that it follows.
    pub fn kind(self) -> &'static str {
        match self {
            Self::ArgoCd => "Application",
            Self::Flux => "HelmRelease",
        }
    }

    /// Where they are.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::ArgoCd => "argocd",
            Self::Flux => SYSTEM,
        }
    }

    /// Whom the real controller writes as.
    pub fn user(self) -> String {
        let (namespace, account, _) = self.account();
        format!("system:serviceaccount:{namespace}:{account}")
    }

    fn resource(self) -> &'static str {
        match self {
            Self::ArgoCd => "applications.argoproj.io",
            Self::Flux => "helmreleases.helm.toolkit.fluxcd.io",
        }
    }

    /// Path of their list.
    fn path(self) -> String {
        let (group, resource) = match self {
            Self::ArgoCd => ("argoproj.io/v1alpha1", "applications"),
            Self::Flux => ("helm.toolkit.fluxcd.io/v2", "helmreleases"),
        };
        format!("/apis/{group}/namespaces/{}/{resource}", self.namespace())
    }

    fn definition(self) -> &'static str {
        match self {
            Self::ArgoCd => ARGO_CD_DEFINITION,
            Self::Flux => FLUX_DEFINITION,
        }
    }

    /// Namespace and name of the real controller's ServiceAccount, and the label of its pods.
    fn account(self) -> (&'static str, &'static str, (&'static str, &'static str)) {
        match self {
            Self::ArgoCd => (
                "argocd",
                "argocd-application-controller",
                ("app.kubernetes.io/name", "argocd-application-controller"),
            ),
            Self::Flux => ("flux-system", "helm-controller", ("app", "helm-controller")),
        }
    }

    fn object(self, name: &str, chart: &str, version: &str) -> Value {
        match self {
            Self::ArgoCd => json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                "metadata": {"name": name, "namespace": "argocd"},
                "spec": {"project": "default",
                    "source": {"repoURL": "https://charts.example.com", "chart": chart, "targetRevision": version},
                    "destination": {"server": "https://kubernetes.default.svc", "namespace": SYSTEM},
                    "syncPolicy": {"automated": {}, "syncOptions": ["ServerSideApply=true"]}}}),
            Self::Flux => json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
                "metadata": {"name": name, "namespace": SYSTEM},
                "spec": {"interval": "1h", "chart": {"spec": {"chart": chart, "version": version,
                    "sourceRef": {"kind": "HelmRepository", "name": "istio", "namespace": "flux-system"}}}}}),
        }
    }

    /// Where chart and version stand in an object.
    fn wanted(self, object: &Value) -> (&str, &str) {
        match self {
            Self::ArgoCd => (
                text(object, "/spec/source/chart"),
                text(object, "/spec/source/targetRevision"),
            ),
            Self::Flux => (
                text(object, "/spec/chart/spec/chart"),
                text(object, "/spec/chart/spec/version"),
            ),
        }
    }

    fn is_due(self, object: &Value) -> bool {
        let (_, version) = self.wanted(object);
        match self {
            Self::ArgoCd => {
                text(object, "/status/sync/revision") != version
                    || text(object, "/status/sync/status") != "Synced"
                    || text(object, "/status/health/status") != "Healthy"
            }
            Self::Flux => {
                text(object, "/status/history/0/chartVersion") != version
                    || text(object, "/status/conditions/0/status") != "True"
            }
        }
    }

    /// What it says of an object: `None` while it works on it, or how that ended.
    fn status(self, object: &Value, ended: Option<&Run>) -> Value {
        let (chart, version) = self.wanted(object);
        let is_done = ended.is_some_and(Run::success);
        let why = ended.map(|run| run.stderr.as_str()).unwrap_or_default();
        match self {
            Self::ArgoCd => {
                let phase = match ended {
                    None => "Running",
                    Some(_) if is_done => "Succeeded",
                    Some(_) => "Failed",
                };
                let (source, destination) = (object.pointer("/spec/source"), object.pointer("/spec/destination"));
                json!({"sync": {"status": if is_done { "Synced" } else { "OutOfSync" }, "revision": version,
                        "comparedTo": {"source": source, "destination": destination}},
                    "health": {"status": if ended.is_none() { "Progressing" } else { "Healthy" }},
                    "operationState": {"phase": phase, "message": if is_done { "" } else { why },
                        "startedAt": MOMENT, "operation": {}}})
            }
            Self::Flux => {
                let (status, reason) = match ended {
                    None => ("Unknown", "Progressing"),
                    Some(_) if is_done => ("True", "UpgradeSucceeded"),
                    Some(_) => ("False", "UpgradeFailed"),
                };
                let ready = json!({"type": "Ready", "status": status, "reason": reason,
                    "message": if is_done { "" } else { why }, "lastTransitionTime": MOMENT});
                let mut said =
                    json!({"observedGeneration": object.pointer("/metadata/generation"), "conditions": [ready]});
                if let (true, Some(said)) = (is_done, said.as_object_mut()) {
                    let newest = json!({"chartName": chart, "chartVersion": version, "status": "deployed"});
                    said.insert("history".to_owned(), json!([newest]));
                }
                said
            }
        }
    }
}

/// The stand-in. It works for as long as what [`Self::run`] gives is kept.
pub struct StandInGitOps {
    /// Whom it stands in for.
    pub kind: GitOpsKind,
    cluster: Arc<Cluster>,
    reader: BlockingCaller,
    values: Vec<String>,
}

impl StandInGitOps {
    /// Puts up the controller's kind and ServiceAccount, with an object for each of these charts, by name and chart.
    ///
    /// # Errors
    /// When the API server refuses something.
    pub fn install(
        cluster: &Arc<Cluster>,
        kind: GitOpsKind,
        charts: &[(&str, &str)],
        version: &str,
    ) -> Result<Arc<Self>> {
        cluster.apply_stdin(kind.definition())?.ok()?;
        cluster.wait_until_established()?;
        let (namespace, account, (label, value)) = kind.account();
        for name in [namespace, SYSTEM] {
            cluster.kubectl(&["create", "namespace", name])?.ok()?;
        }
        put_up(cluster, namespace, account, &json!({label: value}))?;
        for (name, chart) in charts {
            let object = kind.object(name, chart, version);
            cluster.apply_stdin(&object.to_string())?.ok()?;
        }
        Ok(Arc::new(Self {
            kind,
            cluster: Arc::clone(cluster),
            reader: BlockingCaller::new(cluster.kubeconfig(), Identity::of(READER))?,
            values: Istio::webhook_values(cluster)?,
        }))
    }

    /// Follows its objects. What fails is tried again, as the real one does.
    #[must_use]
    pub fn run(self: &Arc<Self>) -> Background {
        let stand_in = Arc::clone(self);
        Background::every(PAUSE, move || {
            // The API server may be away; the next round sees.
            let _ = stand_in.look();
        })
    }

    /// Merges a version, as a person does in the repository, and as what follows the repository then writes it.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn merge(&self, name: &str, version: &str) -> Result<()> {
        let patch = match self.kind {
            GitOpsKind::ArgoCd => json!({"spec": {"source": {"targetRevision": version}}}),
            GitOpsKind::Flux => json!({"spec": {"chart": {"spec": {"version": version}}}}),
        };
        self.patch(name, &patch, &[])
    }

    /// The version that an object asks for.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn version(&self, name: &str) -> Result<String> {
        let object = self.reader.read(&format!("{}/{name}", self.kind.path()))?;
        Ok(self.kind.wanted(&object).1.to_owned())
    }

    /// Waits until every object has what it asks for.
    ///
    /// # Errors
    /// When one has not within a minute.
    pub fn wait_for_all(&self) -> Result<()> {
        wait_until("everything to be brought", DEADLINE, || {
            let due = self.objects()?.into_iter().any(|object| self.kind.is_due(&object));
            Ok((!due).then_some(()))
        })
    }

    /// Brings a chart of a version into the cluster as the controller, as for an object of that name.
    ///
    /// # Errors
    /// When the chart cannot be rendered; what the API server says is in the result.
    pub fn bring(&self, name: &str, chart: &str, version: &str) -> Result<Run> {
        let path = Toolbox::get()?.charts(version)?.join(chart).display().to_string();
        let user = self.kind.user();
        let verb: &[&str] = match self.kind {
            GitOpsKind::ArgoCd => &["template"],
            // istiod owns fields of its webhooks; helm 4 would call that a conflict.
            GitOpsKind::Flux => &[
                "upgrade",
                "--install",
                "--force-conflicts",
                "--wait",
                "--timeout=60s",
                "--kube-as-user",
                &user,
            ],
        };
        let mut arguments = [verb, &[name, &path, "--namespace", SYSTEM]].concat();
        for value in &self.values {
            arguments.extend(["--set", value]);
        }
        let helm = self.cluster.helm(&arguments)?;
        if self.kind == GitOpsKind::Flux {
            return Ok(helm);
        }
        let mark = format!("argocd.argoproj.io/tracking-id={name}:stand-in");
        let annotate = ["annotate", "--local", "--filename", "-", &mark, "--output", "yaml"];
        let tracked = self.cluster.kubectl_with("admin", &annotate, Some(helm.ok()?))?;
        let manager = format!("--field-manager={ARGO_CD_MANAGER}");
        let apply = [
            "apply",
            "--server-side",
            "--force-conflicts",
            &manager,
            "--as",
            &user,
            "--filename",
            "-",
        ];
        self.cluster.kubectl_with("admin", &apply, Some(tracked.ok()?))
    }

    fn objects(&self) -> Result<Vec<Value>> {
        let list = self.reader.read(&self.kind.path())?;
        Ok(list.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    fn look(&self) -> Result<()> {
        for object in self.objects()?.iter().filter(|object| self.kind.is_due(object)) {
            let (chart, version) = self.kind.wanted(object);
            let name = text(object, "/metadata/name");
            self.say(name, object, None)?;
            let mut brought = self.bring(name, chart, version)?;
            if let (true, Some(workload)) = (brought.success(), workload(chart)) {
                if self.kind == GitOpsKind::Flux {
                    brought = self.label(name, workload)?;
                }
                let status = ["-n", SYSTEM, "rollout", "status", workload, "--timeout=30s"];
                if !self.cluster.kubectl(&status)?.success() {
                    continue;
                }
            }
            self.say(name, object, Some(&brought))?;
        }
        Ok(())
    }

    /// The labels that Flux puts on all that it brings, on what is looked at.
    fn label(&self, name: &str, workload: &str) -> Result<Run> {
        let labels = ["name", "namespace"].map(|field| {
            let value = if field == "name" { name } else { SYSTEM };
            format!("helm.toolkit.fluxcd.io/{field}={value}")
        });
        let user = self.kind.user();
        let label = [
            "-n",
            SYSTEM,
            "label",
            "--overwrite",
            "--as",
            &user,
            workload,
            &labels[0],
            &labels[1],
        ];
        self.cluster.kubectl(&label)
    }

    fn say(&self, name: &str, object: &Value, ended: Option<&Run>) -> Result<()> {
        let subresource: &[&str] = match self.kind {
            // Its status is no subresource.
            GitOpsKind::ArgoCd => &[],
            GitOpsKind::Flux => &["--subresource=status"],
        };
        self.patch(name, &json!({"status": self.kind.status(object, ended)}), subresource)
    }

    fn patch(&self, name: &str, patch: &Value, more: &[&str]) -> Result<()> {
        let patch = patch.to_string();
        let arguments = [
            "-n",
            self.kind.namespace(),
            "patch",
            self.kind.resource(),
            name,
            "--type=merge",
            "-p",
            &patch,
        ];
        let patched = self.cluster.kubectl(&[&arguments[..], more].concat())?;
        patched
            .ok()
            .map(drop)
            .with_context(|| format!("write {} {name}", self.kind.kind()))
    }
}

/// A controller's ServiceAccount, which may do everything, and a pod by which it is found whom the controller writes as:
/// nothing runs in it.
///
/// # Errors
/// When the API server refuses something.
pub(super) fn put_up(cluster: &Cluster, namespace: &str, account: &str, labels: &Value) -> Result<()> {
    let items = json!([
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": account},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": account, "namespace": namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                "spec": {"serviceAccountName": account, "containers": [{"name": "stand-in", "image": "stand-in:1"}]}}}},
    ]);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    cluster.apply_stdin(&list.to_string())?.ok()?;
    let status = [
        "-n",
        namespace,
        "rollout",
        "status",
        "deployment",
        account,
        "--timeout=60s",
    ];
    cluster.kubectl(&status)?.ok().map(drop)
}

/// What a chart rolls out.
pub(super) fn workload(chart: &str) -> Option<&'static str> {
    match chart {
        "istiod" => Some("deployment/istiod"),
        "cni" => Some("daemonset/istio-cni-node"),
        "ztunnel" => Some("daemonset/ztunnel"),
        _ => None,
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
