//! The state of a store, and of what works on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::logs::{LogStatus, logs};
use crate::config::Config;
use crate::event::Timestamp;
use crate::phrase::counted;
use crate::store::{Discrepancy, Ledger, Mute, PluginState, RouteLedger, StateDir, Store, StoreError, WebhookQueue};

/// The state of a store; this is its JSON, with the ledger's fields at the top.
#[derive(Serialize)]
pub(crate) struct StatusReport {
    #[serde(flatten)]
    pub ledger: Ledger,
    pub balances: bool,
    #[serde(skip)]
    pub is_new: bool,
    /// Whether a process routes and delivers at this moment.
    pub running: bool,
    /// What is wrong with the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_error: Option<String>,
    /// By webhook: those of the configuration, and others that have messages left.
    pub webhooks: BTreeMap<String, WebhookQueue>,
    /// By route: the plugin that is active, or was when a process last ran.
    pub plugins: BTreeMap<String, PluginState>,
    /// By log: those of the configuration, and others that a running daemon follows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logs: BTreeMap<String, LogStatus>,
    /// What keeps events in the spool from being received.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spool: Vec<String>,
    /// Of which events no message is wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mutes: Vec<Mute>,
    /// What needs a person.
    pub needs_attention: Vec<String>,
    /// Where the ledger differs from the rows; `None` if they were not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discrepancies: Option<Vec<Discrepancy>>,
    /// The records whose checksum is wrong; `None` if they were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<Vec<String>>,
}

impl StatusReport {
    /// Reads the state of the store, if there is one. `config` returns the configuration, or what is wrong with it; `None`
    /// if there is none. It is asked whether nothing was ever stored. `check`: counts every event, too.
    pub(crate) fn read(
        folder: &StateDir,
        store: Option<&Store>,
        config: impl FnOnce(bool) -> Option<Result<Arc<Config>, String>>,
        check: bool,
    ) -> Result<Self, StoreError> {
        let (mut ledger, mut webhooks, plugins, discrepancies, damaged, (log_states, spool)) =
            if let Some(store) = store {
                let discrepancies = check.then(|| store.check_ledger()).transpose()?;
                let damaged = check.then(|| store.damaged_records()).transpose()?;
                let receiving = (store.logs()?, store.spool_problems()?);
                (store.ledger()?, store.queues(Timestamp::now())?, store.plugins()?, discrepancies, damaged, receiving)
            } else {
                let none = || check.then(Vec::new);
                (
                    Ledger::default(),
                    BTreeMap::new(),
                    BTreeMap::new(),
                    check.then(Vec::new),
                    none(),
                    (Vec::new(), Vec::new()),
                )
            };
        // Where there is neither a store nor a file, nothing is wrong yet.
        let is_new = ledger == Ledger::default();
        let config = config(is_new);
        for config in config.iter().flatten() {
            let configured = config.webhooks.keys().map(|name| (name.clone(), WebhookQueue::default()));
            webhooks = configured.chain(webhooks).collect();
            let routes = config.routes.iter().map(|route| (route.name.clone(), RouteLedger::default()));
            ledger.routes = routes.chain(ledger.routes).collect();
        }
        let running = folder.is_running();
        let sources = config.iter().flatten().flat_map(|config| config.sources.clone()).collect::<Vec<_>>();
        let mut status = Self {
            balances: ledger.balances(),
            is_new,
            ledger,
            running,
            configuration_error: config.and_then(Result::err),
            webhooks,
            plugins,
            logs: logs(&sources, log_states, running),
            spool,
            mutes: store.map(|store| store.mutes(Timestamp::now())).transpose()?.unwrap_or_default(),
            needs_attention: Vec::new(),
            discrepancies,
            damaged,
        };
        status.needs_attention = status.attention();
        Ok(status)
    }

    /// Says what needs a person, each in a few words.
    pub(crate) fn attention(&self) -> Vec<String> {
        let mut found = Vec::new();
        let discrepancies = self.discrepancies.as_ref().map_or(0, Vec::len) as u64;
        if !self.balances || discrepancies > 0 {
            found.push("the ledger does not balance".to_owned());
        }
        let damaged = self.damaged.as_ref().map_or(0, Vec::len) as u64;
        if damaged > 0 {
            found.push(counted(damaged, "damaged record"));
        }
        if self.configuration_error.is_some() {
            found.push("the configuration cannot be loaded".to_owned());
        }
        found.extend(self.spool.iter().cloned());
        for (webhook, queue) in &self.webhooks {
            if queue.suspended_at.is_some() {
                found.push(format!("webhook {webhook} is suspended"));
            }
            if queue.dead > 0 {
                found.push(format!("{} of webhook {webhook}", counted(queue.dead, "dead message")));
            }
        }
        for (log, status) in &self.logs {
            found.extend(status.problem.as_ref().map(|problem| format!("log {log}: {problem}")));
        }
        found
    }
}
