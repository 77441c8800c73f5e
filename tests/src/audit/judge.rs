//! Judges an upgrade by the audit log: when the mesh was frozen, what foreigners got meanwhile, and whom the guard
//! hindered who must not be.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use shared::{guard::table, names};

use super::event::{BINDINGS, Event, POLICIES, Part};

const FREEZE: &str = "mesh-freeze-";
const ISTIOD: &str = "system:serviceaccount:istio-system:istiod";

/// While the mesh was frozen: from the first refusal in the words of a freeze policy, to the moment at which the last of
/// these policies, or its binding, was asked to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// From when on no foreign write may pass.
    pub closed: String,
    /// Until when.
    pub opened: String,
    /// The epochs that held it.
    pub epochs: BTreeSet<String>,
}

impl Period {
    /// The one freeze of an upgrade in a log.
    ///
    /// # Errors
    /// When there was none, or it did not close or open.
    pub fn of(events: &[Event]) -> Result<Self> {
        let by_policy = format!("ValidatingAdmissionPolicy '{FREEZE}");
        let closed = events
            .iter()
            .find(|event| !event.passed() && event.message.contains(&by_policy))
            .context("no freeze policy ever refused anything")?;
        let mut standing = BTreeSet::new();
        let mut epochs = BTreeSet::new();
        let mut opened = None;
        let policies = events.iter().filter(|event| {
            (event.resource == BINDINGS || event.resource == POLICIES) && event.passed() && !event.dry_run
        });
        for event in policies {
            match event.verb.as_str() {
                "create" | "patch" | "update" if event.name.starts_with(FREEZE) => {
                    standing.insert(event.name.as_str());
                }
                "delete" if event.name.starts_with(FREEZE) => {
                    standing.remove(event.name.as_str());
                    // Of policy and binding the first to go opens.
                    if opened.is_none() && standing.is_empty() {
                        opened = Some(event.received.clone());
                    }
                }
                _ => {}
            }
            if let Some((_, epoch)) = event.name.rsplit_once('-').filter(|_| event.name.starts_with(FREEZE)) {
                epochs.insert(epoch.to_owned());
            }
        }
        Ok(Self {
            closed: closed.answered.clone(),
            opened: opened.context("the freeze policy was never deleted")?,
            epochs,
        })
    }

    /// Whether a request lies in it as a whole.
    #[must_use]
    pub fn contains(&self, event: &Event) -> bool {
        event.received > self.closed && event.answered < self.opened
    }
}

/// Whether a request changed something of the mesh.
fn changed_the_mesh(event: &Event) -> bool {
    event.is_write() && event.passed() && !event.dry_run && event.part() == Some(Part::Mesh)
}

/// What a driver changed of the mesh.
#[must_use]
pub fn changed_by_the_driver(events: &[Event]) -> Vec<&Event> {
    let driver = names::driver_user();
    let changes = events
        .iter()
        .filter(|event| event.user == driver && changed_the_mesh(event));
    changes.collect()
}

/// What a driver changed of the mesh before it was frozen or after it was opened.
///
/// # Errors
/// When there was no freeze, or the driver has changed nothing: then nothing was looked at.
pub fn changed_unfrozen(events: &[Event]) -> Result<Vec<String>> {
    let period = Period::of(events)?;
    let changes = changed_by_the_driver(events);
    ensure!(!changes.is_empty(), "no change of the mesh by the driver is in the log");
    let unfrozen = changes.into_iter().filter(|event| !period.contains(event));
    Ok(unfrozen.map(|event| format!("changed unfrozen: {event}")).collect())
}

/// What the log says.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Writes of foreigners that the guard refused while frozen, by what they would have done.
    pub refused: BTreeMap<String, usize>,
    /// The same by who tried.
    pub refused_users: BTreeMap<String, usize>,
    /// Writes of foreigners that failed for other reasons while frozen: they prove nothing.
    pub failed_otherwise: BTreeMap<String, usize>,
    /// Writes of everybody else that passed while frozen, by user and what they did.
    pub passed: BTreeMap<(String, String), usize>,
    /// Broken promises.
    pub faults: Vec<String>,
}

/// Judges a log. Foreigners are these users, and the driver without an epoch that held the freeze.
///
/// # Errors
/// When there was no freeze.
pub fn judge(events: &[Event], foreigners: &BTreeSet<String>) -> Result<Judged> {
    let period = Period::of(events)?;
    let driver = names::driver_user();
    let mut judged = Judged::default();
    for event in events.iter().filter(|event| event.is_write()) {
        // The Lease is nothing of the mesh: it is what an epoch comes from.
        let of_another_epoch = event.user == driver
            && event.resource != "leases"
            && !matches!(event.epochs.as_slice(), [epoch] if period.epochs.contains(epoch));
        if foreigners.contains(&event.user) || of_another_epoch {
            if !period.contains(event) {
                continue;
            }
            if event.passed() {
                judged.faults.push(format!("a foreign write passed: {event}"));
            } else if event.is_refused_by_the_guard() {
                *judged.refused.entry(event.what()).or_default() += 1;
                *judged.refused_users.entry(event.user.clone()).or_default() += 1;
            } else {
                *judged
                    .failed_otherwise
                    .entry(format!("{}: {}", event.what(), event.message))
                    .or_default() += 1;
            }
        } else if event.is_refused_by_the_guard() {
            // Canaries are there to be refused, and they are dry runs.
            if !(event.is_canary && event.dry_run) {
                judged.faults.push(format!("the guard hindered somebody: {event}"));
            }
        } else if period.contains(event) && event.passed() {
            *judged.passed.entry((event.user.clone(), event.what())).or_default() += 1;
        }
    }
    judged.faults.extend(configuration_by_nobody(events, &period, &driver));
    Ok(judged)
}

