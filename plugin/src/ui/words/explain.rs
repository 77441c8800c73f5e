//! The words of `explain`, and what it says of the guard's refusals.

use shared::guard::codes::Code;

super::words! {
    explain_head(id, title, severity, waiver) "{id}: {title} ({severity}, {waiver})", "{id}：{title}（{severity}，{waiver}）";
    explain_body(cause, evidence, fix, anchor)
        "Cause:    {cause}\nEvidence: {evidence}\nFix:      {fix}\nDocs:     {anchor}\n",
        "原因：{cause}\n依据：{evidence}\n处理：{fix}\n文档：{anchor}\n";
    explain_needs_no_waiver() "needs no waiver", "无需豁免";
    explain_may_be_waived() "may be waived in writing, with an owner and an expiry",
        "可以书面豁免，须写明负责人和到期日";
    explain_cannot_be_waived() "cannot be waived", "不能豁免";
    explain_refusal(code, about) "{code}: refused by the guard\n\n{about}", "{code}：被守卫拒绝\n\n{about}";
}

impl super::Lang {
    /// Everything that is to be said of a refusal.
    #[must_use]
    pub(crate) fn refusal(self, code: Code) -> String {
        let about = match self {
            Self::English => code.documentation(),
            Self::Chinese => chinese(code),
        };
        self.explain_refusal(code, about)
    }
}

fn chinese(code: Code) -> &'static str {
    match code {
        Code::MeshFrozen => {
            "网格正在升级；在升级结束之前，只有持有者可以改动网格配置、控制平面、Istio 的 CRD 和网格的 helm release。用 \
             `kubectl mesh-upgrade status` 查看由谁持有。如果升级被放弃，用 `kubectl mesh-upgrade apply` 接管它；或者，凭 \
             meshfreezes 上的 RBAC 动词 `unlock`，用 `kubectl mesh-upgrade unlock --reason TEXT` 解除冻结。"
        }
        Code::SkipVersion => {
            "Istio 每次只升级一个次要版本：网格的配置和代理只在相邻的次要版本之间经过 Istio 的测试。用 \
             `kubectl mesh-upgrade plan` 逐跳规划路径。"
        }
        Code::Downgrade => {
            "控制平面不会退回较旧的 Istio：较新版本写下的资源，对较旧的版本来说可能含义不同，或者毫无意义。选择正在运行的版本或更新的\
             版本。如果网格的 `management` 为 `External`，其所有者可以在一段时间内允许从失败的升级退回（MG012）；\
             `kubectl mesh-upgrade guide` 的操作手册说明做法。"
        }
        Code::AllowedDowngrade => {
            "组件退回到网格所有者在 Mesh 的 `spec.downgrade` 中允许的版本：`to`、`by`、`reason`、`expires`（最多提前 24 \
             小时）和 `writers`（除 `by` 之外可以退回的用户）。这不是拒绝：退回的人会看到警告，审计日志、Mesh 的 Event 以及 webhook \
             的日志和指标都会说明。只有 `management` 为 `External` 的 Mesh 才能有它，而且它的升级都不在进行中；写入它需要 meshes \
             上的 RBAC 动词 `downgrade`（ClusterRole `mesh-upgrade-downgrader`）。它最多退回一个次要版本，不离开 flavor，\
             只到那一个版本，也不解除任何冻结。"
        }
        Code::MixedFlavor => {
            "网格终身保持其 Istio 的构建者（即 flavor）：不同厂商的构建没有相互测试过。使用网格自身 flavor 的镜像。"
        }
        Code::UnreadableVersion => {
            "新镜像没有说明它是哪个 Istio（只有摘要，或标签不是版本），而旧镜像说明了，因此看不出是否跳过版本或降级。使用带版本标签的镜像；\
             其后可以跟摘要，例如 `istio/pilot:1.31.0@sha256:…`。"
        }
        Code::OwnObjects => {
            "MeshFreeze 和 MeshUpgrade 对象是升级的锁和日志；只有驱动者可以写它们，并带上持有该升级的 epoch。要手工解除冻结，用 \
             `kubectl mesh-upgrade unlock --reason TEXT`。"
        }
        Code::UnknownFlavor => {
            "Mesh 指出其 Istio 的构建者，而守卫不知道这个构建者的任何版本，因此无法检查它的任何升级。而且，写错的词会永远留在那里：网格的 \
             flavor 从不改变。社区版 Istio 请不写 `spec.flavor`；或者在命名空间 `mesh-upgrade-system` 的 ConfigMap \
             `mesh-upgrade-catalog` 中提供其版本目录，让守卫认识这种 flavor。"
        }
        Code::SecondUpgrade => {
            "一个网格同时只进行一个升级，已经开始的升级会走到底。用 `kubectl mesh-upgrade status` 查看它，用 \
             `kubectl mesh-upgrade apply` 继续它；之后才能开始下一个。"
        }
        Code::IllegalPhase => {
            "MeshUpgrade 依次经过各个阶段，从不后退：已经改动的就是改动了，没有证明的就不算完成。只有驱动者可以写阶段；用 \
             `kubectl mesh-upgrade apply` 让它继续。"
        }
        Code::AheadOfControlPlane => {
            "网关将运行比其网格的任何控制平面都更新的 Istio 次要版本。Istio 支持代理落后于控制平面，绝不支持反过来：先升级控制平面，最后\
             升级网关；或者把镜像保持为 `auto`，由 istiod 注入自己的镜像。"
        }
        Code::LateDriver => {
            "某个升级的驱动者在升级已经结束之后仍在写入：它曾被挂起，例如机器休眠，另一个驱动者接管升级并将其完成，而它现在从原处继续。它\
             写入的内容可能撤销之后的改动。在不保存网格日志的集群中，驱动者只有在其冻结还在那里时才能改动东西。什么都不用做：它会自行\
             结束，`kubectl mesh-upgrade status` 显示该升级的结果。"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Lang;

    /// What stands between backticks: commands and names, to be typed as they stand.
    fn quoted(text: &str) -> Vec<&str> {
        let mut quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        quoted.sort_unstable();
        quoted
    }

    #[test]
    fn refusals_name_the_same_commands_in_both_languages() {
        for code in Code::ALL {
            assert_eq!(quoted(chinese(code)), quoted(code.documentation()), "{code}");
            assert!(Lang::Chinese.refusal(code).contains("被守卫拒绝"));
            assert!(Lang::English.refusal(code).contains("refused by the guard"));
        }
    }
}
