//! Lines of text that keep within the terminal and stay under their beginning. Elsewhere a line stays one line.

/// Text that begins at a column, broken between words where the terminal ends.
#[must_use]
pub fn wrapped(text: &str, column: usize) -> String {
    match super::terminal_width() {
        Some(width) => within(text, column, usize::from(width)),
        None => text.to_owned(),
    }
}

/// A terminal that is narrower than this shows a column of words that nobody can read: it breaks lines better itself.
const NARROWEST: usize = 20;

fn within(text: &str, column: usize, columns: usize) -> String {
    let room = columns.saturating_sub(column);
    if room < NARROWEST {
        return text.to_owned();
    }
    let mut lines: Vec<String> = Vec::new();
    let mut taken = 0;
    for (piece, apart) in pieces(text) {
        let space = usize::from(apart);
        match lines.last_mut() {
            Some(line) if taken + space + width(piece) <= room => {
                line.push_str(if apart { " " } else { "" });
                line.push_str(piece);
                taken += space + width(piece);
            }
            _ => {
                lines.push(piece.to_owned());
                taken = width(piece);
            }
        }
    }
    lines.join(&format!("\n{}", " ".repeat(column)))
}

/// Columns that a text takes: letters of Chinese take two.
#[must_use]
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// What a line may be broken between, and whether a space stands before it: words, and the letters of scripts that put no
/// spaces between words. A mark that closes stays with what it closes.
fn pieces(text: &str) -> Vec<(&str, bool)> {
    let mut pieces = Vec::new();
    for (index, word) in text.split(' ').enumerate() {
        let (mut from, mut apart) = (0, index > 0);
        for (at, letter) in word.char_indices() {
            let before = word.get(from..at).unwrap_or_default();
            let breaks = is_wide(letter) || before.chars().next_back().is_some_and(is_wide);
            if breaks && !before.is_empty() && !"，。、；：！？）》」…".contains(letter) {
                pieces.push((before, apart));
                (from, apart) = (at, false);
            }
        }
        pieces.push((word.get(from..).unwrap_or_default(), apart));
    }
    pieces
}

fn is_wide(letter: char) -> bool {
    unicode_width::UnicodeWidthChar::width(letter) == Some(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_under_their_beginning() {
        let text = "istiod runs 1.30.3; 1.32.0 is more than one minor ahead (Deployment istio-system/istiod)";
        for columns in [60, 80] {
            let shown = within(text, 13, columns);
            assert_eq!(shown.split_whitespace().collect::<Vec<_>>().join(" "), text);
            for (index, line) in shown.lines().enumerate() {
                let indent = if index == 0 { 13 } else { 0 };
                assert!(width(line) + indent <= columns, "{columns}: {line}");
                assert!(index == 0 || line.starts_with(&" ".repeat(13)));
            }
        }
        assert_eq!(within(text, 13, 200), text);
        assert_eq!(within(text, 13, 25), text);
        let long = "x".repeat(100);
        assert_eq!(within(&long, 13, 60), long);
    }

    #[test]
    fn chinese_is_broken_between_its_letters_but_not_before_a_closing_mark() {
        let text = "一个两个三个，四个五个六个。 istiod 七个八个";
        let shown = within(text, 4, 26);
        let lines: Vec<&str> = shown.lines().map(str::trim_start).collect();
        assert_eq!(shown.replace("\n    ", "").replace(' ', ""), text.replace(' ', ""));
        for line in &lines {
            assert!(width(line) <= 22, "{shown}");
            assert!(!line.starts_with(['，', '。']), "{shown}");
        }
        assert!(lines.len() == 2 && lines[1].contains("。 istiod 七"), "{shown}");
    }
}
