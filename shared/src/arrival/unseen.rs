//! What a look at a step could not see: nothing is gone, or missing, that nobody could read.

use crate::{
    api::{Component, InstallerKind, PlanStep, RecordedWaiver},
    finding::codes,
    inventory::Observed,
};

/// How what could not be read begins, in [`Observed::unreadable`]: lists of all releases, wherever helm keeps them.
const ALL_RELEASES: &str = "helm releases";
/// The same of the release that the CRDs name.
const RELEASE_OF_CRDS: &str = "the helm release of Istio's CRDs";
/// The same of what brings components by itself.
const FOLLOWED: &str = "what a GitOps controller or operator follows";

/// What could not be read of that by which a step is judged. What somebody has accepted in writing not to see is left out:
/// it will not be seen later either.
#[must_use]
pub fn unseen<'a>(step: &PlanStep, observed: &'a Observed, waivers: &[RecordedWaiver]) -> Option<&'a str> {
    let is_accepted = |waiver: &RecordedWaiver| {
        let here = waiver.cluster.as_ref().is_none_or(|cluster| *cluster == step.cluster);
        waiver.code == codes::PARTLY_OBSERVED.id() && here
    };
    if waivers.iter().any(is_accepted) {
        return None;
    }
    let (by_helm, by_controller) = match step.installer {
        InstallerKind::Helm => (true, false),
        InstallerKind::Flux | InstallerKind::Sail => (true, true),
        InstallerKind::ArgoCd => (false, true),
        InstallerKind::Istioctl => (false, false),
    };
    let own = format!("{}: ", step.told());
    let concerns = |what: &&String| {
        let is_of_helm = what.starts_with(ALL_RELEASES)
            || what.starts_with(&own)
            || (step.component == Component::Base && what.starts_with(RELEASE_OF_CRDS));
        (by_helm && is_of_helm) || (by_controller && what.starts_with(FOLLOWED))
    };
    observed.unreadable.iter().find(concerns).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{ObjectName, Revisions, StepAction},
        arrival::{self, Arrival},
        inventory::sample,
    };

    fn step(component: Component, installer: InstallerKind) -> PlanStep {
        let at = ObjectName {
            namespace: "istio-system".to_owned(),
            name: "istiod".to_owned(),
        };
        PlanStep {
            release_revision: 1,
            ..PlanStep::upgrade("east", component, installer, at, "1.30.3", "1.31.0")
        }
    }

    #[test]
    fn what_a_step_is_judged_by_and_could_not_be_read_is_told() {
        use InstallerKind::{ArgoCd, Flux, Helm, Istioctl, Sail};
        let secrets = "helm releases: list helm's Secrets: 500";
        let maps = "helm releases kept in ConfigMaps: list helm's ConfigMaps: 500";
        let own = "helm release istio-system/istiod: get helm's releases: 500";
        let other = "helm release istio-system/istiod-old: get helm's releases: 500";
        let crds = "the helm release of Istio's CRDs: get Istio's CRDs: 500";
        let followed = "what a GitOps controller or operator follows: 500";
        for (component, installer, what, concerns) in [
            (Component::Istiod, Helm, secrets, true),
            (Component::Istiod, Helm, maps, true),
            (Component::Istiod, Helm, own, true),
            (Component::Istiod, Helm, other, false),
            (Component::Istiod, Helm, crds, false),
            (Component::Base, Helm, crds, true),
            (Component::Istiod, Helm, followed, false),
            (Component::Istiod, Sail, followed, true),
            (Component::Istiod, Flux, secrets, true),
            (Component::Istiod, ArgoCd, secrets, false),
            (Component::Istiod, ArgoCd, followed, true),
            (Component::Istiod, Istioctl, secrets, false),
            (Component::Istiod, Helm, "permissions: 500", false),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.seen(0).unreadable = vec![what.to_owned()];
            let step = step(component, installer);
            let expected = concerns.then_some(what);
            assert_eq!(
                unseen(&step, inventory.seen(0), &[]),
                expected,
                "{component} {installer:?} {what}"
            );
            let accepted = |code: &str, cluster: Option<&str>| RecordedWaiver {
                code: code.to_owned(),
                cluster: cluster.map(str::to_owned),
                ..RecordedWaiver::default()
            };
            for (waiver, counts) in [
                (accepted("MU905", None), true),
                (accepted("MU905", Some("east")), true),
                (accepted("MU905", Some("west")), false),
                (accepted("MU101", None), false),
            ] {
                let expected = expected.filter(|_| !counts);
                assert_eq!(unseen(&step, inventory.seen(0), &[waiver]), expected, "{what}");
            }
        }
    }

    #[test]
    fn a_list_that_failed_reads_as_a_release_that_is_gone() {
        let mut inventory = sample::one("1.31.0", "v1.36.3");
        let observed = inventory.seen(0);
        observed.helm_releases.retain(|release| release.name == "istiod");
        observed.helm_releases[0].name = "istiod-new".to_owned();
        observed.unreadable = vec!["helm releases: list helm's Secrets: 500".to_owned()];
        let going = PlanStep {
            action: StepAction::Remove,
            revisions: Some(Revisions {
                new_release: "istiod-new".to_owned(),
                ..Revisions::default()
            }),
            ..step(Component::Istiod, InstallerKind::Helm)
        };
        // So the judgement by itself is not enough.
        assert!(matches!(arrival::of_step(&going, observed), Arrival::Arrived(_)));
        assert!(unseen(&going, observed, &[]).is_some());
    }
}
