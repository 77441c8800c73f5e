//! Values that the command line's definition cannot know: contexts, meshes, versions and codes.

use crate::{
    block_on,
    cli::{Cli, Global},
    clock::today,
    cluster::{ObserveOptions, known_contexts},
    commands::Scene,
    ui::{Format, Ui},
};
use clap::{CommandFactory as _, FromArgMatches as _};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use shared::{
    catalog::Catalog,
    choice::choices,
    finding::Code,
    guard::codes::Code as Refusal,
    mesh::{self, MeshView},
    version::Flavor,
};
use std::{
    ffi::{OsStr, OsString},
    sync::Arc,
    time::Duration,
};

/// How long one question may take: somebody waits with a finger on the key.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long all of them may take together.
const IN_ALL: Duration = Duration::from_secs(4);

/// What the words before the one at hand say.
struct Given {
    global: Global,
    mesh: Option<String>,
    /// Whether the word at hand is a flag, whose place a mesh could take.
    flag: bool,
}

impl Given {
    /// As much as can be made of a line that is not finished.
    fn read(words: &[OsString], word: &OsStr) -> Option<Self> {
        let program = OsString::from("kubectl-mesh_upgrade");
        let line = [program].into_iter().chain(words.iter().cloned());
        let matches = Cli::command().ignore_errors(true).try_get_matches_from(line).ok()?;
        let mesh = matches.subcommand().and_then(|(_, verb)| {
            let mesh = verb.try_get_one::<String>("mesh").ok().flatten();
            mesh.cloned()
        });
        let global = Global::from_arg_matches(&matches).ok()?;
        let flag = word.to_string_lossy().starts_with('-');
        Some(Self { global, mesh, flag })
    }

    /// What runs there, if it can be seen quickly.
    fn scene(&self) -> Option<Scene> {
        let global = Global {
            request_timeout: Some(DEADLINE),
            ..self.global.clone()
        };
        let observed = async {
            let scene = Scene::observe(&global, Ui::new(Format::Text, None), ObserveOptions::default());
            tokio::time::timeout(IN_ALL, scene).await
        };
        block_on(observed).ok()?.ok()?.ok()
    }
}

/// The same command with the values that can be known for some of its arguments. They are found by their names, so that a
/// new verb that takes a mesh or a version has them, too.
pub(super) fn known_to(command: clap::Command, words: &[OsString], word: &OsStr) -> clap::Command {
    match Given::read(words, word) {
        Some(given) => with_values(command, &Arc::new(given)),
        None => command,
    }
}

fn with_values(command: clap::Command, given: &Arc<Given>) -> clap::Command {
    let of = |values: fn(&Given) -> Vec<CompletionCandidate>| {
        let given = Arc::clone(given);
        ArgValueCandidates::new(move || values(&given))
    };
    let command = command.mut_args(|argument| match argument.get_id().as_str() {
        "context" | "contexts" => argument.add(of(contexts)),
        "mesh" => argument.add(of(meshes)),
        "to" => argument.add(of(versions)),
        "code" => argument.add(of(codes)),
        _ => argument,
    });
    command.mut_subcommands(|verb| with_values(verb, given))
}

fn described(value: impl Into<OsString>, help: String) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(help.into()))
}

fn contexts(given: &Given) -> Vec<CompletionCandidate> {
    let known = known_contexts(given.global.kubeconfig.as_deref());
    let known = known.into_iter().map(|context| described(context.name, context.server));
    known.collect()
}

fn meshes(given: &Given) -> Vec<CompletionCandidate> {
    if given.flag {
        return Vec::new();
    }
    let scene = given.scene();
    let meshes = scene.iter().flat_map(|scene| &scene.meshes);
    meshes.map(|mesh| described(&mesh.name, what(mesh))).collect()
}

fn what(mesh: &MeshView) -> String {
    let version = mesh.version.as_ref();
    let version = version.map_or_else(|| "unknown version".to_owned(), ToString::to_string);
    let clusters: Vec<&str> = mesh.clusters().collect();
    format!("{version} in {}", clusters.join(", "))
}

/// Where one upgrade leads; where the mesh cannot be seen, whatever the community's catalog knows.
fn versions(given: &Given) -> Vec<CompletionCandidate> {
    let scene = given.scene();
    let scene = scene.as_ref();
    let mesh = scene.and_then(|scene| mesh::select(&scene.meshes, given.mesh.as_deref()).ok());
    if let (Some(scene), Some(mesh)) = (scene, mesh) {
        let all = choices(mesh, &scene.inventory, &scene.catalog, today());
        let reachable = all.into_iter().filter(shared::choice::Choice::is_reachable);
        return reachable
            .map(|choice| described(choice.version.to_string(), choice.what()))
            .collect();
    }
    let catalog = Catalog::embedded().ok();
    let newest = catalog
        .iter()
        .flat_map(|catalog| catalog.releases(&Flavor::Native))
        .rev();
    newest
        .map(|release| {
            let patch = release.newest_patch.to_string();
            described(patch, format!("newest patch of {}", release.minor))
        })
        .collect()
}

fn codes(_: &Given) -> Vec<CompletionCandidate> {
    let findings = Code::all().map(|code| described(code.id(), code.title().to_owned()));
    let refusals = Refusal::ALL.into_iter();
    let refusals = refusals.map(|code| described(code.as_str(), code.name().to_owned()));
    findings.chain(refusals).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_finished_tells_what_it_says_so_far() {
        let read = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            Given::read(&words, OsStr::new("")).map(|given| (given.global.context, given.mesh))
        };
        let east = || Some("east".to_owned());
        for (words, context, mesh) in [
            (
                vec!["check", "shop", "--context", "east", "--to"],
                east(),
                Some("shop".to_owned()),
            ),
            (vec!["check", "--context=east"], east(), None),
            (
                vec!["--context", "east", "apply", "shop", "--nonsense"],
                east(),
                Some("shop".to_owned()),
            ),
            (vec!["guard", "install", "--context", "east"], east(), None),
            (vec!["list"], None, None),
        ] {
            assert_eq!(read(&words), Some((context, mesh)), "{words:?}");
        }
    }
}
