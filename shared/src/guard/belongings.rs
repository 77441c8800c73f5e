//! What operators keep in the guard's namespace, which goes with the guard.

use crate::{catalog, names};
use k8s_openapi::api::apps::v1::Deployment;
use std::collections::BTreeSet;

/// What is found there, by name.
#[derive(Clone, Debug, Default)]
pub struct Belongings {
    /// Whether their own catalog is there.
    pub catalog: bool,
    /// Whether there is what leads to the Mesh object of another cluster.
    pub member: bool,
    /// Secrets by which the webhook's image is pulled.
    pub pull_secrets: Vec<String>,
    /// ServiceAccounts.
    pub accounts: Vec<String>,
    /// ServiceAccounts of that namespace that may report other clusters here.
    pub reporters: BTreeSet<String>,
}

impl Belongings {
    /// What an operator has put there, as kubectl names it: a ServiceAccount counts when it was made for a member, since
    /// platforms have their own in every namespace.
    #[must_use]
    pub fn of_the_operator(&self) -> Vec<String> {
        let catalog = self.catalog.then(|| format!("configmap/{}", catalog::CONFIG_MAP));
        let member = self.member.then(|| format!("secret/{}", names::MEMBER));
        let pulling = self.pull_secrets.iter().map(|name| format!("secret/{name}"));
        let accounts = self.accounts.iter().filter(|name| self.reporters.contains(*name));
        let accounts = accounts.map(|name| format!("serviceaccount/{name}"));
        catalog
            .into_iter()
            .chain(member)
            .chain(pulling)
            .chain(accounts)
            .collect()
    }
}

/// The Secrets by which the image of the webhook's Deployment is pulled.
#[must_use]
pub fn pulled_by(deployment: &Deployment) -> Vec<String> {
    let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let secrets = pod.and_then(|pod| pod.image_pull_secrets.as_ref());
    let secrets = secrets.into_iter().flatten();
    secrets.map(|secret| secret.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_operators_have_put_there_is_told_from_what_is_the_guards_and_the_platforms() {
        assert!(Belongings::default().of_the_operator().is_empty());
        let accounts = ["builder", "default", names::DRIVER_SERVICE_ACCOUNT, "west"];
        let mut found = Belongings {
            accounts: accounts.map(str::to_owned).into(),
            // One that is bound still and was deleted.
            reporters: ["west", "north"].map(str::to_owned).into(),
            ..Belongings::default()
        };
        assert_eq!(found.of_the_operator(), ["serviceaccount/west"]);
        found.catalog = true;
        found.member = true;
        found.pull_secrets = vec!["mirror".to_owned()];
        assert_eq!(
            found.of_the_operator(),
            [
                "configmap/mesh-upgrade-catalog",
                "secret/mesh-upgrade-member",
                "secret/mirror",
                "serviceaccount/west"
            ]
        );
    }
}
