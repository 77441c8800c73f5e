//! Who lives beside the mesh and has to do with it: Kiali, outside names, sources of charts, and what the CNI leaves out.

use super::{
    super::{ask::Asker, workloads::Workloads},
    objects::{Item, each, path},
};
use crate::cluster::error::ClusterError;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Service},
};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, ObjectMeta},
};
use serde::Deserialize;
use serde_json::Value;
use shared::{
    api::Component,
    inventory::{Ambient, ChartRepository, Crd},
    preflight::rules::Reader,
};
use std::collections::{BTreeMap, BTreeSet};

/// Objects in a page.
const PAGE: u32 = 500;
/// Namespaces that every CNI leaves out.
const SYSTEM: [&str; 2] = ["kube-system", "istio-system"];
/// Kinds that name a source of charts, by their definitions.
const SOURCES: [&str; 3] = [
    "applications.argoproj.io",
    "helmrepositories.source.toolkit.fluxcd.io",
    "ocirepositories.source.toolkit.fluxcd.io",
];

/// Whether a definition is of a kind that names a source of charts.
pub(super) fn is_source(definition: &str) -> bool {
    SOURCES.contains(&definition)
}

/// Deployments of Kiali, as namespace and name.
pub(super) async fn kialis(asker: Asker<'_>) -> Result<Vec<(String, String)>, ClusterError> {
    let api: Api<Deployment> = Api::all(asker.cluster.client.clone());
    let kiali = ListParams::default().labels("app.kubernetes.io/name=kiali").limit(PAGE);
    let listed = asker.list_metadata("list Deployments", &api, &kiali).await?;
    let found = listed.items.iter();
    Ok(found
        .filter_map(|deployment| Some((deployment.namespace()?, deployment.name_any())))
        .collect())
}

/// Deployments of the operator that ran in the cluster up to 1.23, as namespace and name. `istioctl operator init` gives them
/// no label: they are known by their name, those of a revision in the namespace that it makes for them.
pub(super) async fn operators(asker: Asker<'_>) -> Result<Vec<(String, String)>, ClusterError> {
    const OPERATOR: &str = "istio-operator";
    let client = &asker.cluster.client;
    let everywhere: Api<Deployment> = Api::all(client.clone());
    let own: Api<Deployment> = Api::namespaced(client.clone(), OPERATOR);
    let all = ListParams::default();
    let by_name = ListParams::default().fields(&format!("metadata.name={OPERATOR}"));
    let (named, own) = futures::try_join!(
        asker.list_metadata("list Deployments", &everywhere, &by_name),
        asker.list_metadata("list Deployments", &own, &all),
    )?;
    let found = named.items.iter().chain(&own.items);
    let found = found.filter(|deployment| is_operator(&deployment.metadata));
    let found = found.filter_map(|deployment| Some((deployment.namespace()?, deployment.name_any())));
    let found: BTreeSet<_> = found.collect();
    Ok(found.into_iter().collect())
}

/// Whether a Deployment's name is the operator's, with or without a revision. Operators of others have the same name, that of
/// OpenShift Service Mesh 2 and Banzai's: who installed those left a mark, as `istioctl operator init` does not.
fn is_operator(meta: &ObjectMeta) -> bool {
    let rest = meta
        .name
        .as_deref()
        .and_then(|name| name.strip_prefix("istio-operator"));
    let is_named = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let marks = meta.labels.iter().chain(&meta.annotations).flat_map(BTreeMap::keys);
    let is_marked = marks
        .into_iter()
        .any(|key| key.starts_with("olm.owner") || key == "app.kubernetes.io/managed-by");
    let mut owners = meta.owner_references.iter().flatten();
    is_named && !is_marked && !owners.any(|owner| owner.api_version.starts_with("operators.coreos.com/"))
}

/// Services that are only names for hosts outside.
pub(super) async fn external_names(asker: Asker<'_>) -> Result<Vec<(String, String)>, ClusterError> {
    let api: Api<Service> = Api::all(asker.cluster.client.clone());
    let mut external = ListParams::default().fields("spec.type=ExternalName").limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = asker.list_metadata("list Services", &api, &external).await?;
        let services = page.items.iter();
        found.extend(services.filter_map(|service| Some((service.namespace()?, service.name_any()))));
        match page.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => external = external.continue_token(&next),
            None => return Ok(found),
        }
    }
}

/// Tells the rules of them.
pub(super) fn note(external: &[(String, String)], reader: &mut Reader) {
    for (namespace, name) in external {
        reader.external_name(namespace, name);
    }
}

