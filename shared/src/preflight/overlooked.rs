//! What could not be looked at, and whether something that blocks may hide there.

use super::{
    Subject, configuration,
    rules::{self, Way},
};
use crate::{
    finding::{Code, Finding, Report, Severity, codes},
    inventory::{Surroundings, Unread},
    mesh::ObservedMember,
};

pub(super) fn check(subject: &Subject<'_>, member: &ObservedMember<'_>, around: &Surroundings, report: &mut Report) {
    let way = configuration::way(subject, member);
    for overlooked in &around.overlooked {
        let (code, fix) = if may_block(&overlooked.unread, way) {
            (
                codes::PARTLY_OBSERVED,
                "get the permission to read it, or repair what is broken, then check again",
            )
        } else {
            (codes::OVERLOOKED, "get the permission to read it, then check again")
        };
        let what = &overlooked.told;
        let cause = format!("not looked at: {what}");
        report.find(Finding::new(code, cause, fix).in_cluster(member.name()));
    }
}

/// Whether what was not read may hold what a check would block for. A way that is not known may be any.
fn may_block(unread: &Unread, way: Option<Way>) -> bool {
    match unread {
        Unread::Definitions | Unread::Webhooks => true,
        Unread::Ambient => way.is_none_or(|way| way.leads_over(30)),
        Unread::Objects(definition) => {
            let blocks =
                |code: Code| code.severity() == Severity::Blocker && way.is_none_or(|way| way.rules().contains(&code));
            rules::COUNTED.contains(&definition.as_str()) || rules::looked_at_by(definition).any(blocks)
        }
        Unread::Other => false,
    }
}

/// Whether objects that a rule looks at were not read: that it found nothing then says nothing.
pub(super) fn hides(around: &Surroundings, code: Code) -> bool {
    let mut overlooked = around.overlooked.iter();
    overlooked.any(|overlooked| match &overlooked.unread {
        Unread::Definitions => rules::looks_at_objects(code),
        Unread::Objects(definition) => rules::looked_at_by(definition).any(|looks| looks == code),
        Unread::Webhooks | Unread::Ambient | Unread::Other => false,
    })
}

/// Whether objects of a definition were not read.
pub(super) fn hides_objects(around: &Surroundings, definition: &str) -> bool {
    let mut overlooked = around.overlooked.iter();
    overlooked.any(|overlooked| matches!(&overlooked.unread, Unread::Objects(unread) if unread == definition))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        inventory::{Overlooked, sample},
        preflight::tests::{check, found, ids},
    };

    fn with(from: &str, unread: Unread) -> crate::inventory::Inventory {
        let mut inventory = sample::one(from, "v1.32.1");
        inventory.around(0).overlooked = vec![Overlooked {
            unread,
            told: "something: forbidden".to_owned(),
        }];
        inventory
    }

    #[test]
    fn what_may_hide_a_blocker_blocks() {
        let objects = |definition: &str| Unread::Objects(definition.to_owned());
        for (from, to, unread, blocks) in [
            ("1.30.3", "1.31.0", Unread::Definitions, true),
            ("1.30.3", "1.31.0", Unread::Webhooks, true),
            ("1.30.3", "1.31.0", Unread::Other, false),
            ("1.30.3", "1.31.0", Unread::Ambient, false),
            ("1.29.9", "1.30.7", Unread::Ambient, true),
            ("1.30.3", "1.31.0", objects("envoyfilters.networking.istio.io"), false),
            ("1.30.3", "1.31.0", objects("tcproutes.gateway.networking.k8s.io"), true),
            // An object of the operator blocks on the way over 1.24, and no other way looks at them.
            ("1.23.6", "1.24.6", objects("istiooperators.install.istio.io"), true),
            ("1.24.6", "1.25.5", objects("istiooperators.install.istio.io"), false),
        ] {
            let report = check(&with(from, unread.clone()), to);
            let (expected, other) = if blocks { ("MU905", "MU906") } else { ("MU906", "MU905") };
            assert_eq!(found(&report, expected).cause, "not looked at: something: forbidden");
            assert!(!ids(&report).contains(&other), "{unread:?} from {from}");
        }
    }

    #[test]
    fn what_was_not_read_is_not_counted_as_passed() {
        for (unread, passed) in [
            (Unread::Other, true),
            (Unread::Objects("destinationrules.networking.istio.io".to_owned()), true),
            (Unread::Objects("envoyfilters.networking.istio.io".to_owned()), false),
            (Unread::Definitions, false),
        ] {
            let report = check(&with("1.30.3", unread.clone()), "1.31.0");
            let passes = report.passed.iter().any(|one| one.code == codes::ENVOY_FILTER);
            assert_eq!(passes, passed, "{unread:?}");
        }
        // Annotations of pods are read with the pods.
        let report = check(&with("1.23.6", Unread::Definitions), "1.24.6");
        assert!(report.passed.iter().any(|one| one.code == codes::CORE_DUMP_ANNOTATION));
    }
}
