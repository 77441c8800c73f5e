//! A report of findings for people: by cluster and family, blockers first, each with its cause and its fix.

use super::{Layout, Mark, Ui, faint, strong, table, wrapped};
use shared::finding::{Family, Finding, Report, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// Prints a report, and its passed checks when asked.
pub fn print_report(ui: Ui, report: &Report, verbose: bool) {
    match ui.layout {
        Layout::Lines => print_lines(ui, report, verbose),
        Layout::Wide => print_wide(ui, report),
        Layout::Markdown => print_markdown(ui, report, verbose),
    }
}

/// What was found and what passed in one cluster, or in the mesh as a whole.
struct Place<'a> {
    name: &'a str,
    found: BTreeMap<Family, Vec<&'a Finding>>,
    passed: BTreeMap<Family, usize>,
}

/// The mesh as a whole first, then the clusters by name.
fn places(report: &Report) -> Vec<Place<'_>> {
    let of_findings = report.findings.iter().map(|finding| finding.cluster.as_deref());
    let of_passed = report.passed.iter().map(|passed| passed.cluster.as_deref());
    let clusters: BTreeSet<Option<&str>> = of_findings.chain(of_passed).collect();
    clusters
        .into_iter()
        .map(|cluster| {
            let mut place = Place {
                name: cluster.unwrap_or("mesh"),
                found: BTreeMap::new(),
                passed: BTreeMap::new(),
            };
            for finding in report.findings.iter().filter(|one| one.cluster.as_deref() == cluster) {
                place.found.entry(finding.code.family()).or_default().push(finding);
            }
            for passed in report.passed.iter().filter(|one| one.cluster.as_deref() == cluster) {
                *place.passed.entry(passed.code.family()).or_default() += 1;
            }
            for findings in place.found.values_mut() {
                findings.sort_by_key(|finding| (finding.severity, finding.code));
            }
            place
        })
        .collect()
}

impl Place<'_> {
    /// Families of which something was found, with how much of each passed.
    fn families(&self) -> impl Iterator<Item = (Family, &[&Finding], usize)> {
        self.found.iter().map(|(family, findings)| {
            let passed = self.passed.get(family).copied().unwrap_or_default();
            (*family, findings.as_slice(), passed)
        })
    }

    /// Families of which nothing was found, by name, and how many of their checks passed.
    fn clean(&self) -> Option<(String, usize)> {
        let clean: Vec<_> = self
            .passed
            .iter()
            .filter(|(family, _)| !self.found.contains_key(family))
            .collect();
        let names: Vec<&str> = clean.iter().map(|(family, _)| family.title()).collect();
        (!clean.is_empty()).then(|| (names.join(", "), clean.iter().map(|(_, count)| **count).sum()))
    }
}

fn print_lines(ui: Ui, report: &Report, verbose: bool) {
    for place in places(report) {
        ui.result(&strong(place.name));
        for (family, findings, passed) in place.families() {
            ui.result(&format!(
                "  {} {}",
                family.title(),
                faint(&format!("({} found, {passed} passed)", findings.len()))
            ));
            for finding in findings {
                print_finding(ui, finding);
            }
        }
        if let Some((names, count)) = place.clean() {
            let column = "   ".len() + ui.symbol(Mark::Pass).chars().count();
            let told = wrapped(&format!("{names} ({count} passed)"), column);
            ui.result(&format!("  {} {told}", ui.mark(Mark::Pass)));
        }
    }
    for waived in &report.waived {
        ui.result(&format!(
            "{} {}  waived by {} until {}: {} {}",
            ui.mark(Mark::Info),
            strong(waived.finding.code.id()),
            waived.owner,
            waived.expires,
            waived.finding.cause,
            faint(&format!("({})", waived.reason))
        ));
    }
    if verbose {
        for passed in &report.passed {
            let place = passed
                .cluster
                .as_deref()
                .map(|cluster| faint(&format!(" ({cluster})")))
                .unwrap_or_default();
            ui.result(&format!(
                "{} {}  {}{place}",
                ui.mark(Mark::Pass),
                passed.code.id(),
                passed.summary
            ));
        }
    }
    ui.result(&summary(report));
}

fn print_finding(ui: Ui, finding: &Finding) {
    let mark = match finding.severity {
        Severity::Blocker => Mark::Block,
        Severity::Warning => Mark::Warn,
        Severity::Info => Mark::Info,
    };
    let object = finding.object.as_deref().map(|object| format!(" ({object})"));
    let object = object.unwrap_or_default();
    // Mark, code and the spaces between them.
    let column = "     ".len() + ui.symbol(mark).chars().count() + finding.code.id().len() + "  ".len();
    let told = wrapped(&format!("{}{object}", finding.cause), column);
    let told = match told.strip_suffix(&object) {
        Some(cause) if !object.is_empty() => format!("{cause}{}", faint(&object)),
        // Broken in the middle: not worth a second style.
        _ => told,
    };
    ui.result(&format!("    {} {}  {told}", ui.mark(mark), strong(finding.code.id())));
    for (index, line) in finding.fix.lines().enumerate() {
        let line = wrapped(line, "        fix: ".len());
        ui.result(&format!("        {} {line}", if index == 0 { "fix:" } else { "    " }));
    }
}

