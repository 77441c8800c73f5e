//! Versions in helm's storage: helm writes a release before it changes anything, so that a foreign upgrade, rollback or
//! second installation ends here, with everything as it was.

use super::{
    super::{
        codes::Code,
        decide::{Facts, Ruling, Verdict},
        message::one_line,
        review::{Object, Request, Str, Unread},
        table::{HELM_OWNER, HELM_STORAGE_PREFIX},
    },
    change::{Change, Part, Stated},
};
use crate::{
    api::Component,
    helm::{Installs, ReleaseError, VersionSource, decode_versions},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

/// Helm's storage, as far as the release in it.
#[derive(Default, Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    release: Option<Str<'a>>,
}

/// Whether an object is one of helm's storage, by its name or by the label by which helm finds it.
fn is_storage(object: &Object<'_>) -> bool {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let owner = object
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.owner.as_deref());
    name.starts_with(HELM_STORAGE_PREFIX) || owner == Some(HELM_OWNER)
}

/// Judges a Secret or a ConfigMap.
pub(super) fn judge(request: &Request<'_>, facts: &Facts, now: Timestamp) -> Verdict {
    let Some(object) = request.object.as_ref().filter(|_| request.objects().any(is_storage)) else {
        return Verdict::Allow;
    };
    let new = match payload(object) {
        // Without a release there is nothing that helm could make anything of.
        Ok(None) => return Verdict::Allow,
        // Other labels on the same release.
        Ok(Some(_)) if request.old_object.as_ref().and_then(raw) == raw(object) => return Verdict::Allow,
        Ok(Some(payload)) => payload,
        Err(()) => return unreadable(request, object, None),
    };
    let installs = match decode(request, &new) {
        Ok(None) => return Verdict::Allow,
        Ok(Some(installs)) => installs,
        Err(error) => return unreadable(request, object, Some(&error)),
    };
    let old = request.old_object.as_ref().and_then(|old| payload(old).ok().flatten());
    let old = old.and_then(|old| decode(request, &old).ok().flatten());
    // Helm marks revisions as superseded long after newer ones run: what they installed is as it was.
    if old.as_ref() == Some(&installs) {
        return Verdict::Allow;
    }
    let name = release_name(object);
    let source = installs.source;
    let known = old
        .map(|old| stated(old.version.ok()))
        .or_else(|| running(&request.namespace, name, installs.component, facts));
    // Without a control plane here no image tells a version: charts are compared.
    let injector = known
        .is_none()
        .then(|| injector(&request.namespace, name, facts))
        .flatten();
    let after = if injector.is_some() {
        installs.chart
    } else {
        installs.version
    };
    let is_of_chart = injector.is_some() || source == VersionSource::Chart;
    let change = Change {
        request,
        kind: "helm release",
        name: Some(name),
        part: match installs.component {
            Component::Base => Part::Base,
            Component::Istiod => Part::Istiod,
            // A vendor's chart is none of Istio's, and so never comes here.
            Component::Cni | Component::Ztunnel | Component::Vendor => Part::Node,
            Component::Gateway => Part::Gateway,
        },
        home: &request.namespace,
        source: if injector.is_some() {
            "of its injector"
        } else {
            "it runs"
        },
        before: known.or(injector),
        may_lack_flavor: is_of_chart,
        after: stated(after.ok()),
        now,
    };
    change.judge(facts)
}

fn raw<'a>(object: &Object<'a>) -> Option<&'a str> {
    object.data.map(Unread::get)
}

fn stated(version: Option<crate::version::IstioVersion>) -> Stated {
    version.map_or(Stated::Unreadable, Stated::Version)
}

/// What a release runs now, out of the workloads that name it.
fn running(namespace: &str, name: &str, component: Component, facts: &Facts) -> Option<Stated> {
    let is_its = |release: &Option<(String, String)>| is_of(release, namespace, name);
    let versions: Vec<_> = match component {
        Component::Istiod => {
            let planes = facts.control_planes.iter().filter(|plane| is_its(&plane.release));
            planes.map(|plane| plane.version.clone()).collect()
        }
        Component::Cni | Component::Ztunnel => {
            let nodes = facts.node_components.iter().filter(|node| is_its(&node.release));
            nodes.map(|node| node.version.clone()).collect()
        }
        Component::Base | Component::Vendor | Component::Gateway => Vec::new(),
    };
    let newest = versions.into_iter().max_by(|a, b| match (a, b) {
        (Some(a), Some(b)) => a.cmp_release(b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    newest.map(stated)
}

fn is_of(release: &Option<(String, String)>, namespace: &str, name: &str) -> bool {
    let release = release.as_ref();
    release.is_some_and(|(in_namespace, release)| in_namespace == namespace && release == name)
}

/// What a release installed of a control plane that runs in another cluster.
fn injector(namespace: &str, name: &str, facts: &Facts) -> Option<Stated> {
    let found = facts
        .injectors
        .iter()
        .find(|injector| is_of(&injector.release, namespace, name))?;
    Some(stated(found.version.clone()))
}

fn payload<'a>(object: &Object<'a>) -> Result<Option<Str<'a>>, ()> {
    let Some(data) = object.data else { return Ok(None) };
    let data: Option<Data<'a>> = serde_json::from_str(data.get()).map_err(drop)?;
    Ok(data.and_then(|data| data.release).filter(|release| !release.is_empty()))
}

/// A Secret's contents are in Kubernetes' own base64; a ConfigMap's are not.
fn decode(request: &Request<'_>, payload: &str) -> Result<Option<Installs>, ReleaseError> {
    if &*request.resource == "secrets" {
        let payload = STANDARD.decode(payload).map_err(|_| ReleaseError::NotGzip)?;
        decode_versions(&payload)
    } else {
        decode_versions(payload.as_bytes())
    }
}

/// The release's name: helm finds it by the label, and calls its storage by it.
fn release_name<'a>(object: &'a Object<'_>) -> &'a str {
    let labels = object.metadata.labels.as_ref();
    if let Some(name) = labels.and_then(|labels| labels.name.as_deref()) {
        return name;
    }
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let name = name.strip_prefix(HELM_STORAGE_PREFIX).unwrap_or(name);
    name.rsplit_once(".v").map_or(name, |(name, _)| name)
}

/// What helm itself could not read is never a reason to let it pass; the reason has nothing of the contents.
fn unreadable(request: &Request<'_>, object: &Object<'_>, error: Option<&ReleaseError>) -> Verdict {
    let code = Code::UnreadableVersion;
    let why = error.map_or_else(|| "its data is no text".to_owned(), ToString::to_string);
    let message = format!(
        "{code}: helm release {}/{} cannot be read, so that its version cannot be judged: {why}",
        one_line(&request.namespace),
        one_line(release_name(object)),
    );
    Verdict::Deny(Ruling::new(code, message))
}
