//! How a check is printed by each flag, with its exit code; and the fields of documents, against the tables that tell of them.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Run},
    product::mesh_upgrade,
};
use serde_json::Value;

const DOCUMENT: &str = "../docs/operating.md";

/// Of a mesh that may go, with a warning.
pub fn of_a_free_mesh(cluster: &Cluster) -> Result<()> {
    let warned = check(cluster, &["--fail-on", "warning"])?;
    ensure!(
        warned.code == 4 && warned.stdout.contains("0 blockers, "),
        "only warnings: {warned}"
    );
    let report = check(cluster, &["-o", "json"])?;
    ensure!(report.code == 0, "{report}");
    has_the_fields_of("CheckReport", &report.json()?)?;
    let plan = mesh_upgrade(cluster, &["plan", "--to", "1.31.0", "-o", "json"])?;
    has_the_fields_of("Plan", &plan.json()?)
}

/// Of a mesh that is blocked.
pub fn of_a_blocked_mesh(cluster: &Cluster) -> Result<()> {
    let lines = check(cluster, &["--verbose", "--stats", "--fail-on", "warning"])?;
    says(
        &lines,
        &["all ", "permissions are granted", "CALLS", "RECEIVED", "fix: "],
    )?;
    let wide = check(cluster, &["-o", "wide"])?;
    says(&wide, &["SEVERITY", "EnvoyFilter seeded/patched"])?;
    let page = check(cluster, &["-o", "markdown"])?;
    says(&page, &["# Mesh ", "- **MU411** warning `"])?;

    let report = check(cluster, &["-o", "json"])?;
    let document: Value = serde_json::from_str(&report.stdout)?;
    findings_have_the_fields(&document)?;
    let file = cluster.dir().join("printed.json");
    fs::write(&file, &report.stdout)?;
    let yaml = check(cluster, &["-o", "yaml", "--baseline", &file.display().to_string()])?;
    // What is known still blocks.
    says(&yaml, &["kind: CheckReport", "findings: []", "free: false", "known:"])
}

fn check(cluster: &Cluster, more: &[&str]) -> Result<Run> {
    mesh_upgrade(cluster, &[&["check", "--to", "1.31.0"][..], more].concat())
}

fn says(run: &Run, parts: &[&str]) -> Result<()> {
    ensure!(run.code == 3, "{run}");
    for part in parts {
        ensure!(run.stdout.contains(part), "{part}: {run}");
    }
    Ok(())
}

/// The words in code of a text.
fn words(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether a document has all the fields that the table of its kind names, and no others.
pub fn has_the_fields_of(kind: &str, document: &Value) -> Result<()> {
    let told = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT))?;
    let head = format!("| field of {kind} | what it says |");
    let table = told.lines().skip_while(|line| *line != head).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    let expected: BTreeSet<&str> = rows.filter_map(|row| row.split('|').nth(1)).flat_map(words).collect();
    ensure!(!expected.is_empty(), "{DOCUMENT} has no table of {kind}");
    ensure!(
        document.get("kind").and_then(Value::as_str) == Some(kind),
        "{document:#}"
    );
    let fields = document.as_object().context("a document")?.keys();
    let fields = fields.map(String::as_str);
    let found: BTreeSet<&str> = fields.filter(|field| !["apiVersion", "kind"].contains(field)).collect();
    ensure!(
        found == expected,
        "{kind} has {found:?}, and {DOCUMENT} tells of {expected:?}"
    );
    Ok(())
}

/// Whether each finding has only fields that are told of, and all of those are there in some.
fn findings_have_the_fields(report: &Value) -> Result<()> {
    let told = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT))?;
    let (_, rest) = told.split_once("\nA finding has ").context("what a finding has")?;
    let paragraph = rest.split("\n\n").next().unwrap_or_default();
    let values = ["Blocker", "Warning", "Info"];
    let expected: BTreeSet<&str> = words(paragraph)
        .into_iter()
        .filter(|word| !values.contains(word))
        .collect();
    let findings = report.get("findings").and_then(Value::as_array).context("findings")?;
    let fields = findings.iter().filter_map(Value::as_object).flatten();
    let found: BTreeSet<&str> = fields.map(|(field, _)| field.as_str()).collect();
    let unknown: Vec<_> = found.difference(&expected).collect();
    ensure!(unknown.is_empty(), "{DOCUMENT} does not tell of {unknown:?}");
    // What only some findings have.
    let missing: Vec<_> = expected
        .difference(&found)
        .filter(|field| !["objects", "detail", "unnamed"].contains(*field))
        .collect();
    ensure!(missing.is_empty(), "no finding has {missing:?}");
    Ok(())
}
