//! The only place that prints: results on stdout, everything else on stderr.

mod chosen;
pub mod progress;
mod prompt;
mod report;
mod stats;
mod table;
pub mod upgrade;
mod visible;
mod words;
mod wrap;

pub use chosen::{Chosen, completed, remember};
pub use prompt::{ask, confirm};
pub use report::{print_report, print_report_again};
pub use stats::print_stats;
pub use words::{EVERYWHERE, Lang};
pub use wrap::{width, wrapped};

use anstyle::{AnsiColor, Style};
use std::io::{IsTerminal as _, Write as _};
use table::table;
use visible::visible;

/// What `-o` may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For people with a broad terminal: a table, one line for each finding of `check`.
    Wide,
    /// For programs; the schema is versioned.
    Json,
    /// The same as YAML.
    Yaml,
    /// For tickets and pull requests; only `check` and `guide` know it.
    Markdown,
}

/// How people see a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// By cluster and family.
    Lines,
    /// As a table.
    Wide,
    /// As a page.
    Markdown,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs; the schema is versioned.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Version of the schema of `-o json|yaml`, in every document as `apiVersion`.
pub const OUTPUT_VERSION: &str = "output.meshupgrade.io/v1alpha1";

/// A terminal, or whatever stands in for it. Colour follows the terminal, `NO_COLOR` and `CLICOLOR_FORCE`.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    /// How results are printed.
    pub output: Output,
    /// How people see a report.
    pub layout: Layout,
    /// The language of what people read.
    pub lang: Lang,
    ascii: bool,
    led: bool,
}

/// A mark before a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Fine.
    Pass,
    /// Stands in the way.
    Block,
    /// Worth knowing before going on.
    Warn,
    /// Only said.
    Info,
    /// At work.
    Step,
    /// Something newer is to be had.
    Newer,
}

impl Ui {
    /// A terminal of the process; marks are ASCII where the locale cannot show others, and the language is the locale's
    /// unless one is given. Beside documents for programs everything is English: errors are such documents, too.
    #[must_use]
    pub fn new(format: Format, lang: Option<Lang>) -> Self {
        let charset = locale("LC_CTYPE").to_ascii_lowercase();
        let (output, layout) = match format {
            Format::Text => (Output::Text, Layout::Lines),
            Format::Wide => (Output::Text, Layout::Wide),
            Format::Markdown => (Output::Text, Layout::Markdown),
            Format::Json => (Output::Json, Layout::Lines),
            Format::Yaml => (Output::Yaml, Layout::Lines),
        };
        Self {
            output,
            layout,
            lang: match output {
                Output::Text => lang.unwrap_or_else(self::lang),
                Output::Json | Output::Yaml => Lang::English,
            },
            ascii: !(charset.contains("utf-8") || charset.contains("utf8")),
            led: false,
        }
    }

    /// The same for somebody who is led: the next command is not for them to type.
    #[must_use]
    pub fn led(self) -> Self {
        Self { led: true, ..self }
    }

    /// Whether the person is led, so that no next command is shown.
    #[must_use]
    pub fn is_led(self) -> bool {
        self.led
    }

    /// The mark, coloured.
    #[must_use]
    pub fn mark(self, mark: Mark) -> String {
        let color = match mark {
            Mark::Pass | Mark::Newer => AnsiColor::Green,
            Mark::Block => AnsiColor::Red,
            Mark::Warn => AnsiColor::Yellow,
            Mark::Info | Mark::Step => AnsiColor::Cyan,
        };
        paint(self.symbol(mark), Style::new().fg_color(Some(color.into())))
    }

