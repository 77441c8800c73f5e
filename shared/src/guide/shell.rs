//! Words of a POSIX shell: names come from clusters, and whoever may name an object there must not name a command here.

/// A word as the shell reads it: as it is where that is safe, in single quotes otherwise.
///
/// A shell's word cannot hold NUL, so it is left out.
#[must_use]
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    // `=` first would be a path in some shells, and `~` or `#` never is plain.
    if !word.is_empty() && !word.starts_with('=') && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut quoted = String::with_capacity(word.len() + 2);
    quoted.push('\'');
    for c in word.chars() {
        match c {
            '\'' => quoted.push_str("'\\''"),
            '\0' => {}
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// A command of these words.
#[must_use]
pub fn command<I>(words: I) -> String
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let words: Vec<String> = words.into_iter().map(|word| quote(word.as_ref())).collect();
    words.join(" ")
}

/// Name of a file about something; what is no letter or number of its name is replaced, and a number keeps two apart.
pub(super) fn file_name(number: usize, name: &str, end: &str) -> String {
    let mut file = format!("{number}-");
    for c in name.chars().take(60) {
        file.push(if c.is_ascii_alphanumeric() { c } else { '-' });
    }
    file.push_str(end);
    file
}

/// A pattern of grep that matches this text alone.
pub(super) fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\.*[]^$".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Text for people on one line: a control character would end a comment, or write over what stands there.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_go_without_quotes() {
        for (word, quoted) in [
            ("istio-system", "istio-system"),
            ("--repo=https://x/y", "--repo=https://x/y"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(touch x)", "'$(touch x)'"),
            ("it's", "'it'\\''s'"),
            ("a\nb", "'a\nb'"),
            ("a\0b", "'ab'"),
            ("=x", "'=x'"),
            ("~", "'~'"),
            ("{a,b}", "'{a,b}'"),
            ("#x", "'#x'"),
        ] {
            assert_eq!(quote(word), quoted, "{word:?}");
        }
        assert_eq!(command(["helm", "a b"]), "helm 'a b'");
    }

    #[test]
    fn files_and_patterns_hold_nothing_of_a_shell() {
        assert_eq!(file_name(2, "arn:aws/x$(y)", ".yaml"), "2-arn-aws-x--y-.yaml");
        assert_eq!(pattern("1.31.0*"), "1\\.31\\.0\\*");
        assert_eq!(one_line("a\nb\u{1b}[31m"), "a b [31m");
    }
}
