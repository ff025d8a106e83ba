//! Asks the running fail2ban for its jails, with its own client. Only for commands that people type: the answer waits for
//! whatever action fail2ban is running.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// The client, found as a shell finds it.
const CLIENT: &str = "fail2ban-client";

/// Where the client's answer has the names.
const LIST: &str = "Jail list:";

/// Bytes of the answer that are read: some ten thousand jails.
const MAX_BYTES: u64 = 1 << 20;

/// What fail2ban says of its jails.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JailsAnswer {
    /// Their names.
    Jails(Vec<String>),
    /// The client is not installed here.
    NotInstalled,
    /// fail2ban does not run, is busy, or may not be asked by this user.
    None,
}

/// Asks for the names of all jails; waits no longer than this.
pub(crate) fn jails(deadline: Duration) -> JailsAnswer {
    jails_by(Path::new(CLIENT), deadline)
}

fn jails_by(client: &Path, deadline: Duration) -> JailsAnswer {
    let mut command = Command::new(client);
    // A group of its own, which can be ended whole: the client's own time limit does not always hold.
    command.arg("status").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return JailsAnswer::NotInstalled,
        Err(_) => return JailsAnswer::None,
    };
    let answer = read(&mut child, deadline);
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It has ended, or is to end.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    answer.and_then(|answer| parse(&answer)).map_or(JailsAnswer::None, JailsAnswer::Jails)
}

/// Reads what the client prints; `None` if that has no end before the deadline.
fn read(child: &mut Child, deadline: Duration) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        let mut bytes = Vec::new();
        let read = stdout.take(MAX_BYTES).read_to_end(&mut bytes);
        // Nobody waits after the deadline.
        let _ = sender.send(read.is_ok().then_some(bytes));
    };
    // Not joined: it ends with the client.
    thread::Builder::new().spawn(read).ok()?;
    let bytes = receiver.recv_timeout(deadline).ok()??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse(answer: &str) -> Option<Vec<String>> {
    let (_, names) = answer.lines().find_map(|line| line.split_once(LIST))?;
    Some(names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// The answer of a client that is this script.
    fn answer(script: &str, deadline: Duration) -> JailsAnswer {
        let folder = tempfile::tempdir().unwrap();
        let client = folder.path().join("client");
        // In another process: a program that is open for writing is busy, and a child that another test starts at this moment
        // has every open file of this one.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
        let written = Command::new("/bin/sh").args(["-c", write]).arg(&client).arg(script).status().unwrap();
        assert!(written.success());
        jails_by(&client, deadline)
    }

    #[test]
    fn jails_are_those_of_the_answer() {
        let status = "printf 'Status\\n|- Number of jail:\\t2\\n`- Jail list:\\tnginx-http-auth, sshd\\n'";
        let wait = Duration::from_secs(60);
        assert_eq!(answer(status, wait), JailsAnswer::Jails(vec!["nginx-http-auth".into(), "sshd".into()]));
        assert_eq!(answer("printf '`- Jail list:\\t\\n'", wait), JailsAnswer::Jails(vec![]));
        assert_eq!(answer("echo 'Failed to access socket path'; exit 255", wait), JailsAnswer::None);
        assert_eq!(jails_by(Path::new("/nonexistent/client"), wait), JailsAnswer::NotInstalled);
    }

    #[test]
    fn jails_of_a_busy_fail2ban_are_not_waited_for() {
        let begun = Instant::now();
        assert_eq!(answer("trap '' TERM; sleep 600 & sleep 600", Duration::from_millis(100)), JailsAnswer::None);
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
}
