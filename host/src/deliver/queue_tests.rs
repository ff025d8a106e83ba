//! A webhook's queue under a clock that is handed in: rate, order, retries, death, and a day's outage within a moment.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::config::Rate;
use crate::deliver::attempt::{AttemptOutcome, AttemptReport, NextAction};
use crate::deliver::delivery_policy::DeliveryPolicy;
use crate::deliver::failover::failover;
use crate::deliver::health::HealthWebhook;
use crate::deliver::queue::Queue;
use crate::deliver::send_result::SendResult;
use crate::event::{DigestCause, Event, EventDefaults, EventDetails, Timestamp};
use crate::message::{Reference, Target, fallback};
use crate::store::{
    Closes, DigestKey, Disposition, FormattedEvent, Ledger, LivingCounts, OutboundMessage, Remaining, RouteLedger,
    RoutedTo, StateDir, Store, Suspended, UnformattedEvent, WebhookState,
};

const START: i64 = 1_000_000_000;

/// A store with a queue to the webhook `hook`, and what that was sent.
struct Simulation {
    store: Store,
    inbox: Store,
    queue: Queue,
    policy: DeliveryPolicy,
    url: &'static str,
    now: i64,
    /// When, in ms from the start, which message was sent.
    sent: Vec<(i64, i64)>,
    accepted: Vec<i64>,
    _temp: tempfile::TempDir,
}

impl Simulation {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let folder = StateDir::new(temp.path().join("state"));
        folder.create().unwrap();
        let lock = folder.try_work_lock().unwrap().unwrap();
        let store = Store::open_for_work(&folder, &lock).unwrap();
        let policy = DeliveryPolicy {
            target: Target::SLACK,
            rate: Rate { interval: Duration::from_secs(1), burst: 4 },
            max_age: BTreeMap::from([("sec".to_owned(), Duration::from_secs(86_400))]),
            fallbacks: BTreeMap::new(),
            redacted: BTreeSet::new(),
            defaults: EventDefaults::default(),
            change_rate: Rate { interval: Duration::from_millis(1_200), burst: 10 },
            change_budget: "token".to_owned(),
            channel: String::new(),
            health: None,
        };
        let (inbox, queue) = (store.new_connection().unwrap(), Queue::new("hook".to_owned()));
        let (sent, accepted) = (Vec::new(), Vec::new());
        Self { store, inbox, queue, policy, url: "url", now: START, sent, accepted, _temp: temp }
    }

    /// So many messages more; returns the first one's number.
    fn post(&mut self, messages: usize) {
        self.word((0..messages).map(|_| Disposition::Send(fallback(&event(), "", Target::SLACK))).collect());
    }

    fn word(&mut self, verdicts: Vec<Disposition>) {
        let now = Timestamp(self.now);
        let events: Vec<_> = verdicts.iter().map(|_| event()).collect();
        self.inbox.append_all(&events, None, now).unwrap();
        let seqs: Vec<_> = self.store.unrouted(verdicts.len()).unwrap().iter().map(|waiting| waiting.seq).collect();
        let routed =
            |seq: &i64| RoutedTo { seq: *seq, ban: None, to: vec![("sec".into(), "hook".into())], quarantined: false };
        self.store.route_events(&seqs.iter().map(routed).collect::<Vec<_>>()).unwrap();
        let formatted: Vec<_> =
            seqs.into_iter().zip(verdicts).map(|(seq, disposition)| FormattedEvent::new(seq, disposition)).collect();
        self.store.record_formatted("sec", None, &formatted, None, now).unwrap();
    }

    /// What the queue says now.
    fn next(&mut self) -> NextAction {
        self.queue.next(&mut self.store, &self.policy, self.url, Timestamp(self.now)).unwrap()
    }

    /// Sends what is due until nothing is, or `until` (ms from the start) has come; `webhook` answers a message's number.
    fn run(&mut self, until: i64, mut webhook: impl FnMut(i64, i64) -> SendResult) {
        loop {
            self.failover("hook");
            match self.next() {
                NextAction::AskAgain => {}
                NextAction::Idle => return,
                NextAction::WaitUntil(at) if at.0 > START + until => {
                    self.now = START + until;
                    return;
                }
                NextAction::WaitUntil(at) => {
                    assert!(at.0 > self.now, "it would turn in circles");
                    self.now = at.0;
                }
                NextAction::Send(message) => {
                    assert!(self.queue.begin(&mut self.store, &self.policy, &message, Timestamp(self.now)).unwrap());
                    self.sent.push((self.now - START, message.id));
                    let answer = webhook(message.id, self.now - START);
                    let (store, policy) = (&mut self.store, &self.policy);
                    let now = Timestamp(self.now);
                    let report = self.queue.record_result(store, policy, self.url, &message, answer, now, 1.0).unwrap();
                    if matches!(report.outcome, AttemptOutcome::Accepted { .. }) {
                        self.accepted.push(message.id);
                    }
                }
            }
            assert!(self.sent.len() < 10_000, "it would send for ever");
        }
    }

    /// Sends a message, and records this answer to it.
    fn record(&mut self, message: &OutboundMessage, answer: SendResult) -> AttemptReport {
        let now = Timestamp(self.now);
        assert!(self.queue.begin(&mut self.store, &self.policy, message, now).unwrap());
        self.queue.record_result(&mut self.store, &self.policy, self.url, message, answer, now, 0.5).unwrap()
    }

    /// As the daemon does between two messages.
    fn failover(&mut self, webhook: &str) {
        failover(&mut self.store, webhook, &self.policy, self.url, Timestamp(self.now)).unwrap();
    }

    fn ledger(&self) -> Ledger {
        let ledger = self.store.ledger().unwrap();
        assert!(ledger.balances());
        assert_eq!(self.store.check_ledger().unwrap(), []);
        ledger
    }
}

