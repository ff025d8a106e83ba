//! The host: its files, its clock, and the process that is killed and started again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use super::chats::Chats;
use super::model::Model;
use super::process::{IDLE_TURN, Process};
use super::setup::{STORM, Setup, WEBHOOKS};
use super::step::{EventKind, Step};
use crate::event::{Ban, Event, EventDetails, Timestamp};
use crate::plugin::{Compiler, Metering, Runtime, Sandbox, Setup as RuntimeSetup, guest};
use crate::store::StateDir;
use banhook_notify::SpooledEvent;

/// The jails of events; the plugin holds and skips by their names.
const JAILS: [&str; 6] = ["sshd", "nginx", "mail", "~hold", "~hold-5", "~skip"];

/// 2026-11-22.
const START: i64 = 1_795_305_600_000;

/// How long everything takes at most once it is repaired: some waits of five minutes, digests, and a queue at its rate.
const REPAIRED_WITHIN_MS: i64 = 4 * 86_400_000;

pub(super) struct Host {
    folder: TempDir,
    setup: Setup,
    now: Timestamp,
    /// None only while it starts.
    process: Option<Process>,
    chats: Chats,
    model: Model,
    events: u32,
    /// The bans of each jail; an unban lifts the last one.
    bans: BTreeMap<&'static str, Vec<u32>>,
}

impl Host {
    pub(super) fn new() -> Self {
        // In memory where that is possible: nothing here is about a power failure.
        let memory = Path::new("/dev/shm");
        let builder = tempfile::Builder::new();
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { builder.tempdir() }.unwrap();
        fs::write(folder.path().join("plugin.wasm"), plugin()).unwrap();
        let mut host = Self {
            folder,
            setup: Setup::new(),
            now: Timestamp(START),
            process: None,
            chats: Chats::default(),
            model: Model::default(),
            events: 0,
            bans: BTreeMap::new(),
        };
        host.start();
        host
    }

    fn start(&mut self) {
        self.process = None;
        self.process = Some(Process::start(self.folder.path(), &self.setup.text(), &runtime(), self.now));
    }

    fn process(&mut self) -> (&mut Process, &mut Chats, Timestamp) {
        (self.process.as_mut().unwrap(), &mut self.chats, self.now)
    }

    /// Takes a step.
    pub(super) fn take(&mut self, step: &Step) {
        let now = self.now;
        match *step {
            Step::Events { count, jail, kind, from_log } => self.report(count, jail, kind, from_log),
            Step::Route => {
                self.process().0.route(now);
                self.model.route(&self.setup);
            }
            Step::Format(route) => self.process().0.format(route, now),
            Step::Deliver(most) => {
                let (process, chats, now) = self.process();
                process.deliver(chats, most.into(), now);
            }
            Step::Pass(seconds) => self.pass(i64::from(seconds) * 1_000),
            Step::SetClock(seconds) => {
                self.now = self.now.plus_ms(i64::from(seconds) * 1_000);
                self.chats.forget_times();
            }
            Step::Crash => self.start(),
            Step::CrashInRequest { accepted } => {
                let (process, chats, now) = self.process();
                process.begin_request(chats, accepted, now);
                self.chats.forget_times();
                self.start();
            }
            Step::Turn(webhook, mood) => self.chats.turn(WEBHOOKS[webhook % WEBHOOKS.len()], mood),
            Step::Configure(change) => {
                self.setup.change(change);
                self.chats.disturb();
                self.chats.detached = true;
                self.configure();
            }
            Step::BreakPlugin(broken) => {
                let content = if broken { b"broken".to_vec() } else { plugin().to_vec() };
                fs::write(self.folder.path().join("plugin.wasm"), content).unwrap();
            }
            Step::Prune => {
                // With its events a message is forgotten that would be changed.
                self.chats.disturb();
                self.chats.detached = true;
                self.process().0.prune(now);
            }
            Step::Retry => {
                self.chats.disturb();
                self.process().0.retry(now);
            }
        }
    }

    fn configure(&mut self) {
        for (name, _) in WEBHOOKS.iter().zip(&self.setup.webhooks).filter(|(_, webhook)| !webhook.exists) {
            self.chats.forget(name);
        }
        let (text, folder) = (self.setup.text(), self.folder.path().to_owned());
        let (process, _, now) = self.process();
        process.configure(&folder, &text, now);
    }

    /// The daemon works while this time goes by.
    fn pass(&mut self, milliseconds: i64) {
        let until = self.now.plus_ms(milliseconds);
        loop {
            let (process, chats, now) = self.process();
            let next = process.work(chats, now);
            self.model.route(&self.setup);
            let idle = self.now.plus_ms(i64::try_from(IDLE_TURN.as_millis()).unwrap());
            let next = next.unwrap_or(idle).min(idle).max(self.now.plus_ms(1));
            if next > until {
                self.now = until;
                return;
            }
            self.now = next;
        }
    }

