//! When a route tells several events as one: `storm`, `digest_window` and `restart`.

use std::time::Duration;

use super::bounded;
use super::reader::Table;

/// From when on bans are a storm, which is told in digests instead of one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// So many messages within the time still go out each by itself; 1 to 1,000. Default: 8.
    pub threshold: u32,
    /// The time in which they are counted, which moves along; 1 s to 1 h. Default: 60 s.
    pub within: Duration,
}

impl Storm {
    /// What a channel still reads: about a message every eight seconds.
    pub const STANDARD: Self = Self { threshold: 8, within: Duration::from_secs(60) };

    /// Reads `storm` of a route; `None` for `false`.
    pub(super) fn read(route: &Table<'_>) -> Option<Self> {
        let mut storm = Self::STANDARD;
        let table = match route.table_or_false("storm", "[routes.storm]") {
            Some(Some(table)) => table,
            Some(None) => return None,
            None => return Some(storm),
        };
        bounded::count(&table, "threshold", 1..=1_000, &mut storm.threshold);
        let within = Duration::from_secs(1)..=Duration::from_secs(3_600);
        bounded::duration(&table, "within", within, "1s and 1h", &mut storm.within);
        table.finish(&[]);
        Some(storm)
    }
}

/// How long a digest collects unless it says otherwise: half a minute is soon enough for what has become many.
pub(super) const DIGEST_WINDOW: Duration = Duration::from_secs(30);

/// fail2ban stops, starts and restores all jails within some seconds of quiet.
pub(super) const RESTART: Option<Duration> = Some(Duration::from_secs(5));

/// Reads `digest_window` of a route.
pub(super) fn digest_window(route: &Table<'_>) -> Duration {
    let mut window = DIGEST_WINDOW;
    let range = Duration::from_secs(1)..=Duration::from_secs(86_400);
    bounded::duration(route, "digest_window", range, "1s and 1d", &mut window);
    window
}

/// Reads `restart` of a route; `None` for `false`.
pub(super) fn restart(route: &Table<'_>) -> Option<Duration> {
    let mut quiet = RESTART;
    let range = Duration::from_secs(1)..=Duration::from_secs(60);
    bounded::duration_or_false(route, "restart", range, "1s and 60s", &mut quiet);
    quiet
}