fn event() -> Event {
    let at = Timestamp(START);
    Event {
        id: "x".into(),
        at,
        host: "h".into(),
        jail: "j".into(),
        details: EventDetails::Start,
        labels: BTreeMap::new(),
    }
}

fn ok() -> SendResult {
    SendResult::Accepted { pause: None, reference: None }
}

fn rejected() -> SendResult {
    SendResult::Rejected("400 invalid_blocks".into())
}

fn server_error() -> SendResult {
    SendResult::Transient { after: None, error: "500 rollup_error".into() }
}

const HOUR: i64 = 3_600_000;

#[test]
fn rate_allows_a_burst_then_one_a_second() {
    let mut simulation = Simulation::new();
    simulation.post(8);
    simulation.run(HOUR, |_, _| ok());
    let times: Vec<_> = simulation.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 0, 0, 0, 1_000, 2_000, 3_000, 4_000]);
    assert_eq!(simulation.accepted, [1, 2, 3, 4, 5, 6, 7, 8]);
    // What was saved up while nothing was sent is no more than the burst; another process keeps to it as well.
    simulation.now += 600_000;
    simulation.queue = Queue::new("hook".to_owned());
    simulation.post(6);
    let begun = simulation.now - START;
    simulation.run(HOUR, |_, _| ok());
    let times: Vec<_> = simulation.sent.iter().skip(8).map(|(at, _)| at - begun).collect();
    assert_eq!(times, [0, 0, 0, 0, 1_000, 2_000]);
}

#[test]
fn rate_limit_answer_pauses_all_messages_for_the_time_it_asks() {
    let mut simulation = Simulation::new();
    simulation.post(3);
    let mut answers = VecDeque::from([
        SendResult::RateLimited(Duration::from_secs(30), "429".into()),
        SendResult::Accepted { pause: Some(Duration::from_millis(2_500)), reference: None },
    ]);
    simulation.run(HOUR, |_, _| answers.pop_front().unwrap_or_else(ok));
    assert_eq!(simulation.sent, [(0, 1), (30_000, 1), (32_500, 2), (32_500, 3)]);
}

#[test]
fn failing_message_is_parked_and_others_are_sent() {
    let mut simulation = Simulation::new();
    simulation.post(5);
    simulation.run(20_000, |id, _| if id == 2 { server_error() } else { ok() });
    assert_eq!(simulation.accepted, [1, 3, 4, 5]);
    // Three times within the first backoffs, and then the next one at once, within the rate.
    let of_second: Vec<_> = simulation.sent.iter().filter(|(_, id)| *id == 2).map(|(at, _)| *at).collect();
    assert_eq!(of_second[..3], [0, 1_000, 3_000]);
    assert_eq!(simulation.sent.iter().find(|(_, id)| *id == 3), Some(&(3_000, 3)));
    // It is parked, retried, and arrives when it is taken.
    assert!(of_second.len() > 3, "{of_second:?}");
    simulation.post(1);
    simulation.run(HOUR, |_, _| ok());
    assert_eq!(simulation.accepted, [1, 3, 4, 5, 6, 2]);
    assert_eq!(simulation.ledger().routes["sec"].posted, 6);
}

