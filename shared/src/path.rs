//! Path: the way over several minors, hop by hop, with the Kubernetes upgrades that must come between.
//!
//! Each Kubernetes upgrade is made as late as it can be, and only as far as the next hop needs: under the Istio that runs
//! then, one minor at a time. As a cluster's Kubernetes never goes back, no other order needs fewer upgrades.

use crate::{
    catalog::{Catalog, Range},
    finding::{Code, codes},
    version::{IstioVersion, Minor},
};

/// A member cluster and its Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathCluster {
    /// Name of the cluster.
    pub name: String,
    /// Minor of its Kubernetes.
    pub kubernetes: Minor,
}

/// One leg of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leg {
    /// A cluster's Kubernetes goes up by one minor.
    Kubernetes {
        /// Name of the cluster.
        cluster: String,
        /// Minor before.
        from: Minor,
        /// Minor after.
        to: Minor,
    },
    /// The mesh goes up by one minor.
    Istio {
        /// Version before.
        from: IstioVersion,
        /// Version after.
        to: IstioVersion,
        /// Clusters whose Kubernetes is too high for this hop, so that it needs a waiver there.
        waive: Vec<String>,
    },
}

/// Why there is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The target is not ahead.
    #[error("{to} is not ahead of {from}: there is nothing to go through")]
    NotAhead {
        /// Version that runs.
        from: String,
        /// The target's minor.
        to: Minor,
    },
    /// A minor on the way is not in the catalog.
    #[error(
        "the catalog does not know {minor}, which lies on the way: add it to a catalog file and pass it with --catalog FILE"
    )]
    UnknownMinor {
        /// The minor.
        minor: Minor,
    },
    /// No Kubernetes version leads from one Istio to the next.
    #[error(
        "Istio {to} needs at least Kubernetes {needed} in {cluster}, and Istio {from} supports at most {most}: no \
         Kubernetes leads from one to the other"
    )]
    NoCommonKubernetes {
        /// Name of the cluster.
        cluster: String,
        /// Istio before the hop.
        from: Minor,
        /// Istio after the hop.
        to: Minor,
        /// Lowest Kubernetes after the hop.
        needed: Minor,
        /// Highest Kubernetes before the hop.
        most: Minor,
    },
}

/// Finds the way from a version to the newest patch of a minor, over all clusters.
///
/// # Errors
/// When the target is not ahead, a minor on the way is unknown, or no Kubernetes version leads from one hop to the next.
pub fn solve(
    from: &IstioVersion,
    to: Minor,
    clusters: &[PathCluster],
    catalog: &Catalog,
) -> Result<Vec<Leg>, PathError> {
    if from.minor().distance(to).is_none_or(|distance| distance <= 0) {
        return Err(PathError::NotAhead {
            from: from.to_string(),
            to,
        });
    }
    let mut legs = Vec::new();
    let mut clusters = clusters.to_vec();
    let mut running = from.clone();
    while running.minor() < to {
        let minor = running.minor().next();
        let unknown = PathError::UnknownMinor { minor };
        let release = catalog.release(&running.flavor, minor).ok_or_else(|| unknown.clone())?;
        let range = release.range().ok_or(unknown)?;
        let now = catalog.kubernetes_range(&running);
        for cluster in &mut clusters {
            raise(cluster, &running, now, minor, range, &mut legs)?;
        }
        let waive = clusters.iter().filter(|cluster| cluster.kubernetes > range.max);
        legs.push(Leg::Istio {
            from: running,
            to: release.newest_patch.clone(),
            waive: waive.map(|cluster| cluster.name.clone()).collect(),
        });
        running = release.newest_patch.clone();
    }
    Ok(legs)
}

/// What has to be waived for a hop in a cluster whose Kubernetes is too high for it: check finds another thing where no release
/// supports that Kubernetes yet.
#[must_use]
pub fn to_waive(catalog: &Catalog, hop: &IstioVersion, kubernetes: Minor) -> Code {
    match catalog.first_above(hop, kubernetes) {
        Some(_) => codes::KUBERNETES_TOO_HIGH,
        None => codes::NO_ISTIO_FOR_KUBERNETES,
    }
}

