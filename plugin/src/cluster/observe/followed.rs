//! What a GitOps controller or the Sail Operator follows to bring Istio's charts, asked only where a workload bears its mark.

use super::{
    ask::Asker,
    pages,
    workloads::{Istiod, Workloads},
};
use crate::cluster::error::ClusterError;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _, api::ListParams};
use serde::de::DeserializeOwned;
use shared::{
    gitops::{Application, Followed, HelmChart, HelmRelease, OciRepository, SailKind, SailObject, SailTag},
    inventory::{GitOpsOwner, Ownership},
};
use std::collections::{BTreeMap, BTreeSet};

/// Where Argo CD keeps its Applications.
const APPLICATIONS: &str = "/apis/argoproj.io/v1alpha1/applications";
/// Where Flux keeps its HelmReleases, the version that every Flux of today serves first.
const HELM_RELEASES: [&str; 2] = [
    "/apis/helm.toolkit.fluxcd.io/v2/helmreleases",
    "/apis/helm.toolkit.fluxcd.io/v2beta2/helmreleases",
];
/// Where Flux keeps its OCIRepositories.
const OCI_REPOSITORIES: [&str; 2] = [
    "/apis/source.toolkit.fluxcd.io/v1/ocirepositories",
    "/apis/source.toolkit.fluxcd.io/v1beta2/ocirepositories",
];
/// Where it keeps its HelmCharts.
const HELM_CHARTS: [&str; 2] = [
    "/apis/source.toolkit.fluxcd.io/v1/helmcharts",
    "/apis/source.toolkit.fluxcd.io/v1beta2/helmcharts",
];
/// Label with the name of a pod of Argo CD's, and how that of its controller ends: its operator puts the name of the Argo CD
/// before it, as `openshift-gitops`.
const NAMED: &str = "app.kubernetes.io/name";
const CONTROLLER: &str = "-application-controller";
/// Labels of the pods that write for them.
const ARGO_CD_PODS: &str =
    "app.kubernetes.io/name in (argocd-application-controller, openshift-gitops-application-controller)";
const FLUX_PODS: &str = "app=helm-controller";
/// Of the Sail Operator, and of the build that OpenShift ships.
const SAIL_PODS: &str = "control-plane in (sail-operator, servicemesh-operator3)";
/// Versions of the Sail Operator's API.
const SAIL_VERSIONS: [&str; 2] = ["v1", "v1alpha1"];

/// What is followed in a cluster, as far as it brings charts of Istio's.
pub(super) async fn read(
    asker: Asker<'_>,
    control_planes: &[Istiod],
    workloads: &Workloads,
) -> Result<Vec<Followed>, ClusterError> {
    let planes = control_planes.iter().map(|istiod| &istiod.control_plane.ownership);
    let nodes = workloads.node_components.iter().map(|node| &node.ownership);
    let gateways = workloads.gateways.iter().map(|gateway| &gateway.ownership);
    let all: Vec<&Ownership> = planes.chain(nodes).chain(gateways).collect();
    let owners: Vec<&GitOpsOwner> = all.iter().filter_map(|ownership| ownership.gitops.as_ref()).collect();
    let mut followed = Vec::new();
    if owners
        .iter()
        .any(|owner| matches!(owner, GitOpsOwner::Application { .. }))
    {
        followed.extend(argo_cd(asker).await?);
    }
    if owners.iter().any(|owner| matches!(owner, GitOpsOwner::HelmRelease(_))) {
        followed.extend(flux(asker).await?);
    }
    if all.iter().any(|ownership| ownership.operator.is_some()) {
        let user = user_of(asker, SAIL_PODS).await?;
        for kind in SailKind::ALL {
            let found = sail::<SailObject>(asker, kind.resource()).await?;
            followed.extend(found.iter().map(|one| one.followed(kind, user.as_deref())));
        }
    }
    if followed.iter().any(|one| one.revisions.is_some()) {
        let found = sail::<SailTag>(asker, SailTag::RESOURCE).await?;
        for Followed { name, revisions, .. } in &mut followed {
            let Some(revisions) = revisions else { continue };
            let tags = found.iter().filter_map(|tag| tag.following(name));
            revisions.tags.extend(tags.map(str::to_owned));
        }
    }
    Ok(followed)
}

