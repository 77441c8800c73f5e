//! Ends a program with all that it has started: what a test leaves running would go on when nobody looks any more. And
//! signals, sent by system calls: not every machine has programs for that.

use std::process::Child;

use anyhow::{Context as _, Result};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// Kills it with its children, and theirs, unless it has ended by itself.
pub(super) fn with_children(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None)) {
        kill(child.id());
        // Whatever became of that: one that lives would be waited for without end.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Stopped before it is asked for its children, so that it starts no more. One that has gone meanwhile is what is asked for.
fn kill(process: u32) {
    let _ = signal(process, Signal::STOP);
    children(process).into_iter().for_each(kill);
    let _ = signal(process, Signal::KILL);
}

/// Sends a signal to one process.
pub fn signal(process: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let pid = pid.with_context(|| format!("{process} is the number of no process"))?;
    kill_process(pid, signal).with_context(|| format!("send {signal:?} to the process {process}"))
}

/// What a process has started and still runs, or was not asked how it ended. Each thread has its own.
pub fn children(process: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    let of_thread = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children"));
    let lists = threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| of_thread(thread).ok());
    lists
        .flat_map(|list| list.split_whitespace().flat_map(str::parse).collect::<Vec<u32>>())
        .collect()
}

/// The processes of a group that have not ended, by the number of its leader.
pub fn group(leader: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_of_it = |process: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // Its name, which may be anything, stands in brackets before its state, its parent and its group.
        let mut fields = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.split(' '))
            .into_iter()
            .flatten();
        let state = fields.next().unwrap_or("Z");
        state != "Z" && fields.nth(1).and_then(|group| group.parse().ok()) == Some(leader)
    };
    numbers.filter(is_of_it).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::{os::unix::process::CommandExt as _, process::Command};

    use super::*;

    /// Whether nothing is left of a process but, perhaps, that nobody has asked how it ended.
    pub(in super::super) fn has_ended(process: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
    }

    #[test]
    fn a_process_is_told_and_one_that_is_none_is_an_error() {
        let mut sleeps = Command::new("sleep").arg("1000").spawn().unwrap();
        assert!(children(std::process::id()).contains(&sleeps.id()));
        let mut leads = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        assert_eq!(group(leads.id()), [leads.id()]);
        leads.kill().unwrap();
        leads.wait().unwrap();
        assert_eq!(group(leads.id()), [0; 0]);
        signal(sleeps.id(), Signal::TERM).unwrap();
        assert!(!sleeps.wait().unwrap().success());
        for none in [0, u32::MAX, sleeps.id()] {
            assert!(signal(none, Signal::TERM).is_err(), "{none}");
        }
    }
}
