//! A stand-in for the Sail Operator: it follows an Istio and an IstioCNI by their documented fields, makes the IstioRevision, has
//! the real helm upgrade the real charts as the real operator's ServiceAccount, and says so in their conditions.

mod revisions;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::stand_in_gitops::{READER, put_up, workload};
use crate::{
    harness::{Background, Cluster, Istio, Run, Toolbox, wait_until},
    traffic::{BlockingCaller, Identity},
};

const DEFINITIONS: &str = include_str!("../../fixtures/minimal-operator-crds.yaml");
/// Where the real operator's chart puts it, and its ServiceAccount.
const NAMESPACE: &str = "sail-operator";
/// Whom the real operator writes as.
const USER: &str = "system:serviceaccount:sail-operator:sail-operator";
/// The name of every object.
const NAME: &str = "default";
/// Where Istio goes.
const SYSTEM: &str = "istio-system";
const DEADLINE: Duration = Duration::from_secs(60);
/// How often it looks whether it was told something.
const PAUSE: Duration = Duration::from_millis(200);

/// What it installs: resource and kind of what tells it, of what owns what is installed, the chart and its release.
struct Part {
    resource: &'static str,
    kind: &'static str,
    owner: (&'static str, &'static str),
    chart: &'static str,
    release: &'static str,
}

const PARTS: [Part; 2] = [
    Part {
        resource: "istios",
        kind: "Istio",
        owner: ("istiorevisions", "IstioRevision"),
        chart: "istiod",
        release: "default-istiod",
    },
    Part {
        resource: "istiocnis",
        kind: "IstioCNI",
        owner: ("istiocnis", "IstioCNI"),
        chart: "cni",
        release: "istio-cni",
    },
];

/// The stand-in. It works for as long as what [`Self::run`] gives is kept.
pub struct StandInSail {
    cluster: Arc<Cluster>,
    reader: BlockingCaller,
    values: Vec<String>,
    /// Of an Istio that is RevisionBased: the revisions that nothing uses.
    unused: Option<Mutex<revisions::Unused>>,
}

impl StandInSail {
    /// Puts up the operator's kinds and ServiceAccount, Istio's definitions of `knows`, and an Istio and an IstioCNI.
    ///
    /// # Errors
    /// When the API server refuses something.
    pub fn install(cluster: &Arc<Cluster>, version: &str, knows: &str) -> Result<Arc<Self>> {
        Self::put_up(cluster, version, knows, false)
    }

    /// The same with an Istio that is RevisionBased, which takes old revisions away soon.
    ///
    /// # Errors
    /// When the API server refuses something.
    pub fn install_revision_based(cluster: &Arc<Cluster>, version: &str, knows: &str) -> Result<Arc<Self>> {
        Self::put_up(cluster, version, knows, true)
    }

    fn put_up(cluster: &Arc<Cluster>, version: &str, knows: &str, revision_based: bool) -> Result<Arc<Self>> {
        cluster.apply_stdin(DEFINITIONS)?.ok()?;
        cluster.wait_until_established()?;
        for name in [NAMESPACE, SYSTEM] {
            cluster.kubectl(&["create", "namespace", name])?.ok()?;
        }
        put_up(
            cluster,
            NAMESPACE,
            "sail-operator",
            &json!({"control-plane": "sail-operator"}),
        )?;
        let base = Toolbox::get()?.charts(knows)?.join("base").display().to_string();
        let values = Istio::webhook_values(cluster)?;
        let mut render = vec!["template", "base", &base, "--namespace", SYSTEM];
        for value in &values {
            render.extend(["--set", value]);
        }
        if revision_based {
            // Without a revision of this name the operator brings no default validator.
            render.extend(["--set", "defaultRevision="]);
        }
        let base = cluster.helm(&render)?;
        let apply = ["apply", "--server-side", "--filename", "-"];
        cluster.kubectl_with("admin", &apply, Some(base.ok()?))?.ok()?;
        for Part { kind, .. } in &PARTS {
            let strategy = (revision_based && *kind == "Istio").then(revisions::strategy);
            let object = json!({"apiVersion": "sailoperator.io/v1", "kind": kind, "metadata": {"name": NAME},
                "spec": {"version": format!("v{version}"), "namespace": SYSTEM, "updateStrategy": strategy}});
            cluster.apply_stdin(&object.to_string())?.ok()?;
        }
        Ok(Arc::new(Self {
            cluster: Arc::clone(cluster),
            reader: BlockingCaller::new(cluster.kubeconfig(), Identity::of(READER))?,
            values,
            unused: revision_based.then(Mutex::default),
        }))
    }

    /// Follows its objects. What fails is tried again, as the real one does.
    #[must_use]
    pub fn run(self: &Arc<Self>) -> Background {
        let stand_in = Arc::clone(self);
        Background::every(PAUSE, move || {
            for part in &PARTS {
                // The API server may be away; the next round sees.
                let _ = stand_in.look(part);
            }
        })
    }

