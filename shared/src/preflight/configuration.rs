//! Whether the configuration in the clusters means to the target what it means now.

use super::{
    Subject,
    rules::{self, Way},
};
use crate::{
    api::Component,
    catalog::Release,
    finding::{Code, Finding, Report, codes},
    inventory::{Crd, HitsOfRule, Surroundings},
    mesh::ObservedMember,
    version::Minor,
};

/// Objects that a finding names; the rest is counted.
const NAMED: usize = 10;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        let Some(around) = &member.observed.surroundings else {
            continue;
        };
        for what in &around.overlooked {
            report.find(
                Finding::new(
                    codes::OVERLOOKED,
                    format!("not looked at: {what}"),
                    "get the permission to read it, then check again",
                )
                .in_cluster(member.name()),
            );
        }
        if let Some(way) = way(subject, member) {
            objects(member, around, way, report);
            settings(member, way, report);
            ztunnel(member, way, report);
            definitions(member, around, way, report);
        }
        if let Some(release) = subject.catalog.release_of(&subject.target.version) {
            gateway_api(member, around, release, report);
        }
    }
}

/// From the oldest control plane of the member to the target.
fn way(subject: &Subject<'_>, member: &ObservedMember<'_>) -> Option<Way> {
    let minors = member
        .control_planes()
        .filter_map(|plane| plane.version.version.as_ref())
        .map(crate::version::IstioVersion::minor);
    Some(Way {
        from: minors.min()?,
        to: subject.target.version.minor(),
    })
}

fn objects(member: &ObservedMember<'_>, around: &Surroundings, way: Way, report: &mut Report) {
    for code in way.rules() {
        let needs_ztunnel = [codes::PASSTHROUGH_NACK, codes::DRY_RUN_POLICY].contains(&code);
        match around.hits.of(code) {
            Some(hits) if !needs_ztunnel || has_ztunnel(member) => {
                report.find(told(code, hits).in_cluster(member.name()));
            }
            _ if needs_settings(code) => {}
            _ => report.pass(code, Some(member.name()), format!("nothing that {code} is about")),
        }
    }
}

/// Rules whose evidence is not in objects, and which have a look of their own.
fn needs_settings(code: Code) -> bool {
    [
        codes::DISCOVERY_SELECTORS,
        codes::REMOVED_TRACER,
        codes::ZTUNNEL_RENAMED,
        codes::AMBIENT_DNS_CAPTURE,
        codes::INFERENCE_POOL_VERSION,
        codes::DNS_AUTO_ALLOCATE,
    ]
    .contains(&code)
}

fn has_ztunnel(member: &ObservedMember<'_>) -> bool {
    let mut nodes = member.observed.node_components.iter();
    nodes.any(|node| node.component == Component::Ztunnel)
}

/// A finding that names what was hit.
fn told(code: Code, hits: &HitsOfRule) -> Finding {
    let mut named: Vec<String> = hits
        .examples
        .iter()
        .take(NAMED)
        .map(|hit| format!("{} ({})", hit.object, hit.detail))
        .collect();
    let more = hits.count.saturating_sub(named.len() as u64);
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    let finding = Finding::new(code, format!("{}: {}", code.title(), named.join(", ")), code.fix());
    match hits.examples.as_slice() {
        [only] if hits.count == 1 => finding.about(only.object.clone()),
        _ => finding,
    }
}

fn settings(member: &ObservedMember<'_>, way: Way, report: &mut Report) {
    for plane in member.control_planes() {
        let object = super::named(&plane.workload);
        for detail in rules::environment(&plane.settings, way) {
            report.find(
                Finding::new(
                    codes::REMOVED_ENVIRONMENT,
                    format!("it sets {detail}"),
                    codes::REMOVED_ENVIRONMENT.fix(),
                )
                .in_cluster(member.name())
                .about(object.clone()),
            );
        }
        for (code, detail) in rules::mesh_config(&plane.settings, way) {
            report.find(
                Finding::new(code, format!("{}: {detail}", code.title()), code.fix())
                    .in_cluster(member.name())
                    .about(object.clone()),
            );
        }
    }
}

fn ztunnel(member: &ObservedMember<'_>, way: Way, report: &mut Report) {
    if (way.leads_over(25) || way.leads_over(26))
        && let Some(release) = member
            .releases()
            .into_iter()
            .find(|release| release.component == Component::Ztunnel && release.name != "ztunnel")
    {
        report.find(
            Finding::new(
                codes::ZTUNNEL_RENAMED,
                format!("the release of ztunnel is called {}", release.name),
                codes::ZTUNNEL_RENAMED.fix(),
            )
            .in_cluster(member.name())
            .about(format!("helm release {}/{}", release.namespace, release.name)),
        );
    }
    if way.leads_over(25) && has_ztunnel(member) {
        report.find(
            Finding::new(
                codes::AMBIENT_DNS_CAPTURE,
                "ztunnel runs: pods that start after the upgrade have their DNS captured, the others do not",
                codes::AMBIENT_DNS_CAPTURE.fix(),
            )
            .in_cluster(member.name()),
        );
    }
}

