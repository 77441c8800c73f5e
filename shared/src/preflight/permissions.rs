//! Whether the caller and the driver may do all that an upgrade does; what is missing is given as rules to grant.

use super::{Purpose, Subject};
use crate::{
    engine::Engine,
    finding::{Code, Finding, Report, Severity, codes},
    gitops::SailKind,
    inventory::Permission,
    mesh::ObservedMember,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// Kinds that Istio's charts render for few, by their values: whoever has none of them needs no right to them.
const OF_FEW: [(&str, &str); 7] = [
    ("endpoints", "Endpoints"),
    ("endpointslices", "EndpointSlice"),
    ("network-attachment-definitions", "NetworkAttachmentDefinition"),
    ("networkpolicies", "NetworkPolicy"),
    ("resourcequotas", "ResourceQuota"),
    ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
    ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
];

/// Whether something has to be allowed here. The driver's role is one for all meshes.
fn is_needed(permission: &Permission, member: &ObservedMember<'_>) -> bool {
    if permission.group == SailKind::GROUP {
        return patches(member, &permission.resource);
    }
    if permission.of_charts && !installs_charts(member) {
        return false;
    }
    // The platform profile for GKE switches quotas on, so that what is installed need not tell.
    if permission.resource == "resourcequotas" && member.observed.kubernetes.git_version.contains("-gke") {
        return true;
    }
    let mut of_few = OF_FEW.iter();
    let Some((_, kind)) = of_few.find(|(resource, _)| *resource == permission.resource) else {
        return true;
    };
    let is_one = |name: &String| name.split_once(' ').is_some_and(|(_, named)| named == *kind);
    permission.needed_by_driver
        || member
            .observed
            .helm_releases
            .iter()
            .any(|release| release.kinds.iter().any(is_one))
}

/// What installed the control planes and node components of a member.
fn engines(member: &ObservedMember<'_>) -> impl Iterator<Item = Engine> {
    let planes = member.control_planes().map(Engine::of_plane);
    planes.chain(member.node_components().map(Engine::of_node))
}

/// Whether some part is installed from charts by whoever runs the upgrade, or none says by what it was installed.
fn installs_charts(member: &ObservedMember<'_>) -> bool {
    let by_others = |engine: &Engine| matches!(engine, Engine::Operator(_) | Engine::GitOps(_));
    let mut gateways = member.gateways().map(Engine::of_gateway);
    engines(member).next().is_none()
        || engines(member).any(|engine| !by_others(&engine))
        || gateways.any(|engine| matches!(engine, Engine::Helm | Engine::Istioctl))
}

/// Whether the version of some part is set in an object of the Sail Operator, of the kind that has such a resource.
fn patches(member: &ObservedMember<'_>, resource: &str) -> bool {
    engines(member).any(|engine| match engine {
        Engine::Operator(object) => {
            // Control planes belong to a revision, which belongs to its Istio.
            let kind = object.kind.strip_suffix("Revision").unwrap_or(&object.kind);
            SailKind::ALL
                .iter()
                .any(|one| one.as_str() == kind && one.resource() == resource)
        }
        _ => false,
    })
}

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    // Whoever only looks needs none of it.
    let severity = match subject.target.purpose {
        Purpose::Check => Severity::Warning,
        Purpose::Apply | Purpose::ApplyUnguarded => Severity::Blocker,
    };
    for member in &subject.members {
        for (by_driver, code) in [
            (false, codes::CALLER_LACKS_PERMISSIONS),
            (true, codes::DRIVER_LACKS_PERMISSIONS),
        ] {
            // A driver that is not installed has no rights to judge; the guard's own finding says what to do.
            if by_driver && !member.observed.guard.driver {
                continue;
            }
            let needed: Vec<&Permission> = member
                .observed
                .permissions
                .iter()
                .filter(|permission| permission.needed_by_driver == by_driver && is_needed(permission, member))
                .collect();
            judge(member.name(), code, severity, &needed, report);
        }
    }
}

