//! What the runbook of `guide` says between its commands, as a page and as a script.

super::told! {
    // page and script
    "Mesh {mesh}: Istio {from} to {to}, {}" => "网格 {mesh}：Istio {from} 到 {to}，{0!}";
    "in-place" => "原地升级";
    "canary" => "金丝雀升级";
    "| Cluster | Context | Kubernetes | Installed by | Control planes | Images |"
        => "| 集群 | Context | Kubernetes | 安装方式 | 控制平面 | 镜像 |";
    "Some commands keep files in a private folder; make it first, and remove it afterwards:"
        => "有些命令把文件放在私有目录中；请先创建它，事后删除：";
    "What stands in the way of the first hop, or should be known" => "第一步的障碍，以及应当知道的事";
    "blocker:" => "阻塞：";
    "warning:" => "警告：";
    "Before, each has to end with 0:" => "之前，每一条都必须以 0 结束：";
    "Do:" => "执行：";
    "Afterwards, each has to end with 0:" => "之后，每一条都必须以 0 结束：";
    "it may take a moment" => "可能需要等一会儿";
    "Look at:" => "查看：";
    "Way back:" => "回退：";
    "It stops before each step and asks; --yes, or MESH_UPGRADE_YES=yes, goes on by itself."
        => "它在每一步之前停下来询问；用 --yes 或 MESH_UPGRADE_YES=yes 则自行继续。";
    "Values of helm releases pass through files; nobody else reads them, and they go when this ends."
        => "helm release 的值会经过文件；别人读不到，脚本结束时删除。";
    "the beginning" => "开头";
    "Stopped in %s. When it is mended, run this again and answer skip to what is done."
        => "停在 %s。处理好之后，请再次运行，对已完成的步骤回答 skip。";
    "Asks before a step. Ends with 0 to do it, and with 1 to skip it." => "在每一步之前询问。以 0 结束表示执行，以 1 结束表示跳过。";
    "Do it? [yes, skip, or anything else to stop]" => "执行吗？[yes 执行，skip 跳过，其他则停止]";
    "you did not say yes" => "您没有回答 yes";
    "Something that no command does." => "没有命令能做的事。";
    "BY HAND: %s" => "手工：%s";
    "Enter when it is done:" => "完成后按回车：";
    "nobody said that it is done" => "没有人说它已完成";
    "Ends with 0 until something has been tried too often." => "以 0 结束，直到尝试次数过多。";
    "this does not hold: $1" => "不成立：$1";
    "this does not hold: {}" => "不成立：{}";
    "the end" => "末尾";
    "Mesh {mesh} is at {to}." => "网格 {mesh} 已是 {to}。";
    "look:" => "查看：";
    "it cannot be looked at" => "无法查看";
    "check:" => "检查：";

    // why there is none
    "mesh {mesh} runs {to} already: there is nothing to guide to" => "网格 {mesh} 已运行 {to}：没有什么可写的";
    "mesh {mesh} runs {from}, which is newer than {to}: Istio has no tested way back beyond the last hop"
        => "网格 {mesh} 运行 {from}，比 {to} 更新：除最近一步之外，Istio 没有测试过的回退";
    "mesh {mesh} runs {from}, and {to} is of another flavor: a mesh is not converted, because the vendor's build differs in more than its version; install a mesh of the other flavor and move the workloads"
        => "网格 {mesh} 运行 {from}，而 {to} 是另一种 flavor：网格不会转换，因为供应商的构建不只是版本不同；请安装另一种 flavor 的网格并迁移工作负载";
    "mesh {mesh} has no control plane whose version can be read" => "网格 {mesh} 没有能读出版本的控制平面";
    "cluster {cluster} could not be observed: {reason}; a guide names what is there, so it needs all clusters"
        => "无法观察集群 {cluster}：{reason}；手册写的是实际情况，因此需要所有集群";
    "mesh {mesh} has no way to {to}: {reason}" => "网格 {mesh} 没有通向 {to} 的路径：{reason}";
    "mesh {mesh} cannot be upgraded as a canary: {reason}" => "网格 {mesh} 无法以金丝雀方式升级：{reason}";

    // what was detected
    "istiod of revision {} in {}: {}" => "{1} 中修订 {0} 的 istiod：{2}";
    "unreadable ({})" => "无法识别（{}）";
    "Made from what was observed; nothing was written to any cluster. If the mesh changes, make it anew."
        => "根据观察到的内容生成；没有向任何集群写入任何东西。如果网格有变化，请重新生成。";
    "In place: each control plane is upgraded where it stands, one minor at a time, which is what Istio tests."
        => "原地升级：每个控制平面在原处升级，每次一个次要版本，这正是 Istio 测试过的方式。";
    "As a canary: a new revision is installed beside the one that runs, the data plane moves over, and the old one goes when nothing uses it any more. Until then the way back is to move back."
        => "金丝雀升级：在运行的修订旁边安装新的修订，数据平面迁移过去，不再有任何东西使用旧修订时将其移除。在此之前，回退就是迁移回去。";
    "{hops} minors are in the way, and jumps over a minor are not tested by Istio: each hop is brought to its end, the data plane restarted, before the next one begins. Make this guide anew after each hop: later chapters are worked out, not observed."
        => "途中有 {hops} 个次要版本，而 Istio 不测试跨越次要版本的升级：每一步都完成到底、重启数据平面之后，才开始下一步。每一步之后请重新生成本手册：后面的章节是推算出来的，不是观察到的。";
    "This tool can do it itself, frozen and resumable: kubectl mesh-upgrade apply {} --to VERSION, hop by hop."
        => "本工具可以自行完成，期间冻结且可继续：kubectl mesh-upgrade apply {} --to VERSION，逐个次要版本进行。";
    "The mesh is operated by its owner: this tool only advises, and never writes to it."
        => "这个网格由其所有者运维：本工具只提供建议，绝不向其写入。";
    "The charts are in one folder: it has to hold a packaged chart of each hop (istiod-VERSION.tgz); an unpacked one is of one version only, and the checks will say so."
        => "chart 都在一个目录中：其中必须有每一步的打包 chart（istiod-VERSION.tgz）；未打包的 chart 只有一个版本，检查会指出这一点。";
    "The control plane in {} is an external one: its configuration, Istio's definitions and its webhooks are in {}, which comes first with the definitions and is where validation and injection are proved."
        => "{0} 中的控制平面是外部控制平面：其配置、Istio 的定义和 webhook 都在 {1} 中，定义先在那里升级，验证和注入也在那里证明。";
    "No context of yours leads to {}: add --context (helm: --kube-context) to its commands."
        => "您没有通向 {} 的 context：请在其命令中加上 --context（helm 用 --kube-context）。";
    "{} takes its images from {hub}: the images of each version on the way (pilot, proxyv2, and install-cni or ztunnel where they run) have to be there before its chapter begins."
        => "{0} 的镜像取自 {hub}：途中每个版本的镜像（pilot、proxyv2，以及运行了的 install-cni 或 ztunnel）必须在其章节开始之前就在那里。";

    // before
    "Tools at hand" => "手头的工具";
    "nothing is changed" => "没有任何改动";
    "The mesh is what this guide was made for; keep a copy of its configuration" => "网格与生成本手册时一致；保留一份配置副本";
    "The copy goes into the folder named by KEEP, or the current one: it holds your mesh's configuration, and no Secret."
        => "副本放在 KEEP 指定的目录，否则放在当前目录：其中是网格的配置，不含 Secret。";
    "Before you begin" => "开始之前";
    "Tell everybody who changes this mesh, and stop pipelines that do: nothing here freezes it."
        => "请告知所有会改动这个网格的人，并停下会改动它的流水线：这里没有任何东西会冻结它。";
    "{} answers" => "{} 有应答";
    "helm is version 4, which made these releases" => "helm 是第 4 版，这些 release 就是用它创建的";
    "helm is 3.14 or newer, which knows --reset-then-reuse-values" => "helm 为 3.14 或更新，支持 --reset-then-reuse-values";

    // by hand
    "upgrade the operator behind {object} to a release that knows {}: it brings Istio's definitions with it"
        => "把 {object} 背后的 operator 升级到支持 {0} 的版本：它会带来 Istio 的定义";
    "in the repository that {object} follows, move the chart base, with Istio's definitions, to {} and let it sync that alone"
        => "在 {object} 跟随的仓库中，把含有 Istio 定义的 chart base 改为 {0}，并只同步这一项";
    "apply Istio's definitions of {} with the tool that installed them" => "用当初安装的工具应用 {} 的 Istio 定义";
    "base: Istio's definitions to {}" => "base：Istio 的定义到 {}";
    "All charts at once is how meshes break: one component after the other." => "一次改动所有 chart 正是网格出故障的原因：请逐个组件进行。";
    "Istio's definitions are served" => "Istio 的定义可用";
    "none is needed: newer definitions serve an older istiod" => "不需要：较新的定义也适用于较旧的 istiod";
    "{component}: {} in {} to {}" => "{component}：{1} 中的 {0} 到 {2}";
    "the same change back to {}" => "以同样的改动回到 {}";
    "in the repository that {object} follows, move the chart {component} to {} and let it sync"
        => "在 {object} 跟随的仓库中，把 chart {component} 改为 {0} 并让它同步";
    "set the version {} in {object}, and let its operator work" => "在 {object} 中设置版本 {0}，让其 operator 去完成";
    "upgrade {component} to {} with the tool that installed it; no mark says which"
        => "用当初安装的工具把 {component} 升级到 {0}；没有标记说明是哪个工具";

    // checks
    "{name} in {} is rolled out" => "{0} 中的 {name} 已完成滚动更新";
    "{name} in {} is at {version}" => "{0} 中的 {name} 已是 {version}";
    "helm release {} in {} is deployed" => "{1} 中的 helm release {0} 已部署";
    "chart {component} {version} is to be had" => "能取得 chart {component} {version}";
    "Istio's validation refuses a VirtualService that is wrong (a dry run: nothing is written)"
        => "Istio 的验证会拒绝错误的 VirtualService（dry run：不写入任何东西）";
    "a pod that asks for injection gets the proxy {version} (a dry run: nothing is written)"
        => "要求注入的 Pod 会得到代理 {version}（dry run：不写入任何东西）";
    "every proxy is connected and SYNCED, and none says STALE or is missing" => "每个代理都已连接且为 SYNCED，没有 STALE 的，也没有缺少的";
    "no warning in {name} that is new" => "{name} 中没有新的警告";

    // helm
    "{component}: helm release {} in {} to {}" => "{component}：{1} 中的 helm release {0} 到 {2}";
    "Istio's definitions and the default validator. Definitions of a newer Istio serve an older istiod, so they come first, in every cluster."
        => "Istio 的定义和默认验证器。较新 Istio 的定义也适用于较旧的 istiod，因此在每个集群中都最先升级。";
    "The control plane. Proxies keep what they have while it is replaced; new pods wait for injection."
        => "控制平面。替换期间代理保留已有的配置；新的 Pod 等待注入。";
    "The node agent, node by node: pods that start on a node meanwhile may have to wait for it."
        => "节点代理，逐个节点进行：其间在该节点上启动的 Pod 可能需要等待它。";
    "The ambient node proxy, node by node: long-lived connections through it are reset when it goes. Drain nodes whose connections must not break."
        => "ambient 的节点代理，逐个节点进行：它离开时，经过它的长连接会被重置。连接不能中断的节点请先排空（drain）。";
    "What the vendor runs beside Istio's own components, after the control plane." => "供应商在 Istio 自身组件之外运行的部分，在控制平面之后。";
    "Traffic from outside passes here: watch it while the pods are replaced." => "来自外部的流量从这里经过：替换 Pod 时请留意。";
    "{} has one replica: nothing is injected or validated while it is replaced." => "{} 只有一个副本：替换期间不会注入，也不会验证。";
    "none is needed: the definitions of the newer Istio serve the older one, and going back with them may lose fields of what was written meanwhile"
        => "不需要：较新 Istio 的定义也适用于较旧的 Istio，而退回定义可能丢失其间写入内容的字段";
    "back to {}, as long as nothing newer than it relies on the new version" => "回到 {}，前提是没有更新的东西依赖新版本";
    "upgrade {name} in {} to {} with the tool that installed it" => "用当初安装的工具把 {0} 中的 {name} 升级到 {1}";
    "gateway: {name} in {}" => "gateway：{0} 中的 {name}";
    "traffic from outside arrives as before" => "来自外部的流量照常到达";
    "none of its own: it follows the istiod that injects it" => "没有单独的回退：它跟随为它注入的 istiod";

    // istioctl
    "ISTIO_FILE names the IstioOperator file that this mesh was installed with (istioctl keeps no record of it; the values that came out of it stand in the ConfigMap values, key original-values)"
        => "ISTIO_FILE 指定安装这个网格时所用的 IstioOperator 文件（istioctl 不保留它；由它得出的值在 ConfigMap values 的键 original-values 中）";
    "istioctl is {version}: it installs its own version" => "istioctl 是 {version}：它安装自己的版本";
    "what istioctl itself reports" => "istioctl 自己报告的内容";
    "istioctl to {}" => "istioctl 到 {}";
    "Definitions, control plane, CNI, ztunnel and the gateways of the file, in istioctl's own order."
        => "定义、控制平面、CNI、ztunnel 和文件中的网关，按 istioctl 自己的顺序。";
    "A tag or a hub that the file names is what gets installed: move it to the target first."
        => "文件中写明的 tag 或 hub 就是会安装的：请先改为目标版本。";
    "istioctl {} install with the same file, as long as nothing newer relies on the new version"
        => "用同一文件执行 {} 版 istioctl 的 install，前提是没有更新的东西依赖新版本";

    // restarts
    "Restart the workloads of {namespace}" => "重启 {namespace} 的工作负载";
    "kubectl rollout undo brings the same pods back with the proxy of the day" => "kubectl rollout undo 会让同样的 Pod 带着当时的代理回来";
    "{reference} in {name} is rolled out" => "{name} 中的 {reference} 已完成滚动更新";
    "{reference} ends by itself, or is made again: its pod keeps the old proxy until then."
        => "{reference} 会自行结束或重新创建：在此之前其 Pod 保留旧的代理。";
    "nothing injects revision {revision} any more: label {namespace}, or the pods of {reference}, with a revision or a tag that is there, then restart {reference}"
        => "已没有东西注入 revision {revision}：请给 {namespace} 或 {reference} 的 Pod 打上现有 revision 或标签，然后重启 {reference}";
    "restart {reference} in {name} with the tool that runs it" => "用运行它的工具重启 {name} 中的 {reference}";
    "make {reference} in {name} anew: nothing makes it again when it is deleted" => "重新创建 {name} 中的 {reference}：删除后没有东西会重建它";
    "PodDisruptionBudgets that allow no eviction now: {}. A rolling restart goes past them; a drain of a node does not."
        => "目前不允许驱逐的 PodDisruptionBudget：{}。滚动重启不受其限制；排空节点则受限制。";
    "Restart the data plane" => "重启数据平面";
    "restart every workload with a sidecar; kubectl mesh-upgrade dataplane status names them"
        => "重启每个带 sidecar 的工作负载；kubectl mesh-upgrade dataplane status 会列出它们";
    "none is needed" => "不需要";

    // the way back past the guard
    "; the guard in this cluster refuses a downgrade (MG003), and lets nobody but the owner of an external mesh go back: a Mesh object there has to say management: External first (kubectl mesh-upgrade adopt --management external)"
        => "；这个集群中的守卫会拒绝降级（MG003），只允许外部网格的所有者回退：那里的 Mesh 对象必须先写明 management: External（kubectl mesh-upgrade adopt --management external）";
    "; the guard in this cluster refuses a downgrade (MG003) but to the owner of the mesh, who allows it in writing, for four hours here (ClusterRole {DOWNGRADER_ROLE}). REASON says why"
        => "；这个集群中的守卫会拒绝降级（MG003），但网格的所有者可以书面允许，这里为四小时（ClusterRole {DOWNGRADER_ROLE}）。REASON 写明原因";
    "; the guard in this cluster refuses a downgrade (MG003) but to the owner of the mesh, who allows it in writing, for four hours here (ClusterRole {DOWNGRADER_ROLE}). REASON says why, and WRITER which user makes the change for {writer}, as system:serviceaccount:NAMESPACE:NAME"
        => "；这个集群中的守卫会拒绝降级（MG003），但网格的所有者可以书面允许，这里为四小时（ClusterRole {DOWNGRADER_ROLE}）。REASON 写明原因，WRITER 写明由哪个用户为 {writer} 做出改动，形如 system:serviceaccount:NAMESPACE:NAME";

    // the journey
    "{cluster} runs Kubernetes {to}" => "{cluster} 运行 Kubernetes {to}";
    "Kubernetes of {cluster}: {from} to {to}" => "{cluster} 的 Kubernetes：{from} 到 {to}";
    "The next Istio needs it, and the one that runs supports {to}. Control plane first, then the nodes."
        => "下一个 Istio 需要它，而运行的 Istio 支持 {to}。先升级控制平面，再升级节点。";
    "Upgrade Kubernetes of {cluster} to {to} with your own tool" => "用您自己的工具把 {cluster} 的 Kubernetes 升级到 {to}";
    "upgrade Kubernetes of {cluster} from {from} to {to}, nodes included" => "把 {cluster} 的 Kubernetes 从 {from} 升级到 {to}，包括节点";
    "Kubernetes has none" => "Kubernetes 没有回退";
    "Charts from {}." => "chart 取自 {}。";
    "Istio {} supports Kubernetes {range}." => "Istio {0} 支持 Kubernetes {range}。";
    "The Kubernetes of {} is newer than Istio {} supports: that is your risk to take, for this hop only."
        => "{} 的 Kubernetes 比 Istio {} 支持的更新：这个风险由您承担，仅限这一步。";
    "Istio {} to {}" => "Istio {} 到 {}";
    "{} runs beside it: {}." => "{} 在旁边运行：{}。";

    // as a canary
    "The tag default makes the new revision inject what names none: istio-injection=enabled, or a pod's own label."
        => "标签（tag）default 让新的修订为没有指明修订的对象注入：istio-injection=enabled，或 Pod 自己的 label。";
    "in {cluster} it was installed by {}, which makes its revisions itself" => "在 {cluster} 中它由 {0} 安装，后者自行创建修订";
    "{cluster} has no control plane of its own to stand beside" => "{cluster} 没有自己的控制平面，旁边无从安装";
    "{cluster} has {count} control planes of it already: bring that canary to its end first"
        => "{cluster} 已有它的 {count} 个控制平面：请先完成那次金丝雀升级";
    "{cluster} runs ztunnel, of which a node has only one" => "{cluster} 运行 ztunnel，而每个节点只有一个";
    "The Sail Operator brings revision {new} beside {old}, and moves IstioRevisionTags of its Istio to it. What runs stays with {old} until it is restarted; the operator takes that away when nothing refers to it."
        => "Sail Operator 会在 {old} 旁边带来修订版 {new}，并把其 Istio 的 IstioRevisionTag 移过去。正在运行的在重启之前仍由 {old} 服务；没有东西引用 {old} 时，operator 会移除它。";
    "The Sail Operator brings a revision of its own for each version beside the one that runs, one minor at a time: the data plane moves over, and the old one goes by itself when nothing uses it any more."
        => "Sail Operator 为每个版本在运行的修订旁边带来各自的修订，每次一个次要版本：数据平面迁移过去，不再有任何东西使用旧修订时，它会自行移除。";
    "Namespaces that name {} to {}" => "把指定 {} 的命名空间改为 {}";
    "istiod: revision {} beside {}" => "istiod：在 {1} 旁边安装修订 {0}";
    "The old control plane goes on; nothing uses the new one yet. {} runs beside {}, so that the cluster needs room for both."
        => "旧的控制平面继续运行；还没有东西使用新的。{} 与 {} 同时运行，因此集群需要容得下两者。";
    "The new release gets the values of the old one; the copy lies in a private folder that goes when the script ends. It may hold secrets: do not show it."
        => "新的 release 使用旧 release 的值；副本放在私有目录中，脚本结束时删除。其中可能有机密：请勿展示。";
    "take the new revision away: nothing uses it" => "移除新的修订：没有东西使用它";
    "Namespace {name} to {}" => "命名空间 {name} 到 {0}";
    "the label back, and a restart" => "改回 label，并重启";
    "Proof that nothing uses {old} any more" => "证明不再有任何东西使用 {old}";
    "no pod was injected by {old}" => "没有由 {old} 注入的 Pod";
    "no namespace names {old}" => "没有命名空间指向 {old}";
    "nothing is changed: until here the way back is to move namespaces and tags back"
        => "没有任何改动：到这里为止，回退就是把命名空间和标签（tag）移回去";
    "Remove revision {}" => "移除修订 {}";
    "From here on there is no way back but another canary." => "从这里起，除了再做一次金丝雀升级，没有别的回退。";
    "Tag {} is gone for the moment between two commands: stop rollouts, or pods start without a proxy."
        => "标签（tag）{} 在两条命令之间会短暂消失：请停止发布，否则 Pod 会在没有代理的情况下启动。";
    "For the moment between the commands it is not injected: stop rollouts until this step is done."
        => "在两条命令之间它不会注入：请停止发布，直到这一步完成。";
    "{} is gone" => "{} 已不存在";
    "none: {} would have to be installed again as a canary" => "没有：{} 必须以金丝雀方式重新安装";
    "Tag {} from {} to {}" => "标签（tag）{} 从 {} 到 {}";
    "From now on, new pods of the namespaces with this tag get the new proxy; those that run keep theirs until they are restarted."
        => "从现在起，带这个标签（tag）的命名空间中新的 Pod 得到新的代理；运行中的保留原来的，直到重启。";
    "{} belongs to the old helm release, which takes it along when it goes: it is put back at once then."
        => "{} 属于旧的 helm release，移除时会一并带走：届时会立即恢复。";
    "let the tag stand for the old revision again" => "让标签（tag）重新指向旧的修订";
    "{configuration} is of revision {revision}" => "{configuration} 的修订为 {revision}";
    "Default revision: {} to {}" => "默认修订：{} 到 {}";
    "istioctl tag remove default, as long as the old revision runs" => "istioctl tag remove default，前提是旧的修订仍在运行";
    "The default validator leads to the new revision from now on. It comes before the old one goes: without it nothing of Istio could be configured any more."
        => "默认验证器从现在起指向新的修订。这在移除旧修订之前进行：否则 Istio 的任何东西都无法再配置。";
    "let it lead to the old revision again" => "让它重新指向旧的修订";
}
