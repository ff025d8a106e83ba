//! One event: what fail2ban did, where and when.

use std::collections::BTreeMap;

use super::ban::Ban;
use super::timestamp::Timestamp;

/// One thing fail2ban did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, unique over all hosts.
    pub id: String,
    /// When banhook received it, or the time of its log line.
    pub at: Timestamp,
    /// The machine's name. Empty: this host (see [`EventDefaults`](super::EventDefaults)).
    pub host: String,
    /// The jail, verbatim; not empty.
    pub jail: String,
    /// What happened.
    pub details: EventDetails,
    /// Facts without a field of their own, and the configuration's `[labels]`.
    pub labels: BTreeMap<String, String>,
}

/// What happened, one of the things that fail2ban runs actions for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventDetails {
    /// The jail started.
    Start,
    /// The jail stopped.
    Stop,
    /// All bans of the jail were lifted at once.
    Flush,
    /// A subject was banned.
    Ban(Ban),
    /// A ban ended.
    Unban(Ban),
    /// A ban lasts longer than was said; described as the ban is now.
    Prolong(Ban),
}

/// The kind of an event, by which routes select.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// See [`EventDetails::Start`].
    Start,
    /// See [`EventDetails::Stop`].
    Stop,
    /// See [`EventDetails::Flush`].
    Flush,
    /// See [`EventDetails::Ban`].
    Ban,
    /// See [`EventDetails::Unban`].
    Unban,
    /// See [`EventDetails::Prolong`].
    Prolong,
}

impl Kind {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 6] = [Self::Start, Self::Stop, Self::Flush, Self::Ban, Self::Unban, Self::Prolong];

    /// Returns the word for it on the command line, in the configuration and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Flush => "flush",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Prolong => "prolong",
        }
    }

    /// Returns the kind that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Event {
    /// Returns its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.details {
            EventDetails::Start => Kind::Start,
            EventDetails::Stop => Kind::Stop,
            EventDetails::Flush => Kind::Flush,
            EventDetails::Ban(_) => Kind::Ban,
            EventDetails::Unban(_) => Kind::Unban,
            EventDetails::Prolong(_) => Kind::Prolong,
        }
    }

    /// Returns the same event without what says whom it is about: subject and log lines.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut event = self.clone();
        if let EventDetails::Ban(ban) | EventDetails::Unban(ban) | EventDetails::Prolong(ban) = &mut event.details {
            ban.subject.clear();
            ban.matches.clear();
        }
        event
    }

    /// The ban or unban's details.
    #[must_use]
    pub const fn ban(&self) -> Option<&Ban> {
        match &self.details {
            EventDetails::Ban(ban) | EventDetails::Unban(ban) | EventDetails::Prolong(ban) => Some(ban),
            EventDetails::Start | EventDetails::Stop | EventDetails::Flush => None,
        }
    }
}

/// The host and the labels of events that have none of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventDefaults {
    /// The configuration's `host`, or else the system's host name.
    pub host: String,
    /// The configuration's `[labels]`.
    pub labels: BTreeMap<String, String>,
}

impl EventDefaults {
    /// Fills in the host where the event has none, and each label that it does not have.
    #[must_use]
    pub fn apply(&self, mut event: Event) -> Event {
        if event.host.is_empty() {
            self.host.clone_into(&mut event.host);
        }
        for (name, value) in &self.labels {
            event.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        event
    }
}
