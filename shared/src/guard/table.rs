//! The one table of the guard: what is frozen, and who is let through. The policies' CEL, the webhook's rules and its
//! decisions are all made from it, so that the two barriers agree.

mod components;
mod writers;

pub use components::{
    CONTROL_PLANES, KUBECONFIG, NODE_WIDE_OPERATOR_KINDS, OPERATOR_TAGS, REMOTE_SECRET_LABEL, component_namespaces,
};
pub use writers::{DELETABLE, May, WRITERS, Who, Writer};

use crate::{
    api::{FreezeMode, FreezeScope},
    names,
};

/// What a request does. Patches, applies and deletions of collections arrive as one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A new object.
    Create,
    /// A change to an object.
    Update,
    /// A deletion.
    Delete,
}

impl Operation {
    /// As the API server writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    /// The verb of a message, as in "refused to create".
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Everything that changes an object.
pub const CHANGES: &[Operation] = &[Operation::Create, Operation::Update, Operation::Delete];

/// Groups of the mesh's configuration.
pub const CONFIGURATION_GROUPS: &[&str] = &[
    "networking.istio.io",
    "security.istio.io",
    "telemetry.istio.io",
    "extensions.istio.io",
];

/// Groups of the Gateway API, whose objects are configuration where the mesh's settings say so.
pub const GATEWAY_API_GROUPS: &[&str] = &["gateway.networking.k8s.io", "gateway.networking.x-k8s.io"];

/// Endings of the names of CRDs that are Istio's or ours.
const CRD_SUFFIXES: &[&str] = &[".istio.io", ".meshupgrade.io"];
/// The same of the Sail Operator, which uninstalls what its objects asked for when they go.
const OPERATOR_CRD_SUFFIXES: &[&str] = &[".sailoperator.io"];
/// The same of the Gateway API.
const GATEWAY_API_CRD_SUFFIXES: &[&str] = &[".gateway.networking.k8s.io", ".gateway.networking.x-k8s.io"];

/// Endings of the names of CRDs whose objects a scope may cover.
pub fn crd_suffixes() -> impl Iterator<Item = &'static str> {
    let all = [CRD_SUFFIXES, OPERATOR_CRD_SUFFIXES, GATEWAY_API_CRD_SUFFIXES];
    all.into_iter().flatten().copied()
}

/// Endings of the names of CRDs whose objects this scope covers: with a CRD go all its objects, unseen by admission.
pub fn crd_suffixes_of(scope: &FreezeScope) -> impl Iterator<Item = &'static str> {
    let covers = [
        (CRD_SUFFIXES, true),
        (OPERATOR_CRD_SUFFIXES, !scope.operator_objects.is_empty()),
        (GATEWAY_API_CRD_SUFFIXES, scope.configuration.gateway_api),
    ];
    let covered = covers.into_iter().filter(|(_, covers)| *covers);
    covered.flat_map(|(suffixes, _)| suffixes).copied()
}

/// Beginning of the names of helm's release storage, before the release's name.
pub const HELM_STORAGE_PREFIX: &str = "sh.helm.release.v1.";
/// Label by which helm finds its storage, whatever the objects are called; its value is `helm`.
pub const HELM_OWNER_LABEL: &str = "owner";
/// Value of [`HELM_OWNER_LABEL`].
pub const HELM_OWNER: &str = "helm";
/// Label with the release's name on helm's storage.
pub const HELM_NAME_LABEL: &str = "name";
/// Annotation by which helm marks what a release owns.
pub const HELM_RELEASE_NAME: &str = "meta.helm.sh/release-name";
/// Annotation with the namespace of the owning release.
pub const HELM_RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// Label by which helm tells the state of a release that its storage holds.
pub const HELM_STATUS_LABEL: &str = "status";
/// The state of what runs: its storage is what the next upgrade begins from.
pub const HELM_DEPLOYED: &str = "deployed";
/// Label on what istiod makes for a managed gateway.
pub const MANAGED_GATEWAY_LABEL: &str = "gateway.istio.io/managed";
/// Groups of what istiod makes for a managed gateway.
pub const MANAGED_GATEWAY_GROUPS: &[&str] = &["", "apps", "autoscaling", "policy"];
/// Name of the object by which istiod probes its own validation.
pub const ISTIOD_PROBE_NAME: &str = "invalid-gateway";
/// Annotation of that object; its value is `true`.
pub const ISTIOD_PROBE_ANNOTATION: &str = "internal.istio.io/webhook-always-reject";

