//! `banhook forget`: removes everything that is stored of an address or user.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use super::command_error::{CommandError, Outcome, print_stderr};
use super::global_options::GlobalOptions;
use super::work_lock::{borrow, hand_over};
use crate::event::Timestamp;
use crate::message::one_line;
use crate::phrase::{counted, listed};
use crate::store::{Forgotten, NO_FOLLOW, StateDir, StillNeeded, Store, Traces};

/// How long a short run may take to end.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Remove everything that is stored of an address or a user: events, history, messages, mutes
///
/// The events stay in the counts, without what they said. Log lines of other events lose the address or the word. Works
/// while a daemon runs. Refuses while an event of it is pending or dead: an alert would be lost. Copies elsewhere stay, as
/// the output says.
#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    /// The address, user, or other subject of a ban
    #[arg(value_name = "SUBJECT")]
    subject: String,
    /// Drop messages with it that are not sent, or dead; their other events are lost, too
    #[arg(long)]
    drop: bool,
}

/// Forgets the subject; `Ok(false)` if something of it is still needed, or stays for a while.
pub(super) fn forget(global: &GlobalOptions, arguments: &ForgetArgs) -> Outcome {
    let subject = arguments.subject.trim();
    if subject.is_empty() {
        return Err(CommandError::input(anyhow!("the subject is empty")));
    }
    let shown = one_line(subject);
    let mut out = io::stdout();
    let Some((folder, mut store)) = global.existing_store()? else {
        writeln!(out, "nothing is stored")?;
        return Ok(true);
    };
    let traces = Traces::parse(subject);
    let forgotten = match store.forget(&traces, arguments.drop, Timestamp::now())? {
        Ok(forgotten) => forgotten,
        Err(needed) => {
            refuse(&shown, &needed);
            return Ok(false);
        }
    };
    report(&shown, &forgotten)?;
    let is_log_whole = store.overwrite_free_pages()?;
    if !is_log_whole {
        print_stderr("the write-ahead log is in use, and may have it for some minutes; run this again");
    }
    if empty_log(&folder.log_file(), &traces)? {
        writeln!(out, "emptied {}", folder.log_file().display())?;
    }
    let is_spool_empty = empty_spool(global, &folder, &mut store)?;
    writeln!(
        out,
        "not reached from here: messages in the chat, fail2ban's own database and logs, the journal, backups, and blocks of \
         the disk that are free"
    )?;
    Ok(is_log_whole && is_spool_empty)
}

/// Says why nothing was forgotten.
fn refuse(shown: &str, needed: &StillNeeded) {
    if needed.events > 0 {
        let events = counted(needed.events as u64, "event");
        print_stderr(&format!(
            "{events} of {shown} not formatted yet, or in an open digest; run this again in a minute"
        ));
    }
    if !needed.messages.is_empty() {
        let ids: Vec<_> = needed.messages.iter().map(i64::to_string).collect();
        print_stderr(&format!(
            "messages with {shown} are not sent, or dead: {}; wait until they are sent (banhook queue show ID), or add --drop",
            listed(ids.iter().map(String::as_str), "and")
        ));
    }
}

fn report(shown: &str, forgotten: &Forgotten) -> io::Result<()> {
    let Forgotten { events, dropped, mutes } = forgotten;
    let mut out = io::stdout();
    writeln!(out, "{shown}: {} blanked, {} removed", counted(*events as u64, "event"), counted(*mutes as u64, "mute"))?;
    if dropped.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = dropped.iter().map(i64::to_string).collect();
    writeln!(out, "dropped the messages {}", listed(ids.iter().map(String::as_str), "and"))
}

/// Empties the spool, which has the events of the last days, if no daemon works on it.
fn empty_spool(global: &GlobalOptions, folder: &StateDir, store: &mut Store) -> Result<bool, CommandError> {
    let Some(lock) = borrow(folder, &global.config, LOCK_TIMEOUT)? else {
        print_stderr(&format!(
            "a daemon is running, and {} has the events of the last two days until it removes them; to remove them now, stop \
             it and run this again",
            folder.spool().display()
        ));
        return Ok(false);
    };
    let left = store.empty_spool(Timestamp::now());
    lock.release();
    hand_over(folder, &global.config)?;
    let left = left?;
    if left > 0 {
        print_stderr(&format!("{} has events that are not settled, and stays", folder.spool().display()));
    }
    Ok(left == 0)
}

/// Empties the log of the short runs if it has what is to be forgotten. Returns whether it did.
fn empty_log(log: &Path, traces: &Traces) -> io::Result<bool> {
    let text = match fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let has = traces.are_in(&text);
    if has {
        OpenOptions::new().write(true).custom_flags(NO_FOLLOW).open(log)?.set_len(0)?;
    }
    Ok(has)
}
