//! What `apply` needs to be allowed: with the guard the driver, without it the caller himself.

use super::permissions::PermissionQuery;
use shared::{gitops::SailKind, names};

/// Kinds that Istio's charts render, and Secrets, where helm keeps its releases: group and resource. Those that few values ask
/// for are judged by what is installed (`shared::preflight`).
const RENDERED: [(&str, &str); 22] = [
    ("", "configmaps"),
    ("", "endpoints"),
    ("", "resourcequotas"),
    ("", "secrets"),
    ("", "serviceaccounts"),
    ("", "services"),
    (ADMISSION, "mutatingwebhookconfigurations"),
    (ADMISSION, "validatingadmissionpolicies"),
    (ADMISSION, "validatingadmissionpolicybindings"),
    (ADMISSION, "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("autoscaling", "horizontalpodautoscalers"),
    ("discovery.k8s.io", "endpointslices"),
    ("k8s.cni.cncf.io", "network-attachment-definitions"),
    ("networking.k8s.io", "networkpolicies"),
    ("policy", "poddisruptionbudgets"),
    (RBAC, "clusterrolebindings"),
    (RBAC, "clusterroles"),
    (RBAC, "rolebindings"),
    (RBAC, "roles"),
];
/// What changes a release: what is there is patched, what a version brings is created, and what it has no more is deleted, as is
/// all of a canary's old revision.
const CHANGES: [&str; 3] = ["create", "delete", "patch"];
/// How helm looks at each object before, and waits for it afterwards: helm 4 watches whatever it has applied.
const LOOKS: [&str; 3] = ["get", "list", "watch"];
/// How helm goes on with the record of a release, in whichever of the two it keeps that.
const RECORDS: [&str; 2] = ["configmaps", "secrets"];
/// The roles that the charts bring grant what whoever upgrades need not have himself.
const GRANTS: [(&str, &str); 4] = [
    ("clusterroles", "bind"),
    ("clusterroles", "escalate"),
    ("roles", "bind"),
    ("roles", "escalate"),
];
const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// Builds a question of a group, a resource and a verb.
type Ask = fn(&str, &str, &str) -> PermissionQuery;

/// What `apply` needs with the guard: the caller acts as the driver, and the driver does the rest. What the driver may look at
/// is not asked one by one: its role is this tool's own.
#[must_use]
pub fn permissions_for_apply() -> Vec<PermissionQuery> {
    let driver: Ask = PermissionQuery::driver;
    let impersonated = PermissionQuery::caller("", "serviceaccounts", "impersonate")
        .within(names::NAMESPACE)
        .named(names::DRIVER_SERVICE_ACCOUNT);
    let extra =
        |name: &str| PermissionQuery::caller("authentication.k8s.io", &format!("userextras/{name}"), "impersonate");
    let own = [
        (names::GROUP, "meshupgrades", "create"),
        (names::GROUP, "meshupgrades/status", "update"),
        (names::GROUP, "meshfreezes", "create"),
        (names::GROUP, "meshfreezes", "update"),
        (names::GROUP, "meshfreezes", "delete"),
        (ADMISSION, "validatingadmissionpolicies", "list"),
        ("", "nodes", "list"),
        ("", "pods", "create"),
        ("", "pods", "delete"),
        ("", "pods/portforward", "create"),
    ];
    let own = own
        .into_iter()
        .map(|(group, resource, verb)| driver(group, resource, verb));
    let home = driver("coordination.k8s.io", "leases", "create").within(names::NAMESPACE);
    [impersonated, extra(names::EXTRA_EPOCH), extra(names::EXTRA_PROBE), home]
        .into_iter()
        .chain(own)
        .chain(rendered(driver, &CHANGES))
        .chain(records(driver))
        .chain(grants(driver))
        .collect()
}

/// What `apply --unguarded` needs: the caller does everything alone.
#[must_use]
pub fn permissions_for_unguarded_apply() -> Vec<PermissionQuery> {
    let caller: Ask = PermissionQuery::caller;
    let own = [
        (names::GROUP, "meshupgrades", &["create", "get", "list"][..]),
        (names::GROUP, "meshupgrades/status", &["update"]),
        ("", "namespaces", &["create", "get", "list"]),
        ("", "nodes", &["get", "list"]),
        // Images are pulled by pods, and injection is proved by one in a dry run.
        ("", "pods", &["create", "delete", "get", "list"]),
        ("", "pods/portforward", &["create", "get"]),
        // helm waits for Deployments by way of these.
        ("apps", "replicasets", &["get", "list"]),
        // Only in a dry run, by which Istio's validation is proved.
        ("networking.istio.io", "virtualservices", &["create"]),
    ];
    let own = own
        .into_iter()
        .flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| caller(group, resource, verb)));
    let home = ["create", "get", "update"]
        .into_iter()
        .map(|verb| caller("coordination.k8s.io", "leases", verb).within(names::NAMESPACE));
    let told = SailKind::ALL.map(|kind| caller(SailKind::GROUP, kind.resource(), "patch"));
    let looked_at = rendered(caller, &LOOKS);
    let changed = rendered(caller, &CHANGES).chain(records(caller)).chain(grants(caller));
    let by_charts = looked_at.chain(changed).map(PermissionQuery::of_charts);
    own.chain(home).chain(told).chain(by_charts).collect()
}

