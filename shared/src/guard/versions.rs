//! The guard on versions, frozen or not: no skip, no downgrade, no other flavor, and nothing unreadable over what was
//! known, whatever tool makes the change.
//!
//! Components are recognised by the container that runs them together with the labels of the pod template that
//! Istio's Services and selectors need: an ordinary application with a container named `discovery` is none, and a
//! control plane stays one when the labels of its own metadata are taken off.

use super::{
    codes::Code,
    decide::{Facts, Ruling, Verdict},
    message::one_line,
    review::{Object, Request, Str},
    table::Operation,
};
use crate::version::{IstioVersion, Move};
use serde::Deserialize;

/// A component whose version is guarded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Istiod,
    Cni,
    Ztunnel,
}

impl Part {
    fn container(self) -> &'static str {
        match self {
            Self::Istiod => "discovery",
            Self::Cni => "install-cni",
            Self::Ztunnel => "istio-proxy",
        }
    }

    /// The component that a pod template's labels belong to.
    fn of(resource: &str, labels: &TemplateLabels<'_>) -> Option<Self> {
        let is = |label: &Option<Str<'_>>, value: &str| label.as_deref() == Some(value);
        match resource {
            "deployments" if is(&labels.app, "istiod") || is(&labels.istio, "pilot") || is(&labels.istio, "istiod") => {
                Some(Self::Istiod)
            }
            "daemonsets" if is(&labels.app, "ztunnel") => Some(Self::Ztunnel),
            "daemonsets" if is(&labels.k8s_app, "istio-cni-node") => Some(Self::Cni),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct WorkloadSpec<'a> {
    #[serde(borrow)]
    template: Template<'a>,
}

#[derive(Deserialize)]
struct Template<'a> {
    #[serde(borrow, default)]
    metadata: Option<TemplateMetadata<'a>>,
    #[serde(borrow, default)]
    spec: Option<PodSpec<'a>>,
}

#[derive(Deserialize)]
struct TemplateMetadata<'a> {
    #[serde(borrow, default)]
    labels: Option<TemplateLabels<'a>>,
}

#[derive(Default, Deserialize)]
struct TemplateLabels<'a> {
    #[serde(borrow, default)]
    app: Option<Str<'a>>,
    #[serde(borrow, default)]
    istio: Option<Str<'a>>,
    #[serde(borrow, default, rename = "k8s-app")]
    k8s_app: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct PodSpec<'a> {
    #[serde(borrow, default)]
    containers: Option<Vec<Container<'a>>>,
}

#[derive(Deserialize)]
struct Container<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    #[serde(borrow, default)]
    image: Option<Str<'a>>,
}

/// A component in an object, and the image of its container if it has that container.
struct Found<'a> {
    part: Part,
    image: Option<Str<'a>>,
}

impl Found<'_> {
    fn version(&self) -> Option<IstioVersion> {
        IstioVersion::from_image(self.image.as_deref()?).ok()
    }
}

/// Judges a request by the versions before and after it.
pub(super) fn judge(request: &Request<'_>, facts: &Facts) -> Verdict {
    let guarded = &*request.group == "apps" && request.subresource.is_empty() && request.operation != Operation::Delete;
    let Some(object) = request.object.as_ref().filter(|_| guarded) else {
        return Verdict::Allow;
    };
    let old = request
        .old_object
        .as_ref()
        .map(|old| find(&request.resource, old))
        .transpose();
    let (Ok(old), Ok(new)) = (old, find(&request.resource, object)) else {
        return unreadable(request);
    };
    let old = old.flatten();
    // A container that was there before and is gone leaves a component without a readable version.
    let has_container = |found: &Option<Found<'_>>| found.as_ref().is_some_and(|found| found.image.is_some());
    if !has_container(&old) && !has_container(&new) {
        return Verdict::Allow;
    }
    let Some(part) = old.as_ref().or(new.as_ref()).map(|found| found.part) else {
        return Verdict::Allow;
    };
    let change = Change {
        request,
        part,
        before: old.as_ref().and_then(Found::version),
        after: new.as_ref().and_then(Found::version),
    };
    change.judge(facts)
}

fn find<'a>(resource: &str, object: &Object<'a>) -> Result<Option<Found<'a>>, serde_json::Error> {
    if resource != "deployments" && resource != "daemonsets" {
        return Ok(None);
    }
    let Some(spec) = object.spec else { return Ok(None) };
    let spec: WorkloadSpec<'a> = serde_json::from_str(spec.get())?;
    let labels = spec
        .template
        .metadata
        .and_then(|metadata| metadata.labels)
        .unwrap_or_default();
    let Some(part) = Part::of(resource, &labels) else {
        return Ok(None);
    };
    let containers = spec.template.spec.and_then(|spec| spec.containers).unwrap_or_default();
    let image = containers
        .into_iter()
        .find(|container| &*container.name == part.container())
        .map(|container| container.image.unwrap_or_default());
    Ok(Some(Found { part, image }))
}