    /// The mark without colour, for the cells of a table: colour would count as width.
    #[must_use]
    pub fn symbol(self, mark: Mark) -> &'static str {
        let (unicode, ascii) = match mark {
            Mark::Pass => ("✔", "ok"),
            Mark::Block => ("✘", "x"),
            Mark::Warn => ("!", "!"),
            Mark::Info => ("·", "-"),
            Mark::Step => ("►", ">"),
            Mark::Newer => ("↑", "^"),
        };
        if self.ascii { ascii } else { unicode }
    }

    /// A line of the result for people. Under `-o json|yaml` it goes beside the document, which alone is the result.
    pub fn result(self, line: &str) {
        if self.output != Output::Text {
            return self.note(line);
        }
        self.shown(&self.lang.told(line));
    }

    /// The same for a line that is in the person's language already.
    fn shown(self, line: &str) {
        if self.output != Output::Text {
            return self.note(line);
        }
        print_out(&wrap::lines(line, columns_of_result()));
    }

    /// A table of the result.
    pub fn table<R: IntoIterator<Item = Vec<String>>>(self, head: &[&str], rows: R) {
        let told = self.told_table(head, rows, columns_of_result());
        if self.output == Output::Text {
            print_out(&told);
        } else {
            print_beside(&told);
        }
    }

    /// A table beside the result, to choose from.
    pub fn choices<R: IntoIterator<Item = Vec<String>>>(self, head: &[&str], rows: R) {
        print_beside(&self.told_table(head, rows, columns_beside()));
    }

    fn told_table<R: IntoIterator<Item = Vec<String>>>(self, head: &[&str], rows: R, columns: Option<usize>) -> String {
        let head: Vec<String> = head.iter().map(|head| self.lang.head(head)).collect();
        let told = |row: Vec<String>| row.iter().map(|cell| self.lang.told(cell)).collect();
        table(&head, rows.into_iter().map(told), columns)
    }

    /// What people copy out of the result: a patch, or rules. It stays as it is.
    pub fn copied(self, text: &str) {
        if self.output == Output::Text {
            print_out(text);
        } else {
            print_beside(text);
        }
    }

    /// A text that is the result as it is, for a file or a pipe: without colours, and without an end of ours.
    pub fn text(self, text: &str) {
        print_out(text.trim_end());
    }

    /// A line beside the result: progress, notes, questions.
    pub fn note(self, line: &str) {
        print_beside(&wrap::lines(&self.lang.told(line), columns_beside()));
    }

    /// A step of work: marked on a terminal, with the time elsewhere, so that logs can be read later.
    pub fn progress(self, mark: Mark, line: &str) {
        if std::io::stderr().is_terminal() {
            self.note(&format!("{} {}", self.mark(mark), self.lang.told(line)));
        } else {
            let now = k8s_openapi::jiff::Timestamp::now();
            let line = self.lang.told(line);
            self.note(&format!("{} {line}", now.strftime("%Y-%m-%dT%H:%M:%SZ")));
        }
    }

    /// What the person does next, in the clusters of this run; every command ends with it.
    pub fn next(self, command: &str) {
        if self.output == Output::Text && !self.led {
            self.note(&format!(
                "\n{} {}",
                strong(&self.lang.label_next()),
                completed(&self.lang.told(command))
            ));
        }
    }

    /// The same with what is to be said of the command, which ends with its line.
    pub fn next_with(self, command: &str, about: &str) {
        self.next(command);
        if self.output == Output::Text && !self.led {
            self.note(&faint(&format!("  {}", completed(&self.lang.told(about)))));
        }
    }

    /// An object of Kubernetes as it would be applied: YAML, or JSON where that is asked for.
    ///
    /// # Errors
    /// When the object cannot be written, which no object of ours makes happen.
    pub fn object(self, object: &impl serde::Serialize) -> Result<(), crate::error::CommandError> {
        let text = match self.output {
            Output::Json => serde_json::to_string_pretty(object).map_err(|error| unwritten(&error))?,
            Output::Text | Output::Yaml => serde_saphyr::to_string(object).map_err(|error| unwritten(&error))?,
        };
        print_out(text.trim_end());
        Ok(())
    }

    /// An error with what can be done about it.
    pub fn error(self, error: &crate::error::CommandError) {
        let told = self.lang.told(&error.to_string());
        self.note(&format!("{} {told}", strong(&self.lang.label_error())));
        for hint in self.hints(error) {
            self.note(&format!("  {} {hint}", strong(&self.lang.label_hint())));
        }
    }

    /// What can be done about an error, and which flags of this run the commands in that need.
    #[must_use]
    pub fn hints(self, error: &crate::error::CommandError) -> Vec<String> {
        let message = error.to_string();
        let texts = std::iter::once(&message).chain(error.hints());
        let flags = self.same_flags(texts.map(String::as_str));
        error
            .hints()
            .iter()
            .map(|hint| self.lang.told(hint))
            .chain(flags)
            .collect()
    }

    /// Which flags of this run the commands in these texts need, if they do.
    pub fn same_flags<'t>(self, texts: impl IntoIterator<Item = &'t str>) -> Option<String> {
        chosen::missing_in(texts).map(|flags| self.lang.same_flags(flags))
    }

    /// A document for programs.
    ///
    /// # Errors
    /// When the value cannot be written as YAML or JSON, which no document of ours makes happen.
    pub fn document(self, kind: &str, value: serde_json::Value) -> Result<(), crate::error::CommandError> {
        let document = versioned(kind, value);
        let text = match self.output {
            Output::Yaml => serde_saphyr::to_string(&document).map_err(|error| unwritten(&error))?,
            Output::Text | Output::Json => {
                serde_json::to_string_pretty(&document).map_err(|error| unwritten(&error))?
            }
        };
        print_out(text.trim_end());
        Ok(())
    }

    /// That a verb had nothing to do, and of what, as a document; people are told in a sentence.
    ///
    /// # Errors
    /// As [`Self::document`].
    pub fn nothing_to_do(self, verb: &str, of: serde_json::Value) -> Result<(), crate::error::CommandError> {
        if self.output == Output::Text {
            return Ok(());
        }
        self.streamed("NothingToDo", told_by(verb, of))
    }

    /// One of a stream of documents: a line of JSON, or a document of YAML with its mark before it.
    ///
    /// # Errors
    /// As [`Self::document`].
    pub fn streamed(self, kind: &str, value: serde_json::Value) -> Result<(), crate::error::CommandError> {
        if self.output == Output::Yaml {
            print_out("---");
            return self.document(kind, value);
        }
        let line = serde_json::to_string(&versioned(kind, value)).map_err(|error| unwritten(&error))?;
        print_out(&line);
        Ok(())
    }
}

