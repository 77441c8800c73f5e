//! MU1xx: which Istio runs, and which one it should become.

use super::{Code, Rule, Severity};

/// The target lies more than one minor ahead.
pub const SKIPS_A_MINOR: Code = Code(&Rule {
    id: "MU101",
    title: "The target skips a minor",
    severity: Severity::Blocker,
    waivable: false,
    cause: "Istio supports its control plane and its data plane at most one minor apart, so each minor on the way has to be reached and left on its own.",
    evidence: "The running version of each control plane and node component against the target, flavors split off first.",
    fix: "Upgrade to the next minor first, which the finding names, then check again.",
});
/// The target is older than what runs.
pub const DOWNGRADE: Code = Code(&Rule {
    id: "MU102",
    title: "The target is older than what runs",
    severity: Severity::Blocker,
    waivable: false,
    cause: "An older control plane may not understand what a newer one has written, and custom resource definitions do not go back.",
    evidence: "The running versions, the chart versions of the helm releases and the version that the Mesh object last recorded, against the target.",
    fix: "Choose a target that is not older than anything that runs.",
});
/// The target is built by somebody else.
pub const OTHER_FLAVOR: Code = Code(&Rule {
    id: "MU103",
    title: "The target has another flavor",
    severity: Severity::Blocker,
    waivable: false,
    cause: "Builds of different vendors differ in patches, defaults and images; a mesh keeps its flavor from start to end.",
    evidence: "The suffix of the running version's tag, or the Mesh object's flavor, against the target's suffix; of 1.30.3-solo-fips-distroless that is solo-fips.",
    fix: "Choose a target with the mesh's own flavor.",
});
/// Everything is at the target.
pub const ALREADY_AT_TARGET: Code = Code(&Rule {
    id: "MU104",
    title: "The mesh already runs the target",
    severity: Severity::Info,
    waivable: false,
    cause: "Every control plane reports the target version.",
    evidence: "The running version of each control plane.",
    fix: "Nothing is to be done.",
});
/// A running version could not be read.
pub const UNREADABLE_VERSION: Code = Code(&Rule {
    id: "MU105",
    title: "A running version cannot be read",
    severity: Severity::Blocker,
    waivable: false,
    cause: "An image that is named by digest only, or by a tag that is no version, does not say what runs; nothing can be compared with it, and an upgrade could not see the target arrive.",
    evidence: "The version that the process reports, the tag of its image, and its label app.kubernetes.io/version, in this order; of what is to be upgraded the tag of its image.",
    fix: "Let the component run an image whose tag is a version, which a digest may follow, then check again.",
});
/// The catalog does not know the target.
pub const UNKNOWN_TARGET: Code = Code(&Rule {
    id: "MU106",
    title: "The catalog does not know the target",
    severity: Severity::Blocker,
    waivable: false,
    cause: "Without an entry for the target's minor and flavor nobody can say which Kubernetes versions it supports.",
    evidence: "The target against the embedded catalog, or the one given with --catalog.",
    fix: "Choose a version that the catalog knows, or add the release, and a flavor with its suffix, sources and releases, to a catalog file and pass it with --catalog FILE.",
});
/// The target's patch is newer than the newest known.
pub const NEWER_PATCH: Code = Code(&Rule {
    id: "MU107",
    title: "The target's patch is newer than the catalog",
    severity: Severity::Warning,
    waivable: true,
    cause: "The minor is known and its Kubernetes range holds for each of its patches, but this patch came out after the catalog was made, or does not exist.",
    evidence: "The target's patch against the newest that the catalog lists for the minor.",
    fix: "Make sure that the version was released; a newer catalog can be passed with --catalog FILE.",
});
/// The target is a pre-release.
pub const PRE_RELEASE: Code = Code(&Rule {
    id: "MU108",
    title: "The target is a pre-release",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Alpha, beta and rc builds are for trying out; nobody supports them.",
    evidence: "The target's suffix.",
    fix: "Choose a released version; a pre-release is accepted, with a warning, only when it is named with --to.",
});
/// Control planes of different flavors run in one mesh.
pub const MIXED_FLAVORS: Code = Code(&Rule {
    id: "MU109",
    title: "Control planes of different flavors run",
    severity: Severity::Blocker,
    waivable: false,
    cause: "A mesh whose control planes come from different builders has no one version to go on from.",
    evidence: "The flavor of each control plane, and that of the Mesh object.",
    fix: "Bring all control planes of the mesh to one flavor with the tool that installed them, then check again.",
});
/// Control planes of different versions run in one mesh.
pub const MIXED_VERSIONS: Code = Code(&Rule {
    id: "MU110",
    title: "Control planes of different versions run",
    severity: Severity::Warning,
    waivable: true,
    cause: "An upgrade was left half done, or clusters were upgraded apart from each other.",
    evidence: "The running version of each control plane of the mesh.",
    fix: "Go on with the upgrade: it takes each control plane to the target, unless another finding says that one of them is too far away.",
});
/// The running minor has reached its end of life.
pub const RUNNING_END_OF_LIFE: Code = Code(&Rule {
    id: "MU111",
    title: "The running minor has reached its end of life",
    severity: Severity::Warning,
    waivable: true,
    cause: "It gets no security fixes any more.",
    evidence: "The catalog's announced or actual end of life against today's date.",
    fix: "Upgrade to a supported minor, one after the other.",
});
/// The target's minor has reached its end of life.
pub const TARGET_END_OF_LIFE: Code = Code(&Rule {
    id: "MU112",
    title: "The target's minor has reached its end of life",
    severity: Severity::Warning,
    waivable: true,
    cause: "It gets no security fixes any more; it may still be a hop on the way to one that does.",
    evidence: "The catalog's announced or actual end of life against today's date.",
    fix: "Go on to a supported minor right after this upgrade.",
});
/// A node component is newer than the control plane.
pub const AHEAD_OF_CONTROL_PLANE: Code = Code(&Rule {
    id: "MU113",
    title: "A node component is newer than the control plane",
    severity: Severity::Warning,
    waivable: true,
    cause: "Istio lets the control plane be one minor ahead of CNI and ztunnel, never the other way round.",
    evidence: "The running version of each CNI node agent and ztunnel against the newest control plane of its cluster.",
    fix: "Upgrade the control plane to at least the component's version.",
});
/// No control plane was found.
pub const NO_CONTROL_PLANE: Code = Code(&Rule {
    id: "MU114",
    title: "No control plane was found",
    severity: Severity::Blocker,
    waivable: false,
    cause: "No Deployment with the label app=istiod runs in the mesh's namespace in any cluster that answered.",
    evidence: "Deployments of all namespaces in all clusters that answered.",
    fix: "Look at the right clusters with --context, or set the namespace of the control plane in the Mesh object.",
});
/// A chart of the target is not there.
pub const CHART_UNAVAILABLE: Code = Code(&Rule {
    id: "MU115",
    title: "A chart of the target is not to be had",
    severity: Severity::Blocker,
    waivable: true,
    cause: "The upgrade takes each component's chart from one source, and the target's is not there, or the source does not answer.",
    evidence: "helm show chart for each component of the plan, at the source of --charts, or else at the catalog's, where this is a warning because apply can still be told of another.",
    fix: "Name a folder or repository that holds the target with --charts, or choose a version that was released.",
});
/// The program that makes the upgrade is missing.
pub const INSTALLER_UNAVAILABLE: Code = Code(&Rule {
    id: "MU116",
    title: "The program that makes the upgrade is not at hand",
    severity: Severity::Warning,
    waivable: true,
    cause: "The upgrade is made by helm 3 from 3.14 on or by helm 4, or where istioctl installed Istio by the istioctl of the target's version, on the machine from which it is run; without it charts cannot be looked at either.",
    evidence: "The helm and the istioctl on the PATH, as far as they are needed, and the versions that they tell.",
    fix: "Install helm 3.14 or newer, or the target's istioctl, or run apply with --helm FILE or --istioctl FILE.",
});
/// An upgrade of the mesh is not over.
pub const UPGRADE_BEGUN: Code = Code(&Rule {
    id: "MU117",
    title: "An upgrade of the mesh has begun",
    severity: Severity::Blocker,
    waivable: false,
    cause: "An upgrade that has begun keeps its target to its end, so that apply goes on with it and refuses any other; meanwhile the mesh may be frozen. Of the same target it is only told, unless its journal was not found, without which nobody goes on with it.",
    evidence: "The MeshUpgrades and MeshFreezes in the mesh's clusters, as far as the caller may read them.",
    fix: "Go on with it by kubectl mesh-upgrade apply; as long as it has changed nothing, it can be given up with --withdraw. Where only a freeze is found, look in the cluster that holds the journal, too, or lift it with unlock; a journal without a status, as after a restore from a backup, is deleted.",
});

pub(super) const ALL: &[Code] = &[
    SKIPS_A_MINOR,
    DOWNGRADE,
    OTHER_FLAVOR,
    ALREADY_AT_TARGET,
    UNREADABLE_VERSION,
    UNKNOWN_TARGET,
    NEWER_PATCH,
    PRE_RELEASE,
    MIXED_FLAVORS,
    MIXED_VERSIONS,
    RUNNING_END_OF_LIFE,
    TARGET_END_OF_LIFE,
    AHEAD_OF_CONTROL_PLANE,
    NO_CONTROL_PLANE,
    CHART_UNAVAILABLE,
    INSTALLER_UNAVAILABLE,
    UPGRADE_BEGUN,
];
