//! The embedded catalog against Istio's own table of supported releases, `data/compatibility/supportStatus.yml` of
//! istio/istio.io: what differs is named, row by row. CONTRIBUTING.md tells how it is used for a new release.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use serde::Deserialize;
use shared::{
    catalog::{Catalog, Date},
    version::{Flavor, Minor},
};

/// A row as Istio writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    version: String,
    #[serde(default)]
    release_date: Option<String>,
    #[serde(default)]
    eol_date: Option<String>,
    #[serde(default)]
    k8s_versions: Vec<Minor>,
    /// Left out where an old row is known without it.
    #[serde(default)]
    tested_k8s_versions: Option<Vec<Minor>>,
}

/// A day as Istio writes it, `Feb 16, 2026` or `Sept 5, 2023`; `None` for what is only expected.
fn day(text: &str) -> Option<Date> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let mut words = text.trim().split([' ', ',']).filter(|word| !word.is_empty());
    let (month, day, year) = (words.next()?, words.next()?, words.next()?);
    let month = month.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Date::new(year.parse().ok()?, i8::try_from(month).ok()?, day.parse().ok()?).ok()
}

/// What the catalog says differently, a sentence each.
fn differences(table: &str, catalog: &Catalog) -> Vec<String> {
    let rows: Vec<Row> = serde_saphyr::from_str(table).unwrap_or_else(|error| panic!("the table: {error}"));
    let mut told = Vec::new();
    for row in rows {
        // The row `master` is of no release.
        let Ok(minor) = row.version.parse::<Minor>() else {
            continue;
        };
        let Some(release) = catalog.release(&Flavor::Native, minor) else {
            // What is older than the catalog's oldest is left out on purpose.
            if minor > Minor::new(1, 9) {
                told.push(format!("{minor} is missing"));
            }
            continue;
        };
        let mut compare = |what: &str, theirs: String, ours: String| {
            if theirs != ours {
                told.push(format!("{minor} {what}: Istio says {theirs}, the catalog {ours}"));
            }
        };
        compare("kubernetes", shown(&row.k8s_versions), shown(&release.kubernetes));
        if let Some(tested) = &row.tested_k8s_versions {
            compare("tested", shown(tested), shown(&release.tested));
        }
        if let Some(released) = row.release_date.as_deref().and_then(day) {
            compare("released", released.to_string(), release.released.to_string());
        }
        if let Some(end) = row.eol_date.as_deref().and_then(day) {
            compare("endOfLife", end.to_string(), release.end_of_life.date.to_string());
        }
    }
    told
}

fn shown(minors: &[Minor]) -> String {
    minors.iter().map(Minor::to_string).collect::<Vec<_>>().join(" ")
}

/// Rows as Istio's table had them, all of those that the catalog takes from it; it must keep saying the same of releases that are
/// over.
const KNOWN: &str = r#"
- version: "master"
  supported: "No, development only"
  releaseDate:
  eolDate:
  k8sVersions: ["1.32", "1.33", "1.34", "1.35", "1.36"]
  testedK8sVersions: ["1.24"]
- version: "1.30"
  supported: "Yes"
  releaseDate: "May 18, 2026"
  eolDate: "~Nov 2026 (Expected)"
  k8sVersions: ["1.32", "1.33", "1.34", "1.35", "1.36"]
  testedK8sVersions: ["1.27", "1.28", "1.29", "1.30", "1.31"]
- version: "1.29"
  supported: "No"
  releaseDate: "Feb 16, 2026"
  eolDate: "Oct 12, 2026"
  k8sVersions: ["1.31", "1.32", "1.33", "1.34", "1.35"]
  testedK8sVersions: ["1.26", "1.27", "1.28", "1.29", "1.30"]
- version: "1.28"
  supported: "No"
  releaseDate: "Nov 5, 2025"
  eolDate: "Jul 1, 2026"
  k8sVersions: ["1.30", "1.31", "1.32", "1.33", "1.34"]
  testedK8sVersions: ["1.25", "1.26", "1.27", "1.28", "1.29"]
- version: "1.27"
  supported: "No"
  releaseDate: "Aug 11, 2025"
  eolDate: "Apr 7, 2026"
  k8sVersions: ["1.29", "1.30", "1.31", "1.32", "1.33"]
  testedK8sVersions: ["1.24", "1.25", "1.26", "1.27", "1.28"]
- version: "1.26"
  supported: "No"
  releaseDate: "May 8, 2025"
  eolDate: "Dec 22, 2025"
  k8sVersions: ["1.29", "1.30", "1.31", "1.32", "1.33"]
  testedK8sVersions: ["1.24", "1.25", "1.26", "1.27", "1.28"]
- version: "1.25"
  supported: "No"
  releaseDate: "Mar 3, 2025"
  eolDate: "Sept 30, 2025"
  k8sVersions: ["1.29", "1.30", "1.31", "1.32"]
- version: "1.24"
  supported: "No"
  releaseDate: "Nov 7, 2024"
  eolDate: "Jun 24, 2025"
  k8sVersions: ["1.28", "1.29", "1.30", "1.31"]
- version: "1.23"
  supported: "No"
  releaseDate: "Aug 14, 2024"
  eolDate: "Apr 16, 2025"
  k8sVersions: ["1.27", "1.28", "1.29", "1.30"]
