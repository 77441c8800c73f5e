//! Which revisions and tags inject the pods of a cluster.

use super::ObservedMember;
use crate::inventory::Webhook;
use std::collections::BTreeSet;

impl<'a> ObservedMember<'a> {
    /// Revisions that are there to inject pods of the cluster: those of its control planes, and those that an istiod
    /// elsewhere injects here, a managed one behind a URL for instance. One that is deleted leaves its Service and its
    /// injector, which inject nothing.
    #[must_use]
    pub fn revisions(&self) -> BTreeSet<&'a str> {
        let planes = self.observed.control_planes.iter();
        let mut there: BTreeSet<&str> = planes.map(|plane| plane.revision.as_str()).collect();
        let around = self.observed.surroundings.iter();
        let injectors = around
            .flat_map(|around| &around.webhooks)
            .filter(|webhook| webhook.tag.is_none() && webhook.injects.is_some() && webhook.target.is_elsewhere());
        there.extend(injectors.filter_map(|webhook| webhook.revision.as_deref()));
        there
    }

    /// Revisions and tags by which pods of the cluster can be injected; `None` where its webhooks were not looked at.
    #[must_use]
    pub fn injecting_revisions(&self) -> Option<BTreeSet<&'a str>> {
        // Tags are names of revisions too, and only the webhooks tell them; they also lead to an istiod in another cluster.
        let webhooks = &self.observed.surroundings.as_ref()?.webhooks;
        let mut known = self.revisions();
        let leads = |webhook: &&Webhook| {
            let revision = webhook.revision.as_deref();
            webhook.target.is_elsewhere() || revision.is_some_and(|revision| known.contains(revision))
        };
        let tags: Vec<&str> = webhooks
            .iter()
            .filter(leads)
            .filter_map(|webhook| webhook.tag.as_deref())
            .collect();
        known.extend(tags);
        Some(known)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::{WebhookTarget, sample},
        mesh::meshes,
    };

    #[test]
    fn what_a_deleted_istiod_leaves_injects_nothing() {
        let service = |name: &str| format!("istio-system/{name}");
        for (target, injects, revisions, injecting) in [
            (
                WebhookTarget::Url,
                true,
                &["1-29", "default"][..],
                &["1-29", "default", "prod"][..],
            ),
            (
                WebhookTarget::Elsewhere(service("istiod-1-29")),
                true,
                &["1-29", "default"],
                &["1-29", "default", "prod"],
            ),
            (
                WebhookTarget::Service(service("istiod-1-29")),
                true,
                &["default"],
                &["default"],
            ),
            (
                WebhookTarget::Missing(service("istiod-1-29")),
                true,
                &["default"],
                &["default"],
            ),
            // The tag is behind the URL, whether or not the revision is here.
            (WebhookTarget::Url, false, &["default"], &["default", "prod"]),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let mut injector = sample::webhook("istio-sidecar-injector-1-29");
            injector.revision = Some("1-29".to_owned());
            injector.target = target.clone();
            injector.injects = injector.injects.filter(|_| injects);
            let mut tag = injector.clone();
            tag.tag = Some("prod".to_owned());
            inventory.around(0).webhooks.extend([injector, tag]);
            let mesh = meshes(&inventory).remove(0);
            let member = mesh.observed(&inventory).next().unwrap();
            let of = |found: std::collections::BTreeSet<&str>| found.into_iter().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(of(member.revisions()), revisions, "{target:?} {injects}");
            assert_eq!(
                of(member.injecting_revisions().unwrap()),
                injecting,
                "{target:?} {injects}"
            );
        }
    }

    #[test]
    fn a_tag_of_a_revision_that_is_here_injects() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let mut tag = sample::webhook("istio-revision-tag-prod");
        tag.tag = Some("prod".to_owned());
        inventory.around(0).webhooks = vec![tag];
        let mesh = meshes(&inventory).remove(0);
        let member = mesh.observed(&inventory).next().unwrap();
        assert!(member.injecting_revisions().unwrap().contains("prod"));
        inventory.seen(0).surroundings = None;
        let member = mesh.observed(&inventory).next().unwrap();
        assert_eq!(member.injecting_revisions(), None);
        assert!(member.revisions().contains("default"));
    }
}
