//! The ValidatingWebhookConfiguration, from the same table as the policy: what the API server asks the webhook about.
//!
//! Rules cannot know names, so conditions keep away what belongs to nobody's mesh: see [`super::coverage`].
//! A webhook that does not answer hinders nobody (`Ignore`): the freeze is closed by the policy.

use super::{
    OPERATOR_KINDS, WEBHOOK_DOMAIN,
    asked::{self, Coverage},
    cel,
    install::WebhookClient,
    own_objects,
    policy::strings,
    table::{self, May, Operation, Picks, Row, Who},
};
use crate::names;
use k8s_openapi::{
    api::admissionregistration::v1::{
        MatchCondition, RuleWithOperations, ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration,
        WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta},
};
use std::collections::BTreeMap;

/// Path at which the webhook answers reviews.
pub const PATH: &str = "/validate";

/// Seconds that the API server waits for an answer.
pub const TIMEOUT_SECONDS: i32 = 3;

/// First word of the name of the webhook that is asked about helm's storage and what helm owns.
pub(super) const STORAGE_WEBHOOK: &str = "helm";

/// The configuration of the webhook, which is asked about nothing of helm's but what is covered. It names no authority:
/// whoever makes the certificates writes `caBundle`, and keeps it when this is applied again.
#[must_use]
pub fn webhook_configuration(client: &WebhookClient, coverage: &Coverage) -> ValidatingWebhookConfiguration {
    let picked = |picks: &'static [Picks]| table::FROZEN.iter().filter(move |row| picks.contains(&row.picks));
    let webhooks = vec![
        webhook(
            "config",
            client,
            picked(&[Picks::Configuration, Picks::GatewayApi]).map(rule).collect(),
            vec![],
            true,
        ),
        webhook(
            "workloads",
            client,
            picked(&[Picks::ScopeWorkloads]).map(rule).collect(),
            vec![without_the_autoscaler()],
            true,
        ),
        webhook(
            "cluster",
            client,
            picked(&[Picks::MeshCrds, Picks::ScopeNamespaces]).map(rule).collect(),
            vec![condition(
                "crds-of-the-mesh-or-namespaces",
                &format!(
                    "request.resource.resource == 'namespaces' || {}",
                    cel::any(
                        table::crd_suffixes()
                            .map(|suffix| format!("oldObject.metadata.name.endsWith({})", cel::literal(suffix)))
                    )
                ),
            )],
            false,
        ),
        webhook(
            STORAGE_WEBHOOK,
            client,
            picked(&[
                Picks::ScopeConfigMaps,
                Picks::HelmStorage,
                Picks::RemoteSecrets,
                Picks::Owned,
            ])
            .filter(|row| !row.groups.contains(&"apps") && row.groups != table::CONFIGURATION_GROUPS)
            .map(rule)
            .collect(),
            vec![coverage.condition()],
            true,
        ),
        webhook("own", client, own_rules(), vec![], false),
        webhook(
            "operators",
            client,
            picked(&[Picks::ScopeOperators])
                .map(rule)
                .chain(operator_rules())
                .collect(),
            vec![],
            false,
        ),
    ];
    ValidatingWebhookConfiguration {
        metadata: ObjectMeta {
            name: Some(names::WEBHOOK.to_owned()),
            labels: Some(BTreeMap::from([(
                names::LABEL_PART_OF.to_owned(),
                names::PART_OF.to_owned(),
            )])),
            annotations: Some(BTreeMap::from([(asked::ANNOTATION.to_owned(), coverage.annotation())])),
            ..ObjectMeta::default()
        },
        webhooks: Some(webhooks),
    }
}

fn webhook(
    name: &str,
    client: &WebhookClient,
    rules: Vec<RuleWithOperations>,
    conditions: Vec<MatchCondition>,
    namespaced: bool,
) -> ValidatingWebhook {
    ValidatingWebhook {
        name: format!("{name}.{WEBHOOK_DOMAIN}"),
        admission_review_versions: vec!["v1".to_owned()],
        client_config: client_config(client),
        failure_policy: Some("Ignore".to_owned()),
        match_conditions: Some(conditions).filter(|conditions| !conditions.is_empty()),
        match_policy: Some("Equivalent".to_owned()),
        namespace_selector: namespaced.then(|| LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: "kubernetes.io/metadata.name".to_owned(),
                operator: "NotIn".to_owned(),
                values: Some(strings(&[names::NAMESPACE, "kube-system"])),
            }]),
            ..LabelSelector::default()
        }),
        rules: Some(rules),
        // A way back that is used becomes an Event, and none when it is only tried.
        side_effects: "NoneOnDryRun".to_owned(),
        timeout_seconds: Some(TIMEOUT_SECONDS),
        ..ValidatingWebhook::default()
    }
}

fn client_config(client: &WebhookClient) -> WebhookClientConfig {
    match client {
        WebhookClient::Service => WebhookClientConfig {
            ca_bundle: None,
            service: Some(ServiceReference {
                name: names::WEBHOOK.to_owned(),
                namespace: names::NAMESPACE.to_owned(),
                path: Some(PATH.to_owned()),
                port: Some(443),
            }),
            url: None,
        },
        WebhookClient::Url(url) => WebhookClientConfig {
            ca_bundle: None,
            service: None,
            url: Some(format!("{}{PATH}", url.trim_end_matches('/'))),
        },
    }
}

fn rule(row: &Row) -> RuleWithOperations {
    RuleWithOperations {
        api_groups: Some(strings(row.groups)),
        api_versions: Some(vec!["*".to_owned()]),
        operations: Some(
            row.operations
                .iter()
                .map(|operation| operation.as_str().to_owned())
                .collect(),
        ),
        resources: Some(strings(row.resources)),
        scope: Some(row.scope().to_owned()),
    }
}

