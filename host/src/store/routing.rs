//! From the inbox to the outbox, in two steps: an event is *assigned* to the routes that want it, which is quick, and
//! then *worded* by each of them in its own time. In between it is pending there, so a slow route keeps no other
//! waiting and a crash loses nothing.

use rusqlite::params;

use super::{Store, StoreError, history};
use crate::event::{Event, PastBan, Timestamp};
use crate::message::Guarded;

/// Which routes want one event.
#[derive(Debug)]
pub struct Assigned {
    /// Its place in the order of intake.
    pub seq: i64,
    /// What is to be remembered of it: see [`PastBan::of`].
    pub ban: Option<PastBan>,
    /// The names of the routes and of their webhooks; empty: unrouted.
    pub to: Vec<(String, String)>,
}

/// An event that a route is to word.
#[derive(Debug, Clone)]
pub struct Unworded {
    /// Its place in the order of intake.
    pub seq: i64,
    /// The webhook that gets the message.
    pub webhook: String,
    /// The event, or why what is stored cannot be read (the store was edited by hand).
    pub event: Result<Event, String>,
}

/// What a route made of one event.
#[derive(Debug)]
pub struct Worded {
    /// Its place in the order of intake.
    pub seq: i64,
    /// Message or not.
    pub verdict: Verdict,
}

/// Message or not.
#[derive(Debug)]
pub enum Verdict {
    /// To be sent.
    Send(Guarded),
    /// Not worth a message, and why.
    Skip(String),
    /// Cannot be told at all, and why.
    Dead(String),
}

impl Store {
    /// Moves events out of the inbox, to the routes that want them, and remembers new bans; all or nothing.
    ///
    /// # Errors
    /// When the disk refuses; then all of them still wait.
    pub fn assign(&mut self, assigned: &[Assigned]) -> Result<(), StoreError> {
        self.write("route events", |transaction| {
            let mut leave =
                transaction.prepare_cached("UPDATE events SET state = ? WHERE seq = ? AND state = 'waiting'")?;
            let mut enter = transaction
                .prepare_cached("INSERT INTO outcomes (event, route, webhook, state) VALUES (?, ?, ?, 'pending')")?;
            for Assigned { seq, ban, to } in assigned {
                let state = if to.is_empty() { "unrouted" } else { "routed" };
                if leave.execute(params![state, seq])? == 0 {
                    continue;
                }
                if let Some(ban) = ban {
                    history::record(transaction, *seq, ban)?;
                }
                for (route, webhook) in to {
                    enter.execute(params![seq, route, webhook])?;
                }
            }
            Ok(())
        })
    }

    /// The first events that a route is to word, oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn unworded(&self, route: &str, at_most: usize) -> Result<Vec<Unworded>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT event, webhook, body FROM outcomes JOIN events ON seq = event
                 WHERE route = ? AND outcomes.state = 'pending' AND message IS NULL ORDER BY event LIMIT ?",
            )?;
            let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![route, at_most], |row| {
                let body: String = row.get(2)?;
                Ok(Unworded {
                    seq: row.get(0)?,
                    webhook: row.get(1)?,
                    event: Event::from_stored_json(&body).map_err(|error| error.to_string()),
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.error("read the events of a route", source))
    }

    /// The routes that have something to word.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn unworded_routes(&self) -> Result<Vec<String>, StoreError> {
        self.connection
            .prepare_cached(
                "SELECT DISTINCT route FROM outcomes WHERE state = 'pending' AND message IS NULL ORDER BY route",
            )
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .map_err(|source| self.error("read the events of routes", source))
    }

    /// Records what a route made of its events: outcomes, messages and ledger entries, all or nothing.
    ///
    /// # Errors
    /// When the disk refuses; then all of them are still to be worded.
    pub fn word(&mut self, route: &str, worded: &[Worded], now: Timestamp) -> Result<(), StoreError> {
        self.write("record what a route made of events", |transaction| {
            let mut enter = transaction.prepare_cached(
                "INSERT INTO outbox (route, webhook, body, made_at, due_at)
                 SELECT route, webhook, ?3, ?4, ?4 FROM outcomes
                 WHERE event = ?1 AND route = ?2 AND state = 'pending' AND message IS NULL",
            )?;
            let mut sends =
                transaction.prepare_cached("UPDATE outcomes SET message = ?3 WHERE event = ?1 AND route = ?2")?;
            let mut ends = transaction.prepare_cached(
                "UPDATE outcomes SET state = ?3, detail = ?4
                 WHERE event = ?1 AND route = ?2 AND state = 'pending' AND message IS NULL",
            )?;
            for Worded { seq, verdict } in worded {
                match verdict {
                    Verdict::Send(body) => {
                        if enter.execute(params![seq, route, body.to_json_string(), now.0])? > 0 {
                            sends.execute(params![seq, route, transaction.last_insert_rowid()])?;
                        }
                    }
                    Verdict::Skip(reason) => {
                        ends.execute(params![seq, route, "skipped", reason])?;
                    }
                    Verdict::Dead(reason) => {
                        ends.execute(params![seq, route, "dead", reason])?;
                    }
                }
            }
            Ok(())
        })
    }
}
