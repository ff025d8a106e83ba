//! The prefix of a line: time, host, logger, process, level, in the many forms in which they are written.
//!
//! | target | line |
//! | --- | --- |
//! | file, STDOUT, STDERR | `2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  [sshd] Ban …` |
//! | the same, 0.8 | `2026-11-22 11:56:55,601 fail2ban.actions: WARNING [sshd] Ban …` |
//! | the same, a verbose server | ` 2026-11-22 11:56:55,601 7F2A9C NOTIC [sshd] Ban …` |
//! | SYSLOG | `<29>fail2ban.actions[2837]: NOTICE [sshd] Ban …`, after `Nov 22 11:56:55 web-1` in a file |
//! | SYSOUT | `fail2ban.actions        [3043]: NOTICE  [sshd] Ban …` |
//! | SYSTEMD-JOURNAL | `[sshd] Ban …` |
//!
//! `journalctl` adds `Nov 22 11:56:55 web-1 fail2ban-server[2784]: ` to the last two, with times in other forms if asked.

use memchr::memchr;

use super::clock::LineTime;

/// How long the prefix of a line is. In a log whose lines have a longer one, a line with a shorter one is not fail2ban's own:
/// it is the output of a command, or an attacker's imitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Prefix {
    /// None: a message alone.
    None,
    /// A time.
    Time,
    /// A logger.
    Logger,
    /// A time and a logger.
    TimeAndLogger,
    /// These as fail2ban itself writes them into a file.
    Standard,
}

/// The parts of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedLine<'a> {
    pub(super) prefix: Prefix,
    pub(super) time: Option<LineTime<'a>>,
    /// `actions` of `fail2ban.actions`; empty if the line does not say.
    pub(super) logger: &'a [u8],
    pub(super) message: &'a [u8],
}

impl<'a> ParsedLine<'a> {
    /// Parses a line; `None` if it does not begin as one of fail2ban's.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        standard(line).or_else(|| any(line, true))
    }

    const fn new(time: Option<LineTime<'a>>, logger: &'a [u8], message: &'a [u8]) -> Self {
        let prefix = match (time, logger) {
            (None, []) => Prefix::None,
            (Some(_), []) => Prefix::Time,
            (None, _) => Prefix::Logger,
            (Some(_), _) => Prefix::TimeAndLogger,
        };
        Self { prefix, time, logger, message }
    }
}

/// Parses the form that nearly all lines in a file have.
fn standard(line: &[u8]) -> Option<ParsedLine<'_>> {
    let (stamp, rest) = line.split_first_chunk::<19>()?;
    let ([b',', ms @ .., b' '], rest) = rest.split_first_chunk::<5>()? else { return None };
    let time = Some(LineTime::Local(stamp, number(ms)?));
    let (logger, message) = logger(rest)?;
    Some(ParsedLine { prefix: Prefix::Standard, time, logger, message })
}

/// Parses every other form; `wrapped`: the prefix of systemd or syslog may come first.
fn any(line: &[u8], wrapped: bool) -> Option<ParsedLine<'_>> {
    let line = priority(line).trim_ascii_start();
    let (at, rest) = match time(line) {
        Some((at, rest)) => (Some(at), rest.strip_prefix(b" ")?.trim_ascii_start()),
        None => (None, line),
    };
    if let Some((logger, message)) = logger(rest) {
        return Some(ParsedLine::new(at, logger, message));
    }
    if is_message(rest) {
        return Some(ParsedLine::new(at, b"", rest));
    }
    if at.is_some()
        && let Some(inner) = verbose(rest)
    {
        return Some(ParsedLine::new(at, inner.logger, inner.message));
    }
    if !wrapped || at.is_none() {
        return None;
    }
    // `fail2ban-server[2784]: `, after a host or not; what follows may begin with a time of its own, which is more precise.
    let rest = if rest.starts_with(b"fail2ban") { rest } else { word(rest)?.1 };
    if let Some((logger, message)) = logger(rest) {
        return Some(ParsedLine::new(at, logger, message));
    }
    let (tag, rest) = word(rest)?;
    if !tag.starts_with(b"fail2ban") || !tag.ends_with(b":") {
        return None;
    }
    let inner = any(rest, false)?;
    Some(ParsedLine::new(inner.time.or(at), inner.logger, inner.message))
}

