//! What a vendor's build runs beside Istio's own components, found by the labels that the catalog names.

use super::{
    ask::Asker,
    releases::{self, Storage},
    version,
    workloads::{self, Istiod},
};
use crate::cluster::error::ClusterError;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::PodTemplateSpec,
};
use kube::{Api, Resource, ResourceExt as _, api::ListParams};
use serde::de::DeserializeOwned;
use shared::{
    api::{WorkloadKind, WorkloadName},
    catalog::{Catalog, ExtraComponent},
    inventory::{Rollout, VendorComponent},
};
use std::{collections::BTreeSet, fmt::Debug};

/// Components of the flavors that run, and what could not be read. Where only community builds run nothing is asked.
pub(super) async fn find(
    asker: Asker<'_>,
    istiods: &[Istiod],
    storage: &Storage,
    catalog: Option<&Catalog>,
) -> (Vec<VendorComponent>, Vec<String>) {
    let running = istiods
        .iter()
        .filter_map(|istiod| istiod.control_plane.version.version.as_ref());
    let flavors: BTreeSet<_> = running.map(|version| &version.flavor).collect();
    let flavors = flavors.into_iter().filter_map(|flavor| catalog?.flavor(flavor));
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for component in flavors.flat_map(|flavor| &flavor.components) {
        match of_component(asker, component, storage).await {
            Ok(running) => found.extend(running),
            Err(error) => unreadable.push(format!("{}, a component of the vendor: {error}", component.name)),
        }
    }
    (found, unreadable)
}

/// A workload as far as it is looked at here.
struct Found {
    workload: WorkloadName,
    image: String,
    rollout: Rollout,
    release: Option<(String, String)>,
}

async fn of_component(
    asker: Asker<'_>,
    component: &ExtraComponent,
    storage: &Storage,
) -> Result<Vec<VendorComponent>, ClusterError> {
    let found = match component.kind {
        WorkloadKind::Deployment => {
            let template = |found: &Deployment| found.spec.as_ref().map(|spec| spec.template.clone());
            labelled(asker, component, workloads::of_deployment, template).await?
        }
        WorkloadKind::DaemonSet => {
            let template = |found: &DaemonSet| found.spec.as_ref().map(|spec| spec.template.clone());
            labelled(asker, component, workloads::of_daemon_set, template).await?
        }
    };
    let mut components = Vec::new();
    for one in found {
        let version = version::choose(&[], &one.image, None);
        let release = match (&one.release, &component.chart, &version.version) {
            (Some((namespace, name)), Some(chart), Some(_)) => {
                releases::of_chart(asker, storage, namespace, name, chart).await?
            }
            // What tells no version of the build is upgraded by whoever knows its versions.
            _ => None,
        };
        components.push(VendorComponent {
            name: component.name.clone(),
            version,
            workload: one.workload,
            image: one.image,
            rollout: one.rollout,
            release,
        });
    }
    Ok(components)
}

async fn labelled<K>(
    asker: Asker<'_>,
    component: &ExtraComponent,
    rollout: impl Fn(&K) -> Rollout,
    template: impl Fn(&K) -> Option<PodTemplateSpec>,
) -> Result<Vec<Found>, ClusterError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let api: Api<K> = Api::all(asker.cluster.client.clone());
    let labels = ListParams::default().labels(&component.selector);
    let listed = asker.list("list components of the vendor", &api, &labels).await?;
    let found = listed.items.iter().map(|one| {
        let pod = template(one).and_then(|template| template.spec);
        let container = pod.and_then(|pod| pod.containers.into_iter().next());
        Found {
            workload: workloads::name(one, component.kind),
            image: container.and_then(|container| container.image).unwrap_or_default(),
            rollout: rollout(one),
            release: workloads::helm_release(one.annotations()),
        }
    });
    Ok(found.collect())
}
