//! `apply --withdraw`: gives up an upgrade that has changed nothing yet.

use super::{Task, drive};
use crate::{
    cli::ApplyArgs,
    error::{CommandError, Exit},
    executor::journal,
    installer::AskedHelm,
    ui::{Mark, Ui, confirm},
};
use shared::api::{MeshUpgrade, MeshUpgradeSpec, Plan};

/// Says that there is no upgrade to give up.
pub(super) fn nothing_begun() -> CommandError {
    CommandError::usage("no upgrade has begun: there is nothing to withdraw")
        .hint("see the last one with: kubectl mesh-upgrade status")
}

impl Task<'_> {
    /// Drives an upgrade to its end as withdrawn; a mesh that is frozen by now is thawed.
    pub(super) async fn withdraw(&self, journal: &MeshUpgrade, helm: AskedHelm) -> Result<Exit, CommandError> {
        let Self { args, ui, home, .. } = self;
        let spec = &journal.spec;
        refuse_too_late(journal)?;
        let goes_on = ui.lang.apply_to_be_withdrawn(&spec.mesh, &spec.to, journal.phase());
        ui.progress(Mark::Info, &goes_on);
        ask(args, *ui, spec)?;
        // Nothing is installed, so that no program has to be at hand.
        let engines = self.engines(&Plan::default(), helm).await?;
        let lease = self.take_lease(&spec.mesh, spec.unguarded.is_none()).await?;
        let driven = async {
            // Read again under the lease: whoever held it may have changed the first component while we waited.
            let journal = journal::read(&home.client, journal).await?;
            refuse_too_late(&journal)?;
            let course = drive::Course {
                abandoned: Some(format!("given up by {}, before anything was changed", self.person)),
                ..drive::Course::default()
            };
            drive::to_the_end(self, &engines, journal, &lease, course).await
        };
        let driven = driven.await;
        lease.release().await;
        driven
    }
}

/// From the first changed component on there is only the way on.
fn refuse_too_late(journal: &MeshUpgrade) -> Result<(), CommandError> {
    let phase = journal.phase();
    if !phase.is_past_return() {
        return Ok(());
    }
    let spec = &journal.spec;
    Err(CommandError::blocked(format!(
        "the upgrade of mesh {} to {} is in phase {phase}: something was changed already, and there is no way back",
        spec.mesh, spec.to
    ))
    .hint(format!("go on with it: kubectl mesh-upgrade apply {}", spec.mesh)))
}

fn ask(args: &ApplyArgs, ui: Ui, spec: &MeshUpgradeSpec) -> Result<(), CommandError> {
    if args.yes {
        return Ok(());
    }
    match confirm(&ui.lang.apply_confirm_withdrawal(&spec.mesh, &spec.to), &spec.mesh) {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::declined(ui.lang.apply_not_confirmed())),
        None => Err(CommandError::usage(ui.lang.apply_no_terminal()).hint(ui.lang.apply_say_yes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{api::MeshUpgradeStatus, phase::Phase};

    #[test]
    fn only_what_has_changed_nothing_is_given_up() {
        let spec = MeshUpgradeSpec::of("default", "1.30.3", "1.31.0", Plan::default(), "alice");
        let mut journal = MeshUpgrade::new("x", spec);
        assert!(refuse_too_late(&journal).is_ok());
        for phase in Phase::ALL {
            journal.status = Some(MeshUpgradeStatus {
                phase,
                ..MeshUpgradeStatus::default()
            });
            let changed = matches!(phase, Phase::Upgrading | Phase::Verifying | Phase::Thawing);
            assert_eq!(refuse_too_late(&journal).is_err(), changed, "{phase}");
        }
    }
}
