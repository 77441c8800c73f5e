//! That no driver is at work, before something is done that a driver would undo within seconds.

use crate::{
    error::CommandError,
    executor::lease,
    ui::{Mark, Ui},
};
use kube::Client;

/// Refuses with what `held` makes of the driver that is alive. Where nobody can say, that is told, and nothing is refused.
///
/// # Errors
/// When one is alive.
pub async fn refuse_living(
    home: Client,
    mesh: &str,
    ui: Ui,
    held: impl FnOnce(&str) -> CommandError,
) -> Result<(), CommandError> {
    let says = |what: &str| ui.progress(Mark::Info, what);
    match lease::living_driver(home, mesh, says).await {
        Ok(None) => Ok(()),
        Ok(Some(driver)) => Err(held(&driver)),
        Err(fault) => {
            unknown(ui, &fault.to_string());
            Ok(())
        }
    }
}

/// Says that nobody knows whether a driver is alive.
pub fn unknown(ui: Ui, why: &str) {
    ui.progress(Mark::Warn, &format!("whether a driver is alive is not known: {why}"));
}
