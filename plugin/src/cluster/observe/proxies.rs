//! Proxies of the data plane, counted out of all pods of a cluster while the list arrives.
//!
//! Full pods as protobuf, streamed: no table column and no label carries a proxy's image. Ten thousand pods take 75 MB on an
//! uncompressed wire, and the memory of one pod.

use super::{
    ask::Asker,
    data_plane, pods,
    protobuf::{Fields, Value},
    requests::Requests,
    version, workloads,
};
use crate::cluster::error::ClusterError;
use serde::Deserialize;
use shared::{
    finding::Code,
    inventory::{Owner, Proxies, ProxyKind},
    preflight::rules::POD_ANNOTATIONS,
};
use std::collections::{BTreeMap, BTreeSet};

/// Name of the proxy's container, and the revision's annotation and label.
pub(super) const PROXY: &str = "istio-proxy";
const REVISION: &str = "istio.io/rev";
/// Annotation that injection leaves, which names the revision too.
const STATUS: &str = "sidecar.istio.io/status";

/// What the pods of a cluster say.
#[derive(Default)]
pub(super) struct Pods {
    /// Their proxies.
    pub proxies: Vec<Proxies>,
    /// Deployments whose pods are gateways that istiod does not manage, by namespace and name.
    pub gateways: BTreeSet<(String, String)>,
    /// What rules ask of pods.
    pub beside: Beside,
}

/// What rules ask of pods beside their proxies.
#[derive(Default)]
pub(super) struct Beside {
    /// Annotations, by rule and namespace.
    pub annotated: Vec<Annotated>,
    /// What pods request of each node, and how many they are.
    pub requests: Requests,
}

/// Pods of one namespace with an annotation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Annotated {
    pub code: Code,
    pub object: String,
    pub detail: String,
}

/// Counts the proxies of a cluster; `too` sees each pod, too.
pub(super) async fn read(asker: Asker<'_>, mut too: impl FnMut(Fields<'_>)) -> Result<Pods, ClusterError> {
    let mut count = Count::default();
    let mut requests = Requests::default();
    pods::each(asker, |pod| {
        requests.pod(pod);
        count.pod(pod);
        too(pod);
    })
    .await?;
    let mut pods = count.pods();
    pods.beside.requests = requests;
    Ok(pods)
}

/// Letters that are kept of what anybody may have written into a pod: names are shorter, and pods are many.
const LONGEST: usize = 512;

fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

/// What makes proxies alike.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: String,
    kind: ProxyKind,
    image: String,
    revision: Option<String>,
    native: bool,
    asks_native: Option<bool>,
}

/// Proxies counted so far, each kind with the name of one pod.
#[derive(Default)]
struct Count {
    proxies: BTreeMap<Key, (u32, String)>,
    annotated: BTreeMap<(usize, String), (u64, String)>,
    gateways: BTreeSet<(String, String)>,
}

impl Count {
    /// Field numbers are those of k8s.io/api, `core/v1/generated.proto`.
    fn pod(&mut self, pod: Fields<'_>) {
        let meta = meta(pod);
        let Some((proxy, native)) = proxy(pod) else {
            return;
        };
        for annotation in meta.all(12).map(Value::fields) {
            let (name, value) = (annotation.text(1), annotation.text(2));
            if let Some(index) = POD_ANNOTATIONS.iter().position(|known| known.is(name, value)) {
                let key = (index, meta.text(3).to_owned());
                let known = self
                    .annotated
                    .entry(key)
                    .or_insert_with(|| (0, meta.text(1).to_owned()));
                known.0 = known.0.saturating_add(1);
            }
        }
        if kind(proxy) == ProxyKind::Gateway {
            self.gateways.extend(gateway_of(meta));
        }
        let (labels, annotations) = (meta.all(11), meta.all(12));
        let key = Key {
            namespace: meta.text(3).to_owned(),
            kind: kind(proxy),
            image: cut(proxy.text(2)).to_owned(),
            revision: revision(annotations, labels).map(|revision| cut(&revision).to_owned()),
            native,
            asks_native: asks_native(meta),
        };
        let known = self.proxies.entry(key).or_insert_with(|| (0, meta.text(1).to_owned()));
        known.0 = known.0.saturating_add(1);
    }

