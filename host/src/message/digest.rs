//! The built-in digest: many events in one message of a few lines, where no plugin formats them.
//!
//! The counts include events that the batch does not list. Foreign text stands in plain texts and spans only, and is cut,
//! so that the guard finds nothing to refuse.

use std::borrow::Cow;
use std::iter;
use std::time::Duration;

use blockkit::text::{cut, one_line};

use super::facts::Facts;
use super::fallback;
use super::guard::{Guarded, Policy, lowered};
use super::guard_error::GuardError;
use super::hints::Hints;
use super::model::{Block, ContextElement, Date, DateFormat, Message, Section, Span, Text};
use super::rich::utc;
use super::sanitizer::Sanitizer;
use super::summary::{shown, span};
use super::target::Target;
use crate::event::{Batch, DigestCause, Row, Timestamp, Totals};
use crate::phrase::{counted, listed};

/// How much of a jail's or subject's name is shown: an address, or network, of either family in the form that fail2ban
/// gives it. So a full tally fits into one section.
const NAME_MAX: usize = 48;

/// The storm setting of a route: more messages than `threshold` in the time are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StormLimit {
    /// Messages that still go out each by itself.
    pub threshold: u32,
    /// The time in which they are counted.
    pub within: Duration,
}

/// Returns the body of a plugin's message about a batch; banhook's own text with the plugin's color and hints, if one of the
/// hints asks for that.
///
/// # Errors
/// As `guard`.
pub(crate) fn guard_digest(
    decided: &Message,
    batch: &Batch,
    storm: Option<StormLimit>,
    policy: &Policy,
) -> Result<Guarded, GuardError> {
    let (message, sanitizer) = plugin_digest(decided, batch, storm, policy);
    lowered(&message, &sanitizer, Some(Facts::Batch(batch)), policy.target)
}

/// Returns what goes out for a plugin's message about a batch, and with regard to what its markup is sanitized.
pub(super) fn plugin_digest<'m>(
    decided: &'m Message,
    batch: &Batch,
    storm: Option<StormLimit>,
    policy: &Policy,
) -> (Cow<'m, Message>, Sanitizer) {
    if !Hints::of(decided).built_in_digest {
        return (Cow::Borrowed(decided), Sanitizer::for_batch(batch, policy.mentions));
    }
    let (color, hints) = (decided.color, decided.hints.clone());
    let message = Message { color, hints, ..digest_message(batch, storm, None) };
    (Cow::Owned(message), Sanitizer::new([], false))
}

/// Returns the batch in a few lines: what happened, jails and subjects, and in small print why the events are grouped, and
/// their times.
///
/// `storm`: the setting of the route, if it has one. `why` says which plugin failed to format the batch and how; it may
/// hold hostile text of any length.
#[must_use]
pub(crate) fn digest(batch: &Batch, storm: Option<StormLimit>, why: Option<&str>, target: Target) -> Guarded {
    let message = digest_message(batch, storm, why);
    Guarded::own(&message, Some(Facts::Batch(batch)), target, &counted(batch.totals.events, "event"))
}

/// Returns the message of [`digest`].
pub(super) fn digest_message(batch: &Batch, storm: Option<StormLimit>, why: Option<&str>) -> Message {
    let headline = headline(batch);
    let section = |spans| Block::Section(Section { text: Some(Text::Rich(spans)), ..Section::default() });
    let mut first = headline.clone();
    let jails = jails(batch);
    if !jails.is_empty() {
        first.push(text("\n"));
        first.extend(jails);
    }
    // In sections of their own: the tallies together may be longer than one holds.
    let tallies = [subjects(batch), hosts(batch)].into_iter().filter(|line| !line.is_empty()).map(section);
    let context = Block::Context(vec![ContextElement::Text(Text::Rich(reason_and_times(batch, storm)))]);
    let why =
        why.and_then(fallback::small_print).map(|why| Block::Context(vec![ContextElement::Text(Text::Plain(why))]));
    Message {
        text: Text::Rich(headline),
        blocks: [section(first)].into_iter().chain(tallies).chain([context]).chain(why).collect(),
        ..Message::default()
    }
}

