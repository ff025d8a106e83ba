//! When a report is due, on a wall clock that is put forward and back.

use jiff::ToSpan as _;
use jiff::Zoned;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::config::ReportTime;
use crate::event::Timestamp;

/// Days after which a report of each week is due at the latest.
const WEEK: i32 = 7;

/// Returns the latest time at which a report was due, with the day by which it is known. Of a time that the clocks skip it is as
/// much later as they skip; of one that they show twice, the first.
pub(crate) fn latest_slot(at: ReportTime, zone: &TimeZone, now: Timestamp) -> Option<(Date, Timestamp)> {
    let today = civil(zone, now).date();
    (0..=WEEK).filter_map(|days| slot(at, zone, today.checked_sub(days.days()).ok()?)).find(|(_, due)| *due <= now)
}

/// Returns the time of a day, if a report is due on it.
fn slot(at: ReportTime, zone: &TimeZone, day: Date) -> Option<(Date, Timestamp)> {
    if at.weekday.is_some_and(|weekday| weekday != day.weekday()) {
        return None;
    }
    let due = day.to_datetime(at.time).to_zoned(zone.clone()).ok()?;
    Some((day, Timestamp(due.timestamp().as_millisecond())))
}

fn civil(zone: &TimeZone, at: Timestamp) -> Zoned {
    at.to_jiff().to_zoned(zone.clone())
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Weekday, time};

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    const DAILY: ReportTime = ReportTime { weekday: None, time: time(2, 30, 0, 0) };
    const MONDAYS: ReportTime = ReportTime { weekday: Some(Weekday::Monday), time: time(9, 0, 0, 0) };

    #[test]
    fn slot_is_the_latest_that_has_passed() {
        // 2026-11-30 is a Monday; in Berlin it is an hour later than in UTC.
        for (now, latest) in [
            ("2026-11-30T07:59:59Z", "2026-11-23T08:00:00Z"),
            ("2026-11-30T08:00:00Z", "2026-11-30T08:00:00Z"),
            ("2026-12-06T23:30:00Z", "2026-11-30T08:00:00Z"),
        ] {
            assert_eq!(latest_slot(MONDAYS, &berlin(), at(now)).unwrap().1, at(latest), "{now}");
        }
    }

    #[test]
    fn slot_is_once_a_day_when_clocks_change() {
        // On 2026-03-29 there is no 02:30, and on 2026-10-25 there are two.
        for (now, day, due) in [
            ("2026-03-29T00:29:00Z", "2026-03-28", "2026-03-28T01:30:00Z"),
            ("2026-03-29T01:30:00Z", "2026-03-29", "2026-03-29T01:30:00Z"),
            ("2026-03-30T00:30:00Z", "2026-03-30", "2026-03-30T00:30:00Z"),
            ("2026-10-25T00:30:00Z", "2026-10-25", "2026-10-25T00:30:00Z"),
            ("2026-10-25T02:00:00Z", "2026-10-25", "2026-10-25T00:30:00Z"),
        ] {
            let (found, time) = latest_slot(DAILY, &berlin(), at(now)).unwrap();
            assert_eq!((found.to_string(), time), (day.to_owned(), at(due)), "{now}");
        }
    }
}
