//! Findings on versions, Kubernetes, clusters, and how Istio was installed.

super::told! {
    // versions
    "no Deployment with the label app=istiod runs in the namespace {} of the clusters that answered"
        => "在有应答的集群中，命名空间 {} 里没有带标签 app=istiod 的 Deployment";
    "look at the cluster with --context NAME, or correct istioNamespace in the Mesh object"
        => "用 --context NAME 查看正确的集群，或者更正 Mesh 对象中的 istioNamespace";
    "the mesh's control planes and its Mesh object name the flavors {}"
        => "网格的控制平面及其 Mesh 对象给出了不同的 flavor：{}";
    "bring all control planes to one flavor with the tool that installed them, then check again"
        => "用安装它们的工具把所有控制平面统一到一种 flavor，然后重新检查";
    "the mesh's control planes run {}" => "网格的控制平面运行着不同的版本：{}";
    "go on: the upgrade takes each of them to {}" => "可以继续：升级会把它们全部带到 {}";
    "all control planes run {}" => "所有控制平面都运行 {}";
    "the version of {component} cannot be read from {:?}" => "无法从 {0} 读出 {component} 的版本";
    "let it run an image whose tag is a version, as 1.30.3; a digest may follow that"
        => "让它使用以版本为标签的镜像，例如 1.30.3；标签后面可以带摘要";
    "let it run an image whose tag is a version, as 1.30.3; or upgrade it by hand: kubectl mesh-upgrade guide {} --to {target}"
        => "让它使用以版本为标签的镜像，例如 1.30.3；或者手工升级它：kubectl mesh-upgrade guide {0} --to {target}";
    "the image of {component} names no version: {image:?}; its arrival at {target} could not be proved"
        => "{component} 的镜像没有给出版本：{image}；将无法证明它已到达 {target}";
    "{component} may go from {running} to {target}" => "{component} 可以从 {running} 升级到 {target}";
    "{component} runs {running}; {target} is more than one minor ahead"
        => "{component} 运行 {running}；{target} 领先不止一个次要版本";
    "bring this one alone to {hop}, with what installed it, and on until it is one minor behind at most; then check again"
        => "用安装它的工具单独把它升级到 {hop}，再继续，直到最多落后一个次要版本；然后重新检查";
    "go to {hop} first: {}" => "先升级到 {hop}：{0}";
    "{component} runs {running}; {target} is older" => "{component} 运行 {running}；{target} 更旧";
    "choose a version from {running} on" => "选择 {running} 或更新的版本";
    "{component} runs {running} ({}); {target} is {}" => "{component} 运行 {running}（{0}）；{target} 是 {1}";
    "choose a version of the flavor {}" => "选择 flavor 为 {} 的版本";
    "the mesh was last recorded at {recorded}; {target} is older" => "网格上次记录的版本是 {recorded}；{target} 更旧";
    "choose a version from {recorded} on" => "选择 {recorded} 或更新的版本";
    "the chart {} is at {chart}; {target} is older" => "chart {0} 是 {chart}；{target} 更旧";
    "choose a version from {chart} on" => "选择 {chart} 或更新的版本";
    "every control plane runs {target}" => "每个控制平面都运行 {target}";
    "nothing is to be done for the control plane; kubectl mesh-upgrade plan shows what else is behind"
        => "控制平面无事可做；kubectl mesh-upgrade plan 会显示还有什么落后";
    "choose one of these, or add the release to a catalog file and pass it with --catalog FILE"
        => "选择其中之一，或者把这个发行版加入目录文件，并用 --catalog FILE 传入";
    "declare the flavor {} in a catalog file, by an entry of flavors with its suffix, sources and releases, and pass it with --catalog FILE"
        => "在目录文件的 flavors 中加入一项来声明 flavor {}，写明它的 suffix、sources 和 releases，并用 --catalog FILE 传入";
    "{target} is in the catalog" => "{target} 在目录中";
    "the catalog's newest patch of {} is {newest}; {target} is newer"
        => "目录中 {0} 的最新补丁是 {newest}；{target} 更新";
    "make sure that {target} was released, or choose {newest}" => "确认 {target} 已经发布，或者选择 {newest}";
    "{first} to {last}" => "{first} 到 {last}";
    "no minor at all" => "不认识任何次要版本";
    "the catalog knows {known} of the flavor {}, not {}" => "目录中 flavor {0} 有 {known}，没有 {1}";
    "the catalog knows the flavors {}, not {}" => "目录认识的 flavor 有 {0}，没有 {1}";
    "{target} is a pre-release ({pre})" => "{target} 是预发布版本（{pre}）";
    "choose a released version; kubectl mesh-upgrade list shows the newest that can be reached"
        => "选择正式发布的版本；kubectl mesh-upgrade list 会显示可以到达的最新版本";
    "{} gets no fixes since {date}" => "{0} 自 {date} 起不再获得修复";
    "{} gets no fixes since {}" => "{0} 自 {1} 起不再获得修复";
    "{} gets fixes" => "{} 仍获得修复";
    "upgrade, one minor after the other, until a supported one is reached"
        => "逐个次要版本升级，直到到达受支持的版本";
    "go on to {} right after this upgrade" => "本次升级之后立即继续升级到 {}";
    "{} runs {version}, its control plane {newest}" => "{0} 运行 {version}，其控制平面运行 {newest}";
    "upgrade the control plane to at least {}" => "把控制平面至少升级到 {}";
    "a {minor} release" => "{minor} 的某个发行版";

    // kubernetes
    "Kubernetes {kubernetes} lies in {range}" => "Kubernetes {kubernetes} 在 {range} 范围内";
    "; it was tested but is not supported" => "；它经过测试，但不受支持";
    "Istio {target} supports Kubernetes {range}; this cluster runs {kubernetes}{tested}"
        => "Istio {target} 支持 Kubernetes {range}；这个集群运行 {kubernetes}{tested}";
    "Istio {target} supports Kubernetes {range}; this cluster runs {kubernetes}"
        => "Istio {target} 支持 Kubernetes {range}；这个集群运行 {kubernetes}";
    "upgrade this cluster's Kubernetes to at least {}, then check again: {}"
        => "把这个集群的 Kubernetes 至少升级到 {0}，然后重新检查：{1}";
    ", the newest is {}{range}" => "，最新的是 {0}{range}";
    "{cause}, and no release of the flavor {} supports it yet{newest}"
        => "{cause}，而 flavor {0} 还没有任何发行版支持它{newest}";
    "wait for a release that supports Kubernetes {kubernetes}, or waive MU203 for {cluster}, with an owner and an expiry; a vendor's wider range can be passed with --catalog FILE"
        => "等待支持 Kubernetes {kubernetes} 的发行版，或者为 {cluster} 豁免 MU203，写明负责人和到期日；厂商更宽的范围可以用 --catalog FILE 传入";
    "choose Istio {version}, which supports Kubernetes {kubernetes}: {}"
        => "选择支持 Kubernetes {kubernetes} 的 Istio {version}：{0}";
    "Istio {version} is the first to support Kubernetes {kubernetes}, but it is more than one minor away: waive MU202 for {cluster}, with an owner and an expiry, for the hop to {}, then go on to {version}"
        => "Istio {version} 是第一个支持 Kubernetes {kubernetes} 的版本，但相距不止一个次要版本：为 {cluster} 豁免 MU202（写明负责人和到期日），用于到 {0} 的那一跳，然后继续升级到 {version}";

    // clusters
    "the cluster could not be observed: {reason}" => "无法观察这个集群：{reason}";
    "the cluster answered" => "集群有应答";
    "name a context of yours that reaches it, with --contexts or in the Mesh object's clusters: the Secret {namespace}/{name} of {holder} gives Istio's rights alone; or delete that Secret if the cluster is gone"
        => "用 --contexts 或在 Mesh 对象的 clusters 中指定您自己的、能到达它的 context：{holder} 中的 Secret {namespace}/{name} 只给出 Istio 的权限；如果集群已不存在，就删除那个 Secret";
    "make sure that kubectl version answers with its context, or take {cluster} out of the clusters of the Mesh {mesh}, then check again"
        => "确认用它的 context 执行 kubectl version 有应答，或者把 {cluster} 从 Mesh {mesh} 的 clusters 中去掉，然后重新检查";
    "make sure that kubectl --context {cluster} version answers, or take the cluster out of the mesh, then check again"
        => "确认 kubectl --context {cluster} version 有应答，或者把这个集群移出网格，然后重新检查";
    "not everything could be read: {what}" => "没能读到全部内容：{what}";
    "get the permission to read it, or repair what is broken, then check again"
        => "取得读取它的权限，或者修复损坏之处，然后重新检查";
    "{} are one cluster: their kube-system has the UID {uid}" => "{0} 是同一个集群：其 kube-system 的 UID 都是 {uid}";
    "name the cluster once, in the kubeconfig's contexts or in the Mesh object's clusters"
        => "在 kubeconfig 的 context 或 Mesh 对象的 clusters 中，一个集群只写一次";
    "{} is an external control plane, upgraded together with the cluster {}" => "{0} 是外部控制平面，与集群 {1} 一起升级";
    "the control plane in {} reads its configuration in the cluster {}, where no helm release of Istio's charts was found: its CRDs and webhooks would stay as they are"
        => "{0} 中的控制平面从集群 {1} 读取配置，而那里没有找到 Istio 各 chart 的 helm release：其 CRD 和 webhook 会保持原样";
    "take over what is there: helm upgrade --install with --take-ownership; or upgrade by the runbook: kubectl mesh-upgrade guide {} --to {}"
        => "接管已有的对象：helm upgrade --install 加 --take-ownership；或按操作手册升级：kubectl mesh-upgrade guide {0} --to {1}";
    "upgrade it by the runbook: kubectl mesh-upgrade guide {} --to {}"
        => "按操作手册升级它：kubectl mesh-upgrade guide {0} --to {1}";
    "the mesh {} is operated by its owner: only guidance is possible" => "网格 {} 由其所有者运维：只能给出指引";
    "hand the owner the runbook: kubectl mesh-upgrade guide {} --to {}"
        => "把操作手册交给所有者：kubectl mesh-upgrade guide {0} --to {1}";

    // images, charts
    "the charts of {target} take their images from {source}, which may not answer from {} on"
        => "{target} 的 chart 从 {source} 取镜像，而它从 {0} 起可能不再应答";
    "set global.hub to {} in the values of each chart" => "在每个 chart 的 values 中把 global.hub 设为 {}";
    "images of {target} for {workload} come from {source}" => "{target} 用于 {workload} 的镜像来自 {source}";
    "a remote cluster has the chart istiod with profile=remote, beside the chart base"
        => "远程集群在 chart base 之外使用带 profile=remote 的 chart istiod";
    "nothing acts on IstioOperator objects any more; move to the charts base, istiod and gateway, or to the Sail Operator"
        => "不再有任何组件处理 IstioOperator 对象；改用 chart base、istiod 和 gateway，或者改用 Sail Operator";
    "install the istioctl of {}, or run apply with --istioctl FILE"
        => "安装 {} 的 istioctl，或者执行 apply 时带上 --istioctl FILE";
    "install helm 3.14 or newer, or run apply with --helm FILE; charts were not looked at"
        => "安装 helm 3.14 或更新的版本，或者执行 apply 时带上 --helm FILE；没有查看 chart";
    "{component} {target} is at {source}" => "{source} 有 {component} {target}";
    "put {component} {target} there, or name another place with --charts"
        => "把 {component} {target} 放到那里，或者用 --charts 指定别处";
    "make it reachable, or name another place, here and in apply, with --charts, as {registry}"
        => "让它可以访问，或者在这里和 apply 时用 --charts 指定别处，例如 {registry}";
    "make {source} reachable from here, or name another place with --charts DIR|URL"
        => "让 {source} 可以从这里访问，或者用 --charts DIR|URL 指定别的地方";
    "{source} cannot be reached for it either" => "同样无法为它访问 {source}";
    "make it reachable, or name another place, here and in apply, with --charts DIR|URL"
        => "让它可以访问，或者在这里和 apply 时用 --charts DIR|URL 指定别处";
    "charts come from {url}, which is shut down and may not answer {when} {}"
        => "chart 来自 {url}，它{when!} {0} 起停用，可能不再应答";
    "since" => "自";
    "from" => "从";
    "use {}" => "使用 {}";
    "use {}, or {registry}" => "使用 {0}，或者 {registry}";
    "it has no successor" => "它没有后继";
    "it is of the chart {chart}, which is made no more since {WITHOUT}: {instead}"
        => "它来自 chart {chart}，自 {WITHOUT} 起不再提供：{instead}";
    "move what it installs to that, then helm uninstall {name} -n {namespace}"
        => "把它安装的内容迁移过去，然后 helm uninstall {name} -n {namespace}";
    "{object} sets no value that was removed" => "{object} 没有设置被移除的 value";
    "the target's chart refuses to be rendered with it" => "目标版本的 chart 带着它会拒绝渲染";
    "the target's chart ignores it" => "目标版本的 chart 会忽略它";
    "it sets {}, gone in 1.{}: {what}" => "它设置了 {0}，1.{1} 中已移除：{what}";
    "remove it; in its place comes {}" => "移除它；代替它的是 {}";
    "nothing: it had no effect any more" => "无：它早已不起作用";
    "a Telemetry object" => "Telemetry 对象";
    "profile without openshift, and global.platform=openshift" => "不带 openshift 的 profile，以及 global.platform=openshift";
    "a newer compatibilityVersion, or none" => "更新的 compatibilityVersion，或者不设";
    "third-party-jwt, the default" => "默认的 third-party-jwt";
    "nothing: the agent asks for single capabilities" => "无：agent 只申请个别的 capability";
    "sni in the DestinationRules" => "DestinationRule 中的 sni";
    "nothing: the spans are always made" => "无：总是会生成这些 span";

    // install, installers, ownership
    "istioctl installed {component}" => "{component} 由 istioctl 安装";
    "{component} was installed neither by helm, of which it would have the annotation meta.helm.sh/release-name, nor by istioctl"
        => "{component} 既不是 helm 安装的（那样会有注解 meta.helm.sh/release-name），也不是 istioctl 安装的";
    "{component} names the helm release {}/{}, of which no record of Istio's own chart is left"
        => "{component} 指向 helm release {0}/{1}，而它没有 Istio 自己的 chart 的记录";
    "upgrade it with the tool that installed it, or take it over: helm upgrade --install with --take-ownership and the chart {component} of the version that runs"
        => "用安装它的工具升级，或者接管它：helm upgrade --install，带上 --take-ownership 和正在运行的版本的 chart {component}";
    "its chart {} is at {chart}, but {running} runs" => "它的 chart {0} 是 {chart}，但运行的是 {running}";
    "look for a tag in helm get values {} -n {}, and remove it, or the upgrade keeps it"
        => "在 helm get values {0} -n {1} 中找到 tag 并移除，否则升级会保留它";
    "{object} installs {}" => "{object} 安装 {0}";
    "{object} is deployed" => "{object} 状态为 deployed";
    "wait if a helm still works on it; if it was killed, roll back to the last revision that {look} shows as deployed: helm rollback {name} REVISION -n {namespace}"
        => "如果还有 helm 在处理它，就等待；如果 helm 已被杀掉，回滚到 {look} 显示为 deployed 的最后一个修订：helm rollback {name} REVISION -n {namespace}";
    "wait if a helm still works on it; if it was killed, helm uninstall {name} -n {namespace} and install it again"
        => "如果还有 helm 在处理它，就等待；如果 helm 已被杀掉，执行 helm uninstall {name} -n {namespace}，然后重新安装";
    "see the reason with {look}, then repeat the operation, or go back: helm rollback {name} REVISION -n {namespace}"
        => "用 {look} 查看原因，然后重复该操作，或者退回：helm rollback {name} REVISION -n {namespace}";
    "see {look}, and bring the release back to deployed" => "查看 {look}，并让 release 恢复到 deployed";
    "its revision {revision} is {status}" => "它的修订 {revision} 状态为 {status}";
    "no release of the chart base was found: this upgrade does not update Istio's CRDs"
        => "没有找到 chart base 的 release：本次升级不会更新 Istio 的 CRD";
    "{cause}, and these serve no v1, which Istio {READ_AS_V1_SINCE} and newer read: {old}"
        => "{cause}，而且以下定义不提供 Istio {READ_AS_V1_SINCE} 及更新版本所读取的 v1：{old}";
    "apply the target's CRDs before the upgrade, or take them over: helm upgrade --install istio-base with --take-ownership"
        => "升级之前先应用目标版本的 CRD，或者接管它们：helm upgrade --install istio-base，带上 --take-ownership";
    "its helm release {namespace}/{name} is not of Istio's own chart: this upgrade leaves it as it is"
        => "它的 helm release {namespace}/{name} 不是 Istio 自己的 chart：本次升级不动它";
    "it was installed neither by helm nor with the mesh by istioctl: this upgrade leaves it as it is"
        => "它既不是 helm 安装的，也不是 istioctl 随网格安装的：本次升级不动它";
    "upgrade it afterwards with the tool that installed it; an injected one by kubectl rollout restart {}/{} -n {}"
        => "之后用安装它的工具升级；由注入产生的则用 kubectl rollout restart {0}/{1} -n {2}";
    "images of {} come from {prefix}, which is shut down and may not answer {when} {gone}"
        => "{0} 的镜像来自 {prefix}，它{when!} {gone} 起停用，可能不再应答";
    "set global.hub to {replacement} in the values of the charts, and restart pods with such proxies afterwards"
        => "在各 chart 的 values 中把 global.hub 设为 {replacement}，之后重启带有这类代理的 Pod";
    "{} belong to another mesh; CRDs, CNI and ztunnel exist once" => "{} 属于另一个网格；CRD、CNI 和 ztunnel 在集群中只有一份";
    "make sure that the other control plane is at most one minor behind the target, and upgrade it next"
        => "确认另一个控制平面最多比目标落后一个次要版本，并接着升级它";
    "what they share stays at its minor with this upgrade; take {} to {target} before the next minor"
        => "这次升级不改变共用部分的次要版本；在升级到下一个次要版本之前，先把 {} 升级到 {target}";
    "take {} to {before} first, with an image whose tag tells the version: what they share would be more than one minor ahead of it, and it could not follow"
        => "先把 {} 升级到 {before}，并使用标签能说明版本的镜像：否则共用的部分会比它领先不止一个次要版本，它就再也跟不上了";
    "istioctl alone installed revision {} and what it needs" => "修订 {} 及其所需全部由 istioctl 安装";
    "let one of them own it all: take it over into releases with helm upgrade --install --take-ownership, or uninstall the releases and install with istioctl alone"
        => "让其中一个拥有全部：用 helm upgrade --install --take-ownership 接管到 release 中，或者卸载这些 release，只用 istioctl 安装";
    "istioctl installed the revisions {}: each istioctl install would rewrite the definitions and the node components that they share"
        => "istioctl 安装了修订 {}：每次 istioctl install 都会改写它们共用的 CRD 和节点组件";
    "end the canary first, so that one revision is left; kubectl mesh-upgrade guide tells how"
        => "先结束金丝雀升级，只留下一个修订；做法见 kubectl mesh-upgrade guide";
    "istioctl installed the control plane of revision {}, and helm {}: each would take over what the other owns"
        => "istioctl 安装了修订 {0} 的控制平面，helm 安装了 {1}：双方会抢夺对方拥有的对象";
    "istioctl installed {} and not the control plane: istioctl upgrades an installation as a whole"
        => "istioctl 安装了 {}，却没有安装控制平面：istioctl 只能整体升级一个安装";
    "{fields} was set by {editors}" => "{fields} 由 {editors} 设置";
    "fields of its specification were set by {}" => "其 spec 中的一些字段由 {} 设置";
    "move the change into the IstioOperator that is installed, or it may be lost with the upgrade"
        => "把这个改动移到所安装的 IstioOperator 中，否则升级可能使它丢失";
    "move the change into the chart's values, or it is lost with the upgrade"
        => "把这个改动移到 chart 的 values 中，否则升级会使它丢失";
    "{} definitions belong to {}/{}" => "{0} 个 CRD 属于 {1}/{2}";
    "helm would refuse to change {}" => "helm 会拒绝修改 {}";
    "let the release own them: kubectl label --overwrite crd {crds} app.kubernetes.io/managed-by=Helm && kubectl annotate --overwrite crd {crds} meta.helm.sh/release-name={name} meta.helm.sh/release-namespace={namespace}"
        => "让 release 拥有它们：kubectl label --overwrite crd {crds} app.kubernetes.io/managed-by=Helm && kubectl annotate --overwrite crd {crds} meta.helm.sh/release-name={name} meta.helm.sh/release-namespace={namespace}";
    "{} (of {namespace}/{name})" => "{0}（属于 {namespace}/{name}）";
    "{object} is upgraded with its helm release {}/{}" => "{object} 随其 helm release {0}/{1} 一起升级";
    "{} runs, which this tool does not upgrade" => "{} 正在运行，本工具不升级它";
    "an operator, by its object {object}" => "operator，依据其对象 {object}";
    "a tool that left no mark" => "没有留下标记的工具";
    "{who} may not do {} of {} things that apply needs" => "{who!}缺少 apply 所需的 {1} 项权限中的 {0} 项";
    "you" => "您";
    "the driver's ServiceAccount" => "驱动者的 ServiceAccount";
    "all {} permissions are granted" => "全部 {} 项权限都已授予";
    "run kubectl mesh-upgrade guard install again, or grant it" => "重新执行 kubectl mesh-upgrade guard install，或者授予它";
    "let an administrator of the cluster grant you" => "请集群管理员授予您";

    // an upgrade that is not over
    "an upgrade to {to} has begun ({phase}, frozen since {since})" => "到 {to} 的升级已经开始（{phase}，自 {since} 起冻结）";
    "an upgrade to {to} has begun ({phase})" => "到 {to} 的升级已经开始（{phase}）";
    "bring it to its end first: kubectl mesh-upgrade apply {mesh}" => "先把它进行到底：kubectl mesh-upgrade apply {mesh}";
    "bring it to its end first: kubectl mesh-upgrade apply {mesh}; or give it up, since it has changed nothing yet: kubectl mesh-upgrade apply {mesh} --withdraw"
        => "先把它进行到底：kubectl mesh-upgrade apply {mesh}；或者放弃它，因为它还没有改动任何东西：kubectl mesh-upgrade apply {mesh} --withdraw";
    "the mesh is frozen since {since} by an upgrade to {to}, of which no journal under way was found"
        => "网格自 {since} 起被到 {to} 的升级冻结，而没有找到该升级正在进行的日志";
    "the mesh is frozen since {since} by an upgrade to {to}; the journals in cluster {cluster} cannot be read"
        => "网格自 {since} 起因升级到 {to} 而冻结；无法读取集群 {cluster} 中的日志";
    "check again as somebody who may read the journals in cluster {cluster}, by the ClusterRole mesh-upgrade-operator, and when it answers"
        => "请以可以读取集群 {cluster} 中日志的身份（ClusterRole mesh-upgrade-operator），并在它应答时重新检查";
    "look where its journal is, too: name a context that leads to {home}, with --context or --contexts"
        => "也到它的日志所在之处查看：用 --context 或 --contexts 指定通向 {home} 的 context";
    "when that upgrade is abandoned, lift its freeze: kubectl mesh-upgrade unlock {mesh} --reason TEXT"
        => "如果那个升级已被放弃，解除其冻结：kubectl mesh-upgrade unlock {mesh} --reason TEXT";
    "an upgrade to {to} has begun, or its journal comes from a backup: {name} has no status"
        => "到 {to} 的升级已经开始，或者它的日志来自备份：{name} 没有 status";
    "go on with it: kubectl mesh-upgrade apply {mesh}; or, when it comes from a backup, remove it: kubectl delete meshupgrade {name}{at}"
        => "继续它：kubectl mesh-upgrade apply {mesh}；或者，如果它来自备份，就删除它：kubectl delete meshupgrade {name}{at}";
    "when nobody drives it, remove it: kubectl delete meshupgrade {name}{at}; otherwise bring it to its end first: kubectl mesh-upgrade apply {mesh}"
        => "如果没有人在驱动它，就删除它：kubectl delete meshupgrade {name}{at}；否则先把它进行到底：kubectl mesh-upgrade apply {mesh}";
}
