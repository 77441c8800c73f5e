//! From Deployments and DaemonSets to control planes, node components and gateways.

use super::{ask::Asker, ownership, pace, surge, version};
use crate::cluster::error::ClusterError;
use futures::future::try_join_all;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::{Container, PodTemplateSpec},
};
use kube::{Api, Resource, ResourceExt as _, api::ListParams};
use shared::{
    api::{Component, WorkloadKind, WorkloadName},
    inventory::{ControlPlane, Gateway, NodeComponent, Rollout, Settings, Surge},
};
use std::collections::{BTreeMap, BTreeSet};

/// Label of a revision, on istiod and everything that belongs to it.
const REVISION: &str = "istio.io/rev";
/// Label on gateways that istiod made itself out of Gateway objects.
pub(super) const MANAGED: &str = "gateway.istio.io/managed";
/// Annotation of a pod template that names the injection templates.
const TEMPLATES: &str = "inject.istio.io/templates";
/// Gateways without Istio's label that are asked for at most.
const UNLABELLED: usize = 50;

/// What of Istio runs as a Deployment or a DaemonSet.
#[derive(Default)]
pub(super) struct Workloads {
    pub control_planes: Vec<Istiod>,
    pub node_components: Vec<NodeComponent>,
    pub gateways: Vec<Gateway>,
}

/// A control plane, and what is needed to ask further.
pub(super) struct Istiod {
    pub control_plane: ControlPlane,
    /// Label `app.kubernetes.io/version`.
    pub label: Option<String>,
    /// ConfigMap beside its own that it reads, from its environment.
    pub shared_config_map: Option<String>,
}

impl Workloads {
    /// Lists them. Istiod is found by its label anywhere, gateways by their label `istio`, which Istio's charts set;
    /// DaemonSets are few, and ztunnel's has no label of its own, so all of them are looked at.
    pub(super) async fn list(asker: Asker<'_>) -> Result<Self, ClusterError> {
        let deployments: Api<Deployment> = Api::all(asker.cluster.client.clone());
        let daemon_sets: Api<DaemonSet> = Api::all(asker.cluster.client.clone());
        let istiods = ListParams::default().labels("app=istiod");
        let others = ListParams::default().labels("istio,app!=istiod,!gateway.istio.io/managed");
        let all = ListParams::default();
        let (istiods, others, daemon_sets) = futures::try_join!(
            asker.list("list Deployments", &deployments, &istiods),
            asker.list("list Deployments", &deployments, &others),
            asker.list("list DaemonSets", &daemon_sets, &all),
        )?;
        let mut found = Self::default();
        istiods
            .items
            .iter()
            .chain(&others.items)
            .for_each(|deployment| found.deployment(deployment));
        daemon_sets
            .items
            .iter()
            .for_each(|daemon_set| found.daemon_set(daemon_set));
        found
            .control_planes
            .sort_by(|a, b| key(&a.control_plane.workload).cmp(&key(&b.control_plane.workload)));
        found
            .node_components
            .sort_by(|a, b| key(&a.workload).cmp(&key(&b.workload)));
        found.gateways.sort_by(|a, b| key(&a.workload).cmp(&key(&b.workload)));
        Ok(found)
    }

