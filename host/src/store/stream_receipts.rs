//! The table `stream_receipts`: up to where the worker of a fleet has received a stream, and as which events. A row is
//! inserted in the transaction that appends the events, so a crash neither loses nor repeats one.

use banhook_notify::SpooledEvent;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::error::StoreError;
use super::inbox::Inbox;
use super::routing_cursor;
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
        self.database.read("read the receipts of the stream", |connection| {
            connection
                .prepare_cached(
                    "SELECT sequence, message_id FROM stream_receipts ORDER BY last_seq DESC, sequence DESC LIMIT 1",
                )?
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
            let received = last(transaction, stream)?.map_or(0, |position| position.sequence);
            let mut through = None;
            for StreamMessage { position, event } in messages {
                if position.sequence <= received {
                    continue;
                }
                match event {
                    // A host publishes again whatever it has no answer for.
                    Ok(event) if inbox.has(&event)? => {}
                    Ok(event) => {
                        let json = event.to_json();
                        let spooled = SpooledEvent { event, received_at: now, restored_is_unknown: false };
                        inbox.append_reported(spooled, &json)?;
                    }
                    Err(bytes) => inbox.append_damaged(&bytes, now)?,
                }
                through = Some(position);
            }
            if let Some(through) = through {
                record(transaction, stream, &through, inbox.last_seq())?;
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
            let last_seq = Inbox::new(transaction)?.last_seq();
            record(transaction, stream, position, last_seq)
        })
    }

    /// Returns up to which sequence all events of a stream are settled, and forgets the receipts before it.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn stream_settled_through(&mut self, stream: &str) -> Result<u64, StoreError> {
        let settled = routing_cursor::settled_through(&self.database)?;
        let (sequence, rows): (u64, u64) = self.database.read("read the receipts of the stream", |connection| {
            connection
                .prepare_cached(
                    "SELECT ifnull(max(sequence), 0), count(*) FROM stream_receipts WHERE stream = ? AND last_seq <= ?",
                )?
                .query_row(params![stream, settled], |row| Ok((row.get(0)?, row.get(1)?)))
        })?;
        if rows > 1 {
            self.database.write("forget receipts of the stream", |transaction| {
                transaction
                    .prepare_cached("DELETE FROM stream_receipts WHERE stream <> ?1 OR sequence < ?2")?
                    .execute(params![stream, sequence])
                    .map(drop)
            })?;
        }
        Ok(sequence)
    }
}

fn last(connection: &Connection, stream: &str) -> rusqlite::Result<Option<StreamPosition>> {
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
    last_seq: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO stream_receipts (stream, sequence, message_id, last_seq) VALUES (?, ?, ?, ?)",
        )?
        .execute(params![stream, sequence, message_id, last_seq])
        .map(drop)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::EventDetails;
    use crate::store::RoutedTo;
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
    }

    #[test]
    fn stream_is_settled_up_to_the_first_event_that_is_not() {
        let mut fixture = fixture();
        for sequence in 1..=3 {
            fixture.inbox.append_stream("a", vec![message(sequence * 10)], Timestamp(5)).unwrap();
        }
        let store = &mut fixture.store;
        assert_eq!(store.stream_settled_through("a").unwrap(), 0);
        let to = |seq, to: &[&str]| RoutedTo {
            seq,
            ban: None,
            to: to.iter().map(|route| ((*route).to_owned(), "hook".to_owned())).collect(),
            quarantined: false,
        };
        store.route_events(&[to(1, &[]), to(2, &["all"])]).unwrap();
        assert_eq!(store.stream_settled_through("a").unwrap(), 10, "the second one is pending");
        store.route_events(&[to(3, &[])]).unwrap();
        assert_eq!(store.stream_settled_through("a").unwrap(), 10);
        assert_eq!(store.stream_position("a").unwrap().unwrap().sequence, 30);
    }
}
