//! Drivers that another one has followed.

use super::{super::decide::KnownUpgrade, *};

fn upgrade(name: &str, phase: Phase, epoch: i64) -> KnownUpgrade {
    KnownUpgrade {
        name: name.to_owned(),
        mesh: "default".to_owned(),
        phase,
        epoch,
    }
}

fn open(upgrades: &[KnownUpgrade]) -> Facts {
    Facts {
        upgrades: upgrades.to_vec(),
        ..Facts::default()
    }
}

#[test]
fn a_driver_whose_upgrade_is_over_changes_nothing_any_more() {
    let role = || Ask::new("UPDATE", "rbac.authorization.k8s.io", "clusterroles", "istiod");
    let record = || Ask::new("CREATE", names::GROUP, "meshfreezes", "default").set("object.spec", json!({"epoch": 2}));
    for phase in [Phase::Succeeded, Phase::Withdrawn] {
        let facts = open(&[upgrade("default-1", phase, 3)]);
        check(
            &facts,
            Some(Code::LateDriver),
            vec![
                ("the one before the last", role().driver("2")),
                ("the last one", role().driver("3")),
                (
                    "helm's storage",
                    secret("CREATE", "istio-system/sh.helm.release.v1.istiod.v4").driver("2"),
                ),
                ("what changes nothing", role().same().driver("2")),
                ("a freeze", record().driver("2")),
            ],
        );
        check(
            &facts,
            None,
            vec![
                ("the next upgrade's", role().driver("4")),
                ("somebody else", role()),
                ("the driver's account in a check", role().by(&names::driver_user())),
            ],
        );
    }
}

#[test]
fn whose_upgrade_goes_on_is_not_late() {
    let role = || Ask::new("UPDATE", "rbac.authorization.k8s.io", "clusterroles", "istiod").driver("3");
    let other_mesh = upgrade("other-1", Phase::Succeeded, 9);
    for phase in Phase::ALL.into_iter().filter(|phase| !phase.is_final()) {
        // A takeover stands in the journal a moment later than it drives.
        for epoch in [0, 2, 3] {
            let facts = open(&[other_mesh.clone(), upgrade("default-1", phase, epoch)]);
            check(&facts, None, vec![("its driver", role())]);
        }
    }
    check(&open(&[]), None, vec![("a cluster without journals", role())]);
}

#[test]
fn under_a_freeze_not_even_what_changes_nothing_passes() {
    let facts = frozen();
    let same = || config("UPDATE").same();
    check(
        &facts,
        Some(Code::MeshFrozen),
        vec![("another driver", same().driver("2"))],
    );
    check(
        &facts,
        None,
        vec![("the holder", same().driver("3")), ("anybody else", same())],
    );
}
