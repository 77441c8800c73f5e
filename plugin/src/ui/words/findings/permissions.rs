//! MU5xx: permissions, in Chinese.

use super::Told;

pub(super) const TOLD: &[Told] = &[
    Told {
        id: "MU501",
        title: "您缺少升级所需的权限",
        cause: "中途被拒绝的升级会让网格停留在冻结状态；因此在开始之前就询问全部权限。check 什么也不改动，只给出警告。",
        evidence: "一次 SelfSubjectRulesReview，以及对 apply 以您的身份所做而其规则未授予的每件事各一次 SelfSubjectAccessReview。",
        fix: "请集群管理员授予该发现所列的规则。",
    },
    Told {
        id: "MU502",
        title: "驱动者缺少升级所需的权限",
        cause: "升级中的一切都由驱动者的 ServiceAccount 写入；其角色比这个插件旧，或者被改动过。check 什么也不改动，只给出警告。",
        evidence: "对 apply 以驱动者身份所做的每件事各一次访问审查。",
        fix: "重新安装守卫，使角色更新：kubectl mesh-upgrade guard install。",
    },
];
