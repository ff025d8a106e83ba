//! Runs the daemon on a state directory: loads the configuration and plugins, holds the work lock, reloads.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use sd_notify::NotifyState;

use super::access::writable_by_others;
use super::command_error::{CommandError, Outcome};
use super::global_options::{GlobalOptions, host_name};
use super::handover::{drain, hold, hold_until_idle, take_over};
use super::work_lock::{LOCK_POLL_INTERVAL, LockUser, YIELD_TIMEOUT, is_taken};
use crate::config::{Config, LogSource};
use crate::daemon::{Daemon, ExitReason, RunMode, Signals, Tails};
use crate::event::Timestamp;
use crate::phrase::counted;
use crate::plugin::{Cache, Runtime};
use crate::store::{StateDir, Store, WorkLock};

/// When a thread is stuck, without a watchdog that says so.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(60);

/// How long a short run that yielded leaves the lock to whoever asked for it.
const YIELDED_FOR: Duration = Duration::from_secs(1);

/// Routes and delivers until a signal; `tails` says which logs are read meanwhile.
pub(super) fn run_until_stopped(
    global: &GlobalOptions,
    folder: &StateDir,
    tails: impl Fn(&Config) -> Tails,
) -> Result<ExitReason, CommandError> {
    // Before anything else: it may be stopped while it waits for another process to yield.
    let mut signals = Signals::listen()?;
    let mut config = global.config()?;
    folder.create()?;
    folder.check_permissions()?;
    let job = |store: &Store| loop {
        check_nothing_pends(&config, store)?;
        match run_daemon(global, config.clone(), store, &tails(&config), &mut signals, RunMode::Forever)? {
            // The configuration names other logs.
            ExitReason::SourcesChanged => config = reload(global).unwrap_or_else(|| config.clone()),
            reason => {
                service_stopping();
                break Ok(reason);
            }
        }
    };
    let mut user = LockUser::new(folder, &global.config, LOCK_POLL_INTERVAL, YIELD_TIMEOUT, job);
    let lock = take_over(&mut user)?.ok_or_else(|| is_taken(folder))?;
    hold(&mut user, lock)
}

/// Checks that a host that joins a fleet has delivered what it routed before: it has no webhooks any more.
fn check_nothing_pends(config: &Config, store: &Store) -> Result<(), CommandError> {
    if !config.is_fleet_host() {
        return Ok(());
    }
    let pending: u64 = store.ledger()?.routes.values().map(|route| route.pending).sum();
    if pending > 0 {
        return Err(CommandError::Other(anyhow!(
            "this host has {} to deliver from before it joined the fleet; run `banhook drain` with that configuration",
            counted(pending, "event")
        )));
    }
    Ok(())
}

/// Routes and delivers until nothing is left, with the inherited lock or, if it is free, a lock of its own.
pub(super) fn run_until_idle(global: &GlobalOptions, folder: &StateDir, inherited: Option<WorkLock>) -> Outcome {
    let mut signals = Signals::listen()?;
    if inherited.is_none() {
        folder.create()?;
    }
    folder.check_permissions()?;
    let job = |store: &Store| {
        let config = global.config()?;
        // Only the daemon of a fleet's member connects to the broker; events wait for it.
        if config.fleet.is_some() {
            return Ok(ExitReason::Stopped);
        }
        run_daemon(global, config, store, &Tails::default(), &mut signals, RunMode::UntilIdle)
    };
    let mut user = LockUser::new(folder, &global.config, YIELDED_FOR, Duration::ZERO, job);
    hold_until_idle(&mut user, inherited)?;
    Ok(true)
}

/// Routes and delivers until nothing is left or the time is up, whenever no other process does. Returns whether a run goes on
/// with it.
pub(super) fn run_until(
    global: &GlobalOptions,
    config: Config,
    folder: &StateDir,
    time: Duration,
) -> Result<bool, CommandError> {
    folder.check_permissions()?;
    if config.fleet.is_some() {
        return Err(CommandError::Input(anyhow!(
            "this host belongs to a fleet, so only its daemon (`banhook run`) passes events on; remove [fleet] to deliver from here"
        )));
    }
    let (deadline, mut signals, mut config) = (Instant::now() + time, None, Some(config));
    let job = |store: &Store| {
        let signals = match &mut signals {
            Some(signals) => signals,
            // Before that, a signal just ends the process.
            none => none.insert(Signals::listen()?),
        };
        let mode = RunMode::UntilIdleOr(deadline.saturating_duration_since(Instant::now()));
        let config = config.take().map_or_else(|| global.config(), Ok)?;
        run_daemon(global, config, store, &Tails::default(), signals, mode)
    };
    drain(&mut LockUser::new(folder, &global.config, LOCK_POLL_INTERVAL, time, job))
}

