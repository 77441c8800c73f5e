//! Who has a place, and who gives his up when there is none left.
//!
//! Connections on which nothing was answered yet and those on which something was are counted apart, so that a flood of
//! either kind leaves the other its half. Among new ones the oldest goes: a client that means it needs its place for
//! milliseconds. Among the others the one that has been idle for longest goes, of the peer that has most of them; one
//! that is in the middle of a request does not.
//!
//! Requests that do not end take no place from others either: of too many in work, or too many bytes of them in memory,
//! the one that began first goes.

use futures::task::AtomicWaker;
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
};

/// How many of what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections on which nothing was answered yet.
    pub(crate) newcomers: usize,
    /// Connections on which something was answered.
    pub(crate) regulars: usize,
    /// Requests in work at once.
    pub(crate) in_work: usize,
    /// Bytes that unanswered requests have sent.
    pub(crate) bytes: usize,
}

/// One connection's place.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    peer: IpAddr,
    gone: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    /// Bytes received since the last answer.
    held: AtomicUsize,
    /// When the request in work began; 0 when there is none.
    began: AtomicU64,
    /// When the last answer was given.
    used: AtomicU64,
}

impl Place {
    /// Whether the place was taken away; if it is later, the reader is woken.
    pub(super) fn is_gone_before_reading(&self, waker: &Waker) -> bool {
        self.reader.register(waker);
        self.gone.load(Ordering::Acquire)
    }

    /// The same for the writer, who has to be waiting.
    pub(super) fn is_gone_before_writing(&self, waker: &Waker) -> bool {
        self.writer.register(waker);
        self.gone.load(Ordering::Acquire)
    }

    fn is_idle(&self) -> bool {
        self.began.load(Ordering::Relaxed) == 0
    }
}

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    limits: Limits,
    /// Counts events: order is all that is asked of it, so it needs no clock.
    now: AtomicU64,
    held: AtomicUsize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// By the order in which they came.
    newcomers: BTreeMap<u64, Arc<Place>>,
    regulars: HashMap<u64, Arc<Place>>,
    /// By the order in which their requests began.
    working: BTreeMap<u64, Arc<Place>>,
}

impl Taken {
    fn close(&mut self, place: &Place) {
        self.forget(place);
        place.gone.store(true, Ordering::Release);
        place.reader.wake();
        place.writer.wake();
    }

    fn forget(&mut self, place: &Place) {
        self.newcomers.remove(&place.id);
        self.regulars.remove(&place.id);
        self.working.remove(&place.began.load(Ordering::Relaxed));
    }

