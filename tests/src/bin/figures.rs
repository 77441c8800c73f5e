//! `cargo figures`: the webhook's figures beside the bars of the design.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

fn main() -> ExitCode {
    match mesh_upgrade_tests::figures::print() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // A closed standard error is no reason to fail otherwise.
            let _ = writeln!(io::stderr(), "figures: {error:#}");
            ExitCode::FAILURE
        }
    }
}