fn judge(cluster: &str, code: Code, severity: Severity, needed: &[&Permission], report: &mut Report) {
    let missing: Vec<&Permission> = needed
        .iter()
        .copied()
        .filter(|permission| !permission.allowed)
        .collect();
    if missing.is_empty() {
        if !needed.is_empty() {
            report.pass(
                code,
                Some(cluster),
                format!("all {} permissions are granted", needed.len()),
            );
        }
        return;
    }
    let (who, how) = if code == codes::DRIVER_LACKS_PERMISSIONS {
        (
            "the driver's ServiceAccount",
            "run kubectl mesh-upgrade guard install again, or grant it",
        )
    } else {
        ("you", "let an administrator of the cluster grant you")
    };
    report.find(
        Finding::new(
            code,
            format!(
                "{who} may not do {} of {} things that apply needs",
                missing.len(),
                needed.len()
            ),
            format!("{how}:\n{}", rules(&missing)),
        )
        .weighing(severity)
        .in_cluster(cluster),
    );
}

/// One rule for each thing, its verbs together, under the role that can hold it.
fn rules(missing: &[&Permission]) -> String {
    type Thing<'a> = (&'a str, &'a str, Option<&'a str>);
    let mut roles: BTreeMap<Option<&str>, BTreeMap<Thing<'_>, BTreeSet<&str>>> = BTreeMap::new();
    for permission in missing {
        roles
            .entry(permission.namespace.as_deref())
            .or_default()
            .entry((&permission.group, &permission.resource, permission.name.as_deref()))
            .or_default()
            .insert(&permission.verb);
    }
    let mut text = String::new();
    for (namespace, things) in roles {
        let _ = match namespace {
            Some(namespace) => writeln!(text, "# Role in the namespace {namespace}\nrules:"),
            None => writeln!(text, "# ClusterRole\nrules:"),
        };
        for ((group, resource, name), verbs) in things {
            let _ = writeln!(text, "- apiGroups: [{group:?}]\n  resources: [{resource:?}]");
            if let Some(name) = name {
                let _ = writeln!(text, "  resourceNames: [{name:?}]");
            }
            let verbs: Vec<String> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
            let _ = writeln!(text, "  verbs: [{}]", verbs.join(", "));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use crate::{
        finding::Severity,
        inventory::{GitOpsOwner, OperatorObject, Ownership, Permission, sample},
        preflight::{
            Purpose,
            tests::{check, check_for, found, ids},
        },
    };

    #[test]
    fn what_is_missing_is_given_as_rules() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let denied = |group: &str, resource: &str, verb: &str| Permission {
            allowed: false,
            ..sample::permission(group, resource, verb)
        };
        inventory.seen(0).permissions.extend([
            denied("meshupgrade.io", "meshfreezes", "update"),
            denied("meshupgrade.io", "meshfreezes", "create"),
            Permission {
                namespace: Some("istio-system".to_owned()),
                name: Some("mesh-upgrade-default".to_owned()),
                ..denied("coordination.k8s.io", "leases", "update")
            },
            Permission {
                needed_by_driver: true,
                ..denied("apps", "deployments", "patch")
            },
        ]);
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU501", "MU502"]);
        let finding = found(&report, "MU501");
        assert_eq!(finding.cause, "you may not do 3 of 4 things that apply needs");
        assert_eq!(
            finding.fix,
            "let an administrator of the cluster grant you:\n\
             # ClusterRole\n\
             rules:\n\
             - apiGroups: [\"meshupgrade.io\"]\n  resources: [\"meshfreezes\"]\n  verbs: [\"create\", \"update\"]\n\
             # Role in the namespace istio-system\n\
             rules:\n\
             - apiGroups: [\"coordination.k8s.io\"]\n  resources: [\"leases\"]\n  resourceNames: \
             [\"mesh-upgrade-default\"]\n  verbs: [\"update\"]"
        );
        assert!(
            found(&report, "MU502")
                .fix
                .contains("kubectl mesh-upgrade guard install")
        );
        assert!(!finding.code.is_waivable());
    }

    #[test]
    fn whoever_only_looks_is_warned() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        for needed_by_driver in [false, true] {
            inventory.seen(0).permissions.push(Permission {
                allowed: false,
                needed_by_driver,
                ..sample::permission("apps", "deployments", "patch")
            });
        }
        for (purpose, severity) in [
            (Purpose::Check, Severity::Warning),
            (Purpose::Apply, Severity::Blocker),
            (Purpose::ApplyUnguarded, Severity::Blocker),
        ] {
            let report = check_for(&inventory, "1.31.0", purpose);
            for code in ["MU501", "MU502"] {
                assert_eq!(found(&report, code).severity, severity, "{code} {purpose:?}");
            }
            assert_eq!(report.is_free(), severity == Severity::Warning);
        }
    }

    #[test]
    fn what_the_charts_render_for_few_is_needed_by_those_few() {
        for (kind, needed_by_driver, expected) in [
            ("apps/v1 Deployment", false, false),
            ("networking.k8s.io/v1 NetworkPolicy", false, true),
            ("apps/v1 Deployment", true, true),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.seen(0).helm_releases[0].kinds = vec![kind.to_owned()];
            inventory.seen(0).permissions.push(Permission {
                allowed: false,
                needed_by_driver,
                ..sample::permission("networking.k8s.io", "networkpolicies", "patch")
            });
            let is_missed = !ids(&check(&inventory, "1.31.0")).is_empty();
            assert_eq!(is_missed, expected, "{kind} {needed_by_driver}");
        }
    }

    #[test]
    fn a_quota_comes_with_gke() {
        for (kubernetes, expected) in [("v1.36.3", false), ("v1.36.3-gke.1200", true)] {
            let mut inventory = sample::one("1.30.3", kubernetes);
            inventory.seen(0).permissions.push(Permission {
                allowed: false,
                ..sample::permission("", "resourcequotas", "patch")
            });
            let is_missed = ids(&check(&inventory, "1.31.0")).contains(&"MU501");
            assert_eq!(is_missed, expected, "{kubernetes}");
        }
    }

    #[test]
    fn each_installer_needs_its_own_rights() {
        let operator = |kind: &str| Ownership {
            operator: Some(OperatorObject::new(kind, "default")),
            ..Ownership::default()
        };
        let application = Ownership {
            gitops: Some(GitOpsOwner::application("istiod")),
            ..Ownership::default()
        };
        for (ownership, charts, operators) in [
            (Ownership::default(), true, false),
            (operator("IstioRevision"), false, true),
            (operator("ZTunnel"), false, false),
            (application, false, false),
        ] {
            for (of_charts, group, resource, expected) in [
                (true, "apps", "deployments", charts),
                (false, "apps", "replicasets", true),
                (false, "sailoperator.io", "istios", operators),
            ] {
                let mut inventory = sample::one("1.30.3", "v1.36.3");
                inventory.seen(0).gateways.clear();
                inventory.seen(0).control_planes[0].ownership = ownership.clone();
                inventory.seen(0).permissions.push(Permission {
                    allowed: false,
                    of_charts,
                    ..sample::permission(group, resource, "patch")
                });
                let is_missed = ids(&check(&inventory, "1.31.0")).contains(&"MU501");
                assert_eq!(is_missed, expected, "{ownership:?} {resource}");
            }
        }
    }

    #[test]
    fn nothing_is_said_when_nobody_asked() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.seen(0).permissions.clear();
        let report = check(&inventory, "1.31.0");
        assert!(ids(&report).is_empty());
        assert!(!report.passed.iter().any(|passed| passed.code.id() == "MU501"));
    }
}
