//! From the inbox to messages, in two steps: an event is *routed* to the routes that want it, which is quick, and then
//! *formatted* by each of them in its own time. In between it is pending there, so a slow route keeps no other waiting and a
//! crash loses nothing.

use rusqlite::{Row, Rows, Transaction, params};

use super::digest_writer::{self, DigestWriter};
use super::digests::DigestKey;
use super::{DbFile, Store, StoreError, history, recent_posts};
use crate::event::{Event, PastBan, Timestamp};
use crate::message::Guarded;

/// Bytes of JSON after which no further event is read along: they are in memory together.
const AT_ONCE_BYTES: usize = 2 << 20;

/// An event in the inbox.
#[derive(Debug, Clone)]
pub struct UnroutedEvent {
    /// Its place in the order of intake.
    pub seq: i64,
    /// When it was taken in.
    pub received_at: Timestamp,
    /// The event, or why what is stored cannot be read (the store was edited by hand).
    pub event: Result<Event, String>,
    /// What of it was stored when it was read.
    pub(super) body: String,
}

/// Which routes want one event.
#[derive(Debug)]
pub struct RoutedTo {
    /// Its place in the order of intake.
    pub seq: i64,
    /// What is to be remembered of it: see [`PastBan::of`].
    pub ban: Option<PastBan>,
    /// The names of the routes and of their webhooks; empty: unmatched.
    pub to: Vec<(String, String)>,
}

/// An event that a route is to word.
#[derive(Debug, Clone)]
pub struct UnformattedEvent {
    /// Its place in the order of intake.
    pub seq: i64,
    /// The webhook that gets the message.
    pub webhook: String,
    /// The event, or why what is stored cannot be read (the store was edited by hand).
    pub event: Result<Event, String>,
    /// It had a message of its own, and gets one again.
    pub standalone: bool,
}

/// What a route made of one event.
#[derive(Debug)]
pub struct FormattedEvent {
    /// Its place in the order of intake.
    pub seq: i64,
    /// Message or not.
    pub disposition: Disposition,
}

