//! `guard install`: the admission side, put up.

use super::{frozen, guard_status, living, refuse_contexts, refuse_namespace, refuse_to_write_as, uninstall};
use crate::{
    cli::{Global, GuardCommand, GuardInstallArgs},
    cluster::{self, Cluster, ObserveOptions},
    error::{CommandError, Exit},
    executor::journal,
    guard::{apply, lift, prove, rollout, standing},
    ui::{Mark, Output, Ui},
};
use kube::{Client, ResourceExt};
use serde_json::json;
use shared::{
    api::{MeshFreeze, MeshFreezeSpec},
    guard::{
        asked::Coverage,
        coverage::without_webhook,
        install::{Certificates, InstallOptions, WebhookClient, left_out, objects},
        release,
        rules::TIMEOUT_SECONDS,
        standing::{Asked, Standing},
    },
    inventory::{ClusterState, Observed},
    names,
};

/// Runs `guard`.
///
/// # Errors
/// When the cluster cannot be read or refuses; for `uninstall` also while an upgrade runs.
pub async fn run(command: GuardCommand, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_namespace(global, "guard")?;
    match command {
        GuardCommand::Install(args) => install(&args, global, ui).await,
        GuardCommand::Status => guard_status::run(global, ui).await,
        GuardCommand::Uninstall(args) => uninstall::run(&args, global, ui).await,
    }
}

async fn install(args: &GuardInstallArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_to_write_as(global, "guard install")?;
    refuse_contexts(global, "guard install")?;
    if let Some(url) = &args.webhook_url {
        check_url(url)?;
    }
    let cluster = cluster::connect(&global.cluster()).await?;
    refuse_during_unguarded_upgrade(&cluster).await?;
    refuse_beside_driver(&cluster.client, ui).await?;
    let freezes = prove::freezes(&cluster).await?;
    let home = async |freeze: &MeshFreeze| frozen::home_of(global, freeze).await.map(|home| home.client);
    refuse_beside_driver_elsewhere(&freezes, home, ui).await?;
    let standing = if args.reset {
        Standing::default()
    } else {
        let (standing, release) = standing::read(&cluster.client).await?;
        refuse_later_guard(release.as_deref())?;
        standing
    };
    let takes_webhook_away = args.policy_only && (args.reset || standing.has_webhook());
    if takes_webhook_away {
        refuse_without_webhook(&cluster).await?;
    }
    if args.cert_manager && !apply::serves_cert_manager(&cluster.client).await? {
        return Err(
            CommandError::blocked(format!("cluster {} has no cert-manager", cluster.name))
                .hint("install it first, or leave --cert-manager out: the webhook then makes its certificates itself"),
        );
    }
    // The CRDs and the namespace, which an unguarded upgrade needs, too.
    apply::ensure_journal(&cluster).await?;
    ui.progress(Mark::Pass, "custom resources served");
    let (mut options, kept) = standing.options(&asked(args));
    if !kept.is_empty() {
        ui.note(&format!(
            "kept, as the guard is installed: {}; the defaults come with --reset",
            kept.join(" ")
        ));
    }
    if let Some(ports) = apply::api_server_ports(&cluster.client).await {
        options.api_server_ports = ports;
    }
    let mut seen = None;
    if !options.policy_only {
        (options.coverage, seen) = coverage(&cluster, ui).await?;
    }
    for object in objects(&options) {
        apply::apply(&cluster.client, &object).await?;
        ui.progress(Mark::Pass, &apply::show(&object));
    }
    // Pods whose webhook runs outside of the cluster from now on would only cost: nobody asks them.
    let moves_out = options.client != WebhookClient::Service && (args.reset || standing.has_pods());
    if takes_webhook_away || moves_out {
        // Its configuration first: nothing is asked any more of what goes then.
        for object in left_out(&options).iter().rev() {
            if apply::delete(&cluster.client, object).await? {
                ui.progress(Mark::Pass, &format!("deleted {}", apply::show(object)));
            }
        }
    }
    let mut is_reached = None;
    if rollout::brings_pods(&options) {
        rollout::wait(&cluster.client).await?;
        ui.progress(Mark::Pass, "the webhook is available");
        if let Some(observed) = &seen {
            is_reached = reach(&cluster, observed, ui).await;
        }
    }
    ui.result(&format!(
        "{} The guard is installed in cluster {}.",
        ui.mark(Mark::Pass),
        cluster.name
    ));
    if ui.output != Output::Text {
        ui.document("GuardInstalled", document(&cluster, &options, &kept, is_reached))?;
    }
    if options.policy_only {
        ui.note("Only its policies. Without the webhook:");
        for difference in without_webhook() {
            ui.note(&format!("  - {difference}"));
        }
    }
    ui.next("kubectl mesh-upgrade guard status");
    Ok(Exit::Done)
}

