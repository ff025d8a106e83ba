//! Lowers events and batches: banhook's own types as those generated from `wit/`, within the bounds that `wit/` promises.

use std::collections::BTreeMap;

use super::bindings::banhook::plugin::types;
use super::bindings::exports::banhook::plugin::digester;
use crate::event::{
    Ban, BanDuration, Batch, DigestCause, Event, EventDetails, Family, LISTED_FIRST, LISTED_LAST, ROWS, Row,
    STORM_LABEL, STORM_OVER, Timestamp, Totals,
};

/// Matched log lines that a plugin gets at most, and bytes of each, as `wit/types.wit` promises.
const MATCHES: usize = 20;
const MATCH_BYTES: usize = 1_000;

/// Lowers an event.
pub(super) fn event(event: &Event) -> types::Event {
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
            EventDetails::Prolong(details) => {
                let name = event.kind().as_str().to_owned();
                types::Action::Other(types::OtherAction { name, ban: Some(ban(details)) })
            }
        },
        labels: labels(&event.labels),
    }
}

/// Lowers labels.
fn labels(labels: &BTreeMap<String, String>) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn ban(ban: &Ban) -> types::Ban {
    types::Ban {
        subject: Some(&ban.subject).filter(|subject| !subject.is_empty()).cloned(),
        family: match ban.family() {
            Family::Ipv4 => types::Family::Ipv4,
            Family::Ipv6 => types::Family::Ipv6,
            Family::Ipv4Network => types::Family::Ipv4Network,
            Family::Ipv6Network => types::Family::Ipv6Network,
            Family::Name => types::Family::Name,
            Family::Other => types::Family::Other,
        },
        failures: ban.failures.filter(|failures| *failures > 0),
        by_hand: ban.failures.map(|failures| failures == 0),
        count: ban.count,
        duration: ban.duration.map(|duration| match duration {
            BanDuration::Seconds(seconds) => types::Duration::Seconds(seconds),
            BanDuration::Permanent => types::Duration::Permanent,
        }),
        restored: ban.restored,
        began: ban.ticket_at.map(milliseconds),
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
            DigestCause::SameSubject | DigestCause::Restarts | DigestCause::Unbans | DigestCause::Other => {
                digester::Cause::Other
            }
        },
        first: milliseconds(batch.first),
        last: milliseconds(batch.last),
        totals: totals(&batch.totals),
        events: batch.events.iter().take(LISTED_FIRST + LISTED_LAST).map(event).collect(),
        labels: labels(&labels_of_batch(batch)),
    }
}

/// Returns the labels of a batch, which say what the interface has no case for.
fn labels_of_batch(batch: &Batch) -> BTreeMap<String, String> {
    let mut labels = batch.labels.clone();
    if batch.over {
        labels.insert(STORM_LABEL.to_owned(), STORM_OVER.to_owned());
    }
    if batch.cause == DigestCause::SameSubject {
        labels.insert("cause".to_owned(), batch.cause.as_str().to_owned());
    }
    if batch.continues {
        labels.insert("continues".to_owned(), true.to_string());
    }
    labels
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
        jails: totals.jails,
        hosts: totals.hosts,
        by_jail: tally(&totals.by_jail),
        by_host: tally(&totals.by_host),
        by_subject: tally(&totals.by_subject),
        by_tag: tally(&totals.by_tag),
        labels: vec![
            ("prolongs".to_owned(), totals.prolongs.to_string()),
            ("tags".to_owned(), totals.tags.to_string()),
        ],
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
