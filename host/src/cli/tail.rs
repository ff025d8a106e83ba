//! `banhook tail`: as `run`, and reads fail2ban's log, for a fail2ban without banhook's action.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::config::{Config, LogSource, is_pattern, parse_timezone, system_timezone};
use crate::daemon::{ExitReason, Tails};
use crate::event::Timestamp;
use crate::phrase::counted;
use crate::receive::tail::{
    DryRunSink, EventSink, FollowedSources, Follower, InboxSink, NamedLog, OpenFiles, Pipe, STDIN, Step, TailError,
    follow, matching, named_logs, parser, read_pipe, sort_by_time, stop_switch,
};
use crate::receive::{LogCounts, LogParser, LogProblem, Unread};
use crate::store::Store;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;

use super::command_error::{CommandError, Outcome, print_stderr};
use super::daemon::{configured_logs, run_until_stopped};
use super::drain::drain;
use super::global_options::{GlobalOptions, host_name};
use super::logging;
use super::work_lock::{YIELD_TIMEOUT, borrow, hand_over, is_taken, release};

/// The log that is read where none is named: fail2ban's default.
const DEFAULT_LOG: &str = "/var/log/fail2ban.log";

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
    /// Host of all events [default: the host that a line names, otherwise this host]
    #[arg(long)]
    host: Option<String>,
    /// Tag of fail2ban's lines, in a log of several services: a syslog tag, a compose service or a container
    #[arg(long)]
    tag: Option<String>,
}

/// Parses `Europe/Berlin`, as in the configuration.
fn time_zone(name: &str) -> Result<TimeZone, String> {
    parse_timezone(name).map_err(|hint| format!("unknown time zone; {hint}"))
}

