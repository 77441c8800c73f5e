//! Hosts that routes and rules name, against Services that are only names for hosts outside.

use super::Object;
use crate::finding::{Code, codes};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Hosts that are remembered; enough for any mesh, and no more than some megabytes.
const MAX: usize = 50_000;

/// What is known of hosts while objects are listed.
#[derive(Debug, Default)]
pub(super) struct Routed {
    /// Hosts as `name.namespace`, with one object that names each.
    named: BTreeMap<String, String>,
    external: BTreeSet<String>,
}

impl Routed {
    /// Notes the hosts of a VirtualService or DestinationRule.
    pub(super) fn look(&mut self, object: &Object<'_>, named: &str) {
        let hosts: Vec<&str> = match object.definition {
            "virtualservices.networking.istio.io" => {
                let destinations = super::objects::values(object.spec, "destination");
                let destinations = destinations.into_iter().filter_map(|to| to.get("host")?.as_str());
                super::objects::texts(object.spec.get("hosts"))
                    .chain(destinations)
                    .collect()
            }
            "destinationrules.networking.istio.io" => {
                object.spec.get("host").and_then(Value::as_str).into_iter().collect()
            }
            _ => return,
        };
        for host in hosts {
            if self.named.len() < MAX {
                self.named
                    .entry(in_cluster(host, object.namespace))
                    .or_insert_with(|| named.to_owned());
            }
        }
    }

    /// Adds what was noted elsewhere; the object that named a host first stays its example.
    pub(super) fn add(&mut self, other: Self) {
        for (host, by) in other.named {
            self.named.entry(host).or_insert(by);
        }
        self.external.extend(other.external);
    }

    /// Notes a Service of type ExternalName.
    pub(super) fn external(&mut self, namespace: &str, name: &str) {
        if self.external.len() < MAX {
            self.external.insert(format!("{name}.{namespace}"));
        }
    }

    /// Services of type ExternalName that something routes to.
    pub(super) fn hits(&self) -> impl Iterator<Item = (Code, String, String)> + '_ {
        self.external.iter().filter_map(|host| {
            let by = self.named.get(host)?;
            let (name, namespace) = host.split_once('.')?;
            let detail = format!("{by} names it");
            Some((
                codes::EXTERNAL_NAME_ROUTED,
                format!("Service {namespace}/{name}"),
                detail,
            ))
        })
    }
}

/// A Service's host as `name.namespace`, however it is written; any other host as it is.
fn in_cluster(host: &str, namespace: &str) -> String {
    match host.split_once(".svc").map_or(host, |(service, _)| service) {
        short if !short.contains('.') => format!("{short}.{namespace}"),
        long => long.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_however_it_is_written() {
        for (host, expected) in [
            ("db", "db.shop"),
            ("db.shop", "db.shop"),
            ("db.pay.svc", "db.pay"),
            ("db.pay.svc.cluster.local", "db.pay"),
            ("db.example.com", "db.example.com"),
            ("*", "*.shop"),
        ] {
            assert_eq!(in_cluster(host, "shop"), expected);
        }
    }
}
