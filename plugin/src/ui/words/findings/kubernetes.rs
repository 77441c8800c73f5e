//! MU2xx: the Kubernetes of the clusters, in Chinese.

use super::Told;

pub(super) const TOLD: &[Told] = &[
    Told {
        id: "MU201",
        title: "Kubernetes 版本对目标来说太低",
        cause: "集群的 Kubernetes 比目标 Istio 支持的任何版本都旧。",
        evidence: "API server 的版本与目录中目标的范围对照。",
        fix: "把该集群的 Kubernetes 升级到至少该发现所指出的版本，然后重新检查。",
    },
    Told {
        id: "MU202",
        title: "Kubernetes 版本对目标来说太高",
        cause: "集群的 Kubernetes 比目标 Istio 支持的任何版本都新。",
        evidence: "API server 的版本与目录中目标及该 flavor 其他所有版本的范围对照。",
        fix: "选择该发现所指出的更高的 Istio；如果它相差不止一个次要版本，则为其前的那一跳豁免此发现，并写明负责人和到期日。",
    },
    Told {
        id: "MU203",
        title: "还没有任何 Istio 版本支持这个 Kubernetes",
        cause: "集群的 Kubernetes 比目录中该 flavor 所有版本的范围都新。",
        evidence: "API server 的版本与目录中该 flavor 所有版本的范围对照。",
        fix: "等待支持它的版本发布，或豁免此发现并写明负责人和到期日；厂商更宽的范围可以用 --catalog FILE 传入。",
    },
    Told {
        id: "MU204",
        title: "Kubernetes 低于目标自己的下限",
        cause: "没有人在这么旧的 Kubernetes 上试过目标版本：istioctl 只是警告可能会有问题，仍会安装；它的 precheck 报告一个错误；helm 则不检查。",
        evidence: "API server 的版本，与编译进目标次要版本的 istioctl 的下限对照；1.19 及更早的版本，则与受支持或测试过的最低版本对照。",
        fix: "把该集群的 Kubernetes 升级到至少该发现所指出的版本，然后重新检查；如果您自己在那里试过目标版本，也可以豁免此发现，并注明负责人和到期日。",
    },
    Told {
        id: "MU205",
        title: "节点与其 API server 的版本相差太远",
        cause: "Kubernetes 支持 kubelet 最多落后 API server 三个次要版本，绝不支持超前；原生 sidecar 和 CNI 代理依赖 kubelet。",
        evidence: "除虚拟节点之外所有节点的 kubelet 版本；虚拟节点的版本（-vk-）是其提供者的。",
        fix: "先升级这些节点。",
    },
    Told {
        id: "MU206",
        title: "某个 helm release 含有已移除 API 的对象",
        cause: "helm 会与它上次安装的内容比较。如果其中指定了这个 Kubernetes 不再提供的 API，helm upgrade 在改动任何东西之前就会失败。",
        evidence: "Istio 各 chart 的每个 release 清单中的类型，与 Kubernetes 已移除的 API 对照。",
        fix: "用 helm 的 mapkubeapis 插件修复存储的 release，然后重新检查。",
    },
    Told {
        id: "MU207",
        title: "对象可能仍以旧版本存储",
        cause: "如果某个定义的 storedVersions 列出的不止其存储版本，就不能丢弃旧版本：这样做的更新会被 API server 拒绝。",
        evidence: "Istio 和 Gateway API 各定义的 spec.versions 和 status.storedVersions。",
        fix: "重写这些对象，例如 kubectl get KIND -A -o json | kubectl replace -f -，然后从 status.storedVersions 中去掉旧版本。",
    },
];
