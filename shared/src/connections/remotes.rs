//! Remote clusters that istiods reach: an upgrade replaces istiods, and a new one has to get into each of them anew.

use super::{Istiod, metrics::label};
use crate::{api::RemoteClusters, patience::Left};
use std::collections::{BTreeMap, BTreeSet};

/// How many clusters an istiod knows beside its own, those included that it cannot get into.
const KNOWN: &str = "istiod_managed_clusters";
/// What state each of them is in: 1 for the one that it is in. Since 1.29.
const STATE: &str = "istiod_remote_cluster_sync_status";
/// With `closed` istiod means the connection by another kubeconfig that a new one has followed, and says so last.
const REACHED: [&str; 2] = ["synced", "closed"];

/// What one istiod tells of its remote clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remotes {
    known: i64,
    /// The state of each, by the name that its Secret has for it.
    states: BTreeMap<String, String>,
}

impl Remotes {
    pub(super) fn take(&mut self, name: &str, line: &str, value: i64) {
        if name == KNOWN && label(line, "cluster_type").as_deref() == Some("remote") {
            self.known = value;
        }
        if name == STATE
            && value == 1
            && let (Some(cluster), Some(state)) = (label(line, "cluster"), label(line, "status"))
        {
            self.states.insert(cluster, state);
        }
    }

    fn reaches(&self, cluster: &str) -> bool {
        let state = self.states.get(cluster);
        state.is_some_and(|state| REACHED.contains(&state.as_str()))
    }
}

/// What all the istiods of one cluster reach: what one of them does not reach is not reached.
pub(super) fn of(cluster: &str, istiods: &[Istiod]) -> Option<RemoteClusters> {
    let all: BTreeSet<&String> = istiods.iter().flat_map(|one| one.remotes.states.keys()).collect();
    let reached = all
        .into_iter()
        .filter(|name| istiods.iter().all(|one| one.remotes.reaches(name)));
    Some(RemoteClusters {
        cluster: cluster.to_owned(),
        known: istiods.iter().map(|one| one.remotes.known).min()?,
        reached: reached.cloned().collect(),
    })
}

/// Whether what was reached from each cluster is reached again; of one whose istiods were not asked nothing is known. Returns
/// how many are.
///
/// # Errors
/// What is not.
pub(super) fn judge(before: &[RemoteClusters], after: &[(RemoteClusters, &[Istiod])]) -> Result<usize, Left> {
    let (mut lost, mut reached) = (Vec::new(), 0_usize);
    for before in before {
        let Some((now, istiods)) = after.iter().find(|(now, _)| now.cluster == before.cluster) else {
            continue;
        };
        for name in &before.reached {
            if now.reached.contains(name) {
                reached = reached.saturating_add(1);
                continue;
            }
            let state = istiods.iter().find(|one| !one.remotes.reaches(name));
            let state = state.and_then(|one| one.remotes.states.get(name));
            lost.push(match state {
                Some(state) => format!(
                    "every istiod of cluster {} to reach the remote cluster {name} as before (one says: {state})",
                    now.cluster
                ),
                None => format!(
                    "every istiod of cluster {} to reach the remote cluster {name} as before (one cannot use its Secret, or \
                     finds none)",
                    now.cluster
                ),
            });
        }
        // An istiod before 1.29 tells no more than their number.
        if before.reached.is_empty() && now.known < before.known {
            lost.push(format!(
                "every istiod of cluster {} to use the Secrets of {} remote clusters as before (one uses {})",
                now.cluster, before.known, now.known
            ));
        }
    }
    match i64::try_from(lost.len()).unwrap_or(i64::MAX) {
        0 => Ok(reached),
        count => Err(Left {
            count,
            what: lost.join("; "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{of_metrics, tests::of_cluster};
    use super::*;

    /// An istiod that knows so many clusters, and tells these states.
    fn istiod(known: i64, states: &[(&str, &str)]) -> Istiod {
        let mut text = format!(
            "istio_build{{component=\"pilot\",tag=\"1.31.0\"}} 1\nistiod_managed_clusters{{cluster_type=\"local\"}} 1\n\
             istiod_managed_clusters{{cluster_type=\"remote\"}} {known}\n"
        );
        for (cluster, state) in states {
            for one in ["synced", "syncing", "timeout", "closed"] {
                let value = i64::from(one == *state);
                text += &format!(
                    "istiod_remote_cluster_sync_status{{cluster=\"{cluster}\",cluster_type=\"remote\",status=\"{one}\"}} {value}\n"
                );
            }
        }
        of_metrics("istio-system/istiod-1", &text).unwrap()
    }

    #[test]
    fn what_was_reached_by_every_istiod_has_to_be_again() {
        let both = &[("west", "synced"), ("south", "synced")][..];
        let without = |state| vec![("west", "synced"), ("south", state)];
        for (before, after, expected) in [
            (vec![istiod(2, both)], vec![istiod(2, both)], Ok(2)),
            (
                vec![istiod(2, both)],
                vec![istiod(2, both), istiod(2, &without("timeout"))],
                Err("of cluster east to reach the remote cluster south as before (one says: timeout)"),
            ),
            (
                vec![istiod(2, both)],
                vec![istiod(1, &both[..1])],
                Err("one cannot use its Secret"),
            ),
            // Taken out: all its states are 0.
            (
                vec![istiod(2, both)],
                vec![istiod(1, &without(""))],
                Err("one cannot use its Secret"),
            ),
            // Another kubeconfig for the same cluster has followed.
            (vec![istiod(2, both)], vec![istiod(2, &without("closed"))], Ok(2)),
            // Not reached by each before, or not at all, and so not compared.
            (
                vec![istiod(2, both), istiod(2, &without("syncing"))],
                vec![istiod(2, &without("timeout"))],
                Ok(1),
            ),
            (vec![istiod(0, &[])], vec![istiod(2, &without("timeout"))], Ok(0)),
            // Before 1.29.
            (vec![istiod(2, &[])], vec![istiod(2, both)], Ok(0)),
            (
                vec![istiod(2, &[])],
                vec![istiod(1, &both[..1])],
                Err("to use the Secrets of 2 remote clusters as before (one uses 1)"),
            ),
            // Nobody was asked, then or now.
            (Vec::new(), vec![istiod(0, &[])], Ok(0)),
            (vec![istiod(2, both)], Vec::new(), Ok(0)),
        ] {
            let before = of_cluster("east", before).total.remotes;
            let after = of_cluster("east", after);
            match (judge(&before, &after.remotes()), expected) {
                (Ok(reached), Ok(expected)) => assert_eq!(reached, expected, "{after:?}"),
                (Err(lost), Err(part)) => assert!(lost.what.contains(part) && lost.count == 1, "{lost:?}"),
                (found, _) => panic!("{found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn clusters_are_told_apart_by_whose_istiods_reach_them() {
        let before = [of_cluster("east", vec![istiod(1, &[("west", "synced")])])];
        let before = before.into_iter().flat_map(|one| one.total.remotes);
        let before: Vec<_> = before
            .chain(of_cluster("west", vec![istiod(1, &[("east", "synced")])]).total.remotes)
            .collect();
        let west = of_cluster("west", vec![istiod(1, &[("east", "timeout")])]);
        let lost = judge(&before, &west.remotes()).unwrap_err();
        assert!(
            lost.what.contains("of cluster west to reach the remote cluster east"),
            "{lost:?}"
        );
    }
}