/// Reads logs, and routes and delivers their events.
pub(super) fn tail(global: &GlobalOptions, arguments: &TailArgs) -> Outcome {
    if arguments.dry_run {
        // It reads no configuration, which would warn of that.
        if let (None, (_, Some(warning))) = (&arguments.timezone, system_timezone()) {
            print_stderr(&format!("warning: {warning}"));
        }
        return match dry_run(arguments) {
            // `banhook tail --dry-run | head`
            Err(TailError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
            outcome => outcome.map_err(CommandError::input),
        };
    }
    let folder = global.folder()?;
    logging::to_stderr();
    if arguments.once {
        let is_understood = once(global, arguments)?;
        return Ok(deliver(global)? && is_understood);
    }
    let pipe = reads_stdin(arguments).then(|| Arc::new(Pipe::open(io::stdin())));
    let tails = |config: &Config| Tails {
        logs: sources(arguments, Some(config)),
        pipe: pipe.clone().map(|pipe| (pipe, named(arguments, Some(config), Vec::new()))),
    };
    if run_until_stopped(global, &folder, tails)? == ExitReason::EndOfInput { deliver(global) } else { Ok(true) }
}

/// Delivers what was read. The daemon of a fleet's member does so in its own time.
fn deliver(global: &GlobalOptions) -> Outcome {
    if global.config()?.fleet.is_some() { Ok(true) } else { drain(global, DELIVERY_TIMEOUT) }
}

/// Reads all logs to their end, into the store. Returns whether all are understood.
fn once(global: &GlobalOptions, arguments: &TailArgs) -> Outcome {
    let folder = global.folder()?;
    let config = global.config()?;
    folder.create()?;
    let lock = borrow(&folder, &global.config, YIELD_TIMEOUT)?.ok_or_else(|| is_taken(&folder))?;
    let mut store = Store::open_for_work(&folder, &lock)?;
    let mut sink =
        InboxSink { inbox: store.new_connection()?, now: Timestamp::now, new_id: || uuid::Uuid::now_v7().to_string() };
    let inbox = store.new_connection()?;
    let wal_checkpoint = || inbox.wal_checkpoint_if_long().map_err(TailError::from);
    let read = read_all(arguments, Some(&config), &mut sink, wal_checkpoint).map_err(|error| match error {
        TailError::Store(error) => CommandError::Other(error.into()),
        error => CommandError::input(error),
    });
    release(&mut store, lock);
    if read.is_err() {
        hand_over(&folder, &global.config)?;
    }
    read
}

/// Prints events instead of storing them. Returns whether all logs that were read to their end are understood.
fn dry_run(arguments: &TailArgs) -> Result<bool, TailError> {
    let mut out = DryRunSink(BufWriter::with_capacity(WRITE_BYTES, io::stdout().lock()));
    if arguments.once || sources(arguments, None).is_empty() {
        return read_all(arguments, None, &mut out, || Ok(()));
    }
    drop(out);
    let followed = FollowedSources::new(sources(arguments, None));
    thread::scope(|scope| {
        let pipe =
            reads_stdin(arguments).then(|| scope.spawn(|| dry_run_pipe(arguments, &mut DryRunSink(io::stdout()))));
        let followers: Vec<_> = followed
            .all()
            .iter()
            .map(|source| {
                scope.spawn(|| {
                    // Never stopped, only interrupted.
                    let (_stop, stopped) = stop_switch();
                    follow(&followed, source, Timestamp::now, &mut DryRunSink(io::stdout()), &stopped).map(|()| true)
                })
            })
            .collect();
        let mut is_understood = true;
        for thread in pipe.into_iter().chain(followers) {
            is_understood &=
                thread.join().unwrap_or_else(|_| Err(TailError::Output(io::Error::other("a thread panicked"))))?;
        }
        Ok(is_understood)
    })
}

fn dry_run_pipe(arguments: &TailArgs, out: &mut dyn EventSink) -> Result<bool, TailError> {
    let parser = parser(&named(arguments, None, Vec::new()), Timestamp::now);
    let parser = read_pipe(&Pipe::open(io::stdin()), parser, out, &|| false)?;
    Ok(summarize(Path::new(STDIN), &parser))
}

/// Reads each log to its end, one after the other; `wal_checkpoint` is called after each piece. Returns whether all are
/// understood.
fn read_all(
    arguments: &TailArgs,
    config: Option<&Config>,
    sink: &mut dyn EventSink,
    wal_checkpoint: impl Fn() -> Result<(), TailError>,
) -> Result<bool, TailError> {
    let mut is_understood = true;
    if reads_stdin(arguments) {
        let parser = parser(&named(arguments, config, Vec::new()), Timestamp::now);
        let parser = read_pipe(&Pipe::open(io::stdin()), parser, sink, &|| false)?;
        is_understood = summarize(Path::new(STDIN), &parser);
    }
    // Starting at the end would read nothing.
    let from_start = |source| Arc::new(LogSource { from_start: true, ..source });
    let sources: Vec<_> = sources(arguments, config).into_iter().map(from_start).collect();
    let is_empty = |pattern: &PathBuf| is_pattern(pattern) && matching(pattern).is_empty();
    if let Some(source) = sources.iter().find(|source| source.logs.iter().all(is_empty)) {
        let reason = io::Error::new(io::ErrorKind::NotFound, "no file has such a name");
        return Err(TailError::Read { path: source.logs.first().cloned().unwrap_or_default(), reason });
    }
    let (mut logs, aliases) = named_logs(&sources);
    for (alias, problem) in aliases.iter().filter_map(|alias| Some((alias, alias.problem()?))) {
        print_stderr(&format!("warning: the log {}: {problem}", alias.path.display()));
    }
    sort_by_time(&mut logs, Timestamp::now);
    for log in logs {
        is_understood &= read_log(log, sink, &wal_checkpoint)?;
    }
    Ok(is_understood)
}

/// Reads a log to its end. Returns whether it is understood.
fn read_log(
    log: NamedLog,
    sink: &mut dyn EventSink,
    wal_checkpoint: &impl Fn() -> Result<(), TailError>,
) -> Result<bool, TailError> {
    let path = log.path.clone();
    let mut follower = Follower::new(log, &OpenFiles::default(), true, Timestamp::now, sink)?;
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
    Ok(summarize(&path, follower.parser()))
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

/// Logs what a log contained, and warns of what is wrong with it. A dry run has no log, but the warnings. Returns whether
/// the log is understood.
fn summarize(path: &Path, parser: &LogParser) -> bool {
    let (log, counts) = (path.display(), parser.counts());
    let LogCounts { lines, found, events, foreign, unfinished, damaged, long, late } = counts;
    tracing::info!(%log, lines, found, events, foreign, unfinished, damaged, long, late, "log read");
    if lines == 0 {
        return true;
    }
    if counts.lost() > 0 {
        print_stderr(&format!("warning: {log}: {counts}"));
    }
    // Nothing more comes that may be understood, so a few lines are enough.
    if let Some(Unread { none_understood: true, example, reason, .. }) = parser.unread() {
        let (lines, hint) = (counted(lines, "line"), reason.hint());
        print_stderr(&format!(
            "warning: {log} is not a log of fail2ban ({lines} read, none recognized), for example `{example}`; {hint}"
        ));
        return false;
    }
    let problem = parser.problem();
    problem.iter().for_each(|problem| print_stderr(&format!("warning: {log}: {problem}")));
    !matches!(problem, Some(LogProblem::NotUnderstood(_)))
}

fn reads_stdin(arguments: &TailArgs) -> bool {
    arguments.files.iter().any(|file| file.as_os_str() == STDIN)
}

/// These logs, read as the arguments say.
fn named(arguments: &TailArgs, config: Option<&Config>, logs: Vec<PathBuf>) -> LogSource {
    LogSource {
        logs,
        timezone: arguments.timezone.clone().unwrap_or_else(|| system_timezone().0),
        from_start: arguments.from_start,
        host: arguments.host.clone(),
        tag: arguments.tag.clone(),
        own_hosts: config.and_then(|config| config.host.clone()).into_iter().chain([host_name()]).collect(),
    }
}

/// The logs named on the command line, otherwise those of the configuration, otherwise fail2ban's default.
fn sources(arguments: &TailArgs, config: Option<&Config>) -> Vec<LogSource> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    if !arguments.files.is_empty() {
        let logs: Vec<_> = arguments.files.iter().filter(|file| file.as_os_str() != STDIN).map(absolute).collect();
        return if logs.is_empty() { Vec::new() } else { vec![named(arguments, config, logs)] };
    }
    match config.map(configured_logs) {
        Some(tails) if !tails.logs.is_empty() => tails
            .logs
            .into_iter()
            .map(|source| LogSource {
                timezone: arguments.timezone.clone().unwrap_or(source.timezone),
                from_start: arguments.from_start || source.from_start,
                host: arguments.host.clone().or(source.host),
                tag: arguments.tag.clone().or(source.tag),
                ..source
            })
            .collect(),
        _ => vec![named(arguments, config, vec![DEFAULT_LOG.into()])],
    }
}
