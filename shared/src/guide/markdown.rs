//! A runbook as a page for people.

use super::{Action, Chapter, Check, Runbook, Step, Tell, shell::one_line};
use crate::finding::Severity;
use std::fmt::Write as _;

/// Renders a runbook as Markdown, for people of the language of `tell`.
#[must_use]
pub fn markdown(runbook: &Runbook, tell: Tell<'_>) -> String {
    let mut page = String::new();
    let Runbook { mesh, from, to, .. } = runbook;
    let title = tell(&format!(
        "Mesh {mesh}: Istio {from} to {to}, {}",
        runbook.strategy.as_str()
    ));
    line(&mut page, &format!("# {}", prose(&title)));
    line(&mut page, "");
    line(
        &mut page,
        &tell("| Cluster | Context | Kubernetes | Installed by | Control planes | Images |"),
    );
    line(&mut page, "|---|---|---|---|---|---|");
    for cluster in &runbook.clusters {
        let cells = [
            &cluster.name,
            cluster.context.as_ref().unwrap_or(&String::new()),
            &cluster.kubernetes,
            &tell(&cluster.installer),
            &cluster
                .control_planes
                .iter()
                .map(|plane| tell(plane))
                .collect::<Vec<_>>()
                .join("; "),
            cluster.hub.as_ref().unwrap_or(&String::new()),
        ]
        .map(|cell| prose(cell));
        line(&mut page, &format!("| {} |", cells.join(" | ")));
    }
    line(&mut page, "");
    for note in &runbook.notes {
        line(&mut page, &format!("- {}", prose(&tell(note))));
    }
    if needs_folder(runbook) {
        paragraph(
            &mut page,
            &tell("Some commands keep files in a private folder; make it first, and remove it afterwards:"),
        );
        code(&mut page, "umask 077; WORK=$(mktemp -d)");
        code(&mut page, "rm -r \"$WORK\"");
    }
    findings(&mut page, runbook, tell);
    for (index, chapter) in runbook.chapters.iter().enumerate() {
        self::chapter(&mut page, index + 1, chapter, tell);
    }
    page
}

fn findings(page: &mut String, runbook: &Runbook, tell: Tell<'_>) {
    let told: Vec<_> = runbook
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Info)
        .collect();
    if told.is_empty() {
        return;
    }
    let heading = tell("What stands in the way of the first hop, or should be known");
    line(page, &format!("\n## {heading}\n"));
    for finding in told {
        let weight = match finding.severity {
            Severity::Blocker => format!("**{}**", tell("blocker:")),
            Severity::Warning | Severity::Info => tell("warning:"),
        };
        line(page, &format!("- {weight} {}", prose(&finding.one_line_told(tell))));
        line(page, &format!("  - {}", prose(&tell(&finding.fix))));
    }
}

fn chapter(page: &mut String, number: usize, chapter: &Chapter, tell: Tell<'_>) {
    paragraph(page, &format!("## {number}. {}", prose(&tell(&chapter.title))));
    for note in &chapter.notes {
        paragraph(page, &prose(&tell(note)));
    }
    for (index, step) in chapter.steps.iter().enumerate() {
        self::step(page, &format!("{number}.{}", index + 1), step, tell);
    }
}

fn step(page: &mut String, number: &str, step: &Step, tell: Tell<'_>) {
    let cluster = step.cluster.as_ref().map(|cluster| format!(" ({})", prose(cluster)));
    let title = format!(
        "### {number} {}{}",
        prose(&tell(&step.title)),
        cluster.unwrap_or_default()
    );
    paragraph(page, &title);
    for note in &step.notes {
        paragraph(page, &prose(&tell(note)));
    }
    checks(page, &tell("Before, each has to end with 0:"), &step.before, tell);
    if !step.run.is_empty() {
        paragraph(page, &tell("Do:"));
    }
    for action in &step.run {
        match action {
            Action::Run(command) => code(page, command),
            Action::ByHand(what) => paragraph(page, &format!("- [ ] {}", prose(&tell(what)))),
        }
    }
    checks(page, &tell("Afterwards, each has to end with 0:"), &step.after, tell);
    if !step.look.is_empty() {
        paragraph(page, &tell("Look at:"));
    }
    for look in &step.look {
        paragraph(page, &format!("- {}", prose(&tell(&look.says))));
        if let Some(command) = &look.command {
            code(page, command);
        }
    }
    let back = format!("{} {}.", tell("Way back:"), prose(&tell(&step.back.says)));
    paragraph(page, &back);
    for command in &step.back.commands {
        code(page, command);
    }
}

fn checks(page: &mut String, heading: &str, checks: &[Check], tell: Tell<'_>) {
    if !checks.is_empty() {
        paragraph(page, heading);
    }
    for check in checks {
        let patient = if check.patient {
            format!(" ({})", tell("it may take a moment"))
        } else {
            String::new()
        };
        paragraph(page, &format!("- [ ] {}{patient}", prose(&tell(&check.says))));
        code(page, &check.command);
    }
}

/// A block of code whose fence is longer than any in it.
fn code(page: &mut String, command: &str) {
    let longest = command.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    paragraph(page, &format!("{fence}sh\n{command}\n{fence}"));
}

/// Text that stays text, whatever names are in it.
fn prose(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        if "\\`*[<|".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Whether a command names the private folder.
fn needs_folder(runbook: &Runbook) -> bool {
    let steps = runbook.chapters.iter().flat_map(|chapter| &chapter.steps);
    steps.flat_map(commands).any(|command| command.contains("\"$WORK\""))
}

/// All commands of a step.
fn commands(step: &Step) -> impl Iterator<Item = &str> {
    let run = step.run.iter().filter_map(|action| match action {
        Action::Run(command) => Some(command),
        Action::ByHand(_) => None,
    });
    let checks = step.before.iter().chain(&step.after).map(|check| &check.command);
    let looks = step.look.iter().filter_map(|look| look.command.as_ref());
    run.chain(checks)
        .chain(looks)
        .chain(&step.back.commands)
        .map(String::as_str)
}

/// A block of its own, after one empty line.
fn paragraph(page: &mut String, text: &str) {
    line(page, "");
    line(page, text);
}

fn line(page: &mut String, text: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(page, "{text}");
}
