//! What an upgrade would take away of a live object, told by the API server's answer to a dry run of it.

use serde_json::Value;

/// What tells the elements of a list apart, in this order.
const KEYS: [&str; 5] = ["name", "containerPort", "port", "mountPath", "type"];

/// Longest list of what one object loses.
const NAMED: usize = 8;

/// Paths of what stands in an object now and would be gone or otherwise after the upgrade. Additions are the target's own,
/// and images move. Values are not named: they may be secret.
///
/// Both are what the API server shows, so that its defaults stand in both; labels of versions and book-keeping apart, the
/// rest differs only where what is applied differs.
#[must_use]
pub fn losses(live: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (pointer, path) in [("/spec", "spec"), ("/metadata/annotations", "metadata.annotations")] {
        if let Some(live) = live.pointer(pointer) {
            compare(live, after.pointer(pointer), path, &mut found);
        }
    }
    let more = found.len().saturating_sub(NAMED);
    if more > 0 {
        found.truncate(NAMED);
        found.push(format!("and {more} more"));
    }
    found
}

fn compare(live: &Value, after: Option<&Value>, path: &str, found: &mut Vec<String>) {
    let Some(after) = after else {
        // What is empty takes nothing with it.
        let is_empty = match live {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        if !is_empty {
            found.push(path.to_owned());
        }
        return;
    };
    match (live, after) {
        (Value::Object(live), Value::Object(after)) => {
            for (key, value) in live.iter().filter(|(key, _)| !is_of_version(path, key)) {
                compare(value, after.get(key), &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(live), Value::Array(after)) => match key_of(live, after) {
            Some(key) => {
                for item in live {
                    let id = item.get(key);
                    let same = after.iter().find(|other| other.get(key) == id);
                    let shown = id.map(shown).unwrap_or_default();
                    compare(item, same, &format!("{path}[{shown}]"), found);
                }
            }
            None if live.iter().all(|item| after.contains(item)) => {}
            None => found.push(path.to_owned()),
        },
        (live, after) if live == after => {}
        _ => found.push(path.to_owned()),
    }
}

/// What each version sets otherwise as a matter of course.
fn is_of_version(path: &str, key: &str) -> bool {
    key == "image" || path.ends_with(".labels")
}

/// The key that tells the elements of both lists apart; none where they are no objects, or where it is not unique.
fn key_of(live: &[Value], after: &[Value]) -> Option<&'static str> {
    KEYS.into_iter().find(|key| {
        let tells_apart = |items: &[Value]| {
            let ids: Vec<Option<&Value>> = items.iter().map(|item| item.get(key)).collect();
            let unique = ids
                .iter()
                .enumerate()
                .all(|(at, id)| !ids.iter().take(at).any(|one| one == id));
            unique && ids.iter().all(Option::is_some)
        };
        !live.is_empty() && tells_apart(live) && tells_apart(after)
    })
}

fn shown(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
