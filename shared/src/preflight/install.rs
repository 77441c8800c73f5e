//! Whether everything that would be upgraded is a healthy helm release, with images from a registry that lasts.

use super::{Part, Subject, base, data_plane, named, ownership, parts_of};
use crate::{
    catalog::RetiredRegistry,
    engine::Engine,
    finding::{Finding, Report, codes},
    gitops::FollowedKind,
    inventory::{Gateway, HelmRelease},
    mesh::ObservedMember,
    version::IstioVersion,
};
use std::collections::BTreeMap;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        for part in parts_of(member) {
            owner(subject, member, &part, report);
        }
        for release in member.releases() {
            state(member.name(), release, report);
        }
        base::check(subject, member, report);
        gateways(member, report);
        registries(subject, member, report);
    }
}

fn find<'a>(member: &ObservedMember<'a>, owner: &(String, String)) -> Option<&'a HelmRelease> {
    member
        .observed
        .helm_releases
        .iter()
        .find(|release| release.namespace == owner.0 && release.name == owner.1)
}

fn owner(subject: &Subject<'_>, member: &ObservedMember<'_>, part: &Part<'_>, report: &mut Report) {
    let component = part.component;
    let record = part.helm_release.and_then(|owner| find(member, owner));
    if record.is_none() && ownership::is_brought_otherwise(part) {
        return ownership::by_hand_first(subject, part, report);
    }
    let cause = match part.helm_release {
        // What does not go together with the rest is told by itself.
        None if part.engine == Engine::Istioctl => {
            let summary = format!("istioctl installed {component}");
            return report.pass(codes::NO_HELM_RELEASE, Some(member.name()), summary);
        }
        named
            if part
                .followed
                .is_some_and(|followed| followed.kind == FollowedKind::Application) =>
        {
            let told = part.engine.told();
            let summary = match named.and_then(|owner| find(member, owner)) {
                Some(left) => format!(
                    "{component} is brought by {told}; helm release {}/{} is left of what installed it before, and stays as \
                     it is",
                    left.namespace, left.name
                ),
                None => format!("{component} is brought by {told}"),
            };
            return report.pass(codes::NO_HELM_RELEASE, Some(member.name()), summary);
        }
        None => format!(
            "{component} was installed neither by helm, of which it would have the annotation meta.helm.sh/release-name, \
             nor by istioctl"
        ),
        Some(owner) => match record {
            Some(release) => return agreement(member.name(), part, release, report),
            None => format!(
                "{component} names the helm release {}/{}, of which no record of Istio's own chart is left",
                owner.0, owner.1
            ),
        },
    };
    report.find(
        Finding::new(
            codes::NO_HELM_RELEASE,
            cause,
            format!(
                "upgrade it with the tool that installed it, or take it over: helm upgrade --install with \
                 --take-ownership and the chart {component} of the version that runs"
            ),
        )
        .in_cluster(part.cluster)
        .about(named(part.workload)),
    );
}

fn agreement(cluster: &str, part: &Part<'_>, release: &HelmRelease, report: &mut Report) {
    let object = format!("helm release {}/{}", release.namespace, release.name);
    let core = |version: &IstioVersion| (version.minor(), version.patch);
    match (release.chart_version.parse::<IstioVersion>(), &part.version.version) {
        (Ok(chart), Some(running)) if core(&chart) != core(running) => report.find(
            Finding::new(
                codes::CHART_AND_IMAGE_DISAGREE,
                format!("its chart {} is at {chart}, but {running} runs", release.chart),
                format!(
                    "look for a tag in helm get values {} -n {}, and remove it, or the upgrade keeps it",
                    release.name, release.namespace
                ),
            )
            .in_cluster(cluster)
            .about(object),
        ),
        _ => {
            let summary = format!("{object} installs {}", part.component);
            report.pass(codes::NO_HELM_RELEASE, Some(cluster), summary);
        }
    }
}

