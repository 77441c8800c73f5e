//! Who owns what would be upgraded: helm alone, or somebody who would take the change back.

use super::{Part, Purpose, Subject, edited};
use crate::{
    api::Component,
    engine::Engine,
    finding::{Finding, Report, Severity, codes},
    gitops::{self, Followed, FollowedKind},
    inventory::{HelmDriver, HelmRelease, Ownership},
    mesh::ObservedMember,
    version::Minor,
};

/// Groups whose definitions the chart base installs.
const GROUPS: [&str; 4] = [
    ".extensions.istio.io",
    ".networking.istio.io",
    ".security.istio.io",
    ".telemetry.istio.io",
];

/// First minor whose chart base brings the definitions as templates of its own.
const TEMPLATED_SINCE: Minor = Minor::new(1, 24);

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        for plane in member.control_planes() {
            let engine = Engine::of_plane(plane);
            let object = super::named(&plane.workload);
            let release = plane.helm_release.as_ref();
            owner(member, &object, &plane.ownership, release, &engine, report);
        }
        for node in member.node_components() {
            let engine = Engine::of_node(node);
            let object = super::named(&node.workload);
            let release = node.helm_release.as_ref();
            owner(member, &object, &node.ownership, release, &engine, report);
        }
        definitions(subject, member, report);
        vendor(subject, member, report);
    }
}

/// Whether a GitOps controller or an operator brings it whom an upgrade can neither wait for nor tell: that is a finding of
/// its own, with what is in the way.
pub(super) fn is_brought_otherwise(part: &Part<'_>) -> bool {
    matches!(part.engine, Engine::GitOps(_) | Engine::Operator(_)) && part.followed.is_none()
}

/// Without a release there is no step for it, also when the other finding is waived: apply would upgrade all else around
/// it. Once it is at the target, nothing is left to do.
pub(super) fn by_hand_first(subject: &Subject<'_>, part: &Part<'_>, report: &mut Report) {
    let target = &subject.target.version;
    if subject.target.purpose == Purpose::Check || part.version.version.as_ref() == Some(target) {
        return;
    }
    report.find(
        Finding::new(
            codes::NO_HELM_RELEASE,
            format!(
                "{} is brought by {}, and is not at {target}: apply can neither wait for that nor change it itself",
                part.component,
                part.engine.told()
            ),
            "change the version where that takes it from, as kubectl mesh-upgrade guide tells, then apply what is left",
        )
        .in_cluster(part.cluster)
        .about(super::named(part.workload)),
    );
}

