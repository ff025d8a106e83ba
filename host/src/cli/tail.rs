//! `banhook tail`: as `run`, and reads fail2ban's log, for a fail2ban without banhook's action.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::config::{Config, LogSource};
use crate::daemon::{ExitReason, Tails};
use crate::event::Timestamp;
use crate::phrase::counted;
use crate::receive::tail::{
    DryRunSink, EventSink, Follower, InboxSink, NamedLog, Pipe, Step, TailError, follow, named_logs, read_pipe,
    stop_switch,
};
use crate::receive::{LogCounts, LogParser};
use crate::store::Store;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;

use super::command_error::{CommandError, Outcome, print_stderr};
use super::daemon::{configured_logs, run_until_stopped};
use super::drain::drain;
use super::global_options::GlobalOptions;
use super::logging;
use super::work_lock::{release, take_over};

/// The log that is read where none is named: fail2ban's default.
const DEFAULT_LOG: &str = "/var/log/fail2ban.log";

/// Standard input, as an argument.
const STDIN: &str = "-";

/// How long delivering may take once the logs have been read to their end; as `banhook drain`.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// How much is written to standard output at a time, in bytes.
const WRITE_BYTES: usize = 64 << 10;

/// Like run, for logs named on the command line, or the default log
///
/// Each line is read once, across rotations and restarts: the position in the log is stored together with the events up to
/// there. A log is read from its end on the first time. With --once, it is read from its beginning and every event in it
/// is sent, however old: try --dry-run first.
#[derive(Debug, Args)]
pub(super) struct TailArgs {
    /// Log files or patterns such as 'fail2ban.log*', or - for standard input [default: [[sources]] in the configuration,
    /// otherwise /var/log/fail2ban.log]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Read to the end of the log, deliver, then exit; on first use, read the whole log and send every event in it
    #[arg(long)]
    once: bool,
    /// On first use, start at the beginning of the log
    #[arg(long)]
    from_start: bool,
    /// Print events as JSON lines; store and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Time zone of the times in the log, for example Europe/Berlin [default: the system's]
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    timezone: Option<TimeZone>,
}

/// Parses `Europe/Berlin`, as in the configuration.
fn time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "unknown time zone; write it like Europe/Berlin or UTC".to_owned())
}

