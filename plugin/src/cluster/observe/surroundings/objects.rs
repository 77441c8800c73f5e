//! Objects that the rules look at, page by page: one page of each kind is all that is held.

use super::super::ask::Asker;
use crate::cluster::error::ClusterError;
use futures::future::join_all;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use shared::{
    inventory::Crd,
    preflight::rules::{COUNTED, Object, Reader},
};
use std::collections::BTreeMap;

/// Objects in a page.
const PAGE: usize = 250;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default, deserialize_with = "null_is_empty")]
    items: Vec<Item>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMeta {
    #[serde(default, rename = "continue")]
    next: String,
    #[serde(default)]
    remaining_item_count: u64,
}

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

/// The API server writes an empty list of custom resources as `[]`, other servers as null.
fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Item>, D::Error> {
    Ok(Option::<Vec<Item>>::deserialize(deserializer)?.unwrap_or_default())
}

/// What objects of a cluster say.
#[derive(Default)]
pub(super) struct Looked {
    pub reader: Reader,
    /// Objects of the kinds that are only counted, by resource.
    pub counted: BTreeMap<String, u64>,
    pub overlooked: Vec<String>,
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
    let counts = COUNTED.into_iter().filter_map(|resource| {
        let (crd, path) = served(crds, &format!("{resource}.gateway.networking.k8s.io"))?;
        Some(async move { (crd, resource, count(asker, crd, &path).await) })
    });
    let (kinds, counts) = futures::join!(join_all(kinds), join_all(counts));
    let mut looked = Looked::default();
    let told = |crd: &Crd, error: &ClusterError| format!("objects of the kind {}: {error}", crd.kind);
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
pub(super) fn path(crd: &Crd) -> Option<String> {
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
    let mut next = String::new();
    loop {
        let page = format!("{path}?limit={PAGE}&continue={next}");
        let Some(page) = asker.fields::<Page>(&what, &page).await? else {
            return Ok(());
        };
        page.items.iter().for_each(&mut look);
        // The token is of base64's alphabet for addresses.
        next = page.metadata.next;
        if next.is_empty() {
            return Ok(());
        }
    }
}

async fn count(asker: Asker<'_>, crd: &Crd, path: &str) -> Result<u64, ClusterError> {
    let what = format!("list objects of the kind {}", crd.kind);
    let page = asker.fields::<Page>(&what, &format!("{path}?limit=1")).await?;
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

    #[test]
    fn a_page_is_read_whatever_is_missing_in_it() {
        let page: Page = serde_json::from_str(r#"{"items": null}"#).unwrap();
        assert!(page.items.is_empty() && page.metadata.next.is_empty());
        let text =
            r#"{"metadata": {"continue": "abc", "remainingItemCount": 7}, "items": [{"metadata": {"name": "x"}}]}"#;
        let page: Page = serde_json::from_str(text).unwrap();
        assert_eq!(
            (page.metadata.next.as_str(), page.metadata.remaining_item_count),
            ("abc", 7)
        );
        assert!(page.items[0].spec.is_null());
    }
}
