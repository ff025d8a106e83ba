//! The variables of a template, for an event. Each value is created when the template uses it.
//!
//! | variable | value |
//! | --- | --- |
//! | `action` | `start`, `stop`, `flush`, `ban`, `unban` |
//! | `jail`, `host`, `id` | text |
//! | `at` | when it happened, in seconds since 1970; print it with `date` or `time` |
//! | `subject`, `ip` | who was banned: two names for the same |
//! | `family` | `ipv4`, `ipv6`, `ipv4-network`, `ipv6-network`, `name`, `other` |
//! | `failures` | number |
//! | `by_hand` | true for a manual ban |
//! | `count` | how many times the subject has been banned, this one included |
//! | `duration` | seconds, or `"permanent"`; print it with `span` |
//! | `until` | when the ban ends, in seconds since 1970 |
//! | `lasted` | how many seconds a ban lasted that ended; `duration` if it was not lifted early |
//! | `restored` | true if fail2ban restored an old ban after a restart |
//! | `ticket_at` | fail2ban's own time of the ban, in seconds since 1970 |
//! | `matches` | the log lines that led to the ban, a list |
//! | `place` | the flag and the name of the network, as in 🇩🇪 Example Net |
//! | `country`, `country_name`, `flag`, `as_number`, `as_name` | where the subject is registered, if the route grants `geo` |
//! | `links` | links to pages about the subject, as the setting `links` names them |
//! | `labels` | as in `labels.site`: facts without a field of their own, and the configuration's `[labels]` |
//!
//! An unknown value, or a label that does not exist, is `none`: false in `{% if … %}`, and empty when printed.

use std::sync::{Arc, OnceLock};

use minijinja::value::{Enumerator, Object, Value};

use crate::bindings::banhook::plugin::geo::Place;
use crate::bindings::banhook::plugin::types::{Action, Ban, Duration, Event, Family};
use crate::{filters, links};

/// The names of all variables.
pub const NAMES: [&str; 25] = [
    "action",
    "jail",
    "host",
    "id",
    "at",
    "subject",
    "ip",
    "family",
    "failures",
    "by_hand",
    "count",
    "duration",
    "until",
    "lasted",
    "restored",
    "ticket_at",
    "matches",
    "place",
    "country",
    "country_name",
    "flag",
    "as_number",
    "as_name",
    "links",
    "labels",
];

/// A ban that ends this much before its time, or more, in seconds, is lifted early.
const EARLY_SECONDS: i64 = 5;

/// What templates ask the host.
#[derive(Debug, Clone, Copy)]
pub struct HostCalls {
    /// A setting of the route.
    pub setting: fn(&str) -> Option<String>,
    /// Where a subject is registered.
    pub lookup: fn(&str) -> Option<Place>,
}

/// The variables of an event. A name that is not in [`NAMES`] is undefined, which the engine reports.
#[derive(Debug)]
pub struct Variables {
    event: Event,
    host: HostCalls,
    place: OnceLock<Option<Place>>,
}

impl Variables {
    /// The variables of an event.
    pub fn of(event: Event, host: HostCalls) -> Self {
        Self { event, host, place: OnceLock::new() }
    }

    fn ban(&self) -> Option<&Ban> {
        ban_of(&self.event.action)
    }

    fn ticket_at(&self) -> Option<i64> {
        self.ban()?.began.map(seconds_of)
    }

    /// When the ban ends: counted from fail2ban's own time of it. A restored ban, and one that has ended, began before the
    /// event.
    fn until(&self) -> Option<i64> {
        let ban = self.ban()?;
        let Some(Duration::Seconds(seconds)) = ban.duration else { return None };
        let is_new = matches!(self.event.action, Action::Ban(_)) && !ban.restored;
        let began = self.ticket_at().or_else(|| is_new.then(|| seconds_of(self.event.at)))?;
        began.checked_add(seconds.into())
    }