/// `⛔ 46 more bans on `web-1` in 42 s`, `🔁 fail2ban restarted on `web-1`: 4 jails, 54 bans restored`
fn headline(batch: &Batch) -> Vec<Span> {
    let totals = &batch.totals;
    let Totals { starts, stops, restored, unbans, .. } = *totals;
    let mut line = vec![text(format!("{} ", emoji(batch)))];
    let also = if batch.continues { "also " } else { "" };
    if let Some((subject, verb)) = subject_and_verb(batch) {
        line.extend([name(subject), text(format!(" {also}{verb}"))]);
        line.extend(place(totals));
        line.push(text(within(batch)));
        return line;
    }
    // A route that matches neither stops nor starts sees only the bans.
    if batch.cause == DigestCause::Restart && stops == 0 && starts == 0 && restored > 0 {
        line.push(text(format!("{} after a restart", lifted_and_restored(totals))));
        line.extend(place(totals));
        return line;
    }
    let verb = match batch.cause {
        DigestCause::Restart if stops == 0 && starts > 0 => "started",
        DigestCause::Restart => "restarted",
        DigestCause::Stop => "stopped",
        cause => {
            if batch.over {
                line.push(text("Storm over: "));
            }
            line.push(text(kinds(totals, cause == DigestCause::Storm || batch.continues)));
            line.extend(place(totals));
            line.push(text(within(batch)));
            return line;
        }
    };
    let one_jail = totals.by_jail.first().filter(|_| totals.jails == 1);
    match one_jail {
        // Others may be running.
        Some(jail) => line.extend([text("Jail "), name(jail), text(format!(" {also}{verb}"))]),
        None => line.push(text(format!("fail2ban {also}{verb}"))),
    }
    line.extend(place(totals));
    let jails = match (starts, stops) {
        _ if one_jail.is_some() => String::new(),
        (1.., _) if starts < stops => format!("{starts} of {stops} jails started"),
        _ => counted(totals.jails, "jail"),
    };
    let bans = if restored > 0 || unbans > 0 { lifted_and_restored(totals) } else { String::new() };
    let details: Vec<_> = [jails, bans].into_iter().filter(|part| !part.is_empty()).collect();
    if !details.is_empty() {
        line.push(text(format!(": {}", details.join(", "))));
    }
    line
}

/// The one subject of a batch that is grouped by that, and what happened to it. `None`: it is not, or the subject is not named.
fn subject_and_verb(batch: &Batch) -> Option<(&Row, &'static str)> {
    let totals = &batch.totals;
    let subject =
        totals.by_subject.first().filter(|_| batch.cause == DigestCause::SameSubject && totals.subjects == 1)?;
    let verbs = [(totals.bans, "banned"), (totals.unbans, "unbanned"), (totals.prolongs, "banned for longer")];
    verbs.into_iter().find(|(count, _)| *count == totals.events).map(|(_, verb)| (subject, verb))
}

/// The emoji of the single message about the most serious of the events.
fn emoji(batch: &Batch) -> &'static str {
    let totals = &batch.totals;
    match batch.cause {
        DigestCause::Restart if totals.stops == 0 && totals.starts > 0 => "🟢",
        DigestCause::Restart => "🔁",
        DigestCause::Stop => "🟠",
        _ if batch.over => "✅",
        _ if totals.bans > totals.restored => "⛔",
        _ if totals.stops > 0 => "🟠",
        _ if totals.restored > 0 => "🔁",
        _ if totals.unbans > 0 => "🔓",
        _ if totals.flushes > 0 => "🧹",
        _ if totals.prolongs > 0 => "⏳",
        _ => "🟢",
    }
}

/// `54 bans restored`; also how many were lifted, if not all of these are restored.
fn lifted_and_restored(Totals { restored, unbans, .. }: &Totals) -> String {
    match (*restored, *unbans) {
        (0, unbans) => format!("{} lifted", counted(unbans, "ban")),
        (restored, unbans) if unbans > restored => format!("{} lifted, {restored} restored", counted(unbans, "ban")),
        (restored, _) => format!("{} restored", counted(restored, "ban")),
    }
}