/// What the CNI leaves out, and whether any of it is labelled into the mesh; nobody is asked where it leaves out nothing
/// but the system's own.
pub(super) async fn ambient(asker: Asker<'_>, workloads: &Workloads) -> Result<Ambient, ClusterError> {
    #[derive(Deserialize)]
    struct ConfigMap {
        #[serde(default)]
        data: BTreeMap<String, String>,
    }
    let mut ambient = Ambient::default();
    let nodes = workloads.node_components.iter();
    let namespaces: BTreeSet<&str> = nodes
        .filter(|node| node.component == Component::Cni)
        .map(|node| node.workload.namespace.as_str())
        .collect();
    for namespace in namespaces {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/istio-cni-config");
        let map = asker.fields::<ConfigMap>("get the CNI's ConfigMap", &path).await?;
        let data = map.map(|map| map.data).unwrap_or_default();
        ambient.captures_dns |= data.get("AMBIENT_DNS_CAPTURE").is_some_and(|on| on == "true");
        let excluded = data.get("EXCLUDE_NAMESPACES").map_or("", String::as_str);
        let names = excluded.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty() && !SYSTEM.contains(name));
        ambient.excluded.extend(names.map(str::to_owned));
    }
    if ambient.excluded.is_empty() {
        return Ok(ambient);
    }
    let api: Api<Namespace> = Api::all(asker.cluster.client.clone());
    let labelled = ListParams::default().labels("istio.io/dataplane-mode=ambient");
    let listed = asker.list_metadata("list Namespaces", &api, &labelled).await?;
    ambient.namespaces = listed.items.iter().map(kube::ResourceExt::name_any).collect();
    Ok(ambient)
}

/// Where GitOps controllers take charts from; kinds that are not there are not asked for.
pub(super) async fn chart_repositories(asker: Asker<'_>, crds: &[Crd]) -> Result<Vec<ChartRepository>, ClusterError> {
    let mut found = Vec::new();
    for crd in crds.iter().filter(|crd| is_source(&crd.name)) {
        let Some(path) = path(crd) else {
            continue;
        };
        let look = |item: &Item| {
            let object = format!("{} {}/{}", crd.kind, item.metadata.namespace, item.metadata.name);
            found.extend(urls(&item.spec).map(|url| ChartRepository {
                object: object.clone(),
                url: without_user(url),
            }));
        };
        each(asker, crd, &path, look).await?;
    }
    Ok(found)
}

/// Addresses in a specification: Flux's own, and those of the one or several sources of an Application.
fn urls(spec: &Value) -> impl Iterator<Item = &str> {
    let several = spec.get("sources").and_then(Value::as_array);
    let sources = spec.get("source").into_iter().chain(several.into_iter().flatten());
    let of_argo = sources.filter_map(|source| source.get("repoURL")?.as_str());
    spec.get("url").and_then(Value::as_str).into_iter().chain(of_argo)
}

/// An address as it may be shown: somebody may have written a password into it.
fn without_user(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest
                .split_once('/')
                .map_or((rest, None), |(host, path)| (host, Some(path)));
            let host = host.rsplit('@').next().unwrap_or(host);
            path.map_or_else(
                || format!("{scheme}://{host}"),
                |path| format!("{scheme}://{host}/{path}"),
            )
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_are_found_where_each_controller_writes_them() {
        for (spec, expected) in [
            (json!({"url": "https://a/charts"}), &["https://a/charts"][..]),
            (json!({"source": {"repoURL": "https://b"}}), &["https://b"]),
            (
                json!({"sources": [{"repoURL": "https://c"}, {"ref": "values"}, {"repoURL": "oci://d/e"}]}),
                &["https://c", "oci://d/e"],
            ),
            (json!({"source": "text", "sources": {}}), &[]),
            (json!(null), &[]),
        ] {
            assert_eq!(urls(&spec).collect::<Vec<_>>(), expected, "{spec}");
        }
    }

    #[test]
    fn an_operator_is_known_by_its_name_and_by_having_no_mark_of_others() {
        let owner = |version: &str| {
            json!({"name": "istio-operator",
                "ownerReferences": [{"apiVersion": version, "kind": "ClusterServiceVersion", "name": "x", "uid": "1"}]})
        };
        let labelled = |key: &str| json!({"name": "istio-operator", "labels": {"name": "x", key: "y"}});
        for (meta, expected) in [
            (json!({"name": "istio-operator"}), true),
            (json!({"name": "istio-operator-1-20-8"}), true),
            (json!({"name": "istio-operators"}), false),
            (json!({"name": "sail-operator"}), false),
            (labelled("operator.istio.io/component"), true),
            (labelled("olm.owner"), false),
            (labelled("olm.owner.kind"), false),
            (labelled("app.kubernetes.io/managed-by"), false),
            (
                json!({"name": "istio-operator", "annotations": {"olm.owner.namespace": "y"}}),
                false,
            ),
            (owner("operators.coreos.com/v1alpha1"), false),
            (owner("apps/v1"), true),
        ] {
            let read: ObjectMeta = serde_json::from_value(meta.clone()).unwrap();
            assert_eq!(is_operator(&read), expected, "{meta}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        for (url, shown) in [
            ("https://u:secret@host/charts/a@b", "https://host/charts/a@b"),
            ("https://host", "https://host"),
            ("oci://host/x", "oci://host/x"),
            ("host/x", "host/x"),
        ] {
            assert_eq!(without_user(url), shown);
        }
    }
}
