//! Lists page by page: one page is all that is held, and one that is longer than an answer may be is asked for in smaller
//! ones, since an answer's bound is meant for one object.

use super::ask::Asker;
use crate::cluster::error::ClusterError;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::future::Future;

/// Objects in a page.
const PAGE: usize = 250;

/// A page of a list.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Page<T> {
    #[serde(default)]
    pub metadata: ListMeta,
    #[serde(default = "Vec::new", deserialize_with = "null_is_empty")]
    pub items: Vec<T>,
}

/// What a page says of the others.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMeta {
    #[serde(default, rename = "continue")]
    next: String,
    #[serde(default)]
    pub remaining_item_count: u64,
}

/// The API server writes an empty list of custom resources as `[]`, other servers as null.
fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

/// Hands each object of a list to `look`; whether there is such a list. `what` completes "not allowed to …".
///
/// # Errors
/// When a page cannot be had in time, or one object alone is too long.
pub(super) async fn each<T: DeserializeOwned>(
    asker: Asker<'_>,
    what: &str,
    path: &str,
    look: impl FnMut(T),
) -> Result<bool, ClusterError> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let ask = |limit: usize, next: String| async move {
        // The token is of base64's alphabet for addresses.
        let path = format!("{path}{joint}limit={limit}&continue={next}");
        asker.fields::<Page<T>>(what, &path).await
    };
    read(ask, look).await
}

async fn read<T, R>(mut ask: impl FnMut(usize, String) -> R, mut look: impl FnMut(T)) -> Result<bool, ClusterError>
where
    R: Future<Output = Result<Option<Page<T>>, ClusterError>>,
{
    let (mut limit, mut next) = (PAGE, String::new());
    loop {
        let page = match ask(limit, next.clone()).await {
            Err(ClusterError::TooLong { .. }) if limit > 1 => {
                limit /= 2;
                continue;
            }
            page => page?,
        };
        let Some(page) = page else {
            return Ok(false);
        };
        page.items.into_iter().for_each(&mut look);
        next = page.metadata.next;
        if next.is_empty() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_whatever_is_missing_in_it() {
        let page: Page<u8> = serde_json::from_str(r#"{"items": null}"#).unwrap();
        assert!(page.items.is_empty() && page.metadata.next.is_empty());
        let text = r#"{"metadata": {"continue": "abc", "remainingItemCount": 7}, "items": [1]}"#;
        let page: Page<u8> = serde_json::from_str(text).unwrap();
        assert_eq!(
            (page.metadata.next.as_str(), page.metadata.remaining_item_count),
            ("abc", 7)
        );
    }

    /// Reads a list of which at most so many fit into one answer, from each place on.
    async fn shown(list: &[usize], fits: impl Fn(usize) -> usize) -> (Result<bool, ClusterError>, Vec<usize>, usize) {
        let (mut read_so_far, mut asked) = (Vec::new(), 0);
        let ask = |limit: usize, next: String| {
            asked += 1;
            let from: usize = next.parse().unwrap_or(0);
            let to = list.len().min(from + limit);
            let page = if to - from > fits(from) {
                Err(ClusterError::TooLong {
                    server: "east:6443".to_owned(),
                    what: "list objects".to_owned(),
                    mib: 8,
                })
            } else {
                let next = if to < list.len() { to.to_string() } else { String::new() };
                Ok(Some(Page {
                    metadata: ListMeta {
                        next,
                        remaining_item_count: 0,
                    },
                    items: list[from..to].to_vec(),
                }))
            };
            std::future::ready(page)
        };
        let result = read(ask, |item| read_so_far.push(item)).await;
        (result, read_so_far, asked)
    }

    #[tokio::test]
    async fn a_page_that_is_too_long_is_asked_for_in_smaller_ones() {
        let list: Vec<usize> = (0..600).collect();
        let (result, read, asked) = shown(&list, |_| 1000).await;
        assert_eq!((result.unwrap(), read == list, asked), (true, true, 3));
        // Large objects from the third hundred on: nothing is read twice, and nothing left out.
        let (result, read, _) = shown(&list, |from| if from < 200 { 1000 } else { 4 }).await;
        assert!(result.unwrap() && read == list);
        let (result, read, _) = shown(&list[..3], |from| 1 - from / 2).await;
        let error = result.unwrap_err();
        assert_eq!(read, [0, 1]);
        assert_eq!(
            error.to_string(),
            "east:6443 answered with more than 8 MiB when asked to list objects"
        );
    }
}
