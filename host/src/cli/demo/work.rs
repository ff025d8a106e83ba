//! What each demonstration does with a store: it stores events as `notify` does, and runs a daemon.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use banhook_notify::SpooledEvent;
use rustix::process::{Signal, getpid, kill_process};

use crate::cli::command_error::CommandError;
use crate::cli::daemon::STUCK_AFTER;
use crate::config::Config;
use crate::daemon::{Daemon, RunMode, Signals, Tails};
use crate::event::{Event, Timestamp};
use crate::plugin::Runtime;
use crate::store::{StateDir, Store};

/// How long a daemon may take for what it is to do.
pub(super) const DAEMON_TIME_MAX: Duration = Duration::from_secs(60);

/// Reads a configuration of a demonstration.
pub(super) fn parsed(text: &str) -> anyhow::Result<Config> {
    Ok(Config::parse(text, Path::new("demo.toml"), &|_| None)?)
}

/// Stores an event, as `banhook notify` does.
pub(super) fn store_event(folder: &StateDir, event: Event, received_at: Timestamp) -> anyhow::Result<()> {
    let spooled = SpooledEvent { event, received_at, restored_is_unknown: false };
    Ok(banhook_notify::append(folder, &spooled)?)
}

/// Works on the store as a daemon does, until this is so. `ready`: called once it is ready.
pub(super) fn work_until(
    config: Config,
    store: &Store,
    now: fn() -> Timestamp,
    is_done: &dyn Fn() -> bool,
    ready: impl FnOnce(),
) -> Result<(), CommandError> {
    let began = Instant::now();
    // As the service manager stops it.
    let alive = || {
        if is_done() || began.elapsed() > DAEMON_TIME_MAX {
            let _ = kill_process(getpid(), Signal::TERM);
        }
    };
    work(config, store, now, RunMode::Forever, &alive, ready)
}

/// Works on the store. `alive`: called about once a second.
pub(super) fn work(
    config: Config,
    store: &Store,
    now: fn() -> Timestamp,
    mode: RunMode,
    alive: &dyn Fn(),
    ready: impl FnOnce(),
) -> Result<(), CommandError> {
    let runtime = Runtime::for_events(config.sandbox, None)?;
    let daemon = Daemon {
        alive,
        stuck_after: STUCK_AFTER,
        config,
        reread: &|| None,
        runtime: Arc::new(runtime),
        system_host: "demo-host".to_owned(),
        store,
        tails: &Tails::default(),
        now,
    };
    daemon.run(&mut Signals::listen()?, mode, ready)?;
    Ok(())
}
