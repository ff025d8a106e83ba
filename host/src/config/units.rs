//! Durations (`250ms`) and sizes (`64MiB`) as the configuration writes them.
//!
//! Our own few lines, since the crates for it take much more than is documented (`1month 2s`, `64 MB` of two meanings),
//! and what is taken once cannot be refused later. One whole number, one unit, nothing between.

use std::time::Duration;

/// Unit and milliseconds.
const DURATIONS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Unit and bytes.
const SIZES: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Parses `250ms`, `30s`, `5m`, `1h` or `1d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    amount(text, &DURATIONS).map(Duration::from_millis)
}

/// Parses `512KiB`, `64MiB` or `1GiB`, to bytes.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    amount(text, &SIZES)
}

fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("1d", 86_400_000)] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "5", "s", "-1s", "1.5s", "1 s", "1S", "1month", "1h30m", "213503982335d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("512KiB", 524_288), ("64MiB", 67_108_864), ("1GiB", 1_073_741_824)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for bad in ["64", "64MB", "64 MiB", "mib", "99999999999GiB", "٣MiB"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
