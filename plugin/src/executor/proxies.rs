//! The proxies of the mesh, counted before anything is changed and compared afterwards.

use super::{effects::Effects, frozen::Telling, health};
use crate::{cluster::Cluster, ui::Mark};
use shared::api::{MeshUpgradeSpec, ProxyConnections};

impl Effects<'_> {
    /// What proxies are compared with afterwards, if they could be counted.
    pub(super) fn comparable(&self, counted: Result<ProxyConnections, String>) -> Option<ProxyConnections> {
        if let Err(why) = &counted {
            let says = format!("the proxies cannot be counted, and are not compared afterwards: {why}");
            self.ui.progress(Mark::Warn, &says);
        }
        counted.ok()
    }

    pub(super) async fn connections(&self, spec: &MeshUpgradeSpec) -> Result<ProxyConnections, String> {
        let counted = health::connections::count(&self.counted(spec, true)?).await?;
        Ok(counted.total)
    }

    /// Clusters whose proxies may be connected to the istiods of the plan, with the namespaces of their own: also those that
    /// the plan does not write to, as remote ones that are at the target, if `all` are asked for.
    fn counted<'c>(&'c self, spec: &'c MeshUpgradeSpec, all: bool) -> Result<Vec<(&'c Cluster, &'c [String])>, String> {
        let planned = spec.plan.clusters.iter();
        let planned = planned.map(|planned| {
            let cluster = self.cluster(&planned.name)?;
            Ok((cluster, planned.scope.istio_namespaces.as_slice()))
        });
        let others = self.members.others.iter().filter(|_| all);
        let others = others.map(|(cluster, namespaces)| Ok((cluster, namespaces.as_slice())));
        planned.chain(others).collect()
    }

    /// What is healthy by itself is so only with its proxies; `later` they are counted once more.
    pub(super) async fn connected_again(
        &self,
        spec: &MeshUpgradeSpec,
        proved: Result<String, String>,
        before: Option<&ProxyConnections>,
        later: bool,
        news: &Telling,
    ) -> Result<String, String> {
        let evidence = proved?;
        let Some(before) = before else { return Ok(evidence) };
        // A journal of an older plugin has counted in the plan's clusters alone.
        let clusters = self.counted(spec, before.clusters != 0);
        let connected = match clusters {
            // Not needed now, and asked in the end.
            Err(_) if later => return Ok(evidence),
            clusters => health::connections::return_of((self.ui, news), &clusters?, before, later).await?,
        };
        Ok(format!("{evidence}; {connected}"))
    }
}
