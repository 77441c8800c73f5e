//! Which changes are the holder's own and which are drift.

use super::{
    tests::{Mutating, release, seen},
    *,
};
use serde_json::json;

#[test]
fn finds_what_was_created_changed_and_deleted() {
    let before = [
        seen("a", "1", None, &[]),
        seen("b", "1", None, &["helm t1"]),
        seen("c", "1", None, &[]),
    ];
    let now = [
        seen("a", "1", None, &["somebody t9"]),
        seen("b", "2", None, &["helm t1", "kubectl-edit t2"]),
        seen("d", "1", None, &["kubectl-create t3"]),
    ];
    let changes = judge(&before, &now, None);
    assert_eq!(
        describe(&changes),
        "MutatingWebhookConfiguration b was changed (field manager kubectl-edit); MutatingWebhookConfiguration c was \
         deleted; MutatingWebhookConfiguration d was created (field manager kubectl-create)"
    );
    assert_eq!(judge(&before, &before, None), []);
}

/// Rows: what was there, what is there, and whether it is taken for the holder's own.
#[test]
fn only_helms_own_writes_to_its_own_release_are_expected() {
    let step = release("istiod");
    let before = || seen("x", "1", Some("istiod"), &["helm t1", "kubectl-edit t0"]);
    let rows = [
        (
            "helm changed it",
            Some(before()),
            Some(seen("x", "2", Some("istiod"), &["helm t2", "kubectl-edit t0"])),
            true,
        ),
        (
            "helm took a foreign field over",
            Some(before()),
            Some(seen("x", "2", Some("istiod"), &["helm t2"])),
            true,
        ),
        (
            "helm created it",
            None,
            Some(seen("x", "2", Some("istiod"), &["helm t2"])),
            true,
        ),
        (
            "somebody edited it in the same moment",
            Some(before()),
            Some(seen("x", "2", Some("istiod"), &["helm t2", "kubectl-edit t2"])),
            false,
        ),
        (
            "it was taken from another release",
            Some(seen("x", "1", Some("other"), &["helm t1"])),
            Some(seen("x", "2", Some("istiod"), &["helm t2"])),
            false,
        ),
        (
            "it was given to another",
            Some(before()),
            Some(seen("x", "2", Some("other"), &["helm t2"])),
            false,
        ),
        (
            "it is of no release",
            None,
            Some(seen("x", "2", None, &["helm t2"])),
            false,
        ),
        ("it was deleted", Some(before()), None, false),
    ];
    for (what, before, now, own) in rows {
        let (before, now): (Vec<_>, Vec<_>) = (before.into_iter().collect(), now.into_iter().collect());
        assert_eq!(judge(&before, &now, Some(&step)).is_empty(), own, "{what}");
        let kept = rebase(&before, &now, Some(&step));
        assert_eq!(kept, if own { now.clone() } else { before.clone() }, "{what}");
        assert_eq!(
            judge(&before, &now, None).len(),
            1,
            "{what}: without a step it is foreign"
        );
        assert_eq!(
            judge(&before, &now, Some(&release("base"))).len(),
            1,
            "{what}: during another step too"
        );
    }
}

#[test]
fn what_was_put_back_hides_no_later_change_and_spoils_no_later_step() {
    let step = release("istiod");
    let before = vec![seen("x", "1", Some("istiod"), &["helm t1"])];
    let put_back = vec![seen("x", "1", Some("istiod"), &["helm t1", "kubectl-patch t2"])];
    let by_helm = vec![seen("x", "2", Some("istiod"), &["helm t3", "kubectl-patch t2"])];
    let by_both = vec![seen("x", "2", Some("istiod"), &["helm t3", "kubectl-patch t4"])];
    assert_eq!(judge(&before, &by_helm, Some(&step)).len(), 1, "as if both had written");
    let again = seen_again(&before, &put_back);
    assert_eq!(again, put_back);
    assert!(judge(&again, &by_helm, Some(&step)).is_empty());
    assert_eq!(judge(&again, &by_both, Some(&step)).len(), 1);
    assert_eq!(seen_again(&before, &by_helm), before, "a change is not forgotten");
    assert_eq!(seen_again(&before, &[]), before, "nor a deletion");
}