    /// Rollouts of all of them.
    pub(super) fn rollouts(&self) -> impl Iterator<Item = Rollout> + '_ {
        let planes = self.control_planes.iter().map(|istiod| istiod.control_plane.rollout);
        let nodes = self.node_components.iter().map(|node| node.rollout);
        let gateways = self.gateways.iter().map(|gateway| gateway.rollout);
        planes.chain(nodes).chain(gateways)
    }

    fn deployment(&mut self, deployment: &Deployment) {
        let Some(spec) = &deployment.spec else {
            return;
        };
        let rollout = of_deployment(deployment);
        let workload = name(deployment, WorkloadKind::Deployment);
        match container(&spec.template, "discovery") {
            Some(discovery) => {
                self.control_planes
                    .push(istiod(deployment, &spec.template, discovery, workload, rollout));
            }
            None if is_gateway(deployment, &spec.template) => {
                let surge = surge::of(spec);
                self.gateways
                    .push(gateway(deployment, &spec.template, workload, rollout, surge));
            }
            None => {}
        }
    }

    fn daemon_set(&mut self, daemon_set: &DaemonSet) {
        let Some(spec) = &daemon_set.spec else {
            return;
        };
        let rollout = of_daemon_set(daemon_set);
        let workload = name(daemon_set, WorkloadKind::DaemonSet);
        let labels = spec
            .template
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.labels.as_ref());
        let labelled = |key: &str, value: &str| labels.and_then(|labels| labels.get(key)).is_some_and(|v| v == value);
        let component = if labelled("k8s-app", "istio-cni-node") {
            container(&spec.template, "install-cni").map(|found| (Component::Cni, found))
        } else if labelled("app", "ztunnel") {
            container(&spec.template, "istio-proxy").map(|found| (Component::Ztunnel, found))
        } else {
            None
        };
        match component {
            Some((component, container)) => {
                let image = container.image.clone().unwrap_or_default();
                self.node_components.push(NodeComponent {
                    component,
                    workload,
                    version: version::choose(&[], &image, version_label(daemon_set)),
                    image,
                    rollout,
                    helm_release: helm_release(daemon_set.annotations()),
                    ownership: ownership::of(daemon_set),
                    pace: pace::of(spec, rollout.desired),
                });
            }
            None if is_gateway(daemon_set, &spec.template) => {
                let surge = Surge::default();
                self.gateways
                    .push(gateway(daemon_set, &spec.template, workload, rollout, surge));
            }
            None => {}
        }
    }
}

/// Gateways whose Deployment lacks the label `istio` and so was not listed, as those of Istio's own example of an injected
/// gateway: they are known by their pods. Each is asked for by itself, since there are hardly any.
pub(super) async fn unlabelled(
    asker: Asker<'_>,
    by_pods: &BTreeSet<(String, String)>,
    known: &[Gateway],
) -> Result<Vec<Gateway>, ClusterError> {
    let is_known = |namespace: &str, name: &str| {
        known
            .iter()
            .map(|gateway| &gateway.workload)
            .any(|one| one.kind == WorkloadKind::Deployment && one.namespace == namespace && one.name == name)
    };
    let others = by_pods.iter().filter(|(namespace, name)| !is_known(namespace, name));
    let asked = others.take(UNLABELLED).map(|(namespace, name)| async move {
        let api: Api<Deployment> = Api::namespaced(asker.cluster.client.clone(), namespace);
        let named = ListParams::default().fields(&format!("metadata.name={name}"));
        asker.list("list Deployments", &api, &named).await
    });
    let mut found = Workloads::default();
    for listed in try_join_all(asked).await? {
        listed.items.iter().for_each(|deployment| found.deployment(deployment));
    }
    Ok(found.gateways)
}

/// How far a Deployment is.
pub(super) fn of_deployment(deployment: &Deployment) -> Rollout {
    let status = deployment.status.clone().unwrap_or_default();
    let updated = status.updated_replicas.unwrap_or(0);
    Rollout {
        desired: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
        updated,
        ready: surely_new(
            status.ready_replicas.unwrap_or(0),
            status.replicas.unwrap_or(0),
            updated,
        ),
        observed: status.observed_generation >= deployment.metadata.generation,
    }
}

/// How far a DaemonSet is.
pub(super) fn of_daemon_set(daemon_set: &DaemonSet) -> Rollout {
    let status = daemon_set.status.clone().unwrap_or_default();
    let updated = status.updated_number_scheduled.unwrap_or(0);
    Rollout {
        desired: status.desired_number_scheduled,
        updated,
        ready: surely_new(status.number_ready, status.current_number_scheduled, updated),
        observed: status.observed_generation >= daemon_set.metadata.generation,
    }
}

/// The revision in an object's labels; `default` when it has no name.
pub(super) fn revision(labels: &BTreeMap<String, String>) -> String {
    labels
        .get(REVISION)
        .filter(|revision| !revision.is_empty())
        .map_or_else(|| "default".to_owned(), Clone::clone)
}

