//! How far one event has come: received, routed, and on each route accepted by its webhook or not. It writes nothing.

use rusqlite::{OptionalExtension, params};

use super::database::lossy;
use super::error::StoreError;
use super::routing_cursor;
use super::store::Store;

/// How far an event has come on one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteProgress {
    /// The route.
    pub route: String,
    /// The webhook that gets its message.
    pub webhook: String,
    /// How far.
    pub stage: Stage,
    /// The last answer, or the reason.
    pub detail: Option<String>,
}

/// How far an event has come on a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not formatted, or not accepted yet.
    Unsent,
    /// In a digest that more events may join.
    Open,
    /// The webhook accepted the message that it is in.
    Accepted,
    /// The plugin posts nothing.
    Skipped,
    /// It is not sent.
    Dead,
}

impl Store {
    /// Returns how far the last event of a jail and subject has come on each route that matches it; `None` until it is
    /// routed.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn event_progress(&self, jail: &str, subject: &str) -> Result<Option<Vec<RouteProgress>>, StoreError> {
        self.database.read("read how far an event is", |connection| {
            let seq: Option<i64> = connection
                .query_row(
                    "SELECT max(seq) FROM events WHERE subject = ? AND jail = ?",
                    params![subject, jail],
                    |row| row.get(0),
                )
                .optional()?
                .flatten();
            let last_routed = routing_cursor::last_routed(connection)?;
            let Some(seq) = seq.filter(|seq| *seq <= last_routed) else { return Ok(None) };
            connection
                .prepare(
                    "SELECT routed_events.route, ifnull(messages.webhook, routed_events.webhook),
                         ifnull(messages.state, routed_events.state), ifnull(messages.error, routed_events.detail)
                     FROM routed_events LEFT JOIN messages ON messages.id = message WHERE event = ?",
                )?
                .query_map([seq], |row| {
                    let stage = match row.get_ref(2)?.as_str().unwrap_or_default() {
                        "posted" | "digested" => Stage::Accepted,
                        "open" => Stage::Open,
                        "skipped" => Stage::Skipped,
                        "dead" | "dropped" => Stage::Dead,
                        _ => Stage::Unsent,
                    };
                    let text = |column| lossy(row, column);
                    let (route, webhook) = (text(0)?.unwrap_or_default(), text(1)?.unwrap_or_default());
                    Ok(RouteProgress { route, webhook, stage, detail: text(3)? })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
                .map(Some)
        })
    }
}
