//! Whether what an upgrade would wait for is in order before it begins: what is not by now would not be afterwards, and the
//! mesh would stand frozen until the wait ends.

use super::Subject;
use crate::{
    finding::{Finding, Report, codes},
    gitops::{Followed, FollowedKind},
    mesh::ObservedMember,
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    // A frozen mesh refuses controllers what they try, and they say so. Of a mesh that its owner upgrades nothing is waited
    // for.
    if subject.target.frozen || !subject.writes() {
        return;
    }
    let to = subject.target.version.to_string();
    for member in &subject.members {
        let waited_for = waited_for(member);
        let due = waited_for.into_iter().filter(|followed| !followed.has_brought(&to));
        for followed in due.filter(|followed| !followed.progress.is_done) {
            report.find(out_of_order(followed).in_cluster(member.name()).about(followed.told()));
        }
    }
}

/// Objects that bring a component of the mesh, and that an upgrade would wait for.
fn waited_for<'a>(member: &ObservedMember<'a>) -> Vec<&'a Followed> {
    let releases = member.releases();
    let brought = member.brought();
    let keeps = |followed: &&Followed| {
        let can_be_waited_for = followed.obstacle.is_none() && followed.component().is_some();
        let mut own = followed.release.iter();
        let is_the_meshs = own.any(|own| {
            let mut releases = releases.iter();
            releases.any(|release| release.namespace == own.namespace && release.name == own.name)
        });
        can_be_waited_for && is_the_meshs
    };
    let applications = brought.iter().map(|one| one.followed);
    applications
        .chain(member.observed.followed.iter().filter(keeps))
        .collect()
}

fn out_of_order(followed: &Followed) -> Finding {
    let code = match followed.kind {
        FollowedKind::Application | FollowedKind::HelmRelease => codes::OWNED_BY_GITOPS,
        FollowedKind::Sail(_) => codes::OWNED_BY_OPERATOR,
    };
    let cause = format!(
        "it is not in order before anything is changed, so that apply would wait for it in vain, with the mesh frozen: {}",
        followed.progress.says
    );
    let fix = match followed.kind {
        FollowedKind::Application => {
            "bring it to Synced and Healthy, then check again; where it stays OutOfSync because istiod sets the failurePolicy of \
             its validating webhook, set the value base.validationFailurePolicy to Fail, or name that field in the \
             Application's ignoreDifferences"
        }
        FollowedKind::HelmRelease | FollowedKind::Sail(_) => "mend what it says of itself, then check again",
    };
    Finding::new(code, cause, fix)
}

#[cfg(test)]
mod tests {
    use crate::{
        gitops::{SailKind, sample},
        inventory::Inventory,
        preflight::{
            Target,
            tests::{check, check_target, found, ids},
        },
    };
    use serde_json::json;

    #[test]
    fn what_is_waited_for_has_to_be_in_order_before() {
        let out_of_sync = |inventory: &mut Inventory, place: usize, chart: &str, version: &str| {
            inventory.seen(0).followed[place] = sample::application_of(chart, version, |it| {
                it["status"]["sync"]["status"] = json!("OutOfSync");
            });
        };
        // Of base, which runs nothing, and of what runs.
        for (place, chart) in [(0, "base"), (1, "istiod")] {
            let mut inventory = sample::by_argo_cd("1.30.3");
            out_of_sync(&mut inventory, place, chart, "1.30.3");
            let report = check(&inventory, "1.31.0");
            assert_eq!(ids(&report), ["MU409"]);
            let finding = found(&report, "MU409");
            assert_eq!(finding.object, Some(format!("Application argocd/{chart}")));
            assert!(
                finding.cause.ends_with("it is OutOfSync and Healthy"),
                "{}",
                finding.cause
            );
            assert!(finding.fix.contains("base.validationFailurePolicy") && !report.is_free());
            let frozen = Target::new("1.31.0".parse().unwrap()).once_frozen(true);
            assert_eq!(ids(&check_target(&inventory, &frozen)), [""; 0]);
            let mut record = crate::inventory::sample::record("shop");
            record.management = crate::api::Management::External;
            inventory.seen(0).meshes = vec![record];
            assert!(
                check(&inventory, "1.31.0").is_free(),
                "its owner waits for nothing of ours"
            );
        }
        let mut inventory = sample::by_argo_cd("1.30.3");
        out_of_sync(&mut inventory, 0, "base", "1.31.0");
        assert_eq!(ids(&check(&inventory, "1.31.0")), [""; 0], "it has come to the target");
    }

    #[test]
    fn flux_and_the_sail_operator_say_what_is_wrong() {
        let mut inventory = sample::by_flux("1.30.3");
        inventory.seen(0).followed[1] = sample::helm_release_of("istiod", "istiod", "1.30.3", |it| {
            it["status"]["conditions"][0]["status"] = json!("False");
            it["status"]["conditions"][0]["reason"] = json!("UpgradeFailed");
        });
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU409"]);
        assert!(found(&report, "MU409").cause.contains("it is not ready, UpgradeFailed"));
        let mut inventory = sample::by_sail("1.30.3");
        inventory.seen(0).followed[0] = sample::sail(SailKind::Istio, "1.30.3", |it| {
            it["status"]["conditions"][0]["status"] = json!("False");
        });
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU410"]);
        assert_eq!(found(&report, "MU410").object.as_deref(), Some("Istio default"));
    }
}
