//! One run of a daemon: the threads that route, format and read logs, around the event loop that delivers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc;

use tokio::sync::{Notify, watch};

use super::daemon::{Daemon, ExitReason, RunMode};
use super::descriptors::StoreSlots;
use super::error::DaemonError;
use super::event_loop::EventLoop;
use super::fleet_part::FleetPart;
use super::fleet_reader::FleetReader;
use super::forwarding::{self, ForwardingContext};
use super::pulse::Pulses;
use super::route_worker::WorkerContext;
use super::router;
use super::signals::Signals;
use super::tailers::Tailers;
use crate::config::{Fleet, FleetRole};
use crate::counters::Counters;
use crate::fleet::{Reader, Shards};

/// Bytes of stack that a thread has for itself, as Rust's default is.
const OWN_STACK: usize = 2 << 20;

impl Daemon<'_> {
    /// Routes, formats and delivers until the end. `ready` is called once the plugins are loaded, without waiting for those
    /// that take long to compile.
    ///
    /// # Errors
    /// When the store or the system fails; nothing that was stored is lost.
    pub(crate) fn run(
        self,
        signals: &mut Signals,
        mode: RunMode,
        ready: impl FnOnce(),
    ) -> Result<ExitReason, DaemonError> {
        let fleet = self.config.fleet.clone();
        let reader = fleet.clone().filter(|fleet| fleet.role == FleetRole::Worker).map(|fleet| self.reader(fleet));
        let (reader, part): (Option<Reader>, Option<FleetPart>) = reader.unzip();
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
            part,
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
                    _ => router::run(config, store, &for_router, &received),
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
                    .run([terminate, interrupt, hang_up], ended, ready)
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

    /// Returns the reader of a fleet's worker, and what the others need of it.
    fn reader(&self, fleet: Fleet) -> (Reader, FleetPart) {
        let host = self.config.event_defaults(&self.system_host).host;
        let (shards, configured) = watch::channel(Shards::of(&self.config));
        let reader = Reader::new(fleet, host, self.store.folder().path(), configured);
        let part = FleetPart::new(shards, &reader);
        (reader, part)
    }
}
