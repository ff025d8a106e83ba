//! The table `stream_receipts`: which messages of a stream the worker of a fleet has received, and as which events. A row is
//! inserted in the transaction that appends the event, so a crash neither loses nor repeats one.
//!
//! The last row is how far the stream is received. Of the others, those stay that the worker's record does not say are settled.

use banhook_notify::SpooledEvent;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::error::StoreError;
use super::inbox::Inbox;
use super::store::Store;
use crate::event::{Event, Timestamp};

/// A place in a stream up to which all has been received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamPosition {
    /// The sequence of the last message that was received.
    pub sequence: u64,
    /// Its id, by which it is noticed that another message has its sequence now.
    pub message_id: String,
}

/// A message of a stream.
#[derive(Debug)]
pub(crate) struct StreamMessage {
    /// Its place.
    pub position: StreamPosition,
    /// The event, or the bytes where there is no event in them.
    pub event: Result<Event, Vec<u8>>,
}

/// The event of a message whose event is not stored: another worker has received it.
const NO_EVENT: i64 = 0;

impl Store {
    /// Returns up to where a stream has been received; `None`: nothing has.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn stream_position(&self, stream: &str) -> Result<Option<StreamPosition>, StoreError> {
        self.database.read("read the receipts of the stream", |connection| last(connection, stream))
    }

    /// Returns up to where the stream has been received that was read last.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn last_stream_position(&self) -> Result<Option<StreamPosition>, StoreError> {
        // A store of the first version does not have it, until a process works on it.
        if !self.database.has_table("stream_receipts")? {
            return Ok(None);
        }
        self.database.read("read the receipts of the stream", |connection| {
            connection
                .prepare_cached("SELECT sequence, message_id FROM stream_receipts ORDER BY sequence DESC LIMIT 1")?
                .query_row([], |row| Ok(StreamPosition { sequence: row.get(0)?, message_id: row.get(1)? }))
                .optional()
        })
    }

    /// Appends the messages of a stream that follow those before; those that were received already are left out. Returns how
    /// many events are new.
    ///
    /// # Errors
    /// When the store fails; then nothing of it is stored.
    pub(crate) fn append_stream(
        &mut self,
        stream: &str,
        messages: Vec<StreamMessage>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.database.write("store the events of the stream", |transaction| {
            let mut inbox = Inbox::new(transaction)?;
            let before = inbox.last_seq();
            let received = last(transaction, stream)?;
            if received.is_none() {
                forget_others(transaction, stream)?;
            }
            let received = received.map_or(0, |position| position.sequence);
            for StreamMessage { position, event } in messages {
                if position.sequence <= received {
                    continue;
                }
                let stored = match event {
                    Ok(event) => match inbox.find(&event)? {
                        // A host publishes again whatever it has no answer for.
                        Some(known) => known,
                        None => {
                            let json = event.to_json();
                            let spooled = SpooledEvent { event, received_at: now, restored_is_unknown: false };
                            inbox.append_or_find(spooled, &json)?.1
                        }
                    },
                    Err(bytes) => {
                        inbox.append_damaged(&bytes, now)?;
                        inbox.last_seq()
                    }
                };
                record(transaction, stream, &position, stored)?;
            }
            Ok(usize::try_from(inbox.last_seq() - before).unwrap_or_default())
        })
    }

    /// Records that a stream is received from here on: all before was received by another worker, or as another stream.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn begin_stream(&mut self, stream: &str, position: &StreamPosition) -> Result<(), StoreError> {
        self.database.write("begin a stream", |transaction| {
            forget_others(transaction, stream)?;
            record(transaction, stream, position, NO_EVENT)
        })
    }

    /// Forgets the receipts of messages which the worker's record says are settled, but never the last one.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn forget_receipts(&mut self, stream: &str, sequences: &[u64]) -> Result<(), StoreError> {
        if sequences.is_empty() {
            return Ok(());
        }
        self.database.write("forget receipts of the stream", |transaction| {
            let last = last(transaction, stream)?.map_or(0, |position| position.sequence);
            let mut delete =
                transaction.prepare_cached("DELETE FROM stream_receipts WHERE stream = ? AND sequence = ?")?;
            for sequence in sequences.iter().filter(|sequence| **sequence < last) {
                delete.execute(params![stream, sequence])?;
            }
            Ok(())
        })
    }
}

