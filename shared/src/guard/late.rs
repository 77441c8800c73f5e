//! A driver whose upgrade is over, or was ended by another one: a machine that slept with helm half-way wakes up when no
//! freeze stands any more that would know its epoch.

use super::{
    codes::Code,
    decide::{Facts, Ruling},
    message::one_line,
    review::Request,
};
use crate::names;

/// Refuses what bears an epoch of an upgrade that is over. Journals are judged by their own rules.
///
/// In the mesh's home its journals tell. A member whose mesh is upgraded from elsewhere has none: there a driver changes
/// something only under its own freeze, which it has put up before, and takes down after its last change.
pub(super) fn judge(request: &Request<'_>, facts: &Facts) -> Option<Ruling> {
    // A dry run changes nothing, and before it freezes anything a driver tries what works.
    if *request.username != names::driver_user() || *request.resource == *"meshupgrades" || request.dry_run {
        return None;
    }
    let [epoch] = request.epochs.as_slice() else {
        return None;
    };
    let epoch: i64 = epoch.parse().ok()?;
    // Epochs of one mesh only grow, and those of several meshes are counted each on its own.
    let mut journals = facts.upgrades.iter();
    let may_drive = journals.any(|upgrade| !upgrade.phase.is_final() && upgrade.epoch <= epoch)
        || facts.freezes.iter().any(|freeze| freeze.spec.epoch <= epoch);
    if may_drive {
        return None;
    }
    let record = (*request.resource == *"meshfreezes").then(|| request.object_name());
    let over = facts.upgrades.iter().find(|upgrade| {
        upgrade.phase.is_final() && upgrade.epoch >= epoch && record.is_none_or(|mesh| mesh == upgrade.mesh)
    });
    let why = match over {
        Some(over) => format!("the upgrade {} is over ({})", one_line(&over.name), over.phase),
        // How a freeze begins.
        None if record.is_some() => return None,
        None => "no upgrade is under way in this cluster, and none has frozen it".to_owned(),
    };
    Some(Ruling::new(
        Code::LateDriver,
        format!(
            "{}: {why}, and this is a driver with epoch {epoch}, which comes too late. See: kubectl mesh-upgrade status",
            Code::LateDriver,
        ),
    ))
}
