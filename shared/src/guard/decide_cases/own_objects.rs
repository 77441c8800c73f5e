//! The lock, the journal and the Mesh, as the webhook judges them by itself.

use super::{
    super::{
        decide::KnownUpgrade,
        own_objects::{FREEZING_AGAIN, with_unlocked},
    },
    *,
};
use crate::version::Flavor;

fn own(operation: &str, resource: &str, name: &str) -> Ask {
    Ask::new(operation, names::GROUP, resource, name)
}

fn journal(operation: &str) -> Ask {
    let spec = json!({"mesh": "default", "to": "1.31.0"});
    let ask = own(operation, "meshupgrades", "default-2");
    match operation {
        "CREATE" => ask.set("object.spec", spec),
        "DELETE" => ask.set("oldObject.spec", spec),
        _ => ask.set("object.spec", spec.clone()).set("oldObject.spec", spec),
    }
}

/// A write of the journal's status from one phase to another.
fn phases(from: Value, to: Value) -> Ask {
    let status = |phase| json!({"phase": phase, "epoch": 3, "conditions": [stalled()]});
    journal("UPDATE")
        .sub("status")
        .set("oldObject.status", status(from))
        .set("object.status", status(to))
}

fn stalled() -> Value {
    json!({"type": "Stalled", "status": "True", "message": "x"})
}

fn unlocked(message: &str) -> Value {
    json!({"type": "Unlocked", "status": "True", "reason": "ByHand", "message": message})
}

/// The same, as the driver leaves it that is about to freeze again.
fn taken_up(message: &str) -> Value {
    json!({"type": "Unlocked", "status": "True", "reason": FREEZING_AGAIN, "message": message})
}

fn upgrades(phase: Phase) -> Facts {
    Facts {
        upgrades: vec![
            KnownUpgrade {
                name: "other-1".to_owned(),
                mesh: "other".to_owned(),
                phase: Phase::Upgrading,
                epoch: 1,
            },
            KnownUpgrade {
                name: "default-1".to_owned(),
                mesh: "default".to_owned(),
                phase,
                epoch: 2,
            },
        ],
        ..Facts::default()
    }
}

#[test]
fn a_mesh_has_one_upgrade_at_a_time() {
    for phase in Phase::ALL {
        let expected = (!phase.is_final()).then_some(Code::SecondUpgrade);
        check(
            &upgrades(phase),
            expected,
            vec![("a new one", journal("CREATE").driver("3"))],
        );
    }
    check(
        &upgrades(Phase::Upgrading),
        None,
        vec![(
            "one that is known already",
            own("CREATE", "meshupgrades", "default-1")
                .set("object.spec", json!({"mesh": "default"}))
                .driver("3"),
        )],
    );
    let body = journal("CREATE").driver("3").0.to_string();
    let request = review::parse(body.as_bytes()).unwrap();
    let Verdict::Deny(ruling) = decide(&request, &upgrades(Phase::Verifying), NOW) else {
        panic!("allowed");
    };
    assert!(
        ruling.message.contains("default-1") && ruling.message.contains("Verifying"),
        "{}",
        ruling.message
    );
}

#[test]
fn every_illegal_phase_is_refused_and_every_legal_one_passes() {
    let facts = Facts::default();
    for from in Phase::ALL {
        for to in Phase::ALL {
            let expected = (!from.may_become(to)).then_some(Code::IllegalPhase);
            let ask = phases(json!(from.as_str()), json!(to.as_str())).driver("3");
            assert_eq!(ask.code(&facts), expected, "{from} to {to}");
        }
    }
    let begins = |phase: &str| {
        journal("UPDATE")
            .sub("status")
            .set("object.status", json!({"phase": phase, "epoch": 3}))
            .driver("3")
    };
    check(
        &facts,
        Some(Code::IllegalPhase),
        vec![
            ("begins in its middle", begins("Upgrading")),
            ("begins at its end", begins("Succeeded")),
            (
                "a phase that is none",
                phases(json!("Upgrading"), json!("Done")).driver("3"),
            ),
            ("no phase any more", phases(json!("Upgrading"), Value::Null).driver("3")),
            (
                "no status any more",
                phases(json!("Upgrading"), json!("Upgrading"))
                    .set("object.status", Value::Null)
                    .driver("3"),
            ),
        ],
    );
    check(
        &facts,
        None,
        vec![
            ("begins", begins("Checking")),
            ("withdraws at once", begins("Withdrawn")),
        ],
    );
}

