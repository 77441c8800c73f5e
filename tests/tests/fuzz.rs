//! What is read from strangers, fed with the corpus and some ten thousand inputs made of it. `cargo fault-suite` feeds
//! ten million, and cargo-fuzz as many as it is given time for.

use anyhow::Result;
use mesh_upgrade_tests::fuzz::TARGETS;

const INPUTS: u64 = 40_000;
const SEED: u64 = 4;

#[test]
fn garbage_is_an_error_and_never_a_permission() -> Result<()> {
    for target in TARGETS {
        target.hunt(SEED, INPUTS * target.share / 100)?;
    }
    Ok(())
}
