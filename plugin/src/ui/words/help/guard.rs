//! Help of the guard's verbs.

/// What `cli` says of `guard` and of the flags of its verbs.
pub(super) const HELP: &[(&str, &str)] = &[
    (
        "Install, prove or remove the guard in the cluster",
        "在集群中安装、证明或移除守卫",
    ),
    ("Install or update the guard", "安装或更新守卫"),
    (
        "Prove the guard by dry runs, and say what is protected and what is not",
        "用 dry run 证明守卫，并说明什么受保护、什么不受",
    ),
    (
        "Remove the guard; refused while an upgrade runs, unless forced with a reason",
        "移除守卫；升级进行中会拒绝，除非强制并给出原因",
    ),
    (
        "Only the policies: no pod and no image in the cluster",
        "只安装策略：集群中没有 Pod，也没有镜像",
    ),
    (
        "Let cert-manager make the webhook's certificates; without it the webhook makes and renews them itself",
        "由 cert-manager 签发 webhook 的证书；否则 webhook 自己生成并续期",
    ),
    ("Image of the webhook", "webhook 的镜像"),
    (
        "Secret in the guard's namespace by which nodes may pull the webhook's image; may be repeated",
        "守卫命名空间中的 Secret，节点用它拉取 webhook 的镜像；可以重复",
    ),
    (
        "Where the API server reaches a webhook that runs outside of the cluster, as https://HOST:PORT",
        "API server 访问集群之外的 webhook 的地址，形如 https://HOST:PORT",
    ),
    ("Replicas of the webhook [default: 3]", "webhook 的副本数 [默认：3]"),
    (
        "Begin from the defaults, and not from how the guard is installed now; also take back a guard of a later release",
        "从默认值开始，而不是从守卫现在的安装方式开始；也会退回版本较新的守卫",
    ),
    (
        "Also while an upgrade runs, whose freeze is lifted first, as by `unlock`; and with what you keep in its namespace",
        "升级进行中也执行，先解除其冻结，如同 `unlock`；并连同您保存在其命名空间中的东西",
    ),
    (
        "Why it is removed by force; recorded as by `unlock` (with --force)",
        "为什么强制移除；与 `unlock` 一样记录（与 --force 同用）",
    ),
];
