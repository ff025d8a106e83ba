//! Asks the running fail2ban, with its own client. Only for commands that people type: the answer waits for whatever action
//! fail2ban is running.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::bounded_command::run_bounded;

/// The client, found as a shell finds it.
const CLIENT: &str = "fail2ban-client";

/// Where the client's answer has the names of the jails.
const JAIL_LIST: &str = "Jail list:";

/// What the client says of a server that does not run.
const NOT_RUNNING: [&str; 3] = ["Is fail2ban running?", "Connection refused", "Could not find server"];

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The client is not installed here.
    NotInstalled,
    /// fail2ban does not run.
    NotRunning,
    /// This user may not ask it.
    Denied,
    /// None came in time: fail2ban is running an action, or hangs.
    Late,
    /// It cannot answer this, or the client cannot ask it, with the reason.
    Refused(String),
}

/// Asks for the names of all jails; waits no longer than this.
pub(crate) fn jails(limit: Duration) -> Result<Vec<String>, NoAnswer> {
    let answer = ask(&["status"], limit)?;
    parse_jails(&answer).ok_or_else(|| NoAnswer::Refused("its answer lists no jails".to_owned()))
}

/// Gives the client these arguments and returns what it prints; waits no longer than this.
pub(crate) fn ask(arguments: &[&str], limit: Duration) -> Result<String, NoAnswer> {
    ask_by(Path::new(CLIENT), arguments, limit)
}

fn ask_by(client: &Path, arguments: &[&str], limit: Duration) -> Result<String, NoAnswer> {
    let answer = match run_bounded(Command::new(client).args(arguments), limit) {
        Ok(answer) => answer.ok_or(NoAnswer::Late)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(NoAnswer::NotInstalled),
        Err(error) => return Err(NoAnswer::Refused(error.to_string())),
    };
    if answer.status.success() {
        return Ok(answer.stdout);
    }
    let said = if answer.stderr.trim().is_empty() { &answer.stdout } else { &answer.stderr };
    Err(if said.contains("Permission denied") {
        NoAnswer::Denied
    } else if NOT_RUNNING.iter().any(|words| said.contains(words)) {
        NoAnswer::NotRunning
    } else {
        NoAnswer::Refused(said.lines().next_back().unwrap_or_default().trim().to_owned())
    })
}

fn parse_jails(answer: &str) -> Option<Vec<String>> {
    let (_, names) = answer.lines().find_map(|line| line.split_once(JAIL_LIST))?;
    Some(listed_names(names))
}

/// Returns the names of a list as the client prints it: `sshd, nginx-http-auth`.
pub(crate) fn listed_names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// The answer of a client that is this script.
    fn answer(script: &str, limit: Duration) -> Result<Option<Vec<String>>, NoAnswer> {
        let folder = tempfile::tempdir().unwrap();
        let client = folder.path().join("client");
        // In another process: a program that is open for writing is busy, and a child that another test starts at this moment
        // has every open file of this one.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
        let written = Command::new("/bin/sh").args(["-c", write]).arg(&client).arg(script).status().unwrap();
        assert!(written.success());
        ask_by(&client, &["status"], limit).map(|answer| parse_jails(&answer))
    }

    #[test]
    fn jails_are_those_of_the_answer() {
        let status = "printf 'Status\\n|- Number of jail:\\t2\\n`- Jail list:\\tnginx-http-auth, sshd\\n'";
        let wait = Duration::from_secs(60);
        assert_eq!(answer(status, wait), Ok(Some(vec!["nginx-http-auth".into(), "sshd".into()])));
        assert_eq!(answer("printf '`- Jail list:\\t\\n'", wait), Ok(Some(vec![])));
        assert_eq!(ask_by(Path::new("/nonexistent/client"), &[], wait), Err(NoAnswer::NotInstalled));
    }

    #[test]
    fn ask_without_an_answer_says_why() {
        let wait = Duration::from_secs(60);
        for (said, why) in [
            ("ERROR   Failed to access socket path: /run/f.sock. Is fail2ban running?", NoAnswer::NotRunning),
            ("ERROR   Permission denied to socket: /run/f.sock, (you must be root)", NoAnswer::Denied),
            (
                "Sorry but the jail 'j' does not exist",
                NoAnswer::Refused("Sorry but the jail 'j' does not exist".into()),
            ),
        ] {
            assert_eq!(answer(&format!("echo \"{said}\" >&2; exit 255"), wait), Err(why));
        }
    }

    #[test]
    fn jails_of_a_busy_fail2ban_are_not_waited_for() {
        let begun = Instant::now();
        assert_eq!(answer("trap '' TERM; sleep 600 & sleep 600", Duration::from_millis(100)), Err(NoAnswer::Late));
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
}
