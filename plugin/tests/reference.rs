//! The reference of commands is made from the command line's own definition; `UPDATE_REFERENCE=1` writes it anew. The
//! README's exit codes are the same.

#![expect(
    clippy::unwrap_used,
    reason = "functions of a test outside of its #[test]: a failed expectation there is the point"
)]

#[path = "../../shared/tests/kept/mod.rs"]
mod kept;

use clap::{Arg, ArgAction, Command, CommandFactory as _};
use plugin::{Cli, Exit};
use std::{fmt::Write as _, path::Path};

const HEAD: &str = "\
# Commands

Every verb of `kubectl mesh-upgrade` with its flags, and the exit codes. This page is generated from the code; `--help` says
the same. Without a verb the plugin leads through an upgrade on a terminal, and prints its help elsewhere.
";

const MISTAKES: &str = "
Under `-o json|yaml` what could not be done is a document of the kind `Error` on stdout. A command line that cannot be read at
all (an unknown verb or flag, a value that is none) ends with 64 and a text on stderr, whatever `-o` says.
";

fn reference() -> String {
    let mut command = Cli::command();
    command.build();
    let mut page = HEAD.to_owned();
    page.push_str("\n## Flags of every verb\n\n");
    let everywhere: Vec<&Arg> = command.get_arguments().collect();
    table(&mut page, everywhere.iter().copied());
    for verb in command.get_subcommands() {
        section(&mut page, "kubectl mesh-upgrade", verb, &everywhere);
    }
    page.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        writeln!(page, "| {} | {} |", exit.code(), exit.meaning()).unwrap();
    }
    page.push_str(MISTAKES);
    page
}

fn section(page: &mut String, before: &str, command: &Command, everywhere: &[&Arg]) {
    if command.get_name() == "help" || command.is_hide_set() {
        return;
    }
    let name = format!("{before} {}", command.get_name());
    let positional = command
        .get_positionals()
        .map(|argument| format!(" [{}]", value_of(argument)));
    writeln!(page, "\n## `{name}{}`\n", positional.collect::<String>()).unwrap();
    writeln!(page, "{}.", text(command.get_about().map(ToString::to_string))).unwrap();
    let own = |argument: &&Arg| !everywhere.iter().any(|one| one.get_id() == argument.get_id());
    let own: Vec<&Arg> = command.get_arguments().filter(own).collect();
    if !own.is_empty() {
        page.push('\n');
        table(page, own.into_iter());
    }
    for verb in command.get_subcommands() {
        section(page, &name, verb, everywhere);
    }
}

fn table<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    page.push_str("| flag | meaning |\n|---|---|\n");
    for argument in arguments.filter(|argument| !argument.is_hide_set()) {
        let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
        let value = if takes_value { value_of(argument) } else { String::new() };
        let flag = match (argument.get_short(), argument.get_long()) {
            (Some(short), Some(long)) => format!("-{short}, --{long} {value}"),
            (None, Some(long)) => format!("--{long} {value}"),
            _ => value,
        };
        let mut meaning = text(argument.get_help().map(ToString::to_string));
        let values: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|_| takes_value)
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !values.is_empty() {
            write!(meaning, ": {}", values.join(", ")).unwrap();
        }
        let defaults = argument.get_default_values().iter();
        let defaults: Vec<String> = defaults.map(|value| value.to_string_lossy().into_owned()).collect();
        if takes_value && !defaults.is_empty() && !argument.is_hide_default_value_set() {
            write!(meaning, " [default: {}]", defaults.join(", ")).unwrap();
        }
        if argument.is_required_set() {
            meaning.push_str(" (required)");
        }
        writeln!(page, "| `{}` | {} |", flag.trim(), meaning.replace('|', "\\|")).unwrap();
    }
}

fn value_of(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    // A bar in a table's cell would end it.
    names
        .iter()
        .map(|name| name.replace('|', " or "))
        .collect::<Vec<_>>()
        .join(" ")
}

fn text(help: Option<String>) -> String {
    help.unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_reference_of_commands_is_up_to_date() {
    kept::is_up_to_date("docs/commands.md", &reference());
}

#[test]
fn the_readme_says_the_same_of_exit_codes() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let codes = Exit::ALL.map(|exit| format!("{} {}", exit.code(), exit.meaning()));
    let told = format!("Exit codes: {}.", codes.join("; "));
    let readme = readme.replace('`', "");
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(&told), "README.md does not say: {told}");
}

/// Kinds of the documents that a source prints.
fn kinds(text: &str) -> impl Iterator<Item = &str> {
    let printed = [".document(", ".streamed("]
        .into_iter()
        .flat_map(|call| text.split(call).skip(1));
    printed.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
}

#[test]
fn every_kind_of_document_is_told() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let told = std::fs::read_to_string(root.join("../docs/operating.md")).unwrap();
    let rows: Vec<&str> = told.lines().filter(|line| line.starts_with("| ")).collect();
    let mut folders = vec![root.join("src")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for kind in kinds(&text) {
                let is_told = |row: &&str| row.split([' ', ',', '|']).any(|word| word == kind);
                assert!(rows.iter().any(is_told), "{kind} of {}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 15, "{seen}");
}
