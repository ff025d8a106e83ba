//! The part of a fleet's work that this worker has: it keeps the leases of its shards, follows what other workers settle on the
//! rest, takes shards that nobody has, and gives away those that another worker should have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::announcement::Announcement;
use super::balance;
use super::broker::Broker;
use super::broker_error::BrokerError;
use super::lease::{Lease, RenewError};
use super::others::Others;
use super::owner::{Candidate, Wait};
use super::record::Record;
use super::shards::{Shard, Shards};
use super::streams;
use super::subjects::{STATE, host_token, worker_subject};
use super::term::{Term, Terms};
use crate::config::Fleet;
use crate::message::one_line;
use crate::store::{Store, StoreError, StreamProgress};

/// How often it is recorded what is settled: what is not, another worker sends again.
pub(super) const RECORD_INTERVAL: Duration = Duration::from_millis(250);

/// How often it is looked what other workers do, at most; and how often in a lease, at least.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);
const FOLLOWS: u32 = 10;

/// The store is looked at less often where much is pending: between two looks is so many times the time that one takes.
const LOOK_SHARE: u32 = 20;

/// Why a step failed.
pub(super) enum ShareError {
    Broker(BrokerError),
    Store(StoreError),
}

impl From<BrokerError> for ShareError {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl From<StoreError> for ShareError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A shard that is this worker's.
struct Owned {
    lease: Lease,
    term: Arc<Term>,
    since: Instant,
    renewed_at: Instant,
    /// To whom it is given away, once nobody works for it here: a token, or nothing.
    given_to: Option<String>,
}

/// A worker's part of the work.
pub(super) struct Share {
    fleet: Fleet,
    /// What this worker says of itself.
    own: Announcement,
    /// The name of its store: the same after a restart, and another one on another host or in another directory.
    store_name: String,
    began: Instant,
    configured: watch::Receiver<Shards>,
    shards: Shards,
    owned: BTreeMap<String, Owned>,
    /// Shards that are not this worker's any more, and for which somebody works here yet.
    ending: Vec<(String, Arc<Term>)>,
    candidates: BTreeMap<String, Candidate>,
    others: Others,
    stream: String,
    terms: watch::Sender<Terms>,
    /// Until when the first shard is this worker's.
    first_until: watch::Sender<Instant>,
    look_at: Instant,
    follow_at: Instant,
    settle_at: Instant,
    announced_at: Option<Instant>,
    /// Since when it is connected; `None`: it has not read yet what the stream had then.
    ready_since: Option<Instant>,
    /// What was logged of each shard.
    said: BTreeMap<String, String>,
    /// Shards of which it is known once what other workers had settled.
    caught_up: BTreeSet<String>,
}

impl Share {
    /// Has no shard yet. `state`: where this worker's store is.
    pub(super) fn new(fleet: Fleet, host: String, state: &Path, configured: watch::Receiver<Shards>) -> Self {
        let place = crc32fast::hash(state.as_os_str().as_encoded_bytes());
        let now = Instant::now();
        let shards = configured.borrow().clone();
        let own = Announcement {
            token: format!("{}-{place:08x}", host_token(&host)),
            process: format!("{host} {}", Uuid::now_v7()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lease_ms: u64::try_from(fleet.lease.as_millis()).unwrap_or(u64::MAX),
            ..Announcement::default()
        };
        Self {
            others: Others::new(own.token.clone(), fleet.lease),
            store_name: format!("{host} {place:08x}"),
            own: Announcement { name: host, ..own },
            fleet,
            began: now,
            shards,
            configured,
            owned: BTreeMap::new(),
            ending: Vec::new(),
            candidates: BTreeMap::new(),
            stream: String::new(),
            terms: watch::Sender::new(Terms::new()),
            first_until: watch::Sender::new(now),
            look_at: now,
            follow_at: now,
            settle_at: now,
            announced_at: None,
            ready_since: None,
            said: BTreeMap::new(),
            caught_up: BTreeSet::new(),
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.own.name
    }

    pub(super) fn terms(&self) -> watch::Receiver<Terms> {
        self.terms.subscribe()
    }

    pub(super) fn first_until(&self) -> watch::Receiver<Instant> {
        self.first_until.subscribe()
    }

    /// Whether the first shard is this worker's, which then also does what is to be done once in a fleet.
    pub(super) fn has_first(&self) -> bool {
        self.shards.first().is_some_and(|first| self.owned.get(first).is_some_and(|owned| owned.given_to.is_none()))
    }

    /// Whether another worker is alive.
    pub(super) fn has_others(&self) -> bool {
        self.others.alive().next().is_some()
    }

    /// Up to where all is settled by the records of this worker's shards of this stream.
    pub(super) fn settled(&self, stream: &str) -> u64 {
        let of_stream = self.owned.values().filter(|owned| owned.lease.owner.record().stream == stream);
        of_stream.map(|owned| owned.lease.owner.settled()).max().unwrap_or_default()
    }

    /// Begins with a connection: looks whose the shards are, and goes on with the stream of this id. Returns up to where all is
    /// settled on the shards that are configured here.
    pub(super) async fn connect(&mut self, broker: &Broker, stream: &str) -> Result<u64, ShareError> {
        self.ready_since = None;
        stream.clone_into(&mut self.stream);
        self.candidates.clear();
        self.others.forget();
        let confirmed = join_all(self.owned.iter_mut().map(async |(shard, owned)| {
            let confirmed = owned.lease.confirm(broker).await;
            if owned.lease.owner.record().stream != stream {
                owned.lease.owner.begin_stream(stream);
            }
            (shard.clone(), confirmed)
        }));
        for (shard, confirmed) in confirmed.await {
            self.note(&shard, confirmed)?;
        }
        self.find(broker).await?;
        Ok(self.shards.iter().map(|(shard, _)| self.settled_on(shard)).min().unwrap_or_default())
    }

    /// Notes that all is received that the stream had when this connection began.
    pub(super) fn is_caught_up(&mut self) {
        self.ready_since.get_or_insert_with(Instant::now);
    }

    /// Up to where all is settled on a shard, by the record that the broker has.
    fn settled_on(&self, shard: &str) -> u64 {
        let owned = self.owned.get(shard).map(|owned| owned.lease.owner.settled());
        owned.unwrap_or_else(|| self.others.settled_on(shard, &self.stream))
    }

    /// Up to where all is settled on all shards: those that are configured here, and those of other workers.
    pub(super) fn floor(&self) -> u64 {
        let mut shards: BTreeSet<&str> = self.shards.iter().map(|(shard, _)| shard.as_str()).collect();
        shards.extend(self.owned.keys().map(String::as_str));
        let of_stream: BTreeSet<_> = self.others.records(&self.stream).map(|(shard, _)| shard.as_str()).collect();
        shards.extend(self.others.kept().filter(|shard| of_stream.contains(shard)));
        shards.into_iter().map(|shard| self.settled_on(shard)).min().unwrap_or_default()
    }

    /// Does what is due. `changed` is called when shards have become this worker's, or are no longer.
    pub(super) async fn tend(
        &mut self,
        store: &mut Store,
        broker: &Broker,
        changed: &impl Fn(),
    ) -> Result<(), ShareError> {
        self.configure();
        let to_forget = if Instant::now() >= self.look_at { self.look(store)? } else { Vec::new() };
        self.give_away(store)?;
        self.renew(broker).await?;
        store.forget_receipts(&self.stream, &to_forget)?;
        if Instant::now() >= self.follow_at {
            self.follow_at = Instant::now() + (self.fleet.lease / FOLLOWS).min(FOLLOW_INTERVAL);
            self.find(broker).await?;
            self.settle(store)?;
            self.apply(broker).await?;
            self.balance();
        }
        self.announce(broker).await?;
        self.publish(changed);
        Ok(())
    }

    /// Gives all shards away, so that no worker needs to wait, and says that this one is no longer there.
    pub(super) async fn end(&mut self, store: &Store, broker: &Broker) -> Result<(), ShareError> {
        self.look(store)?;
        for owned in self.owned.values_mut() {
            let next = owned.given_to.as_deref().filter(|next| *next != self.own.token);
            owned.lease.owner.resign(next.unwrap_or_default());
        }
        let given = join_all(self.owned.values_mut().map(|owned| owned.lease.renew(broker))).await;
        for error in given.into_iter().filter_map(Result::err) {
            tracing::debug!("a lease was not given back: {error:?}");
        }
        Ok(streams::forget(broker, STATE, &worker_subject(&self.own.token)).await?)
    }

    /// Follows another configuration.
    fn configure(&mut self) {
        if !self.configured.has_changed().unwrap_or_default() {
            return;
        }
        self.shards = self.configured.borrow_and_update().clone();
        self.announced_at = None;
        for (name, owned) in &mut self.owned {
            let of_term = &owned.term.shard;
            match self.shards.get(name) {
                Some(shard) if shard.webhooks == of_term.webhooks && shard.routes == of_term.routes => {
                    owned.lease.owner.configure(shard);
                }
                // What has come to it may be another worker's until now.
                Some(_) => drop(owned.given_to.get_or_insert_with(|| self.own.token.clone())),
                None => drop(owned.given_to.get_or_insert_default()),
            }
        }
        self.candidates.retain(|name, _| self.shards.get(name).is_some());
    }

    /// Looks what is settled. Returns the messages whose receipts are to be forgotten once that is recorded.
    fn look(&mut self, store: &Store) -> Result<Vec<u64>, StoreError> {
        let began = Instant::now();
        let begun: Vec<_> =
            self.owned.iter().filter(|(_, owned)| owned.term.has_begun()).map(|(name, _)| name.clone()).collect();
        let here = store.settled_here(&self.stream)?;
        let mut of_removed = BTreeMap::new();
        for route in here.progress.routes.keys().filter(|route| self.shards.of_route(route).is_none()) {
            let webhook = store.webhook_of_pending(route)?;
            of_removed.insert(route.as_str(), webhook.and_then(|webhook| self.shards.of_webhook(&webhook)));
        }
        for name in begun {
            let Some(owned) = self.owned.get_mut(&name) else { continue };
            owned.lease.owner.heeded();
            let term = Arc::clone(&owned.term);
            let is_one = |route: &str| match self.shards.of_route(route) {
                // Also if it is in another shard from now on, which begins with what this one says.
                _ if term.shard.routes.contains(route) => true,
                Some(_) => false,
                // What is settled of it is for whomever it concerns.
                None => of_removed.get(route).copied().flatten().is_none_or(|shard| shard == name),
            };
            owned.lease.owner.advance(&here.progress.on_routes(is_one));
        }
        self.look_at = Instant::now() + (began.elapsed() * LOOK_SHARE).max(RECORD_INTERVAL / 2);
        // What is to be recorded before is not settled yet.
        let all_begun = self.owned.values().all(|owned| owned.term.has_begun());
        Ok(if all_begun { here.to_forget } else { Vec::new() })
    }

    /// Has the record say that it is free, of each shard that is given away and for which nobody works here any more.
    fn give_away(&mut self, store: &Store) -> Result<(), StoreError> {
        self.ending.retain(|(_, term)| Arc::strong_count(term) > 1);
        let is_ready = |owned: &Owned| owned.given_to.is_some() && Arc::strong_count(&owned.term) == 1;
        let ready: Vec<_> =
            self.owned.iter().filter(|(_, owned)| is_ready(owned)).map(|(name, _)| name.clone()).collect();
        if ready.is_empty() {
            return Ok(());
        }
        self.look(store)?;
        for (_, owned) in self.owned.iter_mut().filter(|(name, _)| ready.contains(name)) {
            owned.lease.owner.resign(owned.given_to.as_deref().unwrap_or_default());
        }
        Ok(())
    }

    /// Renews the leases with what is settled.
    async fn renew(&mut self, broker: &Broker) -> Result<(), ShareError> {
        let quarter = self.fleet.lease / 4;
        let is_due = |owned: &Owned| !owned.lease.owner.is_written() || owned.renewed_at.elapsed() >= quarter;
        let due = self.owned.iter_mut().filter(|(_, owned)| is_due(owned));
        let renewed = join_all(due.map(async |(name, owned)| {
            let began = Instant::now();
            let renewed = owned.lease.renew(broker).await;
            if renewed.is_ok() {
                owned.renewed_at = began;
            }
            (name.clone(), renewed)
        }));
        for (name, renewed) in renewed.await {
            self.note(&name, renewed)?;
        }
        let is_free = |owned: &Owned| owned.lease.owner.record().worker.is_empty();
        let free: Vec<_> =
            self.owned.iter().filter(|(_, owned)| is_free(owned)).map(|(name, _)| name.clone()).collect();
        for name in free {
            self.owned.remove(&name);
            tracing::info!(shard = name, "this worker has given its lease away");
        }
        Ok(())
    }

    /// Notes what came of a write for a shard.
    fn note(&mut self, shard: &str, result: Result<(), RenewError>) -> Result<(), BrokerError> {
        match result {
            Ok(()) => Ok(()),
            Err(RenewError::Broker(error)) => Err(error),
            Err(RenewError::Lost(lost)) => {
                if let Some(owned) = self.owned.remove(shard) {
                    tracing::error!(shard, "{}", one_line(&lost.to_string()));
                    self.ending.push((shard.to_owned(), owned.term));
                }
                Ok(())
            }
        }
    }

    /// Finds what other workers do.
    async fn find(&mut self, broker: &Broker) -> Result<(), BrokerError> {
        self.others.find(broker, |shard| self.owned.contains_key(shard)).await?;
        self.others.name_differing(&self.shards);
        if self.has_first() { self.others.forget_silent(broker).await } else { Ok(()) }
    }

    /// Settles here what other workers have settled on their shards.
    fn settle(&mut self, store: &mut Store) -> Result<(), StoreError> {
        if Instant::now() < self.settle_at {
            return Ok(());
        }
        let began = Instant::now();
        let mut settled = StreamProgress::default();
        let is_own = |route: &str| self.owned.values().any(|owned| owned.term.shard.routes.contains(route));
        let mut caught_up = Vec::new();
        for (shard, record) in self.others.records(&self.stream) {
            let is_theirs = |route: &str| !is_own(route) && !self.is_ending(route);
            settled.add_routes(&record.progress.on_routes(is_theirs));
            caught_up.push(shard.clone());
        }
        if !settled.routes.is_empty() {
            let count = store.settle_by_record(&self.stream, &settled)?;
            if count > 0 && caught_up.iter().any(|shard| !self.caught_up.contains(shard)) {
                tracing::info!(
                    settled = count,
                    "another worker has settled what was pending here; it is not sent again"
                );
            }
            self.caught_up.extend(caught_up);
        }
        self.settle_at = Instant::now() + began.elapsed() * LOOK_SHARE;
        Ok(())
    }

    /// Whether somebody here has a message of a route in hand that is not this worker's any more.
    fn is_ending(&self, route: &str) -> bool {
        self.ending.iter().any(|(_, term)| term.shard.routes.contains(route))
    }

    /// Takes shards that nobody has and that this worker is to have.
    async fn apply(&mut self, broker: &Broker) -> Result<(), BrokerError> {
        let shards = self.shards.clone();
        for (name, shard) in shards.iter() {
            if self.owned.contains_key(name) || self.ending.iter().any(|(ending, _)| ending == name) {
                continue;
            }
            let overlapped = self.overlapped(name, &shards);
            let found = self.others.record(name).map(|(record, revision)| (record.clone(), revision));
            let (at, rank) = (self.began.elapsed(), self.rank(name, found.as_ref().map(|(record, _)| record)));
            let lease = self.fleet.lease;
            let candidate = self.candidates.entry(name.clone()).or_insert_with(|| {
                let worker = format!("{} {}", self.own.process, Uuid::now_v7());
                Candidate::new(worker, self.own.token.clone(), lease)
            });
            let request = candidate.request(found, (&self.stream, shard), rank, at);
            let request = match (overlapped, request) {
                (Some(worker), _) => Err(Wait::For(worker)),
                (None, request) => request,
            };
            match request {
                Ok(request) => {
                    // If there is no answer, it may be the owner, and begins with another name.
                    let Some(candidate) = self.candidates.remove(name) else { continue };
                    let taken = Lease::take(broker, name, (&candidate, request, &self.store_name), self.began).await?;
                    let Some(lease) = taken else { continue };
                    // Two workers may take shards that overlap at the same moment: whoever is later sees the other one.
                    self.others.find(broker, |other| other == name || self.owned.contains_key(other)).await?;
                    match self.overlapped(name, &shards) {
                        Some(worker) => self.return_lease(broker, (name, &worker), lease).await,
                        None => self.own_shard((name, shard), lease),
                    }
                }
                Err(Wait::For(worker)) => self.say(name, &worker),
                Err(Wait::ForTurn) => {}
            }
        }
        Ok(())
    }

    /// Gives a lease back of which nothing has been done, since the shard overlaps that of another worker.
    async fn return_lease(&mut self, broker: &Broker, (name, worker): (&str, &str), mut lease: Lease) {
        lease.owner.resign("");
        if let Err(error) = lease.renew(broker).await {
            tracing::debug!(shard = name, "a lease was not given back: {error:?}");
        }
        self.say(name, worker);
    }

    /// Returns who works on another shard that has webhooks or routes of this one: a worker has another configuration, or this
    /// one had until now.
    fn overlapped(&self, name: &str, shards: &Shards) -> Option<String> {
        let shard = shards.get(name)?;
        let own = self.owned.iter().map(|(other, owned)| (other, owned.lease.owner.record()));
        let mut others = self.others.worked().chain(own).filter(|(other, _)| *other != name);
        let (_, record) = others.find(|(_, record)| shard.overlaps(&record.webhooks, &record.of_routes))?;
        Some(record.worker_name().to_owned())
    }

    /// How many workers are to have a shard before this one. One that has it and is silent is not.
    fn rank(&self, shard: &str, record: Option<&Record>) -> u32 {
        let owner = record.map(|record| record.worker.as_str()).filter(|worker| !worker.is_empty());
        let is_owner = |worker: &Announcement| owner.is_some_and(|owner| owner.starts_with(&worker.process));
        let own = self.announcement();
        let workers: Vec<_> = self.others.alive().filter(|worker| !is_owner(worker)).chain([&own]).collect();
        let fingerprint = record.map_or(own.shards.get(shard).map(String::as_str), |record| Some(&record.fingerprint));
        balance::rank(shard, fingerprint.unwrap_or_default(), &workers, &own.token)
    }

    /// Becomes the owner of a shard.
    fn own_shard(&mut self, (name, shard): (&str, &Shard), lease: Lease) {
        let mut before = lease.owner.before().clone();
        // What was settled of routes that were in another shard.
        let others = self.others.records(&self.stream).filter(|(other, _)| *other != name);
        for (_, record) in others {
            before.add_routes(&record.progress.on_routes(|route| shard.routes.contains(route)));
        }
        let has_to_heed = lease.owner.has_to_heed() || before.routes != lease.owner.before().routes;
        let (shard, stream) = (shard.clone(), self.stream.clone());
        let term = Arc::new(Term::new(shard, stream, (before, has_to_heed), lease.send_until()));
        self.others.remove(name);
        self.said.remove(name);
        self.announced_at = None;
        tracing::info!(shard = name, "this worker has the lease");
        let now = Instant::now();
        self.owned.insert(name.to_owned(), Owned { lease, term, since: now, renewed_at: now, given_to: None });
    }

    /// Logs who has a shard, when that changes.
    fn say(&mut self, shard: &str, worker: &str) {
        if self.said.get(shard).map(String::as_str) != Some(worker) {
            let worker = one_line(worker);
            tracing::info!(shard, "the worker {worker} has the lease; this one takes its place when it stops");
            self.said.insert(shard.to_owned(), worker);
        }
    }

    /// Begins to give shards away that other workers should have.
    fn balance(&mut self) {
        let own = self.announcement();
        let workers: Vec<_> = self.others.alive().chain([&own]).cloned().collect();
        let workers: Vec<_> = workers.iter().collect();
        let wanted = balance::wanted(&workers);
        for (name, owned) in self.owned.iter_mut().filter(|(_, owned)| owned.given_to.is_none()) {
            let Some(to) = wanted.get(name.as_str()).filter(|to| **to != own.token) else { continue };
            let theirs = workers.iter().find(|worker| worker.token == *to).and_then(|worker| worker.shards.get(name));
            // Not at once: what has just come is not to go back.
            if owned.since.elapsed() >= self.fleet.lease && theirs == own.shards.get(name) {
                tracing::info!(shard = name, "the shard is given to the worker {}", one_line(to));
                owned.given_to = Some((*to).to_owned());
            }
        }
    }

    /// What this worker says of itself now.
    fn announcement(&self) -> Announcement {
        let is_steady = self.ready_since.is_some_and(|since| since.elapsed() >= self.fleet.lease);
        let shards = self.shards.iter().map(|(name, shard)| (name.clone(), shard.fingerprint.clone()));
        let is_ready = is_steady || self.owned.values().any(|owned| owned.given_to.is_none());
        Announcement { is_ready, shards: shards.collect(), ..self.own.clone() }
    }

    async fn announce(&mut self, broker: &Broker) -> Result<(), BrokerError> {
        if self.announced_at.is_some_and(|at| at.elapsed() < self.fleet.lease / 4) {
            return Ok(());
        }
        let subject = worker_subject(&self.own.token);
        broker.put(&subject, self.announcement().to_json()).await?;
        self.announced_at = Some(Instant::now());
        Ok(())
    }

    /// Has those that route, format and deliver work on the shards that are this worker's.
    fn publish(&mut self, changed: &impl Fn()) {
        let first = self.shards.first().and_then(|first| self.owned.get(first));
        let until = first.map_or(self.began, |owned| *owned.lease.send_until().borrow());
        self.first_until.send_if_modified(|known| std::mem::replace(known, until) != until);
        let now: Terms = self
            .owned
            .iter()
            .filter(|(_, owned)| owned.given_to.is_none())
            .map(|(name, owned)| (name.clone(), Arc::clone(&owned.term)))
            .collect();
        let is_changed = self.terms.send_if_modified(|terms| {
            let is_same = terms.len() == now.len()
                && terms.iter().zip(&now).all(|((_, one), (_, other))| Arc::ptr_eq(one, other));
            if !is_same {
                *terms = now;
            }
            !is_same
        });
        if is_changed {
            changed();
        }
    }
}
