//! Random conversations in the channel of an app: messages that are changed while they wait, are under way, or were sent;
//! answers of every kind, lost ones and crashes among them; messages that people delete. The store and the queue are the real
//! ones, the clock and the channel are simulated.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::attempt::NextAction;
use super::delivery_policy::DeliveryPolicy;
use super::queue::Queue;
use super::send_result::SendResult;
use crate::config::Rate;
use crate::event::{Event, EventDefaults, EventDetails, Timestamp};
use crate::message::{ChangeFallback, Conversation, ConversationKey, Reference, Target, Way, fallback};
use crate::store::{ChangeBudget, Disposition, FormattedEvent, OutboundMessage, RoutedTo, StateDir, Store};

/// What the channel answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accepted,
    /// Accepted, and nobody hears of it.
    Lost,
    RateLimited,
    /// For longer than the shortest time between two changes.
    RateLimitedForLong,
    Failed,
    Rejected,
    /// To a change or a reply.
    Closed,
}

#[derive(Debug, Clone)]
enum Step {
    /// Something new about a subject.
    Begin(u8),
    /// The newest message about a subject is changed.
    Change(u8),
    /// So many requests are answered in this way.
    Send(u8, Answer),
    /// The process is killed during a request; whether it arrived.
    Crash(bool),
    /// Somebody deletes a message of the channel.
    Delete(u8),
    /// Milliseconds go by, in which all that is due is sent.
    Pass(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let answer = prop_oneof![
        6 => Just(Answer::Accepted),
        1 => Just(Answer::Lost),
        1 => Just(Answer::RateLimited),
        1 => Just(Answer::RateLimitedForLong),
        1 => Just(Answer::Failed),
        1 => Just(Answer::Rejected),
        1 => Just(Answer::Closed),
    ];
    prop_oneof![
        4 => (0..3_u8).prop_map(Step::Begin),
        6 => (0..3_u8).prop_map(Step::Change),
        4 => (1..4_u8, answer).prop_map(|(count, answer)| Step::Send(count, answer)),
        1 => any::<bool>().prop_map(Step::Crash),
        1 => any::<u8>().prop_map(Step::Delete),
        3 => (0..20_000_u32).prop_map(Step::Pass),
    ]
}

/// The events that a message is about.
type Marks = BTreeSet<u32>;

/// A message of the channel.
#[derive(Debug)]
struct Posted {
    thread: Option<String>,
    versions: Vec<Marks>,
    deleted: bool,
}

struct Simulation {
    store: Store,
    inbox: Store,
    queue: Queue,
    policy: DeliveryPolicy,
    now: i64,
    events: u32,
    /// The events of each message by its name, and the newest name about each subject.
    content: BTreeMap<String, Marks>,
    newest: BTreeMap<u8, String>,
    channel: Vec<Posted>,
    /// When messages were changed.
    changes: Vec<i64>,
    /// Requests of which nobody knows that they arrived.
    unknown: usize,
    _temp: tempfile::TempDir,
}

impl Simulation {
    fn new() -> Self {
        let temp =
            tempfile::tempdir_in(if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" }).unwrap();
        let folder = StateDir::new(temp.path().join("state"));
        folder.create().unwrap();
        let lock = folder.try_work_lock().unwrap().unwrap();
        let store = Store::open_for_work(&folder, &lock).unwrap();
        let policy = DeliveryPolicy {
            target: Target::SLACK_APP,
            rate: Rate { interval: Duration::from_secs(1), burst: 4 },
            max_age: BTreeMap::from([("sec".to_owned(), Duration::from_secs(30 * 86_400))]),
            fallbacks: BTreeMap::new(),
            redacted: BTreeSet::new(),
            defaults: EventDefaults::default(),
            change_rate: Rate { interval: Duration::from_millis(1_200), burst: 10 },
            change_budget: "token".to_owned(),
            channel: String::new(),
            health: None,
        };
        Self {
            inbox: store.new_connection().unwrap(),
            store,
            queue: Queue::new("hook".to_owned()),
            policy,
            now: 1_795_305_600_000,
            events: 0,
            content: BTreeMap::new(),
            newest: BTreeMap::new(),
            channel: Vec::new(),
            changes: Vec::new(),
            unknown: 0,
            _temp: temp,
        }
    }

    /// One more event, in a message of this name; `replaces`: it changes the one of that name.
    fn event(&mut self, subject: u8, name: &str, replaces: bool) {
        self.events += 1;
        let marks = self.content.entry(name.to_owned()).or_default();
        marks.insert(self.events);
        let text: String = marks.iter().map(|mark| format!("e{mark}x")).collect();
        let event = Event {
            id: format!("event {}", self.events),
            at: Timestamp(self.now),
            host: String::new(),
            jail: text,
            details: EventDetails::Start,
            labels: BTreeMap::new(),
        };
        self.inbox.append(&event, Timestamp(self.now)).unwrap();
        let seq = self.store.unrouted(1).unwrap()[0].seq;
        let to = vec![("sec".to_owned(), "hook".to_owned())];
        self.store.route_events(&[RoutedTo { seq, ban: None, to, quarantined: false }]).unwrap();
        let key = ConversationKey::of(name);
        let conversation = Conversation {
            thread: Some(ConversationKey::of(&subject.to_string())),
            replaces: replaces.then_some(key),
            fallback: ChangeFallback::Reply,
        };
        let body = fallback(&event, "", Target::SLACK_APP).in_conversation(conversation);
        let formatted =
            FormattedEvent { name: (!replaces).then_some(key), ..FormattedEvent::new(seq, Disposition::Send(body)) };
        self.store.record_formatted("sec", None, &[formatted], None, Timestamp(self.now)).unwrap();
    }

    fn next(&mut self) -> NextAction {
        self.queue.next(&mut self.store, &self.policy, "url", Timestamp(self.now)).unwrap()
    }

    /// The channel gets a request. Returns where the message is, or whether what it refers to is not there.
    fn arrive(&mut self, message: &OutboundMessage) -> Result<Reference, SendResult> {
        let marks: Marks = marks(&message.body);
        let find = |channel: &[Posted], id: &str| {
            let index: usize = id.parse().unwrap();
            if channel[index].deleted { Err(detached(true)) } else { Ok(index) }
        };
        let index = match &message.way {
            Way::Post => {
                self.channel.push(Posted { thread: None, versions: vec![marks], deleted: false });
                self.channel.len() - 1
            }
            Way::Beneath(above) => {
                let parent = find(&self.channel, above.parent())?;
                assert_eq!(self.channel[parent].thread, None, "a reply to a reply");
                let thread = Some(above.parent().to_owned());
                self.channel.push(Posted { thread, versions: vec![marks], deleted: false });
                self.channel.len() - 1
            }
            Way::Change(reference) => {
                let index = find(&self.channel, &reference.id)?;
                let shown = self.channel[index].versions.last().unwrap();
                assert!(shown.is_subset(&marks), "an older state after a newer one: {marks:?} after {shown:?}");
                self.channel[index].versions.push(marks);
                index
            }
        };
        let thread = self.channel[index].thread.clone();
        Ok(Reference { channel: "C1".to_owned(), id: index.to_string(), of: String::new(), thread })
    }

    fn answer(&mut self, message: &OutboundMessage, answer: Answer) -> SendResult {
        match answer {
            Answer::RateLimited => SendResult::RateLimited(Duration::from_secs(3), "429".to_owned()),
            Answer::RateLimitedForLong => SendResult::RateLimited(Duration::from_secs(30), "429".to_owned()),
            Answer::Failed => SendResult::Transient { after: None, error: "500".to_owned() },
            Answer::Rejected if !message.plain => SendResult::Rejected("invalid_blocks".to_owned()),
            Answer::Closed if message.way != Way::Post => detached(false),
            Answer::Accepted | Answer::Lost | Answer::Rejected | Answer::Closed => match self.arrive(message) {
                Err(refused) => refused,
                Ok(_) if answer == Answer::Lost => {
                    self.unknown += 1;
                    SendResult::Transient { after: None, error: "no answer".to_owned() }
                }
                Ok(reference) => SendResult::Accepted { pause: None, reference: Some(reference) },
            },
        }
    }

    /// Sends what is due now, at most so much.
    fn send(&mut self, most: usize, answer: Answer) {
        for _ in 0..most {
            match self.next() {
                NextAction::Send(message) => self.attempt(&message, answer),
                NextAction::AskAgain => {}
                NextAction::Idle | NextAction::WaitUntil(_) => return,
            }
        }
    }

    fn attempt(&mut self, message: &OutboundMessage, answer: Answer) {
        let now = Timestamp(self.now);
        assert!(self.queue.begin(&mut self.store, &self.policy, message, now).unwrap());
        if matches!(message.way, Way::Change(_)) {
            self.changes.push(self.now);
        }
        let result = self.answer(message, answer);
        self.queue.record_result(&mut self.store, &self.policy, "url", message, result, now, 0.5).unwrap();
    }

    /// Sends what becomes due until then.
    fn pass(&mut self, until: i64) {
        for _ in 0..10_000 {
            match self.next() {
                NextAction::Send(message) => self.attempt(&message, Answer::Accepted),
                NextAction::AskAgain => {}
                NextAction::WaitUntil(at) if at.0 <= until => {
                    assert!(at.0 > self.now, "it would turn in circles");
                    self.now = at.0;
                }
                NextAction::WaitUntil(_) | NextAction::Idle => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("it would send for ever");
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Begin(subject) => {
                let name = format!("{subject} {}", self.events);
                self.newest.insert(subject, name.clone());
                self.event(subject, &name, false);
            }
            Step::Change(subject) => {
                let name = self.newest.get(&subject).cloned().unwrap_or_else(|| format!("{subject} unknown"));
                self.event(subject, &name, true);
            }
            Step::Send(count, answer) => self.send(count.into(), answer),
            Step::Crash(arrives) => {
                if let NextAction::Send(message) = self.next() {
                    let now = Timestamp(self.now);
                    assert!(self.queue.begin(&mut self.store, &self.policy, &message, now).unwrap());
                    self.unknown += usize::from(arrives && self.arrive(&message).is_ok());
                }
                self.queue = Queue::new("hook".to_owned());
            }
            Step::Delete(index) if !self.channel.is_empty() => {
                let index = usize::from(index) % self.channel.len();
                self.channel[index].deleted = true;
            }
            Step::Delete(_) => {}
            Step::Pass(milliseconds) => self.pass(self.now + i64::from(milliseconds)),
        }
    }

    /// What holds in the end, when all was sent.
    fn check(&self) {
        let ledger = self.store.ledger().unwrap();
        assert!(ledger.balances(), "{ledger:?}");
        assert_eq!(self.store.check_ledger().unwrap(), []);
        let counts = ledger.routes.get("sec").copied().unwrap_or_default();
        assert_eq!(counts.posted, u64::from(self.events), "{ledger:?}");
        let versions = || self.channel.iter().flat_map(|posted| &posted.versions);
        for mark in 1..=self.events {
            assert!(versions().any(|marks| marks.contains(&mark)), "e{mark}x is nowhere: {:#?}", self.channel);
        }
        // The newest state of each message is shown, unless somebody has deleted it since.
        for (name, marks) in &self.content {
            let is_shown = |posted: &Posted| posted.versions.last().unwrap().is_superset(marks);
            assert!(self.channel.iter().any(is_shown), "{name} is not up to date ({marks:?}): {:#?}", self.channel);
        }
        let mut posts: Vec<_> = self.channel.iter().map(|posted| &posted.versions[0]).collect();
        let count = posts.len();
        posts.sort();
        posts.dedup();
        assert!(count - posts.len() <= self.unknown, "a message arrived twice: {:#?}", self.channel);
        for (index, first) in self.changes.iter().enumerate() {
            let in_a_minute = self.changes[index..].iter().take_while(|at| **at < first + 60_000).count();
            assert!(in_a_minute <= 60, "{in_a_minute} changes in a minute");
        }
    }
}

fn detached(lost: bool) -> SendResult {
    SendResult::Detached { lost, error: "refused".to_owned() }
}

/// The marks in a text.
fn marks(text: &str) -> Marks {
    text.match_indices('e').filter_map(|(at, _)| text[at + 1..].split_once('x')?.0.parse().ok()).collect()
}

#[test]
fn change_that_ends_in_a_time_out_leaves_the_webhook_to_posts() {
    let mut simulation = Simulation::new();
    for subject in 0..2 {
        simulation.take(&Step::Begin(subject));
    }
    simulation.pass(simulation.now + 10_000);
    for subject in 0..2 {
        simulation.take(&Step::Change(subject));
    }
    let NextAction::Send(change) = simulation.next() else { panic!("no change is due") };
    assert!(
        simulation.queue.begin(&mut simulation.store, &simulation.policy, &change, Timestamp(simulation.now)).unwrap()
    );
    simulation.now += 10_000;
    let (now, result) =
        (Timestamp(simulation.now), SendResult::Transient { after: None, error: "no answer".to_owned() });
    let Simulation { queue, store, policy, .. } = &mut simulation;
    queue.record_result(store, policy, "url", &change, result, now, 0.5).unwrap();
    assert_eq!(simulation.next(), NextAction::WaitUntil(now.plus_ms(90_000)), "nine times as long");
    simulation.take(&Step::Begin(2));
    let NextAction::Send(post) = simulation.next() else { panic!("the post waits") };
    assert_eq!(post.way, Way::Post);
}

#[test]
fn changes_of_two_webhooks_with_one_token_share_its_rate_whichever_begins_first() {
    let mut simulation = Simulation::new();
    for subject in 0..2 {
        simulation.take(&Step::Begin(subject));
    }
    simulation.pass(simulation.now + 10_000);
    for subject in 0..2 {
        simulation.take(&Step::Change(subject));
    }
    simulation.policy.change_rate = Rate { interval: Duration::from_secs(60), burst: 1 };
    let NextAction::Send(change) = simulation.next() else { panic!("no change is due") };
    let now = Timestamp(simulation.now);
    let Simulation { queue, store, policy, .. } = &mut simulation;
    // Another queue has looked before, and begins first.
    let next_slot_at = now.plus_ms(60_000);
    store.record_change_budget("token", ChangeBudget { next_slot_at, ..ChangeBudget::default() }).unwrap();
    assert!(!queue.begin(store, policy, &change, now).unwrap(), "the rate is used up");
    assert_eq!(store.message(change.id).unwrap().unwrap().0.attempts, 0);
    assert!(queue.begin(store, policy, &change, next_slot_at).unwrap());
}

/// So many conversations, or as many as `BANHOOK_SOAK` says.
fn conversations() -> u32 {
    std::env::var("BANHOOK_SOAK").map_or(300, |text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conversations(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_conversation_shows_the_newest_state_and_loses_nothing(steps in vec(step(), 1..60)) {
        let mut simulation = Simulation::new();
        for step in &steps {
            simulation.take(step);
            assert!(simulation.store.ledger().unwrap().balances());
        }
        simulation.pass(simulation.now + 86_400_000);
        simulation.check();
    }
}
