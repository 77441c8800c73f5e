//! Helm: the user's own binary, version 3 or 4, with the release's own values, through a relay.

mod canary;
mod chart;
mod recover;
mod usable;

use super::{
    Change, Installer, Prepared, Writer, images,
    process::{GRACE, detached, ended, with_input},
    redact::Redactor,
    relay::Relay,
};
use crate::{error::CommandError, executor::writing_client};
use chart::chart_args;
use recover::{Pending, Settled};
use shared::{
    api::{Component, PlanStep, StepAction},
    helm,
};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// A helm binary that was found and asked for its version.
#[derive(Clone, Debug)]
pub struct Helm {
    binary: PathBuf,
    /// Version 3 or 4.
    version: semver::Version,
}

impl Helm {
    /// Finds helm, on the PATH unless given.
    ///
    /// # Errors
    /// When there is none, it does not run, it is neither version 3 nor 4, or it is too old to keep a release's values.
    pub async fn find(given: Option<&Path>) -> Result<Self, CommandError> {
        let binary = given.map_or_else(|| PathBuf::from("helm"), Path::to_path_buf);
        let shown = binary.display();
        let mut asked = command(&binary);
        asked.args(["version", "--template", "{{.Version}}"]);
        let output = with_input("helm", asked, &[]).await.map_err(|why| {
            CommandError::error(format!("{shown}: {why}"))
                .hint("this mesh was installed by helm: install helm 3.14 or newer, or name it with --helm FILE")
        })?;
        let answer = String::from_utf8_lossy(&output.stdout);
        let answered = Some(answer.trim()).filter(|_| output.status.success());
        let version = usable::version(&shown.to_string(), answered.ok_or(answer.trim()))?;
        Ok(Self { binary, version })
    }
}

impl Installer for Helm {
    async fn prepare(&self, step: &PlanStep, charts: &str) -> Result<Prepared, String> {
        if step.action == StepAction::MoveTags && self.version < TAKES_OWNERSHIP {
            return Err(format!(
                "helm {} cannot give a release what another one owns: tags are moved by helm {TAKES_OWNERSHIP} and later",
                self.version
            ));
        }
        let (chart, digest) = self.show_chart(step, charts).await?;
        if chart.name != step.chart() {
            return Err(format!(
                "{charts} holds chart {} where {} was expected",
                chart.name,
                step.chart()
            ));
        }
        if chart.version.trim_start_matches('v') != step.to {
            return Err(format!(
                "{charts} holds chart {} {} and the target is {}: give a folder or repository that holds the target",
                chart.name, chart.version, step.to
            ));
        }
        Ok(Prepared {
            what: format!("{} {}", chart.name, chart.version),
            digest,
        })
    }

    async fn images(&self, change: &Change<'_>) -> Result<Vec<String>, String> {
        let step = change.step;
        let client = &change.cluster.client;
        if matches!(step.action, StepAction::MoveTags | StepAction::Remove) {
            if let Some(known) = recover::find(client, &written_by(step), Pending::Keep).await? {
                self.refuse_other_way(&step.namespace, &written_by(step).release, known.server_side)?;
            }
            // Nothing that runs is brought by it.
            return Ok(Vec::new());
        }
        let source = source_of(step);
        let release = recover::settle(client, &source, Pending::Keep).await?;
        if step.action == StepAction::Upgrade {
            self.refuse_other_way(&step.namespace, &step.release, release.server_side)?;
        }
        let values = serde_json::to_vec(&release.values).map_err(|error| error.to_string())?;
        let mut command = command(&self.binary);
        command
            .arg("template")
            .arg(&step.release)
            .args(chart_args(step, change.charts));
        // On standard input: the values may hold secrets, which belong neither into a file nor among the arguments.
        command.args(["--namespace", &step.namespace, "--values", "-"]);
        if step.component == Component::Base {
            // Half of what rendering takes, and definitions run no image.
            command.args(["--set", WITHOUT_DEFINITIONS]);
        }
        for pin in helm::version_pins(&release.values, &step.from, &step.to) {
            command.arg("--set-string").arg(pin);
        }
        command.args(step.settings());
        let output = with_input("helm", command, &values).await?;
        if output.status.success() {
            let manifest = String::from_utf8_lossy(&output.stdout);
            let images = images::of_manifest(&manifest).map_err(|at| {
                format!(
                    "chart {} {} renders to no YAML with the values of release {}, at line {} column {} of what helm template \
                     prints",
                    step.chart(),
                    step.to,
                    source.release,
                    at.line,
                    at.column
                )
            })?;
            return match images::pinned(&images, &step.from, &step.to) {
                Some(image) => Err(format!(
                    "chart {} {} would run {image}: the values of release {}/{} pin it, by an image or by a tag that is not \
                     just a version; take that out of them, see helm get values {} -n {}",
                    step.chart(),
                    step.to,
                    step.namespace,
                    step.release,
                    source.release,
                    source.namespace
                )),
                None => Ok(images.all.into_iter().collect()),
            };
        }
        let redactor = Redactor::of_values(&release.values);
        Err(format!(
            "chart {} {} cannot be rendered with the values of release {}: {}",
            step.chart(),
            step.to,
            step.release,
            redactor.last_lines(&String::from_utf8_lossy(&output.stderr))
        ))
    }

