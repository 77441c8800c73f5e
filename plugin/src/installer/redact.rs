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
        let mut secrets = Vec::new();
        collect(values, &mut secrets);
        // Longest first, so that no part of a longer value remains.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self { secrets }
    }

    /// The last lines of a program's output, in one, without values.
    #[must_use]
    pub fn last_lines(&self, output: &str) -> String {
        let mut text = output.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "<value>");
        }
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = lines
            .get(lines.len().saturating_sub(LINES)..)
            .unwrap_or_default()
            .join(" | ");
        last.chars().take(LONGEST).collect()
    }
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
    }

    #[test]
    fn keeps_only_the_end() {
        let long = (0..100).map(|n| format!("line {n}\n")).collect::<String>();
        assert!(Redactor::default().last_lines(&long).starts_with("line 94"));
    }
}