#[test]
fn several_failing_messages_are_each_parked() {
    let mut simulation = Simulation::new();
    simulation.post(6);
    simulation.run(HOUR / 2, |id, _| if id <= 3 { server_error() } else { ok() });
    let mut accepted = simulation.accepted.clone();
    accepted.sort_unstable();
    assert_eq!(accepted, [4, 5, 6]);
    simulation.run(2 * HOUR, |_, _| ok());
    assert_eq!(simulation.ledger().routes["sec"].posted, 6);
}

#[test]
fn outage_keeps_the_order_and_backs_off() {
    let mut simulation = Simulation::new();
    simulation.post(40);
    // Down for 23 hours.
    simulation.run(24 * HOUR, |_, at| if at < 23 * HOUR { server_error() } else { ok() });
    assert_eq!(simulation.accepted, (1..=40).collect::<Vec<_>>());
    // Each five minutes at most, the first and another one.
    let tries = simulation.sent.len() - 40;
    assert!((250..=2 * (10 + 23 * 12)).contains(&tries), "{tries} tries");
    assert_eq!(simulation.ledger().routes["sec"].posted, 40);
}

#[test]
fn messages_expire_after_max_age_and_newer_ones_stay() {
    let mut simulation = Simulation::new();
    simulation.post(3);
    simulation.run(12 * HOUR, |_, _| server_error());
    simulation.post(2);
    simulation.run(25 * HOUR, |_, _| server_error());
    let counts = simulation.ledger().routes["sec"];
    assert_eq!((counts.dead, counts.pending), (3, 2));
    let messages = simulation.store.list_messages(false, true, 9).unwrap();
    assert!(messages.iter().all(|message| message.error.as_deref().is_some_and(|error| error.contains("500"))));
    simulation.run(26 * HOUR, |_, _| ok());
    assert_eq!(simulation.accepted, [4, 5]);
}

#[test]
fn clock_jump_neither_loses_nor_delays_messages() {
    for jump in [24 * HOUR, -24 * HOUR, -HOUR, -HOUR / 6] {
        let mut simulation = Simulation::new();
        simulation.post(6);
        let mut failures = 3;
        simulation.run(4_000, |_, _| {
            failures -= 1;
            if failures >= 0 { server_error() } else { SendResult::RateLimited(Duration::from_secs(60), "429".into()) }
        });
        simulation.now += jump;
        let jumped = simulation.now;
        simulation.run(48 * HOUR, |_, _| ok());
        assert_eq!(simulation.accepted, [1, 2, 3, 4, 5, 6], "by {jump}");
        assert!(simulation.now - jumped < 120_000, "by {jump}");
        assert_eq!(simulation.ledger().routes["sec"].posted, 6);
    }
}

#[test]
fn rejected_message_goes_out_in_its_plain_form() {
    // Slack cannot fetch an image (lightdash/lightdash#25797), or does not know a block of a plugin.
    let mut simulation = Simulation::new();
    simulation.post(2);
    let mut answers = VecDeque::from([rejected()]);
    simulation.run(0, |_, _| answers.pop_front().unwrap_or_else(ok));
    assert_eq!(simulation.sent, [(0, 1), (0, 1), (0, 2)], "at once, and before the others");
    assert_eq!(simulation.ledger().routes["sec"].posted, 2);

    // The plain form is stored with the answer, so a crash after that changes nothing.
    simulation.post(1);
    let NextAction::Send(message) = simulation.next() else { panic!() };
    assert!(simulation.record(&message, rejected()).outcome == AttemptOutcome::PlainNext("400 invalid_blocks".into()));
    simulation.queue = Queue::new("hook".to_owned());
    simulation.now += 10_000;
    let NextAction::Send(plain) = simulation.next() else { panic!() };
    assert!(plain.id == message.id && plain.plain && !message.plain);
    assert!(plain.body.contains("Slack rejected the formatted message: 400 invalid_blocks"), "{}", plain.body);
    assert_eq!(simulation.ledger().routes["sec"].pending, 1);
}

#[test]
fn message_is_dead_once_its_plain_form_is_rejected() {
    let mut simulation = Simulation::new();
    simulation.post(2);
    simulation.run(HOUR, |id, _| if id == 1 { rejected() } else { ok() });
    let counts = simulation.ledger().routes["sec"];
    assert_eq!((counts.dead, counts.posted), (1, 1));
    assert!(simulation.store.webhook("hook").unwrap().rejected.is_empty());
}

