//! MU6xx: the guard, in Chinese.

use super::Told;

pub(super) const TOLD: &[Told] = &[
    Told {
        id: "MU601",
        title: "没有安装守卫",
        cause: "没有它，API server 就不能冻结网格，任何人都可以在升级中途改动它。",
        evidence: "集群中我们的 CRD、静态策略，以及驱动者的 ServiceAccount。",
        fix: "运行 kubectl mesh-upgrade guard install；没有它，apply 需要 --unguarded 和理由。",
    },
    Told {
        id: "MU602",
        title: "API server 不提供 ValidatingAdmissionPolicy",
        cause: "Kubernetes 从 1.30 起提供它；没有它，就没有在所有 pod 丢失之后仍然有效的冻结。",
        evidence: "API server 所提供资源的列表。",
        fix: "把 Kubernetes 升级到至少 1.30；在此之前，apply 需要 --unguarded 和理由。",
    },
    Told {
        id: "MU603",
        title: "没有安装守卫的 webhook",
        cause: "仅凭策略可以冻结网格；但它不能在两次升级之间拒绝跳过次要版本和混用 flavor。",
        evidence: "集群中守卫的 ValidatingWebhookConfiguration。",
        fix: "不带 --policy-only、带上 webhook 的镜像运行 kubectl mesh-upgrade guard install。",
    },
    Told {
        id: "MU604",
        title: "网格的配置只被监视，没有被冻结",
        cause: "Mesh 的 spec.freeze.mode 为 Warn：升级期间任何人都可以改动其配置，会得到警告，审计日志会有记录。组件、CRD 和 helm release 照样被冻结。",
        evidence: "Mesh 对象。",
        fix: "把 spec.freeze.mode 设为 Enforce，并在 spec.freeze.extraWriters 中列出其间必须写入者；或者保持不变，事后查看审计日志中的警告。",
    },
    Told {
        id: "MU605",
        title: "守卫属于另一个版本",
        cause: "它能冻结网格，但与插件版本不相配的守卫可能缺少插件所依赖的东西，或者要求插件所不知道的东西。",
        evidence: "静态策略在其标签 app.kubernetes.io/version 中说明的版本。",
        fix: "更新两者中较旧的一个：守卫用安装它的方式更新，即 kubectl mesh-upgrade guard install、其 chart 或 GitOps；插件用 krew 更新。",
    },
];
