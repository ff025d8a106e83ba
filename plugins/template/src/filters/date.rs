//! The filters `date` and `time`: a time in the reader's time zone, and in the route's.

use std::fmt::Write;

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use super::{expected, is_unknown, nothing};
use crate::bindings::banhook::plugin::clock::{LocalTime, Weekday};

/// Converts milliseconds, as the interface has them, to the wall clock of the route's time zone: the host's `clock.local`.
pub type LocalClock = fn(f64) -> LocalTime;

/// The default format of `time`.
const TIME_FORMAT: &str = "%H:%M";

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The first second that is taken for milliseconds: of the year 5138.
const TOO_LATE: u64 = 100_000_000_000;

/// Slack's date markup: each reader sees their own time zone. Targets without it show the UTC after the bar.
pub fn date(value: &Value) -> Result<Value, Error> {
    if is_unknown(value) {
        return Ok(nothing());
    }
    let seconds = moment("date", value)?;
    let (year, month, day) = civil(seconds.div_euclid(SECONDS_PER_DAY));
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    Ok(Value::from_safe_string(format!(
        "<!date^{seconds}^{{date_short_pretty}} {{time}}|{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC>"
    )))
}

/// The route's wall clock, formatted as by strftime.
pub fn time(clock: LocalClock, value: &Value, format: Option<&str>) -> Result<Value, Error> {
    if is_unknown(value) {
        return Ok(nothing());
    }
    let seconds = moment("time", value)?;
    // Exact: milliseconds of a year before 5138.
    let local = clock((seconds * 1_000) as f64);
    let mut out = String::new();
    let mut characters = format.unwrap_or(TIME_FORMAT).chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        // Writing to a String cannot fail.
        let _ = match characters.next() {
            Some('Y') => write!(out, "{:04}", local.year),
            Some('m') => write!(out, "{:02}", local.month),
            Some('d') => write!(out, "{:02}", local.day),
            Some('H') => write!(out, "{:02}", local.hour),
            Some('M') => write!(out, "{:02}", local.minute),
            Some('S') => write!(out, "{:02}", local.second),
            Some('a') => out.write_str(weekday(local.weekday)),
            Some('z') => {
                let sign = if local.offset_minutes < 0 { '-' } else { '+' };
                let minutes = local.offset_minutes.unsigned_abs();
                write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
            Some('%') => out.write_char('%'),
            other => {
                let directive = other.map(String::from).unwrap_or_default();
                let message = format!("time knows %Y %m %d %H %M %S %a %z %%, not %{directive}");
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            }
        };
    }
    Ok(Value::from(out))
}

/// A moment such as `at`, in seconds since 1970; a sum such as `at + duration` may have a fraction.
fn moment(filter: &str, value: &Value) -> Result<i64, Error> {
    let seconds = match f64::try_from(value.clone()) {
        Ok(seconds) if value.is_number() && seconds.is_finite() => seconds.floor() as i64,
        _ => return Err(expected(filter, "a moment such as at", value)),
    };
    if seconds.unsigned_abs() >= TOO_LATE {
        let message = format!("{filter} expects seconds since 1970, as at is; {seconds} could be milliseconds");
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    Ok(seconds)
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar.
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const AT: i64 = 1_795_345_015; // 2026-11-22T10:56:55Z

    #[test]
    fn date_contains_utc_fallback() {
        let shown = date(&Value::from(AT)).unwrap();
        assert!(shown.is_safe());
        assert_eq!(shown.as_str(), Some("<!date^1795345015^{date_short_pretty} {time}|2026-11-22 10:56:55 UTC>"));
        assert!(date(&Value::from(-1)).unwrap().to_string().contains("|1969-12-31 23:59:59 UTC>"));
        assert_eq!(date(&Value::from(AT as f64 + 0.9)).unwrap(), shown);
        for wrong in [Value::from("now"), Value::from(f64::NAN), Value::from(true)] {
            assert!(date(&wrong).unwrap_err().to_string().contains("date expects a moment"));
        }
    }

    #[test]
    fn date_of_milliseconds_is_an_error() {
        for wrong in [Value::from(1_795_345_015_601_i64), Value::from(i64::MIN), Value::from(f64::MAX)] {
            let error = date(&wrong).unwrap_err().to_string();
            assert!(error.contains("date expects seconds since 1970, as at is"), "{error}");
            assert!(time(sample::berlin, &wrong, None).is_err());
        }
    }

    #[test]
    fn time_uses_the_routes_time_zone() {
        let shown = |format| time(sample::berlin, &Value::from(AT), format).map(|value| value.to_string());
        assert_eq!(shown(None).unwrap(), "11:56");
        assert_eq!(shown(Some("%a %d.%m.%Y %H:%M:%S %z 100%%")).unwrap(), "Sun 22.11.2026 11:56:55 +01:00 100%");
        for wrong in ["%q", "%"] {
            assert!(shown(Some(wrong)).unwrap_err().to_string().contains("time knows"));
        }
    }

    #[test]
    fn civil_date_of_known_days() {
        for (day, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (19782, (2024, 2, 29)),
            (19783, (2024, 3, 1)),
            (47541, (2100, 3, 1)),
            (-25509, (1900, 2, 28)),
            (11322, (2000, 12, 31)),
        ] {
            assert_eq!(civil(day), date, "{day}");
        }
        // From each day to the next.
        let mut before = civil(-800_001);
        for day in -800_000..800_000 {
            let after = civil(day);
            let (year, month, date) = before;
            let next = [(year, month, date + 1), (year, month + 1, 1), (year + 1, 1, 1)];
            assert!(next.contains(&after), "{before:?} {after:?}");
            before = after;
        }
    }
}
