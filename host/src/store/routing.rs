//! From the inbox to messages, in two steps: an event is *assigned* to the routes that want it, which is quick, and then
//! *worded* by each of them in its own time. In between it is pending there, so a slow route keeps no other waiting and a
//! crash loses nothing.

use rusqlite::{Row, Rows, Transaction, params};

use super::holds::Fold;
use super::joined::{self, Joined};
use super::{Part, Store, StoreError, history, recent};
use crate::event::{Event, PastBan, Timestamp};
use crate::message::Guarded;

/// Bytes of JSON after which no further event is read along: they are in memory together.
const AT_ONCE_BYTES: usize = 2 << 20;

/// An event in the inbox.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its place in the order of intake.
    pub seq: i64,
    /// When it was taken in.
    pub taken_at: Timestamp,
    /// The event, or why what is stored cannot be read (the store was edited by hand).
    pub event: Result<Event, String>,
    /// What of it was stored when it was read.
    pub(super) body: String,
}

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
    /// It had a message of its own, and gets one again.
    pub alone: bool,
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
    /// To be told together with others.
    Hold(Fold),
    /// Not worth a message, and why.
    Skip(String),
    /// Cannot be told at all, and why.
    Dead(String),
}

impl Store {
    /// Up to which event all have come to their end: those are not told again should the file of what became of them get
    /// lost.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn over(&self) -> Result<i64, StoreError> {
        self.database.read("read how far events are over", |connection| {
            connection
                .prepare_cached(
                    "SELECT ifnull((SELECT min(event) - 1 FROM (
                         SELECT min(event) AS event FROM outcomes WHERE state = 'pending' AND message IS NULL
                         UNION ALL SELECT (SELECT min(event) FROM outcomes WHERE message = id) FROM messages
                             WHERE state IN ('open', 'ready')
                     )), upto) FROM assigned",
                )?
                .query_row([], |row| row.get(0))
        })
    }

    /// Goes on behind what the inbox knows to be over, if this file is an older one or was made anew. Nobody knows any more
    /// which of these events a route wanted. Says how many they are.
    pub(super) fn skip_what_is_over(&mut self) -> Result<u64, StoreError> {
        let skipped = "SELECT max(0, (SELECT upto FROM inbox.over) - upto) FROM assigned";
        let count = |connection: &rusqlite::Connection| connection.query_row(skipped, [], |row| row.get::<_, u64>(0));
        if self.database.read("read the inbox", count)? == 0 {
            return Ok(0);
        }
        self.database.write("go on behind what is over", |transaction| {
            let skipped = count(transaction)?;
            let upto: i64 = transaction.query_row("SELECT upto FROM inbox.over", [], |row| row.get(0))?;
            assigned_upto(transaction, upto)?;
            transaction.execute(
                "INSERT INTO ledger VALUES ('', 'unrouted', ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                [skipped],
            )?;
            Ok(skipped)
        })
    }

    /// Whether the inbox is the one that was worked on before, and no older copy of it: numbers alone say nothing any more
    /// once another one has taken in as many events. If the last event that was assigned has been pruned, so was the inbox
    /// worked on since.
    ///
    /// # Errors
    /// If it is another one, or when the disk refuses.
    pub fn check_inbox(&self) -> Result<(), StoreError> {
        let torn = self.database.read("read the inbox", |connection| {
            connection.query_row(
                "SELECT upto > 0 AND (
                     inbox IS NOT (SELECT id FROM inbox.over)
                     OR upto > ifnull((SELECT max(seq) FROM inbox.events), 0)
                     OR EXISTS (SELECT 1 FROM inbox.events AS event
                         WHERE seq = upto AND (event.taken_at, event.subject) <> (assigned.taken_at, assigned.subject))
                 ) FROM assigned",
                [],
                |row| row.get(0),
            )
        })?;
        let file = |part| self.folder().file(part);
        if torn { Err(StoreError::Torn { path: file(Part::Inbox), work: file(Part::Work) }) } else { Ok(()) }
    }

    /// The first events of the inbox that are not assigned yet, oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn waiting(&self, at_most: usize) -> Result<Vec<Waiting>, StoreError> {
        self.database.read("read the inbox", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, taken_at, body FROM inbox.events WHERE seq > (SELECT upto FROM assigned) ORDER BY seq LIMIT ?",
            )?;
            let rows = statement.query([limit(at_most)])?;
            as_many_as_fit(rows, |row, body| {
                let (seq, taken_at) = (row.get(0)?, Timestamp(row.get(1)?));
                Ok(Waiting { seq, taken_at, event: parsed(body), body: body.to_owned() })
            })
        })
    }

    /// Hands events to the routes that want them, and remembers new bans; all or nothing. They are the first ones of
    /// those that wait, in order.
    ///
    /// # Errors
    /// When the disk refuses; then all of them still wait.
    pub fn assign(&mut self, assigned: &[Assigned]) -> Result<(), StoreError> {
        self.database.write("route events", |transaction| {
            let upto: i64 =
                transaction.prepare_cached("SELECT upto FROM assigned")?.query_row([], |row| row.get(0))?;
            let mut enter = transaction.prepare_cached("INSERT INTO outcomes (event, route, webhook) VALUES (?, ?, ?)")?;
            let (mut unrouted, mut routed, mut last) = (0, 0, upto);
            let fresh = || assigned.iter().filter(|assigned| assigned.seq > upto);
            history::record(transaction, fresh().filter_map(|Assigned { seq, ban, .. }| Some((*seq, ban.as_ref()?))))?;
            for Assigned { seq, to, .. } in fresh() {
                *(if to.is_empty() { &mut unrouted } else { &mut routed }) += 1;
                last = *seq;
                for (route, webhook) in to {
                    enter.execute(params![seq, route, webhook])?;
                }
            }
            if last > upto {
                assigned_upto(transaction, last)?;
            }
            transaction
                .prepare_cached(
                    "INSERT INTO ledger VALUES ('', 'unrouted', ?), ('', 'routed', ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                )?
                .execute([unrouted, routed])
                .map(drop)
        })
    }

    /// The first events that a route is to word, oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn unworded(&self, route: &str, at_most: usize) -> Result<Vec<Unworded>, StoreError> {
        self.database.read("read the events of a route", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT event, webhook, body, alone FROM outcomes INDEXED BY outcomes_unworded
                     CROSS JOIN inbox.events ON seq = event
                 WHERE route = ? AND outcomes.state = 'pending' AND message IS NULL ORDER BY event LIMIT ?",
            )?;
            let rows = statement.query(params![route, limit(at_most)])?;
            as_many_as_fit(rows, unworded)
        })
    }

    /// The first events of a message, in the order of intake.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn events_of(&self, message: i64, at_most: usize) -> Result<Vec<Unworded>, StoreError> {
        self.database.read("read the events of a message", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT event, webhook, body, alone FROM outcomes CROSS JOIN inbox.events ON seq = event
                 WHERE message = ? ORDER BY event LIMIT ?",
            )?;
            let rows = statement.query(params![message, limit(at_most)])?;
            as_many_as_fit(rows, unworded)
        })
    }

    /// The routes that have something to word, or to close.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn unfinished_routes(&self) -> Result<Vec<String>, StoreError> {
        self.database.read("read the events of routes", |connection| {
            connection
                .prepare_cached(
                    "SELECT DISTINCT route FROM outcomes WHERE state = 'pending' AND message IS NULL
                     UNION SELECT DISTINCT route FROM messages WHERE state = 'open' ORDER BY route",
                )?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// Records what a route made of events: outcomes, messages, what joins a message that is open, and ledger entries,
    /// all or nothing. `from`: the open message that the events were in until now; `None`: they were to be worded. `posts`:
    /// when the route last had something to post, if that has changed.
    ///
    /// # Errors
    /// When the disk refuses; then nothing has changed.
    pub fn word(
        &mut self,
        route: &str,
        from: Option<i64>,
        worded: &[Worded],
        posts: Option<&[Timestamp]>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("record what a route made of events", |transaction| {
            let mut joined = Joined::new(route, now);
            let mut gone = 0;
            for Worded { seq, verdict } in worded {
                let moved = match verdict {
                    Verdict::Send(body) => send(transaction, route, from, *seq, body, now)?,
                    Verdict::Hold(fold) => joined.join(transaction, from, *seq, fold)?,
                    Verdict::Skip(reason) => end(transaction, route, from, *seq, "skipped", reason)?,
                    Verdict::Dead(reason) => end(transaction, route, from, *seq, "dead", reason)?,
                };
                gone += i64::from(moved);
            }
            joined.finish(transaction)?;
            if let Some(posts) = posts {
                recent::record(transaction, route, posts)?;
            }
            match from {
                Some(hold) => joined::shrink(transaction, hold, gone),
                None => Ok(()),
            }
        })
    }
}

/// Takes note that all events up to this one are assigned, and of what inbox and event these are: see
/// [`Store::check_inbox`].
fn assigned_upto(transaction: &Transaction<'_>, upto: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE assigned SET upto = ?1, inbox = (SELECT id FROM inbox.over),
                 taken_at = (SELECT taken_at FROM inbox.events WHERE seq = ?1),
                 subject = (SELECT subject FROM inbox.events WHERE seq = ?1)",
        )?
        .execute([upto])
        .map(drop)
}

