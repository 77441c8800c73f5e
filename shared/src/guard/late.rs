//! A driver whose upgrade is over, or was ended by another one: a machine that slept with helm half-way wakes up when no
//! freeze stands any more that would know its epoch.

use super::{
    codes::Code,
    decide::{Facts, Ruling},
    message::one_line,
    review::Request,
};
use crate::names;

/// Refuses what bears an epoch of an upgrade that is over. Journals are judged by their own rules; and a cluster without
/// any, as a member whose mesh is upgraded from elsewhere, says nothing of who is late.
pub(super) fn judge(request: &Request<'_>, facts: &Facts) -> Option<Ruling> {
    if *request.username != names::driver_user() || *request.resource == *"meshupgrades" {
        return None;
    }
    let [epoch] = request.epochs.as_slice() else {
        return None;
    };
    let epoch: i64 = epoch.parse().ok()?;
    // Epochs of one mesh only grow, and those of several meshes are counted each on its own.
    let may_drive = facts
        .upgrades
        .iter()
        .any(|upgrade| !upgrade.phase.is_final() && upgrade.epoch <= epoch);
    let over = facts
        .upgrades
        .iter()
        .find(|upgrade| upgrade.phase.is_final() && upgrade.epoch >= epoch)
        .filter(|_| !may_drive)?;
    Some(Ruling {
        code: Code::LateDriver,
        message: format!(
            "{}: the upgrade {} is over ({}), and this is a driver of it with epoch {epoch}, which comes too late. See: \
             kubectl mesh-upgrade status",
            Code::LateDriver,
            one_line(&over.name),
            over.phase
        ),
    })
}
