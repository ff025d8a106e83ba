//! The duration of a ban in an `Increase Ban` line.

use crate::event::BanDuration;

/// The units that fail2ban abbreviates, in seconds.
const UNITS: [(&str, u64); 6] =
    [("y", 365 * 86_400), ("w", 7 * 86_400), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Parses `2w 6d` and `59m 50s` (since 0.11.3, rounded by fail2ban), `7:57:25`, `7:57` and `2 days, 7:57` (0.11:
/// Python's timedelta without its last `:00`), plain seconds, and `permanent`.
pub(super) fn parse(text: &str) -> Option<BanDuration> {
    if text == "permanent" {
        return Some(BanDuration::Permanent);
    }
    let seconds = abbreviated(text).or_else(|| timedelta(text))?;
    Some(BanDuration::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX)))
}

fn abbreviated(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.split(' ').try_fold(0_u64, |sum, part| {
        let (number, unit) = match part.find(|c: char| c.is_ascii_alphabetic()) {
            Some(at) => part.split_at_checked(at)?,
            None => (part, "s"),
        };
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum.checked_add(whole(number)?.checked_mul(*seconds)?)
    })
}

fn timedelta(text: &str) -> Option<u64> {
    let (days, time) = match text.split_once(", ") {
        Some((days, time)) => (whole(days.strip_suffix(" days").or_else(|| days.strip_suffix(" day"))?)?, time),
        None => (0, text),
    };
    let (hours, rest) = time.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':').unwrap_or((rest, "0"));
    days.checked_mul(86_400)?
        .checked_add(whole(hours)?.checked_mul(3_600)?)?
        .checked_add(whole(minutes)?.checked_mul(60)?)?
        .checked_add(whole(seconds)?)
}

/// Parses digits, and drops a fraction.
fn whole(text: &str) -> Option<u64> {
    let digits = text.split_once('.').map_or(text, |(whole, _)| whole);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_the_forms_of_every_version() {
        for (text, seconds) in [
            ("6s", 6),
            ("59m 50s", 3590),
            ("1h", 3600),
            ("2w 6d", 20 * 86_400),
            ("1y 3w 4d", (365 + 25) * 86_400),
            ("2d 7h 15m", 2 * 86_400 + 7 * 3600 + 900),
            ("7:57:25", 28_645),
            ("7:57", 28_620),
            ("1 day, 0:00", 86_400),
            ("2 days, 7:15:01", 2 * 86_400 + 7 * 3600 + 901),
            ("600", 600),
            ("600.0", 600),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Some(BanDuration::Seconds(seconds)), "{text}");
        }
        assert_eq!(parse("permanent"), Some(BanDuration::Permanent));
        assert_eq!(parse("9999y"), Some(BanDuration::Seconds(u32::MAX)));
        for bad in ["", " ", "s", "6x", "-6s", "1 2x", "a:b", "99999999999999999999s", "99999999999999999y"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
