//! The way through a body along the definitions.
//!
//! Findings come in the order of the body, and within an object in that of its definition, whatever order the JSON has.

use serde_json::{Map, Value};

use super::checker::{Checker, Count};
use super::definitions::{MRKDWN, PLAIN_TEXT};
use super::finding::Severity;
use super::format;
use super::phrase::{a, either, nearest, quoted};
use super::pointer::Pointer;
use super::rule::Rule;
use super::schema::{Array, CustomCheck, Dependency, Field, Format, Kind, Max, Object, Presence, TextType, Union};

impl<'v> Checker<'v> {
    /// Checks an object and everything in it.
    pub fn object(&mut self, at: &Pointer<'_>, value: &'v Value, object: &'static Object, field: &'static Field) {
        let Some(fields) = value.as_object() else {
            return self.wrong_type(at, value, "an object", field);
        };
        if object.tagged {
            match fields.get("type") {
                Some(Value::String(tag)) if tag == object.name => {}
                Some(Value::String(tag)) => {
                    let text = format!("expected \"{}\", found {}", object.name, quoted(tag));
                    let path = Pointer::Key(at, "type");
                    return self.add(Severity::Error, &path, Rule::MisplacedType, field.sources, text);
                }
                Some(other) => return self.wrong_type(&Pointer::Key(at, "type"), other, "a string", field),
                None => {
                    let text = format!("requires \"type\": \"{}\"", object.name);
                    return self.add(Severity::Error, at, Rule::Missing, field.sources, text);
                }
            }
        }
        self.object_of_its_type(at, fields, object, field);
    }

    /// Checks an object whose `type`, if it has one, is that of its definition.
    fn object_of_its_type(
        &mut self,
        at: &Pointer<'_>,
        fields: &'v Map<String, Value>,
        object: &'static Object,
        place: &'static Field,
    ) {
        if object.noun != "block" {
            return self.fields(at, fields, object, place);
        }
        let outer = std::mem::take(&mut self.action_ids);
        self.depth += 1;
        self.fields(at, fields, object, place);
        self.depth -= 1;
        self.action_ids = outer;
    }

    /// Checks the fields of an object, present and missing.
    fn fields(
        &mut self,
        at: &Pointer<'_>,
        fields: &'v Map<String, Value>,
        object: &'static Object,
        place: &'static Field,
    ) {
        if let Some(why) = object.no_effect {
            let text = format!("{} has no effect in a webhook's message: {why}", object.label());
            self.add(Severity::Warning, at, Rule::NoEffect, place.sources, text);
        }
        let mut known = usize::from(object.tagged && fields.contains_key("type"));
        for field in object.all_fields() {
            match fields.get(field.key) {
                None => self.absent(at, object, field),
                Some(Value::Null) => {
                    known += 1;
                    let text = "null; omit the field instead".to_owned();
                    self.add(Severity::Warning, &Pointer::Key(at, field.key), Rule::Null, field.sources, text);
                    self.absent(at, object, field);
                }
                Some(value) => {
                    known += 1;
                    self.field(&Pointer::Key(at, field.key), value, field);
                }
            }
        }
        if known < fields.len() {
            self.unknown_fields(at, fields, object, place);
        }
        self.groups(at, fields, object, place);
        self.dependencies(at, fields, object, place);
        if let Some(check) = object.custom {
            self.custom(at, fields, check);
        }
    }

    fn field(&mut self, at: &Pointer<'_>, value: &'v Value, field: &'static Field) {
        if let Some(why) = field.no_effect {
            let text = format!("has no effect here: {why}");
            self.add(Severity::Warning, at, Rule::NoEffect, field.sources, text);
        }
        self.value(at, value, &field.kind, field);
    }

    fn absent(&mut self, at: &Pointer<'_>, object: &Object, field: &'static Field) {
        let severity = match field.presence {
            Presence::Optional => return,
            Presence::Disputed => Severity::Warning,
            Presence::Required => Severity::Error,
        };
        let text = format!("{} requires \"{}\"", object.label(), field.key);
        self.add(severity, at, Rule::Missing, field.sources, text);
    }

    fn unknown_fields(
        &mut self,
        at: &Pointer<'_>,
        fields: &'v Map<String, Value>,
        object: &'static Object,
        place: &'static Field,
    ) {
        let is_known =
            |key: &str| (object.tagged && key == "type") || object.all_fields().any(|field| field.key == key);
        let mut unknown: Vec<_> = fields.iter().filter(|(key, _)| !is_known(key)).collect();
        unknown.sort_by_key(|(key, _)| *key);
        for (key, value) in unknown {
            let path = Pointer::Key(at, key);
            let hint = match nearest(key, object.all_fields().map(|field| field.key)) {
                Some(known) => format!("; did you mean \"{known}\"?"),
                None => String::new(),
            };
            let text = format!("{} has no field {}{hint}", object.label(), quoted(key));
            self.add(Severity::Warning, &path, Rule::UnknownField, place.sources, text);
            self.undefined(&path, key, value, place);
        }
    }

