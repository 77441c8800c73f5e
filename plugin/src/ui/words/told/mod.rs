//! Texts that are made elsewhere, in English: findings, errors, what journals and the guard say. Programs, journals and
//! Events get them as they are. Before people they are recognised by the templates that they were made of, which stand in
//! the tables here as in the sources, each with its Chinese. What is not recognised stays: names, commands, and the words of
//! servers and tools.
//!
//! A test reads the sources and fails for a text that no table has (`complete`).

mod cluster;
mod commands;
mod completion;
mod configuration;
mod executor;
mod gitops;
mod guard;
mod guide;
mod installer;
mod reader;
mod running;
mod template;
mod upgrades;
mod versions;

#[cfg(test)]
mod complete;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::LazyLock,
};
use template::Template;

/// A table of texts: English as in the sources, and Chinese with the same gaps. A gap is named, or numbered where it has no
/// name; `{name!}` says that a single word in it is one of ours. Single words are told in such gaps only.
macro_rules! told {
    ($($english:literal => $chinese:literal;)*) => {
        pub(super) const TOLD: &[(&str, &str)] = &[$(($english, $chinese)),*];
    };
}
use told;

const TABLES: &[&[(&str, &str)]] = &[
    cluster::TOLD,
    commands::TOLD,
    configuration::TOLD,
    executor::TOLD,
    gitops::TOLD,
    completion::TOLD,
    guard::TOLD,
    guide::TOLD,
    installer::TOLD,
    running::TOLD,
    upgrades::TOLD,
    versions::TOLD,
];

/// Letters of its own from which on a template is not met by chance.
const SURE: usize = 8;

/// A template, and the same in Chinese.
struct Told {
    english: Template,
    weight: (usize, usize),
    chinese: Template,
}

static ALL: LazyLock<Vec<Told>> = LazyLock::new(|| {
    let all = pairs().chain(pairs().filter_map(alone)).map(|(english, chinese)| {
        let english = Template::parse(english);
        Told {
            weight: english.weight(),
            english,
            chinese: Template::parse(chinese),
        }
    });
    all.collect()
});

/// All tables, and what is to be said of each code.
fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let tables = TABLES.iter().flat_map(|table| table.iter().copied());
    tables
        .chain(super::findings::pairs())
        .chain(super::help::OF_CLAP.iter().copied())
        .chain(reader::OF_READER.iter().copied())
}

/// An addition without the marks that join it to what is before it.
fn alone((english, chinese): (&'static str, &'static str)) -> Option<(&'static str, &'static str)> {
    let marks = [(", ", "，", "", ""), ("; ", "；", "", ""), (" (", "（", ")", "）")];
    marks.into_iter().find_map(|(before, opens, after, closes)| {
        let english = english.strip_prefix(before)?.strip_suffix(after)?;
        Some((english, chinese.strip_prefix(opens)?.strip_suffix(closes)?))
    })
}

impl super::Lang {
    /// A text that was made in English, for people.
    #[must_use]
    pub fn told(self, text: &str) -> String {
        self.telling(text, false)
    }

    /// A single word of ours.
    #[must_use]
    pub fn word(self, word: &str) -> String {
        self.telling(word, true)
    }

    fn telling(self, text: &str, is_word: bool) -> String {
        let told = match self {
            Self::English => None,
            Self::Chinese => chinese(text, is_word),
        };
        told.unwrap_or_else(|| text.to_owned())
    }
}

/// The text in Chinese; `None` where nothing in it is ours.
fn chinese(text: &str, is_word: bool) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    Telling::default().chinese(text, is_word, 0)
}

/// A text that is longer is no sentence of ours.
const LONGEST: usize = 16 << 10;
/// How often the tables are gone through for one text. Sentences of ours take some dozens; whatever takes more stays as it
/// is from there on.
const MOST_LOOKS: usize = 600;
/// How deep texts stand within texts.
const DEEPEST: usize = 24;

/// One text while it is told: what was found out of its parts, and how much was looked at for it.
#[derive(Default)]
struct Telling {
    known: RefCell<BTreeMap<String, Option<String>>>,
    looks: Cell<usize>,
}

impl Telling {
    fn chinese(&self, text: &str, is_word: bool, depth: usize) -> Option<String> {
        if !is_word && !text.contains(' ') && !text.ends_with(':') {
            return None;
        }
        if let Some(known) = self.known.borrow().get(text) {
            return known.clone();
        }
        if depth > DEEPEST || self.looks.get() > MOST_LOOKS {
            return None;
        }
        let told = self
            .of_template(text, depth + 1)
            .or_else(|| self.bare(text, depth + 1))
            .or_else(|| self.pieces(text, depth + 1));
        self.known.borrow_mut().insert(text.to_owned(), told.clone());
        told
    }

