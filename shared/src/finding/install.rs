//! MU4xx: how Istio was installed, and whether that can be upgraded.

use super::{Code, Rule, Severity};

/// Nothing that can upgrade a component is known to have installed it.
pub const NO_HELM_RELEASE: Code = Code(&Rule {
    id: "MU401",
    title: "A component was installed neither by helm nor by istioctl",
    severity: Severity::Blocker,
    waivable: false,
    cause: "The component was installed by something else, or its helm release was removed; this tool upgrades helm releases, and what istioctl installed. What a GitOps controller or an operator brings has a finding of its own, and blocks apply here, too, until it is at the target.",
    evidence: "The annotation meta.helm.sh/release-name of the workload, the release Secrets of its namespace, and istioctl's labels and field manager.",
    fix: "Upgrade it with the tool that installed it, or take it over into a helm release first.",
});
/// A helm release is not deployed.
pub const RELEASE_NOT_DEPLOYED: Code = Code(&Rule {
    id: "MU402",
    title: "A helm release is not in the state deployed",
    severity: Severity::Blocker,
    waivable: false,
    cause: "A helm operation runs, or was killed, or failed; helm refuses the next one, or it would build on an unknown state.",
    evidence: "The status of the newest revision of each release of Istio's charts.",
    fix: "Wait for a helm that still runs; otherwise roll the release back to its last deployed revision with helm rollback, then check again.",
});
/// The chart base has no release.
pub const NO_BASE_RELEASE: Code = Code(&Rule {
    id: "MU403",
    title: "The chart base has no helm release",
    severity: Severity::Warning,
    waivable: true,
    cause: "Istio's custom resource definitions are not managed by helm here, so this upgrade does not update them. From 1.24 on Istio reads most of them as v1: where they do not serve that, istiod never becomes ready.",
    evidence: "Releases of the chart base in the cluster, and the versions that Istio's definitions serve.",
    fix: "Update the definitions to the target's yourself, or install the chart base with --take-ownership, before the upgrade.",
});
/// Chart and image disagree.
pub const CHART_AND_IMAGE_DISAGREE: Code = Code(&Rule {
    id: "MU404",
    title: "Chart version and running version disagree",
    severity: Severity::Warning,
    waivable: true,
    cause: "The image's tag is set apart from the chart, by a value such as global.tag or by hand; the next helm upgrade may keep that tag.",
    evidence: "The chart version of the component's release against its running version.",
    fix: "Remove tag overrides from the release's values: helm get values shows them.",
});
/// Images come from a registry that goes away.
pub const RETIRED_REGISTRY: Code = Code(&Rule {
    id: "MU405",
    title: "Images come from a registry that is shut down",
    severity: Severity::Warning,
    waivable: true,
    cause: "The Istio project shuts the registry down; pods that are then rescheduled to a node without the image do not start.",
    evidence: "The images of the running components and of all proxies against the catalog's list of retired registries.",
    fix: "Set global.hub in the charts' values to the registry that the finding names, and restart pods that have such proxies.",
});
/// A gateway is not upgraded with the mesh.
pub const GATEWAY_WITHOUT_RELEASE: Code = Code(&Rule {
    id: "MU406",
    title: "A gateway is not upgraded with the mesh",
    severity: Severity::Warning,
    waivable: true,
    cause: "It was installed neither by helm nor with the mesh by istioctl, so this upgrade leaves it as it is.",
    evidence: "The annotation meta.helm.sh/release-name of the gateway's workload, and istioctl's labels and field manager.",
    fix: "Upgrade it afterwards with the tool that installed it; an injected one gets the new proxy by a restart of its pods.",
});
/// Another mesh lives in the same cluster.
pub const SHARED_CLUSTER: Code = Code(&Rule {
    id: "MU407",
    title: "Another mesh shares the cluster",
    severity: Severity::Warning,
    waivable: true,
    cause: "Custom resource definitions, CNI and ztunnel exist once in a cluster: upgrading them for one mesh upgrades them for the other.",
    evidence: "Control planes in the cluster that belong to another mesh and read their configuration there, and the versions of base, CNI and ztunnel.",
    fix: "Make sure that the other mesh's control plane is at most one minor behind the target, without which apply is blocked where it takes what they share to another minor, and upgrade it soon after.",
});
/// Helm would refuse the definitions.
pub const CRDS_NOT_OWNED: Code = Code(&Rule {
    id: "MU408",
    title: "The chart base does not own Istio's definitions",
    severity: Severity::Blocker,
    waivable: true,
    cause: "From 1.24 on the chart base brings Istio's definitions as templates, and helm refuses to change objects that do not name its release: the upgrade of base would fail at its first step.",
    evidence: "The annotations meta.helm.sh/release-name and release-namespace of Istio's definitions.",
    fix: "Let the release own them, once: label and annotate each, as the finding tells.",
});
/// Argo CD or Flux would revert the upgrade.
pub const OWNED_BY_GITOPS: Code = Code(&Rule {
    id: "MU409",
    title: "A GitOps controller owns the installation, and cannot be waited for",
    severity: Severity::Blocker,
    waivable: true,
    cause: "It would take back what the upgrade changes; apply waits for what is merged where one object in this cluster brings one of Istio's charts, its controller is found, and it is in order before.",
    evidence: "Labels and annotations of Argo CD and Flux on the control plane and the node components, their Applications and HelmReleases, and the pods of their controllers.",
    fix: "Mend what the finding names, so that apply can wait; or change the version in the repository by hand; or, of what is a helm release, suspend the controller for the time of the upgrade, and waive this.",
});
/// An operator would revert the upgrade.
pub const OWNED_BY_OPERATOR: Code = Code(&Rule {
    id: "MU410",
    title: "An operator owns the installation, and apply cannot change what it is told",
    severity: Severity::Blocker,
    waivable: true,
    cause: "It would take back what the upgrade changes; apply sets the version of the Sail Operator's Istio, IstioCNI and ZTunnel where nobody else brings them and they are in order before.",
    evidence: "Owner references of the control plane and the node components, the Sail Operator's objects, and its pods.",
    fix: "Mend what the finding names, or change the version in the operator's own object by hand.",
});
/// Changes by hand are lost.
pub const EDITED_BY_HAND: Code = Code(&Rule {
    id: "MU411",
    title: "Somebody else than helm set fields of a component",
    severity: Severity::Warning,
    waivable: true,
    cause: "Helm 4 takes them back by force, helm 3 overwrites those that the chart names: the change is lost with the upgrade.",
    evidence: "The field managers of the control plane with its ConfigMaps, Services, autoscalers and budgets, and of the node components.",
    fix: "Move the change into the chart's values.",
});
/// A vendor's own component.
pub const VENDOR_COMPONENT: Code = Code(&Rule {
    id: "MU412",
    title: "A vendor's component is not upgraded by this tool",
    severity: Severity::Info,
    waivable: false,
    cause: "The flavor brings components beside Istio's own; the catalog says when they are upgraded.",
    evidence: "The components of the flavor in the catalog, looked for by their labels.",
    fix: "Upgrade it as the finding says.",
});
/// A chart that is made no more.
pub const DISCONTINUED_CHART: Code = Code(&Rule {
    id: "MU413",
    title: "A helm release is of a chart that was discontinued",
    severity: Severity::Blocker,
    waivable: true,
    cause: "The target's release has no such chart: what it installed stays as it is, beside or instead of what the target needs.",
    evidence: "The chart of each helm release near Istio.",
    fix: "Move to the chart that the finding names, then uninstall this release.",
});
/// Charts come from a repository that goes away.
pub const RETIRED_CHART_REPOSITORY: Code = Code(&Rule {
    id: "MU414",
    title: "Charts come from a repository that is shut down",
    severity: Severity::Warning,
    waivable: true,
    cause: "The Istio project shuts the chart repository down; whatever installs from it then finds no chart.",
    evidence: "The chart source of this upgrade, and those of Argo CD's Applications and Flux's HelmRepositories, against the catalog's list.",
    fix: "Use the repository that the finding names.",
});
/// Values that the target does not know.
pub const REMOVED_VALUES: Code = Code(&Rule {
    id: "MU415",
    title: "A helm release sets values that a release on the way removed",
    severity: Severity::Warning,
    waivable: true,
    cause: "The target's chart ignores the value, or refuses to be rendered with it.",
    evidence: "The keys of the values of each helm release, against a list of those that each release removed.",
    fix: "Remove the value, or set what replaced it: helm get values shows them.",
});
/// Installers that do not go together.
pub const MIXED_INSTALLERS: Code = Code(&Rule {
    id: "MU416",
    title: "The installers of a cluster do not go together",
    severity: Severity::Blocker,
    waivable: false,
    cause: "istioctl installs definitions, control plane and node components of one revision as a whole, and takes over what else owns them; one Application that brings several charts brings them all at once.",
    evidence: "What installed each component, by helm's annotations, istioctl's labels and field manager, and the charts of Applications.",
    fix: "Let one installer own all of it; gateways may be helm's beside a control plane of istioctl's. Give each chart an Application of its own.",
});

