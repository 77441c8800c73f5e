//! What stands around a mesh's workloads: configuration, CRDs, webhooks, certificates, nodes, namespaces.

use super::{NodeRoom, PlacedPod};
use crate::{
    finding::Code,
    version::{KubernetesVersion, Minor},
};
use k8s_openapi::jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Examples of one rule that are kept; the rest is only counted.
pub const EXAMPLES: usize = 20;

/// What was looked at around a mesh's workloads.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What the rules on configuration hit, whichever release they belong to.
    pub hits: Hits,
    /// Kinds that a Gateway API bundle brings and how many objects there are, by resource.
    pub gateway_api: BTreeMap<String, u64>,
    /// Custom resource definitions of Istio, of the Gateway API and of those that rules ask for.
    pub crds: Vec<Crd>,
    /// Nodes by the version of their kubelet.
    pub nodes: Vec<Nodes>,
    /// Namespaces that ask for a revision by its name or by a tag.
    pub namespaces: Vec<NamespaceRevision>,
    /// Istio's webhooks.
    pub webhooks: Vec<Webhook>,
    /// MutatingWebhookConfigurations of others that change pods, by name.
    pub pod_mutators: BTreeSet<String>,
    /// Public certificates that the mesh's trust rests on.
    pub certificates: Vec<Certificate>,
    /// PodDisruptionBudgets of control planes.
    pub budgets: Vec<Budget>,
    /// What the chart istiod brought beside its Deployment, where somebody else set fields of it.
    pub edited: Vec<EditedObject>,
    /// Elections of the control planes, as far as they were held.
    pub elections: Vec<Election>,
    /// Nodes that take pods, with what they have left; empty when pods were not counted.
    pub room: Vec<NodeRoom>,
    /// Where pods of Istio's own were placed, as far as their labels tell that they are.
    pub placed: Vec<PlacedPod>,
    /// Where GitOps controllers take charts from.
    pub chart_repositories: Vec<ChartRepository>,
    /// The ambient mesh.
    pub ambient: Ambient,
    /// Deployments of Kiali, as namespace and name.
    pub kialis: Vec<(String, String)>,
    /// What could not be looked at.
    pub overlooked: Vec<Overlooked>,
}

/// Something that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlooked {
    /// What it is.
    pub unread: Unread,
    /// What it is and what the API server answered, in a sentence.
    pub told: String,
}

/// What could not be looked at, as far as checks that block depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Custom resource definitions, and with them the objects of all.
    Definitions,
    /// Objects of a definition, by its name.
    Objects(String),
    /// Webhooks.
    Webhooks,
    /// What the CNI is told to leave out.
    Ambient,
    /// What only warnings are about.
    Other,
}

/// What the ambient mesh has taken in, and what it is told to leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ambient {
    /// Pods that have not ended: its ztunnels know all of them, those outside of it as well.
    pub pods: u64,
    /// Namespaces that are labelled into it; only asked for where some may be excluded.
    pub namespaces: BTreeSet<String>,
    /// Namespaces that the CNI is told to leave out.
    pub excluded: BTreeSet<String>,
    /// Whether the CNI captures the DNS of pods that start.
    pub captures_dns: bool,
}

/// An object of which somebody beside its installer set fields that its chart sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditedObject {
    /// The object, as `ConfigMap istio-system/istio`.
    pub object: String,
    /// Its namespace.
    pub namespace: String,
    /// Revision whose chart brought it, by its label; `default` when it has no name.
    pub revision: Option<String>,
    /// Field managers that are neither an installer's, nor Kubernetes' own, nor Istio's.
    pub editors: Vec<String>,
    /// The fields, as `data.mesh`.
    pub fields: Vec<String>,
}

/// An election among istiods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Election {
    /// Namespace of the control planes.
    pub namespace: String,
    /// Where it is held, as `ConfigMap istio-system/istio-namespace-controller-election`.
    pub object: String,
    /// Revision that it is held for; `None` for all of the namespace.
    pub of_revision: Option<String>,
    /// Pod that holds it; empty for nobody.
    pub holder: String,
    /// Whether that pod is there.
    pub holder_is_there: bool,
    /// Revision of the holder, where it says one.
    pub revision: Option<String>,
    /// Seconds since it was last renewed, by the clock of the API server; `None` where that is not known.
    pub age: Option<i64>,
}

