//! Goes through a body with the table in hand and writes down what is wrong.
//!
//! Findings come in the order of the body, and within an object in that of the table, whatever order its JSON has.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::finding::{Finding, Severity};
use super::form;
use super::path::Path;
use super::rule::Rule;
use super::schema::{Extra, Field, Form, List, Need, Object, Pair, Types};
use super::values::Count;
use super::words::{a, listed, nearest, quoted, type_of};

/// How many of something a body holds, where a rule is about the whole.
#[derive(Debug, Default)]
pub struct Totals {
    /// `table` and `data_table` blocks.
    pub tables: usize,
    /// `data_visualization` blocks.
    pub charts: usize,
    /// Characters in `markdown` blocks.
    pub markdown: usize,
    /// Characters of `text` in blocks.
    pub text: usize,
}

/// One way through a body.
#[derive(Default)]
pub struct Walk<'v> {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What there is of it all.
    pub totals: Totals,
    /// Of all blocks so far.
    pub block_ids: HashSet<&'v str>,
    /// Of the elements so far of the block that we are in.
    pub action_ids: HashSet<&'v str>,
    /// How many blocks we are in: a container's children are in two.
    pub depth: usize,
}

impl<'v> Walk<'v> {
    /// An object of the table, with its contents.
    pub fn object(&mut self, at: &Path<'_>, value: &'v Value, object: &'static Object, field: &'static Field) {
        let Some(fields) = value.as_object() else {
            return self.wrong_type(at, value, "an object", field);
        };
        if object.typed {
            match fields.get("type") {
                Some(Value::String(kind)) if kind == object.name => {}
                Some(Value::String(kind)) => {
                    let text = format!("type {}, where only \"{}\" may be", quoted(kind), object.name);
                    return self.find(Severity::Error, &Path::Key(at, "type"), Rule::MisplacedType, field, text);
                }
                Some(other) => return self.wrong_type(&Path::Key(at, "type"), other, "a string", field),
                None => {
                    let text = format!("no \"type\"; write \"type\": \"{}\"", object.name);
                    return self.find(Severity::Error, at, Rule::Missing, field, text);
                }
            }
        }
        self.described(at, fields, object, field);
    }

