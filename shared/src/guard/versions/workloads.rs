//! Versions in pod templates: istiod, the CNI agent, ztunnel, and gateways whose proxy is pinned.
//!
//! Components are recognised by the container that runs them together with the labels of the pod template that
//! Istio's Services and selectors need: an ordinary application with a container named `discovery` is none, and a
//! control plane stays one when the labels of its own metadata are taken off.

use super::{
    super::{
        codes::Code,
        decide::{Facts, Ruling, Verdict},
        message::one_line,
        review::{Object, Request, Str},
        table::Operation,
    },
    change::{Change, Part, Stated},
};
use crate::version::IstioVersion;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

/// Image of a proxy that istiod puts in when the pod is made.
const INJECTED: &str = "auto";
/// The proxy of a gateway, and ztunnel.
const PROXY: &str = "istio-proxy";

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

#[derive(Default, Deserialize)]
struct TemplateMetadata<'a> {
    #[serde(borrow, default)]
    labels: Option<TemplateLabels<'a>>,
    #[serde(borrow, default)]
    annotations: Option<TemplateAnnotations<'a>>,
}

/// Labels are in the selector, too, which nobody can change: what is told by them stays told.
#[derive(Default, Deserialize)]
struct TemplateLabels<'a> {
    #[serde(borrow, default)]
    app: Option<Str<'a>>,
    #[serde(borrow, default)]
    istio: Option<Str<'a>>,
    #[serde(borrow, default, rename = "k8s-app")]
    k8s_app: Option<Str<'a>>,
    #[serde(borrow, default, rename = "gateway.networking.k8s.io/gateway-name")]
    gateway: Option<Str<'a>>,
    #[serde(borrow, default, rename = "istio.io/gateway-name")]
    old_gateway: Option<Str<'a>>,
}

#[derive(Default, Deserialize)]
struct TemplateAnnotations<'a> {
    #[serde(borrow, default, rename = "inject.istio.io/templates")]
    templates: Option<Str<'a>>,
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

/// A component, by the container that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Component {
    Istiod,
    Cni,
    Ztunnel,
    Gateway,
}

impl Component {
    fn container(self) -> &'static str {
        match self {
            Self::Istiod => "discovery",
            Self::Cni => "install-cni",
            Self::Ztunnel | Self::Gateway => PROXY,
        }
    }

    fn part(self) -> Part {
        match self {
            Self::Istiod => Part::Istiod,
            Self::Cni | Self::Ztunnel => Part::Node,
            Self::Gateway => Part::Gateway,
        }
    }
}

/// A pod template, as far as it tells a component.
struct Pods<'a> {
    metadata: TemplateMetadata<'a>,
    containers: Vec<Container<'a>>,
}

impl<'a> Pods<'a> {
    fn read(object: &Object<'a>) -> Result<Option<Self>, serde_json::Error> {
        let Some(spec) = object.spec else { return Ok(None) };
        let spec: WorkloadSpec<'a> = serde_json::from_str(spec.get())?;
        Ok(Some(Self {
            metadata: spec.template.metadata.unwrap_or_default(),
            containers: spec.template.spec.and_then(|spec| spec.containers).unwrap_or_default(),
        }))
    }

    fn component(&self, resource: &str) -> Option<Component> {
        let none = TemplateLabels::default();
        let labels = self.metadata.labels.as_ref().unwrap_or(&none);
        let is = |label: &Option<Str<'_>>, value: &str| label.as_deref() == Some(value);
        match resource {
            "deployments" if is(&labels.app, "istiod") || is(&labels.istio, "pilot") || is(&labels.istio, "istiod") => {
                Some(Component::Istiod)
            }
            "daemonsets" if is(&labels.app, "ztunnel") => Some(Component::Ztunnel),
            "daemonsets" if is(&labels.k8s_app, "istio-cni-node") => Some(Component::Cni),
            _ if self.is_gateway() => Some(Component::Gateway),
            _ => None,
        }
    }

