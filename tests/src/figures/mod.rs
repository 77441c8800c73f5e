//! Benchmarks: each measures real parts and prints ratios of one run beside the bars.

pub mod apply;
pub mod check;
pub mod clusters;
mod measured;
pub mod output;
mod population;
mod stand_in_clusters;
pub mod webhook;

use std::{io::Write as _, path::PathBuf, time::Duration};

use anyhow::Result;

use crate::product::build_programs;

/// Prints a line of the result.
pub fn say(line: &str) {
    // A reader that went away is no error of ours.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a figure beside its bar, and says whether it is met.
fn held(what: &str, figure: f64, bar: f64, unit: &str) -> bool {
    let met = figure <= bar;
    let mark = if met { "met" } else { "MISSED" };
    say(&format!("  {what}: {figure:.2}{unit}, bar {bar:.2}{unit}: {mark}"));
    met
}

/// The plugin as it is released: a debug build would be measured for what nobody runs. To compare it with another build,
/// `FIGURES_PLUGIN` names that.
fn released_plugin() -> Result<PathBuf> {
    if let Some(other) = std::env::var_os("FIGURES_PLUGIN") {
        return Ok(other.into());
    }
    say("Building the plugin as it is released");
    let built = build_programs(&["--release"])?;
    Ok(built.program("kubectl-mesh_upgrade")?.to_owned())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
