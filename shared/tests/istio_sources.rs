//! The rules against the sources of two releases of Istio, as the control plane of the end-to-end tests brings them into
//! Go's cache of modules: without that the test says so, and looks at nothing.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it could not do"
)]

use shared::preflight::rules;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Releases, by what the module's version begins and ends with.
const V1_30: &str = "istio@v0.0.0-20260826214018-9739e10eb9d7";
const V1_31: &str = "istio@v0.0.0-20260827124520-eed52ebb66ad";

/// Variables that the rules or their table name and that neither release knows, each with why.
const GONE_OTHERWISE: [(&str, &str); 4] = [
    (
        "ENABLE_INBOUND_RETRY_POLICY",
        "it came with 1.24 and was gone by 1.30; with which minor is not known",
    ),
    (
        "ENABLE_ENHANCED_RESOURCE_SCOPING",
        "it came with 1.22, which is told with it, and was gone by 1.30",
    ),
    (
        "ENABLE_RESOLUTION_NONE_TARGET_PORT",
        "it came with 1.22, which is told with it, and was gone by 1.30",
    ),
    (
        "EXCLUDE_UNSAFE_503_FROM_DEFAULT_RETRY",
        "it came with 1.24 and was gone by 1.30; with which minor is not known",
    ),
];

/// Variables that are no istiod's.
const OF_OTHERS: [(&str, &str); 4] = [
    ("EXCLUDE_NAMESPACES", "a key of the CNI's ConfigMap"),
    ("AMBIENT_DNS_CAPTURE", "a key of the CNI's ConfigMap"),
    ("CNI_CONF_GROUP_READ", "a variable of the CNI"),
    ("ISTIO_META_DNS_AUTO_ALLOCATE", "metadata of proxies"),
];

fn module(name: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("GOMODCACHE").map(PathBuf::from).or_else(|| {
        let path = std::env::var_os("GOPATH").map(PathBuf::from);
        let path = path.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join("go")))?;
        Some(path.join("pkg/mod"))
    })?;
    let module = cache.join("istio.io").join(name);
    module.is_dir().then_some(module)
}

/// Both releases, or a word on why nothing is looked at.
fn sources() -> Option<[PathBuf; 2]> {
    let sources = module(V1_30).zip(module(V1_31)).map(|(one, other)| [one, other]);
    if sources.is_none() {
        eprintln!("skipped: the sources of Istio 1.30 and 1.31 are not in Go's cache of modules");
    }
    sources
}

fn files(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, end, found);
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
}

/// Texts between quotation marks in a source, as far as nothing in them is escaped.
fn quoted(source: &str) -> impl Iterator<Item = &str> {
    source.lines().flat_map(|line| line.split('"').skip(1).step_by(2))
}

/// The variables that the packages of istiod register: each call of `env.Register…`, or of a function around it, names one
/// first, as a text or as a constant.
fn registered(module: &Path) -> BTreeSet<String> {
    let mut sources = Vec::new();
    for folder in ["pilot", "pkg", "security", "cni"] {
        files(&module.join(folder), ".go", &mut sources);
    }
    sources.retain(|path| !path.to_string_lossy().ends_with("_test.go"));
    let mut found = BTreeSet::new();
    for path in sources {
        let source = fs::read_to_string(&path).unwrap();
        // A constant that is registered stands in the same file.
        if source.contains("env.Register") {
            found.extend(quoted(&source).filter(|text| is_variable(text)).map(str::to_owned));
        }
    }
    found
}

fn is_variable(text: &str) -> bool {
    let rest = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    text.starts_with(|letter: char| letter.is_ascii_uppercase()) && text.contains('_') && text.chars().all(rest)
}

#[test]
fn what_the_newer_release_no_longer_registers_is_told() {
    let Some([before, after]) = sources() else { return };
    let (before, after) = (registered(&before), registered(&after));
    assert!(
        before.len() > 150 && before.contains("PILOT_ENABLE_AMBIENT"),
        "{before:?}"
    );
    let told: BTreeMap<&str, u64> = rules::removed_variables().collect();
    let missing: Vec<_> = before
        .difference(&after)
        .filter(|name| told.get(name.as_str()) != Some(&31))
        .collect();
    assert!(missing.is_empty(), "not told as gone in 1.31: {missing:?}");
    for (name, since) in told {
        assert!(
            !after.contains(name),
            "{name} is told as gone in 1.{since}, and is there"
        );
        assert_eq!(before.contains(name), since > 30, "{name}, gone in 1.{since}");
    }
}

#[test]
fn every_variable_that_is_named_is_one() {
    let Some(modules) = sources() else { return };
    let known: BTreeSet<String> = modules.iter().flat_map(|module| registered(module)).collect();
    let removed: BTreeSet<&str> = rules::removed_variables().map(|(name, _)| name).collect();
    let others = GONE_OTHERWISE.iter().chain(&OF_OTHERS);
    let others: BTreeSet<&str> = others.map(|(name, _)| *name).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut ours = vec![
        root.join("finding/configuration.rs"),
        root.join("finding/data_plane.rs"),
    ];
    files(&root.join("preflight"), ".rs", &mut ours);
    let mut named = BTreeSet::new();
    for path in ours {
        let source = fs::read_to_string(&path).unwrap();
        // Tests set what nobody knows.
        let source = source.split("#[cfg(test)]").next().unwrap();
        if path.to_string_lossy().ends_with("tests.rs") {
            continue;
        }
        // What stands in braces is the name of a value of ours.
        let said = quoted(source).flat_map(|text| text.split(['{', '}']).step_by(2));
        let words = said.flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
        named.extend(words.filter(|word| is_variable(word)).map(str::to_owned));
    }
    assert!(named.len() > 15, "{named:?}");
    let unknown: Vec<_> = named
        .iter()
        .filter(|name| !known.contains(*name) && !removed.contains(name.as_str()) && !others.contains(name.as_str()))
        .collect();
    assert!(unknown.is_empty(), "no release knows {unknown:?}");
}
