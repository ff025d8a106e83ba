//! The world of a history: the broker's log, the webhooks, the clock, and three workers; and what must hold.

use std::collections::BTreeMap;
use std::time::Duration;

use super::broker_log::{Broker, Written, write};
use super::events::{AT_MOST, ROUTES, STREAM, close, event, format, matched, numbers, place, shard};
use super::step::{Answer, Fate, STAGES, Step};
use super::worker::{Process, Role, TTL, Worker};
use crate::event::Timestamp;
use crate::fleet::owner::{Bug, Owner};
use crate::store::{RoutedTo, SettledBefore, Store, StreamMessage, UnroutedEvent, WebhookState};

/// What histories had in them.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub messages: u64,
    pub owners: u64,
    pub again: u64,
    pub skipped: u64,
    pub killed: u64,
    pub disks_lost: u64,
    pub answers_lost: u64,
    /// Times that an owner was not heard for its lease.
    pub frozen: u64,
    /// Times that an owner gave the shard away.
    pub given_away: u64,
}

impl Totals {
    pub(super) fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.owners += other.owners;
        self.again += other.again;
        self.skipped += other.skipped;
        self.killed += other.killed;
        self.disks_lost += other.disks_lost;
        self.answers_lost += other.answers_lost;
        self.frozen += other.frozen;
        self.given_away += other.given_away;
    }
}

pub(super) struct World {
    broker: Broker,
    workers: [Worker; 3],
    at: Duration,
    suspended: [bool; 2],
    /// Whether workers die within a turn as well, now and then.
    are_mortal: bool,
    bug: Option<Bug>,
    /// All messages, with the routes that match them.
    published: BTreeMap<u64, [bool; 2]>,
    sent: BTreeMap<(u64, usize), u32>,
    /// On the first route, each when it was sent first.
    order: Vec<u64>,
    pub(super) totals: Totals,
}

impl World {
    pub(super) fn new(bug: Option<Bug>) -> Self {
        Self {
            broker: Broker::default(),
            workers: [0, 1, 2].map(Worker::new),
            at: Duration::ZERO,
            suspended: [false; 2],
            are_mortal: true,
            bug,
            published: BTreeMap::new(),
            sent: BTreeMap::new(),
            order: Vec::new(),
            totals: Totals::default(),
        }
    }

