//! Wires it all: client, caches, certificate, both servers, and the drain at the end.

use crate::{
    Args,
    authority::Authority,
    exempt, facts,
    follow::{self, Told},
    handler::Reviews,
    health::Health,
    heard::ListenLayer,
    here,
    listen::listen,
    metrics::Metrics,
    prompt, record, report, server,
    tls::{Certificate, Source},
    way_back,
};
use anyhow::Context as _;
use axum::http::{HeaderValue, header};
use axum_server::Handle;
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use shared::{
    catalog::Catalog,
    guard::{Facts, certificates::Times},
    prompt::Here,
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// At the end each answer asks to close its connection, for so long: closing one that is idle could meet the next
/// review on its way, and fail it.
const FAREWELL: Duration = Duration::from_secs(5);
/// Then reviews under way get this long to end.
const DRAIN: Duration = Duration::from_secs(20);
/// Whoever is asked and silent for longer is gone. Watches last less, see [`follow::watched`].
const READ_TIMEOUT: Duration = Duration::from_secs(35);
/// How audit logs name this program.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("mesh-upgrade-webhook/v", env!("CARGO_PKG_VERSION")));
/// Runs the webhook until it is told to end.
///
/// # Errors
/// When the cluster's configuration cannot be read, a port cannot be bound, or a server fails.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let Args {
        bind,
        port,
        health_port,
        tls_dir,
        serving_certificate_lifetime: lifetime,
        authority_settle_time: settle,
        member_dir,
        kubeconfig,
    } = args;
    let times = Times::new(lifetime, settle).context("--serving-certificate-lifetime and --authority-settle-time")?;
    let mut terminated = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let metrics = Arc::new(Metrics::default());
    let client = client(kubeconfig.as_deref(), Arc::clone(&metrics)).await?;
    let review_listener = listen(bind, port)?;
    let health_listener = listen(bind, health_port)?;
    let address = review_listener
        .local_addr()
        .context("the port for reviews has no address")?;

    let built_in = Catalog::embedded()?;
    let (catalog, catalog_in_use) = watch::channel(None);
    let (facts, known) = watch::channel(Arc::new(Facts {
        flavors: facts::flavors_of(&built_in),
        ..Facts::default()
    }));
    let (validity, certificate) = watch::channel(None);
    let health = Health {
        synced: Arc::default(),
        draining: Arc::default(),
        certificate,
        metrics: Arc::clone(&metrics),
    };
    let (ways_back, uses) = way_back::ways_back();
    let reviews = Reviews {
        facts: known,
        metrics: Arc::clone(&metrics),
        ways_back,
        synced: Arc::clone(&health.synced),
    };
    let draining: Arc<AtomicBool> = Arc::clone(&health.draining);
    let leaving = Arc::clone(&draining);
    let (review_handle, health_handle) = (Handle::new(), Handle::new());

    let recording = record::keep(client.clone(), reviews.facts.clone());
    let (here, is_here) = watch::channel(Here::default());
    let knowing_here = here::keep(client.clone(), member_dir.clone(), here);
    let reporting = report::keep(member_dir, reviews.facts.clone(), is_here.clone());
    let prompting = prompt::keep(
        client.clone(),
        reviews.facts.clone(),
        catalog_in_use,
        is_here,
        Arc::clone(&health.synced),
    );
    let telling = uses.keep(client.clone());
    let watch_exempt = exempt::watch(client.clone(), Arc::clone(&metrics));
    let source = match tls_dir {
        Some(directory) => Source::Directory(directory),
        None => Source::Authority(Box::new(Authority::new(client.clone(), times, Arc::clone(&metrics)))),
    };
    let told = Told {
        facts,
        catalog,
        synced: Arc::clone(&health.synced),
    };
    let follow = follow::follow(client, built_in, told);
    let serve_health = server::serve_health(health_listener, health, health_handle.clone());
    let serve_reviews = async {
        let certificate = Certificate::first(source, validity, metrics).await;
        let served = certificate.served();
        tracing::info!(%address, "serving reviews");
        tokio::select! {
            ended = server::serve_reviews(
                review_listener,
                served,
                server::router(reviews),
                leaving,
                review_handle.clone(),
            ) => ended,
            () = certificate.follow() => Ok(()),
        }
    };
    let drain = async {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        tracing::info!("draining");
        draining.store(true, Ordering::Relaxed);
        tokio::time::sleep(FAREWELL).await;
        review_handle.graceful_shutdown(Some(DRAIN));
        // The server for reviews ends the process; without a certificate there is none yet.
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = serve_reviews => ended.context("the server for reviews failed")?,
        ended = serve_health => ended.context("the server for health failed")?,
        () = follow => anyhow::bail!("the caches ended"),
        () = recording => anyhow::bail!("the record of the meshes' versions ended"),
        () = prompting => anyhow::bail!("the statuses of the meshes are no longer written"),
        () = telling => anyhow::bail!("the ways back that are used are no longer told of"),
        () = knowing_here => anyhow::bail!("this cluster is no longer looked at"),
        () = reporting => anyhow::bail!("this cluster is no longer reported"),
        () = watch_exempt => anyhow::bail!("the watch over what no guard is asked about ended"),
        () = drain => {}
    }
    health_handle.shutdown();
    tracing::info!("ended");
    Ok(())
}

/// The way to a cluster, which hears who asks, and is given up when it is silent for too long.
pub(crate) fn introduced(mut config: Config) -> Config {
    config.read_timeout = Some(READ_TIMEOUT);
    // Counted from each question, and not from when its connection went idle.
    config.reset_reader_on_write = true;
    config.headers.push((header::USER_AGENT, USER_AGENT));
    config
}

async fn client(kubeconfig: Option<&Path>, metrics: Arc<Metrics>) -> anyhow::Result<Client> {
    let config = match kubeconfig {
        Some(path) => {
            let read = Kubeconfig::read_from(path).with_context(|| format!("cannot read {}", path.display()))?;
            Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
                .await
                .with_context(|| format!("{} leads to no cluster", path.display()))?
        }
        None => Config::incluster().context("not running in a cluster; give --kubeconfig FILE to run elsewhere")?,
    };
    let builder =
        ClientBuilder::try_from(introduced(config)).context("cannot make a client of the cluster's configuration")?;
    Ok(builder.with_layer(&ListenLayer(metrics)).build())
}
