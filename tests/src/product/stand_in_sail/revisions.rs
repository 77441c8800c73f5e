//! What the stand-in does of an Istio that is RevisionBased, as the real operator: a revision for each version, tags that follow
//! the newest at once, and the end of a revision that nothing has used for the grace period.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{NAME, SYSTEM, StandInSail, USER, is_due, text};
use crate::harness::{Run, Toolbox};

/// By which the real operator holds a revision until helm has uninstalled it.
pub(super) const FINALIZER: &str = "sailoperator.io/sail-operator";
/// The Istio's own word for how long an unused revision stays.
const GRACE: Duration = Duration::from_secs(2);

/// Revisions that nothing uses, and since when.
pub(super) type Unused = BTreeMap<String, Instant>;

/// The update strategy of the Istio.
pub(super) fn strategy() -> Value {
    json!({"type": "RevisionBased", "inactiveRevisionDeletionGracePeriodSeconds": GRACE.as_secs()})
}

/// The revision that an Istio asks for.
pub(super) fn named_by(istio: &Value) -> String {
    format!("{NAME}-{}", text(istio, "/spec/version").replace('.', "-"))
}

/// How something ended: an error is the API server's, which the real operator tells in its conditions.
type Ended = std::result::Result<(), String>;

fn ended(run: &Run) -> Ended {
    if run.success() { Ok(()) } else { Err(run.stderr.clone()) }
}

impl StandInSail {
    /// One round, as often as the real one is told something, or something is used no more.
    pub(super) fn look_at_revisions(&self, istio: &Value, unused: &Mutex<Unused>) -> Result<()> {
        let active = named_by(istio);
        self.judge_uses(unused)?;
        let revised = self.prepare_revision(istio, &active, unused)?;
        self.finish_what_goes()?;
        if !is_due(istio) {
            return Ok(());
        }
        let generation = istio.pointer("/metadata/generation");
        let known = istio.pointer("/status/activeRevisionName");
        let said = |active: Option<&Value>, status: &str, reason: &str, message: &str| {
            let condition = |kind: &str| json!({"type": kind, "status": status, "reason": reason, "message": message});
            json!({"observedGeneration": generation, "activeRevisionName": active,
                "conditions": [condition("Reconciled"), condition("Ready")]})
        };
        if let Err(why) = revised {
            return self.say("istios", NAME, &said(known, "False", "ReconcileError", &why));
        }
        let new = Value::from(active.as_str());
        // The real one calls it active as soon as it is made, and moves the tags then: before its istiod is ready.
        self.say("istios", NAME, &said(Some(&new), "Unknown", "IstiodNotReady", ""))?;
        let brought = match self.move_tags(istio, &active)? {
            Ok(()) => self.install_revision(istio, &active)?,
            failed => failed,
        };
        let status = match brought {
            Ok(()) => said(Some(&new), "True", "Healthy", ""),
            Err(why) => said(Some(&new), "False", "ReconcileError", &why),
        };
        self.say("istios", NAME, &status)
    }

