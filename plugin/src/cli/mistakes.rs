//! What somebody meant who typed what is no command line: advice that clap cannot give, since it knows words and not upgrades.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use shared::{guide::shell::quote, version::IstioVersion};
use std::ffi::OsString;

/// Verbs that go to a version.
const TO_A_VERSION: [&str; 4] = ["check", "plan", "guide", "apply"];

/// What to do instead; clap's own advice to pass the word as a value is then left out.
#[must_use]
pub fn advice(error: &mut Error, args: &[OsString]) -> Option<String> {
    let line = Line::read(args)?;
    let advice = match error.kind() {
        ErrorKind::UnknownArgument => match error.get(ContextKind::InvalidArg)? {
            ContextValue::String(word) => line.of_unknown(word),
            _ => None,
        },
        ErrorKind::MissingRequiredArgument => match error.get(ContextKind::InvalidArg)? {
            ContextValue::Strings(missing) if missing.iter().any(|one| one.starts_with("--to ")) => {
                Some(line.without_target())
            }
            _ => None,
        },
        _ => None,
    }?;
    error.remove(ContextKind::Suggested);
    Some(advice)
}

/// The words of a verb that goes to a version.
struct Line<'a> {
    verb: &'a str,
    rest: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn read(args: &'a [OsString]) -> Option<Self> {
        let mut words = args.iter().skip(1).filter_map(|word| word.to_str());
        let verb = words.find_map(|word| match word {
            "upgrade" => Some("apply"),
            word => TO_A_VERSION.into_iter().find(|verb| *verb == word),
        })?;
        Some(Self {
            verb,
            rest: words.collect(),
        })
    }

    /// What stands in the place of the mesh.
    fn first(&self) -> Option<&'a str> {
        self.rest.first().copied().filter(|word| !word.starts_with('-'))
    }

    /// The mesh behind a blank, if one is named.
    fn mesh(&self) -> String {
        let mesh = self.first().filter(|word| !word.contains(['.', '/']));
        mesh.map(|mesh| format!(" {}", quote(mesh))).unwrap_or_default()
    }

    fn target(&self) -> &'a str {
        let mut words = self.rest.iter();
        let target = words.find_map(|word| match word.strip_prefix("--to") {
            Some("") => Some(None),
            Some(rest) => rest.strip_prefix('=').map(Some),
            None => None,
        });
        let target = target.and_then(|target| target.or_else(|| words.next().copied()));
        target.filter(|target| is_version(target)).unwrap_or("VERSION")
    }

    fn of_unknown(&self, word: &str) -> Option<String> {
        let Self { verb, .. } = self;
        if is_version(word) {
            return Some(self.as_target(word));
        }
        if !word.starts_with("--dry-run") {
            return None;
        }
        if *verb != "apply" {
            return Some(format!("leave it out: {verb} changes nothing"));
        }
        Some(format!(
            "nothing is changed by: kubectl mesh-upgrade plan{} --to {}",
            self.mesh(),
            self.target()
        ))
    }

    fn without_target(&self) -> String {
        match self.first().filter(|word| is_version(word)) {
            Some(version) => self.as_target(version),
            None => "see the versions with: kubectl mesh-upgrade list".to_owned(),
        }
    }

    fn as_target(&self, version: &str) -> String {
        format!(
            "a version is given with --to: kubectl mesh-upgrade {}{} --to {version}",
            self.verb,
            self.mesh()
        )
    }
}

fn is_version(word: &str) -> bool {
    word.parse::<IstioVersion>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    #[test]
    fn what_was_meant_is_told() {
        let plan = |rest: &str| format!("nothing is changed by: kubectl mesh-upgrade plan{rest}");
        let to = |rest: &str| format!("a version is given with --to: kubectl mesh-upgrade {rest}");
        let list = || "see the versions with: kubectl mesh-upgrade list".to_owned();
        for (line, expected) in [
            ("apply --to 1.31.3 --dry-run", Some(plan(" --to 1.31.3"))),
            (
                "apply shop --to=1.31.3 --dry-run=server",
                Some(plan(" shop --to 1.31.3")),
            ),
            ("apply --dry-run", Some(plan(" --to VERSION"))),
            ("apply plan.yaml --dry-run", Some(plan(" --to VERSION"))),
            (
                "check --to 1.31.3 --dry-run",
                Some("leave it out: check changes nothing".to_owned()),
            ),
            ("check default 1.31.3", Some(to("check default --to 1.31.3"))),
            ("apply default 1.31.3", Some(to("apply default --to 1.31.3"))),
            ("check 1.31.3", Some(to("check --to 1.31.3"))),
            ("check", Some(list())),
            ("plan shop", Some(list())),
            ("--context east guide", Some(list())),
            ("check --to latest", None),
            ("check --nonsense --to 1.31.3", None),
            ("unlock", None),
            ("frobnicate", None),
            ("list 1.31.3", None),
        ] {
            let args: Vec<OsString> = ["kubectl-mesh_upgrade"]
                .into_iter()
                .chain(line.split(' '))
                .map(OsString::from)
                .collect();
            let mut error = Cli::read(args.clone()).unwrap_err();
            assert_eq!(advice(&mut error, &args), expected, "{line}");
            let text = error.to_string();
            assert_eq!(
                text.contains("as a value, use"),
                line == "check --nonsense --to 1.31.3",
                "{text}"
            );
        }
    }

    #[test]
    fn an_upgrade_is_applied_and_the_version_is_asked_as_everywhere() {
        let read = |word: &str| Cli::read(["kubectl-mesh_upgrade", word].map(OsString::from)).unwrap();
        assert!(matches!(read("upgrade").command, Some(crate::cli::Command::Apply(_))));
        for word in ["--version", "-V"] {
            let cli = read(word);
            assert!(cli.version && cli.command.is_none(), "{word}");
        }
    }
}
