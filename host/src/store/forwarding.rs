//! The table `forwarding`: up to where a host of a fleet has forwarded its events, in one row. Before that there is none.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::error::StoreError;
use super::inbox::UnroutedEvent;
use super::store::Store;
use super::{inbox, ledger, routing_cursor, stored_events};
use crate::event::Timestamp;

/// The table, which a store of the first version does not have.
const TABLE: &str = "forwarding";

/// The last event that the broker has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastForwarded {
    /// The id of the stream that has it.
    pub stream: String,
    /// Its sequence there; 0: the stream has none of this host.
    pub stream_seq: u64,
    /// Its id.
    pub event_id: String,
}

/// What was done with a batch of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The event with this number is with the broker.
    Forwarded(i64),
    /// The event with this number cannot be read.
    Quarantined(i64),
}

impl Passed {
    const fn seq(self) -> i64 {
        match self {
            Self::Forwarded(seq) | Self::Quarantined(seq) => seq,
        }
    }
}

impl Store {
    /// Returns the last event that was forwarded; `None`: none ever was.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn last_forwarded(&self) -> Result<Option<LastForwarded>, StoreError> {
        if !self.database.has_table(TABLE)? {
            return Ok(None);
        }
        self.database.read("read what was forwarded", |connection| {
            connection
                .prepare_cached("SELECT stream, stream_seq, event_id FROM forwarding")?
                .query_row([], |row| {
                    Ok(LastForwarded { stream: row.get(0)?, stream_seq: row.get(1)?, event_id: row.get(2)? })
                })
                .optional()
        })
    }

    /// Returns the next events to forward, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn to_forward(&self, at_most: usize) -> Result<Vec<UnroutedEvent>, StoreError> {
        self.database
            .read("read the inbox", |connection| stored_events::after(connection, position(connection)?, at_most))
    }

    /// Returns how many events are to be forwarded, those included that are to be forwarded again.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn events_to_forward(&self) -> Result<u64, StoreError> {
        let is_migrated = self.database.has_table(TABLE)?;
        self.database.read("count what is to be forwarded", |connection| {
            let position = if is_migrated { position(connection)? } else { routing_cursor::last_routed(connection)? };
            // Each number is an event, and the newest stays.
            connection
                .prepare_cached("SELECT max(ifnull((SELECT max(seq) FROM events), 0) - ?, 0)")?
                .query_row([position], |row| row.get(0))
        })
    }

    /// Records what was done with the next events. `last`: the last one that the broker has acknowledged. If others come before
    /// them meanwhile, nothing is recorded: these are forwarded again, in their order.
    ///
    /// # Errors
    /// When the store fails; then they are forwarded again.
    pub(crate) fn record_forwarded(&mut self, passed: &[Passed], last: &LastForwarded) -> Result<(), StoreError> {
        let ends = passed.first().zip(passed.last()).map(|(first, last)| (first.seq(), last.seq()));
        let Some((first, through)) = ends else { return Ok(()) };
        self.database.write("record what was forwarded", |transaction| {
            let passes_over_others: bool = transaction
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE seq > ? AND seq < ?)")?
                .query_row([position(transaction)?, first], |row| row.get(0))?;
            if passes_over_others {
                return Ok(());
            }
            let before = routing_cursor::last_routed(transaction)?;
            move_to(transaction, last, through)?;
            // What is forwarded again is counted already.
            let new = || passed.iter().filter(|passed| passed.seq() > before);
            if new().next().is_none() {
                return Ok(());
            }
            routing_cursor::advance(transaction, through)?;
            let forwarded = new().filter(|passed| matches!(passed, Passed::Forwarded(_))).count();
            ledger::count_forwarded(transaction, [forwarded, new().count() - forwarded])
        })
    }

    /// Forgets what was forwarded, for a host that belongs to no fleet any more: what it routes itself from now on is not to be
    /// forwarded, should it join one again.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn forget_forwarded(&mut self) -> Result<(), StoreError> {
        self.database.write("forget what was forwarded", |transaction| {
            transaction.prepare_cached("DELETE FROM forwarding")?.execute([]).map(drop)
        })
    }

    /// Has events forwarded again: those after the event `last`, or where that is not known, those received since a time.
    /// Returns how many.
    ///
    /// # Errors
    /// When the store fails; then nothing changes.
    pub(crate) fn forward_again(&mut self, last: &LastForwarded, since: Timestamp) -> Result<i64, StoreError> {
        self.database.write("forward events again", |transaction| {
            let position = position(transaction)?;
            let after = after(transaction, last, since, position)?;
            let first: i64 =
                transaction
                    .query_row("SELECT ifnull(max(first_seq), ?) FROM forwarding", [position], |row| row.get(0))?;
            let after = after.clamp(first.min(position), position);
            move_to(transaction, last, after)?;
            Ok(position - after)
        })
    }
}

/// Returns the number of the event up to which all are forwarded.
fn position(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT coalesce((SELECT position FROM forwarding), (SELECT last_seq FROM routing_cursor))")?
        .query_row([], |row| row.get(0))
}

