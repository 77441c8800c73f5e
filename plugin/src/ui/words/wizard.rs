//! The wizard's words: headings, what it offers, and its questions.

use shared::{choice::Choice, version::Move};

super::words! {
    wizard_intro() "This leads through an upgrade of an Istio mesh: choose, check, execute.",
        "下面引导您升级一个 Istio 网格：选择、检查、执行。";
    wizard_changes_nothing_yet() "Nothing is changed before the last step asks. Ctrl-C or q leaves at any time.",
        "在最后一步询问之前不会改动任何东西。随时可以按 Ctrl-C 或输入 q 离开。";
    wizard_step(number, title) "Step {number} of 3: {title}", "第 {number} 步（共 3 步）：{title}";
    wizard_choose() "choose a mesh and its version", "选择网格及其版本";
    wizard_check() "check", "检查";
    wizard_execute() "execute", "执行";

    wizard_look_elsewhere() "Look at another cluster with: kubectl mesh-upgrade --context CONTEXT",
        "要查看另一个集群：kubectl mesh-upgrade --context CONTEXT";
    wizard_begun(mesh, to, phase)
        "An upgrade of mesh {mesh} to {to} has begun and is in phase {phase}. It can only go on.",
        "网格 {mesh} 到 {to} 的升级已经开始，处于阶段 {phase}。它只能继续下去。";
    wizard_may_give_up(mesh) "As nothing was changed yet, it can be given up: kubectl mesh-upgrade apply {mesh} --withdraw",
        "还没有改动任何东西，所以可以放弃它：kubectl mesh-upgrade apply {mesh} --withdraw";
    wizard_begun_unchanged(mesh, to, phase) "An upgrade of mesh {mesh} to {to} has begun and is in phase {phase}.",
        "网格 {mesh} 到 {to} 的升级已经开始，处于阶段 {phase}。";
    wizard_several_begun() "Upgrades of several meshes have begun. Each can only go on.",
        "有多个网格的升级已经开始。每一个都只能继续下去。";
    wizard_ask_begun(count) "Choose the one to go on with, 1 to {count}; q quits:", "选择要继续的升级，1 到 {count}；q 退出：";
    wizard_ask_to_go_on() "Enter goes on with it, q quits:", "回车继续，q 退出：";
    wizard_ask_mesh(count) "Choose a mesh, 1 to {count}; q quits:", "选择网格，1 到 {count}；q 退出：";
    wizard_mesh_runs(mesh, version) "Mesh {mesh} runs {version}.", "网格 {mesh} 运行 {version}。";
    wizard_place(place) "It is in {place}.", "它在{place}中。";
    wizard_unknown_version() "an unknown version", "未知版本";
    wizard_nothing_in_reach() "One upgrade leads to no version that this catalog knows.",
        "一次升级到达不了目录中的任何版本。";
    wizard_newest(mesh, edition) "Mesh {mesh} runs the newest Istio of {edition}: nothing is ahead.",
        "网格 {mesh} 运行的是 {edition}中最新的 Istio：没有更新的版本。";
    wizard_none_of_these(text) "{text} is none of these.", "{text} 不在其中。";
    wizard_not(version, why) "  -  {version}  not: {why}", "  -  {version}  不行：{why}";
    wizard_no_way_back() "There is no way back: Istio is never taken to an older version.",
        "没有回头路：Istio 绝不会退回旧版本。";
    wizard_ask_version(count) "Choose a version, 1 to {count}; r looks again, q quits:",
        "选择版本，1 到 {count}；r 重新查看，q 退出：";
    wizard_ask_to_look_again() "r looks again, q quits:", "r 重新查看，q 退出：";
    wizard_ask_to_look_again_or_back() "r looks again, b goes back, q quits:", "r 重新查看，b 返回，q 退出：";
    wizard_charts_from(place) "Charts come from {place}, or from a directory, oci://… or https://… of yours.",
        "chart 取自 {place}，或者取自您自己的目录、oci://… 或 https://…。";
    wizard_no_charts_known() "a place that you name, since the catalog knows none", "您指定的地方（目录里没有）";
    wizard_ask_charts() "Enter takes them from there; or type the place; q quits:",
        "回车从那里取；或者输入地点；q 退出：";

    wizard_ask_to_execute() "Enter goes on to the upgrade, r checks again, b goes back, q quits:",
        "回车进入升级，r 重新检查，b 返回，q 退出：";
    wizard_mend() "Mend what is marked, in another terminal if need be.",
        "请处理标出的问题，需要时在另一个终端里进行。";
    wizard_ask_to_check_again() "r or Enter checks again, b goes back, q quits:",
        "r 或回车重新检查，b 返回，q 退出：";
    wizard_nothing_was_changed() "Nothing was changed.", "没有改动任何东西。";
    wizard_ask_back() "b goes back, q quits:", "b 返回，q 退出：";
    wizard_same_command() "The same without questions:", "不用询问的等效命令：";
    wizard_and_yes() "  (and --yes, where nobody is there to be asked)", "  （没有人可以回答时，再加上 --yes）";

    move_none() "it runs already", "已在运行";
    move_patch() "newest patch", "最新补丁";
    move_one_minor() "one minor ahead", "领先一个次要版本";
    move_skip() "further ahead", "领先更多";
    move_downgrade() "older than what runs", "比运行的旧";
    move_other_flavor() "another flavor", "另一种 flavor";
    supports_one_kubernetes(version) ", Kubernetes {version}", "，Kubernetes {version}（受支持）";
    supports_kubernetes(least, most) ", Kubernetes {least} to {most}", "，Kubernetes {least} 到 {most}（受支持）";
}

impl super::Lang {
    /// What a version is to the one that runs, and which Kubernetes it supports.
    #[must_use]
    pub(crate) fn choice(self, choice: &Choice) -> String {
        let step = match choice.step {
            Move::None => self.move_none(),
            Move::Patch => self.move_patch(),
            Move::OneMinor => self.move_one_minor(),
            Move::Skip => self.move_skip(),
            Move::Downgrade => self.move_downgrade(),
            Move::OtherFlavor => self.move_other_flavor(),
        };
        let kubernetes = choice.kubernetes.map(|range| match (range.min, range.max) {
            (least, most) if least == most => self.supports_one_kubernetes(most),
            (least, most) => self.supports_kubernetes(least, most),
        });
        format!("{step}{}", kubernetes.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Lang;
    use shared::catalog::Range;

    #[test]
    fn a_choice_is_told_as_its_own_words_tell_it() {
        let minor = |text: &str| text.parse().unwrap();
        let ranges = [("1.32", "1.36"), ("1.36", "1.36")];
        let ranges = ranges.map(|(min, max)| Range {
            min: minor(min),
            max: minor(max),
        });
        for kubernetes in ranges.into_iter().map(Some).chain([None]) {
            for step in [
                Move::None,
                Move::Patch,
                Move::OneMinor,
                Move::Skip,
                Move::Downgrade,
                Move::OtherFlavor,
            ] {
                let choice = Choice {
                    version: "1.31.3".parse().unwrap(),
                    step,
                    kubernetes,
                    hindrance: None,
                };
                assert_eq!(Lang::English.choice(&choice), choice.what());
            }
        }
    }
}
