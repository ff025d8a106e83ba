//! What a field or an item may hold, checked: strings, numbers, words, text objects, and how many there may be.

use serde_json::Value;

use super::finding::Severity;
use super::form::{self, Fault};
use super::path::Path;
use super::rule::Rule;
use super::schema::{Field, Form, Kind, Max, Str, TextForm};
use super::table::{MRKDWN, PLAIN_TEXT};
use super::walk::{Walk, whole};
use super::words::{counted, listed, quoted};

/// How many there are of something, and the rules about that.
#[derive(Clone, Copy)]
pub struct Count<'s> {
    noun: &'s str,
    value: usize,
    above: Rule,
    below: Rule,
}

impl<'s> Count<'s> {
    /// Of items in a list.
    pub const fn items(value: usize, noun: &'s str) -> Self {
        Self { noun, value, above: Rule::TooMany, below: Rule::TooFew }
    }

    /// Of a text's characters.
    fn characters(text: &str) -> Self {
        Self { noun: "characters", value: text.chars().count(), above: Rule::TooLong, below: Rule::TooShort }
    }
}

impl<'v> Walk<'v> {
    /// Whatever the table says may be here.
    pub fn value(&mut self, at: &Path<'_>, value: &'v Value, kind: &'static Kind, field: &'static Field) {
        match kind {
            Kind::Any => self.foreign(at, field.key, value, field),
            Kind::Flag if value.is_boolean() => {}
            Kind::Flag => self.wrong_type(at, value, "true or false", field),
            Kind::Str(rules) => match value {
                Value::String(text) => self.string(at, text, rules, field),
                _ => self.wrong_type(at, value, "a string", field),
            },
            Kind::Int(min, max) => self.int(at, value, *min, *max, field),
            Kind::Number | Kind::Positive if !value.is_number() => self.wrong_type(at, value, "a number", field),
            Kind::Number => {}
            Kind::Positive => {
                if value.as_f64().is_some_and(|number| number <= 0.0) {
                    let text = format!("{value}, where more than 0 must be");
                    self.find(field.severity(), at, Rule::TooSmall, field, text);
                }
            }
            Kind::IntOrStr if value.is_string() || form::whole(value).is_some() => {}
            Kind::IntOrStr => self.wrong_type(at, value, "a whole number or a string", field),
            Kind::Enum(words) => self.word(at, value, words, field),
            Kind::Text(form, max) => self.text(at, value, *form, *max, field),
            Kind::Object(object) => self.object(at, value, object, field),
            Kind::Typed(types) => self.typed(at, value, types, field),
            Kind::List(list) => self.list(at, value, list, field),
            Kind::Never => {
                self.find(field.severity(), at, Rule::ForbiddenField, field, "may not be here".to_owned());
            }
        }
    }

    fn string(&mut self, at: &Path<'_>, text: &'v str, rules: &Str, field: &'static Field) {
        let is_counted = self.depth > 0 && field.key == "text";
        // No text has more characters than bytes: short ones need no counting.
        if is_counted || text.is_empty() || text.len() > rules.max.agreed {
            let count = Count::characters(text);
            self.totals.text += if is_counted { count.value } else { 0 };
            self.bounds(at, count, rules.min, rules.max, field);
        }
        match rules.form {
            Form::Free => {}
            Form::Shown if text.trim().is_empty() => {
                self.find(Severity::Warning, at, Rule::Blank, field, "shows nothing".to_owned());
            }
            Form::Piece if text.is_empty() => {
                self.find(Severity::Warning, at, Rule::Blank, field, "shows nothing".to_owned());
            }
            Form::Shown | Form::Piece => {}
            Form::BlockId if !self.block_ids.insert(text) => {
                let text = format!("{} is the id of another block too", quoted(text));
                self.find(Severity::Warning, at, Rule::DuplicateBlockId, field, text);
            }
            Form::ActionId if !self.action_ids.insert(text) => {
                let text = format!("{} is the id of another element of this block too", quoted(text));
                self.find(Severity::Warning, at, Rule::DuplicateActionId, field, text);
            }
            Form::BlockId | Form::ActionId => {}
            other => {
                if let Some(fault) = form::fault(other, text) {
                    self.malformed(at, text, fault, field);
                }
            }
        }
    }