    /// How long the ban of an unban lasted, in seconds: never longer than planned, since fail2ban unbans a little later.
    fn lasted(&self) -> Option<i64> {
        let Action::Unban(ban) = &self.event.action else { return None };
        let lasted = seconds_of(self.event.at).saturating_sub(self.ticket_at()?).max(0);
        match ban.duration {
            Some(Duration::Seconds(planned)) if lasted.saturating_add(EARLY_SECONDS) > planned.into() => {
                Some(planned.into())
            }
            _ => Some(lasted),
        }
    }

    fn place(&self) -> Option<&Place> {
        let lookup = || (self.host.lookup)(self.ban()?.subject.as_deref()?);
        self.place.get_or_init(lookup).as_ref()
    }

    fn of_place<'s, T: Into<Value>>(&'s self, value: impl FnOnce(&'s Place) -> Option<T>) -> Value {
        Value::from(self.place().and_then(value).map(Into::into))
    }
}

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let event = &self.event;
        let of_ban = |value: fn(&Ban) -> Value| self.ban().map_or(Value::from(()), value);
        Some(match key {
            "action" => Value::from(action_word(&event.action)),
            "jail" => text(&event.jail),
            "host" => text(&event.host),
            "id" => text(&event.id),
            "at" => Value::from(seconds_of(event.at)),
            "subject" | "ip" => of_ban(|ban| Value::from(ban.subject.as_deref())),
            "family" => of_ban(|ban| Value::from(family_word(ban.family))),
            "failures" => of_ban(|ban| Value::from(ban.failures)),
            "by_hand" => of_ban(|ban| Value::from(ban.by_hand)),
            "count" => of_ban(|ban| Value::from(ban.count)),
            "duration" => of_ban(|ban| match ban.duration {
                Some(Duration::Seconds(seconds)) => Value::from(seconds),
                Some(Duration::Permanent) => Value::from(filters::PERMANENT),
                None => Value::from(()),
            }),
            "until" => Value::from(self.until()),
            "lasted" => Value::from(self.lasted()),
            "restored" => of_ban(|ban| Value::from(ban.restored)),
            "ticket_at" => Value::from(self.ticket_at()),
            "matches" => of_ban(|ban| ban.matches.iter().map(String::as_str).map(Value::from).collect()),
            "place" => self.of_place(place_text),
            "country" => self.of_place(|place| place.country.as_deref()),
            "country_name" => self.of_place(|place| place.country_name.as_deref()),
            "flag" => self.of_place(|place| flag(place.country.as_deref()?)),
            "as_number" => self.of_place(|place| place.as_number),
            "as_name" => self.of_place(|place| place.as_name.as_deref()),
            "links" => match self.ban() {
                Some(ban) => links::of(ban, (self.host.setting)(links::SETTING).as_deref()),
                None => Value::from(()),
            },
            "labels" => Value::from_object(Labels::of(&event.labels)),
            _ => return None,
        })
    }
}

/// The variable `labels`. A label that does not exist is `none`, not an error.
#[derive(Debug)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// The labels of an event or a digest.
    pub fn of(labels: &[(String, String)]) -> Self {
        Self(labels.to_vec())
    }
}

impl Object for Labels {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(Value::from(label(&self.0, key)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(name.as_str())).collect())
    }
}

/// The value of a label.
fn label<'l>(labels: &'l [(String, String)], name: &str) -> Option<&'l str> {
    labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// In the interface, empty text means unknown.
pub fn text(value: &str) -> Value {
    if value.is_empty() { Value::from(()) } else { Value::from(value) }
}

/// The whole seconds of a time of the interface, which has whole milliseconds.
pub fn seconds_of(timestamp: f64) -> i64 {
    (timestamp as i64).div_euclid(1_000)
}

/// The flag and the name of the network, as far as they are known.
fn place_text(place: &Place) -> Option<String> {
    let flag = place.country.as_deref().and_then(flag);
    let parts: Vec<&str> = [flag.as_deref(), place.as_name.as_deref()].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The flag of a country: its two bytes as regional indicators.
fn flag(country: &str) -> Option<String> {
    let indicator = |byte: u8| char::from_u32(u32::from(byte.to_ascii_uppercase().checked_sub(b'A')?) + 0x1f1e6);
    match country.as_bytes() {
        [first, second] if country.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            Some([indicator(*first)?, indicator(*second)?].iter().collect())
        }
        _ => None,
    }
}