/// Tells whether the API server reaches the webhook: pods that are ready say nothing of the way to them. `None` where there is
/// nothing to try it on.
async fn reach(cluster: &Cluster, observed: &Observed, ui: Ui) -> Option<bool> {
    let proof = prove::reached(cluster, observed).await?;
    if proof.proved {
        ui.progress(Mark::Pass, "the API server reaches the webhook");
    } else {
        let why = &proof.result;
        ui.progress(
            Mark::Warn,
            &format!("it is not proved that the API server reaches the webhook: {why}"),
        );
        ui.note(&format!(
            "until it does, changes of Deployments, DaemonSets and Istio configuration wait up to {TIMEOUT_SECONDS} s each, and no upgrade can freeze the mesh"
        ));
    }
    Some(proof.proved)
}

fn document(
    cluster: &Cluster,
    options: &InstallOptions,
    kept: &[String],
    is_reached: Option<bool>,
) -> serde_json::Value {
    let url = match &options.client {
        WebhookClient::Url(url) => Some(url),
        WebhookClient::Service => None,
    };
    let in_cluster = !options.policy_only && url.is_none();
    json!({
        "cluster": cluster.name, "policyOnly": options.policy_only, "webhookURL": url,
        "image": in_cluster.then_some(&options.image), "replicas": in_cluster.then_some(options.replicas),
        "imagePullSecrets": in_cluster.then_some(&options.image_pull_secrets),
        "certManager": in_cluster && options.certificates == Certificates::CertManager, "kept": kept,
        "webhookReached": is_reached,
    })
}

