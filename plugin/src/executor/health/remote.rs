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
    inventory::{Gateway, NodeComponent, Observed, Rollout},
    managed::{self, Managed},
};
use std::collections::BTreeSet;

/// Label with the revision of an injector.
const REVISION: &str = "istio.io/rev";
/// An image that injection is to fill in, which none of the templates' own is.
const INJECTED: &str = "auto";

/// What the istiods that serve this cluster do here now. A webhook that cannot be reached from here does nothing that
/// an upgrade could break: it is said, and not asked for afterwards. Where the mesh's configuration is, it has to work.
pub(super) async fn abilities(
    ui: Ui,
    cluster: &Cluster,
    writer: &Client,
    (observed, planned): (&Observed, &PlanCluster),
    configures: bool,
    gateways: &[Managed],
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
            image: image(observed),
        };
        let mut validates = validation::is_installed(writer, &place).await?;
        let (validation, injection) = (
            if validates {
                validation::works(writer, &place).await
            } else {
                Ok(())
            },
            injection::proxy(writer, &place).await,
        );
        if configures {
            validation.clone()?;
            injection.clone()?;
        }
        validates &= works(ui, cluster, "validation", &validation);
        let injects = works(ui, cluster, "injection", &injection);
        let proxy = injection.ok().map(|(proxy, _)| proxy);
        let keeps = proxy.map(|proxy| managed::kept(gateways, &place.revision, &proxy));
        abilities.push(Abilities {
            cluster: cluster.name.clone(),
            namespace: place.namespace,
            name: place.name,
            validates,
            injects,
            keeps: keeps.unwrap_or_default(),
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

fn works<T>(ui: Ui, cluster: &Cluster, what: &str, tried: &Result<T, String>) -> bool {
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
pub(super) fn place(able: &Abilities, observed: &Observed) -> Place {
    Place {
        namespace: able.namespace.clone(),
        name: able.name.clone(),
        revision: able.name.clone(),
        image: image(observed),
    }
}

/// An image of Istio's that runs in a cluster, whose policies so take it; without any, one that is known everywhere.
fn image(observed: &Observed) -> String {
    let gateways = observed.gateways.iter().map(|gateway| &gateway.image);
    let nodes = observed.node_components.iter().map(|node| &node.image);
    let mut images = nodes.chain(gateways);
    let image = images.find(|image| !image.is_empty() && *image != INJECTED);
    image.map_or_else(|| "registry.k8s.io/pause:3.10".to_owned(), Clone::clone)
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

/// What the plan covers of workloads, all of them rolled out. Before the gateways had their turn they do not count: one that
/// failed half way is cured by its own step, which comes after.
pub(super) fn rollouts(
    nodes: &[NodeComponent],
    gateways: Option<&Vec<Gateway>>,
    planned: &PlanCluster,
) -> Result<String, String> {
    let nodes = nodes.iter().map(|node| (&node.workload, node.rollout));
    let gateways = gateways.into_iter().flatten();
    let gateways = gateways.map(|gateway| (&gateway.workload, gateway.rollout));
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

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{
        api::{Component, FreezeScope, WorkloadKind},
        inventory::{ObservedVersion, Ownership, Pace, Surge},
    };

    fn workload(kind: WorkloadKind, name: &str) -> WorkloadName {
        WorkloadName {
            kind,
            namespace: "istio-system".to_owned(),
            name: name.to_owned(),
        }
    }

    fn rollout(ready: i32) -> Rollout {
        Rollout {
            observed: true,
            desired: 2,
            updated: 2,
            ready,
        }
    }

    #[test]
    fn a_gateway_that_failed_half_way_counts_once_it_had_its_turn() {
        let (cni, g2) = (
            workload(WorkloadKind::DaemonSet, "istio-cni-node"),
            workload(WorkloadKind::Deployment, "g2"),
        );
        let planned = PlanCluster {
            scope: FreezeScope {
                workloads: vec![cni.clone(), g2.clone()],
                ..FreezeScope::default()
            },
            ..PlanCluster::default()
        };
        for (of_cni, of_g2, had_its_turn, expected) in [
            (2, 2, true, Ok("2 workloads rolled out")),
            (2, 1, true, Err("Deployment istio-system/g2 to roll out")),
            (2, 1, false, Ok("1 workloads rolled out")),
            (1, 1, false, Err("DaemonSet istio-system/istio-cni-node to roll out")),
        ] {
            let nodes = [NodeComponent {
                component: Component::Cni,
                workload: cni.clone(),
                version: ObservedVersion {
                    version: None,
                    source: None,
                    raw: String::new(),
                },
                image: String::new(),
                rollout: rollout(of_cni),
                helm_release: None,
                ownership: Ownership::default(),
                pace: Pace {
                    nodes_at_once: Some(1),
                    grace_seconds: 30,
                },
            }];
            let gateways = vec![Gateway {
                workload: g2.clone(),
                image: "auto".to_owned(),
                rollout: rollout(of_g2),
                helm_release: None,
                ownership: Ownership::default(),
                surge: Surge::default(),
            }];
            match (rollouts(&nodes, had_its_turn.then_some(&gateways), &planned), expected) {
                (Ok(said), Ok(part)) | (Err(said), Err(part)) => assert!(said.contains(part), "{said}"),
                (found, _) => panic!("{found:?}, not {expected:?}"),
            }
        }
    }
}
