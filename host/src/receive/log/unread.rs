//! Lines of which the parser understands nothing, to be reported: how many, one of them, and why.
//!
//! A line is understood if it has a header or an event of fail2ban. Lines of other programs are normal in a syslog file
//! of a whole host, so after the first line that is understood they do not count.

use std::fmt;

use super::scan::is_uptime;
use crate::event::readable::{cut, readable};

/// After how many lines in a row of which none is understood a log is read in vain.
pub(super) const UNREAD_LINES: u64 = 100;

/// How much of an example is kept, in bytes.
const MAX_EXAMPLE_BYTES: usize = 160;

/// Lines in a row of which none was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    /// How many.
    pub lines: u64,
    /// The first of them that says most, cut, without control characters.
    pub example: String,
    /// Why they are not understood.
    pub reason: UnreadReason,
    /// Whether no line of this log was understood so far. If one was, this began suddenly.
    pub none_understood: bool,
}

impl Unread {
    /// Returns whether this is worth a warning while more lines may come. At the end of a log that is read once any unread
    /// line is, if `none_understood`.
    #[must_use]
    pub(crate) fn is_persistent(&self) -> bool {
        self.lines >= UNREAD_LINES
            || match self.reason {
                UnreadReason::AmbiguousTag(_) => true,
                UnreadReason::NotFail2ban | UnreadReason::UntrustedEntry | UnreadReason::LowerRank => false,
                _ => self.none_understood,
            }
    }
}

/// Keeps account of the lines of a log that are not understood.
#[derive(Debug, Default)]
pub(super) struct UnreadLines {
    last: Option<Unread>,
    any_understood: bool,
}

impl UnreadLines {
    /// Notes a line that was understood.
    pub(super) fn end(&mut self) {
        self.any_understood = true;
        // Lines under an ambiguous tag come between others.
        if !self.last.as_ref().is_some_and(|last| matches!(last.reason, UnreadReason::AmbiguousTag(_))) {
            self.last = None;
        }
    }

    /// Notes a line that was not.
    pub(super) fn add(&mut self, line: &[u8], reason: UnreadReason) {
        let Some(last) = &mut self.last else {
            self.last =
                Some(Unread { lines: 1, example: example(line), reason, none_understood: !self.any_understood });
            return;
        };
        last.lines += 1;
        let says_more = match last.reason {
            UnreadReason::AmbiguousTag(_) => false,
            UnreadReason::NotFail2ban => reason != UnreadReason::NotFail2ban,
            _ => matches!(reason, UnreadReason::AmbiguousTag(_)),
        };
        if says_more {
            (last.example, last.reason) = (example(line), reason);
        }
    }

    /// Notes a line of another program: normal in the log of a whole host, but not if nothing else comes.
    pub(super) fn add_of_another(&mut self, line: &[u8]) {
        if !self.any_understood {
            self.add(line, UnreadReason::NotFail2ban);
        }
    }

    /// Notes a line of fail2ban under another tag than the source names.
    pub(super) fn add_of_another_tag(&mut self, line: &[u8], found: &[u8], named: &str) {
        if !self.any_understood {
            let (found, named) = (example(found), named.to_owned());
            self.add(line, UnreadReason::OtherTag { found, named });
        }
    }

    pub(super) const fn last(&self) -> Option<&Unread> {
        self.last.as_ref()
    }
}

/// Why a line is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnreadReason {
    /// Nothing in it is fail2ban's.
    NotFail2ban,
    /// `[ 1234.567890] web-1 fail2ban[1]: …` of `journalctl -o short-monotonic` or `-o short-delta`: no date.
    Monotonic,
    /// It begins with `[`, and not as fail2ban's `[jail] …` does.
    Bracket,
    /// `Okt 22 11:56:55`, `22. déc. 11:56:55`: the month in another language.
    ForeignMonth,
    /// The bytes of this compressor.
    Compressed(&'static str),
    /// The journal's own file.
    JournalFile,
    /// UTF-16.
    Utf16,
    /// `journalctl -o export`, `-o verbose` or `-o json-pretty`: an entry of several lines.
    JournalEntry,
    /// An entry of `journalctl -o json` that is not of fail2ban's service, or without the fields that say so.
    UntrustedEntry,
    /// A line of JSON that is neither Docker's nor the journal's, or damaged.
    Json,
    /// More envelopes around it than are removed.
    Wrapped,
    /// Whole lines of fail2ban, in a file of several services, under this tag (empty: none).
    AmbiguousTag(String),
    /// A whole line of fail2ban under this tag, and the source names the other one.
    OtherTag {
        /// The line's tag.
        found: String,
        /// The source's.
        named: String,
    },
    /// fail2ban's own, but with less before the message than lines before it had (no time, or no logger).
    LowerRank,
}

