//! The flags that chose the clusters of this run. Commands that it prints need them, too: without them they would go to
//! whatever cluster the current context leads to.

use shared::guide::shell::quote;
use std::sync::OnceLock;

static OF_RUN: OnceLock<Chosen> = OnceLock::new();

const OURS: &str = "kubectl mesh-upgrade ";
const KUBECTL: &str = "kubectl ";

/// What the command line says of clusters and versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The value of `--context`.
    pub context: Option<String>,
    /// The values of `--contexts`.
    pub contexts: Vec<String>,
    /// The value of `--kubeconfig`.
    pub kubeconfig: Option<String>,
    /// The value of `--catalog`.
    pub catalog: Option<String>,
}

/// Sets the flags of this run, once.
pub fn remember(chosen: Chosen) {
    OF_RUN.set(chosen).ok();
}

/// A text that ends with a command, with the flags of this run behind it.
pub fn completed(text: &str) -> String {
    OF_RUN.get().map_or_else(|| text.to_owned(), |run| run.completed(text))
}

/// The flags of this run that commands somewhere in these texts need, too.
pub fn missing_in<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<String> {
    OF_RUN.get()?.missing_in(texts)
}

type Flag = (&'static str, String);

impl Chosen {
    fn flags(&self, is_ours: bool) -> Vec<Flag> {
        let contexts = (!self.contexts.is_empty()).then(|| self.contexts.join(","));
        let of_ours = |value: Option<String>| value.filter(|_| is_ours);
        let all = [
            ("--context", self.context.clone()),
            ("--contexts", of_ours(contexts)),
            ("--kubeconfig", self.kubeconfig.clone()),
            ("--catalog", of_ours(self.catalog.clone())),
        ];
        let given = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.collect()
    }

    fn completed(&self, text: &str) -> String {
        let Some((before, command)) = text.find(KUBECTL).and_then(|at| text.split_at_checked(at)) else {
            return text.to_owned();
        };
        // Where its output goes stands behind all flags.
        let end = command.find(" > ").unwrap_or(command.len());
        let (command, after) = command.split_at_checked(end).unwrap_or((command, ""));
        let is_there = |flag: &str| {
            let mut words = command.split_whitespace();
            words.any(|word| word.split_once('=').map_or(word, |(name, _)| name) == flag)
        };
        let chooses = is_there("--context") || is_there("--contexts");
        let mut flags = self.flags(command.starts_with(OURS));
        flags.retain(|(name, _)| match *name {
            "--context" => !chooses,
            "--contexts" => !chooses && !is_of_one_cluster(command),
            name => !is_there(name),
        });
        format!("{before}{command}{}{after}", shown(&flags))
    }

    fn missing_in<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Option<String> {
        let mut of_kubectl = false;
        let mut of_ours = false;
        for text in texts {
            of_kubectl |= text.contains(KUBECTL);
            of_ours |= text.contains(OURS);
        }
        let flags = shown(&self.flags(of_ours));
        (of_kubectl && !flags.is_empty()).then(|| flags.trim_start().to_owned())
    }
}

/// Verbs that refuse several contexts.
fn is_of_one_cluster(command: &str) -> bool {
    let verb = command.strip_prefix(OURS).unwrap_or_default();
    ["guard install", "guard uninstall", "version"]
        .iter()
        .any(|one| verb.starts_with(one))
}

fn shown(flags: &[Flag]) -> String {
    let words = flags.iter().map(|(name, value)| format!(" {name} {}", quote(value)));
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prod() -> Chosen {
        Chosen {
            context: Some("prod".to_owned()),
            kubeconfig: Some("/home/a b/config".to_owned()),
            catalog: Some("mine.yaml".to_owned()),
            ..Chosen::default()
        }
    }

    #[test]
    fn a_printed_command_goes_to_the_clusters_of_this_run() {
        let kubeconfig = "--kubeconfig '/home/a b/config'";
        for (text, completed) in [
            (
                "kubectl mesh-upgrade plan default --to 1.31.3",
                format!(
                    "kubectl mesh-upgrade plan default --to 1.31.3 --context prod {kubeconfig} --catalog mine.yaml"
                ),
            ),
            (
                "mend what is marked, then: kubectl mesh-upgrade list",
                format!(
                    "mend what is marked, then: kubectl mesh-upgrade list --context prod {kubeconfig} --catalog mine.yaml"
                ),
            ),
            (
                "as a script: kubectl mesh-upgrade guide default --script > runbook.sh",
                format!(
                    "as a script: kubectl mesh-upgrade guide default --script --context prod {kubeconfig} --catalog \
                     mine.yaml > runbook.sh"
                ),
            ),
            (
                "kubectl get meshes",
                format!("kubectl get meshes --context prod {kubeconfig}"),
            ),
            (
                "kubectl --context=east -n shop rollout restart deployment/a",
                format!("kubectl --context=east -n shop rollout restart deployment/a {kubeconfig}"),
            ),
            (
                "kubectl mesh-upgrade guard install --context west --catalog other.yaml",
                format!("kubectl mesh-upgrade guard install --context west --catalog other.yaml {kubeconfig}"),
            ),
            ("read it, then: sh RUNBOOK", "read it, then: sh RUNBOOK".to_owned()),
        ] {
            assert_eq!(prod().completed(text), completed);
            assert_eq!(Chosen::default().completed(text), text);
        }
    }

    #[test]
    fn several_contexts_go_to_verbs_that_take_them() {
        let several = Chosen {
            contexts: vec!["east".to_owned(), "west".to_owned()],
            ..Chosen::default()
        };
        for (text, completed) in [
            (
                "kubectl mesh-upgrade apply a",
                "kubectl mesh-upgrade apply a --contexts east,west",
            ),
            (
                "kubectl mesh-upgrade unlock a --context NAME",
                "kubectl mesh-upgrade unlock a --context NAME",
            ),
            (
                "kubectl mesh-upgrade guard install",
                "kubectl mesh-upgrade guard install",
            ),
            (
                "kubectl mesh-upgrade guard status",
                "kubectl mesh-upgrade guard status --contexts east,west",
            ),
            ("kubectl get meshes", "kubectl get meshes"),
        ] {
            assert_eq!(several.completed(text), completed);
        }
    }

    #[test]
    fn what_commands_in_a_text_lack_is_told_once() {
        let missing = |text| prod().missing_in([text]);
        assert_eq!(
            missing("go on with: kubectl mesh-upgrade apply a").as_deref(),
            Some("--context prod --kubeconfig '/home/a b/config' --catalog mine.yaml")
        );
        assert_eq!(
            missing("see what holds it: kubectl describe namespace a").as_deref(),
            Some("--context prod --kubeconfig '/home/a b/config'")
        );
        assert_eq!(missing("nothing was changed"), None);
        assert_eq!(Chosen::default().missing_in(["kubectl mesh-upgrade list"]), None);
    }
}
