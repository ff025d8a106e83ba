//! `clock`: the time of the event, not the real one, so that the same event gives the same times.

use jiff::Span;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::context::PluginContext;
use super::grants::Grant;
use super::interface::{Cx, HostInterface, Import, Linked, Opened, Provider};
use crate::event::Timestamp;
use crate::plugin::bindings::banhook::plugin::clock;
use crate::plugin::{lift, lower};

/// The interface.
pub(super) struct Clock;

/// The clock of one route.
struct RouteClock(TimeZone);

impl HostInterface for Clock {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn open(&self, _grant: &Grant, route: &PluginContext) -> Opened {
        RouteClock(route.timezone.clone()).into()
    }
}

impl Provider for RouteClock {
    fn link(&self, to: &mut Linked<'_>, _import: &Import<'_>) -> wasmtime::Result<()> {
        to.func_wrap("now", |cx: Cx<'_>, (): ()| Ok((lower::milliseconds(cx.data().now),)))?;
        let timezone = self.0.clone();
        to.func_wrap("local", move |_: Cx<'_>, (at,): (f64,)| Ok((local(lift::timestamp(at), &timezone),)))?;
        let timezone = self.0.clone();
        to.func_wrap("at", move |_: Cx<'_>, (local,): (clock::LocalTime,)| {
            Ok((lower::milliseconds(at(&local, &timezone)),))
        })
    }
}

fn local(at: Timestamp, timezone: &TimeZone) -> clock::LocalTime {
    let at = at.to_jiff().to_zoned(timezone.clone());
    clock::LocalTime {
        year: at.year().into(),
        month: at.month().unsigned_abs(),
        day: at.day().unsigned_abs(),
        weekday: match at.weekday() {
            Weekday::Monday => clock::Weekday::Monday,
            Weekday::Tuesday => clock::Weekday::Tuesday,
            Weekday::Wednesday => clock::Weekday::Wednesday,
            Weekday::Thursday => clock::Weekday::Thursday,
            Weekday::Friday => clock::Weekday::Friday,
            Weekday::Saturday => clock::Weekday::Saturday,
            Weekday::Sunday => clock::Weekday::Sunday,
        },
        hour: at.hour().unsigned_abs(),
        minute: at.minute().unsigned_abs(),
        second: at.second().unsigned_abs(),
        offset_minutes: i16::try_from(at.offset().seconds() / 60).unwrap_or(0),
    }
}

/// Returns when the clocks show this. Fields beyond their range carry over. Saturates at the ends of the calendar.
fn at(local: &clock::LocalTime, timezone: &TimeZone) -> Timestamp {
    let time = Span::new()
        .months(i64::from(local.month) - 1)
        .days(i64::from(local.day) - 1)
        .hours(local.hour)
        .minutes(local.minute)
        .seconds(local.second);
    let year = i16::try_from(local.year).ok().and_then(|year| DateTime::new(year, 1, 1, 0, 0, 0, 0).ok());
    let Some(begin) = year.and_then(|begin| begin.checked_add(time).ok()) else {
        return Timestamp(if local.year < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX }.as_millisecond());
    };
    let ambiguous = timezone.to_ambiguous_timestamp(begin);
    let is_second = match ambiguous.offset() {
        AmbiguousOffset::Fold { after, .. } => after.seconds() / 60 == i32::from(local.offset_minutes),
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => false,
    };
    let found = if is_second { ambiguous.later() } else { ambiguous.compatible() };
    Timestamp(found.unwrap_or(jiff::Timestamp::MAX).as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn text(timestamp: Timestamp) -> String {
        timestamp.to_jiff().strftime("%Y-%m-%dT%H:%MZ").to_string()
    }

    #[test]
    fn at_of_every_local_time_is_where_it_came_from() {
        // The hours around both nights in which the clocks change, with the hour that they show twice.
        for night in ["2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z"] {
            let night: jiff::Timestamp = night.parse().unwrap();
            for minutes in -120..180 {
                let moment = Timestamp(night.as_millisecond() + minutes * 60_000);
                assert_eq!(at(&local(moment, &berlin()), &berlin()), moment);
            }
        }
    }

    #[test]
    fn at_of_changed_fields_is_what_the_clocks_show() {
        let evening =
            local(Timestamp("2026-10-24T20:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond()), &berlin());
        let eight = |day| clock::LocalTime { day, hour: 8, minute: 0, second: 0, ..evening };
        // The offset of the evening no longer applies.
        assert_eq!((evening.offset_minutes, text(at(&eight(25), &berlin())).as_str()), (120, "2026-10-25T07:00Z"));
        for (changed, expected) in [
            (eight(32), "2026-11-01T07:00Z"),
            (clock::LocalTime { month: 13, ..eight(1) }, "2027-01-01T07:00Z"),
            (clock::LocalTime { hour: 26, ..eight(24) }, "2026-10-25T00:00Z"),
            // A time that the clocks skip, and one that they show twice.
            (clock::LocalTime { month: 3, hour: 2, minute: 30, ..eight(29) }, "2026-03-29T01:30Z"),
            (clock::LocalTime { hour: 2, minute: 30, ..eight(25) }, "2026-10-25T00:30Z"),
            (clock::LocalTime { hour: 2, minute: 30, offset_minutes: 60, ..eight(25) }, "2026-10-25T01:30Z"),
        ] {
            assert_eq!(text(at(&changed, &berlin())), expected);
        }
    }

    #[test]
    fn at_beyond_the_calendar_saturates() {
        let moment = local(Timestamp(0), &berlin());
        for year in [i32::MIN, -9_999, 9_999, i32::MAX] {
            at(
                &clock::LocalTime { year, month: 255, day: 255, hour: 255, minute: 255, second: 255, ..moment },
                &berlin(),
            );
        }
    }
}
