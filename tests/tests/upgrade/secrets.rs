//! What must not be told is not, when helm itself tells it: a value of the chart that fails, and the token of whoever upgrades.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Run, Toolbox},
    product::{Guard, mesh_upgrade_command},
};

use super::TO;

/// A value as users have them.
const SECRET: &str = "s3cr3t-of-the-chart";
/// What the chart says before it.
const FAILS: &str = "no room for";

/// Sets it, as for helm's `--set`.
pub fn value() -> String {
    format!("pilot.env.TOKEN={SECRET}")
}

/// A copy of the target's charts, to be spoilt.
pub fn charts(cluster: &Cluster) -> Result<PathBuf> {
    let charts = cluster.dir().join("charts");
    let mut copy = cluster.command("cp")?;
    copy.arg("-r").arg(Toolbox::get()?.charts(TO)?).arg(&charts);
    Run::of(copy, None)?.ok()?;
    Ok(charts)
}

/// The upgrade goes on with a chart that fails in a cluster alone, and says the value as it fails; then it is mended.
pub fn are_told_by_nobody(cluster: &Cluster, guard: &Guard, charts: &Path) -> Result<()> {
    let spoilt = charts.join("istiod/templates/spoilt.yaml");
    let fails = "{{ if (lookup \"v1\" \"Namespace\" \"\" \"istio-system\") }}\
                 {{ fail (printf \"no room for %s here\" .Values.pilot.env.TOKEN) }}{{ end }}\n";
    std::fs::write(&spoilt, fails)?;
    // Named again, since it has other contents than before.
    let named = charts.display().to_string();
    let mut apply = mesh_upgrade_command(cluster, "alice", &["apply", "--to", TO, "--charts", &named, "--yes"])?;
    apply.env("MESH_UPGRADE_LOG", "debug");
    let run = Run::of(apply, None)?;
    std::fs::remove_file(&spoilt)?;
    ensure!(
        run.code == 1 && run.stderr.contains("stalled (StepFailed)") && run.stderr.contains("no room for <value> here"),
        "{run}"
    );
    ensure!(run.stderr.contains("DEBUG"), "it does not log: {run}");

    let get = |kind: &str| -> Result<String> {
        let found = cluster.kubectl(&["get", kind, "--all-namespaces", "--show-managed-fields", "-o", "json"])?;
        found.ok().map(str::to_owned)
    };
    // Each with a word that shows that it tells of this upgrade at all.
    let told = [
        ("standard output", run.stdout.clone(), ""),
        ("standard error", run.stderr.clone(), FAILS),
        ("the journal", get("meshupgrades")?, FAILS),
        ("the freeze", get("meshfreezes")?, TO),
        ("its policies", get("validatingadmissionpolicies")?, TO),
        ("Events", get("events.events.k8s.io")?, FAILS),
        ("the webhook's log", std::fs::read_to_string(guard.log())?, "MG001"),
    ];
    let token = token_of_alice(cluster)?;
    for (place, text, word) in told {
        ensure!(text.contains(word), "{place} does not say {word:?}: {text}");
        for (what, secret) in [("the chart's value", SECRET), ("the bearer's token", &token)] {
            let line = text.lines().find(|line| line.contains(secret));
            ensure!(line.is_none(), "{what} stands in {place}: {line:?}");
        }
    }
    Ok(())
}

fn token_of_alice(cluster: &Cluster) -> Result<String> {
    let template = "jsonpath={.users[0].user.token}";
    let token = cluster.kubectl_as("alice", &["config", "view", "--raw", "-o", template])?;
    let token = token.ok()?.to_owned();
    ensure!(token.len() > 5, "alice has no token");
    Ok(token)
}

/// Engines name the folders of their caches by the server that they think they reach, and others of the group may list those:
/// they are named as those of a helm that was run by hand.
pub fn are_in_no_names_of_caches(cluster: &Cluster) -> Result<()> {
    let caches = cluster.dir().join("people/.kube/cache/discovery");
    let names = std::fs::read_dir(&caches)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names = names.collect::<Result<Vec<String>>>()?;
    let host = cluster.server().trim_start_matches("https://").replace(':', "_");
    ensure!(names == [host], "{names:?}");
    Ok(())
}