/// Reads logs, and routes and delivers their events.
pub(super) fn tail(global: &GlobalOptions, arguments: &TailArgs) -> Outcome {
    if arguments.dry_run {
        return match dry_run(arguments) {
            // `banhook tail --dry-run | head`
            Err(TailError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
            Err(error) => Err(CommandError::input(error)),
            Ok(()) => Ok(true),
        };
    }
    let folder = global.folder()?;
    logging::to_stderr();
    if arguments.once {
        once(global, arguments)?;
        return drain(global, DELIVERY_TIMEOUT);
    }
    let pipe = reads_stdin(arguments).then(|| (Arc::new(Pipe::open(io::stdin())), zone_or_system(arguments)));
    let tails = |config: &Config| Tails { logs: sources(arguments, Some(config)), pipe: pipe.clone() };
    if run_until_stopped(global, &folder, tails)? == ExitReason::EndOfInput {
        drain(global, DELIVERY_TIMEOUT)
    } else {
        Ok(true)
    }
}

/// Reads all logs to their end, into the store.
fn once(global: &GlobalOptions, arguments: &TailArgs) -> Result<(), CommandError> {
    let folder = global.folder()?;
    let config = global.config()?;
    let lock = take_over(&folder)?;
    let store = Store::open_for_work(&folder, &lock)?;
    let mut sink =
        InboxSink { inbox: store.open_inbox()?, now: Timestamp::now, new_id: || uuid::Uuid::now_v7().to_string() };
    let inbox = store.open_inbox()?;
    let wal_checkpoint = || inbox.wal_checkpoint_if_long().map_err(TailError::from);
    read_all(arguments, Some(&config), &mut sink, wal_checkpoint).map_err(|error| match error {
        TailError::Store(error) => CommandError::Other(error.into()),
        error => CommandError::input(error),
    })?;
    release(&store, lock);
    Ok(())
}

/// Prints events instead of storing them.
fn dry_run(arguments: &TailArgs) -> Result<(), TailError> {
    let mut out = DryRunSink(BufWriter::with_capacity(WRITE_BYTES, io::stdout().lock()));
    if arguments.once || sources(arguments, None).is_empty() {
        return read_all(arguments, None, &mut out, || Ok(()));
    }
    drop(out);
    thread::scope(|scope| {
        let pipe =
            reads_stdin(arguments).then(|| scope.spawn(|| dry_run_pipe(arguments, &mut DryRunSink(io::stdout()))));
        let followed: Vec<_> = sources(arguments, None)
            .into_iter()
            .map(|source| {
                scope.spawn(move || {
                    // Never stopped, only interrupted.
                    let (_stop, stopped) = stop_switch();
                    follow(&source, Timestamp::now, &mut DryRunSink(io::stdout()), &stopped)
                })
            })
            .collect();
        for thread in pipe.into_iter().chain(followed) {
            thread.join().unwrap_or_else(|_| Err(TailError::Output(io::Error::other("a thread panicked"))))?;
        }
        Ok(())
    })
}

fn dry_run_pipe(arguments: &TailArgs, out: &mut dyn EventSink) -> Result<(), TailError> {
    read_pipe(&Pipe::open(io::stdin()), parser(arguments), out, &|| false).map(drop)
}

/// Reads each log to its end, one after the other; `wal_checkpoint` is called after each piece.
fn read_all(
    arguments: &TailArgs,
    config: Option<&Config>,
    sink: &mut dyn EventSink,
    wal_checkpoint: impl Fn() -> Result<(), TailError>,
) -> Result<(), TailError> {
    if reads_stdin(arguments) {
        let counts = read_pipe(&Pipe::open(io::stdin()), parser(arguments), sink, &|| false)?;
        summarize(Path::new(STDIN), counts);
    }
    for source in sources(arguments, config) {
        // Starting at the end would read nothing.
        let source = LogSource { from_start: true, ..source };
        let logs = named_logs(&source, Timestamp::now);
        if let Some(pattern) = source.logs.first().filter(|_| logs.is_empty()) {
            let reason = io::Error::new(io::ErrorKind::NotFound, "no file has such a name");
            return Err(TailError::Read { path: pattern.clone(), reason });
        }
        for log in logs {
            read_log(log, &source, sink, &wal_checkpoint)?;
        }
    }
    Ok(())
}

/// Reads a log to its end.
fn read_log(
    log: NamedLog,
    source: &LogSource,
    sink: &mut dyn EventSink,
    wal_checkpoint: &impl Fn() -> Result<(), TailError>,
) -> Result<(), TailError> {
    let path = log.path.clone();
    let mut follower = Follower::new(log, source, true, Timestamp::now, sink)?;
    let bar = progress(&path, follower.remaining_bytes());
    let mut has_read = false;
    while follower.step(sink)? == Step::Read {
        has_read = true;
        wal_checkpoint()?;
        bar.set_position(bar.length().unwrap_or_default().saturating_sub(follower.remaining_bytes()));
    }
    bar.finish_and_clear();
    if !has_read && !path.exists() {
        let reason = io::Error::new(io::ErrorKind::NotFound, "no such file");
        return Err(TailError::Read { path, reason });
    }
    follower.resolve(sink)?;
    summarize(&path, follower.counts());
    Ok(())
}

/// Makes a progress bar, which is shown on a terminal only.
fn progress(path: &Path, bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(path.display().to_string());
    bar
}

/// Logs what the log contained, and warns if none of it is fail2ban's. A dry run has no log, but the warning.
fn summarize(path: &Path, counts: LogCounts) {
    let LogCounts { lines, found, events, foreign, unfinished, long, late } = counts;
    if lines > 0 && foreign == lines {
        let lines = counted(lines, "line");
        print_stderr(&format!(
            "warning: {} is not a log of fail2ban ({lines} read, none recognized); `fail2ban-client get logtarget` shows \
             where it logs",
            path.display()
        ));
    }
    let log = path.display();
    tracing::info!(%log, lines, found, events, foreign, unfinished, long, late, "log read");
}

fn reads_stdin(arguments: &TailArgs) -> bool {
    arguments.files.iter().any(|file| file.as_os_str() == STDIN)
}

fn zone_or_system(arguments: &TailArgs) -> TimeZone {
    arguments.timezone.clone().unwrap_or_else(TimeZone::system)
}

fn parser(arguments: &TailArgs) -> LogParser {
    LogParser::new(zone_or_system(arguments), Timestamp::now)
}

/// The logs named on the command line, otherwise those of the configuration, otherwise fail2ban's default.
fn sources(arguments: &TailArgs, config: Option<&Config>) -> Vec<LogSource> {
    let named = |paths: &mut dyn Iterator<Item = &Path>| LogSource {
        logs: paths.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned())).collect(),
        timezone: zone_or_system(arguments),
        from_start: arguments.from_start,
    };
    if !arguments.files.is_empty() {
        let source = named(&mut arguments.files.iter().map(PathBuf::as_path).filter(|file| file.as_os_str() != STDIN));
        return if source.logs.is_empty() { Vec::new() } else { vec![source] };
    }
    match config.map(configured_logs) {
        Some(tails) if !tails.logs.is_empty() => tails
            .logs
            .into_iter()
            .map(|source| LogSource {
                timezone: arguments.timezone.clone().unwrap_or(source.timezone),
                from_start: arguments.from_start || source.from_start,
                logs: source.logs,
            })
            .collect(),
        _ => vec![named(&mut [Path::new(DEFAULT_LOG)].into_iter())],
    }
}
