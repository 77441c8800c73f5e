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

fn within(text: &str, column: usize, width: usize) -> String {
    let room = width.saturating_sub(column);
    if room < NARROWEST {
        return text.to_owned();
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{}", " ".repeat(column)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_under_their_beginning() {
        let text = "istiod runs 1.30.3; 1.32.0 is more than one minor ahead (Deployment istio-system/istiod)";
        for width in [60, 80] {
            let shown = within(text, 13, width);
            assert_eq!(shown.split_whitespace().collect::<Vec<_>>().join(" "), text);
            for (index, line) in shown.lines().enumerate() {
                let indent = if index == 0 { 13 } else { 0 };
                assert!(line.chars().count() + indent <= width, "{width}: {line}");
                assert!(index == 0 || line.starts_with(&" ".repeat(13)));
            }
        }
        assert_eq!(within(text, 13, 200), text);
        assert_eq!(within(text, 13, 25), text);
        let long = "x".repeat(100);
        assert_eq!(within(&long, 13, 60), long);
    }
}