/// Calls `each` with the messages of a stream after one, up to another, and their events, in order, until it returns false.
pub(super) fn for_each(
    connection: &Connection,
    stream: &str,
    (after, through): (u64, u64),
    mut each: impl FnMut(u64, i64) -> bool,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, last_seq FROM stream_receipts WHERE stream = ? AND sequence > ? AND sequence <= ? ORDER BY sequence",
    )?;
    // SQLite's numbers have a sign.
    let mut rows = statement.query(params![stream, after, through.min(i64::MAX.unsigned_abs())])?;
    while let Some(row) = rows.next()? {
        if !each(row.get(0)?, row.get(1)?) {
            break;
        }
    }
    Ok(())
}

/// Returns up to where a stream has been received; `None`: nothing has.
pub(super) fn last(connection: &Connection, stream: &str) -> rusqlite::Result<Option<StreamPosition>> {
    connection
        .prepare_cached(
            "SELECT sequence, message_id FROM stream_receipts WHERE stream = ? ORDER BY sequence DESC LIMIT 1",
        )?
        .query_row([stream], |row| Ok(StreamPosition { sequence: row.get(0)?, message_id: row.get(1)? }))
        .optional()
}

fn record(
    transaction: &Transaction<'_>,
    stream: &str,
    StreamPosition { sequence, message_id }: &StreamPosition,
    event: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO stream_receipts (stream, sequence, message_id, last_seq) VALUES (?, ?, ?, ?)",
        )?
        .execute(params![stream, sequence, message_id, event])
        .map(drop)
}

/// Forgets all other streams: their sequences mean other messages.
fn forget_others(transaction: &Transaction<'_>, stream: &str) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM stream_receipts WHERE stream <> ?")?.execute([stream]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::EventDetails;
    use crate::store::fixture::fixture;

    fn message(sequence: u64) -> StreamMessage {
        let event = Event {
            id: format!("id-{sequence}"),
            at: Timestamp(1),
            host: "web-1".to_owned(),
            jail: "sshd".to_owned(),
            details: EventDetails::Flush,
            labels: BTreeMap::new(),
        };
        StreamMessage { position: StreamPosition { sequence, message_id: format!("id-{sequence}") }, event: Ok(event) }
    }

    #[test]
    fn messages_are_received_once_whatever_comes_again() {
        let mut fixture = fixture();
        let store = &mut fixture.inbox;
        let mut append = |messages: Vec<StreamMessage>| store.append_stream("a", messages, Timestamp(5)).unwrap();
        assert_eq!(append(vec![message(3), message(4)]), 2);
        assert_eq!(append(vec![message(3), message(4), message(5)]), 1);
        // A host published it again.
        let again =
            StreamMessage { position: StreamPosition { sequence: 6, message_id: "id-4".to_owned() }, ..message(4) };
        let damaged = StreamMessage { event: Err(b"{".to_vec()), ..message(7) };
        assert_eq!(append(vec![again, damaged]), 1);
        assert_eq!(store.stream_position("a").unwrap().unwrap(), message(7).position);
        assert_eq!(store.stream_position("b").unwrap(), None);
        // As another stream, which has the same events.
        assert_eq!(store.append_stream("b", vec![message(3), message(4), message(8)], Timestamp(6)).unwrap(), 1);
        assert_eq!(store.ledger().unwrap().unrouted, 5);
        assert_eq!(store.stream_position("a").unwrap(), None, "its sequences mean nothing any more");
        let events = |store: &Store| {
            let mut events = Vec::new();
            let add = |sequence, event| {
                events.push((sequence, event));
                true
            };
            store.database.read("test", |connection| for_each(connection, "b", (0, 99), add)).unwrap();
            events
        };
        assert_eq!(events(store), [(3, 1), (4, 2), (8, 5)], "each with its event, also those that are known");
        store.forget_receipts("b", &[3, 8]).unwrap();
        assert_eq!(events(store), [(4, 2), (8, 5)], "never the last");
    }
}