    /// Checks that of several fields at least, or exactly, one is present.
    fn groups(
        &mut self,
        at: &Pointer<'_>,
        fields: &'v Map<String, Value>,
        object: &'static Object,
        place: &'static Field,
    ) {
        let present = |keys: &[&'static str]| keys.iter().filter(|key| is_present(fields, key)).count();
        for (group, only_one) in [(object.any_of, false), (object.one_of, true)] {
            let count = present(group);
            if count == 0 && !group.is_empty() {
                let text = format!("{} requires {}", object.label(), either(group));
                self.add(Severity::Error, at, Rule::MissingOneOf, place.sources, text);
            } else if count > 1 && only_one {
                let text = format!("{} takes only one of {}", object.label(), group.join(" and "));
                self.add(Severity::Error, at, Rule::OnlyOneOf, place.sources, text);
            }
        }
    }

    /// Checks the rules between two fields of an object.
    fn dependencies(
        &mut self,
        at: &Pointer<'_>,
        fields: &'v Map<String, Value>,
        object: &'static Object,
        place: &'static Field,
    ) {
        let is_true = |key: &str| fields.get(key) == Some(&Value::Bool(true));
        let present = |key: &str| is_present(fields, key);
        for dependency in object.dependencies {
            let (severity, key, text) = match *dependency {
                Dependency::Requires(a, b) if is_true(a) && !is_true(b) => {
                    (Severity::Error, a, format!("can be true only if \"{b}\" is true"))
                }
                Dependency::Excludes(a, b) if is_true(a) && is_true(b) => {
                    (Severity::Error, a, format!("cannot be true if \"{b}\" is true"))
                }
                Dependency::NoEffectWithout(a, b) if present(a) && !present(b) => {
                    (Severity::Warning, a, format!("has no effect without \"{b}\""))
                }
                Dependency::NoEffectWith(a, b) if present(a) && present(b) => {
                    (Severity::Warning, a, format!("has no effect together with \"{b}\""))
                }
                _ => continue,
            };
            self.add(severity, &Pointer::Key(at, key), Rule::FieldDependency, place.sources, text);
        }
    }

    /// Checks a value against what its field or array may hold.
    fn value(&mut self, at: &Pointer<'_>, value: &'v Value, kind: &'static Kind, field: &'static Field) {
        match kind {
            Kind::Any => self.undefined(at, field.key, value, field),
            Kind::Bool if value.is_boolean() => {}
            Kind::Flag if value.is_boolean() || matches!(value.as_u64(), Some(0 | 1)) => {}
            Kind::Bool | Kind::Flag => self.wrong_type(at, value, "true or false", field),
            Kind::Str(rules) => match value {
                Value::String(text) => self.string(at, text, rules, field),
                _ => self.wrong_type(at, value, "a string", field),
            },
            Kind::Int(min, max) => self.int(at, value, *min, *max, field),
            Kind::Number if value.is_number() => {}
            Kind::Number => self.wrong_type(at, value, "a number", field),
            Kind::Positive => self.positive(at, value, field),
            Kind::IntOrStr if value.is_string() || format::whole(value).is_some() => {}
            Kind::IntOrStr => self.wrong_type(at, value, "a whole number or a string", field),
            Kind::Enum(allowed) => self.one_of(at, value, allowed, field),
            Kind::Text(text_type, max) => self.text_object(at, value, *text_type, *max, field),
            Kind::Object(object) => self.object(at, value, object, field),
            Kind::Union(union) => self.union(at, value, union, field),
            Kind::Array(array) => self.array(at, value, array, field),
            Kind::Forbidden => {
                let text = "is not allowed here".to_owned();
                self.add(field.severity(), at, Rule::ForbiddenField, field.sources, text);
            }
        }
    }

    /// Checks a text object: the rules of all text objects, and the type and length that the field takes.
    fn text_object(
        &mut self,
        at: &Pointer<'_>,
        value: &'v Value,
        text_type: TextType,
        max: Max,
        field: &'static Field,
    ) {
        let Some(fields) = value.as_object() else {
            return self.wrong_type(at, value, "a text object ({\"type\": \"plain_text\", \"text\": …})", field);
        };
        let (object, mismatch) = match (fields.get("type").and_then(Value::as_str), text_type) {
            (Some("plain_text"), TextType::Any | TextType::Plain) => (&PLAIN_TEXT, None),
            (Some("plain_text"), TextType::Mrkdwn) => (&PLAIN_TEXT, Some((Severity::Warning, "mrkdwn"))),
            (Some("mrkdwn"), TextType::Any | TextType::Mrkdwn) => (&MRKDWN, None),
            (Some("mrkdwn"), TextType::Plain) => (&MRKDWN, Some((Severity::Error, "plain_text"))),
            (Some(other), _) => {
                let text = format!("expected plain_text or mrkdwn, found {}", quoted(other));
                let path = Pointer::Key(at, "type");
                return self.add(Severity::Error, &path, Rule::MisplacedType, field.sources, text);
            }
            (None, _) => {
                let text = "a text object requires \"type\": plain_text or mrkdwn".to_owned();
                return self.add(Severity::Error, at, Rule::Missing, field.sources, text);
            }
        };
        if let Some((severity, expected)) = mismatch {
            let text = format!("expected {expected}, found {}", object.name);
            self.add(severity, &Pointer::Key(at, "type"), Rule::TextType, field.sources, text);
        }
        let before = self.findings.len();
        self.fields(at, fields, object, field);
        let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
        if text.len() <= max.agreed {
            return;
        }
        let count = Count::characters(text);
        if count.value > max.agreed {
            // A text that exceeds two limits gets one finding, about the smaller: this field's, not that of all text
            // objects.
            let mut new = self.findings.split_off(before);
            new.retain(|finding| finding.rule != Rule::TooLong);
            self.findings.append(&mut new);
            self.bounds(&Pointer::Key(at, "text"), count, 0, max, field);
        }
    }

    /// Checks an object that is one of several, by its `type`.
    fn union(&mut self, at: &Pointer<'_>, value: &'v Value, union: &'static Union, field: &'static Field) {
        let Some(fields) = value.as_object() else {
            return self.wrong_type(at, value, "an object", field);
        };
        let tag = match fields.get("type") {
            Some(Value::String(tag)) => tag,
            Some(other) => return self.wrong_type(&Pointer::Key(at, "type"), other, "a string", field),
            None => {
                let text = format!("{} requires \"type\"", a(union.noun));
                return self.add(Severity::Error, at, Rule::Missing, field.sources, text);
            }
        };
        if let Some(object) = union.members.iter().find(|object| object.name == tag) {
            return self.object_of_its_type(at, fields, object, field);
        }
        let path = Pointer::Key(at, "type");
        if let Some(object) = union.known.iter().find(|object| object.name == tag) {
            let text = format!("{} is not allowed here", object.label());
            self.add(union.misplaced, &path, Rule::MisplacedType, field.sources, text);
            return self.object_of_its_type(at, fields, object, field);
        }
        let near = nearest(tag, union.members.iter().map(|object| object.name));
        let hint = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
        let text = format!("unknown {} type {}{hint}", union.noun, quoted(tag));
        self.add(union.unknown, &path, Rule::UnknownType, field.sources, text);
        let is_block = union.noun.starts_with("block");
        self.depth += usize::from(is_block);
        self.undefined(at, "", value, field);
        self.depth -= usize::from(is_block);
    }

    /// Checks an array and its items.
    fn array(&mut self, at: &Pointer<'_>, value: &'v Value, array: &'static Array, field: &'static Field) {
        let Some(items) = value.as_array() else {
            return self.wrong_type(at, value, "an array", field);
        };
        self.bounds(at, Count::items(items.len(), array.noun), array.min, array.max, field);
        for (index, item) in items.iter().enumerate() {
            if !(array.nulls && item.is_null()) {
                self.value(&Pointer::Index(at, index), item, &array.items, field);
            }
        }
    }

    /// Goes through a value that has no definition. Its texts count and its URLs are checked all the same, since a link
    /// that runs something is dangerous wherever it is.
    fn undefined(&mut self, at: &Pointer<'_>, key: &str, value: &'v Value, field: &'static Field) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.undefined(&Pointer::Key(at, key), key, value, field);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.undefined(&Pointer::Index(at, index), key, item, field);
                }
            }
            Value::String(text) if key == "url" || key.ends_with("_url") => {
                let mismatch = format::mismatch(Format::LinkUrl, text);
                if let Some(mismatch) = mismatch.filter(|mismatch| mismatch.certain) {
                    self.malformed(at, text, mismatch, field);
                }
            }
            Value::String(text) if key == "text" && self.depth > 0 => self.totals.text += text.chars().count(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn custom(&mut self, at: &Pointer<'_>, fields: &'v Map<String, Value>, check: CustomCheck) {
        match check {
            CustomCheck::Table => self.table(at, fields),
            CustomCheck::DataTable => self.data_table(at, fields),
            CustomCheck::AxisChart => self.axis_chart(at, fields),
            CustomCheck::DataVisualization => self.totals.charts += 1,
            CustomCheck::Markdown => {
                let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
                self.totals.markdown += text.chars().count();
            }
        }
    }
}

fn is_present(fields: &Map<String, Value>, key: &str) -> bool {
    fields.get(key).is_some_and(|value| !value.is_null())
}
