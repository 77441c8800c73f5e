//! All pods of a cluster that have not ended, while they arrive: in one streamed list, and where they are many in several at
//! once.
//!
//! An API server turns the objects of one list into bytes on one of its processors, which for ten thousand pods takes half a
//! second. So each of several lists leaves out the namespaces of the others. Each is a consistent read, as the one list is.

use super::{
    ask::Asker,
    protobuf::{Extent, Fields},
    proxies, stream,
};
use crate::cluster::error::ClusterError;
use futures::future::try_join_all;
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

const WHAT: &str = "list Pods";
/// Pods that ended run no proxy.
const PATH: &str = "/api/v1/pods?fieldSelector=status.phase!%3DSucceeded,status.phase!%3DFailed";
const NAMESPACES: &str = "/api/v1/namespaces";
/// A list that is longer than this is read in parts.
const MANY: usize = 500;
/// Parts at once.
const PARTS: usize = 2;
/// Longest path: with the server's name it stays below the 8 KiB that proxies on the way may take.
const LONGEST: usize = 7 << 10;

/// Hands each pod to `pod`.
///
/// # Errors
/// When they cannot be listed in time.
pub(super) async fn each(asker: Asker<'_>, mut pod: impl FnMut(Fields<'_>)) -> Result<(), ClusterError> {
    let page = format!("{PATH}&limit={MANY}");
    if stream::first_page(asker, WHAT, &page, &mut pod).await? == Extent::Whole {
        return Ok(());
    }
    let Some(parts) = Parts::of(namespaces(asker).await) else {
        return stream::each_apart(asker, WHAT, PATH, pod).await;
    };
    let seen = Mutex::new((parts.known, BTreeSet::new(), pod));
    let read = parts.paths.iter().map(|path| {
        stream::each_apart(asker, WHAT, path, |found| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let (known, strangers, pod) = &mut *seen;
            if is_new(found, known, strangers) {
                pod(found);
            }
        })
    });
    try_join_all(read).await.map(drop)
}

/// Names of all namespaces; none where they may not be listed.
async fn namespaces(asker: Asker<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let listed = stream::each(asker, "list Namespaces", NAMESPACES, |namespace| {
        names.insert(proxies::meta(namespace).text(1).to_owned());
    });
    match listed.await {
        Ok(()) => names,
        Err(_) => BTreeSet::new(),
    }
}

/// Lists that together hold every pod.
struct Parts {
    paths: Vec<String>,
    /// Namespaces of which only one of the lists tells.
    known: BTreeSet<String>,
}

impl Parts {
    /// Deals the namespaces out. Where there are too few or too many of them to be named, there are no parts.
    fn of(namespaces: BTreeSet<String>) -> Option<Self> {
        if namespaces.len() < PARTS {
            return None;
        }
        let path = |part: usize| {
            let others = namespaces.iter().enumerate().filter(|(place, _)| place % PARTS != part);
            others.fold(PATH.to_owned(), |path, (_, name)| {
                path + ",metadata.namespace!%3D" + name
            })
        };
        let paths: Vec<String> = (0..PARTS).map(path).collect();
        let fits = paths.iter().all(|path| path.len() <= LONGEST);
        fits.then_some(Self {
            paths,
            known: namespaces,
        })
    }
}

/// Whether a pod was not seen before: those of a namespace that was made meanwhile are in each list.
fn is_new(pod: Fields<'_>, known: &BTreeSet<String>, strangers: &mut BTreeSet<String>) -> bool {
    let meta = proxies::meta(pod);
    known.contains(meta.text(3)) || strangers.insert(meta.text(5).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::protobuf::tests::held, *};

    fn namespaces(count: usize) -> BTreeSet<String> {
        (0..count).map(|number| format!("namespace-{number:04}")).collect()
    }

    /// Whether the API server would list a pod of a namespace by this path.
    fn holds(path: &str, namespace: &str) -> bool {
        !path
            .split([',', '='])
            .any(|term| term == format!("metadata.namespace!%3D{namespace}"))
    }

    #[test]
    fn every_known_namespace_is_in_one_part_and_every_other_in_each() {
        let parts = Parts::of(namespaces(51)).unwrap();
        assert_eq!(parts.paths.len(), PARTS);
        for namespace in namespaces(51) {
            let in_parts = parts.paths.iter().filter(|path| holds(path, &namespace)).count();
            assert_eq!(in_parts, 1, "{namespace}");
        }
        assert!(parts.paths.iter().all(|path| holds(path, "made-meanwhile")));
        assert!(parts.paths.iter().all(|path| path.starts_with(PATH)));
    }

    #[test]
    fn namespaces_that_do_not_fit_into_an_address_are_not_named() {
        assert!(Parts::of(namespaces(0)).is_none());
        assert!(Parts::of(namespaces(1)).is_none());
        assert!(Parts::of(namespaces(2)).is_some());
        let most = (2..1000).filter(|count| Parts::of(namespaces(*count)).is_some()).max();
        assert_eq!(most, Some(382));
        let longest = Parts::of(namespaces(382)).unwrap().paths;
        assert!(longest.iter().all(|path| path.len() <= LONGEST), "{longest:?}");
    }

    #[test]
    fn a_pod_that_comes_twice_is_counted_once() {
        let pod = |namespace: &str, uid: &str| held(1, [held(3, namespace), held(5, uid)].concat());
        let known = namespaces(2);
        let mut strangers = BTreeSet::new();
        for (namespace, uid, expected) in [
            ("namespace-0000", "1", true),
            ("made-meanwhile", "2", true),
            ("made-meanwhile", "3", true),
            ("made-meanwhile", "2", false),
            // Nothing is kept of pods that only one list holds.
            ("namespace-0000", "1", true),
        ] {
            let found = is_new(Fields(&pod(namespace, uid)), &known, &mut strangers);
            assert_eq!(found, expected, "{namespace} {uid}");
        }
        assert_eq!(strangers.len(), 2);
    }
}
