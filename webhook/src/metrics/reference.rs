//! The reference of what is measured as a Markdown page, read back from the text that Prometheus is given.

use super::{CertificateStep, Decision, ExemptChange, Metrics, OfMesh, OfResource};
use std::{collections::BTreeMap, fmt::Write as _};

/// What the labels say.
const LABELS: [(&str, &str); 7] = [
    (
        "decision",
        "`allow`, `warn`, `deny`, or `unreadable` for what is no review",
    ),
    (
        "code",
        "of the refusal or warning, as `MG001`; empty where there is none",
    ),
    ("resource", "whose watch it is"),
    ("mesh", "name of the mesh"),
    ("kind", "of the object"),
    ("what", "was done to it"),
    ("step", "of the rotation"),
];

impl Metrics {
    /// The page that stands in the repository as `docs/metrics.md`.
    #[must_use]
    pub fn reference() -> String {
        let mut page = String::from(
            "# Metrics\n\nWhat the guard's webhook serves at `/metrics`, on the port of its probes (8081), in plain HTTP and \
             OpenMetrics' text form. This page is generated from the code.\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n",
        );
        let mut used = BTreeMap::new();
        for metric in described(&Self::with_a_sample_of_each().text()) {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} |",
                metric.name,
                metric.kind,
                labels.join(", "),
                metric.help
            );
            used.extend(metric.labels.into_iter().map(|label| (label, ())));
        }
        page.push_str("\n| label | says |\n|---|---|\n");
        for (label, says) in LABELS.iter().filter(|(label, _)| used.contains_key(*label)) {
            let _ = writeln!(page, "| `{label}` | {says} |");
        }
        page
    }

    /// One sample of each, because what has none is not in the text. That none is forgotten the compiler sees: all fields
    /// are named here.
    fn with_a_sample_of_each() -> Self {
        let metrics = Self::default();
        let Self {
            registry: _,
            reviews,
            durations,
            cache_ages,
            heard: _,
            certificate_expiry,
            drifted,
            exempt_changes,
            certificate_steps,
        } = &metrics;
        let (decision, code, kind, what, step) = ("", "", "", "", "");
        reviews.get_or_create(&Decision { decision, code }).inc();
        durations.observe(0.0);
        cache_ages
            .get_or_create(&OfResource {
                resource: String::new(),
            })
            .set(0.0);
        certificate_expiry.set(0);
        drifted.get_or_create(&OfMesh { mesh: String::new() }).set(0);
        exempt_changes.get_or_create(&ExemptChange { kind, what }).inc();
        certificate_steps.get_or_create(&CertificateStep { step }).inc();
        metrics
    }
}

/// One metric, as its text describes it.
struct Described {
    name: String,
    kind: String,
    help: String,
    labels: Vec<String>,
}

/// The metrics of a text: `# HELP name text`, `# TYPE name kind`, then samples `name_suffix{label="value"} 1`.
fn described(text: &str) -> Vec<Described> {
    let mut all: Vec<Described> = Vec::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            all.push(Described {
                name: name.to_owned(),
                kind: String::new(),
                help: help.trim_end_matches('.').to_owned(),
                labels: Vec::new(),
            });
            continue;
        }
        let Some(metric) = all.last_mut() else { continue };
        if let Some((_, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.clone_into(&mut metric.kind);
            if kind == "counter" {
                metric.name.push_str("_total");
            }
        } else if metric.labels.is_empty() {
            let labels = line.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
            let labels = labels.map(|(labels, _)| labels).unwrap_or_default().split(',');
            // A histogram's own label says which bucket, of which nobody needs to be told.
            metric.labels = labels
                .filter_map(|label| Some(label.split_once('=')?.0.to_owned()))
                .filter(|label| label != "le")
                .collect();
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_and_every_label_is_told() {
        let page = Metrics::reference();
        let described = described(&Metrics::with_a_sample_of_each().text());
        assert_eq!(described.len(), 7);
        for metric in described {
            assert!(!metric.help.is_empty() && !metric.kind.is_empty(), "{}", metric.name);
            for label in &metric.labels {
                assert!(page.contains(&format!("\n| `{label}` | ")), "{label}");
            }
        }
        assert!(
            page.contains("| `mesh_upgrade_webhook_reviews_total` | counter | `decision`, `code` | Reviews answered"),
            "{page}"
        );
    }
}
