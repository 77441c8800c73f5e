//! What the watch saw, in the journal.

use super::{
    tests::{NOW, driver, spec},
    *,
};
use crate::{
    api::{CONDITION_DRIFTED, ExemptKind, MeshUpgrade},
    charts::Digests,
    conditions,
    fingerprint::{Change, What},
};

fn change(name: &str) -> Change {
    Change {
        kind: ExemptKind::MutatingWebhookConfiguration,
        name: name.to_owned(),
        what: What::Changed,
        by: vec!["kubectl-edit".to_owned()],
        now: "1".to_owned(),
    }
}

#[test]
fn a_change_that_no_guard_is_asked_about_is_told_once_and_stops_nothing() {
    let (spec, driver) = (spec(), driver(1));
    let mut status = step(
        &spec,
        &MeshUpgradeStatus::default(),
        &Observation::default(),
        &driver,
        NOW,
    )
    .status;
    let notes = |status: &MeshUpgradeStatus| {
        let told = status
            .history
            .iter()
            .filter(|event| event.what.contains("no guard is asked"));
        told.count()
    };
    let drift = |changes: Vec<Change>| Drift::from([("east".to_owned(), changes)]);
    for (changes, drifted, told) in [
        (vec![], false, 0),
        (vec![change("a")], true, 1),
        (vec![change("a")], true, 1),
        (vec![change("a"), change("b")], true, 2),
        (vec![], false, 2),
    ] {
        status = heard(&spec, &status, &News::Drift(drift(changes)), &driver, NOW);
        assert_eq!(conditions::holds(&status.conditions, CONDITION_DRIFTED), drifted);
        assert_eq!(notes(&status), told);
    }
    let seen = Observation {
        drift: drift(vec![change("c")]),
        ..Observation::default()
    };
    let transition = step(&spec, &status, &seen, &driver, NOW);
    assert!(conditions::holds(&transition.status.conditions, CONDITION_DRIFTED));
    assert_eq!((transition.effect, transition.stop), (Some(Effect::Check), None));
    let heard = heard(&spec, &status, &News::Freeze("put up again".to_owned()), &driver, NOW);
    assert_eq!(heard.history.last().unwrap().what, "put up again");
}

#[test]
fn fingerprints_are_kept_for_whoever_resumes_and_rest_once_it_is_over() {
    let print = |sha: &str| Fingerprint {
        kind: ExemptKind::MutatingWebhookConfiguration,
        name: "istio-sidecar-injector".to_owned(),
        sha256: sha.to_owned(),
        release: None,
        writers: Vec::new(),
    };
    let mut status = MeshUpgradeStatus::default();
    for sha in ["1", "2"] {
        let seen = Observation {
            fingerprints: [("east".to_owned(), vec![print(sha)])].into(),
            ..Observation::default()
        };
        status = step(&spec(), &status, &seen, &driver(1), NOW).status;
        assert_eq!(status.fingerprints.len(), 1);
        assert_eq!(status.fingerprints[0].objects, [print(sha)]);
    }
    status = step(&spec(), &status, &Observation::default(), &driver(2), NOW).status;
    assert_eq!(
        status.fingerprints[0].objects,
        [print("2")],
        "a successor has not looked yet"
    );
    status.phase = Phase::Succeeded;
    let seen = Observation {
        fingerprints: [("east".to_owned(), Vec::new())].into(),
        ..Observation::default()
    };
    assert_eq!(step(&spec(), &status, &seen, &driver(2), NOW).status, status);
}

#[test]
fn charts_that_take_the_place_of_others_are_recorded_and_told_once() {
    let digests = |all: &[(&str, &str)]| -> Digests {
        let all = all
            .iter()
            .map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned()));
        all.collect()
    };
    let mut spec = spec();
    spec.plan.charts.digests = digests(&[("base-1.31.0", "b"), ("istiod-1.31.0", "i")]);
    let mut journal = MeshUpgrade::new("x", spec.clone());
    let (b, i) = (("base-1.31.0", "b"), ("istiod-1.31.0", "i"));
    for (epoch, at_hand, recorded, goes_by, told) in [
        (1, &[][..], &[][..], &[b, i][..], 0),
        (1, &[b, i], &[], &[b, i], 0),
        // What no plan of an older plugin, or no repository, told: it is known from now on.
        (
            2,
            &[i, ("cni-1.31.0", "c")],
            &[("cni-1.31.0", "c")],
            &[b, ("cni-1.31.0", "c"), i],
            0,
        ),
        (
            3,
            &[("istiod-1.31.0", "x")],
            &[("cni-1.31.0", "c"), ("istiod-1.31.0", "x")],
            &[b, ("cni-1.31.0", "c"), ("istiod-1.31.0", "x")],
            1,
        ),
        (4, &[i], &[("cni-1.31.0", "c"), i], &[b, ("cni-1.31.0", "c"), i], 2),
    ] {
        let seen = Observation {
            chart_digests: digests(at_hand),
            ..Observation::default()
        };
        for _ in 0..2 {
            let status = journal.status.take().unwrap_or_default();
            journal.status = Some(step(&spec, &status, &seen, &driver(epoch), NOW).status);
        }
        let status = journal.status.as_ref().unwrap();
        assert_eq!(status.chart_digests, digests(recorded), "{epoch}");
        let said = status
            .history
            .iter()
            .filter(|event| event.what.contains("named with --charts"));
        assert_eq!(said.count(), told, "{epoch}");
        assert_eq!(journal.chart_digests(), digests(goes_by), "{epoch}");
    }
}