    fn report(&mut self, count: u8, jail: usize, kind: EventKind, from_log: bool) {
        let mut events = Vec::new();
        for _ in 0..count {
            self.events += 1;
            let (number, jail) = (self.events, JAILS[jail % JAILS.len()]);
            let bans = self.bans.entry(jail).or_default();
            let lifted = match kind {
                EventKind::Unban => bans.pop().map(|lifted| format!("e{lifted}x-")).unwrap_or_default(),
                EventKind::Ban => {
                    bans.push(number);
                    String::new()
                }
                _ => String::new(),
            };
            let ban = |restored| Ban { subject: format!("{lifted}e{number}x"), restored, ..Ban::default() };
            let (jail, details) = match kind {
                EventKind::Ban => (jail.to_owned(), EventDetails::Ban(ban(false))),
                EventKind::Restored => (jail.to_owned(), EventDetails::Ban(ban(true))),
                EventKind::Unban => (jail.to_owned(), EventDetails::Unban(ban(false))),
                EventKind::Start => (format!("sshd-e{number}x"), EventDetails::Start),
                EventKind::Stop => (format!("sshd-e{number}x"), EventDetails::Stop),
                EventKind::Flush => (format!("sshd-e{number}x"), EventDetails::Flush),
            };
            self.model.acknowledge(number, &jail);
            let (id, host) = (format!("event {number}"), "web-1".to_owned());
            events.push(Event { id, at: self.now, host, jail, details, labels: BTreeMap::new() });
        }
        if !matches!(kind, EventKind::Ban) || JAILS[jail % JAILS.len()].starts_with("~hold") || self.events >= STORM {
            self.chats.disturb();
        }
        let (folder, now) = (StateDir::new(self.folder.path().join("state")), self.now);
        if from_log {
            self.process().0.store().append_all(&events, None, now).unwrap();
        } else {
            for event in events {
                let spooled = SpooledEvent { event, received_at: now, restored_is_unknown: false };
                banhook_notify::append(&folder, &spooled).unwrap();
            }
        }
    }

    /// What holds at any time.
    pub(super) fn check(&mut self) {
        let acknowledged = self.model.acknowledged;
        let store = self.process().0.store();
        let ledger = store.ledger().unwrap();
        assert!(ledger.balances(), "{ledger:?}");
        assert_eq!(store.check_ledger().unwrap(), []);
        assert_eq!(ledger.received, acknowledged, "{ledger:?}");
        assert_eq!(ledger.quarantined, 0, "{ledger:?}");
    }

    /// Chats, plugin and configuration are right again, dead messages are retried, and there is time.
    pub(super) fn repair_and_finish(&mut self) {
        self.chats.turn_all_good();
        self.take(&Step::BreakPlugin(false));
        self.take(&Step::Route);
        self.setup.restore();
        self.configure();
        let until = self.now.plus_ms(REPAIRED_WITHIN_MS);
        while self.now < until {
            self.take(&Step::Retry);
            self.pass(3_600_000);
            self.check();
            let ledger = self.process().0.store().ledger().unwrap();
            if ledger.unrouted == 0 && ledger.routes.values().all(|route| route.pending + route.dead == 0) {
                return;
            }
        }
        let ledger = self.process().0.store().ledger().unwrap();
        panic!("something is still pending: {ledger:?}");
    }

    /// How many events there were, and how many messages and changes of messages arrived.
    pub(super) fn counts(&self) -> (u32, usize, usize) {
        let changes = self.chats.arrived.iter().filter(|arrived| arrived.changes.is_some()).count();
        (self.events, self.chats.arrived.len() - changes, changes)
    }

    /// What holds in the end.
    pub(super) fn check_all_arrived(&mut self) {
        let ledger = self.process().0.store().ledger().unwrap();
        let counts = |route: &str| ledger.routes.get(route).map_or((0, 0), |route| (route.matched, route.skipped));
        self.model.check(&self.chats.arrived, self.chats.detached, counts);
    }
}

fn plugin() -> &'static [u8] {
    static PLUGIN: OnceLock<Vec<u8>> = OnceLock::new();
    PLUGIN.get_or_init(guest::digests)
}

fn runtime() -> Arc<Runtime> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    let new = || {
        let sandbox = Sandbox::STANDARD;
        let setup = RuntimeSetup { cache: None, compiler: Compiler::Here, metering: Metering::Fuel, sandbox };
        Arc::new(Runtime::new(setup).unwrap())
    };
    Arc::clone(RUNTIME.get_or_init(new))
}
