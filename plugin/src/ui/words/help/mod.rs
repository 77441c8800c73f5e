//! Help in Chinese: what clap writes out of the command line's own descriptions, and what it says of mistakes.

mod everywhere;
mod guard;
mod mistakes;
mod reading;
mod upgrading;

use super::Lang;
use clap::{Arg, Command, builder::PossibleValue};
pub(super) use mistakes::OF_CLAP;

/// What stands above the flags that every verb takes, behind a verb's own.
pub const EVERYWHERE: &str = "Flags of every verb";

/// Descriptions of verbs, arguments and values, as they stand at `cli`, and those that clap adds.
const TABLES: [&[(&str, &str)]; 4] = [everywhere::HELP, guard::HELP, reading::HELP, upgrading::HELP];

fn described(text: &str) -> Option<&'static str> {
    let mut all = TABLES.into_iter().flatten();
    all.find_map(|(english, chinese)| (*english == text).then_some(*chinese))
}

fn chinese(text: &str) -> String {
    described(text).unwrap_or(text).to_owned()
}

impl Lang {
    /// The language that a command line asks for, before it is understood.
    #[must_use]
    pub fn asked_for(args: &[std::ffi::OsString], or: Self) -> Self {
        let mut words = args.iter().filter_map(|word| word.to_str());
        let named = words.find_map(|word| match word.strip_prefix("--lang") {
            Some("") => Some(None),
            Some(rest) => rest.strip_prefix('=').map(|lang| Some(lang.to_owned())),
            None => None,
        });
        let named = named.map(|named| named.or_else(|| words.next().map(str::to_owned)));
        match named.flatten().as_deref() {
            Some("zh") => Self::Chinese,
            Some("en") => Self::English,
            _ => or,
        }
    }

    /// The command line with its help in this language.
    #[must_use]
    pub fn helping(self, mut command: Command) -> Command {
        match self {
            Self::English => command,
            Self::Chinese => {
                // What clap adds of its own is there afterwards.
                command.build();
                // Where a line ends is seen when it is printed: clap knows of blanks only.
                verb(command.term_width(0))
            }
        }
    }

    /// The first line of what a candidate for completion is: a verb, a flag, or a value that was found.
    #[must_use]
    pub fn candidate(self, description: &str) -> String {
        match (self, described(description)) {
            (Self::Chinese, Some(told)) => told.to_owned(),
            _ => self.told(description),
        }
    }

