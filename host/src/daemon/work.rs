//! Work on a state folder, from taking it up to its end.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::Signal;
use tokio::sync::{Notify, watch};

use super::couriers::Couriers;
use super::{Signals, router};
use crate::config::Config;
use crate::delivery::{Client, DeliveryError};
use crate::event::Timestamp;
use crate::pipeline::Pipeline;
use crate::store::{Store, StoreError, YIELD};

/// How often the queues are looked at without a wake-up.
const LOOK: Duration = Duration::from_secs(1);

/// How long a short run that is told to stop goes on if something is left.
const LAST_CHANCE: Duration = Duration::from_secs(4);

/// How long a short run goes by the configuration that it has read.
const READ_AGAIN: Duration = Duration::from_secs(60);

/// Longer than anything runs, and still a time that can be added to now.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// When work is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// On a signal.
    Stopped,
    /// When nothing is waiting or pending, or on a signal. `Reload` comes by itself now and then.
    Idle,
    /// As `Idle`, or after this long.
    IdleOr(Duration),
}

/// Why work is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// SIGTERM or SIGINT.
    Stopped,
    /// SIGHUP: the configuration is to be read again.
    Reload,
    /// Nothing is waiting or pending.
    Idle,
    /// The time was up.
    TimeUp,
}

/// Work broke off.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Delivery failed.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// HTTPS cannot be set up.
    #[error("{0}")]
    Client(String),
    /// The system refused what every daemon needs.
    #[error("cannot {what}: {reason}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// The system's reason.
        reason: io::Error,
    },
    /// A thread of ours died.
    #[error("the pipeline broke off")]
    Pipeline,
}

/// The signals, apart from the runtime that they are awaited in.
struct Listened<'a> {
    terminate: &'a mut Signal,
    interrupt: &'a mut Signal,
    hang_up: &'a mut Signal,
}

/// What is needed to work on a state folder; whoever holds it holds the work lock.
pub struct Work<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Its routes, loaded.
    pub pipeline: &'a Pipeline,
    /// The store, opened for work.
    pub store: &'a Store,
    /// The clock.
    pub now: fn() -> Timestamp,
}

impl Work<'_> {
    /// Routes and delivers until the end. `ready` is called once it is at work.
    ///
    /// # Errors
    /// When the store or the system fails; nothing that was stored is lost.
    pub fn run(&self, signals: &mut Signals, until: Until, ready: impl FnOnce()) -> Result<End, DaemonError> {
        let Signals { runtime, terminate, interrupt, hang_up } = signals;
        let mut listened = Listened { terminate, interrupt, hang_up };
        let (wake, woken) = mpsc::channel();
        let routed = Arc::new(Notify::new());
        std::thread::scope(|scope| {
            let (pipeline, now, store) = (self.pipeline, self.now, self.store.another()?);
            let told = Arc::clone(&routed);
            let router = std::thread::Builder::new()
                .name("router".into())
                .spawn_scoped(scope, move || router::run(pipeline, store, now, &woken, &told))
                .map_err(|reason| DaemonError::System { what: "start a thread", reason })?;
            // `wake` goes with it, which ends the router.
            let end =
                runtime.block_on(self.deliver(&mut listened, until, wake, &routed, || router.is_finished(), ready));
            router.join().map_err(|_| DaemonError::Pipeline)??;
            end
        })
    }

    async fn deliver(
        &self,
        signals: &mut Listened<'_>,
        until: Until,
        wake: mpsc::Sender<()>,
        routed: &Notify,
        router_ended: impl Fn() -> bool,
        ready: impl FnOnce(),
    ) -> Result<End, DaemonError> {
        let system = |what| move |reason| DaemonError::System { what, reason };
        let pipe = self.store.folder().make_wake_pipe()?;
        // Also open for writing, so that it never comes to an end.
        let mut pipe =
            pipe::OpenOptions::new().read_write(true).open_receiver(pipe).map_err(system("open the wake pipe"))?;
        let (stop, stopped) = watch::channel(false);
        let done = Arc::new(Notify::new());
        let client = Client::new().map_err(DaemonError::Client)?;
        let mut couriers = Couriers::new(self.config, client, Arc::clone(&done), stopped, self.now);
        let (time, when_time_is_up) = match until {
            Until::IdleOr(time) => (time, End::TimeUp),
            Until::Idle => (READ_AGAIN, End::Reload),
            Until::Stopped => (FOREVER, End::TimeUp),
        };
        let time_up = tokio::time::sleep(time);
        tokio::pin!(time_up);
        let mut last_chance = false;
        let mut look = true;
        ready();
        let mut bytes = [0; 512];
        let end = loop {
            if std::mem::take(&mut look) {
                couriers.send_out(self.store)?;
            }
            if router_ended() {
                break End::Stopped;
            }
            if until != Until::Stopped && self.store.is_idle()? {
                break End::Idle;
            }
            tokio::select! {
                // What ends with fail2ban's service still has "fail2ban stopped" to deliver.
                _ = signals.terminate.recv() => {
                    if until != Until::Idle || last_chance {
                        break End::Stopped;
                    }
                    last_chance = true;
                    time_up.as_mut().reset(tokio::time::Instant::now() + LAST_CHANCE);
                }
                _ = signals.interrupt.recv() => break End::Stopped,
                _ = signals.hang_up.recv() => break End::Reload,
                () = &mut time_up => break if last_chance { End::Stopped } else { when_time_is_up },
                failed = couriers.failure() => { failed?; break End::Stopped }
                read = pipe.read(&mut bytes) => {
                    let told = bytes.get(..read.unwrap_or_default()).unwrap_or_default();
                    if until == Until::Idle && told.contains(&YIELD) {
                        break End::Stopped;
                    }
                    // The router is gone only if it failed, which the next round sees.
                    let _ = wake.send(());
                }
                () = routed.notified() => look = true,
                () = done.notified() => {}
                () = tokio::time::sleep(LOOK) => look = true,
            }
        };
        drop(wake);
        // Nobody listening means that all have ended.
        let _ = stop.send(true);
        couriers.ended().await?;
        Ok(end)
    }
}
