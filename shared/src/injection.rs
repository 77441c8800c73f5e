//! Where a pod that asks for injection can be tried in a dry run: namespaces, and the labels that make the injector's
//! webhooks select the pod.
//!
//! Source of the selectors: Istio's chart `istiod`, `templates/mutatingwebhook.yaml` and `revision-tags-mwc.yaml` of
//! release 1.31, unchanged since 1.12.

use std::collections::{BTreeMap, BTreeSet};

/// Label by which a namespace joins the default revision.
const NAMESPACE_INJECTION: &str = "istio-injection";
/// Label by which a namespace or a pod chooses a revision or a tag.
const REVISION: &str = "istio.io/rev";
/// Label by which a pod asks for injection.
const POD_INJECTION: &str = "sidecar.istio.io/inject";
/// Label of the Pod Security level that a namespace enforces.
const POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";
/// The revision of a control plane without a name, and the tag that makes another one the default.
const DEFAULT: &str = "default";
/// Name of the ConfigMap with the injector's templates; that of a named revision ends with it.
const TEMPLATES: &str = "istio-sidecar-injector";

/// Namespaces in which istiod never injects (Istio's `pkg/kube/inject`, `IgnoredNamespaces`).
const IGNORED: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// How many namespaces are worth a try: each may refuse the pod for reasons of its own, as a quota.
const MOST: usize = 5;
/// Rank of a namespace whose Pod Security refuses the sidecar's init container.
const REFUSED: u8 = 3;

/// A namespace, as far as injection looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is being deleted, and so takes no new pod.
    pub terminating: bool,
}

/// A place to try, and what the pod has to bear there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The namespace.
    pub namespace: String,
    /// Labels of the pod.
    pub pod_labels: BTreeMap<String, String>,
}

/// The names under which a control plane injects: its revision and the tags that point to it.
#[must_use]
pub fn names<'a>(revision: &'a str, tags: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    tags.into_iter().chain([revision]).collect()
}

/// Whether the istiod of a revision serves injection: without its templates it does not, as with
/// `omitSidecarInjectorConfigMap`, and Istio's charts still bring the webhook that would call it (Istio's
/// `pilot/pkg/bootstrap/sidecarinjector.go`). Where not even the mesh configuration is among its ConfigMaps, they could not be
/// read, and nothing is known.
#[must_use]
pub fn is_served(config_maps: &[String], revision: &str) -> bool {
    let mut names = config_maps.iter();
    config_maps.is_empty()
        || names.any(|name| match name.strip_prefix(TEMPLATES) {
            Some("") => revision == DEFAULT,
            Some(rest) => rest.strip_prefix('-') == Some(revision),
            None => false,
        })
}

/// Places where a control plane with these names has to inject, the likeliest first, at most five. Its `own` namespace is one
/// of them where it can be, because what it runs there no policy of an application's namespace refuses. Empty when every
/// namespace belongs to another revision or is kept from injection.
#[must_use]
pub fn candidates(namespaces: &[Namespace], names: &BTreeSet<&str>, own: &str) -> Vec<Candidate> {
    let mut found: Vec<(u8, Candidate)> = namespaces
        .iter()
        .filter(|namespace| !namespace.terminating && !IGNORED.contains(&namespace.name.as_str()))
        .filter_map(|namespace| {
            let pod_labels = pod_labels(namespace, names)?;
            let candidate = Candidate {
                namespace: namespace.name.clone(),
                pod_labels,
            };
            Some((rank(namespace, own), candidate))
        })
        .collect();
    found.sort_by(|(a, one), (b, other)| (a, &one.namespace).cmp(&(b, &other.namespace)));
    let shut_out = found
        .iter()
        .skip(MOST)
        .find(|(rank, candidate)| *rank < REFUSED && candidate.namespace == own)
        .cloned();
    let others = MOST - usize::from(shut_out.is_some());
    let chosen = found.into_iter().take(others).chain(shut_out);
    chosen.map(|(_, candidate)| candidate).collect()
}

/// Labels with which a pod in this namespace is injected; `None` where it cannot be. The pod asks for itself everywhere: its
/// label beats `global.proxy.autoInject` and `neverInjectSelector`, and every selector takes it.
fn pod_labels(namespace: &Namespace, names: &BTreeSet<&str>) -> Option<BTreeMap<String, String>> {
    let label = |key: &str| namespace.labels.get(key).map(String::as_str);
    let asks = (POD_INJECTION.to_owned(), "true".to_owned());
    match (label(NAMESPACE_INJECTION), label(REVISION)) {
        // The older label wins over a revision's.
        (Some("enabled"), _) => names.contains(DEFAULT).then(|| BTreeMap::from([asks])),
        (Some(_), _) => None,
        (None, Some(revision)) => names.contains(revision).then(|| BTreeMap::from([asks])),
        (None, None) if names.contains(DEFAULT) => Some(BTreeMap::from([asks])),
        (None, None) => {
            let revision = (*names.first()?).to_owned();
            Some(BTreeMap::from([asks, (REVISION.to_owned(), revision)]))
        }
    }
}

