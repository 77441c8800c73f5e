//! The data plane by what restarts it, out of the same stream of pods that counts the proxies: what is kept grows with
//! the workloads, not with the pods.

use super::{
    ask::Asker,
    protobuf::{Fields, Value},
    proxies, version,
};
use crate::cluster::error::ClusterError;
use k8s_openapi::api::{core::v1::Namespace, policy::v1::PodDisruptionBudget};
use kube::{
    Api, ResourceExt,
    api::ListParams,
    core::{Selector, SelectorExt as _},
};
use shared::inventory::{DataPlane, MeshedWorkload, Owner, ProxyKind};
use std::collections::{BTreeMap, BTreeSet};

/// Objects in a page.
const PAGE: u32 = 500;
/// Labels that the controllers of Deployments and of Argo Rollouts give to pods.
const OF_DEPLOYMENT: &str = "pod-template-hash";
const OF_ROLLOUT: &str = "rollouts-pod-template-hash";

/// What makes pods of a workload alike.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: String,
    owner: Owner,
    kind: ProxyKind,
    image: String,
    revision: Option<String>,
}

#[derive(Default)]
struct Seen {
    pods: u32,
    example: String,
    held_by: BTreeSet<String>,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Gathering {
    injected: Vec<String>,
    /// Budgets that allow no eviction now, by namespace.
    budgets: BTreeMap<String, Vec<(String, Selector)>>,
    seen: BTreeMap<Key, Seen>,
}

impl Gathering {
    /// Reads what pods are held against.
    pub(super) async fn begin(asker: Asker<'_>) -> Result<Self, ClusterError> {
        let (injected, budgets) = futures::try_join!(injected(asker), budgets(asker))?;
        Ok(Self {
            injected,
            budgets,
            seen: BTreeMap::new(),
        })
    }

    /// Takes a pod in. Field numbers are those of k8s.io/api, `core/v1/generated.proto`.
    pub(super) fn pod(&mut self, pod: Fields<'_>) {
        let Some((proxy, _)) = proxies::proxy(pod) else {
            return;
        };
        let meta = proxies::meta(pod);
        let labels = labels(meta);
        let namespace = meta.text(3);
        let held_by = self
            .budgets
            .get(namespace)
            .into_iter()
            .flatten()
            .filter(|(_, selector)| selector.matches(&labels))
            .map(|(name, _)| name.clone());
        let held_by: BTreeSet<String> = held_by.collect();
        let key = Key {
            namespace: namespace.to_owned(),
            owner: owner(meta, &labels),
            kind: proxies::kind(proxy),
            image: proxy.text(2).to_owned(),
            revision: proxies::revision(meta.all(12), meta.all(11)),
        };
        let seen = self.seen.entry(key).or_default();
        if seen.pods == 0 {
            meta.text(1).clone_into(&mut seen.example);
        }
        seen.pods = seen.pods.saturating_add(1);
        seen.held_by.extend(held_by);
    }