/// Whoever it was: configuration of the mesh is written by the driver, by istiod, and by who deletes with a namespace or
/// an owner. So this needs no list of foreigners.
fn configuration_by_nobody(events: &[Event], period: &Period, driver: &str) -> Vec<String> {
    let may = |event: &Event| {
        event.user == driver || event.user.starts_with("system:serviceaccount:kube-system:") || event.user == ISTIOD
    };
    events
        .iter()
        .filter(|event| event.is_write() && event.passed() && period.contains(event))
        .filter(|event| table::CONFIGURATION_GROUPS.contains(&event.group.as_str()) && !event.resource.contains('/'))
        .filter(|event| !may(event))
        .map(|event| format!("configuration was written: {event}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: u32, user: &str, verb: &str, name: &str, code: u16) -> Event {
        Event {
            received: format!("2026-01-01T00:00:{at:02}.000000Z"),
            answered: format!("2026-01-01T00:00:{at:02}.500000Z"),
            verb: verb.to_owned(),
            user: user.to_owned(),
            agent: String::new(),
            epochs: Vec::new(),
            is_canary: false,
            group: "networking.istio.io".to_owned(),
            resource: "virtualservices".to_owned(),
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            dry_run: false,
            code,
            message: if code == 403 {
                "ValidatingAdmissionPolicy 'mesh-freeze-default-1' with binding 'x' denied request: MG001".to_owned()
            } else {
                String::new()
            },
        }
    }

    fn policy(at: u32, verb: &str) -> Event {
        Event {
            resource: BINDINGS.to_owned(),
            ..event(at, "driver", verb, "mesh-freeze-default-1", 200)
        }
    }

    /// A freeze from 5 to 20, and this beside it.
    fn judged(with: Vec<Event>) -> Judged {
        let mut events = vec![
            policy(3, "patch"),
            event(5, "bob", "create", "", 403),
            policy(20, "delete"),
        ];
        events.extend(with);
        judge(&events, &BTreeSet::from(["bob".to_owned()])).unwrap()
    }

    #[test]
    fn what_passes_while_frozen_is_a_fault_and_before_and_after_it_is_not() {
        assert_eq!(judged(Vec::new()).faults, Vec::<String>::new());
        assert!(
            judged(vec![
                event(4, "bob", "create", "a", 201),
                event(21, "bob", "create", "a", 201)
            ])
            .faults
            .is_empty()
        );
        let one = judged(vec![event(9, "bob", "create", "a", 201)]);
        assert!(
            one.faults.iter().any(|fault| fault.contains("a foreign write passed")),
            "{:?}",
            one.faults
        );
        let unlisted = judged(vec![event(9, "eve", "patch", "a", 200)]);
        assert!(
            unlisted.faults[0].contains("configuration was written"),
            "{:?}",
            unlisted.faults
        );
    }

    #[test]
    fn whoever_is_hindered_and_no_foreigner_is_a_fault_at_any_time() {
        for at in [4, 9, 21] {
            let judged = judged(vec![event(
                at,
                "system:serviceaccount:istio-system:istiod",
                "patch",
                "a",
                403,
            )]);
            assert_eq!(judged.faults.len(), 1, "{:?}", judged.faults);
        }
        let canary = Event {
            is_canary: true,
            dry_run: true,
            ..event(9, &names::driver_user(), "create", "", 403)
        };
        assert!(
            judged(vec![canary])
                .refused
                .contains_key("create networking.istio.io/virtualservices")
        );
    }

    #[test]
    fn what_a_driver_changes_before_or_after_the_freeze_is_found() {
        let of_driver = |at: u32, dry_run: bool, resource: &str| Event {
            dry_run,
            resource: resource.to_owned(),
            ..event(at, &names::driver_user(), "patch", "a", 200)
        };
        let unfrozen = |with: Vec<Event>| {
            let mut events = vec![
                policy(3, "patch"),
                event(5, "bob", "create", "", 403),
                policy(20, "delete"),
            ];
            events.extend(with);
            changed_unfrozen(&events)
        };
        assert!(unfrozen(Vec::new()).is_err(), "nothing was changed");
        assert!(unfrozen(vec![of_driver(9, false, "gateways")]).unwrap().is_empty());
        for at in [4, 21] {
            assert_eq!(unfrozen(vec![of_driver(at, false, "gateways")]).unwrap().len(), 1);
            assert!(unfrozen(vec![of_driver(at, true, "gateways")]).is_err(), "a dry run");
        }
    }

    #[test]
    fn a_driver_of_another_epoch_is_a_foreigner() {
        let with_epoch = |epoch: &str| Event {
            epochs: vec![epoch.to_owned()],
            ..event(9, &names::driver_user(), "patch", "a", 200)
        };
        assert!(judged(vec![with_epoch("1")]).faults.is_empty());
        assert_eq!(judged(vec![with_epoch("0")]).faults.len(), 1);
    }

    #[test]
    fn what_fails_by_itself_proves_nothing() {
        let judged = judged(vec![event(9, "bob", "create", "a", 404)]);
        assert!(judged.refused.is_empty() && judged.faults.is_empty());
        assert_eq!(judged.failed_otherwise.len(), 1);
    }
}