/// Returns the number of the event after which all are to be forwarded again.
fn after(
    transaction: &Transaction<'_>,
    last: &LastForwarded,
    since: Timestamp,
    position: i64,
) -> rusqlite::Result<i64> {
    if !last.event_id.is_empty() {
        let known: Option<i64> = transaction
            .prepare_cached("SELECT max(seq) FROM events WHERE seq <= ? AND instr(body, ?)")?
            .query_row(params![position, inbox::id_in_body(&last.event_id)], |row| row.get(0))?;
        if let Some(known) = known {
            return Ok(known);
        }
    }
    transaction
        .prepare_cached("SELECT ifnull(min(seq) - 1, ?1) FROM events WHERE seq <= ?1 AND received_at >= ?2")?
        .query_row(params![position, since.0], |row| row.get(0))
}

/// Moves the position; the first time, it also records from where on this host forwards.
fn move_to(transaction: &Transaction<'_>, last: &LastForwarded, position: i64) -> rusqlite::Result<()> {
    let moved = transaction
        .prepare_cached("UPDATE forwarding SET stream = ?1, stream_seq = ?2, event_id = ?3, position = ?4")?
        .execute(params![last.stream, last.stream_seq, last.event_id, position])?;
    if moved == 0 {
        transaction
            .prepare_cached(
                "INSERT INTO forwarding (stream, stream_seq, event_id, position, first_seq)
                 SELECT ?1, ?2, ?3, ?4, last_seq FROM routing_cursor",
            )?
            .execute(params![last.stream, last.stream_seq, last.event_id, position])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventDetails};
    use crate::store::fixture::{event, fixture};

    fn last(stream: &str, stream_seq: u64, event_id: &str) -> LastForwarded {
        LastForwarded { stream: stream.to_owned(), stream_seq, event_id: event_id.to_owned() }
    }

    #[test]
    fn events_are_forwarded_once_and_counted_once_even_if_they_are_forwarded_again() {
        let mut fixture = fixture();
        let mut append = |number: u8| {
            let event = Event { id: format!("id-{number}"), ..event("sshd", EventDetails::Flush) };
            fixture.inbox.append(&event, Timestamp(2)).unwrap();
        };
        append(1);
        (2..=5).for_each(append);
        // The first one before this host joined a fleet.
        fixture
            .store
            .route_events(&[crate::store::RoutedTo { seq: 1, ban: None, to: vec![], quarantined: false }])
            .unwrap();
        let store = &mut fixture.store;
        let waiting = |store: &Store| {
            let waiting: Vec<_> = store.to_forward(10).unwrap().iter().map(|event| event.seq).collect();
            assert_eq!(store.events_to_forward().unwrap(), waiting.len() as u64);
            waiting
        };
        assert_eq!((waiting(store), store.last_forwarded().unwrap()), (vec![2, 3, 4, 5], None));
        let passed = [Passed::Forwarded(2), Passed::Forwarded(3), Passed::Quarantined(4)];
        store.record_forwarded(&passed, &last("a", 7, "x")).unwrap();
        assert_eq!((waiting(store), store.last_forwarded().unwrap()), (vec![5], Some(last("a", 7, "x"))));
        let counts = |store: &Store| {
            let ledger = store.ledger().unwrap();
            assert!(ledger.balances(), "{ledger:?}");
            assert_eq!(store.check_ledger().unwrap(), []);
            [ledger.unrouted, ledger.unmatched, ledger.quarantined, ledger.forwarded]
        };
        assert_eq!(counts(store), [1, 1, 1, 2]);
        // The stream lost what came after event 3.
        assert_eq!(store.forward_again(&last("a", 5, "id-3"), Timestamp(i64::MAX)).unwrap(), 1);
        assert_eq!((waiting(store), counts(store)), (vec![4, 5], [1, 1, 1, 2]));
        // Another stream: all since a time, but nothing from before the fleet.
        assert_eq!(store.forward_again(&last("b", 0, ""), Timestamp(0)).unwrap(), 2);
        assert_eq!((waiting(store), counts(store)), (vec![2, 3, 4, 5], [1, 1, 1, 2]));
        // One that was the next before that was noticed.
        store.record_forwarded(&[Passed::Forwarded(5)], &last("b", 1, "y")).unwrap();
        assert_eq!((waiting(store), counts(store)), (vec![2, 3, 4, 5], [1, 1, 1, 2]));
        let passed = [Passed::Forwarded(2), Passed::Forwarded(3), Passed::Quarantined(4), Passed::Forwarded(5)];
        store.record_forwarded(&passed, &last("b", 4, "y")).unwrap();
        assert_eq!((waiting(store), counts(store)), (vec![], [0, 1, 1, 3]));
        assert_eq!(store.forward_again(&last("c", 0, ""), Timestamp(i64::MAX)).unwrap(), 0, "nothing is that new");
        // It leaves the fleet, routes an event itself, and joins again.
        assert_eq!(store.forward_again(&last("d", 0, ""), Timestamp(0)).unwrap(), 4);
        store.forget_forwarded().unwrap();
        assert_eq!((waiting(store), store.last_forwarded().unwrap()), (vec![], None));
        fixture
            .inbox
            .append(&Event { id: "id-6".to_owned(), ..event("sshd", EventDetails::Flush) }, Timestamp(2))
            .unwrap();
        let store = &mut fixture.store;
        store.route_events(&[crate::store::RoutedTo { seq: 6, ban: None, to: vec![], quarantined: false }]).unwrap();
        assert_eq!((waiting(store), counts(store)), (vec![], [0, 2, 1, 3]));
    }
}
