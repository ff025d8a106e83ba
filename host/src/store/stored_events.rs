//! Reads stored events: those to be routed, those to be formatted, and those of a message. It writes nothing.

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::checksum::{self, EVENT_COLUMNS, event_columns, parse_event};
use super::database::sql_limit;
use super::error::StoreError;
use super::inbox::{UnroutedEvent, read_events};
use super::store::Store;
use super::{routed_events, routing_cursor};
use crate::event::{Event, Timestamp};

/// Events that an export reads at a time, so that memory does not grow with the history.
const EXPORT_PAGE: usize = 500;

/// An event with its number in the order of receipt, or why it is quarantined.
type NumberedEvent = (i64, Result<Event, String>);

/// An event that a route is to format.
#[derive(Debug, Clone)]
pub struct UnformattedEvent {
    /// Its number in the order of receipt.
    pub seq: i64,
    /// The webhook that gets the message.
    pub webhook: String,
    /// The event, or why it is quarantined: the record is damaged, or cannot be parsed.
    pub event: Result<Event, String>,
    /// It had a message of its own, and gets one again.
    pub standalone: bool,
}

/// Returns the first events of the inbox after this one, oldest first.
pub(super) fn after(connection: &Connection, seq: i64, at_most: usize) -> rusqlite::Result<Vec<UnroutedEvent>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT seq, received_at, ",
        event_columns!(),
        " FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
    ))?;
    let rows = statement.query(params![seq, sql_limit(at_most)])?;
    read_events(rows, |row, body| {
        // Of a damaged one it is not used.
        let received_at = Timestamp(row.get(1).unwrap_or_default());
        let text = body.as_ref().map(|body| (*body).to_owned()).unwrap_or_default();
        Ok(UnroutedEvent { seq: row.get(0)?, received_at, event: parse_event(body), body: text })
    })
}

