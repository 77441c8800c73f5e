//! Values of a followed object that pin what runs, so that a new chart alone would go on bringing the old version. Nothing
//! else of the values is kept, because anything else may be secret.

use super::{Followed, FollowedKind};
use crate::{
    api::{Component, PlanStep},
    helm::{ReleaseSettings, TAG_KEYS, moved_tag},
    version::IstioVersion,
    yaml,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Keys of Istio's charts that name an image; with a slash in it, it stands for all of the reference.
const IMAGE_KEYS: [&[&str]; 7] = [
    &["image"],
    &["pilot", "image"],
    &["pilot", "cni", "image"],
    &["cni", "image"],
    &["ztunnel", "image"],
    &["global", "proxy", "image"],
    &["global", "proxy_init", "image"],
];

/// What such a value says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Says {
    /// A tag that is a version.
    Tag(String),
    /// An image of its own, with the version that its tag tells.
    Image(Option<String>),
    /// A tag that is none.
    Else,
}

/// Whether the values of a component's chart decide images: definitions have none, and a gateway's is injected.
pub(super) fn runs_images(component: Option<Component>) -> bool {
    matches!(component, Some(Component::Istiod | Component::Cni | Component::Ztunnel))
}

/// A value that pins what a component runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Fields of the object down to it, as [`Source::path`](super::Source::path).
    path: Vec<String>,
    /// What stands beside it and tells which one is meant.
    beside: Vec<(String, String)>,
    /// Its key among the values, as `global.tag`.
    key: String,
    says: Says,
}

impl Pin {
    /// Whether it decides an image of a component.
    fn is_about(&self, component: Option<Component>) -> bool {
        let mut words = self.key.split('.');
        let of = match (words.next(), words.next()) {
            (Some("cni"), _) | (Some("pilot"), Some("cni")) => Component::Cni,
            (Some("pilot"), _) | (Some("global"), Some("proxy" | "proxy_init")) => Component::Istiod,
            (Some("ztunnel"), _) => Component::Ztunnel,
            _ => return runs_images(component),
        };
        component == Some(of)
    }

    /// Whether it lets the target run.
    fn lets(&self, to: &str) -> bool {
        match &self.says {
            Says::Tag(version) | Says::Image(Some(version)) => {
                let [told, to] = [version.as_str(), to].map(|version| version.parse::<IstioVersion>().ok());
                told.is_some() && told == to
            }
            Says::Image(None) | Says::Else => false,
        }
    }

    /// The old tag and the new one, where one takes the place of the other.
    fn moves(&self, from: &str, to: &str) -> Option<(&str, String)> {
        match &self.says {
            Says::Tag(tag) if !self.lets(to) => Some((tag, moved_tag(tag, from, to)?)),
            _ => None,
        }
    }
}

/// Pinned values out of helm's, by their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pinned(Vec<(String, Says)>);

impl<'de> Deserialize<'de> for Pinned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|values| Self::of(&values))
    }
}

impl Pinned {
    fn of(values: &Value) -> Self {
        let keys = TAG_KEYS.iter().chain(&IMAGE_KEYS);
        let pinned = keys.filter_map(|path| {
            let value = path.iter().try_fold(values, |value, key| value.get(key))?;
            let key = path.join(".");
            says(&key, value).map(|says| (key, says))
        });
        Self(pinned.collect())
    }

    /// The same of values that are a text of YAML; `None` of what cannot be read.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let values: Option<Value> = yaml::as_go_reads(text).ok()?;
        Some(values.map(|values| Self::of(&values)).unwrap_or_default())
    }

    /// The same with their place in an object.
    pub(super) fn below<'p>(&'p self, path: &'p [&str]) -> impl Iterator<Item = Pin> + use<'p> {
        self.0.iter().map(move |(key, says)| Pin {
            path: path.iter().copied().chain(key.split('.')).map(str::to_owned).collect(),
            beside: Vec::new(),
            key: key.clone(),
            says: says.clone(),
        })
    }
}

/// A value that is set by its key, as Argo CD's parameters are; `None` within for one that pins nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameter(Option<(String, Says)>);

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(default)]
            name: String,
            #[serde(default)]
            value: Value,
        }
        let Named { name, value } = Named::deserialize(deserializer)?;
        let mut keys = TAG_KEYS.iter().chain(&IMAGE_KEYS);
        let is_known = keys.any(|path| path.join(".") == name);
        let says = says(&name, &value).filter(|_| is_known);
        Ok(Self(says.map(|says| (name, says))))
    }
}

impl Parameter {
    /// The same with its place in an object.
    pub(super) fn at(&self, path: &[&str]) -> Option<Pin> {
        let (key, says) = self.0.clone()?;
        Some(Pin {
            path: path.iter().copied().chain(["value"]).map(str::to_owned).collect(),
            beside: vec![("name".to_owned(), key.clone())],
            key,
            says,
        })
    }
}

