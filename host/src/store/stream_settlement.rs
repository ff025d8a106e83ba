//! Which events of a stream are settled here, as the worker's record says it, and what another worker's record says of events
//! that are pending here.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rusqlite::Connection;

use super::error::StoreError;
use super::sequences::Sequences;
use super::settled_before::ELSEWHERE;
use super::store::Store;
use super::stream_progress::{SettledOnRoute, StreamProgress};
use super::{formatting, ledger, routed_events, routing_cursor, stream_receipts};

/// Messages that are looked at. If more are pending, what follows them counts as pending, whether it is or not: the record has
/// to be written several times in a second.
const LOOKED_AT: usize = 200_000;

/// How far a stream is settled here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SettledHere {
    /// What is settled.
    pub progress: StreamProgress,
    /// The messages whose receipts are to be forgotten once the record says so.
    pub to_forget: Vec<u64>,
}

impl Store {
    /// Returns what of a stream is settled here, of the messages up to the first that is not routed here.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn settled_here(&self, stream: &str) -> Result<SettledHere, StoreError> {
        self.settled_among(stream, LOOKED_AT)
    }

    fn settled_among(&self, stream: &str, looked_at: usize) -> Result<SettledHere, StoreError> {
        self.database.read_snapshot("read what is settled of the stream", |connection| {
            let last_routed = routing_cursor::last_routed(connection)?;
            let (messages, routed) = Messages::read(connection, stream, last_routed, looked_at)?;
            let mut pending: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            let mut is_pending = HashSet::new();
            routed_events::for_each_pending(connection, messages.last_event(), |found| {
                for sequence in messages.of_event(found.event) {
                    match pending.get_mut(found.route) {
                        Some(sequences) => sequences.push(sequence),
                        None => drop(pending.insert(found.route.to_owned(), vec![sequence])),
                    }
                    is_pending.insert(sequence);
                }
            })?;
            let mut routes = BTreeMap::new();
            for route in ledger::routes(connection)? {
                let mut sequences = pending.remove(&route).unwrap_or_default();
                sequences.sort_unstable();
                let pending: Sequences = sequences.into_iter().collect();
                routes.insert(route, SettledOnRoute { through: routed, pending });
            }
            let mut to_forget: Vec<_> = messages.0.into_iter().map(|(_, sequence)| sequence).collect();
            to_forget.retain(|sequence| !is_pending.contains(sequence));
            to_forget.sort_unstable();
            Ok(SettledHere { progress: StreamProgress { routed, routes }, to_forget })
        })
    }

    /// Ends the events that are pending here and that another worker has settled, by the record that it left, as skipped. Those
    /// that were ended so before and that the record names as pending are pending again: a webhook had rejected them, and was at
    /// fault itself. Returns how many were ended. On a connection that syncs, that is on disk when it returns.
    ///
    /// # Errors
    /// When the store fails; then nothing has changed.
    pub(crate) fn settle_by_record(&mut self, stream: &str, progress: &StreamProgress) -> Result<usize, StoreError> {
        self.database.write("record what another worker has settled", |transaction| {
            let last_routed = routing_cursor::last_routed(transaction)?;
            let (messages, _) = Messages::read(transaction, stream, last_routed, usize::MAX)?;
            let is_settled =
                |event, route: &str| messages.of_event(event).any(|sequence| progress.is_settled(route, sequence));
            let range = (messages.first_event(), messages.last_event());
            for (event, route) in routed_events::skipped_between(transaction, range, ELSEWHERE)? {
                if messages.of_event(event).any(|sequence| progress.names_as_pending(&route, sequence)) {
                    routed_events::resume(transaction, (event, &route))?;
                }
            }
            let (mut settled, mut regrouped) = (Vec::new(), BTreeSet::new());
            routed_events::for_each_pending(transaction, messages.last_event(), |found| {
                if is_settled(found.event, found.route) {
                    regrouped.extend(found.message);
                    settled.push((found.event, found.route.to_owned()));
                }
            })?;
            for message in regrouped {
                // What else is in it is formatted again, without them. If an event of it is missing, which somebody has removed
                // from the files, it is sent as it is.
                formatting::unformat(transaction, message)?;
            }
            let mut count = 0;
            for (event, route) in settled {
                let is_ended = routed_events::settle(transaction, (event, &route, None), "skipped", ELSEWHERE)?;
                count += usize::from(is_ended);
            }
            Ok(count)
        })
    }
}

/// Messages of a stream, each with its event before it, by the event.
struct Messages(Vec<(i64, u64)>);

impl Messages {
    /// Reads the messages up to the first whose event is not routed, and no more than `at_most`. Returns up to which sequence all
    /// are routed, too.
    fn read(connection: &Connection, stream: &str, last_routed: i64, at_most: usize) -> rusqlite::Result<(Self, u64)> {
        let (mut messages, mut routed) = (Vec::new(), 0);
        stream_receipts::for_each(connection, stream, (0, u64::MAX), |sequence, event| {
            if event > last_routed {
                routed = sequence - 1;
                return false;
            }
            messages.push((event, sequence));
            routed = sequence;
            messages.len() < at_most
        })?;
        messages.sort_unstable();
        Ok((Self(messages), routed))
    }

    fn first_event(&self) -> i64 {
        self.0.first().map_or(0, |(event, _)| *event)
    }

    fn last_event(&self) -> i64 {
        self.0.last().map_or(0, |(event, _)| *event)
    }

    /// The messages of an event: a host may have published it more than once.
    fn of_event(&self, event: i64) -> impl Iterator<Item = u64> {
        let first = self.0.partition_point(|(of, _)| *of < event);
        self.0.iter().skip(first).take_while(move |(of, _)| *of == event).map(|(_, sequence)| *sequence)
    }
}

#[cfg(test)]
#[path = "stream_settlement_tests.rs"]
mod tests;