/// Splits off `fail2ban.actions        [2784]: NOTICE  `; process and spaces may be missing.
fn logger(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_prefix(b"fail2ban.")?;
    let (name, rest) = rest.split_at_checked(rest.iter().position(|byte| matches!(byte, b' ' | b'[' | b':'))?)?;
    let rest = rest.trim_ascii_start();
    let rest = match rest.strip_prefix(b"[") {
        Some(process) => process.trim_ascii_digits().strip_prefix(b"]")?,
        None => rest,
    };
    let (_, message) = level(rest.strip_prefix(b":")?.trim_ascii_start())?;
    (!name.is_empty()).then_some((name, message))
}

/// Parses `+ 1234 7F2A9C0 fail2ban.actions NOTIC `, which verbose servers write after the time.
fn verbose(line: &[u8]) -> Option<ParsedLine<'_>> {
    let mut rest = line;
    if let Some(relative) = rest.strip_prefix(b"+") {
        rest = relative.trim_ascii_start().trim_ascii_digits().trim_ascii_start();
    }
    let (thread, after) = word(rest)?;
    if !thread.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    rest = after.trim_ascii_start();
    let mut logger: &[u8] = b"";
    if let Some(named) = rest.strip_prefix(b"fail2ban.") {
        (logger, rest) = word(named)?;
        rest = rest.trim_ascii_start();
    }
    let (_, rest) = level(rest)?;
    // ` | actions        -20: __checkBan           | `
    let message = match rest.strip_prefix(b"| ") {
        Some(place) => place.split_at_checked(memchr(b'|', place)? + 1)?.1.trim_ascii_start(),
        None => rest,
    };
    is_message(message).then(|| ParsedLine::new(None, logger, message))
}

/// Splits off `NOTICE  `.
fn level(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (level, rest) = line.split_at_checked(memchr(b' ', line)?)?;
    level.iter().all(u8::is_ascii_uppercase).then_some((level, rest.trim_ascii_start()))
}

/// Returns whether a message of a kind that matters begins here.
fn is_message(text: &[u8]) -> bool {
    text.starts_with(b"[") || text.starts_with(b"Jail '") || text.starts_with(b"Jail \"")
}

/// Removes `<29>`.
fn priority(line: &[u8]) -> &[u8] {
    let inner = line.strip_prefix(b"<").map(|rest| rest.trim_ascii_digits());
    inner.and_then(|rest| rest.strip_prefix(b">")).unwrap_or(line)
}

/// Splits off a time.
fn time(line: &[u8]) -> Option<(LineTime<'_>, &[u8])> {
    iso(line).or_else(|| syslog_time(line)).or_else(|| epoch(line)).or_else(|| {
        // `Sun 2026-11-22 11:56:55 CET`, as `journalctl -o short-full` has it.
        let (day, rest) = word(line)?;
        let named = day.len() == 3 && day.iter().all(u8::is_ascii_alphabetic);
        let (stamp, rest) = named.then(|| iso(rest))??;
        let (zone, after) = word(rest.strip_prefix(b" ")?)?;
        let stamp = match (stamp, zone) {
            (LineTime::Local(text, ms), b"UTC" | b"GMT") => LineTime::Zoned(text, ms, 0),
            _ => stamp,
        };
        // The caller expects the space before it.
        let length = after.len() + 1;
        Some((stamp, line.split_at_checked(line.len().checked_sub(length)?)?.1))
    })
}

