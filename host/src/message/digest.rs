//! The built-in digest: many events in one message of a few lines, where no plugin formats them.
//!
//! The counts include events that the batch does not list. Foreign text stands in plain texts and spans only, and is cut,
//! so that the guard finds nothing to refuse.

use std::iter;
use std::time::Duration;

use blockkit::text::{cut, one_line};

use super::fallback::small_print;
use super::guard::Guarded;
use super::model::{Block, Message, Section, Span, Text};
use super::rich::utc;
use super::summary::{shown, span};
use super::target::Target;
use crate::event::{Batch, DigestCause, Row, Timestamp, Totals};
use crate::phrase::counted;

/// Subjects that are named.
const SUBJECTS: usize = 5;
/// How much of a jail's or subject's name is shown: an address, or network, of either family in the form that fail2ban
/// gives it. So a full tally of jails and the subjects below it fit into one section.
const NAME_MAX: usize = 48;

/// The storm setting of a route: more messages than `threshold` in the time are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StormLimit {
    /// Messages that still go out each by itself.
    pub threshold: u32,
    /// The time in which they are counted.
    pub within: Duration,
}

/// Returns the batch in a few lines: how many events, why they are grouped, their kinds, jails, subjects and times.
///
/// `storm`: the setting of the route, if it has one. `why` says which plugin failed to format the batch and how; it may
/// hold hostile text of any length.
#[must_use]
pub(crate) fn digest(batch: &Batch, storm: Option<StormLimit>, why: Option<&str>, target: Target) -> Guarded {
    let small_print = why.and_then(small_print).map(|why| Block::Context(vec![Text::Plain(why)]));
    let headline = headline(batch, storm);
    let mut spans = vec![Span::Bold(headline.clone())];
    for line in [kinds(&batch.totals), jails(batch), subjects(batch)].into_iter().filter(|line| !line.is_empty()) {
        spans.push(text("\n"));
        spans.extend(line);
    }
    let section = Block::Section(Section { text: Some(Text::Rich(spans)), fields: vec![] });
    let times = Block::Context(vec![Text::Rich(times(batch))]);
    let message = Message {
        text: Text::Plain(headline),
        blocks: [section, times].into_iter().chain(small_print).collect(),
        color: None,
        hints: vec![],
    };
    Guarded::own(&message, target, &format!("{} (grouped)", events(&batch.totals)))
}

/// `412 events on web-1 in 42 s (grouped: more than 8 in 60 s)`
fn headline(batch: &Batch, storm: Option<StormLimit>) -> String {
    let Batch { cause, totals, .. } = batch;
    let (events, place, within) = (events(totals), place(totals), within(batch));
    match cause {
        DigestCause::Held => match batch.key.as_deref().filter(|key| !key.trim().is_empty()) {
            Some(key) => format!("{events}{place} (grouped by the plugin as {})", shown(key)),
            None => format!("{events}{place} (grouped by the plugin)"),
        },
        DigestCause::Storm => match storm {
            Some(limit) => format!("{events}{place}{within} (grouped: {})", more_than(limit)),
            // A preview, or a route whose setting was removed.
            None => format!("{events}{place}{within} (grouped: too many at once)"),
        },
        DigestCause::Backlog => format!("{events}{place}{within} (grouped: more than the webhook accepts per minute)"),
        // A route that matches no starts sees only the bans.
        DigestCause::Restart if totals.stops == 0 && totals.starts == 0 => {
            format!("{events}: bans restored after a restart{place}")
        }
        DigestCause::Restart if totals.stops == 0 => format!("{events}: {} started{place}", was(totals)),
        DigestCause::Restart => format!("{events}: {} restarted{place}", was(totals)),
        DigestCause::Stop => format!("{events}: {} stopped{place}", was(totals)),
        DigestCause::Unbans | DigestCause::Other => format!("{events}{place} (grouped)"),
    }
}

/// `more than 8 in 60 s`
fn more_than(StormLimit { threshold, within }: StormLimit) -> String {
    // In seconds where a reader expects them: settings of a minute or two are usual.
    let within = match u32::try_from(within.as_secs()).unwrap_or(u32::MAX) {
        seconds @ ..=120 => format!("{seconds} s"),
        seconds => span(seconds),
    };
    format!("more than {threshold} in {within}")
}

/// The jail, if there is only one: others may be running.
fn was(totals: &Totals) -> String {
    match (totals.jails, totals.by_jail.first()) {
        (1, Some(jail)) => format!("jail {} was", shown(&jail.name)),
        _ => "fail2ban was".to_owned(),
    }
}

fn events(totals: &Totals) -> String {
    counted(totals.events, "event")
}

/// ` on web-1`; empty where no host has a name.
fn place(totals: &Totals) -> String {
    match (totals.hosts, totals.by_host.first()) {
        (0, _) | (_, None) => String::new(),
        (1, Some(host)) if host.name.trim().is_empty() => String::new(),
        (1, Some(host)) => format!(" on {}", shown(&host.name)),
        (hosts, Some(_)) => format!(" on {hosts} hosts"),
    }
}

