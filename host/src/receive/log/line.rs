//! A line, taken out of its envelopes: who wrote it, and fail2ban's part of it.

use super::envelope::{Envelope, Piece, own_logger, without_priority};
use super::header::{self, Header, HeaderKind};

/// How many envelopes a line may have: a container's output in syslog has two.
pub(super) const MAX_ENVELOPES: usize = 2;

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
    /// fail2ban's part, if it is whole, or alone and something may follow from it.
    pub(super) header: Option<Header<'a>>,
}

impl<'a> Line<'a> {
    /// Takes a line out of what is left of its envelopes; `outer` is what one says that has been removed.
    pub(super) fn parse(line: &'a [u8], outer: Envelope<'a>, envelopes: usize) -> Self {
        let (mut envelope, mut text) = (outer, without_priority(line));
        for left in (0..=envelopes).rev() {
            if let Some(header) = header::whole(text) {
                return Self { envelope, text, header: Some(header) };
            }
            let Some((inner, rest)) = (left > 0).then(|| Envelope::split(text)).flatten() else { break };
            envelope = envelope.with_inner(inner);
            text = rest;
            if matches!(envelope.piece, Piece::Begun | Piece::Ended) {
                // Parsed when it is whole.
                return Self { envelope, text, header: None };
            }
        }
        Self { envelope, text, header: header::bare(text) }
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
        let mut header = self.header?;
        let is_enough = match self.writer() {
            Writer::Unnamed => true,
            Writer::Own(tag) => {
                if header.kind < HeaderKind::Whole {
                    header.logger = own_logger(tag).unwrap_or_default();
                }
                true
            }
            Writer::Container => header.kind == HeaderKind::Whole,
            Writer::Other(tag) => {
                header.kind == HeaderKind::Whole
                    && (header.time.is_some() || self.envelope.is_container || is_container_tag(tag))
            }
        };
        is_enough.then_some(header)
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
        Line::parse(line.as_bytes(), Envelope::default(), MAX_ENVELOPES)
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
            ("a  | Nov 22 11:56:55 web-1 fail2ban[1]: b  | [sshd] Ban 1.2.3.4", false),
        ] {
            assert_eq!(parse(line).header().is_some(), is_enough, "{line}");
        }
    }
}
