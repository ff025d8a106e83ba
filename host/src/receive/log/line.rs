//! A line, taken out of its envelopes: who wrote it, and fail2ban's part of it.

use super::envelope::{Envelope, Piece, own_logger, without_priority};
use super::header::{self, Header, HeaderKind};
use super::repeated;

/// How many envelopes a line may have: a container's output in syslog has two.
const MAX_ENVELOPES: usize = 2;

/// How much a line shows of itself. In a log whose lines show more, a line that shows less is not fail2ban's own: it is the
/// output of a command, or an attacker's imitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A message alone, or with a level.
    None,
    /// A time only.
    Time,
    /// A sign of fail2ban, without a time: its tag or a logger.
    Sign,
    /// A time and a sign of fail2ban: its tag, a logger or a level.
    TimeAndSign,
}

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer<'a> {
    /// The line has no envelope that says.
    Unnamed,
    /// fail2ban, under this tag.
    Own(&'a [u8]),
    /// The container whose output the log is.
    Container,
    /// Somebody else, or fail2ban under a tag that others could use too.
    Other(&'a [u8]),
}

/// A line without its envelopes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) envelope: Envelope<'a>,
    pub(super) text: &'a [u8],
    /// How many envelopes may still be around the text.
    envelopes_left: usize,
    /// Whether it was parsed: a piece is once it is whole.
    pub(super) is_parsed: bool,
    /// fail2ban's part, if it is whole, or alone and something may follow from it.
    pub(super) header: Option<Header<'a>>,
}

impl<'a> Line<'a> {
    /// Takes a line out of its envelopes, up to one that says that this may be a piece: see [`Line::joined`].
    pub(super) fn parse(line: &'a [u8]) -> Self {
        Self {
            envelope: Envelope::default(),
            text: without_priority(line),
            envelopes_left: MAX_ENVELOPES,
            is_parsed: false,
            header: None,
        }
        .without_envelopes()
    }

    /// Makes a line of what one envelope carries, which may be a piece.
    pub(super) const fn carried(envelope: Envelope<'a>, text: &'a [u8]) -> Self {
        Self { envelope, text, envelopes_left: MAX_ENVELOPES - 1, is_parsed: false, header: None }
    }

    /// Takes the whole line that this piece, which may be all of it, is the end of out of its other envelopes.
    pub(super) fn joined<'b>(&'b self, text: &'b [u8]) -> Line<'b> {
        let envelope = Envelope { piece: Piece::Whole, ..self.envelope };
        Line { envelope, text: without_priority(text), ..*self }.without_envelopes()
    }

    fn without_envelopes(mut self) -> Self {
        loop {
            if let Some(header) = header::whole(self.text) {
                return Self { header: Some(header), is_parsed: true, ..self };
            }
            let Some((inner, rest)) = (self.envelopes_left > 0).then(|| Envelope::split(self.text)).flatten() else {
                break;
            };
            self.envelopes_left -= 1;
            self.envelope = self.envelope.with_inner(inner);
            self.text = rest;
            if matches!(self.envelope.piece, Piece::Begun | Piece::Ended) {
                // Parsed when it is whole.
                return self;
            }
        }
        Self { header: header::bare(self.text), is_parsed: true, ..self }
    }

    /// Returns who wrote the line.
    pub(super) fn writer(&self) -> Writer<'a> {
        match self.envelope.tag {
            Some(tag) if own_logger(tag).is_some() => Writer::Own(tag),
            Some(tag) => Writer::Other(tag),
            None if self.envelope.is_container => Writer::Container,
            None => Writer::Unnamed,
        }
    }

    /// Returns fail2ban's part of the line if this much of it is enough from that writer.
    pub(super) fn header(&self) -> Option<Header<'a>> {
        let header = self.header?;
        let is_enough = match self.writer() {
            Writer::Unnamed => true,
            Writer::Own(tag) => return Some(with_logger(header, tag)),
            Writer::Container => header.kind == HeaderKind::Whole,
            Writer::Other(tag) => {
                header.kind == HeaderKind::Whole
                    && (header.time.is_some() || self.envelope.is_container || is_container_tag(tag))
            }
        };
        is_enough.then_some(header)
    }

    /// Returns fail2ban's part of the line that rsyslog has in place of so many lines that are the same.
    pub(super) fn repeated(&self) -> Option<(u32, Header<'a>)> {
        let Writer::Own(tag) = self.writer() else { return None };
        let (times, message) = repeated::message(self.text)?;
        let header = header::whole(message).or_else(|| header::bare(message))?;
        Some((times, with_logger(header, tag)))
    }

    /// Returns whether there is an envelope around the text that is one too many.
    pub(super) fn is_wrapped(&self) -> bool {
        self.envelopes_left == 0 && Envelope::split(self.text).is_some()
    }

    /// Returns how much the line shows of itself.
    pub(super) fn rank(&self, header: &Header<'_>) -> Rank {
        let has_time = header.time.is_some() || self.envelope.time.is_some();
        let has_tag = matches!(self.writer(), Writer::Own(_));
        match (has_time, has_tag || header.kind == HeaderKind::Whole) {
            (true, true) => Rank::TimeAndSign,
            (true, false) if header.kind == HeaderKind::Level => Rank::TimeAndSign,
            (true, false) => Rank::Time,
            (false, true) => Rank::Sign,
            (false, false) => Rank::None,
        }
    }
}

