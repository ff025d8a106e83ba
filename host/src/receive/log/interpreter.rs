//! What fail2ban's messages come to: events, in the order of their lines, and failures that are counted until a ban.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::clock::{LineTime, LogClock};
use super::envelope::Envelope;
use super::event_queue::{EventQueue, Increase, QueuedEvent};
use super::failures::Failures;
use super::log_counts::LogCounts;
use super::message::LogMessage;
use super::origin::LogOrigin;
use crate::event::readable::{bounded, readable};
use crate::event::{Ban, Event, EventDetails, Timestamp};

/// Makes events of messages.
#[derive(Debug)]
pub(super) struct Interpreter {
    clock: LogClock,
    failures: Failures,
    queue: EventQueue,
    origin: LogOrigin,
    /// Where the last failure that came in an envelope ends.
    found_end: u64,
    /// The host, the jail and the action of the last line that mattered, if that was a flush.
    flushed: Option<(String, Vec<u8>, Vec<u8>)>,
    /// The second of the last line that could end the wait for bans.
    second: [u8; 19],
    /// Of all lines, those that have no message too.
    pub(super) counts: LogCounts,
}

impl Interpreter {
    /// Interprets messages at times in the local time of `zone`. `now` is the time of a line without one.
    pub(super) fn new(zone: TimeZone, now: fn() -> Timestamp) -> Self {
        Self {
            clock: LogClock::new(zone, now),
            failures: Failures::default(),
            queue: EventQueue::default(),
            origin: LogOrigin::default(),
            found_end: u64::MAX,
            flushed: None,
            second: [0; 19],
            counts: LogCounts::default(),
        }
    }

    /// Sets where the log comes from.
    pub(super) fn set_origin(&mut self, origin: LogOrigin) {
        self.origin = origin;
    }

    /// Returns the tag of fail2ban's lines.
    pub(super) fn tag(&self) -> Option<&str> {
        self.origin.tag.as_deref()
    }

    /// Begins another file.
    pub(super) const fn begin_file(&mut self) {
        self.found_end = u64::MAX;
    }

    /// Hands out the events that wait for more lines.
    pub(super) fn resolve(&mut self) {
        self.queue.resolve();
    }

