//! Istio's webhooks: where they lead, and whom the API server trusts behind them.

use super::{
    super::{ask::Asker, workloads::helm_release},
    certificates,
};
use crate::cluster::error::ClusterError;
use futures::future::try_join_all;
use k8s_openapi::{
    api::{
        admissionregistration::v1::{
            MutatingWebhook, MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
        },
        core::v1::Service,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{Api, Resource, ResourceExt as _, api::ListParams};
use shared::inventory::{Certificate, CertificateRole, Webhook, WebhookTarget};
use std::collections::{BTreeMap, BTreeSet};

/// End of the names of Istio's own webhooks.
const OURS: &str = ".istio.io";

#[derive(Default)]
pub(super) struct Webhooks {
    pub webhooks: Vec<Webhook>,
    pub certificates: Vec<Certificate>,
    /// Configurations of others whose webhooks change pods.
    pub pod_mutators: BTreeSet<String>,
}

/// One webhook of either kind.
struct One<'a> {
    name: &'a str,
    client: &'a WebhookClientConfig,
    failure_policy: Option<&'a str>,
    /// Selectors of namespaces and of pods, of one that injects.
    injects: Option<[&'a Option<LabelSelector>; 2]>,
}

/// Label that `istioctl tag set` puts into the selectors of an injector whose place a tag takes.
const DEACTIVATED: &str = "istio.io/deactivated";

/// What an injector selects, for comparing it with others; `None` where that is nothing.
fn selected([namespaces, pods]: [&Option<LabelSelector>; 2]) -> Option<String> {
    let text = [namespaces, pods].map(|selector| {
        let mut selector = selector.clone().unwrap_or_default();
        // Their order means nothing.
        if let Some(expressions) = &mut selector.match_expressions {
            expressions.sort_by(|one, other| (&one.key, &one.operator).cmp(&(&other.key, &other.operator)));
        }
        serde_json::to_string(&selector).unwrap_or_default()
    });
    let text = text.join(" ");
    (!text.contains(DEACTIVATED)).then_some(text)
}

/// Reads Istio's webhooks, and asks for each Service that they name once.
pub(super) async fn read(asker: Asker<'_>) -> Result<Webhooks, ClusterError> {
    let client = &asker.cluster.client;
    let mutating: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let all = ListParams::default();
    let (mutating, validating) = futures::try_join!(
        asker.list("list MutatingWebhookConfigurations", &mutating, &all),
        asker.list("list ValidatingWebhookConfigurations", &validating, &all),
    )?;
    let mut found = Webhooks::default();
    for configuration in &mutating.items {
        for webhook in configuration.webhooks.iter().flatten() {
            if changes_pods(webhook) {
                found.pod_mutators.insert(configuration.name_any());
            }
            let one = One {
                name: &webhook.name,
                client: &webhook.client_config,
                failure_policy: webhook.failure_policy.as_deref(),
                injects: Some([&webhook.namespace_selector, &webhook.object_selector]),
            };
            found.add("MutatingWebhookConfiguration", configuration, &one);
        }
    }
    for configuration in &validating.items {
        for webhook in configuration.webhooks.iter().flatten() {
            let one = One {
                name: &webhook.name,
                client: &webhook.client_config,
                failure_policy: webhook.failure_policy.as_deref(),
                injects: None,
            };
            found.add("ValidatingWebhookConfiguration", configuration, &one);
        }
    }
    found.look_for_services(asker).await?;
    Ok(found)
}

/// Whether a webhook is none of Istio's and changes pods.
fn changes_pods(webhook: &MutatingWebhook) -> bool {
    let has =
        |list: &Option<Vec<String>>, names: &[&str]| list.iter().flatten().any(|one| names.contains(&one.as_str()));
    let mut rules = webhook.rules.iter().flatten();
    !webhook.name.ends_with(OURS)
        && rules.any(|rule| {
            has(&rule.api_groups, &["", "*"])
                && has(&rule.resources, &["pods", "*", "*/*"])
                && has(&rule.operations, &["CREATE", "*"])
        })
}

impl Webhooks {
    fn add(&mut self, kind: &str, configuration: &impl Resource, webhook: &One<'_>) {
        if !webhook.name.ends_with(OURS) {
            return;
        }
        let configured = format!("{kind} {}", configuration.name_any());
        let label = |name: &str| configuration.labels().get(name).cloned();
        let place = format!("{configured}, webhook {}", webhook.name);
        let pem = webhook.client.ca_bundle.as_ref().map_or(&[][..], |bundle| &bundle.0);
        let certificates = certificates::of_pem(pem, &place, CertificateRole::WebhookCa);
        let service = webhook.client.service.as_ref();
        self.webhooks.push(Webhook {
            configuration: configured,
            name: webhook.name.to_owned(),
            revision: label("istio.io/rev"),
            tag: label("istio.io/tag"),
            helm_release: helm_release(configuration.annotations()),
            // Whether it is there is asked afterwards.
            target: service.map_or(WebhookTarget::Url, |service| {
                WebhookTarget::Missing(format!("{}/{}", service.namespace, service.name))
            }),
            ca: certificates.iter().map(|one| one.fingerprint.clone()).collect(),
            fails_closed: webhook.failure_policy != Some("Ignore"),
            injects: webhook.injects.and_then(selected),
        });
        self.certificates.extend(certificates);
    }

    async fn look_for_services(&mut self, asker: Asker<'_>) -> Result<(), ClusterError> {
        let named: BTreeSet<String> = self.missing().map(|(service, _)| service).collect();
        let asked = named.into_iter().map(|service| async move {
            let (namespace, name) = service.split_once('/').unwrap_or_default();
            let api: Api<Service> = Api::namespaced(asker.cluster.client.clone(), namespace);
            let found = asker.ask_optional("get Services of webhooks", api.get(name)).await?;
            Ok::<_, ClusterError>(found.map(|found| (service, target(&found))))
        });
        let there: BTreeMap<String, fn(String) -> WebhookTarget> =
            try_join_all(asked).await?.into_iter().flatten().collect();
        for (service, target) in self.missing() {
            if let Some(made) = there.get(&service) {
                *target = made(service);
            }
        }
        Ok(())
    }

    /// Services that are not known to be there, and the targets that name them.
    fn missing(&mut self) -> impl Iterator<Item = (String, &mut WebhookTarget)> {
        self.webhooks.iter_mut().filter_map(|webhook| match &webhook.target {
            WebhookTarget::Missing(service) => Some((service.clone(), &mut webhook.target)),
            WebhookTarget::Service(_) | WebhookTarget::Elsewhere(_) | WebhookTarget::Url => None,
        })
    }
}

/// What a Service that is there is to a webhook.
fn target(service: &Service) -> fn(String) -> WebhookTarget {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    // An ExternalName is resolved whatever it selects.
    let is_external = service
        .spec
        .as_ref()
        .is_some_and(|spec| spec.type_.as_deref() == Some("ExternalName"));
    if is_external || selector.is_none_or(BTreeMap::is_empty) {
        WebhookTarget::Elsewhere
    } else {
        WebhookTarget::Service
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn only_istios_own_are_kept_with_their_labels() {
        let configuration: MutatingWebhookConfiguration = serde_json::from_value(json!({
            "metadata": {"name": "istio-revision-tag-prod", "labels": {"istio.io/rev": "1-30", "istio.io/tag": "prod"}},
            "webhooks": [
                {"name": "rev.namespace.sidecar-injector.istio.io", "admissionReviewVersions": ["v1"],
                    "sideEffects": "None", "failurePolicy": "Fail",
                    "clientConfig": {"service": {"namespace": "istio-system", "name": "istiod-1-30"}}},
                {"name": "webhook.cert-manager.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                    "clientConfig": {"url": "https://x"}},
            ],
        }))
        .unwrap();
        let mut found = Webhooks::default();
        for webhook in configuration.webhooks.iter().flatten() {
            let one = One {
                name: &webhook.name,
                client: &webhook.client_config,
                failure_policy: webhook.failure_policy.as_deref(),
                injects: None,
            };
            found.add("MutatingWebhookConfiguration", &configuration, &one);
        }
        assert_eq!(
            found.webhooks,
            [Webhook {
                configuration: "MutatingWebhookConfiguration istio-revision-tag-prod".to_owned(),
                name: "rev.namespace.sidecar-injector.istio.io".to_owned(),
                revision: Some("1-30".to_owned()),
                tag: Some("prod".to_owned()),
                helm_release: None,
                target: WebhookTarget::Missing("istio-system/istiod-1-30".to_owned()),
                ca: Vec::new(),
                fails_closed: true,
                injects: None,
            }]
        );
    }

    #[test]
    fn a_service_without_a_selector_leads_out_of_the_cluster() {
        for (spec, is_elsewhere) in [
            (json!({"selector": {"app": "istiod"}}), false),
            (json!({"type": "ClusterIP", "selector": {"app": "istiod"}}), false),
            (json!({"selector": {}}), true),
            (json!({"ports": [{"port": 443}]}), true),
            (
                json!({"type": "ExternalName", "externalName": "istiod.east", "selector": {"app": "x"}}),
                true,
            ),
        ] {
            let service: Service = serde_json::from_value(json!({"spec": spec})).unwrap();
            let made = target(&service)("a/b".to_owned());
            assert_eq!(
                made == WebhookTarget::Elsewhere("a/b".to_owned()),
                is_elsewhere,
                "{spec}"
            );
        }
    }

    #[test]
    fn who_else_changes_pods_is_known_by_its_rules() {
        for (name, group, resource, operation, expected) in [
            ("inject.vault.example.com", "", "pods", "CREATE", true),
            ("all.example.com", "*", "*/*", "*", true),
            ("inject.vault.example.com", "", "pods", "UPDATE", false),
            (
                "inject.vault.example.com",
                "",
                "pods/ephemeralcontainers",
                "CREATE",
                false,
            ),
            ("deployments.example.com", "apps", "deployments", "CREATE", false),
            ("rev.namespace.sidecar-injector.istio.io", "", "pods", "CREATE", false),
        ] {
            let webhook = json!({"name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": {},
                "rules": [{"apiGroups": [group], "apiVersions": ["v1"], "operations": [operation], "resources": [resource]}]});
            let webhook: MutatingWebhook = serde_json::from_value(webhook).unwrap();
            assert_eq!(changes_pods(&webhook), expected, "{name} {resource} {operation}");
        }
    }

    #[test]
    fn injectors_are_alike_whatever_the_order_of_their_expressions_and_none_where_a_tag_took_their_place() {
        let selector = |text: Value| -> Option<LabelSelector> { serde_json::from_value(text).unwrap() };
        let (enabled, revision) = (
            json!({"key": "istio-injection", "operator": "In", "values": ["enabled"]}),
            json!({"key": "istio.io/rev", "operator": "DoesNotExist"}),
        );
        let one = selector(json!({"matchExpressions": [enabled, revision]}));
        let other = selector(json!({"matchExpressions": [revision, enabled]}));
        assert!(selected([&one, &None]).is_some());
        assert_eq!(selected([&one, &None]), selected([&other, &None]));
        assert_ne!(selected([&one, &None]), selected([&None, &one]));
        let deactivated =
            selector(json!({"matchLabels": {"istio.io/deactivated": "never-match"}, "matchExpressions": [enabled]}));
        assert_eq!(selected([&deactivated, &None]), None);
    }
}
