//! Help in Chinese: what clap writes out of the command line's own descriptions, and what it says of mistakes.

use super::Lang;
use clap::{Arg, Command, builder::PossibleValue};

/// Descriptions of verbs, arguments and values, as they stand at `cli`, and those that clap adds.
const HELP: &[(&str, &str)] = &[
    (
        "Upgrade Istio meshes one minor at a time, checked first and frozen while it runs",
        "逐个次要版本升级 Istio 网格：先检查，升级期间冻结",
    ),
    (
        "Start with:  kubectl mesh-upgrade list",
        "从这里开始：  kubectl mesh-upgrade list",
    ),
    ("Print help", "显示帮助"),
    ("Print help (see more with '--help')", "显示帮助（'--help' 更详细）"),
    ("Print help (see a summary with '-h')", "显示帮助（'-h' 只看摘要）"),
    (
        "Print this message or the help of the given subcommand(s)",
        "显示本说明，或指定动词的帮助",
    ),
    ("Print help for the subcommand(s)", "显示指定动词的帮助"),
    // flags of all verbs
    (
        "Path to the kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]",
        "kubeconfig 文件的路径 [默认：$KUBECONFIG，否则 ~/.kube/config]",
    ),
    ("Context of the kubeconfig to use", "使用 kubeconfig 中的哪个 context"),
    (
        "Contexts of several clusters of a mesh: a,b,c; one is enough where it leads to the others",
        "网格中多个集群的 context：a,b,c；如果一个能通向其余的，写一个就够",
    ),
    (
        "Only meshes whose control plane is in this namespace, for verbs that only read [default: all namespaces]",
        "只看控制平面在该命名空间的网格，用于只读的动词 [默认：所有命名空间]",
    ),
    (
        "Meshes of all namespaces, which is the default",
        "所有命名空间的网格，这是默认值",
    ),
    (
        "How long one request may take, as 10s or 2m; 0 for as long as it takes",
        "每个请求最多多长时间，例如 10s 或 2m；0 表示不限",
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
    // verbs
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
        "Upgrade a mesh, frozen while it runs; there is no way back once it has begun",
        "升级网格，期间冻结；一旦开始就没有回头路",
    ),
    (
        "Write the Mesh object that says what was discovered, after showing it",
        "先展示，再写入描述所发现内容的 Mesh 对象",
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
        "Show the journal of the upgrade that runs, or ran last",
        "显示正在进行或上一次升级的日志",
    ),
    (
        "Lift the freeze of an upgrade that stopped, on the record; the upgrade can still be resumed",
        "解除已停止的升级的冻结，并留下记录；升级仍可继续",
    ),
    (
        "Install, prove or remove the guard in the cluster",
        "在集群中安装、证明或移除守卫",
    ),
    (
        "Explain a finding or a refusal by its code, as MU101 or MG001",
        "按代码解释某个发现或拒绝，例如 MU101 或 MG001",
    ),
    (
        "Show the versions of plugin, guard and catalog, and whether they fit together",
        "显示插件、守卫和目录的版本，以及它们是否相配",
    ),
    (
        "Proxies by version, namespace and workload, who is due, and what a restart would meet; changes nothing",
        "按版本、命名空间和工作负载列出代理、哪些需要重启、重启会遇到什么；不做任何改动",
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
    // arguments of verbs
    (
        "Name of the mesh, as `list` shows it; may be left out when there is only one. For `apply` also a plan file, which has a dot or a slash in its name",
        "网格的名称，如 `list` 所示；只有一个时可以省略。对 `apply` 也可以是计划文件，其名称中有点或斜杠",
    ),
    (
        "Version to go to, as 1.31.0 or 1.31.0-mspider",
        "要升级到的版本，例如 1.31.0 或 1.31.0-mspider",
    ),
    (
        "Version to go to; may be left out to resume the upgrade that has begun",
        "要升级到的版本；省略则继续已经开始的升级",
    ),
    (
        "For which way of replacing control planes [default: in-place]",
        "按哪种方式替换控制平面来检查 [默认：in-place]",
    ),
    (
        "How control planes are replaced; a canary takes two upgrades, both begun so [default: in-place]",
        "如何替换控制平面；金丝雀需要两次升级，都这样开始 [默认：in-place]",
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
        "Write the plan to a file, bound to what was observed, for `apply FILE`",
        "把计划写入文件，绑定到所观察到的状态，供 `apply FILE` 使用",
    ),
    (
        "Who operates it; external ones are never written to [default: what fits, as far as that is seen]",
        "由谁运维；对 external 的绝不写入 [默认：按所见推断]",
    ),
    ("Only show the object", "只显示对象"),
    ("Do not ask", "不询问"),
    ("Do not ask: yes, there is no way back", "不询问：是的，没有回头路"),
    (
        "How control planes are replaced [default: canary where they have revisions of their own, else in-place]",
        "控制平面如何替换 [默认：有自己的修订时为 canary，否则 in-place]",
    ),
    (
        "As a shell script that stops before each step and asks",
        "作为在每一步之前停下来询问的 shell 脚本",
    ),
    (
        "Go on without the guard: nothing stops others from changing the mesh meanwhile",
        "没有守卫也继续：其间没有什么能阻止别人改动网格",
    ),
    (
        "File of findings that were accepted in writing; those that are used are recorded in the journal",
        "以书面形式接受的发现的文件；用到的会记入日志",
    ),
    ("Why; recorded in the journal", "原因；会记入日志"),
    (
        "Do not pull the images first: a missing image is then found in mid-upgrade, with the mesh frozen",
        "不预先拉取镜像：缺少的镜像要到升级中途、网格已冻结时才会发现",
    ),
    (
        "How long one component may take to become ready, as 10m",
        "每个组件最多用多长时间就绪，例如 10m",
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
        "Follow the upgrade to its end; with -o json, a line for each event",
        "跟踪升级直到结束；配合 -o json 每个事件一行",
    ),
    (
        "Why; recorded in the MeshFreeze, the journal, an Event and the audit log",
        "原因；会记入 MeshFreeze、日志、Event 和审计日志",
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
        "Where the API server reaches a webhook that runs outside of the cluster, as https://HOST:PORT",
        "API server 访问集群之外的 webhook 的地址，形如 https://HOST:PORT",
    ),
    ("Replicas of the webhook", "webhook 的副本数"),
    (
        "Also while an upgrade runs: its freeze is lifted first, as by `unlock`",
        "升级进行中也执行：先解除其冻结，如同 `unlock`",
    ),
    ("Why; recorded as by `unlock`", "原因；与 `unlock` 一样记录"),
    (
        "Only the plugin's own version: asks no cluster",
        "只看插件自己的版本：不询问集群",
    ),
    ("Code, as MU101 or MG001", "代码，例如 MU101 或 MG001"),
    // values
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
    ("Warnings fail, too", "有警告也算失败"),
    ("Its control plane runs elsewhere for it", "其控制平面在别处为它运行"),
    (
        "Its control plane runs in its own clusters",
        "其控制平面运行在自己的集群中",
    ),
    ("Its owner", "其所有者"),
    ("Where they stand", "原地替换"),
    (
        "By a new revision beside the one that runs",
        "在运行的修订旁边用新的修订替换",
    ),
];

/// What clap says of a command line that it does not understand.
pub(super) const OF_CLAP: &[(&str, &str)] = &[
    ("error: unexpected argument '{}' found", "错误：没有 '{}' 这个参数"),
    ("error: unrecognized subcommand '{}'", "错误：没有 '{}' 这个动词"),
    (
        "error: the following required arguments were not provided:",
        "错误：缺少以下必需的参数：",
    ),
    ("error: invalid value '{}' for '{}'", "错误：'{1}' 的值 '{0}' 无效"),
    (
        "error: invalid value '{}' for '{}': {}",
        "错误：'{1}' 的值 '{0}' 无效：{2}",
    ),
    (
        "error: the argument '{}' cannot be used with '{}'",
        "错误：参数 '{}' 不能与 '{}' 同用",
    ),
    (
        "error: the argument '{}' cannot be used with:",
        "错误：参数 '{}' 不能与以下同用：",
    ),
    (
        "error: a value is required for '{}' but none was supplied",
        "错误：'{}' 需要一个值",
    ),
    (
        "error: unexpected value '{}' for '{}' found; no more were expected",
        "错误：'{1}' 多了一个值 '{0}'",
    ),
    (
        "error: the argument '{}' cannot be used multiple times",
        "错误：参数 '{}' 不能重复",
    ),
    (
        "error: '{}' requires a subcommand but one was not provided",
        "错误：'{}' 之后需要一个动词",
    ),
    ("[possible values: {}]", "[可选值：{}]"),
    ("tip: a similar argument exists: '{}'", "提示：有一个相近的参数：'{}'"),
    ("tip: some similar arguments exist: {}", "提示：有一些相近的参数：{}"),
    ("tip: a similar subcommand exists: '{}'", "提示：有一个相近的动词：'{}'"),
    ("tip: some similar subcommands exist: {}", "提示：有一些相近的动词：{}"),
    ("tip: a similar value exists: '{}'", "提示：有一个相近的值：'{}'"),
    (
        "tip: to pass '{}' as a value, use '-- {}'",
        "提示：要把 '{}' 作为值传入，请用 '-- {}'",
    ),
    ("For more information, try '{}'.", "更多信息：'{}'。"),
];

fn chinese(text: &str) -> String {
    let told = HELP.iter().find(|(english, _)| *english == text);
    told.map_or(text, |(_, chinese)| chinese).to_owned()
}

impl Lang {
    /// The language that a command line asks for, before it is understood.
    #[must_use]
    pub fn asked_for(args: &[std::ffi::OsString], or: Self) -> Self {
        let mut words = args.iter().filter_map(|word| word.to_str());
        let named = words.find_map(|word| match word.strip_prefix("--lang") {
            Some("") => Some(None),
            Some(rest) => rest.strip_prefix('=').map(|lang| Some(lang.to_owned())),
            None => None,
        });
        let named = named.map(|named| named.or_else(|| words.next().map(str::to_owned)));
        match named.flatten().as_deref() {
            Some("zh") => Self::Chinese,
            Some("en") => Self::English,
            _ => or,
        }
    }

    /// The command line with its help in this language.
    #[must_use]
    pub fn helping(self, mut command: Command) -> Command {
        match self {
            Self::English => command,
            Self::Chinese => {
                // What clap adds of its own is there afterwards.
                command.build();
                verb(command)
            }
        }
    }

    /// What clap says of a mistake.
    #[must_use]
    pub fn mistake(self, error: &clap::Error) -> String {
        let text = error.render().to_string();
        let lines = text.lines().map(|line| match line.strip_prefix("Usage: ") {
            Some(usage) if self == Self::Chinese => format!("用法：{usage}"),
            _ => self.told(line),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn verb(mut command: Command) -> Command {
    if let Some(about) = command.get_about().map(ToString::to_string) {
        command = command.about(chinese(&about));
    }
    if let Some(after) = command.get_after_help().map(ToString::to_string) {
        command = command.after_help(chinese(&after));
    }
    command
        .help_template("{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}")
        .subcommand_help_heading("命令")
        .mut_args(argument)
        .mut_subcommands(verb)
}

fn argument(arg: Arg) -> Arg {
    let heading = if arg.is_positional() { "参数" } else { "选项" };
    let mut help = chinese(&arg.get_help().map(ToString::to_string).unwrap_or_default());
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    if !defaults.is_empty() && !arg.is_hide_default_value_set() && arg.get_action().takes_values() {
        help.push_str(&format!(" [默认：{}]", defaults.join(", ")));
    }
    let values: Vec<PossibleValue> = if arg.get_action().takes_values() {
        arg.get_possible_values()
    } else {
        Vec::new()
    };
    let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
    let mut long = help.clone();
    for value in &values {
        let about = value.get_help().map(ToString::to_string).unwrap_or_default();
        long.push_str(&format!("\n- {}：{}", value.get_name(), chinese(&about)));
    }
    if !names.is_empty() {
        help.push_str(&format!(" [可选值：{}]", names.join(", ")));
    }
    arg.help(help)
        .long_help(long)
        .help_heading(heading)
        .hide_default_value(true)
        .hide_possible_values(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    fn descriptions(command: &Command, found: &mut Vec<String>) {
        let of_command = [command.get_about(), command.get_after_help()];
        found.extend(of_command.into_iter().flatten().map(ToString::to_string));
        for arg in command.get_arguments() {
            found.extend(arg.get_help().map(ToString::to_string));
            let values = arg.get_possible_values();
            found.extend(
                values
                    .iter()
                    .filter_map(|value| value.get_help().map(ToString::to_string)),
            );
        }
        for verb in command.get_subcommands() {
            descriptions(verb, found);
        }
    }

    #[test]
    fn all_help_is_in_both_languages() {
        let mut command = Cli::command();
        command.build();
        let mut found = Vec::new();
        descriptions(&command, &mut found);
        found.sort();
        found.dedup();
        let missing: Vec<&String> = found
            .iter()
            .filter(|text| !text.is_empty() && !HELP.iter().any(|(english, _)| english == text))
            .collect();
        assert!(
            missing.is_empty(),
            "help without Chinese, in ui/words/help.rs: {missing:#?}"
        );
        assert!(found.len() > 60, "{}", found.len());
        // What clap writes of its own depends on whether there is more to see.
        let own = |english: &str| english.starts_with("Print ");
        for (english, chinese) in HELP {
            assert!(
                found.iter().any(|text| text == english) || own(english),
                "nothing says {english:?}"
            );
            assert!(chinese.chars().any(|letter| letter > '\u{2e7f}'), "{chinese}");
        }
    }

    #[test]
    fn help_is_told_as_a_whole() {
        let mut command = Lang::Chinese.helping(Cli::command());
        let page = command.render_long_help().to_string();
        assert!(
            page.contains("用法：kubectl mesh-upgrade") && page.contains("命令:"),
            "{page}"
        );
        for verb in ["check", "apply"] {
            let page = command
                .find_subcommand_mut(verb)
                .unwrap()
                .render_long_help()
                .to_string();
            for english in ["Usage", "Options", "default:", "possible", "Print", " the "] {
                assert!(!page.contains(english), "{english}: {page}");
            }
        }
    }

    #[test]
    fn the_language_is_known_before_the_command_line_is() {
        for (line, lang) in [
            ("check --lang zh", Lang::Chinese),
            ("--lang=zh --nonsense", Lang::Chinese),
            ("check --lang", Lang::English),
            ("check", Lang::English),
        ] {
            let args: Vec<_> = line.split(' ').map(std::ffi::OsString::from).collect();
            assert_eq!(Lang::asked_for(&args, Lang::English), lang, "{line}");
        }
        let args = ["kubectl-mesh_upgrade", "check", "--to", "latest"].map(std::ffi::OsString::from);
        let error = Lang::Chinese
            .helping(Cli::command())
            .try_get_matches_from(args)
            .unwrap_err();
        assert_eq!(
            Lang::Chinese.mistake(&error),
            "错误：'--to <VERSION>' 的值 'latest' 无效：\"latest\" 不是版本：应为 MAJOR.MINOR.PATCH[-FLAVOR]，例如 1.31.0 或 1.31.0-mspider\n\n更多信息：'--help'。"
        );
    }
}