fn rendered(ask: Ask, verbs: &'static [&'static str]) -> impl Iterator<Item = PermissionQuery> {
    let each = RENDERED
        .into_iter()
        .flat_map(|kind| verbs.iter().map(move |verb| (kind, *verb)));
    // The charts ask helm to keep definitions, so that it deletes none.
    let each = each.filter(|((_, resource), verb)| (*resource, *verb) != ("customresourcedefinitions", "delete"));
    each.map(move |((group, resource), verb)| ask(group, resource, verb))
}

fn records(ask: Ask) -> impl Iterator<Item = PermissionQuery> {
    RECORDS.into_iter().map(move |kind| ask("", kind, "update"))
}

fn grants(ask: Ask) -> impl Iterator<Item = PermissionQuery> {
    GRANTS.into_iter().map(move |(roles, verb)| ask(RBAC, roles, verb))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// The rules of the driver's roles, as they are installed.
    fn rules_of_the_driver() -> Vec<Value> {
        let manifests = include_str!("../../../../manifests/guard/rbac.yaml");
        let objects = manifests.split("\n---").filter(|text| text.contains("kind:"));
        let objects = objects.map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
        let of_driver = objects.filter(|object| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            ["ClusterRole", "Role"].contains(&text("/kind")) && text("/metadata/name") == names::DRIVER_SERVICE_ACCOUNT
        });
        let rules: Vec<Value> = of_driver
            .flat_map(|role| role.pointer("/rules").and_then(Value::as_array).unwrap().clone())
            .collect();
        assert!(!rules.is_empty());
        rules
    }

    #[test]
    fn the_driver_that_is_installed_may_do_all_that_is_asked() {
        let rules = rules_of_the_driver();
        let asked = permissions_for_apply();
        for query in asked.iter().filter(|query| query.needed_by_driver) {
            let is_granted = rules.iter().any(|rule| {
                let has = |field: &str, wanted: &str| {
                    let list = rule[field].as_array().unwrap();
                    list.iter()
                        .any(|one| one == wanted || (one == "*" && !wanted.contains('/')))
                };
                let of_group = has("resources", &query.resource) || rule["resources"][0] == "*";
                has("apiGroups", &query.group) && of_group && has("verbs", &query.verb)
            });
            assert!(is_granted, "{query:?}");
        }
    }

    #[test]
    fn definitions_are_never_deleted() {
        let all = permissions_for_apply()
            .into_iter()
            .chain(permissions_for_unguarded_apply());
        let of_definitions = all.filter(|query| query.resource == "customresourcedefinitions");
        let verbs: BTreeSet<String> = of_definitions.map(|query| query.verb).collect();
        assert!(verbs.contains("patch") && !verbs.contains("delete"), "{verbs:?}");
    }

    #[test]
    fn only_the_charts_own_rights_are_for_those_who_install_them() {
        let of_charts = |group: &str, resource: &str, verb: &str| {
            let mut all = permissions_for_unguarded_apply().into_iter();
            let found = all.find(|query| (&*query.group, &*query.resource, &*query.verb) == (group, resource, verb));
            found.map(|query| query.of_charts)
        };
        assert_eq!(of_charts("apps", "deployments", "patch"), Some(true));
        assert_eq!(of_charts(RBAC, "roles", "escalate"), Some(true));
        assert_eq!(of_charts("sailoperator.io", "istios", "patch"), Some(false));
        assert_eq!(of_charts(names::GROUP, "meshupgrades", "create"), Some(false));
    }

    #[test]
    fn whoever_goes_alone_needs_all_that_the_driver_changes_for_him() {
        let rights = |queries: Vec<PermissionQuery>, by_driver: bool| -> BTreeSet<(String, String, String)> {
            let of_one = queries.into_iter().filter(|query| query.needed_by_driver == by_driver);
            of_one.map(|query| (query.group, query.resource, query.verb)).collect()
        };
        let alone = rights(permissions_for_unguarded_apply(), false);
        let missing: Vec<_> = rights(permissions_for_apply(), true)
            .into_iter()
            .filter(|right| !alone.contains(right))
            // The freeze.
            .filter(|(_, resource, _)| resource != "meshfreezes")
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