/// One event's message. False: the event is not where it should be (any more).
fn send(
    transaction: &Transaction<'_>,
    route: &str,
    from: Option<i64>,
    seq: i64,
    body: &Guarded,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let made = transaction
        .prepare_cached(
            "INSERT INTO messages (route, webhook, state, events, body, target, made_at, due_at)
             SELECT route, webhook, 'ready', 1, ?4, ?6, min(ifnull(made_at, taken_at), ?5), ?5 FROM outcomes JOIN inbox.events ON seq = event
             WHERE event = ?1 AND route = ?2 AND outcomes.state = 'pending' AND message IS ?3",
        )?
        .execute(params![seq, route, from, body.to_json_string(), now.0, body.target().as_str()])?;
    if made > 0 {
        let message = transaction.last_insert_rowid();
        transaction
            .prepare_cached("UPDATE outcomes SET message = ? WHERE event = ? AND route = ?")?
            .execute(params![message, seq, route])?;
    }
    Ok(made > 0)
}

/// An event that becomes part of no message.
fn end(
    transaction: &Transaction<'_>,
    route: &str,
    from: Option<i64>,
    seq: i64,
    state: &str,
    why: &str,
) -> rusqlite::Result<bool> {
    let ended = transaction
        .prepare_cached(
            "UPDATE outcomes SET state = ?4, detail = ?5, message = NULL
             WHERE event = ?1 AND route = ?2 AND state = 'pending' AND message IS ?3",
        )?
        .execute(params![seq, route, from, state, why])?;
    Ok(ended > 0)
}

/// What is made of rows whose third column is an event, up to the first with which there are [`AT_ONCE_BYTES`] of these.
fn as_many_as_fit<T>(
    mut rows: Rows<'_>,
    make: impl Fn(&Row<'_>, &str) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let (mut made, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let body = row.get_ref(2)?.as_str()?;
        made.push(make(row, body)?);
        bytes += body.len();
        if bytes >= AT_ONCE_BYTES {
            break;
        }
    }
    Ok(made)
}

fn unworded(row: &Row<'_>, body: &str) -> rusqlite::Result<Unworded> {
    Ok(Unworded { seq: row.get(0)?, webhook: row.get(1)?, event: parsed(body), alone: row.get(3)? })
}

pub(super) fn parsed(body: &str) -> Result<Event, String> {
    Event::from_stored_json(body).map_err(|error| error.to_string())
}

pub(super) fn limit(at_most: usize) -> i64 {
    i64::try_from(at_most).unwrap_or(i64::MAX)
}
