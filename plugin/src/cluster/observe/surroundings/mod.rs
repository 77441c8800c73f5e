//! What stands around a mesh's workloads, in lists whose number grows with kinds and pages, and never with namespaces.

mod certificates;
mod definitions;
mod elections;
mod neighbours;
mod nodes;
mod objects;
mod webhooks;

use super::{ask::Asker, proxies::Beside, running::IstiodPod, workloads::Workloads};
use crate::cluster::error::ClusterError;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::{Namespace, Service},
    policy::v1::PodDisruptionBudget,
};
use kube::{Api, ResourceExt as _, api::ListParams};
use shared::{
    api::WorkloadKind,
    catalog::{Catalog, ExtraComponent},
    finding::codes,
    inventory::{Budget, ControlPlane, NamespaceRevision, NodeRoom, Surroundings},
    preflight::rules::Reader,
};
use std::collections::BTreeMap;

/// What was read before the control planes were known.
pub(super) struct Around {
    found: Surroundings,
    reader: Reader,
    /// What nodes can allocate.
    nodes: Vec<NodeRoom>,
}

/// Reads what does not depend on where the control planes are.
pub(super) async fn read(asker: Asker<'_>) -> Around {
    let mut found = Surroundings::default();
    let (configuration, nodes, namespaces, webhooks, budgets, kialis, external) = futures::join!(
        configuration(asker),
        nodes::read(asker),
        namespaces(asker),
        webhooks::read(asker),
        budgets(asker),
        neighbours::kialis(asker),
        neighbours::external_names(asker),
    );
    let (crds, gateway_api, mut reader, overlooked) = configuration;
    found.crds = crds;
    found.gateway_api = gateway_api;
    found.overlooked = overlooked;
    let nodes = seen("Nodes", nodes, &mut found.overlooked);
    found.nodes = nodes.by_kubelet;
    found.namespaces = seen("Namespaces", namespaces, &mut found.overlooked);
    let webhooks = seen("webhooks", webhooks, &mut found.overlooked);
    found.webhooks = webhooks.webhooks;
    found.certificates = webhooks.certificates;
    found.budgets = seen("PodDisruptionBudgets", budgets, &mut found.overlooked);
    found.kialis = seen("Deployments of Kiali", kialis, &mut found.overlooked);
    let external = seen("Services of type ExternalName", external, &mut found.overlooked);
    neighbours::note(&external, &mut reader);
    Around {
        found,
        reader,
        nodes: nodes.room,
    }
}

impl Around {
    /// Adds what stands beside the control planes, and in the pods.
    pub(super) async fn complete(
        mut self,
        asker: Asker<'_>,
        control_planes: &[ControlPlane],
        workloads: &Workloads,
        istiods: &[IstiodPod],
        beside: Beside,
    ) -> Surroundings {
        let mut namespaces: Vec<&str> = control_planes
            .iter()
            .map(|plane| plane.workload.namespace.as_str())
            .collect();
        namespaces.dedup();
        for namespace in namespaces {
            let (certificates, zipkin, elections) = futures::join!(
                certificates::read(asker, namespace),
                zipkin(asker, namespace),
                elections::read(asker, namespace, istiods),
            );
            let elections = seen("elections among istiods", elections, &mut self.found.overlooked);
            self.found.elections.extend(elections);
            let certificates = seen("certificates", certificates, &mut self.found.overlooked);
            self.found.certificates.extend(certificates);
            if seen("Service zipkin", zipkin, &mut self.found.overlooked) {
                let object = format!("Service {namespace}/zipkin");
                self.reader
                    .note(codes::ZIPKIN_DEFAULT, object, "it is there".to_owned(), 1);
            }
        }
        for one in beside.annotated {
            self.reader
                .note(one.code, one.object, one.annotation.to_owned(), one.count);
        }
        self.found.room = nodes::left(self.nodes, &beside.requests);
        let (components, ambient, repositories) = futures::join!(
            extra_components(asker, control_planes),
            neighbours::ambient(asker, workloads),
            neighbours::chart_repositories(asker, &self.found.crds),
        );
        let overlooked = &mut self.found.overlooked;
        self.found.ambient = seen("what the CNI leaves out", ambient, overlooked);
        self.found.ambient.pods = beside.requests.ambient;
        self.found.chart_repositories = seen("sources of charts", repositories, overlooked);
        self.found.extra_components = seen("components of the vendor", components, &mut self.found.overlooked);
        self.found.hits = self.reader.finish();
        self.found
    }
}

