//! Tags, and the default revision: what leads namespaces to a control plane without naming it.

use super::{
    super::{Action, Back, Check, Engine, Step, checks, helm, shell},
    Canary, DEFAULT, WHAT_NAMES_NONE,
};
use crate::{api::Component, version::Minor};
use std::collections::BTreeMap;

/// Istio's chart has a Service for each tag from here on.
const TAG_SERVICES: Minor = Minor::new(1, 28);

/// A tag and the configuration that stands for it.
pub(super) struct Tag {
    pub name: String,
    pub configuration: String,
    /// Whether helm made it with the old revision.
    pub by_release: bool,
}

impl Canary<'_> {
    /// Tags that stand for the old revision; in later hops, those that the hops before have moved.
    pub(super) fn tags(&self) -> Vec<Tag> {
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

    /// What a tag's configuration is called by Istio's chart.
    pub(super) fn configuration(&self, tag: &str) -> String {
        match self.old.workload.namespace.as_str() {
            "istio-system" => format!("istio-revision-tag-{tag}"),
            namespace => format!("istio-revision-tag-{tag}-{namespace}"),
        }
    }

    /// Commands that let a tag stand for a revision; the values are those of the new release.
    pub(super) fn set_tag(&self, tag: &str, revision: &str) -> Vec<Action> {
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

    pub(super) fn move_tag(&self, tag: &Tag) -> Step {
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
    pub(super) fn stands_for(&self, configuration: &str, revision: &str) -> Check {
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

    /// Whether the new revision has to be made the one of what names none.
    pub(super) fn default_tag(&self) -> bool {
        self.old.revision == DEFAULT && !self.tags().iter().any(|tag| tag.name == DEFAULT)
    }

    /// The default validator has to lead to the new revision before the old one goes, or nothing can be configured.
    pub(super) fn default_revision(&self) -> Option<Step> {
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
