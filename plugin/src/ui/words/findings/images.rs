//! MU0xx: images, in Chinese.

use super::Told;

pub(super) const TOLD: &[Told] = &[Told {
    id: "MU001",
    title: "目标版本的 chart 从已关停的镜像仓库取镜像",
    cause: "values 中没有指定 hub 时，以 chart 自己的默认值为准，而目标版本的默认值所指的仓库正在关停。",
    evidence: "正在运行的镜像所在的仓库（每个控制平面、节点组件以及指定了镜像的网关），与运行中的 chart 和目标 chart 的默认值对照，以及其 release 的 values 是否指定了别的仓库。",
    fix: "在每个 chart 的 values 中把 global.hub 设为该发现所指出的仓库。",
}];
