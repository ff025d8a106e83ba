//! The times of log lines, most of which are local and name no time zone, and some no year.
//!
//! When clocks are set forward, an hour does not exist; a time in it counts as if they had not been set yet, so 02:30
//! is 03:30. When they are set back, an hour occurs twice; its times count as the first of the two until the log has
//! passed that: a line that would be earlier than the line before it is of the second.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::event::Timestamp;

/// How much earlier than the line before it the minute of a line may begin, in ms: a minute, and as much as threads write
/// out of order.
const OUT_OF_ORDER_MS: i64 = 70_000;

/// How far a line without a year may be in the future, in ms: the clocks and zones of two hosts differ.
const MAX_AHEAD_MS: i64 = 86_400_000;

/// How far an event may be in the future, in ms, before that is said: more than clocks differ by, less than time zones do.
const MAX_EVENT_AHEAD_MS: i64 = 600_000;

/// A time in the form that a line has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineTime<'a> {
    /// `2026-11-22 11:56:55` and milliseconds, in local time.
    Local(&'a [u8; 19], u16),
    /// The same with an offset from UTC, in seconds.
    Zoned(&'a [u8; 19], u16, i32),
    /// `Nov 22 11:56:55`: the month from 1, the day, `11:56:55`, milliseconds.
    Yearless(i8, i8, &'a [u8; 8], u16),
    /// `Nov 22 11:56:55 2026`: the year, then as [`LineTime::Yearless`].
    Dated(i16, i8, i8, &'a [u8; 8], u16),
    /// Milliseconds since 1970.
    Epoch(i64),
}

/// By what a line's own time and that of its envelope may differ, in ms, apart from their time zones.
const MAX_CARRIER_DELAY_MS: i64 = 5_000;

/// What time zones differ by, in ms: a multiple of this, and a day at most.
const ZONE_STEP_MS: i64 = 900_000;
const MAX_ZONE_MS: i64 = 86_400_000;

/// A time without a year: month, day and `11:56:55`.
type YearlessTime = (i8, i8, [u8; 8]);

/// Turns the times of lines into timestamps, in the order of the lines.
#[derive(Debug)]
pub(super) struct LogClock {
    zone: TimeZone,
    now: fn() -> Timestamp,
    /// The last line's time.
    last: Option<i64>,
    /// The last minute that was looked up, `2026-11-22 11:56`, and when it began: time zones take far longer than anything
    /// else here.
    minute: Option<([u8; 16], i64)>,
    /// The last time without a year, and when it was: many lines are of the same second.
    second: Option<(YearlessTime, i64)>,
    /// A time that has passed.
    passed: i64,
    /// How far the last event was in the future, in ms, if that is more than clocks differ by.
    ahead: Option<i64>,
}

impl LogClock {
    pub(super) const fn new(zone: TimeZone, now: fn() -> Timestamp) -> Self {
        Self { zone, now, last: None, minute: None, second: None, passed: i64::MIN, ahead: None }
    }

    /// Returns the time of a line that has none.
    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Returns a time as a timestamp; `None` if there is no such date.
    pub(super) fn timestamp(&mut self, time: LineTime<'_>) -> Option<Timestamp> {
        let at = self.milliseconds(time)?;
        self.last = Some(at);
        Some(Timestamp(at))
    }

    /// Returns the time of a line, now if it has none; `None` if there is no such date. `own` is fail2ban's, in the time zone of
    /// its host, and knows more than that of the envelope; but if they differ as time zones do, the envelope's names the zone.
    pub(super) fn line_timestamp(
        &mut self,
        own: Option<LineTime<'_>>,
        envelope: Option<LineTime<'_>>,
    ) -> Option<Timestamp> {
        let Some(time) = own.or(envelope) else { return Some(self.now()) };
        let at = self.timestamp(time)?;
        let (LineTime::Local(..), Some(carried @ (LineTime::Zoned(..) | LineTime::Epoch(_)))) = (time, envelope) else {
            return Some(at);
        };
        let Some(carried) = self.milliseconds(carried) else { return Some(at) };
        let difference = carried.saturating_sub(at.0);
        let zones = (difference + ZONE_STEP_MS / 2).div_euclid(ZONE_STEP_MS) * ZONE_STEP_MS;
        let is_zone = zones.abs() <= MAX_ZONE_MS && (difference - zones).abs() <= MAX_CARRIER_DELAY_MS;
        Some(if is_zone { at.plus_ms(zones) } else { at })
    }

    /// Compares the time of an event with the clock, which is read only if the event is later than all before.
    pub(super) fn compare(&mut self, at: Timestamp) {
        self.ahead = None;
        if at.0 > self.passed {
            self.passed = self.now().0;
            self.ahead = Some(at.0.saturating_sub(self.passed)).filter(|ahead| *ahead > MAX_EVENT_AHEAD_MS);
        }
    }

    /// Returns how far the last event was in the future, in ms, if that is more than clocks differ by.
    pub(super) const fn ahead_ms(&self) -> Option<i64> {
        self.ahead
    }

    fn milliseconds(&mut self, time: LineTime<'_>) -> Option<i64> {
        Some(match time {
            LineTime::Local(text, ms) => self.local(text)?.checked_add(i64::from(ms))?,
            LineTime::Zoned(text, ms, offset) => {
                let offset = Offset::from_seconds(offset).ok()?;
                offset.to_timestamp(civil(text)?).ok()?.as_millisecond().checked_add(i64::from(ms))?
            }
            LineTime::Yearless(month, day, clock, ms) => {
                let known = self.second.filter(|(second, _)| *second == (month, day, *clock));
                let at = match known {
                    Some((_, at)) => at,
                    None => self.yearless(month, day, clock)?,
                };
                self.second = Some(((month, day, *clock), at));
                at.checked_add(i64::from(ms))?
            }
            LineTime::Dated(year, month, day, clock, ms) => {
                let date = Date::new(year, month, day).ok()?;
                self.resolve(DateTime::from_parts(date, clock_time(clock)?))?.checked_add(i64::from(ms))?
            }
            LineTime::Epoch(ms) => ms,
        })
    }

    /// Notes the time of a line that is not an event, so that it is known how far the log has come.
    pub(super) fn pass(&mut self, time: LineTime<'_>) {
        if let (LineTime::Local(text, _), Some((minute, _))) = (time, &self.minute)
            && text.starts_with(minute)
        {
            return;
        }
        self.timestamp(time);
    }

    fn local(&mut self, text: &[u8; 19]) -> Option<i64> {
        let [minute @ .., _, tens, ones] = text;
        let seconds = two(*tens, *ones)?;
        let begun = match self.minute {
            Some((known, begun)) if known == *minute => begun,
            _ => {
                let mut whole = *text;
                let [.., zero_tens, zero_ones] = &mut whole;
                (*zero_tens, *zero_ones) = (b'0', b'0');
                let begun = self.resolve(civil(&whole)?)?;
                self.minute = Some((*minute, begun));
                begun
            }
        };
        (seconds <= 60).then_some(begun + i64::from(seconds) * 1000)
    }

    fn yearless(&self, month: i8, day: i8, time: &[u8; 8]) -> Option<i64> {
        let now = self.now();
        let this_year = self.zone.to_datetime(now.to_jiff()).year();
        // The 29th of February may be eight years ago.
        (0..=8).find_map(|back| {
            let date = Date::new(this_year.checked_sub(back)?, month, day).ok()?;
            let at = self.resolve(DateTime::from_parts(date, clock_time(time)?))?;
            (at <= now.0.saturating_add(MAX_AHEAD_MS)).then_some(at)
        })
    }

    /// Resolves a local time, to ms since 1970.
    fn resolve(&self, local: DateTime) -> Option<i64> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        let in_ms = |offset: Offset| offset.to_timestamp(local).ok().map(|at| at.as_millisecond());
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => in_ms(offset),
            AmbiguousOffset::Gap { before, .. } => in_ms(before),
            AmbiguousOffset::Fold { before, after } => {
                let (first, second) = (in_ms(before)?, in_ms(after)?);
                Some(if self.last.is_some_and(|last| first < last - OUT_OF_ORDER_MS) { second } else { first })
            }
        }
    }
}

/// Parses `2026-11-22 11:56:55`, with any one character between date and time.
fn civil(text: &[u8; 19]) -> Option<DateTime> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, _, time @ ..] = text else { return None };
    let year = i16::from(two(*y1, *y2)?) * 100 + i16::from(two(*y3, *y4)?);
    Some(DateTime::from_parts(Date::new(year, two(*m1, *m2)?, two(*d1, *d2)?).ok()?, clock_time(time)?))
}

