//! Logs: JSON on stderr, the level from RUST_LOG, `info` without it.

use std::{
    io::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;
use tracing_subscriber::{
    EnvFilter,
    fmt::{self, MakeWriter},
};

/// What was logged and is not written yet. A refused review is answered first; when many are refused at once, their lines
/// are written together, because a call to the kernel for each, and the wake-up of whoever reads, cost as much as the
/// review itself.
#[derive(Debug)]
pub struct Log(Arc<Lines>);

#[derive(Debug, Default)]
struct Lines {
    waiting: Mutex<Vec<u8>>,
    more: Notify,
}

impl Lines {
    fn waiting(&self) -> MutexGuard<'_, Vec<u8>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts logging; after a second call the first still holds.
#[must_use]
pub fn install() -> Log {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = Arc::new(Lines::default());
    let subscriber = fmt::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(Writer(Arc::clone(&lines)))
        .finish();
    // It fails only when a subscriber is already there, as in a test.
    drop(tracing::subscriber::set_global_default(subscriber));
    Log(lines)
}

impl Log {
    /// Writes whatever is logged, for as long as it is polled: after all tasks that were ready had their turn.
    pub async fn write(&self) {
        loop {
            self.0.more.notified().await;
            tokio::task::yield_now().await;
            self.write_out();
        }
    }

    fn write_out(&self) {
        let lines = std::mem::take(&mut *self.0.waiting());
        // Nobody could be told that the log cannot be written.
        io::stderr().write_all(&lines).ok();
    }
}

impl Drop for Log {
    /// The last lines, also of a process that ends by a panic.
    fn drop(&mut self) {
        self.write_out();
    }
}

struct Writer(Arc<Lines>);

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Appender<'a>;

    fn make_writer(&'a self) -> Appender<'a> {
        Appender(&self.0)
    }
}

/// Takes the line of one event.
struct Appender<'a>(&'a Lines);

impl io::Write for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.waiting().extend_from_slice(bytes);
        self.0.more.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_kept_in_order_until_they_are_written_and_none_twice() {
        let lines = Arc::new(Lines::default());
        let writer = Writer(Arc::clone(&lines));
        for line in ["one\n", "two\n"] {
            writer.make_writer().write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(*lines.waiting(), b"one\ntwo\n");
        let log = Log(Arc::clone(&lines));
        let written = async {
            while !lines.waiting().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = log.write() => unreachable!("it writes for ever"),
            () = written => {}
        }
        assert!(lines.waiting().is_empty());
    }
}
