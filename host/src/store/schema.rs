//! The tables of the database, the triggers that keep the ledger, and the migrations from older versions.

use rusqlite::Transaction;

/// The first version's tables, and what migrates them.
pub(super) struct Schema {
    first: &'static str,
    /// `steps[n]` migrates version `n + 1` to version `n + 2`.
    steps: &'static [&'static str],
}

/// The schema of this version.
pub(super) const SCHEMA: Schema = Schema { first: TABLES, steps: &[FLEET, CONVERSATIONS] };

/// Version 2.
const FLEET: &str = "
-- Of a host of a fleet, one row at most: the last event that the broker acknowledged (stream is the stream's id), up to which
-- event of the inbox all are forwarded, and after which event this host began to forward.
CREATE TABLE forwarding (
    stream TEXT NOT NULL,
    stream_seq INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    first_seq INTEGER NOT NULL
);
-- Of a worker: the messages of a stream that are not recorded as settled, and the last one, up to which all are received.
-- last_seq: the event that it is stored as; 0: none.
CREATE TABLE stream_receipts (
    stream TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (stream, sequence)
) WITHOUT ROWID;
";

/// Version 3.
const CONVERSATIONS: &str = "
-- Conversations, on targets that have them. A name and a thread are hashes of what the plugin called them. name: of the message
-- about the event. thread: of the messages beneath the first of them that has a reference. changes: the message that this one
-- changes, parked being 2 (it holds up no other message). beneath: the message that this one is a reply to. reference: where the
-- service says it is, as JSON.
ALTER TABLE routed_events ADD COLUMN name INTEGER;
CREATE INDEX named_events ON routed_events (route, name, event) WHERE name IS NOT NULL;
ALTER TABLE messages ADD COLUMN thread INTEGER;
ALTER TABLE messages ADD COLUMN changes INTEGER;
ALTER TABLE messages ADD COLUMN beneath INTEGER;
ALTER TABLE messages ADD COLUMN reference TEXT;
CREATE INDEX messages_of_thread ON messages (route, thread, id) WHERE thread IS NOT NULL;
CREATE INDEX storm_digests ON messages (route, webhook, id) WHERE cause = 'storm';
CREATE INDEX pending_changes ON messages (webhook, next_attempt_at, id) WHERE state = 'ready' AND parked = 2;
CREATE INDEX changes_of_message ON messages (changes, id) WHERE changes IS NOT NULL;
-- The day of the last one of each report.
CREATE TABLE reports (name TEXT PRIMARY KEY, day TEXT NOT NULL) WITHOUT ROWID;
-- What changes have used of the rate that all webhooks with one token share; budget is a hash of the token.
CREATE TABLE change_budgets (
    budget TEXT PRIMARY KEY,
    next_slot_at INTEGER NOT NULL,
    backoff_until INTEGER NOT NULL
) WITHOUT ROWID;
";

impl Schema {
    /// Returns the version that this program reads and writes, as in SQLite's `user_version`.
    pub(super) fn version(&self) -> i64 {
        i64::try_from(self.steps.len()).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Creates the first version, in an empty file.
    pub(super) fn create(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction.execute_batch(self.first)?;
        transaction.pragma_update(None, "user_version", 1)
    }

    /// Migrates an older version to this one, one step at a time.
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

/// Times are milliseconds since 1970. Rows stay as history until retention prunes them; the ledger's totals stay.
const TABLES: &str = "
-- Every event, in the order of receipt; the newest is never pruned, so that seq counts the events received. logged: read
-- from a log; counterpart: reported by the action and by the log, and this row stands for both. restored: 2 is presumed.
-- checksum: of all the other columns. A damaged record of the spool is an event of the kind 'damaged', with its bytes.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    logged INTEGER NOT NULL,
    counterpart INTEGER NOT NULL DEFAULT 0,
    kind TEXT NOT NULL,
    host TEXT NOT NULL,
    jail TEXT NOT NULL,
    subject TEXT NOT NULL,
    ticket_at INTEGER,
    restored INTEGER NOT NULL,
    body TEXT NOT NULL,
    checksum INTEGER NOT NULL
);
-- With logged, the latest events of a subject from another source are found without their rows.
CREATE INDEX events_by_subject ON events (subject, jail, host, seq, logged);

-- How far each file has been read, whatever its name; head is how many bytes of its beginning the fingerprint covers.
CREATE TABLE checkpoints (
    id INTEGER PRIMARY KEY,
    inode INTEGER NOT NULL,
    head INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    byte_offset INTEGER NOT NULL,
    moved_at INTEGER NOT NULL
);
-- Which file each log is in, and how it fares: for status. log is a path, or the pattern of a source.
CREATE TABLE logs (
    log TEXT PRIMARY KEY,
    checkpoint INTEGER NOT NULL,
    last_event_at INTEGER,
    followed INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    problem_since INTEGER
) WITHOUT ROWID;

-- What has been received of each segment of the spool: all before byte_offset, as events up to last_seq. The row with the
-- largest byte_offset is the segment's checkpoint. settled: all these events are posted, digested, skipped or dead.
-- tail_begin, tail_crc: the CRC-32 of the bytes from there up to byte_offset, as they were received; null: not known.
CREATE TABLE receipts (
    segment TEXT NOT NULL,
    byte_offset INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    tail_begin INTEGER,
    tail_crc INTEGER,
    PRIMARY KEY (segment, byte_offset)
) WITHOUT ROWID;

-- One row: all events up to last_seq have been routed.
CREATE TABLE routing_cursor (last_seq INTEGER NOT NULL);
INSERT INTO routing_cursor VALUES (0);

-- One event on one route that matched it. Pending without a message: to be formatted. With a message, its state is the
-- message's. Otherwise it is skipped or dead. Of an event that is formatted again: age_starts_at is kept from its former
-- message, and standalone says whether it had a message of its own and gets one again. tags: what its plugin has it count
-- as in a digest, a JSON list.
CREATE TABLE routed_events (
    event INTEGER NOT NULL,
    route TEXT NOT NULL,
    webhook TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    message INTEGER,
    detail TEXT,
    age_starts_at INTEGER,
    standalone INTEGER NOT NULL DEFAULT 0,
    tags TEXT,
    PRIMARY KEY (event, route)
) WITHOUT ROWID;
CREATE INDEX routed_events_by_message ON routed_events (message, event) WHERE message IS NOT NULL;
CREATE INDEX unformatted_events ON routed_events (route, event) WHERE state = 'pending' AND message IS NULL;

-- Messages: open (a digest that events still join), ready (to be sent), and then posted, digested, dead or dropped (dead,
-- and no longer listed). Those with a cause are digests. age_starts_at: when the first event was received. parked: later
-- messages overtake it. body: JSON as its target takes it; removed once the message is accepted or dropped. dead_reason:
-- rejected, expired, webhook_removed, damaged or dropped (by hand). checksum: of body, target, route, events, cause and key,
-- once there is a body. plain: the webhook rejected the message as it was formatted, and body is its plain form.
-- stands_in_for: the suspended webhook that the message was for.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    route TEXT NOT NULL,
    webhook TEXT NOT NULL,
    state TEXT NOT NULL,
    events INTEGER NOT NULL,
    body TEXT,
    target TEXT,
    age_starts_at INTEGER NOT NULL,
    cause TEXT,
    key TEXT,
    opened_at INTEGER,
    closes_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL DEFAULT 0,
    last_attempt_at INTEGER,
    finished_at INTEGER,
    dead_reason TEXT,
    error TEXT,
    checksum INTEGER,
    plain INTEGER NOT NULL DEFAULT 0,
    stands_in_for TEXT
);
CREATE INDEX messages_ready ON messages (webhook, parked, id) WHERE state = 'ready';
CREATE INDEX messages_unattempted ON messages (webhook, route, id) WHERE state = 'ready' AND attempts = 0;
CREATE INDEX messages_open ON messages (route, cause, key) WHERE state = 'open';
CREATE INDEX messages_dead ON messages (id) WHERE state = 'dead';

-- The state of each webhook. next_slot_at: when one more message is within the rate, as a theoretical arrival time.
-- suspended_error: the answer that suspended it; url_hash: a hash of the URL that gave that answer. rejected: the ids of the
-- messages whose plain form it rejected since it last accepted one, with commas between.
CREATE TABLE webhooks (
    name TEXT PRIMARY KEY,
    next_slot_at INTEGER NOT NULL DEFAULT 0,
    backoff_until INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    suspended_error TEXT,
    suspended_at INTEGER,
    url_hash TEXT,
    rejected TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- When each route last had something to post, and since when that has been a storm, as JSON.
CREATE TABLE recent_posts (route TEXT PRIMARY KEY, posts TEXT NOT NULL) WITHOUT ROWID;

-- Events of which no message is wanted until then; without jail or subject, of any.
CREATE TABLE mutes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    jail TEXT,
    subject TEXT,
    until INTEGER NOT NULL,
    reason TEXT NOT NULL
);

-- The plugin of each route and its state, for status.
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

-- New bans, for plugins that query history. Each query has an index that covers it.
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
-- The jails that occur in bans; routes select from them.
CREATE TABLE jails (name TEXT PRIMARY KEY) WITHOUT ROWID;

-- The ledger counts events by state: all events where route is empty (unmatched, quarantined, routed), otherwise the events that the
-- route matched. pruned: those of them whose rows are removed; also how often something was forgotten.
CREATE TABLE ledger (route TEXT NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (route, state)) WITHOUT ROWID;
CREATE TABLE pruned (route TEXT NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (route, state)) WITHOUT ROWID;

-- Only these triggers write a route's counts, so no step can be left uncounted. open and ready count as pending, dropped
-- as dead.
CREATE TRIGGER routed_event_inserted AFTER INSERT ON routed_events BEGIN
    INSERT INTO ledger VALUES (new.route, 'matched', 1), (new.route, new.state, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER routed_event_moved AFTER UPDATE OF state ON routed_events BEGIN
    INSERT INTO ledger VALUES (new.route, old.state, -1), (new.route, new.state, 1)
        ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
CREATE TRIGGER message_moved AFTER UPDATE OF state ON messages WHEN new.events > 0 BEGIN
    INSERT INTO ledger VALUES
        (new.route, CASE old.state WHEN 'open' THEN 'pending' WHEN 'ready' THEN 'pending' WHEN 'dropped' THEN 'dead' ELSE old.state END, -old.events),
        (new.route, CASE new.state WHEN 'open' THEN 'pending' WHEN 'ready' THEN 'pending' WHEN 'dropped' THEN 'dead' ELSE new.state END, new.events)
        ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
-- A notice has no events: it is not in the ledger, and nothing of it is kept.
CREATE TRIGGER notice_finished AFTER UPDATE OF state ON messages WHEN new.events = 0 AND new.state NOT IN ('open', 'ready') BEGIN
    DELETE FROM messages WHERE id = new.id;
END;
CREATE TRIGGER routed_event_pruned BEFORE DELETE ON routed_events BEGIN
    INSERT INTO pruned
        SELECT old.route, coalesce((SELECT CASE state WHEN 'dropped' THEN 'dead' ELSE state END FROM messages WHERE id = old.message), old.state), 1
        ON CONFLICT DO UPDATE SET n = n + 1;
    INSERT INTO pruned VALUES (old.route, 'matched', 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
";