    /// What clap says of a mistake.
    #[must_use]
    pub fn mistake(self, error: &clap::Error) -> String {
        let text = error.render().to_string();
        let lines = text.lines().map(|line| match line.strip_prefix("Usage: ") {
            Some(usage) if self == Self::Chinese => format!("用法：{usage}"),
            _ => self.told(line),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn verb(mut command: Command) -> Command {
    if let Some(about) = command.get_about().map(ToString::to_string) {
        command = command.about(chinese(&about));
    }
    if let Some(after) = command.get_after_help().map(ToString::to_string) {
        command = command.after_help(chinese(&after));
    }
    command
        .help_template("{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}")
        .subcommand_help_heading("命令")
        .mut_args(argument)
        .mut_subcommands(verb)
}

fn argument(arg: Arg) -> Arg {
    let heading = match arg.get_help_heading() {
        Some(EVERYWHERE) => "所有动词通用的选项",
        _ if arg.is_positional() => "参数",
        _ => "选项",
    };
    let mut help = chinese(&arg.get_help().map(ToString::to_string).unwrap_or_default());
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    if !defaults.is_empty() && !arg.is_hide_default_value_set() && arg.get_action().takes_values() {
        help.push_str(&format!(" [默认：{}]", defaults.join(", ")));
    }
    let values: Vec<PossibleValue> = if arg.get_action().takes_values() {
        arg.get_possible_values()
    } else {
        Vec::new()
    };
    let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
    let mut long = help.clone();
    for value in &values {
        let about = value.get_help().map(ToString::to_string).unwrap_or_default();
        long.push_str(&format!("\n- {}：{}", value.get_name(), chinese(&about)));
    }
    if !names.is_empty() {
        help.push_str(&format!(" [可选值：{}]", names.join(", ")));
    }
    arg.help(help)
        .long_help(long)
        .help_heading(heading)
        .hide_default_value(true)
        .hide_possible_values(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    fn descriptions(command: &Command, found: &mut Vec<String>) {
        let of_command = [command.get_about(), command.get_after_help()];
        found.extend(of_command.into_iter().flatten().map(ToString::to_string));
        for arg in command.get_arguments() {
            found.extend(arg.get_help().map(ToString::to_string));
            let values = arg.get_possible_values();
            found.extend(
                values
                    .iter()
                    .filter_map(|value| value.get_help().map(ToString::to_string)),
            );
        }
        for verb in command.get_subcommands() {
            descriptions(verb, found);
        }
    }

    #[test]
    fn all_help_is_in_both_languages() {
        let mut command = Cli::command();
        command.build();
        let mut found = Vec::new();
        descriptions(&command, &mut found);
        found.sort();
        found.dedup();
        let missing: Vec<&String> = found
            .iter()
            .filter(|text| !text.is_empty() && described(text).is_none())
            .collect();
        assert!(
            missing.is_empty(),
            "help without Chinese, in ui/words/help: {missing:#?}"
        );
        assert!(found.len() > 60, "{}", found.len());
        // What clap writes of its own depends on whether there is more to see.
        let own = |english: &str| english.starts_with("Print ");
        for (english, chinese) in TABLES.into_iter().flatten() {
            assert!(
                found.iter().any(|text| text == english) || own(english),
                "nothing says {english:?}"
            );
            assert!(chinese.chars().any(|letter| letter > '\u{2e7f}'), "{chinese}");
        }
    }

    #[test]
    fn help_is_told_as_a_whole() {
        let mut command = Lang::Chinese.helping(Cli::command());
        let page = command.render_long_help().to_string();
        assert!(
            page.contains("用法：kubectl mesh-upgrade") && page.contains("命令:"),
            "{page}"
        );
        for verb in ["check", "apply"] {
            let page = command
                .find_subcommand_mut(verb)
                .unwrap()
                .render_long_help()
                .to_string();
            for english in ["Usage", "Options", "default:", "possible", "Print", " the "] {
                assert!(!page.contains(english), "{english}: {page}");
            }
        }
    }

    #[test]
    fn the_flags_of_a_verb_stand_before_those_of_every_verb() {
        for (lang, own, everywhere) in [
            (Lang::English, "Options:", "Flags of every verb:"),
            (Lang::Chinese, "选项:", "所有动词通用的选项:"),
        ] {
            let mut command = lang.helping(Cli::command());
            command.build();
            for verb in ["check", "apply"] {
                let page = command.find_subcommand_mut(verb).unwrap().render_help().to_string();
                let at = |text: &str| {
                    let found = page.find(&format!("\n{text}"));
                    found.unwrap_or_else(|| panic!("no {text}: {page}"))
                };
                assert!(at(own) < at(everywhere), "{page}");
                for (flag, is_own) in [("--strategy", true), ("--context ", false), ("--catalog", false)] {
                    let found = page.find(flag).unwrap();
                    assert_eq!(found < at(everywhere), is_own, "{flag}: {page}");
                }
            }
        }
    }

    #[test]
    fn the_language_is_known_before_the_command_line_is() {
        for (line, lang) in [
            ("check --lang zh", Lang::Chinese),
            ("--lang=zh --nonsense", Lang::Chinese),
            ("check --lang", Lang::English),
            ("check", Lang::English),
        ] {
            let args: Vec<_> = line.split(' ').map(std::ffi::OsString::from).collect();
            assert_eq!(Lang::asked_for(&args, Lang::English), lang, "{line}");
        }
        let args = ["kubectl-mesh_upgrade", "check", "--to", "latest"].map(std::ffi::OsString::from);
        let error = Lang::Chinese
            .helping(Cli::command())
            .try_get_matches_from(args)
            .unwrap_err();
        assert_eq!(
            Lang::Chinese.mistake(&error),
            "错误：'--to <VERSION>' 的值 'latest' 无效：\"latest\" 不是版本：应为 MAJOR.MINOR.PATCH[-FLAVOR]，例如 1.31.0 或 1.31.0-mspider\n\n更多信息：'--help'。"
        );
    }
}
