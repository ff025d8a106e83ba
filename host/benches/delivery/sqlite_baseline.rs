//! The baseline for a backlog: SQLite alone inserts the rows that routing creates, in transactions of the same size. No plugin,
//! no JSON, no ledger.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};

/// Events per transaction, as in the router.
const BATCH: u64 = 4_096;

const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA cache_size = -16384;
    CREATE TABLE routed_events (event INTEGER, route TEXT, webhook TEXT, state TEXT, message INTEGER, PRIMARY KEY (event, route))
        WITHOUT ROWID;
    CREATE INDEX of_message ON routed_events (message, event);
    CREATE TABLE bans (event INTEGER, at INTEGER, host TEXT, jail TEXT, subject TEXT, PRIMARY KEY (jail, at, event))
        WITHOUT ROWID;
    CREATE INDEX of_subject ON bans (subject, at, jail, host, event);
    CREATE INDEX of_host ON bans (host, jail, at, subject, event);
";

/// The time for all events, in ms.
pub fn milliseconds(folder: &Path, events: u64) -> anyhow::Result<f64> {
    let mut connection = Connection::open(folder.join("floor.sqlite3"))?;
    connection.execute_batch(TABLES)?;
    let now = banhook::event::Timestamp::now();
    let start = Instant::now();
    for first in (0..events).step_by(BATCH as usize) {
        let transaction = connection.transaction()?;
        for number in first..(first + BATCH).min(events) {
            let event = crate::events::ban(number, now);
            let subject = event.ban().map_or("", |ban| &ban.subject);
            transaction
                .prepare_cached("INSERT INTO bans VALUES (?, ?, ?, ?, ?)")?
                .execute(params![number, event.at.0, event.host, event.jail, subject])?;
            transaction
                .prepare_cached("INSERT INTO routed_events VALUES (?, 'all', 'main', 'pending', ?)")?
                .execute(params![number, number / 10_000])?;
        }
        transaction.commit()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
