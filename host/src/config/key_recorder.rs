//! The keys that the readers of the configuration know, as they read them, in the words of JSON Schema: so the schema for
//! editors cannot differ from what is read.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Where a schema of another table belongs, until all are known.
const TABLE: &str = "$table";

/// The title of the outermost table.
pub(super) const TOP: &str = "the configuration";

/// The keys of each table by its title, each with the forms that its values may have.
#[derive(Debug, Default)]
pub(super) struct KeyRecorder(RefCell<BTreeMap<String, BTreeMap<&'static str, Vec<Value>>>>);

/// A table with this title (`[retention]`, `[webhooks.NAME]`).
pub(super) fn table(title: &str) -> Value {
    json!({ TABLE: title })
}

/// A table with any keys, whose values have this form.
pub(super) fn any_keys(form: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": form })
}

/// A list of at least so many values of this form.
pub(super) fn list(form: &Value, least: usize) -> Value {
    json!({ "type": "array", "minItems": least, "items": form })
}

impl KeyRecorder {
    /// Records a form that the value of a key may have.
    pub(super) fn add(&self, title: &str, key: &'static str, form: Value) {
        let mut tables = self.0.borrow_mut();
        let forms = tables.entry(title.to_owned()).or_default().entry(key).or_default();
        if !forms.contains(&form) {
            forms.push(form);
        }
    }

    /// Adds rules to the last form of a key, such as the bounds of a number.
    pub(super) fn restrict(&self, title: &str, key: &str, rules: Value) {
        let mut tables = self.0.borrow_mut();
        let form = tables.get_mut(title).and_then(|keys| keys.get_mut(key)?.last_mut());
        if let (Some(Value::Object(form)), Value::Object(rules)) = (form, rules) {
            // The rules of a list are those of its values.
            match form.get_mut("items") {
                Some(Value::Object(items)) => items.extend(rules),
                _ => form.extend(rules),
            }
        }
    }

    /// Returns the schema of a table.
    pub(super) fn schema(&self, title: &str) -> Map<String, Value> {
        let mut schema = Map::from_iter([("type".to_owned(), json!("object"))]);
        let keys = self.0.borrow().get(title).cloned().unwrap_or_default();
        let properties = keys.into_iter().map(|(key, mut forms)| {
            forms.iter_mut().for_each(|form| self.resolve(form));
            let form = match forms.len() {
                1 => forms.swap_remove(0),
                _ => json!({ "anyOf": forms }),
            };
            (key.to_owned(), form)
        });
        schema.insert("properties".to_owned(), properties.collect::<Map<_, _>>().into());
        schema.insert("additionalProperties".to_owned(), json!(false));
        schema
    }

    /// Puts the schemas of other tables where they belong.
    fn resolve(&self, form: &mut Value) {
        if let Some(title) = form.get(TABLE).and_then(Value::as_str) {
            *form = self.schema(title).into();
        } else if let Some(inner) = ["items", "additionalProperties"].into_iter().find(|key| form.get(key).is_some()) {
            form.get_mut(inner).into_iter().for_each(|inner| self.resolve(inner));
        }
    }
}
