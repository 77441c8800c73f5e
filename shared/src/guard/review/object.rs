//! Objects of a review: what the rules look at is read, all else is kept as it stands, so that two objects can be compared
//! without a second look at the review.

use super::Str;
use crate::gitops::{TRACKING_ANNOTATION, TRACKING_LABEL, VERSION_LABEL};
use crate::guard::table::{
    HELM_NAME_LABEL, HELM_OWNER_LABEL, HELM_RELEASE_NAME, HELM_RELEASE_NAMESPACE, ISTIOD_PROBE_ANNOTATION,
    MANAGED_GATEWAY_LABEL,
};
use crate::istioctl::{OWNER_NAMESPACE_LABEL, REVISION_LABEL};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{fmt, marker::PhantomData};

/// A value that is kept as it stands. Two are equal when their texts are: in one review both come from one encoder, and
/// were they ever not, an update would count as a change and be refused.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub struct Unread<'a>(#[serde(borrow)] &'a RawValue);

impl<'a> Unread<'a> {
    /// Its JSON.
    #[must_use]
    pub fn get(self) -> &'a str {
        self.0.get()
    }
}

impl PartialEq for Unread<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

/// Members of a JSON object in their order, unread.
pub type Members<'a> = Vec<(Str<'a>, Unread<'a>)>;

/// An object of a request. Its contents are never printed.
pub struct Object<'a> {
    /// Its metadata.
    pub metadata: Metadata<'a>,
    /// Its specification, unread.
    pub spec: Option<Unread<'a>>,
    /// The contents of a Secret or a ConfigMap, unread.
    pub data: Option<Unread<'a>>,
    /// All else.
    pub rest: Members<'a>,
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.metadata.name;
        f.debug_struct("Object").field("name", name).finish_non_exhaustive()
    }
}

/// What the rules look at in metadata.
#[derive(Default)]
pub struct Metadata<'a> {
    /// Its name; absent while it is to be generated.
    pub name: Option<Str<'a>>,
    /// Its annotations.
    pub annotations: Option<Annotations<'a>>,
    /// Its labels.
    pub labels: Option<Labels<'a>>,
    /// All else.
    pub rest: Members<'a>,
}

/// The annotations that the rules look at.
#[derive(Default, PartialEq)]
pub struct Annotations<'a> {
    /// Helm release that owns the object.
    pub release_name: Option<Str<'a>>,
    /// Namespace of that release.
    pub release_namespace: Option<Str<'a>>,
    /// Mark of istiod's probe.
    pub always_reject: Option<Str<'a>>,
    /// Argo CD's mark.
    pub tracking: Option<Str<'a>>,
    /// All else.
    pub rest: Members<'a>,
}

/// The labels that the rules look at.
#[derive(Default, PartialEq)]
pub struct Labels<'a> {
    /// Mark of what istiod makes for a gateway.
    pub managed_gateway: Option<Str<'a>>,
    /// Mark of helm's storage.
    pub owner: Option<Str<'a>>,
    /// Release that helm's storage belongs to.
    pub name: Option<Str<'a>>,
    /// Namespace of the control plane with which istioctl installed the object.
    pub installed_in: Option<Str<'a>>,
    /// Revision of the control plane that the object belongs to.
    pub revision: Option<Str<'a>>,
    /// Argo CD's mark where it tracks by labels.
    pub tracking: Option<Str<'a>>,
    /// Version of the chart that brought the object.
    pub version: Option<Str<'a>>,
    /// All else.
    pub rest: Members<'a>,
}

/// Something that is read member by member.
trait Read<'de>: Default {
    /// What it is, for errors.
    const WHAT: &'static str;
    /// Takes the value of a member.
    fn take<M: MapAccess<'de>>(&mut self, key: Str<'de>, map: &mut M) -> Result<(), M::Error>;
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Read<'de>> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<T, M::Error> {
        let mut read = T::default();
        while let Some(key) = map.next_key()? {
            read.take(key, &mut map)?;
        }
        Ok(read)
    }
}

/// Types that are read member by member and are then whole.
macro_rules! deserialize_by_members {
    ($($kind:ident),+) => {$(
        impl<'de: 'a, 'a> Deserialize<'de> for $kind<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map(Reader(PhantomData))
            }
        }
    )+};
}

