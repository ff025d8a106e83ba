//! `banhook run`: the daemon, and the short run that `notify` starts.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::{Config, LogSource};
use crate::daemon::{Daemon, ExitReason, RunMode, Signals, Tails};
use crate::event::Timestamp;
use crate::plugin::{Cache, Compiler, Metering, Runtime, Setup};
use crate::receive::tail::Log;
use crate::store::{Remaining, StateDir, Store, WorkLock};
use anyhow::anyhow;

use super::Outcome;
use super::arguments::RunOptions;
use super::command_error::CommandError;
use super::global_options::GlobalOptions;
use super::logging;
use super::notify::ensure_runner;
use super::service;

/// How long a daemon waits for a short run to make way.
const TAKE_OVER: Duration = Duration::from_secs(5);
/// How often a lock that another process holds is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Runs.
pub fn run(global: &GlobalOptions, options: &RunOptions) -> Outcome {
    let folder = global.folder()?;
    let mut lock_on_stdin = None;
    if options.lock_on_stdin {
        lock_on_stdin = Some(detach()?);
        logging::to_file(&folder);
    } else {
        logging::to_stderr();
    }
    let outcome = if options.until_idle {
        until_idle(global, &folder, lock_on_stdin)
    } else {
        daemon(global, &folder, of_configuration).map(|_| true)
    };
    if let (true, Err(failure)) = (options.lock_on_stdin, &outcome) {
        let (CommandError::Input(error) | CommandError::Other(error)) = failure;
        tracing::error!("{error:#}");
    }
    outcome
}

/// Works until a signal.
///
/// `tails`: what is read meanwhile.
pub fn daemon(
    global: &GlobalOptions,
    folder: &StateDir,
    tails: impl Fn(&Config) -> Tails,
) -> Result<ExitReason, CommandError> {
    // First of all, though it may be told to stop while it waits for another to make way.
    let mut signals = Signals::listen()?;
    let mut config = global.config()?;
    let lock = take_over(folder)?;
    let store = Store::open_for_work(folder, &lock)?;
    let end = loop {
        match work(global, config.clone(), &store, &tails(&config), &mut signals, RunMode::Forever)? {
            // Other logs than before.
            ExitReason::SourcesChanged => config = reread(global).unwrap_or(config),
            end => break end,
        }
    };
    service::stopping();
    release(&store, lock);
    // A `notify` that found the lock taken has started nothing; what it would have started takes over what is left.
    if store.remaining(Timestamp::now())? == Remaining::Work {
        ensure_runner(folder, &global.config)?;
    }
    Ok(end)
}

/// Takes the work lock; a short run makes way.
pub fn take_over(folder: &StateDir) -> Result<WorkLock, CommandError> {
    let deadline = Instant::now() + TAKE_OVER;
    let ask = || {
        folder.request_yield();
        Ok(true)
    };
    wait_for_work(folder, deadline, ask)?.ok_or_else(|| {
        CommandError::Other(anyhow!(
            "another banhook is at work on {} (run, tail or drain); stop it first",
            folder.path().display()
        ))
    })
}

/// The logs that the configuration names.
pub fn of_configuration(config: &Config) -> Tails {
    let log = |source: &LogSource| Log {
        path: source.log.clone(),
        timezone: source.timezone.clone(),
        from_start: source.from_start,
    };
    Tails { logs: config.sources.iter().map(log).collect(), pipe: None }
}

/// Works until nothing is left. Whoever finds the lock taken may go: its holder looks once more after letting go.
fn until_idle(global: &GlobalOptions, folder: &StateDir, lock_on_stdin: Option<WorkLock>) -> Outcome {
    let mut signals = Signals::listen()?;
    let mut next = lock_on_stdin;
    while let Some(lock) = next.take().map_or_else(|| folder.try_work_lock(), |lock| Ok(Some(lock)))? {
        let store = Store::open_for_work(folder, &lock)?;
        let end = work(global, global.config()?, &store, &Tails::default(), &mut signals, RunMode::UntilIdle)?;
        release(&store, lock);
        if end != ExitReason::Idle || store.remaining(Timestamp::now())? != Remaining::Work {
            break;
        }
    }
    Ok(true)
}

