//! How fast a webhook is posted to: `rate` and `burst`.

use std::time::Duration;

use super::bounded;
use super::reader::{Located, Table};

/// So many messages at once, and after them one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pace {
    /// The time between two messages once the burst is used up; 1 ms to 1 h. Default: 1 s.
    pub every: Duration,
    /// Messages that may go out at once after a pause that was long enough; 1 to 1,000. Default: 4.
    pub burst: u32,
}

/// What a rate may be counted in.
const UNITS: [(&str, Duration); 3] =
    [("s", Duration::from_secs(1)), ("m", Duration::from_secs(60)), ("h", Duration::from_secs(3_600))];

impl Pace {
    /// What Slack documents for incoming webhooks: one message a second, and short bursts of more are tolerated.
    pub const STANDARD: Self = Self { every: Duration::from_secs(1), burst: 4 };

    /// No chat takes more than a thousand a second.
    const LEAST: Duration = Duration::from_millis(1);

    /// Reads `rate` and `burst` of a webhook.
    pub(super) fn read(webhook: &Table<'_>) -> Self {
        let mut pace = Self::STANDARD;
        if let Some(Located { value, place }) = webhook.parsed("rate", "a rate like \"1/s\" or \"30/m\"", parse_rate) {
            if value < Self::LEAST {
                webhook.problems.report(place, "rate: has to be at most 1000/s");
            }
            pace.every = value;
        }
        bounded::count(webhook, "burst", 1..=1_000, &mut pace.burst);
        pace
    }
}

/// Parses `1/s`, `30/m` or `100/h` to the time between two.
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
    fn rates() {
        for (text, micros) in [
            ("1/s", 1_000_000),
            ("4/s", 250_000),
            ("1000/s", 1_000),
            ("30/m", 2_000_000),
            ("1/m", 60_000_000),
            ("1/h", 3_600_000_000),
        ] {
            assert_eq!(parse_rate(text), Some(Duration::from_micros(micros)), "{text}");
        }
        for bad in ["", "1", "/s", "0/s", "1/d", "1/sec", "+1/s", "-1/s", "0.5/s", "1 / s", "1/S", "5000000000/h"] {
            assert_eq!(parse_rate(bad), None, "{bad}");
        }
    }
}
