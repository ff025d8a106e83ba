//! Which writers of a log are believed to be fail2ban, and what their lines have shown.
//!
//! Under fail2ban's own tags a line is fail2ban's. Under another (a container's name, a compose service) it is only if the
//! settings name the tag, or the log has no other. A log that begins with the lines of one may go on with those of others,
//! so its first lines wait until there are enough of them, or no more for now.

use std::collections::HashSet;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::envelope::own_logger;
use super::header::{Header, HeaderKind};
use super::line::{Line, Rank, Writer};

/// After how many lines the only tag of a log is believed.
const ENOUGH_LINES: usize = 100;

/// How much of the lines is held until then, in bytes.
const MAX_HELD_BYTES: usize = 256 << 10;

/// How many hosts with tags are remembered to have shown whole headers.
const MAX_HEADED: usize = 1_024;

/// The loggers whose lines are or become events.
const EVENT_LOGGERS: [&[u8]; 4] = [b"actions", b"filter", b"jail", b"observer"];

/// Whether a line is fail2ban's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belief {
    Yes,
    /// If the log turns out to have no other tag.
    Later,
    /// The log has several tags, and the settings do not name this one.
    Ambiguous,
    /// Another program's.
    No,
}

/// The writers of a log.
#[derive(Debug, Default)]
pub(super) struct Writers {
    tags: Tags,
    /// The highest rank that a line of fail2ban had.
    rank: Option<Rank>,
    /// The hosts and tags that have shown whole headers of loggers with events.
    headed: HashSet<u64>,
    key: RandomState,
    /// Whether [`Writers::headed`] has the lines without host and tag.
    unnamed_headed: bool,
}

/// The tags of a log.
#[derive(Debug, Default)]
enum Tags {
    #[default]
    None,
    /// One, which is none of fail2ban's own, and the number of its lines.
    One(Vec<u8>, usize),
    /// Several, or fail2ban's own.
    Several,
}

impl Writers {
    /// Notes a line's writer and says whether to believe it; `named` is the tag of the settings.
    pub(super) fn believe(&mut self, writer: Writer<'_>, named: Option<&str>) -> Belief {
        if let Some(named) = named {
            let is_named = match writer {
                Writer::Container => true,
                Writer::Unnamed => false,
                // Its loggers have tags of their own: `fail2ban` stands for all of them.
                Writer::Own(tag) => tag == named.as_bytes() || own_logger(named.as_bytes()).is_some(),
                Writer::Other(tag) => tag == named.as_bytes(),
            };
            return if is_named { Belief::Yes } else { Belief::No };
        }
        let tag = match writer {
            Writer::Unnamed | Writer::Container => return Belief::Yes,
            Writer::Own(_) => {
                self.tags = Tags::Several;
                return Belief::Yes;
            }
            Writer::Other(tag) => tag,
        };
        match &mut self.tags {
            Tags::None => {
                self.tags = Tags::One(tag.to_vec(), 1);
                Belief::Later
            }
            Tags::One(one, lines) if one == tag => {
                *lines = lines.saturating_add(1);
                if *lines >= ENOUGH_LINES { Belief::Yes } else { Belief::Later }
            }
            Tags::One(..) | Tags::Several => {
                self.tags = Tags::Several;
                Belief::Ambiguous
            }
        }
    }

    /// Believes the only tag so far: no more lines come for now.
    pub(super) fn believe_only_tag(&mut self) {
        if let Tags::One(_, lines) = &mut self.tags {
            *lines = ENOUGH_LINES;
        }
    }

    /// Returns whether there are several tags.
    pub(super) const fn are_several(&self) -> bool {
        matches!(self.tags, Tags::Several)
    }

    /// Returns whether a line shows as much of itself as lines of its log and its writer before.
    pub(super) fn is_ranked(&self, line: &Line<'_>, header: &Header<'_>) -> bool {
        self.rank.is_none_or(|rank| line.rank(header) >= rank)
            && (header.kind == HeaderKind::Whole || self.headed.is_empty() || !self.headed.contains(&self.key_of(line)))
    }

