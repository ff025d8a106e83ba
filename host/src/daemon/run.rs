//! One run of a daemon: the threads that route, format and read logs, around the event loop that delivers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc;

use tokio::sync::Notify;

use super::daemon::{Daemon, ExitReason, RunMode};
use super::descriptors::StoreSlots;
use super::error::DaemonError;
use super::event_loop::EventLoop;
use super::pulse::Pulses;
use super::route_worker::WorkerContext;
use super::router;
use super::signals::Signals;
use super::tailers::Tailers;
use crate::counters::Counters;

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
        };
        std::thread::scope(|scope| {
            let (config, store) = (Arc::new(self.config.clone()), self.store.new_routing_connection()?);
            let for_router = context.clone();
            let router = std::thread::Builder::new()
                .name("router".into())
                .spawn_scoped(scope, move || router::run(config, store, &for_router, &received))
                .map_err(|reason| DaemonError::System { what: "start a thread", reason })?;
            let tailers = Tailers::start(scope, self.tails, self.store, self.now)?;
            let ended = || match (router.is_finished(), tailers.are_done()) {
                (true, _) => Some(ExitReason::Stopped),
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
            router.join().map_err(|_| DaemonError::Router)??;
            exit
        })
    }
}
