//! The body that a program wants, with names of the fields of a message's JSON form where their values belong.
//!
//! A template is JSON, and a name stands in a text of it: so no value can be anything but a value, whatever is in it.

use serde_json::{Map, Value};

use crate::phrase::{did_you_mean, listed};

/// The names, each with what stands before a `.` as the object that it is in.
pub(crate) const NAMES: [&str; 27] = [
    "version",
    "text",
    "html",
    "title",
    "color",
    "priority",
    "links",
    "images",
    "event",
    "event.id",
    "event.kind",
    "event.at",
    "event.host",
    "event.jail",
    "event.subject",
    "event.restored",
    "event.failures",
    "event.count",
    "event.duration",
    "event.labels",
    "digest",
    "digest.cause",
    "digest.first",
    "digest.last",
    "digest.events",
    "digest.bans",
    "digest.unbans",
];

/// A checked template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyTemplate(Value);

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyTemplateError {
    /// No JSON, or no object.
    #[error("it is not a JSON object ({0})")]
    Json(String),
    /// A `{` without a name after it.
    #[error("{{{name}}} is not a name of a message's fields; {hint}")]
    Name {
        /// What stands there.
        name: String,
        /// A name that is like it, or the names.
        hint: String,
    },
}

impl BodyTemplate {
    /// Parses a template: a JSON object, in whose texts `{text}` and the like stand for the values of fields.
    pub(crate) fn parse(text: &str) -> Result<Self, BodyTemplateError> {
        let template: Value = serde_json::from_str(text).map_err(|error| BodyTemplateError::Json(error.to_string()))?;
        if !template.is_object() {
            return Err(BodyTemplateError::Json("it begins with no {".to_owned()));
        }
        check(&template)?;
        Ok(Self(template))
    }

    /// Returns the template as JSON.
    pub(crate) const fn as_json(&self) -> &Value {
        &self.0
    }

    /// Returns the template with the values of a message's form. A text that is only a name becomes the value itself, or null;
    /// within a text a value that is no text is JSON, and one that is not there is empty.
    pub(crate) fn fill(&self, form: &Value) -> Value {
        fill(&self.0, form)
    }
}

fn check(template: &Value) -> Result<(), BodyTemplateError> {
    match template {
        Value::String(text) => {
            let unknown = pieces(text).find_map(|(_, name)| name.filter(|name| !NAMES.contains(name)));
            let Some(name) = unknown else { return Ok(()) };
            let names = NAMES.iter().copied();
            let hint =
                did_you_mean(name, names.clone()).unwrap_or_else(|| format!("the names are {}", listed(names, "and")));
            Err(BodyTemplateError::Name { name: name.chars().take(40).collect(), hint })
        }
        Value::Array(values) => values.iter().try_for_each(check),
        Value::Object(fields) => fields.values().try_for_each(check),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn fill(template: &Value, form: &Value) -> Value {
    match template {
        Value::String(text) => fill_text(text, form),
        Value::Array(values) => values.iter().map(|value| fill(value, form)).collect(),
        Value::Object(fields) => {
            let filled = fields.iter().map(|(name, value)| (name.clone(), fill(value, form)));
            Value::Object(filled.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn fill_text(text: &str, form: &Value) -> Value {
    let mut filled = String::with_capacity(text.len());
    for (before, name) in pieces(text) {
        filled.push_str(before);
        let Some(name) = name else { continue };
        let value = form.pointer(&format!("/{}", name.replace('.', "/")));
        if text.len() == name.len() + "{}".len() {
            return value.cloned().unwrap_or_default();
        }
        match value {
            None | Some(Value::Null) => {}
            Some(Value::String(value)) => filled.push_str(value),
            Some(other) => filled.push_str(&other.to_string()),
        }
    }
    Value::String(filled)
}

/// Returns the pieces of a text, each with the name that stands after it in braces.
fn pieces(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((before, after)) = text.split_once('{') else {
            rest = None;
            return Some((text, None));
        };
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        rest = Some(after);
        Some((before, Some(name)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fill_puts_values_where_names_stand_and_nothing_else() {
        let form = json!({
            "text": "a \"b\" {html} \n", "priority": 4, "event": { "jail": "sshd" }, "links": [1],
        });
        let template = json!({
            "whole": "{text}", "number": "{priority}", "within": "[{event.jail}] {text}: {priority}{title}.",
            "missing": "{title}", "list": ["{links}", 5, null], "plain": "a } b", "{text}": "x",
        });
        let filled = BodyTemplate::parse(&template.to_string()).unwrap().fill(&form);
        let expected = json!({
            "whole": "a \"b\" {html} \n", "number": 4, "within": "[sshd] a \"b\" {html} \n: 4.",
            "missing": null, "list": [[1], 5, null], "plain": "a } b", "{text}": "x",
        });
        assert_eq!(filled, expected);
    }

    #[test]
    fn parse_unknown_name_is_an_error() {
        let error = |text: &str| BodyTemplate::parse(text).unwrap_err().to_string();
        assert_eq!(error(r#"{"a":["{txt}"]}"#), "{txt} is not a name of a message's fields; did you mean \"text\"?");
        assert!(error(r#"{"a":"{ text"}"#).starts_with("{ text} is not a name"));
        assert!(error(r#""{text}""#).starts_with("it is not a JSON object"));
        assert!(error("{").starts_with("it is not a JSON object"));
    }
}