fn owner(
    member: &ObservedMember<'_>,
    object: &str,
    ownership: &Ownership,
    release: Option<&(String, String)>,
    engine: &Engine,
    report: &mut Report,
) {
    let mut found = Vec::new();
    if let Some(gitops) = ownership
        .gitops
        .as_ref()
        .filter(|_| member.follows(ownership).is_none())
    {
        let why = match gitops::owner_of(member.observed, ownership) {
            Some(Followed {
                obstacle: Some(obstacle),
                ..
            }) => obstacle.clone(),
            // It holds several components, which is told by itself.
            Some(_) => return,
            None => gitops::why_not_found(gitops).to_owned(),
        };
        found.push(Finding::new(
            codes::OWNED_BY_GITOPS,
            format!("{gitops} owns it and would take the upgrade back, and apply cannot wait for it: {why}"),
            // Suspended, it leaves helm what helm has a release of; of all else apply would have nothing to go by.
            match release.and_then(|(namespace, name)| member.observed.helm_release(namespace, name)) {
                Some(_) => {
                    "mend that, so that apply can wait for what is merged; or change the version in the repository that \
                     it follows by hand, as kubectl mesh-upgrade guide tells; or suspend it for the time of the upgrade, \
                     and waive MU409"
                }
                None => {
                    "mend that, so that apply can wait for what is merged; or change the version in the repository that \
                     it follows by hand, as kubectl mesh-upgrade guide tells"
                }
            },
        ));
    }
    let followed = member.follows(ownership);
    if let Some(operator) = ownership.operator.as_ref().filter(|_| followed.is_none()) {
        let found_one = gitops::owner_of(member.observed, ownership);
        let why = found_one
            .and_then(|found| found.obstacle.clone())
            .unwrap_or_else(|| "no object of the Sail Operator's that carries its version was found".to_owned());
        found.push(Finding::new(
            codes::OWNED_BY_OPERATOR,
            format!(
                "{operator} owns it, its operator would take the upgrade back, and apply cannot change that: {why}"
            ),
            "change the version in the operator's own object, as kubectl mesh-upgrade guide tells",
        ));
    }
    if !ownership.editors.is_empty() {
        found.push(Finding::new(
            codes::EDITED_BY_HAND,
            format!(
                "fields of its specification were set by {}",
                ownership.editors.join(", ")
            ),
            edited::keep_by(engine),
        ));
    }
    if let Some(driver) = ownership.driven_by.filter(|_| *engine == Engine::Helm) {
        found.push(driven(driver));
    }
    if found.is_empty() {
        let waits = followed.map(|followed| match followed.kind {
            FollowedKind::Sail(_) => format!(", and apply sets the version of {}", followed.told()),
            FollowedKind::Application | FollowedKind::HelmRelease => {
                format!(", and apply waits for what is merged for {}", followed.told())
            }
        });
        let summary = format!(
            "{object} is its installer's alone: {}{}",
            engine.told(),
            waits.unwrap_or_default()
        );
        report.pass(codes::OWNED_BY_GITOPS, Some(member.name()), summary);
    }
    for finding in found {
        report.find(finding.in_cluster(member.name()).about(object.to_owned()));
    }
}

/// A helm release that another tool keeps at the version in its own configuration.
fn driven(driver: HelmDriver) -> Finding {
    let tool = driver.as_str();
    if driver.acts_by_itself() {
        return Finding::new(
            codes::DRIVEN_BY_ANOTHER_TOOL,
            format!("{tool} keeps its helm release, and would take the upgrade back by itself while it goes on"),
            "pause what brings it (spec.paused of its GitRepo), waive MU417, and set the new version in the repository before it \
             goes on",
        )
        .weighing(Severity::Blocker);
    }
    Finding::new(
        codes::DRIVEN_BY_ANOTHER_TOOL,
        format!("{tool} keeps its helm release, and would take the upgrade back when it is run next"),
        "set the new version in its configuration before its next run, and let nobody run it during the upgrade",
    )
}

/// Definitions that the release of base does not own, which it would refuse to change. Until 1.23 the chart brings them as
/// helm's own `crds`, which no release owns and no upgrade changes.
fn definitions(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) {
    if subject.target.version.minor() < TEMPLATED_SINCE {
        return;
    }
    let Some(around) = &member.observed.surroundings else {
        return;
    };
    let releases = member.releases();
    let Some(base) = releases.iter().find(|release| release.component == Component::Base) else {
        return;
    };
    let ours = around
        .crds
        .iter()
        .filter(|crd| GROUPS.iter().any(|group| crd.name.ends_with(group)));
    let owner = Some((base.namespace.clone(), base.name.clone()));
    let (owned, foreign): (Vec<_>, Vec<_>) = ours.partition(|crd| crd.helm_release == owner);
    if foreign.is_empty() {
        let summary = format!("{} definitions belong to {}/{}", owned.len(), base.namespace, base.name);
        return report.pass(codes::CRDS_NOT_OWNED, Some(member.name()), summary);
    }
    let crds: Vec<&str> = foreign.iter().map(|crd| crd.name.as_str()).collect();
    let (crds, HelmRelease { namespace, name, .. }) = (crds.join(" "), base);
    let names: Vec<String> = foreign
        .iter()
        .map(|crd| match &crd.helm_release {
            Some((namespace, name)) => format!("{} (of {namespace}/{name})", crd.name),
            None => crd.name.clone(),
        })
        .collect();
    report.find(
        Finding::new(
            codes::CRDS_NOT_OWNED,
            format!("helm would refuse to change {}", names.join(", ")),
            format!(
                "let the release own them: kubectl label --overwrite crd {crds} app.kubernetes.io/managed-by=Helm && \
                 kubectl annotate --overwrite crd {crds} meta.helm.sh/release-name={name} \
                 meta.helm.sh/release-namespace={namespace}"
            ),
        )
        .in_cluster(member.name())
        .about(format!("helm release {}/{}", base.namespace, base.name)),
    );
}

