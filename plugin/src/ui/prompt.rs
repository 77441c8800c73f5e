//! Questions to a person: before the point of no return, and in the wizard.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// Asks for the mesh's name, and says whether it was given. `None` when there is no terminal to ask on.
#[must_use]
pub fn confirm(question: &str, expected: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    Some(ask(question)?.trim() == expected)
}

/// Asks for a line; `None` at the end of the input. Read by the terminal itself, so that every terminal, screen reader and
/// paste works, and Ctrl-C ends the process as it would end any other.
#[must_use]
pub fn ask(question: &str) -> Option<String> {
    let mut stderr = anstream::stderr();
    // One column is for the space behind it.
    let columns = super::columns_beside().map(|columns| columns.saturating_sub(1));
    let question = super::wrap::lines(question, columns);
    write!(stderr, "{} ", super::visible(&question)).ok();
    stderr.flush().ok();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer).ok()?;
    (read > 0).then_some(answer)
}
