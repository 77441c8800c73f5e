//! Names that the plugin, the guard and the manifests must agree on.

/// API group of our own custom resources.
pub const GROUP: &str = "meshupgrade.io";
/// Version of our own custom resources.
pub const API_VERSION: &str = "v1alpha1";

/// Namespace of the guard, the driver's ServiceAccount and the driver's Leases.
pub const NAMESPACE: &str = "mesh-upgrade-system";
/// ServiceAccount that an upgrade writes as, by impersonation.
pub const DRIVER_SERVICE_ACCOUNT: &str = "mesh-upgrade-driver";
/// ServiceAccount of the webhook's pods.
pub const WEBHOOK_SERVICE_ACCOUNT: &str = "mesh-upgrade-webhook";

/// Extra of the impersonated user that carries the driver's epoch; the API server checks it on every write.
pub const EXTRA_EPOCH: &str = "meshupgrade.io/epoch";
/// Extra that marks a dry-run canary; see [`PROBE_WEBHOOK`].
pub const EXTRA_PROBE: &str = "meshupgrade.io/probe";
/// Value of [`EXTRA_PROBE`] that the freeze policy lets pass in a dry run, so that the webhook is proved alone.
pub const PROBE_WEBHOOK: &str = "webhook";

/// Name of the object that canaries try to create in a dry run; guarded in every frozen namespace.
pub const CANARY: &str = "mesh-upgrade-canary";

/// Field manager of everything that the plugin writes itself.
pub const FIELD_MANAGER: &str = "kubectl-mesh-upgrade";

/// Label on everything that belongs to the guard.
pub const LABEL_PART_OF: &str = "app.kubernetes.io/part-of";
/// Value of [`LABEL_PART_OF`].
pub const PART_OF: &str = "mesh-upgrade";
/// Label that tells the release of the guard.
pub const LABEL_VERSION: &str = "app.kubernetes.io/version";
/// The release of this program: plugin, webhook and manifests are released together.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Annotation on a Mesh with the name of the cluster that holds it, as the Mesh lists it.
pub const ANNOTATION_CLUSTER: &str = "meshupgrade.io/cluster";
/// Secret with what a cluster is called as a member of meshes, and what leads to their Mesh objects.
pub const MEMBER: &str = "mesh-upgrade-member";
/// Label that names the mesh an object was made for.
pub const LABEL_MESH: &str = "meshupgrade.io/mesh";

/// Beginning of the names of freeze policies and their bindings.
pub const FREEZE_POLICY_PREFIX: &str = "mesh-freeze-";
/// End of the names of policies that only warn.
pub const WARNING_POLICY_SUFFIX: &str = "-warn";
/// Name of the static policy that guards our own objects.
pub const OWN_OBJECTS_POLICY: &str = "mesh-upgrade-own-objects";
/// Name of the guard's ValidatingWebhookConfiguration, of its Deployment and its Service.
pub const WEBHOOK: &str = "mesh-upgrade-webhook";
/// Name of the Secret in which the webhook keeps the certificates of its own authority.
pub const CERTIFICATES: &str = "mesh-upgrade-webhook-certificates";
/// Name of cert-manager's Certificate for the webhook, and of the Secret that cert-manager keeps it in.
pub const MANAGED_CERTIFICATE: &str = "mesh-upgrade-webhook-tls";
/// Name of cert-manager's Certificate for the authority of [`MANAGED_CERTIFICATE`], of its Secret and of its Issuer.
pub const MANAGED_AUTHORITY: &str = "mesh-upgrade-webhook-authority";

/// User name of the driver as the API server sees it.
#[must_use]
pub fn driver_user() -> String {
    format!("system:serviceaccount:{NAMESPACE}:{DRIVER_SERVICE_ACCOUNT}")
}

/// Name of the freeze policy, and of its binding, for a mesh and an epoch.
#[must_use]
pub fn freeze_policy(mesh: &str, epoch: i64) -> String {
    format!("{FREEZE_POLICY_PREFIX}{mesh}-{epoch}")
}

/// Name of the policy beside the freeze policy, and of its binding, where a mesh's configuration is only warned about.
#[must_use]
pub fn warning_policy(mesh: &str, epoch: i64) -> String {
    format!("{}{WARNING_POLICY_SUFFIX}", freeze_policy(mesh, epoch))
}

/// User name of the webhook as the API server sees it.
#[must_use]
pub fn webhook_user() -> String {
    format!("system:serviceaccount:{NAMESPACE}:{WEBHOOK_SERVICE_ACCOUNT}")
}

/// Name of the driver's Lease for a mesh.
#[must_use]
pub fn lease(mesh: &str) -> String {
    format!("mesh-upgrade-{mesh}")
}
