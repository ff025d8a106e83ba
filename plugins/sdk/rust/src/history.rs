//! Past bans. A plugin that asks needs `grants.history = true` in its route.
//!
//! ```no_run
//! use banhook_plugin::history::{self, Query};
//!
//! let within_a_week = history::bans(&Query::of("203.0.113.7").within(7 * 86_400));
//! let times = within_a_week.map_or(1, |past| past.bans + 1);
//! ```

use std::fmt::Display;

use crate::Seconds;
pub use crate::bindings::imports::banhook::plugin::history::{Query, SubjectQuery, Summary, bans};

impl Default for Query {
    /// All bans of the route.
    fn default() -> Self {
        Self { subject: None, jail: None, host: None, within: None, hints: None }
    }
}

impl Query {
    /// Bans of exactly this subject.
    pub fn of(subject: impl Display) -> Self {
        Self { subject: Some(SubjectQuery::Exact(subject.to_string())), ..Self::default() }
    }

    /// Bans of addresses and networks in a network such as `203.0.113.0/24`.
    pub fn network(network: impl Display) -> Self {
        Self { subject: Some(SubjectQuery::Network(network.to_string())), ..Self::default() }
    }

    /// Only of this jail.
    #[must_use]
    pub fn jail(self, jail: impl Display) -> Self {
        Self { jail: Some(jail.to_string()), ..self }
    }

    /// Only on this host.
    #[must_use]
    pub fn host(self, host: impl Display) -> Self {
        Self { host: Some(host.to_string()), ..self }
    }

    /// Only of the last so many seconds.
    #[must_use]
    pub fn within(self, seconds: Seconds) -> Self {
        Self { within: Some(seconds), ..self }
    }
}
