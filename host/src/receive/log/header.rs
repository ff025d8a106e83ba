//! fail2ban's own part of a line before its message: time, logger, process and level, as each version and target writes it.
//!
//! | target | line |
//! | --- | --- |
//! | file, STDOUT, STDERR | `2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  [sshd] Ban …` |
//! | the same, 0.8 | `2026-11-22 11:56:55,601 fail2ban.actions: WARNING [sshd] Ban …` |
//! | the same, a verbose server | ` 2026-11-22 11:56:55,601 7F2A9C NOTIC [sshd] Ban …` |
//! | SYSLOG | `fail2ban.actions[2837]: NOTICE [sshd] Ban …` |
//! | SYSOUT | `fail2ban.actions        [3043]: NOTICE  [sshd] Ban …` |
//! | SYSTEMD-JOURNAL | `[sshd] Ban …` |

use memchr::memchr;

use super::clock::LineTime;
use super::line_time::time;
use super::scan::{digits, is_uptime, number, word};

const LEVELS: [&[u8]; 8] =
    [b"CRITICAL", b"ERROR", b"WARNING", b"NOTICE", b"INFO", b"DEBUG", b"TRACEDEBUG", b"HEAVYDEBUG"];

/// How many bytes of a line come before the space before the logger.
const BEFORE_LOGGER: usize = "2026-11-22 11:56:55,601".len();

/// The longest prefix of a line that is remembered; fail2ban's are half as long.
const MAX_PREFIX_BYTES: usize = 100;

/// How much of a header a line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HeaderKind {
    /// None: a message alone.
    Bare,
    /// A level.
    Level,
    /// A logger and a level, or a thread and a level.
    Whole,
}

/// fail2ban's part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) kind: HeaderKind,
    pub(super) time: Option<LineTime<'a>>,
    /// `actions` of `fail2ban.actions`; empty if the line does not say.
    pub(super) logger: &'a [u8],
    pub(super) message: &'a [u8],
}

/// Parses the form that nearly all lines in a file have.
pub(super) fn standard(line: &[u8]) -> Option<Header<'_>> {
    let (stamp, rest) = line.split_first_chunk::<19>()?;
    let ([b',', ms @ .., b' '], rest) = rest.split_first_chunk::<5>()? else { return None };
    let (name, message) = logger(rest)?;
    let time = Some(LineTime::Local(stamp, number(ms)?));
    Some(Header { kind: HeaderKind::Whole, time, logger: name, message })
}

/// What the lines of `filter` have between the seconds and the message, after the milliseconds: nearly all lines of a log are
/// the same there, and comparing costs a fraction of parsing.
#[derive(Debug, Default)]
pub(super) struct FilterPrefix(Vec<u8>);

impl FilterPrefix {
    /// Notes the prefix of a line.
    pub(super) fn learn(&mut self, line: &[u8], header: &Header<'_>) {
        let prefix = line.get(BEFORE_LOGGER..line.len().saturating_sub(header.message.len())).unwrap_or_default();
        if header.logger == b"filter" && prefix.len() <= MAX_PREFIX_BYTES {
            self.0.clear();
            self.0.extend_from_slice(prefix);
        }
    }

    /// Splits a line with this prefix into time and message.
    pub(super) fn split<'a>(&self, line: &'a [u8]) -> Option<(&'a [u8; 19], &'a [u8])> {
        let (stamp, rest) = line.split_first_chunk::<19>()?;
        let ([b',', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'], rest) = rest.split_first_chunk::<4>()? else { return None };
        if self.0.is_empty() {
            return None;
        }
        Some((stamp, rest.strip_prefix(self.0.as_slice())?))
    }
}

/// Parses a whole header, with its time or without.
pub(super) fn whole(line: &[u8]) -> Option<Header<'_>> {
    let (time, rest) = after_time(line);
    if let Some((logger, message)) = logger(rest) {
        return Some(Header { kind: HeaderKind::Whole, time, logger, message });
    }
    verbose(rest).map(|(logger, message)| Header { kind: HeaderKind::Whole, time, logger, message })
}

/// Parses a message without a logger, after a time and a level or without them.
pub(super) fn bare(line: &[u8]) -> Option<Header<'_>> {
    let (time, rest) = after_time(line);
    if is_message(rest) {
        return Some(Header { kind: HeaderKind::Bare, time, logger: b"", message: rest });
    }
    let message = known_level(rest).filter(|message| is_message(message))?;
    Some(Header { kind: HeaderKind::Level, time, logger: b"", message })
}

/// Splits off the time. A verbose server writes one space before it; a line with more is the rest of a message that
/// `journalctl` indents.
fn after_time(line: &[u8]) -> (Option<LineTime<'_>>, &[u8]) {
    let line = line.strip_prefix(b" ").unwrap_or(line);
    match time(line) {
        Some((time, rest)) => (Some(time), rest.strip_prefix(b" ").unwrap_or(rest)),
        None => (None, line),
    }
}

/// Splits off `fail2ban.actions        [2784]: NOTICE  `; process and spaces may be missing.
pub(super) fn logger(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_prefix(b"fail2ban.")?;
    let (name, rest) = rest.split_at_checked(rest.iter().position(|byte| matches!(byte, b' ' | b'[' | b':'))?)?;
    let rest = rest.trim_ascii_start();
    let rest = match rest.strip_prefix(b"[") {
        Some(process) => digits(process).1.strip_prefix(b"]")?,
        None => rest,
    };
    let message = level(rest.strip_prefix(b":")?.trim_ascii_start())?;
    (!name.is_empty()).then_some((name, message))
}