fn print_wide(ui: Ui, report: &Report) {
    let rows = report.findings.iter().map(|finding| {
        vec![
            finding.severity.to_string(),
            finding.code.to_string(),
            finding.cluster.clone().unwrap_or_else(|| "-".to_owned()),
            finding.object.clone().unwrap_or_else(|| "-".to_owned()),
            finding.cause.clone(),
            finding.fix.clone(),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        ui.result(&table(&["SEVERITY", "CODE", "CLUSTER", "OBJECT", "CAUSE", "FIX"], rows));
    }
    ui.result(&summary(report));
}

fn print_markdown(ui: Ui, report: &Report, verbose: bool) {
    for line in markdown(report, verbose) {
        ui.result(&line);
    }
}

/// The report as a page for a ticket or a pull request.
fn markdown(report: &Report, verbose: bool) -> Vec<String> {
    let mut lines = vec![format!("**{}**", summary(report))];
    for place in places(report) {
        lines.push(format!("\n## {}", escaped(place.name)));
        for (family, findings, passed) in place.families() {
            lines.push(format!(
                "\n### {} ({} found, {passed} passed)\n",
                family.title(),
                findings.len()
            ));
            for finding in findings {
                let object = finding
                    .object
                    .as_deref()
                    .map(|object| format!(" `{}`", object.replace('`', "'")));
                lines.push(format!(
                    "- **{}** {}{}: {}",
                    finding.code,
                    finding.severity,
                    object.unwrap_or_default(),
                    escaped(&finding.cause)
                ));
                lines.push(format!("  - fix: {}", escaped(&finding.fix)));
            }
        }
        if let Some((names, count)) = place.clean() {
            lines.push(format!("\n{names}: {count} passed"));
        }
    }
    if !report.waived.is_empty() {
        lines.push("\n## Waived\n".to_owned());
        lines.extend(report.waived.iter().map(|waived| {
            format!(
                "- **{}** by {} until {} ({}): {}",
                waived.finding.code,
                escaped(&waived.owner),
                waived.expires,
                escaped(&waived.reason),
                escaped(&waived.finding.cause)
            )
        }));
    }
    if verbose {
        lines.push("\n## Passed\n".to_owned());
        lines.extend(report.passed.iter().map(|passed| {
            let cluster = passed.cluster.as_deref().unwrap_or("mesh");
            format!("- {} {}: {}", passed.code, escaped(cluster), escaped(&passed.summary))
        }));
    }
    lines
}

/// Text that a reader of Markdown shows as it stands.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '*' | '_' | '`' | '[' | ']' | '|' | '\\' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '\n' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

fn summary(report: &Report) -> String {
    let waived = match report.waived.len() {
        0 => String::new(),
        waived => format!(", {waived} waived"),
    };
    format!(
        "{}, {}, {} passed{waived}",
        plural(report.blockers().count(), "blocker"),
        plural(report.warnings().count(), "warning"),
        report.passed.len()
    )
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::finding::{Passed, Waived, codes};

    fn report() -> Report {
        let finding = Finding::new(codes::ENVOY_FILTER, "it names `a_b` <x>", "try it").in_cluster("east");
        let passed = |code, cluster: Option<&str>| Passed {
            code,
            cluster: cluster.map(str::to_owned),
            summary: "fine".to_owned(),
        };
        Report {
            findings: vec![
                finding.clone().about("EnvoyFilter shop/a"),
                Finding::new(codes::SKIPS_A_MINOR, "too far", "go slower"),
            ],
            passed: vec![
                passed(codes::ENVOY_FILTER, Some("east")),
                passed(codes::ROLLOUT_INCOMPLETE, Some("east")),
                passed(codes::RELEASE_NOT_DEPLOYED, Some("east")),
                passed(codes::ROLLOUT_INCOMPLETE, Some("west")),
            ],
            waived: vec![Waived {
                finding,
                owner: "alice".to_owned(),
                reason: "tried".to_owned(),
                expires: "2026-12-31".to_owned(),
            }],
        }
    }

    #[test]
    fn places_hold_what_was_found_and_count_what_passed() {
        let report = report();
        let places = places(&report);
        let names: Vec<&str> = places.iter().map(|place| place.name).collect();
        assert_eq!(names, ["mesh", "east", "west"]);
        let east: Vec<_> = places[1]
            .families()
            .map(|(family, findings, passed)| (family.title(), findings.len(), passed))
            .collect();
        assert_eq!(east, [("Configuration against the target", 1, 1)]);
        assert_eq!(places[1].clean(), Some(("Control plane, Installation".to_owned(), 2)));
        assert_eq!(places[0].clean(), None);
    }

    #[test]
    fn markdown_shows_texts_as_they_stand() {
        let page = markdown(&report(), false).join("\n");
        assert!(
            page.starts_with("**1 blocker, 1 warning, 4 passed, 1 waived**\n\n## mesh\n"),
            "{page}"
        );
        assert!(
            page.contains("- **MU727** warning `EnvoyFilter shop/a`: it names \\`a\\_b\\` &lt;x>\n  - fix: try it"),
            "{page}"
        );
        assert!(
            page.contains("\n## Waived\n\n- **MU727** by alice until 2026-12-31 (tried)"),
            "{page}"
        );
        assert!(!page.contains("## Passed"));
    }
}
