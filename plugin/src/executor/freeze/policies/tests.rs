//! What is read of the freeze policies that stand, and what a driver may take away of them.

use super::*;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use shared::api::FreezeScope;

fn freeze(epoch: i64) -> MeshFreezeSpec {
    MeshFreezeSpec {
        mesh: "default".to_owned(),
        upgrade: "default-1.31.0-1".to_owned(),
        home: None,
        from: "1.30.3".to_owned(),
        to: "1.31.0".to_owned(),
        holder: "alice".to_owned(),
        epoch,
        since: Time(Timestamp::from_second(10).unwrap()),
        scope: FreezeScope::default(),
        unlock: None,
    }
}

/// Policies and bindings by their names, which are of the mesh `default` unless they say another.
fn standing(policies: &[&str], bindings: &[&str]) -> Vec<Standing> {
    let found = |names: &[&str]| {
        let named = names.iter().map(|name| {
            let mesh = if name.contains("other") { "other" } else { "default" };
            (mesh.to_owned(), (*name).to_owned())
        });
        named.collect()
    };
    joined(found(policies), found(bindings))
}

const FIRST: &str = "mesh-freeze-default-1";
const SECOND: &str = "mesh-freeze-default-2";
const THIRD: &str = "mesh-freeze-default-3";
const OTHER: &str = "mesh-freeze-other-7";

#[test]
fn reads_the_epoch_out_of_a_policy_name() {
    assert_eq!(epoch_of("mesh-freeze-my-mesh-12", "my-mesh"), Some(12));
    assert_eq!(epoch_of("mesh-freeze-my-mesh-12-warn", "my-mesh"), Some(12));
    assert_eq!(epoch_of("mesh-freeze-my-mesh-12", "my"), None);
}

#[test]
fn a_driver_that_follows_goes_through_those_before_it_one_after_the_other() {
    let warning = format!("{FIRST}-warn");
    let stand = standing(
        &[THIRD, SECOND, &warning, FIRST, OTHER],
        &[SECOND, FIRST, "mesh-freeze-default-0"],
    );
    let older = older_of(stand, &freeze(3)).unwrap();
    let expected = [
        (0, vec!["mesh-freeze-default-0".to_owned()]),
        (1, vec![FIRST.to_owned(), warning]),
        (2, vec![SECOND.to_owned()]),
    ];
    assert_eq!(older.into_iter().collect::<Vec<_>>(), expected);
    let late = older_of(standing(&[], &[THIRD]), &freeze(2)).unwrap_err().to_string();
    assert!(late.contains("epoch 3"), "{late}");
}

#[test]
fn what_a_late_driver_has_put_up_stays_until_a_later_freeze_is_whole() {
    let own = || vec![FIRST.to_owned()];
    for (policies, bindings, over, expected) in [
        (&[FIRST][..], &[FIRST][..], false, Late::Stays),
        // Killed between the two: the later one enforces nothing.
        (&[FIRST, SECOND], &[FIRST], false, Late::Stays),
        (&[FIRST], &[FIRST, SECOND], false, Late::Stays),
        (&[FIRST, SECOND], &[FIRST, SECOND], false, Late::GoesIfRefused(own())),
        // Of another mesh nothing follows.
        (&[FIRST, OTHER], &[FIRST, OTHER], false, Late::Stays),
        (&[FIRST], &[FIRST], true, Late::Goes(own())),
        (&[], &[FIRST], true, Late::Goes(own())),
        (&[SECOND], &[SECOND], false, Late::Goes(vec![])),
        (&[], &[], true, Late::Goes(vec![])),
    ] {
        let stand = standing(policies, bindings);
        assert_eq!(late_in(&stand, &freeze(1), over), expected, "{stand:?}");
    }
}

#[test]
fn a_thaw_takes_a_binding_whose_policy_is_gone() {
    let stand = standing(&[SECOND, OTHER], &[FIRST, SECOND, OTHER]);
    assert_eq!(all_of(stand, &freeze(2)), Ok(vec![FIRST.to_owned(), SECOND.to_owned()]));
    assert!(all_of(standing(&[], &[THIRD]), &freeze(2)).is_err());
}

#[test]
fn a_freeze_stands_with_both_of_its_objects_and_alone() {
    let why = |policies: &[&str], bindings: &[&str]| {
        let alone = alone_in(&standing(policies, bindings), &freeze(2));
        alone.err().map(|fault| fault.to_string()).unwrap_or_default()
    };
    assert_eq!(why(&[SECOND, OTHER], &[SECOND, OTHER]), "");
    assert_eq!(
        why(&[], &[SECOND]),
        format!("ValidatingAdmissionPolicy {SECOND} is gone")
    );
    assert_eq!(
        why(&[SECOND], &[]),
        format!("ValidatingAdmissionPolicyBinding {SECOND} is gone")
    );
    assert!(why(&[FIRST, SECOND], &[SECOND]).contains(&format!("{FIRST} late")));
    assert!(why(&[SECOND], &[SECOND, THIRD]).contains("epoch 3"));
}

#[test]
fn only_a_policy_with_its_binding_refuses_and_not_one_that_warns() {
    let warning = format!("{FIRST}-warn");
    for (policies, bindings, refuses) in [
        (&[FIRST][..], &[FIRST][..], true),
        (&[THIRD, FIRST], &[FIRST], true),
        (&[SECOND], &[FIRST], false),
        (&[FIRST], &[], false),
        (&[], &[FIRST], false),
        (&[warning.as_str()], &[warning.as_str()], false),
        (&[OTHER], &[OTHER], false),
    ] {
        let stand = standing(policies, bindings);
        assert_eq!(refuses_in(&stand, "default"), refuses, "{policies:?} {bindings:?}");
    }
}
