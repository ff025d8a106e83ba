//! The parser: bytes in, events out.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use memchr::memchr;

use super::clock::LogClock;
use super::event_queue::{EventQueue, Increase, QueuedEvent};
use super::failures::Failures;
use super::line::{ParsedLine, Prefix};
use super::message::LogMessage;
use super::origin::LogOrigin;
use super::unread::Unread;
use crate::event::readable::{bounded, readable};
use crate::event::{Ban, Event, EventDetails, Timestamp};

/// How much of a line is kept until it ends, in bytes. What matters is at its beginning.
const MAX_LINE_BYTES: usize = 64 << 10;

/// An event, and where in the log it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// The event; its id and its host are empty.
    pub event: Event,
    /// The end of its line: how many bytes had been fed up to there, counted from where the parser began.
    pub end: u64,
}

/// What a log consisted of, in lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogCounts {
    /// All whole lines.
    pub lines: u64,
    /// Failures.
    pub found: u64,
    /// Events.
    pub events: u64,
    /// Lines that are not fail2ban's own: the rest of a message of several lines, or another program's.
    pub foreign: u64,
    /// Lines that began and never ended: the log was truncated after them.
    pub unfinished: u64,
    /// Lines of more than 64 KiB, whose rest was not read.
    pub long: u64,
    /// `Increase Ban` lines whose ban had been handed out before.
    pub late: u64,
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
    clock: LogClock,
    failures: Failures,
    queue: EventQueue,
    /// The longest prefix that a line of this log had.
    prefix: Prefix,
    /// The beginning of a line that has not ended yet.
    line: Vec<u8>,
    /// The length of that line so far.
    line_bytes: u64,
    /// Where it begins.
    position: u64,
    /// The jail and the action of the last line that mattered, if that was a flush.
    flushed: Option<(Vec<u8>, Vec<u8>)>,
    counts: LogCounts,
    #[allow(dead_code, reason = "hosts and tags of lines come next")]
    origin: LogOrigin,
    unread: Option<Unread>,
}

impl LogParser {
    /// Makes a parser for a log in the local time of `zone`. `now` is the time of a line without one, and the year of a line
    /// that names none.
    #[must_use]
    pub fn new(zone: TimeZone, now: fn() -> Timestamp) -> Self {
        Self {
            clock: LogClock::new(zone, now),
            failures: Failures::default(),
            queue: EventQueue::default(),
            prefix: Prefix::None,
            line: Vec::new(),
            line_bytes: 0,
            position: 0,
            flushed: None,
            counts: LogCounts::default(),
            origin: LogOrigin::default(),
            unread: None,
        }
    }

    /// Sets where the log comes from. Call it before the first line.
    #[must_use]
    #[allow(dead_code, reason = "the sources set it")]
    pub(crate) fn with_origin(self, origin: LogOrigin) -> Self {
        Self { origin, ..self }
    }

    /// Returns the lines since the last one that was understood; `None` if there are none.
    #[must_use]
    #[allow(dead_code, reason = "the sources show it")]
    pub(crate) const fn unread(&self) -> Option<&Unread> {
        self.unread.as_ref()
    }

    /// Begins another file, at this byte of it: an unfinished line stays so, and the lines may have another prefix. Take all
    /// events first, after [`LogParser::resolve`].
    pub(crate) fn begin_at(&mut self, position: u64) {
        if self.line_bytes > 0 {
            self.counts.unfinished += 1;
        }
        self.line.clear();
        (self.line_bytes, self.position, self.prefix) = (0, position, Prefix::None);
    }

    /// Begins within a file that is read from there to count its failures: the first line may be the rest of one.
    pub(crate) fn begin_within(&mut self, position: u64) {
        self.begin_at(position);
    }

    /// Continues the same file at this byte of it, after what was read to count its failures: what its lines have shown
    /// stays.
    pub(crate) fn continue_at(&mut self, position: u64) {
        self.begin_at(position);
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
        self.queue.resolve();
    }

    /// Returns how long to wait for more lines before [`LogParser::resolve`]; `None` if nothing waits for them.
    #[must_use]
    pub(crate) fn resolve_timeout(&self) -> Option<Duration> {
        self.queue.timeout()
    }

    /// Returns the position up to which everything was handed out: a parser that begins there hands out the rest.
    #[must_use]
    pub(crate) fn position(&self) -> u64 {
        self.queue.first().map_or(self.position, |queued| queued.begin)
    }

    /// Returns the length of the line that has not ended yet, in bytes.
    #[must_use]
    pub(crate) const fn unfinished(&self) -> u64 {
        self.line_bytes
    }

