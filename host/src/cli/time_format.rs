//! Moments as people read them.

use crate::event::Timestamp;

/// `2026-11-22 10:56:55`, in UTC.
pub(super) fn to_the_second(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-11-22 10:56:55 UTC (5 min ago)`.
pub(super) fn with_age(at: Timestamp, now: Timestamp) -> String {
    format!("{} UTC ({})", to_the_second(at), ago(at, now))
}

/// `5 min ago`, or `in 5 min`.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let ms = now.0.saturating_sub(at.0);
    let span = span(ms.unsigned_abs() / 1_000);
    if ms < 0 { format!("in {span}") } else { format!("{span} ago") }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        let at = Timestamp(1_763_809_015_601);
        for (seconds, expected) in [
            (-30, "in 30 s"),
            (0, "0 s ago"),
            (119, "119 s ago"),
            (3_600, "60 min ago"),
            (86_400, "24 h ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(ago(at, at.plus_ms(seconds * 1_000)), expected);
        }
        assert_eq!(with_age(at, at.plus_ms(5_000)), "2025-11-22 10:56:55 UTC (5 s ago)");
    }
}
