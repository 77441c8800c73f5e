//! MU8xx: whether the proxies that run can live with the target.

use super::{Code, Rule, Severity};

/// Proxies are too old for the target.
pub const PROXIES_TOO_OLD: Code = Code(&Rule {
    id: "MU801",
    title: "Proxies are too far behind the target",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Istio supports proxies at most one minor behind their control plane; older ones may refuse what the target sends them.",
    evidence: "The images of all proxies, counted by namespace, kind and version.",
    fix: "Restart these workloads, so that they get the proxy of the version that runs, then check again.",
});
/// Proxies are newer than the target.
pub const PROXIES_AHEAD: Code = Code(&Rule {
    id: "MU802",
    title: "Proxies are newer than the target",
    severity: Severity::Warning,
    waivable: true,
    cause: "A proxy that is newer than its control plane is not supported.",
    evidence: "The images of all proxies, counted by namespace, kind and version.",
    fix: "Find out who injected them; choose a target that is not older.",
});
/// Versions of proxies cannot be read.
pub const PROXIES_UNREADABLE: Code = Code(&Rule {
    id: "MU803",
    title: "The version of proxies cannot be read",
    severity: Severity::Warning,
    waivable: true,
    cause: "An image that is named by digest only, or by a tag that is no version, does not say how far behind a proxy is.",
    evidence: "The images of all proxies, counted by namespace, kind and version.",
    fix: "Let them run images whose tag is a version.",
});
/// Proxies of a revision that is gone.
pub const PROXIES_OF_NO_REVISION: Code = Code(&Rule {
    id: "MU804",
    title: "Proxies belong to a revision that is not there",
    severity: Severity::Warning,
    waivable: true,
    cause: "They were injected by a control plane that is gone: nobody configures them, and a restart is refused or leaves them without a proxy.",
    evidence: "The revision that injection left in the pods, against the control planes, tags, and the webhooks that inject.",
    fix: "Move their namespace to a revision or tag that exists, and restart them.",
});
/// Old waypoints refuse what some patches send.
pub const PROXIES_REFUSE_NEWER: Code = Code(&Rule {
    id: "MU805",
    title: "Waypoints refuse listeners of the target",
    severity: Severity::Warning,
    waivable: true,
    cause: "istiod 1.29.2 to 1.29.4, 1.30.0 and 1.30.1 send every waypoint a filter that proxies older than 1.29.2 do not know: they refuse the listener.",
    evidence: "The images of all proxies, counted by namespace, kind and version.",
    fix: "Choose 1.29.5, 1.30.2 or newer, which ask how old the waypoint is.",
});
/// 1.27 makes sidecars native.
pub const BECOME_NATIVE: Code = Code(&Rule {
    id: "MU806",
    title: "Sidecars become native ones",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.27 on a sidecar is an init container that stays, where every kubelet is 1.33 or newer or ENABLE_NATIVE_SIDECARS is true: what looks for istio-proxy among the containers, patches it there, or ends it when a Job is done, no longer finds it.",
    evidence: "Pods whose istio-proxy is an ordinary container, a hop that leads over 1.27, the kubelets of all nodes, the environment of istiod, the annotation sidecar.istio.io/nativeSidecar, which overrules it, and MutatingWebhookConfigurations of others on pods.",
    fix: "Look at webhooks, policies and Jobs that name the container istio-proxy; set ENABLE_NATIVE_SIDECARS to false for the time being, or annotate single pods with sidecar.istio.io/nativeSidecar=false.",
});
/// A node's long connections end with its ztunnel.
pub const ZTUNNEL_PACE: Code = Code(&Rule {
    id: "MU807",
    title: "Replacing ztunnel cuts long connections",
    severity: Severity::Warning,
    waivable: true,
    cause: "Connections of a node's pods go through its ztunnel: those that outlive the grace period of the one that is replaced are cut, on as many nodes at once as the DaemonSet's update strategy allows.",
    evidence: "The update strategy and the grace period of ztunnel's DaemonSet.",
    fix: "Let one node go after the other (updateStrategy in ztunnel's values), and make the grace period as long as your connections last (terminationGracePeriodSeconds).",
});

pub(super) const ALL: &[Code] = &[
    PROXIES_TOO_OLD,
    PROXIES_AHEAD,
    PROXIES_UNREADABLE,
    PROXIES_OF_NO_REVISION,
    PROXIES_REFUSE_NEWER,
    BECOME_NATIVE,
    ZTUNNEL_PACE,
];
