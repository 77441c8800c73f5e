//! Words before what is said: errors, hints, and the next command.

super::words! {
    /// Before an error.
    label_error() "error:", "错误：";
    /// Before what can be done about an error.
    label_hint() "hint:", "提示：";
    /// Before the command that comes next.
    label_next() "Next:", "下一步：";
    same_flags(flags) "commands need the flags of this run, too: {flags}", "命令同样需要这次运行的参数：{flags}";
    /// Which edition of the catalog was asked.
    catalog_edition(edition) "Catalog: {edition}", "版本目录：{edition}";
}
