//! Versions that operators are asked for: the Sail Operator's kinds, and IstioOperator, which istioctl still reads.

use super::{
    super::{
        codes::Code,
        decide::{Facts, Ruling, Verdict},
        message::one_line,
        review::{Object, Request, Str},
    },
    change::{Change, Part, Stated},
};
use crate::version::{IstioVersion, Minor};
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

/// A kind by which an operator is asked for a version.
#[derive(Clone, Copy, Debug)]
pub struct OperatorKind {
    /// API group.
    pub group: &'static str,
    /// Resource, in every version that is served.
    pub resource: &'static str,
    /// The kind.
    pub kind: &'static str,
    pub(super) part: Part,
}

const SAIL: &str = "sailoperator.io";

const fn sail(resource: &'static str, kind: &'static str, part: Part) -> OperatorKind {
    OperatorKind {
        group: SAIL,
        resource,
        kind,
        part,
    }
}

/// All of them. `spec.version` is api/v1 and api/v1alpha1 of sail-operator; `RemoteIstio` was in its v1alpha1 only.
pub const OPERATOR_KINDS: &[OperatorKind] = &[
    sail("istios", "Istio", Part::Istiod),
    sail("istiorevisions", "IstioRevision", Part::Istiod),
    sail("remoteistios", "RemoteIstio", Part::Istiod),
    sail("istiocnis", "IstioCNI", Part::Node),
    sail("ztunnels", "ZTunnel", Part::Node),
    OperatorKind {
        group: "install.istio.io",
        resource: "istiooperators",
        kind: "IstioOperator",
        part: Part::Istiod,
    },
];

/// The kind that a request is about.
pub(super) fn kind(request: &Request<'_>) -> Option<&'static OperatorKind> {
    OPERATOR_KINDS
        .iter()
        .find(|kind| kind.group == &*request.group && kind.resource == &*request.resource)
}

#[derive(Default, Deserialize)]
struct Spec<'a> {
    #[serde(borrow, default)]
    version: Option<Str<'a>>,
    #[serde(borrow, default)]
    namespace: Option<Str<'a>>,
    #[serde(borrow, default)]
    tag: Option<Tag<'a>>,
    #[serde(borrow, default)]
    components: Option<Components<'a>>,
    #[serde(borrow, default)]
    values: Option<Values<'a>>,
}

/// A tag is of any type in IstioOperator's API; YAML makes numbers of some, which are no tag of any image.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tag<'a> {
    Text(#[serde(borrow)] Str<'a>),
    Other(IgnoredAny),
}

#[derive(Default, Deserialize)]
struct Components<'a> {
    #[serde(borrow, default)]
    pilot: Option<Tagged<'a>>,
}

#[derive(Default, Deserialize)]
struct Values<'a> {
    #[serde(borrow, default)]
    global: Option<Tagged<'a>>,
    #[serde(borrow, default)]
    pilot: Option<Tagged<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tagged<'a> {
    #[serde(borrow, default)]
    tag: Option<Tag<'a>>,
    #[serde(borrow, default)]
    istio_namespace: Option<Str<'a>>,
}

impl<'a> Spec<'a> {
    fn read(object: &Object<'a>) -> Result<Self, serde_json::Error> {
        object
            .spec
            .map_or_else(|| Ok(Self::default()), |spec| serde_json::from_str(spec.get()))
    }

    /// Every version that it names, the one that counts first; empty where the operator chooses.
    fn stated(&self, kind: &OperatorKind) -> Vec<Stated> {
        if kind.group == SAIL {
            return self.version.iter().map(|version| alias(version)).collect();
        }
        let values = self.values.as_ref();
        let tags = [
            self.components
                .as_ref()
                .and_then(|components| components.pilot.as_ref()),
            values.and_then(|values| values.pilot.as_ref()),
        ];
        let global = values.and_then(|values| values.global.as_ref());
        tags.into_iter()
            .flatten()
            .filter_map(|tagged| tagged.tag.as_ref())
            .chain(&self.tag)
            .chain(global.and_then(|global| global.tag.as_ref()))
            .map(|tag| match tag {
                Tag::Text(tag) => IstioVersion::from_image(&format!("image:{}", &**tag)).ok(),
                Tag::Other(_) => None,
            })
            .map(|version| version.map_or(Stated::Unreadable, Stated::Version))
            .collect()
    }

    /// Namespace of the control plane.
    fn home(&self, request: &'a Request<'_>) -> &str {
        let values = self.values.as_ref();
        let global = values.and_then(|values| values.global.as_ref());
        global
            .and_then(|global| global.istio_namespace.as_deref())
            .or(self.namespace.as_deref())
            .unwrap_or(&request.namespace)
    }
}

/// A version of the Sail Operator: `v1.30.3`, or an alias as `v1.30-latest`, of which only the minor is known.
fn alias(text: &str) -> Stated {
    if let Ok(version) = text.parse() {
        return Stated::Version(version);
    }
    let minor = text.strip_prefix('v').unwrap_or(text).split('-').next();
    match minor.and_then(|minor| minor.parse::<Minor>().ok()) {
        Some(minor) => Stated::Latest(minor),
        None => Stated::Unreadable,
    }
}

/// Judges an object of such a kind.
pub(super) fn judge(kind: &OperatorKind, request: &Request<'_>, facts: &Facts, now: Timestamp) -> Verdict {
    let Some(object) = &request.object else {
        return Verdict::Allow;
    };
    let Ok(new) = Spec::read(object) else {
        return unreadable(kind, request);
    };
    // What stood there and cannot be read says nothing, and is about to be replaced.
    let old = request
        .old_object
        .as_ref()
        .map(|old| Spec::read(old).unwrap_or_default());
    let before = old.as_ref().map(|old| old.stated(kind));
    let after = new.stated(kind);
    if before.as_ref() == Some(&after) {
        return Verdict::Allow;
    }
    // Whoever leaves the choice to the operator says nothing about versions; to take back what was said is another thing.
    let silent = before.as_ref().is_none_or(Vec::is_empty) && after.is_empty();
    if silent {
        return Verdict::Allow;
    }
    let before = before.map(|before| before.into_iter().next().unwrap_or(Stated::Unreadable));
    let after = if after.is_empty() {
        vec![Stated::Unreadable]
    } else {
        after
    };
    let mut warning = Verdict::Allow;
    for after in after {
        let change = Change {
            request,
            kind: kind.kind,
            name: None,
            part: kind.part,
            home: new.home(request),
            before: before.clone(),
            source: "it was asked for",
            after,
            may_lack_flavor: false,
            now,
        };
        match change.judge(facts) {
            Verdict::Allow => {}
            warn @ Verdict::Warn(_) => warning = warn,
            deny @ Verdict::Deny(_) => return deny,
        }
    }
    warning
}

/// A specification of other types than the operator takes: never a reason to let it pass.
fn unreadable(kind: &OperatorKind, request: &Request<'_>) -> Verdict {
    let code = Code::UnreadableVersion;
    let message = format!(
        "{code}: the specification of {} {} cannot be read, so that its version cannot be judged",
        kind.kind,
        one_line(request.object_name()),
    );
    Verdict::Deny(Ruling::new(code, message))
}