#[test]
fn rejected_digest_goes_out_in_its_plain_form() {
    let mut simulation = Simulation::new();
    let key = || DigestKey {
        cause: DigestCause::Storm,
        key: String::new(),
        closes: Closes::At(Timestamp(START)),
        merge_unbans: None,
    };
    simulation.word(vec![Disposition::Digest(key()), Disposition::Digest(key())]);
    let open = simulation.store.digests_to_close("sec", Timestamp(START), true).unwrap().remove(0);
    let body = fallback(&event(), "", Target::SLACK);
    simulation.store.close_digest(open.id, &body, true, Timestamp(START)).unwrap();
    let NextAction::Send(message) = simulation.next() else { panic!() };
    simulation.record(&message, rejected());
    let NextAction::Send(plain) = simulation.next() else { panic!() };
    assert!(plain.body.contains("2 ") && plain.body.contains("rejected the formatted message"), "{}", plain.body);
    simulation.run(HOUR, |_, _| ok());
    assert_eq!(simulation.ledger().routes["sec"].digested, 2);
}

#[test]
fn rejected_change_goes_out_in_a_plain_form_of_all_that_it_is_about() {
    let mut simulation = Simulation::new();
    simulation.policy.target = Target::SLACK_APP;
    let key = DigestKey {
        cause: DigestCause::Storm,
        key: String::new(),
        closes: Closes::At(Timestamp(START)),
        merge_unbans: None,
    };
    let body = fallback(&event(), "", Target::SLACK_APP);
    let reference = Reference { channel: "C1".to_owned(), id: "1.1".to_owned(), of: String::new(), thread: None };
    let accepted = || SendResult::Accepted { pause: None, reference: Some(reference.clone()) };
    let slice = |simulation: &mut Simulation, events: usize| {
        simulation.word((0..events).map(|_| Disposition::Digest(key.clone())).collect());
        let open = simulation.store.digests_to_close("sec", Timestamp(simulation.now), true).unwrap();
        open.into_iter().find(|open| !open.is_end_of_storm()).unwrap()
    };
    let first = slice(&mut simulation, 3);
    let (over_at, now) = (Timestamp(START + 60_000), Timestamp(START));
    simulation.store.begin_storm("sec", &first, &body, over_at, now).unwrap();
    let NextAction::Send(message) = simulation.next() else { panic!() };
    simulation.record(&message, accepted());
    let second = slice(&mut simulation, 4);
    simulation
        .store
        .continue_living(("sec", &second), (first.id, &mut LivingCounts::default()), &body, Some(over_at), now)
        .unwrap();
    // First it is sent as it is, beneath that message.
    let plain_of_change = |simulation: &mut Simulation| {
        simulation.now += 10_000;
        for changes in [Some(first.id), None] {
            let NextAction::Send(message) = simulation.next() else { panic!() };
            assert_eq!(message.changes, changes);
            simulation.record(&message, rejected());
            simulation.now += 10_000;
        }
        let NextAction::Send(plain) = simulation.next() else { panic!() };
        plain
    };
    let plain = plain_of_change(&mut simulation);
    assert!(plain.body.contains("7 ") && !plain.body.contains("over"), "{}", plain.body);
    simulation.record(&plain, accepted());
    let third = slice(&mut simulation, 2);
    let now = Timestamp(simulation.now);
    simulation
        .store
        .continue_living(("sec", &third), (first.id, &mut LivingCounts::default()), &body, Some(over_at), now)
        .unwrap();
    let end = simulation.store.digests_to_close("sec", over_at, true).unwrap().remove(0);
    simulation
        .store
        .continue_living(("sec", &end), (first.id, &mut LivingCounts::default()), &body, None, over_at)
        .unwrap();
    let plain = plain_of_change(&mut simulation);
    assert!(plain.body.contains("5 ") && plain.body.contains("Storm over"), "{}", plain.body);
}

