//! The messages of fail2ban that matter.
//!
//! They may contain text that an attacker chose: an id can be ``abc 1.2.3.4] Ban 9.9.9.9``. So the first `[…] ` is the jail,
//! and everything after the keyword is the subject, verbatim.

use std::borrow::Cow;

use memchr::memchr_iter;
use memchr::memmem;

use super::ban_duration;
use crate::event::BanDuration;

/// A message that matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogMessage<'a> {
    /// A failure was seen. Nearly every line is one.
    Found { jail: &'a [u8], subject: &'a [u8] },
    /// `Ban`, or `Restore Ban`.
    Ban { jail: &'a [u8], subject: &'a [u8], restored: bool },
    /// `Unban`, or `Repeal Ban` (since 1.1.1, when the jail or the server stops).
    Unban { jail: &'a [u8], subject: &'a [u8] },
    /// The subject is banned, and was found often enough to be banned again: its failures are reset.
    AlreadyBanned { jail: &'a [u8], subject: &'a [u8] },
    /// One action lifts all bans of the jail at once.
    Flush { jail: &'a [u8], action: &'a [u8] },
    /// How often a subject that was just banned has been banned, and how long that lasts.
    Increase { jail: &'a [u8], subject: &'a [u8], count: u32, duration: BanDuration },
    /// The jail started.
    Start { jail: Cow<'a, [u8]> },
    /// The jail stopped.
    Stop { jail: Cow<'a, [u8]> },
}

impl<'a> LogMessage<'a> {
    /// Parses a message of a logger, which is empty if it is unknown.
    pub(super) fn parse(logger: &[u8], message: &'a [u8]) -> Option<Self> {
        let is = |name: &[u8]| logger == name || logger.is_empty();
        if message.first() != Some(&b'[') {
            return is(b"jail").then(|| jail_message(message))?;
        }
        let (jail, rest) = split_jail(message)?;
        if is(b"filter")
            && let Some(found) = rest.strip_prefix(b"Found ")
        {
            // The observer's `Found X, bad - …` repeats a failure that the filter has logged.
            let repeated = logger.is_empty() && memmem::find(found, b", bad - ").is_some();
            return (!repeated).then(|| Self::Found { jail, subject: without_date(found) });
        }
        if is(b"observer")
            && let Some(increase) = rest.strip_prefix(b"Increase Ban ")
        {
            return Self::increase(jail, increase);
        }
        if is(b"actions") { Self::of_actions(jail, rest) } else { None }
    }

    /// Parses `[sshd] Found 203.0.113.7 - 2026-11-22 11:56:47` of the filter into jail and subject.
    pub(super) fn parse_found(message: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let (jail, rest) = split_jail(message)?;
        Some((jail, without_date(rest.strip_prefix(b"Found ")?)))
    }

    fn of_actions(jail: &'a [u8], rest: &'a [u8]) -> Option<Self> {
        if let Some(subject) = rest.strip_prefix(b"Ban ") {
            return Some(Self::Ban { jail, subject, restored: false });
        }
        if let Some(subject) = rest.strip_prefix(b"Restore Ban ") {
            return Some(Self::Ban { jail, subject, restored: true });
        }
        if let Some(subject) = rest.strip_prefix(b"Unban ").or_else(|| rest.strip_prefix(b"Repeal Ban ")) {
            return Some(Self::Unban { jail, subject });
        }
        if let Some(action) = rest.strip_prefix(b"Flush ticket(s) with ") {
            return Some(Self::Flush { jail, action });
        }
        rest.strip_suffix(b" already banned").map(|subject| Self::AlreadyBanned { jail, subject })
    }

    /// Parses `X (2 # 6s -> 2026-11-22 11:57:01)`.
    fn increase(jail: &'a [u8], text: &'a [u8]) -> Option<Self> {
        let at = memmem::rfind(text, b" (")?;
        let (subject, rest) = text.split_at_checked(at)?;
        let rest = std::str::from_utf8(rest).ok()?.strip_prefix(" (")?.strip_suffix(')')?;
        let (count, rest) = rest.split_once(" # ")?;
        let (duration, _) = rest.split_once(" -> ")?;
        Some(Self::Increase { jail, subject, count: count.parse().ok()?, duration: ban_duration::parse(duration)? })
    }
}

/// Splits off `[sshd] `.
fn split_jail(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = message.strip_prefix(b"[")?;
    let end = memchr_iter(b']', inner).find(|end| inner.get(end + 1) == Some(&b' '))?;
    let (jail, rest) = inner.split_at_checked(end)?;
    (!jail.is_empty()).then_some((jail, rest.get(2..)?))
}

/// Removes ` - 2026-11-22 11:56:47`, which versions since 0.10 add.
fn without_date(text: &[u8]) -> &[u8] {
    match text.split_last_chunk::<22>() {
        Some((
            subject,
            [b' ', b'-', b' ', _, _, _, _, b'-', _, _, b'-', _, _, b' ', _, _, b':', _, _, b':', b'0'..=b'9', _],
        )) => subject,
        _ => text,
    }
}

/// Parses `Jail 'sshd' started`.
fn jail_message(message: &[u8]) -> Option<LogMessage<'_>> {
    let rest = message.strip_prefix(b"Jail ")?;
    if let Some(jail) = rest.strip_suffix(b" started").and_then(quoted) {
        return Some(LogMessage::Start { jail: unescape(jail) });
    }
    rest.strip_suffix(b" stopped").and_then(quoted).map(|jail| LogMessage::Stop { jail: unescape(jail) })
}

