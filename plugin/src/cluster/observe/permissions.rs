//! What the caller and the driver may do, asked of the API server itself.

use super::ask::Asker;
use crate::cluster::{client::Cluster, error::ClusterError};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    authorization::v1::{
        ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SelfSubjectRulesReview,
        SelfSubjectRulesReviewSpec,
    },
};
use kube::{Api, api::PostParams};
use shared::{inventory::Permission, names};

/// One thing that may have to be allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionQuery {
    /// API group; empty for the core group.
    pub group: String,
    /// Resource, with its subresource after a slash.
    pub resource: String,
    /// Verb.
    pub verb: String,
    /// Namespace; `None` for the whole cluster.
    pub namespace: Option<String>,
    /// Name that it is restricted to.
    pub name: Option<String>,
    /// Whether the driver's ServiceAccount needs it, and not the caller.
    pub needed_by_driver: bool,
    /// Whether only who installs Istio's charts himself needs it.
    pub of_charts: bool,
}

impl PermissionQuery {
    pub(super) fn caller(group: &str, resource: &str, verb: &str) -> Self {
        Self {
            group: group.to_owned(),
            resource: resource.to_owned(),
            verb: verb.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn driver(group: &str, resource: &str, verb: &str) -> Self {
        Self {
            needed_by_driver: true,
            ..Self::caller(group, resource, verb)
        }
    }

    pub(super) fn of_charts(mut self) -> Self {
        self.of_charts = true;
        self
    }

    pub(super) fn within(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Whether a rule for the whole cluster grants it, as RBAC reads rules. A subresource is granted by its own name, by
    /// all resources, or by `*/subresource`.
    fn is_allowed_by(&self, rule: &ResourceRule) -> bool {
        let has = |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
        let groups = rule.api_groups.as_deref().unwrap_or_default();
        let resources = rule.resources.as_deref().unwrap_or_default();
        let names = rule.resource_names.as_deref().unwrap_or_default();
        let of_any = self
            .resource
            .split_once('/')
            .map(|(_, subresource)| format!("*/{subresource}"));
        has(&rule.verbs, &self.verb)
            && has(groups, &self.group)
            && (has(resources, &self.resource) || of_any.is_some_and(|any| resources.contains(&any)))
            && (names.is_empty() || self.name.as_ref().is_some_and(|name| names.contains(name)))
    }

    /// What all the rules for the whole cluster say; `None` where they grant nothing, and a Role of the namespace might.
    fn is_decided_by(&self, rules: &[ResourceRule]) -> Option<bool> {
        let granted = rules.iter().any(|rule| self.is_allowed_by(rule));
        (granted || self.namespace.is_none()).then_some(granted)
    }

    fn answered(&self, allowed: bool) -> Permission {
        Permission {
            group: self.group.clone(),
            resource: self.resource.clone(),
            verb: self.verb.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            allowed,
            needed_by_driver: self.needed_by_driver,
            of_charts: self.of_charts,
        }
    }
}

/// Questions that are asked at the same time. Where each needs a connection of its own, fewer run.
const AT_ONCE: usize = 16;

/// A namespace that nobody has: what is allowed there is allowed in the whole cluster.
const NOWHERE: &str = "mesh-upgrade-no-such-namespace";

/// Asks all queries, each of whom it concerns. Whoever can tell all his rights does so in one answer; only what those do not
/// decide, because it is about one namespace, is asked for by itself.
pub(super) async fn ask(asker: Asker<'_>, queries: &[PermissionQuery]) -> Result<Vec<Permission>, ClusterError> {
    let by_driver = queries.iter().any(|query| query.needed_by_driver);
    let driver = if by_driver {
        asker.cluster.impersonating(&[]).ok()
    } else {
        None
    };
    let driver = driver.as_ref().map(|cluster| Asker { cluster, ..asker });
    let of_driver = async {
        match driver {
            Some(driver) => rules(driver).await,
            None => Ok(None),
        }
    };
    let (of_caller, of_driver) = futures::join!(rules(asker), of_driver);
    // Who may not even act as the driver cannot do what the driver may, nor can who impersonates somebody already: that
    // does not nest.
    let driver = driver.filter(|_| !matches!(of_driver, Err(ClusterError::Forbidden { .. })));
    // Where the rules cannot be had, each question is asked.
    let (of_caller, of_driver) = (of_caller.unwrap_or_default(), of_driver.unwrap_or_default());
    let asked = queries.iter().map(|query| {
        let (asked, rules) = if query.needed_by_driver {
            (driver, &of_driver)
        } else {
            (Some(asker), &of_caller)
        };
        async move {
            let Some(asked) = asked else { return Ok(false) };
            match rules.as_deref().and_then(|rules| query.is_decided_by(rules)) {
                Some(decided) => Ok(decided),
                None => allowed(asked, query).await,
            }
        }
    });
    let asked: Vec<_> = asked.collect();
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let judged = answers.into_iter().zip(queries);
    judged
        .map(|(answer, query)| answer.map(|allowed| query.answered(allowed)))
        .collect()
}

/// All that is allowed in the whole cluster, as rules; `None` where the API server cannot tell all of them, because then
/// another authorizer may have the last word.
async fn rules(asker: Asker<'_>) -> Result<Option<Vec<ResourceRule>>, ClusterError> {
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec {
            namespace: Some(NOWHERE.to_owned()),
        },
        ..SelfSubjectRulesReview::default()
    };
    let api: Api<SelfSubjectRulesReview> = Api::all(asker.cluster.client.clone());
    let parameters = PostParams::default();
    let answer = asker
        .ask("ask for your own permissions", api.create(&parameters, &review))
        .await?;
    let told = answer.status.filter(|status| !status.incomplete);
    Ok(told.map(|status| status.resource_rules))
}

async fn allowed(asker: Asker<'_>, query: &PermissionQuery) -> Result<bool, ClusterError> {
    let (resource, subresource) = match query.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource)),
        None => (query.resource.as_str(), None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(query.group.clone()),
                resource: Some(resource.to_owned()),
                subresource: subresource.map(str::to_owned),
                verb: Some(query.verb.clone()),
                namespace: query.namespace.clone(),
                name: query.name.clone(),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(asker.cluster.client.clone());
    let parameters = PostParams::default();
    let answer = asker
        .ask("ask for your own permissions", api.create(&parameters, &review))
        .await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// The caller's user name, as the API server sees it.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn whoami(cluster: &Cluster) -> Result<String, ClusterError> {
    let user = review_self(cluster).await?.status.and_then(|status| status.user_info);
    Ok(user.and_then(|user| user.username).unwrap_or_default())
}

/// Whether the epoch reaches the API server when the driver is impersonated.
///
/// # Errors
/// When the caller may not impersonate the driver with that extra, or the API server cannot be asked.
pub async fn impersonation_arrives(cluster: &Cluster, epoch: i64) -> Result<bool, ClusterError> {
    let epoch = epoch.to_string();
    let driver = cluster.impersonating(&[(names::EXTRA_EPOCH, &epoch)])?;
    let user = review_self(&driver)
        .await?
        .status
        .and_then(|status| status.user_info)
        .unwrap_or_default();
    let extra = user.extra.unwrap_or_default();
    let arrived = extra
        .get(names::EXTRA_EPOCH)
        .is_some_and(|values| values.as_slice() == [epoch]);
    Ok(arrived && user.username.as_deref() == Some(names::driver_user().as_str()))
}

async fn review_self(cluster: &Cluster) -> Result<SelfSubjectReview, ClusterError> {
    let api: Api<SelfSubjectReview> = Api::all(cluster.client.clone());
    api.create(&PostParams::default(), &SelfSubjectReview::default())
        .await
        .map_err(|error| cluster.error("ask who you are", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_rbac_reads_them() {
        let rule = |groups: &str, resources: &str, verbs: &str, names: &str| {
            let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            ResourceRule {
                api_groups: Some(list(groups)),
                resources: Some(list(resources)),
                verbs: list(verbs),
                resource_names: Some(list(names)),
            }
        };
        let patch = PermissionQuery::driver("apps", "deployments", "patch");
        let status = PermissionQuery::driver("meshupgrade.io", "meshupgrades/status", "update");
        let account = PermissionQuery::caller("x", "serviceaccounts", "impersonate").named("driver");
        for (query, rule, expected) in [
            (&patch, rule("*", "*", "*", ""), true),
            (&patch, rule("apps extensions", "deployments", "get patch", ""), true),
            (&patch, rule("apps", "deployments", "get", ""), false),
            (&patch, rule("extensions", "deployments", "patch", ""), false),
            (
                &patch,
                rule("apps", "daemonsets deployments/status", "patch", ""),
                false,
            ),
            // Granted for one name, it is not granted for all.
            (&patch, rule("apps", "deployments", "patch", "istiod"), false),
            (&status, rule("*", "meshupgrades", "update", ""), false),
            (&status, rule("*", "meshupgrades/status", "update", ""), true),
            (&status, rule("*", "*/status", "update", ""), true),
            (&status, rule("*", "*/scale", "update", ""), false),
            (&account, rule("x", "serviceaccounts", "impersonate", "driver"), true),
            (&account, rule("x", "serviceaccounts", "impersonate", "other"), false),
        ] {
            assert_eq!(query.is_allowed_by(&rule), expected, "{query:?} {rule:?}");
        }
    }

    #[test]
    fn only_a_namespace_may_grant_more_than_the_cluster() {
        let rule = |verb: &str| ResourceRule {
            api_groups: Some(vec!["coordination.k8s.io".to_owned()]),
            resources: Some(vec!["leases".to_owned()]),
            verbs: vec![verb.to_owned()],
            resource_names: None,
        };
        let everywhere = PermissionQuery::driver("coordination.k8s.io", "leases", "create");
        let within = everywhere.clone().within("home");
        for (query, rules, expected) in [
            (&everywhere, vec![rule("get"), rule("create")], Some(true)),
            (&everywhere, vec![rule("get")], Some(false)),
            (&everywhere, vec![], Some(false)),
            (&within, vec![rule("create")], Some(true)),
            (&within, vec![rule("get")], None),
        ] {
            assert_eq!(query.is_decided_by(&rules), expected, "{query:?} {rules:?}");
        }
    }
}
