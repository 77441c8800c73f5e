//! What the guard protects, by which barrier, and what it cannot: for `guard status` and for the reference.

use super::{
    asked::Coverage,
    codes::Code,
    own_objects, rules,
    table::{self, Operation, Row},
    versions::OPERATOR_KINDS,
};
use crate::names;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use serde::Serialize;
use std::fmt::Write as _;

/// When something is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum When {
    /// While its mesh is frozen.
    Frozen,
    /// At all times.
    Always,
}

/// One thing that is protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Protected {
    /// Resources with their group, as `deployments, daemonsets (apps)`.
    pub what: String,
    /// What is refused to foreigners, as `create, update, delete`.
    pub operations: String,
    /// When.
    pub when: When,
    /// Whether a policy refuses it.
    pub policy: bool,
    /// Whether the webhook refuses it.
    pub webhook: bool,
    /// Why it is guarded.
    pub why: String,
}

/// Everything that is protected: the rows of the table, versions, and our own objects.
#[must_use]
pub fn protected() -> Vec<Protected> {
    let configuration = rules::webhook_configuration(&super::install::WebhookClient::Service, &Coverage::documented());
    let rows = table::FROZEN.iter().map(|row| Protected {
        what: resources(row.resources, row.groups),
        operations: operations(row.operations),
        when: When::Frozen,
        policy: true,
        webhook: rules::covers(&configuration, row),
        why: row.why.to_owned(),
    });
    let changes = [Operation::Create, Operation::Update];
    let versions = |what: String, of: &str| Protected {
        what,
        operations: operations(&changes),
        when: When::Always,
        policy: false,
        webhook: true,
        why: format!("{of}: no skipped minor, no downgrade, no other flavor"),
    };
    let operators = OPERATOR_KINDS.iter().map(|kind| {
        versions(
            resources(&[kind.resource], &[kind.group]),
            "the version that an operator is asked for",
        )
    });
    let versions = [
        versions(
            resources(&["deployments", "daemonsets"], &["apps"]),
            "versions of istiod, CNI, ztunnel and of gateways whose image is pinned",
        ),
        versions(
            resources(&["secrets", "configmaps"], &[""]),
            "the chart in helm's storage of Istio's releases, found by name when the guard is installed",
        ),
    ]
    .into_iter()
    .chain(operators);
    let own = own_objects::BY_WEBHOOK.iter().map(|(named, changes)| Protected {
        what: resources(named, &[names::GROUP]),
        operations: operations(changes),
        when: When::Always,
        policy: named.iter().all(|resource| own_objects::BY_POLICY.contains(resource)),
        webhook: true,
        why: if named.contains(&"meshes") {
            "the flavor of a mesh is one that is known".to_owned()
        } else {
            "the lock and the journal: written by the driver, lifted on the record".to_owned()
        },
    });
    rows.chain(versions).chain(own).collect()
}

/// What is protected where these barriers stand, each row by those of them that do. What none of them refuses is left out.
#[must_use]
pub fn protected_by(policies: bool, webhook: bool) -> Vec<Protected> {
    let standing = |row: Protected| Protected {
        policy: row.policy && policies,
        webhook: row.webhook && webhook,
        ..row
    };
    let rows = protected().into_iter().map(standing);
    rows.filter(|row| row.policy || row.webhook).collect()
}

fn resources(resources: &[&str], groups: &[&str]) -> String {
    let all = if resources == ["*"] {
        "every kind".to_owned()
    } else {
        resources.join(", ")
    };
    let groups: Vec<&str> = groups
        .iter()
        .map(|group| if group.is_empty() { "core" } else { *group })
        .collect();
    format!("{all} ({})", groups.join(", "))
}

fn operations(operations: &[Operation]) -> String {
    let verbs: Vec<&str> = operations.iter().map(|operation| operation.verb()).collect();
    verbs.join(", ")
}

/// What an installed webhook configuration does not ask about, although the table guards it.
#[must_use]
pub fn not_asked_about(installed: &ValidatingWebhookConfiguration) -> Vec<String> {
    let made = rules::webhook_configuration(&super::install::WebhookClient::Service, &Coverage::documented());
    let missing = |row: &&Row| rules::covers(&made, row) && !rules::covers(installed, row);
    let rows = table::FROZEN.iter().filter(missing);
    let mut missing: Vec<String> = rows.map(|row| resources(row.resources, row.groups)).collect();
    for (named, changes) in own_objects::BY_WEBHOOK {
        if !rules::asks(installed, &[names::GROUP], named, changes) {
            missing.push(resources(named, &[names::GROUP]));
        }
    }
    missing
}

/// What a cluster goes without that has the policies only, one thing each.
#[must_use]
pub fn without_webhook() -> Vec<String> {
    let alone = Code::ALL.into_iter().filter(|code| code.is_the_webhooks_alone());
    let alone: Vec<String> = alone.map(|code| code.to_string()).collect();
    vec![
        format!("not refused: {}", alone.join(", ")),
        "a freeze has one barrier instead of two: the policy in the API server, which holds without any pod".to_owned(),
        "what no guard is asked about is watched by the plugin only, and so only while an upgrade is driven".to_owned(),
        "no metrics and no log of what was refused; the API server's audit log has it".to_owned(),
    ]
}