#[test]
fn what_istioctl_writes_into_what_it_installed_is_expected_and_nothing_else() {
    let object = |version: &str, manager: &str| {
        json!({
            "metadata": {
                "name": "istio-sidecar-injector", "labels": {
                    "install.operator.istio.io/owning-resource-namespace": "istio-system", "istio.io/rev": "default",
                    "operator.istio.io/version": version,
                },
                "managedFields": [{
                    "manager": manager, "operation": "Apply", "time": format!("2026-01-01T00:00:0{version}Z"),
                    "fieldsV1": {"f:webhooks": {}},
                }],
            },
            "webhooks": [{"name": version}],
        })
    };
    let seen = |version: &str, manager: &str| vec![fingerprint(Mutating, &object(version, manager)).unwrap().1];
    let before = seen("1", "istio-operator");
    let installation = release("istioctl/default");
    assert_eq!(before[0].release, Some(installation.clone()));
    assert!(judge(&before, &seen("2", "istio-operator"), Some(&installation)).is_empty());
    assert_eq!(judge(&before, &seen("2", "kubectl-edit"), Some(&installation)).len(), 1);
    assert_eq!(judge(&before, &seen("2", "helm"), Some(&installation)).len(), 1);
    assert_eq!(
        judge(&before, &seen("2", "istio-operator"), Some(&release("istioctl/blue"))).len(),
        1
    );
    assert_eq!(judge(&before, &seen("2", "istio-operator"), None).len(), 1);
}

#[test]
fn a_canary_takes_tags_over_and_takes_its_old_revision_away() {
    let over = as_taking_over(&release("new"));
    let going = as_going(&release("old"));
    let old = || Some(seen("tag", "1", Some("old"), &["helm t1"]));
    let new = |writers: &[&str]| Some(seen("tag", "2", Some("new"), writers));
    for (what, before, now, step, own) in [
        ("taken from the old one", old(), new(&["helm t2"]), &over, true),
        (
            "taken from nobody",
            Some(seen("tag", "1", None, &["kubectl t1"])),
            new(&["helm t2"]),
            &over,
            true,
        ),
        (
            "by somebody else's hand",
            old(),
            new(&["helm t1", "kubectl t2"]),
            &over,
            false,
        ),
        (
            "given to another",
            old(),
            Some(seen("tag", "2", Some("other"), &["helm t2"])),
            &over,
            false,
        ),
        ("deleted meanwhile", old(), None, &over, false),
        ("gone with its release", old(), None, &going, true),
        ("gone with it, and another's", new(&["helm t1"]), None, &going, false),
        (
            "changed while it goes",
            old(),
            Some(seen("tag", "2", Some("old"), &["helm t2"])),
            &going,
            false,
        ),
    ] {
        let (before, now): (Vec<_>, Vec<_>) = (before.into_iter().collect(), now.into_iter().collect());
        assert_eq!(judge(&before, &now, Some(step)).is_empty(), own, "{what}");
    }
}

#[test]
fn the_sail_operator_brings_a_revision_moves_its_tags_and_takes_the_old_one_away() {
    let beside = as_beside(&release("default-v1-31-0-istiod"));
    let of = |name: &str, sha: &str, writer: &str| Some(seen("x", sha, Some(name), &[writer]));
    let new = |writer: &str| of("default-v1-31-0-istiod", "2", writer);
    let tag = |sha: &str, writer: &str| of("prod-revisiontags", sha, writer);
    let elsewhere = |name: &str| {
        let mut other = seen("x", "2", Some(name), &["sail-operator t2"]);
        other.release.as_mut().unwrap().namespace = "other".to_owned();
        Some(other)
    };
    let old = || of("default-v1-30-3-istiod", "1", "sail-operator t1");
    for (what, before, now, own) in [
        ("the new one", None, new("sail-operator t2"), true),
        ("the new one, by a person", None, new("kubectl t2"), false),
        (
            "its tag",
            tag("1", "sail-operator t1"),
            tag("2", "sail-operator t2"),
            true,
        ),
        (
            "its tag, by a person",
            tag("1", "sail-operator t1"),
            tag("2", "kubectl t2"),
            false,
        ),
        ("its tag, deleted", tag("1", "sail-operator t1"), None, false),
        ("a tag elsewhere", None, elsewhere("prod-revisiontags"), false),
        ("the old one's end", old(), None, true),
        (
            "the old one, changed",
            old(),
            of("default-v1-30-3-istiod", "2", "sail-operator t2"),
            false,
        ),
        ("the new one's end", new("sail-operator t1"), None, false),
        (
            "another Istio's end",
            of("prod-v1-30-3-istiod", "1", "sail-operator t1"),
            None,
            false,
        ),
        (
            "somebody's tag, taken over",
            Some(seen("x", "1", None, &["kubectl t1"])),
            tag("2", "sail-operator t2"),
            false,
        ),
    ] {
        let (before, now): (Vec<_>, Vec<_>) = (before.into_iter().collect(), now.into_iter().collect());
        assert_eq!(judge(&before, &now, Some(&beside)).is_empty(), own, "{what}");
    }
}
