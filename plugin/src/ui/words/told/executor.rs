//! What the driver says while it works: steps, waits, and why it stops.

super::told! {
    // journal and lease
    "tell the cluster by its Namespace kube-system" => "用 Namespace kube-system 识别集群";
    "read the journals of upgrades" => "读取升级的日志";
    "cannot read the journals of upgrades: {why}" => "无法读取升级的日志：{why}";
    "the ClusterRole mesh-upgrade-operator allows it; it comes with: kubectl mesh-upgrade guard install"
        => "ClusterRole mesh-upgrade-operator 允许它；它随 kubectl mesh-upgrade guard install 一起安装";
    "the definition of MeshUpgrade in the cluster is older than this plugin, and would lose a part of the plan"
        => "集群中 MeshUpgrade 的定义比本插件旧，会丢失计划的一部分";
    "nothing was changed; update it first: kubectl mesh-upgrade guard install"
        => "没有改动任何东西；请先更新它：kubectl mesh-upgrade guard install";
    "the journal {} was written by a newer plugin (journal version {}, this one knows {JOURNAL_VERSION})"
        => "日志 {0} 由更新的插件写成（日志版本 {1}，本插件只认识 {JOURNAL_VERSION}）";
    "the plan is not the one that was confirmed: in the journal {}, planHash is not that of plan"
        => "计划不是被确认过的那一个：日志 {} 中的 planHash 与 plan 不符";
    "nothing was changed now; if a newer plugin began it, this one does not read all of it: kubectl krew upgrade mesh-upgrade"
        => "现在没有改动任何东西；如果它是由更新的插件开始的，本插件读不全它：kubectl krew upgrade mesh-upgrade";
    "otherwise put the journal's plan back as it was, from a backup or the API server's audit log, then: kubectl mesh-upgrade apply {}"
        => "否则请从备份或 API 服务器的审计日志中把日志里的计划恢复原样，然后：kubectl mesh-upgrade apply {}";
    "update this plugin: kubectl krew upgrade mesh-upgrade" => "更新本插件：kubectl krew upgrade mesh-upgrade";
    "cannot read the journal {name}: {}" => "无法读取日志 {name}：{0}";
    "create the journal {name}" => "创建日志 {name}";
    "cannot {what}: {}" => "无法 {what}：{0}";
    "cannot {what}: {message}" => "无法 {what}：{message}";
    "nothing was changed" => "没有改动任何东西";
    "write to the journal {name}" => "写入日志 {name}";
    "another driver wrote to the journal {name}" => "另一个驱动者写入了日志 {name}";
    "watch it with: kubectl mesh-upgrade status" => "查看它：kubectl mesh-upgrade status";
    "nothing further was done; resume with: kubectl mesh-upgrade apply"
        => "没有再做任何事；继续：kubectl mesh-upgrade apply";
    "the journal {name} is gone in the middle of its upgrade: {why}" => "日志 {name} 在升级中途消失：{why}";
    "nothing further was done, and the freeze policy was left in place: kubectl get validatingadmissionpolicies"
        => "没有再做任何事，冻结策略留在原处：kubectl get validatingadmissionpolicies";
    "were the guard's CRDs deleted? put them back with kubectl mesh-upgrade guard install, see with kubectl mesh-upgrade check what runs now, and begin anew"
        => "守卫的 CRD 被删除了吗？用 kubectl mesh-upgrade guard install 恢复，用 kubectl mesh-upgrade check 查看现在运行的是什么，然后重新开始";
    "{}: what this driver froze late may still stand: {why}" => "{}：这个驱动者过晚设置的冻结可能还在：{why}";
    "the driver that took over has not frozen the mesh itself yet" => "接管的驱动者自己还没有冻结网格";
    "read the journal {}" => "读取日志 {}";
    "cannot take the lease {name} of the upgrade: {}" => "无法取得升级的 Lease {name}：{0}";
    "the lease is held by {holder}: watching it for {} s, to see whether that driver is alive"
        => "Lease 由 {holder} 持有：观察 {0} 秒，看那个驱动者是否还活着";
    "{holder} is driving this upgrade" => "{holder} 正在驱动这个升级";
    "read the lease {} of the upgrade" => "读取升级的 Lease {}";
    "read the lease {name} of the upgrade" => "读取升级的 Lease {name}";
    "somebody else" => "别人";
    "{rival} has taken this upgrade over" => "{rival} 已接管这个升级";
    "somebody else has taken this upgrade over" => "别人已接管这个升级";
    "the lease {} could not be renewed: {why}" => "无法续期 Lease {}：{why}";
    "the API server did not answer in time" => "API server 没有及时应答";
    "could not renew the lease" => "无法续期 Lease";
    "unknown host" => "未知主机";

    // clusters and steps
    "cluster {name} is Unknown: {why}" => "集群 {name} 状态未知（Unknown）：{why}";
    "cluster {name} of the plan is not reachable through this kubeconfig" => "通过这个 kubeconfig 无法到达计划中的集群 {name}";
    "there is nothing in this cluster to try the freeze on" => "这个集群中没有可以用来试验冻结的对象";
    "a dry run of a {} was {}" => "对 {} 的 dry run {}";
    "refused by the freeze policy" => "被冻结策略拒绝";
    "refused by the ValidatingAdmissionPolicy {policy}, which is none of this tool's: what a freeze says cannot be seen behind it"
        => "被 ValidatingAdmissionPolicy {policy} 拒绝，它不属于本工具：在它后面看不出冻结怎么说";
    "{cluster}: the ValidatingAdmissionPolicy {policy}, which is none of this tool's, refuses the dry run of a {kind} that a freeze is proved by: let it pass the user {driver}"
        => "{cluster}：不属于本工具的 ValidatingAdmissionPolicy {policy} 拒绝了用来证明冻结的 {kind} 的 dry run：请让它放行用户 {driver}";
    "refused by the guard's webhook" => "被守卫的 webhook 拒绝";
    "admitted with a warning of the freeze policy" => "被放行，带有冻结策略的警告";
    "admitted with a warning of the guard's webhook" => "被放行，带有守卫 webhook 的警告";
    "{said}, and the guard's webhook did not refuse it: are its pods ready, is it trusted by its configuration, and may API servers reach TCP port {PORT} of its pods? Private clusters, as GKE's, need a firewall rule for that; where there is no way: kubectl mesh-upgrade guard install --policy-only"
        => "{said}，而守卫的 webhook 没有拒绝它：它的 Pod 就绪吗，它受其配置信任吗，API server 能访问其 Pod 的 TCP 端口 {PORT} 吗？私有集群（例如 GKE 的）需要为此添加防火墙规则；如果没有办法：kubectl mesh-upgrade guard install --policy-only";
    "not known to the API server" => "不为 API server 所知";
    "answered with: {message}" => "得到应答：{message}";
    "the journal's target {:?} is no version" => "日志中的目标 {} 不是版本";
    "cluster {} is unknown: {reason}" => "集群 {} 状态未知：{reason}";
    "waited {seconds} s in vain for {what}" => "等待了 {seconds} 秒仍无结果：{what}";
    "waited {} s in vain for {what}" => "等待了 {0} 秒仍无结果：{what}";
    "trying again" => "重试";
    "changed since it was first frozen: {}" => "自首次冻结以来有变化：{}";
    "{} is held, since the freeze was disturbed: {what}" => "{0} 暂停，因为冻结受到干扰：{what}";
    "the freeze is closed and proved again, {} goes on" => "冻结已重新关闭并得到证明，{} 继续";
    "it was deleted" => "它被删除";
    "{cluster}: {}, and no guard is asked about it" => "{cluster}：{0}，而没有守卫会被问到它";
    "done; the mesh was never frozen" => "完成；网格从未冻结";
    "thawed in all {} clusters: the mesh is open again" => "已在全部 {} 个集群解冻：网格重新开放";
    "stopping after this step; press Ctrl-C again to leave at once" => "这一步之后停下；再按一次 Ctrl-C 立即离开";
    "leaving in the middle of the step" => "在这一步中途离开";
    "cannot write an Event" => "无法写入 Event";
    "the scheduler says no reason" => "调度器没有说明原因";
    "no node takes pod {name}: {why}" => "没有节点接收 Pod {name}：{why}";
    "container {} of pod {name}: {why}" => "Pod {name} 的容器 {0}：{why}";
    "pod {name} is not ready: {}" => "Pod {name} 没有就绪：{0}";
    "ended with {}, {why}" => "以 {0} 结束，{why}";
    "not every watch over the freeze could be opened: looking at intervals only"
        => "没能打开对冻结的全部 watch：只能定时查看";
    "a watch over the freeze failed; opening it again" => "对冻结的一个 watch 失败；重新打开";
    "see which admission kinds are served" => "查询提供哪些准入 kind";
    "put {} {name} back" => "恢复 {0} {name}";
    "the guard's ValidatingWebhookConfiguration {} is gone: put it back with kubectl mesh-upgrade guard install, then go on"
        => "守卫的 ValidatingWebhookConfiguration {} 不见了：用 kubectl mesh-upgrade guard install 恢复，然后继续";

    // images
    "{}: the plan names no image to pull" => "{}：计划中没有要拉取的镜像";
    " ({many} passed over: {})" => "（跳过 {many} 个：{0}）";
    "{}: there is no ready linux node that pods can be scheduled to{}" => "{}：没有可以调度 Pod 的就绪 linux 节点{}";
    "{}: no node was left to pull the images{passed_over}{left}" => "{0}：没有剩下可以拉取镜像的节点{passed_over}{left}";
    "; pods left in namespace {namespace}: {}" => "；命名空间 {namespace} 中留下了 Pod：{0}";
    "{}: {} images pulled on {pulled} nodes{passed_over}{left}"
        => "{0}：在 {pulled} 个节点上拉取了 {1} 个镜像{passed_over}{left}";
    "cannot list nodes: {}" => "无法列出节点：{}";
    "cannot read {what} in {namespace}: {}" => "无法读取 {namespace} 中的 {what}：{0}";
    "istiod's Deployment" => "istiod 的 Deployment";
    "cannot list pods of an earlier try: {}" => "无法列出上一次尝试的 Pod：{}";
    "cannot delete pods of an earlier try: {}" => "无法删除上一次尝试留下的 Pod：{}";
    "{}: pods that pull images may be left in namespace {namespace}: {why} (kubectl --namespace {namespace} delete pods --selector app={})"
        => "{0}：命名空间 {namespace} 中可能留有拉取镜像的 Pod：{why}（kubectl --namespace {namespace} delete pods --selector app={1}）";
    "cannot create the pod that pulls it: {}" => "无法创建拉取它的 Pod：{}";
    "the pod that pulls it was deleted by somebody else" => "拉取它的 Pod 被别人删除";
    "nothing seen within {} s" => "{} 秒内没有看到任何结果";
    "tried again" => "已重试";
    "is virtual" => "是虚拟节点";
    "is cordoned" => "已停止调度（cordon）";
    "is gone" => "已不存在";
    "is being deleted" => "正在被删除";
    "is taken away ({taint})" => "正在被移除（{taint}）";
    "is not ready" => "没有就绪";
    "takes no further pod: {reason}: {message}" => "不再接收 Pod：{reason}：{message}";
    "the node refused the pod: {}: {}" => "节点拒绝了 Pod：{}：{}";
    "no reason" => "没有原因";
    "no message" => "没有消息";
    "not pulled within {seconds} s{said}" => "没能在 {seconds} 秒内拉取{said}";
    "{} on node {}: {}" => "节点 {1} 上的 {0}：{2}";
    "{} of {} image pulls failed ({images} images on {nodes} nodes): {}"
        => "{1} 次镜像拉取中 {0} 次失败（{nodes} 个节点上的 {images} 个镜像）：{2}";
    "{}; and {more} more" => "{0}；另有 {more} 个";

    // freeze
    "read the webhook's configuration" => "读取 webhook 的配置";
    "ValidatingWebhookConfiguration {name} is not of this version; bring it up to date: kubectl mesh-upgrade guard install"
        => "ValidatingWebhookConfiguration {name} 不是本版本的；请更新：kubectl mesh-upgrade guard install";
    "the webhook is asked about more" => "webhook 现在会被问到更多内容";
    "make the webhook see the whole mesh" => "让 webhook 看到整个网格";
    "policy and webhook" => "策略和 webhook";
    "the policy (the webhook is not installed)" => "策略（没有安装 webhook）";
    "the policy (the webhook is not asked in kube-system)" => "策略（在 kube-system 中不会询问 webhook）";
    "refused, configuration only warned about," => "被拒绝（对配置只警告），";
    "{strangers} of {strangers} canaries {refused} by {webhook}, the holder let through"
        => "{strangers}/{strangers} 个试探请求{refused!}（{webhook}），持有者得以通过";
    "refused" => "被拒绝";
    "the mesh stays frozen, by another upgrade" => "网格仍由另一次升级冻结";
    "thawed: mesh {other} stays frozen in this cluster" => "已解冻：网格 {other} 在这个集群中仍处于冻结";
    "{why}; to be withdrawn, since {failure} (if a cluster is gone for good: kubectl mesh-upgrade unlock {mesh} --reason TEXT, then kubectl mesh-upgrade apply {mesh})"
        => "{why}；本应撤回，因为 {failure}（如果某个集群永远不会回来：kubectl mesh-upgrade unlock {mesh} --reason TEXT，然后 kubectl mesh-upgrade apply {mesh}）";
    "lifted by hand, so that nothing waits for what could not be thawed: {why}" => "已手工解除，因此不再等待没能解冻的部分：{why}";
    "thawed: the mesh is open again" => "已解冻：网格重新开放";
    "see whether the webhook is installed" => "查询是否安装了 webhook";
    "the freeze could not be proved within {seconds} s: {what}" => "没能在 {seconds} 秒内证明冻结：{what}";
    "the freeze is taken down, and still refuses after {seconds} s: {what}" => "冻结已拿掉，{seconds} 秒之后却仍在拒绝：{what}";
    "thawed: no freeze refuses any more ({other})" => "已解冻：不再有冻结拒绝请求（{other}）";
    "mesh {other} is frozen in this cluster by its own upgrade: finish that one first"
        => "网格 {other} 在这个集群中被它自己的升级冻结：请先完成那个升级";
    "a driver from before has put up its ValidatingAdmissionPolicy {} late"
        => "先前的一个驱动者过晚地设置了它的 ValidatingAdmissionPolicy {}";
    "ValidatingAdmissionPolicy {name} is gone" => "ValidatingAdmissionPolicy {name} 不见了";
    "ValidatingAdmissionPolicyBinding {name} is gone" => "ValidatingAdmissionPolicyBinding {name} 不见了";
    "delete the freeze policy {name}" => "删除冻结策略 {name}";
    "somebody else has taken the freeze over, with epoch {epoch}" => "别人以 epoch {epoch} 接管了冻结";
    "somebody else has taken the freeze over, with epoch {}" => "别人以 epoch {} 接管了冻结";
    "list the freeze policies" => "列出冻结策略";
    "create MeshFreeze {name}" => "创建 MeshFreeze {name}";
    "take over MeshFreeze {name}" => "接管 MeshFreeze {name}";
    "the freeze is held with epoch {}" => "冻结以 epoch {} 持有";
    "MeshFreeze {} is gone" => "MeshFreeze {} 不见了";
    "read MeshFreeze {}" => "读取 MeshFreeze {}";
    "read MeshFreeze {name}" => "读取 MeshFreeze {name}";
    "the freeze was unlocked by {}: {} (if that stopped half-way, bring it to its end first: kubectl mesh-upgrade unlock {} --reason TEXT)"
        => "冻结已被 {} 解除：{}（如果解除中途停下，请先把它做完：kubectl mesh-upgrade unlock {} --reason TEXT）";
    "write the status of MeshFreeze {name}" => "写入 MeshFreeze {name} 的状态";
    "delete MeshFreeze {name}" => "删除 MeshFreeze {name}";
    "the mesh is frozen by another upgrade, {}: finish that one first" => "网格被另一个升级 {} 冻结：请先完成那个升级";

    // proxies that are connected
    "the proxies cannot be counted, and are not compared afterwards: {why}" => "无法统计代理，之后不作比较：{why}";
    "proxies are not counted yet: {why}" => "代理尚未统计：{why}";
    "the proxies to be counted ({why})" => "统计代理（{why}）";
    "what it tells is no istiod's metrics" => "它给出的不是 istiod 的指标";
    "{lost} of the {} proxies that were connected to istiod before to connect again ({} are)"
        => "之前连接 istiod 的 {0} 个代理中还有 {lost} 个重新连接（已连接 {1} 个）";
    "{} proxies connected, and not compared: counted in {} clusters before, in {} now"
        => "{} 个代理已连接，未作比较：之前在 {} 个集群中计数，现在在 {} 个集群中";
    "{} proxies connected ({} before)" => "{} 个代理已连接（之前 {} 个）";
    "{evidence}; {reached} remote clusters reached as before" => "{evidence}；与之前一样能到达 {reached} 个远程集群";
    "every istiod of cluster {} to reach the remote cluster {name} as before (one says: {state})"
        => "集群 {0} 的每个 istiod 像之前一样到达远程集群 {name}（有一个说：{state}）";
    "every istiod of cluster {} to reach the remote cluster {name} as before (one cannot use its Secret, or finds none)"
        => "集群 {0} 的每个 istiod 像之前一样到达远程集群 {name}（有一个无法使用其 Secret，或者找不到）";
    "every istiod of cluster {} to use the Secrets of {} remote clusters as before (one uses {})"
        => "集群 {} 的每个 istiod 像之前一样使用 {} 个远程集群的 Secret（有一个使用 {} 个）";
    "configurations were rejected by proxies" => "个配置被代理拒绝";
    "errors of istiod in what it sends to proxies" => "个 istiod 向代理发送配置的错误";
    "servers of Gateways were passed over by istiod" => "个 Gateway 的 server 被 istiod 略过";
    "{now} {what}, none before" => "{now} {what}，之前没有";
    "{now} {what} since the new istiods began ({before_it} before)" => "自新的 istiod 启动以来 {now} {what}（之前 {before_it} 个）";
    "{what}; look at: istioctl proxy-status" => "{what}；查看：istioctl proxy-status";

    // health
    "the list of injectors ({})" => "注入器的列表（{}）";
    "a namespace that takes pods of revision {}: all are kept from its injection"
        => "接收修订 {} 的 Pod 的命名空间：所有命名空间都被排除在其注入之外";
    "injection to add a proxy to a pod that asks for it ({})" => "注入为要求注入的 Pod 加上代理（{}）";
    "the list of namespaces ({})" => "命名空间的列表（{}）";
    "no proxy was added" => "没有加上代理";
    "the answer was {code}: {message}" => "应答是 {code}：{message}";
    "before the upgrade, {why}; mend that first: after it, it could not be proved"
        => "升级之前，{why}；请先处理：升级之后就无法证明";
    "{reports} istiod report {target}" => "{reports} 个 istiod 报告 {target}";
    "validation refuses the bad and accepts the good" => "校验拒绝错误的配置，接受正确的配置";
    "injection to yield a proxy whose image tells its version (it yields {image}: give it a tag that is a version, by global.proxy.image in istiod's values, and keep the tag where an admission webhook adds a digest)"
        => "注入得到的代理的镜像说明其版本（现在得到 {image}：请用 istiod 的 values 中的 global.proxy.image 给它一个是版本号的 tag；如果有准入 webhook 加上 digest，请保留 tag）";
    "injection to yield the proxy of {target} (it yields {image})" => "注入得到 {target} 的代理（现在得到 {image}）";
    "injection yields {target}" => "注入得到 {target}";
    "the list of gateways that istiod keeps ({why})" => "istiod 维护的网关的列表（{why}）";
    "gateways that istiod keeps run {target}: {}" => "istiod 维护的网关运行 {target}：{0}";
    "Deployment {name}, a gateway that istiod keeps, to roll out ({} of {} pods are new and ready)"
        => "istiod 维护的网关 Deployment {name} 完成滚动更新（{1} 个 Pod 中有 {0} 个是新的且就绪）";
    "istiod to bring the gateway {name}, which it keeps, to {target} (it runs {}; if it keeps it no more: kubectl \
     mesh-upgrade unlock --reason TEXT, then kubectl mesh-upgrade apply)"
        => "istiod 把它维护的网关 {name} 升到 {target}（现在运行 {0}；如果它不再维护该网关：kubectl mesh-upgrade unlock --reason TEXT，然后 \
            kubectl mesh-upgrade apply）";
    "{some} and {more} more of them" => "{some} 以及另外 {more} 个";
    "the cluster to answer ({reason})" => "集群应答（{reason}）";
    "Deployment {name} to roll out" => "Deployment {name} 完成滚动更新";
    "the pods of {name} to report their version ({} of {asked} do)" => "{name} 的 Pod 报告其版本（{asked} 个中有 {0} 个）";
    "every istiod of {name} to report {target} (one reports {other})"
        => "{name} 的每个 istiod 都报告 {target}（有一个报告 {other}）";
    "{what} in cluster {} does not work, and is not asked for afterwards: waited for {why}"
        => "集群 {0} 中的{what}不工作，之后不再要求：等待过 {why}";
    "{} {}/{} to roll out" => "{} {}/{} 完成滚动更新";
    "no istiod of its own, {} workloads rolled out" => "没有自己的 istiod，{} 个工作负载已完成滚动更新";
    "the list of validation webhooks ({})" => "校验 webhook 的列表（{}）";
    "Istio's validation to refuse a bad VirtualService (the answer was {code}: {message})"
        => "Istio 的校验拒绝错误的 VirtualService（应答是 {code}：{message}）";
    "Istio's validation to refuse a bad VirtualService (it was accepted)"
        => "Istio 的校验拒绝错误的 VirtualService（它被接受了）";
    "Istio's validation to accept a good VirtualService (the answer was {code}: {message})"
        => "Istio 的校验接受正确的 VirtualService（应答是 {code}：{message}）";
}
