//! Whether the target is one hop away from everything that runs, in the same flavor, and known.

use super::{Part, Subject, named};
use crate::{
    api::{Component, WorkloadName},
    catalog::Knowledge,
    finding::{Finding, Report, Severity, codes},
    mesh::ObservedMember,
    version::{Flavor, IstioVersion, Move},
};
use std::{cmp::Ordering, collections::BTreeSet};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let parts = subject.parts();
    if !parts.iter().any(|part| part.component == Component::Istiod) {
        report.find(Finding::new(
            codes::NO_CONTROL_PLANE,
            format!(
                "no Deployment with the label app=istiod runs in the namespace {} of the clusters that answered",
                subject.mesh.istio_namespace
            ),
            "look at the cluster with --context NAME, or correct istioNamespace in the Mesh object",
        ));
    }
    mixtures(subject, &parts, report);
    for part in &parts {
        moves(subject, part, report);
    }
    if subject.writes() {
        arrivals(subject, report);
    }
    recorded(subject, report);
    charts(subject, report);
    already_there(subject, &parts, report);
    catalog(subject, report);
    ends_of_life(subject, report);
    for member in &subject.members {
        skew(member, report);
    }
}

fn versions<'a>(parts: &'a [Part<'_>], component: Component) -> impl Iterator<Item = &'a IstioVersion> {
    parts
        .iter()
        .filter(move |part| part.component == component)
        .filter_map(|part| part.version.version.as_ref())
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    words.join(", ")
}

fn mixtures(subject: &Subject<'_>, parts: &[Part<'_>], report: &mut Report) {
    let mut flavors: BTreeSet<Flavor> = versions(parts, Component::Istiod)
        .map(|version| version.flavor.clone())
        .collect();
    if subject.mesh.has_object {
        flavors.extend(subject.mesh.flavor.clone());
    }
    if flavors.len() > 1 {
        report.find(Finding::new(
            codes::MIXED_FLAVORS,
            format!(
                "the mesh's control planes and its Mesh object name the flavors {}",
                joined(&flavors)
            ),
            "bring all control planes to one flavor with the tool that installed them, then check again",
        ));
        return;
    }
    let aside: Vec<&WorkloadName> = subject
        .members
        .iter()
        .flat_map(|member| super::canary::aside(subject, member))
        .collect();
    let planes = parts.iter().filter(|part| part.component == Component::Istiod);
    let running: BTreeSet<String> = planes
        .filter(|part| !aside.contains(&part.workload))
        .filter_map(|part| part.version.version.as_ref().map(ToString::to_string))
        .collect();
    if running.len() > 1 {
        report.find(Finding::new(
            codes::MIXED_VERSIONS,
            format!("the mesh's control planes run {}", joined(&running)),
            format!("go on: the upgrade takes each of them to {}", subject.target.version),
        ));
    } else {
        report.pass(
            codes::MIXED_VERSIONS,
            None,
            format!("all control planes run {}", joined(&running)),
        );
    }
}

fn moves(subject: &Subject<'_>, part: &Part<'_>, report: &mut Report) {
    let target = &subject.target.version;
    let component = part.component;
    let Some(running) = &part.version.version else {
        let finding = Finding::new(
            codes::UNREADABLE_VERSION,
            format!("the version of {component} cannot be read from {:?}", part.version.raw),
            "let it run an image whose tag is a version, as 1.30.3; a digest may follow that",
        );
        return report.find(finding.in_cluster(part.cluster).about(named(part.workload)));
    };
    let finding = match Move::between(running, target) {
        Move::None | Move::Patch | Move::OneMinor => {
            let summary = format!("{component} may go from {running} to {target}");
            return report.pass(codes::SKIPS_A_MINOR, Some(part.cluster), summary);
        }
        Move::Skip => {
            let hop = subject.next_hop(running);
            let newest = subject.mesh.version.as_ref();
            let leads_back = newest.is_some_and(|newest| newest.minor() > running.minor().next());
            let fix = if leads_back {
                format!(
                    "bring this one alone to {hop}, with what installed it, and on until it is one minor behind at most; \
                     then check again"
                )
            } else {
                format!("go to {hop} first: {}", subject.check_command(&hop))
            };
            Finding::new(
                codes::SKIPS_A_MINOR,
                format!("{component} runs {running}; {target} is more than one minor ahead"),
                fix,
            )
        }
        Move::Downgrade => Finding::new(
            codes::DOWNGRADE,
            format!("{component} runs {running}; {target} is older"),
            format!("choose a version from {running} on"),
        ),
        Move::OtherFlavor => Finding::new(
            codes::OTHER_FLAVOR,
            format!(
                "{component} runs {running} ({}); {target} is {}",
                running.flavor, target.flavor
            ),
            format!("choose a version of the flavor {}", running.flavor),
        ),
    };
    report.find(finding.in_cluster(part.cluster).about(named(part.workload)));
}

