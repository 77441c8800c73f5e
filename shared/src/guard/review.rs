//! A sparse, borrowed reading of AdmissionReview: only what the rules need, nothing copied, and nothing guessed.
//!
//! Most of a review is skipped without being built, so that a review of 50 KiB costs tens of microseconds. What cannot
//! be read is an error, never a request without the part that could not be read.

use super::table::Operation;
pub use object::{Members, Metadata, Object, Unread};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;

mod object;

/// Longest review that is read: two objects of the API server's limit of 3 MiB, whose every byte may take six, since the
/// API server escapes `<`, `>` and `&`, and room for the rest. A longer one would be refused unread, which admits it.
pub const MAX_REVIEW: usize = (2 * 6 * 3 + 2) << 20;

/// A string that borrows from the review unless it holds an escape. Serde borrows a bare `Cow` only as a direct
/// field, never inside options, lists and maps; a newtype borrows everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct Str<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl std::ops::Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Str<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Why a review cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Longer than [`MAX_REVIEW`].
    #[error("the review is longer than {MAX_REVIEW} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the review is not UTF-8")]
    NotUtf8(#[source] std::str::Utf8Error),
    /// Not JSON, or not the JSON of a review.
    #[error("the review cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// JSON of something else.
    #[error("expected kind AdmissionReview of admission.k8s.io/v1, got kind {kind:?} of {api_version:?}")]
    WrongKind {
        /// What it says it is.
        kind: String,
        /// And of which version.
        api_version: String,
    },
    /// A review without what its operation needs.
    #[error("the review has no {0}")]
    Missing(&'static str),
}

/// One request, as far as the rules look at it.
#[derive(Debug)]
pub struct Request<'a> {
    /// Given back in the answer.
    pub uid: Str<'a>,
    /// API group of the resource; empty for core.
    pub group: Str<'a>,
    /// The resource.
    pub resource: Str<'a>,
    /// The subresource; empty for the resource itself.
    pub subresource: Str<'a>,
    /// What the request does.
    pub operation: Operation,
    /// The request's namespace; empty for cluster-scoped objects.
    pub namespace: Str<'a>,
    /// The request's own name; empty when a collection is deleted.
    pub name: Str<'a>,
    /// Who asks.
    pub username: Str<'a>,
    /// Values of the extra that carries the epoch.
    pub epochs: Vec<Str<'a>>,
    /// Values of the extra that marks canaries.
    pub probes: Vec<Str<'a>>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// The object after the change.
    pub object: Option<Object<'a>>,
    /// The object before the change.
    pub old_object: Option<Object<'a>>,
    /// The whole review, for kinds whose objects are judged in full.
    body: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReview<'a> {
    #[serde(borrow)]
    api_version: Str<'a>,
    #[serde(borrow)]
    kind: Str<'a>,
    #[serde(borrow)]
    request: Option<RawRequest<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRequest<'a> {
    #[serde(borrow)]
    uid: Str<'a>,
    #[serde(borrow)]
    resource: RawResource<'a>,
    #[serde(borrow, default)]
    sub_resource: Option<Str<'a>>,
    #[serde(borrow, default)]
    name: Option<Str<'a>>,
    #[serde(borrow, default)]
    namespace: Option<Str<'a>>,
    operation: RawOperation,
    #[serde(borrow)]
    user_info: RawUser<'a>,
    #[serde(borrow, default)]
    object: Option<Object<'a>>,
    #[serde(borrow, default)]
    old_object: Option<Object<'a>>,
    #[serde(default)]
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
struct RawResource<'a> {
    #[serde(borrow, default)]
    group: Option<Str<'a>>,
    #[serde(borrow)]
    resource: Str<'a>,
}

/// CONNECT is not among the rules, so that a request for it is an error as any unknown word.
#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum RawOperation {
    Create,
    Update,
    Delete,
}

#[derive(Deserialize)]
struct RawUser<'a> {
    #[serde(borrow, default)]
    username: Option<Str<'a>>,
    #[serde(borrow, default)]
    extra: Option<RawExtra<'a>>,
}