    /// Notes what a line of fail2ban shows, if its logger is one whose lines matter.
    pub(super) fn raise(&mut self, line: &Line<'_>, header: &Header<'_>, is_event: bool) {
        if !is_event && !EVENT_LOGGERS.contains(&header.logger) {
            return;
        }
        self.rank = self.rank.max(Some(line.rank(header)));
        if header.kind == HeaderKind::Whole {
            if line.writer() == Writer::Unnamed {
                // Another tag is then not the only one.
                self.tags = Tags::Several;
                if line.envelope.host.is_empty() && std::mem::replace(&mut self.unnamed_headed, true) {
                    return;
                }
            }
            if self.headed.len() < MAX_HEADED {
                self.headed.insert(self.key_of(line));
            }
        }
    }

    /// Returns whether lines without an envelope have all that lines can show: another changes nothing.
    pub(super) fn are_settled(&self) -> bool {
        self.unnamed_headed && self.rank == Some(Rank::TimeAndSign)
    }

    fn key_of(&self, line: &Line<'_>) -> u64 {
        let tag = match line.writer() {
            // A logger in the tag is fail2ban's header of that target.
            Writer::Own(tag) | Writer::Other(tag) => Some(tag),
            Writer::Unnamed | Writer::Container => None,
        };
        self.key.hash_one((line.envelope.host, tag))
    }
}

/// Lines under the only tag so far, which is believed later.
#[derive(Debug, Default)]
pub(super) struct HeldLines {
    pub(super) tag: Vec<u8>,
    /// The lines, and where they begin and end.
    pub(super) lines: Vec<(Vec<u8>, (u64, u64))>,
    bytes: usize,
}

impl HeldLines {
    /// Holds a line. Returns whether there is room for another.
    pub(super) fn hold(&mut self, tag: &[u8], line: &[u8], place: (u64, u64)) -> bool {
        if self.lines.is_empty() {
            self.tag = tag.to_vec();
        }
        self.bytes += line.len();
        self.lines.push((line.to_vec(), place));
        self.bytes < MAX_HELD_BYTES
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Returns where the first line begins.
    pub(super) fn begin(&self) -> Option<u64> {
        self.lines.first().map(|(_, (begin, _))| *begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: Writer<'_> = Writer::Other(b"web-1");

    #[test]
    fn believe_another_tag_only_alone_and_after_enough_lines() {
        let mut writers = Writers::default();
        assert_eq!(writers.believe(OTHER, None), Belief::Later);
        writers.believe_only_tag();
        assert_eq!(writers.believe(OTHER, None), Belief::Yes);
        assert_eq!(writers.believe(Writer::Other(b"db"), None), Belief::Ambiguous);
        assert_eq!(writers.believe(OTHER, None), Belief::Ambiguous);
        assert_eq!(writers.believe(Writer::Own(b"fail2ban"), None), Belief::Yes);

        let mut writers = Writers::default();
        let later = (0..200).filter(|_| writers.believe(OTHER, None) == Belief::Later).count();
        assert_eq!(later, ENOUGH_LINES - 1);

        let mut writers = Writers::default();
        assert_eq!(writers.believe(Writer::Own(b"fail2ban"), None), Belief::Yes);
        assert_eq!(writers.believe(OTHER, None), Belief::Ambiguous);
    }

    #[test]
    fn believe_named_tag_only() {
        let mut writers = Writers::default();
        for (writer, belief) in [
            (OTHER, Belief::Yes),
            (Writer::Other(b"db"), Belief::No),
            (Writer::Own(b"fail2ban"), Belief::No),
            (Writer::Unnamed, Belief::No),
        ] {
            assert_eq!(writers.believe(writer, Some("web-1")), belief, "{writer:?}");
        }
        // fail2ban's own tag stands for those of its loggers.
        assert_eq!(writers.believe(Writer::Own(b"fail2ban.actions"), Some("fail2ban")), Belief::Yes);
        assert_eq!(writers.believe(OTHER, Some("fail2ban")), Belief::No);
    }
}
