//! A remote cluster: without an istiod of its own it is judged by what it has, its rollouts and the webhooks by which
//! another cluster's istiod serves it.

use super::{Place, injection, validation};
use crate::{
    cluster::Cluster,
    error::api_message,
    ui::{Mark, Ui},
};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use shared::{
    api::{Abilities, PlanCluster, WorkloadName},
    inventory::{Observed, Rollout},
};
use std::collections::BTreeSet;

/// Label with the revision of an injector.
const REVISION: &str = "istio.io/rev";

/// What the istiods that serve this cluster do here now. A webhook that cannot be reached from here does nothing that
/// an upgrade could break: it is said, and not asked for afterwards. Where the mesh's configuration is, it has to work.
pub(super) async fn abilities(
    ui: Ui,
    cluster: &Cluster,
    writer: &Client,
    (observed, planned): (&Observed, &PlanCluster),
    configures: bool,
) -> Result<Vec<Abilities>, String> {
    let Some(namespace) = planned.scope.istio_namespaces.first() else {
        return Ok(Vec::new());
    };
    let mut abilities = Vec::new();
    for revision in revisions(writer).await? {
        if is_another_meshs(observed, planned, &revision) {
            continue;
        }
        let place = Place {
            namespace: namespace.clone(),
            name: revision.clone(),
            revision,
        };
        let mut validates = validation::is_installed(writer, &place).await?;
        let (validation, injection) = (
            if validates {
                validation::works(writer, &place).await
            } else {
                Ok(())
            },
            injection::image(writer, &place).await.map(drop),
        );
        if configures {
            validation.clone()?;
            injection.clone()?;
        }
        validates &= works(ui, cluster, "validation", &validation);
        let injects = works(ui, cluster, "injection", &injection);
        abilities.push(Abilities {
            cluster: cluster.name.clone(),
            namespace: place.namespace,
            name: place.name,
            validates,
            injects,
        });
    }
    Ok(abilities)
}

/// Whether the istiod of a revision runs here, and so is another mesh's: this one's is in another cluster.
fn is_another_meshs(observed: &Observed, planned: &PlanCluster, revision: &str) -> bool {
    let mut planes = observed.control_planes.iter();
    let is_ours = |namespace: &String| planned.scope.istio_namespaces.contains(namespace);
    planes.any(|plane| plane.revision == revision && !is_ours(&plane.workload.namespace))
}

fn works(ui: Ui, cluster: &Cluster, what: &str, tried: &Result<(), String>) -> bool {
    if let Err(why) = tried {
        let says = format!(
            "{what} in cluster {} does not work, and is not asked for afterwards: waited for {why}",
            cluster.name
        );
        ui.progress(Mark::Warn, &says);
    }
    tried.is_ok()
}

/// The place that abilities of a remote cluster were asked at.
pub(super) fn place(able: &Abilities) -> Place {
    Place {
        namespace: able.namespace.clone(),
        name: able.name.clone(),
        revision: able.name.clone(),
    }
}

async fn revisions(writer: &Client) -> Result<BTreeSet<String>, String> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(writer.clone());
    let injectors = ListParams::default().labels(&format!("app=sidecar-injector,{REVISION}"));
    let found = api.list_metadata(&injectors).await;
    let found = found.map_err(|error| format!("the list of injectors ({})", api_message(&error)))?;
    let revisions = found
        .items
        .iter()
        .filter_map(|injector| injector.labels().get(REVISION));
    Ok(revisions.cloned().collect())
}

/// What the plan covers of workloads, all of them rolled out.
pub(super) fn rollouts(observed: &Observed, planned: &PlanCluster) -> Result<String, String> {
    let nodes = observed
        .node_components
        .iter()
        .map(|node| (&node.workload, node.rollout));
    let gateways = observed
        .gateways
        .iter()
        .map(|gateway| (&gateway.workload, gateway.rollout));
    let covered: Vec<(&WorkloadName, Rollout)> = nodes
        .chain(gateways)
        .filter(|(workload, _)| planned.scope.workloads.contains(workload))
        .collect();
    match covered.iter().find(|(_, rollout)| !rollout.is_complete()) {
        Some((workload, _)) => Err(format!(
            "{} {}/{} to roll out",
            workload.kind.as_str(),
            workload.namespace,
            workload.name
        )),
        None => Ok(format!("no istiod of its own, {} workloads rolled out", covered.len())),
    }
}
