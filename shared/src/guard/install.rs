//! Everything that `guard install` puts into a cluster, as values in the order in which they are applied.
//!
//! The CRDs ([`crate::api::crds`]) go before them. The webhook makes its certificates itself, in a Secret that is
//! empty here and that keeps its contents when this is applied again; or cert-manager makes them.

use super::{asked::Coverage, cert_manager, own_objects, rbac, rules};
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

/// Who makes the webhook's certificates, and writes their authority into the webhook configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// The webhook itself; see [`super::certificates`].
    Own,
    /// cert-manager and its CA injector.
    CertManager,
}

/// What to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallOptions {
    /// Only the first barrier: no Deployment, no Service, no ValidatingWebhookConfiguration.
    pub policy_only: bool,
    /// Image of the webhook.
    pub image: String,
    /// Secrets in the guard's namespace by which its nodes may pull that.
    pub image_pull_secrets: Vec<String>,
    /// How the API server reaches the webhook.
    pub client: WebhookClient,
    /// Who makes the webhook's certificates.
    pub certificates: Certificates,
    /// Pods of the webhook.
    pub replicas: i32,
    /// Ports at which the webhook's pods reach an API server, behind its Service.
    pub api_server_ports: Vec<u16>,
    /// Helm releases and ConfigMaps that the webhook is asked about: what was found in the cluster.
    pub coverage: Coverage,
    /// PriorityClass of the webhook's pods, and of the quota without which some platforms let no pod have it.
    pub priority_class: String,
    /// User, group and group of files of the webhook's pods. The image's own user is a number and not root, and some
    /// platforms give each namespace users of its own and take no other.
    pub user: Option<u32>,
}

impl Default for InstallOptions {
    fn default() -> Self {
        Self {
            policy_only: false,
            image: format!("{IMAGE}:{}", names::VERSION),
            image_pull_secrets: Vec::new(),
            client: WebhookClient::Service,
            certificates: Certificates::Own,
            replicas: 3,
            api_server_ports: vec![443, 6443],
            coverage: Coverage::documented(),
            priority_class: PRIORITY_CLASS.to_owned(),
            user: None,
        }
    }
}

/// What keeps the webhook's pods on a node that is full.
const PRIORITY_CLASS: &str = "system-cluster-critical";

/// The webhook's image, without its tag.
const IMAGE: &str = "ghcr.io/kubectl-mesh-upgrade/mesh-upgrade-webhook";
/// Port of the reviews in the pod, which API servers have to reach.
pub const PORT: u16 = 8443;
/// Port of health and metrics in the pod.
const HEALTH_PORT: u16 = 8081;
/// Ports at which names are resolved: the usual one, and that of OpenShift's pods behind it.
const DNS_PORTS: &[u16] = &[53, 5353];
/// Where cert-manager's certificate is mounted.
const TLS_DIRECTORY: &str = "/etc/mesh-upgrade-webhook/tls";
/// Where the Secret is mounted that says what the cluster is called.
const MEMBER_DIRECTORY: &str = "/etc/mesh-upgrade-webhook/member";
/// Rights on mounted files: whoever the platform makes the pod's user has to read them.
const FILE_MODE: u32 = 0o444;

/// The objects, each with apiVersion and kind, in the order in which they are applied.
#[must_use]
pub fn objects(options: &InstallOptions) -> Vec<Value> {
    let mut objects = vec![namespace(), service_account(names::DRIVER_SERVICE_ACCOUNT)];
    if !options.policy_only {
        objects.push(service_account(names::WEBHOOK_SERVICE_ACCOUNT));
    }
    let own_authority = options.certificates == Certificates::Own;
    objects.extend(rbac::objects(!options.policy_only, own_authority));
    let (policy, binding) = own_objects::own_objects_policy();
    objects.push(json!(policy));
    objects.push(json!(binding));
    if !options.policy_only {
        match options.certificates {
            Certificates::Own => objects.push(certificates()),
            Certificates::CertManager => objects.extend(cert_manager::objects()),
        }
        if options.client == WebhookClient::Service {
            objects.extend([
                network_policy(options),
                // Before the pods that need it.
                quota(&options.priority_class),
                deployment(options),
                disruption_budget(),
                service(),
            ]);
        }
        let mut configuration = rules::webhook_configuration(&options.client, &options.coverage);
        if options.certificates == Certificates::CertManager {
            let annotations = configuration.metadata.annotations.get_or_insert_default();
            annotations.extend(cert_manager::injection());
        }
        objects.push(json!(configuration));
    }
    objects
}

/// The objects of every way to install, for whoever takes them away without knowing which way was taken.
#[must_use]
pub fn all_objects() -> Vec<Value> {
    let mut all = objects(&InstallOptions::default());
    let managed = objects(&InstallOptions {
        certificates: Certificates::CertManager,
        ..InstallOptions::default()
    });
    for object in managed {
        if !all.iter().any(|other| is_same(&object, other)) {
            all.push(object);
        }
    }
    all
}

/// What this way to install leaves out of every other, in the order in which it is applied: all of the webhook with
/// `--policy-only`, and its pods and what belongs to them where it runs outside of the cluster.
#[must_use]
pub fn left_out(options: &InstallOptions) -> Vec<Value> {
    let made = objects(options);
    let mut all = all_objects();
    all.retain(|object| !made.iter().any(|other| is_same(object, other)));
    all
}

