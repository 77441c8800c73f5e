//! Whether Argo CD's definition is still its own.

use super::*;
use std::{path::PathBuf, process::Command};

/// Where Argo CD's own definition is in the module cache of whoever has fetched that module; nothing here needs it.
const REAL: &str = "github.com/argoproj/argo-cd/v3@v3.6.1/manifests/crds/application-crd.yaml";
/// What is left open, below the schema.
const LEFT_OPEN: [&str; 4] = [
    "/properties/operation",
    "/properties/status/properties/history/items",
    "/properties/status/properties/operationState/properties/operation",
    "/properties/status/properties/sourceHydrator",
];
const SCHEMA: &str = "/spec/versions/0/schema/openAPIV3Schema";

fn without_descriptions(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            // A property may be called so, too.
            fields.retain(|name, value| name != "description" || !value.is_string());
            fields.values_mut().for_each(without_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(without_descriptions),
        _ => {}
    }
}

#[test]
fn its_definition_is_argo_cds_own_with_parts_left_open() {
    let cache = Command::new("go").args(["env", "GOMODCACHE"]).output().unwrap();
    let real = PathBuf::from(String::from_utf8(cache.stdout).unwrap().trim()).join(REAL);
    let Ok(real) = std::fs::read_to_string(real) else {
        return;
    };
    let mut real: Value = serde_saphyr::from_str(&real).unwrap();
    let ours: Value = serde_saphyr::from_str(ARGO_CD_DEFINITION).unwrap();
    real.pointer_mut("/metadata")
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove("labels");
    let version = real.pointer_mut("/spec/versions/0").unwrap().as_object_mut().unwrap();
    version.remove("additionalPrinterColumns");
    without_descriptions(real.pointer_mut(SCHEMA).unwrap());
    for open in LEFT_OPEN {
        let open = real.pointer_mut(&format!("{SCHEMA}{open}")).unwrap();
        *open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    }
    assert_eq!(ours, real);
}
