//! Everything that `guard install` puts into a cluster, as values in the order in which they are applied.
//!
//! The CRDs ([`crate::api::crds`]) go before them. The webhook's certificate is a Secret of type `kubernetes.io/tls`
//! named as the webhook, made by whoever holds the key; it is not among these objects.

use super::{own_objects, rbac, rules};
use crate::names;
use serde_json::{Value, json};

/// How the API server reaches the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookClient {
    /// Through the guard's Service.
    Service,
    /// At a URL, as `https://127.0.0.1:8443`; for API servers that reach no Service.
    Url(String),
}

/// What to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallOptions {
    /// Only the first barrier: no Deployment, no Service, no ValidatingWebhookConfiguration.
    pub policy_only: bool,
    /// Image of the webhook.
    pub image: String,
    /// How the API server reaches the webhook.
    pub client: WebhookClient,
    /// PEM certificate of the authority that signed the webhook's.
    pub ca_bundle: String,
    /// Pods of the webhook.
    pub replicas: i32,
    /// Flavors that a Mesh may name beside those of the built-in catalog.
    pub flavors: Vec<String>,
}

impl Default for InstallOptions {
    fn default() -> Self {
        Self {
            policy_only: false,
            image: format!("{IMAGE}:{}", env!("CARGO_PKG_VERSION")),
            client: WebhookClient::Service,
            ca_bundle: String::new(),
            replicas: 3,
            flavors: Vec::new(),
        }
    }
}

/// The webhook's image, without its tag.
const IMAGE: &str = "ghcr.io/kubectl-mesh-upgrade/mesh-upgrade-webhook";
/// Port of the reviews in the pod.
const PORT: u16 = 8443;
/// Port of health and metrics in the pod.
const HEALTH_PORT: u16 = 8081;
/// Where the certificate is mounted.
const TLS_DIRECTORY: &str = "/etc/mesh-upgrade-webhook/tls";
/// The webhook's user: not root, and no user of a distribution.
const USER_ID: u32 = 65532;

/// The objects, each with apiVersion and kind, in the order in which they are applied.
#[must_use]
pub fn objects(options: &InstallOptions) -> Vec<Value> {
    let mut objects = vec![namespace(), service_account(names::DRIVER_SERVICE_ACCOUNT)];
    if !options.policy_only {
        objects.push(service_account(names::WEBHOOK_SERVICE_ACCOUNT));
    }
    objects.extend(rbac::objects(options.policy_only));
    let (policy, binding) = own_objects::own_objects_policy();
    objects.push(json!(policy));
    objects.push(json!(binding));
    if !options.policy_only {
        if options.client == WebhookClient::Service {
            objects.extend([deployment(options), disruption_budget(), service()]);
        }
        objects.push(json!(rules::webhook_configuration(&options.client, &options.ca_bundle)));
    }
    objects
}

fn labels() -> Value {
    json!({names::LABEL_PART_OF: names::PART_OF, "app.kubernetes.io/name": names::WEBHOOK})
}

fn selector() -> Value {
    json!({"app.kubernetes.io/name": names::WEBHOOK})
}

fn namespace() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": names::NAMESPACE,
            "labels": {
                names::LABEL_PART_OF: names::PART_OF,
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/audit": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
                // The guard must not need the mesh that it guards.
                "istio-injection": "disabled",
            },
        },
    })
}

fn service_account(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": names::NAMESPACE, "labels": {names::LABEL_PART_OF: names::PART_OF}},
        // Only the webhook's pods use a token, and they ask for it themselves.
        "automountServiceAccountToken": false,
    })
}

fn deployment(options: &InstallOptions) -> Value {
    let probe = |path: &str, period: u32| json!({"httpGet": {"path": path, "port": "health"}, "periodSeconds": period});
    let mut pod_labels = labels();
    if let Some(labels) = pod_labels.as_object_mut() {
        labels.insert("sidecar.istio.io/inject".to_owned(), json!("false"));
    }
    let mut args = vec![
        format!("--port={PORT}"),
        format!("--health-port={HEALTH_PORT}"),
        format!("--tls-dir={TLS_DIRECTORY}"),
    ];
    args.extend(options.flavors.iter().map(|flavor| format!("--flavor={flavor}")));
    let container = json!({
        "name": "webhook",
        "image": options.image,
        "args": args,
        "ports": [{"name": "https", "containerPort": PORT}, {"name": "health", "containerPort": HEALTH_PORT}],
        "readinessProbe": probe("/readyz", 2),
        "livenessProbe": probe("/healthz", 10),
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "capabilities": {"drop": ["ALL"]},
        },
        // Endpoints are withdrawn before the server stops to listen.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "volumeMounts": [{"name": "tls", "mountPath": TLS_DIRECTORY, "readOnly": true}],
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": names::WEBHOOK, "namespace": names::NAMESPACE, "labels": labels()},
        "spec": {
            "replicas": options.replicas,
            "selector": {"matchLabels": selector()},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": pod_labels},
                "spec": {
                    "serviceAccountName": names::WEBHOOK_SERVICE_ACCOUNT,
                    "automountServiceAccountToken": true,
                    "priorityClassName": "system-cluster-critical",
                    "terminationGracePeriodSeconds": 30,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": USER_ID,
                        "runAsGroup": USER_ID,
                        "fsGroup": USER_ID,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "topologySpreadConstraints": [
                        spread("topology.kubernetes.io/zone"),
                        spread("kubernetes.io/hostname"),
                    ],
                    "containers": [container],
                    "volumes": [{"name": "tls", "secret": {"secretName": names::WEBHOOK, "defaultMode": 0o440}}],
                },
            },
        },
    })
}

fn spread(key: &str) -> Value {
    json!({
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector()},
    })
}

fn disruption_budget() -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": names::WEBHOOK, "namespace": names::NAMESPACE, "labels": labels()},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector()}},
    })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": names::WEBHOOK, "namespace": names::NAMESPACE, "labels": labels()},
        "spec": {
            "selector": selector(),
            "ports": [{"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"}],
        },
    })
}
