//! Follows what the rules look at, and makes new facts at every change. What cannot be watched yet, as a kind whose
//! CRD is not installed, is tried again with growing pauses.

use crate::{
    facts::{self, Caches},
    lean::{self, Lean},
};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    apps::v1::{DaemonSet, Deployment},
    core::v1::{ConfigMap, Container, PodSpec},
};
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt as _,
        reflector::{self, Store},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use shared::{
    api::{Mesh, MeshFreeze},
    catalog::{CONFIG_MAP, Catalog},
    guard::Facts,
    journals::Outline,
    names,
};
use std::{
    fmt::Debug,
    hash::Hash,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// How long the cluster's own catalog is waited for before the built-in one counts: it may not be readable at all.
const OWN_CATALOG: Duration = Duration::from_secs(10);
/// Label of istiod's Deployments, with and without a revision.
const ISTIOD: &str = "app=istiod";
/// Label of the webhook configurations by which an istiod injects, wherever it runs.
const INJECTOR: &str = "app=sidecar-injector";

type Changes = Pin<Box<dyn Stream<Item = ()> + Send>>;

/// What follows the cluster hand on.
pub(crate) struct Told {
    /// What the rules look at.
    pub facts: watch::Sender<Arc<Facts>>,
    /// The catalog that counts, once that is known.
    pub catalog: watch::Sender<Option<Arc<Catalog>>>,
    /// Whether all caches have been filled once.
    pub synced: Arc<AtomicBool>,
}

/// Keeps the facts current for ever, and says when all caches have been filled once.
pub(crate) async fn follow(client: Client, built_in: Catalog, told: Told) {
    let Told { facts, catalog, synced } = told;
    let all = watched;
    let (freezes, freeze_changes) = cache(Api::<Lean<MeshFreeze>>::all(client.clone()), all(), keep);
    // Journals as far as any plugin's are understood: a newer one's would otherwise keep this cache from ever being filled.
    let (upgrades, upgrade_changes) = cache(Api::<Lean<Outline>>::all(client.clone()), all(), keep);
    let (meshes, mesh_changes) = cache(Api::<Lean<Mesh>>::all(client.clone()), all(), keep);
    let (istiods, istiod_changes) = cache(
        Api::<Lean<Deployment>>::all(client.clone()),
        all().labels(ISTIOD),
        |istiod| {
            istiod.status = None;
        },
    );
    let (injectors, injector_changes) = cache(
        Api::<Lean<MutatingWebhookConfiguration>>::all(client.clone()),
        all().labels(INJECTOR),
        |injector| injector.webhooks = None,
    );
    // Few in any cluster, and ztunnel's has no label of its own in older charts.
    let (daemon_sets, daemon_set_changes) = cache(Api::<Lean<DaemonSet>>::all(client.clone()), all(), strip);
    let (catalogs, catalog_changes) = cache(
        Api::<Lean<ConfigMap>>::namespaced(client, names::NAMESPACE),
        all().fields(&format!("metadata.name={CONFIG_MAP}")),
        keep,
    );
    // What is built in stays known. The cluster's own catalog is read only when it changes: it is a long text.
    let built_in_flavors = facts::flavors_of(&built_in);
    let built_in = Arc::new(built_in);
    let flavors = Mutex::new(built_in_flavors.clone());
    let learn = || {
        let mut own = facts::own_catalogs(&catalogs.state());
        let mut known = built_in_flavors.clone();
        let new = own.iter().flat_map(facts::flavors_of);
        known.extend(new.filter(|flavor| !built_in_flavors.contains(flavor)));
        *flavors.lock().unwrap_or_else(PoisonError::into_inner) = known;
        catalog.send_replace(Some(own.pop().map_or_else(|| Arc::clone(&built_in), Arc::new)));
    };
    let without_own = async {
        let listed = tokio::time::timeout(OWN_CATALOG, catalogs.wait_until_ready()).await;
        if !matches!(listed, Ok(Ok(()))) {
            let nothing_yet = |catalog: &mut Option<Arc<Catalog>>| {
                let missing = catalog.is_none();
                if missing {
                    *catalog = Some(Arc::clone(&built_in));
                }
                missing
            };
            catalog.send_if_modified(nothing_yet);
        }
    };
    let rebuild = || {
        let flavors = flavors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = facts::build(&Caches {
            freezes: freezes.state(),
            upgrades: upgrades.state(),
            meshes: meshes.state(),
            istiods: istiods.state(),
            injectors: injectors.state(),
            daemon_sets: daemon_sets.state(),
        });
        facts.send_replace(Arc::new(Facts { flavors, ..known }));
    };
    // Not waited for below: a cluster that does not let it be read, or has none, has the built-in catalog.
    let catalog_changes = catalog_changes.inspect(|()| learn()).boxed_local();
    let others = stream::select_all([
        freeze_changes,
        upgrade_changes,
        mesh_changes,
        istiod_changes,
        injector_changes,
        daemon_set_changes,
    ]);
    let mut changes = stream::select(others, catalog_changes);
    let all_filled = async {
        let filled = tokio::try_join!(
            freezes.wait_until_ready(),
            upgrades.wait_until_ready(),
            meshes.wait_until_ready(),
            istiods.wait_until_ready(),
            injectors.wait_until_ready(),
            daemon_sets.wait_until_ready(),
        );
        if filled.is_ok() {
            rebuild();
            synced.store(true, Ordering::Relaxed);
            tracing::info!("caches filled");
        }
    };
    let follow = async {
        while changes.next().await.is_some() {
            rebuild();
        }
    };
    tokio::join!(all_filled, without_own, follow);
}

/// How long a watch is asked to last. A connection that has died without a word, as behind a load balancer or with a node that
/// is gone, is noticed 5 s after that, and until then a replica would refuse a holder by a freeze of yesterday. A watch that
/// ends goes on from the version that it has come to: nothing is listed anew.
const LASTS: u32 = 25;

/// Everything of a kind, by watches that are short enough.
pub(crate) fn watched() -> watcher::Config {
    watcher::Config::default().timeout(LASTS)
}

/// For kinds of which everything may matter.
fn keep<K>(_: &mut K) {}

/// Leaves of other people's DaemonSets what tells that they are none of Istio's.
fn strip(daemon_set: &mut DaemonSet) {
    daemon_set.status = None;
    let pods = daemon_set.spec.as_mut().and_then(|spec| spec.template.spec.as_mut());
    if let Some(pods) = pods {
        let containers = std::mem::take(&mut pods.containers).into_iter();
        *pods = PodSpec {
            containers: containers
                .map(|container| Container {
                    name: container.name,
                    image: container.image,
                    ..Container::default()
                })
                .collect(),
            ..PodSpec::default()
        };
    }
}

/// A cache of a kind, of which `strip` takes away what is not needed, and its changes.
fn cache<K>(api: Api<Lean<K>>, config: watcher::Config, strip: fn(&mut K)) -> (Store<K>, Changes)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    <K as Resource>::DynamicType: Eq + Hash + Clone,
{
    let (store, writer) = reflector::store();
    let changes = watcher(api, config)
        .default_backoff()
        .map_ok(lean::without)
        .modify(strip)
        .reflect(writer)
        .filter_map(|event| async {
            match event {
                Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone) => Some(()),
                Ok(Event::Init | Event::InitApply(_)) => None,
                Err(error) => {
                    complain(&K::kind(&()), &error);
                    None
                }
            }
        });
    (store, Box::pin(changes))
}

