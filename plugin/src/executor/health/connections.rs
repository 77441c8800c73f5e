//! The proxies of the mesh: as many as before must be connected to istiod.

use super::{DEADLINE, Waiting, once_each, telling, within};
use crate::{
    cluster::{self, Cluster},
    executor::frozen::Telling,
    ui::{Mark, Ui},
};
use futures::future::try_join_all;
use shared::{
    api::ProxyConnections,
    connections::{self, Judged},
};

/// Counts them over all clusters: a proxy of one may be connected to another's istiod.
///
/// # Errors
/// Why they cannot be counted.
pub async fn count(clusters: &[(&Cluster, &[String])]) -> Result<ProxyConnections, String> {
    let counting = clusters
        .iter()
        .map(|(cluster, namespaces)| cluster::served(cluster, namespaces));
    let counted = try_join_all(counting).await.map(connections::sum)?;
    Ok(ProxyConnections {
        clusters: i64::try_from(clusters.len()).unwrap_or(i64::MAX),
        ..counted
    })
}

/// Waits until those that were connected are again, as long as there are fewer and fewer that are not. Returns the evidence in a sentence. Those of a cluster that does not
/// answer are waited for, unless `later` they are counted once more.
///
/// # Errors
/// How many are lost.
pub async fn return_of(
    (ui, news): (Ui, &Telling),
    clusters: &[(&Cluster, &[String])],
    before: &ProxyConnections,
    later: bool,
) -> Result<String, String> {
    let say = once_each(telling(news));
    let look = || async {
        match count(clusters).await {
            // A large mesh comes back as fast as istiod lets it, a hundred proxies a second at most.
            Ok(after) => connections::judge(before, &after).map_err(|lost| Waiting {
                what: lost.what,
                left: Some(lost.count),
            }),
            Err(why) if later => Ok(Judged {
                evidence: format!("proxies are not counted yet: {why}"),
                warning: None,
            }),
            Err(why) => Err(Waiting::from(format!("the proxies to be counted ({why})"))),
        }
    };
    let judged = within(DEADLINE, say).wait_for(look).await.map_err(|why| {
        if connections::of_pods(before).is_none() {
            return why;
        }
        format!(
            "{why} (if these are machines that were retired meanwhile: kubectl mesh-upgrade unlock --reason TEXT, then kubectl \
             mesh-upgrade apply)"
        )
    })?;
    if let Some(warning) = judged.warning {
        ui.progress(Mark::Warn, &warning);
    }
    Ok(judged.evidence)
}
