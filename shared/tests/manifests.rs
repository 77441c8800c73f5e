//! The manifests in the repository are what the code makes; `UPDATE_MANIFESTS=1` writes them anew.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "functions of a test outside of its #[test]: a failed expectation there is the point"
)]

use serde_json::{Value, json};
use shared::{
    api,
    guard::install::{Certificates, InstallOptions, objects},
};
use std::{collections::BTreeMap, fs, path::PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

/// File that an object belongs to, by its kind.
fn file(object: &Value) -> &'static str {
    match object["kind"].as_str().unwrap() {
        "Namespace" => "guard/namespace.yaml",
        "ServiceAccount" | "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => "guard/rbac.yaml",
        "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding" => "guard/own-objects-policy.yaml",
        "Deployment"
        | "NetworkPolicy"
        | "PodDisruptionBudget"
        | "Secret"
        | "Service"
        | "ValidatingWebhookConfiguration" => "guard/webhook.yaml",
        kind => panic!("{kind} has no file"),
    }
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
    files.insert("guard/cert-manager.yaml".to_owned(), differing.collect());
    for object in usual {
        files.entry(file(&object).to_owned()).or_default().push(object);
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

#[test]
fn manifests_are_what_the_code_makes() {
    let update = std::env::var_os("UPDATE_MANIFESTS").is_some();
    for (name, objects) in rendered() {
        let path = root().join(&name);
        let wanted = yaml(&objects);
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
    for directory in ["crds", "guard"] {
        for entry in fs::read_dir(root().join(directory)).into_iter().flatten() {
            let name = format!("{directory}/{}", entry.unwrap().file_name().to_string_lossy());
            assert!(
                rendered().contains_key(&name),
                "manifests/{name} is made by nothing; delete it"
            );
        }
    }
}