/// `46 more bans (3 restored), 2 unbans and 1 jail start`
fn kinds(totals: &Totals, more: bool) -> String {
    let bans = if totals.restored == totals.bans { "restored ban" } else { "ban" };
    let kinds = [
        (totals.bans, bans, "s"),
        (totals.unbans, "unban", "s"),
        (totals.prolongs, "prolonged ban", "s"),
        (totals.flushes, "flush", "es"),
        (totals.stops, "jail stop", "s"),
        (totals.starts, "jail start", "s"),
    ];
    let mut counts: Vec<String> = Vec::new();
    for (count, noun, plural) in kinds.into_iter().filter(|(count, ..)| *count > 0) {
        let more = if more && counts.is_empty() { "more " } else { "" };
        let restored = match totals.restored {
            1.. if noun == "ban" => format!(" ({} restored)", totals.restored),
            _ => String::new(),
        };
        counts.push(format!("{count} {more}{noun}{}{restored}", if count == 1 { "" } else { plural }));
    }
    if counts.is_empty() {
        return counted(totals.events, "event");
    }
    listed(counts.iter().map(String::as_str), "and")
}

/// ` on `web-1``; nothing where no host has a name.
fn place(totals: &Totals) -> Vec<Span> {
    match (totals.hosts, totals.by_host.first()) {
        (0, _) | (_, None) => Vec::new(),
        (1, Some(host)) if host.name.trim().is_empty() => Vec::new(),
        (1, Some(host)) => vec![text(" on "), name(host)],
        (hosts, Some(_)) => vec![text(format!(" on {hosts} hosts"))],
    }
}

/// ` in 42 s`; nothing for a single event.
fn within(batch: &Batch) -> String {
    if batch.totals.events < 2 {
        return String::new();
    }
    // Rounded up: what happens in one moment happens within a second.
    let seconds = batch.last.0.saturating_sub(batch.first.0).saturating_add(999) / 1_000;
    format!(" in {}", span(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)))
}

/// The jails with their counts, if there are several. A single one stands before the subjects.
fn jails(batch: &Batch) -> Vec<Span> {
    let Totals { jails, by_jail, .. } = &batch.totals;
    if *jails < 2 {
        return Vec::new();
    }
    let mut line = tally(by_jail, |jail| match is_of_fail2ban(batch.cause) {
        true => restart_counts(jail),
        false => counts(jail),
    });
    let more = jails.saturating_sub(u32::try_from(by_jail.len()).unwrap_or(u32::MAX));
    if more > 0 {
        line.push(text(format!(" and {}", counted(more, "more jail"))));
    }
    line
}

/// The subjects, those with most events first, and how many more there are.
fn subjects(batch: &Batch) -> Vec<Span> {
    let Totals { subjects, jails, by_jail, by_subject, .. } = &batch.totals;
    let more = subjects.saturating_sub(u32::try_from(by_subject.len()).unwrap_or(u32::MAX));
    let is_of_fail2ban = is_of_fail2ban(batch.cause);
    let mut line = match by_jail.first() {
        Some(jail) if *jails == 1 && !is_of_fail2ban => vec![name(jail)],
        _ => Vec::new(),
    };
    // The headline names the only one.
    if subject_and_verb(batch).is_some() {
        return line;
    }
    // A restart lifts and restores every ban, so none of many stands out.
    if by_subject.is_empty() || more > 0 && is_of_fail2ban {
        return line;
    }
    if !line.is_empty() {
        line.push(text(": "));
    }
    let alike = are_alike(&batch.totals);
    let is_lifted = |row: &Row| batch.totals.restored > 0 && row.restored == 0 && row.unbans > 0;
    line.extend(tally(by_subject, |row| match () {
        () if is_of_fail2ban && is_lifted(row) => "lifted".to_owned(),
        // A name without a count is that of one ban.
        () if is_of_fail2ban || row.events == 1 && (alike || row.bans > row.restored) => String::new(),
        () => counts(row),
    }));
    if more > 0 {
        line.push(text(format!(" and {more} more")));
    }
    line
}

/// The hosts, where the same happened on several.
fn hosts(batch: &Batch) -> Vec<Span> {
    let Totals { hosts, by_host, .. } = &batch.totals;
    let is_of_fail2ban = is_of_fail2ban(batch.cause);
    if *hosts < 2 || !(is_of_fail2ban || batch.cause == DigestCause::SameSubject || batch.continues) {
        return Vec::new();
    }
    let mut line = vec![text("on ")];
    line.extend(tally(by_host, |row| match () {
        () if is_of_fail2ban => restart_counts(row),
        // A name without a count is that of one event.
        () if row.events == 1 => String::new(),
        () => counts(row),
    }));
    let more = hosts.saturating_sub(u32::try_from(by_host.len()).unwrap_or(u32::MAX));
    line.extend((more > 0).then(|| text(format!(" and {more} more"))));
    line
}