/// The ban that an event is about.
pub fn ban_of(action: &Action) -> Option<&Ban> {
    match action {
        Action::Ban(ban) | Action::Unban(ban) => Some(ban),
        Action::Other(other) => other.ban.as_ref(),
        Action::Start | Action::Stop | Action::Flush => None,
    }
}

/// What kind of event it is.
pub fn action_word(action: &Action) -> &str {
    match action {
        Action::Start => "start",
        Action::Stop => "stop",
        Action::Flush => "flush",
        Action::Ban(_) => "ban",
        Action::Unban(_) => "unban",
        Action::Other(other) => &other.name,
    }
}

fn family_word(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
        Family::Ipv4Network => "ipv4-network",
        Family::Ipv6Network => "ipv6-network",
        Family::Name => "name",
        Family::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn value(event: Event, name: &str) -> Value {
        Arc::new(Variables::of(event, sample::HOST)).get_value_by_str(name).unwrap()
    }

    #[test]
    fn variables_every_name_has_a_value() {
        for event in [sample::event(Action::Ban(sample::ban())), sample::bare(Action::Start)] {
            let variables = Arc::new(Variables::of(event, sample::HOST));
            assert!(NAMES.iter().all(|name| variables.get_value_by_str(name).is_some()));
            assert!(variables.get_value_by_str("jial").is_none());
        }
    }

    #[test]
    fn until_counts_from_the_begin_of_the_ban() {
        // The ticket's time is half a second before the event's.
        let ban = sample::event(Action::Ban(sample::ban()));
        assert_eq!(value(ban, "until"), Value::from(1_795_345_015 + 600));
        let restored = || Action::Ban(Ban { restored: true, ..sample::ban() });
        assert_eq!(value(sample::event(restored()), "until"), Value::from(1_795_345_015 + 600));
        // Without the ticket's time, the begin of a new ban is known, and that of an old one is not.
        let unknown = |restored| Ban { restored, began: None, ..sample::ban() };
        assert_eq!(value(sample::bare(Action::Ban(unknown(false))), "until"), Value::from(1_795_345_015 + 600));
        let unban = Action::Unban(unknown(false));
        for action in [Action::Ban(unknown(true)), unban, Action::Ban(sample::bare_ban()), Action::Stop] {
            assert!(value(sample::bare(action), "until").is_none());
        }
        let permanent = Ban { duration: Some(Duration::Permanent), ..sample::ban() };
        assert!(value(sample::event(Action::Ban(permanent)), "until").is_none());
    }

    #[test]
    fn lasted_is_the_planned_duration_or_what_an_early_unban_left_of_it() {
        let after = |seconds: f64, duration, action: fn(Ban) -> Action| {
            let mut event = sample::event(action(Ban { duration, ..sample::ban() }));
            event.at += seconds * 1_000.0;
            value(event, "lasted")
        };
        let planned = Some(Duration::Seconds(600));
        for (seconds, lasted) in [(599.0, 600), (601.0, 600), (90_000.0, 600), (180.0, 180), (-60.0, 0)] {
            assert_eq!(after(seconds, planned, Action::Unban), Value::from(lasted), "{seconds}");
        }
        for unplanned in [None, Some(Duration::Permanent)] {
            assert_eq!(after(180.0, unplanned, Action::Unban), Value::from(180));
        }
        assert!(after(180.0, planned, Action::Ban).is_none());
        let of_unknown_begin = Ban { began: None, ..sample::ban() };
        assert!(value(sample::bare(Action::Unban(of_unknown_begin)), "lasted").is_none());
    }

    #[test]
    fn flag_is_that_of_two_ascii_characters() {
        assert_eq!(flag("de").as_deref(), Some("🇩🇪"));
        for other in ["", "d", "deu", "d3", "ä"] {
            assert_eq!(flag(other), None, "{other}");
        }
    }
}