#[test]
fn webhook_that_rejects_plain_messages_in_a_row_is_suspended_and_they_are_pending_again() {
    let mut simulation = Simulation::new();
    simulation.policy.health = Some(HealthWebhook { name: "ops".to_owned(), target: Target::SLACK });
    simulation.post(4);
    simulation.run(60_000, |_, _| rejected());
    let ids: Vec<_> = simulation.sent.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids, [1, 1, 2, 2, 3, 3]);
    let counts = simulation.ledger().routes["sec"];
    assert_eq!((counts.dead, counts.pending), (0, 4));
    let suspended = &simulation.store.suspended_webhooks().unwrap()["hook"];
    assert_eq!(suspended.error, "it rejects plain messages as well: 400 invalid_blocks");
    // It is announced, once, and so were the two that were dead for a moment.
    let notices = |simulation: &Simulation| {
        let messages = simulation.store.list_messages(true, true, 99).unwrap();
        messages.into_iter().filter(|message| message.webhook == "ops").count()
    };
    assert_eq!(notices(&simulation), 2);
    // A probe that is rejected leaves it suspended; also a formatted message, whose plain form is the probe.
    simulation.run(3 * HOUR, |_, _| rejected());
    assert_eq!(simulation.ledger().routes["sec"].pending, 4);
    assert_eq!(notices(&simulation), 2);
    simulation.queue.forget_failures(&mut simulation.store).unwrap();
    simulation.run(3 * HOUR + 1, |_, _| rejected());
    assert_eq!(simulation.ledger().routes["sec"].pending, 4);
    // Once it takes one, it works, and all are delivered.
    simulation.run(5 * HOUR, |_, _| ok());
    assert_eq!(simulation.ledger().routes["sec"].posted, 4);
    assert!(simulation.store.suspended_webhooks().unwrap().is_empty());
}

#[test]
fn webhook_suspended_between_rejections_gives_back_what_it_rejected() {
    let mut simulation = Simulation::new();
    simulation.post(3);
    let mut answers = VecDeque::from([rejected(), rejected(), rejected(), rejected(), rejected()]);
    answers.push_back(SendResult::EndpointGone("404 no_service".into()));
    // The third one's plain form, once when the webhook is suspended for another reason.
    simulation.run(HOUR, |_, _| answers.pop_front().unwrap_or_else(rejected));
    assert_eq!(simulation.ledger().routes["sec"].pending, 3);
    simulation.run(5 * HOUR, |_, _| ok());
    assert_eq!(simulation.ledger().routes["sec"].posted, 3);
}

#[test]
fn webhook_that_accepts_between_rejections_is_not_suspended() {
    let mut simulation = Simulation::new();
    simulation.post(12);
    simulation.run(HOUR, |id, _| if id % 3 == 0 { ok() } else { rejected() });
    assert_eq!(simulation.ledger().routes["sec"].dead, 8);
    assert!(simulation.store.suspended_webhooks().unwrap().is_empty());
}

#[test]
fn webhook_that_rejects_all_fails_over_and_the_other_says_for_whom() {
    let mut simulation = Simulation::new();
    simulation.policy.fallbacks.insert("sec".into(), ["hook".into(), "other".into()]);
    simulation.post(3);
    simulation.run(60_000, |_, _| rejected());
    assert_eq!(simulation.store.pending_webhooks().unwrap(), ["other"]);
    let taken = simulation.store.next_in_order("other", 0).unwrap().unwrap();
    assert_eq!((taken.id, taken.stands_in_for.as_deref()), (1, Some("hook")));
    // Its own webhook stands in for nobody.
    let suspended = Suspended { error: "404".into(), since: Timestamp(1), url_hash: simulation.url.to_owned() };
    let backoff_until = Timestamp(simulation.now + HOUR);
    let state = WebhookState { suspended: Some(suspended), backoff_until, ..WebhookState::default() };
    simulation.store.record_webhook("hook", &WebhookState::default()).unwrap();
    simulation.store.record_webhook("other", &state).unwrap();
    simulation.failover("other");
    assert_eq!(simulation.store.next_in_order("hook", 0).unwrap().unwrap().stands_in_for, None);
}

#[test]
fn undocumented_answer_is_retried_before_the_message_goes_out_plain() {
    let mut simulation = Simulation::new();
    simulation.post(2);
    let unclear = || SendResult::Unclear { after: None, error: "418".into() };
    // Something before the service, for half a minute.
    simulation.run(20_000, |_, at| if at < 7_000 { unclear() } else { ok() });
    let counts = simulation.ledger().routes["sec"];
    assert_eq!((counts.posted, counts.dead), (2, 0));
    // The message itself: it is tried six times, then its plain form.
    simulation.post(1);
    let message = 3;
    simulation.run(HOUR, |id, _| if id == message { unclear() } else { ok() });
    assert_eq!(simulation.sent.iter().filter(|(_, id)| *id == message).count(), 12, "six times in each form");
    assert_eq!(simulation.ledger().routes["sec"].dead, 1);
}

