//! Proxies that istiod serves, counted before an upgrade and after it: none may get lost on the way. And the clusters that it
//! reaches.

mod metrics;
mod remotes;

pub use metrics::{Istiod, of_metrics};
pub use remotes::Remotes;

use crate::{
    api::{ProxyConnections, RemoteClusters},
    patience::Left,
};

/// Of so many connected proxies one may be missing: in a large mesh pods come and go between two looks.
const ONE_MISSING_OF: i64 = 200;

/// What was counted in one cluster.
#[derive(Clone, Debug, Default)]
pub struct InCluster {
    /// Its name.
    pub cluster: String,
    /// Pods whose proxy is ready.
    pub ready: i64,
    /// Pods whose proxy is there and not ready.
    pub unready: i64,
    /// Its istiods.
    pub istiods: Vec<Istiod>,
}

/// What was counted in all clusters: a proxy of one may be connected to another's istiod.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// What it comes to, as it is kept.
    pub total: ProxyConnections,
    clusters: Vec<InCluster>,
}

impl Counted {
    /// Sums it up.
    #[must_use]
    pub fn of(clusters: Vec<InCluster>) -> Self {
        let mut total = ProxyConnections {
            clusters: i64::try_from(clusters.len()).unwrap_or(i64::MAX),
            unready: Some(clusters.iter().map(|one| one.unready).fold(0, i64::saturating_add)),
            ..ProxyConnections::default()
        };
        for one in &clusters {
            total.ready = total.ready.saturating_add(one.ready);
            for istiod in &one.istiods {
                total.connected = total.connected.saturating_add(istiod.connected);
                total.rejected = total.rejected.saturating_add(istiod.rejected);
                total.errors = total.errors.saturating_add(istiod.errors);
                total.ignored = total.ignored.saturating_add(istiod.ignored);
                total.istiods.push(istiod.pod.clone());
            }
            let remotes = remotes::of(&one.cluster, &one.istiods);
            total
                .remotes
                .extend(remotes.filter(|remotes| remotes.known > 0 || !remotes.reached.is_empty()));
        }
        Self { total, clusters }
    }

    fn remotes(&self) -> Vec<(RemoteClusters, &[Istiod])> {
        let clusters = self.clusters.iter();
        let told = clusters.filter_map(|one| Some((remotes::of(&one.cluster, &one.istiods)?, one.istiods.as_slice())));
        told.collect()
    }

    /// What the istiods count that were not there before, or all of them where it is not known which were.
    fn begun_since(&self, before: &ProxyConnections, count: fn(&Istiod) -> i64) -> i64 {
        let istiods = self.clusters.iter().flat_map(|one| &one.istiods);
        let new = istiods.filter(|istiod| !before.istiods.contains(&istiod.pod));
        new.map(count).fold(0, i64::saturating_add)
    }
}

/// What came of the proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// In a sentence.
    pub evidence: String,
    /// What a person should look at, though no proxy is lost: istiod's counts never go down, so nothing could mend it.
    pub warning: Option<String>,
}

/// The same proxies without those that no ready pod stands for, as of machines, and how many these are; `None` where there are
/// none. Who has taken a machine away nobody can tell: istiod itself deletes the WorkloadEntry that it made for a machine some
/// seconds after its proxy has left, for whatever reason it did.
#[must_use]
pub fn of_pods(before: &ProxyConnections) -> Option<(ProxyConnections, i64)> {
    let machines = before.connected.saturating_sub(before.ready);
    let of_pods = ProxyConnections {
        connected: before.ready,
        ..before.clone()
    };
    (machines > 0).then_some((of_pods, machines))
}

/// Compares what is connected with what was. A proxy is lost whose pod is still there and ready, or there and ready no more;
/// pods that were scaled down are no loss, nor are those that never were connected. So is a cluster that every istiod reached, and
/// one does not.
///
/// # Errors
/// What is lost, to be waited for.
pub fn judge(before: &ProxyConnections, after: &Counted) -> Result<Judged, Left> {
    let now = &after.total;
    let is_compared = before.clusters == 0 || before.clusters == now.clusters;
    let reached = remotes::judge(&before.remotes, &after.remotes());
    if is_compared && let Some(mut lost) = lost(before, now) {
        // All that is left counts: what comes back while another thing is missing is progress, too.
        lost.count = lost.count.saturating_add(reached.err().map_or(0, |left| left.count));
        return Err(lost);
    }
    let reached = reached?;
    if !is_compared {
        let evidence = format!(
            "{} proxies connected, and not compared: counted in {} clusters before, in {} now",
            now.connected, before.clusters, now.clusters
        );
        return Ok(Judged {
            warning: Some(look_at(&evidence)),
            evidence,
        });
    }
    let mut evidence = format!("{} proxies connected ({} before)", now.connected, before.connected);
    if reached > 0 {
        evidence = format!("{evidence}; {reached} remote clusters reached as before");
    }
    let risen = risen(before, after);
    let warning = (!risen.is_empty()).then(|| look_at(&risen.join(", ")));
    Ok(Judged { evidence, warning })
}

