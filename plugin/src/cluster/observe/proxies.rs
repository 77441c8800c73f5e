//! Proxies of the data plane, counted out of all pods of a cluster while the list arrives.
//!
//! Full pods as protobuf in one streamed call: no table column and no label carries a proxy's image. Ten thousand pods
//! take 75 MB on an uncompressed wire, some 0.4 s, and the memory of one pod.

use super::{
    ask::Asker,
    protobuf::{self, Broken, Fields, Value},
    version,
};
use crate::cluster::error::ClusterError;
use http::{Request, header};
use http_body_util::{BodyExt as _, Limited};
use kube::{client::Body, core::Status};
use serde::Deserialize;
use shared::inventory::{Proxies, ProxyKind};
use std::collections::BTreeMap;

/// Pods that ended run no proxy.
const PATH: &str = "/api/v1/pods?fieldSelector=status.phase!%3DSucceeded,status.phase!%3DFailed";
/// Longest refusal that is read.
const MAX_REFUSAL: usize = 64 << 10;
/// Name of the proxy's container, and the revision's annotation and label.
const PROXY: &str = "istio-proxy";
const REVISION: &str = "istio.io/rev";
/// Annotation that injection leaves, which names the revision too.
const STATUS: &str = "sidecar.istio.io/status";

/// Counts the proxies of a cluster.
pub(super) async fn read(asker: Asker<'_>) -> Result<Vec<Proxies>, ClusterError> {
    let what = "list Pods";
    match tokio::time::timeout(asker.deadline, fetch(asker, what)).await {
        Ok(counted) => counted,
        Err(_) => Err(ClusterError::Timeout {
            server: asker.cluster.server(),
            what: what.to_owned(),
        }),
    }
}

async fn fetch(asker: Asker<'_>, what: &str) -> Result<Vec<Proxies>, ClusterError> {
    let failed = |error: &kube::Error| asker.cluster.error(what, error);
    let request = Request::get(PATH)
        .header(header::ACCEPT, "application/vnd.kubernetes.protobuf")
        .body(Body::empty())
        .map_err(|error| failed(&kube::Error::HttpError(error)))?;
    let response = asker
        .cluster
        .client
        .send(request)
        .await
        .map_err(|error| failed(&error))?;
    let status = response.status();
    if !status.is_success() {
        let body = Limited::new(response.into_body(), MAX_REFUSAL)
            .collect()
            .await
            .map_err(|error| failed(&kube::Error::Service(error)))?
            .to_bytes();
        let mut refusal = refusal(&body);
        refusal.code = status.as_u16();
        return Err(failed(&kube::Error::Api(Box::new(refusal))));
    }
    let mut count = Count::default();
    let pods = response.into_body().into_data_stream();
    match protobuf::each_item(pods, |pod| count.pod(pod)).await {
        Ok(()) => Ok(count.proxies()),
        Err(Broken::Transport(error)) => Err(failed(&kube::Error::Service(error))),
        Err(broken) => Err(ClusterError::Protocol {
            server: asker.cluster.server(),
            what: what.to_owned(),
            reason: broken.to_string(),
        }),
    }
}

/// A refusal, which is protobuf like the answer that was asked for; a proxy in between may speak JSON.
fn refusal(body: &[u8]) -> Status {
    const MESSAGE: u64 = 3;
    const REASON: u64 = 4;
    match protobuf::unwrapped(body) {
        Some(status) => Status {
            message: status.fields().text(MESSAGE).to_owned(),
            reason: status.fields().text(REASON).to_owned(),
            ..Status::default()
        },
        None => serde_json::from_slice(body).unwrap_or_default(),
    }
}

/// What makes proxies alike.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: String,
    kind: ProxyKind,
    image: String,
    revision: Option<String>,
    native: bool,
}

/// Proxies counted so far, each kind with the name of one pod.
#[derive(Default)]
struct Count(BTreeMap<Key, (u32, String)>);

impl Count {
    /// Field numbers are those of k8s.io/api, `core/v1/generated.proto`.
    fn pod(&mut self, pod: Fields<'_>) {
        let message = |number| pod.all(number).next().map_or(Fields(&[]), Value::fields);
        let (meta, spec) = (message(1), message(2));
        let (containers, init_containers) = (spec.all(2), spec.all(20));
        let named = |container: &Fields<'_>| container.text(1) == PROXY;
        let beside = containers.map(Value::fields).find(named).map(|found| (found, false));
        let Some((proxy, native)) = beside.or_else(|| {
            init_containers
                .map(Value::fields)
                .find(named)
                .map(|found| (found, true))
        }) else {
            return;
        };
        let (labels, annotations) = (meta.all(11), meta.all(12));
        let key = Key {
            namespace: meta.text(3).to_owned(),
            kind: kind(proxy),
            image: proxy.text(2).to_owned(),
            revision: revision(annotations, labels),
            native,
        };
        let known = self.0.entry(key).or_insert_with(|| (0, meta.text(1).to_owned()));
        known.0 = known.0.saturating_add(1);
    }

    fn proxies(self) -> Vec<Proxies> {
        self.0
            .into_iter()
            .map(|(key, (count, example))| Proxies {
                namespace: key.namespace,
                kind: key.kind,
                version: version::choose(&[], &key.image, None),
                revision: key.revision,
                native: key.native,
                count,
                example,
            })
            .collect()
    }
}

/// What a proxy is for stands in its arguments, as `proxy router`; all of Istio's templates and charts set them.
fn kind(container: Fields<'_>) -> ProxyKind {
    let mut arguments = container.all(4).map(Value::text);
    match (arguments.next(), arguments.next()) {
        (Some("proxy"), Some("router")) => ProxyKind::Gateway,
        (Some("proxy"), Some("waypoint")) => ProxyKind::Waypoint,
        (Some("proxy"), Some("ztunnel")) => ProxyKind::Ztunnel,
        _ => ProxyKind::Sidecar,
    }
}

/// The annotation is what injection did; the label may be what somebody wished, which for a gateway is the same.
fn revision<'a>(
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
        count.proxies()
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
    fn refusals_come_in_either_language() {
        let status = [held(2, "Failure"), held(3, "pods is forbidden"), held(4, "Forbidden")].concat();
        let message = [b"k8s\0".to_vec(), held(1, "v1"), held(2, status)].concat();
        assert_eq!(refusal(&message).message, "pods is forbidden");
        assert_eq!(refusal(br#"{"message":"no"}"#).message, "no");
        assert_eq!(refusal(b"<html>").message, "");
    }
}
