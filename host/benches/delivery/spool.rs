//! How fast what is in the spool is received, compared with SQLite alone inserting the same rows with the same index.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::ensure;
use banhook::event::{Event, EventDetails, Timestamp};
use banhook::store::{StateDir, Store};
use banhook_notify::{SpooledEvent, VERSION};
use rusqlite::{Connection, params};
use spool::{SegmentId, record};

use crate::events;
use crate::report::Report;

/// Records in the spool.
const RECORDS: u64 = 100_000;

/// Events per transaction of SQLite alone.
const BATCH: usize = 4_096;

/// The most that receiving may take, as a multiple of SQLite alone.
const AT_MOST_OF_SQLITE: f64 = 2.0;

/// The best counts, since interference only makes a round slower.
const ROUNDS: usize = 3;

const TABLE: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA cache_size = -16384;
    CREATE TABLE events (seq INTEGER PRIMARY KEY, received_at INTEGER, at INTEGER, logged INTEGER, counterpart INTEGER, kind TEXT,
        host TEXT, jail TEXT, subject TEXT, ticket_at INTEGER, restored INTEGER, body TEXT, checksum INTEGER);
    CREATE INDEX events_by_subject ON events (subject, jail, host, seq, logged);
";

/// Measures and adds to the report.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let (mut received, mut sqlite) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        received.push(receive(folder.path())?);
        sqlite.push(insert(folder.path())?);
    }
    report.heading(&format!("{RECORDS} records in the spool, {ROUNDS} rounds"), "");
    report.row("received, µs per event", &received, None);
    report.row("SQLite alone: same rows in same transactions", &sqlite, None);
    let best = received.iter().zip(&sqlite).map(|(received, sqlite)| received / sqlite).fold(f64::INFINITY, f64::min);
    report.number("  ratio to SQLite alone, best round", best, Some(AT_MOST_OF_SQLITE));
    Ok(())
}

/// Bans that are not repetitions of each other.
fn bans() -> impl Iterator<Item = Event> {
    let now = Timestamp::now();
    (0..RECORDS).map(move |number| {
        let mut event = events::ban(number, now);
        if let EventDetails::Ban(ban) = &mut event.details {
            ban.ticket_at = Some(now.plus_ms(i64::try_from(number).unwrap_or_default()));
        }
        event
    })
}

/// Returns the time for each record, in µs.
fn receive(folder: &Path) -> anyhow::Result<f64> {
    let folder = StateDir::new(folder.join("state"));
    folder.create_spool()?;
    let now = Timestamp::now();
    // As many `notify` would, without their syncs.
    let mut segment = format!("banhook-spool 1 {}\n", SegmentId(1)).into_bytes();
    for event in bans() {
        let spooled = SpooledEvent { event, received_at: now, restored_is_unknown: false };
        segment.write_all(&record::encode(VERSION, spooled.to_payload().as_bytes())?)?;
    }
    fs::write(folder.spool().join(format!("{}.segment", SegmentId(1))), segment)?;
    let lock = folder.try_work_lock()?;
    let mut store = Store::open(&folder)?.new_routing_connection()?;
    let start = Instant::now();
    while store.receive(now)?.records > 0 {}
    let taken = start.elapsed().as_secs_f64() * 1e6;
    ensure!(store.ledger()?.received == RECORDS, "not all records became events: {:?}", store.ledger()?);
    drop(lock);
    Ok(taken / RECORDS as f64)
}

/// Returns the time for each row, in µs.
fn insert(folder: &Path) -> anyhow::Result<f64> {
    let rows: Vec<_> = bans().map(|event| (event.to_json(), event)).collect();
    let mut connection = Connection::open(folder.join("floor.sqlite3"))?;
    connection.execute_batch(TABLE)?;
    let start = Instant::now();
    for batch in rows.chunks(BATCH) {
        let transaction = connection.transaction()?;
        for (body, event) in batch {
            let subject = event.ban().map_or("", |ban| &ban.subject);
            transaction
                .prepare_cached("INSERT INTO events VALUES (NULL, ?, ?, 0, 0, 'ban', ?, ?, ?, ?, 0, ?, ?)")?
                .execute(params![
                    event.at.0,
                    event.at.0,
                    event.host,
                    event.jail,
                    subject,
                    event.at.0,
                    body,
                    i64::MAX - event.at.0
                ])?;
        }
        transaction.commit()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / RECORDS as f64)
}