/// Message or not.
#[derive(Debug)]
pub enum Disposition {
    /// To be sent.
    Send(Guarded),
    /// To be told together with others.
    Digest(DigestKey),
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
    pub fn settled_through(&self) -> Result<i64, StoreError> {
        self.database.read("read which events are settled", |connection| {
            connection
                .prepare_cached(
                    "SELECT ifnull((SELECT min(event) - 1 FROM (
                         SELECT min(event) AS event FROM routed_events WHERE state = 'pending' AND message IS NULL
                         UNION ALL SELECT (SELECT min(event) FROM routed_events WHERE message = id) FROM messages
                             WHERE state IN ('open', 'ready')
                     )), last_seq) FROM routing_cursor",
                )?
                .query_row([], |row| row.get(0))
        })
    }

    /// Goes on behind what the inbox knows to be over, if this file is an older one or was made anew. Nobody knows any more
    /// which of these events a route wanted. Says how many they are.
    pub(super) fn skip_settled_events(&mut self) -> Result<u64, StoreError> {
        let skipped = "SELECT max(0, (SELECT settled_through FROM inbox.inbox_meta) - last_seq) FROM routing_cursor";
        let count = |connection: &rusqlite::Connection| connection.query_row(skipped, [], |row| row.get::<_, u64>(0));
        if self.database.read("read the inbox", count)? == 0 {
            return Ok(0);
        }
        self.database.write("skip settled events", |transaction| {
            let skipped = count(transaction)?;
            let settled_through: i64 =
                transaction.query_row("SELECT settled_through FROM inbox.inbox_meta", [], |row| row.get(0))?;
            advance_cursor(transaction, settled_through)?;
            transaction.execute(
                "INSERT INTO ledger VALUES ('', 'unmatched', ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                [skipped],
            )?;
            Ok(skipped)
        })
    }

    /// Whether the inbox is the one that was worked on before, and no older copy of it: numbers standalone say nothing any more
    /// once another one has taken in as many events. If the last event that was routed has been pruned, so was the inbox
    /// worked on since.
    ///
    /// # Errors
    /// If it is another one, or when the disk refuses.
    pub fn check_inbox(&self) -> Result<(), StoreError> {
        let torn = self.database.read("read the inbox", |connection| {
            connection.query_row(
                "SELECT last_seq > 0 AND (
                     inbox IS NOT (SELECT id FROM inbox.inbox_meta)
                     OR last_seq > ifnull((SELECT max(seq) FROM inbox.events), 0)
                     OR EXISTS (SELECT 1 FROM inbox.events AS event
                         WHERE seq = last_seq AND (event.received_at, event.subject) <> (routing_cursor.received_at, routing_cursor.subject))
                 ) FROM routing_cursor",
                [],
                |row| row.get(0),
            )
        })?;
        let file = |part| self.folder().file(part);
        if torn { Err(StoreError::Torn { path: file(DbFile::Inbox), work: file(DbFile::Work) }) } else { Ok(()) }
    }

    /// The first events of the inbox that are not routed yet, oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn unrouted(&self, at_most: usize) -> Result<Vec<UnroutedEvent>, StoreError> {
        self.database.read("read the inbox", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, received_at, body FROM inbox.events WHERE seq > (SELECT last_seq FROM routing_cursor) ORDER BY seq LIMIT ?",
            )?;
            let rows = statement.query([limit(at_most)])?;
            as_many_as_fit(rows, |row, body| {
                let (seq, received_at) = (row.get(0)?, Timestamp(row.get(1)?));
                Ok(UnroutedEvent { seq, received_at, event: parsed(body), body: body.to_owned() })
            })
        })
    }

    /// Hands events to the routes that want them, and remembers new bans; all or nothing. They are the first ones of
    /// those that wait, in order.
    ///
    /// # Errors
    /// When the disk refuses; then all of them still wait.
    pub fn route_events(&mut self, routed: &[RoutedTo]) -> Result<(), StoreError> {
        self.database.write("route events", |transaction| {
            let last_routed: i64 =
                transaction.prepare_cached("SELECT last_seq FROM routing_cursor")?.query_row([], |row| row.get(0))?;
            let mut enter = transaction.prepare_cached("INSERT INTO routed_events (event, route, webhook) VALUES (?, ?, ?)")?;
            let (mut unmatched_count, mut routed_count, mut last) = (0, 0, last_routed);
            let fresh = || routed.iter().filter(|routed| routed.seq > last_routed);
            history::record(transaction, fresh().filter_map(|RoutedTo { seq, ban, .. }| Some((*seq, ban.as_ref()?))))?;
            for RoutedTo { seq, to, .. } in fresh() {
                *(if to.is_empty() { &mut unmatched_count } else { &mut routed_count }) += 1;
                last = *seq;
                for (route, webhook) in to {
                    enter.execute(params![seq, route, webhook])?;
                }
            }
            if last > last_routed {
                advance_cursor(transaction, last)?;
            }
            transaction
                .prepare_cached(
                    "INSERT INTO ledger VALUES ('', 'unmatched', ?), ('', 'routed', ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                )?
                .execute([unmatched_count, routed_count])
                .map(drop)
        })
    }

    /// The first events that a route is to word, oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn unformatted(&self, route: &str, at_most: usize) -> Result<Vec<UnformattedEvent>, StoreError> {
        self.database.read("read the events of a route", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT event, webhook, body, standalone FROM routed_events INDEXED BY unformatted_events
                     CROSS JOIN inbox.events ON seq = event
                 WHERE route = ? AND routed_events.state = 'pending' AND message IS NULL ORDER BY event LIMIT ?",
            )?;
            let rows = statement.query(params![route, limit(at_most)])?;
            as_many_as_fit(rows, unformatted)
        })
    }

    /// The first events of a message, in the order of intake.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn message_events(&self, message: i64, at_most: usize) -> Result<Vec<UnformattedEvent>, StoreError> {
        self.database.read("read the events of a message", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT event, webhook, body, standalone FROM routed_events CROSS JOIN inbox.events ON seq = event
                 WHERE message = ? ORDER BY event LIMIT ?",
            )?;
            let rows = statement.query(params![message, limit(at_most)])?;
            as_many_as_fit(rows, unformatted)
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
                    "SELECT DISTINCT route FROM routed_events WHERE state = 'pending' AND message IS NULL
                     UNION SELECT DISTINCT route FROM messages WHERE state = 'open' ORDER BY route",
                )?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// Records what a route made of events: routed_events, messages, what joins a message that is open, and ledger entries,
    /// all or nothing. `from`: the open message that the events were in until now; `None`: they were to be formatted. `posts`:
    /// when the route last had something to post, if that has changed.
    ///
    /// # Errors
    /// When the disk refuses; then nothing has changed.
    pub fn record_formatted(
        &mut self,
        route: &str,
        from: Option<i64>,
        formatted: &[FormattedEvent],
        posts: Option<&[Timestamp]>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("record what a route made of events", |transaction| {
            let mut joined = DigestWriter::new(route, now);
            let mut gone = 0;
            for FormattedEvent { seq, disposition } in formatted {
                let moved = match disposition {
                    Disposition::Send(body) => send(transaction, route, from, *seq, body, now)?,
                    Disposition::Digest(digest_key) => joined.join(transaction, from, *seq, digest_key)?,
                    Disposition::Skip(reason) => end(transaction, route, from, *seq, "skipped", reason)?,
                    Disposition::Dead(reason) => end(transaction, route, from, *seq, "dead", reason)?,
                };
                gone += i64::from(moved);
            }
            joined.finish(transaction)?;
            if let Some(posts) = posts {
                recent_posts::record(transaction, route, posts)?;
            }
            match from {
                Some(hold) => digest_writer::remove_events(transaction, hold, gone),
                None => Ok(()),
            }
        })
    }
}

