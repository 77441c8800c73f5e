//! The rotation: each step by itself, and many replicas, crashes and late readers at once.

use super::*;
use crate::guard::{asked::Coverage, install::WebhookClient, rules};
use k8s_openapi::ByteString;
use proptest::prelude::*;

const HOST: &str = "mesh-upgrade-webhook.mesh-upgrade-system.svc";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// Certificates of an hour, renewed after 40 minutes; authorities settle in a minute.
fn times() -> Times {
    Times::new(seconds(3600), seconds(60)).unwrap()
}

fn pair(number: usize, until: i64) -> Pair {
    Pair {
        authority: format!("-----BEGIN CERTIFICATE-----\nA{number}\n-----END CERTIFICATE-----\n"),
        hosts: BTreeSet::from([HOST.to_owned()]),
        not_after: at(until),
    }
}

fn published(bundle: &str, unchanged_for: i64) -> Published {
    let mut configuration = rules::webhook_configuration(&WebhookClient::Service, &Coverage::default());
    for webhook in configuration.webhooks.iter_mut().flatten() {
        webhook.client_config.ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
    }
    Published::read(&configuration, seconds(unchanged_for))
}

#[test]
fn the_first_pair_is_made_published_and_served_at_once() {
    let mut state = State::default();
    let hosts = BTreeSet::from([HOST.to_owned()]);
    assert_eq!(next(&state, &published("", 0), &times(), at(0)), Step::Issue(hosts));
    state.next = Some(pair(1, 3600));
    let bundle = pair(1, 3600).authority;
    assert_eq!(
        next(&state, &published("", 0), &times(), at(0)),
        Step::Publish(bundle.clone())
    );
    assert_eq!(next(&state, &published(&bundle, 0), &times(), at(0)), Step::Promote);
    let state = state.promoted(at(0));
    assert_eq!((state.current.clone(), state.next.clone()), (Some(pair(1, 3600)), None));
    assert_eq!(
        next(&state, &published(&bundle, 0), &times(), at(0)),
        Step::Wait(seconds(2400)),
        "until a third of its life is left"
    );
}

#[test]
fn a_renewal_publishes_both_waits_promotes_and_forgets_only_what_has_expired() {
    let (one, two) = (pair(1, 3600), pair(2, 6000));
    let mut state = State {
        current: Some(one.clone()),
        ..State::default()
    };
    let alone = published(&one.authority, 9999);
    assert!(matches!(next(&state, &alone, &times(), at(2400)), Step::Issue(_)));
    state.next = Some(two.clone());
    let both = format!("{}{}", one.authority, two.authority);
    assert_eq!(next(&state, &alone, &times(), at(2400)), Step::Publish(both.clone()));
    assert_eq!(
        next(&state, &published(&both, 45), &times(), at(2445)),
        Step::Wait(seconds(15))
    );
    assert_eq!(next(&state, &published(&both, 60), &times(), at(2460)), Step::Promote);
    let state = state.promoted(at(2460));
    assert_eq!(state.current, Some(two.clone()));
    // The order in the bundle says nothing, and the former authority stays until the very end of its certificate.
    assert_eq!(
        next(&state, &published(&both, 99), &times(), at(3590)),
        Step::Wait(seconds(10))
    );
    assert_eq!(
        next(&state, &published(&both, 99), &times(), at(3601)),
        Step::Publish(two.authority.clone())
    );
    assert_eq!(
        next(&state, &published(&two.authority, 0), &times(), at(3601)),
        Step::Forget
    );
    assert!(state.without_expired(at(3601)).previous.is_empty());
}

#[test]
fn a_wrong_bundle_is_written_anew_and_another_host_needs_another_certificate() {
    let state = State {
        current: Some(pair(1, 3600)),
        ..State::default()
    };
    let right = pair(1, 3600).authority;
    for wrong in [
        "",
        "no PEM at all",
        &pair(9, 3600).authority,
        &format!("{right}{}", pair(9, 9).authority),
    ] {
        assert_eq!(
            next(&state, &published(wrong, 99), &times(), at(0)),
            Step::Publish(right.clone()),
            "{wrong}"
        );
    }
    // The same certificate with other line breaks is the same.
    let rewrapped = right.replace("A1", "A\r\n1").replace('\n', "\r\n");
    assert!(matches!(
        next(&state, &published(&rewrapped, 99), &times(), at(0)),
        Step::Wait(_)
    ));

    let elsewhere = Published::read(
        &rules::webhook_configuration(
            &WebhookClient::Url("https://[::1]:8443".to_owned()),
            &Coverage::default(),
        ),
        seconds(0),
    );
    assert_eq!(
        next(&state, &elsewhere, &times(), at(0)),
        Step::Issue(BTreeSet::from(["::1".to_owned()]))
    );
}