/// How a row picks its objects among those of its resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picks {
    /// Configuration of the mesh, in the namespaces of its settings.
    Configuration,
    /// Objects of the Gateway API, in the same namespaces, where the settings say so. A GatewayClass is in none.
    GatewayApi,
    /// ConfigMaps named in the scope, and the canary in the Istio namespaces.
    ScopeConfigMaps,
    /// Workloads named in the scope. A Scale has the name of its Deployment and no labels, so names decide.
    ScopeWorkloads,
    /// Workloads whose pods are those of a control plane, a CNI agent or a ztunnel, whatever they are called, where the
    /// scope has its own.
    FurtherWorkloads,
    /// Objects by which the Sail Operator is told what to install, named in the scope.
    ScopeOperators,
    /// Such objects of other names that would install, or lead workloads, where the scope has its own.
    FurtherOperators,
    /// CRDs of Istio, ours, and those of the Sail Operator and of the Gateway API where the scope covers their objects.
    MeshCrds,
    /// Namespaces in which components of the mesh, or the guard, live.
    ScopeNamespaces,
    /// Storage objects of helm releases in the scope, by name, or by the labels by which helm finds them.
    HelmStorage,
    /// Secrets by which istiod reaches other clusters, before or after the change: in the Istio namespaces, by their label,
    /// and the one of a control plane whose configuration is elsewhere by its name.
    RemoteSecrets,
    /// Objects that name a release, an installation by istioctl or an Application in the scope as their owner, before or
    /// after the change.
    Owned,
    /// Status writes that change the owners, or what names the installer's, of a workload in the scope or of what is
    /// owned in it. Only the policy is asked: status is written all day, and by this it must cost no call.
    StatusMetadata,
}

/// One row: what is refused to foreigners while the mesh is frozen.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// API groups.
    pub groups: &'static [&'static str],
    /// Resources, with a subresource after a slash; `*` is every resource without its subresources.
    pub resources: &'static [&'static str],
    /// Operations.
    pub operations: &'static [Operation],
    /// Which objects.
    pub picks: Picks,
    /// Why they are guarded.
    pub why: &'static str,
}

/// What a freeze does about a foreign change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strictness {
    /// It passes with a warning and an audit annotation.
    Warn,
    /// It is refused.
    Refuse,
}

impl Row {
    /// What a freeze of this scope does about it; `None` where the settings leave the row out.
    #[must_use]
    pub fn strictness(&self, scope: &FreezeScope) -> Option<Strictness> {
        let settings = &scope.configuration;
        let configuration = match settings.mode {
            FreezeMode::Enforce => Strictness::Refuse,
            FreezeMode::Warn => Strictness::Warn,
        };
        match self.picks {
            Picks::Configuration => Some(configuration),
            Picks::GatewayApi => settings.gateway_api.then_some(configuration),
            _ => Some(Strictness::Refuse),
        }
    }

    /// Scope of the row's rules, in the API server's words.
    #[must_use]
    pub fn scope(&self) -> &'static str {
        match self.picks {
            Picks::GatewayApi => "Namespaced",
            _ => "*",
        }
    }
}

