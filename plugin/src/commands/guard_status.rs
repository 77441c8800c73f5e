//! `guard status`: each barrier in each cluster proved by dry runs, and what is protected and what is not.

use super::Scene;
use crate::{
    cli::Global,
    cluster::{Cluster, ObserveOptions},
    error::{CommandError, Exit},
    guard::prove::{self, Proof},
    ui::{Layout, Mark, Output, Ui, strong},
};
use serde::Serialize;
use shared::{
    guard::coverage::{self, Protected, When},
    guide::shell::quote,
    inventory::{ClusterState, Observed},
};
use std::collections::BTreeMap;

/// The guard in one cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Guarded {
    cluster: String,
    /// Why the cluster could not be asked; it counts as unguarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
    installed: bool,
    #[serde(skip)]
    policies: bool,
    webhook: bool,
    frozen: Vec<String>,
    proofs: Vec<Proof>,
    /// What the barriers that stand in it refuse.
    protected: Vec<Protected>,
}

impl Guarded {
    fn is_proved(&self) -> bool {
        self.unproved().is_empty()
    }

    /// What is not proved, or why nothing is.
    fn unproved(&self) -> Vec<&str> {
        if self.unknown.is_some() {
            return vec!["it could not be asked"];
        }
        if !self.installed {
            return vec!["the guard is not installed"];
        }
        let unproved = self.proofs.iter().filter(|proof| !proof.proved);
        unproved.map(|proof| proof.barrier).collect()
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
                "clusters": all, "protected": everywhere(&all), "withoutWebhook": coverage::without_webhook(),
                "unprotected": coverage::unprotected(),
            }),
        )?;
        return Ok(exit);
    }
    print(ui, &all);
    ui.next(&next(&all, &scene.contexts()));
    Ok(exit)
}

/// What mends the first cluster that the guard is not proved in.
fn next(all: &[Guarded], contexts: &BTreeMap<String, String>) -> String {
    let known = || all.iter().filter(|one| one.unknown.is_none());
    let without = known().find(|one| !one.installed);
    let mends = match without.or_else(|| known().find(|one| !one.is_proved())) {
        Some(mends) => mends,
        None if all.iter().all(Guarded::is_proved) => return "kubectl mesh-upgrade list".to_owned(),
        None => return "kubectl mesh-upgrade guard status".to_owned(),
    };
    match contexts.get(&mends.cluster) {
        Some(_) if all.len() == 1 && mends.installed => "kubectl mesh-upgrade guard install".to_owned(),
        Some(context) => format!("kubectl mesh-upgrade guard install --context {}", quote(context)),
        // Only a Secret of Istio's leads there, and that is for reading.
        None => format!(
            "with a context of your own for cluster {}: kubectl mesh-upgrade guard install --context NAME",
            mends.cluster
        ),
    }
}

async fn guarded(cluster: &Cluster, observed: &Observed) -> Result<Guarded, CommandError> {
    let guard = &observed.guard;
    let installed = guard.crds || guard.policies;
    let mut one = Guarded {
        cluster: cluster.name.clone(),
        unknown: None,
        installed,
        policies: guard.policies,
        webhook: guard.webhook,
        frozen: Vec::new(),
        proofs: Vec::new(),
        protected: coverage::protected_by(guard.policies, guard.webhook),
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
        policies: false,
        webhook: false,
        frozen: Vec::new(),
        proofs: Vec::new(),
        protected: Vec::new(),
    }
}

/// What is protected in each of the clusters, for programs: what one of them goes without is not said of all.
fn everywhere(all: &[Guarded]) -> Vec<Protected> {
    coverage::protected_by(all.iter().all(|one| one.policies), all.iter().all(|one| one.webhook))
}

