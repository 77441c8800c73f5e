//! What is said of Argo CD and Flux, and of changes that somebody merges.

super::told! {
    "what a GitOps controller or operator follows: {error}" => "GitOps 控制器或 operator 跟随的内容：{error}";
    "{} would not come to run {}: its {} pins what runs by {}; take that out first"
        => "{0} 不会运行 {1}：其 {2} 用 {3} 固定了运行的内容；请先去掉它";
    "the object that brings {} is not to be found: put it back, then go on" => "找不到带来 {} 的对象：请恢复它，然后继续";
    "the version of {} could not be set to v{}: {}" => "无法把 {} 的版本设为 v{}：{}";
    "a GitOps controller brings that object itself, and would take a new version of it back"
        => "那个对象本身由 GitOps 控制器带来，会把它的新版本撤回";
    "its update strategy is {}, of which it is not known what the operator does: InPlace and RevisionBased are"
        => "其更新策略是 {}，不知道 operator 会怎么做：已知的是 InPlace 和 RevisionBased";
    "mesh {mesh} is not upgraded in place: the Sail Operator brings a new revision beside the old one, as its Istio says"
        => "网格 {mesh} 不会原地升级：按其 Istio 所说，Sail Operator 会在旧修订版旁边带来新修订版";
    "its active revision is {}, and not {} yet" => "其活动修订版是 {}，还不是 {}";
    "Sail Operator for revision {} beside {}" => "Sail Operator 在 {1} 旁边带来修订版 {0}";
    "the Sail Operator brings a new revision beside the old one by itself, and takes the old one away: leave --strategy canary out"
        => "Sail Operator 会自行在旧修订版旁边带来新修订版，并移除旧的：去掉 --strategy canary";
    "its control plane {} is no revision of {told}, which runs beside it" => "它的控制平面 {0} 不是与其并存的 {told} 的修订版";
    "the revision {new} of {told} runs {} already" => "{told} 的修订版 {new} 已在运行 {0}";
    "no helm release of {told} brings its control plane {}" => "{told} 没有 helm release 带来其控制平面 {0}";
    "{told} has the revisions {} already: bring what runs to one first, and the operator takes the others away"
        => "{told} 已有修订版 {0}：请先把正在运行的归到一个，operator 会移除其余的";
    "{DEFAULT_VALIDATOR} leads to revision {}, and the Sail Operator would take that revision away without moving it: from then on it would refuse all configuration; delete it first"
        => "{DEFAULT_VALIDATOR} 指向修订版 {0}，而 Sail Operator 会移除该修订版却不移动它：此后它会拒绝所有配置；请先删除它";
    "the tag {tag} leads to revision {} and is no IstioRevisionTag: the Sail Operator would take that revision away without moving it"
        => "标签 {tag} 指向修订版 {0}，且不是 IstioRevisionTag：Sail Operator 会移除该修订版却不移动它";
    "the Sail Operator brings revision {} beside {}, which stays until nothing refers to it"
        => "Sail Operator 会在 {1} 旁边带来修订版 {0}，{1} 会保留到没有东西引用它为止";
    "mend that, then check again; or upgrade it by hand: kubectl mesh-upgrade guide {} --to {to}"
        => "处理之后重新检查；或者手工升级：kubectl mesh-upgrade guide {0} --to {to}";
    "revision {} ({}) runs beside {new}, and nothing refers to it" => "修订版 {0}（{1}）与 {new} 并存，没有东西引用它";
    "the Sail Operator takes it away by itself after the grace period of its Istio"
        => "Sail Operator 会在其 Istio 的宽限期之后自行移除它";
    "revision {} ({}) runs beside {new} and is still in use: {}" => "修订版 {0}（{1}）与 {new} 并存，仍在使用：{2}";
    "lead it to revision {new} and restart what runs: kubectl mesh-upgrade dataplane status {} tells who is due; the Sail Operator takes the old revision away when nothing refers to it"
        => "把它指向修订版 {new} 并重启正在运行的：kubectl mesh-upgrade dataplane status {0} 会说明还有谁；没有东西引用旧修订版之后，Sail Operator 会移除它";
    "no pod of the Sail Operator was found in this cluster, so that nobody knows whom to let write"
        => "在这个集群中没有找到 Sail Operator 的 Pod，因此不知道该让谁写入";
    "its condition {wanted} is {}, {}: {}" => "其状况 {wanted} 为 {0}，{1}：{2}";
    "it has no condition {wanted} yet" => "它还没有状况 {wanted}";
    "its operator has not seen the change yet" => "其 operator 还没有看到这个改动";
    "it is reconciled and ready" => "它已完成调谐并就绪";
    "no object of the Sail Operator's that carries its version was found" => "没有找到带有其版本的 Sail Operator 对象";
    "{operator} owns it, its operator would take the upgrade back, and apply cannot change that: {why}"
        => "{operator} 拥有它，其 operator 会把升级撤回，而 apply 无法改变这一点：{why}";
    "change the version in the operator's own object, as kubectl mesh-upgrade guide tells"
        => "按 kubectl mesh-upgrade guide 所说，在 operator 自己的对象中修改版本";
    ", and apply sets the version of {}" => "，apply 会设置 {} 的版本";
    "{step}: waits for {what}" => "{step}：等待 {what}";
    "the object that brings {told} is not to be found: put it back, then go on"
        => "找不到带来 {told} 的对象：请恢复它，然后继续";
    "the object that brings {} to be found" => "出现带来 {} 的对象";
    "{} to go on: {obstacle}" => "{0} 可以继续：{obstacle}";
    "it brings its charts to another cluster than the one that it is in" => "它把 chart 部署到它所在集群之外的集群";
    "no pod of Argo CD's application controller was found in this cluster, so that nobody knows whom to let write"
        => "在这个集群中没有找到 Argo CD 的 application controller 的 Pod，因此不知道该让谁写入";
    "several application controllers of Argo CD may follow it, so that nobody knows which one to let write: {}"
        => "可能跟随它的 Argo CD 的 application controller 有多个，因此不知道该让哪一个写入：{}";
    "it is not in order before anything is changed, so that apply would wait for it in vain, with the mesh frozen: {}"
        => "在任何改动之前它就不正常，因此 apply 会在网格冻结期间徒劳地等待它：{}";
    "bring it to Synced and Healthy, then check again; where it stays OutOfSync because istiod sets the failurePolicy of its validating webhook, set the value base.validationFailurePolicy to Fail, or name that field in the Application's ignoreDifferences"
        => "请先让它达到 Synced 和 Healthy，然后重新检查；如果因为 istiod 设置其验证 webhook 的 failurePolicy 而一直是 OutOfSync，请把值 base.validationFailurePolicy 设为 Fail，或者在该 Application 的 ignoreDifferences 中写明该字段";
    "mend what it says of itself, then check again" => "请处理它自己所说的问题，然后重新检查";
    "it is {} and {}" => "它是 {} 和 {}";
    ", its last sync is {phase}" => "，上次同步为 {phase}";
    "it syncs when asked: argocd app sync {name}" => "它只在要求时同步：argocd app sync {name}";
    "it does not try by itself again what has failed: argocd app sync {name}"
        => "它不会自行重试已失败的同步：argocd app sync {name}";
    "it does not try by itself again what has failed: flux reconcile helmrelease {name} -n {namespace} --reset"
        => "它不会自行重试已失败的内容：flux reconcile helmrelease {name} -n {namespace} --reset";
    "it is suspended, so that nothing that is merged would arrive" => "它已被暂停，合并的内容不会到达";
    "it brings its chart to another cluster than the one that it is in" => "它把 chart 部署到它所在集群之外的集群";
    "its chart is a folder of a {kind}, which decides what comes, and not the version that it names"
        => "其 chart 是 {kind} 中的一个目录，到来的内容由该目录决定，而不是由它写的版本决定";
    "{object} is suspended, so that nothing that is merged would arrive" => "{object} 已被暂停，合并的内容不会到达";
    "{object} is a folder of a {kind}, which decides what comes, and not the version that it names"
        => "{object} 是 {kind} 中的一个目录，到来的内容由该目录决定，而不是由它写的版本决定";
    "{object} names a digest, which decides what comes, and no version" => "{object} 写的是摘要，到来的内容由它决定，而不是版本";
    "it keeps helm's storage in another namespace than its release" => "它把 helm 的存储放在 release 之外的命名空间";
    "no pod of Flux's helm-controller was found in this cluster, so that nobody knows whom to let write"
        => "在这个集群中没有找到 Flux 的 helm-controller 的 Pod，因此不知道该让谁写入";
    "it does not say yet whether it is ready" => "它还没有说明自己是否就绪";
    "its controller has not seen the change yet" => "其控制器还没有看到这个改动";
    "it is ready" => "它已就绪";
    "it is not ready, {}: {}" => "它没有就绪，{}：{}";
    "the change to be merged: {change}" => "要合并的改动：{change}";
    "{} of {} to be {to} (now {version})" => "{1} 的 {0} 改为 {to}（现在是 {version}）";
    "{told} has brought {to}: {says}" => "{told} 已带来 {to}：{says}";
    "{told} to bring {to} ({says}{by_hand})" => "{told} 带来 {to}（{says}{by_hand}）";
    "{component} is brought by {told}" => "{component} 由 {told} 带来";
    "{component} is brought by {told}; helm release {}/{} is left of what installed it before, and stays as it is"
        => "{component} 由 {told} 带来；helm release {}/{} 是先前安装它时留下的，保持原样";
    "{} holds {}: what is merged there comes all at once, and cannot be ordered and proved component by component"
        => "{0} 包含 {1}：在那里合并的内容一次全部到达，无法逐个组件排序和验证";
    "split it into one object for each chart" => "把它拆成每个 chart 一个对象";
    "istioctl installed the control plane, and {} what it would take over"
        => "istioctl 安装了控制平面，而 {} 安装了它会接管的内容";
    "its Argo CD tracks by a label that helm's charts set as well, so that no freeze can tell what it brings: have it track by annotation (application.resourceTrackingMethod in ConfigMap argocd-cm), and sync once"
        => "它的 Argo CD 用 helm 的 chart 也会设置的标签来跟踪，因此冻结无法分辨它带来的内容：请让它用注解跟踪（ConfigMap argocd-cm 中的 application.resourceTrackingMethod），并同步一次";
    "no object of it that names one of Istio's charts was found in this cluster"
        => "在这个集群中没有找到它指向 Istio chart 的对象";
    "{gitops} owns it and would take the upgrade back, and apply cannot wait for it: {why}"
        => "{gitops} 拥有它，会把升级撤回，而 apply 无法等待它：{why}";
    "mend that, so that apply can wait for what is merged; or change the version in the repository that it follows by hand, as kubectl mesh-upgrade guide tells; or suspend it for the time of the upgrade, and waive MU409"
        => "请先处理，使 apply 可以等待合并的内容；或者按 kubectl mesh-upgrade guide 所说，在它跟随的仓库中手工修改版本；或者在升级期间暂停它，并豁免 MU409";
    "mend that, so that apply can wait for what is merged; or change the version in the repository that it follows by hand, as kubectl mesh-upgrade guide tells"
        => "请先处理，使 apply 可以等待合并的内容；或者按 kubectl mesh-upgrade guide 所说，在它跟随的仓库中手工修改版本";
    "{} is brought by {}, and is not at {target}: apply can neither wait for that nor change it itself"
        => "{0} 由 {1} 带来，且还不在 {target}：apply 既无法等待它，也无法自己更改它";
    "change the version where that takes it from, as kubectl mesh-upgrade guide tells, then apply what is left"
        => "按 kubectl mesh-upgrade guide 所说，在它取得版本的地方修改版本，然后用 apply 升级余下的部分";
    ", and apply waits for what is merged for {}" => "，apply 会等待为 {} 合并的内容";
    "{tool} keeps its helm release, and would take the upgrade back by itself while it goes on"
        => "{tool} 保持其 helm release，会在升级进行当中自行把它撤回";
    "pause what brings it (spec.paused of its GitRepo), waive MU417, and set the new version in the repository before it goes on"
        => "请暂停带来它的对象（其 GitRepo 的 spec.paused），豁免 MU417，并在它继续之前在仓库中设置新版本";
    "{tool} keeps its helm release, and would take the upgrade back when it is run next"
        => "{tool} 保持其 helm release，会在下一次运行时把升级撤回";
    "set the new version in its configuration before its next run, and let nobody run it during the upgrade"
        => "请在它下一次运行之前在其配置中设置新版本，并且在升级期间不要让任何人运行它";
    "{object} is its installer's alone: {}{}" => "{object} 只归其安装者所有：{0}{1}";
}
