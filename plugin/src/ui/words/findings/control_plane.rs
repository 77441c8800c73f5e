//! MU3xx: the control plane, in Chinese.

use super::Told;

pub(super) const TOLD: &[Told] = &[
    Told {
        id: "MU301",
        title: "有滚动更新尚未完成",
        cause: "已经有东西正在改动，或者 pod 没有就绪；在此之上的升级将无法与之区分。",
        evidence: "每个 istiod、节点组件和网关期望的、已更新的和就绪的 pod 数，以及其控制器是否已看到最新的规格。",
        fix: "等到滚动更新完成，或者修复它；kubectl rollout status 显示进展。",
    },
    Told {
        id: "MU302",
        title: "istiod 的副本少于两个",
        cause: "在其唯一的 pod 被替换期间，不能注入 sidecar，不能校验配置，新的代理也得不到配置。",
        evidence: "每个 istiod Deployment 期望的 pod 数。",
        fix: "至少运行两个副本：在 istiod chart 的 values 中把 autoscaleMin 或 replicaCount 设为 2。",
    },
    Told {
        id: "MU303",
        title: "同一个 istiod 的各 pod 报告不同版本",
        cause: "新旧 pod 同时提供服务：滚动更新正在进行，或者有 pod 被手工改动。",
        evidence: "每个就绪的 pod 在 :15014/version 报告的内容，与镜像标签对照。",
        fix: "等到滚动更新完成，或删除运行错误版本的 pod。",
    },
    Told {
        id: "MU304",
        title: "运行着多个修订版的 istiod",
        cause: "金丝雀升级没有完成，或者是有意保留这些修订版；每一个都会原地升级。",
        evidence: "集群中该网格所有 istiod Deployment 的标签 istio.io/rev。",
        fix: "移除没有命名空间使用的修订版：istioctl tag list 显示哪些在用。",
    },
    Told {
        id: "MU305",
        title: "修订版金丝雀升级尚未完成",
        cause: "同一集群中运行着不同版本的修订版：一些工作负载用旧的，一些用新的。",
        evidence: "集群中该网格所有 istiod Deployment 的修订版和版本。",
        fix: "完成金丝雀升级或者退回：把所有命名空间和标签移到一个修订版，移除另一个，然后重新检查。",
    },
    Told {
        id: "MU306",
        title: "具名修订版将被原地升级",
        cause: "Istio 只为没有修订版的安装记载了原地升级；这里修订版的名称不变，而其版本改变。",
        evidence: "istiod Deployment 的标签 istio.io/rev。",
        fix: "确保修订版的名称不含版本号，否则人们会以为运行的就是它。",
    },
    Told {
        id: "MU307",
        title: "istiod 的 PodDisruptionBudget 不允许任何驱逐",
        cause: "排空节点会永远等待，某一跳可能需要的 Kubernetes 升级也随之等待。",
        evidence: "带标签 app=istiod 的 PodDisruptionBudget 的 minAvailable、它覆盖的 pod 以及 disruptionsAllowed。",
        fix: "运行的 istiod 至少比 minAvailable 多一个。",
    },
    Told {
        id: "MU308",
        title: "某个修订版标签不指向任何控制平面",
        cause: "带此标签的命名空间中的 pod 不会被注入，或者无法创建。",
        evidence: "MutatingWebhookConfiguration 的标签 istio.io/tag 和 istio.io/rev，与各控制平面对照。",
        fix: "让标签指向正在运行的修订版：istioctl tag set TAG --revision REVISION --overwrite，或者移除它。",
    },
    Told {
        id: "MU309",
        title: "Istio 的某个 webhook 无处可去",
        cause: "它的 Service 不见了：本该询问它的请求会被拒绝，或者未经查看就通过，在升级中途也是如此。",
        evidence: "Istio 的每个 webhook 配置所指定的 Service。",
        fix: "如果其控制平面已经不在，就删除该配置，否则恢复那个 Service。",
    },
    Told {
        id: "MU310",
        title: "Istio 的某个 webhook 信任另一个根证书",
        cause: "API server 不信任其背后的 istiod：在 istiod 把自己的根证书写到那里之前，调用都会失败。",
        evidence: "Istio 每个 webhook 的 caBundle，与 ConfigMap istio-ca-root-cert 中的根证书对照。",
        fix: "查看 istiod 的日志，看它为什么没有修补该 webhook；可能有别人拥有这个字段。",
    },
    Told {
        id: "MU311",
        title: "网格所依赖的某个证书即将过期",
        cause: "没有根证书或签发者，任何工作负载都得不到证书，也不信任彼此。",
        evidence: "只看公开的证书：Secret cacerts 和 istio-ca-secret 中的 ca-cert.pem、cert-chain.pem 和 root-cert.pem，ConfigMap istio-ca-root-cert，以及各 webhook 的 caBundle。",
        fix: "在升级之前按照 Istio 关于接入证书的说明更新它。",
    },
    Told {
        id: "MU312",
        title: "有命名空间要求不存在的修订版",
        cause: "这些命名空间中新的 pod 得不到 sidecar。",
        evidence: "命名空间的标签 istio.io/rev，与各控制平面和标签对照。",
        fix: "给命名空间打上存在的修订版或标签。",
    },
    Told {
        id: "MU313",
        title: "某个 istiod 选举的领导者已不存在",
        cause: "一个 istiod 为大家做的事，例如把根证书写入各命名空间、创建网关，没有人做，或者由一个已不存在的修订版来做。",
        evidence: "ConfigMap istio-namespace-controller-election 以及控制平面命名空间中每个修订版的 Lease：由谁持有，按 API server 的时钟最后何时续期。",
        fix: "查看 istiod 的日志，看它为什么不能续期；kubectl rollout restart 会让其 pod 重新参选。",
    },
    Told {
        id: "MU314",
        title: "没有节点容得下滚动更新多出的那个 pod",
        cause: "更新在新 pod 就绪之前不会移除任何 pod，而新 pod 无处安放：除非集群自己腾出地方，否则滚动更新会在网格冻结的状态下等待。",
        evidence: "每个节点可分配的资源，减去其 pod 请求的，与每个 istiod 和网关的请求、节点选择器和容忍对照。",
        fix: "增加或腾空一个节点，降低请求，或用 rollingMaxUnavailable 让更新先移除一个 pod。",
    },
];
