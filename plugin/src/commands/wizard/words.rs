//! The command that does what the wizard was told. It is what the wizard itself parses and runs, so that the command which
//! is shown at the end cannot be another one.

use crate::cli::Global;
use shared::guide::shell::quote;
use std::time::Duration;

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Name of the mesh.
    pub mesh: String,
    /// Version to go to; `None` for an upgrade that has begun, which keeps its target.
    pub to: Option<String>,
    /// Where the charts are, unless it is the catalog's place.
    pub charts: Option<String>,
}

/// The words of a verb for what was chosen, as on a command line behind `kubectl mesh-upgrade`.
pub(super) fn of(verb: &str, chosen: &Chosen, global: &Global) -> Vec<String> {
    let mut words = vec![verb.to_owned(), chosen.mesh.clone()];
    let mut flag = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.extend([name.to_owned(), value]);
        }
    };
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    flag("--to", chosen.to.clone());
    flag("--charts", chosen.charts.clone());
    flag("--context", global.context.clone());
    flag(
        "--contexts",
        (!global.contexts.is_empty()).then(|| global.contexts.join(",")),
    );
    flag("--kubeconfig", path(&global.kubeconfig));
    flag("--catalog", path(&global.catalog));
    flag("--request-timeout", global.request_timeout.map(duration));
    words
}

fn duration(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// The words as one would type them into a shell.
pub(super) fn shown(words: &[String]) -> String {
    let mut line = "kubectl mesh-upgrade".to_owned();
    for word in words {
        line.push(' ');
        line.push_str(&quote(word));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::CommandFactory as _;
    use std::ffi::OsString;

    fn global(words: &[&str]) -> Global {
        let line = ["kubectl-mesh_upgrade"].iter().chain(words).map(OsString::from);
        Cli::read(line).unwrap().global
    }

    fn chosen() -> Chosen {
        Chosen {
            mesh: "default".to_owned(),
            to: Some("1.31.3".to_owned()),
            charts: Some("/srv/istio charts".to_owned()),
        }
    }

    #[test]
    fn what_is_shown_is_what_a_shell_would_pass_on() {
        let global = global(&["--context", "east", "--request-timeout", "10s"]);
        assert_eq!(
            shown(&of("apply", &chosen(), &global)),
            "kubectl mesh-upgrade apply default --to 1.31.3 --charts '/srv/istio charts' --context east \
             --request-timeout 10000ms"
        );
        let going_on = Chosen {
            to: None,
            charts: None,
            ..chosen()
        };
        assert_eq!(
            shown(&of("apply", &going_on, &self::global(&[]))),
            "kubectl mesh-upgrade apply default"
        );
    }

    #[test]
    fn both_verbs_take_these_words() {
        let global = global(&[
            "--catalog",
            "mine.yaml",
            "--kubeconfig",
            "/k",
            "--contexts",
            "east,west",
        ]);
        for verb in ["check", "apply"] {
            let line = ["kubectl-mesh_upgrade".to_owned()]
                .into_iter()
                .chain(of(verb, &chosen(), &global));
            let cli = Cli::read(line.map(OsString::from)).unwrap();
            assert_eq!(cli.global.catalog, global.catalog, "{verb}");
            assert_eq!(cli.global.contexts, ["east", "west"], "{verb}");
            assert!(matches!(cli.command, Some(Command::Check(_) | Command::Apply(_))));
        }
        Cli::command().debug_assert();
    }
}