/// Splits off `+ 1234 7F2A9C0 fail2ban.actions NOTIC `, which verbose servers write after the time.
fn verbose(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = line;
    if let Some(relative) = rest.strip_prefix(b"+") {
        rest = digits(relative.trim_ascii_start()).1.trim_ascii_start();
    }
    let (thread, after) = word(rest)?;
    if thread.len() < 4 || !thread.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')) {
        return None;
    }
    rest = after;
    let mut logger: &[u8] = b"";
    if let Some(named) = rest.strip_prefix(b"fail2ban.") {
        (logger, rest) = word(named)?;
    }
    let rest = known_level(rest)?;
    // ` | actions        -20: __checkBan           | `
    let message = match rest.strip_prefix(b"| ") {
        Some(place) => place.split_at_checked(memchr(b'|', place)? + 1)?.1.trim_ascii_start(),
        None => rest,
    };
    Some((logger, message))
}

/// Splits off `NOTICE  `.
fn level(line: &[u8]) -> Option<&[u8]> {
    let (level, rest) = line.split_at_checked(memchr(b' ', line)?)?;
    (!level.is_empty() && level.iter().all(u8::is_ascii_uppercase)).then_some(rest.trim_ascii_start())
}

/// Splits off a level of fail2ban's, or its first five letters. Without a logger, other words in capitals do not count.
fn known_level(line: &[u8]) -> Option<&[u8]> {
    let rest = level(line)?;
    let (level, _) = word(line)?;
    (level.len() >= 4 && LEVELS.iter().any(|known| known.starts_with(level))).then_some(rest)
}

/// Returns whether a message of a kind that matters begins here.
fn is_message(text: &[u8]) -> bool {
    text.strip_prefix(b"[").is_some_and(|rest| !is_uptime(rest))
        || text.starts_with(b"Jail '")
        || text.starts_with(b"Jail \"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: Option<LineTime<'_>> = Some(LineTime::Local(b"2026-11-22 11:56:55", 601));

    #[test]
    fn whole_and_bare_read_the_header_of_every_target_and_version() {
        for (prefix, kind, time, logger) in [
            ("2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  ", HeaderKind::Whole, LOCAL, "actions"),
            ("2026-11-22 11:56:55,601 fail2ban.actions[2784]: NOTICE ", HeaderKind::Whole, LOCAL, "actions"),
            ("2026-11-22 11:56:55,601 fail2ban.actions: WARNING ", HeaderKind::Whole, LOCAL, "actions"),
            ("2026-11-22 11:56:55,601 fail2ban.jail   : INFO   ", HeaderKind::Whole, LOCAL, "jail"),
            (" 2026-11-22 11:56:55,601 7F2A9CFF NOTIC ", HeaderKind::Whole, LOCAL, ""),
            (
                " 2026-11-22 11:56:55,601 + 1234 7F2A fail2ban.actions          NOTIC ",
                HeaderKind::Whole,
                LOCAL,
                "actions",
            ),
            (" + 1234 7F2A fail2ban.actions          NOTIC ", HeaderKind::Whole, None, "actions"),
            (
                " 2026-11-22 11:56:55,601 +12 7F2A fail2ban.actions NOTIC | actions        -25: __checkBan          | ",
                HeaderKind::Whole,
                LOCAL,
                "actions",
            ),
            ("fail2ban.actions[2837]: NOTICE ", HeaderKind::Whole, None, "actions"),
            ("fail2ban.actions        [3043]: NOTICE  ", HeaderKind::Whole, None, "actions"),
            ("2026-11-22 11:56:55,601 NOTICE ", HeaderKind::Level, LOCAL, ""),
            ("NOTICE  ", HeaderKind::Level, None, ""),
            ("2026-11-22 11:56:55,601 ", HeaderKind::Bare, LOCAL, ""),
            ("", HeaderKind::Bare, None, ""),
        ] {
            let line = format!("{prefix}[sshd] Ban 203.0.113.7");
            let (logger, message) = (logger.as_bytes(), b"[sshd] Ban 203.0.113.7".as_slice());
            let parsed = whole(line.as_bytes()).or_else(|| bare(line.as_bytes()));
            assert_eq!(parsed, Some(Header { kind, time, logger, message }), "{line}");
            assert!(standard(line.as_bytes()).is_none_or(|standard| Some(standard) == parsed), "{line}");
        }
    }

    #[test]
    fn whole_and_bare_reject_lines_of_others() {
        for line in [
            "",
            " ",
            "err line",
            "2026-11-22 11:56:55,601",
            "2026-11-22 11:56:55,601 ",
            "2026-11-22 11:56:55,601 fail2ban.actions",
            "2026-11-22 11:56:55,601 fail2ban.actions [2784]: ",
            "2026-11-22 11:56:55,601 fail2ban.[2784]: NOTICE [sshd] Ban 1.2.3.4",
            "2026-11-22 11:56:55 evil fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
            "                2026-11-22 11:56:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
            "  [sshd] Ban 9.9.9.9",
            "notice [sshd] Ban 9.9.9.9",
            "GET [sshd] Ban 9.9.9.9",
            "Nov 22 11:56:55 cafe NOTICE  [sshd] Ban 9.9.9.9",
            "Nov 22 11:56:55 CAFE GET [sshd] Ban 9.9.9.9",
            "<29",
            "+",
        ] {
            assert_eq!(whole(line.as_bytes()).or_else(|| bare(line.as_bytes())), None, "{line}");
        }
    }
}