    /// Returns what the log consisted of so far.
    #[must_use]
    pub(crate) const fn counts(&self) -> LogCounts {
        self.counts
    }

    fn buffer(&mut self, bytes: &[u8]) {
        self.line_bytes += bytes.len() as u64;
        let bytes = if self.line.is_empty() { without_nul(bytes) } else { bytes };
        let room = MAX_LINE_BYTES.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Ends a line of so many bytes, of which `line` was kept.
    fn end_line(&mut self, line: &[u8], bytes: u64) {
        let begin = self.position;
        self.position += bytes;
        self.counts.lines += 1;
        let line = without_nul(line);
        if line.len() >= MAX_LINE_BYTES {
            self.counts.long += 1;
        }
        let line = line.get(..MAX_LINE_BYTES).unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match ParsedLine::parse(line) {
            Some(line) if line.prefix >= self.prefix => {
                self.prefix = line.prefix;
                self.interpret(&line, begin);
            }
            _ => self.counts.foreign += 1,
        }
    }

    fn interpret(&mut self, line: &ParsedLine<'_>, begin: u64) {
        if self.queue.is_waiting()
            && let Some(at) = line.time.and_then(|time| self.clock.timestamp(time))
        {
            self.queue.resolve_before(at);
        }
        let message = LogMessage::parse(line.logger, line.message);
        if let Some(LogMessage::Found { jail, subject }) = message {
            self.counts.found += 1;
            if let Some(time) = line.time {
                self.clock.pass(time);
            }
            return self.failures.add(jail, subject);
        }
        let Some(message) = message else { return };
        let at = match line.time {
            Some(time) => self.clock.timestamp(time),
            None => Some(self.clock.now()),
        };
        match at {
            Some(at) => self.receive(message, at, begin),
            None => self.counts.foreign += 1,
        }
    }

    fn receive(&mut self, message: LogMessage<'_>, at: Timestamp, begin: u64) {
        let flushed = self.flushed.take();
        match message {
            LogMessage::Found { .. } => {}
            LogMessage::Ban { jail, subject, restored } => {
                let mut ban = Ban { subject: text(subject), restored, ..Ban::default() };
                let failures = self.failures.take(jail, subject);
                let jail = text(jail);
                // A restored ban has not failed again, and is not increased again.
                if !restored {
                    ban.failures = failures;
                    (ban.count, ban.duration) = self.queue.take_early_increase(&jail, &ban.subject, at).unzip();
                }
                let open = !restored && ban.count.is_none();
                self.push(jail, EventDetails::Ban(ban), at, begin, open);
            }
            LogMessage::Unban { jail, subject } => {
                let ban = Ban { subject: text(subject), ..Ban::default() };
                self.push(text(jail), EventDetails::Unban(ban), at, begin, false);
            }
            LogMessage::AlreadyBanned { jail, subject } => {
                self.failures.take(jail, subject);
            }
            LogMessage::Flush { jail, action } => {
                // Each action that can flush logs it; the jail is flushed once.
                let before = flushed.filter(|(before, _)| before == jail);
                if before.as_ref().is_none_or(|(_, first)| first == action) {
                    self.push(text(jail), EventDetails::Flush, at, begin, false);
                }
                self.flushed = before.or_else(|| Some((jail.to_vec(), action.to_vec())));
            }
            LogMessage::Increase { jail, subject, count, duration } => {
                let increase = Increase { jail: text(jail), subject: text(subject), count, duration, at };
                self.counts.late += u64::from(self.queue.increase(increase));
            }
            LogMessage::Start { jail } => self.push(text(&jail), EventDetails::Start, at, begin, false),
            LogMessage::Stop { jail } => self.push(text(&jail), EventDetails::Stop, at, begin, false),
        }
    }

    fn push(&mut self, jail: String, details: EventDetails, at: Timestamp, begin: u64, open: bool) {
        self.counts.events += 1;
        let event = Event { id: String::new(), at, host: String::new(), jail, details, labels: BTreeMap::new() };
        self.queue.push(QueuedEvent { event, begin, end: self.position }, open);
    }
}

/// Events that wait for no more lines, in the order of their lines; `None` means none for now.
impl Iterator for LogParser {
    type Item = LoggedEvent;

    fn next(&mut self) -> Option<LoggedEvent> {
        let queued = self.queue.pop()?;
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

/// Returns a jail or a subject as text, bounded.
fn text(bytes: &[u8]) -> String {
    bounded(readable(bytes))
}
