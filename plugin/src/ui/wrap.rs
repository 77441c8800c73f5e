//! Lines of text that keep within the terminal and stay under their beginning. Elsewhere a line stays one line, and a command
//! stays whole everywhere: somebody copies it.

/// Text of the result that begins at a column, broken between words where the terminal ends.
#[must_use]
pub fn wrapped(text: &str, column: usize) -> String {
    match super::columns_of_result() {
        Some(columns) => within(text, column, columns),
        None => text.to_owned(),
    }
}

/// Whole lines, each broken between words where a terminal of so many columns ends, and gone on under its first word: behind
/// blanks, a mark, a number or a label.
#[must_use]
pub(super) fn lines(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else {
        return text.to_owned();
    };
    let several = text.trim().contains('\n');
    let lines = text.split('\n').map(|line| {
        if width(line) <= columns || (several && is_yaml(line)) {
            return line.to_owned();
        }
        let (beginning, rest) = line.split_at(beginning(line));
        let column = width(beginning);
        format!("{beginning}{}", within(rest, column, columns))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Help in two columns, each line gone on under its second one.
#[must_use]
pub(super) fn help(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else {
        return text.to_owned();
    };
    let lines = text.split('\n').map(|line| {
        let blanks = skipped(line, 0);
        let gap = line
            .get(blanks..)
            .and_then(|rest| rest.find("  "))
            .map(|gap| skipped(line, blanks + gap));
        let at = gap.filter(|at| line.get(..*at).is_some_and(|first| width(first) + NARROWEST <= columns));
        let (first, rest) = line.split_at(at.unwrap_or(blanks));
        if width(line) <= columns {
            return line.to_owned();
        }
        format!("{first}{}", within(rest, width(first), columns))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A terminal that is narrower than this shows a column of words that nobody can read: it breaks lines better itself.
const NARROWEST: usize = 20;

pub(super) fn within(text: &str, column: usize, columns: usize) -> String {
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

/// Columns that a text takes: letters of Chinese take two, and styles none.
#[must_use]
pub fn width(text: &str) -> usize {
    if text.contains(STYLE) {
        let plain = anstream::adapter::strip_str(text).to_string();
        return unicode_width::UnicodeWidthStr::width(plain.as_str());
    }
    unicode_width::UnicodeWidthStr::width(text)
}

/// How wide the longest piece of a text is that no line is broken in.
pub(super) fn longest_piece(text: &str) -> usize {
    let pieces = pieces(text.trim_end()).into_iter();
    pieces.map(|(piece, _)| width(piece)).max().unwrap_or_default()
}

/// What every style begins with.
const STYLE: char = '\u{1b}';

/// What a line may be broken between, and whether a space stands before it: words, and the letters of scripts that put no
/// spaces between words. A mark that closes stays with what it closes, and a command is one piece.
fn pieces(text: &str) -> Vec<(&str, bool)> {
    let mut pieces = Vec::new();
    let (mut rest, mut apart) = (text, false);
    loop {
        let command = opened_command(rest);
        let (word, after) = rest.split_at(command.unwrap_or_else(|| word_end(rest)));
        match command {
            Some(_) => pieces.push((word, apart)),
            None => letters(word, apart, &mut pieces),
        }
        (rest, apart) = match after.strip_prefix(' ') {
            Some(after) => (after, true),
            None if after.is_empty() => return pieces,
            None => (after, false),
        };
    }
}

/// Where the first word of a text ends: before a blank, or before a command that begins behind a mark.
fn word_end(text: &str) -> usize {
    let end = text.find(' ').unwrap_or(text.len());
    let mut before = 'a';
    let begins = |(at, letter): (usize, char)| {
        let is_inside = std::mem::replace(&mut before, letter).is_ascii_alphanumeric();
        (at < end && !is_inside && opened_command(text.get(at..)?).is_some()).then_some(at)
    };
    text.char_indices()
        .take_while(|(at, _)| *at < end)
        .find_map(begins)
        .unwrap_or(end)
}

/// A word, in pieces where it is of a script without spaces.
fn letters<'t>(word: &'t str, mut apart: bool, pieces: &mut Vec<(&'t str, bool)>) {
    let mut from = 0;
    for (at, letter) in word.char_indices() {
        let before = word.get(from..at).unwrap_or_default();
        let last = before.chars().next_back();
        let breaks = is_wide(letter) || last.is_some_and(is_wide);
        let opens = last.is_some_and(|letter| "（「《".contains(letter));
        let closes = "，。、；：！？）》」…,.;:)".contains(letter);
        if breaks && !before.is_empty() && !opens && !closes {
            pieces.push((before, apart));
            (from, apart) = (at, false);
        }
    }
    pieces.push((word.get(from..).unwrap_or_default(), apart));
}

fn is_wide(letter: char) -> bool {
    unicode_width::UnicodeWidthChar::width(letter) == Some(2)
}

/// Programs whose commands people copy, each with what follows it in one; in a sentence about helm it stands otherwise.
const COMMANDS: &[(&str, &[&str])] = &[
    (
        "kubectl",
        &[
            "annotate",
            "apply",
            "auth",
            "config",
            "create",
            "delete",
            "describe",
            "edit",
            "get",
            "krew",
            "label",
            "logs",
            "mesh-upgrade",
            "patch",
            "rollout",
            "scale",
            "wait",
        ],
    ),
    (
        "helm",
        &[
            "get",
            "install",
            "list",
            "pull",
            "registry",
            "repo",
            "rollback",
            "show",
            "status",
            "template",
            "uninstall",
            "upgrade",
        ],
    ),
    ("istioctl", &["install", "tag", "uninstall", "x"]),
    ("ls", &["-l"]),
];

/// Where a command ends that a text begins with, behind what opens a bracket or a quotation.
fn opened_command(text: &str) -> Option<usize> {
    let bare = text.trim_start_matches(['(', '（', '`', '「']);
    Some(text.len() - bare.len() + command(bare)?)
}

/// Where a command ends that a text begins with: at its end, or where the sentence around it goes on.
fn command(text: &str) -> Option<usize> {
    let begins = COMMANDS.iter().any(|(program, verbs)| {
        let rest = text.strip_prefix(program).and_then(|rest| rest.strip_prefix(' '));
        rest.is_some_and(|rest| verbs.iter().any(|verb| verb_ends(rest.strip_prefix(verb))))
    });
    if !begins {
        return None;
    }
    let mut quote = None;
    for (at, letter) in text.char_indices() {
        let after = text.get(at + letter.len_utf8()..).unwrap_or_default();
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, ',' | ';' | ':' | '.') if after.starts_with(' ') => return Some(at + 1),
            // Quoted as code, with the mark behind it.
            (None, '`') => {
                return Some(
                    at + 1
                        + after
                            .find(|letter: char| !".,;:)".contains(letter))
                            .unwrap_or(after.len()),
                );
            }
            (None, ' ') if after.trim_start().starts_with('(') || after.chars().next().is_some_and(is_wide) => {
                return Some(at);
            }
            (None, letter) if is_wide(letter) => return Some(at),
            (None, _) => {}
        }
    }
    Some(text.len())
}

/// Whether a verb ends where its letters do.
fn verb_ends(rest: Option<&str>) -> bool {
    rest.is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '-'))
}

/// A line of a document among others: rules to be granted, or a part of an object.
fn is_yaml(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '-']);
    let is_key = |key: &str| key.starts_with(|letter: char| letter.is_ascii_lowercase()) && !key.contains(' ');
    let (key, value) = line
        .split_once(": ")
        .or(line.strip_suffix(':').map(|key| (key, "")))
        .unwrap_or_default();
    is_key(key) && key.is_ascii() && !value.contains(". ")
}

/// Where the text of a line begins: behind blanks, and behind one mark, number, time or label with its blanks.
fn beginning(line: &str) -> usize {
    let blanks = skipped(line, 0);
    let token = line.get(blanks..).unwrap_or_default();
    // A label in a script without spaces.
    if let Some((at, mark)) = token.char_indices().take(8).find(|(_, letter)| *letter == '：') {
        return skipped(line, blanks + at + mark.len_utf8());
    }
    let Some(end) = token.find(' ') else {
        return blanks;
    };
    let shown = anstream::adapter::strip_str(token.get(..end).unwrap_or_default()).to_string();
    let is_mark = ["ok", "x"].contains(&shown.as_str()) || shown.chars().all(|letter| !letter.is_alphanumeric());
    let is_number = shown
        .chars()
        .all(|letter| letter.is_ascii_digit() || "TZ:.-".contains(letter));
    if is_mark || is_number || shown.ends_with(':') {
        skipped(line, blanks + end)
    } else {
        blanks
    }
}

/// Behind the blanks and styles that stand at a place.
fn skipped(line: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = line.get(at..).unwrap_or_default();
        let style = rest.strip_prefix(STYLE).and_then(|rest| rest.find('m'));
        at += match style {
            Some(end) => STYLE.len_utf8() + end + 1,
            None if rest.starts_with(' ') => 1,
            None => return at,
        };
    }
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

    #[test]
    fn a_command_is_never_broken_and_its_sentence_is() {
        let command = "kubectl mesh-upgrade apply default --to 1.31.3 --charts /srv/charts/of/the/mesh --as 'a, b (c)'";
        for text in [
            format!("see what stands in the way and then go on: {command}"),
            format!("see what stands in the way: {command}, which may take a moment until it has been answered by all"),
            format!("先看看有什么障碍：{command}（可能需要一会儿）"),
            format!("the words of it ({command})"),
            format!("take it over with `{command}`. Or ask whoever holds it what it is that takes so long, and wait"),
        ] {
            for columns in [60, 80, 200] {
                let shown = lines(&text, Some(columns));
                assert_eq!(shown.matches(command).count(), 1, "{shown}");
                for line in shown.lines().filter(|line| !line.contains(command)) {
                    assert!(width(line) <= columns, "{columns}: {line}");
                }
                let alone = |line: &str| line.trim_start_matches([' ', '(', '`']).starts_with("kubectl");
                assert!(columns == 200 || shown.lines().any(alone), "{shown}");
            }
        }
        let prose = "helm release istio-system/istiod was last changed by somebody else than whoever upgrades it today";
        assert!(lines(prose, Some(60)).contains('\n'));
    }

    #[test]
    fn a_line_goes_on_under_its_first_word() {
        let said =
            "一二三四五六七八九十 one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
        for (beginning, column) in [
            ("", 0),
            ("  ", 2),
            ("\u{1b}[32m✔\u{1b}[0m ", 2),
            ("  - ", 4),
            ("  2  ", 5),
            ("\u{1b}[1merror:\u{1b}[0m ", 7),
            ("  \u{1b}[1mhint:\u{1b}[0m ", 8),
            ("\u{1b}[1m错误：\u{1b}[0m ", 7),
            ("2026-11-28T21:18:12Z  ", 22),
        ] {
            for columns in [60, 80] {
                let shown = lines(&format!("{beginning}{said}"), Some(columns));
                assert!(shown.lines().count() > 1, "{shown}");
                for (index, line) in shown.lines().enumerate() {
                    assert!(width(line) <= columns, "{columns}: {line}");
                    let blanks = line.len() - line.trim_start().len();
                    assert!(index == 0 || blanks == column, "{beginning:?}: {shown}");
                }
            }
            let whole = format!("{beginning}{said}");
            assert_eq!(lines(&whole, Some(200)), whole);
            assert_eq!(lines(&whole, None), whole);
        }
    }

    #[test]
    fn help_goes_on_under_its_second_column() {
        let page = "用法：x\n\n选项:\n      --all <NAMES>      检查找到的每个网格，每个一行，最后一行合计，以及更多更多更多的说明文字";
        for columns in [60, 80] {
            let shown = help(page, Some(columns));
            for line in shown.lines().skip(4) {
                assert!(
                    width(line) <= columns && line.len() - line.trim_start().len() == 25,
                    "{shown}"
                );
            }
            assert!(shown.lines().count() > 4, "{shown}");
        }
        assert_eq!(help(page, Some(200)), page);
    }

    #[test]
    fn what_is_to_be_copied_stays_as_it_is() {
        let rules = format!(
            "let an administrator grant you:\n- apiGroups: [{}]",
            "\"x\", ".repeat(30)
        );
        assert_eq!(lines(&rules, Some(60)), rules);
    }
}