/// Parses `11:56:55`.
fn clock_time(text: &[u8; 8]) -> Option<jiff::civil::Time> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = text else { return None };
    // A leap second counts as the second before it, as usual.
    jiff::civil::Time::new(two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?.min(59), 0).ok()
}

/// Parses two digits.
fn two(tens: u8, ones: u8) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| (byte - b'0').cast_signed());
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> LogClock {
        LogClock::new(TimeZone::get("Europe/Berlin").unwrap(), || Timestamp::parse("2027-01-02T00:00:00Z").unwrap())
    }

    #[track_caller]
    fn local(clock: &mut LogClock, text: &str, expected: &str) {
        let at = clock.timestamp(LineTime::Local(text.as_bytes().try_into().unwrap(), 5)).map(|at| at.to_string());
        assert_eq!(at.as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn timestamp_in_repeated_hour_is_the_first_until_the_log_has_passed_it() {
        let clock = &mut clock();
        local(clock, "2026-10-25 02:30:00", "2026-10-25T00:30:00.005Z");
        local(clock, "2026-10-25 02:59:00", "2026-10-25T00:59:00.005Z");
        // Less than threads may be out of order.
        local(clock, "2026-10-25 02:58:55", "2026-10-25T00:58:55.005Z");
        local(clock, "2026-10-25 02:59:59", "2026-10-25T00:59:59.005Z");
        local(clock, "2026-10-25 02:00:00", "2026-10-25T01:00:00.005Z");
        local(clock, "2026-10-25 02:58:00", "2026-10-25T01:58:00.005Z");
        local(clock, "2026-10-25 03:00:00", "2026-10-25T02:00:00.005Z");
    }

    #[test]
    fn line_timestamp_of_another_time_zone_is_corrected_by_the_envelope() {
        let clock = &mut clock();
        let own = |text: &'static [u8; 19]| Some(LineTime::Local(text, 436));
        let zoned = |text: &'static [u8; 19], ms, offset| Some(LineTime::Zoned(text, ms, offset));
        for (own, envelope, expected) in [
            // A host in Moscow, a container in UTC, and one in the zone of the settings.
            (own(b"2026-11-22 15:02:48"), zoned(b"2026-11-22T15:02:49", 211, 10_800), "2026-11-22T12:02:48.436Z"),
            (own(b"2026-11-22 10:57:55"), zoned(b"2026-11-22T10:57:55", 500, 0), "2026-11-22T10:57:55.436Z"),
            (own(b"2026-11-22 11:57:55"), zoned(b"2026-11-22T10:57:55", 500, 0), "2026-11-22T10:57:55.436Z"),
            // An old line that was carried later.
            (own(b"2026-11-22 10:57:55"), zoned(b"2026-11-22T13:02:49", 0, 0), "2026-11-22T09:57:55.436Z"),
            (own(b"2026-11-22 10:57:55"), Some(LineTime::Yearless(11, 22, b"12:57:55", 0)), "2026-11-22T09:57:55.436Z"),
            (None, zoned(b"2026-11-22T10:57:55", 500, 0), "2026-11-22T10:57:55.500Z"),
            (None, Some(LineTime::Dated(2025, 11, 22, b"11:57:55", 0)), "2025-11-22T10:57:55.000Z"),
            (None, None, "2027-01-02T00:00:00.000Z"),
        ] {
            let at = clock.line_timestamp(own, envelope).map(|at| at.to_string());
            assert_eq!(at.as_deref(), Some(expected), "{own:?} {envelope:?}");
        }
    }

    #[test]
    fn timestamp_in_skipped_hour_is_an_hour_later() {
        let clock = &mut clock();
        local(clock, "2026-03-29 01:59:59", "2026-03-29T00:59:59.005Z");
        local(clock, "2026-03-29 02:30:00", "2026-03-29T01:30:00.005Z");
        local(clock, "2026-03-29 03:00:00", "2026-03-29T01:00:00.005Z");
    }

    #[test]
    fn timestamp_without_year_is_the_last_such_day() {
        let clock = &mut clock();
        for (month, day, expected) in [
            (1, 1, Some("2027-01-01T11:00:00.000Z")),
            // Some hours ahead: another host's clock.
            (1, 2, Some("2027-01-02T11:00:00.000Z")),
            (1, 4, Some("2026-01-04T11:00:00.000Z")),
            (12, 31, Some("2026-12-31T11:00:00.000Z")),
            (2, 29, Some("2024-02-29T11:00:00.000Z")),
            (2, 30, None),
        ] {
            let at = clock.timestamp(LineTime::Yearless(month, day, b"12:00:00", 0)).map(|at| at.to_string());
            assert_eq!(at.as_deref(), expected, "{month}-{day}");
        }
    }

    #[test]
    fn timestamp_of_invalid_date_is_none() {
        for text in ["2026-13-01 00:00:00", "2026-01-01 24:00:00", "2026-01-01 00:00:6x", "2026-02-29 00:00:00"] {
            assert_eq!(clock().timestamp(LineTime::Local(text.as_bytes().try_into().unwrap(), 0)), None, "{text}");
        }
    }
}