#[test]
fn the_journal_is_its_drivers() {
    let facts = Facts::default();
    let verify = || phases(json!("Upgrading"), json!("Verifying"));
    let note = |message: &str| {
        phases(json!("Upgrading"), json!("Upgrading"))
            .set("object.status.conditions", json!([stalled(), unlocked(message)]))
    };
    let freezing = |of: &str| {
        let conditions = json!([stalled(), taken_up("bob: 1")]);
        phases(json!("Upgrading"), json!("Upgrading")).set(&format!("{of}.status.conditions"), conditions)
    };
    check(
        &facts,
        Some(Code::OwnObjects),
        vec![
            ("begun by hand", journal("CREATE")),
            (
                "one that was taken up, taken back",
                freezing("oldObject").set("object.status.conditions", json!([stalled()])),
            ),
            ("declared done", verify()),
            ("by an old driver", verify().driver("2")),
            ("by a driver of a strange epoch", verify().driver("+3")),
            (
                "another target",
                journal("UPDATE").set("object.spec.to", json!("1.32.0")).driver("3"),
            ),
            (
                "a label",
                journal("UPDATE")
                    .same()
                    .set("object.metadata.labels", json!({"x": "y"})),
            ),
            (
                "deleted on the way",
                phases(json!("Upgrading"), Value::Null).set("operation", json!("DELETE")),
            ),
            ("a note in somebody else's name", note("alice: pager 7")),
            (
                "a note, and the stall taken away",
                note("bob: pager 7").set("object.status.conditions", json!([unlocked("bob: x")])),
            ),
            (
                "a note, and the phase",
                note("bob: pager 7").set("object.status.phase", json!("Verifying")),
            ),
            (
                "a note, and a label",
                note("bob: pager 7").set("object.metadata.labels", json!({"x": "y"})),
            ),
            (
                "two notes",
                note("bob: 1").set(
                    "object.status.conditions",
                    json!([stalled(), unlocked("bob: 1"), unlocked("bob: 2")]),
                ),
            ),
            ("a note that is long", note(&format!("bob: {}", "x".repeat(3000)))),
            (
                "a note taken back",
                note("bob: 1")
                    .set("object.status.conditions", json!([stalled()]))
                    .set("oldObject.status.conditions", json!([stalled(), unlocked("bob: 1")])),
            ),
        ],
    );
    check(
        &facts,
        None,
        vec![
            ("by the driver", verify().driver("3")),
            ("by a later driver", verify().driver("4")),
            ("by a driver that only checks", verify().by(&names::driver_user())),
            ("book-keeping", journal("UPDATE").same()),
            ("a note", note("bob: pager 7")),
            (
                "taken up by the driver, before it freezes again",
                freezing("object")
                    .set("oldObject.status.conditions", json!([stalled(), unlocked("bob: 1")]))
                    .driver("3"),
            ),
            (
                "a note over one that was taken up",
                note("bob: 2").set("oldObject.status.conditions", json!([stalled(), taken_up("bob: 1")])),
            ),
            (
                "deleted when over",
                phases(json!("Withdrawn"), Value::Null).set("operation", json!("DELETE")),
            ),
            ("deleted before it began", journal("DELETE")),
            ("another kind of ours", own("CREATE", "others", "x")),
        ],
    );
}

