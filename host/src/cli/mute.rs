//! `banhook mute` and `unmute`: for a while no messages of some events, which are counted as skipped.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::command_error::{CommandError, Outcome, print_stderr};
use super::global_options::{GlobalOptions, OutputFormat};
use super::time_format::with_age;
use crate::config::{DURATION_RULE, parse_duration};
use crate::event::{SubjectQuery, Timestamp};
use crate::message::one_line;
use crate::store::{MUTE_MAX_MS, MUTES_MAX, Mute, Store, subject_query};

/// Characters of a reason: it is kept with each event that is skipped.
const REASON_CHARS: usize = 150;

/// Send no messages of some events for a while, for example during a penetration test
///
/// fail2ban bans as before. The events count as skipped on every route, with the reason, and `status` lists the mutes. A mute
/// ends by itself. Events that are already part of a digest are not taken out of it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct MuteArgs {
    #[command(subcommand)]
    command: Option<MuteCommand>,
    /// Only events of this jail
    #[arg(long, value_name = "JAIL", value_parser = text)]
    jail: Option<String>,
    /// Only bans and unbans of this address, of addresses in this network (203.0.113.0/24), or of this other subject
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    subject: Option<String>,
    /// All events
    #[arg(long, conflicts_with_all = ["jail", "subject"], required_unless_present_any = ["jail", "subject"])]
    all: bool,
    /// For how long, for example 2h; at most 30d
    #[arg(long = "for", value_name = "TIME", value_parser = duration, required = true)]
    time: Option<Duration>,
    /// Why; shown in `status`
    #[arg(long, value_name = "TEXT", value_parser = text, required = true)]
    reason: Option<String>,
}

#[derive(Debug, Subcommand)]
enum MuteCommand {
    /// List the mutes that have not ended
    List {
        /// Output format
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
}

/// End mutes before their time
#[derive(Debug, Args)]
pub(super) struct UnmuteArgs {
    /// Ids of mutes, as `mute list` shows them
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    mutes: Vec<i64>,
    /// All mutes
    #[arg(long)]
    all: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).ok_or_else(|| format!("write it as {}", DURATION_RULE.replace('"', "")))?;
    let max = Duration::from_millis(MUTE_MAX_MS.unsigned_abs());
    match duration.is_zero() || duration > max {
        true => Err("must be more than 0 and at most 30d".to_owned()),
        false => Ok(duration),
    }
}

fn text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn subject(value: &str) -> Result<String, String> {
    let value = text(value)?;
    match (value.split_once('/'), subject_query(&value)) {
        (Some((address, length)), SubjectQuery::Exact(_)) if address.parse::<IpAddr>().is_ok() => {
            Err(format!("no network has the prefix length {length}"))
        }
        _ => Ok(value),
    }
}

/// Mutes, or lists the mutes.
pub(super) fn mute(global: &GlobalOptions, arguments: &MuteArgs) -> Outcome {
    if let Some(MuteCommand::List { format }) = arguments.command {
        return list(global, format);
    }
    // Without a configuration it may be any host.
    if global.config().is_ok_and(|config| config.is_fleet_host()) {
        return Err(CommandError::Input(anyhow!(
            "this host belongs to a fleet, whose worker decides what is sent; run this there"
        )));
    }
    // clap requires both.
    let (Some(time), Some(reason)) = (arguments.time, &arguments.reason) else {
        return Err(CommandError::input(anyhow!("--for and --reason are required")));
    };
    if let Some(SubjectQuery::Exact(other)) = arguments.subject.as_deref().map(subject_query)
        && other.contains('/')
    {
        print_stderr(&format!(
            "warning: {} is no network: only a subject that is written so is muted",
            one_line(&other)
        ));
    }
    let now = Timestamp::now();
    let mute = Mute {
        id: 0,
        jail: arguments.jail.clone(),
        subject: arguments.subject.clone(),
        until: now.plus_ms(i64::try_from(time.as_millis()).unwrap_or(MUTE_MAX_MS)),
        reason: reason.chars().take(REASON_CHARS).collect(),
    };
    let Some(id) = Store::open(&global.folder()?)?.add_mute(&mute, now)? else {
        return Err(anyhow!("there are {MUTES_MAX} mutes already; end some with `banhook unmute`").into());
    };
    writeln!(io::stdout(), "{}", describe(&Mute { id, ..mute }, now))?;
    Ok(true)
}

fn list(global: &GlobalOptions, format: OutputFormat) -> Outcome {
    let now = Timestamp::now();
    let mutes = match global.existing_store()? {
        Some((_, store)) => store.mutes(now)?,
        None => Vec::new(),
    };
    let mut out = io::stdout();
    match format {
        OutputFormat::Json => writeln!(out, "{}", serde_json::to_string(&mutes).map_err(anyhow::Error::from)?)?,
        OutputFormat::Text if mutes.is_empty() => writeln!(out, "Nothing is muted.")?,
        OutputFormat::Text => mutes.iter().try_for_each(|mute| writeln!(out, "{}", describe(mute, now)))?,
    }
    Ok(true)
}

/// Ends mutes; `Ok(false)` if there is none of one of the ids.
pub(super) fn unmute(global: &GlobalOptions, arguments: &UnmuteArgs) -> Outcome {
    let Some((_, mut store)) = global.existing_store()? else {
        arguments.mutes.iter().for_each(|id| print_stderr(&format!("no mute has the id {id}")));
        return Ok(arguments.mutes.is_empty());
    };
    let ids = match arguments.all {
        true => store.mutes(Timestamp::now())?.iter().map(|mute| mute.id).collect(),
        false => arguments.mutes.clone(),
    };
    let mut all_known = true;
    for id in ids {
        if store.remove_mute(id)? {
            writeln!(io::stdout(), "mute {id} ended")?;
        } else {
            print_stderr(&format!("no mute has the id {id}"));
            all_known = false;
        }
    }
    Ok(all_known)
}

/// Describes a mute in a line.
pub(super) fn describe(mute: &Mute, now: Timestamp) -> String {
    let jail = mute.jail.as_ref().map(|jail| format!("jail {jail}"));
    let subject = mute.subject.as_ref().map(|subject| format!("subject {subject}"));
    let parts: Vec<_> = jail.into_iter().chain(subject).collect();
    let what = if parts.is_empty() { "all events".to_owned() } else { parts.join(", ") };
    one_line(&format!("mute {}: {what} until {}: {}", mute.id, with_age(mute.until, now), mute.reason))
}
