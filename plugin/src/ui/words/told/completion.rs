//! What shells show beside candidates that a cluster or the catalog knows.

super::told! {
    "unknown version" => "未知版本";
    "{version} in {}" => "{version}，位于 {0}";
    "newest patch of {}" => "{} 的最新补丁";
}