/// Helm release that an object's annotations name, as namespace and name.
pub(super) fn helm_release(annotations: &BTreeMap<String, String>) -> Option<(String, String)> {
    let namespace = annotations.get("meta.helm.sh/release-namespace")?;
    Some((namespace.clone(), annotations.get("meta.helm.sh/release-name")?.clone()))
}

/// Ready pods that cannot be old ones: a status counts all ready pods, so as many are taken off as are still old.
fn surely_new(ready: i32, all: i32, updated: i32) -> i32 {
    ready.saturating_sub(all.saturating_sub(updated).max(0)).max(0)
}

fn istiod(
    deployment: &Deployment,
    template: &PodTemplateSpec,
    discovery: &Container,
    workload: WorkloadName,
    rollout: Rollout,
) -> Istiod {
    let image = discovery.image.clone().unwrap_or_default();
    let account = template
        .spec
        .as_ref()
        .and_then(|spec| spec.service_account_name.clone());
    let account = account
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "default".to_owned());
    let environment = discovery.env.as_deref().unwrap_or_default();
    let shared_config_map = environment
        .iter()
        .find(|variable| variable.name == "SHARED_MESH_CONFIG");
    let label = version_label(deployment);
    Istiod {
        control_plane: ControlPlane {
            user: format!("system:serviceaccount:{}:{account}", workload.namespace),
            revision: revision(deployment.labels()),
            version: version::choose(&[], &image, label),
            running: Vec::new(),
            image,
            rollout,
            config_maps: Vec::new(),
            mesh_id: None,
            helm_release: helm_release(deployment.annotations()),
            ownership: ownership::of(deployment),
            settings: Settings {
                environment: environment
                    .iter()
                    .map(|variable| (variable.name.clone(), variable.value.clone().unwrap_or_default()))
                    .collect(),
                mesh: serde_json::Value::Null,
            },
            surge: deployment.spec.as_ref().map(surge::of).unwrap_or_default(),
            workload,
        },
        label: label.map(str::to_owned),
        shared_config_map: shared_config_map.and_then(|variable| variable.value.clone()),
    }
}

fn gateway(
    object: &impl Resource,
    template: &PodTemplateSpec,
    workload: WorkloadName,
    rollout: Rollout,
    surge: Surge,
) -> Gateway {
    let image = container(template, "istio-proxy").and_then(|container| container.image.clone());
    Gateway {
        workload,
        image: image.unwrap_or_default(),
        rollout,
        helm_release: helm_release(object.annotations()),
        ownership: ownership::of(object),
        surge,
    }
}

/// Whether a workload is a gateway of its own: injected with the gateway template, or nothing but a proxy.
fn is_gateway(object: &impl Resource, template: &PodTemplateSpec) -> bool {
    let Some(proxy) = container(template, "istio-proxy") else {
        return false;
    };
    if object.labels().contains_key(MANAGED) {
        return false;
    }
    let annotations = template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.annotations.as_ref());
    let templates = annotations
        .and_then(|annotations| annotations.get(TEMPLATES))
        .map(String::as_str);
    let by_template = templates.is_some_and(|templates| templates.split(',').any(|one| one.trim() == "gateway"));
    let alone = template.spec.as_ref().is_some_and(|spec| spec.containers.len() == 1);
    by_template || alone || proxy.image.as_deref() == Some("auto")
}

pub(super) fn container<'a>(template: &'a PodTemplateSpec, name: &str) -> Option<&'a Container> {
    template
        .spec
        .as_ref()?
        .containers
        .iter()
        .find(|container| container.name == name)
}

fn version_label(object: &impl Resource) -> Option<&str> {
    object.labels().get("app.kubernetes.io/version").map(String::as_str)
}

pub(super) fn name<K: Resource>(object: &K, kind: WorkloadKind) -> WorkloadName {
    WorkloadName {
        kind,
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }
}

pub(super) fn key(workload: &WorkloadName) -> (&str, &str) {
    (&workload.namespace, &workload.name)
}

#[cfg(test)]
mod tests;
