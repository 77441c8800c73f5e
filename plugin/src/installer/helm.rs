//! Helm: the user's own binary, version 3 or 4, with the release's own values, through a relay.

mod canary;
mod recover;
mod usable;

use super::{
    Change, Installer, images,
    process::{GRACE, detached, ended, with_input},
    redact::Redactor,
    relay::Relay,
};
use crate::{error::CommandError, executor::writing_client};
use recover::{Pending, Settled};
use serde::Deserialize;
use shared::{
    api::{Component, PlanStep, StepAction},
    charts::{Location, package},
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

    async fn show_chart(&self, step: &PlanStep, charts: &str) -> Result<ChartFacts, String> {
        let unreadable = |error: &dyn std::fmt::Display| {
            format!(
                "chart {} from {charts} has no readable Chart.yaml: {error}",
                step.chart()
            )
        };
        // What helm would print of an unpacked chart, without the time that its start takes.
        let arguments = chart_args(step, charts);
        // In a repository it has but its name, and a folder of that name here is another.
        let unpacked = arguments.first().filter(|_| Location::read(charts).is_folder());
        let facts = unpacked.and_then(|path| std::fs::read_to_string(Path::new(path).join("Chart.yaml")).ok());
        if let Some(facts) = facts {
            return serde_saphyr::from_str(&facts).map_err(|error| unreadable(&error));
        }
        let mut command = command(&self.binary);
        command.args(["show", "chart"]).args(arguments);
        let output = with_input("helm", command, &[]).await?;
        if !output.status.success() {
            let why = Redactor::default().last_lines(&String::from_utf8_lossy(&output.stderr));
            return Err(format!(
                "chart {} {} is not to be had from {charts}: {why}",
                step.chart(),
                step.to
            ));
        }
        serde_saphyr::from_str(&String::from_utf8_lossy(&output.stdout)).map_err(|error| unreadable(&error))
    }
}

/// What we read of a chart.
#[derive(Debug, Deserialize)]
struct ChartFacts {
    name: String,
    version: String,
}

impl Installer for Helm {
    async fn prepare(&self, step: &PlanStep, charts: &str) -> Result<String, String> {
        if step.action == StepAction::MoveTags && self.version < TAKES_OWNERSHIP {
            return Err(format!(
                "helm {} cannot give a release what another one owns: tags are moved by helm {TAKES_OWNERSHIP} and later",
                self.version
            ));
        }
        let chart = self.show_chart(step, charts).await?;
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
        Ok(format!("{} {}", chart.name, chart.version))
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

    /// The values come from the release itself, so that nothing can get lost.
    async fn rehearse(&self, _: &Change<'_>) -> Result<(), String> {
        Ok(())
    }

    async fn upgrade(&self, change: &Change<'_>) -> Result<(), String> {
        let step = change.step;
        let client = writing_client(change.cluster, change.writer)?;
        if step.action == StepAction::Remove {
            return canary::remove(self, change, &client).await;
        }
        self.look_into_folder(step, change.charts).await?;
        let source = source_of(step);
        let release = recover::settle(&client, &source, Pending::Delete).await?;
        if step.action != StepAction::Install {
            // Whoever goes on may have another helm than whoever began.
            self.refuse_other_way(&step.namespace, &step.release, release.server_side)?;
        }
        let mut arguments = vec!["upgrade".to_owned(), step.release.clone()];
        arguments.extend(chart_args(step, change.charts));
        let mut input = Vec::new();
        // A release that helm applied on the client refuses the flag.
        let mut forces = self.version.major >= 4 && release.server_side;
        match step.action {
            StepAction::Install => {
                let begun = recover::find(&client, step, Pending::Forget).await?;
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
        for pin in helm::version_pins(&release.values, &step.from, &step.to) {
            arguments.extend(["--set-string".to_owned(), pin]);
        }
        arguments.extend(step.settings());
        let why = self.run(change, &release, arguments, &input).await;
        why.map_err(|why| format!("helm upgrade {} {why}", step.release))
    }
}

impl Helm {
    /// A folder has no `--version` to ask for: it may hold another one by now, from which no way leads back to the target.
    async fn look_into_folder(&self, step: &PlanStep, charts: &str) -> Result<(), String> {
        if Location::read(charts).is_address() {
            return Ok(());
        }
        self.prepare(step, charts).await.map(drop)
    }

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

/// The chart's place in helm's own words; a folder may hold it packaged.
fn chart_args(step: &PlanStep, charts: &str) -> Vec<String> {
    let (place, chart) = (Location::read(charts), step.chart());
    let is_packaged = place.is_folder() && Path::new(charts).join(package(chart, &step.to)).is_file();
    place.helm_arguments(chart, &step.to, is_packaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::{self, ClusterFlags},
        installer::{Hold, Writer},
    };
    use serde_json::json;
    use shared::api::{InstallerKind, ObjectName};
    use std::time::Duration;

    fn step() -> PlanStep {
        let at = ObjectName {
            namespace: "istio-system".to_owned(),
            name: "istiod".to_owned(),
        };
        PlanStep {
            release_revision: 1,
            ..PlanStep::upgrade("east", Component::Istiod, InstallerKind::Helm, at, "1.30.3", "1.31.0")
        }
    }

    #[test]
    fn a_packaged_chart_is_taken_from_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let charts = folder.path().display().to_string();
        assert_eq!(chart_args(&step(), &charts), [format!("{charts}/istiod")]);
        std::fs::write(folder.path().join("istiod-1.31.0.tgz"), "").unwrap();
        assert_eq!(chart_args(&step(), &charts), [format!("{charts}/istiod-1.31.0.tgz")]);
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
                writer: &Writer::Caller,
                timeout: Duration::ZERO,
                hold: &hold,
                tenure: None,
            };
            let why = helm.upgrade(&change).await.unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_called_as_a_repositorys_chart_is_not_looked_at() {
        let helm = Helm {
            binary: PathBuf::from("/nowhere/helm"),
            version: semver::Version::new(4, 0, 0),
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Chart.yaml"), "name: istiod\nversion: 1.31.0\n").unwrap();
        let step = PlanStep {
            chart: Some(folder.path().display().to_string()),
            ..step()
        };
        let why = helm.prepare(&step, "https://x/c").await.unwrap_err();
        assert!(why.contains("cannot run helm"), "{why}");
    }

    #[tokio::test]
    async fn an_unpacked_chart_is_looked_at_without_starting_helm() {
        let nowhere = Helm {
            binary: PathBuf::from("/nowhere/helm"),
            version: semver::Version::new(4, 0, 0),
        };
        let folder = tempfile::tempdir().unwrap();
        let charts = folder.path().display().to_string();
        let missing = nowhere.prepare(&step(), &charts).await.unwrap_err();
        assert!(missing.contains("cannot run helm"), "{missing}");
        std::fs::create_dir(folder.path().join("istiod")).unwrap();
        for (facts, expected) in [
            ("name: istiod\nversion: 1.31.0\n", Ok("istiod 1.31.0")),
            ("name: istiod\nversion: 1.30.3\n", Err("the target is 1.31.0")),
            ("name: base\nversion: 1.31.0\n", Err("where istiod was expected")),
            ("[", Err("no readable Chart.yaml")),
        ] {
            std::fs::write(folder.path().join("istiod/Chart.yaml"), facts).unwrap();
            match (nowhere.prepare(&step(), &charts).await, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                (found, _) => panic!("{facts:?}: {found:?}"),
            }
        }
    }
}