#[test]
fn notice_is_in_no_ledger_and_leaves_nothing() {
    let mut simulation = Simulation::new();
    simulation.policy.health = Some(HealthWebhook { name: "ops".to_owned(), target: Target::SLACK });
    simulation.post(1);
    simulation.run(8 * HOUR, |_, _| SendResult::EndpointGone("404 no_service".into()));
    let mut ops = Queue::new("ops".to_owned());
    let mut policy = simulation.policy.clone();
    policy.health = None;
    let now = Timestamp(simulation.now);
    let NextAction::Send(notice) = ops.next(&mut simulation.store, &policy, "ops", now).unwrap() else { panic!() };
    assert!(notice.body.contains("The webhook \\\"hook\\\" is suspended: 404 no_service"), "{}", notice.body);
    let ledger = simulation.ledger();
    assert_eq!(ledger.routes.keys().collect::<Vec<_>>(), ["sec"]);
    // Neither another target nor a rejection makes it more than it is.
    assert_eq!(simulation.store.reformat("ops", Target::ZULIP).unwrap(), 1);
    policy.target = Target::ZULIP;
    let NextAction::Send(notice) = ops.next(&mut simulation.store, &policy, "ops", now).unwrap() else { panic!() };
    assert!(ops.begin(&mut simulation.store, &policy, &notice, now).unwrap());
    ops.record_result(&mut simulation.store, &policy, "ops", &notice, rejected(), now, 0.5).unwrap();
    assert_eq!(ops.next(&mut simulation.store, &policy, "ops", now).unwrap(), NextAction::Idle);
    assert_eq!(simulation.store.message(notice.id).unwrap(), None);
    assert_eq!(simulation.ledger(), ledger);
    // Probes that fail are no news.
    simulation.run(16 * HOUR, |_, _| SendResult::EndpointGone("404 no_service".into()));
    assert_eq!(ops.next(&mut simulation.store, &policy, "ops", now).unwrap(), NextAction::Idle);
}

#[test]
fn queue_of_notices_sends_those_and_leaves_the_rest() {
    let mut simulation = Simulation::new();
    simulation.post(5);
    let health = HealthWebhook { name: "hook".to_owned(), target: Target::SLACK };
    simulation.store.announce(&[health.suspended("other", "404 no_service")], Timestamp(START)).unwrap();
    let ledger = simulation.ledger();
    simulation.queue = Queue::of_notices("hook".to_owned());
    // For so long that others would expire, and be probed.
    let transient = || SendResult::Transient { after: None, error: "500".into() };
    simulation.run(60 * HOUR, |_, at| if at < 48 * HOUR { transient() } else { ok() });
    assert!(simulation.sent.len() > 20 && simulation.sent.iter().all(|(_, id)| *id == 6), "{:?}", simulation.sent);
    assert_eq!((&simulation.accepted[..], simulation.ledger()), (&[6][..], ledger));
}

#[test]
fn suspended_webhook_is_probed_seldom_and_recovers_with_a_new_url() {
    let mut simulation = Simulation::new();
    simulation.post(3);
    let suspended = || SendResult::EndpointGone("404 no_service".into());
    simulation.run(8 * HOUR, |_, _| suspended());
    assert!((8..=15).contains(&simulation.sent.len()), "{:?}", simulation.sent);
    assert!(simulation.sent.iter().all(|(_, id)| *id == 1));
    assert_eq!(simulation.ledger().routes["sec"].pending, 3);
    // Another process knows as well.
    simulation.queue = Queue::new("hook".to_owned());
    assert!(matches!(simulation.next(), NextAction::WaitUntil(_)));
    simulation.url = "another";
    simulation.run(8 * HOUR + 10_000, |_, _| ok());
    assert_eq!(simulation.accepted, [1, 2, 3]);
    assert_eq!(simulation.store.suspended_webhooks().unwrap().len(), 0);
}

#[test]
fn suspended_webhook_has_its_first_answer_and_its_newest() {
    let mut simulation = Simulation::new();
    simulation.post(1);
    simulation.run(1_000, |_, _| SendResult::EndpointGone("404 no_service".into()));
    let suspended_at = simulation.store.queues(Timestamp(simulation.now)).unwrap()["hook"].suspended_at;
    simulation.run(HOUR, |_, _| SendResult::Transient { after: None, error: "no connection".into() });
    let queue = &simulation.store.queues(Timestamp(simulation.now)).unwrap()["hook"];
    assert_eq!((queue.suspended_error.as_deref(), queue.suspended_at), (Some("404 no_service"), suspended_at));
    assert_eq!(queue.last_error.as_deref(), Some("no connection"));
    assert!(queue.last_error_at > suspended_at, "{queue:?}");
}

