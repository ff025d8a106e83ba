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
const V1: &str = "
-- Every event, in the order in which it was taken in.
CREATE TABLE events (
    seq       INTEGER PRIMARY KEY,
    id        TEXT NOT NULL,
    taken_at  INTEGER NOT NULL,
    state     TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'unrouted', 'routed')),
    kind      TEXT NOT NULL,
    host      TEXT NOT NULL,
    jail      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    ticket_at INTEGER,
    restored  INTEGER NOT NULL,
    body      TEXT NOT NULL
);
CREATE INDEX events_waiting ON events (seq) WHERE state = 'waiting';
CREATE INDEX events_by_subject ON events (subject, jail, host, seq);
CREATE INDEX events_of_jail ON events (jail, host, seq) WHERE kind IN ('start', 'stop', 'flush');

-- What became of an event on each route that wanted it.
CREATE TABLE outcomes (
    event   INTEGER NOT NULL,
    route   TEXT NOT NULL,
    webhook TEXT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('pending', 'posted', 'digested', 'skipped', 'dead')),
    message INTEGER,
    detail  TEXT,
    PRIMARY KEY (event, route)
) WITHOUT ROWID;
CREATE INDEX outcomes_of_message ON outcomes (message) WHERE message IS NOT NULL;

-- Messages that are to be sent, and dead ones. What a webhook has accepted is gone from here.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    route        TEXT NOT NULL,
    webhook      TEXT NOT NULL,
    body         TEXT NOT NULL,
    made_at      INTEGER NOT NULL,
    dead         INTEGER NOT NULL DEFAULT 0,
    attempts     INTEGER NOT NULL DEFAULT 0,
    attempted_at INTEGER,
    due_at       INTEGER NOT NULL,
    error        TEXT
);
CREATE INDEX outbox_of_webhook ON outbox (webhook, id) WHERE dead = 0;

-- The ledger. Only the triggers below write it.
CREATE TABLE intake (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    taken_in INTEGER NOT NULL DEFAULT 0,
    waiting  INTEGER NOT NULL DEFAULT 0,
    unrouted INTEGER NOT NULL DEFAULT 0,
    routed   INTEGER NOT NULL DEFAULT 0
);
INSERT INTO intake (one) VALUES (1);
CREATE TABLE ledger (
    route    TEXT PRIMARY KEY,
    matched  INTEGER NOT NULL DEFAULT 0,
    posted   INTEGER NOT NULL DEFAULT 0,
    digested INTEGER NOT NULL DEFAULT 0,
    skipped  INTEGER NOT NULL DEFAULT 0,
    dead     INTEGER NOT NULL DEFAULT 0,
    pending  INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TRIGGER event_taken_in AFTER INSERT ON events BEGIN
    UPDATE intake SET
        taken_in = taken_in + 1,
        waiting = waiting + (new.state = 'waiting'),
        unrouted = unrouted + (new.state = 'unrouted'),
        routed = routed + (new.state = 'routed');
END;
CREATE TRIGGER event_moved AFTER UPDATE OF state ON events BEGIN
    UPDATE intake SET
        waiting = waiting + (new.state = 'waiting') - (old.state = 'waiting'),
        unrouted = unrouted + (new.state = 'unrouted') - (old.state = 'unrouted'),
        routed = routed + (new.state = 'routed') - (old.state = 'routed');
END;
CREATE TRIGGER outcome_made AFTER INSERT ON outcomes BEGIN
    INSERT INTO ledger (route) VALUES (new.route) ON CONFLICT DO NOTHING;
    UPDATE ledger SET
        matched = matched + 1,
        posted = posted + (new.state = 'posted'),
        digested = digested + (new.state = 'digested'),
        skipped = skipped + (new.state = 'skipped'),
        dead = dead + (new.state = 'dead'),
        pending = pending + (new.state = 'pending')
    WHERE route = new.route;
END;
CREATE TRIGGER outcome_moved AFTER UPDATE OF state ON outcomes BEGIN
    UPDATE ledger SET
        posted = posted + (new.state = 'posted') - (old.state = 'posted'),
        digested = digested + (new.state = 'digested') - (old.state = 'digested'),
        skipped = skipped + (new.state = 'skipped') - (old.state = 'skipped'),
        dead = dead + (new.state = 'dead') - (old.state = 'dead'),
        pending = pending + (new.state = 'pending') - (old.state = 'pending')
    WHERE route = new.route;
END;
";
