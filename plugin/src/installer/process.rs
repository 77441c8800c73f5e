//! Programs that are run: given their input, waited for with a deadline, and what their end means.

use std::{
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin, Command},
};

/// How long a program may take that only looks, and beyond its own deadline one that changes something.
pub(super) const GRACE: Duration = Duration::from_secs(60);

/// What Windows calls a group of its own, which Ctrl-C on the console does not reach.
#[cfg(windows)]
const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;

/// A program whose output is ours, in a group of its own: Ctrl-C on the terminal asks us, not the engine, and we let it
/// finish its step. Past its deadline it is ended, not left to write on.
pub(super) fn detached(command: &mut Command) {
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(windows)]
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
    command
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
}

/// Runs a program that only looks.
pub(super) async fn with_input(what: &str, command: Command, input: &[u8]) -> Result<Output, String> {
    within(GRACE, what, command, input).await
}

/// The same with a deadline: also for what never reads its input, which is given beside the wait.
async fn within(deadline: Duration, what: &str, mut command: Command, input: &[u8]) -> Result<Output, String> {
    let failed = |error: std::io::Error| format!("cannot run {what}: {error}");
    let mut child = command.stdin(Stdio::piped()).spawn().map_err(failed)?;
    let stdin = child.stdin.take();
    // Side by side, since one that says much before it has read all would wait for us to read.
    let run = async { tokio::join!(child.wait_with_output(), give(stdin, input)).0 };
    let ended = tokio::time::timeout(deadline, run).await;
    ended
        .map_err(|_| format!("{what} did not end within {} s", deadline.as_secs()))?
        .map_err(failed)
}

/// Gives a program its input, to the end. One that ends without reading says why on its standard error.
pub(super) async fn feed(child: &mut Child, input: &[u8]) {
    give(child.stdin.take(), input).await;
}

async fn give(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
        stdin.write_all(input).await.ok();
    }
}

/// How a process ended: one that was killed has said nothing itself.
pub(super) fn ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was ended by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("ended with {code}"),
        None => "failed".to_owned(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        detached(&mut command);
        command
    }

    #[tokio::test]
    async fn one_that_never_reads_its_input_is_ended_too() {
        // More than a pipe holds.
        let input = vec![b'x'; 200 << 10];
        let run = within(Duration::from_millis(50), "sh", shell("exec sleep 600"), &input);
        let why = tokio::time::timeout(GRACE, run).await.map(Result::unwrap_err);
        assert_eq!(why.as_deref(), Ok("sh did not end within 0 s"));
    }

    #[tokio::test]
    async fn what_is_said_while_the_input_is_read_is_heard_to_the_end() {
        let input = vec![b'x'; 400 << 10];
        let output = with_input("sh", shell("cat"), &input).await.unwrap();
        assert_eq!(output.stdout.len(), input.len());
    }
}