fn vendor(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) {
    let flavor = subject.catalog.flavor(&subject.target.version.flavor);
    for component in flavor.iter().flat_map(|flavor| &flavor.components) {
        let running = member.vendor_components();
        for found in running.filter(|found| found.name == component.name) {
            let object = super::named(&found.workload);
            if let Some(release) = &found.release {
                let summary = format!(
                    "{object} is upgraded with its helm release {}/{}",
                    release.namespace, release.name
                );
                report.pass(codes::VENDOR_COMPONENT, Some(member.name()), summary);
                continue;
            }
            report.find(
                Finding::new(
                    codes::VENDOR_COMPONENT,
                    format!("{} runs, which this tool does not upgrade", component.name),
                    component.upgrade.clone(),
                )
                .in_cluster(member.name())
                .about(object),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::{Crd, GitOpsOwner, HelmDriver, Inventory, OperatorObject, Ownership, sample},
        preflight::{
            Purpose,
            tests::{check, check_for, found, ids},
        },
    };

    fn with_ambient() -> Inventory {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        sample::add_ambient(&mut inventory.clusters[0], "1.30.3");
        inventory
    }

    #[test]
    fn whoever_would_take_it_back_is_named() {
        let gitops = Ownership {
            gitops: Some(GitOpsOwner::application("mesh")),
            ..Ownership::default()
        };
        let operator = Ownership {
            operator: Some(OperatorObject::new("IstioRevision", "default")),
            ..Ownership::default()
        };
        let edited = Ownership {
            editors: vec!["kubectl-edit".to_owned()],
            ..Ownership::default()
        };
        for (ownership, code, blocks, part) in [
            (gitops, "MU409", true, "Argo CD application mesh"),
            (operator, "MU410", true, "IstioRevision default"),
            (edited, "MU411", false, "kubectl-edit"),
        ] {
            for of_node in [false, true] {
                let mut inventory = with_ambient();
                let observed = inventory.seen(0);
                if of_node {
                    observed.node_components[0].ownership = ownership.clone();
                } else {
                    observed.control_planes[0].ownership = ownership.clone();
                }
                let report = check(&inventory, "1.31.0");
                assert_eq!(ids(&report), [code]);
                assert!(found(&report, code).cause.contains(part) && report.is_free() != blocks);
            }
        }
    }

    #[test]
    fn what_a_controller_brings_blocks_once_and_with_its_own_way_out() {
        type Own = fn(&mut Ownership);
        let argo: Own = |ownership| ownership.gitops = Some(GitOpsOwner::application("mesh"));
        let operator: Own = |ownership| ownership.operator = Some(OperatorObject::new("IstioRevision", "default"));
        let owner = |name: &str| Some(("istio-system".to_owned(), name.to_owned()));
        for (own, release, code, suspends) in [
            (argo, None, "MU409", false),
            // An umbrella chart of somebody's own.
            (argo, owner("umbrella"), "MU409", false),
            (argo, owner("istiod"), "MU409", true),
            (operator, None, "MU410", false),
        ] {
            let mut inventory = with_ambient();
            let plane = &mut inventory.seen(0).control_planes[0];
            own(&mut plane.ownership);
            plane.helm_release = release;
            let report = check(&inventory, "1.31.0");
            assert_eq!(ids(&report), [code]);
            let fix = &found(&report, code).fix;
            assert_eq!(fix.contains("waive"), suspends, "{fix}");
            assert!(fix.contains("kubectl mesh-upgrade guide"));
            // Who waives it all the same must not have everything else upgraded around it.
            let report = check_for(&inventory, "1.31.0", Purpose::Apply);
            assert_eq!(ids(&report).contains(&"MU401"), !suspends, "{code}");
            let plane = &mut inventory.seen(0).control_planes[0];
            plane.version = sample::version("1.31.0");
            plane.running.clear();
            let report = check_for(&inventory, "1.31.0", Purpose::Apply);
            assert!(!ids(&report).contains(&"MU401"), "{code}");
        }
    }

    #[test]
    fn a_tool_that_keeps_the_release_is_told_and_fleet_blocks() {
        for (driver, blocks) in [
            (HelmDriver::Terraform, false),
            (HelmDriver::Pulumi, false),
            (HelmDriver::Fleet, true),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.seen(0).control_planes[0].ownership.driven_by = Some(driver);
            let report = check(&inventory, "1.31.0");
            assert_eq!(ids(&report), ["MU417"]);
            let finding = found(&report, "MU417");
            assert!(finding.cause.starts_with(driver.as_str()) && report.is_free() != blocks);
        }
        // What a controller brings is that one's.
        let mut inventory = crate::gitops::sample::by_flux("1.30.3");
        inventory.seen(0).control_planes[0].ownership.driven_by = Some(HelmDriver::Terraform);
        assert_eq!(ids(&check(&inventory, "1.31.0")), [""; 0]);
    }

    #[test]
    fn definitions_belong_to_the_release_of_base() {
        let crd = |name: &str, owner: Option<(&str, &str)>| Crd {
            name: name.to_owned(),
            helm_release: owner.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())),
            ..Crd::default()
        };
        let base = Some(("istio-system", "istio-base"));
        let other = Some(("istio-system", "other"));
        for (from, to, owner, expected) in [
            ("1.30.3", "1.31.0", base, false),
            ("1.30.3", "1.31.0", None, true),
            ("1.30.3", "1.31.0", other, true),
            ("1.23.6", "1.24.6", None, true),
            // The chart leaves them alone.
            ("1.22.8", "1.23.6", None, false),
        ] {
            let mut inventory = sample::one(from, "v1.30.3");
            inventory.around(0).crds = vec![
                crd("gateways.networking.istio.io", base),
                crd("sidecars.networking.istio.io", owner),
                crd("gateways.gateway.networking.k8s.io", None),
            ];
            let report = check(&inventory, to);
            assert_eq!(ids(&report).contains(&"MU408"), expected, "{owner:?} {to}");
            if expected {
                let fix = &found(&report, "MU408").fix;
                assert!(
                    fix.contains("crd sidecars.networking.istio.io app.kubernetes.io/managed-by=Helm")
                        && fix.ends_with(
                            "crd sidecars.networking.istio.io meta.helm.sh/release-name=istio-base \
                             meta.helm.sh/release-namespace=istio-system"
                        ),
                    "{fix}"
                );
                let cause = &found(&report, "MU408").cause;
                assert!(cause.contains("sidecars") && !cause.contains("gateways"), "{cause}");
            }
        }
    }

    #[test]
    fn a_vendors_own_components_are_told() {
        let mut inventory = sample::one("1.30.3-mspider", "v1.36.3");
        inventory.seen(0).vendor_components = vec![sample::merbridge("1.30.3-mspider", false)];
        let report = check(&inventory, "1.31.0-mspider");
        let object = found(&report, "MU412").object.as_deref();
        assert_eq!(object, Some("DaemonSet kube-system/merbridge"));
        assert!(!ids(&check(&inventory, "1.31.0")).contains(&"MU412"));
        // With a release of its own it is one step among the others.
        inventory.seen(0).vendor_components = vec![sample::merbridge("1.30.3-mspider", true)];
        assert!(!ids(&check(&inventory, "1.31.0-mspider")).contains(&"MU412"));
    }
}
