//! One run of a daemon: the threads that route, format and read logs, around the event loop that delivers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc;
use std::time::Instant;

use tokio::sync::Notify;

use super::daemon::{Daemon, ExitReason, RunMode};
use super::descriptors::StoreSlots;
use super::error::DaemonError;
use super::event_loop::{ALIVE_INTERVAL, EventLoop, READY_TIMEOUT};
use super::fleet_reader::FleetReader;
use super::forwarding::{self, ForwardingContext};
use super::pulse::Pulses;
use super::route_worker::WorkerContext;
use super::router;
use super::signals::Signals;
use super::tailers::Tailers;
use crate::config::{Fleet, FleetRole};
use crate::counters::Counters;
use crate::fleet::Reader;

/// Bytes of stack that a thread has for itself, as Rust's default is.
const OWN_STACK: usize = 2 << 20;

impl Daemon<'_> {
    /// Routes, formats and delivers until the end. `ready` is called once the plugins are loaded, without waiting for those
    /// that take long to compile.
    ///
    /// # Errors
    /// When the store or the system fails; nothing that was stored is lost.
    pub(crate) fn run(
        mut self,
        signals: &mut Signals,
        mode: RunMode,
        ready: impl FnOnce(),
    ) -> Result<ExitReason, DaemonError> {
        let mut ready = Some(ready);
        let mut is_ready = || {
            if let Some(ready) = ready.take() {
                ready();
            }
        };
        let fleet = self.config.fleet.clone();
        let mut reader = match fleet.clone().filter(|fleet| fleet.role == FleetRole::Worker) {
            Some(fleet) => match self.wait_for_lease(fleet, signals, &mut is_ready) {
                Some(reader) => Some(reader),
                None => return Ok(ExitReason::Stopped),
            },
            None => None,
        };
        // It may have waited for weeks.
        if reader.is_some()
            && let Some(config) = (self.reread)()
        {
            if config.fleet != self.config.fleet {
                return Ok(ExitReason::SourcesChanged);
            }
            self.config = config;
        }
        // On a connection that syncs.
        let heed = |reader: &mut Reader| reader.heed(&mut self.store.new_connection()?);
        let settled_before = reader.as_mut().map(heed).transpose()?;
        let (router_commands, received) = mpsc::channel();
        let context = WorkerContext {
            runtime: Arc::clone(&self.runtime),
            state: self.store.folder().clone(),
            stores: StoreSlots::within_limit(self.config.routes.len(), self.config.webhooks.len()),
            system_host: self.system_host.clone(),
            thread_stack: self.config.sandbox.stack + OWN_STACK,
            now: self.now,
            formatted: Arc::new(Notify::new()),
            loading: Arc::new(AtomicUsize::new(self.config.routes.len())),
            // Whoever waits for the end does not wait for digest windows.
            close_digests: Arc::new(AtomicBool::new(matches!(mode, RunMode::UntilIdleOr(_)))),
            pulses: Arc::new(Pulses::new()),
            counters: Counters::new()?,
            send_until: reader.as_ref().map(Reader::send_until),
        };
        std::thread::scope(|scope| {
            let (config, store) = (Arc::new(self.config.clone()), self.store.new_routing_connection()?);
            let for_router = context.clone();
            let router = std::thread::Builder::new()
                .name("router".into())
                .spawn_scoped(scope, move || match fleet {
                    Some(fleet) if fleet.role == FleetRole::Host => {
                        let WorkerContext { system_host, now, pulses, counters, .. } = &for_router;
                        let context = ForwardingContext { system_host, now: *now, pulses, counters };
                        forwarding::run(config, fleet, store, &context, &received)
                    }
                    _ => router::run(config, store, settled_before, &for_router, &received),
                })
                .map_err(|reason| DaemonError::System { what: "start a thread", reason })?;
            let reader = match reader {
                Some(reader) => {
                    let (commands, ended) = (router_commands.clone(), Arc::clone(&context.formatted));
                    Some(FleetReader::start(scope, reader, self.store, self.now, commands, ended)?)
                }
                None => None,
            };
            let tailers = Tailers::start(scope, self.tails, self.store, self.now)?;
            let ended = || match (router.is_finished(), tailers.are_done()) {
                (true, _) => Some(ExitReason::Stopped),
                _ if reader.as_ref().is_some_and(FleetReader::has_ended) => Some(ExitReason::Stopped),
                (false, done) => done.then_some(ExitReason::EndOfInput),
            };
            let Signals { runtime, terminate, interrupt, hang_up } = signals;
            // The loop owns the sender of the router's commands, so the router ends with it.
            let exit = runtime.block_on(async {
                EventLoop::new(&self, mode, router_commands, &context)?
                    .run([terminate, interrupt, hang_up], ended, is_ready)
                    .await
            });
            tailers.stop()?;
            // Once nothing is delivered any more: then another worker may deliver. Before the router, which ends when nobody
            // can send it a command.
            if let Some(reader) = reader {
                reader.stop()?;
            }
            router.join().map_err(|_| DaemonError::Router)??;
            exit
        })
    }

    /// Waits for the lease of a fleet's worker: until then another worker may deliver what is in this store. `None`: it was
    /// stopped before. A service is ready while it waits: there may be another worker for as long as it runs.
    fn wait_for_lease(&self, fleet: Fleet, signals: &mut Signals, is_ready: &mut impl FnMut()) -> Option<Reader> {
        let host = self.config.event_defaults(&self.system_host).host;
        let Signals { runtime, terminate, interrupt, .. } = signals;
        runtime.block_on(async {
            let state = self.store.folder().path();
            let waits = |what: &str| tracing::warn!("waiting to read the events of the fleet: {what}");
            let begin = Reader::begin(fleet, host, state, waits);
            let mut begin = std::pin::pin!(begin);
            let mut alive = tokio::time::interval(ALIVE_INTERVAL);
            let began = Instant::now();
            loop {
                tokio::select! {
                    reader = &mut begin => return Some(reader),
                    _ = terminate.recv() => return None,
                    _ = interrupt.recv() => return None,
                    _ = alive.tick() => {
                        (self.alive)();
                        if began.elapsed() >= READY_TIMEOUT {
                            is_ready();
                        }
                    }
                }
            }
        })
    }
}