#[test]
fn suspended_webhook_fails_over_to_the_fallback() {
    let mut simulation = Simulation::new();
    simulation.policy.fallbacks.insert("sec".into(), ["hook".into(), "other".into()]);
    simulation.post(3);
    simulation.run(HOUR, |_, _| SendResult::EndpointGone("404 no_service".into()));
    assert_eq!(simulation.sent.len(), 1);
    simulation.post(1);
    simulation.failover("hook");
    assert_eq!(simulation.next(), NextAction::Idle);
    let mut other = Queue::new("other".to_owned());
    let next = other.next(&mut simulation.store, &simulation.policy, "url", Timestamp(simulation.now)).unwrap();
    assert!(matches!(next, NextAction::Send(message) if message.id == 1));
    // The first one is asked again later; until then, and if it is still suspended, nothing is held up.
    simulation.now += HOUR;
    simulation.post(1);
    simulation.run(3 * HOUR, |_, _| SendResult::EndpointGone("404 no_service".into()));
    assert_eq!(simulation.store.pending_webhooks().unwrap(), ["other"]);
    // If both are suspended, nothing goes to and fro; and once the first one is fixed, all goes back.
    let suspended =
        Suspended { error: "404".into(), since: Timestamp(simulation.now), url_hash: simulation.url.to_owned() };
    let backoff_until = Timestamp(simulation.now + HOUR);
    let state =
        WebhookState { suspended: Some(suspended), backoff_until, ..simulation.store.webhook("other").unwrap() };
    simulation.store.record_webhook("other", &state).unwrap();
    simulation.failover("other");
    assert_eq!(simulation.store.pending_webhooks().unwrap(), ["other"]);
    let state = simulation.store.webhook("hook").unwrap().recovered();
    simulation.store.record_webhook("hook", &state).unwrap();
    simulation.failover("other");
    assert_eq!(simulation.store.pending_webhooks().unwrap(), ["hook"]);
    assert_eq!(simulation.ledger().routes["sec"].pending, 5);
}

#[test]
fn parked_messages_that_time_out_take_a_tenth_of_the_time() {
    let mut simulation = Simulation::new();
    let mut slow = Vec::new();
    let mut posted = 0;
    let mut answered = 0;
    // One in ten never goes through, and each of those takes 30 s; there is a message more every ten seconds.
    while simulation.now < START + HOUR {
        while posted < (simulation.now - START) / 10_000 {
            simulation.post(1);
            posted += 1;
            if posted % 10 == 0 && slow.len() < 12 {
                slow.push(posted);
            }
        }
        match simulation.next() {
            NextAction::Idle | NextAction::AskAgain => simulation.now += 1_000,
            NextAction::WaitUntil(at) => simulation.now = at.0.min(simulation.now + 1_000),
            NextAction::Send(message) => {
                simulation
                    .queue
                    .begin(&mut simulation.store, &simulation.policy, &message, Timestamp(simulation.now))
                    .unwrap();
                let answer = if slow.contains(&message.id) {
                    simulation.now += 30_000;
                    SendResult::Transient { after: None, error: "timed out".into() }
                } else {
                    answered += 1;
                    ok()
                };
                let now = Timestamp(simulation.now);
                let (store, policy) = (&mut simulation.store, &simulation.policy);
                simulation.queue.record_result(store, policy, simulation.url, &message, answer, now, 0.5).unwrap();
            }
        }
    }
    let waiting = simulation.ledger().routes["sec"].pending;
    assert_eq!(answered + waiting as i64, posted);
    assert!(waiting < 12 + 30, "{waiting} of {posted} wait");
}

#[test]
fn message_always_rate_limited_does_not_delay_others() {
    let mut simulation = Simulation::new();
    simulation.post(4);
    let wish = Some(Duration::from_secs(1));
    let answer = |id: i64| if id == 1 { SendResult::Transient { after: wish, error: "503".into() } } else { ok() };
    simulation.run(60_000, |id, _| answer(id));
    assert_eq!(simulation.accepted, [2, 3, 4]);
    let times: Vec<_> = simulation.sent.iter().map(|(at, _)| *at).collect();
    assert!(times.windows(2).take(3).all(|pair| pair[1] - pair[0] >= 1_000), "the wish is kept to: {times:?}");
}

