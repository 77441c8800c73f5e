//! Ends a program with all that it has started: what a test leaves running would go on when nobody looks any more.

use std::process::{Child, Command, Stdio};

/// Kills it with its children, and theirs, unless it has ended by itself.
pub(super) fn with_children(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None)) {
        kill(child.id());
        // It is dead or dying.
        let _ = child.wait();
    }
}

/// Stopped before it is asked for its children, so that it starts no more.
fn kill(process: u32) {
    signal("-STOP", process);
    children(process).into_iter().for_each(kill);
    signal("-KILL", process);
}

/// Each thread has its own.
fn children(process: u32) -> Vec<u32> {
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

fn signal(signal: &str, process: u32) {
    // One that has gone meanwhile is what is asked for.
    let _ = Command::new("kill")
        .args([signal, &process.to_string()])
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
pub(super) mod tests {
    /// Whether nothing is left of a process but, perhaps, that nobody has asked how it ended.
    pub(in super::super) fn has_ended(process: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
    }
}
