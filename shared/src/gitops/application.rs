//! Argo CD's Application: charts by their sources, and what its controller says of the last sync.

use super::{
    Followed, FollowedKind, Metadata, Pin, Progress, Source, TRACKING_ANNOTATION, TRACKING_LABEL,
    pins::{Parameter, Pinned},
};
use crate::api::Component;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// The cluster that Argo CD itself runs in.
const HERE: [&str; 2] = ["https://kubernetes.default.svc", "in-cluster"];

/// An Application, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Application {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    source: Option<ChartSource>,
    sources: Vec<ChartSource>,
    destination: Destination,
    sync_policy: Option<SyncPolicy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ChartSource {
    #[serde(rename = "repoURL")]
    repo_url: String,
    chart: String,
    target_revision: String,
    helm: Option<Helm>,
}

/// What a source gives helm to render its chart with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Helm {
    parameters: Option<Vec<Parameter>>,
    values: Option<Text>,
    values_object: Option<Pinned>,
    value_files: Option<Vec<serde::de::IgnoredAny>>,
}

/// Values as a text, of which only what they pin is kept; `None` within where it cannot be read.
#[derive(Debug)]
struct Text(Option<Pinned>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Pinned::of_text(&text)))
    }
}

impl Helm {
    /// What its values pin, with its place in the object.
    fn pins(&self, field: &str) -> Vec<Pin> {
        let text = self.values.iter().filter_map(|Text(pinned)| pinned.as_ref());
        let text = text.map(|pinned| ("values: |", pinned));
        let object = self.values_object.iter().map(|pinned| ("valuesObject", pinned));
        let mut pins = Vec::new();
        for (name, pinned) in text.chain(object) {
            pins.extend(pinned.below(&["spec", field, "helm", name]));
        }
        for (index, parameter) in self.parameters.iter().flatten().enumerate() {
            pins.extend(parameter.at(&["spec", field, "helm", &format!("parameters[{index}]")]));
        }
        pins
    }