/// What a value pins; `None` where that is nothing.
fn says(key: &str, value: &Value) -> Option<Says> {
    let is_image = key.rsplit('.').next() == Some("image");
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(image) if is_image => image
            .contains('/')
            .then(|| Says::Image(IstioVersion::from_image(image).ok().map(|told| told.to_string()))),
        _ if is_image => None,
        Value::String(tag) if tag.parse::<IstioVersion>().is_ok() => Some(Says::Tag(tag.clone())),
        _ => Some(Says::Else),
    }
}

/// A tag that moves with the version of the chart.
pub(super) struct Moving<'f> {
    /// Fields down to it.
    pub(super) path: &'f [String],
    /// What stands beside it.
    pub(super) beside: &'f [(String, String)],
    /// What stands there.
    pub(super) old: &'f str,
    /// What has to.
    pub(super) new: String,
}

/// Tags of an object that move with the version of the chart.
pub(super) fn moving<'f>(followed: &'f Followed, from: &'f str, to: &'f str) -> impl Iterator<Item = Moving<'f>> {
    let component = followed.component();
    let about = followed.pins.iter().filter(move |pin| pin.is_about(component));
    about.filter_map(move |pin| {
        let (old, new) = pin.moves(from, to)?;
        Some(Moving {
            path: &pin.path,
            beside: &pin.beside,
            old,
            new,
        })
    })
}

/// The same of what the release runs with and the object does not say itself, as `key=value`.
pub(super) fn moving_elsewhere(followed: &Followed, settings: &ReleaseSettings, from: &str, to: &str) -> Vec<String> {
    let is_own = |pin: &String| {
        let key = pin.split('=').next();
        followed.pins.iter().any(|own| Some(own.key.as_str()) == key)
    };
    settings.pins(from, to).into_iter().filter(|pin| !is_own(pin)).collect()
}