/// Whether two objects are one, by kind and name.
fn is_same(one: &Value, other: &Value) -> bool {
    ["/kind", "/metadata/namespace", "/metadata/name"]
        .iter()
        .all(|pointer| one.pointer(pointer) == other.pointer(pointer))
}

fn labels() -> Value {
    json!({
        names::LABEL_PART_OF: names::PART_OF,
        names::LABEL_VERSION: names::VERSION,
        "app.kubernetes.io/name": names::WEBHOOK,
    })
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

/// Empty: the webhook fills it, and owns what it has filled.
fn certificates() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": names::CERTIFICATES, "namespace": names::NAMESPACE, "labels": labels()},
        "type": "Opaque",
    })
}

/// API servers are hosts and no pods, and this kind selects hosts only by addresses that nobody here knows: reviews are
/// taken from everywhere, and API servers reached everywhere, at their ports alone. So is DNS, which runs elsewhere in
/// each distribution.
fn network_policy(options: &InstallOptions) -> Value {
    let of = |protocol: &str, ports: &[u16]| -> Vec<Value> {
        ports
            .iter()
            .map(|port| json!({"port": port, "protocol": protocol}))
            .collect()
    };
    let ports = |ports: &[u16]| of("TCP", ports);
    let dns = [of("UDP", DNS_PORTS), of("TCP", DNS_PORTS)].concat();
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": names::WEBHOOK,
            "namespace": names::NAMESPACE,
            "labels": labels(),
            "annotations": {
                "kubernetes.io/description": "A NetworkPolicy cannot select the hosts of API servers: reviews are taken \
                    from every address, metrics from every pod, and only ports of API servers and of DNS are reached. Narrow it \
                    by ipBlock, or with the kinds of your network plugin that know API servers.",
            },
        },
        "spec": {
            "podSelector": {"matchLabels": selector()},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"ports": ports(&[PORT])},
                {"from": [{"namespaceSelector": {}}], "ports": ports(&[HEALTH_PORT])},
            ],
            "egress": [
                {"ports": ports(&options.api_server_ports)},
                // A member's guard finds the home's API server by name.
                {"ports": dns},
            ],
        },
    })
}

fn deployment(options: &InstallOptions) -> Value {
    let managed = options.certificates == Certificates::CertManager;
    let probe = |path: &str, period: u32| json!({"httpGet": {"path": path, "port": "health"}, "periodSeconds": period});
    let mut pod_labels = labels();
    if let Some(labels) = pod_labels.as_object_mut() {
        labels.insert("sidecar.istio.io/inject".to_owned(), json!("false"));
    }
    let mut args = vec![format!("--port={PORT}"), format!("--health-port={HEALTH_PORT}")];
    args.push(format!("--member-dir={MEMBER_DIRECTORY}"));
    args.extend(managed.then(|| format!("--tls-dir={TLS_DIRECTORY}")));
    let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path, "readOnly": true});
    let volume = |name: &str, secret: Value| json!({"name": name, "secret": secret});
    // Of a mesh in this cluster alone there is none.
    let member = json!({"secretName": names::MEMBER, "defaultMode": FILE_MODE, "optional": true});
    let mut mounts = vec![mount("member", MEMBER_DIRECTORY)];
    let mut volumes = vec![volume("member", member)];
    if managed {
        let certificate = json!({"secretName": names::MANAGED_CERTIFICATE, "defaultMode": FILE_MODE});
        mounts.push(mount("tls", TLS_DIRECTORY));
        volumes.push(volume("tls", certificate));
    }
    let mut security_context = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    if let (Some(user), Some(context)) = (options.user, security_context.as_object_mut()) {
        context.extend(["runAsUser", "runAsGroup", "fsGroup"].map(|id| (id.to_owned(), json!(user))));
    }
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
        "volumeMounts": mounts,
    });
    let mut deployment = json!({
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
                    "priorityClassName": options.priority_class,
                    // preStop, then both parts of the webhook's own drain.
                    "terminationGracePeriodSeconds": 40,
                    "securityContext": security_context,
                    // The image is of no other system, and clusters may have nodes of Windows, too.
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "topologySpreadConstraints": [
                        spread("topology.kubernetes.io/zone"),
                        spread("kubernetes.io/hostname"),
                    ],
                    "containers": [container],
                    "volumes": volumes,
                },
            },
        },
    });
    let secrets = options.image_pull_secrets.iter().map(|name| json!({"name": name}));
    let secrets: Vec<Value> = secrets.collect();
    let pod = deployment
        .pointer_mut("/spec/template/spec")
        .and_then(Value::as_object_mut);
    if let (false, Some(pod)) = (secrets.is_empty(), pod) {
        pod.insert("imagePullSecrets".to_owned(), json!(secrets));
    }
    deployment
}

/// Some platforms, GKE among them, admit pods of the critical classes in other namespaces than `kube-system` only where a
/// quota speaks of that class. This one limits nothing.
fn quota(priority_class: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": names::WEBHOOK, "namespace": names::NAMESPACE, "labels": labels()},
        "spec": {
            "hard": {"pods": "1G"},
            "scopeSelector": {
                "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": [priority_class]}],
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
        "spec": {
            "maxUnavailable": 1,
            // A pod that is not ready guards nothing; it must not hold up the draining of its node.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector()},
        },
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

#[cfg(test)]
mod tests;
