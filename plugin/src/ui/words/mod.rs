//! What people read, in English and in Simplified Chinese. Documents for programs, journals and Events are in English
//! whatever the language; docs/howto.md tells what else is.
//!
//! What the plugin's frame says has a name here, with both languages side by side. What is said elsewhere, in the core, by
//! errors or by a verb, is English there and recognised in [`told`]; tests see that nothing lacks its Chinese.

mod apply;
mod explain;
mod findings;
mod heads;
mod help;
mod labels;
mod list;
mod report;
mod told;
mod wizard;

pub use help::EVERYWHERE;
use std::fmt::Display;

/// The language in which people are spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// English.
    #[default]
    #[value(name = "en")]
    English,
    /// Simplified Chinese.
    #[value(name = "zh")]
    Chinese,
}

impl Lang {
    /// The language of a locale, as `zh_CN.UTF-8`. Traditional Chinese is another one, and a locale whose characters are
    /// not Unicode's cannot show it.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        let locale = locale.to_ascii_lowercase();
        let (place, charset) = locale.split_once('.').unwrap_or((&locale, ""));
        let simplified = ["zh", "zh_cn", "zh_sg", "zh_hans"].contains(&place);
        if simplified && charset.starts_with("utf") {
            Self::Chinese
        } else {
            Self::English
        }
    }
}

/// Defines texts: a name, the values in it, and both languages, as in `name(value) "English {value}", "中文 {value}";`.
macro_rules! words {
    ($($(#[$about:meta])* $name:ident($($value:ident),*) $english:literal, $chinese:literal;)*) => {
        impl super::Lang {
            $(
                $(#[$about])*
                #[must_use]
                pub(crate) fn $name(self $(, $value: impl super::Display)*) -> String {
                    match self {
                        Self::English => format!($english),
                        Self::Chinese => {
                            // What is said may have been made in English.
                            $(let $value = self.told(&$value.to_string());)*
                            format!($chinese)
                        }
                    }
                }
            )*
        }

        /// All texts of this file: name, English, Chinese.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $chinese)),*];
    };
}
use words;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The values in a text.
    fn values(text: &str) -> BTreeSet<&str> {
        let rest = text.split('{').skip(1);
        rest.filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn both_languages_say_everything() {
        let all = [
            apply::ALL,
            explain::ALL,
            labels::ALL,
            list::ALL,
            report::ALL,
            wizard::ALL,
        ]
        .concat();
        let mut names = BTreeSet::new();
        for (name, english, chinese) in all {
            assert!(names.insert(name), "{name} stands here twice");
            assert_eq!(values(english), values(chinese), "{name}");
            let is_chinese = |letter: char| ('\u{4e00}'..='\u{9fff}').contains(&letter);
            // Marks between words have no letters in either.
            let own = english
                .split('{')
                .map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
            let says_something = own.flat_map(str::chars).any(char::is_alphabetic);
            assert!(
                chinese.chars().any(is_chinese) || !says_something,
                "{name} is not translated: {chinese}"
            );
            assert!(!english.chars().any(is_chinese), "{name}: {english}");
            // A command that is named has to be the same, to be typed as it stands.
            for command in ["kubectl mesh-upgrade", "kubectl rollout restart", "--yes", "--charts"] {
                assert_eq!(
                    english.contains(command),
                    chinese.contains(command),
                    "{name}: {command}"
                );
            }
        }
        assert!(names.len() > 50, "{}", names.len());
    }

    #[test]
    fn a_locale_chooses_the_language() {
        for (locale, lang) in [
            ("zh_CN.UTF-8", Lang::Chinese),
            ("zh_SG.utf8", Lang::Chinese),
            ("zh_CN.GB18030", Lang::English),
            ("zh_TW.UTF-8", Lang::English),
            ("en_US.UTF-8", Lang::English),
            ("C.UTF-8", Lang::English),
            ("C", Lang::English),
            ("", Lang::English),
        ] {
            assert_eq!(Lang::of_locale(locale), lang, "{locale}");
        }
    }
}
