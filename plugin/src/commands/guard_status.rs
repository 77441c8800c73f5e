//! `guard status`: each barrier in each cluster proved by dry runs, and what is protected and what is not.

use super::Scene;
use crate::{
    cli::Global,
    cluster::{Cluster, ObserveOptions},
    error::{CommandError, Exit},
    guard::prove::{self, Proof},
    ui::{Output, Ui, strong},
};
use serde::Serialize;
use shared::{
    guard::coverage::{self, When},
    guide::shell::quote,
    inventory::{ClusterState, Observed},
};

/// The guard in one cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Guarded {
    cluster: String,
    /// Why the cluster could not be asked; it counts as unguarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
    installed: bool,
    webhook: bool,
    frozen: Vec<String>,
    proofs: Vec<Proof>,
}

impl Guarded {
    fn is_proved(&self) -> bool {
        self.installed && self.unknown.is_none() && self.proofs.iter().all(|proof| proof.proved)
    }
}

/// Runs `guard status` in the clusters that the flags name and all members of their meshes.
///
/// # Errors
/// When no cluster can be read, or the guard is installed in none.
pub async fn run(global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    let scene = Scene::observe(global, ui, ObserveOptions::default()).await?;
    let mut all = Vec::new();
    for found in &scene.inventory.clusters {
        let reached = scene.clusters.iter().find(|cluster| cluster.name == found.name);
        all.push(match (&found.state, reached) {
            (ClusterState::Observed(observed), Some(cluster)) => guarded(cluster, observed).await?,
            (ClusterState::Unknown { reason }, _) => unknown(&found.name, reason),
            (ClusterState::Observed(_), None) => unknown(&found.name, "it was not asked"),
        });
    }
    if all.iter().all(|one| one.unknown.is_none() && !one.installed) {
        let names: Vec<&str> = all.iter().map(|one| one.cluster.as_str()).collect();
        return Err(
            CommandError::blocked(format!("the guard is not installed in cluster {}", names.join(", ")))
                .hint("install it with: kubectl mesh-upgrade guard install"),
        );
    }
    let exit = if all.iter().all(Guarded::is_proved) {
        Exit::Done
    } else {
        Exit::Blocked
    };
    if ui.output != Output::Text {
        ui.document(
            "GuardStatus",
            serde_json::json!({
                "clusters": all, "protected": coverage::protected(), "withoutWebhook": coverage::without_webhook(),
                "unprotected": coverage::unprotected(),
            }),
        )?;
        return Ok(exit);
    }
    print(ui, &all);
    match all.iter().find(|one| one.unknown.is_none() && !one.installed) {
        Some(without) => match scene.contexts().get(&without.cluster) {
            Some(context) => ui.next(&format!(
                "kubectl mesh-upgrade guard install --context {}",
                quote(context)
            )),
            // Only a Secret of Istio's leads there, and that is for reading.
            None => ui.next(&format!(
                "with a context of your own for cluster {}: kubectl mesh-upgrade guard install --context NAME",
                without.cluster
            )),
        },
        None => ui.next("kubectl mesh-upgrade list"),
    }
    Ok(exit)
}

async fn guarded(cluster: &Cluster, observed: &Observed) -> Result<Guarded, CommandError> {
    let guard = &observed.guard;
    let installed = guard.crds || guard.policies;
    let mut one = Guarded {
        cluster: cluster.name.clone(),
        unknown: None,
        installed,
        webhook: guard.webhook,
        frozen: Vec::new(),
        proofs: Vec::new(),
    };
    if installed {
        one.proofs = prove::all(cluster, observed).await?;
        let frozen = prove::freezes(cluster).await?;
        one.frozen = frozen.iter().map(kube::ResourceExt::name_any).collect();
    }
    Ok(one)
}

fn unknown(cluster: &str, why: &str) -> Guarded {
    Guarded {
        cluster: cluster.to_owned(),
        unknown: Some(why.to_owned()),
        installed: false,
        webhook: false,
        frozen: Vec::new(),
        proofs: Vec::new(),
    }
}

fn print(ui: Ui, all: &[Guarded]) {
    for one in all {
        ui.result(&strong(&format!("Cluster {}", one.cluster)));
        match &one.unknown {
            Some(why) => ui.result(&format!("Unknown: {why}\n")),
            None if !one.installed => ui.result("The guard is not installed.\n"),
            None => print_one(ui, one),
        }
    }
    ui.result("Protected:");
    let yes = |is: bool| ui.lang.word(if is { "yes" } else { "-" });
    let rows = coverage::protected().into_iter().map(|row| {
        let when = match row.when {
            When::Frozen => "frozen",
            When::Always => "always",
        };
        let cells = vec![
            format!("  {}", row.what),
            ui.lang.word(when),
            yes(row.policy),
            yes(row.webhook),
        ];
        [cells, vec![row.why]].concat()
    });
    ui.table(&["  WHAT", "WHEN", "POLICY", "WEBHOOK", "WHY"], rows);
    ui.result("\nNot protected:");
    for what in coverage::unprotected() {
        ui.result(&format!("  - {what}"));
    }
}

fn print_one(ui: Ui, one: &Guarded) {
    let rows = one.proofs.iter().map(|proof| {
        let word = if proof.proved { "proved" } else { "NOT PROVED" };
        vec![
            proof.barrier.to_owned(),
            proof.tried.clone(),
            ui.lang.word(word),
            proof.result.clone(),
        ]
    });
    ui.table(&["BARRIER", "TRIED", "", "RESULT"], rows);
    ui.result(&match one.frozen.as_slice() {
        [] => "Frozen: nothing. No freeze policy exists while no upgrade runs.".to_owned(),
        meshes => format!("Frozen: {}", meshes.join(", ")),
    });
    if !one.webhook {
        ui.result("Not installed: the webhook. Without it:");
        for difference in coverage::without_webhook() {
            ui.result(&format!("  - {difference}"));
        }
    }
    ui.result("");
}
