//! Whether each pod has one injector, and not two that vie for it.

use super::Subject;
use crate::{
    finding::{Finding, Report, codes},
    mesh::ObservedMember,
};
use std::collections::BTreeMap;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        overlaps(member, report);
    }
}

/// Equal selectors alone: whether others overlap depends on labels that no pod may have.
fn overlaps(member: &ObservedMember<'_>, report: &mut Report) {
    let mut injectors: BTreeMap<&str, &str> = BTreeMap::new();
    let mut told = Vec::new();
    let webhooks = member.observed.surroundings.iter().flat_map(|around| &around.webhooks);
    for webhook in webhooks {
        let Some(selected) = &webhook.injects else { continue };
        let first = *injectors.entry(selected).or_insert(&webhook.configuration);
        let pair = (first, webhook.configuration.as_str());
        if pair.0 == pair.1 || told.contains(&pair) {
            continue;
        }
        told.push(pair);
        report.find(
            Finding::new(
                codes::INJECTORS_OVERLAP,
                format!("it selects what {first} selects: {}", webhook.name),
                "delete the one that is not to inject, or set its tag anew: istioctl tag set TAG --revision REVISION \
                 --overwrite",
            )
            .in_cluster(member.name())
            .about(webhook.configuration.clone()),
        );
    }
    if told.is_empty() && !injectors.is_empty() {
        let summary = format!("{} injectors select different pods", injectors.len());
        report.pass(codes::INJECTORS_OVERLAP, Some(member.name()), summary);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::sample,
        preflight::tests::{check, found, ids},
    };

    #[test]
    fn a_second_injector_of_the_same_pods_blocks_and_is_told_once() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let webhooks = &mut inventory.around(0).webhooks;
        let mut own = webhooks[0].clone();
        own.name = "object.sidecar-injector.istio.io".to_owned();
        own.injects = Some("pods by their label".to_owned());
        webhooks.push(own.clone());
        // One configuration may select the same twice, and what injects nothing vies with nobody.
        webhooks.push(own);
        let mut tag = sample::webhook("istio-revision-tag-default");
        tag.tag = Some("default".to_owned());
        for injects in [None, Some("other pods".to_owned())] {
            tag.injects = injects;
            let mut inventory = inventory.clone();
            inventory.around(0).webhooks.push(tag.clone());
            assert!(ids(&check(&inventory, "1.31.0")).is_empty());
        }
        for webhook in inventory.around(0).webhooks.clone().into_iter().take(2) {
            tag.injects = webhook.injects;
            inventory.around(0).webhooks.push(tag.clone());
        }
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU315"]);
        let finding = found(&report, "MU315");
        assert_eq!(
            finding.object.as_deref(),
            Some("MutatingWebhookConfiguration istio-revision-tag-default")
        );
        assert!(finding.cause.contains("istio-sidecar-injector"), "{}", finding.cause);
    }
}
