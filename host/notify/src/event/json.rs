//! An event as JSON: flat, one object, unknown values left out.
//!
//! `{"action": "ban", "at": "2026-11-22T10:56:55.601Z", "jail": "sshd", "subject": "203.0.113.7", …}`.
//! The store and fixtures contain it, and `tail --dry-run` and `queue export` print it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ban::{Ban, BanDuration};
use super::event::{Event, EventDetails, Kind};
use super::timestamp::Timestamp;

/// A text is not an event; says what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("not an event: {0}")]
pub struct ParseEventError(#[from] serde_json::Error);

/// The JSON as it is read. An unknown field is an error: in a fixture it is a typing mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventFields {
    action: String,
    #[serde(default)]
    id: String,
    at: Timestamp,
    #[serde(default)]
    host: String,
    jail: String,
    #[serde(default)]
    subject: String,
    /// Derived from the subject, so read and ignored.
    #[serde(default)]
    #[expect(dead_code, reason = "read and ignored")]
    family: Option<String>,
    #[serde(default)]
    failures: Option<u32>,
    #[serde(default)]
    count: Option<u32>,
    #[serde(default)]
    duration: Option<DurationJson>,
    #[serde(default)]
    restored: bool,
    #[serde(default)]
    ticket_at: Option<Timestamp>,
    #[serde(default)]
    matches: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// The JSON as it is written. Nothing is copied, since writing is most of the work of reading a large log.
#[derive(Serialize)]
struct EventJson<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    at: Timestamp,
    #[serde(skip_serializing_if = "str::is_empty")]
    host: &'a str,
    jail: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<DurationJson>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restored: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    matches: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
}

/// Seconds, or the word `permanent`.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "duration is a number of seconds or \"permanent\"")]
enum DurationJson {
    Seconds(u32),
    Word(PermanentWord),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PermanentWord {
    Permanent,
}

impl Event {
    /// Returns the event as one line of JSON, without a line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Serializing strings and numbers into memory cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Parses what [`Event::to_json`] wrote, or a fixture.
    ///
    /// # Errors
    /// What is wrong with the text, with its line and column.
    pub fn from_json(text: &str) -> Result<Self, ParseEventError> {
        Ok(serde_json::from_str(text)?)
    }
}

impl Event {
    /// Parses a stored event as [`Event::from_json`] does, and ignores unknown fields: a newer `notify` may have written them,
    /// and an alert must not be lost over them.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_stored_json(text: &str) -> Result<Self, ParseEventError> {
        Self::from_json(text).or_else(|_| {
            let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)?;
            fields.retain(|name, _| FIELDS.contains(&name.as_str()));
            Ok(serde_json::from_value(fields.into())?)
        })
    }
}

/// The fields of [`EventFields`].
const FIELDS: [&str; 14] = [
    "action",
    "id",
    "at",
    "host",
    "jail",
    "subject",
    "family",
    "failures",
    "count",
    "duration",
    "restored",
    "ticket_at",
    "matches",
    "labels",
];

impl Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ban = self.ban();
        EventJson {
            action: self.kind().as_str(),
            id: &self.id,
            at: self.at,
            host: &self.host,
            jail: &self.jail,
            subject: ban.map_or("", |ban| &ban.subject),
            family: ban.filter(|ban| !ban.subject.is_empty()).map(|ban| ban.family().as_str()),
            failures: ban.and_then(|ban| ban.failures),
            count: ban.and_then(|ban| ban.count),
            duration: ban.and_then(|ban| ban.duration).map(|duration| match duration {
                BanDuration::Seconds(seconds) => DurationJson::Seconds(seconds),
                BanDuration::Permanent => DurationJson::Word(PermanentWord::Permanent),
            }),
            restored: ban.is_some_and(|ban| ban.restored),
            ticket_at: ban.and_then(|ban| ban.ticket_at),
            matches: ban.map_or(&[], |ban| &ban.matches),
            labels: &self.labels,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let fields = EventFields::deserialize(deserializer)?;
        let kind = Kind::parse(&fields.action).ok_or_else(|| {
            D::Error::custom(format!(
                "unknown action \"{}\"; expected start, stop, flush, ban, unban or prolong",
                fields.action
            ))
        })?;
        if fields.jail.is_empty() {
            return Err(D::Error::custom("jail is empty"));
        }
        let ban = Ban {
            subject: fields.subject,
            failures: fields.failures,
            count: fields.count,
            duration: fields.duration.map(|duration| match duration {
                DurationJson::Seconds(seconds) => BanDuration::Seconds(seconds),
                DurationJson::Word(PermanentWord::Permanent) => BanDuration::Permanent,
            }),
            restored: fields.restored,
            ticket_at: fields.ticket_at,
            matches: fields.matches,
        };
        Ok(Self {
            id: fields.id,
            at: fields.at,
            host: fields.host,
            jail: fields.jail,
            details: match kind {
                Kind::Start => EventDetails::Start,
                Kind::Stop => EventDetails::Stop,
                Kind::Flush => EventDetails::Flush,
                Kind::Ban => EventDetails::Ban(ban),
                Kind::Unban => EventDetails::Unban(ban),
                Kind::Prolong => EventDetails::Prolong(ban),
            },
            labels: fields.labels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_json_to_json_is_the_same() {
        let text = r#"{"action":"ban","id":"x","at":"2026-11-22T10:56:55.601Z","host":"web-1","jail":"sshd","subject":"203.0.113.7","family":"ipv4","failures":5,"count":2,"duration":600,"restored":true,"ticket_at":"2026-11-22T10:56:55.000Z","matches":["a"],"labels":{"site":"fra1"}}"#;
        assert_eq!(Event::from_json(text).unwrap().to_json(), text);
    }

    #[test]
    fn from_stored_json_ignores_fields_of_a_newer_version() {
        let text = r#"{"action":"ban","id":"x","at":"2026-11-22T10:56:55.601Z","host":"h","jail":"j","subject":"203.0.113.7","family":"ipv4","failures":5,"count":2,"duration":600,"restored":true,"ticket_at":"2026-11-22T10:56:55.000Z","matches":["a"],"labels":{"site":"fra1"}}"#;
        let newer = text.replacen('{', r#"{"mood":"bad","#, 1);
        assert!(Event::from_json(&newer).is_err());
        assert_eq!(Event::from_stored_json(&newer).unwrap().to_json(), text);
    }

    #[test]
    fn to_json_leaves_out_unknown_values() {
        let text = r#"{"action":"start","at":"2026-11-22T10:56:55.601Z","jail":"sshd"}"#;
        assert_eq!(Event::from_json(text).unwrap().to_json(), text);
    }

    #[test]
    fn from_json_reads_permanent_and_rejects_mistakes() {
        let with = |field: &str| {
            Event::from_json(&format!(r#"{{"action":"ban","at":"2026-11-22T10:56:55.601Z","jail":"j",{field}}}"#))
        };
        let ban = with(r#""duration":"permanent""#).unwrap();
        assert_eq!(ban.ban().unwrap().duration, Some(BanDuration::Permanent));
        for (field, says) in [
            (r#""duration":"soon""#, "seconds or \"permanent\""),
            (r#""durtion":5"#, "unknown field `durtion`"),
            (r#""failures":-1"#, "invalid value"),
        ] {
            let error = with(field).unwrap_err().to_string();
            assert!(error.contains(says), "{field}: {error}");
        }
    }
}
