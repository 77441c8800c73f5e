//! `cargo figures NAME`: measures what is to be fast and small, on real parts, and prints it beside the bar.

use std::process::ExitCode;

use anyhow::Result;
use mesh_upgrade_tests::figures;

/// Measures, and says whether every bar is met.
type Measure = fn() -> Result<bool>;

/// What can be measured: its name, what it is, and how.
const FIGURES: [(&str, &str, Measure); 5] = [
    (
        "apply",
        "an upgrade with all its proofs beside the bare helm upgrade of the same charts",
        figures::apply::measure,
    ),
    (
        "check",
        "check beside istioctl's precheck and analyze, at 10,000 pods and 5,000 Istio objects",
        figures::check::measure,
    ),
    (
        "clusters",
        "check over 100 clusters beside one of them; list and check --all over 100 meshes",
        figures::clusters::measure,
    ),
    (
        "output",
        "the first output of each command on a terminal, and the whole of version --client",
        figures::output::measure,
    ),
    (
        "webhook",
        "the webhook's CPU time, memory and start beside its bare server and controller-runtime",
        figures::webhook::print,
    ),
];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some((_, _, measure)) = FIGURES.iter().find(|(known, ..)| *known == name) else {
        figures::say("usage: cargo figures NAME, of:");
        for (name, what, _) in FIGURES {
            figures::say(&format!("  {name}   {what}"));
        }
        return ExitCode::from(64);
    };
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            figures::say("not every bar is met");
            ExitCode::FAILURE
        }
        Err(error) => {
            figures::say(&format!("{name} could not be measured: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
