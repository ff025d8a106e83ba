//! The chats: what each answers, and what has arrived.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::deliver::SendResult;
use crate::event::Timestamp;
use crate::message::{Reference, Way};
use crate::store::OutboundMessage;

/// Milliseconds between two requests of a webhook in the long run, and how many may follow each other at once.
pub(super) const RATE: (i64, usize) = (1_000, 4);

/// How a webhook behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// It accepts.
    Good,
    /// 429, and how many seconds to wait.
    Limited(u64),
    /// 500.
    Failing,
    /// It accepts, and the answer is lost.
    Lost,
    /// 404.
    Missing,
    /// It rejects every message.
    Refusing,
    /// It rejects some messages, unless they are plain.
    Picky,
    /// An app: `edit_window_closed` to each change, and `restricted_action` to each reply.
    Closed,
    /// An app: `message_not_found` to each change and each reply.
    Emptied,
}

/// A message that a chat has.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub id: i64,
    pub route: String,
    pub body: String,
    /// Whether the sender knows it.
    pub known: bool,
    /// Of a change, the message that shows it: its place among those that arrived.
    pub changes: Option<usize>,
}

#[derive(Default)]
pub(super) struct Chats {
    moods: BTreeMap<String, Mood>,
    pub arrived: Vec<Arrived>,
    /// When each URL was asked, since the clock was set last.
    requests: BTreeMap<String, Vec<Timestamp>>,
    /// The last message that each webhook accepted.
    last: BTreeMap<String, i64>,
    /// Whether something happened after which messages may overtake each other.
    disturbed: bool,
    /// When messages were changed, since the clock was set last.
    changes: Vec<Timestamp>,
    /// Whether a message may be of events that another one shows as well: what cannot be changed is a message of its own.
    pub detached: bool,
}

/// Changes of a minute that Slack takes from an app.
const CHANGES_A_MINUTE: usize = 60;

/// Failures of a message after which the next one is tried before it.
const FAILURES_IN_ORDER: u32 = 2;

impl Chats {
    pub(super) fn turn(&mut self, webhook: &str, mood: Mood) {
        self.moods.insert(webhook.to_owned(), mood);
    }

    pub(super) fn turn_all_good(&mut self) {
        self.moods.clear();
    }

    /// The clock was set: distances of times before and after say nothing.
    pub(super) fn forget_times(&mut self) {
        self.requests.clear();
        self.changes.clear();
    }

    /// A webhook is no longer configured: what it was asked is forgotten with it.
    pub(super) fn forget(&mut self, webhook: &str) {
        self.requests.retain(|asked, _| !asked.starts_with(&format!("{webhook} ")));
    }

    /// From now on messages may overtake each other: some go to another webhook, are retried, or wait in digests.
    pub(super) fn disturb(&mut self) {
        self.disturbed = true;
    }

    /// Checks that a message comes after those before it.
    fn check_order(&mut self, webhook: &str, message: &OutboundMessage, mood: Mood) {
        // A change is in no order but after what it changes.
        if matches!(message.way, Way::Change(_)) {
            return;
        }
        let may_suspend = matches!(mood, Mood::Missing | Mood::Refusing | Mood::Picky);
        self.disturbed |= may_suspend || message.failures >= FAILURES_IN_ORDER;
        let last = self.last.entry(webhook.to_owned()).or_default();
        assert!(self.disturbed || message.id >= *last, "{webhook}: message {} comes after {last}", message.id);
        *last = message.id;
    }

    /// Checks that a request is within its rate.
    fn check_rate(&mut self, webhook: &str, url: &str, now: Timestamp) {
        let times = self.requests.entry(format!("{webhook} {url}")).or_default();
        times.push(now);
        let (interval, burst) = RATE;
        for (index, first) in times.iter().enumerate() {
            let after_burst = i64::try_from((times.len() - index).saturating_sub(burst)).unwrap();
            assert!(now.0 - first.0 >= after_burst * interval, "{webhook} is asked too often: {times:?}");
        }
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, webhook: &str, url: &str, message: &OutboundMessage, now: Timestamp) -> SendResult {
        let mood = self.moods.get(webhook).copied().unwrap_or(Mood::Good);
        if matches!(message.way, Way::Change(_)) {
            self.changes.push(now);
            let in_a_minute = self.changes.iter().filter(|at| at.0 > now.0 - 60_000).count();
            assert!(in_a_minute <= CHANGES_A_MINUTE, "{in_a_minute} changes in a minute");
        } else {
            self.check_rate(webhook, url, now);
        }
        self.check_order(webhook, message, mood);
        if message.way != Way::Post && !matches!(mood, Mood::Good | Mood::Lost | Mood::Limited(_) | Mood::Failing) {
            (self.disturbed, self.detached) = (true, true);
        }
        let accepted = |reference| SendResult::Accepted { pause: None, reference: Some(reference) };
        match mood {
            Mood::Closed | Mood::Emptied if message.way != Way::Post => {
                SendResult::Detached { lost: mood == Mood::Emptied, error: "refused".to_owned() }
            }
            Mood::Good | Mood::Closed | Mood::Emptied => accepted(self.arrive(message, true)),
            Mood::Limited(seconds) => SendResult::RateLimited(Duration::from_secs(seconds), "429".to_owned()),
            Mood::Failing => SendResult::Transient { after: None, error: "500".to_owned() },
            Mood::Lost => {
                self.arrive(message, false);
                SendResult::Transient { after: None, error: "no answer".to_owned() }
            }
            Mood::Missing => SendResult::EndpointGone("404".to_owned()),
            Mood::Refusing => SendResult::Rejected("invalid_blocks".to_owned()),
            Mood::Picky if !message.plain && message.id % 3 == 0 => SendResult::Rejected("invalid_blocks".to_owned()),
            Mood::Picky => accepted(self.arrive(message, true)),
        }
    }

    /// A message arrives. Returns where it is, which only an app says.
    pub(super) fn arrive(&mut self, message: &OutboundMessage, known: bool) -> Reference {
        let place = |reference: &Reference| reference.id.parse().unwrap();
        let (changes, thread) = match &message.way {
            Way::Post => (None, None),
            Way::Beneath(above) => (None, Some(above.parent().to_owned())),
            Way::Change(reference) => (Some(place(reference)), reference.thread.clone()),
        };
        let id = changes.unwrap_or(self.arrived.len()).to_string();
        let (route, body) = (message.route.clone(), message.body.clone());
        self.arrived.push(Arrived { id: message.id, route, body, known, changes });
        Reference { channel: "C1".to_owned(), id, of: String::new(), thread }
    }
}
