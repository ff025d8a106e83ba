//! `banhook heartbeat`: asks fail2ban whether it runs, for a daemon that may not.

use std::io::Write as _;

use anyhow::anyhow;
use banhook_notify::StateDir;

use super::command_error::{CommandError, Outcome};
use super::global_options::GlobalOptions;
use crate::event::Timestamp;
use crate::phrase::{counted, printable};
use crate::receive::fail2ban_client::NoAnswer;
use crate::receive::heartbeat::Heartbeat;

/// Asks fail2ban, leaves its answer for the daemon, and prints it.
pub(super) fn heartbeat(global: &GlobalOptions) -> Outcome {
    let folder = StateDir::new(&global.state_dir);
    if !folder.path().exists() {
        return Err(CommandError::Input(anyhow!("there is no {}: start the daemon first", folder.path().display())));
    }
    // As root, which alone may ask.
    let heartbeat = Heartbeat::ask(Timestamp::now()).map_err(|why| {
        CommandError::Input(match why {
            NoAnswer::Denied => anyhow!("this user may not ask fail2ban; run this as root"),
            _ => anyhow!("fail2ban-client is not found in PATH ({})", std::env::var("PATH").unwrap_or_default()),
        })
    })?;
    folder.become_owner()?;
    heartbeat.write(&folder)?;
    let shown = match (heartbeat.jails, heartbeat.banned) {
        (Some(jails), Some(banned)) => format!("fail2ban answers: {}, {banned} banned", counted(jails, "jail")),
        (Some(jails), None) => format!("fail2ban answers: {}", counted(jails, "jail")),
        (None, _) => {
            format!("fail2ban does not answer: {}", printable(heartbeat.problem.as_deref().unwrap_or_default()))
        }
    };
    writeln!(std::io::stdout(), "{shown}")?;
    Ok(true)
}