/// Returns the text between quotes of either kind, since Python prints `"it's"`.
fn quoted(text: &[u8]) -> Option<&[u8]> {
    let [quote @ (b'\'' | b'"'), inner @ .., end] = text else { return None };
    (quote == end && !inner.is_empty()).then_some(inner)
}

/// Removes the backslashes of Python's `repr` before a quote or a backslash. A control character in a jail's name stays as
/// Python prints it.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = (byte == b'\\').then(|| bytes.next_if(|next| matches!(next, b'\\' | b'\'' | b'"'))).flatten();
        plain.push(escaped.unwrap_or(byte));
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(logger: &str, message: &'a str) -> Option<LogMessage<'a>> {
        LogMessage::parse(logger.as_bytes(), message.as_bytes())
    }

    #[test]
    fn parse_reads_each_message_of_its_logger() {
        let (jail, subject) = (b"sshd".as_slice(), b"203.0.113.7".as_slice());
        let six = BanDuration::Seconds(6);
        for (logger, message, expected) in [
            ("filter", "[sshd] Found 203.0.113.7", LogMessage::Found { jail, subject }),
            ("filter", "[sshd] Found 203.0.113.7 - 2026-11-22 11:56:47", LogMessage::Found { jail, subject }),
            ("actions", "[sshd] Ban 203.0.113.7", LogMessage::Ban { jail, subject, restored: false }),
            ("actions", "[sshd] Restore Ban 203.0.113.7", LogMessage::Ban { jail, subject, restored: true }),
            ("actions", "[sshd] Unban 203.0.113.7", LogMessage::Unban { jail, subject }),
            ("actions", "[sshd] Repeal Ban 203.0.113.7", LogMessage::Unban { jail, subject }),
            ("actions", "[sshd] 203.0.113.7 already banned", LogMessage::AlreadyBanned { jail, subject }),
            ("actions", "[sshd] Flush ticket(s) with nftables", LogMessage::Flush { jail, action: b"nftables" }),
            (
                "observer",
                "[sshd] Increase Ban 203.0.113.7 (2 # 6s -> 2026-11-22 11:57:01)",
                LogMessage::Increase { jail, subject, count: 2, duration: six },
            ),
            (
                "observer",
                "[sshd] Increase Ban 203.0.113.7 (9 # permanent -> infinite)",
                LogMessage::Increase { jail, subject, count: 9, duration: BanDuration::Permanent },
            ),
            ("jail", "Jail 'sshd' started", LogMessage::Start { jail: jail.into() }),
            ("jail", "Jail 'sshd' stopped", LogMessage::Stop { jail: jail.into() }),
            ("jail", "Jail \"it's\" stopped", LogMessage::Stop { jail: b"it's".as_slice().into() }),
            ("jail", r"Jail 'a\\b\'\n' stopped", LogMessage::Stop { jail: br"a\b'\n".as_slice().into() }),
        ] {
            assert_eq!(parse(logger, message), Some(expected), "{message}");
            let expected = parse("", message);
            assert_eq!(parse(logger, message), expected, "without a logger: {message}");
            assert_eq!(parse("utils", message), None, "of another logger: {message}");
        }
    }

    #[test]
    fn parse_ignores_other_messages() {
        for (logger, message) in [
            ("observer", "[sshd] Found 203.0.113.7, bad - 2026-11-22 11:57:01, 1 # -> 2.0, Ban"),
            ("", "[sshd] Found 203.0.113.7, bad - 2026-11-22 11:57:01, 1 # -> 2.0, Ban"),
            ("filter", "[sshd] Ignore 203.0.113.7 by ip"),
            ("actions", "[sshd] Ignore 203.0.113.7, expired bantime"),
            ("actions", "[sshd] Reban 203.0.113.7, action 'x'"),
            ("actions", "[sshd] Increase Ban 203.0.113.7 (2 # 6s -> 2026-11-22 11:57:01)"),
            ("observer", "[sshd] Increase Ban 203.0.113.7"),
            ("observer", "[sshd] Increase Ban 203.0.113.7 (x # 6s -> 2026-11-22 11:57:01)"),
            ("jail", "Jail 'sshd' uses poller {}"),
            ("jail", "Jail '' started"),
            ("jail", "Jail 'sshd\" started"),
            ("server", "Jail 'sshd' reloaded"),
            ("actions", "[] Ban 203.0.113.7"),
            ("actions", "[sshd]Ban 203.0.113.7"),
            ("actions", "[sshd"),
            ("", "["),
            ("", ""),
        ] {
            assert_eq!(parse(logger, message), None, "{message}");
        }
    }

    #[test]
    fn parse_hostile_subject_is_kept_verbatim() {
        let id = "abc 1.2.3.4] Ban 9.9.9.9 $(id) `x` \"q\" 'é' <!channel> *b*";
        assert_eq!(
            parse("actions", &format!("[weird id] Ban {id}")),
            Some(LogMessage::Ban { jail: b"weird id", subject: id.as_bytes(), restored: false })
        );
        // An id cannot hide its ban.
        assert_eq!(
            parse("actions", "[j] Ban x already banned"),
            Some(LogMessage::Ban { jail: b"j", subject: b"x already banned", restored: false })
        );
        assert_eq!(
            parse("observer", "[j] Increase Ban a (1 # 2s -> x) (2 # 6s -> 2026-11-22 11:57:01)"),
            Some(LogMessage::Increase {
                jail: b"j",
                subject: b"a (1 # 2s -> x)",
                count: 2,
                duration: BanDuration::Seconds(6)
            })
        );
    }
}