/// Returns the logs that the configuration names.
pub(super) fn configured_logs(config: &Config) -> Tails {
    let own = |source: &LogSource| {
        let own_hosts = source.own_hosts.iter().cloned().chain([host_name()]).collect();
        LogSource { own_hosts, ..source.clone() }
    };
    Tails { logs: config.sources.iter().map(own).collect(), pipe: None }
}

/// Loads the plugins and runs the daemon.
fn run_daemon(
    global: &GlobalOptions,
    config: Config,
    store: &Store,
    tails: &Tails,
    signals: &mut Signals,
    mode: RunMode,
) -> Result<ExitReason, CommandError> {
    if !config.is_fleet_host() && store.last_forwarded()?.is_some() {
        store.new_connection()?.forget_forwarded()?;
    }
    log_warnings(&config);
    for warning in writable_by_others(&config) {
        tracing::warn!("{warning}");
    }
    let runtime = Runtime::for_events(config.sandbox, cache(store.folder()))?;
    let routes = config.routes.len();
    let is_service = mode == RunMode::Forever;
    let reread = || {
        if !is_service {
            return reload(global);
        }
        service_reloading();
        let config = reload(global);
        service_ready();
        config
    };
    let (watchdog, fed_at) = (sd_notify::watchdog_enabled().filter(|_| is_service), Cell::new(None::<Instant>));
    let alive = || {
        // No more often than needed: whoever listens may be slow.
        let is_due = |watchdog| fed_at.get().is_none_or(|fed| fed.elapsed() >= watchdog / 4);
        if watchdog.is_some_and(is_due) {
            fed_at.set(Some(Instant::now()));
            notify_service_manager(&[NotifyState::Watchdog]);
        }
    };
    let daemon = Daemon {
        config,
        reread: &reread,
        runtime: Arc::new(runtime),
        system_host: host_name(),
        store,
        tails,
        alive: &alive,
        // The watchdog ends its time after it was fed last.
        stuck_after: sd_notify::watchdog_enabled().map_or(STUCK_AFTER, |watchdog| watchdog / 2),
        now: Timestamp::now,
    };
    let ready = || {
        tracing::info!(routes, "ready");
        if is_service {
            service_ready();
        }
    };
    Ok(daemon.run(signals, mode, ready)?)
}

/// Reads the configuration again; `None`, after logging why, if it is invalid.
fn reload(global: &GlobalOptions) -> Option<Config> {
    match global.config() {
        Ok(config) => {
            log_warnings(&config);
            tracing::info!(routes = config.routes.len(), "configuration reloaded");
            Some(config)
        }
        Err(failure) => {
            tracing::error!("configuration not reloaded, the previous one stays active: {}", failure.text());
            None
        }
    }
}

fn log_warnings(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// Opens the cache of compiled components; without it, everything works, only slower.
fn cache(folder: &StateDir) -> Option<Cache> {
    Cache::open(&folder.cache())
        .inspect_err(|error| tracing::warn!("plugin cache unavailable, plugins are compiled at each start: {error}"))
        .ok()
}

/// Notifies the service manager that the daemon is ready.
///
/// Only a daemon notifies it: a run that `notify` starts has fail2ban's environment, and would speak for fail2ban's service.
fn service_ready() {
    notify_service_manager(&[NotifyState::Ready]);
}

/// Notifies the service manager that the daemon reloads its configuration; [`service_ready`] ends that.
fn service_reloading() {
    // systemd accepts the message without the time too, unless the unit is of Type=notify-reload.
    let at = NotifyState::monotonic_usec_now().ok();
    notify_service_manager(&[NotifyState::Reloading].into_iter().chain(at).collect::<Vec<_>>());
}

/// Notifies the service manager that the daemon stops.
fn service_stopping() {
    notify_service_manager(&[NotifyState::Stopping]);
}

/// Does nothing without a service manager; one that cannot be reached will notice by itself.
fn notify_service_manager(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("cannot notify the service manager: {error}");
    }
}
