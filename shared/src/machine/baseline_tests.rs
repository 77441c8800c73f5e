//! What comes before the first change: whether images are pulled, and what the upgrade is compared with, which is the mesh as it was
//! right before it, not when the journal began.

use super::tests::{NOW, driver, spec};
use super::*;

fn counted(connected: i64) -> ProxyConnections {
    ProxyConnections {
        ready: connected,
        connected,
        ..ProxyConnections::default()
    }
}

fn abilities(name: &str) -> Vec<Abilities> {
    vec![Abilities {
        cluster: "east".to_owned(),
        namespace: "istio-system".to_owned(),
        name: name.to_owned(),
        validates: true,
        injects: true,
        keeps: Vec::new(),
    }]
}

#[test]
fn whoever_resumes_compares_with_what_runs_when_the_first_component_is_changed() {
    // Checked by another driver, when the mesh had more proxies.
    let status = MeshUpgradeStatus {
        phase: Phase::Freezing,
        epoch: 1,
        abilities: abilities("istiod-gone"),
        connections: Some(counted(1000)),
        ..MeshUpgradeStatus::default()
    };
    for connections in [Some(counted(10)), None] {
        let seen = Observation {
            freeze: FreezeState::Closed,
            recheck: Some(CheckResult::Free),
            abilities: abilities("istiod"),
            connections: connections.clone(),
            ..Observation::default()
        };
        let next = step(&spec(), &status, &seen, &driver(2), NOW).status;
        assert_eq!(next.phase, Phase::Upgrading);
        assert_eq!((next.connections, next.abilities), (connections, abilities("istiod")));
    }
}

#[test]
fn images_are_pulled_before_the_freeze_unless_the_operator_leaves_that_out() {
    let status = MeshUpgradeStatus {
        phase: Phase::Pulling,
        epoch: 1,
        ..MeshUpgradeStatus::default()
    };
    for (skip_image_pull, phase, effect, noted) in [
        (false, Phase::Pulling, Some(Effect::PullImages), None),
        (
            true,
            Phase::Freezing,
            None,
            Some("Freezing: images not pulled first, as the operator asked"),
        ),
    ] {
        let spec = MeshUpgradeSpec {
            skip_image_pull,
            ..spec()
        };
        let next = step(&spec, &status, &Observation::default(), &driver(1), NOW);
        assert_eq!((next.status.phase, next.effect, next.stop), (phase, effect, None));
        let history = next.status.history.last();
        assert_eq!(history.map(|event| event.what.as_str()), noted);
    }
}
