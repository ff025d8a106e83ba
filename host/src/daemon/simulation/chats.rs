//! The chats: what each answers, and what has arrived.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::deliver::SendResult;
use crate::event::Timestamp;
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
}

/// A message that a chat has.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub id: i64,
    pub route: String,
    pub body: String,
    /// Whether the sender knows it.
    pub known: bool,
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
}

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
        let may_suspend = matches!(mood, Mood::Missing | Mood::Refusing | Mood::Picky);
        self.disturbed |= may_suspend || message.failures >= FAILURES_IN_ORDER;
        let last = self.last.entry(webhook.to_owned()).or_default();
        assert!(self.disturbed || message.id >= *last, "{webhook}: message {} comes after {last}", message.id);
        *last = message.id;
    }

    /// Answers a request, within its rate.
    pub(super) fn answer(&mut self, webhook: &str, url: &str, message: &OutboundMessage, now: Timestamp) -> SendResult {
        let times = self.requests.entry(format!("{webhook} {url}")).or_default();
        times.push(now);
        let (interval, burst) = RATE;
        for (index, first) in times.iter().enumerate() {
            let after_burst = i64::try_from((times.len() - index).saturating_sub(burst)).unwrap();
            assert!(now.0 - first.0 >= after_burst * interval, "{webhook} is asked too often: {times:?}");
        }
        let mood = self.moods.get(webhook).copied().unwrap_or(Mood::Good);
        self.check_order(webhook, message, mood);
        let mut arrive = |known| {
            let (route, body) = (message.route.clone(), message.body.clone());
            self.arrived.push(Arrived { id: message.id, route, body, known });
        };
        match mood {
            Mood::Good => {
                arrive(true);
                SendResult::Accepted { pause: None, reference: None }
            }
            Mood::Limited(seconds) => SendResult::RateLimited(Duration::from_secs(seconds), "429".to_owned()),
            Mood::Failing => SendResult::Transient { after: None, error: "500".to_owned() },
            Mood::Lost => {
                arrive(false);
                SendResult::Transient { after: None, error: "no answer".to_owned() }
            }
            Mood::Missing => SendResult::EndpointGone("404".to_owned()),
            Mood::Refusing => SendResult::Rejected("invalid_blocks".to_owned()),
            Mood::Picky if !message.plain && message.id % 3 == 0 => SendResult::Rejected("invalid_blocks".to_owned()),
            Mood::Picky => {
                arrive(true);
                SendResult::Accepted { pause: None, reference: None }
            }
        }
    }

    /// A message is on its way when the sender ends.
    pub(super) fn arrive_unknown(&mut self, message: &OutboundMessage) {
        let (route, body) = (message.route.clone(), message.body.clone());
        self.arrived.push(Arrived { id: message.id, route, body, known: false });
    }
}
