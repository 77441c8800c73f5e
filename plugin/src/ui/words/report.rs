//! The words around findings: headings, counts, severities and families.

use shared::finding::{Family, Severity};

super::words! {
    check_title(mesh, from, to) "Mesh {mesh}: {from} to {to}", "网格 {mesh}：{from} 升级到 {to}";
    check_unknown_version() "unknown", "未知版本";
    check_in_the_baseline(count, blockers)
        "{count} more were in the baseline, {blockers} of them blockers, which still block",
        "另有 {count} 项已在基线中，其中 {blockers} 项是阻塞项，仍然阻塞";
    check_mend_and_repeat(command) "mend what is marked, then: {command}", "处理标出的问题，然后：{command}";

    check_total(meshes, free, blocked, blockers, warnings, passed)
        "Meshes: {meshes}, {free} free, {blocked} blocked; {blockers}, {warnings}, {passed} passed",
        "网格：{meshes} 个，{free} 个无阻塞，{blocked} 个被阻塞；{blockers}，{warnings}，{passed} 项通过";

    report_mesh() "mesh", "网格";
    report_counts(found, passed) "({found} found, {passed} passed)", "（发现 {found} 项，通过 {passed} 项）";
    report_clean(families, count) "{families} ({count} passed)", "{families}（通过 {count} 项）";
    report_fix() "fix:", "处理：";
    report_separator() ", ", "、";
    report_waived(owner, expires, cause) "waived by {owner} until {expires}: {cause}",
        "由 {owner} 豁免至 {expires}：{cause}";
    report_one_blocker() "1 blocker", "1 个阻塞项";
    report_blockers(count) "{count} blockers", "{count} 个阻塞项";
    report_one_warning() "1 warning", "1 个警告";
    report_warnings(count) "{count} warnings", "{count} 个警告";
    report_summary(blockers, warnings, passed) "{blockers}, {warnings}, {passed} passed",
        "{blockers}，{warnings}，{passed} 项通过";
    report_and_waived(count) ", {count} waived", "，{count} 项豁免";
    report_waived_heading() "Waived", "已豁免";
    report_passed_heading() "Passed", "已通过";
    report_waived_line(code, owner, expires, reason, cause)
        "- **{code}** by {owner} until {expires} ({reason}): {cause}",
        "- **{code}** 由 {owner} 豁免至 {expires}（{reason}）：{cause}";

    severity_blocker() "blocker", "阻塞";
    severity_warning() "warning", "警告";
    severity_info() "info", "提示";

    family_images() "Images", "镜像";
    family_configuration() "Configuration against the target", "对照目标版本的配置";
    family_data_plane() "Data plane", "数据平面";
    family_versions() "Versions", "版本";
    family_kubernetes() "Kubernetes", "Kubernetes 版本";
    family_control_plane() "Control plane", "控制平面";
    family_install() "Installation", "安装";
    family_permissions() "Permissions", "权限";
    family_guard() "Guard", "守卫";
    family_clusters() "Clusters and waivers", "集群与豁免";
}

impl super::Lang {
    /// A family's name.
    #[must_use]
    pub(crate) fn family(self, family: Family) -> String {
        match family {
            Family::Images => self.family_images(),
            Family::Configuration => self.family_configuration(),
            Family::DataPlane => self.family_data_plane(),
            Family::Versions => self.family_versions(),
            Family::Kubernetes => self.family_kubernetes(),
            Family::ControlPlane => self.family_control_plane(),
            Family::Install => self.family_install(),
            Family::Permissions => self.family_permissions(),
            Family::Guard => self.family_guard(),
            Family::Clusters => self.family_clusters(),
        }
    }

    /// A severity's name.
    #[must_use]
    pub(crate) fn severity(self, severity: Severity) -> String {
        match severity {
            Severity::Blocker => self.severity_blocker(),
            Severity::Warning => self.severity_warning(),
            Severity::Info => self.severity_info(),
        }
    }

    /// So many blockers.
    #[must_use]
    pub(crate) fn blockers(self, count: usize) -> String {
        match count {
            1 => self.report_one_blocker(),
            count => self.report_blockers(count),
        }
    }

    /// So many warnings.
    #[must_use]
    pub(crate) fn warnings(self, count: usize) -> String {
        match count {
            1 => self.report_one_warning(),
            count => self.report_warnings(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ui::Lang;
    use shared::finding::Family;

    #[test]
    fn families_are_called_as_in_the_reference() {
        for family in Family::ALL {
            assert_eq!(Lang::English.family(family), family.title());
        }
    }
}
