//! A report of findings for people: by cluster and family, blockers first, each with its cause and its fix.

use super::{Lang, Layout, Mark, Ui, faint, strong, width, wrapped};
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

/// Prints a report before the last question. Whoever is led has just read it: of what does not block, the counts are enough.
pub fn print_report_again(ui: Ui, report: &Report) {
    if ui.led {
        ui.shown(&summary(report, ui.lang));
    } else {
        print_report(ui, report, false);
    }
}

/// What was found and what passed in one cluster, or in the mesh as a whole.
struct Place<'a> {
    name: String,
    found: BTreeMap<Family, Vec<&'a Finding>>,
    passed: BTreeMap<Family, usize>,
}

/// The mesh as a whole first, then the clusters by name.
fn places(report: &Report, lang: Lang) -> Vec<Place<'_>> {
    let of_findings = report.findings.iter().map(|finding| finding.cluster.as_deref());
    let of_passed = report.passed.iter().map(|passed| passed.cluster.as_deref());
    let clusters: BTreeSet<Option<&str>> = of_findings.chain(of_passed).collect();
    clusters
        .into_iter()
        .map(|cluster| {
            let mut place = Place {
                name: cluster.map_or_else(|| lang.report_mesh(), str::to_owned),
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
    fn clean(&self, lang: Lang) -> Option<(String, usize)> {
        let clean: Vec<_> = self
            .passed
            .iter()
            .filter(|(family, _)| !self.found.contains_key(family))
            .collect();
        let names: Vec<String> = clean.iter().map(|(family, _)| lang.family(**family)).collect();
        (!clean.is_empty()).then(|| {
            (
                names.join(&lang.report_separator()),
                clean.iter().map(|(_, count)| **count).sum(),
            )
        })
    }
}

fn print_lines(ui: Ui, report: &Report, verbose: bool) {
    let lang = ui.lang;
    for place in places(report, lang) {
        ui.shown(&strong(&place.name));
        for (family, findings, passed) in place.families() {
            ui.shown(&format!(
                "  {} {}",
                lang.family(family),
                faint(&lang.report_counts(findings.len(), passed))
            ));
            for finding in findings {
                print_finding(ui, finding);
            }
        }
        if let Some((names, count)) = place.clean(lang) {
            let column = "   ".len() + ui.symbol(Mark::Pass).chars().count();
            let told = wrapped(&lang.report_clean(names, count), column);
            ui.shown(&format!("  {} {told}", ui.mark(Mark::Pass)));
        }
    }
    for waived in &report.waived {
        ui.shown(&format!(
            "{} {}  {} {}",
            ui.mark(Mark::Info),
            strong(waived.finding.code.id()),
            lang.report_waived(&waived.owner, &waived.expires, &waived.finding.cause),
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
            ui.shown(&format!(
                "{} {}  {}{place}",
                ui.mark(Mark::Pass),
                passed.code.id(),
                ui.lang.told(&passed.summary)
            ));
        }
    }
    ui.shown(&summary(report, lang));
}

fn print_finding(ui: Ui, finding: &Finding) {
    let mark = match finding.severity {
        Severity::Blocker => Mark::Block,
        Severity::Warning => Mark::Warn,
        Severity::Info => Mark::Info,
    };
    let object = finding.object.as_deref();
    let object = object.map(|object| format!(" ({})", ui.lang.told(object)));
    let object = object.unwrap_or_default();
    // Mark, code and the spaces between them.
    let column = "     ".len() + ui.symbol(mark).chars().count() + finding.code.id().len() + "  ".len();
    let told = wrapped(&format!("{}{object}", ui.lang.told(&finding.cause)), column);
    let told = match told.strip_suffix(&object) {
        Some(cause) if !object.is_empty() => format!("{cause}{}", faint(&object)),
        // Broken in the middle: not worth a second style.
        _ => told,
    };
    ui.shown(&format!("    {} {}  {told}", ui.mark(mark), strong(finding.code.id())));
    let fix = ui.lang.report_fix();
    let blank = " ".repeat(width(&fix));
    for (index, line) in ui.lang.told(&finding.fix).lines().enumerate() {
        let line = wrapped(line, "         ".len() + blank.len());
        ui.shown(&format!("        {} {line}", if index == 0 { &fix } else { &blank }));
    }
}

fn print_wide(ui: Ui, report: &Report) {
    let rows = report.findings.iter().map(|finding| {
        vec![
            ui.lang.severity(finding.severity),
            finding.code.to_string(),
            finding.cluster.clone().unwrap_or_else(|| "-".to_owned()),
            finding.object.clone().unwrap_or_else(|| "-".to_owned()),
            finding.cause.clone(),
            finding.fix.clone(),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        ui.table(&["SEVERITY", "CODE", "CLUSTER", "OBJECT", "CAUSE", "FIX"], rows);
    }
    ui.shown(&summary(report, ui.lang));
}

fn print_markdown(ui: Ui, report: &Report, verbose: bool) {
    for line in markdown(report, verbose, ui.lang) {
        ui.shown(&line);
    }
}

/// The report as a page for a ticket or a pull request.
fn markdown(report: &Report, verbose: bool, lang: Lang) -> Vec<String> {
    let mut lines = vec![format!("**{}**", summary(report, lang))];
    for place in places(report, lang) {
        lines.push(format!("\n## {}", escaped(&place.name)));
        for (family, findings, passed) in place.families() {
            lines.push(format!(
                "\n### {} {}\n",
                lang.family(family),
                lang.report_counts(findings.len(), passed)
            ));
            for finding in findings {
                let object = finding
                    .object
                    .as_deref()
                    .map(|object| format!(" `{}`", object.replace('`', "'").replace('\n', " ")));
                lines.push(format!(
                    "- **{}** {}{}: {}",
                    finding.code,
                    lang.severity(finding.severity),
                    object.unwrap_or_default(),
                    escaped(&lang.told(&finding.cause))
                ));
                lines.push(format!(
                    "  - {} {}",
                    lang.report_fix(),
                    escaped(&lang.told(&finding.fix))
                ));
            }
        }
        if let Some((names, count)) = place.clean(lang) {
            lines.push(format!("\n{}", lang.report_clean(names, count)));
        }
    }
    if !report.waived.is_empty() {
        lines.push(format!("\n## {}\n", lang.report_waived_heading()));
        lines.extend(report.waived.iter().map(|waived| {
            lang.report_waived_line(
                waived.finding.code,
                escaped(&waived.owner),
                &waived.expires,
                escaped(&waived.reason),
                escaped(&lang.told(&waived.finding.cause)),
            )
        }));
    }
    if verbose {
        lines.push(format!("\n## {}\n", lang.report_passed_heading()));
        lines.extend(report.passed.iter().map(|passed| {
            let cluster = passed.cluster.clone().unwrap_or_else(|| lang.report_mesh());
            format!(
                "- {} {}: {}",
                passed.code,
                escaped(&cluster),
                escaped(&lang.told(&passed.summary))
            )
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

fn summary(report: &Report, lang: Lang) -> String {
    let waived = match report.waived.len() {
        0 => String::new(),
        waived => lang.report_and_waived(waived),
    };
    let blockers = lang.blockers(report.blockers().count());
    let warnings = lang.warnings(report.warnings().count());
    format!(
        "{}{waived}",
        lang.report_summary(blockers, warnings, report.passed.len())
    )
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
                object: None,
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
        let places = places(&report, Lang::English);
        let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
        assert_eq!(names, ["mesh", "east", "west"]);
        let east: Vec<_> = places[1]
            .families()
            .map(|(family, findings, passed)| (family.title(), findings.len(), passed))
            .collect();
        assert_eq!(east, [("Configuration against the target", 1, 1)]);
        assert_eq!(
            places[1].clean(Lang::English),
            Some(("Control plane, Installation".to_owned(), 2))
        );
        assert_eq!(places[0].clean(Lang::English), None);
    }

    #[test]
    fn in_chinese_a_finding_is_told_in_chinese() {
        let mut report = report();
        let ahead = "istiod runs 1.30.3; 1.32.0 is more than one minor ahead";
        report.findings[1] = Finding::new(codes::SKIPS_A_MINOR, ahead, "choose a version from 1.31.0 on");
        let page = markdown(&report, true, Lang::Chinese).join("\n");
        for part in [
            "**1 个阻塞项，1 个警告，4 项通过，1 项豁免**\n\n## 网格\n",
            "\n### 版本 （发现 1 项，通过 0 项）\n",
            "- **MU101** 阻塞: istiod 运行 1.30.3；1.32.0 领先不止一个次要版本\n  - 处理： 选择 1.31.0 或更新的版本",
            "\n控制平面、安装（通过 2 项）",
            "\n## 已豁免\n\n- **MU727** 由 alice 豁免至 2026-12-31（tried）",
            "\n## 已通过\n",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }

    #[test]
    fn markdown_shows_texts_as_they_stand() {
        let page = markdown(&report(), false, Lang::English).join("\n");
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
