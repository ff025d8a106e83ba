//! The parser: bytes in, events out.

use std::borrow::Cow;
use std::time::Duration;

use jiff::tz::TimeZone;
use memchr::memchr;

use super::clock::LineTime;
use super::envelope::Envelope;
use super::header::{self, FilterPrefix, Header, HeaderKind};
use super::interpreter::{Interpreter, text};
use super::json_line::{JsonError, JsonLine};
use super::line::{Line, Writer};
use super::log_counts::LogCounts;
use super::message::LogMessage;
use super::origin::LogOrigin;
use super::pieces::Pieces;
use super::problem::LogProblem;
use super::repeated;
use super::unread::{Unread, UnreadLines, UnreadReason};
use super::writers::{Belief, HeldLines, Writers};
use crate::event::{Event, Timestamp};

/// How much of a line is kept until it ends, in bytes. What matters is at its beginning.
const MAX_LINE_BYTES: usize = 64 << 10;

/// The same for a line of JSON, which can only be read whole: 48 KiB of the journal, each byte as `\u001b`, and its fields.
const MAX_JSON_BYTES: usize = 1 << 20;

/// How long to wait for lines under another tag.
const TAG_TIMEOUT: Duration = Duration::from_millis(20);

/// An event, and where in the log it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// The event; its id is empty, and its host too if it is this one or the line names none.
    pub event: Event,
    /// The end of its line: how many bytes had been fed up to there, counted from where the parser began.
    pub end: u64,
}

/// Turns a log into events.
///
/// ```
/// use banhook::event::Timestamp;
/// use banhook::receive::LogParser;
///
/// let mut parser = LogParser::new(jiff::tz::TimeZone::UTC, Timestamp::now);
/// parser.feed(b"2026-11-22 11:56:55,601 fail2ban.actions [2784]: NOTICE  [sshd] Ban 203.0");
/// parser.feed(b".113.7\n");
/// parser.resolve();
/// let event = parser.next().unwrap().event;
/// assert_eq!(event.ban().unwrap().subject, "203.0.113.7");
/// assert_eq!(event.at.to_string(), "2026-11-22T11:56:55.601Z");
/// ```
#[derive(Debug)]
pub struct LogParser {
    interpreter: Interpreter,
    writers: Writers,
    pieces: Pieces,
    held: HeldLines,
    unread: UnreadLines,
    /// The beginning of a line that has not ended yet.
    line: Vec<u8>,
    /// The length of that line so far.
    line_bytes: u64,
    /// Where it begins.
    position: u64,
    /// Whether that line is the rest of one.
    is_rest: bool,
    /// Whether a line of JSON was read: then the others are, unless they are damaged.
    is_json: bool,
    filter_prefix: FilterPrefix,
}

impl LogParser {
    /// Makes a parser for a log in the local time of `zone`. `now` is the time of a line without one, and the year of a line
    /// that names none.
    #[must_use]
    pub fn new(zone: TimeZone, now: fn() -> Timestamp) -> Self {
        Self {
            interpreter: Interpreter::new(zone, now),
            writers: Writers::default(),
            pieces: Pieces::default(),
            held: HeldLines::default(),
            unread: UnreadLines::default(),
            line: Vec::new(),
            line_bytes: 0,
            position: 0,
            is_rest: false,
            is_json: false,
            filter_prefix: FilterPrefix::default(),
        }
    }

    /// Sets where the log comes from. Call it before the first line.
    #[must_use]
    pub(crate) fn with_origin(mut self, origin: LogOrigin) -> Self {
        self.interpreter.set_origin(origin);
        self
    }

    /// Returns the lines since the last one that was understood; `None` if there are none.
    #[must_use]
    pub(crate) const fn unread(&self) -> Option<&Unread> {
        self.unread.last()
    }

    /// Returns what is wrong with the log at present, apart from what was lost, which is in its counts.
    #[must_use]
    pub(crate) fn problem(&self) -> Option<LogProblem> {
        LogProblem::find(self.unread.last(), self.interpreter.ahead_ms())
    }

