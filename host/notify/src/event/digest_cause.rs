//! Why events are grouped into a digest.

use serde::{Deserialize, Serialize};

/// Why events are grouped into a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestCause {
    /// The plugin decided to hold them.
    Held,
    /// More messages than the route's `storm` lets through one by one.
    Storm,
    /// More pending messages than the webhook takes in a minute.
    Backlog,
    /// Starts, stops, flushes and restored bans, as a restart of fail2ban or of a jail causes them.
    Restart,
    /// fail2ban, or a jail, was stopped.
    Stop,
    /// Bans, or unbans, of one subject, on several hosts or in several jails.
    SameSubject,
    /// What [`DigestCause::Restart`] groups, of several hosts. Only the host's: in a batch they are one of its causes.
    #[serde(skip)]
    Restarts,
    /// Unbans that are held in case a stop follows. Only the host's: in a batch they are [`DigestCause::Other`].
    #[serde(skip)]
    Unbans,
    /// None of these.
    Other,
}

impl DigestCause {
    const ALL: [Self; 9] = [
        Self::Held,
        Self::Storm,
        Self::Backlog,
        Self::Restart,
        Self::Stop,
        Self::SameSubject,
        Self::Restarts,
        Self::Unbans,
        Self::Other,
    ];

    /// Returns the word for it in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Storm => "storm",
            Self::Backlog => "backlog",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::SameSubject => "same_subject",
            Self::Restarts => "restarts",
            Self::Unbans => "unbans",
            Self::Other => "other",
        }
    }

    /// Returns the cause that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word)
    }
}
