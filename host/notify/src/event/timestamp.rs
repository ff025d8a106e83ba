//! A point in time, to the millisecond.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z. Shown and parsed as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads the system's clock. Only the outermost layers may call it; everything below is handed a time.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Parses seconds since the epoch, as fail2ban's `<time>` gives them (`1763809015.601`).
    ///
    /// `None` if it is not a number, or not within the years 1970 to 9999.
    #[must_use]
    pub fn from_epoch_seconds(text: &str) -> Option<Self> {
        const YEAR_10000: f64 = 253_402_300_800.0;
        let seconds: f64 = text.trim().parse().ok()?;
        if !(0.0..YEAR_10000).contains(&seconds) {
            return None;
        }
        // In range, so the cast loses only the fraction that `round` has removed.
        #[allow(clippy::cast_possible_truncation)]
        Some(Self((seconds * 1000.0).round() as i64))
    }

    /// Parses RFC 3339, with any offset; fractions of milliseconds are dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Self(at.as_millisecond()))
    }

    /// Returns the time so many milliseconds later.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Returns the time as jiff's, clamped to its range.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("\"{text}\" is not a time; write it as 2026-11-22T10:56:55.601Z"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_epoch_seconds_reads_fractions_and_rejects_other_text() {
        assert_eq!(Timestamp::from_epoch_seconds("1763809015.6012"), Some(Timestamp(1_763_809_015_601)));
        assert_eq!(Timestamp::from_epoch_seconds("1763809015"), Some(Timestamp(1_763_809_015_000)));
        for bad in ["", "<time>", "-1", "nan", "inf", "1e300"] {
            assert_eq!(Timestamp::from_epoch_seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn parse_rfc_3339_displays_in_utc() {
        let at = Timestamp::parse("2026-11-22T11:56:55.601+01:00").unwrap();
        assert_eq!(at.to_string(), "2026-11-22T10:56:55.601Z");
        assert_eq!(Timestamp::parse(&at.to_string()), Some(at));
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