deserialize_by_members!(Parts, Metadata, Annotations, Labels);

/// Puts the value of a member into its place. A second one is an error: it would leave open which of them counts.
fn once<'de, T: Deserialize<'de>, M: MapAccess<'de>>(
    place: &mut Option<T>,
    name: &'static str,
    map: &mut M,
) -> Result<(), M::Error> {
    if place.is_some() {
        return Err(M::Error::duplicate_field(name));
    }
    *place = map.next_value()?;
    Ok(())
}

/// Room for the members that most objects have, so that a list of them is made once.
const USUAL: usize = 8;

fn keep<'de: 'a, 'a, M: MapAccess<'de>>(rest: &mut Members<'a>, key: Str<'de>, map: &mut M) -> Result<(), M::Error> {
    if rest.capacity() == 0 {
        rest.reserve(USUAL);
    }
    rest.push((key, map.next_value()?));
    Ok(())
}

#[derive(Default)]
struct Parts<'a> {
    metadata: Option<Metadata<'a>>,
    spec: Option<Unread<'a>>,
    data: Option<Unread<'a>>,
    rest: Members<'a>,
}

impl<'de: 'a, 'a> Read<'de> for Parts<'a> {
    const WHAT: &'static str = "an object";

    fn take<M: MapAccess<'de>>(&mut self, key: Str<'de>, map: &mut M) -> Result<(), M::Error> {
        match &*key {
            "metadata" => once(&mut self.metadata, "metadata", map),
            "spec" => once(&mut self.spec, "spec", map),
            "data" => once(&mut self.data, "data", map),
            _ => keep(&mut self.rest, key, map),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Parts::deserialize(deserializer)?;
        Ok(Self {
            metadata: parts.metadata.ok_or_else(|| D::Error::missing_field("metadata"))?,
            spec: parts.spec,
            data: parts.data,
            rest: parts.rest,
        })
    }
}

impl<'de: 'a, 'a> Read<'de> for Metadata<'a> {
    const WHAT: &'static str = "metadata";

    fn take<M: MapAccess<'de>>(&mut self, key: Str<'de>, map: &mut M) -> Result<(), M::Error> {
        match &*key {
            "name" => once(&mut self.name, "name", map),
            "annotations" => once(&mut self.annotations, "annotations", map),
            "labels" => once(&mut self.labels, "labels", map),
            _ => keep(&mut self.rest, key, map),
        }
    }
}

impl<'de: 'a, 'a> Read<'de> for Annotations<'a> {
    const WHAT: &'static str = "annotations";

    fn take<M: MapAccess<'de>>(&mut self, key: Str<'de>, map: &mut M) -> Result<(), M::Error> {
        match &*key {
            HELM_RELEASE_NAME => once(&mut self.release_name, HELM_RELEASE_NAME, map),
            HELM_RELEASE_NAMESPACE => once(&mut self.release_namespace, HELM_RELEASE_NAMESPACE, map),
            TRACKING_ANNOTATION => once(&mut self.tracking, TRACKING_ANNOTATION, map),
            ISTIOD_PROBE_ANNOTATION => once(&mut self.always_reject, ISTIOD_PROBE_ANNOTATION, map),
            _ => keep(&mut self.rest, key, map),
        }
    }
}

impl<'de: 'a, 'a> Read<'de> for Labels<'a> {
    const WHAT: &'static str = "labels";

    fn take<M: MapAccess<'de>>(&mut self, key: Str<'de>, map: &mut M) -> Result<(), M::Error> {
        match &*key {
            MANAGED_GATEWAY_LABEL => once(&mut self.managed_gateway, MANAGED_GATEWAY_LABEL, map),
            HELM_OWNER_LABEL => once(&mut self.owner, HELM_OWNER_LABEL, map),
            HELM_NAME_LABEL => once(&mut self.name, HELM_NAME_LABEL, map),
            OWNER_NAMESPACE_LABEL => once(&mut self.installed_in, OWNER_NAMESPACE_LABEL, map),
            REVISION_LABEL => once(&mut self.revision, REVISION_LABEL, map),
            TRACKING_LABEL => once(&mut self.tracking, TRACKING_LABEL, map),
            VERSION_LABEL => once(&mut self.version, VERSION_LABEL, map),
            _ => keep(&mut self.rest, key, map),
        }
    }
}
