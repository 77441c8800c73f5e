//! The data plane's move to the new revision: namespaces and gateways.

use super::{
    super::{
        Action, Back, Step,
        checks::{self, namespace},
        helm, restarts,
    },
    Canary, DEFAULT,
};
use crate::{api::Component, inventory::MeshedWorkload};
use std::collections::{BTreeMap, BTreeSet};

impl Canary<'_> {
    /// One step for each namespace that has to be told, or has proxies of the old revision.
    pub(super) fn namespaces(&self) -> Vec<Step> {
        let labels = self.labels();
        let mut due: BTreeMap<&str, Vec<&MeshedWorkload>> = BTreeMap::new();
        for namespace in labels.keys() {
            due.entry(namespace).or_default();
        }
        let workloads = self.seat.workloads();
        // What was observed is the first revision; its workloads are moved in every hop.
        for workload in workloads.filter(|one| restarts::is_due(self.hop, one, self.first())) {
            due.entry(&workload.namespace).or_default().push(workload);
        }
        due.into_iter()
            .map(|(name, workloads)| {
                let mut step = self.step(format!("Namespace {name} to {}", self.new.revision));
                let place = &self.seat.place;
                let mut back = Vec::new();
                if let Some(injected) = labels.get(name) {
                    let label = |labels: &[&str]| {
                        let words = ["label", "namespace", name, "--overwrite"];
                        place.kubectl(&[&words[..], labels].concat())
                    };
                    let to = format!("istio.io/rev={}", self.new.revision);
                    let from = format!("istio.io/rev={}", self.old.revision);
                    if *injected {
                        step.run.push(Action::Run(label(&[&to, "istio-injection-"])));
                        back.push(label(&["istio-injection=enabled", "istio.io/rev-"]));
                    } else {
                        step.run.push(Action::Run(label(&[&to])));
                        back.push(label(&[&from]));
                    }
                }
                restarts::restart(self.seat, name, &workloads, &mut step);
                let restarted: BTreeSet<_> = workloads
                    .iter()
                    .filter(|one| one.owner.rolls())
                    .map(|one| &one.owner)
                    .collect();
                back.extend(
                    restarted
                        .into_iter()
                        .map(|owner| place.kubectl(&["rollout", "restart", &owner.reference(), &namespace(name)])),
                );
                step.look.push(checks::proxies(place));
                step.back = Back::by("the label back, and a restart", back);
                step
            })
            .collect()
    }

    /// Namespaces that name the old revision, and whether they do so by `istio-injection=enabled`.
    fn labels(&self) -> BTreeMap<&str, bool> {
        let mut labels = BTreeMap::new();
        let first = self.first();
        for asking in self.around.into_iter().flat_map(|around| &around.namespaces) {
            if Some(asking.revision.as_str()) == first {
                labels.insert(asking.namespace.as_str(), false);
            }
        }
        // A tag named default takes these along.
        let has_default_tag = self.tags().iter().any(|tag| tag.name == DEFAULT);
        if first == Some(DEFAULT) && !has_default_tag {
            let injected = self
                .seat
                .member
                .observed
                .data_plane
                .iter()
                .flat_map(|one| &one.injected);
            for name in injected {
                // After the first hop they name a revision.
                labels.insert(name.as_str(), self.hop.first);
            }
        }
        labels
    }

    pub(super) fn gateways(&self) -> Vec<Step> {
        let releases = self.seat.member.releases();
        let gateways = releases
            .into_iter()
            .filter(|release| release.component == Component::Gateway);
        let mut steps: Vec<Step> = gateways
            .map(|release| {
                let tags = self.tags();
                let by_tag = release
                    .settings
                    .revision
                    .as_deref()
                    .is_some_and(|revision| tags.iter().any(|tag| tag.name == revision));
                let more = if by_tag {
                    Vec::new()
                } else {
                    vec![format!("--set-string=revision={}", self.new.revision)]
                };
                helm::in_place(self.hop, self.seat, release, &more)
            })
            .collect();
        steps.extend(helm::gateways_without_release(self.hop, self.seat));
        steps
    }
}
