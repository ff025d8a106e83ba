//! Bytes in, events out.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::tz::TimeZone;
use memchr::memchr;

use super::clock::{Clock, LineTime};
use super::failures::Failures;
use super::line::{ParsedLine, Shape};
use super::message::LogMessage;
use crate::event::readable::{MAX_TEXT_BYTES, cut, readable};
use crate::event::{Ban, BanDuration, Event, EventDetails, Timestamp};

/// How much of a line is kept until its end comes, in bytes. What matters stands at its front.
const MAX_LINE_BYTES: usize = 64 << 10;

/// How far later than a ban, by the log's own time, its `Increase Ban` may come, in ms.
const INCREASE_WITHIN_MS: i64 = 1_000;

/// How many events at most wait behind a ban whose `Increase Ban` may still come.
const MAX_HELD: u64 = 256;

/// How many `Increase Ban` are remembered that came before their ban.
const MAX_EARLY: usize = 16;

/// How many jails are remembered to have had an `Increase Ban`.
const MAX_JAILS: usize = 1_024;

/// How long a ban waits for an `Increase Ban` if nothing else comes: fail2ban takes some milliseconds.
const PATIENCE: Duration = Duration::from_millis(20);

/// The same in a jail that had one before: there, most bans are followed by one.
const MUCH_PATIENCE: Duration = Duration::from_millis(250);

/// An event, and where in the log it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Its id is empty, and so is its host.
    pub event: Event,
    /// The end of its line: how many bytes had been fed up to there, counted from where the parser was told to begin.
    pub end: u64,
}

/// What a log consisted of, in lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogCounts {
    /// All whole lines.
    pub lines: u64,
    /// Failures.
    pub found: u64,
    /// Events.
    pub events: u64,
    /// Lines that are not fail2ban's own: the rest of a message of several lines, or another program's.
    pub foreign: u64,
    /// Lines that began and never ended: the log was cut off behind them.
    pub unfinished: u64,
    /// Lines of more than 64 KiB, of which the rest was not looked at.
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
/// parser.settle();
/// let event = parser.next().unwrap().event;
/// assert_eq!(event.ban().unwrap().subject, "203.0.113.7");
/// assert_eq!(event.at.to_string(), "2026-11-22T11:56:55.601Z");
/// ```
#[derive(Debug)]
pub struct LogParser {
    clock: Clock,
    failures: Failures,
    /// The most that a line of this log showed of itself.
    shape: Shape,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// How long that line is by now.
    line_bytes: u64,
    /// Where it begins.
    position: u64,
    /// Events in the order of their lines, until they are taken.
    queue: VecDeque<Queued>,
    /// How many have been taken: the number of the first in the queue.
    taken: u64,
    /// The numbers of bans whose `Increase Ban` may still come.
    open: VecDeque<u64>,
    /// `Increase Ban` lines whose ban has not come yet.
    early: VecDeque<Increase>,
    /// Jails in which bans have been increased.
    increasing: HashSet<Vec<u8>>,
    /// The jail and the action of the last line that mattered, if that was a flush.
    flushed: Option<(Vec<u8>, Vec<u8>)>,
    counts: LogCounts,
}

#[derive(Debug)]
struct Queued {
    event: Event,
    begin: u64,
    end: u64,
}

#[derive(Debug)]
struct Increase {
    jail: String,
    subject: String,
    count: u32,
    duration: BanDuration,
    at: Timestamp,
}

impl LogParser {
    /// For a log in the local time of `zone`. Lines without a time, and years, are settled by `now`.
    #[must_use]
    pub fn new(zone: TimeZone, now: fn() -> Timestamp) -> Self {
        Self {
            clock: Clock::new(zone, now),
            failures: Failures::default(),
            shape: Shape::Bare,
            line: Vec::new(),
            line_bytes: 0,
            position: 0,
            queue: VecDeque::new(),
            taken: 0,
            open: VecDeque::new(),
            early: VecDeque::new(),
            increasing: HashSet::new(),
            flushed: None,
            counts: LogCounts::default(),
        }
    }

