//! `quiet` of a route: after how long without a ban it says so.

use std::collections::BTreeSet;
use std::time::Duration;

use super::quantity;
use super::reader::Table;
use crate::event::Kind;

/// Reads `quiet`; `None`: absent, or `false`.
pub(super) fn quiet(route: &Table<'_>, events: &BTreeSet<Kind>) -> Option<Duration> {
    let mut quiet = None;
    let range = Duration::from_secs(60)..=Duration::from_secs(366 * 86_400);
    quantity::duration_or_false(route, "quiet", range, "1m and 366d", &mut quiet);
    if let (Some(location), Some(_)) = (route.key_location("quiet"), quiet)
        && !events.contains(&Kind::Ban)
    {
        let message = "quiet counts from the last ban, and the route gets no bans";
        route.problems.report_with(location, message, "add \"ban\" to events, or remove quiet");
    }
    quiet
}
