//! The path solver against a search of everything: the same answer whether there is a path, and never a shorter one.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;
use shared::{
    catalog::Catalog,
    path::{Leg, PathCluster, solve},
    version::{IstioVersion, Minor},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Istio 1.0, 1.1, … with any ranges of Kubernetes whose ends never go down.
fn ranges() -> impl Strategy<Value = Vec<(u64, u64)>> {
    proptest::collection::vec((0_u64..3, 0_u64..3), 2..5).prop_map(|steps| {
        let (mut min, mut max) = (1, 2);
        steps
            .into_iter()
            .map(|(up_min, up_max)| {
                min += up_min;
                max = (max + up_max).max(min);
                (min, max)
            })
            .collect()
    })
}

fn catalog(ranges: &[(u64, u64)]) -> Catalog {
    let mut text = String::from("flavors:\n  - sources: {images: i, charts: c}\n    releases:\n");
    for (minor, (min, max)) in ranges.iter().enumerate() {
        let kubernetes: Vec<String> = (*min..=*max).map(|n| format!("\"1.{n}\"")).collect();
        text.push_str(&format!(
            "      - {{minor: \"1.{minor}\", newestPatch: 1.{minor}.1, released: 2026-01-01, endOfLife: {{date: 2026-01-01, \
             kind: actual}}, kubernetes: [{}]}}\n",
            kubernetes.join(", ")
        ));
    }
    Catalog::from_yaml(&text, "generated").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Walks the legs one after the other, and says which of them cannot be walked. Whether all clusters were supported when it
/// began is the mesh's own affair.
fn walk(
    ranges: &[(u64, u64)],
    clusters: &[PathCluster],
    from: &IstioVersion,
    legs: &[Leg],
) -> Result<IstioVersion, String> {
    let range = |istio: &IstioVersion| {
        let index = usize::try_from(istio.minor().minor).map_err(|error| error.to_string())?;
        ranges.get(index).copied().ok_or(format!("no Istio {istio}"))
    };
    let contains = |(min, max): (u64, u64), k: Minor| min <= k.minor && k.minor <= max;
    let mut standing: BTreeMap<&str, Minor> = BTreeMap::new();
    for cluster in clusters {
        standing.insert(&cluster.name, cluster.kubernetes);
    }
    let mut running = from.clone();
    let mut unsupported: BTreeSet<&str> = standing
        .iter()
        .filter(|(_, k)| range(from).is_ok_and(|range| !contains(range, **k)))
        .map(|(name, _)| *name)
        .collect();
    for leg in legs {
        match leg {
            Leg::Kubernetes { cluster, from, to } => {
                let (name, k) = standing
                    .iter_mut()
                    .find(|(name, _)| **name == cluster.as_str())
                    .ok_or("no such cluster")?;
                let is_supported = to.minor <= range(&running)?.1;
                if from != k || *to != k.next() || !is_supported {
                    return Err(format!("{leg:?} under {running}, from {k}"));
                }
                *k = *to;
                if contains(range(&running)?, *to) {
                    unsupported.remove(*name);
                }
            }
            Leg::Istio { from, to, waive } => {
                if *from != running || to.minor() != from.minor().next() {
                    return Err(format!("{leg:?} from {running}"));
                }
                for (name, k) in &standing {
                    let waived = waive.iter().any(|waived| waived == name);
                    let before = contains(range(from)?, *k) || unsupported.contains(name);
                    if !before || k.minor < range(to)?.0 || contains(range(to)?, *k) == waived {
                        return Err(format!("{leg:?} with {name} at {k}"));
                    }
                    if waived {
                        unsupported.insert(name);
                    } else {
                        unsupported.remove(name);
                    }
                }
                running = to.clone();
            }
        }
    }
    Ok(running)
}

/// Fewest legs to the last Istio when every single step has to be supported, by trying all of them.
fn search(ranges: &[(u64, u64)], kubernetes: &[u64]) -> Option<usize> {
    let supports = |istio: usize, k: u64| ranges.get(istio).is_some_and(|(min, max)| *min <= k && k <= *max);
    let mut seen = BTreeSet::new();
    let mut queue = VecDeque::from([(0_usize, kubernetes.to_vec(), 0_usize)]);
    while let Some((istio, clusters, legs)) = queue.pop_front() {
        if istio + 1 == ranges.len() {
            return Some(legs);
        }
        if !seen.insert((istio, clusters.clone())) {
            continue;
        }
        if clusters.iter().all(|k| supports(istio + 1, *k)) {
            queue.push_back((istio + 1, clusters.clone(), legs + 1));
        }
        for index in 0..clusters.len() {
            let mut raised = clusters.clone();
            if let Some(k) = raised.get_mut(index)
                && ranges.get(istio).is_some_and(|(_, max)| *k < *max)
            {
                *k += 1;
                queue.push_back((istio, raised, legs + 1));
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_solver_agrees_with_a_search_of_everything(
        ranges in ranges(),
        kubernetes in proptest::collection::vec(0_u64..9, 1..3),
    ) {
        let catalog = catalog(&ranges);
        let from: IstioVersion = "1.0.1".parse().unwrap();
        let clusters: Vec<PathCluster> = kubernetes
            .iter()
            .enumerate()
            .map(|(index, k)| PathCluster { name: format!("c{index}"), kubernetes: Minor::new(1, *k) })
            .collect();
        let target = Minor::new(1, ranges.len() as u64 - 1);
        let solved = solve(&from, target, &clusters, &catalog);
        if let Ok(legs) = &solved {
            let arrived = walk(&ranges, &clusters, &from, legs);
            prop_assert_eq!(arrived.map(|version| version.minor()), Ok(target), "{:?} {:?}: {:?}", ranges, kubernetes, legs);
        }
        let without_waiver = solved.as_ref().is_ok_and(|legs| {
            legs.iter().all(|leg| matches!(leg, Leg::Kubernetes { .. }) || matches!(leg, Leg::Istio { waive, .. } if waive.is_empty()))
        });
        match search(&ranges, &kubernetes) {
            Some(fewest) => {
                prop_assert!(without_waiver, "{:?} {:?}: {:?}", ranges, kubernetes, solved);
                prop_assert_eq!(solved.map(|legs| legs.len()), Ok(fewest));
            }
            None => prop_assert!(!without_waiver, "{:?} {:?}: {:?}", ranges, kubernetes, solved),
        }
    }
}
