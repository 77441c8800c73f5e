//! What runs of Istio, told by its workloads.

use anyhow::Result;

use crate::harness::Cluster;

/// Names and images of what runs in Istio's namespace, sorted.
///
/// # Errors
/// When kubectl fails.
pub fn images(cluster: &Cluster) -> Result<Vec<String>> {
    let template =
        "-o=jsonpath={range .items[*]}{.metadata.name} {.spec.template.spec.containers[0].image}{\"\\n\"}{end}";
    let found = cluster.kubectl(&["-n", "istio-system", "get", "deployments,daemonsets", template])?;
    let mut images: Vec<String> = found.ok()?.lines().map(str::to_owned).collect();
    images.sort();
    Ok(images)
}
