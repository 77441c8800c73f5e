//! CEL out of plain values and out of the table. Names, users and reasons are data: they enter only as literals.

mod components;
mod owners;
mod scope;

pub use components::labelled_remote_secret;
pub use owners::{application_owned, istioctl_owned};
pub use scope::lists;

use super::table::{
    self, FREE_METADATA, HELM_OWNER, HELM_OWNER_LABEL, HELM_RELEASE_NAME, HELM_RELEASE_NAMESPACE,
    ISTIOD_PROBE_ANNOTATION, ISTIOD_PROBE_NAME, MANAGED_GATEWAY_LABEL, May, Operation, Picks, Row, Who, Writer,
};
use crate::{
    api::FreezeScope,
    gitops::{TRACKING_ANNOTATION, TRACKING_LABEL},
    istioctl::{OWNER_NAMESPACE_LABEL, REVISION_LABEL},
    names,
};
use owners::brings;
use std::fmt::Write as _;

/// A string as a CEL literal: double quotes, ASCII only, on one line.
#[must_use]
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            // Writing into a String cannot fail.
            c if u32::from(c) <= 0xffff => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => drop(write!(out, "\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// A list of string literals.
#[must_use]
pub fn list<I, S>(texts: I) -> String
where
    I: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    let literals: Vec<String> = texts.into_iter().map(|text| literal(text.as_ref())).collect();
    format!("[{}]", literals.join(", "))
}

/// `any` of these expressions; `false` for none.
#[must_use]
pub fn any(expressions: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<String> = expressions.into_iter().map(|part| format!("({part})")).collect();
    if parts.is_empty() {
        "false".to_owned()
    } else {
        parts.join(" || ")
    }
}

/// The name of the object. A request that deletes a collection has none of its own, and a generated one comes later.
pub const NAME: &str = "object != null ? (has(object.metadata.name) ? object.metadata.name : '') : \
     oldObject != null && has(oldObject.metadata.name) ? oldObject.metadata.name : \
     has(request.name) ? request.name : ''";

/// The namespace of the request; empty for cluster-scoped objects.
pub const NAMESPACE: &str = "has(request.namespace) ? request.namespace : ''";

/// The resource of the request, with its subresource after a slash, as in the table.
pub const RESOURCE: &str = "request.resource.resource + \
     (has(request.subResource) && request.subResource != '' ? '/' + request.subResource : '')";

/// The values of the extra that carries the epoch; empty when there is none.
#[must_use]
pub fn epochs() -> String {
    extra(names::EXTRA_EPOCH)
}

/// The values of the extra that marks canaries; empty when there is none.
#[must_use]
pub fn probes() -> String {
    extra(names::EXTRA_PROBE)
}

fn extra(key: &str) -> String {
    let key = literal(key);
    // Without the first test a user without extras reads as an evaluation error.
    format!("has(request.userInfo.extra) && {key} in request.userInfo.extra ? request.userInfo.extra[{key}] : []")
}

/// True for a user name.
#[must_use]
pub fn is_user(users: &[String]) -> String {
    format!(
        "has(request.userInfo.username) && request.userInfo.username in {}",
        list(users)
    )
}

/// True for an update that changes nothing but book-keeping and the removal of finalizers; `except` names top-level
/// fields that are compared elsewhere.
#[must_use]
pub fn unchanged(except: &[&str]) -> String {
    let free_top = list(["metadata"].iter().chain(except));
    let free = list(FREE_METADATA.iter().chain(&["finalizers"]));
    format!(
        "request.operation == 'UPDATE' && object != null && oldObject != null && \
         object.all(k, k in {free_top} || (k in oldObject && object[k] == oldObject[k])) && \
         oldObject.all(k, k in {free_top} || k in object) && \
         object.metadata.all(k, k in {free} || (k in oldObject.metadata && object.metadata[k] == oldObject.metadata[k])) && \
         oldObject.metadata.all(k, k in {free} || k in object.metadata) && \
         (!has(object.metadata.finalizers) || (has(oldObject.metadata.finalizers) && \
         object.metadata.finalizers.all(f, f in oldObject.metadata.finalizers)))"
    )
}

/// True when a request falls under this row of the table. Expects the variables `resource`, `name` and `inNamespace`, and
/// those of [`lists`].
#[must_use]
pub fn row(row: &Row, scope: &FreezeScope) -> String {
    let mut parts = vec![format!("request.resource.group in {}", list(row.groups))];
    if !row.resources.contains(&"*") {
        parts.push(format!("variables.resource in {}", list(row.resources)));
    }
    if row.operations.len() < table::CHANGES.len() {
        let operations = row.operations.iter().map(|operation| operation.as_str());
        parts.push(format!("request.operation in {}", list(operations)));
    }
    if let Some(picks) = picks(row.picks, scope) {
        parts.push(format!("({picks})"));
    }
    parts.join(" && ")
}

/// The object as namespace and name.
const PATH: &str = "(variables.inNamespace + '/' + variables.name)";

/// True for an update that changes the owners, one of helm's annotations, or, where istioctl installed something, one of
/// its labels.
fn owners_change(scope: &FreezeScope) -> String {
    let text = |o: &str, texts: &str| {
        format!("(has({o}.metadata.{texts}) && k in {o}.metadata.{texts} ? {o}.metadata.{texts}[k] : '')")
    };
    let annotation = |o: &str| text(o, "annotations");
    let label = |o: &str| text(o, "labels");
    let owners = |o: &str| format!("(has({o}.metadata.ownerReferences) ? {o}.metadata.ownerReferences : [])");
    let change = format!(
        "{} != {} || {}.exists(k, {} != {})",
        owners("object"),
        owners("oldObject"),
        list([HELM_RELEASE_NAME, HELM_RELEASE_NAMESPACE]),
        annotation("object"),
        annotation("oldObject"),
    );
    let mut changes = vec![change];
    if !scope.istioctl.is_empty() {
        changes.push(format!(
            "{}.exists(k, {} != {})",
            list([OWNER_NAMESPACE_LABEL, REVISION_LABEL]),
            label("object"),
            label("oldObject"),
        ));
    }
    if !scope.applications.is_empty() {
        changes.push(format!(
            "{}.exists(k, {} != {}) || {}.exists(k, {} != {})",
            list([TRACKING_ANNOTATION]),
            annotation("object"),
            annotation("oldObject"),
            list([TRACKING_LABEL]),
            label("object"),
            label("oldObject"),
        ));
    }
    changes.join(" || ")
}

/// True for an object `o` that carries the label of helm's storage.
#[must_use]
pub fn helm_labelled() -> String {
    let owner = literal(HELM_OWNER_LABEL);
    format!(
        "o != null && has(o.metadata.labels) && {owner} in o.metadata.labels && o.metadata.labels[{owner}] == {}",
        literal(HELM_OWNER)
    )
}

fn picks(picks: Picks, scope: &FreezeScope) -> Option<String> {
    match picks {
        Picks::Configuration => in_configuration_namespaces(scope).map(|within| {
            // What is in no namespace is valid in all.
            format!("variables.inNamespace == '' || {within}")
        }),
        Picks::GatewayApi => Some(match in_configuration_namespaces(scope) {
            Some(within) => within,
            None => "variables.inNamespace != ''".to_owned(),
        }),
        Picks::ScopeConfigMaps => Some(format!("{PATH} in variables.configMaps")),
        Picks::ScopeWorkloads => Some("variables.workload".to_owned()),
        Picks::FurtherWorkloads => Some(components::further_workload(scope)),
        Picks::ScopeOperators => {
            Some("(variables.resource + '/' + variables.name) in variables.operatorObjects".to_owned())
        }
        Picks::FurtherOperators => Some(components::further_operator_object(scope)),
        Picks::MeshCrds => Some(any(
            table::crd_suffixes_of(scope).map(|suffix| format!("variables.name.endsWith({})", literal(suffix)))
        )),
        Picks::ScopeNamespaces => Some("variables.name in variables.componentNamespaces".to_owned()),
        Picks::HelmStorage => Some("variables.helmStorage".to_owned()),
        Picks::RemoteSecrets => Some(components::remote_secret(scope)),
        Picks::Owned => Some("variables.owned".to_owned()),
        Picks::StatusMetadata => Some(format!(
            "(variables.workload || variables.owned) && ({})",
            owners_change(scope)
        )),
    }
}

fn in_configuration_namespaces(scope: &FreezeScope) -> Option<String> {
    table::configuration_namespaces(scope)?;
    Some("variables.inNamespace in variables.configurationNamespaces".to_owned())
}

/// True when this writer of the table makes the request and may. Expects the variable `name`.
#[must_use]
pub fn writer(writer: &Writer, scope: &FreezeScope) -> String {
    let resource = |group: &str, resource: &str| {
        format!(
            "request.resource.group == {} && request.resource.resource == {}",
            literal(group),
            literal(resource)
        )
    };
    let may = match writer.may {
        May::WriteWorkloadEntries => resource("networking.istio.io", "workloadentries"),
        May::WriteManagedGateways => {
            let label = literal(MANAGED_GATEWAY_LABEL);
            format!(
                "request.resource.group in {} && [object, oldObject].all(o, \
                 o == null || (has(o.metadata.labels) && {label} in o.metadata.labels))",
                list(table::MANAGED_GATEWAY_GROUPS)
            )
        }
        May::ProbeIstiod => {
            let annotation = literal(ISTIOD_PROBE_ANNOTATION);
            format!(
                "{} && request.operation == {} && has(request.dryRun) && request.dryRun && variables.name == {} && \
                 has(object.metadata.annotations) && {annotation} in object.metadata.annotations && \
                 object.metadata.annotations[{annotation}] == \"true\"",
                resource("networking.istio.io", "gateways"),
                literal(Operation::Create.as_str()),
                literal(ISTIOD_PROBE_NAME),
            )
        }
        May::DeleteNamespaced => format!(
            "request.operation == {} && variables.inNamespace != '' && !({})",
            literal(Operation::Delete.as_str()),
            resource("", "namespaces")
        ),
        May::Scale => "has(request.subResource) && request.subResource == 'scale'".to_owned(),
        May::WriteEndpoints => format!(
            "({})",
            any([
                resource("discovery.k8s.io", "endpointslices"),
                resource("", "endpoints")
            ])
        ),
        // Each for what is its own.
        May::BringComponent => {
            let controllers = scope.controllers.iter();
            return any(controllers.map(|controller| {
                let user = is_user(std::slice::from_ref(&controller.user));
                format!("{user} && ({})", brings(controller))
            }));
        }
        May::WriteConfiguration => format!(
            "request.resource.group in {}",
            list(table::CONFIGURATION_GROUPS.iter().chain(table::GATEWAY_API_GROUPS))
        ),
    };
    let who = match writer.who {
        Who::Anybody | Who::Controllers => return may,
        Who::Istiod => is_user(&scope.istiod_users),
        Who::ExtraWriters => is_user(&scope.configuration.extra_writers),
        Who::Users(users) => is_user(&users.iter().map(|user| (*user).to_owned()).collect::<Vec<_>>()),
    };
    format!("{who} && {may}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{arbitrary, prop_assert, prop_assert_eq, proptest};

    /// Reads a literal back by the grammar of CEL; `None` where the quote ends early or an escape is unknown.
    fn read(text: &str) -> Option<String> {
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        let mut out = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' | '\n' | '\r' => return None,
                '\\' => match chars.next()? {
                    '"' => out.push('"'),
                    '\\' => out.push('\\'),
                    kind @ ('u' | 'U') => {
                        let digits = if kind == 'u' { 4 } else { 8 };
                        let hex: String = chars.by_ref().take(digits).collect();
                        out.push(char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?);
                    }
                    _ => return None,
                },
                c => out.push(c),
            }
        }
        Some(out)
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_literal_that_reads_back(text in arbitrary::any::<String>()) {
            let made = literal(&text);
            prop_assert!(made.is_ascii());
            prop_assert!(!made.contains(char::is_control));
            prop_assert_eq!(read(&made), Some(text));
        }

        #[test]
        fn quotes_and_backslashes_never_end_a_literal(text in "[\"'\\\\ \n\ru]{0,12}") {
            prop_assert_eq!(read(&literal(&text)), Some(text));
        }
    }

    #[test]
    fn injection_stays_data() {
        assert_eq!(literal("a\" || true || \""), r#""a\" || true || \"""#);
        assert_eq!(literal("\\"), r#""\\""#);
        assert_eq!(literal("é\n😀"), r#""\u00e9\u000a\U0001f600""#);
    }

    #[test]
    fn an_empty_scope_matches_nothing_by_name() {
        let scope = FreezeScope::default();
        for (name, expression) in lists(&scope) {
            let own = name == "configMaps" || name == "componentNamespaces";
            assert!(
                own || expression.starts_with("[]") || expression.contains("variables."),
                "{name}: {expression}"
            );
        }
        assert_eq!(any([]), "false");
    }
}
