//! The filter `span`: a duration in words.

use minijinja::Error;
use minijinja::value::Value;

use super::{expected, is_unknown, nothing};

/// The `duration` of a ban without an end.
pub const PERMANENT: &str = "permanent";

const DAY: u64 = 24 * 60 * 60;
const WEEK: u64 = 7 * DAY;
const YEAR: u64 = 365 * DAY;

/// The units that are combined, at most two: `1 hour 30 minutes`.
const UNITS: [(u64, &str); 4] = [(DAY, "day"), (60 * 60, "hour"), (60, "minute"), (1, "second")];

/// Formats a duration. `prefix` precedes times only: `for 10 minutes`, but `permanent`.
pub fn span(value: &Value, prefix: Option<&str>) -> Result<Value, Error> {
    if is_unknown(value) {
        return Ok(nothing());
    }
    if value.as_str() == Some(PERMANENT) {
        return Ok(Value::from(PERMANENT));
    }
    match value.as_i64().map(u64::try_from) {
        Some(Ok(seconds)) => Ok(Value::from(words(prefix.unwrap_or_default(), seconds))),
        _ => Err(expected("span", "seconds or \"permanent\"", value)),
    }
}

/// Formats seconds. Years and weeks are used only without a remainder: 30 days are not 4 weeks 2 days.
fn words(prefix: &str, seconds: u64) -> String {
    let mut out = prefix.to_owned();
    for (length, unit) in [(YEAR, "year"), (WEEK, "week")] {
        if seconds >= length && seconds.is_multiple_of(length) {
            count(&mut out, seconds / length, unit);
            return out;
        }
    }
    let mut units = UNITS.into_iter().skip_while(|(length, _)| seconds < *length);
    let Some((length, unit)) = units.next() else {
        count(&mut out, 0, "second");
        return out;
    };
    count(&mut out, seconds / length, unit);
    if let Some((smaller, unit)) = units.next()
        && seconds % length >= smaller
    {
        out.push(' ');
        count(&mut out, seconds % length / smaller, unit);
    }
    out
}

fn count(out: &mut String, number: u64, unit: &str) {
    out.push_str(&number.to_string());
    out.push(' ');
    out.push_str(unit);
    if number != 1 {
        out.push('s');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_seconds_become_words() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (600, "10 minutes"),
            (630, "10 minutes 30 seconds"),
            (3600, "1 hour"),
            (3601, "1 hour"),
            (5400, "1 hour 30 minutes"),
            (90_000, "1 day 1 hour"),
            (604_800, "1 week"),
            (1_209_600, "2 weeks"),
            (2_592_000, "30 days"),
            (31_536_000, "1 year"),
            (u64::from(u32::MAX), "49710 days 6 hours"),
        ] {
            assert_eq!(words("", seconds), expected);
        }
    }

    #[test]
    fn span_prefix_precedes_times_only() {
        assert_eq!(span(&Value::from(60), Some("for ")).unwrap().as_str(), Some("for 1 minute"));
    }

    #[test]
    fn span_permanent_unknown_and_invalid_values() {
        assert_eq!(span(&Value::from(PERMANENT), Some("for ")).unwrap().as_str(), Some(PERMANENT));
        assert_eq!(span(&Value::from(()), Some("for ")).unwrap().as_str(), Some(""));
        for wrong in [Value::from("soon"), Value::from(-1)] {
            assert!(span(&wrong, None).unwrap_err().to_string().contains("span expects seconds"));
        }
    }
}
