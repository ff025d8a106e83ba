//! The smallest values that the definitions allow, and places for them, for tests that try a rule in its place.

use serde_json::{Map, Value, json};

use super::definitions::MESSAGE;
use super::schema::{Format, Kind, Object, Presence, Str, TextType};
use super::{Finding, check};

/// A place in a message, and how to make a message with a value there.
pub struct Slot<'p> {
    /// Its JSON pointer.
    pub path: String,
    /// Makes the message.
    pub message: &'p dyn Fn(Value) -> Value,
}

impl Slot<'_> {
    /// Checks the message with this value.
    pub fn check(&self, value: Value) -> Vec<Finding> {
        check(&(self.message)(value))
    }

    /// The pointer of a place in it.
    pub fn below(&self, step: &str) -> String {
        format!("{}/{step}", self.path)
    }
}

/// The smallest value of a field.
pub fn sample(kind: &Kind) -> Value {
    match kind {
        Kind::Any => json!({}),
        Kind::Bool | Kind::Flag => json!(false),
        Kind::Str(rules) => json!(sample_text(rules)),
        Kind::Int(min, _) => json!(min.max(&0)),
        Kind::Number | Kind::Positive | Kind::IntOrStr => json!(1),
        Kind::Enum(allowed) => json!(allowed[0]),
        Kind::Text(TextType::Any | TextType::Mrkdwn, _) => json!({ "type": "mrkdwn", "text": "a" }),
        Kind::Text(TextType::Plain, _) => json!({ "type": "plain_text", "text": "a" }),
        Kind::Object(object) => sample_object(object),
        Kind::Union(union) => sample_object(union.members[0]),
        Kind::Array(array) => Value::Array(vec![sample(&array.items); array.min.max(1)]),
        Kind::Forbidden => unreachable!("a forbidden field has no value"),
    }
}

/// The smallest text of a string.
pub fn sample_text(rules: &Str) -> &'static str {
    match rules.format {
        Format::Any | Format::NotBlank | Format::NotEmpty | Format::BlockId | Format::ActionId => "a",
        Format::FetchedUrl | Format::LinkUrl | Format::HttpsUrl => "https://example.org/",
        Format::Date => "2026-11-22",
        Format::Time => "10:56",
        Format::HexColor | Format::AttachmentColor => "#2eb67d",
        Format::Emoji => ":a:",
        Format::MessageTs => "1503435956.000247",
    }
}

/// An object with its required fields and no others.
pub fn sample_object(object: &Object) -> Value {
    let mut fields = Map::new();
    if object.tagged {
        fields.insert("type".to_owned(), json!(object.name));
    }
    for field in object.all_fields() {
        let first = [object.any_of, object.one_of].iter().any(|group| group.first() == Some(&field.key));
        if field.presence != Presence::Optional || first {
            fields.insert(field.key.to_owned(), sample(&field.kind));
        }
    }
    if object.name == MESSAGE.name {
        fields.insert("text".to_owned(), json!("fallback"));
    }
    Value::Object(fields)
}

/// `start`, made `count` characters long.
pub fn stretch(start: &str, unit: &str, count: usize) -> String {
    start.chars().chain(unit.chars().cycle()).take(count).collect()
}
