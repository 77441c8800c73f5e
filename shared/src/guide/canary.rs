//! As a canary: a new revision beside the one that runs, the data plane moved namespace by namespace, and the old revision
//! removed when it is proved that nothing uses it.

use super::{
    Action, Back, Check, Engine, Step,
    checks::{self, namespace},
    helm, istioctl,
    journey::{Hop, Seat},
    restarts, shell,
};
use crate::{
    api::{Component, WorkloadKind, WorkloadName},
    inventory::{HelmRelease, MeshedWorkload, Surroundings},
    version::{IstioVersion, Minor},
};
use std::collections::{BTreeMap, BTreeSet};

/// Istio's chart has a Service for each tag from here on.
const TAG_SERVICES: Minor = Minor::new(1, 28);
/// Longest name of a helm release.
const MAX_RELEASE: usize = 53;
const DEFAULT: &str = "default";
const WHAT_NAMES_NONE: &str =
    "The tag default makes the new revision inject what names none: istio-injection=enabled, or a pod's own label.";

/// Which revision each cluster stands on, hop by hop.
pub(super) struct Canaries(Vec<Standing>);

#[derive(Clone)]
struct Standing {
    cluster: String,
    revision: String,
    workload: WorkloadName,
    /// Name of the helm release, where helm installed it.
    release: Option<String>,
}

impl Canaries {
    /// Where the clusters stand now.
    pub fn of(seats: &[Seat<'_>]) -> Self {
        let standing = seats.iter().filter_map(|seat| {
            let plane = seat.member.control_planes().next()?;
            Some(Standing {
                cluster: seat.place.cluster.clone(),
                revision: plane.revision.clone(),
                workload: plane.workload.clone(),
                release: plane.helm_release.as_ref().map(|(_, name)| name.clone()),
            })
        });
        Self(standing.collect())
    }

    /// Where they stand after a hop.
    pub fn moved(&mut self, to: &IstioVersion) {
        for standing in &mut self.0 {
            *standing = standing.next(to);
        }
    }
}

impl Standing {
    fn next(&self, to: &IstioVersion) -> Self {
        let revision = revision(to);
        Self {
            cluster: self.cluster.clone(),
            workload: WorkloadName {
                kind: WorkloadKind::Deployment,
                namespace: self.workload.namespace.clone(),
                name: format!("istiod-{revision}"),
            },
            release: self
                .release
                .as_ref()
                .map(|name| release(name, &self.revision, &revision)),
            revision,
        }
    }
}

/// A revision named by its version, as `1-31-0`.
fn revision(version: &IstioVersion) -> String {
    let name = version.to_string().to_ascii_lowercase();
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}

/// The new release's name: that of the old one with the new revision.
fn release(name: &str, old: &str, new: &str) -> String {
    let stem = name.strip_suffix(&format!("-{old}")).unwrap_or(name);
    let named = format!("{stem}-{new}");
    if named.len() <= MAX_RELEASE {
        named
    } else {
        format!("istiod-{new}")
    }
}

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
        let mut nodes = seat.member.observed.node_components.iter();
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

/// A tag and the configuration that stands for it.
struct Tag {
    name: String,
    configuration: String,
    by_release: bool,
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
        step.look.push(checks::injects(place, &new.revision, self.hop.to));
        step.look.push(checks::events(place, &new.workload.namespace));
        step
    }

    /// Tags that stand for the old revision; in later hops, those that the hops before have moved.
    fn tags(&self) -> Vec<Tag> {
        let first = self.first();
        let mut known: BTreeMap<String, Tag> = BTreeMap::new();
        for webhook in self.around.into_iter().flat_map(|around| &around.webhooks) {
            let Some(configuration) = webhook.configuration.strip_prefix("MutatingWebhookConfiguration ") else {
                continue;
            };
            if let (Some(tag), true) = (&webhook.tag, webhook.revision.as_deref() == first) {
                known.entry(tag.clone()).or_insert_with(|| Tag {
                    name: tag.clone(),
                    configuration: configuration.to_owned(),
                    by_release: webhook.helm_release.is_some(),
                });
            }
        }
        // The first hop away from the revision without a name makes this one.
        if !self.hop.first && first == Some(DEFAULT) {
            known.entry(DEFAULT.to_owned()).or_insert_with(|| Tag {
                name: DEFAULT.to_owned(),
                configuration: self.configuration(DEFAULT),
                by_release: false,
            });
        }
        known.into_values().collect()
    }

    /// The revision that was observed, from which the first hop goes.
    fn first(&self) -> Option<&str> {
        let mut planes = self.seat.member.control_planes();
        planes.next().map(|plane| plane.revision.as_str())
    }

    /// What a tag's configuration is called by Istio's chart.
    fn configuration(&self, tag: &str) -> String {
        match self.old.workload.namespace.as_str() {
            "istio-system" => format!("istio-revision-tag-{tag}"),
            namespace => format!("istio-revision-tag-{tag}-{namespace}"),
        }
    }

