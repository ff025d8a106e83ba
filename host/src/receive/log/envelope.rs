//! What carried a line of fail2ban and was put before it: syslog, the journal, Docker, Kubernetes.
//!
//! Each envelope is of a closed grammar and begins at the first byte. Nothing is searched for: text of an attacker further
//! right never becomes a line of its own.
//!
//! | carrier | envelope |
//! | --- | --- |
//! | RFC 3164, rsyslog, journalctl | `<29>Nov 22 11:56:55 web-1 fail2ban[2784]: `, without priority, host or process, and any form of time |
//! | BusyBox, OpenWrt, syslog-ng, FreeBSD | the same with `daemon.notice`, `<daemon.notice>` or `<3.5>` before or after the host |
//! | rsyslog's imfile | the same with a tag without a colon, or without a tag, before a line of fail2ban with a time |
//! | RFC 5424 | `<29>1 2026-11-22T11:56:55.601+01:00 web-1 fail2ban.actions 2837 - - `, without priority too |
//! | docker compose, podman compose | `fail2ban  \| `, with colours too; `[fail2ban] \| ` |
//! | docker logs --timestamps | `2026-11-22T10:57:55.601123456Z ` |
//! | CRI (containerd, CRI-O) | `2026-11-22T10:57:55.601123456Z stdout F ` |
//! | kubectl logs --prefix | `[pod/NAME/CONTAINER] ` |

use memchr::memchr;

use super::clock::LineTime;
use super::header;
use super::line_time::{iso, time};
use super::scan::{digits, word};

const FACILITIES: [&[u8]; 22] = [
    b"kern",
    b"user",
    b"mail",
    b"daemon",
    b"auth",
    b"syslog",
    b"lpr",
    b"news",
    b"uucp",
    b"cron",
    b"authpriv",
    b"ftp",
    b"ntp",
    b"security",
    b"local0",
    b"local1",
    b"local2",
    b"local3",
    b"local4",
    b"local5",
    b"local6",
    b"local7",
];
const SEVERITIES: [&[u8]; 11] =
    [b"emerg", b"panic", b"alert", b"crit", b"err", b"error", b"warning", b"warn", b"notice", b"info", b"debug"];

/// Whether a line is whole, or a piece of one that was too long for its carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Piece {
    #[default]
    Whole,
    /// More of the line follows.
    Begun,
    /// The line is whole if nothing came before.
    Ended,
    /// As [`Piece::Whole`], but it was cut off: what follows is the rest, and not fail2ban's.
    CutOff,
}

/// What envelopes say of a line. Empty: they do not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Envelope<'a> {
    pub(super) time: Option<LineTime<'a>>,
    pub(super) host: &'a [u8],
    /// Who wrote the line; empty if the envelope has a place for that and it is not filled. `None`: it has no place.
    pub(super) tag: Option<&'a [u8]>,
    /// Whether it is of a container's output: only a whole header counts.
    pub(super) is_container: bool,
    pub(super) piece: Piece,
    /// Which output of a container it is: pieces of one are joined.
    pub(super) stream: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Splits off an envelope.
    pub(super) fn split(line: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let after_priority = without_priority(line);
        rfc5424(after_priority)
            .or_else(|| compose(line))
            .or_else(|| kubectl(line))
            .or_else(|| container(line))
            .or_else(|| syslog(after_priority))
            .or_else(|| docker_timestamp(line))
    }

    /// Adds what an envelope within this one says; the inner one knows better. Only the tag is this one's, unless it is
    /// fail2ban's: any other service can write a line that has an envelope of fail2ban's.
    pub(super) fn with_inner(self, inner: Self) -> Self {
        Self {
            time: inner.time.or(self.time),
            host: if inner.host.is_empty() { self.host } else { inner.host },
            tag: self.tag.filter(|tag| !tag.is_empty() && own_logger(tag).is_none()).or(inner.tag).or(self.tag),
            is_container: self.is_container || inner.is_container,
            piece: if inner.piece == Piece::Whole { self.piece } else { inner.piece },
            stream: if inner.stream.is_empty() { self.stream } else { inner.stream },
        }
    }
}

/// Returns the logger that a tag names if the tag is exactly fail2ban's; empty if it names none.
pub(super) fn own_logger(tag: &[u8]) -> Option<&[u8]> {
    match tag {
        // The unit is the tag in `journalctl -o with-unit`.
        b"fail2ban" | b"fail2ban-server" | b"fail2ban.service" => Some(b""),
        _ => tag.strip_prefix(b"fail2ban.").filter(|logger| {
            !logger.is_empty() && logger.iter().all(|byte| byte.is_ascii_lowercase() || b"._".contains(byte))
        }),
    }
}

