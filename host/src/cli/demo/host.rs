//! A host of the fleet of a demonstration: it has a store and a key of its own, and forwards to the broker as each host does.

use std::path::Path;

use anyhow::Context;

use super::work::{parsed, store_event};
use crate::cli::command_error::CommandError;
use crate::config::Config;
use crate::daemon::ForwardingHost;
use crate::event::{Ban, BanDuration, Event, EventDetails, Timestamp};
use crate::store::{StateDir, Store, WorkLock};

/// A host.
pub(super) struct DemoHost {
    name: String,
    config: Config,
    store: Store,
    running: Option<ForwardingHost>,
    /// Of its state directory.
    _lock: WorkLock,
}

impl DemoHost {
    /// Makes a host that forwards to a broker, with a store in a folder.
    pub(super) fn new(name: &str, folder: &Path, broker: &str, key: &Path) -> Result<Self, CommandError> {
        let config = parsed(&format!(
            "host = {name:?}\n[fleet]\nrole = \"host\"\nservers = [{broker:?}]\nnkey_file = {key:?}\n[fail2ban]\ndatabase = \
             false\n"
        ))?;
        let state = StateDir::new(folder.join(name));
        state.create()?;
        let lock = state.try_work_lock()?.context("the directory of the demonstration is in use")?;
        let store = Store::open_for_work(&state, &lock)?;
        Ok(Self { name: name.to_owned(), config, store, running: None, _lock: lock })
    }

    /// Begins to forward.
    pub(super) fn start(&mut self) -> Result<(), CommandError> {
        let fleet = self.config.fleet.clone().context("a host of a fleet")?;
        self.running = Some(ForwardingHost::start(self.config.clone(), fleet, self.store.new_routing_connection()?)?);
        Ok(())
    }

    /// Reports a ban, as fail2ban's action does.
    pub(super) fn ban(&self, address: &str) -> Result<(), CommandError> {
        let now = Timestamp::now();
        let ban = Ban {
            subject: address.to_owned(),
            failures: Some(5),
            count: Some(1),
            ticket_at: Some(now),
            duration: Some(BanDuration::Seconds(86_400)),
            ..Ban::default()
        };
        let event = Event {
            id: format!("demo-{}", self.name),
            at: now,
            host: self.name.clone(),
            jail: "sshd".to_owned(),
            details: EventDetails::Ban(ban),
            labels: std::collections::BTreeMap::new(),
        };
        store_event(self.store.folder(), event, now)?;
        if let Some(running) = &self.running {
            running.wake();
        }
        Ok(())
    }

    /// Returns how many of its events the broker has.
    pub(super) fn forwarded(&self) -> Result<u64, CommandError> {
        Ok(self.store.ledger()?.forwarded)
    }

    /// Ends it.
    pub(super) fn stop(mut self) -> Result<(), CommandError> {
        self.running.take().map_or(Ok(()), |running| Ok(running.stop()?))
    }
}