    /// Goes through the tables once more.
    fn look(&self) -> impl Iterator<Item = &'static Told> {
        self.looks.set(self.looks.get() + 1);
        ALL.iter()
    }

    /// A text that was made of one template.
    fn of_template(&self, text: &str, depth: usize) -> Option<String> {
        let splits = |text: &str| self.meeting(text);
        let hits = self
            .look()
            .filter_map(|told| Some((told, told.english.values(text, &splits)?)));
        let mut hits: Vec<_> = hits.collect();
        hits.sort_by_key(|(told, _)| std::cmp::Reverse(told.weight));
        // What says little could have been said by others: then its values are names, or texts of ours.
        let is_ours = |value: &&str| are_names(value) || self.chinese(value, false, depth).is_some();
        let (told, values) = hits
            .into_iter()
            // Where in a text something is stands behind the whole of what says of which text: no gap of that may have it.
            .filter(|(_, values)| !values.iter().any(|value| value.contains(", line ")))
            .filter(|(told, values)| !self.is_list(text, told, values, depth))
            .find(|(told, values)| told.weight.0 >= SURE || values.iter().all(is_ours))?;
        let values: Vec<(&str, &str)> = told.english.names().zip(values).collect();
        Some(told.chinese.fill(&|gap| {
            let value = values.iter().find(|(name, _)| *name == gap.name);
            let value = value.map_or("", |(_, value)| value);
            self.chinese(value, gap.is_word, depth).unwrap_or_else(|| joined(value))
        }))
    }

    /// Whether a text is a list of texts of ours, of which a template met the beginning of one and the end of another. A list
    /// at its end may well be its own.
    fn is_list(&self, text: &str, told: &Told, values: &[&str], depth: usize) -> bool {
        let own = usize::from(!told.english.ends());
        let mut inner = values.iter().rev().skip(own);
        let is_told = |piece: &str| self.chinese(piece, false, depth).is_some();
        inner.any(|value| value.contains("; ")) && text.split("; ").all(is_told)
    }

    /// Where the first of two gaps ends that nothing stands between: before an addition that is a text of ours, otherwise at
    /// the end.
    fn meeting(&self, text: &str) -> usize {
        let additions = text
            .char_indices()
            .filter(|(at, letter)| *at > 0 && [',', ' ', ';'].contains(letter));
        let known = |(at, _): (usize, char)| {
            if self.looks.get() > MOST_LOOKS {
                return None;
            }
            let addition = text.get(at..)?;
            let is_known = self
                .look()
                .any(|told| told.english.values(addition, &str::len).is_some());
            is_known.then_some(at)
        };
        additions.filter_map(known).next().unwrap_or(text.len())
    }

    /// A text with blanks, a mark of a list or styles around it, or a heading.
    fn bare(&self, text: &str, depth: usize) -> Option<String> {
        if let Some(heading) = text.strip_suffix(':') {
            return self.chinese(heading, false, depth).map(|told| format!("{told}："));
        }
        let inner = unstyled(text.trim());
        let inner = inner.strip_prefix("- ").unwrap_or(inner);
        if inner.len() == text.len() || inner.is_empty() {
            return None;
        }
        let (before, after) = text.split_once(inner)?;
        let told = self.chinese(inner, false, depth)?;
        Some(format!("{before}{told}{after}"))
    }

    /// A text that was put together of several: lines, clauses, a list, an addition in brackets.
    fn pieces(&self, text: &str, depth: usize) -> Option<String> {
        if text.contains('\n') {
            let told: Vec<_> = text
                .split('\n')
                .map(|line| (line, self.chinese(line, false, depth)))
                .collect();
            let is_told = told.iter().any(|(_, told)| told.is_some());
            let lines = told
                .into_iter()
                .map(|(line, told)| told.unwrap_or_else(|| line.to_owned()));
            return is_told.then(|| lines.collect::<Vec<_>>().join("\n"));
        }
        for (apart, joint) in [("; ", "；"), (": ", "："), (", ", "，"), (" and ", " 和 ")] {
            if let Some((first, rest)) = split(text, apart)
                && let Some((first, rest)) = self.both(first, rest, depth)
            {
                return Some(format!("{first}{joint}{rest}"));
            }
        }
        let (first, added) = text.strip_suffix(')')?.split_once(" (")?;
        let (first, added) = self.both(first, added, depth)?;
        Some(format!("{first}（{added}）"))
    }

    /// Two texts, of which one at least is ours.
    fn both(&self, first: &str, rest: &str, depth: usize) -> Option<(String, String)> {
        let told = (self.chinese(first, false, depth), self.chinese(rest, false, depth));
        if told == (None, None) {
            return None;
        }
        let first = told.0.unwrap_or_else(|| first.to_owned());
        Some((first, told.1.unwrap_or_else(|| rest.to_owned())))
    }
}

/// Names, of which the last are joined in Chinese, too.
fn joined(names: &str) -> String {
    let all: Vec<&str> = names.split(" and ").collect();
    let are_names = all.iter().all(|name| are_names(name));
    all.join(if are_names { " 和 " } else { " and " })
}

/// Whether a text is names, as `Pod shop/a` or `east (2), west (1)`, and says nothing.
fn are_names(text: &str) -> bool {
    text.split(", ").all(|name| {
        let name = name.split_once(" (").map_or(name, |(name, _)| name);
        let (kind, rest) = name.split_once(' ').unwrap_or(("", name));
        !rest.contains(' ') && (kind.is_empty() || kind.starts_with(|letter: char| letter.is_ascii_uppercase()))
    })
}

/// What stands within one style.
fn unstyled(text: &str) -> &str {
    let is_style = |code: &&str| {
        code.chars()
            .all(|letter| letter.is_ascii_digit() || letter == ';' || letter == '[')
    };
    let inner = text.strip_prefix('\u{1b}').and_then(|rest| rest.split_once('m'));
    let inner = inner.filter(|(code, _)| is_style(code)).map_or(text, |(_, rest)| rest);
    match inner.rsplit_once('\u{1b}') {
        Some((inner, code)) if code.strip_suffix('m').as_ref().is_some_and(is_style) => inner,
        _ => inner,
    }
}

/// Both sides of the first mark that does not stand in brackets.
fn split<'t>(text: &'t str, apart: &str) -> Option<(&'t str, &'t str)> {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0
            && let Some(rest) = text.get(at..).and_then(|rest| rest.strip_prefix(apart))
        {
            return Some((text.get(..at)?, rest));
        }
    }
    None
}