/// Where a GitOps controller takes charts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartRepository {
    /// Its object, as `HelmRepository flux-system/istio`.
    pub object: String,
    /// The address.
    pub url: String,
}

/// What rules hit: a few examples of each, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits(BTreeMap<(Code, Matters), HitsOfRule>);

/// When a hit matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Matters {
    /// Where its rule does.
    WithItsRule,
    /// Where objects that say nothing are exported to all namespaces.
    Exported,
    /// Where its rule does, as something that nobody needs any more.
    LeftBehind,
    /// On the way over a minor of Istio 1.
    Since(u64),
}

/// What one rule hit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HitsOfRule {
    /// Objects that were hit, with what is in them; at most [`EXAMPLES`].
    pub examples: Vec<Hit>,
    /// How many were hit in all.
    pub count: u64,
}

impl HitsOfRule {
    /// Adds others behind these.
    fn extend(&mut self, others: Self) {
        self.count = self.count.saturating_add(others.count);
        self.examples.extend(others.examples);
        self.examples.truncate(EXAMPLES);
    }
}

/// An object that a rule hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The object, as `VirtualService shop/reviews`.
    pub object: String,
    /// What is in it.
    pub detail: String,
}

impl Hits {
    /// Notes a hit.
    pub fn add(&mut self, code: Code, object: String, detail: String) {
        self.add_many(code, object, detail, 1);
    }

    /// Notes objects that are alike, one of them by name.
    pub fn add_many(&mut self, code: Code, object: String, detail: String, count: u64) {
        self.insert((code, Matters::WithItsRule), object, detail, count);
    }

    /// Notes a hit of a rule that knows which minor of Istio 1 it matters for.
    pub fn add_since(&mut self, code: Code, minor: u64, object: String, detail: String) {
        self.insert((code, Matters::Since(minor)), object, detail, 1);
    }

    /// Notes a hit that is none where the mesh exports to no other namespace what does not say so itself.
    pub fn add_exported(&mut self, code: Code, object: String, detail: String) {
        self.insert((code, Matters::Exported), object, detail, 1);
    }

    /// Notes something that its rule is about, and that nobody needs any more.
    pub fn add_left_behind(&mut self, code: Code, object: String, detail: String) {
        self.insert((code, Matters::LeftBehind), object, detail, 1);
    }

    fn insert(&mut self, key: (Code, Matters), object: String, detail: String, count: u64) {
        let of_rule = self.0.entry(key).or_default();
        of_rule.count = of_rule.count.saturating_add(count);
        if of_rule.examples.len() < EXAMPLES {
            of_rule.examples.push(Hit { object, detail });
        }
    }

    /// Notes what one rule hit for another rule, too.
    pub fn copy(&mut self, from: Code, to: Code) {
        let of_rule = self.0.iter().filter(|((code, _), _)| *code == from);
        let copied: Vec<_> = of_rule
            .map(|((_, matters), hits)| ((to, *matters), hits.clone()))
            .collect();
        for (key, hits) in copied {
            self.0.entry(key).or_default().extend(hits);
        }
    }

    /// Adds hits that were noted elsewhere, behind those that are here.
    pub fn extend(&mut self, other: Self) {
        for (key, hits) in other.0 {
            self.0.entry(key).or_default().extend(hits);
        }
    }

    /// What one rule hit.
    #[must_use]
    pub fn of(&self, code: Code) -> Option<&HitsOfRule> {
        self.0.get(&(code, Matters::WithItsRule))
    }

    /// What one rule hit of what nobody needs any more.
    #[must_use]
    pub fn left_behind(&self, code: Code) -> Option<&HitsOfRule> {
        self.0.get(&(code, Matters::LeftBehind))
    }

    /// What one rule hit where objects that say nothing are exported to all namespaces.
    #[must_use]
    pub fn of_exported(&self, code: Code) -> Option<HitsOfRule> {
        let exported = self.0.get(&(code, Matters::Exported)).cloned();
        let Some(mut hits) = self.of(code).cloned() else {
            return exported;
        };
        hits.extend(exported.unwrap_or_default());
        Some(hits)
    }

