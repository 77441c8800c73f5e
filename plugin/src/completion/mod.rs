//! Completion as kubectl asks for it: a program `kubectl_complete-mesh_upgrade` on the PATH, which is this one under
//! another name, is given the words so far and answers in the words of Cobra: candidates by line, each with its
//! description behind a tab, and at the end a colon with what the shell is to make of them.
//!
//! Verbs, flags and values that are written down come from the command line's own definition, so that a new one is
//! completed without a word here; what only a cluster or the kubeconfig knows comes from [`values`].

mod values;

use crate::{
    cli::Cli,
    ui::{self, Format, Lang, Ui},
};
use clap::CommandFactory as _;
use clap_complete::engine::{CompletionCandidate, complete};
use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

/// The name under which kubectl looks for it.
const PROGRAM: &str = "kubectl_complete-mesh_upgrade";

/// Cobra's directives: bits that tell the shell what to do with the candidates.
mod directive {
    /// The shell completes file names where there are no candidates.
    pub(super) const DEFAULT: u8 = 0;
    /// No space behind the candidate: it goes on.
    pub(super) const NO_SPACE: u8 = 2;
    /// No file names.
    pub(super) const NO_FILES: u8 = 4;
}

/// Whether the program was started under the name of the completion.
pub(crate) fn is_asked_by(program: &OsStr) -> bool {
    Path::new(program).file_stem().is_some_and(|name| name == PROGRAM)
}

/// Prints the answer for these words, of which the last is the one to be completed.
pub(crate) fn answer(words: Vec<OsString>) {
    let lang = Lang::asked_for(&words, ui::lang());
    let ui = Ui::new(Format::Text, Some(lang));
    for line in lines(words, lang) {
        ui.copied(&line);
    }
}

fn lines(mut words: Vec<OsString>, lang: Lang) -> Vec<String> {
    let word = words.pop().unwrap_or_default();
    let mut command = values::known_to(Cli::command(), &words, &word);
    let mut line = vec![OsString::from("kubectl-mesh_upgrade")];
    line.append(&mut words);
    line.push(word.clone());
    let at = line.len() - 1;
    let here = std::env::current_dir().ok();
    // What cannot be completed has no candidates; nobody could read an error here.
    let candidates = complete(&mut command, line, at, here.as_deref()).unwrap_or_default();
    let word = word.to_string_lossy();
    // Flags are for who has begun one, as kubectl has it.
    let wanted = |candidate: &&CompletionCandidate| word.starts_with('-') || !is_flag(candidate);
    let candidates: Vec<&CompletionCandidate> = candidates.iter().filter(wanted).collect();
    let directive = directive(&candidates, &word);
    let mut lines: Vec<String> = candidates
        .into_iter()
        .map(|candidate| line_of(candidate, lang))
        .collect();
    lines.push(format!(":{directive}"));
    lines
}

fn is_flag(candidate: &CompletionCandidate) -> bool {
    candidate.get_value().to_string_lossy().starts_with('-')
}

fn directive(candidates: &[&CompletionCandidate], word: &str) -> u8 {
    let is_open = |candidate: &&CompletionCandidate| candidate.get_value().to_string_lossy().ends_with(['/', '=']);
    if candidates.is_empty() && word.contains(['.', '/']) {
        // A plan file, which `apply` takes in the place of a mesh.
        return directive::DEFAULT;
    }
    if candidates.iter().any(is_open) {
        directive::NO_SPACE | directive::NO_FILES
    } else {
        directive::NO_FILES
    }
}