impl Store {
    /// Returns the first events of the inbox that are not routed yet, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn unrouted(&self, at_most: usize) -> Result<Vec<UnroutedEvent>, StoreError> {
        self.database
            .read("read the inbox", |connection| after(connection, routing_cursor::last_routed(connection)?, at_most))
    }

    /// Returns the first events that a route is to format, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn unformatted(&self, route: &str, at_most: usize) -> Result<Vec<UnformattedEvent>, StoreError> {
        self.database.read("read the events of a route", |connection| {
            let mut statement = connection.prepare_cached(concat!(
                "SELECT event, webhook, ",
                event_columns!(),
                ", standalone FROM routed_events INDEXED BY unformatted_events CROSS JOIN events ON seq = event
                 WHERE route = ? AND routed_events.state = 'pending' AND message IS NULL ORDER BY event LIMIT ?",
            ))?;
            let rows = statement.query(params![route, sql_limit(at_most)])?;
            read_events(rows, unformatted)
        })
    }

    /// Returns the first events of a message, in the order of receipt.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn message_events(&self, message: i64, at_most: usize) -> Result<Vec<UnformattedEvent>, StoreError> {
        self.database.read("read the events of a message", |connection| {
            let mut statement = connection.prepare_cached(concat!(
                "SELECT event, webhook, ",
                event_columns!(),
                ", standalone FROM routed_events CROSS JOIN events ON seq = event
                 WHERE message = ? ORDER BY event LIMIT ?",
            ))?;
            let rows = statement.query(params![message, sql_limit(at_most)])?;
            read_events(rows, unformatted)
        })
    }

    /// Returns the tags of a message's events, in the order of receipt.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn message_tags(&self, message: i64) -> Result<Vec<Vec<String>>, StoreError> {
        self.database.read("read the events of a message", |connection| {
            connection
                .prepare_cached("SELECT tags FROM routed_events WHERE message = ? ORDER BY event")?
                .query_map([message], |row| Ok(routed_events::tags(row, 0)))?
                .collect()
        })
    }

    /// Returns the routes with events to format or digests to close.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn unfinished_routes(&self) -> Result<Vec<String>, StoreError> {
        self.database.read("read the events of routes", |connection| {
            connection
                .prepare_cached(
                    "SELECT DISTINCT route FROM routed_events WHERE state = 'pending' AND message IS NULL
                     UNION SELECT DISTINCT route FROM messages WHERE state = 'open' ORDER BY route",
                )?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// Returns the webhook of an event that is pending on a route; `None`: none is.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn webhook_of_pending(&self, route: &str) -> Result<Option<String>, StoreError> {
        self.database.read("read the events of routes", |connection| {
            connection
                .prepare_cached(
                    "SELECT * FROM (SELECT webhook FROM routed_events
                         WHERE route = ?1 AND state = 'pending' AND message IS NULL LIMIT 1)
                     UNION ALL SELECT * FROM (SELECT webhook FROM messages WHERE route = ?1 AND state = 'open' LIMIT 1)
                     UNION ALL SELECT * FROM (SELECT webhook FROM messages INDEXED BY messages_ready
                         WHERE route = ?1 AND state = 'ready' LIMIT 1)
                     LIMIT 1",
                )?
                .query_row([route], |row| row.get(0))
                .optional()
        })
    }

    /// Calls `each` with events in the order of receipt: those of one message, or the last ones of all, those in the spool
    /// included.
    ///
    /// # Errors
    /// When the store fails, or the first error of `each`.
    pub(crate) fn export_events<E: From<StoreError>>(
        &self,
        message: Option<i64>,
        last: usize,
        mut each: impl FnMut(Result<Event, String>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut spooled = VecDeque::new();
        if message.is_none() {
            self.unreceived_events(|event| {
                spooled.push_back(event);
                if spooled.len() > last {
                    spooled.pop_front();
                }
            })?;
        }
        let mut after = match message {
            Some(_) => 0,
            None => self.last_seq()?.saturating_sub(sql_limit(last - spooled.len())).max(0),
        };
        loop {
            let page = self.export_page(message, after)?;
            let Some((last, _)) = page.last() else { return spooled.into_iter().try_for_each(each) };
            after = *last;
            page.into_iter().try_for_each(|(_, event)| each(event))?;
        }
    }

    /// Returns the latest events of the inbox that can be read, with their numbers, oldest first; `is_wanted` selects them.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn latest_events(
        &self,
        at_most: usize,
        is_wanted: impl Fn(&Event) -> bool,
    ) -> Result<Vec<(i64, Event)>, StoreError> {
        self.database.read("read events", |connection| {
            let mut statement = connection.prepare_cached(concat!(
                "SELECT seq, ",
                event_columns!(),
                " FROM events ORDER BY seq DESC"
            ))?;
            let mut rows = statement.query([])?;
            let mut latest = Vec::new();
            while let Some(row) = rows.next()? {
                if latest.len() == at_most {
                    break;
                }
                let event = parse_event(checksum::event_body(row, 1)?).ok().filter(&is_wanted);
                latest.extend(event.map(|event| Ok::<_, rusqlite::Error>((row.get(0)?, event))).transpose()?);
            }
            latest.reverse();
            Ok(latest)
        })
    }

    /// The number of the last event in the inbox; 0: there is none.
    fn last_seq(&self) -> Result<i64, StoreError> {
        self.database.read("read the inbox", |connection| {
            connection.query_row("SELECT ifnull(max(seq), 0) FROM events", [], |row| row.get(0))
        })
    }

    fn export_page(&self, message: Option<i64>, after: i64) -> Result<Vec<NumberedEvent>, StoreError> {
        let row = |row: &Row<'_>| Ok((row.get(0)?, parse_event(checksum::event_body(row, 1)?)));
        self.database.read("read events", |connection| match message {
            Some(message) => connection
                .prepare_cached(concat!(
                    "SELECT event, ",
                    event_columns!(),
                    " FROM routed_events CROSS JOIN events ON seq = event
                     WHERE message = ? AND event > ? ORDER BY event LIMIT ?",
                ))?
                .query_map(params![message, after, sql_limit(EXPORT_PAGE)], row)?
                .collect(),
            None => connection
                .prepare_cached(concat!(
                    "SELECT seq, ",
                    event_columns!(),
                    " FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
                ))?
                .query_map(params![after, sql_limit(EXPORT_PAGE)], row)?
                .collect(),
        })
    }
}

fn unformatted(row: &Row<'_>, body: Result<&str, String>) -> rusqlite::Result<UnformattedEvent> {
    Ok(UnformattedEvent {
        seq: row.get(0)?,
        // A name that cannot be read is replaced by the route's own.
        webhook: row.get(1).unwrap_or_default(),
        event: parse_event(body),
        standalone: row.get(2 + EVENT_COLUMNS).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use crate::event::{Ban, EventDetails};
    use crate::store::RoutedTo;
    use crate::store::fixture::{append, ban, fixture};

    #[test]
    fn unrouted_large_events_are_read_few_at_a_time() {
        let mut fixture = fixture();
        for number in 0..5 {
            let large = Ban { matches: vec!["x".repeat(1 << 20)], ..ban(&number.to_string(), None, false) };
            append(&mut fixture.inbox, EventDetails::Ban(large));
        }
        assert_eq!(fixture.store.unrouted(10).unwrap().len(), 2);
        assert_eq!(fixture.store.unrouted(1).unwrap().len(), 1);
        let to =
            |seq| RoutedTo { seq, ban: None, to: vec![("route".to_owned(), "hook".to_owned())], quarantined: false };
        fixture.store.route_events(&(1..=5).map(to).collect::<Vec<_>>()).unwrap();
        assert_eq!(fixture.store.unformatted("route", 10).unwrap().len(), 2);
    }
}
