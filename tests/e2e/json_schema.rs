//! A validator of JSON by a JSON Schema, for the keywords that `plugins/case.schema.json` uses. A crate would bring its
//! features of `regex` into the program under test; one that meets a keyword it does not know fails.

use serde_json::{Map, Value};

/// Keywords that say nothing about a value.
const NOTES: [&str; 5] = ["$schema", "$defs", "title", "description", "pattern"];

/// Returns what is wrong with a value, each with its place; empty if nothing is.
pub fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    validate(schema, schema, value, "", &mut errors);
    errors
}

fn validate(root: &Value, schema: &Value, value: &Value, place: &str, errors: &mut Vec<String>) {
    let matching = |schemas: &Value| {
        let schemas = schemas.as_array().unwrap();
        schemas
            .iter()
            .filter(|schema| {
                let mut found = Vec::new();
                validate(root, schema, value, place, &mut found);
                found.is_empty()
            })
            .count()
    };
    for (keyword, rule) in schema.as_object().unwrap_or_else(|| panic!("no schema: {schema}")) {
        let mut check = |holds: bool| {
            if !holds {
                errors.push(format!("{place}: {keyword} {rule}"))
            }
        };
        let number = rule.as_u64().and_then(|number| usize::try_from(number).ok());
        match keyword.as_str() {
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                validate(root, root.pointer(pointer).unwrap(), value, place, errors);
            }
            "type" => check(rule.as_array().unwrap_or(&vec![rule.clone()]).iter().any(|kind| is(kind, value))),
            "enum" => check(rule.as_array().unwrap().contains(value)),
            "const" => check(rule == value),
            "oneOf" => check(matching(rule) == 1),
            "anyOf" => check(matching(rule) > 0),
            "minimum" => check(value.as_f64().is_none_or(|value| value >= rule.as_f64().unwrap())),
            "maximum" => check(value.as_f64().is_none_or(|value| value <= rule.as_f64().unwrap())),
            "minItems" => check(value.as_array().is_none_or(|list| list.len() >= number.unwrap())),
            "maxItems" => check(value.as_array().is_none_or(|list| list.len() <= number.unwrap())),
            "minProperties" => check(value.as_object().is_none_or(|object| object.len() >= number.unwrap())),
            "maxProperties" => check(value.as_object().is_none_or(|object| object.len() <= number.unwrap())),
            "required" => {
                let mut keys = rule.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
                check(keys.all(|key| value.as_object().is_none_or(|object| object.contains_key(key))));
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    validate(root, rule, item, &format!("{place}/{index}"), errors);
                }
            }
            "properties" => {
                for (key, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        validate(root, rule, value, &format!("{place}/{key}"), errors);
                    }
                }
            }
            "additionalProperties" => {
                let none = Map::new();
                let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
                for (key, more) in value.as_object().into_iter().flatten().filter(|(key, _)| !known.contains_key(*key))
                {
                    match rule {
                        Value::Bool(false) => errors.push(format!("{place}: unknown key {key}")),
                        rule => validate(root, rule, more, &format!("{place}/{key}"), errors),
                    }
                }
            }
            note => assert!(NOTES.contains(&note), "the validator does not know {note}"),
        }
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        kind => panic!("no kind of JSON: {kind}"),
    }
}
