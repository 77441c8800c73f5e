//! Proxies that istiod serves, counted before an upgrade and after it: none may get lost on the way.

use crate::api::ProxyConnections;

/// Of so many connected proxies one may be missing: in a large mesh pods come and go between two looks.
const ONE_MISSING_OF: i64 = 200;

/// Name of the metric with the proxies that are connected to one istiod, by their version (Istio's reference of
/// `pilot-discovery`, "Exported Metrics").
const CONNECTED: &str = "pilot_xds";
/// Configurations that proxies refused to take.
const REJECTED: &str = "pilot_total_xds_rejects";
/// Failures of istiod while it made or sent configuration.
const ERRORS: &str = "pilot_total_xds_internal_errors";
/// Every istiod has it, whatever else it has done so far.
const OF_ISTIOD: &str = "istio_build";

/// What one istiod counts, out of its metrics in Prometheus' text format. A metric appears with its first event.
///
/// # Errors
/// When they are not an istiod's.
pub fn of_metrics(text: &str) -> Result<ProxyConnections, String> {
    let samples = || text.lines().filter_map(sample);
    if !samples().any(|(name, _)| name == OF_ISTIOD) {
        return Err("what it tells is no istiod's metrics".to_owned());
    }
    let sum = |wanted: &str| {
        let values = samples().filter(|(name, _)| *name == wanted).map(|(_, value)| value);
        values.fold(0_i64, i64::saturating_add)
    };
    Ok(ProxyConnections {
        ready: 0,
        connected: sum(CONNECTED),
        rejected: sum(REJECTED),
        errors: sum(ERRORS),
        clusters: 0,
    })
}

/// What several istiods, or clusters, come to together.
#[must_use]
pub fn sum(counted: impl IntoIterator<Item = ProxyConnections>) -> ProxyConnections {
    counted
        .into_iter()
        .fold(ProxyConnections::default(), |all, one| ProxyConnections {
            ready: all.ready.saturating_add(one.ready),
            connected: all.connected.saturating_add(one.connected),
            rejected: all.rejected.saturating_add(one.rejected),
            errors: all.errors.saturating_add(one.errors),
            clusters: all.clusters.saturating_add(one.clusters),
        })
}

/// Name and value of a sample, as `pilot_xds{version="1.31.0"} 12`; a label may hold anything, and has no line's end.
fn sample(line: &str) -> Option<(&str, i64)> {
    if line.starts_with('#') {
        return None;
    }
    let name = line.split(['{', ' ']).next()?;
    let value: f64 = line.rsplit(' ').next()?.parse().ok()?;
    // Counts are whole, and far below what a float holds exactly.
    value.is_finite().then_some((name, value as i64))
}

/// What came of the proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// In a sentence.
    pub evidence: String,
    /// What a person should look at, though no proxy is lost: istiod's counts never go down, so nothing could mend it.
    pub warning: Option<String>,
}

/// Proxies that have to connect again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// How many.
    pub count: i64,
    /// What is waited for.
    pub what: String,
}

/// The same proxies without those that no ready pod stands for, as of machines, and how many these are; `None` where there are
/// none. Who has taken a machine away nobody can tell: istiod itself deletes the WorkloadEntry that it made for a machine some
/// seconds after its proxy has left, for whatever reason it did.
#[must_use]
pub fn of_pods(before: &ProxyConnections) -> Option<(ProxyConnections, i64)> {
    let machines = before.connected.saturating_sub(before.ready);
    let of_pods = ProxyConnections {
        connected: before.ready,
        ..*before
    };
    (machines > 0).then_some((of_pods, machines))
}

