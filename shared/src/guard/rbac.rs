//! Who may do what: the driver, the webhook, the people who upgrade, and the people who may lift a freeze.

use super::table::{self, CONFIGURATION_GROUPS, GATEWAY_API_GROUPS, Picks};
use crate::{api::ExemptKind, names};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// ClusterRole for people who upgrade meshes.
pub const OPERATOR_ROLE: &str = "mesh-upgrade-operator";
/// ClusterRole for people who may lift a freeze by hand.
pub const UNLOCKER_ROLE: &str = "mesh-upgrade-unlocker";
/// ClusterRole for the guards of other clusters, which report what runs there.
pub const REPORTER_ROLE: &str = "mesh-upgrade-reporter";
/// ClusterRole for owners of external meshes, who may allow a way back.
pub const DOWNGRADER_ROLE: &str = "mesh-upgrade-downgrader";

/// What Istio and the guard have of their own among the kinds that no guard is asked about.
const ADMISSION: &[&str] = &[
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
];
const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &[
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
];

/// All roles and bindings, in order; with those for the webhook unless there is none, and with those for its
/// certificates if it makes them itself.
pub(super) fn objects(webhook: bool, own_authority: bool) -> Vec<Value> {
    let mut objects = vec![
        cluster_role(names::DRIVER_SERVICE_ACCOUNT, &driver_rules()),
        cluster_role_binding(names::DRIVER_SERVICE_ACCOUNT, names::DRIVER_SERVICE_ACCOUNT),
        role(names::DRIVER_SERVICE_ACCOUNT, &driver_home_rules()),
        role_binding(names::DRIVER_SERVICE_ACCOUNT, names::DRIVER_SERVICE_ACCOUNT),
        cluster_role(OPERATOR_ROLE, &operator_rules()),
        cluster_role(UNLOCKER_ROLE, &unlocker_rules()),
        cluster_role(DOWNGRADER_ROLE, &downgrader_rules()),
        cluster_role(REPORTER_ROLE, &reporter_rules()),
    ];
    let account = names::WEBHOOK_SERVICE_ACCOUNT;
    if webhook {
        objects.push(cluster_role(account, &webhook_rules()));
        objects.push(cluster_role_binding(account, account));
    }
    if webhook && own_authority {
        objects.push(cluster_role(names::CERTIFICATES, &[own_configuration_rule()]));
        objects.push(cluster_role_binding(names::CERTIFICATES, account));
        objects.push(role(names::CERTIFICATES, &[own_secret_rule()]));
        objects.push(role_binding(names::CERTIFICATES, account));
    }
    objects
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": groups, "resources": resources, "verbs": verbs})
}

/// Core resources of one name only.
fn named(resources: &[&str], name: &str, verbs: &[&str]) -> Value {
    json!({"apiGroups": [""], "resources": resources, "resourceNames": [name], "verbs": verbs})
}

/// To the holder belongs what is frozen for others: the table's resources, by group. Namespaces stay whoever asks, the
/// Gateway API is only looked at, and status is for controllers.
fn frozen_rules() -> Vec<Value> {
    let rows = table::FROZEN.iter().filter(|row| {
        !matches!(
            row.picks,
            Picks::ScopeNamespaces | Picks::GatewayApi | Picks::StatusMetadata
        )
    });
    let mut by_group: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        let resources = row.resources.iter().filter(|resource| !resource.contains('/'));
        for group in row.groups {
            by_group.entry(group).or_default().extend(resources.clone());
        }
    }
    let rules = by_group.into_iter();
    rules
        .map(|(group, resources)| rule(&[group], &resources.into_iter().collect::<Vec<_>>(), WRITE))
        .collect()
}

/// What helm needs to upgrade Istio's charts base, istiod, cni, ztunnel and gateway, and the driver around it.
fn driver_rules() -> Vec<Value> {
    let mut rules = frozen_rules();
    rules.extend([
        rule(&[""], &["namespaces", "nodes", "replicationcontrollers"], READ),
        // Images are pulled by pods, and istiod is asked for its version through a port-forward.
        rule(&[""], &["pods"], WRITE),
        rule(&[""], &["pods/log", "pods/status"], READ),
        rule(&[""], &["pods/portforward"], &["get", "create"]),
        rule(
            &["", "events.k8s.io"],
            &["events"],
            &["get", "list", "watch", "create", "patch"],
        ),
        rule(&["apps"], &["deployments/scale"], &["get", "update", "patch"]),
        rule(&["apps"], &["controllerrevisions", "replicasets", "statefulsets"], READ),
        // Istio's charts grant what the driver itself does not hold: without these two verbs the API server refuses.
        rule(
            &["rbac.authorization.k8s.io"],
            &["clusterroles", "roles"],
            &["bind", "escalate"],
        ),
        rule(&[ExemptKind::GROUP], ADMISSION, WRITE),
        rule(
            &["admissionregistration.k8s.io"],
            &["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"],
            READ,
        ),
        rule(GATEWAY_API_GROUPS, &["*"], READ),
        // Only in a dry run: the canary of a freeze that holds the Gateway API too.
        rule(&["gateway.networking.k8s.io"], &["httproutes"], &["create"]),
        rule(&[names::GROUP], &["*"], WRITE),
    ]);
    rules
}