    /// Commands that let a tag stand for a revision; the values are those of the new release.
    fn set_tag(&self, tag: &str, revision: &str) -> Vec<Action> {
        let place = &self.seat.place;
        let Some(release) = &self.new.release else {
            let revision = format!("--revision={revision}");
            let words = ["tag", "set", tag, &revision, "--overwrite", "--skip-confirmation"];
            return vec![Action::Run(place.istioctl(&words))];
        };
        let (get, file) = self.values(release);
        // The chart calls the default revision by no name.
        let named = if revision == DEFAULT { "" } else { revision };
        let mut words = vec!["template".to_owned(), release.clone()];
        words.extend(self.hop.charts.words(Component::Istiod, self.hop.to));
        words.extend([
            self.namespace(),
            "--show-only=templates/revision-tags-mwc.yaml".to_owned(),
        ]);
        if self.hop.to.minor() >= TAG_SERVICES {
            words.push("--show-only=templates/revision-tags-svc.yaml".to_owned());
        }
        words.push(format!("--set-string=revision={named}"));
        words.push(format!("--set-json=revisionTags=[\"{tag}\"]"));
        let file_of_tag = place.file(&format!("tag-{tag}"), ".yaml");
        vec![
            get,
            Action::Run(format!("{} --values={file} > {file_of_tag}", place.helm(&words))),
            Action::Run(format!(
                "{} --filename={file_of_tag}",
                place.kubectl(&["apply", &self.namespace()])
            )),
        ]
    }

    fn move_tag(&self, tag: &Tag) -> Step {
        let place = &self.seat.place;
        let mut step = self.step(format!(
            "Tag {} from {} to {}",
            tag.name, self.old.revision, self.new.revision
        ));
        step.notes.push(
            "From now on, new pods of the namespaces with this tag get the new proxy; those that run keep theirs until they \
             are restarted."
                .to_owned(),
        );
        if tag.by_release {
            step.notes.push(format!(
                "{} belongs to the old helm release, which takes it along when it goes: it is put back at once then.",
                tag.configuration
            ));
        }
        step.run = self.set_tag(&tag.name, &self.new.revision);
        let expected = self.configuration(&tag.name);
        if tag.configuration != expected && self.hop.first {
            step.run.push(Action::Run(place.kubectl(&[
                "delete",
                "mutatingwebhookconfiguration",
                &tag.configuration,
                "--ignore-not-found",
            ])));
        }
        step.after.push(self.stands_for(&expected, &self.new.revision));
        let back = self.set_tag(&tag.name, &self.old.revision);
        step.back = Back::by("let the tag stand for the old revision again", commands(back));
        step
    }

    /// A configuration is labelled with a revision.
    fn stands_for(&self, configuration: &str, revision: &str) -> Check {
        self.labelled("mutatingwebhookconfiguration", configuration, revision)
    }

    fn labelled(&self, kind: &str, configuration: &str, revision: &str) -> Check {
        let label = self.seat.place.kubectl(&[
            "get",
            kind,
            configuration,
            "--output=jsonpath={.metadata.labels.istio\\.io/rev}",
        ]);
        Check::soon(
            format!("{configuration} is of revision {revision}"),
            format!("{label} | {}", shell::command(["grep", "-qxF", "--", revision])),
        )
    }