/// Splits off `2026-11-22 11:56:55,601`, `2026-11-22T11:56:55.601123+01:00`, `…+0100`, `…Z`, `2026-11-22T11:56:55`.
fn iso(line: &[u8]) -> Option<(LineTime<'_>, &[u8])> {
    let (stamp, rest) = line.split_first_chunk::<19>()?;
    let [_, _, _, _, b'-', _, _, b'-', _, _, b' ' | b'T', _, _, b':', _, _, b':', _, _] = stamp else { return None };
    let (ms, rest) = fraction(rest);
    match rest {
        [b'Z', rest @ ..] => Some((LineTime::Zoned(stamp, ms, 0), rest)),
        [sign @ (b'+' | b'-'), h1, h2, rest @ ..] => {
            let (minutes, rest) = match rest {
                [b':', m1, m2, rest @ ..] | [m1 @ b'0'..=b'9', m2, rest @ ..] => (number(&[*m1, *m2])?, rest),
                _ => (0, rest),
            };
            let seconds = (i32::from(number(&[*h1, *h2])?) * 60 + i32::from(minutes)) * 60;
            Some((LineTime::Zoned(stamp, ms, if *sign == b'-' { -seconds } else { seconds }), rest))
        }
        _ => Some((LineTime::Local(stamp, ms), rest)),
    }
}

/// Splits off `Nov 22 11:56:55`, `Nov  2 11:56:55.601123`.
fn syslog_time(line: &[u8]) -> Option<(LineTime<'_>, &[u8])> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (month, rest) = line.split_first_chunk::<3>()?;
    let (months, _) = MONTHS.as_chunks::<3>();
    let month = i8::try_from(months.iter().position(|known| known == month)?).ok()? + 1;
    let ([b' ', tens @ (b' ' | b'0'..=b'3'), ones, b' '], rest) = rest.split_first_chunk::<4>()? else { return None };
    let day = i8::try_from(number(&[if *tens == b' ' { b'0' } else { *tens }, *ones])?).ok()?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (ms, rest) = fraction(rest);
    Some((LineTime::Yearless(month, day, time, ms), rest))
}

/// Splits off `1795348189.123456`, as `journalctl -o short-unix` has it.
fn epoch(line: &[u8]) -> Option<(LineTime<'_>, &[u8])> {
    let (seconds, rest) = line.split_at_checked(line.iter().position(|byte| !byte.is_ascii_digit())?)?;
    let (ms, rest) = fraction(rest);
    if !(9..=11).contains(&seconds.len()) {
        return None;
    }
    let seconds = seconds.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some((LineTime::Epoch(seconds * 1000 + i64::from(ms)), rest))
}

/// Splits off `,601` or `.601123`, in milliseconds; 0 if there is none.
fn fraction(line: &[u8]) -> (u16, &[u8]) {
    let [b',' | b'.', digits @ ..] = line else { return (0, line) };
    let rest = digits.trim_ascii_digits();
    let count = digits.len() - rest.len();
    let first = |index: usize| digits.get(index).filter(|_| index < count).map_or(0, |digit| u16::from(digit - b'0'));
    if count == 0 { (0, line) } else { (first(0) * 100 + first(1) * 10 + first(2), rest) }
}

/// Splits at the first space.
fn word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (word, rest) = line.split_at_checked(memchr(b' ', line)?)?;
    Some((word, rest.trim_ascii_start()))
}

/// Parses up to three digits.
fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |sum: u16, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0')))
}

trait TrimDigits {
    /// Removes digits at the beginning.
    fn trim_ascii_digits(&self) -> &Self;
}

