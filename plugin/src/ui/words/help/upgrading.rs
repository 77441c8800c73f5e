//! Help of the verbs that record, drive, follow and unlock an upgrade.

/// What `cli` says of `adopt`, `apply`, `status` and `unlock`, of their flags and values.
pub(super) const HELP: &[(&str, &str)] = &[
    (
        "Upgrade a mesh, frozen while it runs; there is no way back once it has begun",
        "升级网格，期间冻结；一旦开始就没有回头路",
    ),
    (
        "Write the Mesh object that says what was discovered, after showing it",
        "先展示，再写入描述所发现内容的 Mesh 对象",
    ),
    (
        "Show the journal of the upgrade that runs, or ran last",
        "显示正在进行或上一次升级的日志",
    ),
    (
        "Lift the freeze of an upgrade that stopped, on the record; the upgrade can still be resumed",
        "解除已停止的升级的冻结，并留下记录；升级仍可继续",
    ),
    (
        "Version to go to; may be left out to resume the upgrade that has begun",
        "要升级到的版本；省略则继续已经开始的升级",
    ),
    (
        "Who operates it; external ones are never written to [default: what fits, as far as that is seen]",
        "由谁运维；对 external 的绝不写入 [默认：按所见推断]",
    ),
    ("Only show the object", "只显示对象"),
    (
        "Give up an upgrade that has changed nothing yet; it ends as Withdrawn, and the mesh is open",
        "放弃尚未改动任何东西的升级；它以 Withdrawn 结束，网格恢复开放",
    ),
    ("Do not ask", "不询问"),
    ("Do not ask: yes, there is no way back", "不询问：是的，没有回头路"),
    (
        "Go on without the guard: nothing stops others from changing the mesh meanwhile",
        "没有守卫也继续：其间没有什么能阻止别人改动网格",
    ),
    (
        "File of findings that were accepted in writing; those that are used are recorded in the journal",
        "以书面形式接受的发现的文件；用到的会记入日志",
    ),
    (
        "Why it goes on without the guard; recorded in the journal (with --unguarded)",
        "为什么没有守卫也继续；会记入日志（与 --unguarded 同用）",
    ),
    (
        "Do not pull the images first: a missing image is then found in mid-upgrade, with the mesh frozen",
        "不预先拉取镜像：缺少的镜像要到升级中途、网格已冻结时才会发现",
    ),
    (
        "How long one component may take to become ready, as 10m; one that runs on each node gets more where its nodes need it",
        "每个组件最多用多长时间就绪，例如 10m；在每个节点上运行的组件会按节点的需要得到更多时间",
    ),
    (
        "How long somebody may take to merge the change of one component that Argo CD or Flux brings, as 1h",
        "对由 Argo CD 或 Flux 带来的组件，别人最多用多长时间合并其改动，例如 1h",
    ),
    (
        "The helm binary, for what helm installed [default: helm on the PATH]",
        "helm 程序，用于 helm 安装的部分 [默认：PATH 上的 helm]",
    ),
    (
        "The istioctl of the target's version, for what istioctl installed [default: istioctl on the PATH]",
        "目标版本的 istioctl，用于 istioctl 安装的部分 [默认：PATH 上的 istioctl]",
    ),
    (
        "Follow the upgrade to its end, or until it has been stopped for 20 s, which is exit code 1; with -o json, a line for each event",
        "跟踪升级直到结束，或直到它停住满 20 秒（退出码 1）；配合 -o json 每个事件一行",
    ),
    (
        "Why; recorded in the MeshFreeze, the journal, an Event and the audit log",
        "原因；会记入 MeshFreeze、日志、Event 和审计日志",
    ),
    ("Its control plane runs elsewhere for it", "其控制平面在别处为它运行"),
    (
        "Its control plane runs in its own clusters",
        "其控制平面运行在自己的集群中",
    ),
    ("Its owner", "其所有者"),
    (
        "How control planes are replaced; a canary takes two upgrades, both begun so [default: in-place]",
        "如何替换控制平面；金丝雀需要两次升级，都这样开始 [默认：in-place]",
    ),
];