/// Adds the logger that a tag of fail2ban's names, if the header has none.
fn with_logger<'a>(header: Header<'a>, tag: &'a [u8]) -> Header<'a> {
    let logger = if header.kind < HeaderKind::Whole { own_logger(tag).unwrap_or_default() } else { header.logger };
    Header { logger, ..header }
}

/// Returns whether a tag is one under which a container's output comes: its id, or the name of what runs it. Docker's
/// syslog driver adds no time, and neither do containers that log without one.
fn is_container_tag(tag: &[u8]) -> bool {
    let is_id = matches!(tag.len(), 12 | 64) && tag.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id
        || [b"journal".as_slice(), b"docker", b"dockerd", b"podman", b"conmon"].contains(&tag)
        || tag.starts_with(b"docker/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Line<'_> {
        Line::parse(line.as_bytes())
    }

    #[test]
    fn rank_is_what_a_line_shows_of_itself() {
        for (prefix, rank) in [
            ("2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  ", Rank::TimeAndSign),
            (" 2026-11-22 11:56:55,601 148402BC3B08 NOTIC ", Rank::TimeAndSign),
            ("2026-11-22 11:56:55,601 NOTICE ", Rank::TimeAndSign),
            ("Nov 22 11:56:55 web-1 fail2ban[1]: ", Rank::TimeAndSign),
            ("2026-11-22 11:56:55,601 ", Rank::Time),
            ("<29>fail2ban.actions[2837]: NOTICE ", Rank::Sign),
            ("fail2ban  | ", Rank::Sign),
            ("NOTICE  ", Rank::None),
            ("", Rank::None),
        ] {
            let line = format!("{prefix}[sshd] Ban 203.0.113.7");
            let line = parse(&line);
            assert_eq!(line.header().map(|header| line.rank(&header)), Some(rank), "{prefix}");
        }
    }

    #[test]
    fn header_of_another_tag_has_to_be_whole() {
        for (line, is_enough) in [
            ("Nov 22 11:56:55 web-1 fail2ban-server[1]: [sshd] Ban 1.2.3.4", true),
            ("Nov 22 11:56:55 web-1 fail2ban.actions[1]: NOTICE [sshd] Ban 1.2.3.4", true),
            ("Nov 22 11:56:55 web-1 fail2ban-x: [sshd] Ban 1.2.3.4", false),
            ("Nov 22 11:56:55 web-1 fail2ban.: [sshd] Ban 1.2.3.4", false),
            ("Nov 22 11:56:55 web-1 xfail2ban[1]: [sshd] Ban 1.2.3.4", false),
            ("Nov 22 11:56:55 web-1 sshd[1]: [sshd] Ban 1.2.3.4", false),
            ("Nov 22 11:56:55 web-1 sshd[1]: fail2ban.actions [1]: NOTICE  [sshd] Ban 1.2.3.4", false),
            (
                "Nov 22 11:56:55 web-1 sshd[1]: 2026-11-22 11:56:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 1.2.3.4",
                true,
            ),
            ("Apr 29 12:00:00 web-1 journal: fail2ban.actions        [1]: NOTICE  [sshd] Ban 1.2.3.4", true),
            ("web-1  | [sshd] Ban 1.2.3.4", false),
            ("web-1  | NOTICE  [sshd] Ban 1.2.3.4", false),
            ("web-1  | fail2ban.actions [1]: NOTICE  [sshd] Ban 1.2.3.4", true),
            // No third envelope.
            ("fail2ban  | 2026-11-22T10:56:55Z Nov 22 11:56:55 web-1 fail2ban[1]: [sshd] Ban 1.2.3.4", false),
            ("a  | Nov 22 11:56:55 web-1 fail2ban[1]: b  | [sshd] Ban 1.2.3.4", false),
        ] {
            assert_eq!(parse(line).header().is_some(), is_enough, "{line}");
        }
    }
}
