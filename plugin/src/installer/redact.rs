//! Chart values never reach a message: what helm prints is shown without any text that stands in the values.

use serde_json::Value;

/// Shorter values are words like `true` or `Always`, which occur everywhere and are no secrets.
const SHORTEST_SECRET: usize = 6;
/// Lines of helm's output that are kept: its last ones say what failed.
const LINES: usize = 6;
const LONGEST: usize = 1200;

/// Knows what must not be shown.
#[derive(Default)]
pub struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    /// One for the values of a release.
    #[must_use]
    pub fn of_values(values: &Value) -> Self {
        let mut lines = Vec::new();
        collect(values, &mut lines);
        let mut secrets: Vec<String> = lines.into_iter().flat_map(spellings).collect();
        // Longest first, so that no part of a longer value remains.
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self { secrets }
    }

    /// A text without values.
    #[must_use]
    pub fn redacted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "<value>");
        }
        text
    }

    /// The last lines of a program's output, in one, without values.
    #[must_use]
    pub fn last_lines(&self, output: &str) -> String {
        let text = self.redacted(output);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = lines
            .get(lines.len().saturating_sub(LINES)..)
            .unwrap_or_default()
            .join(" | ");
        last.chars().take(LONGEST).collect()
    }
}

/// A line of a value as it is, as Go prints it between quotes, and as Go writes it into JSON, which may end up in a page.
fn spellings(line: String) -> Vec<String> {
    let quoted = serde_json::to_string(&line).unwrap_or_default();
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inside = inside.unwrap_or_default().to_owned();
    let for_pages = inside
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    let mut spellings = vec![line, inside, for_pages];
    spellings.retain(|spelling| !spelling.is_empty());
    spellings
}

fn collect(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            // Multi-line values are printed line by line, often indented.
            secrets.extend(
                text.lines()
                    .map(str::trim)
                    .filter(|line| line.len() >= SHORTEST_SECRET)
                    .map(str::to_owned),
            );
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, secrets)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_do_not_come_through() {
        let redactor = Redactor::of_values(&serde_json::json!({
            "pilot": { "env": { "TOKEN": "s3cr3t-token" } }, "pem": "-----BEGIN\n  abcdefgh\n-----END", "short": "true",
        }));
        let shown = redactor.last_lines("Error: bad s3cr3t-token at true\n    abcdefgh\n");
        assert_eq!(shown, "Error: bad <value> at true | <value>");
        // What a value holds is escaped where it is printed between quotes.
        let values = serde_json::json!({"url": "https://u:p\"a\\s<s>&w@host", "end": "quoted\""});
        let redactor = Redactor::of_values(&values);
        for (printed, expected) in [
            ("bad https://u:p\"a\\s<s>&w@host", "bad <value>"),
            (
                r#"Invalid value: "https://u:p\"a\\s<s>&w@host": x"#,
                r#"Invalid value: "<value>": x"#,
            ),
            (
                r#"{"url":"https://u:p\"a\\s\u003cs\u003e\u0026w@host"}"#,
                r#"{"url":"<value>"}"#,
            ),
            (r#"value "quoted\"" is bad"#, r#"value "<value>" is bad"#),
        ] {
            assert_eq!(redactor.last_lines(printed), expected, "{printed}");
        }
    }

    #[test]
    fn keeps_only_the_end() {
        let long = (0..100).map(|n| format!("line {n}\n")).collect::<String>();
        assert!(Redactor::default().last_lines(&long).starts_with("line 94"));
    }
}
