//! An engine's process that can be held: stopped where it stands while the freeze is open, and let go on afterwards.
//! Dropped in the middle, the whole group of processes is ended, however many the engine has started.
//!
//! Windows stops no processes: there a held engine runs on, and what it writes waits in its relay, as everywhere; dropped in the
//! middle, the engine alone is ended, and what it has started finds no relay any more.

use super::process::feed;
use std::{
    io,
    process::{Output, Stdio},
};
use tokio::{process::Command, sync::watch};

/// Whether engines are held. One that is not started yet waits, unless only what it writes is held.
#[derive(Debug)]
pub struct Hold {
    /// Whether what is written is held.
    held: watch::Sender<bool>,
    /// Whether processes are stopped, too.
    stopped: watch::Sender<bool>,
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            held: watch::Sender::new(false),
            stopped: watch::Sender::new(false),
        }
    }
}

impl Hold {
    /// Stops what runs.
    pub fn hold(&self) {
        self.held.send_replace(true);
        self.stopped.send_replace(true);
    }

    /// Lets engines start, and nothing that they write pass: what they read and work out before takes a while.
    pub fn hold_writes(&self) {
        self.held.send_replace(true);
    }

    /// Lets it go on.
    pub fn let_go(&self) {
        self.held.send_replace(false);
        self.stopped.send_replace(false);
    }

    /// Waits until nothing is held, as who writes without a relay must.
    pub async fn free(&self) {
        // The sender lives as long as `self`, so that waiting cannot fail.
        self.held.subscribe().wait_for(|held| !held).await.ok();
    }

    /// Whether engines are held, for who has to know it while one runs.
    #[must_use]
    pub fn watched(&self) -> watch::Receiver<bool> {
        self.held.subscribe()
    }

    /// Runs a command, which must begin a group of its own and write through a relay, to its end; with input, that is all
    /// that it can read.
    ///
    /// # Errors
    /// When it cannot be started or waited for.
    pub async fn run(&self, mut command: Command, input: &[u8]) -> io::Result<Output> {
        let mut stopped = self.stopped.subscribe();
        // The sender lives as long as `self`, so that waiting cannot fail.
        stopped.wait_for(|stopped| !stopped).await.ok();
        if !input.is_empty() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn()?;
        let mut group = Group(child.id());
        let mut ended = Box::pin(async move {
            feed(&mut child, input).await;
            child.wait_with_output().await
        });
        loop {
            tokio::select! {
                output = &mut ended => {
                    group.ended();
                    return output;
                }
                Ok(()) = stopped.changed() => group.stop(*stopped.borrow_and_update()),
            }
        }
    }
}

/// The group that a process leads, until it has ended.
struct Group(Option<u32>);

impl Group {
    /// Nothing of it is left to be sent a signal.
    fn ended(&mut self) {
        self.0 = None;
    }

    #[cfg(unix)]
    fn stop(&self, stop: bool) {
        use rustix::process::Signal;
        self.send(if stop { Signal::STOP } else { Signal::CONT });
    }

    #[cfg(not(unix))]
    fn stop(&self, stop: bool) {
        tracing::debug!(engine = self.0, stop, "what the engine writes waits in the relay");
    }

    #[cfg(unix)]
    fn send(&self, signal: rustix::process::Signal) {
        use rustix::process::{Pid, kill_process_group};
        let leader = self.0.and_then(|pid| i32::try_from(pid).ok());
        let Some(leader) = leader.and_then(Pid::from_raw) else {
            return;
        };
        // The only error is that it has ended already.
        if let Err(error) = kill_process_group(leader, signal) {
            tracing::debug!(%error, "the engine's group got no signal");
        }
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        self.send(rustix::process::Signal::KILL);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{path::Path, time::Duration};

    /// Writes a line each few milliseconds into a file, by a process of its own.
    fn writer(file: &Path) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "(while :; do echo x >> \"$0\"; sleep 0.01; done) & wait"])
            .arg(file)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn written(file: &Path) -> u64 {
        std::fs::metadata(file).map_or(0, |metadata| metadata.len())
    }

    async fn until(what: &str, holds: impl Fn() -> bool) {
        let waited = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let deadline = Duration::from_secs(20);
        assert!(
            tokio::time::timeout(deadline, waited).await.is_ok(),
            "waited for {what}"
        );
    }

    /// Whether the file has stood still for a while, and so whatever wrote it is stopped.
    async fn until_still(file: &Path) {
        let mut before = written(file);
        let mut still = 0;
        while still < 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            still = if written(file) == before { still + 1 } else { 0 };
            before = written(file);
        }
    }

    #[tokio::test]
    async fn an_engine_starts_while_only_its_writes_are_held_and_is_stopped_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("written");
        let hold = Hold::default();
        hold.hold_writes();
        let run = hold.run(writer(&file), &[]);
        let test = async {
            until("the first lines", || written(&file) > 10).await;
            assert!(*hold.watched().borrow(), "its relay lets nothing pass");
            hold.hold();
            until_still(&file).await;
            let stopped = written(&file);
            hold.let_go();
            until("more lines", || written(&file) > stopped + 10).await;
            hold.free().await;
        };
        tokio::select! {
            output = run => panic!("it ended: {output:?}"),
            () = test => {}
        }
        until_still(&file).await;
    }

    #[tokio::test]
    async fn a_held_engine_stands_still_with_all_its_processes_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("written");
        let hold = Hold::default();
        hold.hold();
        let run = hold.run(writer(&file), &[]);
        let test = async {
            until_still(&file).await;
            assert_eq!(written(&file), 0, "held before it was started");
            hold.let_go();
            until("the first lines", || written(&file) > 10).await;
            hold.hold();
            until_still(&file).await;
            let stopped = written(&file);
            hold.let_go();
            until("more lines", || written(&file) > stopped + 10).await;
        };
        tokio::select! {
            output = run => panic!("it ended: {output:?}"),
            () = test => {}
        }
        // Dropped with the run.
        until_still(&file).await;
    }
}