/// Says what to do about the two causes that somebody has to remove.
pub(crate) fn complain(kind: &str, error: &watcher::Error) {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status.code),
        _ => None,
    };
    match status {
        Some(403 | 401) => tracing::error!(
            kind,
            %error,
            "not allowed to list and watch: apply manifests/guard/rbac.yaml, or give a kubeconfig that may"
        ),
        Some(404) => {
            tracing::warn!(
                kind,
                "the API server does not serve this kind yet: apply manifests/crds; waiting"
            );
        }
        _ => tracing::warn!(kind, %error, "watch failed; trying again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, Bytes};
    use http_body_util::BodyExt as _;
    use serde_json::json;
    use std::{convert::Infallible, future::ready};
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_died_without_a_word_begins_anew_in_half_a_minute_and_lists_nothing() {
        let begun = Instant::now();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let server = tower::service_fn(move |request: axum::http::Request<kube::client::Body>| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let body = if query.contains("watch=true") {
                Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())
            } else {
                let list = json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshFreezeList", "items": [],
                    "metadata": {"resourceVersion": "7"}});
                Body::from(list.to_string())
            };
            heard.lock().unwrap().push((begun.elapsed().as_secs(), query));
            ready(Ok::<_, Infallible>(axum::http::Response::new(body.boxed_unsync())))
        });
        let client = Client::new(server, "default");
        let (freezes, changes) = cache(Api::<Lean<MeshFreeze>>::all(client), watched(), keep);
        let followed = changes.for_each(|()| ready(()));
        tokio::time::timeout(Duration::from_secs(70), followed)
            .await
            .unwrap_err();
        assert!(freezes.wait_until_ready().await.is_ok());
        let asked = asked.lock().unwrap();
        let is_watch = |query: &str| query.contains("watch=true");
        let lists = asked.iter().filter(|(_, query)| !is_watch(query)).count();
        let watches = asked.iter().filter(|(_, query)| is_watch(query));
        let watches: Vec<u64> = watches
            .inspect(|(_, query)| {
                let asks = ["timeoutSeconds=25", "resourceVersion=7"];
                assert!(asks.iter().all(|ask| query.contains(ask)), "{query}");
            })
            .map(|(second, _)| *second)
            .collect();
        assert_eq!((lists, watches), (1, vec![0, 30, 60]));
    }
}