/// That a component has come to the target is seen by the tag of its image and by nothing else: the label of its version says what
/// a chart was meant to bring. So what is to be upgraded needs one, however its version was read.
fn arrivals(subject: &Subject<'_>, report: &mut Report) {
    let target = &subject.target.version;
    for member in &subject.members {
        let going = super::canary::aside(subject, member).into_iter();
        let going: Vec<&WorkloadName> = going.chain(super::canary::goes(subject, member)).collect();
        for part in super::parts_of(member) {
            let running = part.version.version.as_ref();
            let is_due = running.is_some_and(|running| {
                let way = Move::between(running, target);
                way.is_allowed() && way != Move::None
            });
            if !is_due || going.contains(&part.workload) || IstioVersion::from_image(part.image).is_ok() {
                continue;
            }
            let (component, image) = (part.component, part.image);
            report.find(
                Finding::new(
                    codes::UNREADABLE_VERSION,
                    format!(
                        "the image of {component} names no version: {image:?}; its arrival at {target} could not be proved"
                    ),
                    format!(
                        "let it run an image whose tag is a version, as 1.30.3; or upgrade it by hand: kubectl \
                         mesh-upgrade guide {} --to {target}",
                        subject.mesh.name
                    ),
                )
                .in_cluster(part.cluster)
                .about(named(part.workload)),
            );
        }
    }
}

/// What the Mesh object last recorded holds after a control plane was deleted, too.
fn recorded(subject: &Subject<'_>, report: &mut Report) {
    let target = &subject.target.version;
    let recorded = subject.mesh.recorded_version.as_deref();
    let Some(recorded) = recorded.and_then(|text| text.parse::<IstioVersion>().ok()) else {
        return;
    };
    if Move::between(&recorded, target) == Move::Downgrade && subject.mesh.version.as_ref() != Some(&recorded) {
        report.find(
            Finding::new(
                codes::DOWNGRADE,
                format!("the mesh was last recorded at {recorded}; {target} is older"),
                format!("choose a version from {recorded} on"),
            )
            .about(format!("Mesh {}", subject.mesh.name)),
        );
    }
}

/// Charts without a running part, the base chart first of all, must not go back either.
fn charts(subject: &Subject<'_>, report: &mut Report) {
    let target = &subject.target.version;
    for member in &subject.members {
        for release in member.releases() {
            let Ok(chart) = release.chart_version.parse::<IstioVersion>() else {
                continue;
            };
            if chart.cmp_release(target) == Ordering::Greater {
                report.find(
                    Finding::new(
                        codes::DOWNGRADE,
                        format!("the chart {} is at {chart}; {target} is older", release.chart),
                        format!("choose a version from {chart} on"),
                    )
                    .in_cluster(member.name())
                    .about(format!("helm release {}/{}", release.namespace, release.name)),
                );
            }
        }
    }
}

fn already_there(subject: &Subject<'_>, parts: &[Part<'_>], report: &mut Report) {
    let target = &subject.target.version;
    let mut planes = parts
        .iter()
        .filter(|part| part.component == Component::Istiod)
        .peekable();
    if planes.peek().is_some() && planes.all(|part| part.version.version.as_ref() == Some(target)) {
        report.find(Finding::new(
            codes::ALREADY_AT_TARGET,
            format!("every control plane runs {target}"),
            "nothing is to be done for the control plane; kubectl mesh-upgrade plan shows what else is behind",
        ));
    }
}

