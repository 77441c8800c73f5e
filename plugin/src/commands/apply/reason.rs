//! `--reason`: why an upgrade goes on without the guard.

use crate::{cli::ApplyArgs, error::CommandError};

/// A reason is for who goes on without the guard: whoever gives another one must not be led to do so.
///
/// # Errors
/// When a reason is given with nothing that it is for, or is blank.
pub fn refuse_stray(args: &ApplyArgs) -> Result<(), CommandError> {
    match args.reason.as_deref().map(str::trim) {
        Some(_) if !args.unguarded => Err(CommandError::usage(
            "--reason goes with --unguarded; an upgrade under the guard needs none",
        )
        .hint("leave --reason out")),
        Some("") => Err(CommandError::usage(
            "--reason is empty: say why the upgrade goes on without the guard",
        )),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use std::ffi::OsString;

    fn refused(more: &[&str]) -> Option<String> {
        let words = ["kubectl-mesh_upgrade", "apply", "--to", "1.31.0"].iter().chain(more);
        let Some(Command::Apply(args)) = Cli::read(words.map(OsString::from)).unwrap().command else {
            panic!("apply")
        };
        refuse_stray(&args).err().map(|error| error.to_string())
    }

    #[test]
    fn a_reason_leads_nobody_past_the_guard() {
        assert_eq!(refused(&[]), None);
        assert_eq!(refused(&["--unguarded", "--reason", "no guard yet"]), None);
        let stray = refused(&["--reason", "CHG-7"]).unwrap();
        assert!(stray.contains("an upgrade under the guard needs none"), "{stray}");
        assert!(refused(&["--unguarded", "--reason", " "]).unwrap().contains("empty"));
    }
}
