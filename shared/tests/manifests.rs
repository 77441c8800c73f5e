//! The manifests in the repository are what the code makes; `UPDATE_MANIFESTS=1` writes them anew.

#![expect(
    clippy::unwrap_used,
    reason = "functions of a test outside of its #[test]: a failed expectation there is the point"
)]

use serde_json::{Value, json};
use shared::{
    api,
    guard::{
        chart::{self, CHART, file_of},
        install::{Certificates, InstallOptions, objects},
    },
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

fn rendered() -> BTreeMap<String, Vec<Value>> {
    let mut files: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for crd in api::crds() {
        let name = format!("crds/{}.yaml", crd.spec.names.plural);
        files.entry(name).or_default().push(json!(crd));
    }
    let usual = objects(&InstallOptions::default());
    // To be applied on top of the others, for clusters whose certificates cert-manager makes.
    let with_cert_manager = objects(&InstallOptions {
        certificates: Certificates::CertManager,
        ..InstallOptions::default()
    });
    let differing = with_cert_manager.into_iter().filter(|object| !usual.contains(object));
    files.insert(OVERLAY.to_owned(), differing.collect());
    for object in usual {
        files
            .entry(format!("guard/{}.yaml", file_of(&object)))
            .or_default()
            .push(object);
    }
    files
}

fn yaml(objects: &[Value]) -> String {
    let documents: Vec<String> = objects
        .iter()
        .map(|object| serde_saphyr::to_string(object).unwrap())
        .collect();
    format!(
        "# Made from the code; do not edit. See shared/tests/manifests.rs.\n---\n{}",
        documents.join("---\n")
    )
}

/// Every file: the objects, the kustomization that lists them, and the chart with the CRDs in it.
fn files() -> BTreeMap<String, String> {
    let rendered = rendered();
    // The namespace before what lies in it; kustomize itself orders kinds, but kubectl's --filename does not.
    let mut applied: Vec<String> = rendered
        .keys()
        .filter(|name| name.as_str() != OVERLAY)
        .cloned()
        .collect();
    applied.sort_by_key(|name| !(name.starts_with("crds/") || name.ends_with("namespace.yaml")));
    let mut files: BTreeMap<String, String> = rendered
        .iter()
        .map(|(name, objects)| (name.clone(), yaml(objects)))
        .collect();
    for (name, text) in files.clone() {
        if name.starts_with("crds/") {
            files.insert(format!("charts/{CHART}/{name}"), text);
        }
    }
    for (name, text) in chart::files() {
        files.insert(format!("charts/{CHART}/{name}"), text);
    }
    files.insert("kustomization.yaml".to_owned(), chart::kustomization(&applied));
    files
}

/// To be applied on top of the others.
const OVERLAY: &str = "guard/cert-manager.yaml";

#[test]
fn manifests_are_what_the_code_makes() {
    let update = std::env::var_os("UPDATE_MANIFESTS").is_some();
    for (name, wanted) in files() {
        let path = root().join(&name);
        if update {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &wanted).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == wanted,
            "manifests/{name} is not what the code makes; regenerate it with\n    \
             UPDATE_MANIFESTS=1 cargo test -p mesh-upgrade-shared --test manifests"
        );
    }
}

#[test]
fn rendered_yaml_reads_back_as_the_same_objects() {
    for (name, objects) in rendered() {
        for object in objects {
            let text = serde_saphyr::to_string(&object).unwrap();
            let read: Value = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(read, object, "{name}");
        }
    }
}

#[test]
fn no_manifest_is_left_over() {
    let made = files();
    for directory in ["crds", "guard", "charts"] {
        for path in files_below(&root().join(directory)) {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            assert!(
                made.contains_key(&name),
                "manifests/{name} is made by nothing; delete it"
            );
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] })
        .collect()
}
