//! A runbook as a POSIX shell script that stops at each step and asks.

use super::{
    Action, Check, Runbook, Step, Tell,
    shell::{one_line, quote},
};
use crate::finding::Severity;
use std::fmt::Write as _;

/// What every script begins with.
const HEAD: &str = include_str!("head.sh");

/// What the beginning says to people, as it stands there.
const SAID: [&str; 12] = [
    "Values of helm releases pass through files; nobody else reads them, and they go when this ends.",
    "the beginning",
    "Stopped in %s. When it is mended, run this again and answer skip to what is done.",
    "Asks before a step. Ends with 0 to do it, and with 1 to skip it.",
    "Do it? [yes, skip, or anything else to stop]",
    "you did not say yes",
    "Something that no command does.",
    "BY HAND: %s",
    "Enter when it is done:",
    "nobody said that it is done",
    "Ends with 0 until something has been tried too often.",
    "this does not hold: $1",
];

/// Renders a runbook as a script, for people of the language of `tell`.
#[must_use]
pub fn script(runbook: &Runbook, tell: Tell<'_>) -> String {
    let mut script = String::from("#!/bin/sh\n");
    let Runbook { mesh, from, to, .. } = runbook;
    let title = tell(&format!(
        "Mesh {mesh}: Istio {from} to {to}, {}",
        runbook.strategy.as_str()
    ));
    line(&mut script, &format!("# {}", one_line(&title)));
    let asks = tell("It stops before each step and asks; --yes, or MESH_UPGRADE_YES=yes, goes on by itself.");
    line(&mut script, &format!("# {asks}"));
    script.push_str(&head(tell));
    line(&mut script, &format!("\nsay {}", word(&title)));
    for note in &runbook.notes {
        line(&mut script, &format!("say {}", word(&format!("- {}", tell(note)))));
    }
    for finding in runbook.findings.iter().filter(|one| one.severity == Severity::Blocker) {
        let told = format!("! {}; {}", finding.one_line_told(tell), tell(&finding.fix));
        line(&mut script, &format!("say {}", word(&told)));
    }
    for (chapter_index, chapter) in runbook.chapters.iter().enumerate() {
        let number = chapter_index + 1;
        let title = format!("{number}. {}", tell(&chapter.title));
        line(&mut script, &format!("\nsay ''\nsay {}", word(&title)));
        for note in &chapter.notes {
            line(&mut script, &format!("say {}", word(&tell(note))));
        }
        for (index, step) in chapter.steps.iter().enumerate() {
            self::step(&mut script, &format!("{number}.{}", index + 1), step, tell);
        }
    }
    line(&mut script, &format!("\nCURRENT={}", word(&tell("the end"))));
    line(
        &mut script,
        &format!("say {}", word(&tell(&format!("Mesh {mesh} is at {to}.")))),
    );
    script
}

/// The beginning, with what it says told.
fn head(tell: Tell<'_>) -> String {
    SAID.iter()
        .fold(HEAD.to_owned(), |head, said| head.replace(said, &tell(said)))
}

fn step(script: &mut String, number: &str, step: &Step, tell: Tell<'_>) {
    let cluster = step.cluster.as_ref().map(|cluster| format!(" ({cluster})"));
    let title = format!("{number} {}{}", tell(&step.title), cluster.unwrap_or_default());
    let mut words = vec![word(&title)];
    words.extend(step.notes.iter().map(|note| word(&tell(note))));
    words.push(word(&format!("{} {}", tell("Way back:"), tell(&step.back.says))));
    words.extend(step.back.commands.iter().map(|command| word(&format!("    {command}"))));
    line(script, &format!("\nif step {}; then", words.join(" \\\n  ")));
    for check in &step.before {
        self::check(script, check, tell);
    }
    for action in &step.run {
        match action {
            Action::Run(command) => {
                line(script, &format!("say {}", word(&format!("   $ {command}"))));
                line(script, command);
            }
            Action::ByHand(what) => line(script, &format!("hand {}", word(&tell(what)))),
        }
    }
    for check in &step.after {
        self::check(script, check, tell);
    }
    for look in &step.look {
        let says = format!("   {} {}", tell("look:"), tell(&look.says));
        line(script, &format!("say {}", word(&says)));
        if let Some(command) = &look.command {
            let unseen = word(&format!("   ({})", tell("it cannot be looked at")));
            line(script, &format!("{{\n{command}\n}} || say {unseen}"));
        }
    }
    line(script, "fi");
}

fn check(script: &mut String, check: &Check, tell: Tell<'_>) {
    let says = tell(&check.says);
    let command = &check.command;
    line(
        script,
        &format!("say {}", word(&format!("   {} {says}", tell("check:")))),
    );
    if check.patient {
        let says = word(&says);
        line(
            script,
            &format!("tries=0\nuntil {{\n{command}\n}}; do again {says}; done"),
        );
    } else {
        let refused = word(&tell(&format!("this does not hold: {}", check.says)));
        line(script, &format!("if ! {{\n{command}\n}}; then stop {refused}; fi"));
    }
}

/// Text for people as one word.
fn word(text: &str) -> String {
    quote(&one_line(text))
}

fn line(script: &mut String, text: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(script, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout on Windows may exchange the ends of lines, and no shell takes those.
    #[test]
    fn the_beginning_is_a_shells_on_every_system() {
        assert!(!HEAD.contains('\r'));
    }

    #[test]
    fn all_that_the_beginning_says_can_be_told() {
        for said in SAID {
            assert!(HEAD.contains(said), "{said}");
        }
        let told = head(&|_| "…".to_owned());
        let is_word = |word: &&str| word.chars().all(char::is_alphabetic) && word.len() > 1;
        let comments = told.lines().filter_map(|line| line.trim_start().strip_prefix("# "));
        let quoted = told.split('\'').skip(1).step_by(2);
        for said in comments.chain(quoted) {
            let words: Vec<&str> = said.split(' ').filter(is_word).collect();
            assert!(words.len() < 3, "{said}");
        }
    }
}
