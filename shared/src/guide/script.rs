//! A runbook as a POSIX shell script that stops at each step and asks.

use super::{
    Action, Check, Runbook, Step,
    shell::{one_line, quote},
};
use crate::finding::Severity;
use std::fmt::Write as _;

/// What every script begins with.
const HEAD: &str = r#"set -eu
# Values of helm releases pass through files; nobody else reads them, and they go when this ends.
umask 077

YES=${MESH_UPGRADE_YES:-no}
case "${1:-}" in
-y | --yes) YES=yes ;;
'') ;;
*)
  echo 'usage: sh RUNBOOK [--yes]' >&2
  exit 64
  ;;
esac

CURRENT='the beginning'
WORK=$(mktemp -d)
ended() {
  code=$?
  rm -rf "$WORK"
  if [ "$code" -ne 0 ]; then
    printf '\nStopped in %s. When it is mended, run this again and answer skip to what is done.\n' "$CURRENT" >&2
  fi
  exit "$code"
}
trap ended EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '%s\n' "$1"; }
stop() {
  printf 'STOP: %s\n' "$1" >&2
  exit 1
}
# Asks before a step. Ends with 0 to do it, and with 1 to skip it.
step() {
  CURRENT=$1
  printf '\n== %s\n' "$1"
  shift
  for note in "$@"; do printf '   %s\n' "$note"; done
  if [ "$YES" = yes ]; then return 0; fi
  printf '   Do it? [yes, skip, or anything else to stop] '
  read -r answer || answer=
  case "$answer" in
  y | yes) return 0 ;;
  skip) return 1 ;;
  *) stop 'you did not say yes' ;;
  esac
}
# Something that no command does.
hand() {
  printf '   BY HAND: %s\n' "$1"
  if [ "$YES" = yes ]; then return 0; fi
  printf '   Enter when it is done: '
  read -r answer || stop 'nobody said that it is done'
}
# Ends with 0 until something has been tried too often.
again() {
  tries=$((tries + 1))
  if [ "$tries" -ge "${MESH_UPGRADE_TRIES:-60}" ]; then stop "this does not hold: $1"; fi
  sleep 2
}
"#;

/// Renders a runbook as a script.
#[must_use]
pub fn script(runbook: &Runbook) -> String {
    let mut script = String::from("#!/bin/sh\n");
    let Runbook { mesh, from, to, .. } = runbook;
    let title = format!("Mesh {mesh}: Istio {from} to {to}, {}", runbook.strategy.as_str());
    line(&mut script, &format!("# {}", one_line(&title)));
    line(
        &mut script,
        "# It stops before each step and asks; --yes, or MESH_UPGRADE_YES=yes, goes on by itself.",
    );
    script.push_str(HEAD);
    line(&mut script, &format!("\nsay {}", word(&title)));
    for note in &runbook.notes {
        line(&mut script, &format!("say {}", word(&format!("- {note}"))));
    }
    for finding in runbook.findings.iter().filter(|one| one.severity == Severity::Blocker) {
        let told = format!("! {}; {}", finding.one_line(), finding.fix);
        line(&mut script, &format!("say {}", word(&told)));
    }
    for (chapter_index, chapter) in runbook.chapters.iter().enumerate() {
        let number = chapter_index + 1;
        let title = format!("{number}. {}", chapter.title);
        line(&mut script, &format!("\nsay ''\nsay {}", word(&title)));
        for note in &chapter.notes {
            line(&mut script, &format!("say {}", word(note)));
        }
        for (index, step) in chapter.steps.iter().enumerate() {
            self::step(&mut script, &format!("{number}.{}", index + 1), step);
        }
    }
    line(&mut script, "\nCURRENT='the end'");
    line(
        &mut script,
        &format!("say {}", word(&format!("Mesh {mesh} is at {to}."))),
    );
    script
}

fn step(script: &mut String, number: &str, step: &Step) {
    let cluster = step.cluster.as_ref().map(|cluster| format!(" ({cluster})"));
    let title = format!("{number} {}{}", step.title, cluster.unwrap_or_default());
    let mut words = vec![word(&title)];
    words.extend(step.notes.iter().map(|note| word(note)));
    words.push(word(&format!("Way back: {}", step.back.says)));
    words.extend(step.back.commands.iter().map(|command| word(&format!("    {command}"))));
    line(script, &format!("\nif step {}; then", words.join(" \\\n  ")));
    for check in &step.before {
        self::check(script, check);
    }
    for action in &step.run {
        match action {
            Action::Run(command) => {
                line(script, &format!("say {}", word(&format!("   $ {command}"))));
                line(script, command);
            }
            Action::ByHand(what) => line(script, &format!("hand {}", word(what))),
        }
    }
    for check in &step.after {
        self::check(script, check);
    }
    for look in &step.look {
        line(script, &format!("say {}", word(&format!("   look: {}", look.says))));
        if let Some(command) = &look.command {
            line(
                script,
                &format!("{{\n{command}\n}} || say '   (it cannot be looked at)'"),
            );
        }
    }
    line(script, "fi");
}

fn check(script: &mut String, check: &Check) {
    let says = word(&check.says);
    let command = &check.command;
    line(script, &format!("say {}", word(&format!("   check: {}", check.says))));
    if check.patient {
        line(
            script,
            &format!("tries=0\nuntil {{\n{command}\n}}; do again {says}; done"),
        );
    } else {
        let refused = word(&format!("this does not hold: {}", check.says));
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