    /// One step for each namespace that has to be told, or has proxies of the old revision.
    fn namespaces(&self) -> Vec<Step> {
        let labels = self.labels();
        let mut due: BTreeMap<&str, Vec<&MeshedWorkload>> = BTreeMap::new();
        for namespace in labels.keys() {
            due.entry(namespace).or_default();
        }
        let workloads = self
            .seat
            .member
            .observed
            .data_plane
            .iter()
            .flat_map(|one| &one.workloads);
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

    fn gateways(&self) -> Vec<Step> {
        if self.seat.engine != Engine::Helm {
            return helm::gateways_without_release(self.hop, self.seat);
        }
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

    /// Whether the new revision has to be made the one of what names none.
    fn default_tag(&self) -> bool {
        self.old.revision == DEFAULT && !self.tags().iter().any(|tag| tag.name == DEFAULT)
    }

    fn proof(&self) -> Step {
        let place = &self.seat.place;
        let old = &self.old.revision;
        let mut step = self.step(format!("Proof that nothing uses {old} any more"));
        let pods = place.file("pods", ".txt");
        let list = place.kubectl(&[
            "get",
            "pods",
            "--all-namespaces",
            "--field-selector=status.phase!=Succeeded,status.phase!=Failed",
            "--output=jsonpath={range .items[*]}{.metadata.annotations.istio\\.io/rev} \
             {.metadata.annotations.sidecar\\.istio\\.io/status} {.metadata.namespace}/{.metadata.name}{\"\\n\"}{end}",
        ]);
        let marks = shell::command([
            "grep",
            "-q",
            "-e",
            &format!("^{} ", shell::pattern(old)),
            "-e",
            &format!("\"revision\":\"{}\"", shell::pattern(old)),
        ]);
        step.before.push(Check::soon(
            format!("no pod was injected by {old}"),
            format!("{list} > {pods} && ! {marks} {pods}"),
        ));
        let namespaces = place.file("namespaces", ".txt");
        let list = place.kubectl(&[
            "get",
            "namespaces",
            &format!("--selector=istio.io/rev={old}"),
            "--output=name",
        ]);
        step.before.push(Check::soon(
            format!("no namespace names {old}"),
            format!("{list} > {namespaces} && test ! -s {namespaces}"),
        ));
        step.look.push(checks::proxies(place));
        step.back = Back::none("nothing is changed: until here the way back is to move namespaces and tags back");
        step
    }

    /// The default validator has to lead to the new revision before the old one goes, or nothing can be configured.
    fn default_revision(&self) -> Option<Step> {
        const VALIDATOR: &str = "istiod-default-validator";
        if self.seat.engine == Engine::Istioctl {
            return self.default_tag().then(|| {
                let mut step = self.step(format!(
                    "Default revision: {} to {}",
                    self.old.revision, self.new.revision
                ));
                step.notes.push(WHAT_NAMES_NONE.to_owned());
                step.run = self.set_tag(DEFAULT, &self.new.revision);
                step.after = vec![self.stands_for(&self.configuration(DEFAULT), &self.new.revision)];
                step.after.extend(self.seat.validates());
                step.back = Back::none("istioctl tag remove default, as long as the old revision runs");
                step
            });
        }
        let mut webhooks = self.around?.webhooks.iter();
        webhooks.find(|webhook| webhook.configuration == format!("ValidatingWebhookConfiguration {VALIDATOR}"))?;
        let releases = self.seat.member.releases();
        let base = releases
            .into_iter()
            .find(|release| release.component == Component::Base)?;
        let mut step = self.step(format!(
            "Default revision: {} to {}",
            self.old.revision, self.new.revision
        ));
        step.notes.push(
            "The default validator leads to the new revision from now on. It comes before the old one goes: without it \
             nothing of Istio could be configured any more."
                .to_owned(),
        );
        let chart = self.hop.charts.words(Component::Base, self.hop.to);
        let set = |revision: &str| {
            let more = [format!("--set-string=defaultRevision={revision}")];
            self.seat.place.helm(&helm::upgrade(self.hop, base, &chart, &more))
        };
        step.run = vec![Action::Run(set(&self.new.revision))];
        step.after = vec![
            checks::deployed(&self.seat.place, base),
            self.labelled("validatingwebhookconfiguration", VALIDATOR, &self.new.revision),
        ];
        step.after.extend(self.seat.validates());
        step.back = Back::by("let it lead to the old revision again", vec![set(&self.old.revision)]);
        Some(step)
    }

    fn remove(&self) -> Step {
        let place = &self.seat.place;
        let (old, new) = (&self.old, &self.new);
        let mut step = self.step(format!("Remove revision {}", old.revision));
        step.notes
            .push("From here on there is no way back but another canary.".to_owned());
        step.run.push(Action::Run(match &old.release {
            Some(release) => place.helm(&["uninstall", release, &self.namespace(), "--wait"]),
            None => place.istioctl(&[
                "uninstall",
                "--skip-confirmation",
                &format!("--revision={}", old.revision),
            ]),
        }));
        let tags = self.tags();
        for tag in tags.iter().filter(|tag| tag.by_release && self.hop.first) {
            step.notes.push(format!(
                "Tag {} is gone for the moment between two commands: stop rollouts, or pods start without a proxy.",
                tag.name
            ));
            step.run.extend(self.set_tag(&tag.name, &new.revision));
            step.after
                .push(self.stands_for(&self.configuration(&tag.name), &new.revision));
        }
        if self.default_tag() && self.seat.engine == Engine::Helm {
            step.notes.push(WHAT_NAMES_NONE.to_owned());
            step.notes.push(
                "For the moment between the commands it is not injected: stop rollouts until this step is done."
                    .to_owned(),
            );
            step.run.extend(self.set_tag(DEFAULT, &new.revision));
            step.after
                .push(self.stands_for(&self.configuration(DEFAULT), &new.revision));
        }
        let gone = place.kubectl(&[
            "get",
            &checks::reference(&old.workload),
            &self.namespace(),
            "--ignore-not-found",
            "--output=name",
        ]);
        step.after.push(Check::soon(
            format!("{} is gone", checks::reference(&old.workload)),
            format!("found=$({gone}) && test -z \"$found\""),
        ));
        step.after.push(checks::runs(place, &new.workload, self.hop.to));
        step.after.push(checks::rolled_out(place, &new.workload));
        step.after.extend(self.seat.validates());
        step.look.push(checks::injects(place, &new.revision, self.hop.to));
        step.look.push(checks::proxies(place));
        step.back = Back::none(format!(
            "none: {} would have to be installed again as a canary",
            self.hop.from
        ));
        step
    }
}

fn commands(actions: Vec<Action>) -> Vec<String> {
    actions
        .into_iter()
        .map(|action| match action {
            Action::Run(command) => command,
            Action::ByHand(what) => format!("# {}", shell::one_line(&what)),
        })
        .collect()
}