    /// The values come from the release itself, so that nothing can get lost. The charts may have changed since they were looked at,
    /// and here is the last time that this ends without a freeze that stays.
    async fn rehearse(&self, change: &Change<'_>) -> Result<(), String> {
        if change.step.action == StepAction::Remove {
            return Ok(());
        }
        self.look_into_folder(change).await
    }

    async fn upgrade(&self, change: &Change<'_>) -> Result<(), String> {
        let step = change.step;
        let client = writing_client(change.cluster, change.writer)?;
        if step.action == StepAction::Remove {
            return canary::remove(self, change, &client).await;
        }
        let chart = self.at_hand(change).await?;
        let source = source_of(step);
        let release = recover::settle(&client, &source, Pending::Delete(change.hold)).await?;
        if step.action != StepAction::Install {
            // Whoever goes on may have another helm than whoever began.
            self.refuse_other_way(&step.namespace, &step.release, release.server_side)?;
        }
        let mut arguments = vec!["upgrade".to_owned(), step.release.clone()];
        arguments.extend(chart.arguments.iter().cloned());
        let mut input = Vec::new();
        // A release that helm applied on the client refuses the flag.
        let mut forces = self.version.major >= 4 && release.server_side;
        match step.action {
            StepAction::Install => {
                let begun = recover::find(&client, step, Pending::Forget(change.hold)).await?;
                // A new release is applied on the server, where istiod may have written since a first try.
                forces = self.version.major >= 4 && begun.is_none_or(|begun| begun.server_side);
                // On standard input, as the values may hold secrets.
                input = serde_json::to_vec(&release.values).map_err(|error| error.to_string())?;
                arguments.extend(["--install", "--values", "-"].map(str::to_owned));
            }
            StepAction::MoveTags => arguments.push("--take-ownership".to_owned()),
            StepAction::Upgrade | StepAction::Remove => {}
        }
        if step.action != StepAction::Install {
            arguments.push("--reset-then-reuse-values".to_owned());
        }
        arguments.extend([
            "--description".to_owned(),
            format!("kubectl mesh-upgrade {} to {}", step.from, step.to),
        ]);
        if forces {
            // istiod writes failurePolicy and caBundle of the chart's webhooks; helm 4 would call that a conflict.
            arguments.push("--force-conflicts".to_owned());
        }
        if matches!(change.writer, Writer::Driver { .. }) {
            // Where a guard stands (Kubernetes 1.30) the server validates what is written (all since 1.27), and helm would read
            // megabytes of its OpenAPI documents only to see that it does (kubectl's `paramVerifyingSchema`).
            arguments.push("--disable-openapi-validation".to_owned());
        }
        for pin in helm::version_pins(&release.values, &step.from, &step.to) {
            arguments.extend(["--set-string".to_owned(), pin]);
        }
        arguments.extend(step.settings());
        let why = self.run(change, &release, arguments, &input).await;
        why.map_err(|why| format!("helm upgrade {} {why}", step.release))
    }
}

