//! Waiting until something changes that a check would see.

use super::{super::client::Cluster, surroundings};
use futures::{
    StreamExt as _,
    future::{join_all, select_all},
};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use serde::Deserialize;
use shared::{
    inventory::{ClusterState, Crd, Inventory},
    preflight::rules::{COUNTED, READ},
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// What is watched in every cluster, metadata alone: control planes with their Services, gateways, releases, webhooks,
/// definitions, Istio's operator, the mesh's other clusters, Mesh objects with their waivers, journals, the guard's policies and a catalog in the cluster. Nodes and DaemonSets
/// are not: their status changes all the time.
const EVERYWHERE: [&str; 18] = [
    "/apis/apps/v1/deployments?labelSelector=app%3Distiod",
    "/apis/apps/v1/deployments?labelSelector=istio%2Capp%21%3Distiod%2C%21gateway.istio.io%2Fmanaged",
    "/api/v1/secrets?labelSelector=owner%3Dhelm",
    "/api/v1/secrets?labelSelector=istio%2FmultiCluster%3Dtrue",
    "/api/v1/namespaces?labelSelector=istio.io%2Frev",
    "/api/v1/namespaces/mesh-upgrade-system/configmaps?fieldSelector=metadata.name%3Dmesh-upgrade-catalog",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations?",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations?",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies?labelSelector=app.kubernetes.io%2Fpart-of%3Dmesh-upgrade",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings?labelSelector=app.kubernetes.io%2Fpart-of%3Dmesh-upgrade",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?",
    "/apis/meshupgrade.io/v1alpha1/meshes?",
    "/apis/meshupgrade.io/v1alpha1/meshupgrades?",
    "/apis/policy/v1/poddisruptionbudgets?labelSelector=app%3Distiod",
    "/apis/apps/v1/deployments?labelSelector=app.kubernetes.io%2Fname%3Dkiali",
    "/api/v1/services?fieldSelector=spec.type%3DExternalName",
    "/api/v1/services?labelSelector=operator.istio.io%2Fcomponent%3DPilot",
    "/apis/apps/v1/deployments?fieldSelector=metadata.name%3Distio-operator",
];
/// Secrets of a control plane's namespace that its certificates stand in.
const SECRETS: [&str; 2] = ["cacerts", "istio-ca-secret"];
/// Pause after a watch that could not be had: the kind may not be there, or the server be away.
const PAUSE: Duration = Duration::from_secs(30);
/// A watch that ends sooner is begun again only after so long: a server that ends each at once is not asked all the time.
const SHORTEST: Duration = Duration::from_secs(1);
/// How long taking one mark may take.
const MARKING: Duration = Duration::from_secs(20);
/// Longest list, or event, of one object's metadata.
const MAX_LIST: usize = 2 << 20;
const AS_METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// Where clusters stood when they were about to be looked at: changes since then are seen, and no earlier ones.
pub struct Marks(Vec<Mark>);

/// Where one kind of one cluster stood.
struct Mark {
    cluster: Cluster,
    path: String,
    /// Up to which resource version nothing has changed; `None` where the kind could not be listed.
    version: Option<String>,
}

impl Marks {
    /// Takes them in all clusters at once; what is watched beside the rest is told by what was seen when they were last looked
    /// at.
    pub async fn take(clusters: &[Cluster], last: &Inventory) -> Self {
        let marks = clusters.iter().flat_map(|cluster| {
            let seen = last.clusters.iter().find(|seen| seen.name == cluster.name);
            let paths = paths(seen.map(|seen| &seen.state));
            paths.into_iter().map(move |path| Mark::take(cluster, path))
        });
        Self(join_all(marks).await)
    }

    /// Returns when something relevant has changed in one of the clusters, and says what and where; never without
    /// clusters.
    pub async fn change(self) -> String {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let (what, _, _) = select_all(self.0.into_iter().map(|mark| Box::pin(mark.change()))).await;
        what
    }
}

/// What is watched in a cluster: each kind that rules read, or count, in a version that is served there, and what stands beside
/// its control planes.
fn paths(seen: Option<&ClusterState>) -> BTreeSet<String> {
    let Some(ClusterState::Observed(observed)) = seen else {
        return of_what_was_seen(&[], &[]);
    };
    let planes = observed.control_planes.iter();
    let planes: Vec<(&str, &[String])> = planes
        .map(|plane| (plane.workload.namespace.as_str(), plane.config_maps.as_slice()))
        .collect();
    let around = observed.surroundings.as_deref();
    of_what_was_seen(&planes, around.map(|around| around.crds.as_slice()).unwrap_or_default())
}

/// The same by the namespaces of control planes, with their ConfigMaps, and the definitions.
fn of_what_was_seen(planes: &[(&str, &[String])], crds: &[Crd]) -> BTreeSet<String> {
    let mut paths: BTreeSet<String> = EVERYWHERE.map(str::to_owned).into();
    for (namespace, config_maps) in planes {
        let named = |kind: &str, name: &str| {
            format!("/api/v1/namespaces/{namespace}/{kind}?fieldSelector=metadata.name%3D{name}")
        };
        paths.extend(config_maps.iter().map(|name| named("configmaps", name)));
        paths.extend(SECRETS.iter().map(|name| named("secrets", name)));
    }
    let kinds = READ.into_iter().chain(COUNTED);
    let looked_at = crds.iter().filter(|crd| kinds.clone().any(|kind| kind == crd.name));
    paths.extend(looked_at.filter_map(surroundings::path).map(|path| path + "?"));
    paths
}

/// How a watch ended.
enum Watched {
    /// With an event, or because the mark is too old to tell.
    Changed,
    /// In silence.
    Quiet,
    /// It could not be begun.
    Refused,
}

impl Mark {
    async fn take(cluster: &Cluster, path: String) -> Self {
        let version = tokio::time::timeout(MARKING, version(cluster, &path)).await;
        Self {
            cluster: cluster.clone(),
            path,
            version: version.ok().flatten(),
        }
    }

    /// Ends with the first event of the kind.
    async fn change(mut self) -> String {
        loop {
            let began = Instant::now();
            let watched = match &mut self.version {
                Some(version) => watch(&self.cluster, &self.path, version).await,
                None => None,
            };
            match watched.unwrap_or(Watched::Refused) {
                Watched::Changed => return self.told(),
                Watched::Quiet if began.elapsed() < SHORTEST => tokio::time::sleep(SHORTEST).await,
                Watched::Quiet => {}
                Watched::Refused => {
                    tokio::time::sleep(PAUSE).await;
                    if self.version.is_none() {
                        let path = self.path.clone();
                        self = Self::take(&self.cluster, path).await;
                        // A kind that has come, or a cluster that answers again.
                        if self.version.is_some() {
                            return self.told();
                        }
                    }
                }
            }
        }
    }

    fn told(&self) -> String {
        format!("{} of {}", self.kind(), self.cluster.name)
    }

    fn kind(&self) -> &str {
        let path = self.path.split('?').next().unwrap_or(&self.path);
        path.rsplit('/').next().unwrap_or(path)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    resource_version: String,
}

fn request(path: &str, accept: &str) -> Option<Request<Body>> {
    let request = Request::get(path).header(header::ACCEPT, accept);
    request.body(Body::empty()).ok()
}

/// The resource version of a list, from a page of one object.
async fn version(cluster: &Cluster, path: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct List {
        metadata: Meta,
    }
    let listed = cluster.client.send(request(&format!("{path}&limit=1"), AS_METADATA)?);
    let listed = listed.await.ok().filter(|answer| answer.status().is_success())?;
    let body = Limited::new(listed.into_body(), MAX_LIST).collect().await.ok()?;
    let list: List = serde_json::from_slice(&body.to_bytes()).ok()?;
    Some(list.metadata.resource_version)
}

/// Watches one kind for as long as a server may be silent, so that those of a server that takes only some at once come by
/// turns; none misses anything, because each goes on from its mark. Bookmarks move that: a kind in which nothing happens
/// would else have a mark that is too old before long.
async fn watch(cluster: &Cluster, path: &str, mark: &mut String) -> Option<Watched> {
    let lasts = cluster.watch_seconds();
    let watch = format!("{path}&watch=1&allowWatchBookmarks=true&resourceVersion={mark}&timeoutSeconds={lasts}");
    let request = request(&watch, &AS_METADATA.replace("List", ""))?;
    let watched = cluster.client.send(request).await.ok()?;
    if watched.status() == StatusCode::GONE {
        return Some(Watched::Changed);
    }
    if !watched.status().is_success() {
        return None;
    }
    let mut events = watched.into_body().into_data_stream();
    let mut unread = Vec::new();
    // Until it ends, or the connection was silent for longer than it may be.
    while let Some(Ok(more)) = events.next().await {
        unread.extend_from_slice(&more);
        if tells_of_a_change(&mut unread, mark) || unread.len() > MAX_LIST {
            return Some(Watched::Changed);
        }
    }
    Some(Watched::Quiet)
}

/// Reads the events that have come whole, each a line. What is no bookmark is a change, or the word that the mark is too
/// old to tell.
fn tells_of_a_change(unread: &mut Vec<u8>, mark: &mut String) -> bool {
    #[derive(Deserialize)]
    struct Event {
        #[serde(rename = "type")]
        kind: String,
        object: Object,
    }
    #[derive(Deserialize)]
    struct Object {
        metadata: Meta,
    }
    while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = unread.drain(..=end).collect();
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Event>(&line) {
            Ok(event) if event.kind == "BOOKMARK" => *mark = event.object.metadata.resource_version,
            _ => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_watched_in_a_version_that_is_served() {
        let crd = |name: &str, served: &str| Crd {
            name: name.to_owned(),
            served: vec![served.to_owned()],
            storage: "v1".to_owned(),
            ..Crd::default()
        };
        let crds = [
            crd("sidecars.networking.istio.io", "v1beta1"),
            crd("tcproutes.gateway.networking.k8s.io", "v1alpha2"),
            crd("helmcharts.source.toolkit.fluxcd.io", "v1"),
        ];
        let config_maps = ["istio".to_owned(), "istio-canary".to_owned()];
        let watched = of_what_was_seen(&[("istio-system", &config_maps)], &crds);
        let of_istio = |rest: &str| format!("/api/v1/namespaces/istio-system/{rest}");
        let mut expected: BTreeSet<String> = EVERYWHERE.map(str::to_owned).into();
        expected.extend([
            "/apis/networking.istio.io/v1beta1/sidecars?".to_owned(),
            "/apis/gateway.networking.k8s.io/v1alpha2/tcproutes?".to_owned(),
            of_istio("configmaps?fieldSelector=metadata.name%3Distio"),
            of_istio("configmaps?fieldSelector=metadata.name%3Distio-canary"),
            of_istio("secrets?fieldSelector=metadata.name%3Dcacerts"),
            of_istio("secrets?fieldSelector=metadata.name%3Distio-ca-secret"),
        ]);
        assert_eq!(watched, expected);
        assert_eq!(paths(None).len(), EVERYWHERE.len());
    }

    #[test]
    fn bookmarks_move_the_mark_and_anything_else_is_a_change() {
        let bookmark =
            r#"{"type":"BOOKMARK","object":{"kind":"PartialObjectMetadata","metadata":{"resourceVersion":"9"}}}"#;
        let added = r#"{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"10"}}}"#;
        let expired = r#"{"type":"ERROR","object":{"kind":"Status","metadata":{},"code":410}}"#;
        let line = |text: &str| format!("{text}\n").into_bytes();
        for (unread, changed, mark, left) in [
            (line(bookmark), false, "9", 0),
            (bookmark.as_bytes().to_vec(), false, "5", bookmark.len()),
            ([line(bookmark), b"{".to_vec()].concat(), false, "9", 1),
            ([line(bookmark), line(added)].concat(), true, "9", 0),
            (line(added), true, "5", 0),
            (line(expired), true, "5", 0),
            (line("<html>"), true, "5", 0),
            (line(""), false, "5", 0),
        ] {
            let (mut rest, mut seen) = (unread.clone(), "5".to_owned());
            let text = String::from_utf8_lossy(&unread).into_owned();
            assert_eq!(tells_of_a_change(&mut rest, &mut seen), changed, "{text}");
            assert_eq!((seen.as_str(), rest.len()), (mark, left), "{text}");
        }
    }
}
