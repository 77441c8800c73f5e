//! What of helm's storage and of Istio's ConfigMaps the webhook is asked about: only what was found to be the mesh's, by
//! name, so that no other Secret ever reaches it.
//!
//! The names are literals in a condition that the API server evaluates itself; beside it they stand in an annotation, to
//! be read again and added to.

use super::{
    cel,
    rules::STORAGE_WEBHOOK,
    table::{
        HELM_NAME_LABEL, HELM_OWNER, HELM_OWNER_LABEL, HELM_RELEASE_NAME, HELM_RELEASE_NAMESPACE, HELM_STORAGE_PREFIX,
        KUBECONFIG,
    },
};
use crate::{
    api::{FreezeScope, ObjectName},
    engine::Engine,
    gitops::Followed,
    inventory::Observed,
};
use k8s_openapi::api::admissionregistration::v1::{MatchCondition, ValidatingWebhookConfiguration};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Annotation on the webhook's configuration with what its condition covers, as JSON.
pub const ANNOTATION: &str = "meshupgrade.io/covers";

/// Name of the condition.
const CONDITION: &str = "of-the-mesh";

/// Beginning of the names of further releases of a control plane, as of `istiod-canary` beside `istiod`.
const REVISIONED: &str = "istiod-";

/// Releases and their namespaces in Istio's documentation, for clusters that nobody has looked at.
const DOCUMENTED: &[(&str, &str)] = &[
    ("istio-system", "istio-base"),
    ("istio-system", "istiod"),
    ("istio-system", "istio-cni"),
    ("istio-system", "ztunnel"),
    ("istio-system", "istio-eastwestgateway"),
    ("istio-ingress", "istio-ingress"),
    ("istio-ingress", "istio-ingressgateway"),
    ("istio-egress", "istio-egress"),
];

/// The same for the ConfigMaps that istiod's chart makes.
const DOCUMENTED_CONFIG_MAPS: &[(&str, &str)] = &[
    ("istio-system", "istio"),
    ("istio-system", "istio-sidecar-injector"),
    ("istio-system", "values"),
];

/// What the webhook is asked about beside configuration, components and CRDs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Coverage {
    /// Namespaces of control planes: their canary, releases of further control planes, and the Secrets by which they reach
    /// other clusters.
    pub istio_namespaces: BTreeSet<String>,
    /// ConfigMaps of control planes.
    pub config_maps: BTreeSet<ObjectName>,
    /// Helm releases of Istio's charts: their storage, and what they own.
    pub helm_releases: BTreeSet<ObjectName>,
    /// What istioctl installed, by namespace and revision.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub istioctl: BTreeSet<ObjectName>,
    /// What Argo CD's Applications brought, by the names with which it marks that.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub applications: BTreeSet<String>,
}

impl Coverage {
    /// What Istio's documentation calls everything.
    #[must_use]
    pub fn documented() -> Self {
        let named = |pairs: &[(&str, &str)]| pairs.iter().map(|(namespace, name)| object(namespace, name)).collect();
        Self {
            istio_namespaces: BTreeSet::from(["istio-system".to_owned()]),
            config_maps: named(DOCUMENTED_CONFIG_MAPS),
            helm_releases: named(DOCUMENTED),
            istioctl: BTreeSet::new(),
            applications: BTreeSet::new(),
        }
    }

    /// What was found in a cluster; empty when there is no Istio.
    #[must_use]
    pub fn of_cluster(observed: &Observed) -> Self {
        let planes = &observed.control_planes;
        Self {
            istio_namespaces: planes.iter().map(|plane| plane.workload.namespace.clone()).collect(),
            config_maps: planes
                .iter()
                .flat_map(|plane| {
                    plane
                        .config_maps
                        .iter()
                        .map(|name| object(&plane.workload.namespace, name))
                })
                .collect(),
            helm_releases: observed
                .helm_releases
                .iter()
                .map(|release| object(&release.namespace, &release.name))
                .collect(),
            istioctl: planes
                .iter()
                .filter(|plane| Engine::of_plane(plane) == Engine::Istioctl)
                .map(|plane| object(&plane.workload.namespace, &plane.revision))
                .collect(),
            applications: observed.followed.iter().flat_map(Followed::marks).collect(),
        }
    }