    /// What is fed from now on is another file, from this byte of it: the unfinished line stays so, and its format may
    /// be another. Take all events first, after [`LogParser::settle`].
    pub fn begin_at(&mut self, position: u64) {
        if self.line_bytes > 0 {
            self.counts.unfinished += 1;
        }
        self.line.clear();
        (self.line_bytes, self.position, self.shape) = (0, position, Shape::Bare);
    }

    /// Reads on.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        if self.line_bytes > 0 {
            let Some((rest, after)) = split_line(bytes) else { return self.keep(bytes) };
            self.keep(rest);
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
            self.keep(bytes);
        }
    }

    /// No more comes for now: what was waiting for more is handed out.
    pub fn settle(&mut self) {
        self.open.clear();
    }

    /// How long to wait for more before [`LogParser::settle`]; `None` if nothing is waiting for it.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let much = self.increasing.contains(self.queued(*self.open.front()?)?.event.jail.as_bytes());
        Some(if much { MUCH_PATIENCE } else { PATIENCE })
    }

    /// Up to where everything has been handed out: begun there, another parser hands out the rest.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.queue.front().map_or(self.position, |queued| queued.begin)
    }

    /// How much of a line is there that has not ended yet, in bytes.
    #[must_use]
    pub const fn unfinished(&self) -> u64 {
        self.line_bytes
    }

    /// What there was so far.
    #[must_use]
    pub const fn counts(&self) -> LogCounts {
        self.counts
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.line_bytes += bytes.len() as u64;
        let bytes = if self.line.is_empty() { without_nul(bytes) } else { bytes };
        let room = MAX_LINE_BYTES.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// A whole line, of which `line` is what is known.
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
            Some(line) if line.shape >= self.shape => {
                self.shape = line.shape;
                self.understand(&line, begin);
            }
            _ => self.counts.foreign += 1,
        }
    }

    fn understand(&mut self, line: &ParsedLine<'_>, begin: u64) {
        if !self.open.is_empty() {
            self.close_old(line.at);
        }
        let message = LogMessage::parse(line.logger, line.message);
        if let Some(LogMessage::Found { jail, subject }) = message {
            self.counts.found += 1;
            if let Some(at) = line.at {
                self.clock.pass(at);
            }
            return self.failures.add(jail, subject);
        }
        let Some(message) = message else { return };
        let at = match line.at {
            Some(stamp) => self.clock.at(stamp),
            None => Some(self.clock.now()),
        };
        match at {
            Some(at) => self.take(message, at, begin),
            None => self.counts.foreign += 1,
        }
    }

    fn take(&mut self, message: LogMessage<'_>, at: Timestamp, begin: u64) {
        let flushed = self.flushed.take();
        match message {
            LogMessage::Found { .. } => {}
            LogMessage::Ban { jail, subject, restored } => {
                let mut ban = Ban { subject: text(subject), restored, ..Ban::default() };
                let failures = self.failures.take(jail, subject);
                let jail = text(jail);
                // What fail2ban restores has not failed again, and is not increased again.
                if !restored {
                    ban.failures = failures;
                    (ban.count, ban.duration) = self.take_early(&jail, &ban.subject, at).unzip();
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
                // Each action that can do it says so; the jail is flushed once.
                let before = flushed.filter(|(before, _)| before == jail);
                if before.as_ref().is_none_or(|(_, first)| first == action) {
                    self.push(text(jail), EventDetails::Flush, at, begin, false);
                }
                self.flushed = before.or_else(|| Some((jail.to_vec(), action.to_vec())));
            }
            LogMessage::Increase { jail, subject, count, duration } => {
                if self.increasing.len() < MAX_JAILS {
                    self.increasing.insert(jail.to_vec());
                }
                self.increase(Increase { jail: text(jail), subject: text(subject), count, duration, at });
            }
            LogMessage::Start { jail } => self.push(text(&jail), EventDetails::Start, at, begin, false),
            LogMessage::Stop { jail } => self.push(text(&jail), EventDetails::Stop, at, begin, false),
        }
    }

    fn push(&mut self, jail: String, details: EventDetails, at: Timestamp, begin: u64, open: bool) {
        self.counts.events += 1;
        let number = self.taken + self.queue.len() as u64;
        let event = Event { id: String::new(), at, host: String::new(), jail, details, labels: BTreeMap::new() };
        self.queue.push_back(Queued { event, begin, end: self.position });
        if open {
            self.open.push_back(number);
        }
        while self.open.pop_front_if(|first| *first + MAX_HELD <= number).is_some() {}
    }

    fn queued(&self, number: u64) -> Option<&Queued> {
        self.queue.get(usize::try_from(number.checked_sub(self.taken)?).ok()?)
    }

    /// Closes the bans that lie too far before a line.
    fn close_old(&mut self, stamp: Option<LineTime<'_>>) {
        let Some(at) = stamp.and_then(|stamp| self.clock.at(stamp)) else { return };
        while let Some(first) = self.open.front()
            && self.queued(*first).is_none_or(|queued| queued.event.at.plus_ms(INCREASE_WITHIN_MS) < at)
        {
            self.open.pop_front();
        }
    }

    fn increase(&mut self, increase: Increase) {
        let is_it = |queued: &Queued| {
            let subject = queued.event.ban().map(|ban| &ban.subject);
            subject == Some(&increase.subject) && queued.event.jail == increase.jail
        };
        let ban = self.open.iter().rposition(|number| self.queued(*number).is_some_and(is_it));
        if let Some(number) = ban.and_then(|index| self.open.remove(index)) {
            let index = usize::try_from(number - self.taken).unwrap_or(usize::MAX);
            if let Some(Queued { event: Event { details: EventDetails::Ban(ban), .. }, .. }) = self.queue.get_mut(index)
            {
                (ban.count, ban.duration) = (Some(increase.count), Some(increase.duration));
            }
            return;
        }
        self.early.push_back(increase);
        if self.early.len() > MAX_EARLY {
            self.early.pop_front();
            self.counts.late += 1;
        }
    }

    /// What was said of a ban just before it.
    fn take_early(&mut self, jail: &str, subject: &str, at: Timestamp) -> Option<(u32, BanDuration)> {
        let is_it = |early: &Increase| {
            early.jail == jail && early.subject == subject && early.at.plus_ms(INCREASE_WITHIN_MS) >= at
        };
        let early = self.early.iter().position(is_it).and_then(|index| self.early.remove(index))?;
        Some((early.count, early.duration))
    }
}

/// Events that wait for nothing more, in the order of their lines; `None` means none for now.
impl Iterator for LogParser {
    type Item = LoggedEvent;

    fn next(&mut self) -> Option<LoggedEvent> {
        if self.open.front() == Some(&self.taken) {
            return None;
        }
        let queued = self.queue.pop_front()?;
        self.taken += 1;
        Some(LoggedEvent { event: queued.event, end: queued.end })
    }
}

/// A line without its line feed, and what follows; `None` if no line ends here.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(memchr(b'\n', bytes)?)?;
    Some((line, rest.get(1..).unwrap_or_default()))
}

/// A log that was cut to nothing while its writer went on at its old place begins with NULs.
fn without_nul(bytes: &[u8]) -> &[u8] {
    match bytes.first() {
        Some(0) => bytes.get(bytes.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default(),
        _ => bytes,
    }
}

/// A jail or a subject, bounded.
fn text(bytes: &[u8]) -> String {
    let text = readable(bytes);
    if text.len() <= MAX_TEXT_BYTES { text.into_owned() } else { format!("{}…", cut(&text, MAX_TEXT_BYTES)) }
}
