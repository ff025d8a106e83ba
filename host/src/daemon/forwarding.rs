//! The forwarding thread of a host of a fleet, in the place of the router: it receives what `notify` has left in the spool,
//! enriches bans, and forwards all to the broker.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::error::DaemonError;
use super::pulse::Pulses;
use super::router::{POLL_INTERVAL, Pruner, RouterCommand, SpoolProblems};
use crate::config::{Config, Fleet};
use crate::counters::{BrokerGauges, Counters, ForwardingGauges, Refusal};
use crate::event::{EventDefaults, Timestamp};
use crate::fleet::{BATCH, Forwarder, ForwardingNews};
use crate::route::{self, Enricher};
use crate::store::{Received, Store};

/// How often an event is tried again that waits for fail2ban's database.
const ENRICHMENT_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What the thread works with.
pub(super) struct ForwardingContext<'c> {
    pub system_host: &'c str,
    pub now: fn() -> Timestamp,
    pub pulses: &'c Pulses,
    pub counters: &'c Counters,
}

/// Forwards events until the other end of `commands` is dropped.
pub(super) fn run(
    config: Arc<Config>,
    fleet: Fleet,
    mut store: Store,
    context: &ForwardingContext<'_>,
    commands: &Receiver<RouterCommand>,
) -> Result<(), DaemonError> {
    let pulse = context.pulses.add();
    let mut forwarding = Forwarding::new(config, fleet, &store, context)?;
    loop {
        pulse.step();
        loop {
            match commands.try_recv() {
                Ok(command) => forwarding.follow(command, context),
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => break,
            }
        }
        let wait = forwarding.advance(&mut store, context)?;
        forwarding.count((context.now)());
        store.wal_checkpoint_if_long()?;
        let Some(wait) = wait else { continue };
        if forwarding.pruner.step(&forwarding.config, (context.now)())? {
            continue;
        }
        pulse.wait();
        match commands.recv_timeout(wait) {
            Ok(command) => forwarding.follow(command, context),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

struct Forwarding {
    config: Arc<Config>,
    defaults: EventDefaults,
    enricher: Enricher,
    forwarder: Forwarder,
    problems: SpoolProblems,
    pruner: Pruner,
    broker: BrokerGauges,
    counted: ForwardingGauges,
}

impl Forwarding {
    fn new(
        config: Arc<Config>,
        fleet: Fleet,
        store: &Store,
        context: &ForwardingContext<'_>,
    ) -> Result<Self, DaemonError> {
        let defaults = config.event_defaults(context.system_host);
        let forwarder = Forwarder::new(fleet, defaults.host.clone())
            .map_err(|reason| DaemonError::System { what: "set up the connection to the broker", reason })?;
        Ok(Self {
            enricher: Enricher::new(config.fail2ban.database.clone(), config.fail2ban.configured),
            pruner: Pruner::new(store)?,
            problems: SpoolProblems::default(),
            broker: context.counters.of_broker()?,
            counted: context.counters.of_forwarding()?,
            defaults,
            forwarder,
            config,
        })
    }

    /// Counts what has happened.
    fn count(&mut self, now: Timestamp) {
        for news in self.forwarder.news() {
            match news {
                ForwardingNews::Connected(version) => self.broker.set(Some(&version)),
                ForwardingNews::Disconnected => self.broker.set(None),
                ForwardingNews::Acknowledged => {
                    let since = Duration::from_millis(now.0.try_into().unwrap_or_default());
                    self.counted.acknowledged(since.as_secs_f64());
                }
                ForwardingNews::Again(events) => self.counted.again(events),
                ForwardingNews::HostFull => self.counted.refused(Refusal::HostFull),
                ForwardingNews::StreamFull => self.counted.refused(Refusal::StreamFull),
                ForwardingNews::Refused => self.counted.refused(Refusal::Other),
            }
        }
    }

    /// The fleet and the name of this host stay: another one ends the daemon's run.
    fn follow(&mut self, command: RouterCommand, context: &ForwardingContext<'_>) {
        if let RouterCommand::Reconfigure(config) = command {
            if config.fail2ban != self.config.fail2ban {
                self.enricher = Enricher::new(config.fail2ban.database.clone(), config.fail2ban.configured);
            }
            self.defaults = config.event_defaults(context.system_host);
            self.config = config;
        }
    }

    /// Receives, and forwards one batch. Returns how long there is nothing to do; `None`: there may be more.
    fn advance(&mut self, store: &mut Store, context: &ForwardingContext<'_>) -> Result<Option<Duration>, DaemonError> {
        let now = (context.now)();
        let Received { records, problems } = store.receive(now)?;
        self.problems.report(problems);
        // Before it is asked what is next: the broker may have lost what it acknowledged, which comes first then. Even with
        // nothing to forward.
        let is_prepared = self.forwarder.prepare(store, now)?;
        let mut events = store.to_forward(BATCH)?;
        let is_waiting = route::enrich(&mut self.enricher, store, &mut events, &self.defaults, now)?;
        if events.is_empty() {
            let wait = if is_waiting { ENRICHMENT_POLL_INTERVAL } else { POLL_INTERVAL };
            return Ok((records == 0).then_some(wait));
        }
        if !is_prepared {
            return Ok(Some(self.forwarder.pause().unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL)));
        }
        for unrouted in &mut events {
            if let Ok(event) = &mut unrouted.event {
                *event = self.defaults.apply(event.clone());
            }
        }
        self.forwarder.forward(store, events)?;
        Ok(self.forwarder.pause().map(|pause| pause.min(POLL_INTERVAL)))
    }
}