- version: "1.22"
  supported: "No"
  releaseDate: "May 13, 2024"
  eolDate: "Jan 22, 2025"
  k8sVersions: ["1.27", "1.28", "1.29", "1.30"]
  testedK8sVersions: ["1.23", "1.24", "1.25", "1.26"]
- version: "1.21"
  supported: "No"
  releaseDate: "Mar 13, 2024"
  eolDate: "Sept 27, 2024"
  k8sVersions: ["1.26", "1.27", "1.28", "1.29"]
  testedK8sVersions: ["1.23", "1.24", "1.25"]
- version: "1.20"
  supported: "No"
  releaseDate: "Nov 14, 2023"
  eolDate: "Jun 25, 2024"
  k8sVersions: ["1.25", "1.26", "1.27", "1.28", "1.29"]
  testedK8sVersions: ["1.23", "1.24"]
- version: "1.19"
  supported: "No"
  releaseDate: "Sept 5, 2023"
  eolDate: "Apr 24, 2024"
  k8sVersions: ["1.25", "1.26", "1.27", "1.28"]
  testedK8sVersions: ["1.21", "1.22", "1.23", "1.24"]
- version: "1.18"
  supported: "No"
  releaseDate: "Jun 7, 2023"
  eolDate: "Jan 4, 2024"
  k8sVersions: ["1.24", "1.25", "1.26", "1.27"]
  testedK8sVersions: ["1.20", "1.21", "1.22", "1.23"]
- version: "1.17"
  supported: "No"
  releaseDate: "Feb 14, 2023"
  eolDate: "Oct 27, 2023"
  k8sVersions: ["1.23", "1.24", "1.25", "1.26"]
  testedK8sVersions: ["1.16", "1.17", "1.18", "1.19", "1.20", "1.21", "1.22"]
- version: "1.16"
  supported: "No"
  releaseDate: "Nov 15, 2022"
  eolDate: "Jul 25, 2023"
  k8sVersions: ["1.22", "1.23", "1.24", "1.25"]
  testedK8sVersions: ["1.16", "1.17", "1.18", "1.19", "1.20", "1.21"]
- version: "1.15"
  supported: "No"
  releaseDate: "Aug 31, 2022"
  eolDate: "Apr 4, 2023"
  k8sVersions: ["1.22", "1.23", "1.24", "1.25"]
  testedK8sVersions: ["1.16", "1.17", "1.18", "1.19", "1.20", "1.21"]
- version: "1.14"
  supported: "No"
  releaseDate: "May 24, 2022"
  eolDate: "Dec 27, 2022"
  k8sVersions: ["1.21", "1.22", "1.23", "1.24"]
  testedK8sVersions: ["1.16", "1.17", "1.18", "1.19", "1.20"]
- version: "1.13"
  supported: "No"
  releaseDate: "Feb 11, 2022"
  eolDate: "Oct 12, 2022"
  k8sVersions: ["1.20", "1.21", "1.22", "1.23"]
  testedK8sVersions: ["1.16", "1.17", "1.18", "1.19"]
- version: "1.12"
  supported: "No"
  releaseDate: "Nov 18, 2021"
  eolDate: "Jul 12, 2022"
  k8sVersions: ["1.19", "1.20", "1.21", "1.22"]
  testedK8sVersions: ["1.16", "1.17", "1.18"]
- version: "1.11"
  supported: "No"
  releaseDate: "Aug 12, 2021"
  eolDate: "Mar 25, 2022"
  k8sVersions: ["1.18", "1.19", "1.20", "1.21", "1.22"]
  testedK8sVersions: ["1.16", "1.17"]
- version: "1.10"
  supported: "No"
  releaseDate: "May 18, 2021"
  eolDate: "Jan 7, 2022"
  k8sVersions: ["1.18", "1.19", "1.20", "1.21"]
  testedK8sVersions: ["1.16", "1.17", "1.22"]
- version: "1.7"
  supported: "No"
  k8sVersions: ["1.16"]
"#;

fn embedded() -> Catalog {
    Catalog::embedded().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_catalog_says_what_istios_table_says() {
    assert_eq!(differences(KNOWN, &embedded()), Vec::<String>::new());
}

#[test]
fn a_table_that_went_on_is_told_row_by_row() {
    let newer = KNOWN
        .replace("~Nov 2026 (Expected)", "Jan 11, 2027")
        .replace(
            "\"1.36\"]\n  testedK8sVersions: [\"1.27\"",
            "\"1.36\", \"1.37\"]\n  testedK8sVersions: [\"1.27\"",
        )
        .replace("version: \"1.7\"", "version: \"1.32\"");
    assert_eq!(
        differences(&newer, &embedded()),
        [
            "1.30 kubernetes: Istio says 1.32 1.33 1.34 1.35 1.36 1.37, the catalog 1.32 1.33 1.34 1.35 1.36",
            "1.30 endOfLife: Istio says 2027-01-11, the catalog 2026-11-30",
            "1.32 is missing",
        ]
    );
}

/// `SUPPORT_STATUS=supportStatus.yml cargo test -p mesh-upgrade-shared --test support_status`, with a fresh download.
#[test]
fn a_fresh_table_agrees_where_one_is_given() {
    let Some(path) = std::env::var_os("SUPPORT_STATUS") else {
        return;
    };
    let table = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let told = differences(&table, &embedded());
    assert!(
        told.is_empty(),
        "shared/data/catalog.yaml is behind:\n{}",
        told.join("\n")
    );
}