    /// What was gathered.
    pub(super) fn end(self) -> DataPlane {
        let workloads = self.seen.into_iter().map(|(key, seen)| MeshedWorkload {
            namespace: key.namespace,
            owner: key.owner,
            kind: key.kind,
            version: version::choose(&[], &key.image, None),
            revision: key.revision,
            pods: seen.pods,
            example: seen.example,
            held_by: seen.held_by,
        });
        DataPlane {
            workloads: workloads.collect(),
            injected: self.injected,
        }
    }
}

/// The labels of a pod.
pub(super) fn labels(meta: Fields<'_>) -> BTreeMap<String, String> {
    meta.all(11)
        .map(Value::fields)
        .map(|label| (label.text(1).to_owned(), label.text(2).to_owned()))
        .collect()
}

/// What made a pod: its controlling owner, and of a ReplicaSet the Deployment, by the hash that its name ends with.
pub(super) fn owner(meta: Fields<'_>, labels: &BTreeMap<String, String>) -> Owner {
    let mut owners = meta.all(13).map(Value::fields);
    let controls = |owner: &Fields<'_>| owner.all(6).next() == Some(Value::Number(1));
    let Some(owner) = owners.find(controls) else {
        return Owner::Nobody(meta.text(1).to_owned());
    };
    let (kind, name) = (owner.text(1), owner.text(3));
    let above = |label: &str| {
        let hash = labels.get(label)?;
        name.strip_suffix(hash.as_str())?.strip_suffix('-').map(str::to_owned)
    };
    match kind {
        "ReplicaSet" => match (above(OF_ROLLOUT), above(OF_DEPLOYMENT)) {
            (Some(rollout), _) => Owner::Other("rollout".to_owned(), rollout),
            (None, Some(deployment)) => Owner::Deployment(deployment),
            (None, None) => Owner::Other("replicaset".to_owned(), name.to_owned()),
        },
        "StatefulSet" => Owner::StatefulSet(name.to_owned()),
        "DaemonSet" => Owner::DaemonSet(name.to_owned()),
        "Job" => Owner::Job(name.to_owned()),
        kind => Owner::Other(kind.to_lowercase(), name.to_owned()),
    }
}

/// Namespaces that ask for injection without naming a revision.
async fn injected(asker: Asker<'_>) -> Result<Vec<String>, ClusterError> {
    let api: Api<Namespace> = Api::all(asker.cluster.client.clone());
    let asking = ListParams::default().labels("istio-injection=enabled");
    let listed = asker.list_metadata("list Namespaces", &api, &asking).await?;
    Ok(listed.items.iter().map(ResourceExt::name_any).collect())
}

/// Budgets that cover something and allow no eviction now.
async fn budgets(asker: Asker<'_>) -> Result<BTreeMap<String, Vec<(String, Selector)>>, ClusterError> {
    let api: Api<PodDisruptionBudget> = Api::all(asker.cluster.client.clone());
    let mut params = ListParams::default().limit(PAGE);
    let mut found: BTreeMap<String, Vec<(String, Selector)>> = BTreeMap::new();
    loop {
        let page = asker.list("list PodDisruptionBudgets", &api, &params).await?;
        for budget in page.items {
            let (namespace, name) = (budget.namespace().unwrap_or_default(), budget.name_any());
            let allows_none = budget
                .status
                .is_some_and(|status| status.disruptions_allowed == 0 && status.expected_pods > 0);
            let selector = budget.spec.and_then(|spec| spec.selector);
            // One that cannot be read selects nothing for the API server either.
            if let (true, Some(selector)) = (allows_none, selector.and_then(|one| Selector::try_from(one).ok())) {
                found.entry(namespace).or_default().push((name, selector));
            }
        }
        match page.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => params = params.continue_token(&next),
            None => return Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::protobuf::tests::held, *};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

    fn pod(name: &str, owner: Option<(&str, &str)>, hash: &str) -> Vec<u8> {
        let entry = |key: &str, value: &str| [held(1, key), held(2, value)].concat();
        let owner = owner.map(|(kind, name)| held(13, [held(1, kind), held(3, name), vec![0x30, 1]].concat()));
        let meta = [
            held(1, name),
            held(3, "shop"),
            held(11, entry(OF_DEPLOYMENT, hash)),
            held(11, entry("app", "reviews")),
            held(12, entry("istio.io/rev", "default")),
            owner.unwrap_or_default(),
        ];
        let proxy = [
            held(1, "istio-proxy"),
            held(2, "docker.io/istio/proxyv2:1.30.3"),
            held(4, "proxy"),
            held(4, "sidecar"),
        ];
        [held(1, meta.concat()), held(2, held(20, proxy.concat()))].concat()
    }

    #[test]
    fn pods_are_gathered_by_what_made_them() {
        let selector = LabelSelector {
            match_labels: Some([("app".to_owned(), "reviews".to_owned())].into()),
            ..LabelSelector::default()
        };
        let budget = ("reviews".to_owned(), Selector::try_from(selector).unwrap());
        let mut gathering = Gathering {
            budgets: [("shop".to_owned(), vec![budget])].into(),
            ..Gathering::default()
        };
        for (name, owner) in [
            ("reviews-5d-a", Some(("ReplicaSet", "reviews-5d"))),
            ("reviews-5d-b", Some(("ReplicaSet", "reviews-5d"))),
            ("odd-a", Some(("ReplicaSet", "odd"))),
            ("db-0", Some(("StatefulSet", "db"))),
            ("night-1-x", Some(("Job", "night-1"))),
            ("alone", None),
        ] {
            gathering.pod(Fields(&pod(name, owner, "5d")));
        }
        let found = gathering.end().workloads;
        let shown: Vec<String> = found
            .iter()
            .map(|one| format!("{} {} {}", one.owner.reference(), one.pods, one.example))
            .collect();
        assert_eq!(
            shown,
            [
                "deployment/reviews 2 reviews-5d-a",
                "statefulset/db 1 db-0",
                "job/night-1 1 night-1-x",
                "replicaset/odd 1 odd-a",
                "pod/alone 1 alone",
            ]
        );
        assert!(found.iter().all(|one| one.held_by.contains("reviews")), "{found:?}");
    }
}
