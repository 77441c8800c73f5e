//! What the reader of YAML says of a document that somebody wrote: its words, not ours, but of files that are edited by hand.

/// Texts of serde and of its reader, with their values.
pub(super) const OF_READER: &[(&str, &str)] = &[
    ("missing field `{}`", "缺少字段 `{}`"),
    ("duplicate field `{}`", "字段 `{}` 重复"),
    (
        "unknown field `{}`, expected one of {}",
        "没有字段 `{}`，应为其中之一：{}",
    ),
    (
        "unknown variant `{}`, expected one of {}",
        "没有值 `{}`，应为其中之一：{}",
    ),
    ("invalid type: {}, expected {}", "类型不对：{}，应为 {}"),
    ("invalid value: {}, expected {}", "值不对：{}，应为 {}"),
    ("invalid length {}, expected {}", "长度 {} 不对，应为 {}"),
    ("unexpected end of input", "文件意外结束"),
    ("multiple YAML documents detected; {}", "有多个 YAML 文档；{}"),
    (
        "duplicate mapping key: {}, set DuplicateKeyPolicy in Options if acceptable",
        "键 {} 重复",
    ),
    ("alias references unknown anchor", "别名指向不存在的锚点"),
    ("input is not valid UTF-8", "不是有效的 UTF-8"),
];
