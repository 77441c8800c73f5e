//! Watches what no guard is asked about while a mesh is frozen, and reports what changes: as a condition of the
//! MeshFreeze, as an Event, and as metrics. It needs no other cluster: what to compare with stands in the MeshFreeze.
//!
//! Every replica watches. They come to the same words, so that the first one's condition is the last one's, and their
//! Events have the same name.

use crate::{
    events,
    follow::{complain, watched},
    metrics::Metrics,
};
use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::{api::events::v1::Event as KubernetesEvent, jiff::Timestamp};
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    discovery,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde_json::json;
use shared::{
    api::{ExemptKind, MeshFreeze},
    event::{self, Report},
    fingerprint::{Change, Picture, describe, judge_freeze},
    machine::drift_condition,
    names,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// A difference must stand for so long: the record and the objects arrive by different watches.
const SETTLE: Duration = Duration::from_secs(3);
/// After a report that could not be written.
const RETRY: Duration = Duration::from_secs(5);

type Exempt = Pin<Box<dyn Stream<Item = (ExemptKind, watcher::Result<Event<DynamicObject>>)> + Send>>;

/// Watches for ever.
pub(crate) async fn watch(client: Client, metrics: Arc<Metrics>) {
    let kinds = served(&client).await;
    let mut exempt = stream::select_all(kinds.iter().map(|(kind, resource)| exempt(&client, *kind, resource)));
    let mut freezes = watcher(Api::<MeshFreeze>::all(client.clone()), watched())
        .default_backoff()
        .boxed();
    let mut watch = Watch {
        client,
        metrics,
        picture: Picture::default(),
        freezes: BTreeMap::new(),
        arriving: BTreeMap::new(),
        told: BTreeMap::new(),
    };
    let mut due: Option<Instant> = None;
    loop {
        let look = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some((kind, event)) = exempt.next() => watch.object(kind, event),
            Some(event) = freezes.next() => watch.freeze(event),
            () = look => {
                due = if watch.report().await { None } else { Some(Instant::now() + RETRY) };
                continue;
            }
        }
        // Not put off by further events: what changes all the time is reported all the same.
        due.get_or_insert_with(|| Instant::now() + SETTLE);
    }
}

/// Those of the exempt kinds that this API server serves; asked until it answers.
async fn served(client: &Client) -> Vec<(ExemptKind, ApiResource)> {
    loop {
        match discovery::group(client, ExemptKind::GROUP).await {
            Ok(group) => {
                let served = group.resources_by_stability();
                let found = |kind: ExemptKind| served.iter().find(|(resource, _)| resource.kind == kind.as_str());
                return ExemptKind::ALL
                    .into_iter()
                    .filter_map(|kind| Some((kind, found(kind)?.0.clone())))
                    .collect();
            }
            Err(error) => tracing::warn!(%error, "cannot see which admission kinds are served; trying again"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn exempt(client: &Client, kind: ExemptKind, resource: &ApiResource) -> Exempt {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    watcher(api, watched())
        .default_backoff()
        .map(move |event| (kind, event))
        .boxed()
}

struct Watch {
    client: Client,
    metrics: Arc<Metrics>,
    picture: Picture,
    freezes: BTreeMap<String, MeshFreeze>,
    /// Of a list under way.
    arriving: BTreeMap<String, MeshFreeze>,
    /// What this process has counted and told, by mesh.
    told: BTreeMap<String, BTreeSet<Change>>,
}

impl Watch {
    fn object(&mut self, kind: ExemptKind, event: watcher::Result<Event<DynamicObject>>) {
        let value = |object: &DynamicObject| serde_json::to_value(object).unwrap_or_default();
        match event {
            Ok(Event::Init) => self.picture.begin(kind),
            Ok(Event::InitApply(object)) => self.picture.arrive(kind, &value(&object)),
            Ok(Event::InitDone) => self.picture.complete(kind),
            Ok(Event::Apply(object)) => self.picture.apply(kind, &value(&object)),
            Ok(Event::Delete(object)) => self.picture.delete(kind, &object.name_any()),
            Err(error) => complain(kind.as_str(), &error),
        }
    }

    fn freeze(&mut self, event: watcher::Result<Event<MeshFreeze>>) {
        match event {
            Ok(Event::Init) => self.arriving.clear(),
            Ok(Event::InitApply(freeze)) => drop(self.arriving.insert(freeze.name_any(), freeze)),
            Ok(Event::InitDone) => self.freezes = std::mem::take(&mut self.arriving),
            Ok(Event::Apply(freeze)) => drop(self.freezes.insert(freeze.name_any(), freeze)),
            Ok(Event::Delete(freeze)) => drop(self.freezes.remove(&freeze.name_any())),
            Err(error) => complain(&MeshFreeze::kind(&()), &error),
        }
    }

    /// Looks at every freeze and reports. `false` when a report could not be written.
    async fn report(&mut self) -> bool {
        let over: Vec<String> = self
            .told
            .keys()
            .filter(|name| !self.freezes.contains_key(*name))
            .cloned()
            .collect();
        for name in over {
            self.told.remove(&name);
            self.metrics.forget_drift(&name);
        }
        let mut written = true;
        for (name, freeze) in &self.freezes {
            let mut status = freeze.status.clone().unwrap_or_default();
            // Of a kind that cannot be listed nobody can say that its objects are gone.
            status.fingerprints.retain(|known| self.picture.has(known.kind));
            if status.fingerprints.is_empty() {
                continue;
            }
            let now = self.picture.of(&freeze.spec.scope);
            let changes = judge_freeze(&freeze.spec, &status, &now);
            self.metrics.set_drifted(name, changes.len());
            let told = self.told.entry(name.clone()).or_default();
            told.retain(|change| changes.contains(change));
            for change in &changes {
                if told.contains(change) {
                    continue;
                }
                if tell(&self.client, freeze, change).await {
                    tracing::warn!(mesh = name, %change, "changed while frozen, and no guard is asked about it");
                    self.metrics.count_exempt_change(change);
                    told.insert(change.clone());
                } else {
                    written = false;
                }
            }
            let mut conditions = status.conditions;
            if drift_condition(&mut conditions, &describe(&changes), Timestamp::now()) {
                written &= write(&self.client, freeze, &json!(conditions)).await;
            }
        }
        written
    }
}

/// Makes an Event of a change; `false` when it could not be written.
async fn tell(client: &Client, freeze: &MeshFreeze, change: &Change) -> bool {
    let into: Api<KubernetesEvent> = Api::namespaced(client.clone(), event::NAMESPACE);
    let report = Report::drifted(format!("{change}, and no guard is asked about it"));
    let about = freeze.object_ref(&());
    let event = event::event(&about, &report, names::WEBHOOK, &change.now, Timestamp::now());
    let written = events::create(&into, &event).await;
    written
        .inspect_err(|error| tracing::warn!(%error, "cannot write an Event; trying again"))
        .is_ok()
}

/// With the version that was judged: a record that has changed meanwhile is judged again when it arrives.
async fn write(client: &Client, freeze: &MeshFreeze, conditions: &serde_json::Value) -> bool {
    let freezes: Api<MeshFreeze> = Api::all(client.clone());
    let patch = json!({
        "metadata": {"resourceVersion": freeze.resource_version()},
        "status": {"conditions": conditions},
    });
    let name = freeze.name_any();
    let written = freezes
        .patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    match written {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => true,
        Err(error) => {
            tracing::warn!(%error, freeze = name, "cannot write the condition of a MeshFreeze; trying again");
            false
        }
    }
}