impl TrimDigits for [u8] {
    fn trim_ascii_digits(&self) -> &Self {
        let digits = self.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.len());
        self.get(digits..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: LineTime<'_> = LineTime::Local(b"2026-11-22 11:56:55", 601);

    #[test]
    fn parse_reads_the_prefix_of_every_target_and_version() {
        let t = b"2026-11-22T11:56:55";
        for (prefix, at, logger) in [
            ("2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  ", Some(LOCAL), "actions"),
            ("2026-11-22 11:56:55,601 fail2ban.actions[2784]: NOTICE ", Some(LOCAL), "actions"),
            ("2026-11-22 11:56:55,601 fail2ban.actions: WARNING ", Some(LOCAL), "actions"),
            ("2026-11-22 11:56:55,601 fail2ban.jail   : INFO   ", Some(LOCAL), "jail"),
            ("2026-11-22 11:56:55,601 ", Some(LOCAL), ""),
            (" 2026-11-22 11:56:55,601 7F2A9CFF NOTIC ", Some(LOCAL), ""),
            (" 2026-11-22 11:56:55,601 + 1234 7F2A9CFF fail2ban.actions          NOTIC ", Some(LOCAL), "actions"),
            (
                " 2026-11-22 11:56:55,601 + 1234 7F2A fail2ban.actions NOTIC | actions        -25: __checkBan          | ",
                Some(LOCAL),
                "actions",
            ),
            ("<29>fail2ban.actions[2837]: NOTICE ", None, "actions"),
            ("fail2ban.actions        [3043]: NOTICE  ", None, "actions"),
            ("", None, ""),
            (
                "Nov 22 11:56:55 web-1 fail2ban.actions[2837]: NOTICE ",
                Some(LineTime::Yearless(11, 22, b"11:56:55", 0)),
                "actions",
            ),
            (
                "<29>Nov  2 11:56:55.601123 web-1 fail2ban-server[2784]: fail2ban.actions        [2784]: NOTICE  ",
                Some(LineTime::Yearless(11, 2, b"11:56:55", 601)),
                "actions",
            ),
            ("Nov 22 11:56:55 fail2ban[2784]: ", Some(LineTime::Yearless(11, 22, b"11:56:55", 0)), ""),
            (
                "2026-11-22T11:56:55+0100 web-1 fail2ban-server[2784]: fail2ban.actions [2784]: NOTICE  ",
                Some(LineTime::Zoned(t, 0, 3600)),
                "actions",
            ),
            ("2026-11-22T11:56:55.601123-09:30 web-1 fail2ban[1]: ", Some(LineTime::Zoned(t, 601, -34200)), ""),
            ("2026-11-22T11:56:55Z web-1 fail2ban[1]: ", Some(LineTime::Zoned(t, 0, 0)), ""),
            ("2026-11-22T11:56:55+01 web-1 fail2ban[1]: ", Some(LineTime::Zoned(t, 0, 3600)), ""),
            ("1795348189.123456 web-1 fail2ban[1]: ", Some(LineTime::Epoch(1_795_348_189_123)), ""),
            (
                "Sun 2026-11-22 11:56:55 UTC web-1 fail2ban[1]: ",
                Some(LineTime::Zoned(b"2026-11-22 11:56:55", 0, 0)),
                "",
            ),
            ("Sun 2026-11-22 11:56:55 CET web-1 fail2ban[1]: ", Some(LineTime::Local(b"2026-11-22 11:56:55", 0)), ""),
            (
                "Nov 22 11:56:55 web-1 fail2ban-server[2784]: 2026-11-22 11:56:55,601 fail2ban.actions [2784]: NOTICE  ",
                Some(LOCAL),
                "actions",
            ),
        ] {
            let line = format!("{prefix}[sshd] Ban 203.0.113.7");
            let parsed = ParsedLine::parse(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
            let expected = (at, logger.as_bytes(), b"[sshd] Ban 203.0.113.7".as_slice());
            assert_eq!((parsed.time, parsed.logger, parsed.message), expected, "{line}");
        }
    }

    #[test]
    fn parse_rejects_lines_of_others() {
        for line in [
            "",
            " ",
            "err line",
            "2026-11-22 11:56:55,601",
            "2026-11-22 11:56:55,601 ",
            "2026-11-22 11:56:55,601 fail2ban.actions",
            "2026-11-22 11:56:55,601 fail2ban.actions [2784]: ",
            "2026-11-22 11:56:55,601 fail2ban.[2784]: NOTICE [sshd] Ban 1.2.3.4",
            "Nov 22 11:56:55 web-1 sshd[1]: [sshd] Ban 1.2.3.4",
            "Nov 22 11:56:55 web-1 sshd[1]: fail2ban.actions [1]: NOTICE  [sshd] Ban 1.2.3.4",
            "Nov 22 11:56:55 web-1 sshd[1]: fail2ban[1]: [sshd] Ban 1.2.3.4",
            "Nov 22 11:56:55 web-1 fail2ban[1]: Nov 22 11:56:55 web-1 fail2ban[1]: [sshd] Ban 1.2.3.4",
            "<29",
            "+",
        ] {
            assert_eq!(ParsedLine::parse(line.as_bytes()), None, "{line}");
        }
    }
}
