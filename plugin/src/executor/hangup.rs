//! A terminal that is gone, as when an ssh session drops: the kernel asks all of its programs to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The request to end, which is made once: shells and the kernel send it both, and nobody is there who could insist.
pub(super) struct Hangup(Option<Signal>);

impl Hangup {
    /// Listens from now on; not where somebody has said, as with nohup, that it is to go on without its terminal.
    pub(super) fn listen() -> Self {
        Self(if is_to_go_on() {
            None
        } else {
            signal(SignalKind::hangup()).ok()
        })
    }

    /// Returns when it is asked for.
    pub(super) async fn asked(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
        self.0 = None;
    }
}

/// Whether the signal was being ignored when this process began: listening to it would undo that.
#[cfg(target_os = "linux")]
fn is_to_go_on() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// The same where the system does not tell.
#[cfg(not(target_os = "linux"))]
fn is_to_go_on() -> bool {
    use std::io::{IsTerminal as _, stderr, stdout};
    is_by_nohup(stdout().is_terminal(), stderr().is_terminal())
}

/// nohup lets nothing be written to a terminal. BSD's, that of macOS, too, leaves the input where it is.
#[cfg(any(test, not(target_os = "linux")))]
fn is_by_nohup(output_on_terminal: bool, errors_on_terminal: bool) -> bool {
    !(output_on_terminal || errors_on_terminal)
}

/// The kernel's own word: a bit for each signal that is ignored, the first for the hangup.
#[cfg(target_os = "linux")]
fn ignores_hangup(status: &str) -> bool {
    let mut lines = status.lines();
    let ignored = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    ignored.is_some_and(|bits| bits & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_to_no_terminal_is_to_go_on_without_one() {
        for (output, errors, goes_on) in [
            // With nohup the input may still be the terminal, and is not asked about.
            (false, false, true),
            (true, false, false),
            (false, true, false),
            (true, true, false),
        ] {
            assert_eq!(is_by_nohup(output, errors), goes_on, "{output} {errors}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nohup_is_told_from_a_terminal() {
        let status =
            |bits: &str| format!("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t{bits}\nSigCgt:\t0000000000000001\n");
        assert!(ignores_hangup(&status("0000000000000001")));
        assert!(ignores_hangup(&status("0000000000001001")));
        assert!(!ignores_hangup(&status("0000000000001000")));
        assert!(!ignores_hangup("Name:\tx\n"));
    }

    #[tokio::test]
    async fn a_lost_terminal_asks_once() {
        let mut hangup = Hangup(signal(SignalKind::hangup()).ok());
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::HUP).unwrap();
        hangup.asked().await;
        assert!(hangup.0.is_none(), "the second is nobody's wish to leave at once");
    }
}
