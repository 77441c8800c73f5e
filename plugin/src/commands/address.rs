//! Addresses of charts: what stands in one stands in the journal, in plan files and in reports.

use crate::error::CommandError;
use shared::charts::Location;

/// Refuses an address that says who asks; `of_catalog` names the catalog that it comes from, if it does.
///
/// # Errors
/// When it carries a user or a password. It is not quoted.
pub(super) fn refuse_user(source: &str, of_catalog: Option<&str>) -> Result<(), CommandError> {
    if !Location::read(source).carries_credentials() {
        return Ok(());
    }
    let error = match of_catalog {
        None => CommandError::usage("--charts carries a user or a password, which would stand in the journal"),
        Some(origin) => CommandError::usage(format!(
            "sources.charts of {origin} carries a user or a password, which would stand in the journal"
        ))
        .hint("take it out of the catalog, or say where the charts are with --charts"),
    };
    Err(error.hint("log in first, with helm registry login or helm repo add"))
}

#[cfg(test)]
mod tests {
    use crate::commands::chart_source::chart_source;
    use shared::catalog::Catalog;

    #[test]
    fn who_asks_for_charts_does_not_stand_in_the_journal() {
        let catalog = |charts: &str| {
            let mut catalog = Catalog::embedded().unwrap();
            catalog.origin = "ours.yaml".to_owned();
            for flavor in &mut catalog.flavors {
                flavor.sources.charts = charts.to_owned();
            }
            catalog
        };
        let to = "1.31.0".parse().unwrap();
        for (place, expected) in [
            ("https://charts.example.com/istio", true),
            ("https://charts.example.com/a@b", true),
            ("oci://registry.example.com/istio", true),
            ("/srv/charts@2026", true),
            ("https://user:hunter2@charts.example.com/istio", false),
            ("https://hunter2@charts.example.com", false),
            ("oci://user:hunter2@registry.example.com?x", false),
        ] {
            let of_catalog = catalog(place);
            for given in [Some(place), None] {
                match chart_source(given, &of_catalog, &to) {
                    Ok(source) => assert!(expected && source == place, "{place} {given:?}"),
                    Err(error) => {
                        let told = format!("{error} {:?}", error.hints());
                        assert!(!expected && !told.contains("hunter2"), "{place}: {told}");
                        let by = if given.is_some() {
                            "--charts carries"
                        } else {
                            "sources.charts of ours.yaml"
                        };
                        assert!(told.starts_with(by), "{place}: {told}");
                    }
                }
            }
            // What is given counts, whatever the catalog says.
            let given = chart_source(Some("oci://r.example.com/istio"), &of_catalog, &to);
            assert_eq!(given.unwrap(), "oci://r.example.com/istio");
        }
    }
}
