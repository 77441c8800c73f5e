//! Custom resource definitions of Istio and of the Gateway API, out of one streamed list: their schemas are passed over.

use super::{
    super::{
        ask::Asker,
        protobuf::{Fields, Value},
        stream,
    },
    neighbours,
};
use crate::cluster::error::ClusterError;
use shared::inventory::Crd;

const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// Ends of the names of definitions that are kept.
const GROUPS: [&str; 5] = [
    ".istio.io",
    ".gateway.networking.k8s.io",
    ".gateway.networking.x-k8s.io",
    ".inference.networking.x-k8s.io",
    ".inference.networking.k8s.io",
];
/// Annotations that name the bundle: of the Gateway API, and of its extension for inference.
const BUNDLES: [&str; 2] = [
    "gateway.networking.k8s.io/bundle-version",
    "inference.networking.k8s.io/bundle-version",
];

pub(super) async fn read(asker: Asker<'_>) -> Result<Vec<Crd>, ClusterError> {
    let mut found = Vec::new();
    stream::each(asker, "list CustomResourceDefinitions", PATH, |crd| {
        found.extend(definition(crd));
    })
    .await?;
    Ok(found)
}

/// Field numbers are those of k8s.io/apiextensions-apiserver, `pkg/apis/apiextensions/v1/generated.proto`.
fn definition(crd: Fields<'_>) -> Option<Crd> {
    let message = |number| crd.all(number).next().map_or(Fields(&[]), Value::fields);
    let (meta, spec, status) = (message(1), message(2), message(3));
    let name = meta.text(1);
    if !GROUPS.iter().any(|group| name.ends_with(group)) && !neighbours::is_source(name) {
        return None;
    }
    let annotation = |wanted: &str| {
        let annotations = meta.all(12).map(Value::fields);
        annotations
            .into_iter()
            .find(|annotation| annotation.text(1) == wanted)
            .map(|annotation| annotation.text(2).to_owned())
    };
    let is = |version: Fields<'_>, number| matches!(version.all(number).next(), Some(Value::Number(1)));
    let versions = || spec.all(7).map(Value::fields);
    Some(Crd {
        name: name.to_owned(),
        kind: spec.all(3).next().map_or("", |names| names.fields().text(4)).to_owned(),
        served: versions()
            .filter(|version| is(*version, 2))
            .map(|version| version.text(1).to_owned())
            .collect(),
        storage: versions()
            .find(|version| is(*version, 3))
            .map_or("", |version| version.text(1))
            .to_owned(),
        stored: status.all(3).map(|version| version.text().to_owned()).collect(),
        bundle: BUNDLES.into_iter().find_map(annotation),
        helm_release: annotation("meta.helm.sh/release-namespace").zip(annotation("meta.helm.sh/release-name")),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::super::protobuf::tests::held, *};

    #[test]
    fn reads_a_definition_without_its_schema() {
        let entry = |key: &str, value: &str| held(12, [held(1, key), held(2, value)].concat());
        let meta = [
            held(1, "tlsroutes.gateway.networking.k8s.io"),
            entry(BUNDLES[0], "v1.4.0"),
            entry("meta.helm.sh/release-name", "base"),
            entry("meta.helm.sh/release-namespace", "istio-system"),
        ]
        .concat();
        let version = |name: &str, served: u8, storage: u8| {
            let flags = vec![2 << 3, served, 3 << 3, storage];
            held(7, [held(1, name), flags, held(4, "a schema")].concat())
        };
        let names = held(3, [held(1, "tlsroutes"), held(4, "TLSRoute")].concat());
        let spec = [
            names,
            version("v1alpha2", 1, 0),
            version("v1alpha1", 0, 0),
            version("v1", 1, 1),
        ]
        .concat();
        let status = [held(3, "v1alpha2"), held(3, "v1")].concat();
        let crd = [held(1, &meta), held(2, &spec), held(3, &status)].concat();
        assert_eq!(
            definition(Fields(&crd)),
            Some(Crd {
                name: "tlsroutes.gateway.networking.k8s.io".to_owned(),
                kind: "TLSRoute".to_owned(),
                served: vec!["v1alpha2".to_owned(), "v1".to_owned()],
                storage: "v1".to_owned(),
                stored: vec!["v1alpha2".to_owned(), "v1".to_owned()],
                bundle: Some("v1.4.0".to_owned()),
                helm_release: Some(("istio-system".to_owned(), "base".to_owned())),
            })
        );
        let meta = [
            held(1, "inferencepools.inference.networking.k8s.io"),
            entry(BUNDLES[1], "v1.0.0-rc.1"),
        ];
        let crd = held(1, meta.concat());
        let read = definition(Fields(&crd)).unwrap();
        assert_eq!(read.bundle.as_deref(), Some("v1.0.0-rc.1"));
        let other = held(1, held(1, "widgets.example.com"));
        assert_eq!(definition(Fields(&other)), None);
    }
}
