//! What stands around a mesh's workloads, in lists whose number grows with kinds and pages, and never with namespaces.

mod certificates;
mod definitions;
mod edited;
mod elections;
mod neighbours;
mod nodes;
mod objects;
mod webhooks;

pub(super) use objects::path;

use super::{Istio, ask::Asker, proxies::Beside};
use crate::cluster::error::ClusterError;
use futures::future::join_all;
use k8s_openapi::api::{
    core::v1::{Namespace, Service},
    policy::v1::PodDisruptionBudget,
};
use kube::{Api, ResourceExt as _, api::ListParams};
use shared::{
    finding::codes,
    inventory::{Budget, ControlPlane, NamespaceRevision, NodeRoom, Overlooked, Surroundings, Unread},
    preflight::rules::{READ, Reader, read_on_the_way},
    version::{IstioVersion, Minor},
};

/// Definition of the objects that the operator in the cluster acted on.
const OPERATORS: &str = "istiooperators.install.istio.io";

/// What was read so far.
pub(super) struct Around {
    found: Surroundings,
    reader: Reader,
    /// What nodes can allocate.
    nodes: Vec<NodeRoom>,
}

/// Reads what does not depend on where the control planes are.
pub(super) async fn read(asker: Asker<'_>) -> Around {
    let mut found = Surroundings::default();
    let mut unread = Vec::new();
    let (crds, nodes, namespaces, webhooks, budgets, kialis, external, edited) = futures::join!(
        definitions::read(asker),
        nodes::read(asker),
        namespaces(asker),
        webhooks::read(asker),
        budgets(asker),
        neighbours::kialis(asker),
        neighbours::external_names(asker),
        edited::read(asker, &mut unread),
    );
    found.crds = seen_or(
        Unread::Definitions,
        "definitions, and the objects of each",
        crds,
        &mut found.overlooked,
    );
    let nodes = seen("Nodes", nodes, &mut found.overlooked);
    found.nodes = nodes.by_kubelet;
    found.namespaces = seen("Namespaces", namespaces, &mut found.overlooked);
    let webhooks = seen_or(Unread::Webhooks, "webhooks", webhooks, &mut found.overlooked);
    found.webhooks = webhooks.webhooks;
    found.certificates = webhooks.certificates;
    found.pod_mutators = webhooks.pod_mutators;
    found.budgets = seen("PodDisruptionBudgets", budgets, &mut found.overlooked);
    found.kialis = seen("Deployments of Kiali", kialis, &mut found.overlooked);
    found.edited = edited;
    found.overlooked.append(&mut unread);
    let external = seen("Services of type ExternalName", external, &mut found.overlooked);
    let mut reader = Reader::default();
    neighbours::note(&external, &mut reader);
    Around {
        found,
        reader,
        nodes: nodes.room,
    }
}

impl Around {
    /// Adds what stands beside the control planes, and the objects that rules look at; on the way to a minor, those that
    /// a rule of this way looks at, else all.
    pub(super) async fn complete(mut self, asker: Asker<'_>, istio: &Istio, to: Option<Minor>) -> Self {
        let control_planes = &istio.control_planes;
        let mut namespaces: Vec<&str> = control_planes
            .iter()
            .map(|plane| plane.workload.namespace.as_str())
            .collect();
        namespaces.dedup();
        let beside = namespaces.iter().map(|namespace| async move {
            let beside = futures::join!(
                certificates::read(asker, namespace),
                zipkin(asker, namespace),
                elections::read(asker, namespace, &istio.pods),
            );
            (*namespace, beside)
        });
        let definitions = definitions_for(control_planes, to);
        let operators = async {
            // Up to 1.23 they do what they are there for.
            if definitions.contains(&OPERATORS) {
                neighbours::operators(asker).await
            } else {
                Ok(Vec::new())
            }
        };
        let (looked, beside, ambient, repositories, operators) = futures::join!(
            objects::read(asker, &self.found.crds, &definitions),
            join_all(beside),
            neighbours::ambient(asker, &istio.workloads),
            neighbours::chart_repositories(asker, &self.found.crds),
            operators,
        );
        self.reader.add(looked.reader);
        self.found.gateway_api = looked.counted;
        let overlooked = &mut self.found.overlooked;
        overlooked.extend(looked.overlooked);
        let unread = Unread::Objects(OPERATORS.to_owned());
        for (namespace, name) in seen_or(unread, "Deployments of Istio's operator", operators, overlooked) {
            self.reader.operator(&namespace, &name);
        }
        for (namespace, (certificates, zipkin, elections)) in beside {
            self.found
                .elections
                .extend(seen("elections among istiods", elections, overlooked));
            self.found
                .certificates
                .extend(seen("certificates", certificates, overlooked));
            if seen("Service zipkin", zipkin, overlooked) {
                let object = format!("Service {namespace}/zipkin");
                self.reader
                    .note(codes::ZIPKIN_DEFAULT, object, "it is there".to_owned(), 1);
            }
        }
        self.found.ambient = seen_or(Unread::Ambient, "what the CNI leaves out", ambient, overlooked);
        self.found.chart_repositories = seen("sources of charts", repositories, overlooked);
        self
    }

    /// Adds what the pods say, which take longest to read.
    pub(super) fn finish(mut self, beside: Beside) -> Surroundings {
        for one in beside.annotated {
            self.reader.note(one.code, one.object, one.detail, 1);
        }
        self.found.room = nodes::left(self.nodes, &beside.requests);
        let counted = !beside.requests.by_node.is_empty();
        self.found.placed = beside.requests.placed;
        self.found.ambient.pods = beside.requests.all;
        let placed = counted.then_some(self.found.placed.as_slice());
        self.found.hits = self.reader.finish(placed);
        self.found
    }
}

/// Definitions whose objects are worth reading; all where it is not known from where to where the way leads.
fn definitions_for(control_planes: &[ControlPlane], to: Option<Minor>) -> Vec<&'static str> {
    let versions = control_planes.iter().map(|plane| plane.version.version.as_ref());
    let minors: Option<Vec<Minor>> = versions.map(|version| version.map(IstioVersion::minor)).collect();
    match (minors.and_then(|minors| minors.into_iter().min()), to) {
        (Some(from), Some(to)) => read_on_the_way(from, to).collect(),
        _ => READ.to_vec(),
    }
}

/// What was answered, or nothing, and a word on what only warnings are about.
fn seen<T: Default>(what: &str, answer: Result<T, ClusterError>, overlooked: &mut Vec<Overlooked>) -> T {
    seen_or(Unread::Other, what, answer, overlooked)
}

fn seen_or<T: Default>(
    unread: Unread,
    what: &str,
    answer: Result<T, ClusterError>,
    overlooked: &mut Vec<Overlooked>,
) -> T {
    answer.unwrap_or_else(|error| {
        let told = format!("{what}: {error}");
        overlooked.push(Overlooked { unread, told });
        T::default()
    })
}

/// Namespaces that ask for a revision by its name, without anything else of them.
async fn namespaces(asker: Asker<'_>) -> Result<Vec<NamespaceRevision>, ClusterError> {
    let api: Api<Namespace> = Api::all(asker.cluster.client.clone());
    let asking = ListParams::default().labels("istio.io/rev");
    let listed = asker.list_metadata("list Namespaces", &api, &asking).await?;
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
    let listed = asker.list("list PodDisruptionBudgets", &api, &of_istiod).await?;
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
