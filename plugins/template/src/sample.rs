//! Sample events, for `check` and for the tests.

use crate::bindings::banhook::plugin::types::{Action, Ban, Duration, Event, Family};

/// 2026-11-22T10:56:55.601Z
const AT: f64 = 1_795_345_015_601.0;

/// An event with all fields.
pub fn event(action: Action) -> Event {
    Event {
        id: "1".to_owned(),
        host: "web-1".to_owned(),
        labels: vec![
            ("site".to_owned(), "fra1".to_owned()),
            ("ticket-at".to_owned(), "2026-11-22T10:56:55.000Z".to_owned()),
        ],
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
        subject: "203.0.113.7".to_owned(),
        family: Family::Ipv4,
        failures: Some(5),
        count: Some(2),
        duration: Some(Duration::Seconds(600)),
        restored: false,
        matches: vec!["Failed password for root".to_owned()],
    }
}

/// A ban without any field.
pub fn bare_ban() -> Ban {
    Ban {
        subject: String::new(),
        family: Family::Other,
        failures: None,
        count: None,
        duration: None,
        restored: false,
        matches: Vec::new(),
    }
}

/// The ban with another subject.
#[cfg(test)]
pub fn ban_of(subject: &str) -> Event {
    event(Action::Ban(Ban { subject: subject.to_owned(), family: Family::Other, ..ban() }))
}

/// The wall clock of Berlin at [`AT`].
#[cfg(test)]
pub fn berlin(at: f64) -> crate::bindings::banhook::plugin::clock::LocalTime {
    use crate::bindings::banhook::plugin::clock::{LocalTime, Weekday};
    assert_eq!(at, AT);
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