/// What the driver needs in the guard's own namespace only.
fn driver_home_rules() -> Vec<Value> {
    vec![rule(&["coordination.k8s.io"], &["leases"], WRITE)]
}

/// The webhook writes its authorities into its own configuration, and into no other.
fn own_configuration_rule() -> Value {
    json!({
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["validatingwebhookconfigurations"],
        "resourceNames": [names::WEBHOOK],
        "verbs": ["get", "patch"],
    })
}

/// The one Secret that the webhook reads and writes.
fn own_secret_rule() -> Value {
    json!({
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": [names::CERTIFICATES],
        "verbs": ["get", "patch"],
    })
}

/// Everywhere else the webhook only looks: no Secrets, and nothing is written but what it saw change that no guard is
/// asked about.
fn webhook_rules() -> Vec<Value> {
    let exempt: Vec<&str> = ExemptKind::ALL.into_iter().map(ExemptKind::resource).collect();
    vec![
        rule(&[ExemptKind::GROUP], &exempt, READ),
        // The policy for our own objects lets it write conditions, and no other part of the status.
        rule(&[names::GROUP], &["meshfreezes/status"], &["get", "patch"]),
        // It keeps the newest version that it has seen of a mesh.
        rule(&[names::GROUP], &["meshes/status"], &["update"]),
        rule(&["events.k8s.io"], &["events"], &["create"]),
        rule(&[names::GROUP], &["meshes", "meshfreezes", "meshupgrades"], READ),
        rule(&["apps"], &["daemonsets", "deployments"], READ),
        named(&["configmaps"], crate::catalog::CONFIG_MAP, READ),
    ]
}

/// What `check` looks at, in every namespace: the guard's own objects apart.
fn check_rules() -> Vec<Value> {
    const LOOK: &[&str] = &["get", "list"];
    vec![
        rule(
            &[""],
            &["configmaps", "namespaces", "nodes", "pods", "secrets", "services"],
            READ,
        ),
        rule(&[""], &["pods/portforward"], &["get", "create"]),
        rule(&["apps"], &["daemonsets", "deployments"], READ),
        rule(&["policy"], &["poddisruptionbudgets"], READ),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], LOOK),
        rule(&["coordination.k8s.io"], &["leases"], LOOK),
        rule(&["apiextensions.k8s.io"], &["customresourcedefinitions"], READ),
        rule(&[ExemptKind::GROUP], ADMISSION, READ),
        rule(CONFIGURATION_GROUPS, &["*"], READ),
        rule(&["install.istio.io"], &["istiooperators"], READ),
        rule(GATEWAY_API_GROUPS, &["*"], READ),
        rule(&["argoproj.io"], &["applications"], LOOK),
        rule(&["helm.toolkit.fluxcd.io"], &["helmreleases"], LOOK),
        rule(
            &["sailoperator.io"],
            &["istios", "istiocnis", "ztunnels", "istiorevisiontags"],
            LOOK,
        ),
        rule(
            &["source.toolkit.fluxcd.io"],
            &["helmcharts", "helmrepositories", "ocirepositories"],
            LOOK,
        ),
    ]
}

/// To act as the driver, with no other extra than the two of this tool. Whoever holds this is in effect an
/// administrator, because the driver may `escalate` and `bind`; reading Secrets, where helm keeps its releases, adds
/// nothing to that. `check` reads as the person, so that it needs no guard.
fn operator_rules() -> Vec<Value> {
    let mut rules = vec![
        json!({
            "apiGroups": [""],
            "resources": ["serviceaccounts"],
            "resourceNames": [names::DRIVER_SERVICE_ACCOUNT],
            "verbs": ["impersonate", "get"],
        }),
        rule(
            &["authentication.k8s.io"],
            &[
                &format!("userextras/{}", names::EXTRA_EPOCH),
                &format!("userextras/{}", names::EXTRA_PROBE),
            ],
            &["impersonate"],
        ),
        rule(&[names::GROUP], &["meshes", "meshfreezes", "meshupgrades"], READ),
    ];
    rules.extend(check_rules());
    rules
}

