//! Each finding of the catalog is asked for by some unit test of the core or of the plugin.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use shared::finding::Code;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What of a source is a test: a file of tests, or all behind the first mark that something is for tests alone and has a body.
fn of_tests(path: &Path, source: &str) -> String {
    if path.file_name().unwrap().to_string_lossy().ends_with("tests.rs") {
        return source.to_owned();
    }
    let behind = source.split_once("#[cfg(test)]\nmod tests {");
    behind.map(|(_, tests)| tests.to_owned()).unwrap_or_default()
}

/// The constants of the codes, by what stands in them.
fn constants(source: &str) -> BTreeMap<&str, &str> {
    let declared = source.split("pub const ").skip(1);
    let pairs = declared.filter_map(|declared| {
        let (name, rest) = declared.split_once(": Code = Code(&Rule {")?;
        let (_, id) = rest.split_once("id: \"")?;
        Some((id.split_once('"')?.0, name))
    });
    pairs.collect()
}

#[test]
fn every_finding_is_asked_for_by_a_unit_test() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&shared.join("src"), &mut files);
    sources(&shared.join("../plugin/src"), &mut files);
    let read: Vec<_> = files
        .into_iter()
        .map(|path| {
            let source = fs::read_to_string(&path).unwrap();
            (path, source)
        })
        .collect();
    let tests: String = read.iter().map(|(path, source)| of_tests(path, source)).collect();
    let constants: BTreeMap<&str, &str> = read.iter().flat_map(|(_, source)| constants(source)).collect();
    let words = |mark: char| !mark.is_ascii_alphanumeric() && mark != '_';
    let named: std::collections::BTreeSet<&str> = tests.split(words).collect();
    let missing: Vec<&str> = Code::all()
        .map(Code::id)
        .filter(|id| !named.contains(id) && !constants.get(id).is_some_and(|name| named.contains(name)))
        .collect();
    assert!(
        constants.len() == Code::all().count(),
        "constants were not found: {}",
        constants.len()
    );
    assert!(missing.is_empty(), "no unit test asks for {missing:?}");
}
