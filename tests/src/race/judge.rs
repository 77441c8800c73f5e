//! Judges two drivers by the audit log: never two of them at once, and nothing of one that another has followed.

use std::collections::BTreeMap;

use shared::names;

use crate::audit::{Event, Part};

/// What the log says.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    /// Accepted writes to the mesh and its journal, by epoch.
    pub(super) accepted: BTreeMap<i64, usize>,
    /// Writes with an epoch that another had followed, refused.
    pub(super) stale_refused: usize,
    /// Broken promises.
    pub(super) faults: Vec<String>,
}

/// No guard is asked about freeze policies, so that a late driver itself has to leave those of a later one alone. Each
/// bears its epoch at the end of its name.
fn takes_down_a_later_freeze(event: &Event) -> bool {
    let standing = event.name.strip_prefix("mesh-freeze-");
    let standing = standing.and_then(|name| name.rsplit_once('-')?.1.parse::<i64>().ok());
    let own = event.epochs.first().and_then(|epoch| epoch.parse::<i64>().ok());
    event.passed() && standing.zip(own).is_some_and(|(standing, own)| standing > own)
}

/// The epoch of the freeze that refused a driver of an earlier one, as a takeover's canaries prove it.
fn refused_by_a_later_freeze(event: &Event) -> Option<i64> {
    let named = event.message.split_once("ValidatingAdmissionPolicy 'mesh-freeze-")?.1;
    let standing: i64 = named.split_once('\'')?.0.rsplit_once('-')?.1.parse().ok()?;
    let [epoch] = event.epochs.as_slice() else { return None };
    let is_earlier = epoch.parse::<i64>().is_ok_and(|epoch| epoch > 0 && epoch < standing);
    (!event.passed() && is_earlier).then_some(standing)
}

