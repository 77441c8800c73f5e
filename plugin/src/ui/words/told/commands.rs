//! What the verbs say, and their errors: from adopt to list.

super::told! {
    // options
    "leave it out: {verb} changes nothing" => "去掉它：{verb} 不改动任何东西";
    "nothing is changed by: kubectl mesh-upgrade plan{} --to {}" => "不改动任何东西的是：kubectl mesh-upgrade plan{} --to {}";
    "a version is given with --to: kubectl mesh-upgrade {}{} --to {version}"
        => "版本用 --to 指定：kubectl mesh-upgrade {0}{1} --to {version}";
    "expected a day, as 2027-01-31" => "应为日期，例如 2027-01-31";
    "expected between 1s and 24h" => "应在 1s 到 24h 之间";
    "expected a duration, as 30s, 10m or 1h" => "应为时长，例如 30s、10m 或 1h";
    "-o markdown is for check and guide" => "-o markdown 用于 check 和 guide";
    "cannot start: {error}" => "无法启动：{error}";
    "cannot write the result: {error}" => "无法写出结果：{error}";
    "done, or nothing to do" => "完成，或无事可做";
    "the plan has changes (only with --detailed-exitcode)" => "计划有变化（仅在 --detailed-exitcode 时）";
    "blocked by a finding" => "被某个发现阻塞";
    "warnings, with --fail-on warning" => "有警告，在 --fail-on warning 时";
    "somebody else holds the upgrade" => "升级由别人持有";
    "wrong usage" => "用法错误";
    "guard install, adopt or apply --unguarded waited in vain" => "guard install、adopt 或 apply --unguarded 等待超时";

    // adopt
    "cluster {cluster} could not be observed, so that what it is to the mesh is not known: {reason}"
        => "无法观察集群 {cluster}，因此不知道它在网格中的角色：{reason}";
    "nothing was written; make it reachable, and adopt again" => "没有写入任何东西；让它可以访问，然后重新 adopt";
    "management is {}, because {why}; another is said with --management"
        => "management 为 {0}，因为{why}；可以用 --management 指定别的";
    "Nothing was written." => "没有写入任何东西。";
    "Type the mesh's name ({}) to write it into {}:" => "输入网格名称（{}）以写入 {}：";
    "not confirmed: nothing was written" => "没有确认：没有写入任何东西";
    "there is no terminal to ask on: nothing was written" => "没有可以询问的终端：没有写入任何东西";
    "say yes beforehand with --yes, or only look with --dry-run" => "请用 --yes 预先确认，或者用 --dry-run 只看不写";
    "{} does not know the kind Mesh yet" => "{} 还不认识 kind Mesh";
    "Mesh {} written into {}" => "Mesh {} 已写入 {}";
    "its status could not be written: {}" => "无法写入其状态：{}";
    "no way leads to {name}, the mesh's home: nothing was written" => "无法到达网格的主集群 {name}：没有写入任何东西";
    "Mesh {name} says what was discovered: nothing to do." => "Mesh {name} 与发现的一致：无事可做。";
    "Mesh {name} is there, and says something else: nothing was written\n{}"
        => "Mesh {name} 已存在，而内容不同：没有写入任何东西\n{0}";
    "if what was discovered is right: kubectl edit mesh {name}" => "如果发现的才是对的：kubectl edit mesh {name}";
    "somebody has written it meanwhile; adopt again to compare" => "在此期间有人写入了它；重新 adopt 以便比较";
    "it takes the verb create on meshes.meshupgrade.io" => "这需要 meshes.meshupgrade.io 上的动词 create";
    "nothing was written" => "没有写入任何东西";
    "cannot write the Mesh: {}" => "无法写入 Mesh：{}";
    "{owner} owns {object}, in a way that this tool cannot upgrade" => "{owner} 拥有 {object}，而其方式本工具无法升级";
    "{object} bears no mark of what installed it" => "{object} 没有安装工具留下的标记";
    "its control plane runs in {} of {host} and is configured in {}" => "其控制平面运行在 {host} 的 {0} 中，在 {1} 中配置";
    "its control planes run in its own clusters, and were installed by what this tool can drive"
        => "其控制平面运行在自己的集群中，由本工具能够驱动的方式安装";
    "spec.management is {}, and {} was asked for" => "spec.management 是 {}，而要求的是 {}";
    "spec.{field} is {there}, and {found} was discovered" => "spec.{field} 是 {there}，而发现的是 {found}";
    "not set (community)" => "未设置（社区版）";
    "the cluster that holds it alone" => "只有保存它的那个集群";
    "{} ({role}, context {context})" => "{0}（{role}，context {context}）";
    "{}/{} of {}" => "{2} 的 {0}/{1}";

    // catalog, charts, waivers
    "cannot read the catalog {shown}: {error}" => "无法读取目录 {shown}：{error}";
    "leave --catalog out to use the built-in one" => "不带 --catalog 就使用内置的目录";
    "nothing was changed; mend the file, or leave --catalog out" => "没有改动任何东西；修正该文件，或者不带 --catalog";
    "{} ({place} may not be read)" => "{0}（没有权限读取 {place}）";
    "nothing was changed; mend it, or pass another with --catalog FILE"
        => "没有改动任何东西；修正它，或者用 --catalog FILE 传入另一个";
    "the embedded catalog" => "内置目录";
    "the embedded catalog of {day}" => "{day} 的内置目录";
    "{} over {}" => "{}（叠加在 {} 之上）";
    "nothing was changed; mend it: a waiver that is not understood waives nothing"
        => "没有改动任何东西；请修正它：看不懂的豁免什么也不豁免";
    "cannot read the waivers {shown}: {error}" => "无法读取豁免 {shown}：{error}";
    "annotation {} of Mesh {}" => "Mesh {1} 的注解 {0}";

    // check
    "nothing could be observed, and is tried again: {error}" => "什么都没能观察到，正在重试：{error}";
    "checked again, because of {what}" => "因 {what} 重新检查";
    "cannot read the baseline {shown}: {error}" => "无法读取基线 {shown}：{error}";
    "name the clusters with --contexts, or see the meshes with: kubectl mesh-upgrade list"
        => "用 --contexts 指定集群，或者查看有哪些网格：kubectl mesh-upgrade list";

    // dataplane
    "Mesh {}: {all} proxies, {due} of them behind; control plane {}"
        => "网格 {0}：{all} 个代理，其中 {due} 个落后；控制平面 {1}";
    "No pod has a proxy: nothing is to be restarted." => "没有带代理的 Pod：没有要重启的。";
    "{} cluster {cluster} is Unknown: {reason}" => "{0} 集群 {cluster} 状态未知（Unknown）：{reason}";
    "{} {cluster}: this build can exchange sidecars in running pods, without a restart"
        => "{} {cluster}：这个构建可以在运行中的 Pod 里更换 sidecar，无需重启";
    "{} {cluster}: this build exchanges sidecars in running pods from Kubernetes {minimum_kubernetes} on, which this cluster is below"
        => "{} {cluster}：这个构建从 Kubernetes {minimum_kubernetes} 起才能在运行中的 Pod 里更换 sidecar，而这个集群低于它";
    "\nTo restart what is behind, one after the other:" => "\n逐个重启落后的：";
    "older patch" => "补丁较旧";
    "one minor behind" => "落后一个次要版本";
    "too old" => "太旧";
    "ahead of it" => "比它还新";
    "its pods could not be read" => "无法读取其 Pod";
    "a Job: its pod keeps its proxy to its end" => "Job：其 Pod 保留现有代理直到结束";
    "a bare pod: deleted it is gone" => "裸 Pod：删除后不会重建";
    "kubectl does not restart a {kind}: use the tool that runs it" => "kubectl 不能重启 {kind}：请用运行它的工具";
    "PodDisruptionBudget {budget} allows no eviction now: a rolling restart goes past it, a drain does not"
        => "PodDisruptionBudget {budget} 现在不允许驱逐：滚动重启不受它限制，排空节点则受限制";

    // explain
    "there is no finding {given:?}" => "没有发现 {given}";

    // lifting a freeze
    "{says}; until it is over there is no other target, and what is found now may be of its making"
        => "{says}；它结束之前没有别的目标，现在发现的问题可能由它造成";
    "mesh {} is frozen in cluster {cluster} by its upgrade to {}, driven by {}, of which no journal under way was found"
        => "网格 {0} 在集群 {cluster} 中被升级到 {1} 的升级冻结，由 {2} 驱动，而没有找到该升级正在进行的日志";
    "whether a driver is alive is not known: {why}" => "不知道是否有驱动者还活着：{why}";
    "the journal and the lease of the upgrade are in a cluster that was not reached"
        => "升级的日志和 Lease 在未能到达的集群中";
    "{driver} is driving this upgrade" => "{driver} 正在驱动这个升级";
    "stop that driver first (Ctrl-C there ends it after its step): it would freeze the mesh again"
        => "先停止那个驱动者（在那里按 Ctrl-C，它会在这一步之后结束）：否则它会再次冻结网格";
    "unlocked in {} by {by}: {reason}" => "{by} 已在 {0} 中解除冻结：{reason}";
    "opened {}: {evidence}" => "已开放 {0}：{evidence}";
    "noted in the journal {}" => "已记入日志 {}";
    "mesh {named} is not being upgraded here, and not frozen; these are: {}"
        => "网格 {named} 在这里没有升级，也没有被冻结；有升级或冻结的是：{}";
    "nothing was changed; name one of them: kubectl mesh-upgrade unlock MESH --reason TEXT"
        => "没有改动任何东西；请指定其中一个：kubectl mesh-upgrade unlock MESH --reason TEXT";
    "several meshes are being upgraded here: {}" => "这里有多个网格正在升级：{}";
    "name one: kubectl mesh-upgrade unlock MESH --reason TEXT" => "请指定一个：kubectl mesh-upgrade unlock MESH --reason TEXT";
    "context {} leads to another cluster" => "context {} 通向另一个集群";
    "a freeze" => "冻结";
    "the freeze of mesh {mesh}" => "网格 {mesh} 的冻结";
    "you may not lift {freeze} in cluster {}: the RBAC verb unlock on meshfreezes is missing"
        => "您不能在集群 {0} 中解除{freeze}：缺少 meshfreezes 上的 RBAC 动词 unlock";
    "who may: {}" => "有权限的是：{}";
    "what was not done can be done again: run the same command once more" => "没有做完的可以再做：把同一条命令再执行一次";
    "unlock MeshFreeze {mesh}" => "解锁 MeshFreeze {mesh}";
    "write into the journal {name} that its freeze is lifted" => "在日志 {name} 中写入其冻结已解除";
    "cannot {what}: it has just changed" => "无法 {what}：它刚刚被改动";
    "delete MeshFreeze {mesh}" => "删除 MeshFreeze {mesh}";
    "its policies are gone" => "其策略已不存在";
    "its policies are gone; not tried by a dry run: {why}" => "其策略已不存在；没有用 dry run 试验：{why}";
    "still frozen after {seconds} s: {why}" => "{seconds} 秒之后仍然冻结：{why}";
    "a foreign change is admitted again" => "外来的改动重新被放行";
    "the freeze is lifted by hand, by {by}: {reason}" => "冻结由 {by} 手工解除：{reason}";
    "the Event could not be written" => "无法写入 Event";

    // guard install, status
    "{driver} is driving the upgrade {upgrade}" => "{driver} 正在驱动升级 {upgrade}";
    "whether {holder} is driving the upgrade {upgrade}, which has frozen mesh {mesh} here, is not known: its lease is in cluster {name}: {why}"
        => "不知道 {holder} 是否正在驱动在此冻结了网格 {mesh} 的升级 {upgrade}：其 Lease 在集群 {name} 中：{why}";
    "context {name} leads to a cluster without the journal {upgrade}" => "context {name} 指向的集群没有日志 {upgrade}";
    "stop that driver first (Ctrl-C there ends it after its step): it would put the guard back as it was"
        => "先停止那个驱动者（在那里按 Ctrl-C，它会在这一步之后结束）：否则它会把守卫恢复原样";
    "whether a driver is alive is not known: {fault}" => "不知道是否有驱动者还活着：{fault}";
    "whether namespace {} holds something of yours cannot be seen: {}" => "看不到命名空间 {} 中是否有属于您的东西：{}";
    "nothing was changed; to remove the guard all the same: kubectl mesh-upgrade guard uninstall --force --reason TEXT"
        => "没有改动任何东西；仍要移除守卫：kubectl mesh-upgrade guard uninstall --force --reason TEXT";
    "{what} goes with namespace {}" => "{what} 随命名空间 {0} 一起删除";
    "namespace {} goes with the guard, and holds what is yours: {}" => "命名空间 {} 随守卫一起删除，而其中有属于您的：{}";
    "keep it first: kubectl --namespace {} get {} -o yaml > mine.yaml" => "先保存：kubectl --namespace {} get {} -o yaml > mine.yaml";
    "then, on the record: kubectl mesh-upgrade guard uninstall --force --reason TEXT"
        => "之后，留下记录地执行：kubectl mesh-upgrade guard uninstall --force --reason TEXT";
    "cluster {} has no cert-manager" => "集群 {} 没有 cert-manager";
    "install it first, or leave --cert-manager out: the webhook then makes its certificates itself"
        => "先安装它，或者不带 --cert-manager：那样 webhook 会自己生成证书";
    "kept, as the guard is installed: {}; the defaults come with --reset"
        => "沿用守卫现有的安装方式：{}；用 --reset 恢复默认值";
    "cannot read how the guard is installed: {}" => "无法读取守卫是如何安装的：{}";
    "nothing was changed; with --reset it is installed as the flags say, whatever is there"
        => "没有改动任何东西；用 --reset 则不管现状，按参数安装";
    "the guard that is installed is of release {release}, later than this plugin ({}), which would take it back"
        => "已安装的守卫版本是 {release}，比这个插件（{0}）新，插件会把它退回去";
    "or take it back to this plugin's release and defaults: kubectl mesh-upgrade guard install --reset"
        => "或者把它退回到这个插件的版本和默认值：kubectl mesh-upgrade guard install --reset";
    "custom resources served" => "API server 已提供自定义资源";
    "{} The guard is installed in cluster {}." => "{} 守卫已安装在集群 {} 中。";
    "Only its policies. Without the webhook:" => "只有策略。没有 webhook 时：";
    "not seen, so perhaps not guarded against foreign helm: {what}" => "没有看到，因此可能没有防住外来的 helm：{what}";
    "helm releases could not be looked for: {reason}" => "无法查找 helm release：{reason}";
    "the upgrade {} has begun without the guard, and ends without it" => "升级 {} 在没有守卫时开始，也在没有守卫时结束";
    "finish it first: kubectl mesh-upgrade apply {}" => "先完成它：kubectl mesh-upgrade apply {}";
    "--webhook-url {url:?} is no URL of a webhook" => "--webhook-url {url} 不是 webhook 的 URL";
    "as in https://webhook.example:8443" => "例如 https://webhook.example:8443";
    "cannot apply {shown}: {why}" => "无法应用 {shown}：{why}";
    "the API server does not serve its kind" => "API server 不提供它的 kind";
    "cannot delete {}: {why}" => "无法删除 {0}：{why}";
    "cannot delete {}: {}" => "无法删除 {}：{}";
    "cannot look for {}: {why}" => "无法查找 {0}：{why}";
    "No guard in cluster {cluster}: nothing to do." => "集群 {cluster} 中没有守卫：无事可做。";
    "Type the cluster's name ({cluster}) to remove its guard:" => "输入集群名称（{cluster}）以移除其守卫：";
    "not confirmed: the guard stays" => "没有确认：守卫保留";
    "there is no terminal to ask on: the guard stays" => "没有可以询问的终端：守卫保留";
    "Whoever wants to lose every Mesh object and every journal in this cluster deletes the CRDs as well: kubectl delete crd meshupgrades.{g} meshfreezes.{g} meshes.{g}"
        => "如果连这个集群中所有的 Mesh 对象和所有日志也不要了，可以把 CRD 一并删除：kubectl delete crd meshupgrades.{g} meshfreezes.{g} meshes.{g}";
    "cannot ask for cert-manager's kinds: {why}" => "无法查询 cert-manager 的各个 kind：{why}";
    "the API server does not serve {kind}.{} after {seconds} s" => "{seconds} 秒之后 API server 仍不提供 {kind}.{0}";
    "cannot create namespace {}: {}" => "无法创建命名空间 {}：{}";
    "namespace {} is still being deleted after {} s" => "{1} 秒之后命名空间 {0} 仍在删除中";
    "what holds it: kubectl describe namespace {}" => "是什么拖住了它：kubectl describe namespace {}";
    "the webhook is available" => "webhook 已可用";
    "the API server reaches the webhook" => "API server 能够访问 webhook";
    "it is not proved that the API server reaches the webhook: {why}" => "没有证明 API server 能够访问 webhook：{why}";
    "until it does, changes of Deployments, DaemonSets and Istio configuration wait up to {TIMEOUT_SECONDS} s each, and no upgrade can freeze the mesh"
        => "在此之前，对 Deployment、DaemonSet 和 Istio 配置的每次改动最多等待 {TIMEOUT_SECONDS} 秒，并且任何升级都无法冻结网格";
    "cannot read Deployment {}/{}: {}" => "无法读取 Deployment {}/{}：{}";
    "no pod of the guard's webhook is available after {seconds} s: {why}" => "{seconds} 秒之后守卫的 webhook 仍没有可用的 Pod：{why}";
    "no pod of the guard's webhook is available after {seconds} s" => "{seconds} 秒之后守卫的 webhook 仍没有可用的 Pod";
    "see: kubectl --namespace {} get pods,events; or run without pods: kubectl mesh-upgrade guard install --policy-only"
        => "查看：kubectl --namespace {} get pods,events；或者不用 Pod：kubectl mesh-upgrade guard install --policy-only";
    "the webhook configuration is missing" => "缺少 webhook 配置";
    "cannot read ValidatingWebhookConfiguration {}: {}" => "无法读取 ValidatingWebhookConfiguration {}：{}";
    "{} trusts no authority yet: is the webhook running?" => "{} 还不信任任何证书颁发者：webhook 在运行吗？";
    "the authorities that {} trusts have expired: {until}" => "{0} 信任的证书颁发者已过期：{until}";
    "trusted until {until}" => "信任有效期至 {until}";
    "the webhook configuration has no webhooks" => "webhook 配置中没有 webhook";
    "it was not asked" => "没有询问它";
    "the guard is not installed in cluster {}" => "集群 {} 中没有安装守卫";
    "install it with: kubectl mesh-upgrade guard install" => "安装它：kubectl mesh-upgrade guard install";
    "with a context of your own for cluster {}: kubectl mesh-upgrade guard install --context NAME"
        => "用您自己的通向集群 {} 的 context：kubectl mesh-upgrade guard install --context NAME";
    "Unknown: {why}\n" => "未知（Unknown）：{why}\n";
    "The guard is not installed.\n" => "没有安装守卫。\n";
    "\nNot protected:" => "\n不受保护：";
    "Frozen: nothing. No freeze policy exists while no upgrade runs." => "已冻结：无。没有升级在进行时，不存在冻结策略。";
    "What is protected, and what is not: kubectl mesh-upgrade guard status -o wide\n"
        => "什么受保护、什么不受：kubectl mesh-upgrade guard status -o wide\n";
    "{} Every barrier is proved in cluster {}." => "{} 集群 {} 中的每道屏障都已证明。";
    "{} NOT PROVED in {}: {}" => "{0} {1} 中未证明：{2}";
    "it could not be asked" => "无法询问它";
    "the guard is not installed" => "没有安装守卫";
    "Not installed: the webhook. What goes without it: kubectl mesh-upgrade guard status -o wide"
        => "没有安装：webhook。没有它时缺少什么：kubectl mesh-upgrade guard status -o wide";
    "Not installed: the webhook. Without it:" => "没有安装：webhook。没有它时：";
    "webhook, certificate" => "webhook，证书";
    "the authorities in its configuration" => "其配置中的证书颁发者";
    "cannot read MeshFreezes: {}" => "无法读取 MeshFreeze：{}";
    "the epoch arrives at the API server" => "epoch 能到达 API server";
    "the epoch is lost on the way to the API server" => "epoch 在到 API server 的途中丢失";
    "a review of ourselves as {}" => "以 {} 的身份对自身做 SelfSubjectReview";
    "policy for own objects" => "保护自身对象的策略";
    "a MeshFreeze written by somebody else" => "由别人写入的 MeshFreeze";
    "a foreign MeshFreeze was admitted" => "外来的 MeshFreeze 被放行";
    "refused with {}" => "以 {} 拒绝";
    "no proof: {message}" => "没有证明：{message}";
    "no proof: {}" => "没有证明：{}";
    "it is asked about all that is guarded, and about {} helm releases by name"
        => "凡是守护的内容都会问到它，另外按名称问到 {} 个 helm release";
    "it is not asked about {}: kubectl mesh-upgrade guard install" => "不会问到它的有 {}：kubectl mesh-upgrade guard install";
    "webhook, coverage" => "webhook，覆盖范围";
    "the rules of its configuration" => "其配置中的规则";
    "an istiod two minors ahead" => "领先两个次要版本的 istiod";
    "webhook, versions" => "webhook，版本";
    "no istiod of a known version to try it on" => "没有已知版本的 istiod 可以用来试验";
    "an istiod {ahead} beside {version} was admitted" => "{version} 旁边的 istiod {ahead} 被放行";
    "refused, {count} of {count}" => "{count}/{count} 被拒绝";
    "policy, freeze" => "策略，冻结";
    "foreign changes of mesh {}" => "对网格 {} 的外来改动";
    "webhook, freeze" => "webhook，冻结";

    // guide
    "see what stands in the way: kubectl mesh-upgrade check {} --to {}"
        => "查看是什么挡在路上：kubectl mesh-upgrade check {} --to {}";
    "see what stands in the way: kubectl mesh-upgrade check {} --to {to}"
        => "查看是什么挡在路上：kubectl mesh-upgrade check {0} --to {to}";
    "--script is a format of its own: leave -o out" => "--script 本身就是一种格式：不要带 -o";
    "read it, then: sh RUNBOOK; it stops before each step and asks" => "先读一遍，然后：sh RUNBOOK；它在每一步之前停下来询问";
    "the same as a script that asks at each step: kubectl mesh-upgrade guide {} --to {}{} --script > runbook.sh"
        => "同样的内容作为每步都询问的脚本：kubectl mesh-upgrade guide {0} --to {1}{2} --script > runbook.sh";
    "mesh {} is being upgraded to {} by this tool: that is brought to its end first"
        => "本工具正在把网格 {} 升级到 {}：请先把它进行到底";
    "whether this tool is upgrading mesh {} is not known: {why}" => "不知道本工具是否正在升级网格 {0}：{why}";
    "see it with: kubectl mesh-upgrade status {}" => "查看它：kubectl mesh-upgrade status {}";
    "cannot read the charts in {folder}: {error}" => "无法读取 {folder} 中的 chart：{error}";

    // which mesh, which cluster
    "nothing was changed; name another cluster with --context, or check: kubectl cluster-info"
        => "没有改动任何东西；用 --context 指定另一个集群，或者检查：kubectl cluster-info";
    "mesh {mesh} is frozen in cluster {cluster} by the upgrade {upgrade}, whose journal is in cluster {home}: {why}"
        => "网格 {mesh} 在集群 {cluster} 中被升级 {upgrade} 冻结，其日志在集群 {home} 中：{why}";
    "nothing was changed; name a context that leads to {home}, with --context or --contexts"
        => "没有改动任何东西；用 --context 或 --contexts 指定通向 {home} 的 context";
    "MeshFreezes cannot be listed" => "无法列出 MeshFreeze";
    "mesh {}: {why}" => "网格 {0}：{why}";
    "mesh {}: {drift}" => "网格 {0}：{drift}";
    "cluster {cluster}: {why}" => "集群 {cluster}：{why}";
    "current" => "最新";
    "unreadable" => "无法识别";
    "free" => "无阻塞";
    "blocked" => "被阻塞";
    "all" => "全部";
    "community" => "社区版";
    "stalled: {why}" => "停滞：{why}";
    "deleted {}" => "已删除 {}";
    "known: {known}" => "已有：{known}";
    ", webhook {image}" => "，webhook {image}";
    "{} ({}): {} to {}" => "{}（{}）：{} 到 {}";
    "to {to} ({})" => "升级到 {to}（{0}）";
    "to {to} (frozen)" => "升级到 {to}（已冻结）";
    "cluster {stray} runs parts of Istio and is of none of the meshes: no istiod that was found has its kubeconfig, and no Mesh object lists it"
        => "集群 {stray} 运行着 Istio 的部件，却不属于任何一个网格：找到的 istiod 都没有它的 kubeconfig，也没有 Mesh 对象列出它";
    "{} and {} are one cluster, counted once" => "{} 和 {} 是同一个集群，只算一次";
    "cluster {cluster} cannot be read: {reason}" => "无法读取集群 {cluster}：{reason}";
    "no Deployment of istiod was found in any namespace; is this the right --context, and --namespace?"
        => "所有命名空间里都没有找到 istiod 的 Deployment；--context 和 --namespace 对吗？";
    "name the mesh, as in: kubectl mesh-upgrade check MESH --to VERSION; all of them at once: check --all --to VERSION"
        => "请指定网格，例如：kubectl mesh-upgrade check MESH --to VERSION；一次检查全部：check --all --to VERSION";
    "see the meshes with: kubectl mesh-upgrade list" => "查看有哪些网格：kubectl mesh-upgrade list";
    "{verb} acts in one cluster: --contexts is for what concerns a whole mesh"
        => "{verb} 只作用于一个集群：--contexts 用于涉及整个网格的动词";
    "name the cluster with --context" => "用 --context 指定集群";
    "{verb} takes no --namespace: that is for list, check, plan, guide, dataplane and adopt"
        => "{verb} 不接受 --namespace：它用于 list、check、plan、guide、dataplane 和 adopt";
    "{verb} cannot be combined with --as: it writes, and --as is for reading"
        => "{verb} 不能与 --as 同用：它要写入，而 --as 用于读取";
    "name the mesh instead; see them with: kubectl mesh-upgrade list" => "请改为指定网格；查看有哪些：kubectl mesh-upgrade list";
    "{verb} cannot be combined with --as: it writes as the ServiceAccount {} by impersonation, which does not nest"
        => "{verb} 不能与 --as 同用：它通过扮演 ServiceAccount {0} 来写入，而扮演不能嵌套";
    "use a kubeconfig of the user who is to do it" => "使用要执行它的用户的 kubeconfig";
    "no mesh was found: no Deployment with the label app=istiod runs in the clusters that answered; look at another cluster with --context NAME"
        => "没有找到网格：有应答的集群中没有带标签 app=istiod 的 Deployment；用 --context NAME 查看另一个集群";
    "there are {} meshes; name one of them: {}" => "有 {} 个网格；请指定其中一个：{}";
    "there is no mesh {name:?}; known: {}" => "没有网格 {name}；已知的有：{0}";
    "nothing was changed; ask an administrator for the ClusterRole mesh-upgrade-operator, which comes with: kubectl mesh-upgrade guard install"
        => "没有改动任何东西；请管理员授予 ClusterRole mesh-upgrade-operator，它由此安装：kubectl mesh-upgrade guard install";
    "Upgrades were made here of: {}" => "这里进行过升级的网格：{}";
}