/// Takes note that all events up to this one are routed, and of what inbox and event these are: see
/// [`Store::check_inbox`].
fn advance_cursor(transaction: &Transaction<'_>, last_seq: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE routing_cursor SET last_seq = ?1, inbox = (SELECT id FROM inbox.inbox_meta),
                 received_at = (SELECT received_at FROM inbox.events WHERE seq = ?1),
                 subject = (SELECT subject FROM inbox.events WHERE seq = ?1)",
        )?
        .execute([last_seq])
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
            "INSERT INTO messages (route, webhook, state, events, body, target, age_starts_at, next_attempt_at)
             SELECT route, webhook, 'ready', 1, ?4, ?6, min(ifnull(age_starts_at, received_at), ?5), ?5 FROM routed_events JOIN inbox.events ON seq = event
             WHERE event = ?1 AND route = ?2 AND routed_events.state = 'pending' AND message IS ?3",
        )?
        .execute(params![seq, route, from, body.to_json_string(), now.0, body.target().as_str()])?;
    if made > 0 {
        let message = transaction.last_insert_rowid();
        transaction
            .prepare_cached("UPDATE routed_events SET message = ? WHERE event = ? AND route = ?")?
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
            "UPDATE routed_events SET state = ?4, detail = ?5, message = NULL
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

fn unformatted(row: &Row<'_>, body: &str) -> rusqlite::Result<UnformattedEvent> {
    Ok(UnformattedEvent { seq: row.get(0)?, webhook: row.get(1)?, event: parsed(body), standalone: row.get(3)? })
}

pub(super) fn parsed(body: &str) -> Result<Event, String> {
    Event::from_stored_json(body).map_err(|error| error.to_string())
}

pub(super) fn limit(at_most: usize) -> i64 {
    i64::try_from(at_most).unwrap_or(i64::MAX)
}
