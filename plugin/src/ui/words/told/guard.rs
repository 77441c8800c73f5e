//! What the guard protects and what it does not, and how it refuses, where its words come to a terminal of ours.

super::told! {
    // guard status
    "Cluster {}" => "集群 {}";
    "Protected:" => "受保护：";
    "yes" => "是";
    "proved" => "已证明";
    "NOT PROVED" => "未证明";
    "frozen" => "冻结时";
    "always" => "始终";
    "Frozen: {}" => "已冻结：{}";
    "every kind" => "所有 kind";
    "not refused: {}" => "不拒绝：{}";
    "{of}: no skipped minor, no downgrade, no other flavor" => "{of}：不跳次要版本，不降级，不换 flavor";
    "the version that an operator is asked for" => "要求 operator 达到的版本";
    "versions of istiod, CNI, ztunnel and of gateways whose image is pinned" => "istiod、CNI、ztunnel 以及固定了镜像的网关的版本";
    "the chart in helm's storage of Istio's releases, found by name when the guard is installed"
        => "helm 存储中 Istio 各 release 的 chart，在安装守卫时按名称找到";
    "the flavor of a mesh is one that is known" => "网格的 flavor 必须是已知的";
    "the lock and the journal: written by the driver, lifted on the record" => "锁和日志：由驱动者写入，解除时留下记录";
    "a freeze has one barrier instead of two: the policy in the API server, which holds without any pod"
        => "冻结只有一道屏障而不是两道：API server 中的策略，它不依赖任何 Pod";
    "what no guard is asked about is watched by the plugin only, and so only while an upgrade is driven"
        => "没有守卫会被问到的内容只由插件监视，因此只在驱动升级期间";
    "no metrics and no log of what was refused; the API server's audit log has it"
        => "没有拒绝情况的指标和日志；API server 的审计日志中有";
    "webhook configurations and admission policies: the API server asks no guard about them (Istio's injector and revision tags among them)"
        => "webhook 配置和准入策略：API server 不就它们询问任何守卫（包括 Istio 的注入器和 revision tag）";
    "what is written to etcd directly, or by HELM_DRIVER=sql" => "直接写入 etcd 的内容，或者经由 HELM_DRIVER=sql 写入的内容";
    "Istio installed in another cluster: each cluster needs a guard of its own" => "安装在另一个集群中的 Istio：每个集群需要自己的守卫";
    "pods, which may be deleted, evicted and entered as nodes need it; their templates are guarded"
        => "Pod：可以按节点的需要删除、驱逐和进入；其模板受守护";
    "labels of namespaces, which choose who is injected and belong to the applications"
        => "命名空间的标签：它们决定谁被注入，归应用所有";
    "what hinders the mesh from outside, as a quota or an autoscaler of nobody's release, or a node that is taken away"
        => "从外部妨碍网格的，例如不属于任何 release 的配额或自动扩缩，或者被移走的节点";
    "for a second or two after a freeze or a takeover, what is asked of an API server that shows under one address with others, as those of managed clusters do: the freeze is proved on the one that answers"
        => "冻结或接管之后的一两秒内，向与其他 API server 共用一个地址的 API server（如托管集群）提出的请求：冻结只在作出应答的那一个上得到证明";
    "which version of Istio's CNI or of ztunnel comes next in `kube-system` while the mesh is not frozen: the webhook, which alone compares versions, is not asked there"
        => "网格没有冻结时，`kube-system` 中 Istio 的 CNI 或 ztunnel 接下来是哪个版本：只有 webhook 比较版本，而那里不会询问它";
    "configuration of the mesh; status writes are subresources and never match" => "网格的配置；状态写入是子资源，不会匹配";
    "routes and gateways of the Gateway API are configuration as well, where istiod serves them"
        => "Gateway API 的路由和网关也是配置，只要由 istiod 处理";
    "configuration that a release of the mesh brought is part of its components, whatever the settings"
        => "网格的 release 带来的配置算作其组件，不论如何设置";
    "mesh configuration and injection templates, by name: leader election uses ConfigMaps named istio-* too"
        => "网格配置和注入模板，按名称：leader 选举也使用名为 istio-* 的 ConfigMap";
    "components of the mesh; scale alone could take the control plane away" => "网格的组件；单是 scale 就能拿掉控制平面";
    "a second control plane under another name takes proxies and webhooks over; it is told by its pods' labels"
        => "换个名称的第二个控制平面会接管代理和 webhook；按其 Pod 的标签识别";
    "of a new object the operator makes a second control plane, or another agent on every node"
        => "operator 会由新的对象做出第二个控制平面，或者在每个节点上再放一个代理程序";
    "by them istiod reaches the mesh's other clusters; one that goes takes its cluster's endpoints with it"
        => "istiod 通过它们访问网格的其他集群；少了一个，该集群的端点也随之消失";
    "deleting a CRD deletes every object of its kind" => "删除 CRD 会删除该 kind 的所有对象";
    "deleting a namespace deletes the components in it" => "删除命名空间会删除其中的组件";
    "helm writes its storage first, so a foreign upgrade or rollback stops before it changes anything"
        => "helm 先写自己的存储，因此外来的升级或回滚在改动任何东西之前就停下";
    "helm uninstall deletes on after its first refusal" => "helm uninstall 被拒绝一次之后还会继续删除";
    "a second release with --take-ownership replaces components" => "第二个带 --take-ownership 的 release 会替换组件";
    "the status of built-in kinds takes metadata along: a dangling owner deletes, a missing annotation opens"
        => "内置 kind 的 status 会连同元数据一起写入：悬空的 owner 会导致删除，缺少的注解会打开缺口";
    "scaling of the control plane and the gateways" => "控制平面和网关的扩缩";
    "what keeps the control plane and the gateways up in a drain" => "排空节点时使控制平面和网关保持可用的对象";
    "without its rights a new istiod never becomes ready" => "没有这些权限，新的 istiod 永远不会就绪";
    "what may reach the control plane" => "谁可以访问控制平面";
    "by it the pods of OpenShift reach Istio's CNI plugin" => "OpenShift 的 Pod 通过它使用 Istio 的 CNI 插件";
    "where a remote cluster finds its control plane" => "远程集群据此找到其控制平面";
    "virtual machines register by themselves and would lose their traffic" => "虚拟机会自行注册，否则会失去流量";
    "istiod copies a Gateway's annotations, helm's too, to the Deployment and Service that it makes for it"
        => "istiod 会把 Gateway 的注解（包括 helm 的）复制到为它创建的 Deployment 和 Service";
    "istiod proves its validation by a refused dry run and must be refused by itself, not by the freeze"
        => "istiod 用一次被拒绝的 dry run 证明其校验，拒绝它的必须是 istiod 自己，而不是冻结";
    "a namespace of an application would hang in Terminating" => "应用的命名空间会卡在 Terminating";
    "gateways follow their load, frozen or not" => "网关随负载扩缩，不论是否冻结";
    "it copies the annotations of Endpoints, helm's too" => "它会复制 Endpoints 的注解，包括 helm 的";
    "the operator named them in spec.freeze.extraWriters of the Mesh, as Flagger or cert-manager"
        => "操作者在 Mesh 的 spec.freeze.extraWriters 中列出了它们，例如 Flagger 或 cert-manager";

    // refusals
    "this change is refused until it ends" => "在它结束之前，这个改动被拒绝";
    "this change passes, but should wait until it ends" => "这个改动被放行，但应当等到它结束";
    "this is deleted all the same, with its namespace or its owner" => "它仍会随其命名空间或 owner 一起被删除";
    "mesh configuration in this namespace, if there is any, is deleted all the same" => "这个命名空间中如果有网格配置，仍会被删除";
    ", now {phase}" => "，现处于 {phase}";
    "{}: mesh \"{}\" is being upgraded from {} to {} by {} since {}{phase}: {what}. See: kubectl mesh-upgrade status"
        => "{0}：网格 \"{1}\" 正在从 {2} 升级到 {3}，由 {4} 执行，始于 {5}{phase}：{what}。见：kubectl mesh-upgrade status";
    "the upgrade {} is over ({})" => "升级 {} 已结束（{}）";
    "no upgrade is under way in this cluster, and none has frozen it" => "这个集群中没有升级在进行，也没有升级冻结它";
    "{}: {why}, and this is a driver with epoch {epoch}, which comes too late. See: kubectl mesh-upgrade status"
        => "{0}：{why}，而这是 epoch 为 {epoch} 的驱动者，来得太迟。见：kubectl mesh-upgrade status";
    "See: kubectl mesh-upgrade status" => "见：kubectl mesh-upgrade status";
    "See: kubectl mesh-upgrade guide" => "见：kubectl mesh-upgrade guide";
    "the object cannot be read (is it nested too deeply?)" => "无法读取该对象（是否嵌套过深？）";
    "the journal of an upgrade that is under way is not deleted: without it the upgrade could not be resumed. {STATUS}"
        => "正在进行的升级的日志不能删除：没有它升级就无法继续。{STATUS}";
    "the journal of an upgrade is written only by its driver. {STATUS}" => "升级的日志只由其驱动者写入。{STATUS}";
    "somebody else has taken this upgrade over, with a later epoch. {STATUS}" => "别人已以更大的 epoch 接管这个升级。{STATUS}";
    "an upgrade keeps its target and its plan. {STATUS}" => "升级的目标和计划不变。{STATUS}";
    "an unknown phase" => "未知的阶段";
    "{} may not follow {}. {STATUS}" => "{0} 不能跟在 {1} 之后。{STATUS}";
    "the upgrade {} of mesh \"{}\" has begun and is in phase {}: it goes on to its end first. See: kubectl mesh-upgrade apply"
        => "网格 \"{1}\" 的升级 {0} 已经开始，处于阶段 {2}：先把它进行到底。见：kubectl mesh-upgrade apply";
    "only the driver of an upgrade creates a MeshFreeze, with its own epoch. See: kubectl mesh-upgrade apply"
        => "只有升级的驱动者可以创建 MeshFreeze，并带上自己的 epoch。见：kubectl mesh-upgrade apply";
    "a MeshFreeze is changed only by the driver with the current epoch, or unlocked by somebody with the verb unlock on meshfreezes, in their own name and with a reason. See: kubectl mesh-upgrade unlock"
        => "MeshFreeze 只能由持有当前 epoch 的驱动者改动，或者由在 meshfreezes 上有动词 unlock 的人以自己的名义并给出原因来解除。见：kubectl mesh-upgrade unlock";
    "a freeze belongs to one upgrade, and its epoch never goes back. {STATUS}" => "一个冻结只属于一个升级，其 epoch 从不后退。{STATUS}";
    "a MeshFreeze is deleted only by the driver with the current epoch, or after it was unlocked with a reason. See: kubectl mesh-upgrade unlock"
        => "MeshFreeze 只能由持有当前 epoch 的驱动者删除，或者在给出原因解除之后删除。见：kubectl mesh-upgrade unlock";
    "mesh \"{}\" names the flavor \"{}\"; known are: {}. See: kubectl mesh-upgrade explain MG007"
        => "网格 \"{}\" 写的 flavor 是 \"{}\"；已知的有：{}。见：kubectl mesh-upgrade explain MG007";
    "spec.downgrade cannot be read. {GUIDE}" => "无法读取 spec.downgrade。{GUIDE}";
    "spec.downgrade.to is {:?}, which is no version of the flavor {flavor}. {GUIDE}"
        => "spec.downgrade.to 是 {0}，不是 flavor {flavor} 的版本。{GUIDE}";
    "spec.downgrade.expires is {}: it lies ahead, and by {} hours at most. {GUIDE}"
        => "spec.downgrade.expires 是 {0}：它必须在将来，最多 {1} 小时。{GUIDE}";
    "the upgrade {} of this mesh is in phase {}: it goes on to its end, and never back. See: kubectl mesh-upgrade status"
        => "这个网格的升级 {} 处于阶段 {}：它会走到底，绝不后退。见：kubectl mesh-upgrade status";
    "whoever has the RBAC verb unlock on meshfreezes.meshupgrade.io, as the ClusterRole"
        => "在 meshfreezes.meshupgrade.io 上有 RBAC 动词 unlock 的人，例如由以下 ClusterRole 授予：";
    "{verb} {role} grants it" => "{verb}{role}";
    "{verb} {role} grants it to: {}" => "{verb}{role}，授予了：{0}";
    "spec.downgrade is written by somebody with the verb downgrade on meshes, in their own name and with a reason, of a mesh whose management is External; while it stands, so is the rest of the specification. See: kubectl mesh-upgrade guide"
        => "spec.downgrade 由在 meshes 上有动词 downgrade 的人以自己的名义并给出原因写入，且网格的 management 为 External；有它期间，spec 的其余部分也不变。见：kubectl mesh-upgrade guide";
    "the latest {minor}" => "最新的 {minor}";
    "what is injected" => "注入的版本";
    "something unreadable" => "无法读出的版本";
    "the oldest control plane that injects" => "负责注入的最旧的控制平面";
    "would run {}, ahead of {newest} ({place}): gateways are upgraded last. See: kubectl mesh-upgrade plan"
        => "会运行 {0}，领先于 {newest}（{place}）：网关最后升级。见：kubectl mesh-upgrade plan";
    "has an image without a version tag: skips and downgrades of it cannot be seen" => "的镜像没有版本标签：看不出跳过版本或降级";
    "goes from {before} ({source}) to an image without a version tag; use one with a tag"
        => "从 {before}（{source}）改为没有版本标签的镜像；请用带标签的";
    "has version {after}, but mesh \"{}\" takes builds of flavor {}. See: kubectl mesh-upgrade list"
        => "的版本是 {after}，但网格 \"{0}\" 使用 flavor {1} 的构建。见：kubectl mesh-upgrade list";
    "goes from {before} ({source}) to {}: {what}" => "从 {before}（{source}）到 {0}：{what}";
    "Istio is upgraded one minor at a time. See: kubectl mesh-upgrade plan" => "Istio 每次只升级一个次要版本。见：kubectl mesh-upgrade plan";
    "a mesh never goes back to an older Istio. See: kubectl mesh-upgrade list" => "网格绝不退回较旧的 Istio。见：kubectl mesh-upgrade list";
    "a mesh keeps the flavor of its Istio. See: kubectl mesh-upgrade list" => "网格保持其 Istio 的 flavor。见：kubectl mesh-upgrade list";
    "it runs" => "正在运行";
    "its data is no text" => "其数据不是文本";
    "recorded of its mesh" => "其网格的记录";
    "the newest control plane of its mesh" => "其网格中最新的控制平面";
    "it was asked for" => "所要求的";
    "{code}: helm release {}/{} cannot be read, so that its version cannot be judged: {why}"
        => "{code}：无法读取 helm release {0}/{1}，因此无法判断其版本：{why}";
    "{code}: the specification of {} {} cannot be read, so that its version cannot be judged"
        => "{code}：无法读取 {0} {1} 的 spec，因此无法判断其版本";
    "{code}: the pod template of {}/{} cannot be read, so that its version cannot be judged"
        => "{code}：无法读取 {0}/{1} 的 Pod 模板，因此无法判断其版本";
    "{} goes back, as {} allowed for mesh \"{}\" until {}: {}" => "{0} 退回，由 {1} 为网格 \"{2}\" 允许至 {3}：{4}";
}
