//! `rate` and `burst`: how fast messages are sent to a webhook.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::quantity;
use super::reader::{Located, Table};

/// How many messages may be sent at once, and how often one may be sent after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rate {
    /// The time between two messages once the burst is used up; 1 ms to 1 h. Default: 1 s.
    pub interval: Duration,
    /// How many messages may be sent at once after a long enough pause; 1 to 1,000. Default: 4.
    pub burst: u32,
}

/// The units of a rate.
const UNITS: [(&str, Duration); 3] =
    [("s", Duration::from_secs(1)), ("m", Duration::from_secs(60)), ("h", Duration::from_secs(3_600))];

impl Rate {
    /// What Slack documents for incoming webhooks: one message a second, and short bursts of more are tolerated.
    pub(crate) const STANDARD: Self = Self { interval: Duration::from_secs(1), burst: 4 };

    /// The shortest interval: no chat accepts more than a thousand messages a second.
    const MIN_INTERVAL: Duration = Duration::from_millis(1);

    /// Reads `rate` and `burst` of a webhook.
    pub(super) fn read(webhook: &Table<'_>) -> Self {
        let mut rate = Self::STANDARD;
        let found = webhook.parsed("rate", "a rate like \"1/s\" or \"30/m\"", parse_rate);
        webhook.restrict("rate", || json!({ "pattern": "^[0-9]+/[smh]$" }));
        if let Some(Located { value, location }) = found {
            if value < Self::MIN_INTERVAL {
                webhook.problems.report(location, "rate: must be at most 1000/s");
            }
            rate.interval = value;
        }
        quantity::count(webhook, "burst", 1..=1_000, &mut rate.burst);
        rate
    }
}

/// As [`Rate::read`] reads `rate`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |unit: Duration| u32::try_from(unit.as_nanos() / self.interval.as_nanos().max(1)).unwrap_or(1);
        let is_whole = |(_, unit): &&(_, Duration)| unit.checked_div(number(*unit)) == Some(self.interval);
        let (name, unit) = UNITS.iter().find(is_whole).copied().unwrap_or(("s", Duration::from_secs(1)));
        write!(f, "{}/{name}", number(unit))
    }
}

/// Parses `1/s`, `30/m` or `100/h` to the time between two messages.
fn parse_rate(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_once('/')?;
    let (_, time) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let all_digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = all_digits.then(|| number.parse().ok())??;
    time.checked_div(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_rate_needs_one_number_and_one_unit() {
        for (text, micros) in [
            ("1/s", 1_000_000),
            ("4/s", 250_000),
            ("1000/s", 1_000),
            ("30/m", 2_000_000),
            ("1/m", 60_000_000),
            ("1/h", 3_600_000_000),
        ] {
            let interval = Duration::from_micros(micros);
            assert_eq!(parse_rate(text), Some(interval), "{text}");
            assert_eq!(parse_rate(&Rate { interval, burst: 1 }.to_string()), Some(interval), "{text}");
        }
        for bad in ["", "1", "/s", "0/s", "1/d", "1/sec", "+1/s", "-1/s", "0.5/s", "1 / s", "1/S", "5000000000/h"] {
            assert_eq!(parse_rate(bad), None, "{bad}");
        }
    }
}
