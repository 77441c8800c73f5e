//! What one istiod tells of itself in its metrics, which are in Prometheus' text format.

use super::Remotes;

/// Name of the metric with the proxies that are connected to one istiod, by their version (Istio's reference of
/// `pilot-discovery`, "Exported Metrics").
const CONNECTED: &str = "pilot_xds";
/// Configurations that proxies refused to take.
const REJECTED: &str = "pilot_total_xds_rejects";
/// Failures of istiod while it made or sent configuration.
const ERRORS: &str = "pilot_total_xds_internal_errors";
/// Servers of Gateways that istiod passed over; it counts them anew whenever it makes configuration.
const IGNORED: &str = "pilot_total_rejected_configs";
/// Every istiod has it, whatever else it has done so far.
const OF_ISTIOD: &str = "istio_build";

/// What one istiod counts; its counts begin with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Istiod {
    /// Its pod, with the namespace; none is ever called like another one.
    pub pod: String,
    /// Proxies that are connected to it.
    pub connected: i64,
    /// Configurations that proxies rejected.
    pub rejected: i64,
    /// Its errors in making or sending configuration.
    pub errors: i64,
    /// Parts of the configuration that it passed over.
    pub ignored: i64,
    /// Its remote clusters.
    pub remotes: Remotes,
}

/// What one istiod counts, out of its metrics in Prometheus' text format. A metric appears with its first event.
///
/// # Errors
/// When they are not an istiod's.
pub fn of_metrics(pod: &str, text: &str) -> Result<Istiod, String> {
    let mut istiod = Istiod {
        pod: pod.to_owned(),
        ..Istiod::default()
    };
    let mut is_istiod = false;
    for line in text.lines() {
        let Some((name, value)) = sample(line) else { continue };
        let counter = match name {
            CONNECTED => &mut istiod.connected,
            REJECTED => &mut istiod.rejected,
            ERRORS => &mut istiod.errors,
            IGNORED => &mut istiod.ignored,
            _ => {
                is_istiod |= name == OF_ISTIOD;
                istiod.remotes.take(name, line, value);
                continue;
            }
        };
        *counter = counter.saturating_add(value);
    }
    if !is_istiod {
        return Err("what it tells is no istiod's metrics".to_owned());
    }
    Ok(istiod)
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

/// A label's value in a sample.
pub(super) fn label(line: &str, wanted: &str) -> Option<String> {
    let mut rest = line.split_once('{')?.1;
    loop {
        let (name, quoted) = rest.split_once("=\"")?;
        let (mut value, mut end, mut is_escaped) = (String::new(), None, false);
        for (at, char) in quoted.char_indices() {
            match (is_escaped, char) {
                (false, '\\') => is_escaped = true,
                (false, '"') => {
                    end = Some(at);
                    break;
                }
                (_, char) => {
                    is_escaped = false;
                    value.push(char);
                }
            }
        }
        if name.trim_start_matches(',') == wanted {
            return Some(value);
        }
        rest = quoted.get(end?.saturating_add(1)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                    pilot_total_rejected_configs{name=\"a/b\",type=\"gateway\"} 7\n\
                    pilot_xds nonsense\n";
        let expected = Istiod {
            pod: "istio-system/istiod-1".to_owned(),
            connected: 42,
            rejected: 3,
            errors: 10,
            ignored: 7,
            ..Istiod::default()
        };
        assert_eq!(of_metrics("istio-system/istiod-1", text), Ok(expected));
        assert_eq!(of_metrics("", "istio_build 1\n"), Ok(Istiod::default()));
        for garbage in ["", "<html>", "pilot_xds 3\n"] {
            assert!(of_metrics("", garbage).is_err(), "{garbage}");
        }
    }

    #[test]
    fn labels_are_read_by_their_whole_name() {
        let line = r#"m{cluster_type="remote",cluster="we\"st, {a}=\\",status="synced"} 1"#;
        for (name, value) in [
            ("cluster_type", Some("remote")),
            ("cluster", Some(r#"we"st, {a}=\"#)),
            ("status", Some("synced")),
            ("type", None),
        ] {
            assert_eq!(label(line, name).as_deref(), value, "{name}");
        }
        for garbage in ["m 1", "m{", r#"m{cluster="a"#, r#"m{cluster} 1"#, ""] {
            assert_eq!(label(garbage, "status"), None, "{garbage}");
        }
    }
}
