//! `storm`, `digest_window`, `restart` and `same_subject` of a route: when events are grouped into digests.

use std::time::Duration;

use super::quantity;
use super::reader::Table;

/// How many messages are a storm, whose bans are grouped into digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Storm {
    /// How many messages within the time are still posted one by one; 1 to 1,000. Default: 8.
    pub threshold: u32,
    /// The sliding window in which they are counted; 1 s to 1 h. Default: 60 s.
    pub within: Duration,
}

impl Storm {
    /// As much as people still read: about a message every eight seconds.
    pub(crate) const STANDARD: Self = Self { threshold: 8, within: Duration::from_secs(60) };

    /// Reads `storm` of a route; `None` for `false`.
    pub(super) fn read(route: &Table<'_>) -> Option<Self> {
        let mut storm = Self::STANDARD;
        let table = match route.table_or_false("storm", "[routes.storm]") {
            Some(Some(table)) => table,
            Some(None) => return None,
            None => return Some(storm),
        };
        quantity::count(&table, "threshold", 1..=1_000, &mut storm.threshold);
        let within = Duration::from_secs(1)..=Duration::from_secs(3_600);
        quantity::duration(&table, "within", within, "1s and 1h", &mut storm.within);
        table.finish(&[]);
        Some(storm)
    }
}

/// How long a digest collects events by default: half a minute is soon enough in a storm.
pub(super) const DIGEST_WINDOW: Duration = Duration::from_secs(30);

/// The default pause that ends a restart: fail2ban stops, starts and restores all jails without a longer one.
pub(super) const RESTART: Option<Duration> = Some(Duration::from_secs(5));

/// Reads `digest_window` of a route.
pub(super) fn digest_window(route: &Table<'_>) -> Duration {
    let mut window = DIGEST_WINDOW;
    let range = Duration::from_secs(1)..=Duration::from_secs(86_400);
    quantity::duration(route, "digest_window", range, "1s and 1d", &mut window);
    window
}

/// Reads `restart` of a route; `None` for `false`.
pub(super) fn restart(route: &Table<'_>) -> Option<Duration> {
    let mut quiet = RESTART;
    let range = Duration::from_secs(1)..=Duration::from_secs(60);
    quantity::duration_or_false(route, "restart", range, "1s and 60s", &mut quiet);
    quiet
}

/// The default time for which events of one subject are grouped, on the worker of a fleet: an address that attacks one host
/// attacks others.
pub(super) const SAME_SUBJECT_OF_FLEET: Duration = Duration::from_secs(30);

/// Reads `same_subject` of a route; `None` for `false`.
pub(super) fn same_subject(route: &Table<'_>, default: Option<Duration>) -> Option<Duration> {
    let mut within = default;
    let range = Duration::from_secs(1)..=Duration::from_secs(3_600);
    quantity::duration_or_false(route, "same_subject", range, "1s and 1h", &mut within);
    within
}