/// What no barrier can see.
#[must_use]
pub fn unprotected() -> Vec<&'static str> {
    vec![
        "webhook configurations and admission policies: the API server asks no guard about them (Istio's injector and \
         revision tags among them)",
        "what is written to etcd directly, or by HELM_DRIVER=sql",
        "Istio installed in another cluster: each cluster needs a guard of its own",
        "pods, which may be deleted, evicted and entered as nodes need it; their templates are guarded",
        "the Secret `cacerts` that istiod signs with, which cert-manager and others renew by themselves: an istiod that starts \
         during an upgrade goes by what is in it then",
        "labels of namespaces, which choose who is injected and belong to the applications",
        "what hinders the mesh from outside, as a quota or an autoscaler of nobody's release, or a node that is taken away",
        "for a second or two after a freeze or a takeover, what is asked of an API server that shows under one address with \
         others, as those of managed clusters do: the freeze is proved on the one that answers",
        "which version of Istio's CNI or of ztunnel comes next in `kube-system` while the mesh is not frozen: the webhook, \
         which alone compares versions, is not asked there",
    ]
}

/// The reference of the guard as a Markdown page.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# The guard\n\nWhat the guard refuses and why, by its stable codes; what it protects, by which of its two \
         barriers; and what it cannot see. `kubectl mesh-upgrade guard status -o wide` prints the same and proves it. This page \
         is generated from the code.\n\n## Codes\n",
    );
    // Writing into a String cannot fail.
    for code in Code::ALL {
        let by = if code.is_the_webhooks_alone() {
            "by the webhook"
        } else {
            "by policy and webhook"
        };
        let _ = write!(page, "\n### {code}\n\n*{by}*\n\n{}\n", code.documentation());
    }
    page.push_str(
        "\n## Protected\n\n| what | refused to others | when | policy | webhook | why |\n|---|---|---|---|---|---|\n",
    );
    for row in protected() {
        let yes = |is: bool| if is { "yes" } else { "no" };
        let when = match row.when {
            When::Frozen => "frozen",
            When::Always => "always",
        };
        let _ = writeln!(
            page,
            "| {} | {} | {when} | {} | {} | {} |",
            row.what.replace('*', "\\*"),
            row.operations,
            yes(row.policy),
            yes(row.webhook),
            row.why
        );
    }
    super::reference::sections(&mut page);
    page.push_str("\n## With the policies only\n\n`guard install --policy-only` brings no pod and no image. Then:\n\n");
    for difference in without_webhook() {
        let _ = writeln!(page, "- {difference}");
    }
    page.push_str("\n## Not protected\n\n");
    for what in unprotected() {
        let _ = writeln!(page, "- {what}");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::install::WebhookClient;

    #[test]
    fn what_is_installed_by_us_asks_about_everything() {
        let mut installed = rules::webhook_configuration(&WebhookClient::Service, &Coverage::documented());
        assert_eq!(not_asked_about(&installed), [""; 0]);
        installed.webhooks.iter_mut().flatten().for_each(|webhook| {
            webhook.rules.iter_mut().flatten().for_each(|rule| {
                rule.resources.iter_mut().flatten().for_each(|resource| {
                    *resource = resource.replace("deployments/scale", "x").replace("meshes", "x");
                });
            });
        });
        let missing = not_asked_about(&installed);
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(
            missing[0].contains("deployments/scale") && missing[1].contains("meshes"),
            "{missing:?}"
        );
        installed.webhooks = None;
        assert!(not_asked_about(&installed).len() > 10);
    }

    #[test]
    fn every_row_is_closed_by_the_policy_and_only_status_by_it_alone() {
        let rows = protected();
        let frozen = || rows.iter().filter(|row| row.when == When::Frozen);
        assert_eq!(frozen().count(), table::FROZEN.len());
        assert!(frozen().all(|row| row.policy));
        for row in frozen().filter(|row| !row.webhook) {
            assert!(row.what.contains("/status"), "{row:?}");
        }
    }

    #[test]
    fn a_barrier_that_does_not_stand_protects_nothing() {
        assert_eq!(protected_by(true, true), protected());
        assert_eq!(protected_by(false, false), []);
        let by_policy = protected_by(true, false);
        assert!(by_policy.iter().all(|row| row.policy && !row.webhook), "{by_policy:?}");
        assert!(by_policy.iter().any(|row| row.what.starts_with("meshfreezes")));
        // Versions are compared by the webhook alone.
        assert!(!by_policy.iter().any(|row| row.why.contains("no skipped minor")));
        let by_webhook = protected_by(false, true);
        assert!(
            by_webhook.iter().all(|row| row.webhook && !row.policy),
            "{by_webhook:?}"
        );
    }

    #[test]
    fn the_policies_by_themselves_know_no_versions() {
        assert!(without_webhook()[0].contains("MG002 skip-version"));
        assert!(!without_webhook()[0].contains("MG001"));
    }
}
