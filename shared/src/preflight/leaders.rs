//! Whether each election among istiods has a leader: what one does for all must be done by somebody.

use super::{Subject, rules};
use crate::{
    finding::{Finding, Report, codes},
    inventory::{ControlPlane, Election},
    mesh::ObservedMember,
};
use std::collections::BTreeSet;

/// Seconds after which nobody can still hold an election: istiod's last for thirty and are renewed each few
/// (istio/istio, `pilot/pkg/leaderelection`), and a clock may be wrong by as much again.
const OVER: i64 = 120;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        let Some(around) = &member.observed.surroundings else {
            continue;
        };
        for election in &around.elections {
            judge(member, election, report);
        }
    }
}

/// Whether an istiod stands for an election (istio/istio, `pilot/pkg/bootstrap`, `shouldStartNsController` and
/// `initK8SConfigStore`).
fn takes_part(plane: &ControlPlane, election: &Election) -> bool {
    let settings = &plane.settings;
    let is_off = |name: &str| rules::switch(settings, name) == Some(false);
    // An istiod that holds no elections does the work without one.
    if is_off("ENABLE_LEADER_ELECTION") {
        return false;
    }
    match &election.of_revision {
        // A revision's own election, for making gateways, goes with it.
        Some(revision) => {
            *revision == plane.revision
                && !is_off("PILOT_ENABLE_GATEWAY_API")
                && !is_off("PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER")
        }
        // Who signs nothing has no root to write into namespaces.
        None => {
            let provider = settings.environment.get("PILOT_CERT_PROVIDER");
            !is_off("ENABLE_CA_SERVER") && provider.is_none_or(|provider| provider != "none")
        }
    }
}

fn judge(member: &ObservedMember<'_>, election: &Election, report: &mut Report) {
    let planes = || {
        let planes = member.control_planes();
        planes.filter(|plane| plane.workload.namespace == election.namespace)
    };
    let revisions: BTreeSet<&str> = planes().map(|plane| plane.revision.as_str()).collect();
    if !planes().any(|plane| takes_part(plane, election)) {
        return;
    }
    let of_another = |revision: &String| !revisions.contains(revision.as_str());
    let holder = &election.holder;
    let there = if election.holder_is_there {
        "which is ready"
    } else {
        "which is no ready pod"
    };
    let cause = match (election.age, &election.revision) {
        (Some(age), _) if age > OVER && holder.is_empty() => format!("nobody has led since {age} s ago"),
        (Some(age), _) if age > OVER => {
            format!("it was last renewed {age} s ago, by {holder}, {there}: nobody leads")
        }
        // Given back by one that has ended; the next one takes it within seconds.
        _ if holder.is_empty() => return,
        (_, Some(revision)) if of_another(revision) => {
            let known: Vec<&str> = revisions.into_iter().collect();
            format!(
                "it is held by {holder} of the revision {revision}, of which no Deployment is here; there are {}",
                known.join(", ")
            )
        }
        _ => {
            let summary = format!("{} is held by {holder}", election.object);
            return report.pass(codes::NOBODY_LEADS, Some(member.name()), summary);
        }
    };
    report.find(
        Finding::new(
            codes::NOBODY_LEADS,
            cause,
            format!(
                "see kubectl logs -n {} -l app=istiod for why it cannot be renewed, then kubectl rollout restart \
                 deployment -n {} -l app=istiod",
                election.namespace, election.namespace
            ),
        )
        .in_cluster(member.name())
        .about(election.object.clone()),
    );
}

#[cfg(test)]
mod tests {
    use crate::{
        finding::Severity,
        inventory::{Election, sample},
        preflight::tests::{check, found, ids},
    };

    #[test]
    fn somebody_who_is_there_has_to_lead() {
        type Spoil = fn(&mut Election);
        let cases: [(Spoil, Option<&str>); 9] = [
            (|_| {}, None),
            (|one| one.age = Some(119), None),
            (
                |one| one.age = Some(121),
                Some("istiod-0, which is ready: nobody leads"),
            ),
            (
                |one| {
                    one.age = Some(900);
                    one.holder_is_there = false;
                },
                Some("900 s ago, by istiod-0, which is no ready pod"),
            ),
            // A pod that has just gone, or one that the list did not show: it is renewed, so somebody leads.
            (|one| one.holder_is_there = false, None),
            (|one| one.holder.clear(), None),
            (
                |one| {
                    one.holder.clear();
                    one.age = Some(300);
                },
                Some("nobody has led since 300 s ago"),
            ),
            (
                |one| one.revision = Some("1-28".to_owned()),
                Some("of the revision 1-28, of which no Deployment is here; there are default"),
            ),
            // Nobody knows how long ago.
            (|one| one.age = None, None),
        ];
        for (index, (spoil, expected)) in cases.into_iter().enumerate() {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            spoil(&mut inventory.around(0).elections[0]);
            let report = check(&inventory, "1.31.0");
            match expected {
                None => assert_eq!(ids(&report), [""; 0], "{index}"),
                Some(part) => {
                    let finding = found(&report, "MU313");
                    assert!(finding.cause.contains(part), "{index}: {}", finding.cause);
                    assert_eq!(finding.severity, Severity::Warning);
                    assert!(finding.object.is_some() && finding.fix.contains("-n istio-system"));
                }
            }
        }
    }

    #[test]
    fn what_nobody_takes_part_in_needs_no_leader() {
        const CONTROLLER: &str = "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER";
        for (revision, name, value, expected) in [
            (None, "ENABLE_LEADER_ELECTION", "false", false),
            (None, "ENABLE_LEADER_ELECTION", "true", true),
            (None, "ENABLE_CA_SERVER", "false", false),
            (None, "ENABLE_CA_SERVER", "true", true),
            (None, "PILOT_CERT_PROVIDER", "none", false),
            (None, "PILOT_CERT_PROVIDER", "istiod", true),
            (None, CONTROLLER, "false", true),
            (Some("default"), "ENABLE_LEADER_ELECTION", "0", false),
            (Some("default"), CONTROLLER, "false", false),
            (Some("default"), CONTROLLER, "true", true),
            (Some("default"), "PILOT_ENABLE_GATEWAY_API", "false", false),
            (Some("default"), "ENABLE_CA_SERVER", "false", true),
            (Some("removed"), CONTROLLER, "true", false),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let election = &mut inventory.around(0).elections[0];
            election.age = Some(5000);
            election.of_revision = revision.map(str::to_owned);
            let environment = &mut inventory.seen(0).control_planes[0].settings.environment;
            environment.insert(name.to_owned(), value.to_owned());
            let found = ids(&check(&inventory, "1.31.0")).contains(&"MU313");
            assert_eq!(found, expected, "{revision:?} {name}={value}");
        }
    }
}