/// Removes `<29>`.
pub(super) fn without_priority(line: &[u8]) -> &[u8] {
    let number = line.strip_prefix(b"<").map(digits).filter(|(number, _)| (1..=3).contains(&number.len()));
    number.and_then(|(_, rest)| rest.strip_prefix(b">")).unwrap_or(line)
}

/// Splits off `1 2026-11-22T11:56:55.601123+01:00 web-1 fail2ban.actions 2837 - [meta x="y"] `.
fn rfc5424(line: &[u8]) -> Option<(Envelope<'_>, &[u8])> {
    let rest = line.strip_prefix(b"1 ")?;
    let (time, rest) = match rest.strip_prefix(b"- ") {
        Some(rest) => (None, rest),
        None => iso(rest).and_then(|(time, rest)| Some((Some(time), rest.strip_prefix(b" ")?)))?,
    };
    let field = |line| {
        let (field, rest) = exact_word(line)?;
        let field: &[u8] = if field == b"-" { b"" } else { field };
        Some((field, rest))
    };
    let (host, rest) = field(rest)?;
    let (tag, rest) = field(rest)?;
    let (_process, rest) = field(rest)?;
    let (_kind, rest) = field(rest)?;
    let rest = match rest.strip_prefix(b"-") {
        Some(rest) => rest,
        None => structured_data(rest)?,
    };
    let message = rest.strip_prefix(b" ")?;
    let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
    // `tag[12]:` is not of the standard, but senders put it there.
    let tag = tag.strip_suffix(b":").unwrap_or(tag);
    Some((Envelope { time, host, tag: Some(without_process(tag)), ..Envelope::default() }, message))
}

/// Splits off `[id name="value"][id]`; in a value `"`, `\` and `]` have a backslash before them.
fn structured_data(line: &[u8]) -> Option<&[u8]> {
    let mut rest = line.strip_prefix(b"[")?;
    let mut quoted = false;
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'\\' if quoted => rest = rest.get(1..)?,
            b'"' => quoted = !quoted,
            b']' if !quoted => match rest.strip_prefix(b"[") {
                Some(after) => rest = after,
                None => return Some(rest),
            },
            _ => {}
        }
    }
}

/// Splits off `Nov 22 11:56:55 web-1 fail2ban[2784]: ` in all its forms.
fn syslog(line: &[u8]) -> Option<(Envelope<'_>, &[u8])> {
    let (time, rest) = time(without_named_priority(line))?;
    let rest = rest.trim_ascii_start();
    // `logread -t` puts `[1795348189.123]` there.
    let clock = rest.strip_prefix(b"[").and_then(|rest| {
        let (seconds, rest) = digits(rest);
        let (_, rest) = digits(rest.strip_prefix(b".").filter(|_| !seconds.is_empty())?);
        rest.strip_prefix(b"] ")
    });
    let rest = without_named_priority(clock.unwrap_or(rest));
    let envelope = |host, tag| Envelope { time: Some(time), host, tag: Some(tag), ..Envelope::default() };
    if let Some((tag, rest)) = tag(rest) {
        return Some((envelope(b"", tag), rest));
    }
    let (host, rest) = word(rest)?;
    if !is_host(host) || is_stream(host) {
        return None;
    }
    let rest = without_named_priority(rest);
    if let Some((tag, rest)) = tag(rest) {
        return Some((envelope(host, tag), rest));
    }
    let has_dated_header = |line| header::whole(line).is_some_and(|header| header.time.is_some());
    if has_dated_header(rest) {
        return Some((envelope(host, b""), rest));
    }
    let (tag, rest) = word(rest)?;
    (is_tag(tag) && has_dated_header(rest)).then(|| (envelope(host, without_process(tag)), rest))
}

/// Splits off `fail2ban[2784]: `, `fail2ban: `, and macOS's `fail2ban[2784] <Notice>: `.
fn tag(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tag, rest) = exact_word(line)?;
    if let Some(tag) = tag.strip_suffix(b":") {
        return is_tag(tag).then(|| (without_process(tag), rest));
    }
    if !tag.ends_with(b"]") || !rest.starts_with(b"<") {
        return None;
    }
    let (level, rest) = exact_word(rest)?;
    (level.ends_with(b">:") && is_tag(tag)).then(|| (without_process(tag), rest))
}

