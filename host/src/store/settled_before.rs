//! What the workers before this one had settled of a stream, for the events that are not routed here yet.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::stream_progress::StreamProgress;
use super::stream_receipts;

/// The reason for which a routed event is skipped that another worker has settled.
pub(super) const ELSEWHERE: &str = "another worker has settled it";

/// What was settled of a stream when this worker took the lease.
#[derive(Debug, Clone)]
pub(crate) struct SettledBefore {
    stream: String,
    progress: StreamProgress,
    /// The events of all messages up to this sequence are routed.
    after: u64,
}

/// The messages of events, by the event's number.
pub(super) struct Places {
    of_events: BTreeMap<i64, Vec<u64>>,
    through: u64,
}

impl SettledBefore {
    /// Makes it of the record of that worker.
    pub(crate) const fn new(stream: String, progress: StreamProgress) -> Self {
        Self { stream, progress, after: 0 }
    }

    /// Finds the messages whose events are being routed, which is done for all up to this one then.
    pub(super) fn places(&self, connection: &Connection, last: i64) -> rusqlite::Result<Places> {
        let range = (self.after, self.progress.routed);
        let mut places = Places { of_events: BTreeMap::new(), through: self.after };
        stream_receipts::for_each(connection, &self.stream, range, |sequence, event| {
            let is_routed = event <= last;
            if is_routed {
                places.of_events.entry(event).or_default().push(sequence);
                places.through = sequence;
            }
            is_routed
        })?;
        Ok(places)
    }

    /// Returns whether an event is settled on a route.
    pub(super) fn is_settled(&self, places: &Places, event: i64, route: &str) -> bool {
        let of_event = places.of_events.get(&event);
        of_event.is_some_and(|places| places.iter().any(|sequence| self.progress.is_settled(route, *sequence)))
    }

    /// Notes that these events are routed.
    pub(super) const fn pass(&mut self, places: &Places) {
        self.after = places.through;
    }
}