/// One line: no description may break the protocol.
fn line_of(candidate: &CompletionCandidate, lang: Lang) -> String {
    let value = candidate.get_value().to_string_lossy();
    let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
    match help.lines().next().map(|line| line.replace('\t', " ")) {
        Some(help) if !help.is_empty() => format!("{value}\t{}", lang.candidate(&help)),
        _ => value.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(words: &[&str]) -> Vec<String> {
        lines(words.iter().map(OsString::from).collect(), Lang::English)
    }

    fn values(words: &[&str]) -> Vec<String> {
        let mut lines = completed(words);
        assert_eq!(lines.pop().as_deref(), Some(":4"), "{words:?}");
        let value = |line: &String| line.split('\t').next().unwrap().to_owned();
        lines.iter().map(value).collect()
    }

    #[test]
    fn every_verb_is_completed_and_described() {
        let lines = completed(&[""]);
        for verb in Cli::command().get_subcommands() {
            let line = lines
                .iter()
                .find(|line| line.starts_with(&format!("{}\t", verb.get_name())));
            assert!(line.is_some(), "{} is missing: {lines:?}", verb.get_name());
        }
        assert!(lines.iter().all(|line| !line.starts_with('-')), "{lines:?}");
        assert_eq!(values(&["gua"]), ["guard"]);
        assert_eq!(values(&["guard", "un"]), ["uninstall"]);
    }

    #[test]
    fn descriptions_are_told_in_the_language_of_whoever_asks() {
        for words in [
            &[""][..],
            &["guard", ""],
            &["apply", "--"],
            &["list", "-o", ""],
            &["explain", "MU"],
        ] {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let (english, chinese) = (lines(words.clone(), Lang::English), lines(words, Lang::Chinese));
            assert_eq!(english.len(), chinese.len());
            for (english, chinese) in english.iter().zip(&chinese) {
                assert_eq!(english.split('\t').next(), chinese.split('\t').next());
                let described = |line: &str| line.split_once('\t').map(|(_, help)| help.to_owned());
                let told = described(chinese).is_none_or(|help| help.chars().any(|letter| letter > '\u{2e7f}'));
                assert!(
                    told && described(english).is_some() == described(chinese).is_some(),
                    "{chinese}"
                );
            }
        }
    }

    #[test]
    fn flags_of_the_verb_and_of_all_verbs() {
        let flags = values(&["check", "--"]);
        for flag in ["--to", "--charts", "--watch", "--context", "--namespace", "--output"] {
            assert!(flags.iter().any(|found| found == flag), "{flag} is missing: {flags:?}");
        }
        assert!(!flags.iter().any(|found| found == "--unguarded"), "{flags:?}");
        assert_eq!(values(&["apply", "--ung"]), ["--unguarded"]);
    }

    #[test]
    fn values_that_are_written_down() {
        assert_eq!(
            values(&["list", "-o", ""]),
            ["text", "wide", "json", "yaml", "markdown"]
        );
        assert_eq!(values(&["list", "--output=j"]), ["--output=json"]);
        assert_eq!(values(&["check", "--fail-on", ""]), ["warning"]);
        let codes = values(&["explain", "MG00"]);
        assert!(
            codes.len() > 5 && codes.iter().all(|code| code.starts_with("MG00")),
            "{codes:?}"
        );
        assert_eq!(values(&["unlock", "--reason", ""]), [""; 0]);
    }

    #[test]
    fn files_are_completed_and_folders_stay_open() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("charts")).unwrap();
        std::fs::write(folder.path().join("catalog.yaml"), "").unwrap();
        let begun = folder.path().join("c").display().to_string();
        let lines = completed(&["list", "--catalog", &begun]);
        let at = folder.path().display();
        assert_eq!(
            lines,
            [format!("{at}/catalog.yaml"), format!("{at}/charts/"), ":6".to_owned()]
        );
        let plan = ["apply", "--kubeconfig", "/nowhere", "./nothing-of-that-name"];
        assert_eq!(completed(&plan), [":0"]);
    }

    #[test]
    fn only_the_other_name_asks() {
        for (program, asked) in [
            ("/home/alice/bin/kubectl_complete-mesh_upgrade", true),
            ("kubectl_complete-mesh_upgrade.exe", true),
            ("kubectl-mesh_upgrade", false),
        ] {
            assert_eq!(is_asked_by(OsStr::new(program)), asked, "{program}");
        }
    }
}
