//! What people read when the guard refuses: one line, the code first, the command to run next last.

use super::codes::Code;
use crate::{api::MeshFreezeSpec, phase::Phase};

/// Longest piece of foreign text in a message.
const MAX_PIECE: usize = 120;

/// Foreign text on one line and short: names and reasons come from objects that people write.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(MAX_PIECE)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(MAX_PIECE).is_some() {
        short.push('…');
    }
    short.trim().to_owned()
}

/// The refusal of a frozen mesh. The policy's is written before the upgrade goes on, so that only the webhook knows the
/// phase that it is in.
#[must_use]
pub fn frozen(freeze: &MeshFreezeSpec, phase: Option<Phase>) -> String {
    said(freeze, phase, "this change is refused until it ends")
}

/// What passes a freeze, and is told of all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A foreign change of configuration, where the mesh only warns.
    AgainstAdvice,
    /// A deletion by the garbage collector or the namespace controller.
    BySystem,
    /// The deletion of a namespace that is not the mesh's own, with whatever configuration is in it.
    DeletesNamespace,
}

/// The warning of a frozen mesh about something that passes.
#[must_use]
pub fn told(freeze: &MeshFreezeSpec, phase: Option<Phase>, what: Told) -> String {
    said(
        freeze,
        phase,
        match what {
            Told::AgainstAdvice => "this change passes, but should wait until it ends",
            Told::BySystem => "this is deleted all the same, with its namespace or its owner",
            Told::DeletesNamespace => "mesh configuration in this namespace, if there is any, is deleted all the same",
        },
    )
}

fn said(freeze: &MeshFreezeSpec, phase: Option<Phase>, what: &str) -> String {
    let phase = phase.map(|phase| format!(", now {phase}")).unwrap_or_default();
    format!(
        "{}: mesh \"{}\" is being upgraded from {} to {} by {} since {}{phase}: {what}. \
         See: kubectl mesh-upgrade status",
        Code::MeshFrozen,
        one_line(&freeze.mesh),
        one_line(&freeze.from),
        one_line(&freeze.to),
        one_line(&freeze.holder),
        freeze.since.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_break_the_line_or_grow_it() {
        assert_eq!(one_line("a\nb\u{0}c"), "a b c");
        assert_eq!(one_line(&"x".repeat(500)).chars().count(), MAX_PIECE + 1);
        assert_eq!(one_line(" alice "), "alice");
    }
}