/// Whether a name alone says what happened to it, once.
fn are_alike(totals: &Totals) -> bool {
    let kinds = [totals.bans.saturating_sub(totals.restored), totals.restored, totals.unbans];
    kinds.into_iter().filter(|count| *count > 0).count() == 1
}

/// Names in code with what is counted of them, a dot in between.
fn tally<'r>(rows: impl IntoIterator<Item = &'r Row>, counts: impl Fn(&Row) -> String) -> Vec<Span> {
    let mut line = Vec::new();
    for row in rows {
        let counts = counts(row);
        line.extend((!line.is_empty()).then(|| text(" · ")));
        line.push(name(row));
        line.extend((!counts.is_empty()).then(|| text(format!(" {counts}"))));
    }
    line
}

/// `120 restored, 3 bans, 2 unbans`
fn counts(row: &Row) -> String {
    let new = row.bans.saturating_sub(row.restored);
    let counts = [
        (row.restored, format!("{} restored", row.restored)),
        (new, counted(new, "ban")),
        (row.unbans, counted(row.unbans, "unban")),
    ];
    let counts: Vec<String> = counts.into_iter().filter_map(|(count, words)| (count > 0).then_some(words)).collect();
    if counts.is_empty() { counted(row.events, "event") } else { counts.join(", ") }
}

/// `120 restored`; also how many were lifted, if not all of these are restored. Nothing for a jail without bans: the
/// headline says that it started or stopped.
fn restart_counts(row: &Row) -> String {
    match (row.restored, row.unbans) {
        (0, 0) => String::new(),
        (0, unbans) => format!("{unbans} lifted"),
        (restored, unbans) if unbans > restored => format!("{unbans} lifted, {restored} restored"),
        (restored, _) => format!("{restored} restored"),
    }
}

fn is_of_fail2ban(cause: DigestCause) -> bool {
    matches!(cause, DigestCause::Restart | DigestCause::Stop)
}

/// `more than 8 messages in 60 s · from … to …`: why the events are grouped, and their times.
fn reason_and_times(batch: &Batch, storm: Option<StormLimit>) -> Vec<Span> {
    let reason = match batch.cause {
        DigestCause::Held => match batch.key.as_deref().filter(|key| !key.trim().is_empty()) {
            Some(key) => {
                let key = [text("grouped by the plugin as "), Span::code(shown(key)), text(" · ")];
                return key.into_iter().chain(times(batch)).collect();
            }
            None => "grouped by the plugin".to_owned(),
        },
        DigestCause::Storm => match storm {
            Some(limit) => more_than(limit),
            // A preview, or a route whose setting was removed.
            None => "too many messages at once".to_owned(),
        },
        DigestCause::Backlog => "more messages than the webhook accepts per minute".to_owned(),
        DigestCause::Restart | DigestCause::Stop => counted(batch.totals.events, "event"),
        DigestCause::SameSubject => "grouped by subject".to_owned(),
        DigestCause::Restarts | DigestCause::Unbans | DigestCause::Other => return times(batch),
    };
    iter::once(text(format!("{reason} · "))).chain(times(batch)).collect()
}

/// `more than 8 messages in 60 s`
fn more_than(StormLimit { threshold, within }: StormLimit) -> String {
    // In seconds where a reader expects them: settings of a minute or two are usual.
    let within = match u32::try_from(within.as_secs()).unwrap_or(u32::MAX) {
        seconds @ ..=120 => format!("{seconds} s"),
        seconds => span(seconds),
    };
    format!("more than {} in {within}", counted(threshold, "message"))
}

/// From the first event to the last, each reader's own time.
fn times(batch: &Batch) -> Vec<Span> {
    let at = |at: Timestamp| Span::Date(Date { at, format: DateFormat::DateTime });
    if utc(batch.first) == utc(batch.last) {
        return vec![at(batch.first)];
    }
    vec![text("from "), at(batch.first), text(" to "), at(batch.last)]
}

/// A foreign name, as it is but for what hides.
fn name(row: &Row) -> Span {
    let name = one_line(&cut(&row.name, NAME_MAX));
    Span::code(if name.trim().is_empty() { "(blank)".to_owned() } else { cut(&name, NAME_MAX).into_owned() })
}

fn text(text: impl Into<String>) -> Span {
    Span::text(text)
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