    /// The regular to part with: of the peer that has most idle ones, the one that has been idle for longest.
    fn longest_idle(&self) -> Option<Arc<Place>> {
        let idle = || self.regulars.values().filter(|place| place.is_idle());
        let mut of_peer: HashMap<IpAddr, usize> = HashMap::new();
        for place in idle() {
            *of_peer.entry(place.peer).or_default() += 1;
        }
        let most = of_peer.values().max().copied();
        idle()
            .filter(|place| of_peer.get(&place.peer).copied() == most)
            .min_by_key(|place| place.used.load(Ordering::Relaxed))
            .cloned()
    }
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            // 0 is never a time.
            now: AtomicU64::new(1),
            held: AtomicUsize::new(0),
            taken: Mutex::default(),
        }
    }

    /// A place for a new connection; the oldest newcomer may have to go for it.
    pub(super) fn enter(&self, peer: IpAddr) -> Arc<Place> {
        let id = self.tick();
        let place = Arc::new(Place {
            id,
            peer,
            gone: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            held: AtomicUsize::new(0),
            began: AtomicU64::new(0),
            used: AtomicU64::new(id),
        });
        let mut taken = self.taken();
        if taken.newcomers.len() >= self.limits.newcomers
            && let Some((_, oldest)) = taken.newcomers.pop_first()
        {
            taken.close(&oldest);
        }
        taken.newcomers.insert(id, Arc::clone(&place));
        place
    }

    /// A request has begun to arrive.
    pub(super) fn begin(&self, place: &Arc<Place>) {
        let mut taken = self.taken();
        let now = self.tick();
        place.began.store(now, Ordering::Relaxed);
        if place.gone.load(Ordering::Relaxed) {
            return;
        }
        if taken.working.len() >= self.limits.in_work
            && let Some((_, first)) = taken.working.pop_first()
        {
            taken.close(&first);
        }
        taken.working.insert(now, Arc::clone(place));
    }

    /// More of a request has arrived.
    pub(super) fn receive(&self, place: &Place, bytes: usize) {
        place.held.fetch_add(bytes, Ordering::Relaxed);
        let held = self.held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if held > self.limits.bytes {
            let mut taken = self.taken();
            if let Some((_, first)) = taken.working.pop_first() {
                taken.close(&first);
            }
        }
    }

    /// The request was answered: from now on the connection is a regular.
    pub(super) fn answered(&self, place: &Arc<Place>) {
        place.used.store(self.tick(), Ordering::Relaxed);
        let mut taken = self.taken();
        if !taken.newcomers.contains_key(&place.id) {
            return;
        }
        if taken.regulars.len() >= self.limits.regulars {
            // Where all are at work it stays a newcomer.
            let Some(idle) = taken.longest_idle() else { return };
            taken.close(&idle);
        }
        taken.newcomers.remove(&place.id);
        taken.regulars.insert(place.id, Arc::clone(place));
    }

    /// The request is over, answered or not.
    pub(super) fn end(&self, place: &Place) {
        self.taken().working.remove(&place.began.swap(0, Ordering::Relaxed));
        self.release(place);
    }

    /// The connection has ended.
    pub(super) fn leave(&self, place: &Place) {
        self.taken().forget(place);
        self.release(place);
    }

    fn release(&self, place: &Place) {
        self.held
            .fetch_sub(place.held.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    fn tick(&self) -> u64 {
        self.now.fetch_add(1, Ordering::Relaxed)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        newcomers: 3,
        regulars: 2,
        in_work: 2,
        bytes: 1000,
    };

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    fn serve(places: &Places, place: &Arc<Place>) {
        places.begin(place);
        places.answered(place);
        places.end(place);
    }

    fn regular(places: &Places, last: u8) -> Arc<Place> {
        let place = places.enter(peer(last));
        serve(places, &place);
        place
    }

    fn gone(places: &[&Arc<Place>]) -> Vec<bool> {
        places.iter().map(|place| place.gone.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn a_newcomer_is_always_let_in_and_the_oldest_goes() {
        let places = Places::new(LIMITS);
        let idle = regular(&places, 1);
        let silent: Vec<_> = (0..100).map(|_| places.enter(peer(2))).collect();
        assert_eq!(
            silent
                .iter()
                .filter(|place| !place.gone.load(Ordering::Relaxed))
                .count(),
            3
        );
        let good = places.enter(peer(1));
        let more: Vec<_> = (0..2).map(|_| places.enter(peer(2))).collect();
        assert_eq!(gone(&[&idle, &good, &more[0], &more[1]]), [false; 4]);
        assert!(gone(&silent.iter().collect::<Vec<_>>()).iter().all(|gone| *gone));
        serve(&places, &good);
        for _ in 0..100 {
            places.enter(peer(2));
        }
        assert_eq!(gone(&[&idle, &good]), [false; 2], "regulars have their own half");
    }

    #[test]
    fn among_regulars_the_longest_idle_of_the_peer_with_most_goes() {
        let places = Places::new(Limits { regulars: 3, ..LIMITS });
        let api_server = regular(&places, 1);
        let (first, second) = (regular(&places, 2), regular(&places, 2));
        serve(&places, &first);
        let third = regular(&places, 2);
        assert_eq!(
            gone(&[&api_server, &first, &second, &third]),
            [false, false, true, false]
        );
        places.begin(&first);
        let fourth = regular(&places, 2);
        assert_eq!(
            gone(&[&api_server, &first, &third, &fourth]),
            [true, false, false, false]
        );
    }

    #[test]
    fn where_all_regulars_work_a_newcomer_is_served_all_the_same() {
        let places = Places::new(Limits { in_work: 9, ..LIMITS });
        let (one, two) = (regular(&places, 1), regular(&places, 1));
        places.begin(&one);
        places.begin(&two);
        let three = regular(&places, 1);
        assert_eq!(gone(&[&one, &two, &three]), [false; 3]);
        assert_eq!(places.taken().newcomers.len(), 1);
    }

    #[test]
    fn of_too_many_requests_in_work_the_first_goes() {
        let places = Places::new(LIMITS);
        let all: Vec<_> = (0..3).map(|_| places.enter(peer(1))).collect();
        for place in &all {
            places.begin(place);
        }
        assert_eq!(gone(&[&all[0], &all[1], &all[2]]), [true, false, false]);
        places.end(&all[1]);
        places.begin(&all[1]);
        places.end(&all[0]);
        assert_eq!(gone(&[&all[1], &all[2]]), [false; 2]);
        assert_eq!(places.taken().working.len(), 2);
    }

    #[test]
    fn of_too_many_bytes_in_memory_those_of_the_first_request_go() {
        let places = Places::new(LIMITS);
        let (slow, quick) = (places.enter(peer(1)), places.enter(peer(2)));
        places.begin(&slow);
        places.receive(&slow, 900);
        for _ in 0..10 {
            places.begin(&quick);
            places.receive(&quick, 90);
            places.end(&quick);
        }
        assert_eq!(gone(&[&slow, &quick]), [false; 2]);
        places.begin(&quick);
        places.receive(&quick, 101);
        assert_eq!(gone(&[&slow, &quick]), [true, false]);
        places.end(&slow);
        places.leave(&slow);
        places.end(&quick);
        assert_eq!(places.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_has_ended_leaves_nothing_behind() {
        let places = Places::new(LIMITS);
        let (one, two) = (regular(&places, 1), places.enter(peer(1)));
        places.begin(&two);
        places.receive(&two, 10);
        for place in [&one, &two] {
            places.leave(place);
        }
        places.end(&two);
        let taken = places.taken();
        assert!(taken.newcomers.is_empty() && taken.regulars.is_empty() && taken.working.is_empty());
        assert_eq!(places.held.load(Ordering::Relaxed), 0);
    }
}