    /// An object whose `type` is known to be right.
    fn described(
        &mut self,
        at: &Path<'_>,
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

    /// The fields of an object, present and missing.
    pub fn fields(
        &mut self,
        at: &Path<'_>,
        fields: &'v Map<String, Value>,
        object: &'static Object,
        place: &'static Field,
    ) {
        if let Some(why) = object.useless {
            let text = format!("{} is of no use in a webhook's message: {why}", object.label());
            self.find(Severity::Warning, at, Rule::Useless, place, text);
        }
        let mut known = usize::from(object.typed && fields.contains_key("type"));
        for field in object.all_fields() {
            match fields.get(field.key) {
                None => self.absent(at, object, field),
                Some(Value::Null) => {
                    known += 1;
                    self.null(&Path::Key(at, field.key), field);
                    self.absent(at, object, field);
                }
                Some(value) => {
                    known += 1;
                    self.field(&Path::Key(at, field.key), value, field);
                }
            }
        }
        if known < fields.len() {
            self.unknown_fields(at, fields, object, place);
        }
        self.together(at, fields, object, place);
        if let Some(extra) = object.extra {
            self.extra(at, fields, extra);
        }
    }

    fn field(&mut self, at: &Path<'_>, value: &'v Value, field: &'static Field) {
        if let Some(why) = field.useless {
            self.find(Severity::Warning, at, Rule::Useless, field, format!("of no use here: {why}"));
        }
        self.value(at, value, &field.kind, field);
    }

    fn absent(&mut self, at: &Path<'_>, object: &Object, field: &'static Field) {
        let severity = match field.need {
            Need::Optional => return,
            Need::Disputed => Severity::Warning,
            Need::Required => Severity::Error,
        };
        let text = format!("no \"{}\", which {} needs", field.key, object.label());
        self.find(severity, at, Rule::Missing, field, text);
    }

    fn null(&mut self, at: &Path<'_>, field: &'static Field) {
        self.find(Severity::Warning, at, Rule::Null, field, "null; leave it out instead".to_owned());
    }

    fn unknown_fields(
        &mut self,
        at: &Path<'_>,
        fields: &'v Map<String, Value>,
        object: &'static Object,
        place: &'static Field,
    ) {
        let is_known = |key: &str| (object.typed && key == "type") || object.all_fields().any(|field| field.key == key);
        let mut unknown: Vec<_> = fields.iter().filter(|(key, _)| !is_known(key)).collect();
        unknown.sort_by_key(|(key, _)| *key);
        for (key, value) in unknown {
            let path = Path::Key(at, key);
            let hint = match nearest(key, object.all_fields().map(|field| field.key)) {
                Some(known) => format!("; did you mean \"{known}\"?"),
                None => String::new(),
            };
            let text = format!("{} has no field {}{hint}", object.label(), quoted(key));
            self.find(Severity::Warning, &path, Rule::UnknownField, place, text);
            self.foreign(&path, key, value, place);
        }
    }

    /// Which fields need, exclude or replace each other.
    fn together(
        &mut self,
        at: &Path<'_>,
        fields: &'v Map<String, Value>,
        object: &'static Object,
        place: &'static Field,
    ) {
        let present = |key: &str| fields.get(key).is_some_and(|value| !value.is_null());
        let of = |keys: &[&'static str]| keys.iter().filter(|key| present(key)).count();
        if !object.any_of.is_empty() && of(object.any_of) == 0 {
            let text = format!("no {}; {} needs at least one", listed(object.any_of), object.label());
            self.find(Severity::Error, at, Rule::MissingOneOf, place, text);
        }
        match of(object.one_of) {
            0 if !object.one_of.is_empty() => {
                let text = format!("no {}; {} needs one", listed(object.one_of), object.label());
                self.find(Severity::Error, at, Rule::MissingOneOf, place, text);
            }
            0 | 1 => {}
            _ => {
                let text = format!("{} together; {} takes only one", object.one_of.join(" and "), object.label());
                self.find(Severity::Error, at, Rule::OnlyOneOf, place, text);
            }
        }
        let is_true = |key: &str| fields.get(key) == Some(&Value::Bool(true));
        for pair in object.pairs {
            let (severity, key, text) = match *pair {
                Pair::OnlyWith(a, b) if is_true(a) && !is_true(b) => {
                    (Severity::Error, a, format!("true, which it may be only where \"{b}\" is true"))
                }
                Pair::NeverWith(a, b) if is_true(a) && is_true(b) => {
                    (Severity::Error, a, format!("true, which it may not be where \"{b}\" is true"))
                }
                Pair::IdleWithout(a, b) if present(a) && !present(b) => {
                    (Severity::Warning, a, format!("does nothing without \"{b}\""))
                }
                Pair::IdleBeside(a, b) if present(a) && present(b) => {
                    (Severity::Warning, a, format!("does nothing beside \"{b}\""))
                }
                _ => continue,
            };
            self.find(severity, &Path::Key(at, key), Rule::Pairing, place, text);
        }
    }

    /// An object that says by its `type` what it is.
    pub fn typed(&mut self, at: &Path<'_>, value: &'v Value, types: &'static Types, field: &'static Field) {
        let Some(fields) = value.as_object() else {
            return self.wrong_type(at, value, "an object", field);
        };
        let kind = match fields.get("type") {
            Some(Value::String(kind)) => kind,
            Some(other) => return self.wrong_type(&Path::Key(at, "type"), other, "a string", field),
            None => {
                let text = format!("no \"type\", which {} needs", a(types.noun));
                return self.find(Severity::Error, at, Rule::Missing, field, text);
            }
        };
        if let Some(object) = types.listed.iter().find(|object| object.name == kind) {
            return self.described(at, fields, object, field);
        }
        let path = Path::Key(at, "type");
        if let Some(object) = types.known.iter().find(|object| object.name == kind) {
            let text = format!("{} may not stand here", object.label());
            self.find(types.unlisted, &path, Rule::MisplacedType, field, text);
            return self.described(at, fields, object, field);
        }
        let near = nearest(kind, types.listed.iter().map(|object| object.name));
        let hint = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
        let text = format!("unknown {} type {}{hint}", types.noun, quoted(kind));
        self.find(types.unknown, &path, Rule::UnknownType, field, text);
        let is_block = types.noun.starts_with("block");
        self.depth += usize::from(is_block);
        self.foreign(at, "", value, field);
        self.depth -= usize::from(is_block);
    }

    /// An array, and what is in it.
    pub fn list(&mut self, at: &Path<'_>, value: &'v Value, list: &'static List, field: &'static Field) {
        let Some(items) = value.as_array() else {
            return self.wrong_type(at, value, "an array", field);
        };
        self.bounds(at, Count::items(items.len(), list.noun), list.min, list.max, field);
        for (index, item) in items.iter().enumerate() {
            if !(list.nulls && item.is_null()) {
                self.value(&Path::Index(at, index), item, &list.items, field);
            }
        }
    }

    /// What the table does not describe. Texts in it are counted and URLs looked at all the same: a link that runs
    /// something is one wherever it stands.
    pub fn foreign(&mut self, at: &Path<'_>, key: &str, value: &'v Value, field: &'static Field) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.foreign(&Path::Key(at, key), key, value, field);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.foreign(&Path::Index(at, index), key, item, field);
                }
            }
            Value::String(text) if key == "url" || key.ends_with("_url") => {
                if let Some(fault) = form::fault(Form::Opened, text).filter(|fault| fault.sure) {
                    self.malformed(at, text, fault, field);
                }
            }
            Value::String(text) if key == "text" && self.depth > 0 => self.totals.text += text.chars().count(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn extra(&mut self, at: &Path<'_>, fields: &'v Map<String, Value>, extra: Extra) {
        match extra {
            Extra::Table => self.table(at, fields),
            Extra::DataTable => self.data_table(at, fields),
            Extra::AxisChart => self.axis_chart(at, fields),
            Extra::Visualization => self.totals.charts += 1,
            Extra::Markdown => {
                let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
                self.totals.markdown += text.chars().count();
            }
        }
    }

    /// A value of another JSON type than `wanted`.
    pub fn wrong_type(&mut self, at: &Path<'_>, value: &Value, wanted: &str, field: &'static Field) {
        let text = format!("{}, where {wanted} must be", type_of(value));
        self.find(field.severity(), at, Rule::WrongType, field, text);
    }

    /// Writes down what is wrong.
    pub fn find(&mut self, severity: Severity, at: &Path<'_>, rule: Rule, field: &'static Field, message: String) {
        let path = at.pointer();
        let sources = field.sources;
        self.findings.push(Finding { severity, path, rule, message, value: None, limit: None, sources });
    }

    /// The same, with the value and the limit.
    pub fn count(
        &mut self,
        severity: Severity,
        at: &Path<'_>,
        rule: Rule,
        field: &'static Field,
        message: String,
        (value, limit): (i64, i64),
    ) {
        let (path, value, limit) = (at.pointer(), Some(value), Some(limit));
        self.findings.push(Finding { severity, path, rule, message, value, limit, sources: field.sources });
    }
}

/// A count as findings hold it.
pub fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