fn definitions(member: &ObservedMember<'_>, around: &Surroundings, way: Way, report: &mut Report) {
    let pool = around
        .crds
        .iter()
        .find(|crd| crd.name == "inferencepools.inference.networking.x-k8s.io");
    if let Some(pool) = pool.filter(|_| way.leads_over(28)) {
        report.find(
            Finding::new(
                codes::INFERENCE_POOL_VERSION,
                format!(
                    "it serves {}; istiod reads inference.networking.k8s.io/v1",
                    pool.served.join(", ")
                ),
                codes::INFERENCE_POOL_VERSION.fix(),
            )
            .in_cluster(member.name())
            .about(format!("CustomResourceDefinition {}", pool.name)),
        );
    }
}

/// Kinds of the Gateway API whose bundle is older than the target reads.
fn gateway_api(member: &ObservedMember<'_>, around: &Surroundings, release: &Release, report: &mut Report) {
    for (resource, minimum) in &release.gateway_api {
        let name = format!("{resource}.gateway.networking.k8s.io");
        let Some(crd) = around.crds.iter().find(|crd| crd.name == name) else {
            continue;
        };
        let used = around.gateway_api.get(resource).copied().unwrap_or_default();
        let bundle = bundle(crd);
        let summary = format!(
            "{used} {resource}, bundle {}",
            crd.bundle.as_deref().unwrap_or("unknown")
        );
        if used == 0 || bundle.as_ref().is_some_and(|bundle| bundle >= minimum) {
            report.pass(codes::GATEWAY_API_TOO_OLD, Some(member.name()), summary);
            continue;
        }
        let found = crd.bundle.as_deref().unwrap_or("an unknown version");
        report.find(
            Finding::new(
                codes::GATEWAY_API_TOO_OLD,
                format!(
                    "{used} {} come with the bundle {found}: Istio {} ignores them below {minimum}",
                    crd.kind, release.minor
                ),
                format!(
                    "install the Gateway API {minimum} or newer before the upgrade, with the channel that you use now"
                ),
            )
            .in_cluster(member.name())
            .about(format!("CustomResourceDefinition {name}")),
        );
    }
}

fn bundle(crd: &Crd) -> Option<semver::Version> {
    semver::Version::parse(crd.bundle.as_deref()?.trim_start_matches('v')).ok()
}