    /// What a freeze needs the webhook to see.
    #[must_use]
    pub fn of_scope(scope: &FreezeScope) -> Self {
        Self {
            istio_namespaces: scope.istio_namespaces.iter().cloned().collect(),
            config_maps: scope.config_maps.iter().cloned().collect(),
            helm_releases: scope.helm_releases.iter().cloned().collect(),
            istioctl: scope.istioctl.iter().cloned().collect(),
            applications: scope.applications.iter().cloned().collect(),
        }
    }

    /// What a configuration covers for certain: only what both its annotation and its condition say.
    #[must_use]
    pub fn of_configuration(configuration: &ValidatingWebhookConfiguration) -> Self {
        let conditions = conditions(configuration);
        Self::noted(configuration)
            .filter(|read| conditions == Some(&vec![read.condition()]))
            .unwrap_or_default()
    }

    /// What was to be covered when the condition was last written, also where another release worded it otherwise.
    #[must_use]
    pub fn noted(configuration: &ValidatingWebhookConfiguration) -> Option<Self> {
        let annotations = configuration.metadata.annotations.as_ref()?;
        serde_json::from_str(annotations.get(ANNOTATION)?).ok()
    }

    /// Whether nothing is covered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.istio_namespaces.is_empty()
            && self.config_maps.is_empty()
            && self.helm_releases.is_empty()
            && self.istioctl.is_empty()
            && self.applications.is_empty()
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.istio_namespaces.extend(other.istio_namespaces);
        self.config_maps.extend(other.config_maps);
        self.helm_releases.extend(other.helm_releases);
        self.istioctl.extend(other.istioctl);
        self.applications.extend(other.applications);
        self
    }

    /// What of `needed` is not covered, each in a few words.
    #[must_use]
    pub fn lacks(&self, needed: &Self) -> Vec<String> {
        let objects = |what: &str, needed: &BTreeSet<ObjectName>, have: &BTreeSet<ObjectName>| -> Vec<String> {
            let missing = needed.difference(have);
            missing
                .map(|one| format!("{what} {}/{}", one.namespace, one.name))
                .collect()
        };
        let mut lacks = objects("helm release", &needed.helm_releases, &self.helm_releases);
        lacks.extend(objects("istioctl's revision", &needed.istioctl, &self.istioctl));
        lacks.extend(objects("ConfigMap", &needed.config_maps, &self.config_maps));
        let applications = needed.applications.difference(&self.applications);
        lacks.extend(applications.map(|application| format!("Application {application}")));
        let namespaces = needed.istio_namespaces.difference(&self.istio_namespaces);
        lacks.extend(namespaces.map(|namespace| format!("namespace {namespace}")));
        lacks
    }

    /// The annotation's value.
    #[must_use]
    pub fn annotation(&self) -> String {
        // Sets of strings are always written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Makes a configuration cover this and nothing else. Returns `false` when it has no webhook for it.
    #[must_use]
    pub fn write(&self, configuration: &mut ValidatingWebhookConfiguration) -> bool {
        let Some(webhook) = configuration
            .webhooks
            .iter_mut()
            .flatten()
            .find(|webhook| is_ours(&webhook.name))
        else {
            return false;
        };
        webhook.match_conditions = Some(vec![self.condition()]);
        let annotations = configuration.metadata.annotations.get_or_insert_default();
        annotations.insert(ANNOTATION.to_owned(), self.annotation());
        true
    }

    /// The condition: true for what is covered, before or after the change.
    #[must_use]
    pub fn condition(&self) -> MatchCondition {
        // Each release once, for all that is asked of it: an expression may have no more than 100,000 characters.
        let releases: Vec<String> = self
            .helm_releases
            .iter()
            .map(|release| cel::list([&release.namespace, &release.name]))
            .collect();
        let namespace = format!("({})", cel::NAMESPACE);
        let here = format!("({namespace} + '/' + o.metadata.name)");
        let config_maps = cel::list(
            self.config_maps.iter().map(path).chain(
                self.istio_namespaces
                    .iter()
                    .map(|namespace| format!("{namespace}/{}", crate::names::CANARY)),
            ),
        );
        let (owner, name) = (cel::literal(HELM_OWNER_LABEL), cel::literal(HELM_NAME_LABEL));
        let named = format!(
            "has(o.metadata.name) && {here}.startsWith(r[0] + {} + r[1] + '.v')",
            cel::literal(&format!("/{HELM_STORAGE_PREFIX}"))
        );
        let labelled = format!(
            "has(o.metadata.labels) && {owner} in o.metadata.labels && o.metadata.labels[{owner}] == {} && \
             {name} in o.metadata.labels && o.metadata.labels[{name}] == r[1] && {namespace} == r[0]",
            cel::literal(HELM_OWNER),
        );
        let (by_name, by_namespace) = (cel::literal(HELM_RELEASE_NAME), cel::literal(HELM_RELEASE_NAMESPACE));
        let owned = format!(
            "has(o.metadata.annotations) && {by_name} in o.metadata.annotations && \
             {by_namespace} in o.metadata.annotations && o.metadata.annotations[{by_name}] == r[1] && \
             o.metadata.annotations[{by_namespace}] == r[0]"
        );
        let storage = "request.resource.resource in ['secrets', 'configmaps']";
        let of_a_release = format!(
            "[{}].exists(r, ({storage} && ({})) || ({owned}))",
            releases.join(", "),
            cel::any([named, labelled])
        );
        let further = format!(
            "{storage} && has(o.metadata.name) && {}.exists(p, {here}.startsWith(p))",
            cel::list(self.further_prefixes())
        );
        let config_map =
            format!("request.resource.resource == 'configmaps' && has(o.metadata.name) && {here} in {config_maps}");
        let of_helm = format!(
            "[object, oldObject].exists(o, o != null && ({}))",
            cel::any([of_a_release, further, config_map])
        );
        let remote_secret = format!(
            "request.resource.resource == 'secrets' && {namespace} in {} && ({} || \
             [object, oldObject].exists(o, o != null && has(o.metadata.name) && o.metadata.name == {}))",
            cel::list(&self.istio_namespaces),
            cel::labelled_remote_secret(),
            cel::literal(KUBECONFIG),
        );
        let mut expressions = vec![of_helm, remote_secret];
        if !self.istioctl.is_empty() {
            expressions.push(cel::istioctl_owned(&self.istioctl));
        }
        if !self.applications.is_empty() {
            expressions.push(cel::application_owned(&self.applications));
        }
        MatchCondition {
            name: CONDITION.to_owned(),
            expression: cel::any(expressions),
        }
    }

    /// Beginnings of `NAMESPACE/NAME` of helm's storage of further control planes.
    fn further_prefixes(&self) -> impl Iterator<Item = String> {
        let namespaces = self.istio_namespaces.iter();
        namespaces.map(|namespace| format!("{namespace}/{HELM_STORAGE_PREFIX}{REVISIONED}"))
    }
}

/// The webhook of a configuration whose condition this is.
fn is_ours(name: &str) -> bool {
    name.strip_prefix(STORAGE_WEBHOOK)
        .is_some_and(|rest| rest.starts_with('.'))
}

fn conditions(configuration: &ValidatingWebhookConfiguration) -> Option<&Vec<MatchCondition>> {
    let mut webhooks = configuration.webhooks.iter().flatten();
    let ours = webhooks.find(|webhook| is_ours(&webhook.name))?;
    ours.match_conditions.as_ref()
}

fn path(object: &ObjectName) -> String {
    format!("{}/{}", object.namespace, object.name)
}

fn object(namespace: &str, name: &str) -> ObjectName {
    ObjectName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
