//! The end of the old revision: the proof that nothing uses it, and its removal.

use super::{
    super::{Action, Back, Check, Engine, Step, checks, shell},
    Canary, DEFAULT, WHAT_NAMES_NONE,
};

impl Canary<'_> {
    pub(super) fn proof(&self) -> Step {
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

    pub(super) fn remove(&self) -> Step {
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
        step.look
            .push(checks::injects(&self.seat.proof, &new.revision, self.hop.to));
        step.look.push(checks::proxies(place));
        step.back = Back::none(format!(
            "none: {} would have to be installed again as a canary",
            self.hop.from
        ));
        step
    }
}
