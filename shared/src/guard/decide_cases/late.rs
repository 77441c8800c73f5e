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
                ("somebody else", role()),
                ("the driver's account in a check", role().by(&names::driver_user())),
            ],
        );
        let next = Freeze {
            spec: MeshFreezeSpec { epoch: 4, ..freeze() },
            phase: None,
        };
        let facts = Facts {
            freezes: vec![next],
            ..facts
        };
        check(&facts, None, vec![("the next upgrade's", role().driver("4"))]);
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
}

#[test]
fn in_a_member_without_journals_the_freeze_tells_who_is_late() {
    let role = || Ask::new("UPDATE", "rbac.authorization.k8s.io", "clusterroles", "istiod").driver("3");
    let record = |name| Ask::new("CREATE", names::GROUP, "meshfreezes", name).set("object.spec", json!({"epoch": 3}));
    let foreign = upgrade("other-1", Phase::Succeeded, 9);
    let foreign = KnownUpgrade {
        mesh: "other".to_owned(),
        ..foreign
    };
    // Its own former upgrade, of a time when it was the mesh's home, and one of another mesh.
    for journals in [vec![], vec![upgrade("default-1", Phase::Succeeded, 2)], vec![foreign]] {
        let thawed = open(&journals);
        check(&thawed, Some(Code::LateDriver), vec![("after the thaw", role())]);
        check(
            &thawed,
            None,
            vec![
                ("a freeze begins", record("default").driver("3")),
                ("what works is tried before it", role().set("dryRun", json!(true))),
                ("somebody else", role().by("alice")),
            ],
        );
        let frozen = Facts {
            upgrades: journals,
            ..frozen()
        };
        check(&frozen, None, vec![("the holder", role())]);
    }
    let over = open(&[upgrade("default-1", Phase::Succeeded, 3)]);
    check(
        &over,
        Some(Code::LateDriver),
        vec![("a freeze of an upgrade that is over", record("default").driver("3"))],
    );
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