/// What would go on running in the place of a step's target, because the object's own values say so; `None` where the target
/// would run, or where the change to be merged moves what they say.
#[must_use]
pub fn pinned(followed: &Followed, step: &PlanStep) -> Option<String> {
    let is_stuck = |pin: &&Pin| {
        // What is not merged, but told by this tool, moves nothing beside the version.
        let moves = || !matches!(followed.kind, FollowedKind::Sail(_)) && pin.moves(&step.from, &step.to).is_some();
        pin.is_about(Some(step.component)) && !pin.lets(&step.to) && !moves()
    };
    let pin = followed.pins.iter().find(is_stuck)?;
    Some(format!(
        "{} would not come to run {}: its {} pins what runs by {}; take that out first",
        followed.told(),
        step.to,
        pin.path.join("."),
        pin.key
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gitops::{SailKind, patch, sample, tests::steps},
        inventory::Inventory,
    };
    use serde_json::json;

    /// The step of istiod, and the object that brings it, with these values.
    fn istiod(mut inventory: Inventory, followed: Followed) -> (PlanStep, Followed) {
        let observed = inventory.seen(0);
        let place = observed.followed.iter().position(|one| one.told() == followed.told());
        observed.followed[place.unwrap()] = followed.clone();
        let mut steps = steps(&inventory);
        steps.retain(|step| step.component == Component::Istiod);
        (steps.remove(0), followed)
    }

    fn by_flux(values: &Value) -> (PlanStep, Followed) {
        let object = sample::helm_release_of("istiod", "istiod", "1.30.3", |it| {
            it["spec"]["values"] = values.clone();
            it["spec"]["valuesFrom"] = json!([{"kind": "Secret", "name": "more"}]);
        });
        istiod(sample::by_flux("1.30.3"), object)
    }

    #[test]
    fn pinned_tags_are_merged_with_the_chart() {
        let values = json!({"global": {"hub": "registry/istio", "tag": "1.30.3-distroless"}, "cni": {"tag": "1.30.3"}});
        let (step, followed) = by_flux(&values);
        let chart = "--- HelmRelease istio-system/istiod\n+++ HelmRelease istio-system/istiod\n spec:\n   chart:\n     spec:\n\
                     \x20      chart: istiod\n-      version: 1.30.3\n+      version: 1.31.0\n";
        let tag = "--- HelmRelease istio-system/istiod\n+++ HelmRelease istio-system/istiod\n spec:\n   values:\n\
                   \x20    global:\n-      tag: 1.30.3-distroless\n+      tag: 1.31.0-distroless\n";
        assert_eq!(pinned(&followed, &step), None);
        let none = ReleaseSettings::default();
        assert_eq!(patch(&followed, Some(&none), &step), format!("{chart}{tag}"));
        // Out of the Secret comes what only the release tells.
        let all = json!({"global": {"tag": "1.30.3-distroless"}, "pilot": {"tag": "1.30.3"}});
        let settings = ReleaseSettings::read(&all, false);
        let merge = patch(&followed, Some(&settings), &step);
        assert!(
            merge.ends_with("# of values that stand elsewhere (spec.valuesFrom): pilot.tag=1.31.0\n"),
            "{merge}"
        );
        // The chart alone was merged.
        let half = sample::helm_release_of("istiod", "istiod", "1.31.0", |it| it["spec"]["values"] = values);
        assert_eq!(patch(&half, None, &step), tag);
    }

    #[test]
    fn argo_cds_values_are_read_wherever_they_stand() {
        let text = "global:\n  tag: 1.30.3\nsecret: hunter2\n";
        for (helm, expected) in [
            (
                json!({"valuesObject": {"global": {"tag": "1.30.3"}}}),
                "     helm:\n       valuesObject:\n",
            ),
            (
                json!({"values": text}),
                "     helm:\n       values: |\n         global:\n-          tag: 1.30.3\n",
            ),
            (
                json!({"parameters": [{"name": "x"}, {"name": "global.tag", "value": "1.30.3"}]}),
                "       parameters:\n       - # the one of index 1\n         name: global.tag\n-        value: 1.30.3\n",
            ),
            (
                json!({"valueFiles": ["$values/istiod.yaml"]}),
                "# values that stand elsewhere (spec.source.helm.valueFiles)",
            ),
            // A key that stands twice is no reason for Argo CD to stop, and so none not to look.
            (
                json!({"values": format!("{text}secret: other\n")}),
                "     helm:\n       values: |\n         global:\n-          tag: 1.30.3\n",
            ),
            // What is not read may pin anything.
            (
                json!({"values": "password: [hunter2"}),
                "# values that stand elsewhere (spec.source.helm.values)",
            ),
            (json!({"values": "# none"}), "targetRevision: 1.31.0\n"),
            (json!(null), "targetRevision: 1.31.0\n"),
        ] {
            let object = sample::application_of("istiod", "1.30.3", |it| it["spec"]["source"]["helm"] = helm.clone());
            let (step, followed) = istiod(sample::by_argo_cd("1.30.3"), object);
            let merge = patch(&followed, None, &step);
            assert!(merge.contains(expected), "{helm}: {merge}");
            assert!(!format!("{followed:?}").contains("hunter2"), "{helm}");
        }
    }

    #[test]
    fn what_cannot_be_moved_is_refused() {
        for (values, expected) in [
            (json!({}), ""),
            (json!({"global": {"tag": "1.31.0"}}), ""),
            (json!({"pilot": {"image": "our-pilot", "tag": ""}}), ""),
            (json!({"pilot": {"image": "registry/istio/pilot:1.31.0"}}), ""),
            (json!({"ztunnel": {"tag": "hunter2"}}), ""),
            (json!({"pilot": {"tag": "hunter2"}}), "its spec.values.pilot.tag pins"),
            (json!({"tag": 1.30}), "its spec.values.tag pins"),
            (json!({"global": {"tag": "1.29.1"}}), "its spec.values.global.tag pins"),
            (
                json!({"pilot": {"image": "r/pilot@sha256:00"}}),
                "its spec.values.pilot.image pins",
            ),
            (
                json!({"global": {"proxy": {"image": "r/proxyv2:1.30.3"}}}),
                "its spec.values.global.proxy.image pins",
            ),
            (
                json!({"global": {"proxy_init": {"image": "r/proxyv2:1.30.3"}}}),
                "its spec.values.global.proxy_init.image pins",
            ),
            (json!({"global": {"proxy_init": {"image": "proxyv2"}}}), ""),
        ] {
            let (step, followed) = by_flux(&values);
            let why = pinned(&followed, &step).unwrap_or_default();
            assert!(
                why.contains(expected) && why.is_empty() == expected.is_empty(),
                "{values}: {why}"
            );
            assert!(!format!("{followed:?} {why}").contains("hunter2"), "{values}");
        }
    }

    #[test]
    fn the_sail_operators_objects_must_not_pin_at_all() {
        for (values, expected) in [
            (json!({"global": {"hub": "registry/istio"}}), ""),
            (
                json!({"global": {"tag": "1.30.3"}}),
                "Istio default would not come to run 1.31.0",
            ),
            (
                json!({"pilot": {"image": "r/pilot:1.30.3"}}),
                "its spec.values.pilot.image pins",
            ),
        ] {
            let object = sample::sail(SailKind::Istio, "1.30.3", |it| it["spec"]["values"] = values.clone());
            let (step, followed) = istiod(sample::by_sail("1.30.3"), object);
            let why = pinned(&followed, &step).unwrap_or_default();
            assert!(
                why.contains(expected) && why.is_empty() == expected.is_empty(),
                "{values}: {why}"
            );
        }
    }
}
