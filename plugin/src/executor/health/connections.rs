//! The proxies of the mesh: as many as before must be connected to istiod.

use super::DEADLINE;
use crate::{
    cluster::{self, Cluster},
    executor::{
        frozen::Telling,
        wait::{Waiting, once_each, telling, within},
    },
    ui::{Mark, Ui},
};
use futures::future::try_join_all;
use shared::{
    api::ProxyConnections,
    connections::{self, Counted, Judged},
};

/// Counts them over all clusters: a proxy of one may be connected to another's istiod.
///
/// # Errors
/// Why they cannot be counted.
pub async fn count(clusters: &[(&Cluster, &[String])]) -> Result<Counted, String> {
    let counting = clusters
        .iter()
        .map(|(cluster, namespaces)| cluster::served(cluster, namespaces));
    try_join_all(counting).await.map(Counted::of)
}

/// Waits until those that were connected are again, as long as there are fewer and fewer that are not. Returns the evidence
/// in a sentence. Those of a cluster that does not answer are waited for, unless `later` they are counted once more.
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
            Ok(after) => connections::judge(before, &after).map_err(Waiting::from),
            Err(why) if later => Ok(Judged {
                evidence: format!("proxies are not counted yet: {why}"),
                warning: None,
            }),
            Err(why) => Err(Waiting::from(format!("the proxies to be counted ({why})"))),
        }
    };
    let judged = within(DEADLINE, say).wait_for(look).await.map_err(|why| {
        if connections::of_pods(before).is_none() && before.remotes.is_empty() {
            return why;
        }
        format!(
            "{why} (if these are machines that were retired, or clusters that were taken out, meanwhile: kubectl mesh-upgrade unlock \
             --reason TEXT, then kubectl mesh-upgrade apply)"
        )
    })?;
    if let Some(warning) = judged.warning {
        ui.progress(Mark::Warn, &warning);
    }
    Ok(judged.evidence)
}