    /// Puts up an IstioRevisionTag `default` that follows the Istio: what names no revision is injected by it.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn follow_with_a_tag(&self) -> Result<()> {
        let tag = json!({"apiVersion": "sailoperator.io/v1", "kind": "IstioRevisionTag", "metadata": {"name": NAME},
            "spec": {"targetRef": {"kind": "Istio", "name": NAME}}});
        self.cluster.apply_stdin(&tag.to_string())?.ok().map(drop)
    }

    /// Has helm bring a revision as the operator; what the API server says is in the result.
    ///
    /// # Errors
    /// When helm cannot be started.
    pub fn bring_revision(&self, revision: &str, version: &str) -> Result<Run> {
        let chart = Toolbox::get()?.charts(version)?.join("istiod").display().to_string();
        self.helm_upgrade(
            &format!("{revision}-istiod"),
            &chart,
            &[&format!("revision={revision}")],
        )
    }

    /// Makes the revision of the Istio, and takes away what nothing has used for long enough.
    fn prepare_revision(&self, istio: &Value, active: &str, unused: &Mutex<Unused>) -> Result<Ended> {
        if is_due(istio) {
            let revised = self.revise(istio)?;
            if !revised.success() {
                return Ok(ended(&revised));
            }
        }
        let due: Vec<String> = unused
            .lock()
            .ok()
            .context("the unused revisions")?
            .iter()
            .filter(|(name, since)| name.as_str() != active && since.elapsed() >= GRACE)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            let resource = format!("istiorevisions.sailoperator.io/{name}");
            let deleted =
                self.cluster
                    .kubectl(&["delete", &resource, "--wait=false", "--ignore-not-found", "--as", USER])?;
            if !deleted.success() {
                return Ok(ended(&deleted));
            }
        }
        Ok(Ok(()))
    }

    fn install_revision(&self, istio: &Value, revision: &str) -> Result<Ended> {
        let brought = self.bring_revision(revision, text(istio, "/spec/version").trim_start_matches('v'))?;
        if !brought.success() {
            return Ok(ended(&brought));
        }
        let resource = format!("istiorevisions.sailoperator.io/{revision}");
        let object = self.cluster.kubectl(&["get", &resource, "-o", "json"])?.json()?;
        let owned = self.own(&format!("deployment/istiod-{revision}"), "IstioRevision", &object)?;
        Ok(ended(&owned))
    }

    /// By a chart that is cut out of istiod's, as the real one's build does.
    fn move_tags(&self, istio: &Value, revision: &str) -> Result<Ended> {
        let tag = format!("istiorevisiontags.sailoperator.io/{NAME}");
        let found = self
            .cluster
            .kubectl(&["get", &tag, "--ignore-not-found", "-o", "name"])?;
        if found.ok()?.trim().is_empty() {
            return Ok(Ok(()));
        }
        let version = text(istio, "/spec/version").trim_start_matches('v');
        let folder = tempfile::tempdir()?;
        cut_out_tags(&Toolbox::get()?.charts(version)?.join("istiod"), folder.path())?;
        let values = [format!("revision={revision}"), format!("revisionTags={{{NAME}}}")];
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let chart = folder.path().display().to_string();
        let moved = self.helm_upgrade(&format!("{NAME}-revisiontags"), &chart, &values)?;
        if moved.success() {
            self.say("istiorevisiontags", NAME, &json!({"istioRevision": revision}))?;
        }
        Ok(ended(&moved))
    }

    /// All objects of a kind.
    fn list(&self, path: &str) -> Result<Vec<Value>> {
        let found = self.reader.read(path)?;
        let items = found.pointer("/items").and_then(Value::as_array);
        Ok(items.cloned().unwrap_or_default())
    }

    /// Says of each revision whether something refers to it.
    fn judge_uses(&self, unused: &Mutex<Unused>) -> Result<()> {
        let revisions = self.list("/apis/sailoperator.io/v1/istiorevisions")?;
        if revisions.is_empty() {
            return Ok(());
        }
        let namespaces = self.list("/api/v1/namespaces")?;
        let pods = self.list("/api/v1/pods")?;
        let tags = self.list("/apis/sailoperator.io/v1/istiorevisiontags")?;
        for revision in revisions {
            let name = text(&revision, "/metadata/name");
            let is_used = namespaces
                .iter()
                .any(|one| text(one, "/metadata/labels/istio.io~1rev") == name)
                || pods
                    .iter()
                    .any(|one| text(one, "/metadata/annotations/istio.io~1rev") == name)
                || tags.iter().any(|one| text(one, "/status/istioRevision") == name);
            let status = if is_used { "True" } else { "False" };
            if text(&revision, "/status/conditions/0/status") != status {
                let condition = json!({"type": "InUse", "status": status});
                self.say("istiorevisions", name, &json!({"conditions": [condition]}))?;
            }
            let mut unused = unused.lock().ok().context("the unused revisions")?;
            if is_used {
                unused.remove(name);
            } else {
                unused.entry(name.to_owned()).or_insert_with(Instant::now);
            }
        }
        Ok(())
    }

    /// Has helm uninstall revisions that are being deleted, and lets them go then.
    fn finish_what_goes(&self) -> Result<()> {
        for revision in &self.list("/apis/sailoperator.io/v1/istiorevisions")? {
            if text(revision, "/metadata/deletionTimestamp").is_empty() {
                continue;
            }
            let name = text(revision, "/metadata/name");
            let release = format!("{name}-istiod");
            let uninstall = [
                "uninstall",
                &release,
                "--namespace",
                SYSTEM,
                "--ignore-not-found",
                "--wait",
            ];
            let gone = self
                .cluster
                .helm(&[&uninstall[..], &["--kube-as-user", USER]].concat())?;
            if gone.success() {
                let resource = format!("istiorevisions.sailoperator.io/{name}");
                let patch = r#"{"metadata": {"finalizers": null}}"#;
                let patch = ["patch", &resource, "--type=merge", "--as", USER, "-p", patch];
                self.cluster.kubectl(&patch)?.ok()?;
            }
        }
        Ok(())
    }
}

/// istiod's chart without anything but its tags.
fn cut_out_tags(istiod: &Path, to: &Path) -> Result<()> {
    for entry in walk(istiod)? {
        let inside = entry.strip_prefix(istiod)?;
        let in_templates = inside.starts_with("templates");
        let name = inside.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_of_tags = name.starts_with("revision-tags") || name.starts_with('_') || name.starts_with("zz");
        if in_templates && !is_of_tags {
            continue;
        }
        let target = to.join(inside);
        std::fs::create_dir_all(target.parent().context("a folder")?)?;
        if name == "Chart.yaml" {
            let chart = std::fs::read_to_string(&entry)?;
            std::fs::write(&target, chart.replace("name: istiod", "name: revisiontags"))?;
        } else {
            std::fs::copy(&entry, &target)?;
        }
    }
    Ok(())
}

fn walk(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(walk(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}
