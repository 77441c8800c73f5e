//! What clap says of mistakes.

/// What clap says of a command line that it does not understand.
pub(in crate::ui::words) const OF_CLAP: &[(&str, &str)] = &[
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