#[test]
fn a_next_pair_that_grew_old_is_replaced_and_nobody_waits_where_nothing_valid_is_served() {
    let mut state = State {
        current: Some(pair(1, 3600)),
        next: Some(pair(2, 6000)),
        previous: Vec::new(),
    };
    let both = state.bundle(at(0));
    assert!(matches!(
        next(&state, &published(&both, 0), &times(), at(4900)),
        Step::Issue(_)
    ));
    assert_eq!(
        next(&state, &published(&both, 0), &times(), at(3601)),
        Step::Promote,
        "the current one has expired"
    );
    state.current = None;
    let bundle = state.bundle(at(0));
    assert_eq!(next(&state, &published(&bundle, 0), &times(), at(0)), Step::Promote);
}

#[test]
fn without_a_webhook_nothing_is_made() {
    let none = Published::read(&ValidatingWebhookConfiguration::default(), seconds(0));
    assert!(matches!(next(&State::default(), &none, &times(), at(0)), Step::Wait(_)));
}

#[test]
fn hosts_are_those_that_the_api_server_calls() {
    for (url, expected) in [
        ("https://localhost:8443", "localhost"),
        ("https://guard.example/base", "guard.example"),
        ("https://10.0.0.1:1", "10.0.0.1"),
        ("https://[fd00::1]:8443", "fd00::1"),
    ] {
        let client = WebhookClient::Url(url.to_owned());
        let read = Published::read(&rules::webhook_configuration(&client, &Coverage::default()), seconds(0));
        assert_eq!(read.hosts, BTreeSet::from([expected.to_owned()]), "{url}");
    }
    assert_eq!(published("", 0).hosts, BTreeSet::from([HOST.to_owned()]));
}

#[test]
fn times_leave_room_for_a_rotation() {
    assert_eq!(Times::new(seconds(29), seconds(0)), Err(TimesError::Lifetime));
    assert_eq!(Times::new(seconds(3600), seconds(601)), Err(TimesError::Settle));
    assert_eq!(Times::new(seconds(3600), seconds(-1)), Err(TimesError::Settle));
    assert!(Times::new(SignedDuration::from_hours(24 * 4000), seconds(1)).is_err());
    assert!(Times::new(seconds(3600), seconds(600)).is_ok());
}

#[test]
fn the_secret_does_not_grow_without_bound() {
    let mut state = State::default();
    for number in 0..40 {
        state.next = Some(pair(number, 3600));
        state = state.promoted(at(0));
    }
    assert_eq!(state.previous.len(), MAX_PREVIOUS);
    assert_eq!(state.previous.last().unwrap().pem, pair(38, 0).authority);
}

/// Clocks of replicas differ by up to this many seconds, either way.
const SKEW: i64 = 120;

/// One replica between two of its reads and writes.
#[derive(Default)]
struct Replica {
    skew: i64,
    /// Version of the configuration that was read, and since when it has been seen.
    seen: Option<(usize, i64)>,
    /// What was read of the configuration: version and contents.
    configuration: Option<(usize, Published)>,
    /// What is to be done, with the versions that it was decided on.
    decided: Option<(usize, usize, State, Step)>,
    serving: Option<Pair>,
}

/// A cluster: the two objects with their versions, and replicas.
struct World {
    now: i64,
    secret: (usize, State),
    /// Every bundle that was ever published, and from when on; the version is the index of the last.
    configurations: Vec<(i64, String)>,
    replicas: Vec<Replica>,
    issued: usize,
    promoted: usize,
    /// Pairs that were promoted while none was valid: calls fail at that time in any case.
    unsettled: Vec<Pair>,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    ReadConfiguration(usize),
    ReadSecretAndDecide(usize),
    Act(usize),
    Restart(usize),
    Pass(i64),
}

impl World {
    fn new(skews: &[i64]) -> Self {
        Self {
            now: 0,
            secret: (0, State::default()),
            configurations: vec![(0, String::new())],
            replicas: skews
                .iter()
                .map(|skew| Replica {
                    skew: *skew,
                    ..Replica::default()
                })
                .collect(),
            issued: 0,
            promoted: 0,
            unsettled: Vec::new(),
        }
    }