/// Removes `[2784]`.
fn without_process(tag: &[u8]) -> &[u8] {
    let process =
        tag.strip_suffix(b"]").and_then(|tag| tag.split_at_checked(tag.iter().rposition(|byte| *byte == b'[')?));
    process.map_or(tag, |(tag, _)| tag)
}

fn is_tag(tag: &[u8]) -> bool {
    without_process(tag).iter().all(|byte| byte.is_ascii_graphic() && !b"[]<>{}\"'=|".contains(byte))
        && tag.first().is_some_and(|byte| *byte != b'[')
}

/// Returns whether this may be a host's name or address, also with what syslog-ng puts before and behind it.
fn is_host(host: &[u8]) -> bool {
    host.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_:@/%".contains(byte))
}

fn is_stream(name: &[u8]) -> bool {
    matches!(name, b"stdout" | b"stderr")
}

/// Removes `daemon.notice `, `<daemon.notice> `, `[daemon.notice] `, `daemon/notice `, `<3.5> `, `<29> `.
fn without_named_priority(line: &[u8]) -> &[u8] {
    let Some((first, rest)) = word(line) else { return line };
    let bracketed = match first {
        [b'<', inner @ .., b'>'] | [b'[', inner @ .., b']'] => Some(inner),
        _ => None,
    };
    let inner = bracketed.unwrap_or(first);
    let is = |names: &[&[u8]], name: &[u8]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let is_number = |text: &[u8]| (1..=3).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let is_priority =
        match inner.iter().position(|byte| matches!(byte, b'.' | b'/')).and_then(|at| inner.split_at_checked(at)) {
            Some((facility, [_, severity @ ..])) => {
                is(&FACILITIES, facility) && is(&SEVERITIES, severity)
                    || bracketed.is_some() && is_number(facility) && is_number(severity)
            }
            _ => first.starts_with(b"<") && bracketed.is_some() && is_number(inner),
        };
    if is_priority { rest } else { line }
}

/// Splits off `fail2ban  | `, with colours, and podman compose's `[fail2ban] | `.
fn compose(line: &[u8]) -> Option<(Envelope<'_>, &[u8])> {
    let rest = without_colours(line);
    let (name, rest) = match rest.strip_prefix(b"[") {
        Some(rest) => rest.split_at_checked(rest.iter().position(|byte| *byte == b']')?)?,
        None => rest.split_at_checked(rest.iter().position(|byte| matches!(byte, b' ' | b'\x1b'))?)?,
    };
    let rest = without_colours(rest.strip_prefix(b"]").unwrap_or(rest));
    let rest = without_colours(rest.strip_prefix(b" ")?.trim_ascii_start()).strip_prefix(b"|")?;
    let rest = without_colours(rest);
    let rest = without_colours(rest.strip_prefix(b" ").unwrap_or(rest));
    let is_name = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    is_name.then(|| (Envelope { tag: Some(name), is_container: true, ..Envelope::default() }, rest))
}

/// Removes `ESC[36m` and the like.
fn without_colours(line: &[u8]) -> &[u8] {
    let mut rest = line;
    while let Some(after) = rest.strip_prefix(b"\x1b[") {
        let end = after.iter().position(|byte| !byte.is_ascii_digit() && *byte != b';');
        match end.and_then(|end| after.get(end..)) {
            Some([b'm', after @ ..]) => rest = after,
            _ => break,
        }
    }
    rest
}

/// Splits off `[pod/fail2ban-7d9f/fail2ban] `.
fn kubectl(line: &[u8]) -> Option<(Envelope<'_>, &[u8])> {
    let rest = line.strip_prefix(b"[pod/")?;
    let (name, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == b']')?)?;
    let (_, container) = name.split_at_checked(name.iter().position(|byte| *byte == b'/')? + 1)?;
    let tag = Some(container).filter(|container| is_host(container) && !container.is_empty());
    Some((Envelope { tag: Some(tag?), is_container: true, ..Envelope::default() }, rest.strip_prefix(b"] ")?))
}

/// Splits off `2026-11-22T10:57:55.601123456Z stdout F `.
fn container(line: &[u8]) -> Option<(Envelope<'_>, &[u8])> {
    let (time, rest) = zoned(line)?;
    let (stream, rest) = exact_word(rest)?;
    let (flags, rest) = exact_word(rest)?;
    let piece = match flags.split(|byte| *byte == b':').next()? {
        b"P" => Piece::Begun,
        b"F" => Piece::Ended,
        _ => return None,
    };
    let is_stream = matches!(stream, b"stdout" | b"stderr");
    is_stream.then(|| (Envelope { time: Some(time), is_container: true, piece, stream, ..Envelope::default() }, rest))
}