/// ` in 42 s`; empty for a single moment.
fn within(batch: &Batch) -> String {
    match batch.last.0.saturating_sub(batch.first.0) {
        ..=0 => String::new(),
        1..1_000 => " within a second".to_owned(),
        ms => format!(" in {}", span(u32::try_from(ms / 1_000).unwrap_or(u32::MAX))),
    }
}

/// `409 bans (3 restored), 3 unbans`, after the jail's name where there is only one.
fn kinds(totals: &Totals) -> Vec<Span> {
    let bans = match (totals.bans, totals.restored) {
        (bans, 0) => counted(bans, "ban"),
        (bans, restored) if restored == bans => counted(bans, "restored ban"),
        (bans, restored) => format!("{} ({restored} restored)", counted(bans, "ban")),
    };
    let kinds = [
        (totals.bans, bans),
        (totals.unbans, counted(totals.unbans, "unban")),
        (
            totals.flushes,
            if totals.flushes == 1 { "1 flush".to_owned() } else { format!("{} flushes", totals.flushes) },
        ),
        (totals.stops, counted(totals.stops, "stop")),
        (totals.starts, counted(totals.starts, "start")),
    ];
    let kinds: Vec<String> = kinds.into_iter().filter_map(|(count, words)| (count > 0).then_some(words)).collect();
    if kinds.is_empty() {
        return Vec::new();
    }
    let kinds = kinds.join(", ");
    match (totals.jails, totals.by_jail.first()) {
        (1, Some(jail)) => vec![name(jail), text(format!(" {kinds}"))],
        _ => vec![text(kinds)],
    }
}

/// The jails, if there are several: a single one stands before the kinds.
fn jails(batch: &Batch) -> Vec<Span> {
    let Totals { jails, by_jail, .. } = &batch.totals;
    if *jails < 2 {
        return Vec::new();
    }
    let mut line = listed(by_jail.iter(), batch.cause);
    let more = jails.saturating_sub(u32::try_from(by_jail.len()).unwrap_or(u32::MAX));
    if more > 0 {
        line.push(text(format!(" and {}", counted(more, "more jail"))));
    }
    line
}

/// The subjects: all of them if they are few, else those that were seen more than once, most frequent first.
fn subjects(batch: &Batch) -> Vec<Span> {
    let Totals { subjects, by_subject, .. } = &batch.totals;
    let few = usize::try_from(*subjects).is_ok_and(|subjects| subjects <= SUBJECTS);
    // A restart lifts and restores every ban, so no subject stands out.
    if *subjects == 0 || !few && is_of_fail2ban(batch.cause) {
        return Vec::new();
    }
    let named = listed(by_subject.iter().filter(|row| few || row.events > 1).take(SUBJECTS), batch.cause);
    let subjects = counted(*subjects, "subject");
    let before = match named.len() {
        0 => subjects,
        _ if few => format!("{subjects}: "),
        _ => format!("{subjects}, most often "),
    };
    iter::once(text(before)).chain(named).collect()
}

/// Names in code with what is counted of them, a dot in between.
fn listed<'r>(rows: impl Iterator<Item = &'r Row>, cause: DigestCause) -> Vec<Span> {
    let mut line = Vec::new();
    for row in rows {
        let counts = counts(row, cause);
        line.extend((!line.is_empty()).then(|| text(" · ")));
        line.push(name(row));
        line.extend((!counts.is_empty()).then(|| text(format!(" {counts}"))));
    }
    line
}

/// `120 restored, 3 bans, 2 unbans`
fn counts(row: &Row, cause: DigestCause) -> String {
    let new = row.bans.saturating_sub(row.restored);
    let counts = [
        (row.restored, format!("{} restored", row.restored)),
        (new, counted(new, "ban")),
        (row.unbans, counted(row.unbans, "unban")),
    ];
    let counts: Vec<String> = counts.into_iter().filter_map(|(count, words)| (count > 0).then_some(words)).collect();
    // The headline says that jails started or stopped.
    if counts.is_empty() && !is_of_fail2ban(cause) { counted(row.events, "event") } else { counts.join(", ") }
}

fn is_of_fail2ban(cause: DigestCause) -> bool {
    matches!(cause, DigestCause::Restart | DigestCause::Stop)
}

/// From the first event to the last, each reader's own time.
fn times(batch: &Batch) -> Vec<Span> {
    let at = |at: Timestamp| Span::Date(at);
    if utc(batch.first) == utc(batch.last) {
        return vec![at(batch.first)];
    }
    vec![text("from "), at(batch.first), text(" to "), at(batch.last)]
}

/// A foreign name, as it is but for what hides.
fn name(row: &Row) -> Span {
    let name = one_line(&cut(&row.name, NAME_MAX));
    Span::Code(if name.trim().is_empty() { "(blank)".to_owned() } else { cut(&name, NAME_MAX).into_owned() })
}

fn text(text: impl Into<String>) -> Span {
    Span::Text(text.into())
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
