//! Lowers events and batches: banhook's own types as those generated from `wit/`, within the bounds that `wit/` promises.

use super::bindings::banhook::plugin::types;
use super::bindings::exports::banhook::plugin::digester;
use crate::event::{
    Ban, BanDuration, Batch, DigestCause, Event, EventDetails, Family, LISTED_FIRST, LISTED_LAST, ROWS, Row, Timestamp,
    Totals,
};

/// Matched log lines that a plugin gets at most, and bytes of each, as `wit/types.wit` promises.
const MATCHES: usize = 20;
const MATCH_BYTES: usize = 1_000;

/// Lowers an event.
pub(super) fn event(event: &Event) -> types::Event {
    let mut labels = event.labels.clone();
    if let Some(at) = event.ban().and_then(|ban| ban.ticket_at) {
        labels.insert("ticket-at".to_owned(), at.to_string());
    }
    types::Event {
        id: event.id.clone(),
        at: milliseconds(event.at),
        host: event.host.clone(),
        jail: event.jail.clone(),
        action: match &event.details {
            EventDetails::Start => types::Action::Start,
            EventDetails::Stop => types::Action::Stop,
            EventDetails::Flush => types::Action::Flush,
            EventDetails::Ban(details) => types::Action::Ban(ban(details)),
            EventDetails::Unban(details) => types::Action::Unban(ban(details)),
        },
        labels: labels.into_iter().collect(),
    }
}

fn ban(ban: &Ban) -> types::Ban {
    types::Ban {
        subject: ban.subject.clone(),
        family: match ban.family() {
            Family::Ipv4 => types::Family::Ipv4,
            Family::Ipv6 => types::Family::Ipv6,
            Family::Ipv4Network => types::Family::Ipv4Network,
            Family::Ipv6Network => types::Family::Ipv6Network,
            Family::Name => types::Family::Name,
            Family::Other => types::Family::Other,
        },
        failures: ban.failures,
        count: ban.count,
        duration: ban.duration.map(|duration| match duration {
            BanDuration::Seconds(seconds) => types::Duration::Seconds(seconds),
            BanDuration::Permanent => types::Duration::Permanent,
        }),
        restored: ban.restored,
        matches: ban
            .matches
            .iter()
            .take(MATCHES)
            .map(|line| line.get(..line.floor_char_boundary(MATCH_BYTES)).unwrap_or_default().to_owned())
            .collect(),
    }
}

/// Lowers a batch.
pub(super) fn batch(batch: &Batch) -> digester::Batch {
    digester::Batch {
        key: batch.key.clone(),
        cause: match batch.cause {
            DigestCause::Held => digester::Cause::Held,
            DigestCause::Storm => digester::Cause::Storm,
            DigestCause::Backlog => digester::Cause::Backlog,
            DigestCause::Restart => digester::Cause::Restart,
            DigestCause::Stop => digester::Cause::Stop,
            DigestCause::Unbans | DigestCause::Other => digester::Cause::Other,
        },
        first: milliseconds(batch.first),
        last: milliseconds(batch.last),
        totals: totals(&batch.totals),
        events: batch.events.iter().take(LISTED_FIRST + LISTED_LAST).map(event).collect(),
        labels: labels(batch),
    }
}

/// The labels, and the counts that the interface has no field for.
fn labels(batch: &Batch) -> Vec<(String, String)> {
    let mut labels = batch.labels.clone();
    for (name, count) in [("hosts", batch.totals.hosts), ("jails", batch.totals.jails)] {
        labels.insert(name.to_owned(), count.to_string());
    }
    labels.into_iter().collect()
}

fn totals(totals: &Totals) -> digester::Totals {
    let tally = |rows: &[Row]| rows.iter().take(ROWS).map(row).collect();
    digester::Totals {
        events: totals.events,
        starts: totals.starts,
        stops: totals.stops,
        flushes: totals.flushes,
        bans: totals.bans,
        restored: totals.restored,
        unbans: totals.unbans,
        subjects: totals.subjects,
        by_jail: tally(&totals.by_jail),
        by_host: tally(&totals.by_host),
        by_subject: tally(&totals.by_subject),
    }
}

fn row(row: &Row) -> digester::Tally {
    digester::Tally { name: row.name.clone(), events: row.events, bans: row.bans }
}

/// A time as plugins see it.
#[allow(clippy::cast_precision_loss, reason = "exact for every year that a timestamp can show")]
pub(super) const fn milliseconds(at: Timestamp) -> f64 {
    at.0 as f64
}