/// What is frozen.
pub const FROZEN: &[Row] = &[
    Row {
        groups: CONFIGURATION_GROUPS,
        resources: &["*"],
        operations: CHANGES,
        picks: Picks::Configuration,
        why: "configuration of the mesh; status writes are subresources and never match",
    },
    Row {
        groups: GATEWAY_API_GROUPS,
        resources: &["*"],
        operations: CHANGES,
        picks: Picks::GatewayApi,
        why: "routes and gateways of the Gateway API are configuration as well, where istiod serves them",
    },
    Row {
        groups: CONFIGURATION_GROUPS,
        resources: &["*"],
        operations: CHANGES,
        picks: Picks::Owned,
        why: "configuration that a release of the mesh brought is part of its components, whatever the settings",
    },
    Row {
        groups: &[""],
        resources: &["configmaps"],
        operations: CHANGES,
        picks: Picks::ScopeConfigMaps,
        why: "mesh configuration and injection templates, by name: leader election uses ConfigMaps named istio-* too",
    },
    Row {
        groups: &["apps"],
        resources: &["deployments", "daemonsets", "deployments/scale"],
        operations: CHANGES,
        picks: Picks::ScopeWorkloads,
        why: "components of the mesh; scale alone could take the control plane away",
    },
    Row {
        groups: &["apps"],
        resources: &["deployments", "daemonsets"],
        operations: &[Operation::Create, Operation::Update],
        picks: Picks::FurtherWorkloads,
        why: "a second control plane under another name takes proxies and webhooks over; it is told by its pods' labels",
    },
    Row {
        groups: &["sailoperator.io"],
        resources: &["istios", "istiorevisions", "istiorevisiontags", "istiocnis", "ztunnels"],
        operations: CHANGES,
        picks: Picks::ScopeOperators,
        why: "what the Sail Operator is told, it installs, and it leads workloads where its tags say",
    },
    Row {
        groups: &["sailoperator.io"],
        resources: &["istios", "istiorevisions", "istiorevisiontags", "istiocnis", "ztunnels"],
        operations: &[Operation::Create],
        picks: Picks::FurtherOperators,
        why: "of a new object the operator makes a second control plane, or another agent on every node",
    },
    Row {
        groups: &["apiextensions.k8s.io"],
        resources: &["customresourcedefinitions"],
        operations: &[Operation::Update, Operation::Delete],
        picks: Picks::MeshCrds,
        why: "deleting a CRD deletes every object of its kind",
    },
    Row {
        groups: &[""],
        resources: &["namespaces"],
        operations: &[Operation::Delete],
        picks: Picks::ScopeNamespaces,
        why: "deleting a namespace deletes the components in it",
    },
    Row {
        groups: &[""],
        resources: &["secrets", "configmaps"],
        operations: CHANGES,
        picks: Picks::HelmStorage,
        why: "helm writes its storage first, so a foreign upgrade or rollback stops before it changes anything",
    },
    Row {
        groups: &[""],
        resources: &["secrets"],
        operations: CHANGES,
        picks: Picks::RemoteSecrets,
        why: "by them istiod reaches the mesh's other clusters; one that goes takes its cluster's endpoints with it",
    },
    Row {
        groups: &[""],
        resources: &[
            "serviceaccounts",
            "services",
            "configmaps",
            "secrets",
            "resourcequotas",
            "endpoints",
        ],
        operations: CHANGES,
        picks: Picks::Owned,
        why: "helm uninstall deletes on after its first refusal",
    },
    Row {
        groups: &["apps"],
        resources: &["deployments", "daemonsets"],
        operations: CHANGES,
        picks: Picks::Owned,
        why: "a second release with --take-ownership replaces components",
    },
    Row {
        groups: &["", "apps", "autoscaling", "policy"],
        resources: &[
            "services/status",
            "resourcequotas/status",
            "deployments/status",
            "daemonsets/status",
            "horizontalpodautoscalers/status",
            "poddisruptionbudgets/status",
        ],
        operations: &[Operation::Update],
        picks: Picks::StatusMetadata,
        why: "the status of built-in kinds takes metadata along: a dangling owner deletes, a missing annotation opens",
    },
    Row {
        groups: &["autoscaling"],
        resources: &["horizontalpodautoscalers"],
        operations: CHANGES,
        picks: Picks::Owned,
        why: "scaling of the control plane and the gateways",
    },
    Row {
        groups: &["policy"],
        resources: &["poddisruptionbudgets"],
        operations: CHANGES,
        picks: Picks::Owned,
        why: "what keeps the control plane and the gateways up in a drain",
    },
    Row {
        groups: &["rbac.authorization.k8s.io"],
        resources: &["roles", "rolebindings", "clusterroles", "clusterrolebindings"],
        operations: CHANGES,
        picks: Picks::Owned,
        why: "without its rights a new istiod never becomes ready",
    },
    Row {
        groups: &["networking.k8s.io"],
        resources: &["networkpolicies"],
        operations: CHANGES,
        picks: Picks::Owned,
        why: "what may reach the control plane",
    },
    Row {
        groups: &["k8s.cni.cncf.io"],
        resources: &["network-attachment-definitions"],
        operations: CHANGES,
        picks: Picks::Owned,
        why: "by it the pods of OpenShift reach Istio's CNI plugin",
    },
    Row {
        groups: &["discovery.k8s.io"],
        resources: &["endpointslices"],
        operations: CHANGES,
        picks: Picks::Owned,
        why: "where a remote cluster finds its control plane",
    },
];

/// Parts of `metadata` that may change in an update that counts as unchanged; finalizers may only be removed.
pub const FREE_METADATA: &[&str] = &["managedFields", "resourceVersion", "generation"];

/// Namespaces whose configuration is frozen; `None` for all. Those of control planes always are.
#[must_use]
pub fn configuration_namespaces(scope: &FreezeScope) -> Option<std::collections::BTreeSet<&str>> {
    let named = &scope.configuration.namespaces;
    let all = named.iter().chain(&scope.istio_namespaces).map(String::as_str);
    (!named.is_empty()).then(|| all.collect())
}

/// Namespaces that may not be deleted while this scope is frozen: where components live, and the guard's own.
#[must_use]
pub fn protected_namespaces(scope: &FreezeScope) -> std::collections::BTreeSet<&str> {
    scope
        .istio_namespaces
        .iter()
        .map(String::as_str)
        .chain(scope.workloads.iter().map(|workload| workload.namespace.as_str()))
        .chain(scope.helm_releases.iter().map(|release| release.namespace.as_str()))
        .chain([names::NAMESPACE])
        .collect()
}

/// ConfigMaps that may not change while this scope is frozen, as namespace and name: those named, and the canary.
pub fn guarded_config_maps(scope: &FreezeScope) -> impl Iterator<Item = (&str, &str)> {
    scope
        .config_maps
        .iter()
        .map(|map| (map.namespace.as_str(), map.name.as_str()))
        .chain(
            scope
                .istio_namespaces
                .iter()
                .map(|namespace| (namespace.as_str(), names::CANARY)),
        )
}
