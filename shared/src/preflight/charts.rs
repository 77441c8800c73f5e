//! Whether the target's charts are to be had, from a source that lasts, and for values and releases that they know.

use super::{Purpose, Subject, configuration::way, rules};
use crate::{
    catalog::RetiredRegistry,
    finding::{Finding, Report, Severity, codes},
    inventory::OldRelease,
    mesh::ObservedMember,
    version::Minor,
};

/// Charts that 1.24 was the first to come without, and what takes their place.
const DISCONTINUED: [(&str, &str); 2] = [
    (
        "istiod-remote",
        "a remote cluster has the chart istiod with profile=remote, beside the chart base",
    ),
    (
        "istio-operator",
        "nothing acts on IstioOperator objects any more; move to the charts base, istiod and gateway, or to the Sail \
         Operator",
    ),
];
const WITHOUT: Minor = Minor::new(1, 24);

/// Whether a chart is one that the Istio project makes no more.
#[must_use]
pub fn is_discontinued(chart: &str) -> bool {
    DISCONTINUED.iter().any(|(name, _)| *name == chart)
}

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    lookup(subject, report);
    for member in &subject.members {
        let old = member.observed.old_releases.iter();
        for release in old.filter(|_| subject.target.version.minor() >= WITHOUT) {
            discontinued(member, release, report);
        }
        values(subject, member, report);
        repositories(subject, member, report);
    }
}

fn lookup(subject: &Subject<'_>, report: &mut Report) {
    let Some(lookup) = &subject.target.charts else {
        return;
    };
    let source = &lookup.source;
    match &lookup.istioctl {
        Some(Ok(found)) => report.pass(codes::INSTALLER_UNAVAILABLE, None, found.clone()),
        Some(Err(why)) => report.find(Finding::new(
            codes::INSTALLER_UNAVAILABLE,
            why.clone(),
            format!(
                "install the istioctl of {}, or run apply with --istioctl FILE",
                subject.target.version
            ),
        )),
        None => {}
    }
    // Charts that nobody takes may come from anywhere.
    if lookup.charts.is_empty() && lookup.no_installer.is_none() && lookup.istioctl.is_some() {
        return;
    }
    if let Some(retired) = subject.catalog.retired_registry(source) {
        report.find(retired_repository(subject, retired, source));
    }
    if let Some(why) = &lookup.no_installer {
        return report.find(Finding::new(
            codes::INSTALLER_UNAVAILABLE,
            why.clone(),
            "install helm 3.14 or newer, or run apply with --helm FILE; charts were not looked at",
        ));
    }
    let mut unreachable = false;
    for (component, found) in &lookup.charts {
        let target = &subject.target.version;
        match found {
            Ok(()) => report.pass(
                codes::CHART_UNAVAILABLE,
                None,
                format!("{component} {target} is at {source}"),
            ),
            Err(why) => {
                let blocks = lookup.named || subject.target.purpose != Purpose::Check;
                let severity = if blocks { Severity::Blocker } else { Severity::Warning };
                let is_reached = !is_unreachable(why);
                let fix = if blocks && is_reached {
                    format!("put {component} {target} there, or name another place with --charts")
                } else if blocks {
                    format!("make {source} reachable from here, or name another place with --charts DIR|URL")
                } else {
                    match registry(subject, source) {
                        Some(registry) => format!(
                            "make it reachable, or name another place, here and in apply, with --charts, as {registry}"
                        ),
                        None => "make it reachable, or name another place, here and in apply, with --charts DIR|URL"
                            .to_owned(),
                    }
                };
                // What keeps the source from being reached is told once.
                let cause = if is_reached || !unreachable {
                    why.clone()
                } else {
                    format!("{source} cannot be reached for it either")
                };
                unreachable |= !is_reached;
                report.find(
                    Finding::new(codes::CHART_UNAVAILABLE, cause, fix)
                        .about(format!("chart {component}"))
                        .weighing(severity),
                );
            }
        }
    }
}

/// The registry that holds the charts of the target's flavor as well, where it is not this source.
fn registry<'a>(subject: &Subject<'a>, source: &str) -> Option<&'a str> {
    let registry = subject.catalog.oci_charts(&subject.target.version.flavor);
    registry.filter(|registry| *registry != source)
}

/// Whether a source gave no answer at all, by what helm and the time that it may take tell of it. One that answers may
/// still be without the chart.
fn is_unreachable(why: &str) -> bool {
    const SIGNS: [&str; 9] = [
        "dial tcp",
        "no such host",
        "connection refused",
        "connection reset",
        "network is unreachable",
        "i/o timeout",
        "TLS handshake",
        "proxyconnect",
        "deadline exceeded",
    ];
    why.contains(" was not to be had from ") || SIGNS.iter().any(|sign| why.contains(sign))
}