/// What is protected in any of them, for people, who read of each cluster what it goes without.
fn anywhere(all: &[Guarded]) -> Vec<Protected> {
    coverage::protected_by(all.iter().any(|one| one.policies), all.iter().any(|one| one.webhook))
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
    if ui.layout == Layout::Wide {
        print_coverage(ui, all);
    } else {
        ui.note("What is protected, and what is not: kubectl mesh-upgrade guard status -o wide\n");
    }
    for one in all {
        let unproved = one.unproved();
        ui.result(&if unproved.is_empty() {
            format!(
                "{} Every barrier is proved in cluster {}.",
                ui.mark(Mark::Pass),
                one.cluster
            )
        } else {
            format!(
                "{} NOT PROVED in {}: {}",
                ui.mark(Mark::Block),
                one.cluster,
                unproved.join("; ")
            )
        });
    }
}

/// What holds of every cluster alike, whatever was proved.
fn print_coverage(ui: Ui, all: &[Guarded]) {
    ui.result("Protected:");
    let yes = |is: bool| ui.lang.word(if is { "yes" } else { "-" });
    let rows = anywhere(all).into_iter().map(|row| {
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
    ui.result("");
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
    ui.table(&["BARRIER", "TRIED", "PROOF", "RESULT"], rows);
    ui.result(&match one.frozen.as_slice() {
        [] => "Frozen: nothing. No freeze policy exists while no upgrade runs.".to_owned(),
        meshes => format!("Frozen: {}", meshes.join(", ")),
    });
    if !one.webhook && ui.layout != Layout::Wide {
        ui.result("Not installed: the webhook. What goes without it: kubectl mesh-upgrade guard status -o wide");
    } else if !one.webhook {
        ui.result("Not installed: the webhook. Without it:");
        for difference in coverage::without_webhook() {
            ui.result(&format!("  - {difference}"));
        }
    }
    ui.result("");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(cluster: &str, webhook: bool) -> Guarded {
        Guarded {
            installed: true,
            unknown: None,
            policies: true,
            webhook,
            protected: coverage::protected_by(true, webhook),
            ..unknown(cluster, "")
        }
    }

    #[test]
    fn what_is_not_proved_is_named_and_mended_next() {
        let contexts = BTreeMap::from([
            ("east".to_owned(), "admin@east".to_owned()),
            ("west".to_owned(), "west".to_owned()),
        ]);
        let proof = |barrier: &'static str, proved: bool| Proof {
            barrier,
            tried: String::new(),
            result: String::new(),
            proved,
        };
        let broken = |cluster: &str| Guarded {
            proofs: vec![
                proof("impersonation", true),
                proof("webhook, certificate", false),
                proof("webhook, versions", false),
            ],
            ..one(cluster, true)
        };
        let without = || Guarded {
            installed: false,
            ..one("west", false)
        };
        assert_eq!(broken("east").unproved(), ["webhook, certificate", "webhook, versions"]);
        for (all, expected) in [
            (vec![one("east", true)], "kubectl mesh-upgrade list"),
            (vec![broken("east")], "kubectl mesh-upgrade guard install"),
            (
                vec![one("west", true), broken("east")],
                "kubectl mesh-upgrade guard install --context admin@east",
            ),
            (
                vec![broken("east"), without()],
                "kubectl mesh-upgrade guard install --context west",
            ),
            (
                vec![one("east", true), broken("north")],
                "with a context of your own for cluster north: kubectl mesh-upgrade guard install --context NAME",
            ),
            (
                vec![one("east", true), unknown("west", "it was not asked")],
                "kubectl mesh-upgrade guard status",
            ),
        ] {
            assert_eq!(next(&all, &contexts), expected);
        }
    }

    #[test]
    fn no_webhook_is_told_of_a_cluster_that_has_none() {
        let by_webhook = |rows: &[Protected]| rows.iter().filter(|row| row.webhook).count();
        let both = [one("east", true), one("west", false)];
        assert!(by_webhook(&both[0].protected) > 10);
        assert_eq!(by_webhook(&both[1].protected), 0);
        assert_eq!(
            by_webhook(&everywhere(&both)),
            0,
            "a program would take west for protected"
        );
        assert!(by_webhook(&anywhere(&both)) > 10);
        assert_eq!(by_webhook(&anywhere(&both[1..])), 0);
        assert!(!anywhere(&both[1..]).is_empty());
        let silent = [one("east", true), unknown("west", "it was not asked")];
        assert_eq!(everywhere(&silent), [], "what cannot be asked counts as unguarded");
    }
}
