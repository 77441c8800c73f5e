//! Ctrl-C, SIGTERM and the loss of the terminal, counted: the first stops after the step at hand, the second at once.

use crate::ui::{Mark, Ui};
use tokio::sync::watch;

/// How often it was asked to stop.
pub(super) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Counts from now on.
    pub(super) fn listen(ui: Ui) -> Self {
        let (count, counted) = watch::channel(0_u32);
        let mut signals = Signals::listen();
        tokio::spawn(async move {
            while signals.next().await {
                count.send_modify(|count| *count = count.saturating_add(1));
                let says = if *count.borrow() == 1 {
                    "stopping after this step; press Ctrl-C again to leave at once"
                } else {
                    "leaving in the middle of the step"
                };
                ui.progress(Mark::Warn, says);
            }
        });
        Self(counted)
    }

    pub(super) fn asked(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Returns when it was asked this often.
    pub(super) async fn counted(&self, times: u32) {
        let mut count = self.0.clone();
        if count.wait_for(|count| *count >= times).await.is_err() {
            // Nobody listens to signals any more, so that nobody can insist.
            std::future::pending::<()>().await;
        }
    }
}

/// The signals to stop. They are listened to without a gap, so that the second of two in a row is not missed.
#[cfg(unix)]
struct Signals {
    pressed: Option<tokio::signal::unix::Signal>,
    terminated: Option<tokio::signal::unix::Signal>,
    hangup: super::hangup::Hangup,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            pressed: signal(SignalKind::interrupt()).ok(),
            terminated: signal(SignalKind::terminate()).ok(),
            hangup: super::hangup::Hangup::listen(),
        }
    }

    /// Waits for the next one.
    async fn next(&mut self) -> bool {
        tokio::select! {
            () = received(&mut self.pressed) => {}
            () = received(&mut self.terminated) => {}
            () = self.hangup.asked() => {}
        }
        true
    }
}

/// For ever where it cannot be listened to.
#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    let heard = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if heard.is_none() {
        std::future::pending::<()>().await;
    }
}

/// The signals to stop.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    /// Waits for the next one; `false` when they cannot be listened to.
    async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
