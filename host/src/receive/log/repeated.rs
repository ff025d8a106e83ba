//! What syslog daemons write in place of a line that is the same as the one before.
//!
//! | daemon | line |
//! | --- | --- |
//! | rsyslog, `$RepeatedMsgReduction on` | `Nov 22 11:56:55 web-1 fail2ban[1]: message repeated 3 times: [ [sshd] Found …]` |
//! | syslog-ng, `suppress()` | `Nov 22 11:56:55 web-1 fail2ban[1]: Last message '[sshd] Found 203.0.1' repeated 3 times, suppressed by …` |
//! | sysklogd, BSD | `Nov 22 11:56:55 web-1 last message repeated 3 times`, also with the tag `syslogd: ` |
//!
//! The first of the lines is in the log; these are the others. fail2ban bans an address again only after an unban, so only
//! failures are repeated, and counted: no such line becomes an event.

use memchr::memmem;

use super::line_time::time;
use super::scan::{digits, word};

/// How much of the line before syslog-ng quotes, in bytes.
const QUOTED_BYTES: usize = 20;

/// Splits rsyslog's `message repeated 3 times: [ message]`, which comes under the tag of the message.
pub(super) fn message(text: &[u8]) -> Option<(u32, &[u8])> {
    let (times, rest) = times(text.strip_prefix(b"message repeated ")?)?;
    // The space between tag and message is part of it.
    Some((times, rest.strip_prefix(b": [")?.strip_suffix(b"]")?.trim_ascii_start()))
}

/// Parses a line that stands for the one before it; `text` is the line without its envelopes.
pub(super) fn line(line: &[u8], text: &[u8]) -> Option<u32> {
    if let Some(quoted) = text.strip_prefix(b"Last message '") {
        let end = memmem::find(quoted, b"' repeated ").filter(|end| *end <= QUOTED_BYTES)?;
        let (times, rest) = times(quoted.get(end..)?.strip_prefix(b"' repeated ")?)?;
        return rest.starts_with(b", suppressed by ").then_some(times);
    }
    let whole = |text: &[u8]| {
        let (times, rest) = times(text.strip_prefix(b"last message repeated ")?)?;
        rest.is_empty().then_some(times)
    };
    // Without a tag, it has no envelope either.
    whole(text).or_else(|| whole(word(time(line)?.1)?.1))
}

/// Splits off `3 times`.
fn times(text: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = digits(text);
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some((number, rest.strip_prefix(b" times")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_that_of_rsyslog() {
        let found = b"[sshd] Found 203.0.113.7".as_slice();
        assert_eq!(message(b"message repeated 3 times: [ [sshd] Found 203.0.113.7]"), Some((3, found)));
        for text in [
            "message repeated 3 times: [ [sshd] Found 203.0.113.7",
            "message repeated x times: [ [sshd] Found 203.0.113.7]",
            "message repeated 99999999999 times: [ [sshd] Found 203.0.113.7]",
            "x message repeated 3 times: [ [sshd] Found 203.0.113.7]",
            "last message repeated 3 times",
        ] {
            assert_eq!(message(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn line_is_that_of_other_daemons() {
        for (whole, text, times) in [
            ("Nov 22 11:56:55 web-1 last message repeated 3 times", "", Some(3)),
            ("Nov 22 11:56:55 web-1 syslogd: last message repeated 3 times", "last message repeated 3 times", Some(3)),
            (
                "Nov 22 11:56:55 web-1 fail2ban[1]: Last message '[sshd] Found 203.0.1' repeated 3 times, suppressed by syslog-ng on web-1",
                "Last message '[sshd] Found 203.0.1' repeated 3 times, suppressed by syslog-ng on web-1",
                Some(3),
            ),
            ("Nov 22 11:56:55 web-1 sshd[1]: x last message repeated 3 times", "x last message repeated 3 times", None),
            ("Nov 22 11:56:55 web-1 x last message repeated 3 times", "", None),
            ("Nov 22 11:56:55 web-1 last message repeated 3 times x", "", None),
            ("last message repeated 3 times", "", None),
        ] {
            assert_eq!(line(whole.as_bytes(), text.as_bytes()), times, "{whole}");
        }
    }
}
