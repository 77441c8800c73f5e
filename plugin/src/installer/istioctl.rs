//! istioctl: the user's own binary of the target's version, with what it installed recovered from the cluster.
//!
//! It installs its own version and nothing else, all components of an installation at once, by server-side apply, so that
//! it may be run again after a kill. It reaches the API server through a relay.

mod recover;
mod rehearse;

use super::{
    Change, Installer, Prepared, images,
    process::{GRACE, detached, ended, with_input},
    redact::Redactor,
    relay::Relay,
};
use crate::{error::CommandError, executor::writing_client};
use serde_json::Value;
use shared::{api::PlanStep, istioctl};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// An istioctl that was found and asked for its version.
#[derive(Clone, Debug)]
pub struct Istioctl {
    binary: PathBuf,
    version: String,
}

impl Istioctl {
    /// Finds the istioctl of a version, on the PATH unless given.
    ///
    /// # Errors
    /// When there is none, it does not run, or it is of another version.
    pub async fn find(given: Option<&Path>, version: &str) -> Result<Self, CommandError> {
        let binary = given.map_or_else(|| PathBuf::from("istioctl"), Path::to_path_buf);
        let shown = binary.display();
        let mut asked = command(&binary);
        asked.args(["version", "--remote=false", "--output", "json"]);
        let output = with_input("istioctl", asked, &[]).await.map_err(|why| {
            CommandError::error(format!("{shown}: {why}")).hint(format!(
                "this mesh was installed by istioctl: install istioctl {version}, or name it with --istioctl FILE"
            ))
        })?;
        let answer = String::from_utf8_lossy(&output.stdout);
        match istioctl::is_of_version(&answer, version) {
            Ok(()) if output.status.success() => Ok(Self {
                binary,
                version: version.to_owned(),
            }),
            Ok(()) => Err(CommandError::error(format!(
                "{shown} {}: it is not istioctl {version}",
                ended(output.status)
            ))),
            Err(why) => Err(CommandError::error(format!(
                "{shown} is not istioctl {version}, which installs its own version alone: {why}"
            ))
            .hint("name another one with --istioctl FILE")),
        }
    }

    /// What `istioctl manifest generate` makes of an IstioOperator; with a relay, as for the cluster that it leads to.
    async fn render(&self, operator: &Value, relay: Option<&Relay>) -> Result<String, String> {
        let mut command = command(&self.binary);
        command.args(["manifest", "generate", "--filename", "-"]);
        if let Some(relay) = relay {
            command
                .arg("--cluster-specific")
                .arg("--kubeconfig")
                .arg(relay.kubeconfig());
        }
        let input = operator.to_string();
        let output = with_input("istioctl", command, input.as_bytes()).await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!(
            "istioctl {} cannot render what is installed: {}",
            self.version,
            redactor(operator, relay).last_lines(&String::from_utf8_lossy(&output.stderr))
        ))
    }
}

impl Installer for Istioctl {
    /// Its charts are inside of it.
    async fn prepare(&self, step: &PlanStep, _: &str) -> Result<Prepared, String> {
        if self.version == step.to {
            return Ok(Prepared::only(format!("istioctl {}", self.version)));
        }
        Err(format!("istioctl is {}, and the target is {}", self.version, step.to))
    }

    async fn images(&self, change: &Change<'_>) -> Result<Vec<String>, String> {
        let operator = recover::operator(&change.cluster.client, change.step, &change.step.to).await?;
        let images = images::of_manifest(&self.render(&operator, None).await?).map_err(rehearse::no_yaml)?;
        match images::pinned(&images, &change.step.from, &change.step.to) {
            Some(image) => Err(format!(
                "istioctl {} would run {image}: the values that are installed pin a tag, see {} of ConfigMap {}/{}",
                self.version,
                istioctl::VALUES_KEY,
                change.step.namespace,
                istioctl::values_config_map(&change.step.release)
            )),
            None => Ok(images.all.into_iter().collect()),
        }
    }

    async fn rehearse(&self, change: &Change<'_>) -> Result<(), String> {
        let client = writing_client(change.cluster, change.writer)?;
        // With today's images: what may run which version, and when, is the guard's to say, of the change itself.
        let operator = recover::operator(&client, change.step, &change.step.from).await?;
        let relay = Relay::start(change).await?;
        let manifest = self.render(&operator, Some(&relay)).await?;
        rehearse::manifest(&client, &manifest, &redactor(&operator, Some(&relay))).await
    }

    async fn upgrade(&self, change: &Change<'_>) -> Result<(), String> {
        let client = writing_client(change.cluster, change.writer)?;
        let operator = recover::operator(&client, change.step, &change.step.to).await?;
        let relay = Relay::start(change).await?;
        let mut command = command(&self.binary);
        command.args(["install", "--skip-confirmation", "--filename", "-"]);
        command
            .arg("--readiness-timeout")
            .arg(format!("{}s", change.timeout.as_secs()));
        command.arg("--kubeconfig").arg(relay.kubeconfig());
        // It waits for each component by itself, and for three of them one after the other.
        let deadline = change.timeout.saturating_mul(WAITS) + GRACE;
        let input = operator.to_string();
        let run = tokio::time::timeout(deadline, change.hold.run(command, input.as_bytes()));
        let output = match run.await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(format!("cannot run istioctl: {error}")),
            Err(_) => return Err(format!("istioctl did not end within {} s", deadline.as_secs())),
        };
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "istioctl install {}: {}",
            ended(output.status),
            redactor(&operator, Some(&relay)).last_lines(&String::from_utf8_lossy(&output.stderr))
        ))
    }
}

/// Components that istioctl waits for one after the other: definitions, then the control plane, then gateways.
const WAITS: u32 = 3;

/// An istioctl without the settings that would lead it elsewhere.
fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ISTIOCTL_") || name == "ISTIOCONFIG" || name == "KUBECONFIG" {
            command.env_remove(name);
        }
    }
    detached(&mut command);
    command
}

/// Knows the values and the relay's secret.
fn redactor(operator: &Value, relay: Option<&Relay>) -> Redactor {
    let secret = relay.map(Relay::secret).unwrap_or_default();
    Redactor::of_values(&serde_json::json!([operator.pointer("/spec/values"), secret]))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn only_the_targets_istioctl_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("istioctl");
        for (script, expected) in [
            ("echo '{\"clientVersion\": {\"version\": \"1.31.0\"}}'", Ok(())),
            (
                "echo '{\"clientVersion\": {\"version\": \"1.30.3\"}}'",
                Err("is not istioctl 1.31.0, which installs its own version alone: it is version \"1.30.3\""),
            ),
            (
                "echo '{\"clientVersion\": {\"version\": \"1.31.0\"}}'; exit 3",
                Err("ended with 3"),
            ),
            ("echo nothing", Err("it tells no version")),
        ] {
            std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            let found = Istioctl::find(Some(&program), "1.31.0").await;
            match (found, expected) {
                (Ok(_), Ok(())) => {}
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, _) => panic!("{script}: {found:?}"),
            }
        }
        let missing = Istioctl::find(Some(&folder.path().join("none")), "1.31.0")
            .await
            .unwrap_err();
        assert!(missing.to_string().contains("cannot run istioctl"), "{missing}");
    }
}