    fn pods(self) -> Pods {
        let annotated = self
            .annotated
            .into_iter()
            .filter_map(|((index, namespace), (count, example))| {
                let annotation = POD_ANNOTATIONS.get(index)?;
                // A pod has another name after each rollout: what is waived, or known from before, goes by the namespace.
                Some(Annotated {
                    code: annotation.code,
                    object: format!("Namespace {namespace}"),
                    detail: format!("{} in {count} pods, as {example}", annotation.detail),
                })
            });
        let annotated = annotated.collect();
        let proxies = self
            .proxies
            .into_iter()
            .map(|(key, (count, example))| Proxies {
                namespace: key.namespace,
                kind: key.kind,
                version: version::choose(&[], &key.image, None),
                revision: key.revision,
                native: key.native,
                asks_native: key.asks_native,
                count,
                example,
            })
            .collect();
        let beside = Beside {
            annotated,
            requests: Requests::default(),
        };
        Pods {
            proxies,
            gateways: self.gateways,
            beside,
        }
    }
}

/// The Deployment of a gateway's pod, by namespace and name; none of one that istiod manages.
fn gateway_of(meta: Fields<'_>) -> Option<(String, String)> {
    let labels = data_plane::labels(meta);
    if labels.contains_key(workloads::MANAGED) {
        return None;
    }
    match data_plane::owner(meta, &labels) {
        Owner::Deployment(name) => Some((meta.text(3).to_owned(), name)),
        _ => None,
    }
}