fn own_rules() -> Vec<RuleWithOperations> {
    let rules = own_objects::BY_WEBHOOK.iter();
    let rules = rules.map(|(resources, operations)| RuleWithOperations {
        api_groups: Some(strings(&[names::GROUP])),
        api_versions: Some(vec!["*".to_owned()]),
        operations: Some(
            operations
                .iter()
                .map(|operation| operation.as_str().to_owned())
                .collect(),
        ),
        resources: Some(strings(resources)),
        scope: Some("*".to_owned()),
    });
    rules.collect()
}

fn condition(name: &str, expression: &str) -> MatchCondition {
    MatchCondition {
        name: name.to_owned(),
        expression: expression.to_owned(),
    }
}

/// The autoscaler writes scales all day and passes in any case.
fn without_the_autoscaler() -> MatchCondition {
    let scalers = table::WRITERS.iter().filter(|writer| writer.may == May::Scale);
    let users = scalers.filter_map(|writer| match writer.who {
        Who::Users(users) => Some(users),
        Who::Anybody | Who::Istiod | Who::ExtraWriters | Who::Controllers => None,
    });
    let users: Vec<String> = users.flatten().map(|user| (*user).to_owned()).collect();
    condition(
        "not-the-autoscaler",
        &format!(
            "!(has(request.subResource) && request.subResource == 'scale' && {})",
            cel::is_user(&users)
        ),
    )
}

/// Kinds by which operators are asked for a version, unless the table freezes them in any case.
fn operator_rules() -> Vec<RuleWithOperations> {
    let asked = |group: &str| {
        table::FROZEN
            .iter()
            .any(|row| row.groups.contains(&group) && row.resources.contains(&"*"))
    };
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kind in OPERATOR_KINDS.iter().filter(|kind| !asked(kind.group)) {
        groups.entry(kind.group).or_default().push(kind.resource);
    }
    groups
        .into_iter()
        .map(|(group, resources)| RuleWithOperations {
            api_groups: Some(strings(&[group])),
            api_versions: Some(vec!["*".to_owned()]),
            operations: Some(strings(&[Operation::Create.as_str(), Operation::Update.as_str()])),
            resources: Some(strings(&resources)),
            scope: Some("*".to_owned()),
        })
        .collect()
}

/// Whether a configuration's rules name everything that a row of the table guards.
pub(super) fn covers(configuration: &ValidatingWebhookConfiguration, row: &Row) -> bool {
    asks(configuration, row.groups, row.resources, row.operations)
}

/// Whether a configuration's rules name all of these.
pub(super) fn asks(
    configuration: &ValidatingWebhookConfiguration,
    groups: &[&str],
    resources: &[&str],
    operations: &[Operation],
) -> bool {
    let webhooks = configuration.webhooks.iter().flatten();
    let rules: Vec<&RuleWithOperations> = webhooks
        .filter_map(|webhook| webhook.rules.as_ref())
        .flatten()
        .collect();
    let has = |list: &Option<Vec<String>>, item: &str| list.iter().flatten().any(|have| have == item);
    groups.iter().all(|group| {
        resources.iter().all(|resource| {
            operations.iter().all(|operation| {
                rules.iter().any(|rule| {
                    has(&rule.api_groups, group)
                        && has(&rule.resources, resource)
                        && has(&rule.operations, operation.as_str())
                })
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_webhook_is_asked_about_every_row_but_status() {
        let configuration = webhook_configuration(&WebhookClient::Service, &Coverage::documented());
        for row in table::FROZEN.iter().filter(|row| row.picks != Picks::StatusMetadata) {
            assert!(covers(&configuration, row), "{row:?}");
        }
    }

    #[test]
    fn the_webhook_is_asked_about_every_kind_by_which_operators_are_asked() {
        let configuration = webhook_configuration(&WebhookClient::Service, &Coverage::default());
        let rules: Vec<&RuleWithOperations> = configuration
            .webhooks
            .iter()
            .flatten()
            .filter_map(|webhook| webhook.rules.as_ref())
            .flatten()
            .collect();
        for kind in OPERATOR_KINDS {
            let asked = rules.iter().any(|rule| {
                let has = |list: &Option<Vec<String>>, item: &str| list.iter().flatten().any(|have| have == item);
                has(&rule.api_groups, kind.group)
                    && (has(&rule.resources, kind.resource) || has(&rule.resources, "*"))
                    && ["CREATE", "UPDATE"]
                        .iter()
                        .all(|operation| has(&rule.operations, operation))
            });
            assert!(asked, "{kind:?}");
        }
    }

    #[test]
    fn an_absent_webhook_hinders_nobody_and_status_is_never_asked_about() {
        let configuration = webhook_configuration(
            &WebhookClient::Url("https://127.0.0.1:1/".to_owned()),
            &Coverage::default(),
        );
        for webhook in configuration.webhooks.unwrap() {
            assert_eq!(webhook.failure_policy.as_deref(), Some("Ignore"));
            assert_eq!(webhook.side_effects, "NoneOnDryRun");
            assert_eq!(
                webhook.client_config.url.as_deref(),
                Some("https://127.0.0.1:1/validate")
            );
            assert!(webhook.name.ends_with(WEBHOOK_DOMAIN));
            for resource in webhook
                .rules
                .into_iter()
                .flatten()
                .filter_map(|rule| rule.resources)
                .flatten()
            {
                // Our own is written a few times in an hour; other status is written all day.
                let ours = resource.starts_with("mesh");
                assert!(
                    ours || !resource.contains('/') || resource == "deployments/scale",
                    "{resource}"
                );
            }
        }
    }
}
