//! The Sail Operator's objects: a version for each component, and what the operator says of it. Unlike what follows a
//! repository this tool writes them itself, as the holder.

use super::{Followed, FollowedKind, Progress, Source, TRACKING_ANNOTATION, TRACKING_LABEL};
use crate::{
    api::{Component, ObjectName},
    guard::message::one_line,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Labels by which Flux marks what it has brought out of a repository.
const FLUX_LABELS: [&str; 2] = ["kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"];

/// A kind of the Sail Operator that carries the version of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SailKind {
    /// A control plane.
    Istio,
    /// The CNI node agent.
    IstioCni,
    /// The ambient node proxy.
    ZTunnel,
}

impl SailKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Istio, Self::IstioCni, Self::ZTunnel];

    /// Its API group.
    pub const GROUP: &'static str = "sailoperator.io";

    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Istio => "Istio",
            Self::IstioCni => "IstioCNI",
            Self::ZTunnel => "ZTunnel",
        }
    }

    /// The resource's name in the API.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Istio => "istios",
            Self::IstioCni => "istiocnis",
            Self::ZTunnel => "ztunnels",
        }
    }

    fn component(self) -> Component {
        match self {
            Self::Istio => Component::Istiod,
            Self::IstioCni => Component::Cni,
            Self::ZTunnel => Component::Ztunnel,
        }
    }

    /// The helm release that the operator makes of an object.
    fn release(self, name: &str) -> String {
        match self {
            Self::Istio => format!("{name}-istiod"),
            Self::IstioCni => "istio-cni".to_owned(),
            Self::ZTunnel => "ztunnel".to_owned(),
        }
    }
}

/// Such an object, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SailObject {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    generation: i64,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    version: String,
    namespace: String,
    update_strategy: Option<Strategy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Strategy {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    conditions: Vec<Condition>,
}

/// A condition of the operator's: unlike Kubernetes' own it may lack reason and message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
}

impl SailObject {
    /// What it brings. `user` is whom the operator writes as.
    #[must_use]
    pub fn followed(&self, kind: SailKind, user: Option<&str>) -> Followed {
        let name = &self.metadata.name;
        Followed {
            kind: FollowedKind::Sail(kind),
            namespace: String::new(),
            name: name.clone(),
            sources: vec![Source {
                object: format!("{} {name}", kind.as_str()),
                component: Some(kind.component()),
                path: vec!["spec".to_owned(), "version".to_owned()],
                beside: Vec::new(),
                version: Some(self.spec.version.clone()),
            }],
            release: Some(ObjectName {
                namespace: self.spec.namespace.clone(),
                name: kind.release(name),
            }),
            user: user.map(str::to_owned),
            obstacle: self.obstacle(user),
            progress: self.progress(),
        }
    }

    fn obstacle(&self, user: Option<&str>) -> Option<String> {
        let Metadata {
            labels, annotations, ..
        } = &self.metadata;
        let is_brought = annotations.contains_key(TRACKING_ANNOTATION)
            || labels.contains_key(TRACKING_LABEL)
            || FLUX_LABELS.iter().any(|label| labels.contains_key(*label));
        let strategy = self
            .spec
            .update_strategy
            .as_ref()
            .map(|strategy| strategy.kind.as_str());
        if is_brought {
            Some("a GitOps controller brings that object itself, and would take a new version of it back".to_owned())
        } else if strategy == Some("RevisionBased") {
            Some(
                "its update strategy is RevisionBased: the operator would install a second control plane beside the one \
                 that runs, and a canary is not driven"
                    .to_owned(),
            )
        } else if user.is_none() {
            Some(
                "no pod of the Sail Operator was found in this cluster, so that nobody knows whom to let write"
                    .to_owned(),
            )
        } else {
            None
        }
    }

    fn progress(&self) -> Progress {
        let is_seen = self.status.observed_generation >= self.metadata.generation;
        let lacking = ["Reconciled", "Ready"].into_iter().find_map(|wanted| {
            let condition = self.status.conditions.iter().find(|condition| condition.kind == wanted);
            match condition {
                Some(condition) if condition.status == "True" => None,
                Some(condition) => Some(format!(
                    "its condition {wanted} is {}, {}: {}",
                    condition.status,
                    one_line(&condition.reason),
                    one_line(&condition.message)
                )),
                None => Some(format!("it has no condition {wanted} yet")),
            }
        });
        let says = match &lacking {
            _ if !is_seen => "its operator has not seen the change yet".to_owned(),
            Some(lacking) => lacking.clone(),
            None => "it is reconciled and ready".to_owned(),
        };
        Progress {
            // What the operator has seen is what it has brought, once its conditions say so.
            version: is_seen.then(|| self.spec.version.clone()),
            is_done: is_seen && lacking.is_none(),
            says,
            by_hand: None,
        }
    }
}