    /// A gateway of Istio's chart, one that istiod manages, or nothing but a proxy. An application with a sidecar is
    /// none, also when the sidecar was put in by hand.
    fn is_gateway(&self) -> bool {
        if !self.containers.iter().any(|container| &*container.name == PROXY) {
            return false;
        }
        let labelled =
            self.metadata.labels.as_ref().is_some_and(|labels| {
                labels.istio.is_some() || labels.gateway.is_some() || labels.old_gateway.is_some()
            });
        let annotations = self.metadata.annotations.as_ref();
        let templates = annotations.and_then(|annotations| annotations.templates.as_deref());
        let templated = templates.is_some_and(|templates| templates.split(',').any(|one| one.trim() == "gateway"));
        labelled || templated || self.containers.len() == 1
    }

    fn image(&self, container: &str) -> Option<&str> {
        let container = self.containers.iter().find(|one| &*one.name == container)?;
        Some(container.image.as_deref().unwrap_or_default())
    }
}

/// Judges a Deployment or a DaemonSet.
pub(super) fn judge(request: &Request<'_>, facts: &Facts, now: Timestamp) -> Verdict {
    let Some(object) = &request.object else {
        return Verdict::Allow;
    };
    let old = request.old_object.as_ref().map(Pods::read).transpose();
    let (Ok(old), Ok(new)) = (old, Pods::read(object)) else {
        return unreadable(request);
    };
    let old = old.flatten();
    let component = |pods: &Option<Pods<'_>>| pods.as_ref().and_then(|pods| pods.component(&request.resource));
    let Some(component) = component(&old).or_else(|| component(&new)) else {
        return Verdict::Allow;
    };
    let container = component.container();
    let before = old.as_ref().and_then(|pods| pods.image(container));
    let after = new.as_ref().and_then(|pods| pods.image(container));
    // Scaled or restarted; and a gateway may be given up. What is new and runs its component in a container of another
    // name has no version that can be read.
    let given_up = after.is_none() && component == Component::Gateway;
    let is_unknown = after.is_none() && request.operation == Operation::Create;
    if (before == after && !is_unknown) || given_up {
        return Verdict::Allow;
    }
    if component == Component::Gateway && is_istiods_own(request, facts) {
        return Verdict::Allow;
    }
    // A control plane whose template loses the labels loses its version with them: istiod would be found no more.
    let still = new.as_ref().and_then(|pods| pods.component(&request.resource)) == Some(component);
    let change = Change {
        request,
        kind: if &*request.resource == "daemonsets" {
            "DaemonSet"
        } else {
            "Deployment"
        },
        name: None,
        part: component.part(),
        home: &request.namespace,
        before: before.map(stated),
        source: "it runs",
        after: match after {
            Some(image) if still || component == Component::Gateway => stated(image),
            _ => Stated::Unreadable,
        },
        may_lack_flavor: false,
        now,
    };
    change.judge(facts)
}

/// Whether istiod writes a gateway that it manages: what it makes follows from its own version, which is guarded.
fn is_istiods_own(request: &Request<'_>, facts: &Facts) -> bool {
    let managed = request.objects().all(|object| {
        let labels = object.metadata.labels.as_ref();
        labels.is_some_and(|labels| labels.managed_gateway.is_some())
    });
    managed
        && facts
            .control_planes
            .iter()
            .any(|plane| *plane.user == *request.username)
}

fn stated(image: &str) -> Stated {
    if image == INJECTED {
        return Stated::Injected;
    }
    IstioVersion::from_image(image).map_or(Stated::Unreadable, Stated::Version)
}

/// A workload that is none as the API server would have sent it: never a reason to let it pass.
fn unreadable(request: &Request<'_>) -> Verdict {
    let code = Code::UnreadableVersion;
    let message = format!(
        "{code}: the pod template of {}/{} cannot be read, so that its version cannot be judged",
        one_line(&request.namespace),
        one_line(request.object_name()),
    );
    Verdict::Deny(Ruling::new(code, message))
}