#[test]
fn message_rate_limited_for_ever_expires_alone() {
    let mut simulation = Simulation::new();
    simulation.policy.max_age = BTreeMap::from([("sec".to_owned(), Duration::from_secs(3_600))]);
    simulation.post(2);
    // Not at once, whatever the clock says.
    simulation.now += 10 * HOUR;
    let mut tries = 0;
    simulation.run(11 * HOUR, |id, _| {
        tries += 1;
        if id == 1 { SendResult::RateLimited(Duration::from_secs(1), "429".into()) } else { ok() }
    });
    let ledger = simulation.ledger();
    let RouteLedger { posted, dead, pending, .. } = ledger.routes["sec"];
    assert_eq!((posted, dead, pending, tries), (1, 1, 0, 11), "{ledger:?}");
}

#[test]
fn rejecting_webhook_is_no_longer_suspended() {
    let mut simulation = Simulation::new();
    simulation.post(2);
    let NextAction::Send(message) = simulation.next() else { panic!() };
    for answer in [SendResult::EndpointGone("404".into()), SendResult::Rejected("400".into())] {
        simulation.queue.forget_failures(&mut simulation.store).unwrap();
        let now = Timestamp(simulation.now);
        let (store, policy) = (&mut simulation.store, &simulation.policy);
        simulation.queue.record_result(store, policy, simulation.url, &message, answer, now, 0.5).unwrap();
    }
    assert_eq!(simulation.store.suspended_webhooks().unwrap(), BTreeMap::new());
}

#[test]
fn suspended_webhook_is_probed_although_the_clock_went_back() {
    let mut simulation = Simulation::new();
    simulation.post(1);
    simulation.run(1_000, |_, _| SendResult::EndpointGone("404".into()));
    assert_eq!(simulation.store.remaining(Timestamp(simulation.now)).unwrap(), Remaining::Suspended);
    let before = Timestamp(simulation.now - 24 * HOUR);
    assert_eq!(simulation.store.remaining(before).unwrap(), Remaining::Work);
    assert_eq!(simulation.store.queues(before).unwrap()["hook"].backoff_until, None);
}

#[test]
fn message_for_another_target_is_formatted_again() {
    let mut simulation = Simulation::new();
    simulation.post(3);
    simulation.run(HOUR, |id, _| if id == 2 { rejected() } else { ok() });
    simulation.post(5);
    // One of them waits for its next try, and another was tried behind it.
    simulation.run(60_000, |_, _| SendResult::Transient { after: None, error: "500".into() });
    let sent = simulation.sent.len();
    simulation.policy.target = Target::ZULIP;
    assert_eq!(simulation.next(), NextAction::AskAgain);
    assert_eq!(simulation.next(), NextAction::Idle);
    assert_eq!(simulation.ledger().routes["sec"].pending, 5);
    let unformatted = simulation.store.unformatted("sec", 10).unwrap();
    assert_eq!(
        unformatted.iter().map(|unformatted| unformatted.seq).collect::<Vec<_>>(),
        [4, 5, 6, 7, 8],
        "in their order"
    );
    let disposition = || Disposition::Send(fallback(&event(), "", Target::ZULIP));
    let formatted: Vec<_> =
        unformatted.iter().map(|UnformattedEvent { seq, .. }| FormattedEvent::new(*seq, disposition())).collect();
    simulation.store.record_formatted("sec", None, &formatted, None, Timestamp(simulation.now)).unwrap();
    simulation.run(HOUR, |_, _| ok());
    let after: Vec<_> = simulation.sent[sent..].iter().map(|(_, id)| *id).collect();
    assert_eq!(after, [9, 10, 11, 12, 13]);
    let ledger = simulation.ledger();
    let RouteLedger { posted, dead, pending, .. } = ledger.routes["sec"];
    assert_eq!((posted, dead, pending), (7, 1, 0), "what was sent, or refused, stays");
}

#[test]
fn message_that_joined_a_digest_is_not_sent() {
    let mut simulation = Simulation::new();
    simulation.post(3);
    let NextAction::Send(message) = simulation.next() else { panic!() };
    let now = Timestamp(simulation.now);
    assert_eq!(simulation.store.digest_backlog("sec", "hook", 1, now.plus_ms(30_000), now).unwrap(), 3);
    assert!(!simulation.queue.begin(&mut simulation.store, &simulation.policy, &message, now).unwrap());
    assert_eq!(simulation.next(), NextAction::Idle);
    let closes = Closes::At(now);
    simulation.word(vec![Disposition::Digest(DigestKey {
        cause: DigestCause::Storm,
        key: String::new(),
        closes,
        merge_unbans: None,
    })]);
    assert_eq!(simulation.ledger().routes["sec"].pending, 4);
}