    fn perform(&mut self, action: Action) {
        let version = self.configurations.len() - 1;
        match action {
            Action::Pass(seconds) => self.now += seconds,
            Action::Restart(which) => {
                let skew = self.replicas[which].skew;
                self.replicas[which] = Replica {
                    skew,
                    ..Replica::default()
                };
            }
            Action::ReadConfiguration(which) => {
                let replica = &mut self.replicas[which];
                let since = replica
                    .seen
                    .filter(|(seen, _)| *seen == version)
                    .map_or(self.now, |(_, since)| since);
                replica.seen = Some((version, since));
                let read = Published {
                    hosts: BTreeSet::from([HOST.to_owned()]),
                    bundles: vec![authorities(&self.configurations[version].1)],
                    unchanged_for: seconds(self.now - since),
                };
                replica.configuration = Some((version, read));
            }
            Action::ReadSecretAndDecide(which) => {
                let replica = &mut self.replicas[which];
                let (secret_version, state) = self.secret.clone();
                replica.serving = state.current.clone().or(replica.serving.take());
                if let Some((version, published)) = replica.configuration.take() {
                    let step = next(&state, &published, &times(), at(self.now + replica.skew));
                    replica.decided = Some((version, secret_version, state, step));
                }
            }
            Action::Act(which) => {
                let Some((decided_on, secret_version, mut state, step)) = self.replicas[which].decided.take() else {
                    return;
                };
                let here = self.now + self.replicas[which].skew;
                match step {
                    Step::Wait(_) => {}
                    Step::Publish(bundle) => {
                        if decided_on == version {
                            self.configurations.push((self.now, bundle));
                        }
                    }
                    _ if secret_version != self.secret.0 => {}
                    Step::Issue(hosts) => {
                        self.issued += 1;
                        let made = Pair {
                            hosts,
                            ..pair(self.issued, here + 3600)
                        };
                        state.next = Some(made);
                        self.secret = (secret_version + 1, state);
                    }
                    Step::Promote => {
                        let served = state
                            .current
                            .as_ref()
                            .is_some_and(|current| at(here) <= current.not_after);
                        if !served {
                            self.unsettled.extend(state.next.clone());
                        }
                        self.promoted += 1;
                        self.secret = (secret_version + 1, state.promoted(at(here)));
                    }
                    Step::Forget => self.secret = (secret_version + 1, state.without_expired(at(here))),
                }
            }
        }
    }

    /// A whole turn of a replica, as many steps as there are to do.
    fn turn(&mut self, which: usize) {
        for _ in 0..6 {
            self.perform(Action::ReadConfiguration(which));
            self.perform(Action::ReadSecretAndDecide(which));
            self.perform(Action::Act(which));
        }
    }

    /// The first certificate that an API server would refuse now, however late it reads (up to the time to settle) and
    /// however long ago the replica has read the Secret.
    fn refused(&self) -> Option<String> {
        let oldest = self.now - times().settle().as_secs();
        let seen: Vec<&String> = self
            .configurations
            .iter()
            .enumerate()
            .filter(|(index, _)| {
                self.configurations
                    .get(index + 1)
                    .is_none_or(|(replaced, _)| *replaced > oldest)
            })
            .map(|(_, (_, bundle))| bundle)
            .collect();
        let served = self.replicas.iter().filter_map(|replica| replica.serving.as_ref());
        served
            .filter(|pair| at(self.now + 2 * SKEW) <= pair.not_after && !self.unsettled.contains(pair))
            .find(|pair| {
                !seen
                    .iter()
                    .all(|bundle| authorities(bundle).is_superset(&authorities(&pair.authority)))
            })
            .map(|pair| format!("{} at {}", pair.authority, self.now))
    }
}

fn action(replicas: usize) -> impl Strategy<Value = Action> {
    let which = move || 0..replicas;
    prop_oneof![
        6 => which().prop_map(Action::ReadConfiguration),
        6 => which().prop_map(Action::ReadSecretAndDecide),
        6 => which().prop_map(Action::Act),
        1 => which().prop_map(Action::Restart),
        4 => (0_i64..40).prop_map(Action::Pass),
        2 => (40_i64..1500).prop_map(Action::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_certificate_that_lasts_is_trusted_whoever_is_late(
        skews in proptest::collection::vec(-SKEW..SKEW, 3),
        actions in proptest::collection::vec(action(3), 1..400),
    ) {
        let mut world = World::new(&skews);
        for action in actions {
            world.perform(action);
            prop_assert_eq!(world.refused(), None, "after {:?}", action);
        }
    }

    #[test]
    fn a_valid_certificate_is_always_there_while_one_replica_works(
        skews in proptest::collection::vec(-SKEW..SKEW, 3),
        turns in proptest::collection::vec((0_usize..3, 1_i64..240), 200),
    ) {
        let mut world = World::new(&skews);
        world.turn(0);
        for (which, pause) in turns {
            world.turn(which);
            prop_assert_eq!(world.refused(), None);
            world.now += pause;
            let current = world.secret.1.current.as_ref().unwrap();
            prop_assert!(at(world.now) < current.not_after, "expired at {}", world.now);
            prop_assert!(world.secret.1.previous.len() <= 2);
        }
        // Renewed each 40 minutes, and never more often than that.
        let wanted = usize::try_from(world.now / 2400).unwrap();
        prop_assert!((wanted..=wanted + 2).contains(&world.promoted), "{} in {}", world.promoted, world.now);
    }
}