fn state(cluster: &str, release: &HelmRelease, report: &mut Report) {
    let HelmRelease {
        namespace,
        name,
        status,
        revision,
        ..
    } = release;
    let object = format!("helm release {namespace}/{name}");
    if status == "deployed" {
        return report.pass(
            codes::RELEASE_NOT_DEPLOYED,
            Some(cluster),
            format!("{object} is deployed"),
        );
    }
    let look = format!("helm history {name} -n {namespace}");
    let fix = match status.as_str() {
        "pending-upgrade" | "pending-rollback" => format!(
            "wait if a helm still works on it; if it was killed, roll back to the last revision that {look} shows as \
             deployed: helm rollback {name} REVISION -n {namespace}"
        ),
        "pending-install" => format!(
            "wait if a helm still works on it; if it was killed, helm uninstall {name} -n {namespace} and \
             install it again"
        ),
        "failed" => format!(
            "see the reason with {look}, then repeat the operation, or go back: helm rollback {name} REVISION -n \
             {namespace}"
        ),
        _ => format!("see {look}, and bring the release back to deployed"),
    };
    report.find(
        Finding::new(
            codes::RELEASE_NOT_DEPLOYED,
            format!("its revision {revision} is {status}"),
            fix,
        )
        .in_cluster(cluster)
        .about(object),
    );
}

fn release_of<'a>(member: &ObservedMember<'a>, gateway: &Gateway) -> Option<&'a HelmRelease> {
    let (namespace, name) = gateway.helm_release.as_ref()?;
    member.observed.helm_release(namespace, name)
}

fn gateways(member: &ObservedMember<'_>, report: &mut Report) {
    let installations = member.installations();
    let by_istioctl: Vec<&Gateway> = installations.iter().flat_map(|one| one.gateways.clone()).collect();
    let brought = member.brought();
    let left_alone = |gateway: &&Gateway| {
        let is_installed = by_istioctl.iter().any(|one| one.workload == gateway.workload)
            || brought.iter().any(|one| one.workloads.contains(&gateway.workload));
        release_of(member, gateway).is_none() && !is_installed
    };
    // Whosever it is: where meshes share a cluster, nobody else might tell of it.
    for gateway in member.observed.gateways.iter().filter(left_alone) {
        let cause = match &gateway.helm_release {
            Some((namespace, name)) => format!(
                "its helm release {namespace}/{name} is not of Istio's own chart: this upgrade leaves it as it is"
            ),
            None => "it was installed neither by helm nor with the mesh by istioctl: this upgrade leaves it as it is"
                .to_owned(),
        };
        report.find(
            Finding::new(
                codes::GATEWAY_WITHOUT_RELEASE,
                cause,
                format!(
                    "upgrade it afterwards with the tool that installed it; an injected one by kubectl rollout restart \
                     {}/{} -n {}",
                    gateway.workload.kind.as_str().to_lowercase(),
                    gateway.workload.name,
                    gateway.workload.namespace
                ),
            )
            .in_cluster(member.name())
            .about(named(&gateway.workload)),
        );
    }
}