/// Takes a cluster's Kubernetes up to what the next hop needs.
fn raise(
    cluster: &mut PathCluster,
    running: &IstioVersion,
    now: Option<Range>,
    minor: Minor,
    range: Range,
    legs: &mut Vec<Leg>,
) -> Result<(), PathError> {
    while cluster.kubernetes < range.min {
        let next = cluster.kubernetes.next();
        // An unknown running Istio gives no limit; the catalog's oldest entry may well lie above it.
        if let Some(now) = now.filter(|now| next > now.max) {
            return Err(PathError::NoCommonKubernetes {
                cluster: cluster.name.clone(),
                from: running.minor(),
                to: minor,
                needed: range.min,
                most: now.max,
            });
        }
        legs.push(Leg::Kubernetes {
            cluster: cluster.name.clone(),
            from: cluster.kubernetes,
            to: next,
        });
        cluster.kubernetes = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());

    fn clusters(kubernetes: &[&str]) -> Vec<PathCluster> {
        let named = kubernetes.iter().zip(["east", "west"]);
        named
            .map(|(kubernetes, name)| PathCluster {
                name: name.to_owned(),
                kubernetes: kubernetes.parse().unwrap(),
            })
            .collect()
    }

    fn shown(from: &str, to: &str, kubernetes: &[&str]) -> Vec<String> {
        let legs = solve(
            &from.parse().unwrap(),
            to.parse().unwrap(),
            &clusters(kubernetes),
            &CATALOG,
        );
        let show = |leg: Leg| match leg {
            Leg::Kubernetes { cluster, to, .. } => format!("{cluster} to {to}"),
            Leg::Istio { to, waive, .. } if waive.is_empty() => format!("istio {to}"),
            Leg::Istio { to, waive, .. } => format!("istio {to} waived in {}", waive.join(", ")),
        };
        match legs {
            Ok(legs) => legs.into_iter().map(show).collect(),
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn kubernetes_is_upgraded_between_the_hops_and_no_further_than_needed() {
        assert_eq!(
            shown("1.28.1", "1.31", &["1.30", "1.33"]),
            [
                "east to 1.31",
                "istio 1.29.10",
                "east to 1.32",
                "istio 1.30.7",
                "istio 1.31.3"
            ]
        );
    }

    #[test]
    fn too_high_on_the_way_needs_a_waiver_for_that_hop() {
        assert_eq!(
            shown("1.28.1", "1.30", &["1.36", "1.34"]),
            ["istio 1.29.10 waived in east", "istio 1.30.7"]
        );
    }

    #[test]
    fn what_is_waived_is_what_check_finds() {
        for (hop, kubernetes, expected) in [("1.29.10", "1.36", "MU202"), ("1.31.3", "1.37", "MU203")] {
            let code = to_waive(&CATALOG, &hop.parse().unwrap(), kubernetes.parse().unwrap());
            assert_eq!(code.id(), expected, "{hop} on {kubernetes}");
        }
    }

    #[test]
    fn where_no_kubernetes_leads_from_one_hop_to_the_next_that_is_said() {
        let release = |minor: &str, kubernetes: &str| {
            format!(
                "      - {{minor: \"{minor}\", newestPatch: {minor}.1, released: 2026-01-01, endOfLife: {{date: 2026-01-01, \
                 kind: actual}}, kubernetes: [{kubernetes}]}}\n"
            )
        };
        let text = format!(
            "flavors:\n  - sources: {{images: i, charts: c}}\n    releases:\n{}{}",
            release("1.31", "\"1.36\", \"1.37\""),
            release("1.32", "\"1.39\"")
        );
        let catalog = Catalog::from_yaml(&text, "catalog.yaml").unwrap();
        let solved = solve(
            &"1.31.0".parse().unwrap(),
            "1.32".parse().unwrap(),
            &clusters(&["1.39", "1.36"]),
            &catalog,
        );
        assert_eq!(
            solved.unwrap_err().to_string(),
            "Istio 1.32 needs at least Kubernetes 1.39 in west, and Istio 1.31 supports at most 1.37: no Kubernetes leads \
             from one to the other"
        );
    }

    #[test]
    fn what_has_no_path_says_why() {
        for (from, to, kubernetes, part) in [
            ("1.31.0", "1.31", "1.36", "1.31 is not ahead of 1.31.0"),
            ("1.31.0", "1.30", "1.36", "not ahead"),
            ("1.31.0", "1.32", "1.36", "does not know 1.32"),
            ("1.30.0-solo", "1.31", "1.36", "does not know 1.31"),
            ("1.30.0", "2.1", "1.36", "not ahead"),
        ] {
            let told = shown(from, to, &[kubernetes]);
            assert!(told.len() == 1 && told[0].contains(part), "{from} -> {to}: {told:?}");
        }
    }
}