    /// Waits until everything is installed as it was told.
    ///
    /// # Errors
    /// When it is not within a minute.
    pub fn wait_for_all(&self) -> Result<()> {
        wait_until("everything to be installed", DEADLINE, || {
            for part in &PARTS {
                if is_due(&self.read(part.resource)?) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    }

    /// Has helm bring a chart as the operator, as for its object: `istiod` or `cni`.
    ///
    /// # Errors
    /// When there is no such part; what the API server says is in the result.
    pub fn bring(&self, chart: &str, version: &str) -> Result<Run> {
        let part = PARTS.iter().find(|part| part.chart == chart).context("no such part")?;
        let path = Toolbox::get()?.charts(version)?.join(chart).display().to_string();
        self.helm_upgrade(part.release, &path, &[])
    }

    fn helm_upgrade(&self, release: &str, chart: &str, more: &[&str]) -> Result<Run> {
        let mut arguments = vec!["upgrade", "--install", release, chart, "--namespace", SYSTEM];
        // istiod owns fields of its webhooks; helm 4 would call that a conflict.
        arguments.extend(["--force-conflicts", "--wait", "--timeout=60s", "--kube-as-user", USER]);
        for value in self.values.iter().map(String::as_str).chain(more.iter().copied()) {
            arguments.extend(["--set", value]);
        }
        self.cluster.helm(&arguments)
    }

    /// Writes the IstioRevision of an Istio as the operator.
    ///
    /// # Errors
    /// When kubectl cannot be started; what the API server says is in the result.
    pub fn revise(&self, istio: &Value) -> Result<Run> {
        let of_version = self.unused.as_ref().map(|_| revisions::named_by(istio));
        let finalizers = of_version.as_ref().map(|_| [revisions::FINALIZER]);
        let revision = json!({"apiVersion": "sailoperator.io/v1", "kind": "IstioRevision",
            "metadata": {"name": of_version.as_deref().unwrap_or(NAME), "finalizers": finalizers,
                "ownerReferences": [owner("Istio", istio)]},
            "spec": {"version": istio.pointer("/spec/version"), "namespace": SYSTEM}});
        let apply = [
            "apply",
            "--server-side",
            "--field-manager=sail-operator",
            "--as",
            USER,
            "--filename",
            "-",
        ];
        self.cluster.kubectl_with("admin", &apply, Some(&revision.to_string()))
    }

    /// What its objects tell, in place with the revision that follows from it.
    ///
    /// # Errors
    /// When one is not there.
    pub fn told(&self) -> Result<Vec<Value>> {
        let revision = self.unused.is_none().then_some("istiorevisions");
        let resources = PARTS.iter().map(|part| part.resource).chain(revision);
        resources.map(|resource| self.read(resource)).collect()
    }

    /// One of its objects, by resource.
    ///
    /// # Errors
    /// When it is not there.
    pub fn read(&self, resource: &str) -> Result<Value> {
        self.reader.read(&format!("/apis/sailoperator.io/v1/{resource}/{NAME}"))
    }

    fn look(&self, part: &Part) -> Result<()> {
        let told = self.read(part.resource)?;
        if let (Some(unused), "Istio") = (&self.unused, part.kind) {
            return self.look_at_revisions(&told, unused);
        }
        if !is_due(&told) {
            return Ok(());
        }
        let ended = self.reconcile(part, &told)?;
        let (status, reason) = if ended.success() {
            ("True", "Healthy")
        } else {
            ("False", "ReconcileError")
        };
        let condition = |kind: &str| json!({"type": kind, "status": status, "reason": reason, "message": ended.stderr});
        let said = json!({"observedGeneration": told.pointer("/metadata/generation"),
            "conditions": [condition("Reconciled"), condition("Ready")]});
        self.say(part.resource, NAME, &said)
    }

    /// Writes the status of one of its objects.
    fn say(&self, resource: &str, name: &str, status: &Value) -> Result<()> {
        let resource = format!("{resource}.sailoperator.io");
        let patch = json!({"status": status}).to_string();
        let patch = [
            "patch",
            &resource,
            name,
            "--subresource=status",
            "--type=merge",
            "--as",
            USER,
            "-p",
            &patch,
        ];
        self.cluster.kubectl(&patch)?.ok().map(drop)
    }

    fn reconcile(&self, part: &Part, told: &Value) -> Result<Run> {
        if part.kind == "Istio" {
            let revised = self.revise(told)?;
            if !revised.success() {
                return Ok(revised);
            }
        }
        let version = text(told, "/spec/version").trim_start_matches('v');
        let brought = self.bring(part.chart, version)?;
        let (true, Some(workload)) = (brought.success(), workload(part.chart)) else {
            return Ok(brought);
        };
        let (resource, kind) = part.owner;
        self.own(workload, kind, &self.read(resource)?)
    }

    /// Makes one of its objects the owner of a workload, and waits until that is rolled out.
    fn own(&self, workload: &str, kind: &str, object: &Value) -> Result<Run> {
        let owned = json!({"metadata": {"ownerReferences": [owner(kind, object)]}}).to_string();
        let patch = [
            "-n",
            SYSTEM,
            "patch",
            workload,
            "--type=merge",
            "--as",
            USER,
            "-p",
            &owned,
        ];
        let patched = self.cluster.kubectl(&patch)?;
        if !patched.success() {
            return Ok(patched);
        }
        self.cluster
            .kubectl(&["-n", SYSTEM, "rollout", "status", workload, "--timeout=30s"])
    }
}

fn owner(kind: &str, object: &Value) -> Value {
    json!({"apiVersion": "sailoperator.io/v1", "kind": kind, "name": object.pointer("/metadata/name"),
        "uid": object.pointer("/metadata/uid"),
        "controller": true, "blockOwnerDeletion": true})
}

fn is_due(told: &Value) -> bool {
    told.pointer("/status/observedGeneration") != told.pointer("/metadata/generation")
        || text(told, "/status/conditions/0/status") != "True"
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
