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
    /// Of a host of a fleet: since when the oldest event is here that is not forwarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unforwarded_since: Option<Timestamp>,
    /// How many events it is to forward, those included that it forwards again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_forward: Option<u64>,
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

/// How long a host of a fleet may have an event before somebody should look, in ms.
const FORWARDED_WITHIN_MS: i64 = 5 * 60_000;

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
        let is_fleet_host = config.iter().flatten().any(|config| config.is_fleet_host());
        let (unforwarded_since, to_forward) = match store.filter(|_| is_fleet_host) {
            Some(store) => {
                (store.unrouted(1)?.first().map(|event| event.received_at), Some(store.events_to_forward()?))
            }
            None => (None, None),
        };
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
            unforwarded_since,
            to_forward,
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
        let is_late = |since: &Timestamp| Timestamp::now().0.saturating_sub(since.0) > FORWARDED_WITHIN_MS;
        if self.unforwarded_since.as_ref().is_some_and(is_late) {
            let waiting = counted(self.ledger.unrouted, "event");
            found.push(format!("{waiting} not forwarded to the broker; `banhook fleet status` says why"));
        }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn event_that_is_not_forwarded_for_minutes_needs_attention() {
        let temp = tempfile::tempdir().unwrap();
        let folder = StateDir::new(temp.path().join("state"));
        folder.create().unwrap();
        let lock = folder.try_work_lock().unwrap().unwrap();
        let mut store = Store::open_for_work(&folder, &lock).unwrap();
        let event = crate::event::Event {
            id: "1".to_owned(),
            at: Timestamp(1),
            host: String::new(),
            jail: "sshd".to_owned(),
            details: crate::event::EventDetails::Flush,
            labels: BTreeMap::new(),
        };
        let seed = nkeys::KeyPair::new_user().seed().unwrap();
        let text = format!(
            "[fleet]\nrole = 'host'\nservers = ['nats://127.0.0.1:1']\nnkey = '{seed}'\n[fail2ban]\ndatabase = false\n"
        );
        let read = |store: &Store, text: &str| {
            let config = Config::parse(text, Path::new("/etc/banhook/config.toml"), &|_| None).unwrap();
            StatusReport::read(&folder, Some(store), |_| Some(Ok(Arc::new(config))), false).unwrap().needs_attention
        };
        let now = Timestamp::now();
        store.append_all(std::slice::from_ref(&event), None, now).unwrap();
        assert_eq!(read(&store, &text), [""; 0]);
        let other = crate::event::Event { id: "2".to_owned(), ..event };
        let mut late = Store::open(&StateDir::new(temp.path().join("late"))).unwrap();
        late.append_all(&[other], None, now.plus_ms(-FORWARDED_WITHIN_MS - 1_000)).unwrap();
        assert_eq!((late.events_to_forward().unwrap(), late.last_forwarded().unwrap()), (1, None));
        assert_eq!(late.last_stream_position().unwrap(), None);
        assert_eq!(read(&late, &text), ["1 event not forwarded to the broker; `banhook fleet status` says why"]);
        let alone = "[webhooks.x]\nurl = 'https://hooks.slack.com/services/T0/B0/x'\n";
        assert_eq!(read(&late, alone), [""; 0]);
    }
}