/// Terraform, Pulumi or Fleet keeps the release.
pub const DRIVEN_BY_ANOTHER_TOOL: Code = Code(&Rule {
    id: "MU417",
    title: "Another tool keeps a component's helm release at its own version",
    severity: Severity::Warning,
    waivable: true,
    cause: "Terraform and Pulumi bring the version in their configuration back when they are run next; Fleet does so by itself, in the middle of the upgrade, and blocks it.",
    evidence: "The field manager of the helm that wrote the control plane and the node components last.",
    fix: "Set the version in the tool's configuration before it is run again; pause Fleet for the time of the upgrade.",
});

pub(super) const ALL: &[Code] = &[
    NO_HELM_RELEASE,
    RELEASE_NOT_DEPLOYED,
    NO_BASE_RELEASE,
    CHART_AND_IMAGE_DISAGREE,
    RETIRED_REGISTRY,
    GATEWAY_WITHOUT_RELEASE,
    SHARED_CLUSTER,
    CRDS_NOT_OWNED,
    OWNED_BY_GITOPS,
    OWNED_BY_OPERATOR,
    EDITED_BY_HAND,
    VENDOR_COMPONENT,
    DISCONTINUED_CHART,
    RETIRED_CHART_REPOSITORY,
    REMOVED_VALUES,
    MIXED_INSTALLERS,
    DRIVEN_BY_ANOTHER_TOOL,
];
