//! The question before the point of no return.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// Asks for the mesh's name, and says whether it was given. `None` when there is no terminal to ask on.
#[must_use]
pub fn confirm(question: &str, expected: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    let mut stderr = anstream::stderr();
    write!(stderr, "{question} ").ok();
    stderr.flush().ok();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).ok()?;
    Some(answer.trim() == expected)
}