/// Splits off `2026-11-22T10:57:55.601123456Z `.
fn docker_timestamp(line: &[u8]) -> Option<(Envelope<'_>, &[u8])> {
    let (time, rest) = zoned(line)?;
    Some((Envelope { time: Some(time), is_container: true, ..Envelope::default() }, rest))
}

/// Splits off a time with `T` and a zone.
fn zoned(line: &[u8]) -> Option<(LineTime<'_>, &[u8])> {
    let (time, rest) = iso(line)?;
    let is_zoned = matches!(time, LineTime::Zoned([_, _, _, _, _, _, _, _, _, _, b'T', ..], ..));
    is_zoned.then_some((time, rest.strip_prefix(b" ")?))
}

/// Splits at the first space, and removes that one only.
fn exact_word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b' ', line)?;
    let (word, rest) = line.split_at_checked(end)?;
    (!word.is_empty()).then_some((word, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Option<LineTime<'_>> = Some(LineTime::Yearless(11, 22, b"11:56:55", 0));
    const UTC: Option<LineTime<'_>> = Some(LineTime::Zoned(b"2026-11-22T10:57:55", 601, 0));

    #[test]
    fn split_reads_syslog_in_every_form() {
        let dated = Some(LineTime::Dated(2026, 11, 22, b"11:56:55", 0));
        for (prefix, time, host, tag) in [
            ("Nov 22 11:56:55 web-1 fail2ban[11524]: ", TIME, "web-1", "fail2ban"),
            ("Nov 22 11:56:55 web-1 fail2ban: ", TIME, "web-1", "fail2ban"),
            ("Nov 22 11:56:55 fail2ban[11524]: ", TIME, "", "fail2ban"),
            ("<29>Nov 22 11:56:55 web-1 fail2ban[1]: ", TIME, "web-1", "fail2ban"),
            ("<29>Nov 22 11:56:55 fail2ban[1]: ", TIME, "", "fail2ban"),
            ("Nov 22 11:56:55 gate-1 daemon.notice fail2ban.actions[2837]: ", TIME, "gate-1", "fail2ban.actions"),
            ("Nov 22 11:56:55 daemon.notice fail2ban.actions[2837]: ", TIME, "", "fail2ban.actions"),
            ("Sun Nov 22 11:56:55 2026 daemon.notice fail2ban.actions[2837]: ", dated, "", "fail2ban.actions"),
            ("Sun Nov 22 11:56:55 2026 [1795348189.123] daemon.notice fail2ban[2837]: ", dated, "", "fail2ban"),
            ("Nov 22 11:56:55 <daemon.notice> web-1 fail2ban[1]: ", TIME, "web-1", "fail2ban"),
            ("Nov 22 11:56:55 web-1 <daemon.notice> fail2ban[1]: ", TIME, "web-1", "fail2ban"),
            ("Nov 22 11:56:55 <3.5> web-1 fail2ban[1]: ", TIME, "web-1", "fail2ban"),
            ("Nov 22 11:56:55 [daemon.notice] web-1 fail2ban[1]: ", TIME, "web-1", "fail2ban"),
            ("daemon.notice Nov 22 11:56:55 web-1 fail2ban[1]: ", TIME, "web-1", "fail2ban"),
            ("2026 Nov 22 11:56:55 web-1 local3/warn fail2ban: ", dated, "web-1", "fail2ban"),
            ("Nov 22 2026 11:56:55 web-1 fail2ban: ", dated, "web-1", "fail2ban"),
            ("Nov 22 11:56:55 web-1 fail2ban.actions[2837] <Notice>: ", TIME, "web-1", "fail2ban.actions"),
            ("Nov 22 11:56:55 src@web-1/relay docker/fail2ban[1]: ", TIME, "src@web-1/relay", "docker/fail2ban"),
            ("Nov 22 11:56:55 2001:db8::7 sshd(pam_unix)[1]: ", TIME, "2001:db8::7", "sshd(pam_unix)"),
        ] {
            let line = format!("{prefix}rest");
            let (envelope, rest) = Envelope::split(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
            let found = (envelope.time, envelope.host, envelope.tag, envelope.is_container, rest);
            assert_eq!(found, (time, host.as_bytes(), Some(tag.as_bytes()), false, b"rest".as_slice()), "{line}");
        }
    }

    #[test]
    fn split_reads_syslog_without_a_tag_only_before_a_dated_header() {
        let header = "2026-11-22 11:56:55,601 fail2ban.actions[1]: NOTICE [sshd] Ban 1.2.3.4";
        for (prefix, tag) in [
            ("Nov 22 11:56:55 web-1 ", ""),
            ("Nov 22 11:56:55 web-1 f2b-log ", "f2b-log"),
            ("Nov 22 11:56:55 web-1 f2b[1] ", "f2b"),
        ] {
            let line = format!("{prefix}{header}");
            let (envelope, rest) = Envelope::split(line.as_bytes()).unwrap();
            assert_eq!((envelope.tag, rest), (Some(tag.as_bytes()), header.as_bytes()), "{line}");
        }
        for line in [
            format!("Nov 22 11:56:55 web-1 Invalid user {header}"),
            format!("Nov 22 11:56:55 {header}"),
            "2026-11-22 11:56:55 evil fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9".to_owned(),
            "Nov 22 11:56:55 web-1 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9".to_owned(),
        ] {
            assert_eq!(Envelope::split(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn split_reads_rfc5424() {
        let time = Some(LineTime::Zoned(b"2026-11-22T11:56:55", 601, 3600));
        for (prefix, time, host, tag) in [
            (
                "<29>1 2026-11-22T11:56:55.601123+01:00 web-1 fail2ban.actions 2837 - - ",
                time,
                "web-1",
                "fail2ban.actions",
            ),
            ("1 2026-11-22T11:56:55.601+01:00 web-1 f2b - - - ", time, "web-1", "f2b"),
            (r#"<29>1 - - - - ID [a x="\"]["][b]  "#, None, "", ""),
            ("<29>1 2026-11-22T11:56:55.601+01:00 web-1 fail2ban 1 - - \u{feff}", time, "web-1", "fail2ban"),
        ] {
            let line = format!("{prefix}rest");
            let (envelope, rest) = Envelope::split(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
            let found = (envelope.time, envelope.host, envelope.tag, rest.trim_ascii_start());
            assert_eq!(found, (time, host.as_bytes(), Some(tag.as_bytes()), b"rest".as_slice()), "{line}");
        }
        for line in ["1 x", "<29>1 2026-11-22T11:56:55Z h a p m [x rest", "<29>1 2026-11-22T11:56:55Z h a p m rest"] {
            assert_eq!(Envelope::split(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn split_reads_containers() {
        for (prefix, time, tag, piece, stream) in [
            ("fail2ban  | ", None, Some("fail2ban"), Piece::Whole, ""),
            ("fail2ban-1  | ", None, Some("fail2ban-1"), Piece::Whole, ""),
            ("\x1b[36mfail2ban  | \x1b[0m", None, Some("fail2ban"), Piece::Whole, ""),
            ("\x1b[36;1mfail2ban    |\x1b[0m ", None, Some("fail2ban"), Piece::Whole, ""),
            ("[fail2ban] | ", None, Some("fail2ban"), Piece::Whole, ""),
            ("[pod/f2b-7d9f/fail2ban] ", None, Some("fail2ban"), Piece::Whole, ""),
            ("2026-11-22T10:57:55.601123456Z ", UTC, None, Piece::Whole, ""),
            ("2026-11-22T10:57:55.601123456Z stdout F ", UTC, None, Piece::Ended, "stdout"),
            ("2026-11-22T10:57:55.601123456Z stderr P ", UTC, None, Piece::Begun, "stderr"),
            ("2026-11-22T10:57:55.601123456Z stdout F:x ", UTC, None, Piece::Ended, "stdout"),
        ] {
            let line = format!("{prefix}rest");
            let (envelope, rest) = Envelope::split(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
            let (tag, stream) = (tag.map(str::as_bytes), stream.as_bytes());
            assert_eq!(envelope, Envelope { time, tag, is_container: true, piece, stream, host: b"" }, "{line}");
            assert_eq!(rest, b"rest", "{line}");
        }
        for line in
            ["| x", "a b | x", "[] | x", "GET /|x", "fail2ban| x", "[pod/x] x", "\x1b[36", "2026-11-22 10:57:55Z x"]
        {
            assert_eq!(Envelope::split(line.as_bytes()), None, "{line}");
        }
    }
}