    /// A string that is not what its form says.
    pub fn malformed(&mut self, at: &Path<'_>, text: &str, fault: Fault, field: &'static Field) {
        let severity = if fault.sure { field.severity() } else { Severity::Warning };
        self.find(severity, at, fault.rule, field, format!("{} is no {}", quoted(text), fault.expected));
    }

    fn int(&mut self, at: &Path<'_>, value: &'v Value, min: i64, max: i64, field: &'static Field) {
        let Some(number) = form::whole(value) else {
            return self.wrong_type(at, value, "a whole number", field);
        };
        if number < min {
            let text = format!("{number}, at least {min}");
            self.count(field.severity(), at, Rule::TooSmall, field, text, (number, min));
        }
        if number > max {
            let text = format!("{number}, at most {max}");
            self.count(field.severity(), at, Rule::TooLarge, field, text, (number, max));
        }
    }

    fn word(&mut self, at: &Path<'_>, value: &'v Value, words: &[&'static str], field: &'static Field) {
        let Some(word) = value.as_str() else {
            return self.wrong_type(at, value, "a string", field);
        };
        if !words.contains(&word) {
            let text = format!("{}, where only {} may be", quoted(word), listed(words));
            self.find(field.severity(), at, Rule::UnknownValue, field, text);
        }
    }

    /// A text object: what holds for all of them, and the place's own form and length.
    fn text(&mut self, at: &Path<'_>, value: &'v Value, form: TextForm, max: Max, field: &'static Field) {
        let Some(fields) = value.as_object() else {
            return self.wrong_type(at, value, "a text object ({\"type\": \"plain_text\", \"text\": …})", field);
        };
        let (object, wrong) = match (fields.get("type").and_then(Value::as_str), form) {
            (Some("plain_text"), TextForm::Any | TextForm::Plain) => (&PLAIN_TEXT, None),
            (Some("plain_text"), TextForm::Markup) => (&PLAIN_TEXT, Some((Severity::Warning, "mrkdwn"))),
            (Some("mrkdwn"), TextForm::Any | TextForm::Markup) => (&MRKDWN, None),
            (Some("mrkdwn"), TextForm::Plain) => (&MRKDWN, Some((Severity::Error, "plain_text"))),
            (Some(other), _) => {
                let text = format!("type {}, where a text object's must be: plain_text or mrkdwn", quoted(other));
                return self.find(Severity::Error, &Path::Key(at, "type"), Rule::MisplacedType, field, text);
            }
            (None, _) => {
                let text = "no \"type\": a text object's is plain_text or mrkdwn".to_owned();
                return self.find(Severity::Error, at, Rule::Missing, field, text);
            }
        };
        if let Some((severity, wanted)) = wrong {
            let text = format!("{}, where {wanted} must be", object.name);
            self.find(severity, &Path::Key(at, "type"), Rule::TextType, field, text);
        }
        let before = self.findings.len();
        self.fields(at, fields, object, field);
        let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
        if text.len() <= max.agreed {
            return;
        }
        let count = Count::characters(text);
        if count.value > max.agreed {
            // Of two limits that it exceeds the smaller one is told: this place's, not that of all text objects.
            let mut new = self.findings.split_off(before);
            new.retain(|finding| finding.rule != Rule::TooLong);
            self.findings.append(&mut new);
            self.bounds(&Path::Key(at, "text"), count, 0, max, field);
        }
    }

    /// Not fewer than, not more than.
    pub fn bounds(&mut self, at: &Path<'_>, count: Count<'_>, min: usize, max: Max, field: &'static Field) {
        let Count { noun, value, above, below } = count;
        let numbers = |limit: usize| (whole(value), whole(limit));
        if value < min {
            let text = format!("{}, at least {min}", counted(value, noun));
            self.count(field.severity(), at, below, field, text, numbers(min));
        } else if value > max.largest {
            let text = format!("{value} {noun}, at most {}", max.largest);
            self.count(field.severity(), at, above, field, text, numbers(max.largest));
        } else if value > max.agreed {
            let others = match max.largest {
                usize::MAX => "others know no limit".to_owned(),
                largest => format!("others say {largest}"),
            };
            let text = format!("{value} {noun}; at most {}, some say, and {others}", max.agreed);
            self.count(Severity::Warning, at, above, field, text, numbers(max.agreed));
        }
    }
}
