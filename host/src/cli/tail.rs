//! `banhook tail`: fail2ban's log fallback_message of its action.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::config::Config;
use crate::daemon::{ExitReason, Tails};
use crate::event::Timestamp;
use crate::receive::tail::{
    DryRun, EventSink, Follower, InboxSink, Log, Pipe, Step, TailError, follow, read_pipe, stop_switch,
};
use crate::receive::{LogCounts, LogParser};
use crate::store::Store;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;

use super::Outcome;
use super::arguments::TailOptions;
use super::command_error::{CommandError, say};
use super::drain::drain;
use super::global_options::GlobalOptions;
use super::logging;
use super::run::{daemon, of_configuration, release, take_over};

/// Where Debian has it.
const LOG: &str = "/var/log/fail2ban.log";

/// How long what was read to the end may take to be delivered; `banhook drain` takes the same.
const DELIVER: Duration = Duration::from_secs(60);

/// How much is written to standard output at a time, in bytes.
const WRITE_BYTES: usize = 64 << 10;

/// Reads.
pub fn tail(global: &GlobalOptions, options: &TailOptions) -> Outcome {
    if options.dry_run {
        return match dry_run(options) {
            // `banhook tail --dry-run | head`
            Err(TailError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
            Err(error) => Err(CommandError::input(error)),
            Ok(()) => Ok(true),
        };
    }
    let folder = global.folder()?;
    logging::to_stderr();
    if options.once {
        once(global, options)?;
        return drain(global, DELIVER);
    }
    let pipe = reads_stdin(options).then(|| (Arc::new(Pipe::open(io::stdin())), zone(options)));
    let end = daemon(global, &folder, |config| Tails { logs: logs(options, Some(config)), pipe: pipe.clone() })?;
    if end == ExitReason::EndOfInput { drain(global, DELIVER) } else { Ok(true) }
}

/// Reads all logs to their end, into the store.
fn once(global: &GlobalOptions, options: &TailOptions) -> Result<(), CommandError> {
    let folder = global.folder()?;
    let config = global.config()?;
    let lock = take_over(&folder)?;
    let store = Store::open_for_work(&folder, &lock)?;
    let mut into =
        InboxSink { inbox: store.open_inbox()?, now: Timestamp::now, new_id: || uuid::Uuid::now_v7().to_string() };
    let inbox = store.open_inbox()?;
    let wal_checkpoint = || inbox.checkpoint_if_long().map_err(TailError::from);
    read_all(options, Some(&config), &mut into, wal_checkpoint).map_err(|error| match error {
        TailError::Store(error) => CommandError::Other(error.into()),
        error => CommandError::input(error),
    })?;
    release(&store, lock);
    Ok(())
}

/// Prints events fallback_message of storing them.
fn dry_run(options: &TailOptions) -> Result<(), TailError> {
    let mut out = DryRun(BufWriter::with_capacity(WRITE_BYTES, io::stdout().lock()));
    if options.once || logs(options, None).is_empty() {
        return read_all(options, None, &mut out, || Ok(()));
    }
    drop(out);
    thread::scope(|scope| {
        let pipe = reads_stdin(options).then(|| scope.spawn(|| dry_run_pipe(options, &mut DryRun(io::stdout()))));
        let followed: Vec<_> = logs(options, None)
            .into_iter()
            .map(|log| {
                scope.spawn(move || {
                    let mut out = DryRun(io::stdout());
                    // Never stopped: whoever runs it interrupts it.
                    let (_stop, stopped) = stop_switch();
                    follow(Follower::new(log, Timestamp::now, &mut out)?, &mut out, &stopped)
                })
            })
            .collect();
        for thread in pipe.into_iter().chain(followed) {
            thread.join().unwrap_or_else(|_| Err(TailError::Output(io::Error::other("a thread broke off"))))?;
        }
        Ok(())
    })
}

fn dry_run_pipe(options: &TailOptions, out: &mut dyn EventSink) -> Result<(), TailError> {
    read_pipe(&Pipe::open(io::stdin()), parser(options), out, &|| false).map(drop)
}

/// Reads each log to its end, in turn; `wal_checkpoint` is called now and then.
fn read_all(
    options: &TailOptions,
    config: Option<&Config>,
    into: &mut dyn EventSink,
    wal_checkpoint: impl Fn() -> Result<(), TailError>,
) -> Result<(), TailError> {
    if reads_stdin(options) {
        let counts = read_pipe(&Pipe::open(io::stdin()), parser(options), into, &|| false)?;
        summarize(Path::new("-"), counts);
    }
    for log in logs(options, config) {
        let path = log.path.clone();
        // Nothing would come of it if it were begun at its end.
        let mut follower = Follower::new(Log { from_start: true, ..log }, Timestamp::now, into)?;
        let bar = progress(&path, follower.left());
        let mut begun = false;
        while follower.step(into)? == Step::Read {
            begun = true;
            wal_checkpoint()?;
            bar.set_position(bar.length().unwrap_or_default().saturating_sub(follower.left()));
        }
        bar.finish_and_clear();
        if !begun && !path.exists() {
            let reason = io::Error::new(io::ErrorKind::NotFound, "there is no such file");
            return Err(TailError::Read { path, reason });
        }
        follower.settle(into)?;
        summarize(&path, follower.counts());
    }
    Ok(())
}

/// Shown on a terminal only.
fn progress(path: &Path, bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(path.display().to_string());
    bar
}

/// What the log consisted of; not shown in a dry run, which has no log of its own, but that it is no log of fail2ban's.
fn summarize(path: &Path, counts: LogCounts) {
    let LogCounts { lines, found, events, foreign, unfinished, long, late } = counts;
    if lines > 0 && foreign == lines {
        say(&format!(
            "warning: of the {lines} line(s) read from {} none is fail2ban's; `fail2ban-client get logtarget` says where \
             it logs",
            path.display()
        ));
    }
    tracing::info!(lines, found, events, foreign, unfinished, long, late, "read {}", path.display());
}

fn reads_stdin(options: &TailOptions) -> bool {
    options.files.iter().any(|file| file.as_os_str() == "-")
}

fn zone(options: &TailOptions) -> TimeZone {
    options.timezone.clone().unwrap_or_else(TimeZone::system)
}

fn parser(options: &TailOptions) -> LogParser {
    LogParser::new(zone(options), Timestamp::now)
}

/// The logs that are named on the command line, or else in the configuration, or else fail2ban's own.
fn logs(options: &TailOptions, config: Option<&Config>) -> Vec<Log> {
    let of = |path: &Path| Log {
        path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        timezone: zone(options),
        from_start: options.from_start,
    };
    if !options.files.is_empty() {
        return options.files.iter().map(PathBuf::as_path).filter(|file| file.as_os_str() != "-").map(of).collect();
    }
    match config.map(of_configuration) {
        Some(tails) if !tails.logs.is_empty() => tails
            .logs
            .into_iter()
            .map(|log| Log {
                timezone: options.timezone.clone().unwrap_or(log.timezone),
                from_start: options.from_start || log.from_start,
                path: log.path,
            })
            .collect(),
        _ => vec![of(Path::new(LOG))],
    }
}
