//! The tables of both files, and how older ones become these.
//!
//! What `notify` writes (the inbox) must stay writable by the previous and the next version: a `notify` never migrates.

use rusqlite::Transaction;

use super::folder::Part;

/// The schema of one file.
pub(super) struct Schema {
    first: &'static str,
    /// `steps[n]` makes version `n + 2` of version `n + 1`.
    steps: &'static [&'static str],
}

impl Schema {
    pub(super) const fn of(part: Part) -> Self {
        match part {
            Part::Inbox => Self { first: INBOX, steps: &[] },
            Part::Work => Self { first: WORK, steps: &[] },
        }
    }

    /// The version that this program reads and writes, kept in SQLite's `user_version`.
    pub(super) fn version(&self) -> i64 {
        i64::try_from(self.steps.len()).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Makes the first version, in an empty file.
    pub(super) fn create(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction.execute_batch(self.first)?;
        transaction.pragma_update(None, "user_version", 1)
    }

    /// Brings an older version up to this one, one step at a time.
    pub(super) fn migrate(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        while let Some(step) = usize::try_from(version - 1).ok().and_then(|index| self.steps.get(index)) {
            transaction.execute_batch(step)?;
            version += 1;
            transaction.pragma_update(None, "user_version", version)?;
        }
        Ok(())
    }
}

/// Times are milliseconds since 1970.
///
/// Short, since every `notify` parses it: names say the rest.
const INBOX: &str = "
-- Every event, in the order of intake; the newest is never pruned, so that seq counts what was taken in. Logged: read from
-- a log; twin: reported by the action and by the log, and this is the one of both.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    taken_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    logged INTEGER NOT NULL,
    twin INTEGER NOT NULL DEFAULT 0,
    kind TEXT NOT NULL,
    host TEXT NOT NULL,
    jail TEXT NOT NULL,
    subject TEXT NOT NULL,
    ticket_at INTEGER,
    restored INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_by_subject ON events (subject, jail, host, seq);

-- How far each log has been read; head is how many bytes of its beginning the fingerprint is of.
CREATE TABLE checkpoints (
    log TEXT PRIMARY KEY,
    inode INTEGER NOT NULL,
    head INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    byte INTEGER NOT NULL
) WITHOUT ROWID;

-- One row: all events up to this one have come to their end, and need not be told should the other file get lost. Id: which
-- inbox this is.
CREATE TABLE over (upto INTEGER NOT NULL, id TEXT NOT NULL);
INSERT INTO over VALUES (0, hex(randomblob(16)));
";

/// Rows stay as history until retention prunes them; the totals stay.
const WORK: &str = "
-- One row: all events up to this one have been assigned to routes. The rest is by what inbox and event are known again, once
-- there was one.
CREATE TABLE assigned (upto INTEGER NOT NULL, inbox TEXT, taken_at INTEGER, subject TEXT);
INSERT INTO assigned (upto) VALUES (0);

-- What became of an event on each route that wanted it. Pending without a message: to be worded. Of one with a message, the
-- state is that of the message. Else it is skipped or dead. Of one that is worded anew: made at, when its message counts as
-- made, and alone, whether it had one of its own and gets one again.
CREATE TABLE outcomes (
    event INTEGER NOT NULL,
    route TEXT NOT NULL,
    webhook TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    message INTEGER,
    detail TEXT,
    made_at INTEGER,
    alone INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (event, route)
) WITHOUT ROWID;
CREATE INDEX outcomes_of_message ON outcomes (message, event) WHERE message IS NOT NULL;
CREATE INDEX outcomes_unworded ON outcomes (route, event) WHERE state = 'pending' AND message IS NULL;

-- Messages: open (a digest that events still join), ready (to be sent), and then posted, digested, dead or dropped (dead,
-- by hand). Those with a cause are digests. Made at: when its first event was taken in. Aside: others overtake it. A body is
-- in the format of its target; it is gone once its message is accepted.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    route TEXT NOT NULL,
    webhook TEXT NOT NULL,
    state TEXT NOT NULL,
    events INTEGER NOT NULL,
    body TEXT,
    target TEXT,
    made_at INTEGER NOT NULL,
    cause TEXT,
    key TEXT,
    opened_at INTEGER,
    closes_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    refusals INTEGER NOT NULL DEFAULT 0,
    aside INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL DEFAULT 0,
    attempted_at INTEGER,
    ended_at INTEGER,
    error TEXT
);
CREATE INDEX messages_ready ON messages (webhook, aside, id) WHERE state = 'ready';
CREATE INDEX messages_unattempted ON messages (webhook, route, id) WHERE state = 'ready' AND attempts = 0;
CREATE INDEX messages_open ON messages (route, cause, key) WHERE state = 'open';
CREATE INDEX messages_dead ON messages (id) WHERE state = 'dead';

-- How webhooks fare. Free at: when one more message is within the rate, as a theoretical arrival time. Gone: what it said
-- when it would take no message any more, and under which URL (a hash) that was.
CREATE TABLE webhooks (
    name TEXT PRIMARY KEY,
    free_at INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    gone TEXT,
    gone_since INTEGER,
    url TEXT
) WITHOUT ROWID;

-- When each route last had something to post, newest last: what a storm is recognized by.
CREATE TABLE recent (route TEXT PRIMARY KEY, posts TEXT NOT NULL) WITHOUT ROWID;

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

-- The ledger: how many events, by state; of all events where route is empty (unrouted, routed), else of those that it
-- matched. Pruned: those of them whose rows are gone.
CREATE TABLE ledger (route TEXT NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (route, state)) WITHOUT ROWID;
CREATE TABLE pruned (route TEXT NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (route, state)) WITHOUT ROWID;

-- Only these write the ledger of a route, so no step can be left uncounted. Open and ready count as pending, dropped as dead.
CREATE TRIGGER outcome_made AFTER INSERT ON outcomes BEGIN
    INSERT INTO ledger VALUES (new.route, 'matched', 1), (new.route, new.state, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER outcome_moved AFTER UPDATE OF state ON outcomes BEGIN
    INSERT INTO ledger VALUES (new.route, old.state, -1), (new.route, new.state, 1)
        ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
CREATE TRIGGER message_moved AFTER UPDATE OF state ON messages BEGIN
    INSERT INTO ledger VALUES
        (new.route, CASE old.state WHEN 'open' THEN 'pending' WHEN 'ready' THEN 'pending' WHEN 'dropped' THEN 'dead' ELSE old.state END, -old.events),
        (new.route, CASE new.state WHEN 'open' THEN 'pending' WHEN 'ready' THEN 'pending' WHEN 'dropped' THEN 'dead' ELSE new.state END, new.events)
        ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
CREATE TRIGGER outcome_pruned BEFORE DELETE ON outcomes BEGIN
    INSERT INTO pruned
        SELECT old.route, coalesce((SELECT CASE state WHEN 'dropped' THEN 'dead' ELSE state END FROM messages WHERE id = old.message), old.state), 1
        ON CONFLICT DO UPDATE SET n = n + 1;
    INSERT INTO pruned VALUES (old.route, 'matched', 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
";
