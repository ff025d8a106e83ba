//! Sample events and batches, for `check` and for the tests.

use crate::bindings::banhook::plugin::geo::Place;
use crate::bindings::banhook::plugin::types::{Action, Ban, Duration, Event, Family};
use crate::bindings::exports::banhook::plugin::digester::{Batch, Cause, Tally, Totals};
use crate::variables::HostCalls;

/// 2026-11-22T10:56:55.601Z
const AT: f64 = 1_795_345_015_601.0;

/// A host without settings that knows where every subject is registered.
pub const HOST: HostCalls = HostCalls { setting: |_| None, lookup: |_| Some(place()) };

/// A host that knows nothing.
pub const SILENT_HOST: HostCalls = HostCalls { setting: |_| None, lookup: |_| None };

/// The place of an address, with all fields.
fn place() -> Place {
    Place {
        country: Some("DE".to_owned()),
        country_name: Some("Germany".to_owned()),
        as_number: Some(64_496),
        as_name: Some("Example Net".to_owned()),
        labels: Vec::new(),
    }
}

/// A batch of a storm in several jails on two hosts.
pub fn batch() -> Batch {
    let row = |name: &str, events, bans| Tally { name: name.to_owned(), events, bans };
    Batch {
        key: None,
        cause: Cause::Storm,
        first: AT,
        last: AT + 42_000.0,
        totals: Totals {
            events: 47,
            starts: 0,
            stops: 0,
            flushes: 0,
            bans: 46,
            restored: 2,
            unbans: 1,
            subjects: 44,
            jails: 5,
            hosts: 2,
            by_jail: vec![row("sshd", 40, 40), row("nginx", 7, 6)],
            by_host: vec![row("web-1", 46, 45), row("*web*", 1, 1)],
            by_subject: vec![row("203.0.113.7", 3, 3), row("203.0.113.8", 1, 1)],
            by_tag: Vec::new(),
            labels: Vec::new(),
        },
        events: vec![event(Action::Ban(ban()))],
        labels: vec![("site".to_owned(), "fra1".to_owned())],
    }
}

/// A batch of which nothing is known but that events were grouped.
pub fn bare_batch() -> Batch {
    let Batch { totals, .. } = batch();
    let (by_jail, by_host, by_subject) = (Vec::new(), Vec::new(), Vec::new());
    Batch {
        cause: Cause::Other,
        last: AT,
        totals: Totals {
            bans: 0,
            restored: 0,
            unbans: 0,
            subjects: 0,
            jails: 0,
            hosts: 0,
            by_jail,
            by_host,
            by_subject,
            ..totals
        },
        events: Vec::new(),
        labels: Vec::new(),
        ..batch()
    }
}

/// An event with all fields.
pub fn event(action: Action) -> Event {
    Event {
        id: "1".to_owned(),
        host: "web-1".to_owned(),
        labels: vec![("site".to_owned(), "fra1".to_owned())],
        ..bare(action)
    }
}

/// An event with only a jail and a time.
pub fn bare(action: Action) -> Event {
    Event { id: String::new(), at: AT, host: String::new(), jail: "sshd".to_owned(), action, labels: Vec::new() }
}

/// A ban with all fields.
pub fn ban() -> Ban {
    Ban {
        subject: Some("203.0.113.7".to_owned()),
        family: Family::Ipv4,
        failures: Some(5),
        by_hand: Some(false),
        count: Some(2),
        duration: Some(Duration::Seconds(600)),
        restored: false,
        began: Some(AT - 601.0),
        matches: vec!["Failed password for root".to_owned()],
    }
}

/// A ban without any field.
pub fn bare_ban() -> Ban {
    Ban {
        subject: None,
        family: Family::Other,
        failures: None,
        by_hand: None,
        count: None,
        duration: None,
        restored: false,
        began: None,
        matches: Vec::new(),
    }
}

/// The ban with another subject.
#[cfg(test)]
pub fn ban_of(subject: &str) -> Event {
    event(Action::Ban(Ban { subject: Some(subject.to_owned()), family: Family::Other, ..ban() }))
}

/// The wall clock of Berlin at [`AT`].
#[cfg(test)]
pub fn berlin(at: f64) -> crate::bindings::banhook::plugin::clock::LocalTime {
    use crate::bindings::banhook::plugin::clock::{LocalTime, Weekday};
    assert!((AT - 1_000.0..AT + 60_000.0).contains(&at));
    LocalTime {
        year: 2026,
        month: 11,
        day: 22,
        weekday: Weekday::Sunday,
        hour: 11,
        minute: 56,
        second: 55,
        offset_minutes: 60,
    }
}