/// What the webhook is to be asked about: what is found of Istio, and what is frozen. Where nothing is found, or nothing
/// can be seen, it is what Istio's documentation calls everything. With it what was seen.
async fn coverage(cluster: &Cluster, ui: Ui) -> Result<(Coverage, Option<Box<Observed>>), CommandError> {
    let (observed, seen) = match cluster::observe(cluster, &ObserveOptions::default()).await.state {
        ClusterState::Observed(observed) => {
            for what in &observed.unreadable {
                ui.note(&format!(
                    "not seen, so perhaps not guarded against foreign helm: {what}"
                ));
            }
            (Coverage::of_cluster(&observed), Some(observed))
        }
        ClusterState::Unknown { reason } => {
            ui.note(&format!("helm releases could not be looked for: {reason}"));
            (Coverage::default(), None)
        }
    };
    let found = if observed.helm_releases.is_empty() {
        observed.and(Coverage::documented())
    } else {
        observed
    };
    let frozen = prove::freezes(cluster).await?;
    let frozen = frozen.iter().map(|freeze| Coverage::of_scope(&freeze.spec.scope));
    Ok((frozen.fold(found, Coverage::and), seen))
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

/// A driver at work puts back what is changed of the guard: what is installed beside it would be undone within seconds. While
/// nobody drives, the guard may be brought up to date under a freeze.
async fn refuse_beside_driver(client: &Client, ui: Ui) -> Result<(), CommandError> {
    let running = journal::unfinished(client, None).await?;
    for journal in running.iter().filter(|journal| journal.spec.unguarded.is_none()) {
        refuse_living(client.clone(), &journal.spec.mesh, &journal.name_any(), ui).await?;
    }
    Ok(())
}

/// The same of drivers whose journal and lease are in another cluster, the home: what is frozen here names it.
async fn refuse_beside_driver_elsewhere(
    freezes: &[MeshFreeze],
    home: impl AsyncFn(&MeshFreeze) -> Result<Client, String>,
    ui: Ui,
) -> Result<(), CommandError> {
    for freeze in freezes {
        let MeshFreezeSpec {
            mesh, upgrade, holder, ..
        } = &freeze.spec;
        let Some(name) = &freeze.spec.home else { continue };
        match home(freeze).await {
            Ok(home) => refuse_living(home, mesh, upgrade, ui).await?,
            Err(why) => ui.progress(
                Mark::Warn,
                &format!(
                    "whether {holder} is driving the upgrade {upgrade}, which has frozen mesh {mesh} here, is not known: its \
                     lease is in cluster {name}: {why}"
                ),
            ),
        }
    }
    Ok(())
}

/// An older plugin knows less: its definitions prune what newer journals hold, and its webhook and rights are of yesterday.
fn refuse_later_guard(release: Option<&str>) -> Result<(), CommandError> {
    match release.filter(|release| release::is_later(names::VERSION, release)) {
        None => Ok(()),
        Some(release) => Err(CommandError::blocked(format!(
            "the guard that is installed is of release {release}, later than this plugin ({}), which would take it back",
            names::VERSION
        ))
        .hint("update this plugin: kubectl krew upgrade mesh-upgrade")
        .hint("or take it back to this plugin's release and defaults: kubectl mesh-upgrade guard install --reset")),
    }
}

async fn refuse_living(home: Client, mesh: &str, upgrade: &str, ui: Ui) -> Result<(), CommandError> {
    let held = |driver: &str| {
        CommandError::new(Exit::Held, format!("{driver} is driving the upgrade {upgrade}"))
            .hint("stop that driver first (Ctrl-C there ends it after its step): it would put the guard back as it was")
    };
    living::refuse_living(home, mesh, ui, held).await
}

/// One barrier is not taken away while it is needed.
async fn refuse_without_webhook(cluster: &Cluster) -> Result<(), CommandError> {
    let running = journal::unfinished(&cluster.client, None).await?;
    let frozen = lift::frozen(cluster).await?;
    uninstall::refuse(&running, frozen.into_keys().next())
}

fn asked(args: &GuardInstallArgs) -> Asked {
    Asked {
        policy_only: args.policy_only,
        cert_manager: args.cert_manager,
        image: args.image.clone(),
        image_pull_secrets: args.image_pull_secrets.clone(),
        webhook_url: args.webhook_url.clone(),
        replicas: args.replicas,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Format;
    use http::{Request, Response};
    use kube::client::Body;
    use shared::api::{MeshUpgrade, MeshUpgradeSpec, Plan, Unguarded};
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    #[test]
    fn a_webhook_is_reached_by_https_only() {
        assert!(check_url("https://localhost:8443").is_ok());
        for url in ["http://localhost", "localhost:8443", "https://", ""] {
            assert_eq!(check_url(url).unwrap_err().exit, Exit::Usage, "{url}");
        }
    }

    #[test]
    fn a_later_guard_is_not_taken_back_in_silence() {
        assert!(refuse_later_guard(None).is_ok());
        assert!(refuse_later_guard(Some(names::VERSION)).is_ok());
        let refused = refuse_later_guard(Some("99.0.0")).unwrap_err();
        assert_eq!(refused.exit, Exit::Blocked);
        assert!(refused.hints().iter().any(|hint| hint.ends_with("--reset")));
    }

    /// A server with the journal of an upgrade that has begun, and its lease, which is renewed whenever it is read if
    /// somebody is alive.
    fn under_way(unguarded: bool, holder: Option<&'static str>) -> Client {
        let reads = Arc::new(AtomicU32::new(0));
        let server = tower::service_fn(move |request: Request<Body>| {
            let body = if request.uri().path().contains("/leases/") {
                let seconds = reads.fetch_add(1, Ordering::Relaxed);
                json!({
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "mesh-upgrade-shop" },
                    "spec": { "holderIdentity": holder, "renewTime": format!("2026-11-30T10:00:{seconds:02}.000000Z") },
                })
            } else {
                let spec = MeshUpgradeSpec {
                    unguarded: unguarded.then(|| Unguarded {
                        reason: "no guard yet".to_owned(),
                    }),
                    ..MeshUpgradeSpec::of("shop", "1.30.3", "1.31.0", Plan::default(), "alice")
                };
                json!({
                    "apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshUpgradeList", "metadata": {},
                    "items": [MeshUpgrade::new("shop-1.31.0-1", spec)],
                })
            };
            let response = Response::new(Body::from(body.to_string().into_bytes()));
            async move { Ok::<_, std::convert::Infallible>(response) }
        });
        Client::new(server, "default")
    }

    #[tokio::test]
    async fn nothing_is_installed_beside_a_driver_that_would_put_it_back() {
        let ui = Ui::new(Format::Text, None);
        let refused = refuse_beside_driver(&under_way(false, Some("alice on laptop")), ui).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.exit, Exit::Held);
        assert!(refused.to_string().contains("alice on laptop"), "{refused}");
        assert!(
            refuse_beside_driver(&under_way(false, None), ui).await.is_ok(),
            "nobody drives"
        );
        assert!(
            refuse_beside_driver(&under_way(true, Some("alice on laptop")), ui)
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_driver_whose_lease_is_in_another_cluster_is_found_there() {
        let ui = Ui::new(Format::Text, None);
        let frozen = |home: Option<&str>| {
            let spec = json!({
                "mesh": "shop", "upgrade": "shop-1.31.0-1", "home": home, "from": "1.30.3", "to": "1.31.0", "holder": "alice",
                "epoch": 1, "since": "2026-11-30T10:00:00Z", "scope": {},
            });
            [MeshFreeze::new("shop", serde_json::from_value(spec).unwrap())]
        };
        let alive = async |_: &MeshFreeze| Ok(under_way(false, Some("alice on laptop")));
        let refused = refuse_beside_driver_elsewhere(&frozen(Some("east")), alive, ui).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.exit, Exit::Held);
        assert!(
            refused
                .to_string()
                .contains("alice on laptop is driving the upgrade shop-1.31.0-1"),
            "{refused}"
        );
        let nobody = async |_: &MeshFreeze| Ok(under_way(false, None));
        assert!(
            refuse_beside_driver_elsewhere(&frozen(Some("east")), nobody, ui)
                .await
                .is_ok()
        );
        let unreached = async |_: &MeshFreeze| Err("no such context".to_owned());
        assert!(
            refuse_beside_driver_elsewhere(&frozen(Some("east")), unreached, ui)
                .await
                .is_ok()
        );
        // Judged by the journal that is here.
        assert!(refuse_beside_driver_elsewhere(&frozen(None), alive, ui).await.is_ok());
    }
}
