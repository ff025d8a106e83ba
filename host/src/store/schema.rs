//! The tables, and how older ones become these.
//!
//! What `notify` writes (the table `events`) must stay writable by the previous and the next version: a `notify`
//! never migrates.

use rusqlite::Transaction;

/// The schema that this program reads and writes, kept in SQLite's `user_version`.
pub(super) const VERSION: i64 = 1;

/// Makes the first schema, in an empty file.
pub(super) fn create(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(V1)?;
    transaction.pragma_update(None, "user_version", 1)
}

/// Brings an older schema up to [`VERSION`], one step at a time.
pub(super) fn migrate(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    while let Some(step) = usize::try_from(version - 1).ok().and_then(|index| STEPS.get(index)) {
        transaction.execute_batch(step)?;
        version += 1;
        transaction.pragma_update(None, "user_version", version)?;
    }
    Ok(())
}

/// `STEPS[n]` makes version `n + 2` of version `n + 1`.
const STEPS: [&str; 0] = [];

/// Times are milliseconds since 1970. Rows stay as history until retention prunes them; the totals stay.
///
/// Short, since every `notify` parses it: names say the rest.
const V1: &str = "
-- Every event, in the order of intake; state is waiting, unrouted or routed. Logged: read from a log; twin: reported by
-- the action and by the log, and this is the one of both.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    taken_at INTEGER NOT NULL,
    at INTEGER NOT NULL DEFAULT 0,
    logged INTEGER NOT NULL DEFAULT 0,
    twin INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting',
    kind TEXT NOT NULL,
    host TEXT NOT NULL,
    jail TEXT NOT NULL,
    subject TEXT NOT NULL,
    ticket_at INTEGER,
    restored INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_waiting ON events (seq) WHERE state = 'waiting';
CREATE INDEX events_by_subject ON events (subject, jail, host, seq);

-- What became of an event on each route that wanted it: pending, posted, digested, skipped or dead. One that is pending
-- without a message is to be worded.
CREATE TABLE outcomes (
    event INTEGER NOT NULL,
    route TEXT NOT NULL,
    webhook TEXT NOT NULL,
    state TEXT NOT NULL,
    message INTEGER,
    detail TEXT,
    PRIMARY KEY (event, route)
) WITHOUT ROWID;
CREATE INDEX outcomes_of_message ON outcomes (message) WHERE message IS NOT NULL;
CREATE INDEX outcomes_unworded ON outcomes (route, event) WHERE state = 'pending' AND message IS NULL;

-- Messages that are to be sent, and dead ones. What a webhook has accepted is gone from here.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    route TEXT NOT NULL,
    webhook TEXT NOT NULL,
    body TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    dead INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    attempted_at INTEGER,
    due_at INTEGER NOT NULL,
    error TEXT
);
CREATE INDEX outbox_of_webhook ON outbox (webhook, id) WHERE dead = 0;

-- What each route's plugin is and how it fares, for status.
CREATE TABLE plugins (
    route TEXT PRIMARY KEY,
    plugin TEXT NOT NULL,
    sha256 TEXT,
    version TEXT,
    since INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    error TEXT,
    paused_until INTEGER
) WITHOUT ROWID;

-- New bans, for plugins that ask what happened before. Each question has an order that covers it.
CREATE TABLE bans (
    event INTEGER NOT NULL,
    at INTEGER NOT NULL,
    host TEXT NOT NULL,
    jail TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (jail, at, event)
) WITHOUT ROWID;
CREATE INDEX bans_of_subject ON bans (subject, at, jail, host, event);
CREATE INDEX bans_of_host ON bans (host, jail, at, subject, event);
-- The jails among them, which routes choose from.
CREATE TABLE jails (name TEXT PRIMARY KEY) WITHOUT ROWID;

-- How far each log has been read; head is how many bytes of its beginning the fingerprint is of.
CREATE TABLE checkpoints (
    log TEXT PRIMARY KEY,
    inode INTEGER NOT NULL,
    head INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    byte INTEGER NOT NULL
) WITHOUT ROWID;

-- The ledger: how many events, by state; of all events where route is empty, else of those that it matched.
CREATE TABLE ledger (
    route TEXT NOT NULL,
    state TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (route, state)
) WITHOUT ROWID;

-- Only these write it, so no step can be left uncounted.
CREATE TRIGGER event_made AFTER INSERT ON events BEGIN
    INSERT INTO ledger VALUES ('', 'taken_in', 1), ('', new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER event_moved AFTER UPDATE OF state ON events BEGIN
    INSERT INTO ledger VALUES ('', old.state, -1), ('', new.state, 1) ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
CREATE TRIGGER outcome_made AFTER INSERT ON outcomes BEGIN
    INSERT INTO ledger VALUES (new.route, 'matched', 1), (new.route, new.state, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER outcome_moved AFTER UPDATE OF state ON outcomes BEGIN
    INSERT INTO ledger VALUES (new.route, old.state, -1), (new.route, new.state, 1)
        ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
";