/// Namespaces that are injected as a whole first, then `default`, which every cluster has, and the control plane's own; last
/// those whose Pod Security refuses the sidecar's init container.
fn rank(namespace: &Namespace, own: &str) -> u8 {
    let enforced = namespace.labels.get(POD_SECURITY).map(String::as_str);
    if matches!(enforced, Some("baseline" | "restricted")) {
        return REFUSED;
    }
    let labelled = namespace.labels.contains_key(NAMESPACE_INJECTION) || namespace.labels.contains_key(REVISION);
    match (labelled, namespace.name.as_str()) {
        (true, _) => 0,
        (false, name) if name == "default" || name == own => 1,
        (false, _) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(name: &str, labels: &[(&str, &str)]) -> Namespace {
        Namespace {
            name: name.to_owned(),
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            terminating: false,
        }
    }

    fn found(namespaces: &[Namespace], of: &[&str]) -> Vec<(String, Vec<String>)> {
        let names = of.iter().copied().collect();
        candidates(namespaces, &names, "istio-system")
            .into_iter()
            .map(|candidate| {
                let labels = candidate.pod_labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
                (candidate.namespace, labels)
            })
            .collect()
    }

    fn asks() -> Vec<String> {
        vec!["sidecar.istio.io/inject=true".to_owned()]
    }

    #[test]
    fn without_its_templates_an_istiod_injects_nothing() {
        for (config_maps, revision, expected) in [
            (&["istio", "istio-sidecar-injector"][..], "default", true),
            (&["istio"], "default", false),
            (&["istio-1-30", "istio-sidecar-injector-1-30"], "1-30", true),
            (&["istio-1-30", "istio-sidecar-injector"], "1-30", false),
            (&["istio-sidecar-injector-1-30"], "default", false),
            (&[], "default", true),
        ] {
            let config_maps: Vec<String> = config_maps.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(
                is_served(&config_maps, revision),
                expected,
                "{config_maps:?} {revision}"
            );
        }
    }

    #[test]
    fn the_default_revision_is_tried_where_it_injects_and_nowhere_else() {
        let all = [
            namespace("kube-system", &[]),
            namespace("default", &[("istio-injection", "disabled")]),
            namespace("canary", &[("istio.io/rev", "1-31")]),
            namespace("both", &[("istio-injection", "enabled"), ("istio.io/rev", "1-31")]),
            namespace("named", &[("istio.io/rev", "default")]),
            namespace("plain", &[]),
        ];
        assert_eq!(
            found(&all, &["default"]),
            [
                ("both".to_owned(), asks()),
                ("named".to_owned(), asks()),
                ("plain".to_owned(), asks()),
            ]
        );
    }

    #[test]
    fn a_revision_is_tried_by_its_name_its_tags_and_in_unlabelled_namespaces() {
        let all = [
            namespace("default", &[]),
            namespace("tagged", &[("istio.io/rev", "prod")]),
            namespace("old", &[("istio-injection", "enabled")]),
        ];
        assert_eq!(
            found(&all, &["1-30", "prod"]),
            [
                ("tagged".to_owned(), asks()),
                (
                    "default".to_owned(),
                    vec![
                        "istio.io/rev=1-30".to_owned(),
                        "sidecar.istio.io/inject=true".to_owned()
                    ]
                ),
            ]
        );
        // The tag `default` makes it inject where the label says `enabled`.
        assert_eq!(found(&all, &["1-30", "default"])[0].0, "old");
    }

    #[test]
    fn what_pod_security_refuses_comes_last_and_what_goes_away_not_at_all() {
        let mut all = vec![
            namespace("a", &[("istio-injection", "enabled"), (POD_SECURITY, "restricted")]),
            namespace("default", &[]),
            namespace("gone", &[]),
        ];
        all[2].terminating = true;
        let order: Vec<String> = found(&all, &["default"]).into_iter().map(|(name, _)| name).collect();
        assert_eq!(order, ["default", "a"]);
    }

    #[test]
    fn a_large_cluster_costs_no_more_than_five_tries() {
        let all: Vec<Namespace> = (0..100).map(|n| namespace(&format!("n{n}"), &[])).collect();
        assert_eq!(found(&all, &["default"]).len(), 5);
        // Its own namespace is not shut out by them, unless Pod Security refuses the pod there.
        for (labels, expected) in [(&[][..], true), (&[(POD_SECURITY, "restricted")], false)] {
            let mut all: Vec<Namespace> = (0..9)
                .map(|n| namespace(&format!("n{n}"), &[("istio-injection", "enabled")]))
                .collect();
            all.push(namespace("istio-system", labels));
            let order: Vec<String> = found(&all, &["default"]).into_iter().map(|(name, _)| name).collect();
            assert_eq!(order.len(), 5);
            assert_eq!(order[4] == "istio-system", expected, "{order:?}");
        }
        assert!(found(&[namespace("only", &[("istio.io/rev", "x")])], &["default"]).is_empty());
    }
}
