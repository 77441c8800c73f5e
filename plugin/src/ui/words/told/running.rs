//! Findings on what runs: control plane, data plane, webhooks, certificates, nodes, and the guard.

super::told! {
    // control plane
    "{} is rolled out, {ready} of {desired} ready" => "{0} 已完成滚动更新，{desired} 个中 {ready} 个就绪";
    "it is scaled to no replica" => "它被缩容到零个副本";
    "{desired} pods are wanted, {updated} are of the newest specification, {ready} are ready"
        => "期望 {desired} 个 Pod，{updated} 个为最新 spec，{ready} 个就绪";
    "its newest specification was not rolled out yet" => "其最新的 spec 还没有开始滚动更新";
    "see kubectl rollout status {kind}/{} -n {}" => "查看 kubectl rollout status {kind}/{0} -n {1}";
    "it has one replica: while that is replaced, nothing is injected or validated"
        => "它只有一个副本：替换它的时候，既不能注入也不能校验";
    "set autoscaleMin (or replicaCount, without autoscaling) to 2 in the istiod chart's values"
        => "在 istiod chart 的 values 中把 autoscaleMin（没有自动扩缩时为 replicaCount）设为 2";
    "its pods report {}; its image is {}" => "其 Pod 报告的版本是 {0}；其镜像是 {1}";
    "see kubectl get pods -n {} -l app=istiod,istio.io/rev={}, and wait or delete those of the wrong version"
        => "查看 kubectl get pods -n {0} -l app=istiod,istio.io/rev={1}，等待，或者删除版本不对的 Pod";
    "revision {} ({}) runs beside {others}, and nothing was seen in this cluster that refers to it"
        => "修订 {0}（{1}）与 {others} 并存，在这个集群中没有看到引用它的东西";
    "revision {} ({}) runs beside {others}; uses seen in this cluster: {count}, as {first}"
        => "修订 {0}（{1}）与 {others} 并存；在这个集群中看到 {count} 处引用，例如 {first}";
    "before you remove it, lead what refers to it to another revision and restart what runs: kubectl mesh-upgrade dataplane status {} shows the revision of each workload in all clusters; namespaces with istio-injection=enabled and without istio.io/rev are of the revision or tag default"
        => "移除它之前，先把引用它的东西指向另一个修订并重启正在运行的工作负载：kubectl mesh-upgrade dataplane status {} 显示所有集群中每个工作负载的修订；带 istio-injection=enabled 而没有 istio.io/rev 的命名空间属于名为 default 的修订或 tag";
    "go on with apply --strategy canary where it was begun so; else move all namespaces and tags to one revision, restart what runs, remove the other, then check again; kubectl mesh-upgrade dataplane status {} shows the revision of each workload in all clusters; namespaces with istio-injection=enabled and without istio.io/rev are of the revision or tag default"
        => "如果是用 apply --strategy canary 开始的，就用它继续；否则把所有命名空间和 revision tag 移到一个修订，重启正在运行的工作负载，移除另一个，然后重新检查；kubectl mesh-upgrade dataplane status {} 显示所有集群中每个工作负载的修订；带 istio-injection=enabled 而没有 istio.io/rev 的命名空间属于名为 default 的修订或 tag";
    "nothing was seen in this cluster that refers to revision {}" => "在这个集群中没有发现引用修订 {} 的对象";
    "uses of revision {} seen in this cluster: {}, as {first}" => "在这个集群中发现 {1} 处引用修订 {0}，例如 {first}";
    "the revisions {} run beside each other" => "修订 {} 同时运行";
    "the revision {} keeps its name while its version changes" => "修订 {} 的名称不变，而版本会变";
    "make sure that the name says no version; istioctl tag can give namespaces a stable one"
        => "确认名称中没有版本号；istioctl tag 可以给命名空间一个稳定的名称";

    // leaders, headroom, injectors
    "which is ready" => "它已就绪";
    "which is no ready pod" => "它不是就绪的 Pod";
    "nobody has led since {age} s ago" => "{age} 秒以来没有 leader";
    "it was last renewed {age} s ago, by {holder}, {there}: nobody leads"
        => "上次续期是在 {age} 秒之前，由 {holder}，{there}：没有 leader";
    "it is held by {holder} of the revision {revision}, of which no Deployment is here; there are {}"
        => "它由修订 {revision} 的 {holder} 持有，而这里没有该修订的 Deployment；现有 {0}";
    "{} is held by {holder}" => "{0} 由 {holder} 持有";
    "see kubectl logs -n {} -l app=istiod for why it cannot be renewed, then kubectl rollout restart deployment -n {} -l app=istiod"
        => "用 kubectl logs -n {0} -l app=istiod 查看为什么不能续期，然后 kubectl rollout restart deployment -n {1} -l app=istiod";
    "{} can add a pod on {}" => "{0} 可以在 {1} 上增加一个 Pod";
    "no node that takes pods is one that its node selector, node affinity and tolerations allow" => "可调度的节点中没有一个符合其节点选择器、节点亲和性和容忍";
    ", and takes no more pods" => "，而且不能再接收 Pod";
    "of {count} nodes that it may run on none has room; {} has {}{full} left"
        => "它可以运行的 {count} 个节点都没有空间；{0} 还剩 {1}{full}";
    "{count} nodes have room, and its pod anti-affinity ({within}) keeps it away from each of them"
        => "有 {count} 个节点有空间，但其 Pod 反亲和性（{within}）使它不能运行在其中任何一个上";
    "its update begins with one more pod of {}: {nodes}" => "其更新先要增加一个请求 {0} 的 Pod：{nodes}";
    "add a node or free one before the upgrade, lower the requests, or let the update remove a pod first (rollingMaxUnavailable in istiod's values, strategy in a gateway's)"
        => "升级之前增加或腾出一个节点，降低资源请求，或者让更新先移除一个 Pod（istiod 的 values 中的 rollingMaxUnavailable，网关的 strategy）";
    "it selects what {first} selects: {}" => "它选中了 {first} 也选中的对象：{0}";
    "delete the one that is not to inject, or set its tag anew: istioctl tag set TAG --revision REVISION --overwrite"
        => "删除不该注入的那个，或者重新设置其 tag：istioctl tag set TAG --revision REVISION --overwrite";
    "{} injectors select different pods" => "{} 个注入器选择的 Pod 互不重叠";

    // trust
    "{} leads somewhere" => "{} 有去处";
    "everything that it is asked about is refused" => "凡是问到它的一律被拒绝";
    "everything that it is asked about passes unseen" => "凡是问到它的都未经检查就通过";
    "its Service {service} is not there: {effect}" => "它的 Service {service} 不存在：{effect}";
    "delete the configuration if its control plane is gone, otherwise bring the Service back"
        => "如果其控制平面已不存在，就删除这个配置；否则恢复该 Service";
    "it has no caBundle" => "它没有 caBundle";
    "{} trusts the mesh's root" => "{} 信任网格的根证书";
    "its caBundle is not the root in the ConfigMap istio-ca-root-cert"
        => "它的 caBundle 不是 ConfigMap istio-ca-root-cert 中的根证书";
    "see in istiod's log why it does not patch the webhook; somebody else may own the field caBundle"
        => "在 istiod 的日志中查看它为什么没有修补 webhook；字段 caBundle 可能归别人所有";
    "the tag {tag} points to the revision {revision}, which is not there; there are {shown}"
        => "tag {tag} 指向不存在的修订 {revision}；现有 {shown}";
    "istioctl tag set {tag} --revision REVISION --overwrite, or istioctl tag remove {tag}"
        => "istioctl tag set {tag} --revision REVISION --overwrite，或者 istioctl tag remove {tag}";
    "it asks for the revision {revision}, which is not there; there are {shown}"
        => "它要求的修订 {revision} 不存在；现有 {shown}";
    "{} holds until {last}" => "{0} 有效期至 {last}";
    "{what} has a successor in the same bundle; this one expired on {last}"
        => "{what}在同一 bundle 中已有后继；这一个已于 {last} 过期";
    "{what} has a successor in the same bundle, but signed what istiod signs with, and expired on {last}: a new istiod does not start"
        => "{what}在同一 bundle 中已有后继，但 istiod 的签发证书由它签发，而它已于 {last} 过期：新的 istiod 无法启动";
    "let the successor sign a new certificate for istiod to sign with, and put that into the Secret cacerts"
        => "请用后继根证书为 istiod 签发新的签发证书，并放入 Secret cacerts";
    "take it out of the bundle: nothing that it signed is trusted any more" => "把它从 bundle 中去掉：它签发的任何证书都不再受信任";
    "{what} expired on {last}" => "{what}已于 {last} 过期";
    "{what} expires on {last}" => "{what}将于 {last} 过期";
    "the mesh's root" => "网格的根证书";
    "the issuer of the workloads' certificates" => "工作负载证书的签发者";
    "what the API server trusts this webhook by" => "API server 信任这个 webhook 所依据的证书";
    "{object} allows {} of {} evictions" => "{object} 允许 {1} 个 Pod 中驱逐 {0} 个";
    "none of the {} pods that it covers may be evicted: draining a node waits for ever"
        => "它覆盖的 {} 个 Pod 一个都不能驱逐：排空节点会永远等待";

    "{}m CPU and {} MiB memory" => "{}m CPU 和 {} MiB 内存";

    // ztunnel
    "connections through ztunnel that last longer than {grace_seconds} s are cut when it is replaced"
        => "经过 ztunnel 且持续超过 {grace_seconds} 秒的连接会在替换它时中断";
    "cluster {}: {cut}" => "集群 {0}：{cut}";
    "{cut}, on one node after the other" => "{cut}，逐个节点进行";
    "{cut}, on up to {nodes} nodes at the same time" => "{cut}，最多 {nodes} 个节点同时进行";
    "set updateStrategy.rollingUpdate to maxSurge 1 and maxUnavailable 0 in ztunnel's values"
        => "在 ztunnel 的 values 中把 updateStrategy.rollingUpdate 设为 maxSurge 1 和 maxUnavailable 0";
    "{cut}, and its update strategy is OnDelete: the upgrade waits until somebody has deleted each of its pods"
        => "{cut}，而其更新策略是 OnDelete：升级会一直等到有人逐个删除它的 Pod";
    "set updateStrategy.type to RollingUpdate in ztunnel's values, or delete the pods node by node while the upgrade waits"
        => "在 ztunnel 的 values 中把 updateStrategy.type 设为 RollingUpdate，或者在升级等待时逐个节点删除 Pod";

    // APIs
    "{object} holds no API that is gone" => "{object} 中没有已移除的 API";
    "its manifest holds {}, which Kubernetes {server} no longer serves: helm upgrade fails"
        => "其清单中有 {0}，Kubernetes {server} 已不再提供：helm upgrade 会失败";
    "helm mapkubeapis {} -n {}, then check again" => "helm mapkubeapis {0} -n {1}，然后重新检查";
    "{behind} minors behind the API server" => "比 API server 落后 {behind} 个次要版本";
    "ahead of the API server" => "比 API server 还新";
    "{} nodes run kubelet {}" => "{0} 个节点运行 kubelet {1}";
    "{} nodes, as {}, run kubelet {}, {cause}, which runs {}"
        => "{0} 个节点（例如 {1}）运行 kubelet {2}，{cause}，后者运行 {3}";
    "upgrade these nodes to at least 1.{}" => "把这些节点至少升级到 1.{}";
    "Nodes of kubelet {}" => "kubelet 为 {} 的节点";
    "objects may still be stored as {}; new ones are as {}" => "可能还有对象以 {0} 存储；新的以 {1} 存储";

    // data plane
    "{more} more namespaces" => "另有 {more} 个命名空间";
    "{count} {}{plural}, as {}, in {}" => "{count} 个 {0!}{plural}（例如 {1}，位于 {2}）";
    "sidecars" => "sidecar";
    "gateways" => "网关";
    "gateway" => "网关";
    "{}s of {version}" => "{version} 的 {0!}";
    "{}s of revision {revision}" => "修订 {revision} 的 {0!}";
    "{} run {shown}, {behind} minors behind {target}" => "{0} 运行 {shown}，比 {target} 落后 {behind} 个次要版本";
    "restart them first, so that they get the proxy of the control plane that runs: {}"
        => "先重启它们，使它们得到正在运行的控制平面的代理：{}";
    "{} run {shown}, newer than {target}" => "{0} 运行 {shown}，比 {target} 更新";
    "find out who injected them, and choose a target that is not older" => "查明是谁注入的，并选择不比它们旧的目标";
    "{} run {shown}, which refuses listeners of istiod {target}" => "{0} 运行 {shown}，它会拒绝 istiod {target} 的 listener";
    "choose {mended} or newer, which sends them what they know" => "选择 {mended} 或更新的版本，它向它们发送它们认识的内容";
    "{} were never injected: their image is auto" => "{} 从未被注入：其镜像是 auto";
    "the version of {} cannot be read from {raw:?}" => "无法从 {raw} 读出 {0} 的版本";
    "let them run an image whose tag is a version, or restart them: {}" => "让它们使用以版本为标签的镜像，或者重启它们：{}";
    "{count} proxies are at most one minor behind {target}" => "{count} 个代理最多比 {target} 落后一个次要版本";
    "{} belong to the revision {revision}, which is not there; there are {}" => "{0} 属于不存在的修订 {revision}；现有 {1}";
    "label their namespace with one that is there, then: {}" => "给其命名空间打上现有修订的标签，然后：{}";
    "{} are ordinary containers, and become native ones when restarted{others}" => "{0} 是普通容器，重启后会变成原生 sidecar{others}";
    "; MutatingWebhookConfigurations that change pods, too, are {}" => "；同样修改 Pod 的 MutatingWebhookConfiguration 有 {}";
    "it runs outside of {}: from {} on istiod no longer shows it the state of proxies"
        => "它运行在 {0} 之外：从 {1} 起，istiod 不再向它提供代理的状态";
    "add {namespace} to pilot.env.{ALLOWED} in istiod's values"
        => "在 istiod 的 values 中把 {namespace} 加入 pilot.env.{ALLOWED}";

    // guard
    "mesh {} wants foreign changes of its configuration warned about, not refused"
        => "网格 {} 要求对外来的配置改动只警告而不拒绝";
    "set spec.freeze.mode of the Mesh to Enforce, and name exceptions in spec.freeze.extraWriters"
        => "把 Mesh 的 spec.freeze.mode 设为 Enforce，并在 spec.freeze.extraWriters 中列出例外";
    "the CRDs" => "CRD";
    "the policy for our own objects" => "保护自身对象的策略";
    "Kubernetes {} serves no ValidatingAdmissionPolicy: it comes with 1.30"
        => "Kubernetes {} 不提供 ValidatingAdmissionPolicy：它从 1.30 起才有";
    "upgrade Kubernetes to at least 1.30; until then apply needs --unguarded with --reason"
        => "把 Kubernetes 至少升级到 1.30；在此之前 apply 需要 --unguarded 和 --reason";
    "the guard is not installed: nothing can freeze the mesh" => "没有安装守卫：无法冻结网格";
    "kubectl mesh-upgrade guard install; without it apply needs --unguarded with --reason"
        => "kubectl mesh-upgrade guard install；没有守卫时 apply 需要 --unguarded 和 --reason";
    "the guard lacks {}" => "守卫缺少 {}";
    "the guard is of release {release}, and too old for this plugin ({})" => "守卫的版本是 {release}，对这个插件（{0}）来说太旧";
    "the guard is of release {release}, and this plugin ({}) too old for it" => "守卫的版本是 {release}，这个插件（{0}）对它来说太旧";
    "update the guard by what installed it: kubectl mesh-upgrade guard install, its chart, or GitOps"
        => "用安装守卫的方式更新它：kubectl mesh-upgrade guard install、其 chart 或 GitOps";
    "kubectl mesh-upgrade guard install brings it up to date" => "kubectl mesh-upgrade guard install 会把它更新到当前版本";
    "the policy is there without the webhook: skipped minors and mixed flavors are not refused between upgrades"
        => "只有策略而没有 webhook：两次升级之间，跳过次要版本和混用 flavor 不会被拒绝";
    "kubectl mesh-upgrade guard install with --image, when that is wanted"
        => "需要时执行 kubectl mesh-upgrade guard install 并带上 --image";
    "the guard is installed" => "守卫已安装";
}
