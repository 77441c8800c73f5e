//! A report of findings for people: blockers first, each with its cause and its fix.

use super::{Mark, Ui, faint, strong};
use shared::finding::{Report, Severity};

/// Prints a report, and its passed checks when asked.
pub fn print_report(ui: Ui, report: &Report, verbose: bool) {
    let mut findings: Vec<_> = report.findings.iter().collect();
    findings.sort_by_key(|finding| (rank(finding.severity), finding.code.id()));
    for finding in findings {
        let mark = match finding.severity {
            Severity::Blocker => Mark::Block,
            Severity::Warning => Mark::Warn,
            Severity::Info => Mark::Info,
        };
        let place = [finding.cluster.as_deref(), finding.object.as_deref()];
        let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let place = if place.is_empty() {
            String::new()
        } else {
            format!(" {}", faint(&format!("({place})")))
        };
        ui.result(&format!(
            "{} {}  {}{place}",
            ui.mark(mark),
            strong(finding.code.id()),
            finding.cause
        ));
        for (index, line) in finding.fix.lines().enumerate() {
            ui.result(&format!("    {} {line}", if index == 0 { "fix:" } else { "    " }));
        }
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
    let count = |severity: Severity| {
        report
            .findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    ui.result(&format!(
        "{}, {}, {} passed",
        plural(count(Severity::Blocker), "blocker"),
        plural(count(Severity::Warning), "warning"),
        report.passed.len()
    ));
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Blocker => 0,
        Severity::Warning => 1,
        Severity::Info => 2,
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}
