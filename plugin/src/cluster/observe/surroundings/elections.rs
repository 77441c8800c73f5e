//! Elections among the istiods of a namespace: who holds them, and how long ago they were renewed.

use super::super::{ask::Asker, running::IstiodPod};
use crate::cluster::error::ClusterError;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use shared::inventory::Election;
use std::collections::BTreeMap;

/// The election in which every istiod of every version takes part, for a ConfigMap with an annotation
/// (istio/istio, `pilot/pkg/leaderelection`).
const OF_ALL: &str = "istio-namespace-controller-election";
const RECORD: &str = "control-plane.alpha.kubernetes.io/leader";
/// Elections of one revision, for a Lease with the revision at the end of its name.
const OF_REVISION: [&str; 1] = ["istio-gateway-deployment-"];

#[derive(Deserialize)]
struct ConfigMap {
    metadata: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    name: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What istiod writes into the annotation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    holder_identity: String,
    #[serde(default)]
    holder_key: String,
    renew_time: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Leases {
    #[serde(default)]
    items: Vec<Lease>,
}

#[derive(Deserialize)]
struct Lease {
    #[serde(default)]
    metadata: Meta,
    #[serde(default)]
    spec: LeaseSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseSpec {
    holder_identity: Option<String>,
    renew_time: Option<Timestamp>,
}

/// Reads the elections of one namespace, in two questions.
pub(super) async fn read(asker: Asker<'_>, namespace: &str, pods: &[IstiodPod]) -> Result<Vec<Election>, ClusterError> {
    let map = format!("/api/v1/namespaces/{namespace}/configmaps/{OF_ALL}");
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases?limit=500");
    let (map, leases) = futures::try_join!(
        asker.dated_fields::<ConfigMap>("get the ConfigMaps of istiod's elections", &map),
        asker.dated_fields::<Leases>("list Leases", &leases),
    )?;
    let mut found = Vec::new();
    if let Some((map, now)) = map {
        found.extend(of_all(namespace, &map, now));
    }
    if let Some((leases, now)) = leases {
        found.extend(
            leases
                .items
                .iter()
                .filter_map(|lease| of_revision(namespace, lease, now)),
        );
    }
    for election in &mut found {
        election.holder_is_there = pods
            .iter()
            .any(|pod| pod.namespace == namespace && pod.name == election.holder);
    }
    Ok(found)
}

fn age(renewed: Option<Timestamp>, now: Option<Timestamp>) -> Option<i64> {
    Some(now?.as_second().saturating_sub(renewed?.as_second()))
}

/// A record that cannot be read tells nothing.
fn of_all(namespace: &str, map: &ConfigMap, now: Option<Timestamp>) -> Option<Election> {
    let record: Record = serde_json::from_str(map.metadata.annotations.get(RECORD)?).ok()?;
    // A control plane elsewhere that reads this cluster puts a caret before its revision.
    let revision = record.holder_key.trim_start_matches('^');
    Some(Election {
        namespace: namespace.to_owned(),
        object: format!("ConfigMap {namespace}/{OF_ALL}"),
        of_revision: None,
        holder: record.holder_identity,
        holder_is_there: false,
        revision: (!revision.is_empty() && !record.holder_key.starts_with('^')).then(|| revision.to_owned()),
        age: age(record.renew_time, now),
    })
}

fn of_revision(namespace: &str, lease: &Lease, now: Option<Timestamp>) -> Option<Election> {
    let name = &lease.metadata.name;
    let revision = OF_REVISION.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    Some(Election {
        namespace: namespace.to_owned(),
        object: format!("Lease {namespace}/{name}"),
        of_revision: Some(revision.to_owned()),
        holder: lease.spec.holder_identity.clone().unwrap_or_default(),
        holder_is_there: false,
        revision: None,
        age: age(lease.spec.renew_time, now),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn now() -> Option<Timestamp> {
        Some("2026-11-24T10:00:40Z".parse().unwrap())
    }

    #[test]
    fn reads_the_record_that_istiod_writes() {
        let map = |record: &str| -> ConfigMap {
            serde_json::from_value(json!({"metadata": {"name": OF_ALL, "annotations": {RECORD: record}}})).unwrap()
        };
        let text = r#"{"holderIdentity":"istiod-7c-x","holderKey":"default","leaseDurationSeconds":30,
            "acquireTime":"2026-11-24T09:00:00Z","renewTime":"2026-11-24T10:00:33Z","leaderTransitions":2}"#;
        let found = of_all("istio-system", &map(text), now()).unwrap();
        assert_eq!(
            (found.holder.as_str(), found.revision.as_deref(), found.age),
            ("istiod-7c-x", Some("default"), Some(7))
        );
        let remote = of_all(
            "istio-system",
            &map(r#"{"holderIdentity":"x","holderKey":"^default"}"#),
            now(),
        )
        .unwrap();
        assert_eq!((remote.revision, remote.age), (None, None));
        for broken in ["", "{", "[]", r#"{"renewTime":"yesterday"}"#] {
            assert!(of_all("istio-system", &map(broken), now()).is_none(), "{broken}");
        }
    }

    #[test]
    fn only_leases_that_every_version_holds_are_read() {
        let lease = |name: &str| -> Lease {
            serde_json::from_value(json!({"metadata": {"name": name},
                "spec": {"holderIdentity": "istiod-0", "renewTime": "2026-11-24T10:00:00.123456Z"}}))
            .unwrap()
        };
        let found = of_revision("mesh", &lease("istio-gateway-deployment-1-30"), now()).unwrap();
        assert_eq!((found.of_revision.as_deref(), found.age), (Some("1-30"), Some(40)));
        assert!(of_revision("mesh", &lease("my-operator"), now()).is_none());
    }
}
