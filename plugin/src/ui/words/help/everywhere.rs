//! Help of the command as a whole and of the flags that every verb takes.

/// What `cli` says of the command, of flags that every verb takes and of their values, and what clap adds.
pub(super) const HELP: &[(&str, &str)] = &[
    (
        "Upgrade Istio meshes one minor at a time, checked first and frozen while it runs",
        "逐个次要版本升级 Istio 网格：先检查，升级期间冻结",
    ),
    (
        "Start with:  kubectl mesh-upgrade list",
        "从这里开始：  kubectl mesh-upgrade list",
    ),
    (
        "Print the plugin's own version, as `version --client` does",
        "显示插件自身的版本，如同 `version --client`",
    ),
    ("Print help", "显示帮助"),
    ("Print help (see more with '--help')", "显示帮助（'--help' 更详细）"),
    ("Print help (see a summary with '-h')", "显示帮助（'-h' 只看摘要）"),
    (
        "Print this message or the help of the given subcommand(s)",
        "显示本说明，或指定动词的帮助",
    ),
    ("Print help for the subcommand(s)", "显示指定动词的帮助"),
    (
        "Path to the kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the ServiceAccount of a pod]",
        "kubeconfig 文件的路径 [默认：$KUBECONFIG，否则 ~/.kube/config，否则 Pod 的 ServiceAccount]",
    ),
    ("Context of the kubeconfig to use", "使用 kubeconfig 中的哪个 context"),
    (
        "Contexts of several clusters of a mesh: a,b,c; one is enough where it leads to the others",
        "网格中多个集群的 context：a,b,c；如果一个能通向其余的，写一个就够",
    ),
    (
        "Only meshes whose control plane is in this namespace, for list, check, plan, guide, dataplane and adopt [default: all namespaces]",
        "只看控制平面在该命名空间的网格，用于 list、check、plan、guide、dataplane 和 adopt [默认：所有命名空间]",
    ),
    (
        "Meshes of all namespaces, which is the default",
        "所有命名空间的网格，这是默认值",
    ),
    (
        "How long one request may take, as 10s or 2m; 0 is an hour",
        "每个请求最多多长时间，例如 10s 或 2m；0 表示一小时",
    ),
    ("User to impersonate (reading only)", "要扮演的用户（仅用于读取）"),
    ("Group to impersonate; may be repeated", "要扮演的组；可以重复"),
    ("Output format", "输出格式"),
    (
        "Language of what people read [default: what LC_ALL, LC_MESSAGES or LANG name, else en]",
        "给人看的内容所用的语言 [默认：由 LC_ALL、LC_MESSAGES 或 LANG 决定，否则 en]",
    ),
    (
        "Show what asking cost, for list, check and plan: calls, bytes and time of each cluster",
        "显示询问的代价，用于 list、check 和 plan：每个集群的调用次数、字节数和时间",
    ),
    (
        "Catalog of Istio versions that replaces the built-in one, or with `extends: embedded` is laid over it",
        "Istio 版本目录，取代内置目录，或者用 `extends: embedded` 叠加在其上",
    ),
    (
        "Name of the mesh, as `list` shows it; may be left out when there is only one. For `apply` also a plan file, which has a dot or a slash in its name",
        "网格的名称，如 `list` 所示；只有一个时可以省略。对 `apply` 也可以是计划文件，其名称中有点或斜杠",
    ),
    ("For people", "给人看"),
    (
        "For people with a broad terminal: a table, one line for each finding of `check`",
        "给终端较宽的人看：表格，`check` 的每个发现一行",
    ),
    ("For programs; the schema is versioned", "给程序用；schema 有版本"),
    ("The same as YAML", "同上，YAML 格式"),
    (
        "For tickets and pull requests; only `check` and `guide` know it",
        "用于工单和 pull request；只用于 `check` 和 `guide`",
    ),
    ("English", "英文"),
    ("Simplified Chinese", "简体中文"),
];