fn seen<T: Default>(what: &str, answer: Result<T, ClusterError>, overlooked: &mut Vec<String>) -> T {
    answer.unwrap_or_else(|error| {
        overlooked.push(format!("{what}: {error}"));
        T::default()
    })
}

/// Definitions first, then the objects of those that there are.
async fn configuration(asker: Asker<'_>) -> (Vec<shared::inventory::Crd>, BTreeMap<String, u64>, Reader, Vec<String>) {
    match definitions::read(asker).await {
        Ok(crds) => {
            let (reader, counted, overlooked) = objects::read(asker, &crds).await;
            (crds, counted, reader, overlooked)
        }
        Err(error) => (
            Vec::new(),
            BTreeMap::new(),
            Reader::default(),
            vec![format!("definitions, and the objects of each: {error}")],
        ),
    }
}

/// Namespaces that ask for a revision by its name, without anything else of them.
async fn namespaces(asker: Asker<'_>) -> Result<Vec<NamespaceRevision>, ClusterError> {
    let api: Api<Namespace> = Api::all(asker.cluster.client.clone());
    let asking = ListParams::default().labels("istio.io/rev");
    let listed = asker.ask("list Namespaces", api.list_metadata(&asking)).await?;
    let found = listed.items.iter().filter_map(|namespace| {
        Some(NamespaceRevision {
            namespace: namespace.name_any(),
            revision: namespace.labels().get("istio.io/rev")?.clone(),
        })
    });
    Ok(found.collect())
}

async fn budgets(asker: Asker<'_>) -> Result<Vec<Budget>, ClusterError> {
    let api: Api<PodDisruptionBudget> = Api::all(asker.cluster.client.clone());
    let of_istiod = ListParams::default().labels("app=istiod");
    let listed = asker.ask("list PodDisruptionBudgets", api.list(&of_istiod)).await?;
    let found = listed.items.into_iter().filter_map(|budget| {
        let status = budget.status.clone()?;
        Some(Budget {
            namespace: budget.namespace()?,
            name: budget.name_any(),
            allowed: status.disruptions_allowed,
            expected: status.expected_pods,
        })
    });
    Ok(found.collect())
}

async fn zipkin(asker: Asker<'_>, namespace: &str) -> Result<bool, ClusterError> {
    let api: Api<Service> = Api::namespaced(asker.cluster.client.clone(), namespace);
    let found = asker
        .ask_optional("get the Service zipkin", api.get_metadata("zipkin"))
        .await?;
    Ok(found.is_some())
}

/// Components that the catalog names for the flavors that run, by their labels.
async fn extra_components(
    asker: Asker<'_>,
    control_planes: &[ControlPlane],
) -> Result<Vec<(String, String)>, ClusterError> {
    let Ok(catalog) = Catalog::embedded() else {
        return Ok(Vec::new());
    };
    let running = control_planes.iter().filter_map(|plane| plane.version.version.as_ref());
    let Some(flavor) = running.into_iter().find_map(|version| catalog.flavor(&version.flavor)) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for component in &flavor.components {
        let names = labelled(asker, component).await?;
        found.extend(names.into_iter().map(|name| (component.name.clone(), name)));
    }
    Ok(found)
}

async fn labelled(asker: Asker<'_>, component: &ExtraComponent) -> Result<Vec<String>, ClusterError> {
    let labels = ListParams::default().labels(&component.selector);
    let client = asker.cluster.client.clone();
    let what = "list components of the vendor";
    let listed: Vec<(Option<String>, String)> = match component.kind {
        WorkloadKind::Deployment => {
            let api: Api<Deployment> = Api::all(client);
            let found = asker.ask(what, api.list_metadata(&labels)).await?;
            found
                .items
                .iter()
                .map(|one| (one.namespace(), one.name_any()))
                .collect()
        }
        WorkloadKind::DaemonSet => {
            let api: Api<DaemonSet> = Api::all(client);
            let found = asker.ask(what, api.list_metadata(&labels)).await?;
            found
                .items
                .iter()
                .map(|one| (one.namespace(), one.name_any()))
                .collect()
        }
    };
    let named = |(namespace, name): (Option<String>, String)| {
        format!("{} {}/{name}", component.kind.as_str(), namespace.unwrap_or_default())
    };
    Ok(listed.into_iter().map(named).collect())
}
