//! `banhook run`: the daemon, and the short run that `notify` starts.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use banhook::config::Config;
use banhook::daemon::{End, Until, Work};
use banhook::event::Timestamp;
use banhook::pipeline::Pipeline;
use banhook::plugin::{Cache, Runtime};
use banhook::store::{StateFolder, Store, WorkLock};

use super::Outcome;
use super::arguments::RunOptions;
use super::failure::Failure;
use super::logging;
use super::notify::see_to_delivery;
use super::place::Place;

/// How long a daemon waits for a short run to make way.
const TAKE_OVER: Duration = Duration::from_secs(5);
/// How often a lock that another process holds is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Runs.
pub fn run(place: &Place, options: &RunOptions) -> Outcome {
    let folder = place.folder()?;
    let mut handed_over = None;
    if options.handed_over {
        handed_over = Some(detach()?);
        logging::to_file(&folder)?;
    } else {
        logging::to_stderr();
    }
    let outcome = if options.until_idle { until_idle(place, &folder, handed_over) } else { daemon(place, &folder) };
    if let (true, Err(failure)) = (options.handed_over, &outcome) {
        let (Failure::Input(error) | Failure::Other(error)) = failure;
        tracing::error!("{error:#}");
    }
    outcome
}

/// Works until a signal. SIGHUP begins anew with the configuration as it is then, if that is a good one.
fn daemon(place: &Place, folder: &StateFolder) -> Outcome {
    let mut config = place.config()?;
    let deadline = Instant::now() + TAKE_OVER;
    let lock = wait_for_work(folder, deadline, || folder.ask_to_yield())?.ok_or_else(|| {
        Failure::Other(anyhow!(
            "another banhook is at work on {} (run or drain); stop it first",
            folder.path().display()
        ))
    })?;
    let store = Store::open_for_work(folder, &lock)?;
    loop {
        if work(&config, &store, Until::Stopped)? != End::Reload {
            break;
        }
        match place.config() {
            Ok(fresh) => config = fresh,
            Err(failure) => {
                let (Failure::Input(error) | Failure::Other(error)) = failure;
                tracing::error!("going on with the configuration as it was: {error:#}");
            }
        }
    }
    store.checkpoint_and_truncate()?;
    lock.release();
    // A `notify` that still found the lock taken has started nothing; now that would be its own run's turn.
    if !store.waiting(1)?.is_empty() {
        see_to_delivery(folder, &place.config)?;
    }
    Ok(true)
}

/// Works until nothing is left. Whoever finds the lock taken may go: its holder looks once more after letting go.
fn until_idle(place: &Place, folder: &StateFolder, handed_over: Option<WorkLock>) -> Outcome {
    let config = place.config()?;
    let mut next = handed_over;
    while let Some(lock) = next.take().map_or_else(|| folder.try_work(), |lock| Ok(Some(lock)))? {
        if !finish(&config, folder, lock, Until::Idle)? {
            break;
        }
    }
    Ok(true)
}

/// Works until the end and lets the lock go; says whether to do it again.
///
/// A `notify` that found the lock taken relies on its holder; so the holder looks once more when it holds it no more.
pub fn finish(config: &Config, folder: &StateFolder, lock: WorkLock, until: Until) -> Result<bool, Failure> {
    let store = Store::open_for_work(folder, &lock)?;
    let end = work(config, &store, until)?;
    store.checkpoint_and_truncate()?;
    lock.release();
    Ok(end == End::Idle && !store.is_idle()?)
}

/// Loads the plugins and works.
fn work(config: &Config, store: &Store, until: Until) -> Result<End, Failure> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = Runtime::new(cache(store.folder()))?;
    let pipeline = Pipeline::load(config, &host_name(), &runtime);
    for fault in pipeline.faults() {
        tracing::error!(route = fault.route, "plugin {} {}", fault.plugin, fault.error);
    }
    let work = Work { config, pipeline: &pipeline, store, now: Timestamp::now };
    let end = work.run(until, || tracing::info!(routes = config.routes.len(), "ready"))?;
    Ok(end)
}

/// Waits for the work lock until the deadline, nudging its holder meanwhile.
pub fn wait_for_work(folder: &StateFolder, deadline: Instant, nudge: impl Fn()) -> Result<Option<WorkLock>, Failure> {
    loop {
        if let Some(lock) = folder.try_work()? {
            return Ok(Some(lock));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        nudge();
        thread::sleep(TRY_AGAIN);
    }
}

/// The name of this host, as the system has it.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Where compiled components are kept; without it, everything works, only slower.
fn cache(folder: &StateFolder) -> Option<Cache> {
    Cache::open(&folder.cache())
        .inspect_err(|error| tracing::warn!("compiling plugins at each start, since the cache cannot be used: {error}"))
        .ok()
}

/// Takes the lock off standard input and leaves fail2ban's session, so that nothing of it holds us or we it.
fn detach() -> Result<WorkLock, Failure> {
    use std::os::fd::AsFd;
    let lock = std::io::stdin().as_fd().try_clone_to_owned()?;
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null).map_err(std::io::Error::from)?;
    // Fails only if we lead a group already, and then we are on our own as well.
    let _ = rustix::process::setsid();
    Ok(WorkLock::from_file(lock.into()))
}
