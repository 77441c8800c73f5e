//! What the test control plane is built from. This file's text is part of the cache's key.

/// One Go module below `tests/controlplane`, and the program it gives.
pub(super) struct Part {
    /// The module's folder.
    pub module: &'static str,
    /// What the program is called in the cache.
    pub program: &'static str,
    /// The Go package to build.
    pub package: &'static str,
    /// Variables to set at link time: without them each program calls itself unknown.
    pub variables: &'static [(&'static str, &'static str)],
}

const KUBERNETES_VERSION: &str = "v1.36.3";

/// All parts, in the order they are built.
pub(super) const PARTS: [Part; 5] = [
    Part {
        module: "kubernetes",
        program: "controlplane",
        package: ".",
        variables: &[
            ("k8s.io/component-base/version.gitVersion", KUBERNETES_VERSION),
            ("k8s.io/component-base/version.gitMajor", "1"),
            ("k8s.io/component-base/version.gitMinor", "36"),
            ("k8s.io/client-go/pkg/version.gitVersion", KUBERNETES_VERSION),
            ("helm.sh/helm/v4/internal/version.version", "v4.3.1"),
        ],
    },
    Part {
        module: "kwok",
        program: "kwok",
        package: "sigs.k8s.io/kwok/cmd/kwok",
        variables: &[],
    },
    Part {
        module: "helm-3",
        program: "helm-3",
        package: "helm.sh/helm/v3/cmd/helm",
        variables: &[("helm.sh/helm/v3/internal/version.version", "v3.22.0")],
    },
    Part {
        module: "istio-1.30",
        program: "pilot-discovery-1.30",
        package: "istio.io/istio/pilot/cmd/pilot-discovery",
        variables: &[
            ("istio.io/istio/pkg/version.buildVersion", "1.30.3"),
            ("istio.io/istio/pkg/version.buildGitRevision", "9739e10eb9d7"),
            ("istio.io/istio/pkg/version.buildStatus", "Clean"),
            ("istio.io/istio/pkg/version.buildTag", "1.30.3"),
        ],
    },
    Part {
        module: "istio-1.31",
        program: "pilot-discovery-1.31",
        package: "istio.io/istio/pilot/cmd/pilot-discovery",
        variables: &[
            ("istio.io/istio/pkg/version.buildVersion", "1.31.0"),
            ("istio.io/istio/pkg/version.buildGitRevision", "eed52ebb66ad"),
            ("istio.io/istio/pkg/version.buildStatus", "Clean"),
            ("istio.io/istio/pkg/version.buildTag", "1.31.0"),
        ],
    },
];

/// Names under which the multi-call binary is another program.
pub(super) const MULTI_CALL: [&str; 6] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "helm",
];

/// The module and folder that kwok's stages come from, and the stages: nodes become ready and renew their lease, pods
/// run at once, Jobs end, deleted pods go.
pub(super) const KWOK_MODULE: (&str, &str) = ("kwok", "sigs.k8s.io/kwok");
/// Files below kwok's `kustomize/stage`.
pub(super) const KWOK_STAGES: [&str; 5] = [
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
];
/// A stage of ours, for pods whose image cannot be pulled.
pub(super) const OWN_STAGE: &str = "kwok/unpullable.yaml";

/// Istio's minors whose charts are there, and the modules they come from.
pub(super) const CHART_MODULES: [(&str, &str); 2] = [("1.30", "istio-1.30"), ("1.31", "istio-1.31")];
/// The charts' usual names and their folders below Istio's `manifests/charts`.
pub(super) const CHARTS: [(&str, &str); 5] = [
    ("base", "base"),
    ("istiod", "istio-control/istio-discovery"),
    ("cni", "istio-cni"),
    ("ztunnel", "ztunnel"),
    ("gateway", "gateway"),
];
