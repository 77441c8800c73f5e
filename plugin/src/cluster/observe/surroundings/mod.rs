//! What stands around a mesh's workloads, in lists whose number grows with kinds and pages, and never with namespaces.

mod certificates;
mod definitions;
mod objects;
mod webhooks;

use super::{ask::Asker, proxies::Annotated, stream};
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
    inventory::{Budget, ControlPlane, NamespaceRevision, Nodes, Surroundings},
    preflight::rules::Reader,
    version::{KubernetesVersion, Minor},
};
use std::collections::{BTreeMap, BTreeSet};

/// What was read before the control planes were known.
pub(super) struct Around {
    found: Surroundings,
    reader: Reader,
}

/// Reads what does not depend on where the control planes are.
pub(super) async fn read(asker: Asker<'_>) -> Around {
    let mut found = Surroundings::default();
    let (configuration, nodes, namespaces, webhooks, budgets) = futures::join!(
        configuration(asker),
        nodes(asker),
        namespaces(asker),
        webhooks::read(asker),
        budgets(asker),
    );
    let (crds, gateway_api, reader, overlooked) = configuration;
    found.crds = crds;
    found.gateway_api = gateway_api;
    found.overlooked = overlooked;
    found.nodes = seen("Nodes", nodes, &mut found.overlooked);
    found.namespaces = seen("Namespaces", namespaces, &mut found.overlooked);
    let webhooks = seen("webhooks", webhooks, &mut found.overlooked);
    found.webhooks = webhooks.webhooks;
    found.certificates = webhooks.certificates;
    found.budgets = seen("PodDisruptionBudgets", budgets, &mut found.overlooked);
    Around { found, reader }
}

impl Around {
    /// Adds what stands beside the control planes, and in the pods.
    pub(super) async fn complete(
        mut self,
        asker: Asker<'_>,
        control_planes: &[ControlPlane],
        annotated: Vec<Annotated>,
    ) -> Surroundings {
        let mut namespaces: Vec<&str> = control_planes
            .iter()
            .map(|plane| plane.workload.namespace.as_str())
            .collect();
        namespaces.dedup();
        for namespace in namespaces {
            let (certificates, zipkin) = futures::join!(certificates::read(asker, namespace), zipkin(asker, namespace));
            let certificates = seen("certificates", certificates, &mut self.found.overlooked);
            self.found.certificates.extend(certificates);
            if seen("Service zipkin", zipkin, &mut self.found.overlooked) {
                let object = format!("Service {namespace}/zipkin");
                self.reader
                    .note(codes::ZIPKIN_DEFAULT, object, "it is there".to_owned(), 1);
            }
        }
        for one in annotated {
            self.reader
                .note(one.code, one.object, one.annotation.to_owned(), one.count);
        }
        let components = extra_components(asker, control_planes).await;
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

/// Field numbers are those of k8s.io/api, `core/v1/generated.proto`.
async fn nodes(asker: Asker<'_>) -> Result<Vec<Nodes>, ClusterError> {
    let mut found: BTreeMap<Minor, Nodes> = BTreeMap::new();
    stream::each(asker, "list Nodes", "/api/v1/nodes", |node| {
        let name = node.all(1).next().map_or("", |meta| meta.fields().text(1));
        let info = node.all(3).next().and_then(|status| status.fields().all(7).next());
        let kubelet = info.map_or("", |info| info.fields().text(7));
        // A kubelet that says no version is of no Kubernetes that has rules for it.
        let Ok(kubelet) = kubelet.parse::<KubernetesVersion>() else {
            return;
        };
        let known = found.entry(kubelet.minor).or_insert_with(|| Nodes {
            kubelet,
            count: 0,
            example: name.to_owned(),
        });
        known.count = known.count.saturating_add(1);
    })
    .await?;
    Ok(found.into_values().collect())
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
    let flavors: BTreeSet<_> = running.map(|version| &version.flavor).collect();
    let mut found = Vec::new();
    for component in flavors
        .into_iter()
        .filter_map(|flavor| catalog.flavor(flavor))
        .flat_map(|flavor| &flavor.components)
    {
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
