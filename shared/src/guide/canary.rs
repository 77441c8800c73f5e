//! As a canary: a new revision beside the one that runs, the data plane moved namespace by namespace, and the old revision
//! removed when it is proved that nothing uses it.

mod moves;
mod removal;
mod standing;
mod tags;

use super::{
    Action, Back, Engine, Step,
    checks::{self, namespace},
    helm, istioctl,
    journey::{Hop, Seat},
};
use crate::{
    api::Component,
    inventory::{HelmRelease, Surroundings},
    revision::DEFAULT,
};
pub(super) use standing::Canaries;
use standing::Standing;

const WHAT_NAMES_NONE: &str =
    "The tag default makes the new revision inject what names none: istio-injection=enabled, or a pod's own label.";

/// Why there can be no canary.
pub(super) fn hindrance(seats: &[Seat<'_>]) -> Option<String> {
    for seat in seats {
        let cluster = &seat.place.cluster;
        if !matches!(seat.engine, Engine::Helm | Engine::Istioctl) {
            return Some(format!(
                "in {cluster} it was installed by {}, which makes its revisions itself",
                seat.engine.told()
            ));
        }
        match seat.member.control_planes().count() {
            0 => return Some(format!("{cluster} has no control plane of its own to stand beside")),
            1 => {}
            count => {
                return Some(format!(
                    "{cluster} has {count} control planes of it already: bring that canary to its end first"
                ));
            }
        }
        let mut nodes = seat.member.node_components();
        if nodes.any(|node| node.component == Component::Ztunnel) {
            return Some(format!("{cluster} runs ztunnel, of which a node has only one"));
        }
    }
    None
}

/// One cluster's way from one revision to the next.
struct Canary<'a> {
    hop: &'a Hop<'a>,
    seat: &'a Seat<'a>,
    old: Standing,
    new: Standing,
    around: Option<&'a Surroundings>,
}

/// Steps of one cluster; those of base are made in every cluster first.
pub(super) fn steps(hop: &Hop<'_>, seat: &Seat<'_>, canaries: &Canaries) -> Vec<(Component, Step)> {
    let mut standing = canaries.0.iter();
    let Some(old) = standing.find(|standing| standing.cluster == seat.place.cluster) else {
        return Vec::new();
    };
    let new = old.next(hop.to);
    if new.revision == old.revision {
        return Vec::new();
    }
    let canary = Canary {
        hop,
        seat,
        old: old.clone(),
        new,
        around: seat.member.observed.surroundings.as_deref(),
    };
    let mut steps: Vec<(Component, Step)> = Vec::new();
    if seat.engine == Engine::Helm {
        let releases = seat.member.releases();
        let in_place = releases.iter().filter(|release| helm::is_due(release, hop.to));
        steps.extend(
            in_place
                .filter(|release| matches!(release.component, Component::Base | Component::Cni))
                .map(|release| (release.component, helm::in_place(hop, seat, release, &[]))),
        );
    }
    let mut rest = vec![canary.install()];
    rest.extend(canary.tags().iter().map(|tag| canary.move_tag(tag)));
    rest.extend(canary.namespaces());
    rest.extend(canary.gateways());
    rest.push(canary.proof());
    rest.extend(canary.default_revision());
    rest.push(canary.remove());
    steps.extend(rest.into_iter().map(|step| (Component::Istiod, step)));
    steps
}

impl Canary<'_> {
    fn step(&self, title: String) -> Step {
        Step {
            title,
            cluster: Some(self.seat.place.cluster.clone()),
            ..Step::default()
        }
    }

    fn namespace(&self) -> String {
        namespace(&self.old.workload.namespace)
    }

    fn release_of(&self) -> Option<&HelmRelease> {
        let (namespace, name) = self.seat.member.control_planes().next()?.helm_release.as_ref()?;
        let mut releases = self.seat.member.observed.helm_releases.iter();
        releases.find(|release| release.namespace == *namespace && release.name == *name)
    }

    /// Writes a release's values into the private folder, unseen.
    fn values(&self, release: &str) -> (Action, String) {
        let file = self.seat.place.file(release, ".yaml");
        let get = self
            .seat
            .place
            .helm(&["get", "values", release, &self.namespace(), "--output=yaml"]);
        (Action::Run(format!("{get} > {file}")), file)
    }

    fn install(&self) -> Step {
        let place = &self.seat.place;
        let (old, new) = (&self.old, &self.new);
        let mut step = self.step(format!("istiod: revision {} beside {}", new.revision, old.revision));
        step.notes.push(format!(
            "The old control plane goes on; nothing uses the new one yet. {} runs beside {}, so that the cluster needs room \
             for both.",
            new.workload.name, old.workload.name
        ));
        match (&old.release, &new.release) {
            (Some(from), Some(release)) => {
                let chart = self.hop.charts.words(Component::Istiod, self.hop.to);
                let (get, file) = self.values(from);
                step.notes.push(
                    "The new release gets the values of the old one; the copy lies in a private folder that goes when the \
                     script ends. It may hold secrets: do not show it."
                        .to_owned(),
                );
                let mut words = vec!["upgrade".to_owned(), "--install".to_owned(), release.clone()];
                words.extend(chart.iter().cloned());
                words.push(self.namespace());
                words.push(format!("--set-string=revision={}", new.revision));
                words.push("--set-json=revisionTags=[]".to_owned());
                words.extend(
                    self.release_of()
                        .map(|known| helm::pins(self.hop, known))
                        .unwrap_or_default(),
                );
                words.extend(["--wait".to_owned(), checks::ROLLOUT.to_owned()]);
                step.before
                    .push(checks::chart(place, Component::Istiod, &chart, self.hop.to));
                step.run = vec![get, Action::Run(format!("{} --values={file}", place.helm(&words)))];
                step.back = Back::by(
                    "take the new revision away: nothing uses it",
                    vec![place.helm(&["uninstall", release, &self.namespace(), "--wait"])],
                );
            }
            _ => {
                step.before.push(istioctl::binary(self.hop.to));
                let revision = format!("--revision={}", new.revision);
                step.run = vec![Action::Run(istioctl::install(
                    self.seat,
                    std::slice::from_ref(&revision),
                ))];
                step.look.push(istioctl::precheck(self.seat));
                step.back = Back::by(
                    "take the new revision away: nothing uses it",
                    vec![place.istioctl(&["uninstall", "--skip-confirmation", &revision])],
                );
            }
        }
        step.after = vec![
            checks::runs(place, &new.workload, self.hop.to),
            checks::rolled_out(place, &new.workload),
        ];
        step.after.extend(self.seat.validates());
        step.look
            .push(checks::injects(&self.seat.proof, &new.revision, self.hop.to));
        step.look.push(checks::events(place, &new.workload.namespace));
        step
    }

    /// The revision that was observed, from which the first hop goes.
    fn first(&self) -> Option<&str> {
        let mut planes = self.seat.member.control_planes();
        planes.next().map(|plane| plane.revision.as_str())
    }
}
