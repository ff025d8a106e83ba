//! The variables of a template, for an event. Each value is created when the template uses it.
//!
//! | variable | value |
//! | --- | --- |
//! | `action` | `start`, `stop`, `flush`, `ban`, `unban` |
//! | `jail`, `host`, `id` | text |
//! | `at` | when it happened, in milliseconds; print it with `date` or `time` |
//! | `subject`, `ip` | who was banned: two names for the same |
//! | `family` | `ipv4`, `ipv6`, `ipv4-network`, `ipv6-network`, `name`, `other` |
//! | `failures` | number; 0: banned by hand |
//! | `count` | how many times the subject has been banned, this one included |
//! | `duration` | seconds, or `"permanent"`; print it with `span` |
//! | `restored` | true if fail2ban restored an old ban after a restart |
//! | `ticket_at` | fail2ban's own time of the ban, in milliseconds |
//! | `matches` | the log lines that led to the ban, a list |
//! | `labels` | as in `labels.site`: facts without a field of their own, and the configuration's `[labels]` |
//!
//! An unknown value, or a label that does not exist, is `none`: false in `{% if … %}`, and empty when printed.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value};

use crate::bindings::banhook::plugin::types::{Action, Ban, Duration, Event, Family};
use crate::filters;

/// The names of all variables.
pub const NAMES: [&str; 15] = [
    "action",
    "jail",
    "host",
    "id",
    "at",
    "subject",
    "ip",
    "family",
    "failures",
    "count",
    "duration",
    "restored",
    "ticket_at",
    "matches",
    "labels",
];

/// The label that carries `ticket_at`, in RFC 3339.
const TICKET_AT: &str = "ticket-at";

/// Whether there is a variable with this name.
pub fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The variables of an event. A name that is not in [`NAMES`] is undefined, which the engine reports.
#[derive(Debug)]
pub struct Variables(pub Event);

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let event = &self.0;
        let of_ban = |value: fn(&Ban) -> Value| match &event.action {
            Action::Ban(ban) | Action::Unban(ban) => value(ban),
            Action::Start | Action::Stop | Action::Flush => Value::from(()),
        };
        Some(match key {
            "action" => Value::from(action_word(&event.action)),
            "jail" => text(&event.jail),
            "host" => text(&event.host),
            "id" => text(&event.id),
            // The interface guarantees whole milliseconds.
            "at" => Value::from(event.at as i64),
            "subject" | "ip" => of_ban(|ban| text(&ban.subject)),
            "family" => of_ban(|ban| Value::from(family_word(ban.family))),
            "failures" => of_ban(|ban| Value::from(ban.failures)),
            "count" => of_ban(|ban| Value::from(ban.count)),
            "duration" => of_ban(|ban| match ban.duration {
                Some(Duration::Seconds(seconds)) => Value::from(seconds),
                Some(Duration::Permanent) => Value::from(filters::PERMANENT),
                None => Value::from(()),
            }),
            "restored" => of_ban(|ban| Value::from(ban.restored)),
            "ticket_at" => Value::from(label(event, TICKET_AT).and_then(filters::parse_utc)),
            "matches" => of_ban(|ban| ban.matches.iter().map(String::as_str).map(Value::from).collect()),
            "labels" => Value::from_dyn_object(Arc::new(Labels(Arc::clone(self)))),
            _ => return None,
        })
    }
}

/// The variable `labels`. A label that does not exist is `none`, not an error.
#[derive(Debug)]
struct Labels(Arc<Variables>);

impl Object for Labels {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(Value::from(label(&self.0.0, key)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.0.labels.iter().map(|(name, _)| Value::from(name.as_str())).collect())
    }
}

fn label<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
    event.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// In the interface, empty text means unknown.
fn text(value: &str) -> Value {
    if value.is_empty() { Value::from(()) } else { Value::from(value) }
}

fn action_word(action: &Action) -> &'static str {
    match action {
        Action::Start => "start",
        Action::Stop => "stop",
        Action::Flush => "flush",
        Action::Ban(_) => "ban",
        Action::Unban(_) => "unban",
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

    #[test]
    fn variables_every_name_has_a_value() {
        for event in [sample::event(Action::Ban(sample::ban())), sample::bare(Action::Start)] {
            let variables = Arc::new(Variables(event));
            assert!(NAMES.iter().all(|name| variables.get_value_by_str(name).is_some()));
            assert!(variables.get_value_by_str("jial").is_none());
        }
    }
}