fn retired_repository(subject: &Subject<'_>, retired: &RetiredRegistry, url: &str) -> Finding {
    let when = if retired.gone <= subject.today { "since" } else { "from" };
    Finding::new(
        codes::RETIRED_CHART_REPOSITORY,
        format!(
            "charts come from {url}, which is shut down and may not answer {when} {}",
            retired.gone
        ),
        match registry(subject, url).filter(|registry| *registry != retired.replacement) {
            Some(registry) => format!("use {}, or {registry}", retired.replacement),
            None => format!("use {}", retired.replacement),
        },
    )
}

fn repositories(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) {
    let Some(around) = &member.observed.surroundings else {
        return;
    };
    for repository in &around.chart_repositories {
        if let Some(retired) = subject.catalog.retired_registry(&repository.url) {
            let finding = retired_repository(subject, retired, &repository.url);
            report.find(finding.in_cluster(member.name()).about(repository.object.clone()));
        }
    }
}

fn discontinued(member: &ObservedMember<'_>, release: &OldRelease, report: &mut Report) {
    let OldRelease { namespace, name, chart } = release;
    let known = DISCONTINUED.iter().find(|(name, _)| name == chart);
    let instead = known.map_or("it has no successor", |(_, instead)| instead);
    report.find(
        Finding::new(
            codes::DISCONTINUED_CHART,
            format!("it is of the chart {chart}, which is made no more since {WITHOUT}: {instead}"),
            format!("move what it installs to that, then helm uninstall {name} -n {namespace}"),
        )
        .in_cluster(member.name())
        .about(format!("helm release {namespace}/{name}")),
    );
}

