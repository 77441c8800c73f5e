//! What `list` says beside its table, and of clusters and meshes that are not to be seen.

super::words! {
    list_no_mesh(cluster) "No mesh found in cluster {cluster}: no Deployment of istiod in any namespace.",
        "在集群 {cluster} 中没有找到网格：所有命名空间里都没有 istiod 的 Deployment。";
    list_no_mesh_in(cluster, namespace)
        "No mesh found in cluster {cluster}: no Deployment of istiod in namespace {namespace}.",
        "在集群 {cluster} 中没有找到网格：命名空间 {namespace} 里没有 istiod 的 Deployment。";
    list_undeclared(meshes)
        "No Mesh object says who operates {meshes}: taken as Dedicated, which apply upgrades by whatever installed it. kubectl mesh-upgrade adopt MESH writes one.",
        "没有 Mesh 对象说明 {meshes} 由谁运维：视为 Dedicated，由 apply 用安装它的方式升级。kubectl mesh-upgrade adopt MESH 会写入一个。";
    list_all_newest() "No mesh can go further: this catalog knows no newer version that its clusters allow.",
        "没有网格能再前进：目录中没有其集群允许的更新版本。";
    cluster_unknown(cluster, why) "cluster {cluster} is Unknown: {why}", "集群 {cluster} 状态未知（Unknown）：{why}";
}
