//! Runs another program with a deadline: it is ended with its whole process group when its time is up, and no more than a
//! bounded part of its output is read.

use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Bytes that are read of each output: fail2ban's configuration of hundreds of jails has some megabytes.
const MAX_BYTES: u64 = 16 << 20;

/// How often a program is looked at that has closed its output and not ended.
const EXIT_POLL_INTERVAL: Duration = Duration::from_millis(2);

/// What a program answered.
#[derive(Debug)]
pub(crate) struct CommandAnswer {
    /// How it ended.
    pub status: ExitStatus,
    /// The beginning of what it printed.
    pub stdout: String,
    /// The beginning of its errors.
    pub stderr: String,
}

/// Runs a program without input; `None` if it has not ended, or its output is still open, after this long.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn run_bounded(command: &mut Command, limit: Duration) -> io::Result<Option<CommandAnswer>> {
    let deadline = Instant::now() + limit;
    // A group of its own, which can be ended whole: a program's own time limit does not always hold.
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let answer = answer(&mut child, deadline);
    if answer.is_none() {
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended at this moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
    }
    Ok(answer)
}

fn answer(child: &mut Child, deadline: Instant) -> Option<CommandAnswer> {
    let (stdout, stderr) = (read(child.stdout.take()?)?, read(child.stderr.take()?)?);
    let text = |output: mpsc::Receiver<Vec<u8>>| {
        let bytes = output.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (stdout, stderr) = (text(stdout)?, text(stderr)?);
    loop {
        if let Some(status) = child.try_wait().ok()? {
            return Some(CommandAnswer { status, stdout, stderr });
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(EXIT_POLL_INTERVAL);
    }
}

/// Reads an output on a thread, which is not joined: it ends with the program.
fn read(output: impl Read + Send + 'static) -> Option<mpsc::Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        let mut bytes = Vec::new();
        if output.take(MAX_BYTES).read_to_end(&mut bytes).is_ok() {
            // Nobody waits after the deadline.
            let _ = sender.send(bytes);
        }
    };
    thread::Builder::new().spawn(read).ok().map(|_| receiver)
}