fn registries(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) {
    let parts = parts_of(member);
    let images = parts.iter().map(|part| (part.workload, part.image));
    let gateways = member
        .observed
        .gateways
        .iter()
        .map(|gateway| (&gateway.workload, gateway.image.as_str()));
    let mut retired: BTreeMap<&str, (&RetiredRegistry, Vec<String>)> = BTreeMap::new();
    for (workload, image) in images.chain(gateways) {
        if let Some(registry) = subject.catalog.retired_registry(image) {
            let entry = retired.entry(&registry.prefix).or_insert((registry, Vec::new()));
            entry.1.push(named(workload));
        }
    }
    // A pod that is moved to another node pulls its proxy again.
    let proxies = data_plane::proxies(member);
    let by_registry = data_plane::grouped(&proxies, |one| {
        // What was read of a proxy is its image.
        let registry = subject.catalog.retired_registry(&one.version.raw)?;
        Some(registry.prefix.as_str())
    });
    for ((kind, prefix), group) in by_registry {
        if let Some(registry) = subject.catalog.retired_registry(prefix) {
            let entry = retired.entry(&registry.prefix).or_insert((registry, Vec::new()));
            entry.1.push(group.told(kind));
        }
    }
    for (prefix, (registry, workloads)) in retired {
        let RetiredRegistry { gone, replacement, .. } = registry;
        let when = if *gone <= subject.today { "since" } else { "from" };
        report.find(
            Finding::new(
                codes::RETIRED_REGISTRY,
                format!(
                    "images of {} come from {prefix}, which is shut down and may not answer {when} {gone}",
                    workloads.join(", ")
                ),
                format!(
                    "set global.hub to {replacement} in the values of the charts, and restart pods with such proxies \
                     afterwards"
                ),
            )
            .in_cluster(member.name()),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        finding::Severity,
        inventory::{Inventory, sample},
        preflight::tests::{check, found, ids},
    };

    fn ambient() -> Inventory {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        sample::add_ambient(&mut inventory.clusters[0], "1.30.3");
        inventory
    }

    #[test]
    fn what_helm_does_not_own_blocks() {
        let mut inventory = ambient();
        inventory.seen(0).control_planes[0].helm_release = None;
        let finding = found(&check(&inventory, "1.31.0"), "MU401").clone();
        assert_eq!(finding.severity, Severity::Blocker);
        assert_eq!(finding.object.as_deref(), Some("Deployment istio-system/istiod"));

        let mut inventory = ambient();
        inventory
            .seen(0)
            .helm_releases
            .retain(|release| release.chart != "ztunnel");
        assert!(
            found(&check(&inventory, "1.31.0"), "MU401")
                .cause
                .contains("no record of Istio's own chart is left")
        );
    }

    #[test]
    fn each_state_of_a_release_tells_what_to_do() {
        for (status, part) in [
            ("deployed", None),
            (
                "pending-upgrade",
                Some("helm rollback ztunnel REVISION -n istio-system"),
            ),
            ("pending-rollback", Some("helm rollback")),
            ("pending-install", Some("helm uninstall ztunnel")),
            ("failed", Some("helm history ztunnel -n istio-system")),
            ("uninstalling", Some("bring the release back")),
        ] {
            let mut inventory = ambient();
            let releases = &mut inventory.seen(0).helm_releases;
            releases
                .iter_mut()
                .find(|release| release.name == "ztunnel")
                .unwrap()
                .status = status.to_owned();
            let report = check(&inventory, "1.31.0");
            match part {
                None => assert!(ids(&report).is_empty()),
                Some(part) => {
                    let finding = found(&report, "MU402");
                    assert!(
                        finding.cause.contains(status) && finding.fix.contains(part),
                        "{finding:?}"
                    );
                    assert_eq!(finding.severity, Severity::Blocker);
                }
            }
        }
    }

    #[test]
    fn a_missing_base_chart_is_a_warning() {
        let mut inventory = ambient();
        inventory
            .seen(0)
            .helm_releases
            .retain(|release| release.chart != "base");
        assert_eq!(ids(&check(&inventory, "1.31.0")), ["MU403"]);
    }

    #[test]
    fn chart_and_image_have_to_agree() {
        let mut inventory = ambient();
        inventory.seen(0).control_planes[0].version = sample::version("1.30.2");
        inventory.seen(0).control_planes[0].running.clear();
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU404"]);
        assert!(
            found(&report, "MU404")
                .fix
                .contains("helm get values istiod -n istio-system")
        );
    }

    #[test]
    fn a_retired_registry_is_told_with_its_day() {
        for (hub, replaced) in [
            ("gcr.io/istio-release", true),
            ("registry.istio.io/release", true),
            ("quay.io/x", false),
        ] {
            let mut inventory = ambient();
            inventory.seen(0).control_planes[0].image = format!("{hub}/pilot:1.30.3");
            inventory.seen(0).node_components[0].image = format!("{hub}/install-cni:1.30.3");
            let report = check(&inventory, "1.31.0");
            assert_eq!(ids(&report), if replaced { &["MU405"][..] } else { &[] }, "{hub}");
            if replaced {
                let finding = found(&report, "MU405");
                assert!(finding.cause.contains("from 2026-12-01") && finding.cause.contains("istio-cni-node"));
                assert!(finding.fix.contains("docker.io/istio"));
            }
        }
    }

    #[test]
    fn proxies_from_a_retired_registry_are_counted() {
        for (image, expected) in [
            ("registry.istio.io/release/proxyv2:1.30.3", true),
            ("docker.io/istio/proxyv2:1.30.3", false),
        ] {
            let mut inventory = ambient();
            inventory.seen(0).proxies[0].version.raw = image.to_owned();
            let report = check(&inventory, "1.31.0");
            assert_eq!(ids(&report), if expected { &["MU405"][..] } else { &[] }, "{image}");
            if expected {
                let cause = &found(&report, "MU405").cause;
                assert!(
                    cause.starts_with("images of 3 sidecars, as reviews-v1-0, in shop (3) come"),
                    "{cause}"
                );
            }
        }
    }

    #[test]
    fn a_gateway_outside_of_helm_is_left_alone() {
        let mut inventory = ambient();
        inventory.seen(0).gateways[0].helm_release = None;
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU406"]);
        assert!(
            found(&report, "MU406")
                .fix
                .contains("kubectl rollout restart deployment/ingress -n istio-ingress")
        );
    }
}