fn lost(before: &ProxyConnections, now: &ProxyConnections) -> Option<Left> {
    let unconnected = |counted: &ProxyConnections| counted.ready.saturating_sub(counted.connected);
    let lost = unconnected(now).saturating_sub(unconnected(before));
    let lost = lost.max(0).saturating_add(not_ready_any_more(before, now));
    (before.connected > 0 && lost > before.connected / ONE_MISSING_OF).then(|| Left {
        count: lost,
        what: format!(
            "{lost} of the {} proxies that were connected to istiod before to connect again ({} are)",
            before.connected, now.connected
        ),
    })
}

/// How many proxies that were ready are there and are not: pods that were replaced, and get nothing from the new istiods. Pods
/// that are new altogether, and fail for themselves, leave as many ready as before.
fn not_ready_any_more(before: &ProxyConnections, now: &ProxyConnections) -> i64 {
    let (Some(unready_before), Some(unready)) = (before.unready, now.unready) else {
        return 0;
    };
    let (fewer, more) = (
        before.ready.saturating_sub(now.ready),
        unready.saturating_sub(unready_before),
    );
    fewer.min(more).max(0)
}

/// One of the counts of an istiod.
type CountOf = fn(&Istiod) -> i64;

/// What the upgrade has brought of what nobody can take back: an istiod that began with it has counted nothing else. Which ones
/// did, a journal of an older plugin does not say: then it is told where there was none before.
fn risen(before: &ProxyConnections, after: &Counted) -> Vec<String> {
    let is_known = !before.istiods.is_empty();
    let counts: [(i64, CountOf, bool, &str); 3] = [
        (
            before.rejected,
            |istiod| istiod.rejected,
            is_known,
            "configurations were rejected by proxies",
        ),
        (
            before.errors,
            |istiod| istiod.errors,
            is_known,
            "errors of istiod in what it sends to proxies",
        ),
        // Counted with whatever else changes: where there was some before, it tells nothing.
        (
            before.ignored,
            |istiod| istiod.ignored,
            false,
            "servers of Gateways were passed over by istiod",
        ),
    ];
    let risen = counts.iter().filter_map(|(before_it, count, always, what)| {
        let now = after.begun_since(before, *count);
        match (now, before_it) {
            (..=0, _) => None,
            (now, 0) => Some(format!("{now} {what}, none before")),
            (now, before_it) if *always => {
                Some(format!("{now} {what} since the new istiods began ({before_it} before)"))
            }
            _ => None,
        }
    });
    risen.collect()
}