/// Compares what is connected with what was. A proxy is lost whose pod is still there and ready; pods that were scaled
/// down are no loss, nor are those that never were connected.
///
/// # Errors
/// How many are lost, to be waited for.
pub fn judge(before: &ProxyConnections, after: &ProxyConnections) -> Result<Judged, Lost> {
    if before.clusters != 0 && before.clusters != after.clusters {
        let evidence = format!(
            "{} proxies connected, and not compared: counted in {} clusters before, in {} now",
            after.connected, before.clusters, after.clusters
        );
        return Ok(Judged {
            warning: Some(look_at(&evidence)),
            evidence,
        });
    }
    let unconnected = |counted: &ProxyConnections| counted.ready.saturating_sub(counted.connected);
    let lost = unconnected(after).saturating_sub(unconnected(before));
    if before.connected > 0 && lost > before.connected / ONE_MISSING_OF {
        return Err(Lost {
            count: lost,
            what: format!(
                "{lost} of the {} proxies that were connected to istiod before to connect again ({} are)",
                before.connected, after.connected
            ),
        });
    }
    let evidence = format!("{} proxies connected ({} before)", after.connected, before.connected);
    let risen = [
        (
            before.rejected,
            after.rejected,
            "configurations were rejected by proxies",
        ),
        (
            before.errors,
            after.errors,
            "errors of istiod in what it sends to proxies",
        ),
    ];
    let risen: Vec<String> = risen
        .iter()
        .filter(|(before, after, _)| *before == 0 && *after > 0)
        .map(|(_, after, what)| format!("{after} {what}, none before"))
        .collect();
    let warning = (!risen.is_empty()).then(|| look_at(&risen.join(", ")));
    Ok(Judged { evidence, warning })
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

    #[test]
    fn metrics_are_summed_over_their_labels() {
        let text = "# HELP pilot_xds Number of endpoints connected to this pilot using XDS.\n\
                    # TYPE pilot_xds gauge\n\
                    istio_build{component=\"pilot\",tag=\"1.31.0\"} 1\n\
                    pilot_xds{version=\"1.30.3\"} 2\n\
                    pilot_xds{version=\"1.31.0\"} 40\n\
                    pilot_xds_pushes{type=\"cds\"} 900\n\
                    pilot_total_xds_rejects{type=\"a b\"} 3\n\
                    pilot_total_xds_internal_errors 1e+01\n\
                    pilot_xds nonsense\n";
        let expected = ProxyConnections {
            rejected: 3,
            errors: 10,
            ..counted(0, 42)
        };
        assert_eq!(of_metrics(text), Ok(expected));
        assert_eq!(of_metrics("istio_build 1\n"), Ok(counted(0, 0)));
        for garbage in ["", "<html>", "pilot_xds 3\n"] {
            assert!(of_metrics(garbage).is_err(), "{garbage}");
        }
    }

    #[test]
    fn proxies_of_other_clusters_than_before_are_not_compared() {
        let in_clusters = |clusters: i64, ready: i64, connected: i64| ProxyConnections {
            clusters,
            ..counted(ready, connected)
        };
        let judged = judge(&in_clusters(1, 10, 20), &in_clusters(2, 20, 20)).unwrap();
        assert!(judged.warning.is_some() && judged.evidence.contains("counted in 1 clusters before, in 2 now"));
        assert!(judge(&in_clusters(2, 10, 20), &in_clusters(2, 20, 20)).is_err());
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
            let judged = judge(&counted(before.0, before.1), &counted(after.0, after.1));
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
    fn proxies_of_machines_are_told_from_those_of_pods() {
        assert_eq!(of_pods(&counted(10, 10)), None);
        assert_eq!(of_pods(&counted(10, 4)), None);
        let (before, machines) = of_pods(&counted(10, 12)).unwrap();
        assert_eq!((before, machines), (counted(10, 10), 2));
        assert!(judge(&before, &counted(10, 10)).is_ok(), "both machines are gone");
        assert!(judge(&before, &counted(10, 9)).is_err(), "a pod is lost");
    }

    #[test]
    fn what_began_to_be_rejected_is_told() {
        let rejecting = |rejected, errors| ProxyConnections {
            rejected,
            errors,
            ..counted(3, 3)
        };
        let warning = |before, after| judge(&before, &after).unwrap().warning;
        assert_eq!(warning(rejecting(0, 0), rejecting(0, 0)), None);
        assert_eq!(warning(rejecting(5, 1), rejecting(9, 7)), None);
        let told = warning(rejecting(0, 0), rejecting(2, 1)).unwrap();
        assert!(told.contains("2 configurations") && told.contains("1 errors"), "{told}");
    }
}