impl UnreadReason {
    /// Returns the reason for a line, by how it begins; the parser knows better where a tag or a rank decides.
    #[must_use]
    pub(super) fn of(line: &[u8]) -> Self {
        match line {
            [0x1f, 0x8b, ..] => Self::Compressed("gzip"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Compressed("zstd"),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Compressed("xz"),
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', ..] => Self::Compressed("bzip2"),
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Compressed("lz4"),
            [b'P', b'K', 3, 4, ..] => Self::Compressed("zip"),
            [b'L', b'P', b'K', b'S', b'H', b'H', b'R', b'H', ..] => Self::JournalFile,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Self::Utf16,
            [b'[', rest @ ..] if is_uptime(rest) => Self::Monotonic,
            [b'[', ..] => Self::Bracket,
            b"{" => Self::JournalEntry,
            [b'{', ..] => Self::Json,
            _ if is_journal_entry(line) => Self::JournalEntry,
            _ if has_foreign_month(line) => Self::ForeignMonth,
            _ => Self::NotFail2ban,
        }
    }

    /// Returns what to do, as a sentence without a full stop.
    #[must_use]
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NotFail2ban => {
                "`fail2ban-client get logtarget` shows where fail2ban logs; the documentation lists the formats".to_owned()
            }
            Self::Monotonic => "these lines have no date; use journalctl -o short-iso".to_owned(),
            Self::Bracket => {
                "the lines begin with `[`; remove what is put before fail2ban's own line, or use journalctl -o short-iso"
                    .to_owned()
            }
            Self::ForeignMonth => {
                "the month is in another language; use journalctl -o short-iso, or LC_ALL=C".to_owned()
            }
            Self::Compressed(by) => format!("the file is compressed by {by}; give it the usual ending, or unpack it"),
            Self::JournalFile => {
                "this is the journal's own file; use journalctl -u fail2ban -o short-iso | banhook tail -".to_owned()
            }
            Self::Utf16 => "the file is UTF-16; convert it to UTF-8".to_owned(),
            Self::JournalEntry => "an entry has several lines; use journalctl -o short-iso or -o json".to_owned(),
            Self::UntrustedEntry => "the entries are not of fail2ban.service, or their fields _SYSTEMD_UNIT and _COMM are \
                                     missing; use journalctl -u fail2ban -o json without --output-fields"
                .to_owned(),
            Self::Json => {
                "of JSON, only Docker's log files and journalctl -o json are understood, without duplicate keys".to_owned()
            }
            Self::Wrapped => {
                "more than two carriers have put something before fail2ban's own line; read the log before the last of \
                 them, for example a container's output without --timestamps"
                    .to_owned()
            }
            Self::AmbiguousTag(tag) if tag.is_empty() => {
                "the log has lines of several services, and this one names none; give fail2ban a log of its own".to_owned()
            }
            Self::AmbiguousTag(tag) => {
                format!("the log has lines of several services; if this one is fail2ban's, set tag = {tag:?} in [[sources]]")
            }
            Self::OtherTag { found, named } => {
                format!("the source has tag = {named:?}, and this line of fail2ban has the tag {found:?}; correct or remove tag")
            }
            Self::LowerRank => {
                "the line lacks the time or the logger that earlier lines have, as an imitation would".to_owned()
            }
        }
    }
}

/// A summary, for example ``Okt 22 11:56:55 … (and 99 more)``.
impl fmt::Display for Unread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines {
            0 | 1 => write!(formatter, "not understood: `{}`; {}", self.example, self.reason.hint()),
            lines => {
                write!(formatter, "{lines} lines not understood, such as `{}`; {}", self.example, self.reason.hint())
            }
        }
    }
}

/// Returns a line as an example: cut, and without what a terminal or a log would take for its own.
pub(super) fn example(line: &[u8]) -> String {
    // The file of a webhook's URL, which is a secret, was named by mistake.
    if line.trim_ascii_start().starts_with(b"http") {
        return "a URL (not shown)".to_owned();
    }
    let kept = line.get(..4 * MAX_EXAMPLE_BYTES).unwrap_or(line);
    let mut text: String = readable(kept)
        .chars()
        .map(|char| if char.is_control() || is_invisible(char) { '\u{fffd}' } else { char })
        .collect();
    if text.len() > MAX_EXAMPLE_BYTES || kept.len() < line.len() {
        text = format!("{}…", cut(&text, MAX_EXAMPLE_BYTES));
    }
    text
}