#[derive(Default, Deserialize)]
struct RawExtra<'a> {
    #[serde(borrow, rename = "meshupgrade.io/epoch", default)]
    epoch: Option<Vec<Str<'a>>>,
    #[serde(borrow, rename = "meshupgrade.io/probe", default)]
    probe: Option<Vec<Str<'a>>>,
}

/// The same review again, read only for its objects in full.
#[derive(Deserialize)]
struct WholeReview<'a> {
    #[serde(borrow)]
    request: WholeObjects<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WholeObjects<'a> {
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    old_object: Option<&'a RawValue>,
}

/// Reads a review.
///
/// # Errors
/// When it is too long, not UTF-8, not JSON, of another kind, or lacks what its operation needs.
pub fn parse(body: &[u8]) -> Result<Request<'_>, ReviewError> {
    if body.len() > MAX_REVIEW {
        return Err(ReviewError::TooLong);
    }
    // Serde looks only at the strings that it keeps.
    let text = std::str::from_utf8(body).map_err(ReviewError::NotUtf8)?;
    let review: RawReview<'_> = serde_json::from_str(text).map_err(ReviewError::Malformed)?;
    if &*review.kind != "AdmissionReview" || &*review.api_version != "admission.k8s.io/v1" {
        return Err(ReviewError::WrongKind {
            kind: super::message::one_line(&review.kind),
            api_version: super::message::one_line(&review.api_version),
        });
    }
    let request = review.request.ok_or(ReviewError::Missing("request"))?;
    if request.uid.is_empty() {
        return Err(ReviewError::Missing("request.uid"));
    }
    let operation = match request.operation {
        RawOperation::Create => Operation::Create,
        RawOperation::Update => Operation::Update,
        RawOperation::Delete => Operation::Delete,
    };
    if request.object.is_none() && operation != Operation::Delete {
        return Err(ReviewError::Missing("request.object"));
    }
    if request.old_object.is_none() && operation != Operation::Create {
        return Err(ReviewError::Missing("request.oldObject"));
    }
    let extra = request.user_info.extra.unwrap_or_default();
    Ok(Request {
        uid: request.uid,
        group: request.resource.group.unwrap_or_default(),
        resource: request.resource.resource,
        subresource: request.sub_resource.unwrap_or_default(),
        operation,
        namespace: request.namespace.unwrap_or_default(),
        name: request.name.unwrap_or_default(),
        username: request.user_info.username.unwrap_or_default(),
        epochs: extra.epoch.unwrap_or_default(),
        probes: extra.probe.unwrap_or_default(),
        dry_run: request.dry_run.unwrap_or(false),
        object: request.object,
        old_object: request.old_object,
        body: text,
    })
}

impl Request<'_> {
    /// The name of the object: a request that deletes a collection has none of its own.
    #[must_use]
    pub fn object_name(&self) -> &str {
        match (&self.object, &self.old_object) {
            (Some(object), _) => object.metadata.name.as_deref().unwrap_or_default(),
            (None, Some(Object { metadata, .. })) => metadata.name.as_deref().unwrap_or(&self.name),
            (None, None) => &self.name,
        }
    }

    /// Both objects in full, old and new, for kinds that are small and rarely written; null where there is none.
    ///
    /// # Errors
    /// When one is nested too deeply.
    pub fn whole_values(&self) -> Result<(Value, Value), serde_json::Error> {
        let whole: WholeReview<'_> = serde_json::from_str(self.body)?;
        let read = |raw: Option<&RawValue>| raw.map_or(Ok(Value::Null), |raw| serde_json::from_str(raw.get()));
        Ok((read(whole.request.old_object)?, read(whole.request.object)?))
    }

    /// The objects before and after the change, as far as there are any.
    pub fn objects(&self) -> impl Iterator<Item = &Object<'_>> {
        self.object.iter().chain(&self.old_object)
    }
}
