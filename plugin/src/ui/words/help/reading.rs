//! Help of the verbs that change nothing.

/// What `cli` says of verbs that only read, of their flags and values.
pub(super) const HELP: &[(&str, &str)] = &[
    (
        "List meshes, their versions, and where a newer Istio is available",
        "列出网格、版本，以及哪里有更新的 Istio",
    ),
    (
        "Check whether a mesh can go to a version; changes nothing",
        "检查网格能否升级到某个版本；不做任何改动",
    ),
    (
        "Show the ordered steps of an upgrade; changes nothing",
        "显示升级的有序步骤；不做任何改动",
    ),
    (
        "Look at the data plane: proxies that are behind, and what restarts them",
        "查看数据平面：哪些代理落后，用什么重启它们",
    ),
    (
        "Write the runbook of an upgrade for whoever does it by hand; changes nothing",
        "为手工升级者写出操作手册；不做任何改动",
    ),
    (
        "Explain a finding or a refusal by its code, as MU101 or MG001",
        "按代码解释某个发现或拒绝，例如 MU101 或 MG001",
    ),
    (
        "Proxies by version, namespace and workload, who is due, and what a restart would meet; changes nothing",
        "按版本、命名空间和工作负载列出代理、哪些需要重启、重启会遇到什么；不做任何改动",
    ),
    (
        "Version to go to, as 1.31.0 or 1.31.0-mspider",
        "要升级到的版本，例如 1.31.0 或 1.31.0-mspider",
    ),
    (
        "Where the charts are: a directory, oci://… or https://… [default: the catalog's source]",
        "chart 在哪里：目录、oci://… 或 https://… [默认：目录给出的来源]",
    ),
    (
        "Check every mesh that is found, a line for each and one total",
        "检查找到的每个网格，每个一行，最后一行合计",
    ),
    ("List the checks that passed, too", "也列出已通过的检查"),
    ("Exit with 4 when there are warnings", "有警告时以 4 退出"),
    (
        "File of findings that were accepted in writing",
        "以书面形式接受的发现的文件",
    ),
    (
        "Check again whenever something relevant has changed, until interrupted",
        "相关内容变化时重新检查，直到被中断",
    ),
    (
        "Day on which the upgrade is to be, as 2027-01-31: what ends until then, such as certificates, releases and waivers, has ended [default: today, in UTC]",
        "计划升级的日期，例如 2027-01-31：到那天为止会到期的（证书、版本、豁免等）都算已到期 [默认：今天，按 UTC]",
    ),
    (
        "An earlier report of `check -o json`: only what is new is shown; what blocks still blocks",
        "先前 `check -o json` 的报告：只显示新出现的；阻塞项仍然阻塞",
    ),
    ("Exit with 2 when the plan has steps", "计划中有步骤时以 2 退出"),
    (
        "File of findings that were accepted in writing, for the commands that follow",
        "以书面形式接受的发现的文件，用于之后的命令",
    ),
    (
        "Write the plan to a file, bound to what was observed, for `apply FILE`",
        "把计划写入文件，绑定到所观察到的状态，供 `apply FILE` 使用",
    ),
    (
        "How control planes are replaced [default: canary where they have revisions of their own, else in-place]",
        "控制平面如何替换 [默认：有自己的修订时为 canary，否则 in-place]",
    ),
    (
        "As a shell script that stops before each step and asks",
        "作为在每一步之前停下来询问的 shell 脚本",
    ),
    (
        "Only the plugin's own version: asks no cluster",
        "只看插件自己的版本：不询问集群",
    ),
    (
        "Code, as MU101 or MG001, or its number; without one all of them are listed",
        "代码，例如 MU101 或 MG001，或者只写数字；不写则列出全部",
    ),
    ("Warnings fail, too", "有警告也算失败"),
    ("Where they stand", "原地替换"),
    (
        "By a new revision beside the one that runs",
        "在运行的修订旁边用新的修订替换",
    ),
    (
        "Show the versions of plugin, guard and catalog, and whether they fit together",
        "显示插件、守卫和目录的版本，以及它们是否相配",
    ),
    (
        "For which way of replacing control planes [default: in-place]",
        "按哪种方式替换控制平面来检查 [默认：in-place]",
    ),
];