/// What Argo CD brings, with whom the controller of each Application writes as: there may be several of it in a cluster.
async fn argo_cd(asker: Asker<'_>) -> Result<Vec<Followed>, ClusterError> {
    let found = list::<Application>(asker, APPLICATIONS).await?.unwrap_or_default();
    let ours = found.iter().filter(|one| one.followed(&[]).is_some());
    let mut writers: BTreeMap<&str, Vec<String>> = ours.clone().map(|one| (one.home(), Vec::new())).collect();
    for (namespace, found) in &mut writers {
        let pods: Api<Pod> = Api::namespaced(asker.cluster.client.clone(), namespace);
        *found = users_of(asker, pods, NAMED, |pod| {
            let name = pod.labels().get(NAMED);
            name.is_some_and(|name| name.ends_with(CONTROLLER))
        })
        .await?;
    }
    if writers.values().any(Vec::is_empty) {
        let pods: Api<Pod> = Api::all(asker.cluster.client.clone());
        let everywhere = users_of(asker, pods, ARGO_CD_PODS, |_| true).await?;
        let lacking = writers.values_mut().filter(|found| found.is_empty());
        lacking.for_each(|found| found.clone_from(&everywhere));
    }
    let none = Vec::new();
    let followed = ours.filter_map(|one| one.followed(writers.get(one.home()).unwrap_or(&none)));
    Ok(followed.collect())
}

/// What Flux brings.
async fn flux(asker: Asker<'_>) -> Result<Vec<Followed>, ClusterError> {
    let user = user_of(asker, FLUX_PODS).await?;
    let found = first_served::<HelmRelease>(asker, &HELM_RELEASES).await?;
    let mut followed: Vec<Followed> = found.iter().filter_map(|one| one.followed(user.as_deref())).collect();
    let leads_to = |followed: &[Followed], kind: &str| {
        let mut sources = followed.iter().flat_map(|one| &one.sources);
        sources.any(|source| source.object.split(' ').next() == Some(kind))
    };
    if leads_to(&followed, HelmChart::KIND) {
        for chart in first_served::<HelmChart>(asker, &HELM_CHARTS).await? {
            followed.iter_mut().for_each(|one| chart.tell(one));
        }
    }
    if leads_to(&followed, OciRepository::KIND) {
        for repository in first_served::<OciRepository>(asker, &OCI_REPOSITORIES).await? {
            followed.iter_mut().for_each(|one| repository.tell(one));
        }
    }
    Ok(followed)
}

/// All objects of a kind, from the first of these paths that is served.
async fn first_served<T: DeserializeOwned>(asker: Asker<'_>, paths: &[&str]) -> Result<Vec<T>, ClusterError> {
    for path in paths {
        if let Some(found) = list(asker, path).await? {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// All objects of a kind of the Sail Operator, in whichever version it is served.
async fn sail<T: DeserializeOwned>(asker: Asker<'_>, resource: &str) -> Result<Vec<T>, ClusterError> {
    let paths = SAIL_VERSIONS.map(|version| format!("/apis/{}/{version}/{resource}", SailKind::GROUP));
    first_served(asker, &paths.each_ref().map(String::as_str)).await
}

/// All objects of a kind, page by page; `None` where the kind is not served.
async fn list<T: DeserializeOwned>(asker: Asker<'_>, path: &str) -> Result<Option<Vec<T>>, ClusterError> {
    let what = format!("list {}", path.rsplit('/').next().unwrap_or_default());
    let mut all = Vec::new();
    let is_served = pages::each(asker, &what, path, |one| all.push(one)).await?;
    Ok(is_served.then_some(all))
}

/// Whom a controller writes as: the ServiceAccount of its pods.
async fn user_of(asker: Asker<'_>, labels: &str) -> Result<Option<String>, ClusterError> {
    let pods: Api<Pod> = Api::all(asker.cluster.client.clone());
    let some = ListParams::default().labels(labels).limit(1);
    let listed = asker.list("list Pods", &pods, &some).await?;
    Ok(listed.items.iter().find_map(account))
}

/// The same of all pods with a label that are asked for, each once.
async fn users_of(
    asker: Asker<'_>,
    pods: Api<Pod>,
    labels: &str,
    is_one: impl Fn(&Pod) -> bool,
) -> Result<Vec<String>, ClusterError> {
    let all = ListParams::default().labels(labels);
    let listed = asker.list("list Pods", &pods, &all).await?;
    let users: BTreeSet<String> = listed
        .items
        .iter()
        .filter(|pod| is_one(pod))
        .filter_map(account)
        .collect();
    Ok(users.into_iter().collect())
}

/// The ServiceAccount of a pod, as the API server knows it.
fn account(pod: &Pod) -> Option<String> {
    let account = pod.spec.as_ref()?.service_account_name.as_deref()?;
    Some(format!("system:serviceaccount:{}:{account}", pod.namespace()?))
}
