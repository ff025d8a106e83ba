//! `[retention]`: how long settled events and dead messages are kept.
//!
//! Pending events are never pruned, and pruned ones stay in the ledger's counts.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::quantity;
use super::reader::Table;

/// Ages count from when banhook received the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    /// The maximum age of events, which plugins can ask about with `history`; at least 1 h. Default: 90 days.
    pub history: Duration,
    /// The maximum number of events; the newest are kept. At least 1,000. Default: 1,000,000.
    pub events: u64,
    /// The maximum age of dead messages; at least 1 h. Default: 30 days.
    pub dead_message_max_age: Duration,
    /// The maximum number of dead messages; the newest are kept. At least 100. Default: 10,000.
    pub dead_message_max_count: u64,
}

/// A day, in seconds.
const DAY: u64 = 86_400;

impl Retention {
    /// Some hundred megabytes at most, and long enough to recognize an address that comes back.
    pub(crate) const STANDARD: Self = Self {
        history: Duration::from_secs(90 * DAY),
        events: 1_000_000,
        dead_message_max_age: Duration::from_secs(30 * DAY),
        dead_message_max_count: 10_000,
    };

    /// The upper bound, a hundred years, stands for no limit.
    const AGE: RangeInclusive<Duration> = Duration::from_secs(3_600)..=Duration::from_secs(36_500 * DAY);

    /// More than any disk holds.
    const MAX_COUNT: u64 = 1_000_000_000_000;

    /// Reads the table of one file.
    pub(super) fn read(top: &Table<'_>) -> Option<Self> {
        let table = top.table("retention", "[retention]")?;
        let mut retention = Self::STANDARD;
        quantity::duration(&table, "history", Self::AGE, "1h and 36500d", &mut retention.history);
        quantity::count(&table, "events", 1_000..=Self::MAX_COUNT, &mut retention.events);
        quantity::duration(
            &table,
            "dead_message_max_age",
            Self::AGE,
            "1h and 36500d",
            &mut retention.dead_message_max_age,
        );
        quantity::count(&table, "dead_message_max_count", 100..=Self::MAX_COUNT, &mut retention.dead_message_max_count);
        table.finish(&[]);
        Some(retention)
    }
}