fn catalog(subject: &Subject<'_>, report: &mut Report) {
    let target = &subject.target.version;
    let remedy = "choose one of these, or add the release to a catalog file and pass it with --catalog FILE";
    match subject.catalog.knowledge(target) {
        Knowledge::Known => report.pass(codes::UNKNOWN_TARGET, None, format!("{target} is in the catalog")),
        Knowledge::NewerPatch(newest) => report.find(Finding::new(
            codes::NEWER_PATCH,
            format!(
                "the catalog's newest patch of {} is {newest}; {target} is newer",
                target.minor()
            ),
            format!("make sure that {target} was released, or choose {newest}"),
        )),
        Knowledge::UnknownMinor(minors) => {
            let known = match (minors.first(), minors.last()) {
                (Some(first), Some(last)) => format!("{first} to {last}"),
                _ => "no minor at all".to_owned(),
            };
            report.find(Finding::new(
                codes::UNKNOWN_TARGET,
                format!(
                    "the catalog knows {known} of the flavor {}, not {}",
                    target.flavor,
                    target.minor()
                ),
                remedy,
            ));
        }
        Knowledge::UnknownFlavor(flavors) => report.find(Finding::new(
            codes::UNKNOWN_TARGET,
            format!(
                "the catalog knows the flavors {}, not {}",
                joined(flavors),
                target.flavor
            ),
            format!(
                "declare the flavor {} in a catalog file, by an entry of flavors with its suffix, sources and releases, and \
                 pass it with --catalog FILE",
                target.flavor
            ),
        )),
    }
    if let Some(pre) = &target.pre {
        let severity = if subject.target.named {
            Severity::Warning
        } else {
            Severity::Blocker
        };
        report.find(
            Finding::new(
                codes::PRE_RELEASE,
                format!("{target} is a pre-release ({pre})"),
                "choose a released version; kubectl mesh-upgrade list shows the newest that can be reached",
            )
            .weighing(severity),
        );
    }
}

fn ends_of_life(subject: &Subject<'_>, report: &mut Report) {
    let target = &subject.target.version;
    let over = |version: &IstioVersion| {
        let end = subject.catalog.release_of(version)?.end_of_life;
        end.is_past(subject.today).then_some(end.date)
    };
    if let Some(running) = subject
        .mesh
        .version
        .as_ref()
        .filter(|running| running.minor() != target.minor())
        && let Some(date) = over(running)
    {
        report.find(Finding::new(
            codes::RUNNING_END_OF_LIFE,
            format!("{} gets no fixes since {date}", running.minor()),
            "upgrade, one minor after the other, until a supported one is reached",
        ));
    }
    match over(target) {
        // Nobody goes on from where nobody may go.
        Some(_) if report.has(codes::DOWNGRADE) => {}
        Some(date) => report.find(Finding::new(
            codes::TARGET_END_OF_LIFE,
            format!("{} gets no fixes since {date}", target.minor()),
            format!("go on to {} right after this upgrade", subject.next_hop(target)),
        )),
        None if subject.catalog.knows(target) => {
            report.pass(
                codes::TARGET_END_OF_LIFE,
                None,
                format!("{} gets fixes", target.minor()),
            );
        }
        None => {}
    }
}

fn skew(member: &ObservedMember<'_>, report: &mut Report) {
    let planes = member
        .control_planes()
        .filter_map(|plane| plane.version.version.as_ref());
    let Some(newest) = planes.max_by(|a, b| a.cmp_release(b)) else {
        return;
    };
    for node in member.node_components() {
        let Some(version) = node.version.version.as_ref() else {
            continue;
        };
        if version.minor() > newest.minor() {
            report.find(
                Finding::new(
                    codes::AHEAD_OF_CONTROL_PLANE,
                    format!("{} runs {version}, its control plane {newest}", node.component),
                    format!("upgrade the control plane to at least {}", version.minor()),
                )
                .in_cluster(member.name())
                .about(named(&node.workload)),
            );
        }
    }
}

#[cfg(test)]
#[path = "versions_tests.rs"]
mod tests;
