//! Control characters are shown, not obeyed: whoever may create a Pod writes names, images and annotations that are printed
//! here, and a terminal would let them move the cursor, write over lines, or put words into its clipboard.

use std::{borrow::Cow, fmt::Write as _};

/// The same with every control character spelt out, as JSON spells it, so that a document for programs stays the same. Ends
/// of lines, tabs, and the colours that this program itself gives are left.
#[must_use]
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    let is_obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.chars().any(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match colour(rest) {
            Some(length) => length,
            None if is_obeyed(c) => {
                let _ = write!(shown, "\\u{:04x}", u32::from(c));
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
            None => c.len_utf8(),
        };
        let (kept, after) = rest.split_at(length);
        shown.push_str(kept);
        rest = after;
    }
    Cow::Owned(shown)
}

/// How long the sequence is that sets a colour or a weight and begins here: `ESC [ digits and ; m`.
fn colour(text: &str) -> Option<usize> {
    let of_it = text.strip_prefix("\u{1b}[")?;
    let after = of_it.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
    let after = after.strip_prefix('m')?;
    Some(text.len() - after.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{faint, strong};

    #[test]
    fn only_lines_tabs_and_colours_are_obeyed() {
        for (text, expected) in [
            ("plain text, 网格\n\tnext", "plain text, 网格\n\tnext"),
            ("a\u{1b}]52;c;aGk=\u{7}b", "a\\u001b]52;c;aGk=\\u0007b"),
            ("a\u{1b}[2J\u{1b}[1;1Hb", "a\\u001b[2J\\u001b[1;1Hb"),
            ("a\rb\u{8}c\u{7f}", "a\\u000db\\u0008c\\u007f"),
            // What one byte says in the C1 set, `CSI` and the end of a line.
            ("\u{9b}2Jx\u{85}网", "\\u009b2Jx\\u0085网"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            ("\u{1b}[m\u{1b}[1;3", "\u{1b}[m\\u001b[1;3"),
            ("\u{1b}[?25l\u{1b}", "\\u001b[?25l\\u001b"),
        ] {
            assert_eq!(visible(text), expected, "{text:?}");
        }
        let own = format!("{} {}", strong("ok"), faint("(x)"));
        assert_eq!(visible(&own), own);
        let document = serde_json::json!({"image": "a\u{1b}[2J\u{9b}b\u{7f}"});
        let read: serde_json::Value = serde_json::from_str(&visible(&document.to_string())).unwrap();
        assert_eq!(read, document);
    }
}