/// Works until the end and lets the lock go.
///
/// A `notify` that found the lock taken relies on its holder; so look once more when it is held no more.
pub fn finish(
    global: &GlobalOptions,
    config: Config,
    folder: &StateDir,
    lock: WorkLock,
    until: RunMode,
) -> Result<ExitReason, CommandError> {
    let mut signals = Signals::listen()?;
    let store = Store::open_for_work(folder, &lock)?;
    let end = work(global, config, &store, &Tails::default(), &mut signals, until)?;
    release(&store, lock);
    Ok(end)
}

/// Leaves the store in good order and lets the lock go.
pub fn release(store: &Store, lock: WorkLock) {
    wal_checkpoint(store);
    lock.release();
}

/// Leaves a short write-ahead log behind. A failure costs the next one to open it some time, nothing else.
fn wal_checkpoint(store: &Store) {
    if let Err(error) = store.checkpoint_and_truncate() {
        tracing::warn!("{error}");
    }
}

/// The configuration as it is now; none, after saying why, if it is broken.
fn reread(global: &GlobalOptions) -> Option<Config> {
    match global.config() {
        Ok(config) => {
            warn_of(&config);
            tracing::info!(routes = config.routes.len(), "read the configuration again");
            Some(config)
        }
        Err(CommandError::Input(error) | CommandError::Other(error)) => {
            tracing::error!("going on with the configuration as it was: {error:#}");
            None
        }
    }
}

fn warn_of(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// Loads the plugins and works.
fn work(
    global: &GlobalOptions,
    config: Config,
    store: &Store,
    tails: &Tails,
    signals: &mut Signals,
    until: RunMode,
) -> Result<ExitReason, CommandError> {
    warn_of(&config);
    let setup = Setup {
        cache: cache(store.folder()),
        compiler: Compiler::this_program(),
        metering: Metering::Time,
        sandbox: config.sandbox,
    };
    let routes = config.routes.len();
    // What runs until it is stopped.
    let is_service = until == RunMode::Forever;
    let reread = || {
        if !is_service {
            return reread(global);
        }
        service::reloading();
        let config = reread(global);
        service::ready();
        config
    };
    let work = Daemon {
        config,
        reread: &reread,
        runtime: Arc::new(Runtime::new(setup)?),
        system_host: host_name(),
        store,
        tails,
        now: Timestamp::now,
    };
    let ready = || {
        tracing::info!(routes, "ready");
        if is_service {
            service::ready();
        }
    };
    Ok(work.run(signals, until, ready)?)
}

/// Waits for the work lock until the deadline, or until `nudge` says that it is not wanted any more.
pub fn wait_for_work(
    folder: &StateDir,
    deadline: Instant,
    mut nudge: impl FnMut() -> Result<bool, CommandError>,
) -> Result<Option<WorkLock>, CommandError> {
    loop {
        if let Some(lock) = folder.try_work_lock()? {
            return Ok(Some(lock));
        }
        if Instant::now() >= deadline || !nudge()? {
            return Ok(None);
        }
        thread::sleep(TRY_AGAIN);
    }
}

/// The name of this host, as the system has it.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Where compiled components are kept; without it, everything works, only slower.
fn cache(folder: &StateDir) -> Option<Cache> {
    Cache::open(&folder.cache())
        .inspect_err(|error| tracing::warn!("compiling plugins at each start, since the cache cannot be used: {error}"))
        .ok()
}

/// Takes the lock off standard input and leaves fail2ban's session, so that nothing of it holds us or we it.
fn detach() -> Result<WorkLock, CommandError> {
    use std::os::fd::AsFd;
    let lock = std::io::stdin().as_fd().try_clone_to_owned()?;
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null).map_err(std::io::Error::from)?;
    // Fails only if we lead a group already, and then we are on our own as well.
    let _ = rustix::process::setsid();
    Ok(WorkLock::from_file(lock.into()))
}
