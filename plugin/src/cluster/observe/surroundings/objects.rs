//! Objects that the rules look at, page by page: one page of each kind is all that is held.

use super::super::{
    ask::Asker,
    pages::{self, Page},
};
use crate::cluster::error::ClusterError;
use futures::future::join_all;
use serde::Deserialize;
use serde_json::Value;
use shared::{
    inventory::{Crd, Overlooked, Unread},
    preflight::rules::{COUNTED, Object, Reader},
};
use std::collections::BTreeMap;

/// An object in a page.
#[derive(Deserialize)]
pub(super) struct Item {
    #[serde(default)]
    pub metadata: Meta,
    #[serde(default)]
    pub spec: Value,
}

/// Its metadata, as far as anybody looks at them.
#[derive(Default, Deserialize)]
pub(super) struct Meta {
    #[serde(default)]
    pub namespace: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What objects of a cluster say.
#[derive(Default)]
pub(super) struct Looked {
    pub reader: Reader,
    /// Objects of the kinds that are only counted, by resource.
    pub counted: BTreeMap<String, u64>,
    pub overlooked: Vec<Overlooked>,
}

/// Looks at all objects of the definitions named, as far as they are there, and counts those that are only counted. All
/// kinds at once: one waits for the other's pages nowhere.
pub(super) async fn read(asker: Asker<'_>, crds: &[Crd], definitions: &[&str]) -> Looked {
    let kinds = definitions.iter().filter_map(|name| {
        let (crd, path) = served(crds, name)?;
        Some(async move {
            let mut reader = Reader::default();
            let look = |item: &Item| {
                reader.look(&Object {
                    definition: name,
                    kind: &crd.kind,
                    namespace: &item.metadata.namespace,
                    name: &item.metadata.name,
                    labels: &item.metadata.labels,
                    annotations: &item.metadata.annotations,
                    spec: &item.spec,
                });
            };
            let read = each(asker, crd, &path, look).await;
            (crd, reader, read)
        })
    });
    let counts = COUNTED.into_iter().filter_map(|name| {
        let (crd, path) = served(crds, name)?;
        let (resource, _) = name.split_once('.')?;
        Some(async move { (crd, resource, count(asker, crd, &path).await) })
    });
    let (kinds, counts) = futures::join!(join_all(kinds), join_all(counts));
    let mut looked = Looked::default();
    let told = |crd: &Crd, error: &ClusterError| Overlooked {
        unread: Unread::Objects(crd.name.clone()),
        told: format!("objects of the kind {}: {error}", crd.kind),
    };
    for (crd, reader, read) in kinds {
        looked.reader.add(reader);
        looked.overlooked.extend(read.err().map(|error| told(crd, &error)));
    }
    for (crd, resource, count) in counts {
        match count {
            Ok(count) => drop(looked.counted.insert(resource.to_owned(), count)),
            Err(error) => looked.overlooked.push(told(crd, &error)),
        }
    }
    looked
}

/// A definition and the path of its objects, in the version in which they are stored if that is served.
fn served<'a>(crds: &'a [Crd], name: &str) -> Option<(&'a Crd, String)> {
    let crd = crds.iter().find(|crd| crd.name == name)?;
    Some((crd, path(crd)?))
}

/// The path of a definition's objects in all namespaces.
pub(in crate::cluster::observe) fn path(crd: &Crd) -> Option<String> {
    let (plural, group) = crd.name.split_once('.')?;
    let version = if crd.served.contains(&crd.storage) {
        &crd.storage
    } else {
        crd.served.first()?
    };
    Some(format!("/apis/{group}/{version}/{plural}"))
}

/// Looks at each object of a definition, page by page.
pub(super) async fn each(
    asker: Asker<'_>,
    crd: &Crd,
    path: &str,
    mut look: impl FnMut(&Item),
) -> Result<(), ClusterError> {
    let what = format!("list objects of the kind {}", crd.kind);
    pages::each(asker, &what, path, |item: Item| look(&item)).await?;
    Ok(())
}

async fn count(asker: Asker<'_>, crd: &Crd, path: &str) -> Result<u64, ClusterError> {
    let what = format!("list objects of the kind {}", crd.kind);
    let page = asker.fields::<Page<Item>>(&what, &format!("{path}?limit=1")).await?;
    Ok(page.map_or(0, |page| {
        page.metadata
            .remaining_item_count
            .saturating_add(page.items.len() as u64)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_version_is_asked_for_where_it_is_served() {
        let crd = |served: &[&str], storage: &str| {
            vec![Crd {
                name: "gateways.networking.istio.io".to_owned(),
                served: served.iter().map(|one| (*one).to_owned()).collect(),
                storage: storage.to_owned(),
                ..Crd::default()
            }]
        };
        for (served_versions, storage, expected) in [
            (
                &["v1alpha3", "v1"][..],
                "v1",
                Some("/apis/networking.istio.io/v1/gateways"),
            ),
            (&["v1alpha3"], "v1", Some("/apis/networking.istio.io/v1alpha3/gateways")),
            (&[], "v1", None),
        ] {
            let crds = crd(served_versions, storage);
            let path = served(&crds, "gateways.networking.istio.io").map(|(_, path)| path);
            assert_eq!(path.as_deref(), expected);
        }
        assert!(served(&[], "gateways.networking.istio.io").is_none());
    }
}