/// To lift a freeze: first the reason, then the deletion of the record and of the policy, and the proof that the mesh is
/// open. Leases are read to see whether a driver is alive, `kube-system` for the cluster's identity.
fn unlocker_rules() -> Vec<Value> {
    vec![
        rule(
            &[names::GROUP],
            &["meshfreezes"],
            &["get", "list", "watch", "update", "patch", "delete", "unlock"],
        ),
        rule(&[names::GROUP], &["meshes", "meshupgrades"], READ),
        // The policy for our own objects lets them write that the freeze was lifted, and no other part of the status.
        rule(&[names::GROUP], &["meshupgrades/status"], &["patch"]),
        rule(
            &["admissionregistration.k8s.io"],
            &["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
            &["get", "list", "watch", "delete"],
        ),
        rule(&["events.k8s.io"], &["events"], &["create"]),
        rule(&["coordination.k8s.io"], &["leases"], &["get"]),
        named(&["namespaces"], "kube-system", &["get"]),
        named(&["configmaps"], names::CANARY, &["create", "patch"]),
    ]
}

/// To allow the way back of an external mesh, and to take that back. What goes back is the owner's own to write.
fn downgrader_rules() -> Vec<Value> {
    vec![rule(
        &[names::GROUP],
        &["meshes"],
        &["get", "list", "watch", "update", "patch", "downgrade"],
    )]
}

/// Bound to nobody: each member's guard gets a ServiceAccount of its own here, where its cluster is to be reported.
fn reporter_rules() -> Vec<Value> {
    vec![
        rule(&[names::GROUP], &["meshes"], &["get", "list"]),
        rule(&[names::GROUP], &["meshes/status"], &["update"]),
    ]
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "labels": {names::LABEL_PART_OF: names::PART_OF}})
}

fn home_metadata(name: &str) -> Value {
    json!({"name": name, "namespace": names::NAMESPACE, "labels": {names::LABEL_PART_OF: names::PART_OF}})
}

fn cluster_role(name: &str, rules: &[Value]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata(name),
        "rules": rules,
    })
}

fn role(name: &str, rules: &[Value]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": home_metadata(name),
        "rules": rules,
    })
}

fn cluster_role_binding(role: &str, service_account: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata(role),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": names::NAMESPACE, "name": service_account}],
    })
}

fn role_binding(role: &str, service_account: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": home_metadata(role),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": names::NAMESPACE, "name": service_account}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_webhook_may_touch_one_secret_and_write_one_configuration() {
        let objects = objects(true, true);
        let bound: Vec<&str> = objects
            .iter()
            .filter(|object| object.pointer("/subjects/0/name") == Some(&json!(names::WEBHOOK_SERVICE_ACCOUNT)))
            .filter_map(|object| object.pointer("/roleRef/name").and_then(Value::as_str))
            .collect();
        let rules = objects
            .iter()
            .filter(|object| {
                bound
                    .iter()
                    .any(|name| object.pointer("/metadata/name") == Some(&json!(name)))
            })
            .filter_map(|object| object.pointer("/rules").and_then(Value::as_array))
            .flatten();
        let mut secrets = 0;
        for rule in rules {
            let named = rule.get("resourceNames").is_some();
            let has = |key: &str, item: &str| rule[key].as_array().unwrap().contains(&json!(item));
            assert!(
                !has("resources", "*") && !has("apiGroups", "*") && !has("verbs", "*"),
                "{rule}"
            );
            if has("resources", "secrets") {
                assert_eq!(rule["resourceNames"], json!([names::CERTIFICATES]));
                assert!(!has("verbs", "list"), "{rule}");
                secrets += 1;
            }
            let writes = rule["verbs"]
                .as_array()
                .unwrap()
                .iter()
                .any(|verb| !READ.contains(&verb.as_str().unwrap()));
            let reports = ["meshfreezes/status", "meshes/status", "events"]
                .iter()
                .any(|resource| rule["resources"] == json!([resource]));
            assert!(named || reports || !writes, "{rule}");
        }
        assert_eq!(secrets, 1);
    }

    /// Whether a rule of the driver's grants this.
    fn is_granted(group: &str, resource: &str, verb: &str) -> bool {
        let has = |rule: &Value, field: &str, text: &str| {
            let list = rule[field].as_array().unwrap();
            list.iter()
                .any(|one| one == text || (one == "*" && !text.contains('/')))
        };
        driver_rules()
            .iter()
            .any(|rule| has(rule, "apiGroups", group) && has(rule, "resources", resource) && has(rule, "verbs", verb))
    }

    #[test]
    fn the_driver_may_do_all_that_the_freeze_refuses_to_others() {
        for row in table::FROZEN {
            for (group, resource) in row.groups.iter().flat_map(|group| {
                let resources = row.resources.iter();
                resources.map(move |resource| (*group, *resource))
            }) {
                let verbs: &[&str] = match row.picks {
                    Picks::StatusMetadata => continue,
                    Picks::ScopeNamespaces | Picks::GatewayApi => &["get", "list"],
                    _ if resource.ends_with("/scale") => &["get", "update", "patch"],
                    _ => WRITE,
                };
                for verb in verbs {
                    assert!(is_granted(group, resource, verb), "{verb} {resource} of {group:?}");
                }
            }
        }
        assert!(
            is_granted("gateway.networking.k8s.io", "httproutes", "create"),
            "the canary"
        );
        assert!(!is_granted("", "namespaces", "delete"));
        assert!(!is_granted("gateway.networking.k8s.io", "httproutes", "update"));
    }
}
