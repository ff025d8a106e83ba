//! Runs the daemon on a state directory: loads the configuration and plugins, holds the work lock, reloads.
//!
//! A `notify` that finds the lock taken relies on its holder and starts nothing. So each holder checks again for work after it
//! has released the lock.

use std::sync::Arc;

use banhook_notify::ensure_run;
use sd_notify::NotifyState;

use super::access::writable_by_others;
use super::command_error::{CommandError, Outcome};
use super::global_options::{GlobalOptions, host_name};
use super::work_lock::{release, take_over};
use crate::config::{Config, LogSource};
use crate::daemon::{Daemon, ExitReason, RunMode, Signals, Tails};
use crate::event::Timestamp;
use crate::plugin::{Cache, Runtime};
use crate::store::{Remaining, StateDir, Store, WorkLock};

/// Routes and delivers until a signal; `tails` says which logs are read meanwhile.
pub(super) fn run_until_stopped(
    global: &GlobalOptions,
    folder: &StateDir,
    tails: impl Fn(&Config) -> Tails,
) -> Result<ExitReason, CommandError> {
    // Before anything else: it may be stopped while it waits for another process to yield.
    let mut signals = Signals::listen()?;
    let mut config = global.config()?;
    folder.check_permissions()?;
    let lock = take_over(folder)?;
    let mut store = Store::open_for_work(folder, &lock)?;
    let reason = loop {
        match run_daemon(global, config.clone(), &store, &tails(&config), &mut signals, RunMode::Forever)? {
            // The configuration names other logs.
            ExitReason::SourcesChanged => config = reload(global).unwrap_or(config),
            reason => break reason,
        }
    };
    service_stopping();
    release(&mut store, lock);
    if store.remaining(Timestamp::now())? == Remaining::Work {
        ensure_run(folder, &global.config)?;
    }
    Ok(reason)
}

/// Routes and delivers until nothing is left, with the inherited lock or, if it is free, a lock of its own.
pub(super) fn run_until_idle(global: &GlobalOptions, folder: &StateDir, inherited: Option<WorkLock>) -> Outcome {
    let mut signals = Signals::listen()?;
    folder.check_permissions()?;
    let mut next = inherited;
    while let Some(lock) = next.take().map_or_else(|| folder.try_work_lock(), |lock| Ok(Some(lock)))? {
        let mut store = Store::open_for_work(folder, &lock)?;
        let reason = run_daemon(global, global.config()?, &store, &Tails::default(), &mut signals, RunMode::UntilIdle)?;
        release(&mut store, lock);
        if reason != ExitReason::Idle || store.remaining(Timestamp::now())? != Remaining::Work {
            break;
        }
    }
    Ok(true)
}

/// Routes and delivers once, until the end of the mode, and releases the lock.
pub(super) fn run_once(
    global: &GlobalOptions,
    config: Config,
    folder: &StateDir,
    lock: WorkLock,
    mode: RunMode,
) -> Result<ExitReason, CommandError> {
    let mut signals = Signals::listen()?;
    folder.check_permissions()?;
    let mut store = Store::open_for_work(folder, &lock)?;
    let reason = run_daemon(global, config, &store, &Tails::default(), &mut signals, mode)?;
    release(&mut store, lock);
    Ok(reason)
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
    let daemon = Daemon {
        config,
        reread: &reread,
        runtime: Arc::new(runtime),
        system_host: host_name(),
        store,
        tails,
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
