//! The API server restarted ten times idle and ten times frozen.

use anyhow::Result;
use mesh_upgrade_tests::product::survive_restarts;

#[test]
fn ten_restarts_idle_and_ten_frozen() -> Result<()> {
    println!("{}", survive_restarts(10)?);
    Ok(())
}