    pub(super) fn take(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Publish(routes) => {
                self.broker.last += 1;
                self.broker.stream.insert(self.broker.last, routes);
                self.published.insert(self.broker.last, routes);
                self.totals.messages += 1;
            }
            Step::Pass(ms) => self.at += Duration::from_millis(ms),
            Step::Suspend(webhook, suspended) => self.suspended[webhook] = suspended,
            Step::GiveAway(answer) => self.give_away(answer)?,
            Step::Turn { worker, waits, stages, answer, fate } => {
                if waits {
                    self.turn(worker, (0, 0), Answer::Comes)?;
                    self.at += TTL;
                }
                self.turn(worker, stages, answer)?;
                if fate != Fate::Lives {
                    self.workers[worker].process = None;
                }
                match fate {
                    Fate::Lives => {}
                    Fate::Dies => self.totals.killed += 1,
                    Fate::DiesWithItsDisk => self.totals.disks_lost += 1,
                }
                if fate == Fate::DiesWithItsDisk {
                    self.workers[worker].disk = tempfile::tempdir().unwrap();
                    self.workers[worker].recorded.clear();
                }
            }
        }
        Ok(())
    }

    /// All webhooks take messages again, and one worker is left, whose disk may be empty.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        (self.suspended, self.are_mortal) = ([false; 2], false);
        self.workers[1].process = None;
        self.workers[2].process = None;
        let turns = 10 + self.published.len() * 2;
        for _ in 0..turns {
            self.at += TTL / 4;
            self.turn(0, (0, STAGES), Answer::Comes)?;
        }
        for (sequence, matched) in &self.published {
            for route in (0..2).filter(|route| matched[*route]) {
                if !self.sent.contains_key(&(*sequence, route)) {
                    return Err(format!("message {sequence} was never sent on {}", ROUTES[route]));
                }
            }
        }
        if !self.order.is_sorted() {
            return Err(format!("the order is {:?}", self.order));
        }
        self.totals.again = self.sent.values().map(|times| u64::from(times - 1)).sum();
        let process = self.workers[0].process.as_ref().ok_or("the last worker is not running")?;
        let Role::Owner(owner, _) = &process.role else { return Err("the last worker has no lease".to_owned()) };
        let (ledger, wrong) = (process.store.ledger().unwrap(), process.store.check_ledger().unwrap());
        if !ledger.balances() || !wrong.is_empty() {
            return Err(format!("{ledger:?} {wrong:?}"));
        }
        self.totals.skipped = ledger.routes.values().map(|route| route.skipped).sum();
        let settled = owner.record().settled;
        if settled != self.broker.last {
            return Err(format!("all up to {settled} of {} is settled: {:?}", self.broker.last, owner.record()));
        }
        Ok(())
    }

    /// A worker goes through stages of its work.
    fn turn(&mut self, worker: usize, (from, to): (usize, usize), answer: Answer) -> Result<(), String> {
        let mut process = match self.workers[worker].process.take() {
            Some(process) => process,
            None => self.workers[worker].start(),
        };
        let (mut is_lost, mut answer) = (answer != Answer::Comes, Some(answer));
        for stage in from..=to.min(STAGES) {
            let next = self.work(worker, &mut process, stage, &mut answer)?;
            if is_lost && answer.is_none() {
                (is_lost, self.totals.answers_lost) = (false, self.totals.answers_lost + 1);
            }
            match next {
                AfterStage::GoesOn => {}
                AfterStage::Waits => break,
                AfterStage::Ends => return Ok(()),
            }
        }
        self.workers[worker].process = Some(process);
        Ok(())
    }

    fn work(
        &mut self,
        worker: usize,
        process: &mut Process,
        stage: usize,
        answer: &mut Option<Answer>,
    ) -> Result<AfterStage, String> {
        let Process { store, role, is_unsure, .. } = process;
        if matches!(role, Role::Candidate(_)) {
            let next = self.request(worker, role, answer);
            if matches!(role, Role::Candidate(_)) {
                self.follow(store, stage);
                return Ok(AfterStage::GoesOn);
            }
            return Ok(next);
        }
        let Role::Owner(owner, before) = role else { return Ok(AfterStage::GoesOn) };
        let Some(before) = before else { return Ok(self.heed(store, owner, before)) };
        match stage {
            0..=2 | 13 => return self.record(worker, (store, owner, is_unsure), stage == 13, answer),
            3 | 8 => self.read(store, owner.record().settled),
            4 | 9 => store.route_events_after(&routed(store), before).map(drop).unwrap(),
            5 | 10 => (0..2).for_each(|route| format(store, route)),
            6 => close(store),
            7 | 11 => return self.send(worker, store, owner, false),
            12 => return self.send(worker, store, owner, true),
            _ => {}
        }
        Ok(AfterStage::GoesOn)
    }

    /// A worker receives messages of the stream; all up to one are settled.
    fn read(&self, store: &mut Store, settled: u64) {
        let position = store.stream_position(STREAM).unwrap().map_or(0, |position| position.sequence);
        if position < settled {
            store.begin_stream(STREAM, &place(settled)).unwrap();
        }
        let unread = self.broker.stream.range(position.max(settled) + 1..).take(AT_MOST);
        let messages =
            unread.map(|(at, routes)| StreamMessage { position: place(*at), event: Ok(event(*at, *routes)) });
        store.append_stream(STREAM, messages.collect(), Timestamp(1)).unwrap();
    }

    /// A worker that is not the owner reads and routes all the same, and settles what the owner has settled.
    fn follow(&self, store: &mut Store, stage: usize) {
        let record = self.broker.record.as_ref().map(|(record, _)| record.clone()).unwrap_or_default();
        match stage {
            3 | 8 => self.read(store, record.settled),
            4 | 9 => store.route_events(&routed(store)).unwrap(),
            11 => {
                store.settle_by_record(STREAM, &record.progress).unwrap();
                let here = store.settled_here(STREAM).unwrap();
                store.forget_receipts(STREAM, &here.to_forget).unwrap();
            }
            _ => {}
        }
    }

    /// An owner for whom nobody works any more gives the shard away.
    fn give_away(&mut self, answer: Answer) -> Result<(), String> {
        // Not one that another worker has replaced, and that does not know it yet.
        let worker = self.broker.record.as_ref().map(|(record, _)| record.worker.clone()).unwrap_or_default();
        let is_owner = |process: &Process| match &process.role {
            Role::Owner(owner, Some(_)) => owner.record().worker == worker,
            _ => false,
        };
        let owner = self.workers.iter().position(|worker| worker.process.as_ref().is_some_and(is_owner));
        let Some(worker) = owner else { return Ok(()) };
        let Some(mut process) = self.workers[worker].process.take() else { return Ok(()) };
        let Process { store, role, is_unsure, .. } = &mut process;
        if let Role::Owner(owner, Some(_)) = role {
            owner.resign("");
            let next = self.record(worker, (store, owner, is_unsure), false, &mut Some(answer))?;
            if !matches!(next, AfterStage::GoesOn) {
                // It would try again; here it ends.
                return Ok(());
            }
            self.totals.given_away += 1;
            self.workers[worker].terms += 1;
            *role = Role::Candidate(self.workers[worker].candidate());
        }
        self.workers[worker].process = Some(process);
        Ok(())
    }

    /// A candidate asks for the lease.
    fn request(&mut self, worker: usize, role: &mut Role, answer: &mut Option<Answer>) -> AfterStage {
        let Role::Candidate(candidate) = role else { return AfterStage::GoesOn };
        let Ok(request) = candidate.request(self.broker.record.clone(), (STREAM, &shard()), 0, self.at) else {
            return AfterStage::Waits;
        };
        let lost = answer.take().unwrap_or(Answer::Comes);
        let stored = if lost == Answer::IsLostWithTheRequest { None } else { self.broker.replace(&request) };
        let Some(revision) = stored.filter(|_| lost == Answer::Comes) else {
            // It begins with another name.
            self.workers[worker].terms += 1;
            *role = Role::Candidate(self.workers[worker].candidate());
            return AfterStage::Waits;
        };
        self.totals.owners += 1;
        let is_owner = |process: &Process| matches!(process.role, Role::Owner(..));
        let owners = self.workers.iter().filter(|other| other.process.as_ref().is_some_and(is_owner));
        self.totals.frozen += owners.count() as u64;
        let mut owner = candidate.granted(request, revision, format!("store {worker}"), self.at);
        owner.bug = self.bug;
        *role = Role::Owner(Box::new(owner), None);
        AfterStage::GoesOn
    }

    /// A new owner takes the record's word.
    fn heed(&self, store: &mut Store, owner: &mut Owner, before: &mut Option<SettledBefore>) -> AfterStage {
        let stream = owner.record().stream.clone();
        if owner.has_to_heed() {
            store.settle_by_record(&stream, owner.before()).unwrap();
            if self.dies_within_turn() {
                // It is on disk, and the record does not say so yet.
                return AfterStage::Ends;
            }
        }
        owner.heeded();
        *before = Some(SettledBefore::new(stream, owner.before().clone()));
        AfterStage::GoesOn
    }

    /// An owner writes its record, and has the stream pruned.
    fn record(
        &mut self,
        worker: usize,
        (store, owner, is_unsure): (&mut Store, &mut Owner, &mut bool),
        prunes: bool,
        answer: &mut Option<Answer>,
    ) -> Result<AfterStage, String> {
        let stream = owner.record().stream.clone();
        let here = store.settled_here(&stream).unwrap();
        owner.advance(&here.progress);
        match write(&mut self.broker, owner, is_unsure, answer, self.at) {
            Written::Is => {}
            Written::MayBe => return Ok(AfterStage::Waits),
            Written::IsNot => return Ok(AfterStage::Ends),
        }
        let record = owner.record();
        let is_missing = |(sequence, route): &&(u64, usize)| !record.progress.is_settled(ROUTES[*route], *sequence);
        if self.bug.is_none()
            && let Some((sequence, route)) = self.workers[worker].recorded.iter().find(is_missing)
        {
            return Err(format!("{sequence} is settled on {}, and not by {record:?}", ROUTES[*route]));
        }
        store.forget_receipts(&stream, &here.to_forget).unwrap();
        if prunes {
            self.broker.stream.retain(|sequence, _| *sequence > owner.settled());
        }
        Ok(AfterStage::GoesOn)
    }

    /// An owner sends the next message to each webhook.
    fn send(&mut self, worker: usize, store: &mut Store, owner: &Owner, may_die: bool) -> Result<AfterStage, String> {
        for (webhook, name) in ROUTES.into_iter().enumerate() {
            if self.suspended[webhook] || self.at >= owner.may_send_until() {
                continue;
            }
            let Some(message) = store.next_in_order(name, 0).unwrap() else { continue };
            let state = WebhookState::default();
            assert!(store.begin_attempt(&message, name, &state, Timestamp(1)).unwrap());
            let numbers = numbers(&message.body);
            for number in &numbers {
                self.arrives(*number, webhook)?;
            }
            if may_die && self.dies_within_turn() {
                // Sent, and not recorded.
                return Ok(AfterStage::Ends);
            }
            store.record_accepted(message.id, None, None, name, &state, Timestamp(1)).unwrap();
            self.workers[worker].recorded.extend(numbers.into_iter().map(|number| (number, webhook)));
        }
        Ok(AfterStage::GoesOn)
    }

    /// As it falls out: times are random.
    fn dies_within_turn(&self) -> bool {
        self.are_mortal && self.at.as_millis().is_multiple_of(5)
    }

    /// A webhook gets a message.
    fn arrives(&mut self, number: u64, webhook: usize) -> Result<(), String> {
        let route = ROUTES[webhook];
        if self.broker.said.contains(&(number, webhook)) {
            let record = self.broker.record.as_ref().map(|(record, _)| record);
            return Err(format!("message {number} is sent on {route} although it is settled: {record:?}"));
        }
        let times = self.sent.entry((number, webhook)).or_default();
        *times += 1;
        if *times == 1 && webhook == 0 {
            self.order.push(number);
        }
        Ok(())
    }
}

/// Events that are not routed yet, with their routes.
fn routed(store: &Store) -> Vec<RoutedTo> {
    let routed = |UnroutedEvent { seq, event, .. }| RoutedTo {
        seq,
        ban: None,
        to: matched(&event.unwrap()),
        quarantined: false,
    };
    store.unrouted(AT_MOST).unwrap().into_iter().map(routed).collect()
}

/// How a worker goes on after a step.
enum AfterStage {
    GoesOn,
    Waits,
    /// It dies, or another worker has the lease.
    Ends,
}
