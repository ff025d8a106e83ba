//! A row of a digest's tally, which templates list and the filter `tally` prints.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Value};

/// A jail, subject or host with its counts; printed, it is its name.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its events.
    pub events: u32,
    /// Of these, bans.
    pub bans: u32,
}

impl Object for Row {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "name" => Value::from(self.name.as_str()),
            "events" => Value::from(self.events),
            "bans" => Value::from(self.bans),
            _ => return None,
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
