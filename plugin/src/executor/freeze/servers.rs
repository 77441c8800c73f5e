//! How long to go on proving where several API servers stand: each goes by a new policy at a tick of its own, and the
//! answers come from one of them.

use crate::cluster::Cluster;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, api::ListParams};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// An API server takes up what has changed each second, and hears of it a moment after it was written.
const SETTLING: Duration = Duration::from_secs(2);

/// For how long after the last write of a policy answers of one API server say nothing of the others.
pub async fn settling(holder: &Cluster) -> Duration {
    let slices: Api<EndpointSlice> = Api::namespaced(holder.client.clone(), "default");
    let of_kubernetes = ListParams::default().labels("kubernetes.io/service-name=kubernetes");
    let listed = slices.list(&of_kubernetes).await;
    if let Err(why) = &listed {
        tracing::info!(%why, "cannot see how many API servers there are");
    }
    settling_of(listed.ok().map(|list| addresses(&list.items)))
}

/// By how many addresses the API servers show; `None` where that cannot be read. Who shows none keeps no such list.
fn settling_of(addresses: Option<usize>) -> Duration {
    match addresses {
        Some(0 | 1) => Duration::ZERO,
        Some(_) | None => SETTLING,
    }
}

/// How many there are, of whichever family there are most: each server has one of each.
fn addresses(slices: &[EndpointSlice]) -> usize {
    let mut families: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for slice in slices {
        let found = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
        let family = families.entry(&slice.address_type).or_default();
        family.extend(found.map(String::as_str));
    }
    families.values().map(BTreeSet::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn slice(family: &str, addresses: &[&str]) -> EndpointSlice {
        let endpoints: Vec<_> = addresses
            .iter()
            .map(|address| json!({"addresses": [address]}))
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "kubernetes"},
            "addressType": family, "endpoints": endpoints, "ports": [],
        }))
        .unwrap()
    }

    #[test]
    fn the_proof_goes_on_where_there_are_several_servers_or_nobody_knows() {
        let of = |slices: &[EndpointSlice]| settling_of(Some(addresses(slices)));
        let one = slice("IPv4", &["10.0.0.1"]);
        assert_eq!(of(&[]), Duration::ZERO);
        assert_eq!(of(std::slice::from_ref(&one)), Duration::ZERO);
        assert_eq!(of(&[one.clone(), slice("IPv6", &["fd00::1"])]), Duration::ZERO);
        assert_eq!(of(&[slice("IPv4", &["10.0.0.1", "10.0.0.2", "10.0.0.3"])]), SETTLING);
        assert_eq!(of(&[one, slice("IPv4", &["10.0.0.2"])]), SETTLING);
        assert_eq!(settling_of(None), SETTLING);
    }
}
