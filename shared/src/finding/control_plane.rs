//! MU3xx: health and shape of the control plane and of what is upgraded with it.

use super::{Code, Rule, Severity};

/// A rollout is not complete.
pub const ROLLOUT_INCOMPLETE: Code = Code(&Rule {
    id: "MU301",
    title: "A rollout is not complete",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Something is being changed already, or pods do not become ready; an upgrade on top of it could not be told apart from it.",
    evidence: "Wanted, updated and ready pods of each istiod, node component and gateway, and whether its controller has seen the newest specification.",
    fix: "Wait until the rollout is complete or repair it; kubectl rollout status shows where it stands.",
});
/// istiod has a single replica.
pub const SINGLE_REPLICA: Code = Code(&Rule {
    id: "MU302",
    title: "istiod has fewer than two replicas",
    severity: Severity::Warning,
    waivable: true,
    cause: "While its only pod is replaced, sidecars cannot be injected, configuration cannot be validated, and new proxies get no configuration.",
    evidence: "Wanted pods of each istiod Deployment.",
    fix: "Run at least two replicas: set autoscaleMin or replicaCount to 2 in the istiod chart's values.",
});
/// Ready istiods report different versions.
pub const RUNNING_VERSIONS_DIFFER: Code = Code(&Rule {
    id: "MU303",
    title: "Pods of one istiod report different versions",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Old and new pods serve side by side: a rollout is under way, or a pod was changed by hand.",
    evidence: "What each ready pod says at :15014/version, against the image's tag.",
    fix: "Wait until the rollout is complete, or delete the pods that run the wrong version.",
});
/// Several revisions of one version run in a cluster.
pub const SEVERAL_REVISIONS: Code = Code(&Rule {
    id: "MU304",
    title: "Several revisions of istiod run",
    severity: Severity::Warning,
    waivable: true,
    cause: "A canary was not finished, or the revisions are kept on purpose; each one is upgraded in place. Those of a Sail Operator's Istio that is RevisionBased stand until nothing refers to them, and then go by themselves.",
    evidence: "The label istio.io/rev of all istiod Deployments of the mesh in a cluster, and what refers to each: labels of namespaces, revision tags, the default validator, proxies by the revision that injected them, and values of gateways' releases.",
    fix: "Before you remove one, lead what is named to another revision and restart it; kubectl mesh-upgrade dataplane status shows the revision of each workload, and what is left in the other clusters. The Sail Operator takes its own away when nothing refers to them.",
});
/// Several revisions of different versions run in a cluster.
pub const UNFINISHED_CANARY: Code = Code(&Rule {
    id: "MU305",
    title: "A revision canary is not finished",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Revisions of different versions run in one cluster: some workloads are on the old one, some on the new one.",
    evidence: "Revision and version of all istiod Deployments of the mesh in a cluster, and what refers to each, as with MU304.",
    fix: "Finish the canary or go back: move all namespaces and tags to one revision, restart what runs, remove the other, then check again; kubectl mesh-upgrade dataplane status shows the revision of each workload.",
});
/// A named revision is upgraded in place.
pub const NAMED_REVISION: Code = Code(&Rule {
    id: "MU306",
    title: "A named revision would be upgraded in place",
    severity: Severity::Warning,
    waivable: true,
    cause: "Istio documents in-place upgrades for installations without a revision; here the revision keeps its name while its version changes.",
    evidence: "The label istio.io/rev of the istiod Deployment.",
    fix: "Make sure that the revision's name says no version, or people will take it for what runs.",
});
/// Evictions are blocked.
pub const NO_DISRUPTION_ALLOWED: Code = Code(&Rule {
    id: "MU307",
    title: "A PodDisruptionBudget of istiod allows no eviction",
    severity: Severity::Warning,
    waivable: true,
    cause: "Draining a node waits for ever, and with it the Kubernetes upgrade that a hop may need.",
    evidence: "minAvailable, the pods that it covers and disruptionsAllowed of the PodDisruptionBudgets with the label app=istiod.",
    fix: "Run at least one istiod more than minAvailable.",
});
/// A tag points to nothing.
pub const TAG_LEADS_NOWHERE: Code = Code(&Rule {
    id: "MU308",
    title: "A revision tag leads to no control plane",
    severity: Severity::Warning,
    waivable: true,
    cause: "Pods of namespaces with this tag are not injected, or cannot be created.",
    evidence: "The labels istio.io/tag and istio.io/rev of the MutatingWebhookConfigurations, against the control planes and the injectors that lead elsewhere.",
    fix: "Let the tag point to a revision that runs: istioctl tag set TAG --revision REVISION --overwrite, or remove it.",
});
/// A webhook's Service is missing.
pub const WEBHOOK_LEADS_NOWHERE: Code = Code(&Rule {
    id: "MU309",
    title: "A webhook of Istio leads nowhere",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Its Service is gone: what it is asked about is refused or passes unseen, in the middle of an upgrade as well.",
    evidence: "The Service that each of Istio's webhook configurations names.",
    fix: "Delete the configuration if its control plane is gone, otherwise bring the Service back.",
});
/// The caBundle is not the mesh's.
pub const WEBHOOK_CA_WRONG: Code = Code(&Rule {
    id: "MU310",
    title: "A webhook of Istio trusts another root",
    severity: Severity::Warning,
    waivable: true,
    cause: "The API server does not trust the istiod behind it: calls fail until istiod has written its own root there.",
    evidence: "The caBundle of each of Istio's webhooks, against the root in the ConfigMap istio-ca-root-cert.",
    fix: "See in istiod's log why it does not patch the webhook; somebody else may own the field.",
});
/// Trust runs out.
pub const CERTIFICATE_EXPIRES: Code = Code(&Rule {
    id: "MU311",
    title: "A certificate that the mesh rests on expires",
    severity: Severity::Warning,
    waivable: true,
    cause: "Without its root or its issuer no workload gets a certificate, and none trusts another. An expired root is only a warning beside another that holds in the same bundle, unless what istiod signs with is still signed by the expired one.",
    evidence: "Public certificates only: ca-cert.pem, cert-chain.pem and root-cert.pem of the Secrets cacerts and istio-ca-secret, or tls.crt and ca.crt of a cacerts that cert-manager writes, the ConfigMap istio-ca-root-cert, and the webhooks' caBundles.",
    fix: "Renew it before the upgrade, following Istio's instructions for plugging in certificates.",
});
/// A namespace asks for a revision that is gone.
pub const REVISION_OF_NOBODY: Code = Code(&Rule {
    id: "MU312",
    title: "Namespaces ask for a revision that is not there",
    severity: Severity::Warning,
    waivable: true,
    cause: "New pods of these namespaces get no sidecar.",
    evidence: "The label istio.io/rev of namespaces, against the control planes, tags, and the injectors that lead elsewhere.",
    fix: "Label the namespace with a revision or tag that exists.",
});
/// Nobody leads.
pub const NOBODY_LEADS: Code = Code(&Rule {
    id: "MU313",
    title: "An istiod election has no leader that is there",
    severity: Severity::Warning,
    waivable: true,
    cause: "What one istiod does for all, such as writing root certificates into namespaces and making gateways, is done by nobody, or by a revision that is not there any more.",
    evidence: "The ConfigMap istio-namespace-controller-election and the Leases of each revision in the control plane's namespace: who holds them, when they were last renewed by the API server's clock, and the environment of istiod, which says whether it stands for them.",
    fix: "See the logs of istiod for why it cannot renew; kubectl rollout restart makes its pods stand for election again.",
});
/// A rolling update finds no room.
pub const NO_ROOM_FOR_SURGE: Code = Code(&Rule {
    id: "MU314",
    title: "No node has room for the pod that a rolling update adds",
    severity: Severity::Warning,
    waivable: true,
    cause: "The update removes no pod before a new one is ready, and a new one cannot be placed: the rollout waits, with the mesh frozen, unless the cluster makes room by itself.",
    evidence: "What each node can allocate, less what its pods request, against the requests, node selector, required node affinity, required pod anti-affinity and tolerations of each istiod and gateway.",
    fix: "Add a node or free one, lower the requests, or let the update remove a pod first with rollingMaxUnavailable.",
});
/// Two injectors for the same pods.
pub const INJECTORS_OVERLAP: Code = Code(&Rule {
    id: "MU315",
    title: "Two injectors select the same pods",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Both are asked about each new pod, and the one that is asked first decides which version the pod gets: after the upgrade that may be the old one.",
    evidence: "The namespace and object selectors of the webhooks in Istio's MutatingWebhookConfigurations, which are equal in two of them (IST0139 of istioctl analyze).",
    fix: "Delete the configuration of the revision or tag that is not to inject, or set the tag anew with istioctl tag set, which takes the other one out.",
});
/// No canary of it.
pub const NO_CANARY: Code = Code(&Rule {
    id: "MU316",
    title: "The control plane cannot be upgraded as a canary",
    severity: Severity::Blocker,
    waivable: false,
    cause: "A canary needs one control plane with a revision of its own, installed by helm, and tags that the new release can take over. Where the Sail Operator makes it, because its Istio is RevisionBased, it needs one revision of that Istio alone, without ztunnel, and tags that are IstioRevisionTags.",
    evidence: "The revisions of the mesh's control planes, their helm releases, and who owns the webhooks of their tags; asked with --strategy canary, and of a Sail Operator's Istio that is RevisionBased.",
    fix: "Upgrade it where it stands, or by hand with the runbook of kubectl mesh-upgrade guide.",
});
/// The old revision may not go.
pub const REVISION_IN_USE: Code = Code(&Rule {
    id: "MU317",
    title: "Something still refers to the old revision",
    severity: Severity::Blocker,
    waivable: false,
    cause: "When the old control plane goes, proxies that it serves get no configuration any more, and pods that it injects cannot be created.",
    evidence: "Labels of namespaces, revision tags, the default validator, proxies by the revision that injected them, and values of gateways' releases; only asked with --strategy canary.",
    fix: "Label namespaces with the new revision or a tag of it, restart what runs, then apply again.",
});

pub(super) const ALL: &[Code] = &[
    ROLLOUT_INCOMPLETE,
    SINGLE_REPLICA,
    RUNNING_VERSIONS_DIFFER,
    SEVERAL_REVISIONS,
    UNFINISHED_CANARY,
    NAMED_REVISION,
    NO_DISRUPTION_ALLOWED,
    TAG_LEADS_NOWHERE,
    WEBHOOK_LEADS_NOWHERE,
    WEBHOOK_CA_WRONG,
    CERTIFICATE_EXPIRES,
    REVISION_OF_NOBODY,
    NOBODY_LEADS,
    NO_ROOM_FOR_SURGE,
    INJECTORS_OVERLAP,
    NO_CANARY,
    REVISION_IN_USE,
];
