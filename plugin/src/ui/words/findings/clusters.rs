//! MU9xx: clusters and waivers, in Chinese.

use super::Told;

pub(super) const TOLD: &[Told] = &[
    Told {
        id: "MU901",
        title: "有集群观察不到",
        cause: "看不见的就不算好：它的 Kubernetes、Istio 和配置都是未知的。",
        evidence: "集群的 API server 或通往它的路径所返回的错误。",
        fix: "让这个 kubeconfig 能够访问该集群，或把它从网格中去掉，然后重新检查。",
    },
    Told {
        id: "MU902",
        title: "网格由其所有者自行运维",
        cause: "其 Mesh 对象写着 management: External；本工具检查并给出建议，绝不向它写入。",
        evidence: "Mesh 对象的字段 spec.management。",
        fix: "把这些发现以及 kubectl mesh-upgrade guide 写出的操作手册交给所有者。",
    },
    Told {
        id: "MU903",
        title: "两个名称指向同一个集群",
        cause: "计划会把一个集群改动两次，并把它算作两个。",
        evidence: "每个集群中命名空间 kube-system 的 UID。",
        fix: "每个集群只写一个名称：改正 kubeconfig 的上下文或 Mesh 对象的集群。",
    },
    Told {
        id: "MU904",
        title: "有豁免不起作用",
        cause: "它已过期，或者它指出的发现不能豁免，或者没有出现。",
        evidence: "给出的豁免，与各发现和今天的日期对照。",
        fix: "以新的到期日更新该豁免，或移除它。",
    },
    Told {
        id: "MU905",
        title: "集群的某一部分读不到",
        cause: "集群有应答，但不是对所有请求：没有看到的可能正是挡在路上的。",
        evidence: "单个请求所返回的错误，例如被禁止的列表请求。",
        fix: "取得该发现所指出的读取权限，或修复损坏之处，然后重新检查。",
    },
    Told {
        id: "MU906",
        title: "配置的某一部分无法查看",
        cause: "需要它的检查没有进行：它们本会发现的内容不在这份报告中。",
        evidence: "API server 的应答。",
        fix: "取得读取它的权限，然后重新检查。",
    },
    Told {
        id: "MU907",
        title: "外部控制平面的配置所在之处，没有任何东西由 helm 管理",
        cause: "这是 Istio 的外部控制平面：istiod 运行在一个集群，其配置、CRD 和 webhook 在另一个集群。apply 将两者一起升级，而在另一个集群中没有找到 Istio 各 chart 的 helm release。",
        evidence: "istiod 旁边的 Secret istio-kubeconfig 的键 config，istiod 从中取得它的 kubeconfig；以及它所指向的集群的各 helm release。",
        fix: "用 helm 接管那里的内容，或按 kubectl mesh-upgrade guide 的操作手册升级，其中写明每一步在哪个集群。",
    },
];
