//! Heads of tables. Documents for programs have none.

use super::Lang;

/// Each head, in English as it stands where its table is made, and in Chinese.
const HEADS: &[(&str, &str)] = &[
    ("AGAINST ITS ISTIOD", "相对其 istiod"),
    ("ANSWER", "结论"),
    ("ATTEMPTS", "尝试次数"),
    ("AVAILABLE", "可用版本"),
    ("BARRIER", "屏障"),
    ("BLOCKERS", "阻塞项"),
    ("CALLS", "调用次数"),
    ("CAUSE", "原因"),
    ("CLUSTER", "集群"),
    ("CLUSTERS", "集群"),
    ("CODE", "代码"),
    ("COMPONENT", "组件"),
    ("CURRENT", "当前"),
    ("EVIDENCE", "依据"),
    ("FIX", "处理"),
    ("FLAVOR", "FLAVOR"),
    ("FROM", "当前版本"),
    ("IN THE WAY", "障碍"),
    ("INSTALLED AS", "安装为"),
    ("KIND", "类型"),
    ("LEG", "段"),
    ("MANAGEMENT", "管理方式"),
    ("MESH", "网格"),
    ("NAMESPACE", "命名空间"),
    ("NOTE", "说明"),
    ("OBJECT", "对象"),
    ("PASSED", "通过"),
    ("PHASE", "阶段"),
    ("PODS", "Pod 数"),
    ("POLICY", "策略"),
    ("PROOF", "证明"),
    ("PROXIES", "代理数"),
    ("RECEIVED", "收到"),
    ("RESULT", "结果"),
    ("REVISION", "修订"),
    ("SEVERITY", "严重程度"),
    ("STATE", "状态"),
    ("STEP", "步骤"),
    ("TARGET", "目标"),
    ("TIME", "耗时"),
    ("TITLE", "标题"),
    ("TO", "目标版本"),
    ("TRIED", "尝试"),
    ("UPGRADE", "升级"),
    ("VERSION", "版本"),
    ("WARNINGS", "警告"),
    ("WEBHOOK", "WEBHOOK"),
    ("WHAT", "内容"),
    ("WHEN", "何时"),
    ("WHY", "原因"),
    ("WORKLOAD", "工作负载"),
];

impl Lang {
    /// The head of a table's column, with the blanks before it.
    #[must_use]
    pub fn head(self, head: &str) -> String {
        let name = head.trim_start();
        let told = HEADS.iter().find(|(english, _)| *english == name);
        match (self, told) {
            (Self::Chinese, Some((_, chinese))) => head.replace(name, chinese),
            _ => head.to_owned(),
        }
    }
}

#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    HEADS.iter().map(|(english, _)| *english)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_told_behind_its_blanks() {
        assert_eq!(Lang::Chinese.head("  STEP"), "  步骤");
        assert_eq!(Lang::Chinese.head("   "), "   ");
        assert_eq!(Lang::English.head("  STEP"), "  STEP");
    }
}
