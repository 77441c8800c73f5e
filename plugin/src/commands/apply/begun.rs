//! Which of the upgrades that have begun is meant, and what is to be done where nobody can tell.

use crate::{
    commands::{
        Scene,
        journals::{Held, Journals},
    },
    error::CommandError,
};
use kube::ResourceExt as _;
use shared::{api::MeshUpgrade, journals, mesh::MeshView};
use std::collections::BTreeSet;

/// An upgrade that has begun, and where its journal is.
struct Begun<'a> {
    journal: &'a MeshUpgrade,
    /// The cluster, and the context that leads to it.
    home: &'a str,
    context: &'a str,
}

/// The only one; `None` where none has begun.
///
/// # Errors
/// When there are several, with how to name one.
pub(super) fn only<'a>(begun: &[&'a Held]) -> Result<Option<&'a Held>, CommandError> {
    let all: Vec<Begun<'_>> = begun
        .iter()
        .map(|held| Begun {
            journal: &held.journal,
            home: &held.home.name,
            context: held.home.context(),
        })
        .collect();
    match begun {
        [] => Ok(None),
        [only] => Ok(Some(*only)),
        _ => Err(several(&all)),
    }
}

fn several(begun: &[Begun<'_>]) -> CommandError {
    let meshes: BTreeSet<&str> = begun.iter().map(|one| one.journal.spec.mesh.as_str()).collect();
    let meshes: Vec<&str> = meshes.into_iter().collect();
    let [mesh] = meshes.as_slice() else {
        let meshes = meshes.join(", ");
        return CommandError::usage(format!("several upgrades have begun, of the meshes {meshes}"))
            .hint("name the one to go on with: kubectl mesh-upgrade apply MESH");
    };
    let journals: Vec<String> = begun
        .iter()
        .map(|one| format!("{} ({})", one.journal.name_any(), one.home))
        .collect();
    let journals = journals.join(", ");
    let mut error = CommandError::usage(format!("several upgrades of mesh {mesh} have begun: {journals}"));
    for one in begun {
        let is_alone = begun.iter().filter(|other| other.context == one.context).count() == 1;
        let name = one.journal.name_any();
        if journals::is_untouched(one.journal) {
            let elsewhere = begun.iter().any(|other| other.context != one.context);
            error = error.hint(remove(one.journal, elsewhere.then_some(one.context)));
        } else if is_alone {
            error = error.hint(format!(
                "to go on with {name}: kubectl mesh-upgrade apply {mesh} --context {}",
                one.context
            ));
        }
    }
    error
}

/// A mesh that was called otherwise when its upgrade began, from where more of its clusters or of others were seen, is not begun
/// with once more: the Lease and the journal of that upgrade bear its name of then.
///
/// # Errors
/// When it is so.
pub(super) fn refuse_other_name(mesh: &MeshView, scene: &Scene, journals: &Journals) -> Result<(), CommandError> {
    let begun = journals.begun().map(|held| &held.journal);
    let Some(journal) = journals::under_another_name(mesh, &scene.inventory, begun) else {
        return Ok(());
    };
    let name = &journal.spec.mesh;
    let refused = CommandError::blocked(format!(
        "control planes of mesh {} are being upgraded under the name {name}, by {}",
        mesh.name,
        journal.name_any()
    ));
    Err(if journals::is_untouched(journal) {
        refused.hint(remove(journal, None))
    } else {
        refused.hint(format!(
            "go on with it: kubectl mesh-upgrade apply {}",
            journal.spec.mesh
        ))
    })
}

/// What to do about a journal that no driver has written to; with the context that leads to it, where that is not told anyhow.
pub(super) fn remove(journal: &MeshUpgrade, context: Option<&str>) -> String {
    let name = journal.name_any();
    let at = context
        .map(|context| format!(" --context {context}"))
        .unwrap_or_default();
    format!(
        "{name} has no status, as after a restore from a backup: it has changed nothing here; when nobody drives it, remove \
         it: kubectl delete meshupgrade {name}{at}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;
    use shared::api::{MeshUpgradeSpec, MeshUpgradeStatus, Plan};

    fn journal(name: &str, mesh: &str, driven: bool) -> MeshUpgrade {
        let spec = MeshUpgradeSpec::of(mesh, "1.30.3", "1.31.0", Plan::default(), "alice");
        let mut journal = MeshUpgrade::new(name, spec);
        journal.status = driven.then(MeshUpgradeStatus::default);
        journal
    }

    #[test]
    fn whoever_cannot_name_one_by_its_mesh_is_told_what_else_to_do() {
        for (journals, says, hints) in [
            (
                &[
                    ("a-1", "a", true, "east"),
                    ("b-1", "b", true, "east"),
                    ("b-2", "b", true, "west"),
                ][..],
                "of the meshes a, b",
                &["apply MESH"][..],
            ),
            (
                &[("a-1", "a", true, "east"), ("a-2", "a", true, "west")],
                "of mesh a have begun: a-1 (east), a-2 (west)",
                &[
                    "go on with a-1: kubectl mesh-upgrade apply a --context admin@east",
                    "--context admin@west",
                ],
            ),
            (
                &[("a-1", "a", false, "east"), ("a-2", "a", false, "east")],
                "a-1 (east), a-2 (east)",
                &["kubectl delete meshupgrade a-1", "kubectl delete meshupgrade a-2"],
            ),
            (
                &[("a-1", "a", false, "east"), ("a-2", "a", true, "west")],
                "a-1 (east), a-2 (west)",
                &[
                    "kubectl delete meshupgrade a-1 --context admin@east",
                    "--context admin@west",
                ],
            ),
        ] {
            let made: Vec<_> = journals.iter().map(|one| journal(one.0, one.1, one.2)).collect();
            let contexts: Vec<_> = journals.iter().map(|one| format!("admin@{}", one.3)).collect();
            let begun: Vec<_> = made
                .iter()
                .zip(journals)
                .zip(&contexts)
                .map(|((journal, one), context)| Begun {
                    journal,
                    home: one.3,
                    context,
                })
                .collect();
            let error = several(&begun);
            assert_eq!(error.exit, Exit::Usage);
            assert!(error.to_string().ends_with(says), "{error}");
            assert_eq!(error.hints().len(), hints.len(), "{:?}", error.hints());
            for (hint, part) in error.hints().iter().zip(hints) {
                assert!(hint.ends_with(part), "{hint}");
            }
        }
    }
}
