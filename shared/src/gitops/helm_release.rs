//! Flux's HelmRelease: a helm release that its controller keeps, and where the version of its chart stands.

use super::{Followed, FollowedKind, Progress, Source, pins::Pinned};
use crate::{
    api::{Component, ObjectName},
    guard::message::one_line,
    helm::without_build,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Deserialize;

/// A HelmRelease, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HelmRelease {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    namespace: String,
    name: String,
    generation: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    chart: Option<Chart>,
    chart_ref: Option<ChartRef>,
    release_name: String,
    target_namespace: String,
    storage_namespace: String,
    service_account_name: String,
    kube_config: Option<serde::de::IgnoredAny>,
    suspend: bool,
    values: Option<Pinned>,
    values_from: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chart {
    spec: ChartSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ChartSpec {
    chart: String,
    version: String,
    source_ref: SourceRef,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceRef {
    kind: String,
}

/// Sources of which a chart is a folder: what they hold decides, and the version is not looked at.
pub(super) const OF_FOLDERS: [&str; 2] = ["GitRepository", "Bucket"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChartRef {
    kind: String,
    name: String,
    namespace: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    conditions: Vec<Condition>,
    history: Vec<Snapshot>,
    observed_generation: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Snapshot {
    chart_name: String,
    chart_version: String,
}

impl HelmRelease {
    /// What it brings of Istio's; `None` where its chart is none of Istio's.
    ///
    /// `controller` is whom Flux's helm-controller writes as where the object names nobody.
    #[must_use]
    pub fn followed(&self, controller: Option<&str>) -> Option<Followed> {
        let Metadata { namespace, name, .. } = &self.metadata;
        let object = format!("{} {namespace}/{name}", FollowedKind::HelmRelease.as_str());
        let source = self.source(&object)?;
        let user = match self.spec.service_account_name.as_str() {
            "" => controller.map(str::to_owned),
            account => Some(format!("system:serviceaccount:{namespace}:{account}")),
        };
        let or_own = |given: &str| if given.is_empty() { namespace } else { given }.to_owned();
        let target = &self.spec.target_namespace;
        let release = ObjectName {
            namespace: or_own(target),
            name: match (self.spec.release_name.as_str(), target.as_str()) {
                ("", "") => name.clone(),
                ("", target) => format!("{target}-{name}"),
                (given, _) => given.to_owned(),
            },
        };
        let obstacle = if self.spec.suspend {
            Some("it is suspended, so that nothing that is merged would arrive".to_owned())
        } else if self.spec.kube_config.is_some() {
            Some("it brings its chart to another cluster than the one that it is in".to_owned())
        } else if or_own(&self.spec.storage_namespace) != release.namespace {
            Some("it keeps helm's storage in another namespace than its release".to_owned())
        } else if let Some(kind) = self.folder_of() {
            Some(format!(
                "its chart is a folder of a {kind}, which decides what comes, and not the version that it names"
            ))
        } else if user.is_none() {
            Some(
                "no pod of Flux's helm-controller was found in this cluster, so that nobody knows whom to let write"
                    .to_owned(),
            )
        } else {
            None
        };
        Some(Followed {
            kind: FollowedKind::HelmRelease,
            namespace: namespace.clone(),
            name: name.clone(),
            sources: vec![source],
            release: Some(release),
            user,
            obstacle,
            progress: self.progress(),
            pins: self
                .spec
                .values
                .iter()
                .flat_map(|values| values.below(&["spec", "values"]))
                .collect(),
            values_elsewhere: self
                .spec
                .values_from
                .as_ref()
                .filter(|from| !from.is_empty())
                .map(|_| "spec.valuesFrom".to_owned()),
            revisions: None,
        })
    }

    fn folder_of(&self) -> Option<&str> {
        let kind = self.spec.chart.as_ref()?.spec.source_ref.kind.as_str();
        OF_FOLDERS.contains(&kind).then_some(kind)
    }

    fn source(&self, object: &str) -> Option<Source> {
        let path = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect();
        if let Some(Chart { spec }) = &self.spec.chart {
            let chart = spec.chart.rsplit('/').next()?;
            return Some(Source {
                object: object.to_owned(),
                component: Some(Component::from_chart(chart)?),
                path: path(&["spec", "chart", "spec", "version"]),
                beside: vec![("chart".to_owned(), spec.chart.clone())],
                version: Some(spec.version.clone()),
            });
        }
        // Which chart a reference leads to stands in what has been brought of it.
        let reference = self.spec.chart_ref.as_ref()?;
        let component = Component::from_chart(&self.status.history.first()?.chart_name)?;
        let namespace = if reference.namespace.is_empty() {
            &self.metadata.namespace
        } else {
            &reference.namespace
        };
        let fields: &[&str] = match reference.kind.as_str() {
            "OCIRepository" => &["spec", "ref", "tag"],
            _ => &["spec", "version"],
        };
        Some(Source {
            object: format!("{} {namespace}/{}", reference.kind, reference.name),
            component: Some(component),
            path: path(fields),
            beside: Vec::new(),
            version: None,
        })
    }

    fn progress(&self) -> Progress {
        let Status {
            conditions,
            history,
            observed_generation,
        } = &self.status;
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
        let is_stalled = conditions
            .iter()
            .any(|condition| condition.type_ == "Stalled" && condition.status == "True");
        let Metadata { namespace, name, .. } = &self.metadata;
        let is_seen = *observed_generation >= self.metadata.generation;
        let says = match ready {
            None => "it does not say yet whether it is ready".to_owned(),
            Some(_) if !is_seen => "its controller has not seen the change yet".to_owned(),
            Some(ready) if ready.status == "True" => "it is ready".to_owned(),
            Some(ready) => format!("it is not ready, {}: {}", ready.reason, one_line(&ready.message)),
        };
        Progress {
            version: history
                .first()
                .map(|newest| without_build(&newest.chart_version).to_owned()),
            is_done: is_seen && ready.is_some_and(|ready| ready.status == "True"),
            says,
            by_hand: (is_seen && is_stalled).then(|| {
                format!(
                    "it does not try by itself again what has failed: flux reconcile helmrelease {name} -n {namespace} --reset"
                )
            }),
        }
    }
}
