//! `guard install|status|uninstall`: the admission side, put up, proved and taken away.

use super::{Scene, refuse_contexts, refuse_impersonation};
use crate::{
    cli::{Global, GuardCommand, GuardInstallArgs},
    cluster::{self, Cluster, ObserveOptions},
    error::{CommandError, Exit},
    executor::{effects::observed, journal},
    guard::{apply, prove},
    ui::{Mark, Output, Ui, table},
};
use kube::ResourceExt;
use serde_json::json;
use shared::{
    guard::{
        coverage::Coverage,
        install::{Certificates, InstallOptions, WebhookClient, all_objects, objects},
    },
    inventory::ClusterState,
    names,
};

/// Runs `guard`.
///
/// # Errors
/// When the cluster cannot be read or refuses; for `uninstall` also while an upgrade runs.
pub async fn run(command: GuardCommand, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    match command {
        GuardCommand::Install(args) => install(&args, global, ui).await,
        GuardCommand::Status => status(global, ui).await,
        GuardCommand::Uninstall => uninstall(global, ui).await,
    }
}

async fn install(args: &GuardInstallArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_impersonation(global, "guard install")?;
    refuse_contexts(global, "guard install")?;
    if let Some(url) = &args.webhook_url {
        check_url(url)?;
    }
    let cluster = cluster::connect(&global.cluster()).await?;
    refuse_during_unguarded_upgrade(&cluster).await?;
    if args.cert_manager && !apply::serves_cert_manager(&cluster.client).await? {
        return Err(
            CommandError::blocked(format!("cluster {} has no cert-manager", cluster.name))
                .hint("install it first, or leave --cert-manager out: the webhook then makes its certificates itself"),
        );
    }
    // The CRDs and the namespace, which an unguarded upgrade needs, too.
    apply::ensure_journal(&cluster).await?;
    ui.progress(Mark::Pass, "custom resources served");
    let mut options = options(args);
    if let Some(ports) = apply::api_server_ports(&cluster.client).await {
        options.api_server_ports = ports;
    }
    if !args.policy_only {
        options.coverage = coverage(&cluster, ui).await?;
    }
    for object in objects(&options) {
        apply::apply(&cluster.client, &object).await?;
        ui.progress(Mark::Pass, &apply::show(&object));
    }
    ui.result(&format!(
        "{} The guard is installed in cluster {}.",
        ui.mark(Mark::Pass),
        cluster.name
    ));
    if args.policy_only {
        ui.note("Only its policies: skip-version, downgrade and mixed-flavor changes are not refused while no upgrade runs.");
    }
    ui.next("kubectl mesh-upgrade guard status");
    Ok(Exit::Done)
}

/// What the webhook is to be asked about: what is found of Istio, and what is frozen. Where nothing is found, or nothing
/// can be seen, it is what Istio's documentation calls everything.
async fn coverage(cluster: &Cluster, ui: Ui) -> Result<Coverage, CommandError> {
    let observed = match cluster::observe(cluster, &ObserveOptions::default()).await.state {
        ClusterState::Observed(observed) => {
            for what in &observed.unreadable {
                ui.note(&format!(
                    "not seen, so perhaps not guarded against foreign helm: {what}"
                ));
            }
            Coverage::of_cluster(&observed)
        }
        ClusterState::Unknown { reason } => {
            ui.note(&format!("helm releases could not be looked for: {reason}"));
            Coverage::default()
        }
    };
    let found = if observed.helm_releases.is_empty() {
        observed.and(Coverage::documented())
    } else {
        observed
    };
    let frozen = prove::freezes(cluster).await?;
    let frozen = frozen.iter().map(|freeze| Coverage::of_scope(&freeze.spec.scope));
    Ok(frozen.fold(found, Coverage::and))
}

/// The guard lets only the driver write journals: an upgrade that began without it could then never end.
async fn refuse_during_unguarded_upgrade(cluster: &Cluster) -> Result<(), CommandError> {
    let running = journal::unfinished(&cluster.client, None).await?;
    match running.iter().find(|journal| journal.spec.unguarded.is_some()) {
        None => Ok(()),
        Some(journal) => Err(CommandError::blocked(format!(
            "the upgrade {} has begun without the guard, and ends without it",
            journal.name_any()
        ))
        .hint(format!(
            "finish it first: kubectl mesh-upgrade apply {}",
            journal.spec.mesh
        ))),
    }
}