#[test]
fn the_lock_is_its_holders_or_lifted_with_a_reason() {
    let facts = Facts::default();
    let spec = || json!(freeze());
    let lock = |operation: &str| {
        let ask = own(operation, "meshfreezes", "default");
        match operation {
            "CREATE" => ask.set("object.spec", spec()),
            "DELETE" => ask.set("oldObject.spec", spec()),
            _ => ask.set("object.spec", spec()).set("oldObject.spec", spec()),
        }
    };
    let unlock = |by: &str, reason: &str| lock("UPDATE").set("object.spec.unlock", json!({"by": by, "reason": reason}));
    let unlocked = json!({"by": "alice", "reason": "pager 7"});
    let seen = |user: &str, status: Value| {
        let ask = lock("UPDATE").sub("status").by(user);
        ask.set("oldObject.status", json!({"fingerprints": ["f"]}))
            .set("object.status", status)
    };
    let drifted = || json!({"fingerprints": ["f"], "conditions": ["c"]});
    check(
        &facts,
        Some(Code::OwnObjects),
        vec![
            ("made by hand", lock("CREATE")),
            ("a drift that somebody else saw", seen("bob", drifted())),
            (
                "another fingerprint",
                seen(&names::webhook_user(), json!({"fingerprints": ["g"]})),
            ),
            (
                "something that is being changed",
                seen(&names::webhook_user(), json!({"fingerprints": ["f"], "changing": {}})),
            ),
            ("made with another epoch", lock("CREATE").driver("4")),
            ("made without an epoch", lock("CREATE").by(&names::driver_user())),
            (
                "made unlocked",
                lock("CREATE").set("object.spec.unlock", unlocked.clone()).driver("3"),
            ),
            ("deleted", lock("DELETE")),
            ("deleted by an old driver", lock("DELETE").driver("2")),
            ("an empty scope", lock("UPDATE").set("object.spec.scope", json!({}))),
            ("become the holder", lock("UPDATE").set("object.spec.epoch", json!(4))),
            (
                "an epoch set back",
                lock("UPDATE").set("object.spec.epoch", json!(2)).driver("2"),
            ),
            (
                "given to another upgrade",
                lock("UPDATE").set("object.spec.upgrade", json!("x")).driver("3"),
            ),
            ("unlocked in another name", unlock("alice", "pager 7")),
            ("unlocked without a reason", unlock("bob", " \t\n")),
            (
                "unlocked and more",
                unlock("bob", "pager 7").set("object.spec.holder", json!("bob")),
            ),
            ("unlocked by the driver", unlock(&names::driver_user(), " ").driver("3")),
            (
                "locked again",
                lock("UPDATE")
                    .set("oldObject.spec.unlock", unlocked.clone())
                    .driver("3"),
            ),
        ],
    );
    check(
        &facts,
        None,
        vec![
            ("made by its driver", lock("CREATE").driver("3")),
            ("a drift that the webhook saw", seen(&names::webhook_user(), drifted())),
            (
                "a fingerprint by the driver",
                seen("x", json!({"fingerprints": ["g"]})).driver("3"),
            ),
            (
                "taken over",
                lock("UPDATE").set("object.spec.epoch", json!(4)).driver("4"),
            ),
            ("deleted by its driver", lock("DELETE").driver("3")),
            ("unlocked", unlock("bob", "pager 7")),
            (
                "deleted once unlocked",
                lock("DELETE").set("oldObject.spec.unlock", unlocked),
            ),
            ("book-keeping", lock("UPDATE").same()),
        ],
    );
}

#[test]
fn a_mesh_names_a_flavor_that_is_known() {
    let facts = Facts {
        flavors: vec![Flavor::Native, Flavor::Custom("mspider".to_owned())],
        ..Facts::default()
    };
    let mesh =
        |operation: &str, flavor: &str| own(operation, "meshes", "shop").set("object.spec", json!({"flavor": flavor}));
    check(
        &facts,
        Some(Code::UnknownFlavor),
        vec![
            ("a new one", mesh("CREATE", "mspyder")),
            (
                "an old one that goes there",
                mesh("UPDATE", "asm").set("oldObject.spec", json!({"flavor": "mspider"})),
            ),
        ],
    );
    check(
        &facts,
        None,
        vec![
            ("community", mesh("CREATE", "")),
            ("a vendor's", mesh("CREATE", "mspider")),
            (
                "one that was there before",
                mesh("UPDATE", "asm").set("oldObject.spec", json!({"flavor": "asm"})),
            ),
            ("its status", mesh("UPDATE", "asm").sub("status")),
        ],
    );
    let body = mesh("CREATE", "mspyder").0.to_string();
    let request = review::parse(body.as_bytes()).unwrap();
    let Verdict::Deny(ruling) = decide(&request, &facts, NOW) else {
        panic!("allowed");
    };
    assert_eq!(
        ruling.message,
        "MG007 unknown-flavor: mesh \"shop\" names the flavor \"mspyder\"; known are: community, mspider. See: kubectl \
         mesh-upgrade explain MG007"
    );
}

#[test]
fn what_is_too_deep_to_be_read_is_refused() {
    let deep = format!("{}{}", "[".repeat(3_000), "]".repeat(3_000));
    let body = format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","operation":"CREATE",
        "resource":{{"group":"meshupgrade.io","resource":"meshes"}},"name":"x","userInfo":{{"username":"bob"}},
        "object":{{"metadata":{{"name":"x"}},"spec":{deep}}}}}}}"#
    );
    let request = review::parse(body.as_bytes()).unwrap();
    assert!(
        matches!(decide(&request, &Facts::default(), NOW), Verdict::Deny(ruling) if ruling.code == Code::OwnObjects)
    );
}

#[test]
fn what_the_plugin_notes_of_an_unlocking_is_what_the_guard_admits() {
    let facts = Facts::default();
    let long = "x".repeat(5000);
    for reason in ["pager 7", long.as_str()] {
        let before = [stalled(), unlocked("alice: earlier")];
        let after = with_unlocked(&before, "bob", reason, Timestamp::UNIX_EPOCH);
        let ask = phases(json!("Upgrading"), json!("Upgrading"))
            .set("oldObject.status.conditions", json!(before))
            .set("object.status.conditions", json!(after));
        assert_eq!(ask.code(&facts), None, "{after:?}");
        assert_eq!(ask.by("carol").code(&facts), Some(Code::OwnObjects));
    }
}
