//! A route with its store and a clock that is handed in, for tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::{Config, Route};
use crate::event::{Ban, Event, EventDefaults, EventDetails, Timestamp};
use crate::format::*;
use crate::message::Reference;
use crate::plugin::{Compiler, Metering, Runtime, Setup};
use crate::route::route_events;
use crate::store::{OutboundMessage, StateDir, Store, WebhookState};

/// One route, `sec`, with its store.
pub(super) struct RouteFixture {
    pub(super) live: LoadedRoute,
    pub(super) defaults: EventDefaults,
    pub(super) routes: Vec<Route>,
    pub(super) store: Store,
    pub(super) inbox: Store,
    /// ms.
    pub(super) now: i64,
    pub(super) count: usize,
    _temp: tempfile::TempDir,
}

/// A message that was sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) id: i64,
    pub(super) changes: Option<i64>,
    /// As a person reads it.
    pub(super) text: String,
}

impl RouteFixture {
    /// With these lines in its table.
    pub(super) fn new(lines: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let folder = StateDir::new(temp.path().join("state"));
        folder.create().unwrap();
        let lock = folder.try_work_lock().unwrap().unwrap();
        let store = Store::open_for_work(&folder, &lock).unwrap();
        let (routes, defaults, live) = load(&folder, lines);
        assert_eq!(live.faults().count(), 0);
        let inbox = store.new_connection().unwrap();
        Self { live, defaults, routes, store, inbox, now: 1_000_000, count: 0, _temp: temp }
    }

    pub(super) fn happens(&mut self, jail: &str, details: EventDetails) {
        self.happens_on("", jail, details);
    }

    pub(super) fn happens_on(&mut self, host: &str, jail: &str, details: EventDetails) {
        self.count += 1;
        let (id, host, jail) = (self.count.to_string(), host.to_owned(), jail.to_owned());
        let event = Event { id, at: Timestamp(self.now), host, jail, details, labels: BTreeMap::new() };
        self.inbox.append_all(&[event], None, Timestamp(self.now)).unwrap();
    }

    pub(super) fn bans(&mut self, count: usize) {
        for _ in 0..count {
            let subject = format!("203.0.113.{}", self.count % 250);
            self.happens("sshd", EventDetails::Ban(Ban { subject, failures: Some(5), ..Ban::default() }));
        }
    }

    /// Works off what there is, then lets so much time pass.
    pub(super) fn pass(&mut self, seconds: i64) {
        self.work(false);
        self.now += seconds * 1_000;
        self.work(false);
    }

    pub(super) fn work(&mut self, close_all: bool) {
        while route_events(&self.routes, &self.defaults, &mut self.store, None, Timestamp(self.now)).unwrap().events > 0
        {
        }
        while self.live.advance(&mut self.store, Timestamp(self.now), close_all, || false).unwrap() > 0 {}
        assert!(self.store.ledger().unwrap().balances());
        assert_eq!(self.store.check_ledger().unwrap(), []);
    }

    /// What is ready to be sent; it is sent.
    pub(super) fn sent(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(message) = self.store.next_in_order("main", 0).unwrap() {
            self.accept("main", &message);
            sent.push(text_of(&message));
        }
        sent
    }

    /// What is ready to be sent to the route's webhook, with what changes messages; it is sent.
    pub(super) fn sent_with_changes(&mut self) -> Vec<Sent> {
        let webhook = self.live.route.webhook.clone();
        let mut sent = Vec::new();
        loop {
            let next = self.store.next_in_order(&webhook, 0).unwrap();
            let Some(message) = next.or_else(|| self.store.next_change(&webhook).unwrap()) else { return sent };
            self.accept(&webhook, &message);
            let body = serde_json::from_str(&message.body).unwrap();
            // What is not in blocks is text.
            let text = message.body.contains("\"blocks\"").then(|| blockkit::to_terminal(&body, false));
            sent.push(Sent {
                id: message.id,
                changes: message.changes,
                text: text.unwrap_or_else(|| body.to_string()),
            });
        }
    }

    fn accept(&mut self, webhook: &str, message: &OutboundMessage) {
        let (state, now) = (WebhookState::default(), Timestamp(self.now));
        let id = message.id.to_string();
        let reference = Reference { channel: "C1".to_owned(), id, of: String::new(), thread: None };
        assert!(self.store.begin_attempt(message, webhook, &state, now).unwrap());
        self.store.record_accepted(message.id, Some(&reference), None, webhook, &state, now).unwrap();
    }

    /// Posted, digested, pending.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let route = self.store.ledger().unwrap().routes["sec"];
        (route.posted, route.digested, route.pending)
    }
}

/// Loads a configuration with one route that has these lines.
pub(super) fn load(folder: &StateDir, lines: &str) -> (Vec<Route>, EventDefaults, LoadedRoute) {
    let text = format!("webhooks.main.url = 'http://127.0.0.1:1/'\n[[routes]]\nname = 'sec'\n{lines}\n");
    let config = Config::parse(&text, Path::new("/config.toml"), &|_| None).unwrap();
    let setup = Setup { cache: None, compiler: Compiler::Here, metering: Metering::Fuel, sandbox: config.sandbox };
    let defaults = config.event_defaults("web-1");
    let context = RouteContext {
        defaults: defaults.clone(),
        profiles: profiles(&config),
        runtime: Arc::new(Runtime::new(setup).unwrap()),
        state: Some(folder.clone()),
    };
    let live = load_all(&config, &context).remove(0);
    (config.routes, defaults, live)
}

fn text_of(message: &OutboundMessage) -> String {
    serde_json::from_str::<serde_json::Value>(&message.body).unwrap().to_string()
}

pub(super) fn banned(subject: &str, restored: bool) -> Ban {
    Ban { subject: subject.into(), restored, failures: Some(3), ..Ban::default() }
}