/// The language of the environment.
#[must_use]
pub fn lang() -> Lang {
    Lang::of_locale(&locale("LC_MESSAGES"))
}

/// What the environment says of a category of the locale, as every program reads it.
fn locale(category: &str) -> String {
    let told = ["LC_ALL", category, "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    told.unwrap_or_default()
}

fn told_by(verb: &str, of: serde_json::Value) -> serde_json::Value {
    let mut document = serde_json::json!({ "verb": verb });
    if let (Some(target), serde_json::Value::Object(fields)) = (document.as_object_mut(), of) {
        target.extend(fields);
    }
    document
}

fn versioned(kind: &str, value: serde_json::Value) -> serde_json::Value {
    let mut document = serde_json::json!({ "apiVersion": OUTPUT_VERSION, "kind": kind });
    if let (Some(target), serde_json::Value::Object(fields)) = (document.as_object_mut(), value) {
        target.extend(fields);
    }
    document
}

fn unwritten(error: &dyn std::fmt::Display) -> crate::error::CommandError {
    crate::error::CommandError::error(format!("cannot write the result: {error}"))
}

/// Columns of the terminal that results go to; `None` where they go elsewhere.
fn columns_of_result() -> Option<usize> {
    columns(terminal_size::terminal_size_of(std::io::stdout()))
}

/// The same for what is said beside results.
fn columns_beside() -> Option<usize> {
    columns(terminal_size::terminal_size_of(std::io::stderr()))
}

fn columns(size: Option<(terminal_size::Width, terminal_size::Height)>) -> Option<usize> {
    let (terminal_size::Width(columns), _) = size?;
    Some(usize::from(columns))
}

/// A text beside the result, in the person's language already.
pub fn say(text: &str) {
    print_beside(&wrap::lines(text, columns_beside()));
}

/// What can be done about a command line that could not be read.
pub fn hint(lang: Lang, text: &str) {
    say(&format!("  {} {}", strong(&lang.label_hint()), lang.told(text)));
}

/// Help, which clap has written without an end of its lines.
pub fn help(page: &str) {
    print_out(wrap::help(page, columns_of_result()).trim_end());
}

fn print_beside(text: &str) {
    progress::above(|| writeln!(anstream::stderr(), "{}", visible(text)).ok());
}

fn print_out(text: &str) {
    // A reader that went away (`| head`) is no error of ours.
    progress::above(|| writeln!(anstream::stdout(), "{}", visible(text)).ok());
}

/// Text that stands out.
#[must_use]
pub fn strong(text: &str) -> String {
    paint(text, Style::new().bold())
}

/// Text that stays in the background.
#[must_use]
pub fn faint(text: &str) -> String {
    paint(text, Style::new().dimmed())
}

fn paint(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_do_is_a_document_with_its_verb() {
        let document = versioned(
            "NothingToDo",
            told_by("apply", serde_json::json!({ "mesh": "default" })),
        );
        assert_eq!(
            document,
            serde_json::json!({
                "apiVersion": OUTPUT_VERSION, "kind": "NothingToDo", "verb": "apply", "mesh": "default",
            })
        );
    }
}
