//! What `plan` and `apply` say of themselves: what will be done, the last question, and how it goes. What stands in the
//! journal is told as it stands there.

super::words! {
    plan_images(images) "\nImages, pulled before the freeze:\n  {images}", "\n冻结之前拉取的镜像：\n  {images}";
    plan_charts(place) "Charts: {place}", "chart 来源：{place}";
    plan_by_operator(new, old)
        "\nThe Sail Operator brings revision {new} beside {old}, and moves its tags to it at once. What runs stays with {old} until it is\nrestarted; the operator then takes {old} away by itself when nothing refers to it.",
        "\nSail Operator 会在 {old} 旁边带来修订版 {new}，并立即把它的标签移过去。正在运行的在重启之前仍由 {old} 服务；\n之后没有东西引用 {old} 时，operator 会自行移除它。";
    plan_freeze(difference) "Freeze: {difference}", "冻结：{difference}";

    apply_nothing_to_do(mesh, to) "Mesh {mesh} runs {to} already: nothing to do.",
        "网格 {mesh} 已经运行 {to}：无事可做。";
    apply_goes_on(mesh, to, phase) "mesh {mesh}: going on to {to} from phase {phase}",
        "网格 {mesh}：从阶段 {phase} 继续升级到 {to}";
    apply_over_clusters(count, home) ", over {count} clusters, by its journal in {home}",
        "，共 {count} 个集群，日志在 {home}";
    apply_no_way_back() "There is no way back, and no stopping half-way.", "没有回头路，也不能停在半路。";
    apply_only_on() "From the first changed component on, the upgrade can only go on to its end; if it stalls, it is resumed.",
        "从第一个被改动的组件开始，升级只能走到底；如果停住，可以继续。";
    apply_guarded() "Meanwhile nobody else can change this mesh's configuration.",
        "其间任何其他人都不能改动这个网格的配置。";
    apply_unguarded() "It is UNGUARDED: nothing stops others from changing this mesh meanwhile.",
        "没有守卫：其间没有什么能阻止别人改动这个网格。";
    apply_without_images() "Images are NOT PULLED first (--skip-image-pull): one that cannot be had stops the upgrade half-way, with \
         the mesh frozen.",
        "镜像不会预先拉取（--skip-image-pull）：取不到的镜像会让升级停在半路，而网格处于冻结状态。";
    apply_without_images_unguarded() "Images are NOT PULLED first (--skip-image-pull): one that cannot be had stops the upgrade half-way.",
        "镜像不会预先拉取（--skip-image-pull）：取不到的镜像会让升级停在半路。";
    apply_confirm(mesh, from, to, place) "Type the mesh's name ({mesh}) to upgrade it from {from} to {to} in {place}:",
        "输入网格名称（{mesh}），以确认把{place}中的它从 {from} 升级到 {to}：";
    apply_not_confirmed() "not confirmed: nothing was changed", "没有确认：没有改动任何东西";
    apply_no_terminal() "there is no terminal to ask on: nothing was changed", "没有可以询问的终端：没有改动任何东西";
    apply_say_yes() "say yes beforehand with --yes", "请用 --yes 预先确认";
    apply_frozen(cluster, evidence) "frozen {cluster}: {evidence}", "已冻结 {cluster}：{evidence}";
    apply_merge(object, to)
        "merge this change, so that {object} brings {to}; nothing else of the mesh is let through meanwhile:",
        "请合并以下改动，让 {object} 带来 {to}；在此期间网格的其他改动一律不放行：";
    apply_waiting(what) "waiting for {what}", "正在等待：{what}";
    apply_prove_again(what) "the freeze has to be proved again: {what}", "需要重新证明冻结：{what}";
    apply_arrived(mesh, to) "Mesh {mesh} runs {to}.", "网格 {mesh} 已运行 {to}。";
    apply_beside(mesh, new, to, old) "Mesh {mesh} runs revision {new} ({to}) beside {old}; tags lead to {new}.",
        "网格 {mesh} 已运行修订版 {new}（{to}），与 {old} 并存；标签指向 {new}。";
    apply_move_over(old, new, mesh)
        "Proxies of {old} stay with it until their pods are restarted. Label namespaces that name {old} with istio.io/rev={new},\nrestart what runs, and see who is left: kubectl mesh-upgrade dataplane status {mesh}\nThen the same command takes {old} away, and says what still refers to it:",
        "{old} 的代理在其 pod 重启之前仍由它服务。把指定 {old} 的命名空间的标签改为 istio.io/rev={new}，\n重启正在运行的工作负载，并查看还有谁：kubectl mesh-upgrade dataplane status {mesh}\n之后，同一条命令会移除 {old}，并说明还有什么引用它：";
    apply_operator_takes_away(old, new)
        "Proxies of {old} stay with it until their pods are restarted. Label namespaces that name {old} with istio.io/rev={new},\nand restart what runs. The Sail Operator takes {old} away by itself when nothing refers to it. See who is left:",
        "{old} 的代理在其 pod 重启之前仍由它服务。把指定 {old} 的命名空间的标签改为 istio.io/rev={new}，\n并重启正在运行的工作负载。没有东西引用 {old} 之后，Sail Operator 会自行移除它。查看还有谁：";
    apply_sidecars_left()
        "Sidecars and gateways that istiod injects keep their version until their pods are restarted.",
        "istiod 注入的 sidecar 和网关保持各自的版本，直到其 pod 重启。";
    apply_who_is_due(mesh) "Who is due, and how to restart it: kubectl mesh-upgrade dataplane status {mesh}",
        "哪些需要重启、如何重启：kubectl mesh-upgrade dataplane status {mesh}";
    apply_withdrawn(reasons) "withdrawn, nothing was changed: {reasons}", "已撤回，没有改动任何东西：{reasons}";
    apply_to_be_withdrawn(mesh, to, phase) "mesh {mesh}: the upgrade to {to} is given up in phase {phase}",
        "网格 {mesh}：在阶段 {phase} 放弃升级到 {to}";
    apply_confirm_withdrawal(mesh, to) "Type the mesh's name ({mesh}) to give up its upgrade to {to}:",
        "输入网格名称（{mesh}）以放弃升级到 {to}：";
    apply_given_up(mesh, to) "Mesh {mesh}: the upgrade to {to} is withdrawn; nothing was changed, and the mesh is open.",
        "网格 {mesh}：到 {to} 的升级已撤回；没有改动任何东西，网格是开放的。";
    apply_mend_and_check(mesh, to) "mend it, then: kubectl mesh-upgrade check {mesh} --to {to}",
        "处理之后：kubectl mesh-upgrade check {mesh} --to {to}";
    apply_stalled(reason, message) "stalled ({reason}): {message}", "已停住（{reason}）：{message}";
    apply_stays_frozen() "the mesh stays frozen, and the upgrade keeps its target; mend the cause, then go on",
        "网格保持冻结，升级的目标不变；处理原因之后继续";
    apply_keeps_its_target() "the upgrade keeps its target; mend the cause, then go on", "升级的目标不变；处理原因之后继续";
    apply_stopped(phase) "stopped in phase {phase}", "停在阶段 {phase}";
    apply_stays_frozen_meanwhile() "the mesh stays frozen until the upgrade has ended", "在升级结束之前，网格保持冻结";
    apply_or_give_up(mesh) "or give it up: kubectl mesh-upgrade apply {mesh} --withdraw",
        "或者放弃它：kubectl mesh-upgrade apply {mesh} --withdraw";
    apply_go_on_with(mesh) "go on with: kubectl mesh-upgrade apply {mesh}", "继续：kubectl mesh-upgrade apply {mesh}";
}
