//! Whether those who read istiod's debug endpoints may still read them.

use super::Subject;
use crate::{
    finding::{Finding, Report, codes},
    mesh::ObservedMember,
    version::IstioVersion,
};
use serde_json::Value;

/// Switches of istiod that let others read.
const SWITCH: &str = "ENABLE_DEBUG_ENDPOINT_AUTH";
const ALLOWED: &str = "DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES";

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        kialis(subject, member, report);
    }
}

/// Whether a version asks who reads: 1.27.8, 1.28.5 and 1.29.1 began with it.
fn asks(version: &IstioVersion) -> bool {
    let minor = version.minor();
    match (minor.major, minor.minor) {
        (1, 27) => version.patch >= 8,
        (1, 28) => version.patch >= 5,
        (1, 29) => version.patch >= 1,
        (major, minor) => (major, minor) > (1, 29),
    }
}

fn kialis(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) {
    let Some(around) = &member.observed.surroundings else {
        return;
    };
    for plane in member.control_planes() {
        let is_new =
            plane.version.version.as_ref().is_some_and(|running| !asks(running)) && asks(&subject.target.version);
        let environment = &plane.settings.environment;
        if !is_new || environment.get(SWITCH).is_some_and(|value| value == "false") {
            continue;
        }
        let allowed = environment.get(ALLOWED).map_or("", String::as_str);
        // It asks for the root namespace of the mesh, which is its own unless the mesh configuration says otherwise.
        let root = plane.settings.mesh.get("rootNamespace").and_then(Value::as_str);
        let home = root
            .filter(|root| !root.is_empty())
            .unwrap_or(&plane.workload.namespace);
        let may_read =
            |namespace: &str| namespace == home || allowed.split(',').any(|allowed| allowed.trim() == namespace);
        for (namespace, name) in around.kialis.iter().filter(|(namespace, _)| !may_read(namespace)) {
            report.find(
                Finding::new(
                    codes::DEBUG_ACCESS,
                    format!(
                        "it runs outside of {}: from {} on istiod no longer shows it the state of proxies",
                        home, subject.target.version
                    ),
                    format!("add {namespace} to pilot.env.{ALLOWED} in istiod's values"),
                )
                .in_cluster(member.name())
                .about(format!("Deployment {namespace}/{name}")),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::sample,
        preflight::tests::{check, ids},
    };

    #[test]
    fn kiali_elsewhere_is_told_once_istiod_begins_to_ask() {
        for (from, to, namespace, variable, expected) in [
            ("1.28.4", "1.29.10", "kiali", None, true),
            ("1.28.4", "1.28.10", "kiali", None, true),
            ("1.28.5", "1.29.10", "kiali", None, false),
            ("1.26.8", "1.27.7", "kiali", None, false),
            ("1.30.3", "1.31.0", "kiali", None, false),
            ("1.28.4", "1.29.10", "istio-system", None, false),
            (
                "1.28.4",
                "1.29.10",
                "kiali",
                Some(("ENABLE_DEBUG_ENDPOINT_AUTH", "false")),
                false,
            ),
            (
                "1.28.4",
                "1.29.10",
                "kiali",
                Some(("DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES", "monitoring, kiali")),
                false,
            ),
        ] {
            let mut inventory = sample::one(from, "v1.32.1");
            inventory.around(0).kialis = vec![(namespace.to_owned(), "kiali".to_owned())];
            if let Some((name, value)) = variable {
                let environment = &mut inventory.seen(0).control_planes[0].settings.environment;
                environment.insert(name.to_owned(), value.to_owned());
            }
            let found = ids(&check(&inventory, to)).contains(&"MU731");
            assert_eq!(found, expected, "{from} to {to} in {namespace} with {variable:?}");
        }
    }

    #[test]
    fn the_root_namespace_of_the_mesh_may_read() {
        for (root, namespace, expected) in [
            ("istio-config", "istio-config", false),
            ("istio-config", "istio-system", true),
            ("", "istio-system", false),
        ] {
            let mut inventory = sample::one("1.28.4", "v1.32.1");
            inventory.around(0).kialis = vec![(namespace.to_owned(), "kiali".to_owned())];
            let settings = &mut inventory.seen(0).control_planes[0].settings;
            settings.mesh = serde_json::json!({"rootNamespace": root});
            let found = ids(&check(&inventory, "1.29.10")).contains(&"MU731");
            assert_eq!(found, expected, "{root} and {namespace}");
        }
    }
}
