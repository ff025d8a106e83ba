//! The variables of a digest's template.
//!
//! | variable | value |
//! | --- | --- |
//! | `cause`, `key` | why the events are grouped: `storm`, `restart`, `stop`, `backlog`, `held`, `other` |
//! | `totals` | as in `totals.bans`: `events`, `bans`, `restored`, `unbans`, `flushes`, `starts`, `stops`; how many different `subjects`, `jails`, `hosts` |
//! | `jails`, `subjects`, `hosts` | lists of at most 20, those with most events first; each has `name`, `events`, `bans` |
//! | `first`, `last` | the times of the first and of the last event, in seconds since 1970 |
//! | `span` | the seconds between them |
//! | `events` | the first and last events, 100 at most, each with the variables of an event |
//! | `labels` | the configuration's `[labels]` |

use std::sync::Arc;

use minijinja::value::{Object, Value};

use crate::bindings::exports::banhook::plugin::digester::{Batch, Cause, Tally, Totals};
use crate::row::Row;
use crate::variables::{HostCalls, Labels, Variables, seconds_of, text};

/// The names of all variables.
pub const NAMES: [&str; 11] =
    ["cause", "key", "totals", "jails", "subjects", "hosts", "first", "last", "span", "events", "labels"];

/// The variables of a digest, as one value.
pub fn variables(batch: Batch, host: HostCalls) -> Value {
    Value::from_object(DigestVariables { batch, host })
}

#[derive(Debug)]
struct DigestVariables {
    batch: Batch,
    host: HostCalls,
}

impl Object for DigestVariables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let batch = &self.batch;
        let (first, last) = (seconds_of(batch.first), seconds_of(batch.last));
        Some(match key {
            "cause" => Value::from(cause_word(batch.cause)),
            "key" => text(batch.key.as_deref().unwrap_or_default()),
            "totals" => Value::from_object(TotalsValue(batch.totals.clone())),
            "jails" => rows(&batch.totals.by_jail),
            "subjects" => rows(&batch.totals.by_subject),
            "hosts" => rows(&batch.totals.by_host),
            "first" => Value::from(first),
            "last" => Value::from(last),
            "span" => Value::from(last.saturating_sub(first).max(0)),
            "events" => {
                let event = |event: &_| Value::from_object(Variables::of(Clone::clone(event), self.host));
                batch.events.iter().map(event).collect()
            }
            "labels" => Value::from_object(Labels::of(&batch.labels)),
            _ => return None,
        })
    }
}

/// The variable `totals`.
#[derive(Debug)]
struct TotalsValue(Totals);

impl Object for TotalsValue {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let Self(totals) = &**self;
        Some(Value::from(match key.as_str()? {
            "events" => totals.events,
            "bans" => totals.bans,
            "restored" => totals.restored,
            "unbans" => totals.unbans,
            "flushes" => totals.flushes,
            "starts" => totals.starts,
            "stops" => totals.stops,
            "subjects" => totals.subjects,
            "jails" => totals.jails,
            "hosts" => totals.hosts,
            _ => return None,
        }))
    }
}

/// The rows of a tally; of the hosts those that have a name.
fn rows(tally: &[Tally]) -> Value {
    let row = |row: &Tally| Value::from_object(Row { name: row.name.clone(), events: row.events, bans: row.bans });
    tally.iter().filter(|row| !row.name.is_empty()).map(row).collect()
}

fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Held => "held",
        Cause::Storm => "storm",
        Cause::Backlog => "backlog",
        Cause::Restart => "restart",
        Cause::Stop => "stop",
        Cause::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn variables_every_name_has_a_value() {
        let variables = Arc::new(DigestVariables { batch: sample::batch(), host: sample::HOST });
        assert!(NAMES.iter().all(|name| variables.get_value_by_str(name).is_some()));
        assert!(variables.get_value_by_str("jail").is_none());
    }
}