    /// Begins another file, at this byte of it: an unfinished line stays so, and the lines may have another form. Take all
    /// events first, after [`LogParser::resolve`].
    pub(crate) fn begin_at(&mut self, position: u64) {
        if self.line_bytes > 0 {
            self.interpreter.counts.unfinished += 1;
        }
        self.continue_at(position);
        self.is_json = false;
        self.interpreter.begin_file();
        self.writers = Writers::default();
        self.pieces = Pieces::default();
    }

    /// Begins within a file that is read from there to count its failures: the first line may be the rest of one.
    pub(crate) fn begin_within(&mut self, position: u64) {
        self.begin_at(position);
        self.is_rest = position > 0;
    }

    /// Continues the same file at this byte of it, after what was read to count its failures: what its lines have shown
    /// stays.
    pub(crate) fn continue_at(&mut self, position: u64) {
        self.line.clear();
        (self.line_bytes, self.position, self.is_rest) = (0, position, false);
        self.held = HeldLines::default();
    }

    /// Parses the next bytes of the log.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        if self.line_bytes > 0 {
            let Some((rest, after)) = split_line(bytes) else { return self.buffer(bytes) };
            self.buffer(rest);
            let line = std::mem::take(&mut self.line);
            self.end_line(&line, self.line_bytes + 1);
            self.line = line;
            self.line.clear();
            self.line_bytes = 0;
            bytes = after;
        }
        while let Some((line, after)) = split_line(bytes) {
            self.end_line(line, line.len() as u64 + 1);
            bytes = after;
        }
        if !bytes.is_empty() {
            self.buffer(bytes);
        }
    }

    /// Hands out what was waiting for more lines: none come for now.
    pub fn resolve(&mut self) {
        self.writers.believe_only_tag();
        self.release_held();
        self.interpreter.resolve();
    }

    /// Returns how long to wait for more lines before [`LogParser::resolve`]; `None` if nothing waits for them.
    #[must_use]
    pub(crate) fn resolve_timeout(&self) -> Option<Duration> {
        if self.held.is_empty() { self.interpreter.timeout() } else { Some(TAG_TIMEOUT) }
    }

    /// Returns the position up to which everything was handed out: a parser that begins there hands out the rest.
    #[must_use]
    pub(crate) fn position(&self) -> u64 {
        [self.interpreter.begin(), self.held.begin()].into_iter().flatten().min().unwrap_or(self.position)
    }

    /// Returns the length of the line that has not ended yet, in bytes.
    #[must_use]
    pub(crate) const fn unfinished(&self) -> u64 {
        self.line_bytes
    }

    /// Counts from here on: what came before was counted when it was read first.
    pub(crate) fn begin_counts(&mut self) {
        self.interpreter.counts = LogCounts::default();
    }

    /// Returns what the log consisted of so far.
    #[must_use]
    pub(crate) const fn counts(&self) -> LogCounts {
        self.interpreter.counts
    }

    fn buffer(&mut self, bytes: &[u8]) {
        self.line_bytes += bytes.len() as u64;
        let bytes = if self.line.is_empty() { without_nul(bytes) } else { bytes };
        let most = max_bytes(if self.line.is_empty() { bytes } else { &self.line });
        let room = most.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Ends a line of so many bytes, of which `line` was kept.
    fn end_line(&mut self, line: &[u8], bytes: u64) {
        let begin = self.position;
        self.position += bytes;
        if std::mem::take(&mut self.is_rest) {
            return;
        }
        self.interpreter.counts.lines += 1;
        let line = without_nul(line);
        let most = max_bytes(line);
        if line.len() >= most {
            self.interpreter.counts.long += 1;
        }
        let line = line.get(..most).unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Most logs are a file of fail2ban's own, whose lines teach nothing more of the log.
        if self.writers.are_settled() && self.unread.last().is_none() && self.interpreter.tag().is_none() {
            if let Some((stamp, message)) = self.filter_prefix.split(line)
                && let Some((jail, subject)) = LogMessage::parse_found(message)
            {
                return self.interpreter.found(LineTime::Local(stamp, 0), jail, subject);
            }
            if let Some(header) = header::standard(line) {
                self.filter_prefix.learn(line, &header);
                let message = LogMessage::parse(header.logger, header.message);
                return self.interpreter.read(&Envelope::default(), header.time, message, (begin, self.position));
            }
        }
        self.read(line, (begin, self.position));
    }

    /// Takes a line out of its envelopes, and reads it if it is whole.
    fn read(&mut self, line: &[u8], place: (u64, u64)) {
        let line = if place.0 == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        let json = line.strip_prefix(b"data: ").or_else(|| line.strip_prefix(b"\x1e")).unwrap_or(line);
        if !json.starts_with(b"{") {
            return self.read_piece(line, &Line::parse(line), place);
        }
        match JsonLine::parse(json, self.interpreter.tag()) {
            Ok(json) => {
                self.is_json = true;
                self.read_piece(line, &Line::carried(json.envelope(), &json.text), place);
            }
            Err(reason) => {
                self.interpreter.counts.foreign += 1;
                match reason {
                    JsonError::Unknown if self.is_json => self.interpreter.counts.damaged += 1,
                    JsonError::Unknown => self.unread.add(line, UnreadReason::of(line)),
                    JsonError::Untrusted if self.interpreter.counts.events > 0 => {}
                    JsonError::Untrusted => self.unread.add(line, UnreadReason::UntrustedEntry),
                    JsonError::NoMessage => {}
                }
            }
        }
    }

    /// Reads a line that may be a piece of one.
    fn read_piece(&mut self, raw: &[u8], line: &Line<'_>, place: (u64, u64)) {
        let Some(text) = self.pieces.add(&line.envelope, line.text) else {
            self.interpreter.counts.foreign += 1;
            return;
        };
        // Joined lines of a tag that is believed later are too rare to be kept.
        let may_wait = matches!(text, Cow::Borrowed(_));
        if line.header.is_some() || line.is_parsed && may_wait {
            return self.read_line(raw, line, may_wait, place);
        }
        self.read_line(raw, &line.joined(&text), may_wait, place);
    }

    /// Reads a whole line, if its writer is fail2ban.
    fn read_line(&mut self, raw: &[u8], line: &Line<'_>, may_wait: bool, place: (u64, u64)) {
        let writer = line.writer();
        let belief = self.writers.believe(writer, self.interpreter.tag());
        if self.writers.are_several() && !self.held.is_empty() {
            self.drop_held();
        }
        let Some(header) = line.header() else {
            if self.repeats(raw, line, place) {
                return;
            }
            self.interpreter.counts.foreign += 1;
            return match writer {
                Writer::Other(_) => self.unread.add_of_another(raw),
                Writer::Own(_) | Writer::Unnamed | Writer::Container if line.is_wrapped() => {
                    self.unread.add(raw, UnreadReason::Wrapped);
                }
                Writer::Own(_) if belief == Belief::Yes => self.unread.end(),
                _ if raw.trim_ascii().is_empty() => {}
                _ => self.unread.add(raw, UnreadReason::of(raw)),
            };
        };
        match (belief, writer) {
            (Belief::Yes, _) => {
                if matches!(writer, Writer::Other(_)) {
                    self.release_held();
                }
                self.read_own(raw, line, &header, place);
            }
            (Belief::Later, Writer::Other(tag)) if may_wait => {
                if !self.held.hold(tag, raw, place) {
                    self.writers.believe_only_tag();
                    self.release_held();
                }
            }
            (Belief::Ambiguous, Writer::Other(tag)) => {
                self.interpreter.counts.foreign += 1;
                self.unread.add(raw, UnreadReason::AmbiguousTag(text(tag)));
            }
            _ => {
                self.interpreter.counts.foreign += 1;
                match (writer, self.interpreter.tag()) {
                    (Writer::Other(found), Some(named)) => self.unread.add_of_another_tag(raw, found, named),
                    _ => self.unread.add_of_another(raw),
                }
            }
        }
    }

    /// Counts the failures that a line of a syslog daemon stands for. Returns whether it is one.
    fn repeats(&mut self, raw: &[u8], line: &Line<'_>, place: (u64, u64)) -> bool {
        if let Some((times, header)) = line.repeated() {
            let message = LogMessage::parse(header.logger, header.message);
            if let Some(LogMessage::Found { jail, subject }) = message
                && self.writers.is_ranked(line, &header)
            {
                self.interpreter.found_times(line.envelope.host, jail, subject, times);
            }
            self.unread.end();
            return true;
        }
        let Some(times) = repeated::line(raw, line.text) else { return false };
        self.interpreter.repeat(place.0, times);
        true
    }

    /// Reads a line of fail2ban, unless it shows less of itself than others.
    fn read_own(&mut self, raw: &[u8], line: &Line<'_>, header: &Header<'_>, place: (u64, u64)) {
        let message = LogMessage::parse(header.logger, header.message);
        let is_event = message.is_some();
        if !self.writers.is_ranked(line, header) {
            self.interpreter.counts.foreign += 1;
            if is_event {
                self.unread.add(raw, UnreadReason::LowerRank);
            }
            return;
        }
        if header.kind < HeaderKind::Whole && !is_event {
            self.interpreter.counts.foreign += 1;
            if !matches!(line.writer(), Writer::Own(_)) {
                self.unread.add(raw, UnreadReason::of(raw));
            }
            return;
        }
        self.unread.end();
        self.writers.raise(line, header, is_event);
        self.interpreter.read(&line.envelope, header.time, message, place);
    }

    /// Reads the lines that were held: their tag is believed, unless the log has shown another.
    fn release_held(&mut self) {
        if self.writers.are_several() {
            return self.drop_held();
        }
        for (raw, place) in std::mem::take(&mut self.held).lines {
            let json = raw.starts_with(b"{").then(|| JsonLine::parse(&raw, None).ok()).flatten();
            let piece = match &json {
                Some(json) => Line::carried(json.envelope(), &json.text),
                None => Line::parse(&raw),
            };
            let line = if piece.is_parsed { piece } else { piece.joined(piece.text) };
            if let Some(header) = line.header() {
                self.read_own(&raw, &line, &header, place);
            }
        }
    }

    /// Drops the lines that were held: the log has several tags.
    fn drop_held(&mut self) {
        let HeldLines { tag, lines, .. } = std::mem::take(&mut self.held);
        for (raw, _) in lines {
            self.interpreter.counts.foreign += 1;
            self.unread.add(&raw, UnreadReason::AmbiguousTag(text(&tag)));
        }
    }
}

/// Events that wait for no more lines, in the order of their lines; `None` means none for now.
impl Iterator for LogParser {
    type Item = LoggedEvent;

    fn next(&mut self) -> Option<LoggedEvent> {
        let queued = self.interpreter.pop()?;
        Some(LoggedEvent { event: queued.event, end: queued.end })
    }
}

/// Splits off a line, without its line feed; `None` if none ends here.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(memchr(b'\n', bytes)?)?;
    Some((line, rest.get(1..).unwrap_or_default()))
}

/// Removes NULs at the beginning, which a log has that was truncated while its writer continued at its old position.
fn without_nul(bytes: &[u8]) -> &[u8] {
    match bytes.first() {
        Some(0) => bytes.get(bytes.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default(),
        _ => bytes,
    }
}

/// Returns how much of a line is kept that begins like this.
fn max_bytes(line: &[u8]) -> usize {
    let is_json = matches!(line.first(), Some(b'{' | 0x1e)) || line.starts_with(b"data: {");
    if is_json { MAX_JSON_BYTES } else { MAX_LINE_BYTES }
}