/// Whether a way leads from below a minor of Istio 1 to it or above.
pub(super) fn crosses(from: Minor, to: Minor, minor: u64) -> bool {
    Way { from, to }.leads_over(minor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::Severity,
        inventory::{Inventory, sample},
        preflight::tests::{check, found, ids},
    };

    fn crd(resource: &str, bundle: Option<&str>) -> Crd {
        Crd {
            name: format!("{resource}.gateway.networking.k8s.io"),
            kind: "TCPRoute".to_owned(),
            bundle: bundle.map(str::to_owned),
            ..Crd::default()
        }
    }

    #[test]
    fn a_hit_is_found_only_on_the_way_that_it_matters_for() {
        for (from, to, code, expected) in [
            ("1.30.3", "1.31.0", codes::MANAGED_GATEWAY_SELECTED, true),
            ("1.31.0", "1.31.3", codes::MANAGED_GATEWAY_SELECTED, false),
            ("1.29.9", "1.30.7", codes::MANAGED_GATEWAY_SELECTED, false),
            ("1.29.9", "1.30.7", codes::HOST_IN_SEVERAL_NAMESPACES, true),
            ("1.30.3", "1.31.0", codes::ENVOY_FILTER, true),
            ("1.31.0", "1.31.3", codes::ENVOY_FILTER, false),
            ("1.30.3", "1.31.0", codes::PASSTHROUGH_NACK, false),
        ] {
            let mut inventory = sample::one(from, "v1.34.1");
            inventory
                .around(0)
                .hits
                .add(code, "Kind a/b".to_owned(), "detail".to_owned());
            let found = ids(&check(&inventory, to)).contains(&code.id());
            assert_eq!(found, expected, "{code} from {from} to {to}");
        }
    }

    #[test]
    fn one_object_is_named_and_many_are_counted() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let hits = &mut inventory.around(0).hits;
        for index in 0..25 {
            let object = format!("EnvoyFilter shop/f{index}");
            hits.add(codes::ENVOY_FILTER, object, "HTTP_FILTER".to_owned());
        }
        hits.add(
            codes::AUTO_REGISTERED,
            "WorkloadEntry vms/one".to_owned(),
            "x".to_owned(),
        );
        let report = check(&inventory, "1.31.0");
        let filters = found(&report, "MU727");
        assert!(filters.cause.contains("f9 (HTTP_FILTER), and 15 more") && filters.object.is_none());
        assert_eq!(found(&report, "MU726").object.as_deref(), Some("WorkloadEntry vms/one"));
    }

    #[test]
    fn what_needs_ztunnel_waits_for_one() {
        for (ambient, expected) in [(false, false), (true, true)] {
            let mut inventory = sample::one("1.28.3", "v1.34.1");
            if ambient {
                sample::add_ambient(&mut inventory.clusters[0], "1.28.3");
            }
            let policy = "AuthorizationPolicy a/b".to_owned();
            inventory
                .around(0)
                .hits
                .add(codes::DRY_RUN_POLICY, policy, "x".to_owned());
            assert_eq!(ids(&check(&inventory, "1.29.10")).contains(&"MU721"), expected);
        }
    }

    #[test]
    fn an_old_bundle_blocks_only_where_its_kind_is_used() {
        for (from, to, resource, bundle, used, expected) in [
            ("1.30.3", "1.31.0", "tcproutes", Some("v1.5.1"), 2, true),
            ("1.30.3", "1.31.0", "tcproutes", Some("v1.5.1"), 0, false),
            ("1.30.3", "1.31.0", "tcproutes", Some("v1.6.0"), 2, false),
            ("1.30.3", "1.31.0", "tcproutes", None, 2, true),
            ("1.29.9", "1.30.7", "tlsroutes", Some("v1.4.0"), 1, true),
            ("1.29.9", "1.30.7", "tcproutes", Some("v1.4.0"), 1, false),
        ] {
            let mut inventory = sample::one(from, "v1.34.1");
            let around = inventory.around(0);
            around.crds = vec![crd(resource, bundle)];
            around.gateway_api.insert(resource.to_owned(), used);
            let report = check(&inventory, to);
            assert_eq!(
                ids(&report).contains(&"MU728"),
                expected,
                "{resource} {bundle:?} {used}"
            );
            if expected {
                assert_eq!(found(&report, "MU728").severity, Severity::Blocker);
            }
        }
    }

    #[test]
    fn settings_ztunnel_and_definitions_are_looked_at() {
        let spoilt = |from: &str, spoil: fn(&mut Inventory)| {
            let mut inventory = sample::one(from, "v1.32.1");
            sample::add_ambient(&mut inventory.clusters[0], from);
            spoil(&mut inventory);
            inventory
        };
        type Spoil = fn(&mut Inventory);
        let cases: [(&str, &str, Spoil, &str); 5] = [
            (
                "1.30.3",
                "1.31.0",
                |i| {
                    let settings = &mut i.seen(0).control_planes[0].settings;
                    let name = "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY";
                    settings.environment.insert(name.to_owned(), "false".to_owned());
                },
                "MU712",
            ),
            (
                "1.26.1",
                "1.27.9",
                |i| {
                    i.seen(0).control_planes[0].settings.mesh =
                        serde_json::json!({"extensionProviders": [{"name": "x", "lightstep": {}}]});
                },
                "MU713",
            ),
            (
                "1.25.1",
                "1.26.8",
                |i| {
                    let releases = &mut i.seen(0).helm_releases;
                    releases
                        .iter_mut()
                        .find(|release| release.chart == "ztunnel")
                        .unwrap()
                        .name = "mesh-ztunnel".to_owned();
                },
                "MU714",
            ),
            ("1.24.1", "1.25.5", |_| {}, "MU716"),
            (
                "1.27.1",
                "1.28.10",
                |i| {
                    i.around(0).crds = vec![Crd {
                        name: "inferencepools.inference.networking.x-k8s.io".to_owned(),
                        served: vec!["v1alpha2".to_owned()],
                        ..Crd::default()
                    }];
                },
                "MU717",
            ),
        ];
        for (from, to, spoil, expected) in cases {
            assert!(!ids(&check(&spoilt(from, |_| {}), "1.31.0")).contains(&"MU713"));
            let report = check(&spoilt(from, spoil), to);
            assert!(ids(&report).contains(&expected), "{expected}: {:?}", ids(&report));
        }
    }

    #[test]
    fn what_could_not_be_looked_at_is_said() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.around(0).overlooked = vec!["EnvoyFilters: forbidden".to_owned()];
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU906"]);
        assert!(report.is_free());
    }
}