/// Judges a log, in whatever order its lines are.
pub(super) fn judge(events: &[Event]) -> Judged {
    let driver = names::driver_user();
    let writes: Vec<&Event> = events
        .iter()
        .filter(|event| event.is_write() && !event.dry_run && event.user == driver && !event.is_canary)
        .collect();
    let mut all: Vec<(Part, i64, &Event)> = Vec::new();
    let mut judged = Judged::default();
    let undone = writes.iter().filter(|event| takes_down_a_later_freeze(event));
    judged
        .faults
        .extend(undone.map(|event| format!("a later driver's freeze was touched: {event}")));
    for event in writes {
        // An epoch fences no more than that. Of Events and of pods that pull images there may be some more; and of the freeze
        // policies the test wants to see none left.
        let Some(part) = event.part() else { continue };
        match event.epochs.as_slice() {
            [epoch] if epoch.parse::<i64>().is_ok_and(|epoch| epoch > 0) => {
                all.push((part, epoch.parse().unwrap_or_default(), event));
            }
            other => judged
                .faults
                .push(format!("a driver's write with the epochs {other:?}: {event}")),
        }
    }
    let proofs: Vec<(i64, &Event)> = events
        .iter()
        .filter(|event| event.user == driver)
        .filter_map(|event| Some((refused_by_a_later_freeze(event)?, event)))
        .collect();
    for (part, epoch, event) in &all {
        if *part == Part::Mesh && event.passed() {
            // The API server has shown that it goes by the later freeze: what comes after that comes too late.
            let mut proofs = proofs
                .iter()
                .filter(|(by, proof)| by > epoch && event.received > proof.answered);
            if let Some((by, proof)) = proofs.next() {
                judged.faults.push(format!(
                    "a write with epoch {epoch} passed though the freeze of epoch {by} had refused:\n{event}\n{proof}"
                ));
            }
        }
        // Followed from the first accepted write of a later driver on, which no earlier one may overlap.
        let later = all
            .iter()
            .filter(|(of, by, one)| of == part && by > epoch && one.passed());
        let followed = later.min_by_key(|(_, _, one)| one.received.clone());
        let is_late = followed.is_some_and(|(_, _, one)| event.answered > one.received);
        match (event.passed(), is_late, followed) {
            (true, true, Some((_, by, one))) => judged.faults.push(format!(
                "a write with epoch {epoch} passed though epoch {by} had followed:\n{event}\n{one}"
            )),
            (true, _, _) => *judged.accepted.entry(*epoch).or_default() += 1,
            (false, true, _) => judged.stale_refused += 1,
            (false, ..) => {}
        }
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(at: (u32, u32), epoch: &str, group: &str, code: u16) -> Event {
        let time = |second: u32| format!("2026-01-01T00:00:{second:02}.000000Z");
        Event {
            received: time(at.0),
            answered: time(at.1),
            verb: "patch".to_owned(),
            user: names::driver_user(),
            agent: String::new(),
            epochs: vec![epoch.to_owned()],
            is_canary: false,
            group: group.to_owned(),
            resource: "deployments".to_owned(),
            namespace: String::new(),
            name: String::new(),
            dry_run: false,
            code,
            message: String::new(),
        }
    }

    #[test]
    fn a_write_that_ends_before_the_next_driver_begins_is_fine() {
        let judged = judge(&[write((1, 2), "1", "apps", 200), write((3, 4), "2", "apps", 200)]);
        assert_eq!(judged.faults, Vec::<String>::new());
        assert_eq!(judged.accepted, BTreeMap::from([(1, 1), (2, 1)]));
    }

    #[test]
    fn one_that_overlaps_or_follows_is_a_fault_unless_it_is_refused() {
        for late in [(2, 4), (5, 6)] {
            let next = write((3, 4), "2", "apps", 200);
            assert_eq!(judge(&[next.clone(), write(late, "1", "apps", 200)]).faults.len(), 1);
            let refused = judge(&[next, write(late, "1", "apps", 403)]);
            assert_eq!((refused.faults.len(), refused.stale_refused), (0, 1));
        }
    }

    #[test]
    fn whom_the_later_freeze_has_refused_may_change_nothing_any_more() {
        let canary = Event {
            is_canary: true,
            dry_run: true,
            message: "ValidatingAdmissionPolicy 'mesh-freeze-default-2' with binding 'x' denied request: MG001"
                .to_owned(),
            ..write((3, 4), "1", "", 403)
        };
        let faults = |of: &[Event]| judge(of).faults.len();
        assert_eq!(faults(&[canary.clone(), write((5, 6), "1", "apps", 200)]), 1);
        // It may have been admitted before the API server went by the later freeze.
        assert_eq!(faults(&[canary.clone(), write((3, 5), "1", "apps", 200)]), 0);
        assert_eq!(faults(&[canary.clone(), write((5, 6), "1", "apps", 403)]), 0);
        assert_eq!(faults(&[canary.clone(), write((5, 6), "2", "apps", 200)]), 0);
        // The journal passes over by a write of its own.
        assert_eq!(faults(&[canary.clone(), write((5, 6), "1", names::GROUP, 200)]), 0);
        // The policy of an earlier driver proves nothing of a later one.
        let earlier = Event {
            epochs: vec!["3".to_owned()],
            ..canary
        };
        assert_eq!(faults(&[earlier, write((5, 6), "1", "apps", 200)]), 0);
    }

    #[test]
    fn the_journal_passes_over_before_the_mesh_does() {
        let events = [write((3, 4), "2", names::GROUP, 200), write((5, 6), "1", "apps", 200)];
        assert_eq!(judge(&events).faults, Vec::<String>::new());
        assert_eq!(
            judge(&[write((5, 6), "1", names::GROUP, 200), events[0].clone()])
                .faults
                .len(),
            1
        );
    }

    #[test]
    fn only_ones_own_freeze_and_those_before_it_may_be_taken_down() {
        let policy = |epoch: &str| Event {
            resource: "validatingadmissionpolicies".to_owned(),
            name: "mesh-freeze-default-2".to_owned(),
            ..write((1, 2), epoch, "admissionregistration.k8s.io", 200)
        };
        assert_eq!(judge(&[policy("1")]).faults.len(), 1);
        for epoch in ["2", "3"] {
            assert_eq!(judge(&[policy(epoch)]).faults, Vec::<String>::new());
        }
    }

    #[test]
    fn a_write_without_an_epoch_is_a_fault() {
        let mut event = write((1, 2), "1", "apps", 200);
        event.epochs.clear();
        assert_eq!(judge(&[event]).faults.len(), 1);
    }
}
