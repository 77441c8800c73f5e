//! MU8xx: the data plane, in Chinese.

use super::Told;

pub(super) const TOLD: &[Told] = &[
    Told {
        id: "MU801",
        title: "有代理落后目标太多",
        cause: "Istio 支持代理最多落后其控制平面一个次要版本；更旧的可能拒绝目标版本发给它们的内容。",
        evidence: "所有代理的镜像，按命名空间、种类和版本计数。",
        fix: "重启这些工作负载，使其得到正在运行的版本的代理，然后重新检查。",
    },
    Told {
        id: "MU802",
        title: "有代理比目标新",
        cause: "比其控制平面新的代理不受支持。",
        evidence: "所有代理的镜像，按命名空间、种类和版本计数。",
        fix: "查明是谁注入了它们；选择不更旧的目标。",
    },
    Told {
        id: "MU803",
        title: "读不出代理的版本",
        cause: "镜像只用摘要，或用不是版本的标签来指定，就说不出代理落后多少。",
        evidence: "所有代理的镜像，按命名空间、种类和版本计数。",
        fix: "让它们运行标签为版本的镜像。",
    },
    Told {
        id: "MU804",
        title: "有代理属于不存在的修订版",
        cause: "它们由已不存在的控制平面注入：没有人配置它们，重启会被拒绝，或者使它们没有代理。",
        evidence: "注入时留在 pod 中的修订版，与各控制平面、标签以及负责注入的 webhook 对照。",
        fix: "把它们的命名空间移到存在的修订版或标签，并重启它们。",
    },
    Told {
        id: "MU805",
        title: "有 waypoint 拒绝目标的监听器",
        cause: "istiod 1.29.2 到 1.29.4、1.30.0 和 1.30.1 向每个 waypoint 发送一个过滤器，比 1.29.2 旧的代理不认识它：它们会拒绝该监听器。",
        evidence: "所有代理的镜像，按命名空间、种类和版本计数。",
        fix: "选择 1.29.5、1.30.2 或更新的版本，它们会先看 waypoint 有多旧。",
    },
    Told {
        id: "MU806",
        title: "sidecar 会变成原生 sidecar",
        cause: "从 1.27 起，如果每个 kubelet 都是 1.33 或更新，或者 ENABLE_NATIVE_SIDECARS 为 true，sidecar 是一个常驻的 init 容器：在普通容器中查找、修补 istio-proxy，或在 Job 完成时结束它的，都不再找得到它。",
        evidence: "其 istio-proxy 是普通容器的 pod、经过 1.27 的一跳、所有节点的 kubelet、istiod 的环境变量、优先于它的注解 sidecar.istio.io/nativeSidecar，以及其他方针对 pod 的 MutatingWebhookConfiguration。",
        fix: "查看引用容器 istio-proxy 的 webhook、策略和 Job；暂时把 ENABLE_NATIVE_SIDECARS 设为 false，或给个别 pod 加上注解 sidecar.istio.io/nativeSidecar=false。",
    },
    Told {
        id: "MU807",
        title: "替换 ztunnel 会切断长连接",
        cause: "节点上 pod 的连接都经过该节点的 ztunnel：比被替换者的宽限期更长的连接会被切断，同时受影响的节点数由 DaemonSet 的更新策略决定。",
        evidence: "ztunnel 的 DaemonSet 的更新策略和宽限期。",
        fix: "让节点逐个替换（ztunnel 的 values 中的 updateStrategy），并使宽限期不短于连接的时长（terminationGracePeriodSeconds）。",
    },
];