fn look_at(what: &str) -> String {
    format!("{what}; look at: istioctl proxy-status")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(ready: i64, connected: i64) -> ProxyConnections {
        ProxyConnections {
            ready,
            connected,
            ..ProxyConnections::default()
        }
    }

    /// What some istiods tell that run in one cluster.
    pub(super) fn of_cluster(cluster: &str, istiods: Vec<Istiod>) -> Counted {
        Counted::of(vec![InCluster {
            cluster: cluster.to_owned(),
            istiods,
            ..InCluster::default()
        }])
    }

    fn now(total: ProxyConnections) -> Counted {
        Counted {
            total,
            clusters: Vec::new(),
        }
    }

    #[test]
    fn what_clusters_count_is_summed_up() {
        let istiod = |pod: &str, connected| Istiod {
            pod: pod.to_owned(),
            connected,
            rejected: 1,
            ..Istiod::default()
        };
        let in_cluster = |cluster: &str, ready, istiods| InCluster {
            cluster: cluster.to_owned(),
            ready,
            unready: 1,
            istiods,
        };
        let total = Counted::of(vec![
            in_cluster("east", 5, vec![istiod("a/1", 3), istiod("a/2", 4)]),
            in_cluster("west", 2, Vec::new()),
        ])
        .total;
        assert_eq!(
            (total.ready, total.connected, total.rejected, total.clusters),
            (7, 7, 2, 2)
        );
        assert_eq!(
            (total.istiods, total.unready),
            (vec!["a/1".to_owned(), "a/2".to_owned()], Some(2))
        );
    }

    #[test]
    fn proxies_of_other_clusters_than_before_are_not_compared() {
        let in_clusters = |clusters: i64, ready: i64, connected: i64| ProxyConnections {
            clusters,
            ..counted(ready, connected)
        };
        let judged = judge(&in_clusters(1, 10, 20), &now(in_clusters(2, 20, 20))).unwrap();
        assert!(judged.warning.is_some() && judged.evidence.contains("counted in 1 clusters before, in 2 now"));
        assert!(judge(&in_clusters(2, 10, 20), &now(in_clusters(2, 20, 20))).is_err());
    }

    #[test]
    fn a_proxy_is_lost_whose_pod_is_ready_and_not_connected() {
        for (before, after, lost) in [
            ((10, 10), (10, 10), None),
            ((10, 10), (10, 7), Some("3 of the 10")),
            // Scaled down, and scaled up.
            ((10, 10), (6, 6), None),
            ((10, 10), (20, 20), None),
            ((10, 10), (20, 12), Some("8 of the 10")),
            // Never connected, and so not lost.
            ((10, 4), (10, 4), None),
            ((10, 4), (9, 4), None),
            // Machines have proxies and no pods.
            ((10, 12), (10, 11), Some("1 of the 12")),
            ((0, 0), (10, 0), None),
            // Of many a few are on their way.
            ((10_000, 10_000), (10_000, 9_950), None),
            ((10_000, 10_000), (10_000, 9_949), Some("51 of the 10000")),
        ] {
            let judged = judge(&counted(before.0, before.1), &now(counted(after.0, after.1)));
            match lost {
                Some(lost) => assert!(
                    judged.clone().is_err_and(|why| why.what.starts_with(lost)),
                    "{judged:?}"
                ),
                None => assert!(judged.is_ok(), "{before:?} {after:?}: {judged:?}"),
            }
        }
    }

    #[test]
    fn a_proxy_is_lost_that_is_there_and_ready_no_more() {
        let of = |ready: i64, unready: Option<i64>| ProxyConnections {
            unready,
            ..counted(ready, ready)
        };
        for (before, after, lost) in [
            (of(10, Some(0)), of(6, Some(4)), true),
            // Scaled down, new ones that fail for themselves, and some that never were ready.
            (of(10, Some(0)), of(6, Some(0)), false),
            (of(10, Some(0)), of(10, Some(4)), false),
            (of(10, Some(4)), of(10, Some(4)), false),
            (of(10, Some(4)), of(12, Some(2)), false),
            // Of many a few are on their way; and a journal of before does not tell.
            (of(10_000, Some(0)), of(9_950, Some(50)), false),
            (of(10, None), of(6, Some(4)), false),
        ] {
            assert_eq!(
                judge(&before, &now(after.clone())).is_err(),
                lost,
                "{before:?} {after:?}"
            );
        }
    }

    #[test]
    fn proxies_of_machines_are_told_from_those_of_pods() {
        assert_eq!(of_pods(&counted(10, 10)), None);
        assert_eq!(of_pods(&counted(10, 4)), None);
        let (before, machines) = of_pods(&counted(10, 12)).unwrap();
        assert_eq!((&before, machines), (&counted(10, 10), 2));
        assert!(judge(&before, &now(counted(10, 10))).is_ok(), "both machines are gone");
        assert!(judge(&before, &now(counted(10, 9))).is_err(), "a pod is lost");
    }

    #[test]
    fn what_new_istiods_count_is_told() {
        let istiod = |pod: &str, (rejected, errors, ignored): (i64, i64, i64)| Istiod {
            pod: pod.to_owned(),
            rejected,
            errors,
            ignored,
            ..Istiod::default()
        };
        let warning = |before: &ProxyConnections, after| judge(before, &of_cluster("east", after)).unwrap().warning;
        let before = |counts| of_cluster("east", vec![istiod("a/1", counts)]).total;
        for (before_it, pod, after, expected) in [
            ((0, 0, 0), "a/2", (0, 0, 0), None),
            (
                (0, 0, 0),
                "a/2",
                (2, 0, 0),
                Some("2 configurations were rejected by proxies, none before"),
            ),
            (
                (0, 0, 0),
                "a/2",
                (0, 1, 3),
                Some("1 errors of istiod in what it sends to proxies, none before, 3 servers"),
            ),
            // There was some before: what the new one has is its own.
            (
                (5, 0, 9),
                "a/2",
                (2, 0, 9),
                Some("2 configurations were rejected by proxies since the new istiods began (5 before)"),
            ),
            ((5, 1, 0), "a/2", (0, 0, 0), None),
            // The same istiod as before.
            ((5, 1, 0), "a/1", (9, 7, 1), None),
        ] {
            let told = warning(&before(before_it), vec![istiod(pod, after)]);
            match expected {
                Some(part) => assert!(told.as_ref().is_some_and(|told| told.contains(part)), "{told:?}"),
                None => assert_eq!(told, None),
            }
        }
        // By the journal of an older plugin, nobody knows which istiods are new.
        let mut old = before((5, 0, 0));
        old.istiods.clear();
        assert_eq!(warning(&old, vec![istiod("a/2", (9, 0, 0))]), None);
        assert!(warning(&old, vec![istiod("a/2", (9, 1, 0))]).is_some());
    }
}
