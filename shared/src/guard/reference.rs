//! Sections of the guard's reference that come from the table's writers, a mesh's settings and the roles.

use super::{
    rbac,
    table::{self, May, Who},
};
use serde_json::Value;
use std::fmt::Write as _;

/// Who passes a freeze, what a mesh may set, and who has which rights.
pub(super) fn sections(page: &mut String) {
    writers(page);
    settings(page);
    rights(page);
}

fn code_list(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("`{text}`")).collect();
    quoted.join(", ")
}

fn writers(page: &mut String) {
    page.push_str(
        "\n## Who is let through\n\nWhile a mesh is frozen, its holder (the driver's ServiceAccount with the current epoch) and \
         these; nobody else, `system:masters` neither. An update that changes nothing but `managedFields` and the like, \
         or that only removes finalizers, passes, and a dry run gets the same answer as the real request. Writers are known by their user names, never \
         by labels.\n\n| who | may | reported | why |\n|---|---|---|---|\n",
    );
    for writer in table::WRITERS {
        let who = match writer.who {
            Who::Anybody => "anybody".to_owned(),
            Who::Istiod => "the ServiceAccounts of the mesh's istiods".to_owned(),
            Who::ExtraWriters => "the users of `extraWriters`".to_owned(),
            Who::Controllers => "the GitOps controller or operator that the upgrade waits for".to_owned(),
            Who::Users(users) => code_list(users),
        };
        let reported = if writer.reported { "yes" } else { "no" };
        let _ = writeln!(page, "| {who} | {} | {reported} | {} |", may(writer.may), writer.why);
    }
    page.push_str(
        "\nWhat is *reported* passes with a warning, with the audit annotations `mesh-freeze-…/let-through` of the policy \
         and `….guard.meshupgrade.io/code` of the webhook, with a line in the webhook's log, and is counted as \
         `mesh_upgrade_webhook_reviews_total{decision=\"warn\"}`. So is the deletion of a namespace that is not the \
         mesh's own: it goes, with the configuration in it, and whoever deletes it is warned.\n\nOther controllers that \
         write configuration are foreign unless `extraWriters` names them. Flagger and Argo Rollouts, which write \
         VirtualServices and DestinationRules, are refused until the upgrade is over and try again by themselves. \
         cert-manager's HTTP-01 solver makes a Pod, a Service and an Ingress, which are not frozen, or an HTTPRoute, \
         which is only where `gatewayAPI` is set. Status is never frozen, nor are leases and the ConfigMaps of leader \
         election, pods, Events, Secrets with certificates, or a GatewayClass.\n",
    );
}

fn may(may: May) -> &'static str {
    match may {
        May::WriteWorkloadEntries => "create, update and delete WorkloadEntries",
        May::WriteManagedGateways => "write what bears the label `gateway.istio.io/managed`, before and after",
        May::ProbeIstiod => "create the Gateway `invalid-gateway` that istiod must refuse, in a dry run",
        May::DeleteNamespaced => "delete objects in namespaces, but no CRD and no namespace",
        May::Scale => "write `deployments/scale`",
        May::WriteEndpoints => "write EndpointSlices and Endpoints",
        May::WriteConfiguration => "write the mesh's configuration, the Gateway API's too, and nothing else",
        May::BringComponent => {
            "create and update what its own component owns, where it bears the target in `app.kubernetes.io/version`, and IstioRevisions of its own that ask for the target; \
             delete of that autoscalers, disruption budgets, network policies and roles; and write its helm release's \
             storage"
        }
    }
}

fn settings(page: &mut String) {
    page.push_str(
        "\n## Settings of a mesh\n\n`spec.freeze` of the Mesh object; the plan shows what differs from the default, and \
         carries it into each cluster.\n\n| field | default | meaning |\n|---|---|---|\n\
         | `mode` | `Enforce` | `Warn`: foreign changes of configuration pass with a warning and an audit annotation, by a \
         second policy `mesh-freeze-…-warn` and by the webhook. Everything else in the table stays refused. It is no \
         freeze of configuration: the plan and `apply` say so. |\n\
         | `namespaces` | all | Namespaces whose configuration is frozen. Those of the control planes always are. |\n\
         | `gatewayAPI` | `false` | Objects of the Gateway API are frozen too, whichever controller serves them. |\n\
         | `extraWriters` | none | User names that may write configuration while the mesh is frozen. |\n",
    );
}

fn rights(page: &mut String) {
    page.push_str(
        "\n## Rights\n\nMade by `guard install`; the driver's rights on what is frozen come from the table. Who may \
         impersonate the driver is in effect an administrator, because it may `escalate` and `bind`.\n",
    );
    for object in rbac::objects(true, true) {
        let at = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let Some(rules) = object.get("rules").and_then(Value::as_array) else {
            continue;
        };
        let _ = write!(
            page,
            "\n### {} `{}`\n\n| API groups | resources | verbs |\n|---|---|---|\n",
            at("/kind"),
            at("/metadata/name")
        );
        for rule in rules {
            let texts = |field: &str| -> Vec<&str> {
                let list = rule.get(field).and_then(Value::as_array).into_iter().flatten();
                list.filter_map(Value::as_str)
                    .map(|text| if text.is_empty() { "core" } else { text })
                    .collect()
            };
            let names = texts("resourceNames");
            let only = if names.is_empty() {
                String::new()
            } else {
                format!(" named {}", code_list(&names))
            };
            let _ = writeln!(
                page,
                "| {} | {}{only} | {} |",
                code_list(&texts("apiGroups")),
                code_list(&texts("resources")),
                texts("verbs").join(", ")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_writer_and_role_is_told() {
        let mut page = String::new();
        sections(&mut page);
        for writer in table::WRITERS {
            assert!(page.contains(writer.why), "{}", writer.why);
        }
        for object in rbac::objects(true, true) {
            if object.get("rules").is_some() {
                let name = object["metadata"]["name"].as_str().unwrap();
                assert!(page.contains(&format!("`{name}`")), "{name}");
            }
        }
    }
}
