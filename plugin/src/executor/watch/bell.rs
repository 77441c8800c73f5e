//! Rings when something changes on which a freeze stands. An API server goes by a deleted policy for up to a second;
//! a watch tells of it in milliseconds, so that a step is held before anybody gets through.

use super::exempt::Served;
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
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
use std::{fmt, pin::Pin, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Shorter than the client lets a server be silent.
const SERVER_ENDS_WATCH_AFTER: u32 = 25;
/// Without a watch by then, only the regular look is left.
const READY_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks for the mesh alone, which only tell: a controller may write a webhook configuration many times a second.
const LOOK_FOR_THE_MESH_EVERY: Duration = Duration::from_millis(300);

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

    /// What has rung until now, of all that did the most: a look that follows sees it.
    pub fn rung(&mut self) -> Option<Ring> {
        let mut most = None;
        while let Some(ring) = self.next().now_or_never() {
            most = most.max(Some(ring));
        }
        most
    }

    /// Returns as soon as another look is due: at once for the freeze, and for the mesh alone a while after the look that
    /// began at `looked`, with all that rings until then.
    pub async fn due(&mut self, looked: Instant) -> Ring {
        let not_before = looked + LOOK_FOR_THE_MESH_EVERY;
        let mut rung = self.next().await;
        while rung < Ring::Freeze {
            match timeout_at(not_before, self.next()).await {
                Ok(ring) => rung = rung.max(ring),
                Err(_) => break,
            }
        }
        rung
    }

    /// The next ring.
    async fn next(&mut self) -> Ring {
        match self.0.next().await {
            Some(ring) => ring,
            // No watch at all: the regular look is left.
            None => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bell").field(&self.0.len()).finish()
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    /// Rings this often, with a moment in between, and then no more.
    fn rings_often(rings: &'static [(Ring, usize)]) -> Bell {
        let (ringing, rung) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for (ring, times) in rings {
                for _ in 0..*times {
                    ringing.send(*ring).unwrap();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            std::future::pending::<()>().await;
        });
        let rung = stream::unfold(rung, |mut rung: mpsc::UnboundedReceiver<Ring>| async move {
            let ring = rung.recv().await?;
            Some((ring, rung))
        });
        Bell(stream::select_all([rung.boxed()]))
    }

    /// The looks that a bell asks for until it is silent, each with what rang.
    async fn looks(bell: &mut Bell) -> Vec<Ring> {
        let mut looks = Vec::new();
        loop {
            bell.rung();
            let looked = Instant::now();
            // A look takes a moment, too.
            tokio::time::sleep(Duration::from_millis(5)).await;
            match tokio::time::timeout(Duration::from_secs(60), bell.due(looked)).await {
                Ok(ring) => looks.push(ring),
                Err(_) => return looks,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ten_quick_edits_of_the_mesh_are_seen_by_one_look() {
        let mut bell = rings_often(&[(Ring::Mesh, 10)]);
        assert_eq!(looks(&mut bell).await, [Ring::Mesh]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_freeze_waits_for_no_quiet() {
        let mut bell = rings_often(&[(Ring::Mesh, 3), (Ring::Freeze, 2)]);
        let began = Instant::now();
        assert_eq!(bell.due(began).await, Ring::Freeze);
        assert!(began.elapsed() < LOOK_FOR_THE_MESH_EVERY, "by the test's own clock");
        assert_eq!(bell.rung(), None, "what came before it is answered with it");
        assert_eq!(looks(&mut bell).await, [Ring::Freeze]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_rings_on_is_looked_at_again() {
        let mut bell = rings_often(&[(Ring::Mesh, 60)]);
        // For 1.2 s, by the test's own clock.
        let looks = looks(&mut bell).await.len();
        assert!((4..=5).contains(&looks), "{looks}");
    }
}