fn values(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) {
    let Some(way) = way(subject, member) else {
        return;
    };
    for release in member.releases() {
        let object = format!("helm release {}/{}", release.namespace, release.name);
        let mut removed = rules::left_behind(&release.removed_values, way).peekable();
        if removed.peek().is_none() {
            let summary = format!("{object} sets no value that was removed");
            report.pass(codes::REMOVED_VALUES, Some(member.name()), summary);
        }
        for value in removed {
            let (severity, what) = if value.refused {
                (Severity::Blocker, "the target's chart refuses to be rendered with it")
            } else {
                (Severity::Warning, "the target's chart ignores it")
            };
            report.find(
                Finding::new(
                    codes::REMOVED_VALUES,
                    format!("it sets {}, gone in 1.{}: {what}", value.path, value.since),
                    format!("remove it; in its place comes {}", value.instead),
                )
                .in_cluster(member.name())
                .about(object.clone())
                .weighing(severity),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        api::Component,
        finding::{Report, Severity},
        inventory::{ChartRepository, Inventory, OldRelease, sample},
        mesh::meshes,
        preflight::{
            ChartLookup, Target, check as check_mesh,
            tests::{CATALOG, TODAY, check, found, ids},
        },
    };

    fn looked(lookup: ChartLookup) -> Report {
        let inventory: Inventory = sample::one("1.30.3", "v1.36.3");
        let target = Target::new("1.31.0".parse().unwrap()).with_charts(Some(lookup));
        check_mesh(&meshes(&inventory)[0], &inventory, &target, &CATALOG, TODAY)
    }

    #[test]
    fn charts_have_to_be_there() {
        let here = || ChartLookup {
            source: "https://blob.istio.io/istio-release/charts".to_owned(),
            charts: vec![(Component::Base, Ok(())), (Component::Istiod, Ok(()))],
            ..ChartLookup::default()
        };
        assert_eq!(ids(&looked(here())), [""; 0]);
        for (named, severity) in [(true, Severity::Blocker), (false, Severity::Warning)] {
            let mut lookup = here();
            lookup.named = named;
            lookup.charts[1].1 = Err("chart istiod 1.31.0 is not to be had".to_owned());
            let report = looked(lookup);
            let finding = found(&report, "MU115");
            assert_eq!(
                (finding.severity, finding.object.as_deref()),
                (severity, Some("chart istiod"))
            );
            assert!(finding.fix.contains("--charts"));
            let proposed = finding.fix.ends_with("as oci://ghcr.io/istio/release/charts");
            assert_eq!(proposed, !named, "{}", finding.fix);
        }
        let report = looked(ChartLookup {
            no_installer: Some("cannot run helm".to_owned()),
            charts: Vec::new(),
            ..here()
        });
        assert_eq!(ids(&report), ["MU116"]);
        let istioctl = |istioctl| {
            looked(ChartLookup {
                source: "https://istio-release.storage.googleapis.com/charts".to_owned(),
                istioctl: Some(istioctl),
                ..ChartLookup::default()
            })
        };
        assert_eq!(ids(&istioctl(Ok("istioctl 1.31.0".to_owned()))), [""; 0]);
        let report = istioctl(Err("it is version 1.30.3".to_owned()));
        assert_eq!(ids(&report), ["MU116"]);
        assert!(found(&report, "MU116").fix.contains("the istioctl of 1.31.0"));
    }

    #[test]
    fn a_source_that_is_out_of_reach_is_made_reachable() {
        let no_host = "chart base 1.31.0 is not to be had from https://charts.example: Get \
                       \"https://charts.example/index.yaml\": dial tcp: lookup charts.example: no such host";
        let late = "chart base 1.31.0 was not to be had from https://charts.example within 20 s";
        let missing =
            "chart base 1.31.0 is not to be had from https://charts.example: no chart version found for base-1.31.0";
        for (why, fix) in [
            (no_host, "make https://charts.example reachable from here"),
            (late, "make https://charts.example reachable from here"),
            (missing, "put base 1.31.0 there"),
        ] {
            let report = looked(ChartLookup {
                source: "https://charts.example".to_owned(),
                named: true,
                charts: vec![
                    (Component::Base, Err(why.to_owned())),
                    (Component::Istiod, Err(why.to_owned())),
                ],
                ..ChartLookup::default()
            });
            let findings: Vec<_> = report.findings.iter().filter(|one| one.code.id() == "MU115").collect();
            assert_eq!(findings.len(), 2, "{report:?}");
            assert!(findings[0].fix.starts_with(fix), "{:?}", findings[0]);
            let causes = findings.iter().filter(|one| one.cause == why).count();
            assert_eq!(causes, if why == missing { 2 } else { 1 }, "{report:?}");
        }
    }

    #[test]
    fn a_chart_repository_that_goes_is_told_wherever_it_is_named() {
        const OLD: &str = "https://istio-release.storage.googleapis.com/charts";
        let report = looked(ChartLookup {
            source: OLD.to_owned(),
            ..ChartLookup::default()
        });
        let finding = found(&report, "MU414");
        assert!(finding.cause.contains("from 2026-12-01"), "{}", finding.cause);
        assert_eq!(
            finding.fix,
            "use https://blob.istio.io/istio-release/charts, or oci://ghcr.io/istio/release/charts"
        );
        for (url, fix) in [
            (
                "oci://gcr.io/istio-release/charts",
                "use oci://ghcr.io/istio/release/charts",
            ),
            (
                "oci://gcr.io/istio-release/charts/",
                "use oci://ghcr.io/istio/release/charts",
            ),
        ] {
            let report = looked(ChartLookup {
                source: url.to_owned(),
                ..ChartLookup::default()
            });
            assert_eq!(found(&report, "MU414").fix, fix, "{url}");
        }
        for (url, expected) in [
            (OLD, true),
            ("oci://gcr.io/istio-release/charts/istiod", true),
            ("https://blob.istio.io/istio-release/charts", false),
            ("https://istio-release.storage.googleapis.com/charts-of-another", false),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.around(0).chart_repositories = vec![ChartRepository {
                object: "HelmRepository flux-system/istio".to_owned(),
                url: url.to_owned(),
            }];
            assert_eq!(ids(&check(&inventory, "1.31.0")).contains(&"MU414"), expected, "{url}");
        }
    }

    #[test]
    fn a_discontinued_chart_blocks_where_the_target_comes_without_it() {
        for (chart, from, to, part) in [
            ("istiod-remote", "1.30.3", "1.31.0", Some("profile=remote")),
            ("istio-operator", "1.23.6", "1.24.6", Some("IstioOperator")),
            ("istiod-remote", "1.22.8", "1.23.6", None),
        ] {
            let mut inventory = sample::one(from, "v1.30.1");
            inventory.seen(0).old_releases = vec![OldRelease {
                namespace: "istio-system".to_owned(),
                name: "remote".to_owned(),
                chart: chart.to_owned(),
            }];
            let report = check(&inventory, to);
            assert_eq!(
                ids(&report).contains(&"MU413"),
                part.is_some(),
                "{chart} {from} to {to}"
            );
            let Some(part) = part else { continue };
            let finding = found(&report, "MU413");
            assert!(finding.cause.contains(part), "{}", finding.cause);
            assert_eq!(finding.severity, Severity::Blocker);
            assert!(super::is_discontinued(chart));
        }
        assert!(!super::is_discontinued("istiod"));
    }

    #[test]
    fn removed_values_matter_on_their_way_and_block_where_the_chart_refuses_them() {
        for (from, to, key, expected) in [
            ("1.23.6", "1.24.6", "istio_cni", Some(Severity::Warning)),
            ("1.24.6", "1.25.5", "istio_cni", None),
            ("1.23.6", "1.24.6", "profile=openshift", Some(Severity::Blocker)),
        ] {
            let mut inventory = sample::one(from, "v1.30.1");
            inventory.seen(0).helm_releases[1].removed_values = vec![key];
            let report = check(&inventory, to);
            let severity = report
                .findings
                .iter()
                .find(|finding| finding.code.id() == "MU415")
                .map(|finding| finding.severity);
            assert_eq!(severity, expected, "{key} {from} to {to}");
        }
    }
}