/// A workload that is none as the API server would have sent it: never a reason to let it pass.
fn unreadable(request: &Request<'_>) -> Verdict {
    let code = Code::UnreadableVersion;
    let message = format!(
        "{code}: the pod template of {}/{} cannot be read, so that its version cannot be judged",
        one_line(&request.namespace),
        one_line(request.object_name()),
    );
    Verdict::Deny(Ruling { code, message })
}

struct Change<'a> {
    request: &'a Request<'a>,
    part: Part,
    before: Option<IstioVersion>,
    after: Option<IstioVersion>,
}

impl Change<'_> {
    fn judge(&self, facts: &Facts) -> Verdict {
        let reference = match &self.before {
            Some(before) => Some((before.clone(), "it runs")),
            None => self.reference(facts),
        };
        let Some(after) = &self.after else {
            return match reference {
                Some((before, source)) => self.deny(
                    Code::UnreadableVersion,
                    &format!("goes from {before} ({source}) to an image without a version tag; use one with a tag"),
                ),
                None => Verdict::Warn(self.ruling(
                    Code::UnreadableVersion,
                    "has an image without a version tag: skips and downgrades of it cannot be seen",
                )),
            };
        };
        let Some((before, source)) = reference else {
            return self.judge_flavor(after, facts);
        };
        let says = |what: &str| format!("goes from {before} ({source}) to {after}: {what}");
        match self.movement(&before, after) {
            Move::None | Move::Patch | Move::OneMinor => Verdict::Allow,
            Move::Skip => self.deny(
                Code::SkipVersion,
                &says("Istio is upgraded one minor at a time. See: kubectl mesh-upgrade plan"),
            ),
            Move::Downgrade => self.deny(
                Code::Downgrade,
                &says("a mesh never goes back to an older Istio. See: kubectl mesh-upgrade list"),
            ),
            Move::OtherFlavor => self.deny(
                Code::MixedFlavor,
                &says("a mesh keeps the flavor of its Istio. See: kubectl mesh-upgrade list"),
            ),
        }
    }

    /// What the move amounts to. A node component that is new beside a control plane may differ from it by a minor.
    fn movement(&self, before: &IstioVersion, after: &IstioVersion) -> Move {
        let movement = Move::between(before, after);
        if self.before.is_some() || self.part == Part::Istiod || movement == Move::OtherFlavor {
            return movement;
        }
        match before.minor().distance(after.minor()) {
            Some(-1..=1) => Move::None,
            Some(..=-2) => Move::Downgrade,
            _ => Move::Skip,
        }
    }

    /// What to compare with where the object itself says nothing: the newest control plane of the same namespace,
    /// and after a deletion what the Mesh object recorded.
    fn reference(&self, facts: &Facts) -> Option<(IstioVersion, &'static str)> {
        let namespace = &*self.request.namespace;
        let planes = facts.control_planes.iter().filter(|plane| plane.namespace == namespace);
        let newest = planes
            .filter_map(|plane| plane.version.as_ref())
            .max_by(|a, b| a.cmp_release(b));
        if let Some(version) = newest {
            return Some((version.clone(), "the newest control plane of its namespace"));
        }
        let meshes = facts.meshes.iter().filter(|mesh| mesh.istio_namespace == namespace);
        let recorded = meshes
            .filter_map(|mesh| mesh.version.as_ref())
            .max_by(|a, b| a.cmp_release(b));
        recorded.map(|version| (version.clone(), "recorded of its mesh"))
    }

    /// Without any version to compare with, a Mesh object still says whose builds it takes.
    fn judge_flavor(&self, after: &IstioVersion, facts: &Facts) -> Verdict {
        let mut meshes = facts
            .meshes
            .iter()
            .filter(|mesh| mesh.istio_namespace == *self.request.namespace);
        match meshes.find(|mesh| mesh.flavor != after.flavor) {
            Some(mesh) => self.deny(
                Code::MixedFlavor,
                &format!(
                    "has version {after}, but mesh \"{}\" takes builds of flavor {}. See: kubectl mesh-upgrade list",
                    one_line(&mesh.name),
                    mesh.flavor
                ),
            ),
            None => Verdict::Allow,
        }
    }

    fn deny(&self, code: Code, says: &str) -> Verdict {
        Verdict::Deny(self.ruling(code, says))
    }

    fn ruling(&self, code: Code, says: &str) -> Ruling {
        let kind = if self.part == Part::Istiod {
            "Deployment"
        } else {
            "DaemonSet"
        };
        let message = format!(
            "{code}: {kind} {}/{} {says}",
            one_line(&self.request.namespace),
            one_line(self.request.object_name()),
        );
        Ruling { code, message }
    }
}
