//! Rings when something changes on which a freeze stands. An API server goes by a deleted policy for up to a second;
//! a watch tells of it in milliseconds, so that a step is held before anybody gets through.

use super::exempt::Served;
use futures::{Stream, StreamExt as _, stream};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ApiResource, DynamicObject},
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use shared::{
    api::{ExemptKind, MeshFreeze, MeshUpgrade},
    fingerprint::{Owner, owner},
};
use std::{pin::Pin, time::Duration};

/// Shorter than the client lets a server be silent.
const SERVER_ENDS_WATCH_AFTER: u32 = 25;
/// Without a watch by then, only the regular look is left.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// What rang.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ring {
    /// A watch has listed what is there.
    Ready,
    /// Something of the mesh that no guard is asked about.
    Mesh,
    /// The freeze, its record, the guard, or the journal.
    Freeze,
}

/// No more than its metadata is sent.
type Object = PartialObjectMeta<DynamicObject>;
type Rings = Pin<Box<dyn Stream<Item = Ring> + Send>>;

/// Watches over the clusters of an upgrade.
pub struct Bell(stream::SelectAll<Rings>);

impl Bell {
    /// Listens in these clusters, and for the journal at home. Returns as soon as nothing can be missed.
    pub async fn listen(clusters: &[(Client, Served)], mesh: &str, home: &Client, journal: &str) -> Self {
        let mut rings = vec![own(home, &ApiResource::erase::<MeshUpgrade>(&()), journal)];
        for (client, served) in clusters {
            for (kind, resource) in served {
                rings.push(exempt(client, *kind, resource));
            }
            rings.push(own(client, &ApiResource::erase::<MeshFreeze>(&()), mesh));
        }
        let mut waiting = rings.len();
        let mut bell = Self(stream::select_all(rings));
        let ready = async {
            while waiting > 0 {
                if bell.next().await == Ring::Ready {
                    waiting = waiting.saturating_sub(1);
                }
            }
        };
        if tokio::time::timeout(READY_WITHIN, ready).await.is_err() {
            tracing::warn!("not every watch over the freeze could be opened: looking at intervals only");
        }
        bell
    }

    /// The next ring.
    pub async fn next(&mut self) -> Ring {
        match self.0.next().await {
            Some(ring) => ring,
            // No watch at all: the regular look is left.
            None => std::future::pending().await,
        }
    }
}

fn exempt(client: &Client, kind: ExemptKind, resource: &ApiResource) -> Rings {
    let ring = move |object: &Object, _gone| match owner(kind, &object.name_any(), object.labels()) {
        Some(Owner::Freeze | Owner::Guard) => Some(Ring::Freeze),
        Some(Owner::Mesh) => Some(Ring::Mesh),
        None => None,
    };
    rings(client, resource, watcher::Config::default(), ring)
}

/// Of our own objects only what changes the specification, or their end: their status is written all the time.
fn own(client: &Client, resource: &ApiResource, name: &str) -> Rings {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut seen = None;
    let ring = move |object: &Object, gone: bool| {
        let meta = object.meta();
        let now = (meta.uid.clone(), meta.generation, meta.deletion_timestamp.is_some());
        let is_known = seen.replace(now.clone()) == Some(now);
        (gone || !is_known).then_some(Ring::Freeze)
    };
    rings(client, resource, config, ring)
}

fn rings(
    client: &Client,
    resource: &ApiResource,
    config: watcher::Config,
    mut ring: impl FnMut(&Object, bool) -> Option<Ring> + Send + 'static,
) -> Rings {
    let api: Api<Object> = Api::all_with(client.clone(), resource);
    let kind = resource.kind.clone();
    let mut listed = false;
    watcher(api, config.timeout(SERVER_ENDS_WATCH_AFTER))
        .default_backoff()
        .filter_map(move |event| {
            let rung = match event {
                Ok(Event::InitApply(object)) => {
                    // What was there before the first list was complete is judged by the look that follows it.
                    ring(&object, false);
                    None
                }
                Ok(Event::Apply(object)) => ring(&object, false),
                Ok(Event::Delete(object)) => ring(&object, true),
                Ok(Event::Init) => None,
                // A watch that had to begin anew may have missed something.
                Ok(Event::InitDone) if listed => Some(Ring::Freeze),
                Ok(Event::InitDone) => {
                    listed = true;
                    Some(Ring::Ready)
                }
                Err(error) => {
                    tracing::debug!(kind, %error, "a watch over the freeze failed; opening it again");
                    None
                }
            };
            std::future::ready(rung)
        })
        .boxed()
}
