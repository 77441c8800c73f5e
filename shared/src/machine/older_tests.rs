//! Journals as plugins of earlier times have left them, in `tests/fixtures`: read, and driven to their end. Their files are
//! never changed; a journal of today's types tells nothing of them.

use super::tests::{World, drive};
use super::*;
use crate::{
    api::{Component, InstallerKind, JOURNAL_VERSION, MeshUpgrade, StepAction},
    plan,
};
use serde_json::{Value, json};

const LEFT: [&str; 4] = [
    include_str!("../../tests/fixtures/journal-v1.yaml"),
    include_str!("../../tests/fixtures/journal-v2.yaml"),
    include_str!("../../tests/fixtures/journal-v3.yaml"),
    include_str!("../../tests/fixtures/journal-v4.yaml"),
];

/// The journal of a version, and the text that it was read from.
fn left(version: i32) -> (MeshUpgrade, Value) {
    let text = LEFT[usize::try_from(version - 1).unwrap()];
    let read = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("journal {version}: {error}"));
    (read, serde_saphyr::from_str(text).unwrap())
}

#[test]
fn journals_of_every_version_are_read_whole_and_with_the_plan_that_was_confirmed() {
    assert_eq!(
        i32::try_from(LEFT.len()),
        Ok(JOURNAL_VERSION),
        "a version without its journal"
    );
    for version in 1..=JOURNAL_VERSION {
        let (journal, text) = left(version);
        assert_eq!(journal.spec.journal_version, version);
        assert_eq!(journal.spec.plan.journal_version(), version, "a word of that version");
        // Nothing is lost, and nothing added that would be taken for another plan.
        assert_eq!(json!(journal.spec), text["spec"], "journal {version}");
        assert!(plan::is_as_confirmed(&journal.spec), "journal {version}");
        let status = journal.status.as_ref().unwrap();
        assert_eq!((status.phase, status.epoch), (Phase::Upgrading, 1), "journal {version}");
        let ids: Vec<&str> = journal.spec.plan.steps.iter().map(|step| step.id.as_str()).collect();
        let known: Vec<&str> = status.steps.iter().map(|step| step.id.as_str()).collect();
        assert_eq!(ids, known, "journal {version}");
    }
}

/// What a version brought is understood as it was meant.
#[test]
fn what_each_version_brought_is_understood() {
    let step = |version: i32, at: usize| left(version).0.spec.plan.steps[at].clone();
    assert_eq!(step(1, 0).installer, InstallerKind::Helm);
    assert_eq!(step(1, 0).action, StepAction::Upgrade);
    assert!(left(1).0.status.unwrap().connections.is_none());
    assert_eq!(step(2, 0).installer, InstallerKind::Istioctl);
    assert_eq!(
        (step(3, 0).installer, step(3, 1).component),
        (InstallerKind::ArgoCd, Component::Vendor)
    );
    let (third, _) = left(3);
    assert!(third.spec.plan.configures("west") && !third.spec.plan.clusters[0].has_webhooks_of("istio-system"));
    // Counted in the clusters of the plan, which were not told yet.
    assert_eq!(
        third.status.unwrap().connections.map(|counted| counted.clusters),
        Some(0)
    );
    let actions: Vec<StepAction> = left(4).0.spec.plan.steps.iter().map(|step| step.action).collect();
    let (upgrade, moves) = (StepAction::Upgrade, StepAction::MoveTags);
    assert_eq!(actions, [upgrade, StepAction::Install, moves, moves, upgrade]);
    assert!(left(4).0.spec.plan.is_canary());
}

#[test]
fn journals_of_every_version_are_gone_on_with_to_their_end() {
    let [base, west_base, istiod, west_istiod, gateway] = [
        "east/base/istio-system/istio-base",
        "west/base/istio-system/istio-base",
        "east/istiod/istio-system/istiod",
        "west/istiod/istio-system/istiod",
        "east/gateway/istio-ingress/istio-ingress",
    ];
    let (by_istioctl, by_argo, vendor) = (
        "east/istiod/istio-system/default",
        "east/istiod/argocd/istiod",
        "east/vendor/istio-system/merbridge",
    );
    let (install, tags, validator) = (
        "east/istiod/istio-system/istiod-1-31-0",
        "east/istiod/istio-system/istiod-1-31-0/tags",
        "east/base/istio-system/istio-base/validator",
    );
    for (version, arrived, expected) in [
        (1, &[base, west_base][..], &[istiod, west_istiod, gateway][..]),
        // What came to its end as its driver was killed is not changed once more,
        (1, &[base, west_base, istiod], &[west_istiod, gateway]),
        // but istioctl's own word tells of its end alone.
        (2, &[by_istioctl], &[by_istioctl]),
        (3, &[], &[by_argo, vendor]),
        (3, &[by_argo], &[vendor]),
        (4, &[base], &[install, tags, validator, gateway]),
    ] {
        let (journal, _) = left(version);
        let mut status = journal.status.unwrap();
        let done = status.steps.iter().filter(|step| step.state == StepState::Done).count();
        let mut world = World::frozen_with(arrived);
        let mut applied = Vec::new();
        let stop = drive(&journal.spec, &mut status, 2, usize::MAX, |effect, seen| {
            if let Effect::Apply { step } = effect {
                applied.push(step.clone());
            }
            world.perform(effect, seen);
        });
        assert_eq!(stop, Some(Stop::Succeeded), "journal {version}");
        assert_eq!(applied, expected, "journal {version}, {arrived:?}");
        assert!(
            status.steps.iter().all(|step| step.state == StepState::Done),
            "journal {version}"
        );
        let kept = status.steps.iter().take(done).all(|step| step.attempts == 1);
        assert!(kept && status.epoch == 2, "journal {version}");
    }
}