    /// Returns how long to wait for more lines.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.queue.timeout()
    }

    /// Returns where the line of the first event begins that was not handed out.
    pub(super) fn begin(&self) -> Option<u64> {
        self.queue.first().map(|queued| queued.begin)
    }

    /// Returns the next event.
    pub(super) fn pop(&mut self) -> Option<QueuedEvent> {
        self.queue.pop()
    }

    /// Returns how far the last event was ahead of the clock, in ms, if that is worth a word.
    pub(super) const fn ahead_ms(&self) -> Option<i64> {
        self.clock.ahead_ms()
    }

    /// Counts a failure of a line without an envelope: nearly all lines are such.
    pub(super) fn found(&mut self, time: LineTime<'_>, jail: &[u8], subject: &[u8]) {
        self.resolve_before(Some(time), None);
        self.clock.pass(time);
        self.counts.found += 1;
        self.failures.add(self.origin.host(""), jail, subject);
    }

    /// Counts a failure that a line stands for so many times.
    pub(super) fn found_times(&mut self, host: &[u8], jail: &[u8], subject: &[u8], times: u32) {
        self.failures.add(self.origin.host(&readable(host)), jail, subject);
        self.failures.repeat(times.saturating_sub(1));
        self.counts.found += u64::from(times);
    }

    /// Counts the failure of the line before so many times again, if that was one and ended here.
    pub(super) fn repeat(&mut self, begin: u64, times: u32) {
        if self.found_end == begin {
            self.failures.repeat(times);
            self.counts.found += u64::from(times);
        }
    }

    /// Makes an event of a line's message, or counts it. `own` is the time of fail2ban's part; `message` is `None` if it does
    /// not matter.
    pub(super) fn read(
        &mut self,
        envelope: &Envelope<'_>,
        own: Option<LineTime<'_>>,
        message: Option<LogMessage<'_>>,
        place: (u64, u64),
    ) {
        self.resolve_before(own, envelope.time);
        let Some(message) = message else { return };
        let named = readable(envelope.host);
        let host = self.origin.host(&named);
        if let LogMessage::Found { jail, subject } = message {
            self.counts.found += 1;
            if let Some(time) = own.or(envelope.time) {
                self.clock.pass(time);
            }
            self.found_end = place.1;
            return self.failures.add(host, jail, subject);
        }
        let host = if host.is_empty() { String::new() } else { text(host.as_bytes()) };
        match self.clock.line_timestamp(own, envelope.time) {
            Some(at) => self.receive(message, host, at, place),
            // There is no such time.
            None => self.counts.damaged += 1,
        }
    }

    /// Ends the wait for bans too long before a line of this time. The lines of a second count as one: they are many.
    fn resolve_before(&mut self, own: Option<LineTime<'_>>, envelope: Option<LineTime<'_>>) {
        if !self.queue.is_waiting() || own.or(envelope).is_none() {
            return;
        }
        if let Some(LineTime::Local(second, _)) = own
            && std::mem::replace(&mut self.second, *second) == *second
        {
            return;
        }
        if let Some(at) = self.clock.line_timestamp(own, envelope) {
            self.queue.resolve_before(at);
        }
    }

    fn receive(&mut self, message: LogMessage<'_>, host: String, at: Timestamp, place: (u64, u64)) {
        let flushed = self.flushed.take();
        match message {
            LogMessage::Found { .. } => {}
            LogMessage::Ban { jail, subject, restored } => {
                let mut ban = Ban { subject: text(subject), restored, ..Ban::default() };
                let failures = self.failures.take(&host, jail, subject);
                let jail = text(jail);
                // A restored ban has not failed again, and is not increased again.
                if !restored {
                    ban.failures = failures;
                    let increase = self.queue.take_early_increase(&host, &jail, &ban.subject, at);
                    (ban.count, ban.duration) = increase.unzip();
                }
                let open = !restored && ban.count.is_none();
                self.push(host, jail, EventDetails::Ban(ban), at, place, open);
            }
            LogMessage::Unban { jail, subject } => {
                let ban = Ban { subject: text(subject), ..Ban::default() };
                self.push(host, text(jail), EventDetails::Unban(ban), at, place, false);
            }
            LogMessage::AlreadyBanned { jail, subject } => {
                self.failures.take(&host, jail, subject);
            }
            LogMessage::Flush { jail, action } => {
                // Each action that can flush logs it; the jail is flushed once.
                let before = flushed.filter(|(of, before, _)| *of == host && before == jail);
                if before.as_ref().is_none_or(|(_, _, first)| first == action) {
                    self.push(host.clone(), text(jail), EventDetails::Flush, at, place, false);
                }
                self.flushed = before.or_else(|| Some((host, jail.to_vec(), action.to_vec())));
            }
            LogMessage::Increase { jail, subject, count, duration } => {
                let increase = Increase { host, jail: text(jail), subject: text(subject), count, duration, at };
                self.counts.late += u64::from(self.queue.increase(increase));
            }
            LogMessage::Start { jail } => self.push(host, text(&jail), EventDetails::Start, at, place, false),
            LogMessage::Stop { jail } => self.push(host, text(&jail), EventDetails::Stop, at, place, false),
        }
    }

    fn push(
        &mut self,
        host: String,
        jail: String,
        details: EventDetails,
        at: Timestamp,
        place: (u64, u64),
        open: bool,
    ) {
        self.counts.events += 1;
        self.clock.compare(at);
        let event = Event { id: String::new(), at, host, jail, details, labels: BTreeMap::new() };
        self.queue.push(QueuedEvent { event, begin: place.0, end: place.1 }, open);
    }
}

/// Returns a jail or a subject as text, bounded.
pub(super) fn text(bytes: &[u8]) -> String {
    bounded(readable(bytes))
}
