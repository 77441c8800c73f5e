//! The API server restarted twice idle and twice frozen; `cargo fault-suite` does it ten times each.

use anyhow::Result;
use mesh_upgrade_tests::product::survive_restarts;

#[test]
fn two_restarts_idle_and_two_frozen() -> Result<()> {
    println!("{}", survive_restarts(2)?);
    Ok(())
}
