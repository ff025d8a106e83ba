//! The checksums of stored events and messages. A record that a failing disk or another program has changed is found when
//! it is read: it is quarantined, and the others go on.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::event::Event;

/// Why a record is quarantined.
pub(super) const DAMAGED: &str = "the stored record is damaged: its checksum is not that of its content";

/// The columns that belong to an event's checksum, after the body: as a query must select them for [`event_body`].
macro_rules! event_columns {
    () => {
        "body, seq, received_at, at, logged, kind, host, jail, subject, ticket_at, restored, counterpart, checksum"
    };
}
pub(super) use event_columns;

/// The number of these columns.
pub(super) const EVENT_COLUMNS: usize = 13;

/// What is added to the checksum of an event that stands for two reports; by an exclusive or, so that a statement can add
/// it.
pub(super) const COUNTERPART: i64 = 1 << 62;

/// The columns of an event, without its body and whether it has a counterpart.
pub(super) type EventHead<'a> = [ValueRef<'a>; 10];

/// Returns the checksum of an event that stands for one report: of its columns in the upper half, of its body in the lower
/// one, so that a count that needs no body can check the columns.
pub(super) fn of_event(head: &EventHead<'_>, body: ValueRef<'_>) -> i64 {
    (i64::from(of(head)) << 32) | i64::from(of(&[body]))
}

/// Returns the lower half of an event's checksum.
pub(super) fn of_body(body: &str) -> i64 {
    i64::from(of(&[ValueRef::Text(body.as_bytes())]))
}

/// Returns the checksum of a message: its body, target, route, number of events, cause and key.
pub(super) fn of_message(columns: &[ValueRef<'_>; 6]) -> i64 {
    i64::from(of(columns))
}

/// The columns of a message's checksum, and the checksum: as a query must select them for [`is_message_intact`].
macro_rules! message_columns {
    () => {
        "body, target, route, events, cause, key, checksum"
    };
}
pub(super) use message_columns;

/// Returns whether a message is as it was stored, of which the row has the `message_columns!` from the column `first` on.
pub(super) fn is_message_intact(row: &Row<'_>, first: usize) -> rusqlite::Result<bool> {
    let mut columns = [ValueRef::Null; 6];
    for (at, column) in columns.iter_mut().enumerate() {
        *column = row.get_ref(first + at)?;
    }
    Ok(row.get_ref(first + columns.len())? == ValueRef::Integer(of_message(&columns)))
}

/// Returns the body of an event, of which the row has the `event_columns!` from the column `first` on.
///
/// # Errors
/// Why it is quarantined.
pub(super) fn event_body<'a>(row: &'a Row<'_>, first: usize) -> rusqlite::Result<Result<&'a str, String>> {
    let body = row.get_ref(first)?;
    let Some((expected, stored)) = event_sums(row, first + 1, |head| of_event(head, body))? else {
        return Ok(Err(DAMAGED.to_owned()));
    };
    Ok(match body.as_str() {
        Ok(body) if expected == stored => Ok(body),
        _ => Err(DAMAGED.to_owned()),
    })
}

/// Returns the checksum that an event should have, of which the row has the `event_columns!`.
pub(super) fn of_event_row(row: &Row<'_>) -> rusqlite::Result<i64> {
    let body = row.get_ref(0)?;
    Ok(event_sums(row, 1, |head| of_event(head, body))?.map_or(0, |(expected, _)| expected))
}

/// Returns whether the columns of an event are as they were stored, of which the row has the `event_columns!` without the
/// body from the column `first` on.
pub(super) fn is_event_head_intact(row: &Row<'_>, first: usize) -> rusqlite::Result<bool> {
    let sums = event_sums(row, first, |head| i64::from(of(head)) << 32)?;
    Ok(sums.is_some_and(|(expected, stored)| expected >> 32 == stored >> 32))
}

/// Parses a stored event; the error says why it cannot be used.
pub(super) fn parse_event(body: Result<&str, String>) -> Result<Event, String> {
    Event::from_stored_json(body?).map_err(|error| error.to_string())
}

/// The checksum that an event should have, and the one that it has; `None` if the latter is no checksum at all.
fn event_sums(
    row: &Row<'_>,
    first: usize,
    sum: impl Fn(&EventHead<'_>) -> i64,
) -> rusqlite::Result<Option<(i64, i64)>> {
    let mut head = [ValueRef::Null; 10];
    for (at, column) in head.iter_mut().enumerate() {
        *column = row.get_ref(first + at)?;
    }
    let counterpart = match row.get_ref(first + head.len())? {
        ValueRef::Integer(0) => 0,
        ValueRef::Integer(1) => COUNTERPART,
        _ => return Ok(None),
    };
    let ValueRef::Integer(stored) = row.get_ref(first + head.len() + 1)? else { return Ok(None) };
    Ok(Some((sum(&head) ^ counterpart, stored)))
}

/// The CRC-32 of values with their types.
fn of(values: &[ValueRef<'_>]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for value in values {
        match value {
            ValueRef::Null => sum.update(b"n"),
            ValueRef::Integer(number) => {
                sum.update(b"i");
                sum.update(&number.to_le_bytes());
            }
            ValueRef::Real(number) => {
                sum.update(b"r");
                sum.update(&number.to_le_bytes());
            }
            ValueRef::Text(bytes) => {
                sum.update(b"t");
                sum.update(&bytes.len().to_le_bytes());
                sum.update(bytes);
            }
            ValueRef::Blob(bytes) => {
                sum.update(b"b");
                sum.update(&bytes.len().to_le_bytes());
                sum.update(bytes);
            }
        }
    }
    sum.finalize()
}

#[cfg(test)]
#[path = "checksum_tests.rs"]
mod tests;
