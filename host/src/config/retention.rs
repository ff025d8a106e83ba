//! How long what is over is kept: `[retention]`.
//!
//! What is still to be told is never pruned, and what was pruned stays in the totals.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::bounded;
use super::reader::Table;

/// Ages count from the moment when banhook took the event in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The age of events that plugins may still ask about; at least 1 h. Default: 90 days.
    pub history: Duration,
    /// So many events at most, the newest; at least 1,000. Default: 1,000,000.
    pub events: u64,
    /// The age of dead messages; at least 1 h. Default: 30 days.
    pub dead_message_max_age: Duration,
    /// So many dead messages at most, the newest; at least 100. Default: 10,000.
    pub dead_message_max_count: u64,
}

/// A day, in seconds.
const DAY: u64 = 86_400;

impl Retention {
    /// Some hundred megabytes at most, and long enough to ask about an address that comes back.
    pub const STANDARD: Self = Self {
        history: Duration::from_secs(90 * DAY),
        events: 1_000_000,
        dead_message_max_age: Duration::from_secs(30 * DAY),
        dead_message_max_count: 10_000,
    };

    /// A hundred years are for ever.
    const AGE: RangeInclusive<Duration> = Duration::from_secs(3_600)..=Duration::from_secs(36_500 * DAY);

    /// More than any disk takes.
    const MOST: u64 = 1_000_000_000_000;

    /// Reads the table of one file.
    pub(super) fn read(top: &Table<'_>) -> Option<Self> {
        let table = top.table("retention", "[retention]")?;
        let mut retention = Self::STANDARD;
        bounded::duration(&table, "history", Self::AGE, "1h and 36500d", &mut retention.history);
        bounded::count(&table, "events", 1_000..=Self::MOST, &mut retention.events);
        bounded::duration(
            &table,
            "dead_message_max_age",
            Self::AGE,
            "1h and 36500d",
            &mut retention.dead_message_max_age,
        );
        bounded::count(&table, "dead_message_max_count", 100..=Self::MOST, &mut retention.dead_message_max_count);
        table.finish(&[]);
        Some(retention)
    }
}
