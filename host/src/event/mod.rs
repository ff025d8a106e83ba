//! The event: something fail2ban did, and its JSON.
//!
//! Everything else in banhook speaks of events in these types. Nothing here knows of files, sockets, plugins or
//! messages, and every string is taken to be written by an attacker.

mod ban;
mod batch;
mod json;
mod past;
mod timestamp;

use std::collections::BTreeMap;

pub use ban::{Ban, BanDuration, Family};
pub use batch::{Batch, Cause, Counted, Counter, LISTED_FIRST, LISTED_LAST, ROWS, Row, Totals};
pub use json::ParseEventError;
pub use past::{BanQuery, BanSummary, JAILS_LISTED, PastBan, Tally};
pub use timestamp::Timestamp;

/// One thing fail2ban did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique over all hosts.
    pub id: String,
    /// When banhook took it in, or the time of its log line.
    pub at: Timestamp,
    /// The machine's name. Empty: this host, not named yet (see `Event::named`).
    pub host: String,
    /// The jail, verbatim; not empty.
    pub jail: String,
    /// What happened.
    pub action: Action,
    /// Facts without a field of their own, and the configuration's `[labels]`.
    pub labels: BTreeMap<String, String>,
}

/// The five things fail2ban tells its actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
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
}

/// An action without its details: what a route selects by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// See [`Action::Start`].
    Start,
    /// See [`Action::Stop`].
    Stop,
    /// See [`Action::Flush`].
    Flush,
    /// See [`Action::Ban`].
    Ban,
    /// See [`Action::Unban`].
    Unban,
}

impl Kind {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 5] = [Self::Start, Self::Stop, Self::Flush, Self::Ban, Self::Unban];

    /// The word for it on the command line, in the configuration and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Flush => "flush",
            Self::Ban => "ban",
            Self::Unban => "unban",
        }
    }

    /// The kind that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Action {
    /// Which of the five it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Start => Kind::Start,
            Self::Stop => Kind::Stop,
            Self::Flush => Kind::Flush,
            Self::Ban(_) => Kind::Ban,
            Self::Unban(_) => Kind::Unban,
        }
    }
}

impl Event {
    /// The ban or unban's details.
    #[must_use]
    pub const fn ban(&self) -> Option<&Ban> {
        match &self.action {
            Action::Ban(ban) | Action::Unban(ban) => Some(ban),
            Action::Start | Action::Stop | Action::Flush => None,
        }
    }

    /// The event with what only the configuration knows: this host's name, where the event has none, and labels,
    /// where it has none of that name.
    #[must_use]
    pub fn named(mut self, host: &str, labels: &BTreeMap<String, String>) -> Self {
        if self.host.is_empty() {
            host.clone_into(&mut self.host);
        }
        for (name, value) in labels {
            self.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }
}