fn options(args: &GuardInstallArgs) -> InstallOptions {
    let defaults = InstallOptions::default();
    InstallOptions {
        policy_only: args.policy_only,
        image: args.image.clone().unwrap_or(defaults.image),
        client: args
            .webhook_url
            .clone()
            .map_or(WebhookClient::Service, WebhookClient::Url),
        certificates: if args.cert_manager {
            Certificates::CertManager
        } else {
            Certificates::Own
        },
        replicas: args.replicas,
        flavors: args.flavors.clone(),
        ..InstallOptions::default()
    }
}

/// The API server speaks only https to webhooks.
fn check_url(url: &str) -> Result<(), CommandError> {
    let uri = url.parse::<http::Uri>().ok();
    match uri.filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some()) {
        Some(_) => Ok(()),
        None => Err(
            CommandError::usage(format!("--webhook-url {url:?} is no URL of a webhook"))
                .hint("as in https://webhook.example:8443"),
        ),
    }
}

async fn status(global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    let scene = Scene::observe_alone(global, "guard status", ObserveOptions::default()).await?;
    let Some(observed) = observed(&scene.inventory, &scene.cluster.name) else {
        return Err(CommandError::error(format!(
            "cluster {} cannot be read",
            scene.cluster.name
        )));
    };
    let guard = observed.guard;
    if !guard.crds && !guard.policies {
        return Err(
            CommandError::blocked(format!("the guard is not installed in cluster {}", scene.cluster.name))
                .hint("install it with: kubectl mesh-upgrade guard install"),
        );
    }
    let proofs = prove::all(&scene.cluster, observed).await?;
    let frozen: Vec<String> = prove::freezes(&scene.cluster)
        .await?
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    let exit = if proofs.iter().all(|proof| proof.proved) {
        Exit::Done
    } else {
        Exit::Blocked
    };
    if ui.output != Output::Text {
        ui.document(
            "GuardStatus",
            json!({
                "cluster": scene.cluster.name, "webhook": guard.webhook, "frozen": frozen, "proofs": proofs,
                "unprotected": prove::unprotected(),
            }),
        )?;
        return Ok(exit);
    }
    let rows = proofs.iter().map(|proof| {
        let word = if proof.proved { "proved" } else { "NOT PROVED" };
        vec![
            proof.barrier.to_owned(),
            proof.tried.clone(),
            word.to_owned(),
            proof.result.clone(),
        ]
    });
    ui.result(&table(&["BARRIER", "TRIED", "", "RESULT"], rows));
    ui.result(&match frozen.as_slice() {
        [] => "\nFrozen: nothing. No freeze policy exists while no upgrade runs.".to_owned(),
        meshes => format!("\nFrozen: {}", meshes.join(", ")),
    });
    if !guard.webhook {
        ui.result("Not installed: the webhook. Skip-version and mixed-flavor changes are not refused.");
    }
    ui.result("Not protected:");
    for what in prove::unprotected() {
        ui.result(&format!("  - {what}"));
    }
    ui.next("kubectl mesh-upgrade list");
    Ok(exit)
}

async fn uninstall(global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_impersonation(global, "guard uninstall")?;
    refuse_contexts(global, "guard uninstall")?;
    let cluster = cluster::connect(&global.cluster()).await?;
    if let Some(running) = journal::unfinished(&cluster.client, None).await?.first() {
        return Err(CommandError::blocked(format!(
            "the upgrade {} has begun: the guard stays until it has ended",
            running.name_any()
        ))
        .hint(format!(
            "go on with it: kubectl mesh-upgrade apply {}",
            running.spec.mesh
        )));
    }
    if let Some(record) = prove::freezes(&cluster).await?.first() {
        return Err(CommandError::blocked(format!(
            "mesh {} is frozen: the guard stays until it is thawed",
            record.name_any()
        ))
        .hint("see who holds it: kubectl mesh-upgrade guard status"));
    }
    for object in all_objects().iter().rev() {
        apply::delete(&cluster.client, object).await?;
        ui.progress(Mark::Pass, &format!("deleted {}", apply::show(object)));
    }
    ui.result("The guard is removed. Its CRDs stay, with the journals of past upgrades.");
    ui.next(&format!(
        "kubectl delete crd meshupgrades.{g} meshfreezes.{g} meshes.{g}   (deletes the journals)",
        g = names::GROUP
    ));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_reached_by_https_only() {
        assert!(check_url("https://localhost:8443").is_ok());
        for url in ["http://localhost", "localhost:8443", "https://", ""] {
            assert_eq!(check_url(url).unwrap_err().exit, Exit::Usage, "{url}");
        }
    }
}
