//! `kubectl mesh-upgrade`: the process around the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    plugin::run(std::env::args_os())
}
