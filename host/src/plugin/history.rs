//! `history`: what a plugin may ask about past bans. The answers come from outside; here is only the question's form.

use std::time::Instant;

use super::bindings::banhook::plugin::history::{Host, Query, Summary};
use super::imports::{State, milliseconds};
use crate::event::{BanQuery, BanSummary};

/// Answers questions about past bans, for one route: it knows which bans that route may see, and leaves out the event in
/// hand.
pub trait History: Send + Sync {
    /// The bans that are asked for, summed up.
    ///
    /// # Errors
    /// When there is no answer, or none by the deadline. A plugin is then not told a wrong one: it fails, and the event
    /// goes out as a plain message.
    fn bans(&self, query: &BanQuery, deadline: Instant) -> Result<BanSummary, HistoryError>;
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// There are too many bans to count in time.
    #[error(
        "asked about more past bans than can be counted in its time (limits.time); let it ask with \"within\", or of one subject"
    )]
    TookTooLong,
    /// They cannot be read.
    #[error("asked about past bans, which cannot be read: {0}")]
    Failed(String),
}

impl Host for State {
    fn bans(&mut self, of: Query) -> wasmtime::Result<Summary> {
        let Some(history) = &self.context.grants.history else { return Ok(summary(BanSummary::default())) };
        let until = self.now;
        let query = BanQuery {
            subject: of.subject,
            jail: of.jail,
            host: of.host,
            since: of.within.map(|seconds| until.plus_ms(i64::from(seconds).saturating_mul(-1_000))),
            until,
        };
        history.bans(&query, self.deadline).map(summary).map_err(wasmtime::Error::from)
    }
}

fn summary(summary: BanSummary) -> Summary {
    Summary {
        bans: summary.bans,
        subjects: summary.subjects,
        hosts: summary.hosts,
        first: summary.first.map(milliseconds),
        last: summary.last.map(milliseconds),
        by_jail: summary.by_jail,
    }
}
