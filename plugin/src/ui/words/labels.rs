//! Words before what is said: errors, hints, and the next command; and which clusters it is about.

super::words! {
    /// Before an error.
    label_error() "error:", "错误：";
    /// Before what can be done about an error.
    label_hint() "hint:", "提示：";
    /// Before the command that comes next.
    label_next() "Next:", "下一步：";
    same_flags(flags) "commands need the flags of this run, too: {flags}", "命令同样需要这次运行的参数：{flags}";
    place_with_context(cluster, context) "cluster {cluster} (context {context})", "集群 {cluster}（context {context}）";
    place_cluster(cluster) "cluster {cluster}", "集群 {cluster} ";
    place_clusters(clusters) "clusters {clusters}", "集群 {clusters} ";
    place_and_more(clusters, more) "clusters {clusters} and {more} more", "集群 {clusters} 和另外 {more} 个集群";
    /// Which edition of the catalog was asked.
    catalog_edition(edition) "Catalog: {edition}", "版本目录：{edition}";
}

/// So many clusters are named, and others counted.
const NAMED: usize = 5;

impl super::Lang {
    /// Clusters, each with the context that leads there, where it is the operator's own.
    #[must_use]
    pub(crate) fn place(self, clusters: &[(&str, Option<&str>)]) -> String {
        match clusters {
            [(cluster, Some(context))] => self.place_with_context(cluster, context),
            [(cluster, None)] => self.place_cluster(cluster),
            several => {
                let names = several.iter().take(NAMED).map(|(cluster, _)| *cluster);
                let names = names.collect::<Vec<_>>().join(", ");
                match several.len().saturating_sub(NAMED) {
                    0 => self.place_clusters(names),
                    more => self.place_and_more(names, more),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ui::Lang;

    #[test]
    fn clusters_are_named_as_far_as_a_line_bears_it() {
        let names = ["a", "b", "c", "d", "e", "f", "g"].map(|name| (name, None));
        for (clusters, expected) in [
            (&[("east", Some("admin@east"))][..], "cluster east (context admin@east)"),
            (&[("east", None)], "cluster east"),
            (&names[..2], "clusters a, b"),
            (&names[..5], "clusters a, b, c, d, e"),
            (&names[..], "clusters a, b, c, d, e and 2 more"),
        ] {
            assert_eq!(Lang::English.place(clusters), expected);
        }
    }
}