    /// The field with values that were not read.
    fn unread(&self) -> Option<&'static str> {
        if self.value_files.as_ref().is_some_and(|files| !files.is_empty()) {
            return Some("valueFiles");
        }
        let is_unreadable = self.values.as_ref().is_some_and(|Text(pinned)| pinned.is_none());
        is_unreadable.then_some("values")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Destination {
    server: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SyncPolicy {
    automated: Option<Automated>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Automated {
    enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    sync: Sync,
    health: Health,
    operation_state: Option<Operation>,
    controller_namespace: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sync {
    status: String,
    revision: String,
    revisions: Vec<String>,
    #[serde(rename = "comparedTo")]
    compared_to: Compared,
}

/// What the controller looked at when it said so.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Compared {
    source: ChartSource,
    sources: Vec<ChartSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Health {
    status: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Operation {
    phase: String,
    message: String,
    sync_result: Option<Attempt>,
}

/// What a sync was to bring.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attempt {
    revision: String,
    revisions: Vec<String>,
}

impl Operation {
    /// Whether the sync of what is asked for has failed for good: the controller has tried as often as it was told to, and
    /// tries the same revision no more.
    fn has_given_up(&self, asked: &Sync) -> bool {
        let is_of_it = |attempt: &Attempt| attempt.revision == asked.revision && attempt.revisions == asked.revisions;
        ["Failed", "Error"].contains(&self.phase.as_str()) && self.sync_result.as_ref().is_none_or(is_of_it)
    }
}

impl Application {
    /// What it brings of Istio's; `None` where no source of it is one of Istio's charts.
    ///
    /// `writers` are those whom controllers of Argo CD write as that may be the one that follows it.
    #[must_use]
    pub fn followed(&self, writers: &[String]) -> Option<Followed> {
        let Metadata { namespace, name } = &self.metadata;
        let object = format!("{} {namespace}/{name}", FollowedKind::Application.as_str());
        let several = !self.spec.sources.is_empty();
        let all: Vec<&ChartSource> = if several {
            self.spec.sources.iter().collect()
        } else {
            self.spec.source.iter().collect()
        };
        let (mut pins, mut elsewhere) = (Vec::new(), None);
        let ours = all.iter().enumerate().filter_map(|(index, source)| {
            // An OCI reference may have the chart at its end alone.
            let chart = match source.chart.as_str() {
                "" if source.repo_url.starts_with("oci://") => source.repo_url.rsplit('/').next()?,
                chart => chart.rsplit('/').next()?,
            };
            let component = Component::from_chart(chart)?;
            let field = if several {
                format!("sources[{index}]")
            } else {
                "source".to_owned()
            };
            let revision = self.brought(several.then_some(index));
            if let Some(helm) = &source.helm {
                pins.extend(helm.pins(&field));
                if let Some(unread) = helm.unread() {
                    elsewhere = Some(format!("spec.{field}.helm.{unread}"));
                }
            }
            let source = Source {
                object: object.clone(),
                component: Some(component),
                path: vec!["spec".to_owned(), field, "targetRevision".to_owned()],
                beside: vec![("chart".to_owned(), chart.to_owned())],
                version: Some(source.target_revision.clone()),
            };
            Some((source, revision))
        });
        let (sources, revisions): (Vec<Source>, Vec<Option<String>>) = ours.unzip();
        if sources.is_empty() {
            return None;
        }
        Some(Followed {
            kind: FollowedKind::Application,
            namespace: namespace.clone(),
            name: name.clone(),
            obstacle: self.obstacle(writers),
            sources,
            release: None,
            user: match writers {
                [only] => Some(only.clone()),
                _ => None,
            },
            progress: self.progress(revisions.into_iter().next().flatten()),
            pins,
            values_elsewhere: elsewhere,
            revisions: None,
        })
    }

    /// The version that a source was last compared at. Of an OCI artifact the revision is a digest: then what was asked
    /// for has to do.
    fn brought(&self, index: Option<usize>) -> Option<String> {
        let Sync {
            revision,
            revisions,
            compared_to,
            ..
        } = &self.status.sync;
        let (revision, source) = match index {
            None => (Some(revision), Some(&compared_to.source)),
            Some(index) => (revisions.get(index), compared_to.sources.get(index)),
        };
        let revision = revision.filter(|revision| !revision.is_empty())?;
        if revision.starts_with("sha256:") {
            return source.map(|source| source.target_revision.clone());
        }
        Some(revision.clone())
    }

    /// Where the controller is that follows it: it says so itself, and otherwise it lies beside it.
    #[must_use]
    pub fn home(&self) -> &str {
        match self.status.controller_namespace.as_str() {
            "" => &self.metadata.namespace,
            namespace => namespace,
        }
    }

    fn obstacle(&self, writers: &[String]) -> Option<String> {
        let Destination { server, name } = &self.spec.destination;
        if !HERE.contains(&server.as_str()) && !HERE.contains(&name.as_str()) {
            return Some("it brings its charts to another cluster than the one that it is in".to_owned());
        }
        match writers {
            [_] => None,
            [] => Some(
                "no pod of Argo CD's application controller was found in this cluster, so that nobody knows whom to let \
                 write"
                    .to_owned(),
            ),
            several => Some(format!(
                "several application controllers of Argo CD may follow it, so that nobody knows which one to let write: {}",
                several.join(", ")
            )),
        }
    }

    fn progress(&self, revision: Option<String>) -> Progress {
        let Status {
            sync,
            health,
            operation_state,
            ..
        } = &self.status;
        let shown = |text: &str| if text.is_empty() { "Unknown" } else { text }.to_owned();
        let (phase, message) = operation_state.as_ref().map_or(("", ""), |operation| {
            (operation.phase.as_str(), operation.message.as_str())
        });
        let is_done =
            sync.status == "Synced" && health.status == "Healthy" && !["Running", "Terminating"].contains(&phase);
        let mut says = format!("it is {} and {}", shown(&sync.status), shown(&health.status));
        if ["Failed", "Error", "Running"].contains(&phase) {
            says.push_str(&format!(", its last sync is {phase}"));
            if !message.is_empty() {
                says.push_str(&format!(": {}", crate::guard::message::one_line(message)));
            }
        }
        let automated = self
            .spec
            .sync_policy
            .as_ref()
            .and_then(|policy| policy.automated.as_ref());
        let is_automated = automated.is_some_and(|automated| automated.enabled != Some(false));
        let name = &self.metadata.name;
        let has_given_up = operation_state
            .as_ref()
            .is_some_and(|operation| operation.has_given_up(sync));
        Progress {
            version: revision,
            is_done,
            says,
            by_hand: if !is_automated {
                Some(format!("it syncs when asked: argocd app sync {name}"))
            } else if has_given_up {
                Some(format!(
                    "it does not try by itself again what has failed: argocd app sync {name}"
                ))
            } else {
                None
            },
        }
    }
}

/// The Application that brought an object, as Argo CD's mark names it.
#[must_use]
pub fn instance_of<'a>(
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
) -> Option<&'a str> {
    let tracked = annotations.get(TRACKING_ANNOTATION).and_then(|id| id.split(':').next());
    tracked.or_else(|| labels.get(TRACKING_LABEL).map(String::as_str))
}
