//! What the verbs say, and their errors: plans, upgrades, and what stands in the journal.

super::told! {
    // path and plan
    "there is no way to tell: cluster {cluster} could not be observed: {reason}"
        => "无法判断：不能观察集群 {cluster}：{reason}";
    "mesh {} has no way to {to}: {error}" => "网格 {0} 没有通向 {to} 的路径：{error}";
    "see what else stands in the way: kubectl mesh-upgrade check {} --to {to}"
        => "查看还有什么挡在路上：kubectl mesh-upgrade check {0} --to {to}";
    "Mesh {}: {from} to {to} in {hops} hops, each an upgrade of its own"
        => "网格 {0}：{from} 到 {to} 共 {hops} 跳，每一跳都是一次单独的升级";
    "with your own tool" => "用您自己的工具";
    "{code} for {cluster}" => "{code}（用于 {cluster}）";
    "{supported}; needs a waiver of {}" => "{supported}；需要豁免 {0}";
    "There is no way without a waiver: no release on it supports the Kubernetes of these clusters."
        => "没有不需要豁免的路径：路径上没有版本支持这些集群的 Kubernetes。";
    "Nothing was changed." => "没有改动任何东西。";
    // canaries
    "the upgrade of mesh {} has begun the other way: its control planes are replaced as planned, to the end"
        => "网格 {} 的升级已按另一种方式开始：其控制平面将按计划替换到底";
    "leave --strategy out" => "去掉 --strategy";
    " (tags: {})" => "（标签：{}）";
    " (default validator)" => "（默认校验器）";
    "mesh {mesh} cannot be upgraded as a canary: in {cluster}, {reason}"
        => "网格 {mesh} 不能以金丝雀方式升级：在 {cluster} 中，{reason}";
    "a control plane in it is configured in another cluster" => "其中有控制平面在另一个集群中配置";
    "the revision {new} runs {} already, and is not this canary's" => "修订版 {new} 已在运行 {0}，不属于这次金丝雀升级";
    "it has no control plane of its own to stand beside" => "它没有自己的控制平面可以并存";
    "it runs the revisions {} already: bring them to one first" => "它已运行修订版 {}：请先归并为一个";
    "its control plane has no revision of its own, and injects whatever names none: moving that takes the hands of somebody who knows the workloads, see kubectl mesh-upgrade guide"
        => "它的控制平面没有自己的修订版，会注入所有没有指定修订版的工作负载：移动它们需要了解工作负载的人来做，见 kubectl mesh-upgrade guide";
    "it runs ztunnel, of which a node has only one" => "它运行 ztunnel，而每个节点只有一个";
    "its webhooks could not be looked at" => "无法查看它的 webhook";
    "{DEFAULT_VALIDATOR} leads to revision {}, and no helm release of base could move it"
        => "{DEFAULT_VALIDATOR} 指向修订版 {0}，而没有 base 的 helm release 能移动它";
    "its control plane was installed by {}: only a helm release can be given a second one beside it"
        => "它的控制平面由 {} 安装：只有 helm release 旁边才能再装一个";
    "the tag {tag} belongs to helm release {other}/{name}, which would take it back"
        => "标签 {tag} 属于 helm release {other}/{name}，它会把标签改回去";
    "the tag {tag} is {}, which neither Istio's chart nor istioctl calls so: {expected} was expected"
        => "标签 {tag} 是 {0}，Istio 的 chart 和 istioctl 都不这样命名：应为 {expected}";
    "what refers to it could not be looked at" => "无法查看什么引用它";
    "Namespace {}: its label istio.io/rev names it" => "Namespace {}：其标签 istio.io/rev 指定了它";
    "tag {tag}: it leads to it" => "标签 {tag}：指向它";
    "{DEFAULT_VALIDATOR}: it leads to it" => "{DEFAULT_VALIDATOR}：指向它";
    "{} proxies ({}) in namespace {}, as Pod {}: injected by it" => "命名空间 {2} 中的 {0} 个代理（{1}，例如 Pod {3}）：由它注入";
    "helm release {}/{}: its value revision names it" => "helm release {}/{}：其 values 中的 revision 指定了它";
    "webhooks to be looked at" => "查看 webhook";
    "the default validator leads to revision {new}" => "默认校验器指向修订版 {new}";
    "the default validator to lead to revision {new}" => "默认校验器指向修订版 {new}（尚未）";
    "the tag {tag} to lead to revision {new}" => "标签 {tag} 指向修订版 {new}（尚未）";
    "tags that lead to revision {new}: {}" => "指向修订版 {new} 的标签：{0}";
    "helm release {} to be gone (now {})" => "helm release {} 消失（现在 {}）";
    "{} {}/{} to be gone" => "{} {}/{} 消失";
    "{} to be gone" => "{} 消失";
    "revision {} is gone; {moved}" => "修订版 {0} 已移除；{moved}";
    "helm release {} to name the new revision" => "helm release {} 指定新修订版";
    "upgrade it where it stands, without --strategy canary, or by hand: kubectl mesh-upgrade guide {} --to {}"
        => "不带 --strategy canary 原地升级，或者手工升级：kubectl mesh-upgrade guide {} --to {}";
    "nothing refers to revision {}" => "没有什么引用修订版 {}";
    "lead it to revision {} and restart what runs: kubectl mesh-upgrade dataplane status {} tells who is due"
        => "把它指向修订版 {0} 并重启正在运行的：kubectl mesh-upgrade dataplane status {1} 会说明还有谁";
    "and {more} more like these" => "以及另外 {more} 个同样的";
    "revision {} is still in use: {}" => "修订版 {} 仍在使用：{}";
    "{}: {many} proxies are connected to revision {}" => "{0}：有 {many} 个代理连接到修订版 {1}";
    "proxies of revision {} cannot be counted: {why}" => "无法统计修订版 {0} 的代理：{why}";
    "helm install {} beside {}" => "helm install {}，与 {} 并存";
    "default validator to revision {}" => "默认校验器指向修订版 {}";
    "tags {} to revision {}" => "标签 {} 指向修订版 {}";
    "upgrade Kubernetes of {cluster} to {minor}, then: kubectl mesh-upgrade plan {} --to {to}"
        => "把 {cluster} 的 Kubernetes 升级到 {minor}，然后：kubectl mesh-upgrade plan {0} --to {to}";
    "{to} is not ahead of {from}: there is nothing to go through" => "{to} 并不比 {from} 新：没有要走的路";
    "the catalog does not know {minor}, which lies on the way: add it to a catalog file and pass it with --catalog FILE"
        => "目录不认识途中的 {minor}：把它加入目录文件，并用 --catalog FILE 传入";
    "Istio {to} needs at least Kubernetes {needed} in {cluster}, and Istio {from} supports at most {most}: no Kubernetes leads from one to the other"
        => "Istio {to} 要求 {cluster} 的 Kubernetes 至少为 {needed}，而 Istio {from} 最多支持 {most}：没有哪个 Kubernetes 能衔接两者";
    "--charts carries a user or a password, which would stand in the journal" => "--charts 带有用户名或密码，它们会留在日志里";
    "sources.charts of {origin} carries a user or a password, which would stand in the journal"
        => "{origin} 的 sources.charts 带有用户名或密码，它们会留在日志里";
    "take it out of the catalog, or say where the charts are with --charts" => "请把它从目录中去掉，或者用 --charts 说明 chart 在哪里";
    "log in first, with helm registry login or helm repo add" => "请先用 helm registry login 或 helm repo add 登录";
    "the catalog names no charts for {target}" => "目录没有给出 {target} 的 chart";
    "say where they are: --charts DIR|oci://…|https://…" => "请说明它们在哪里：--charts DIR|oci://…|https://…";
    "cluster {} was not asked" => "没有询问集群 {}";
    "cannot write the plan {}: {error}" => "无法写入计划 {0}：{error}";
    "a plan file holds one hop, and this way has several legs: nothing was written"
        => "计划文件只容纳一跳，而这条路有多段：没有写入任何东西";
    "see them with the same command without --out" => "用不带 --out 的同一条命令查看它们";
    "no plan was written: {why}" => "没有写入计划：{why}";
    "a plan file names the images that the charts will run" => "计划文件写明 chart 将运行的镜像";
    "say where the charts are with --charts" => "请用 --charts 说明 chart 在哪里";
    "images are those of today with the target's tag: {why}" => "镜像按现有镜像加目标版本的标签推定：{why}";
    "Mesh {} runs {} already: nothing to do." => "网格 {} 已经运行 {}：无事可做。";
    "Mesh {}: {} steps to {}" => "网格 {0}：到 {2} 共 {1} 步";
    "cluster {name} is not among those that were asked" => "集群 {name} 不在询问的集群之中";
    "cluster {name} could not be observed: {reason}" => "无法观察集群 {name}：{reason}";
    "cluster {name} is another one: its kube-system had the UID {}, now {}"
        => "集群 {name} 换成了另一个：其 kube-system 的 UID 原为 {0}，现为 {1}";
    "{place} is gone" => "{place} 已不存在";
    "{place} was at revision {}, now {}" => "{place} 的修订原为 {0}，现为 {1}";
    "{place} was at {from}, now {chart}" => "{place} 原为 {from}，现为 {chart}";
    "{place} was at {from}, now {}" => "{place} 原为 {from}，现为 {0}";
    "{} of {} ran {from}, now {}" => "{1} 的 {0} 原来运行 {from}，现在 {2}";
    "Kubernetes of cluster {} was {}, now {now}" => "集群 {0} 的 Kubernetes 原为 {1}，现为 {now}";
    "it is a {} of {}, expected a {PLAN_FILE_KIND} of {PLAN_FILE_VERSION}: make it with kubectl mesh-upgrade plan --out FILE"
        => "它是 {1} 的 {0}，应为 {PLAN_FILE_VERSION} 的 {PLAN_FILE_KIND}：用 kubectl mesh-upgrade plan --out FILE 生成";
    "its plan is not the one that was made: its hash differs; make a new one" => "其中的计划不是生成时的那个：哈希不符；请重新生成";
    "revision {revision} of {}, installed by istioctl" => "{0} 的修订 {revision}，由 istioctl 安装";
    "mesh {mesh} has nothing to upgrade: every component is at {target}" => "网格 {mesh} 没有可升级的：每个组件都已是 {target}";
    "{place} is at {from}, and {target} is more than one minor ahead: go to {hop} first, with kubectl mesh-upgrade plan {mesh} --to {hop}"
        => "{place} 是 {from}，而 {target} 领先不止一个次要版本：先升级到 {hop}：kubectl mesh-upgrade plan {mesh} --to {hop}";
    "{place} is at {from}, which is newer than {target}: choose a version from {from} on"
        => "{place} 是 {from}，比 {target} 更新：选择 {from} 或更新的版本";
    "{place} is at {from}, and {target} has another flavor: choose a version of the flavor {flavor}"
        => "{place} 是 {from}，而 {target} 的 flavor 不同：选择 flavor 为 {flavor} 的版本";
    "the version of {place} cannot be read from {raw:?}: kubectl mesh-upgrade check {mesh} says what to do"
        => "无法从 {raw} 读出 {place} 的版本：kubectl mesh-upgrade check {mesh} 会说明怎么做";
    "cluster {cluster} could not be observed: {reason}; a plan is made only when all clusters answer"
        => "无法观察集群 {cluster}：{reason}；只有所有集群都有应答时才生成计划";
    "{} of {}, helm release {}/{}" => "{1} 的 {0}，helm release {2}/{3}";

    // choices
    "it runs already" => "已在运行";
    "newest patch" => "最新补丁";
    "one minor ahead" => "领先一个次要版本";
    "further ahead" => "领先更多";
    "older than what runs" => "比运行的旧";
    "another flavor" => "另一种 flavor";
    "{version} supports Kubernetes {range}, and {place} runs {kubernetes}"
        => "{version} 支持 Kubernetes {range}，而 {place} 运行 {kubernetes}";
    "this cluster" => "这个集群";
    "a Kubernetes version, as v1.36.3" => "Kubernetes 版本，例如 v1.36.3";
    "MAJOR.MINOR, as 1.31" => "MAJOR.MINOR，例如 1.31";
    "{text:?} is not a version: expected {expected}" => "{text} 不是版本：应为 {expected}";
    "an image with a version tag, as istio/pilot:1.31.0" => "带版本标签的镜像，例如 istio/pilot:1.31.0";
    "MAJOR.MINOR.PATCH[-FLAVOR], as 1.31.0 or 1.31.0-mspider" => "MAJOR.MINOR.PATCH[-FLAVOR]，例如 1.31.0 或 1.31.0-mspider";

    // files that people write
    ", line {line}" => "，第 {line} 行";
    ", column {column}" => "，第 {column} 列";
    "the file has more than {} MiB" => "文件超过 {} MiB";
    "a waiver needs an {field}" => "豁免需要 {field}";
    "{code} cannot be waived: {}" => "{code} 不能豁免：{0}";
    "{} cannot be waived" => "{} 不能豁免";
    "renew the waiver with a new expiry, correct it, or remove it" => "用新的到期日续期、更正或移除这个豁免";
    "waiver of {} by {}" => "{1} 对 {0} 的豁免";
    "no finding was made that it covers" => "没有它所涵盖的发现";
    "no finding names its object; of more than {EXAMPLES} alike the rest is only counted"
        => "没有发现列出它的对象；同类超过 {EXAMPLES} 个时，其余的只计数";
    "it expired on {}" => "它已于 {} 过期";
    "the flavor {flavor} stands here a second time" => "flavor {flavor} 在这里出现了第二次";
    "the flavor {flavor} names no sources: where its images and charts are" => "flavor {flavor} 没有给出来源：其镜像和 chart 在哪里";
    "{:?} cannot be a flavor: expected what follows the version in the vendor's tags, as mspider or solo-fips; distroless, debug, alpha, beta and rc are none"
        => "{} 不能作为 flavor：应为厂商标签中版本之后的部分，例如 mspider 或 solo-fips；distroless、debug、alpha、beta 和 rc 都不是";
    "{} of the flavor {flavor} stands here a second time" => "flavor {flavor} 的 {0} 在这里出现了第二次";
    "the flavor {flavor} has no release" => "flavor {flavor} 没有发行版";
    "newestPatch {patch} is no patch of {minor}" => "newestPatch {patch} 不是 {minor} 的补丁";
    "newestPatch {patch} has the flavor {}, expected {flavor}" => "newestPatch {patch} 的 flavor 是 {0}，应为 {flavor}";
    "newestPatch {patch} is a pre-release" => "newestPatch {patch} 是预发布版本";
    "the end of life lies before the release of {}" => "终止支持的日期早于 {} 的发布日期";
    "minimumKubernetes {} lies above every supported version" => "minimumKubernetes {} 高于每一个受支持的版本";
    "{field} names no version" => "{field} 没有给出版本";
    "{field} must ascend, but {second} follows {first}" => "{field} 必须递增，但 {second} 在 {first} 之后";
    "{field} must have no gap, but {second} follows {first}" => "{field} 不能有空缺，但 {second} 在 {first} 之后";

    // status
    "it was not found there" => "在那里没有找到它";
    "cluster {cluster} is Unknown, and with it its journals: {why}" => "集群 {cluster} 状态未知（Unknown），其日志也就未知：{why}";
    "no upgrade was found in the clusters that answered; cluster {cluster} did not: {why}"
        => "在作出应答的集群中没有找到升级；集群 {cluster} 没有应答：{why}";
    "No upgrade of mesh {mesh} has been made here by kubectl mesh-upgrade."
        => "kubectl mesh-upgrade 还没有在这里升级过网格 {mesh}。";
    "No upgrade has been made here by kubectl mesh-upgrade." => "kubectl mesh-upgrade 还没有在这里做过升级。";
    "only then can the upgrade of mesh {} go on, by apply" => "之后才能用 apply 继续网格 {} 的升级";
    "it goes on where it stopped" => "它从停下的地方继续";
    "it goes on where it stopped; or give it up: kubectl mesh-upgrade apply {mesh} --withdraw"
        => "它从停下的地方继续；或者放弃它：kubectl mesh-upgrade apply {mesh} --withdraw";
    "if nobody drives it any more: kubectl mesh-upgrade apply {mesh}" => "如果已经没有人在驱动它：kubectl mesh-upgrade apply {mesh}";
    "Mesh {}: {} to {}  {}" => "网格 {}：{} 升级到 {}  {}";
    " in cluster {}" => "（在集群 {} 中）";
    "  journal   {}{at}" => "  日志      {0}{at}";
    "  clusters  {}" => "  集群      {}";
    "  newer     its journal version is {}, which this plugin does not know: not all of it is shown"
        => "  较新      它的日志版本是 {}，本插件不认识：没有显示全部内容";
    "  driver    {driver} (epoch {epoch})" => "  驱动者    {driver}（epoch {epoch}）";
    "  driver    nobody ({driver} released it); the mesh stays frozen" => "  驱动者    无人（{driver} 已放手）；网格保持冻结";
    "  driver    nobody ({driver} released it)" => "  驱动者    无人（{driver} 已放手）";
    "  driver    nobody ({driver} drove it); the mesh stays frozen" => "  驱动者    无人（此前是 {driver}）；网格保持冻结";
    "  driver    nobody ({driver} drove it)" => "  驱动者    无人（此前是 {driver}）";
    "  driver    nobody since {}, by the clock here ({driver} drove it); the mesh stays frozen"
        => "  驱动者    按这里的时钟，自 {0} 起无人（此前是 {driver}）；网格保持冻结";
    "  driver    nobody since {}, by the clock here ({driver} drove it)"
        => "  驱动者    按这里的时钟，自 {0} 起无人（此前是 {driver}）";
    "  unguarded {}" => "  无守卫    {}";
    "  UNLOCKED  {lifted}" => "  已解除    {lifted}";
    "  UNLOCKED  by {lifted}" => "  已解除    由 {lifted}";
    "  frozen    since {}" => "  冻结      自 {}";
    "Stalled ({})" => "已停住（{}）";
    "  The mesh stays frozen. There is no way back: mend the cause, then go on."
        => "  网格保持冻结。没有回头路：处理原因之后继续。";
    "  The mesh stays frozen until the upgrade has ended, or is given up." => "  在升级结束或被放弃之前，网格保持冻结。";
    "nobody drives the upgrade of mesh {mesh} any more, and the mesh stays frozen; go on with it: kubectl mesh-upgrade apply {mesh}"
        => "已经没有人在驱动网格 {mesh} 的升级，网格保持冻结；继续它：kubectl mesh-upgrade apply {mesh}";
    "nobody drives the upgrade of mesh {mesh} any more; go on with it: kubectl mesh-upgrade apply {mesh}"
        => "已经没有人在驱动网格 {mesh} 的升级；继续它：kubectl mesh-upgrade apply {mesh}";
    "{} The upgrade of mesh {mesh} has stopped in phase {phase}." => "{0} 网格 {mesh} 的升级停在阶段 {phase}。";
    "  There is no way back: mend the cause, then go on." => "  没有回头路：处理原因之后继续。";
    "no upgrade has been made here: there is nothing to watch" => "这里还没有做过升级：没有可以跟踪的";
    "begin one with: kubectl mesh-upgrade apply --to VERSION" => "开始一个：kubectl mesh-upgrade apply --to VERSION";
    "there are upgrades of several meshes: {}" => "有多个网格的升级：{}";
    "name the one to watch: kubectl mesh-upgrade status MESH --watch" => "请指定要跟踪哪一个：kubectl mesh-upgrade status MESH --watch";
    "the journal {name} is gone" => "日志 {name} 不见了";
    "the journal {name} cannot be watched: {error}" => "无法跟踪日志 {name}：{error}";
    "cluster {} does not answer: {error}" => "集群 {0} 没有应答：{error}";
    "{} Mesh {mesh} runs {}." => "{0} 网格 {mesh} 已运行 {1}。";
    "{} The upgrade of mesh {mesh} ended as {phase}." => "{0} 网格 {mesh} 的升级以 {phase} 结束。";
    "{done} of {of} components done" => "{of} 个组件中 {done} 个完成";
    ", {} under way" => "，{} 进行中";
    ", {} {}/{} of cluster {} under way" => "，集群 {3} 的 {0} {1}/{2} 进行中";
    " (attempt {})" => "（第 {} 次尝试）";
    ", driven by {}" => "，驱动者 {}";
    ", nobody drives it" => "，无人驱动";
    ", {} is under way" => "，{} 进行中";
    "the upgrade of mesh {} to {}, driven by {}, is in phase {}: {done} of {of} components are done{at}"
        => "网格 {0} 到 {1} 的升级由 {2} 驱动，处于阶段 {3}：{of} 个组件中 {done} 个完成{at}";

    // journal
    "a driver is at work" => "驱动者正在工作";
    "{} began the upgrade" => "{} 开始了升级";
    "{} took the upgrade over from epoch {before}" => "{0} 从 epoch {before} 接管了升级";
    "cluster {name} is to be upgraded and frozen with the mesh, and was not when the plan was made"
        => "集群 {name} 应与网格一起升级和冻结，而制定计划时还没有它";
    "istioctl's revision {} in {}" => "istioctl 在 {1} 中的修订 {0}";
    "of cluster {name} the plan knows nothing of {}, which would be neither upgraded nor frozen"
        => "集群 {name} 中有计划不知道的对象，它们既不会升级也不会冻结：{0}";
    "nothing kept the mesh frozen meanwhile: the {count} components that were done are looked at again"
        => "其间没有冻结保护网格：已完成的 {count} 个组件再看一遍";
    "the freeze was lifted by hand, by {why}" => "冻结被手工解除，由 {why}";
    "the mesh stood open, and nobody can tell which machines were retired: {machines} proxies without a pod are not waited for any more"
        => "网格曾经开放，没有谁能判断哪些虚拟机已退役：不再等待 {machines} 个没有 Pod 的代理";
    "the mesh stood open, and nobody can tell which gateways istiod was told to keep no more: they are not waited for any more"
        => "网格曾经打开，谁也说不清 istiod 已不再维护哪些网关：不再等待它们";
    "the mesh stood open, and nobody can tell which clusters were taken out of it: what istiods reached before is not waited for any more"
        => "网格曾经开放，没有谁能判断哪些集群已移出：不再等待 istiod 之前到达的集群";
    "{why} (if these are machines that were retired, or clusters that were taken out, meanwhile: kubectl mesh-upgrade unlock --reason TEXT, then kubectl mesh-upgrade apply)"
        => "{why}（如果这些是其间已退役的虚拟机或已移出的集群：kubectl mesh-upgrade unlock --reason TEXT，然后 kubectl mesh-upgrade apply）";
    "the freeze was found open, and the journal does not say why: {what}" => "发现冻结已打开，而日志没有说明原因：{what}";
    "no freeze policy of mesh {} stands with its binding" => "网格 {} 没有一个带绑定的冻结策略";
    "{phase} may not follow {from}" => "{phase} 不能跟在 {from} 之后";
    "stalled in {}: {message}" => "在 {0} 停住：{message}";
    "checking the mesh against the target" => "对照目标检查网格";
    "free to go: no blocker" => "可以升级：没有阻塞项";
    "images not pulled first, as the operator asked" => "按操作者的要求，没有预先拉取镜像";
    "frozen and checked once more: no way back from here" => "已冻结并再次检查：从此没有回头路";
    "the freeze is closed: canaries refused by each barrier on its own" => "冻结已关闭：每道屏障各自拒绝了试探请求";
    "every component is at the target" => "每个组件都已到达目标版本";
    "{id}: attempt {attempt} begins (epoch {epoch})" => "{id}：第 {attempt} 次尝试开始（epoch {epoch}）";
    "verified before the next cluster: {evidence}" => "在下一个集群之前已验证：{evidence}";
    "verified before its gateways: {evidence}" => "在它的网关之前已验证：{evidence}";
    "chart {name} has other contents than before, and was named with --charts: {digest} in the place of {known}"
        => "chart {name} 的内容与之前不同，并由 --charts 指定：{digest} 取代 {known}";
    "changed, and no guard is asked about it: {changed}" => "有变化，而没有守卫会被问到它：{changed}";
    "webhook configurations and admission policies of the mesh and the guard are as they were when it was frozen, or as the upgrade itself has made them since"
        => "网格和守卫的 webhook 配置及准入策略与冻结时一致，或者是升级自己之后改成的样子";
    " (field manager {})" => "（字段管理者 {}）";
    "istioctl installed {} as revision {}, {} workloads rolled out" => "istioctl 已安装 {}，修订 {}，{} 个工作负载完成滚动更新";
    "helm release {}/{} to be found" => "出现 helm release {}/{}";
    "helm release {} to hold chart {} (now {})" => "helm release {} 的 chart 成为 {}（现在是 {}）";
    "helm release {} to be deployed (now {})" => "helm release {} 成为 deployed（现在是 {}）";
    "chart {} {} deployed as revision {}" => "chart {} {} 已部署为修订 {}";
    "{shown} to be found" => "出现 {shown}";
    "{shown} to run {} (now {image})" => "{shown} 运行 {0}（现在是 {image}）";
    "{shown} to roll out ({}/{} {pods} ready and new)" => "{shown} 完成滚动更新（{0}/{1} 个 {pods} 就绪且为最新）";
    "and {} more" => "另有 {} 个";

    // uninstall and unlock
    "The guard is removed. Its CRDs stay, with the journals of past upgrades." => "守卫已移除。其 CRD 保留，连同以往升级的日志。";
    "the upgrade {} has begun: the guard stays until it has ended" => "升级 {} 已经开始：守卫保留到它结束";
    "mesh {mesh} is frozen: the guard stays until it is thawed" => "网格 {mesh} 处于冻结：守卫保留到它解冻";
    "go on with it: kubectl mesh-upgrade apply {mesh}" => "继续它：kubectl mesh-upgrade apply {mesh}";
    "go on with it: kubectl mesh-upgrade apply {}" => "继续它：kubectl mesh-upgrade apply {}";
    "or, on the record: kubectl mesh-upgrade guard uninstall --force --reason TEXT"
        => "或者，留下记录：kubectl mesh-upgrade guard uninstall --force --reason TEXT";
    "the upgrade {name} loses its guard, by {by}: {reason}" => "升级 {name} 失去守卫，由 {by}：{reason}";
    "the guard is removed by force, by {by}: {reason}" => "守卫被强制移除，由 {by}：{reason}";
    "{} Mesh {mesh} is open: everybody may change it again." => "{0} 网格 {mesh} 已开放：任何人都可以再次改动它。";
    "The upgrade keeps its target and can be resumed; it freezes the mesh again first."
        => "升级的目标不变，可以继续；继续时会先再次冻结网格。";
    "nothing is frozen in the clusters that answered; cluster {name} did not: {why}"
        => "有应答的集群中没有任何冻结；集群 {name} 没有应答：{why}";
    "nothing was changed; name a context that reaches it, with --context or --contexts"
        => "没有改动任何东西；用 --context 或 --contexts 指定能到达它的 context";
    "several upgrades have begun of meshes that are called {mesh}: {}" => "名为 {mesh} 的网格有多个升级已经开始：{0}";
    "nothing was changed; name a cluster of the one to unlock, with --context NAME alone"
        => "没有改动任何东西；只用 --context NAME 指定要解锁的那个升级的一个集群";
    "Nothing is frozen in cluster {}." => "集群 {} 中没有任何冻结。";
    "it was lifted in no cluster" => "没有在任何集群中解除";
    "it was lifted in {}" => "已在 {} 中解除";
    "cluster {name} was not reached and stays frozen: {why}" => "没能到达集群 {name}，它保持冻结：{why}";
    "when it answers again, once more, or in that cluster alone: kubectl mesh-upgrade unlock {mesh} --context NAME --reason TEXT"
        => "它恢复应答之后再执行一次，或者只在那个集群中执行：kubectl mesh-upgrade unlock {mesh} --context NAME --reason TEXT";
    "--reason is empty: say why, for whoever reads the record later" => "--reason 为空：请说明原因，供以后查看记录的人了解";
    "--reason is longer than {LONGEST_REASON} characters: name the ticket instead"
        => "--reason 超过 {LONGEST_REASON} 个字符：请改为写工单号";
    "This lifts the freeze of mesh {mesh} in: {}." => "这会解除网格 {mesh} 在以下集群中的冻结：{0}。";
    "Its upgrade from {} to {} stopped in phase {phase}. Its components may run different versions, and from now on anybody can change them."
        => "它从 {0} 到 {1} 的升级停在阶段 {phase}。其组件可能运行不同的版本，而从现在起任何人都可以改动它们。";
    "To finish the upgrade instead, with the mesh frozen to its end: kubectl mesh-upgrade apply"
        => "如果要改为完成升级，并让网格冻结到结束：kubectl mesh-upgrade apply";
    "Type the mesh's name ({mesh}) to lift its freeze:" => "输入网格名称（{mesh}）以解除其冻结：";
    "not confirmed: the mesh stays frozen" => "没有确认：网格保持冻结";
    "there is no terminal to ask on: the mesh stays frozen" => "没有可以询问的终端：网格保持冻结";
    "say yes beforehand with --yes" => "请用 --yes 预先确认";

    // version
    "without a cluster: kubectl mesh-upgrade version --client" => "不需要集群：kubectl mesh-upgrade version --client";
    "not installed in cluster {}" => "没有安装在集群 {} 中";
    "{release} (cluster {}{webhook})" => "{release}（集群 {0}{webhook}）";
    "Client Version: {}" => "插件版本：{}";
    "Guard Version: {told}" => "守卫版本：{told}";
    "{} Plugin and guard: {}" => "{} 插件与守卫：{}";
    "they fit together" => "相配";
    "the guard is too old for this plugin: kubectl mesh-upgrade guard install"
        => "守卫对这个插件来说太旧：kubectl mesh-upgrade guard install";
    "this plugin is too old for the guard: install the guard's release of it" => "这个插件对守卫来说太旧：请安装与守卫同一版本的插件";
    "the guard does not tell its release: kubectl mesh-upgrade guard install"
        => "守卫没有说明其版本：kubectl mesh-upgrade guard install";

    // apply
    "the epoch does not arrive at the API server of cluster {}: impersonation loses the extra"
        => "epoch 没有到达集群 {} 的 API server：扮演时丢失了 extra";
    "is there a proxy before the API server that drops Impersonate-Extra headers?"
        => "API server 之前是否有代理丢弃了 Impersonate-Extra 头？";
    "the upgrade is of cluster {name}, whose kube-system has the UID {}; context {} leads to another one"
        => "升级属于集群 {name}，其 kube-system 的 UID 是 {0}；context {1} 通向另一个集群";
    "nothing was changed; name the right one with --context or --contexts"
        => "没有改动任何东西；用 --context 或 --contexts 指定正确的集群";
    "--reason goes with --unguarded; an upgrade under the guard needs none" => "--reason 与 --unguarded 同用；有守卫的升级不需要它";
    "leave --reason out" => "不要带 --reason";
    "--reason goes with --force; a guard that nothing needs is removed without any"
        => "--reason 与 --force 同用；没有被用到的守卫不需要它就能移除";
    "--reason is empty: say why the upgrade goes on without the guard" => "--reason 为空：请说明为什么在没有守卫的情况下升级";
    "several upgrades have begun, of the meshes {meshes}" => "有多个升级已经开始，属于网格 {meshes}";
    "several upgrades of mesh {mesh} have begun: {journals}" => "网格 {mesh} 有多个升级已经开始：{journals}";
    "to go on with {name}: kubectl mesh-upgrade apply {mesh} --context {}"
        => "继续 {name}：kubectl mesh-upgrade apply {mesh} --context {0}";
    "{name} has no status, as after a restore from a backup: it has changed nothing here; when nobody drives it, remove it: kubectl delete meshupgrade {name}{at}"
        => "{name} 没有 status，例如从备份恢复之后：它在这里没有改动任何东西；如果没有人在驱动它，就删除它：kubectl delete meshupgrade {name}{at}";
    "control planes of mesh {} are being upgraded under the name {name}, by {}" => "网格 {0} 的控制平面正以名称 {name} 升级，由 {1} 进行";
    "name the one to go on with: kubectl mesh-upgrade apply MESH" => "请指定继续哪一个：kubectl mesh-upgrade apply MESH";
    "it is not there" => "它不存在";
    "no upgrade has begun in the clusters that answered, and cluster {cluster} did not: {reason}"
        => "有应答的集群中没有已经开始的升级，而集群 {cluster} 没有应答：{reason}";
    "nothing was changed; go on when it is back: kubectl mesh-upgrade apply"
        => "没有改动任何东西；等它恢复后继续：kubectl mesh-upgrade apply";
    "nothing was changed; try again when it is back: kubectl mesh-upgrade apply --withdraw"
        => "没有改动任何东西；等它恢复后再试：kubectl mesh-upgrade apply --withdraw";
    "no upgrade has begun, and no target is given: --to VERSION is missing" => "没有已经开始的升级，也没有给出目标：缺少 --to VERSION";
    "see the versions with: kubectl mesh-upgrade list" => "查看有哪些版本：kubectl mesh-upgrade list";
    "mesh {} is frozen in cluster {cluster} by the upgrade {}, and no journal of it is under way in the clusters that answered"
        => "网格 {0} 在集群 {cluster} 中被升级 {1} 冻结，而有应答的集群中没有它正在进行的日志";
    "nothing was changed; when that upgrade is abandoned, lift its freeze: kubectl mesh-upgrade unlock {} --reason TEXT"
        => "没有改动任何东西；如果那个升级已被放弃，解除其冻结：kubectl mesh-upgrade unlock {} --reason TEXT";
    "whether an upgrade has begun cannot be seen in cluster {cluster}: {why}" => "无法看出集群 {cluster} 中是否有升级已经开始：{why}";
    "the upgrade of mesh {} to {} has begun: there is no new target {to} before it has arrived"
        => "网格 {0} 到 {1} 的升级已经开始：在它到达之前不接受新目标 {to}";
    "or give it up, since it has changed nothing yet: kubectl mesh-upgrade apply {} --withdraw"
        => "或者放弃它，因为它还没有改动任何东西：kubectl mesh-upgrade apply {} --withdraw";
    "no upgrade has begun: there is nothing to withdraw" => "没有已经开始的升级：没有什么可撤回";
    "see the last one with: kubectl mesh-upgrade status" => "查看上一次升级：kubectl mesh-upgrade status";
    "given up by {}, before anything was changed" => "由 {} 在改动任何东西之前放弃";
    "the upgrade of mesh {} to {} is in phase {phase}: something was changed already, and there is no way back"
        => "网格 {0} 到 {1} 的升级处于阶段 {phase}：已经有改动，没有回头路";
    "the upgrade has begun with charts from {planned}: they stay the same to its end"
        => "升级开始时的 chart 来自 {planned}：直到结束都保持不变";
    "leave --charts out" => "不要带 --charts";
    "charts have other contents than the upgrade of mesh {} goes by: {others}, from {location}"
        => "chart 的内容与网格 {0} 的升级所依据的不同：{others}，来自 {location}";
    "nothing was changed now; put back what was there when the upgrade began"
        => "现在没有改动任何东西；请恢复升级开始时的内容";
    "or go on with what is there now, which the journal tells from then on: kubectl mesh-upgrade apply {} --charts {}"
        => "或者用现在的内容继续，日志会从此记录它：kubectl mesh-upgrade apply {} --charts {}";
    "nothing was changed now; go on where the charts of {to} are to be had" => "现在没有改动任何东西；请在能取得 {to} 的 chart 的地方继续";
    "nothing was changed now; put the charts of {to} back at {location}, or name the folder that holds them here with --charts DIR"
        => "现在没有改动任何东西；请把 {to} 的 chart 放回 {location}，或者用 --charts DIR 指定这里存放它们的目录";
    "the catalog names no chart {} of {}, which the upgrade of mesh {} changes: it would never be seen to arrive"
        => "目录没有列出 {1} 的 chart {0}，而网格 {2} 的升级会改动它：永远看不到它到达";
    "nothing was changed now; go on with the catalog with which the upgrade began: --catalog FILE"
        => "现在没有改动任何东西；请用升级开始时的目录继续：--catalog FILE";
    "no target is given: --to VERSION is missing" => "没有给出目标：缺少 --to VERSION";
    "nothing was changed; say where the charts are with --charts" => "没有改动任何东西；用 --charts 说明 chart 在哪里";
    "{} has begun meanwhile" => "{} 在此期间已经开始";
    "see it with: kubectl mesh-upgrade status" => "查看它：kubectl mesh-upgrade status";
    "mesh {} is operated by its owner (management: External): nothing is ever written to it"
        => "网格 {} 由其所有者运维（management: External）：绝不向它写入任何东西";
    "mesh {mesh} is operated by its owner by now (management: External): nothing is ever written to it"
        => "网格 {mesh} 现在由其所有者运维（management: External）：绝不向它写入任何东西";
    "its upgrade has begun and its freeze stands: set management back in the Mesh and go on"
        => "其升级已经开始，冻结仍在：在 Mesh 中把 management 改回来再继续";
    "or lift the freeze, and leave the rest to the owner: kubectl mesh-upgrade unlock {} --reason REASON"
        => "或解除冻结，其余交给所有者：kubectl mesh-upgrade unlock {} --reason REASON";
    "the runbook for its owner: kubectl mesh-upgrade guide {} --to {to}" => "给其所有者的操作手册：kubectl mesh-upgrade guide {0} --to {to}";
    "the guard is installed in cluster {}: --unguarded has no place there" => "集群 {} 中已安装守卫：那里不能用 --unguarded";
    "leave --unguarded and --reason out; every other cluster of the mesh needs the guard, too"
        => "不要带 --unguarded 和 --reason；网格的其他集群也都需要守卫";
    " (and {more} more)" => "（另有 {more} 个）";
    "mesh {mesh_name} cannot go to {to}, nothing was changed: {first}{more}" => "网格 {mesh_name} 不能升级到 {to}，没有改动任何东西：{first}{more}";
    "mend what is marked, then: kubectl mesh-upgrade check {mesh_name} --to {to}{how}"
        => "处理标出的问题，然后：kubectl mesh-upgrade check {mesh_name} --to {to}{how}";
    "another version is in reach: kubectl mesh-upgrade check {mesh_name} --to {other}{how}"
        => "可以到达另一个版本：kubectl mesh-upgrade check {mesh_name} --to {other}{how}";
    "no charts at {charts}: {error}" => "{charts} 没有 chart：{error}";
    "nothing was changed; give a folder that holds base, istiod, … or a URL"
        => "没有改动任何东西；请给出包含 base、istiod 等的目录，或者 URL";
    "cannot read the plan {path}: {error}" => "无法读取计划 {path}：{error}";
    "make one with: kubectl mesh-upgrade plan --to VERSION --out FILE" => "生成一个：kubectl mesh-upgrade plan --to VERSION --out FILE";
    "the plan file says {flag} {theirs}: the command line says another" => "计划文件写的是 {flag} {theirs}：与命令行不同";
    "leave {flag} out, or make a new plan" => "不要带 {flag}，或者重新生成计划";
    "the plan file's target {:?} is no version" => "计划文件的目标 {} 不是版本";
    "the charts run the images {}, planned were {}" => "chart 运行的镜像是 {}，计划的是 {}";
    "charts have other contents than were planned: {}" => "chart 的内容与计划的不同：{}";
    "other steps are due than were planned" => "现在要做的步骤与计划的不同";
    "other objects belong to the mesh than were planned" => "现在属于网格的对象与计划的不同";
    "the plan of {} no longer holds, nothing was changed: {what}" => "{0} 的计划已不成立，没有改动任何东西：{what}";
    "make a new one: kubectl mesh-upgrade plan {} --to {}{} --out FILE" => "重新生成：kubectl mesh-upgrade plan {} --to {}{} --out FILE";

    // wizard
    "the wizard" => "向导";
    "the wizard built a command of another verb: nothing was changed" => "向导生成了别的动词的命令：没有改动任何东西";
}
