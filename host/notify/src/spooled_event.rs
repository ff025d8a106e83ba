//! The payload of a record of the spool: an event that fail2ban's action reported, as JSON on one line.
//!
//! `{"received_at": "2026-11-22T10:56:55.601Z", "event": {…}}`, and `"restored_is_unknown": true` where fail2ban does not say
//! whether a ban is restored. The event is as [`Event::to_json`] writes it. Within a version only fields are added, and a reader
//! ignores those that it does not know.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event::{Event, Timestamp};

/// The version of the payload.
pub const VERSION: u32 = 1;

/// An event that was reported, and not received into the store yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpooledEvent {
    /// The event.
    pub event: Event,
    /// When `notify` was run.
    pub received_at: Timestamp,
    /// Whether fail2ban does not say if a ban is restored.
    pub restored_is_unknown: bool,
}

#[derive(Serialize)]
struct Written<'a> {
    received_at: Timestamp,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restored_is_unknown: bool,
    event: &'a Event,
}

#[derive(Deserialize)]
struct Read<'a> {
    received_at: Timestamp,
    #[serde(default)]
    restored_is_unknown: bool,
    #[serde(borrow)]
    event: &'a RawValue,
}

impl SpooledEvent {
    /// Returns the payload.
    #[must_use]
    pub fn to_payload(&self) -> String {
        let Self { event, received_at, restored_is_unknown } = self;
        let written = Written { received_at: *received_at, restored_is_unknown: *restored_is_unknown, event };
        // Serializing strings and numbers into memory cannot fail.
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// Parses a payload of this version. Returns the event's JSON as well, which may have fields of a newer version.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_payload(payload: &[u8]) -> Result<(Self, &str), String> {
        let Read { received_at, restored_is_unknown, event: json } =
            serde_json::from_slice(payload).map_err(|error| error.to_string())?;
        let event = Event::from_stored_json(json.get()).map_err(|error| error.to_string())?;
        Ok((Self { event, received_at, restored_is_unknown }, json.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_payload_to_payload_is_the_same() {
        let text = r#"{"received_at":"2026-11-22T10:56:56.000Z","restored_is_unknown":true,"event":{"action":"ban","at":"2026-11-22T10:56:55.601Z","jail":"two\nlines","subject":"203.0.113.7","family":"ipv4"}}"#;
        assert_eq!(SpooledEvent::from_payload(text.as_bytes()).unwrap().0.to_payload(), text);
    }

    #[test]
    fn from_payload_ignores_fields_of_a_newer_version() {
        let text = r#"{"mood":1,"received_at":"2026-11-22T10:56:56.000Z","event":{"action":"stop","at":"2026-11-22T10:56:55.601Z","jail":"j","mood":"bad"}}"#;
        let (read, json) = SpooledEvent::from_payload(text.as_bytes()).unwrap();
        assert!(read.event.jail == "j" && !read.restored_is_unknown);
        assert!(json.starts_with(r#"{"action":"stop","#) && json.ends_with(r#","mood":"bad"}"#), "{json}");
        assert!(SpooledEvent::from_payload(b"{}").is_err());
    }
}