/// The metadata of a pod.
pub(super) fn meta(pod: Fields<'_>) -> Fields<'_> {
    pod.all(1).next().map_or(Fields(&[]), Value::fields)
}

/// The proxy's container in a pod, and whether it is a native sidecar.
pub(super) fn proxy(pod: Fields<'_>) -> Option<(Fields<'_>, bool)> {
    let spec = pod.all(2).next().map_or(Fields(&[]), Value::fields);
    let named = |container: &Fields<'_>| container.text(1) == PROXY;
    let beside = spec.all(2).map(Value::fields).find(named).map(|found| (found, false));
    beside.or_else(|| {
        let mut init = spec.all(20).map(Value::fields);
        init.find(named).map(|found| (found, true))
    })
}

/// What a proxy is for stands in its arguments, as `proxy router`; all of Istio's templates and charts set them.
pub(super) fn kind(container: Fields<'_>) -> ProxyKind {
    let mut arguments = container.all(4).map(Value::text);
    match (arguments.next(), arguments.next()) {
        (Some("proxy"), Some("router")) => ProxyKind::Gateway,
        (Some("proxy"), Some("waypoint")) => ProxyKind::Waypoint,
        (Some("proxy"), Some("ztunnel")) => ProxyKind::Ztunnel,
        _ => ProxyKind::Sidecar,
    }
}

/// What the annotation says that overrules istiod's own choice; istiod reads these two words alone.
fn asks_native(meta: Fields<'_>) -> Option<bool> {
    let mut annotations = meta.all(12).map(Value::fields);
    let asks = annotations.find(|annotation| annotation.text(1) == "sidecar.istio.io/nativeSidecar")?;
    match asks.text(2) {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The annotation is what injection did; the label may be what somebody wished, which for a gateway is the same.
pub(super) fn revision<'a>(
    annotations: impl Iterator<Item = Value<'a>>,
    labels: impl Iterator<Item = Value<'a>>,
) -> Option<String> {
    #[derive(Deserialize)]
    struct Injected {
        revision: Option<String>,
    }
    let mut of_status = None;
    for annotation in annotations.map(Value::fields) {
        match annotation.text(1) {
            REVISION => return Some(annotation.text(2).to_owned()),
            STATUS => of_status = Some(annotation.text(2)),
            _ => {}
        }
    }
    let injected = of_status.and_then(|status| serde_json::from_str::<Injected>(status).ok()?.revision);
    injected.or_else(|| {
        let label = labels.map(Value::fields).find(|label| label.text(1) == REVISION)?;
        Some(label.text(2).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::{super::protobuf::tests::held, *};

    fn entry(key: &str, value: &str) -> Vec<u8> {
        [held(1, key), held(2, value)].concat()
    }

    fn container(name: &str, image: &str, arguments: &[&str]) -> Vec<u8> {
        let arguments = arguments.iter().flat_map(|argument| held(4, argument));
        [held(1, name), held(2, image)]
            .concat()
            .into_iter()
            .chain(arguments)
            .collect()
    }

    struct Pod<'a> {
        name: &'a str,
        namespace: &'a str,
        containers: Vec<Vec<u8>>,
        init: Vec<Vec<u8>>,
        annotations: Vec<Vec<u8>>,
        labels: Vec<Vec<u8>>,
    }

    impl Pod<'_> {
        fn bytes(&self) -> Vec<u8> {
            let all =
                |number: u64, parts: &[Vec<u8>]| parts.iter().flat_map(|part| held(number, part)).collect::<Vec<u8>>();
            let meta = [
                held(1, self.name),
                held(3, self.namespace),
                all(11, &self.labels),
                all(12, &self.annotations),
            ];
            let spec = [all(2, &self.containers), all(20, &self.init)];
            [
                held(1, meta.concat()),
                held(2, spec.concat()),
                held(3, held(1, "Running")),
            ]
            .concat()
        }
    }

    fn pod<'a>(name: &'a str, containers: Vec<Vec<u8>>) -> Pod<'a> {
        Pod {
            name,
            namespace: "shop",
            containers,
            init: Vec::new(),
            annotations: Vec::new(),
            labels: Vec::new(),
        }
    }

    fn count(pods: &[Pod<'_>]) -> Vec<Proxies> {
        let mut count = Count::default();
        for pod in pods {
            count.pod(Fields(&pod.bytes()));
        }
        count.pods().proxies
    }

    const IMAGE: &str = "docker.io/istio/proxyv2:1.30.3";

    #[test]
    fn proxies_are_counted_by_what_they_are() {
        let sidecar = || container(PROXY, IMAGE, &["proxy", "sidecar", "--domain"]);
        let app = || container("app", "shop/app:2.0", &["proxy", "router"]);
        let mut native = pod("native", vec![app()]);
        native.init = vec![container("istio-init", IMAGE, &["istio-iptables"]), sidecar()];
        native.annotations = vec![entry(REVISION, "1-30"), entry(STATUS, r#"{"revision":"other"}"#)];
        let mut by_status = pod("by-status", vec![app(), sidecar()]);
        by_status.annotations = vec![
            entry("x", "y"),
            entry(STATUS, r#"{"initContainers":null,"revision":"default"}"#),
        ];
        by_status.labels = vec![entry(REVISION, "wished")];
        let mut gateway = pod("gateway", vec![container(PROXY, "auto", &["proxy", "router"])]);
        gateway.labels = vec![entry(REVISION, "prod")];
        let waypoint = pod("waypoint", vec![container(PROXY, IMAGE, &["proxy", "waypoint"])]);
        let ztunnel = pod(
            "ztunnel",
            vec![container(PROXY, "x/ztunnel@sha256:00", &["proxy", "ztunnel"])],
        );
        let plain = || pod("plain", vec![sidecar()]);
        let found = count(&[
            plain(),
            native,
            pod("none", vec![app()]),
            by_status,
            gateway,
            waypoint,
            ztunnel,
            plain(),
        ]);
        let shown: Vec<String> = found
            .iter()
            .map(|one| {
                let version = one
                    .version
                    .version
                    .as_ref()
                    .map_or(one.version.raw.clone(), ToString::to_string);
                let revision = one.revision.as_deref().unwrap_or("-");
                let native = if one.native { " native" } else { "" };
                format!(
                    "{} {} {version} {revision}{native} {} {}",
                    one.namespace,
                    one.kind.as_str(),
                    one.count,
                    one.example
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "shop sidecar 1.30.3 - 2 plain",
                "shop sidecar 1.30.3 1-30 native 1 native",
                "shop sidecar 1.30.3 default 1 by-status",
                "shop gateway auto prod 1 gateway",
                "shop waypoint 1.30.3 - 1 waypoint",
                "shop ztunnel x/ztunnel@sha256:00 - 1 ztunnel",
            ]
        );
    }

    #[test]
    fn what_a_pod_asks_of_its_sidecar_is_kept() {
        let pods = [Some("true"), Some("false"), Some("yes"), None].map(|asks| {
            let mut pod = pod("one", vec![container(PROXY, IMAGE, &["proxy", "sidecar"])]);
            pod.annotations = asks
                .map(|asks| entry("sidecar.istio.io/nativeSidecar", asks))
                .into_iter()
                .collect();
            pod
        });
        let found: Vec<_> = count(&pods).iter().map(|one| (one.asks_native, one.count)).collect();
        assert_eq!(found, [(None, 2), (Some(false), 1), (Some(true), 1)]);
    }

    #[test]
    fn gateways_are_known_by_their_pods_unless_istiod_manages_them() {
        let owner = |name: &str| [held(1, "ReplicaSet"), held(3, name), vec![0x30, 1]].concat();
        let mut count = Count::default();
        for (name, of, role, label) in [
            ("ingress-5d-a", "ingress-5d", "router", "istio"),
            ("ingress-5d-b", "ingress-5d", "router", "istio"),
            ("edge-5d-a", "edge-5d", "router", workloads::MANAGED),
            ("reviews-5d-a", "reviews-5d", "sidecar", "app"),
        ] {
            let meta = [
                held(1, name),
                held(3, "shop"),
                held(11, entry("pod-template-hash", "5d")),
                held(11, entry(label, "x")),
                held(13, owner(of)),
            ];
            let spec = held(2, container(PROXY, IMAGE, &["proxy", role]));
            count.pod(Fields(&[held(1, meta.concat()), held(2, spec)].concat()));
        }
        let found: Vec<_> = count.pods().gateways.into_iter().collect();
        assert_eq!(found, [("shop".to_owned(), "ingress".to_owned())]);
    }

    #[test]
    fn annotations_that_rules_ask_for_are_counted_by_namespace() {
        let mut count = Count::default();
        for name in ["one", "two"] {
            let mut pod = pod(name, vec![container(PROXY, IMAGE, &[])]);
            pod.annotations = vec![
                entry("sidecar.istio.io/statsCompression", "true"),
                entry("sidecar.istio.io/inject", "true"),
                entry("traffic.sidecar.istio.io/excludeOutboundPorts", "3306"),
                entry(
                    "proxy.istio.io/config",
                    "proxyMetadata: {ISTIO_META_DNS_AUTO_ALLOCATE: x}",
                ),
            ];
            count.pod(Fields(&pod.bytes()));
        }
        let mut without = pod("without", vec![container("app", IMAGE, &[])]);
        without.annotations = vec![entry("sidecar.istio.io/enableCoreDump", "true")];
        count.pod(Fields(&without.bytes()));
        let annotated = count.pods().beside.annotated;
        let found: Vec<_> = annotated
            .iter()
            .map(|one| (one.code.id(), one.object.as_str(), one.detail.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (
                    "MU720",
                    "Namespace shop",
                    "sidecar.istio.io/statsCompression in 2 pods, as one"
                ),
                (
                    "MU715",
                    "Namespace shop",
                    "ISTIO_META_DNS_AUTO_ALLOCATE of proxy.istio.io/config in 2 pods, as one"
                )
            ]
        );
    }
}
