//! The reference of the custom resources as a Markdown page, generated from their definitions.

use super::crds;
use serde_json::Value;
use std::fmt::Write as _;

/// The page that stands in the repository as `shared/reference/resources.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Custom resources\n\nWhat `kubectl mesh-upgrade` and its guard keep in a cluster, field by field, with the rules that the \
         API server itself enforces. Who may write them: [the guard's reference](guard.md#rights). `kubectl explain` tells \
         the same of a cluster that has them. This page is generated from the code.\n",
    );
    for definition in crds() {
        // A definition is a plain object: it cannot fail to be one.
        section(&mut page, &serde_json::to_value(definition).unwrap_or_default());
    }
    page
}

fn section(page: &mut String, definition: &Value) {
    let kind = text(definition, "/spec/names/kind");
    let _ = write!(
        page,
        "\n## {kind}\n\n{}\n\n{}-scoped, `{}/{}`, `kubectl get {}`",
        about(definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec")),
        text(definition, "/spec/scope"),
        text(definition, "/spec/group"),
        text(definition, "/spec/versions/0/name"),
        text(definition, "/spec/names/plural"),
    );
    let columns: Vec<String> = list(definition.pointer("/spec/versions/0/additionalPrinterColumns"))
        .map(|column| format!("{} (`{}`)", text(column, "/name"), text(column, "/jsonPath")))
        .collect();
    if !columns.is_empty() {
        let _ = write!(page, ", which shows {}", columns.join(", "));
    }
    page.push_str(".\n\n| field | type | meaning |\n|---|---|---|\n");
    let mut rules = String::new();
    if let Some(schema) = definition.pointer("/spec/versions/0/schema/openAPIV3Schema") {
        rules_of(&mut rules, "", schema);
        properties(page, &mut rules, "", schema);
    }
    if !rules.is_empty() {
        let _ = write!(
            page,
            "\nRules of the API server:\n\n| where | it says | rule |\n|---|---|---|\n{rules}"
        );
    }
}

fn properties(page: &mut String, rules: &mut String, before: &str, schema: &Value) {
    let required: Vec<&str> = list(schema.get("required")).filter_map(Value::as_str).collect();
    let fields = schema.get("properties").and_then(Value::as_object);
    for (name, field) in fields.into_iter().flatten() {
        let path = format!("{before}.{name}");
        let needed = if required.contains(&name.as_str()) {
            ", required"
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| `{path}` | {}{needed} | {} |",
            kind_of(field).replace('|', "\\|"),
            about(Some(field)).replace('|', "\\|")
        );
        rules_of(rules, &path, field);
        let inner = match (field.get("items"), field.get("additionalProperties")) {
            (Some(items), _) => Some((format!("{path}[]"), items)),
            (None, Some(values)) => Some((format!("{path}.*"), values)),
            (None, None) => None,
        };
        if let Some((path, field)) = &inner {
            rules_of(rules, path, field);
        }
        let (path, field) = inner.unwrap_or((path, field));
        // A Condition's fields are Kubernetes' own, the same everywhere.
        if name != "conditions" {
            properties(page, rules, &path, field);
        }
    }
}

/// Its type, what it may be, and what it is when left out.
fn kind_of(field: &Value) -> String {
    let kind = text(field, "/type");
    let mut told = match (field.get("items"), field.get("additionalProperties")) {
        (Some(items), _) => format!("list of {}", kind_of(items)),
        (None, Some(values)) => format!("map of {}", kind_of(values)),
        (None, None) if kind.is_empty() => "any".to_owned(),
        (None, None) => kind.to_owned(),
    };
    let values: Vec<String> = list(field.get("enum"))
        .filter_map(Value::as_str)
        .map(|value| format!("`{value}`"))
        .collect();
    if !values.is_empty() {
        told = values.join(", ");
    }
    for (limit, before, after) in [
        ("maxLength", "at most ", " characters"),
        ("maxItems", "at most ", " of them"),
        ("minimum", "from ", ""),
        ("maximum", "to ", ""),
    ] {
        if let Some(value) = field.get(limit) {
            let _ = write!(told, ", {before}{value}{after}");
        }
    }
    if let Some(default) = field.get("default") {
        let shown = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
        let _ = write!(told, ", default `{shown}`");
    }
    told
}

fn rules_of(rules: &mut String, path: &str, schema: &Value) {
    for rule in list(schema.get("x-kubernetes-validations")) {
        // Some messages are themselves expressions.
        let says = rule.get("message").or_else(|| rule.get("messageExpression"));
        let path = if path.is_empty() { "." } else { path };
        let cell = |value: Option<&Value>| {
            let text = value.and_then(Value::as_str).unwrap_or_default();
            text.split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .replace('|', "\\|")
        };
        let _ = writeln!(rules, "| `{path}` | {} | `{}` |", cell(says), cell(rule.get("rule")));
    }
}

/// A field's description, on one line.
fn about(schema: Option<&Value>) -> String {
    let text = schema.map(|schema| text(schema, "/description")).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules and descriptions as they stand in a definition, wherever they stand.
    fn all(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for rule in list(fields.get("x-kubernetes-validations")) {
                    found.push(text(rule, "/message").to_owned());
                }
                fields.values().for_each(|value| all(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| all(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_resource_and_every_rule_is_told() {
        let page = reference();
        let mut rules = Vec::new();
        for definition in crds() {
            let definition = serde_json::to_value(definition).unwrap();
            assert!(page.contains(&format!("\n## {}\n", text(&definition, "/spec/names/kind"))));
            all(&definition, &mut rules);
        }
        assert!(rules.len() > 5, "{rules:?}");
        for rule in rules {
            let rule = rule.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(page.contains(&rule.replace('|', "\\|")), "{rule}");
        }
    }

    #[test]
    fn a_field_is_told_with_its_type_its_limits_and_its_default() {
        let page = reference();
        for line in [
            "| `.spec.management` | `Dedicated`, `Hosted`, `External`, default `Dedicated` | Who operates the control plane. |",
            "| `.spec.clusters[].name` | string, required | Name of the cluster within the mesh. |",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }
}