impl Helm {
    /// Runs helm in a step's cluster and namespace, as the writer; of a failure it tells the end of what helm said.
    async fn run(
        &self,
        change: &Change<'_>,
        release: &Settled,
        arguments: Vec<String>,
        input: &[u8],
    ) -> Result<(), String> {
        let relay = Relay::start(change).await?;
        let mut command = command(&self.binary);
        command.args(arguments).args(["--namespace", &change.step.namespace]);
        command.args(["--wait", "--timeout", &format!("{}s", change.timeout.as_secs())]);
        command.arg("--kubeconfig").arg(relay.kubeconfig());
        command.env("HELM_DRIVER", release.driver);
        let run = tokio::time::timeout(change.timeout + GRACE, change.hold.run(command, input));
        let output = match run.await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(format!("cannot run helm: {error}")),
            Err(_) => {
                return Err(format!(
                    "helm did not end within {} s",
                    (change.timeout + GRACE).as_secs()
                ));
            }
        };
        if output.status.success() {
            return Ok(());
        }
        let redactor = Redactor::of_values(&serde_json::json!([release.values, relay.secret()]));
        Err(format!(
            "{}: {}",
            ended(output.status),
            redactor.last_lines(&String::from_utf8_lossy(&output.stderr))
        ))
    }
}

/// The first helm that can give a release what another one owns.
const TAKES_OWNERSHIP: semver::Version = semver::Version::new(3, 17, 0);

/// Istio's `base` chart without its CustomResourceDefinitions (its `templates/crds.yaml`, as of 1.30); where a chart knows no
/// such value, it changes nothing.
const WITHOUT_DEFINITIONS: &str = "base.enableCRDTemplates=false";

/// The step with the release whose values it takes in the place of its own.
fn source_of(step: &PlanStep) -> PlanStep {
    PlanStep {
        release: step.values_of().to_owned(),
        ..step.clone()
    }
}

/// The step with the release that is written: where one is taken away, the one that brings its tags again.
fn written_by(step: &PlanStep) -> PlanStep {
    let stays = step.revisions.as_ref().filter(|_| step.action == StepAction::Remove);
    PlanStep {
        release: stays.map_or(&step.release, |revisions| &revisions.new_release).clone(),
        ..step.clone()
    }
}

/// A helm that sees the user's repositories and plugins and none of the settings that would lead it elsewhere.
fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HELM_KUBE") || name == "HELM_NAMESPACE" || name == "HELM_DEBUG" {
            command.env_remove(name);
        }
    }
    detached(&mut command);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::{self, ClusterFlags},
        installer::Hold,
    };
    use serde_json::json;
    use shared::api::{InstallerKind, ObjectName};
    use std::time::Duration;

    pub(super) fn step() -> PlanStep {
        let at = ObjectName {
            namespace: "istio-system".to_owned(),
            name: "istiod".to_owned(),
        };
        PlanStep {
            release_revision: 1,
            ..PlanStep::upgrade("east", Component::Istiod, InstallerKind::Helm, at, "1.30.3", "1.31.0")
        }
    }

    #[tokio::test]
    async fn a_folder_that_holds_another_version_by_now_is_not_installed() {
        let helm = Helm {
            binary: PathBuf::from("/nowhere/helm"),
            version: semver::Version::new(4, 0, 0),
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("istiod")).unwrap();
        std::fs::write(
            folder.path().join("istiod/Chart.yaml"),
            "name: istiod\nversion: 1.31.1\n",
        )
        .unwrap();
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "east",
            "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "east", "context": {"cluster": "c", "user": "u"}}],
        });
        let path = folder.path().join("config");
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        let flags = ClusterFlags {
            kubeconfig: Some(path),
            request_timeout: Some(Duration::from_millis(300)),
            ..ClusterFlags::default()
        };
        let cluster = cluster::connect(&flags).await.unwrap();
        let (charts, hold) = (folder.path().display().to_string(), Hold::default());
        let (step, url) = (step(), "oci://x/charts");
        for (charts, expected) in [(charts.as_str(), "the target is 1.31.0"), (url, "cannot be read")] {
            let change = Change {
                cluster: &cluster,
                step: &step,
                charts,
                digest: None,
                writer: &Writer::Caller,
                timeout: Duration::ZERO,
                hold: &hold,
                tenure: None,
            };
            let why = helm.upgrade(&change).await.unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
    }
}