/// Characters that change the direction of a text, or are not seen.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The lines of `-o export`, `-o verbose` and `-o json-pretty`.
fn is_journal_entry(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let name = line.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count();
    let fields = [b"__CURSOR".as_slice(), b"__REALTIME_TIMESTAMP", b"_BOOT_ID", b"_HOSTNAME", b"MESSAGE", b"PRIORITY"];
    fields.contains(&line.get(..name).unwrap_or_default()) && matches!(line.get(name), Some(b'=' | b'"'))
}

/// A word that is no English month, then a day and a time of day; or the day first.
fn has_foreign_month(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (Some(first), Some(second), Some(third)) = (words.next(), words.next(), words.next()) else { return false };
    let is_day = |word: &[u8]| {
        let word = word.strip_suffix(b".").unwrap_or(word);
        matches!(word.len(), 1 | 2) && word.iter().all(u8::is_ascii_digit)
    };
    let is_month = |word: &[u8]| {
        word.len() <= 24
            && !word.iter().all(u8::is_ascii_digit)
            && !word.iter().any(|byte| b":[]<>/|{}=".contains(byte))
    };
    let is_time = |word: &[u8]| {
        matches!(word, [h1, h2, b':', m1, m2, b':', s1, s2, ..]
            if [h1, h2, m1, m2, s1, s2].into_iter().all(|byte| byte.is_ascii_digit()))
    };
    is_time(third) && (is_month(first) && is_day(second) || is_day(first) && is_month(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_names_the_reason_by_how_the_line_begins() {
        for (line, reason) in [
            (b"[ 1234.567890] web-1 fail2ban[1]: [sshd] Ban 1.2.3.4".as_slice(), UnreadReason::Monotonic),
            (b"[1234.567890] web-1 fail2ban[1]: [sshd] Ban 1.2.3.4", UnreadReason::Monotonic),
            (b"[    5.123456 <    0.000123>] web-1 fail2ban[1]: [sshd] Ban 1.2.3.4", UnreadReason::Monotonic),
            (b"[2026-11-22 11:56:55] NOTICE [sshd] Ban 1.2.3.4", UnreadReason::Bracket),
            (b"\x1f\x8b\x08\x00abc", UnreadReason::Compressed("gzip")),
            (b"\x28\xb5\x2f\xfdabc", UnreadReason::Compressed("zstd")),
            (b"\xfd7zXZ\0abc", UnreadReason::Compressed("xz")),
            (b"BZh91AY&SY", UnreadReason::Compressed("bzip2")),
            (b"LPKSHHRH\0\0", UnreadReason::JournalFile),
            (b"\xff\xfe2\x000\x00", UnreadReason::Utf16),
            (b"{", UnreadReason::JournalEntry),
            (b"\t\"MESSAGE\" : \"[sshd] Ban 1.2.3.4\",", UnreadReason::JournalEntry),
            (b"MESSAGE=[sshd] Ban 1.2.3.4", UnreadReason::JournalEntry),
            (b"    MESSAGE=[sshd] Ban 1.2.3.4", UnreadReason::JournalEntry),
            (b"__CURSOR=s=1;i=2", UnreadReason::JournalEntry),
            (b"{\"msg\":\"x\"}", UnreadReason::Json),
            (b"2026-11-22 nothing", UnreadReason::NotFail2ban),
            (b"", UnreadReason::NotFail2ban),
        ] {
            assert_eq!(UnreadReason::of(line), reason, "{}", readable(line));
        }
        for month in ["Okt 22", "déc. 22", "d\u{e9}c 2", "Mär  2", "led 22", "11月 22", "22 Okt", "22. Dez", "нояб. 22"]
        {
            let line = format!("{month} 11:56:55 web-1 fail2ban[1]: [sshd] Ban 1.2.3.4");
            assert_eq!(UnreadReason::of(line.as_bytes()), UnreadReason::ForeignMonth, "{line}");
        }
    }

    #[test]
    fn example_is_cut_and_has_no_control_characters() {
        assert_eq!(example(b"a\x1b[31m\xff\tb"), "a\u{fffd}[31m\\xFF\u{fffd}b");
        assert_eq!(example("a\u{202e}b".as_bytes()), "a\u{fffd}b");
        assert_eq!(example(b"https://hooks.slack.com/services/T/B/secret"), "a URL (not shown)");
        let long = example("é".repeat(5_000).as_bytes());
        assert!(long.len() <= MAX_EXAMPLE_BYTES + '…'.len_utf8() && long.ends_with('…'), "{long}");
    }
}