    /// What one rule hit, by the minor of Istio 1 that it matters for.
    pub fn by_minor(&self, code: Code) -> impl Iterator<Item = (u64, &HitsOfRule)> {
        let of_code = self.0.iter().filter(move |((hit, _), _)| *hit == code);
        of_code.filter_map(|((_, matters), hits)| match matters {
            Matters::Since(minor) => Some((*minor, hits)),
            Matters::WithItsRule | Matters::Exported | Matters::LeftBehind => None,
        })
    }
}

/// A custom resource definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crd {
    /// Its name, as `virtualservices.networking.istio.io`.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Versions that are served.
    pub served: Vec<String>,
    /// Version in which new objects are stored.
    pub storage: String,
    /// Versions in which objects may still be stored.
    pub stored: Vec<String>,
    /// Bundle of the Gateway API that it came with.
    pub bundle: Option<String>,
    /// Helm release that owns it, as namespace and name.
    pub helm_release: Option<(String, String)>,
}

/// Nodes whose kubelets have one minor; virtual ones apart from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodes {
    /// Version of the kubelet of one of them.
    pub kubelet: KubernetesVersion,
    /// How many.
    pub count: u32,
    /// Name of one of them.
    pub example: String,
}

impl Nodes {
    /// Their kubelets' minor.
    #[must_use]
    pub fn minor(&self) -> Minor {
        self.kubelet.minor
    }

    /// Whether they are virtual nodes, as their kubelet's version tells, `v1.19.10-vk-azure-aci-1.4.8`: it says which
    /// Kubernetes the provider was built with, and nobody upgrades them.
    #[must_use]
    pub fn are_virtual(&self) -> bool {
        is_virtual(&self.kubelet)
    }
}

/// Whether a kubelet is a Virtual Kubelet.
#[must_use]
pub fn is_virtual(kubelet: &KubernetesVersion) -> bool {
    kubelet.git_version.contains("-vk-")
}

/// A namespace that asks for a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceRevision {
    /// Its name.
    pub namespace: String,
    /// The revision or tag of its label `istio.io/rev`.
    pub revision: String,
}

/// Where a webhook leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookTarget {
    /// A URL.
    Url,
    /// A Service that is there.
    Service(String),
    /// A Service that is there and selects no pods: it leads out of the cluster, as that of an istiod elsewhere.
    Elsewhere(String),
    /// A Service that is not there.
    Missing(String),
}

impl WebhookTarget {
    /// Whether it leads to an istiod elsewhere, which this cluster does not show.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Url | Self::Elsewhere(_))
    }
}

/// One of Istio's webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its configuration, as `MutatingWebhookConfiguration istio-sidecar-injector`.
    pub configuration: String,
    /// Its own name.
    pub name: String,
    /// Revision that it belongs to, by its label.
    pub revision: Option<String>,
    /// Tag that it stands for, by its label.
    pub tag: Option<String>,
    /// Helm release that owns its configuration, as namespace and name.
    pub helm_release: Option<(String, String)>,
    /// Where it leads.
    pub target: WebhookTarget,
    /// Fingerprints of the certificates in its caBundle; empty where there is none.
    pub ca: Vec<String>,
    /// Whether it refuses when it cannot be reached.
    pub fails_closed: bool,
    /// What it selects, as it stands in the cluster; `None` of one that injects nothing.
    pub injects: Option<String>,
}

/// A public certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Where it stands, as `Secret istio-system/cacerts, root-cert.pem`.
    pub place: String,
    /// What it is for.
    pub role: CertificateRole,
    /// SHA-256 of it, in hexadecimal.
    pub fingerprint: String,
    /// Whose it is.
    pub subject: CertificateParty,
    /// Who signed it.
    pub issuer: CertificateParty,
    /// Last moment of its validity.
    pub not_after: Timestamp,
}

/// Whose a certificate is, or who signed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateParty {
    /// Distinguished name, as it is encoded.
    pub name: Vec<u8>,
    /// Identifier of the key, where the certificate has it.
    pub key: Option<Vec<u8>>,
}

impl CertificateParty {
    /// Whether this can be the other: a root that is renewed keeps its name and may change its key.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        self.name == other.name && (self.key.is_none() || other.key.is_none() || self.key == other.key)
    }
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateRole {
    /// The root that proxies trust.
    Root,
    /// The one that signs workloads' certificates, or stands between it and the root.
    Issuer,
    /// A webhook's caBundle.
    WebhookCa,
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many pods may be evicted now.
    pub allowed: i32,
    /// How many pods it covers.
    pub expected: i32,
}
