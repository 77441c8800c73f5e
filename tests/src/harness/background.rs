//! Something that is done again and again beside a test.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::thread::JoinHandle;
use std::time::Duration;

/// A thread that does it until this value is dropped.
#[derive(Debug)]
pub struct Background {
    stops: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Does it now, and again after each pause.
    pub fn every(pause: Duration, mut round: impl FnMut() + Send + 'static) -> Self {
        let stops = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stops);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                round();
                std::thread::park_timeout(pause);
            }
        });
        Self {
            stops,
            thread: Some(thread),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // Whatever went wrong in it shows in what it did not do.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn it_is_done_again_until_it_is_dropped() {
        let rounds = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&rounds);
        let background = Background::every(Duration::from_millis(1), move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        while rounds.load(Ordering::SeqCst) < 3 {
            std::thread::yield_now();
        }
        drop(background);
        let last = rounds.load(Ordering::SeqCst);
        std::thread::yield_now();
        assert_eq!(rounds.load(Ordering::SeqCst), last);
        // The thread is gone, with what it held.
        assert_eq!(Arc::strong_count(&rounds), 1);
    }

    #[test]
    fn a_long_pause_is_not_waited_for() {
        drop(Background::every(Duration::from_secs(3600), || {}));
    }
}
