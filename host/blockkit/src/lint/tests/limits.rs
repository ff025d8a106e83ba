//! The definitions against `testdata/limits.json`, which has each limit with its source.

use serde_json::{Map, Value};

use super::definitions::Traversal;
use crate::lint::schema::{Array, Field, Kind, Max, Object, Presence};

const LIMITS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/limits.json"));

/// Objects that the file names differently.
const NAMES: &[(&str, &[&str])] = &[
    ("text", &["plain_text", "mrkdwn"]),
    ("confirm", &["confirmation dialog"]),
    ("option", &["option of a menu", "option"]),
    ("option_group", &["option group"]),
    ("url_source", &["url"]),
    ("column_setting", &["column setting"]),
    ("axis_chart", &["bar", "area", "line"]),
    ("feedback_button(object)", &["feedback button"]),
];

/// Required in the file, but by its note disputed: here a warning.
const REQUIRED_BY_SOME: &[(&str, &str)] = &[("task_card", "status")];

type Problems = Vec<String>;

#[test]
fn definitions_have_the_limits_of_their_sources() {
    let limits: Value = serde_json::from_str(LIMITS).unwrap();
    let objects = Traversal::whole().seen;
    let mut problems = Problems::new();
    let mut fields = 0;
    let mut compare = |noun: Option<&str>, group: &Value| {
        for (name, rules) in group.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with('_')) {
            let names = NAMES.iter().find(|(theirs, _)| noun.is_none() && theirs == name).map(|(_, ours)| *ours);
            let names = names.map_or_else(|| vec![name.as_str()], <[&str]>::to_vec);
            let is_named =
                |object: &&&Object| names.contains(&object.name) && noun.is_none_or(|noun| object.noun == noun);
            let found: Vec<_> = objects.iter().filter(is_named).collect();
            if found.len() < names.len() {
                problems.push(format!("{name}: not in the definitions"));
            }
            for object in found {
                fields += compare_object(object, name, rules.as_object().unwrap(), &mut problems);
            }
        }
    };
    compare(Some("block"), &limits["blocks"]);
    compare(None, &limits["objects"]);
    let (inner, elements): (Map<_, _>, Map<_, _>) =
        limits["elements"].as_object().unwrap().clone().into_iter().partition(|(name, _)| name.contains('('));
    compare(Some("element"), &elements.into());
    compare(None, &inner.into());
    compare(Some("element"), &limits["rich_text"]["inline"]);
    let mut parts = limits["rich_text"].as_object().unwrap().clone();
    parts.remove("inline");
    compare(Some("element"), &parts.into());
    compare(None, &serde_json::json!({ "message": limits["message"] }));
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(fields > 300, "{fields}");
}

fn compare_object(object: &Object, name: &str, rules: &Map<String, Value>, problems: &mut Problems) -> usize {
    let mut fields = 0;
    for (key, rule) in rules.iter().filter(|(key, _)| !key.starts_with('_') && *key != "type") {
        fields += 1;
        match object.all_fields().find(|field| field.key == key) {
            None => problems.push(format!("{name}.{key}: not in the definitions")),
            Some(field) => compare_field(object, field, rule, &mut |what| {
                let note = rule.get("note").or(rule.get("disputed")).unwrap_or(&Value::Null);
                problems.push(format!(
                    "{name}.{key}: {what}, but the definition has {:?} {:?} ({note})",
                    field.presence, field.kind
                ));
            }),
        }
    }
    fields
}

fn compare_field(object: &Object, field: &Field, rule: &Value, differs: &mut dyn FnMut(String)) {
    let is_in_group = object.any_of.contains(&field.key) || object.one_of.contains(&field.key);
    let presence = match &rule["required"] {
        // That a message needs content is a rule of `body`.
        Value::String(_) if object.name == "message" => field.presence == Presence::Optional,
        Value::String(group) if group.starts_with("any_of") => object.any_of.contains(&field.key),
        Value::String(_) => object.one_of.contains(&field.key),
        Value::Bool(true) if REQUIRED_BY_SOME.contains(&(object.name, field.key)) => {
            field.presence == Presence::Disputed
        }
        Value::Bool(true) => field.presence == Presence::Required,
        _ => field.presence == Presence::Optional && !is_in_group,
    };
    if !presence {
        differs(format!("required: {}", rule["required"]));
    }
    let (array, inner) = arrays(&field.kind);
    // Slack truncates a message's text instead of refusing it: a rule of `body`.
    if object.name != "message" {
        compare_max("max_len", length(&field.kind), rule, differs);
    }
    compare_max("max_items", array.map(|array| array.max), rule, differs);
    compare_max("row_max_items", inner.map(|inner| inner.max), rule, differs);
    compare_max("item_max_len", array.and_then(|array| length(&array.items)), rule, differs);
    let (min, max) = if let Kind::Int(min, max) = field.kind { (Some(min), Some(max)) } else { (None, None) };
    let to_i64 = |number: usize| i64::try_from(number).unwrap();
    for (key, found) in [
        ("min_items", array.map(|array| to_i64(array.min))),
        ("row_min_items", inner.map(|inner| to_i64(inner.min))),
        ("min_len", least_length(&field.kind).map(to_i64)),
    ] {
        if rule[key].is_number() && rule[key].as_i64() != found {
            differs(format!("{key}: {}", rule[key]));
        }
    }
    for (key, found) in [("min", min), ("max", max)] {
        if found.is_some() && rule[key].is_number() && rule[key].as_i64() != found {
            differs(format!("{key}: {}", rule[key]));
        }
    }
    compare_enum(&field.kind, rule, differs);
    compare_type(&field.kind, rule, differs);
    if rule["source"].as_str().is_some_and(|source| source.starts_with("UNSOURCED")) && field.documented {
        differs("no source, so no more than a warning".to_owned());
    }
}

fn compare_max(key: &str, found: Option<Max>, rule: &Value, differs: &mut dyn FnMut(String)) {
    let Some(limit) = rule[key].as_u64().map(|limit| usize::try_from(limit).unwrap()) else { return };
    let disputed = rule.get("disputed").is_some() && !key.starts_with("row_");
    let fits = match found {
        Some(max) if disputed => max.agreed != max.largest && (max.agreed == limit || max.largest == limit),
        found => found == Some(Max { agreed: limit, largest: limit }),
    };
    if !fits {
        differs(format!("{key}: {limit}"));
    }
}

fn compare_enum(kind: &Kind, rule: &Value, differs: &mut dyn FnMut(String)) {
    let theirs: Vec<_> = rule["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if theirs.is_empty() {
        return;
    }
    let (array, inner) = arrays(kind);
    let ours: Vec<&str> = match inner.or(array).map_or(kind, |array| &array.items) {
        Kind::Enum(allowed) => allowed.to_vec(),
        Kind::Union(union) => union.members.iter().map(|object| object.name).collect(),
        _ => vec![],
    };
    if !(theirs.iter().all(|value| ours.contains(value)) && ours.len() == theirs.len()) {
        differs(format!("one of {theirs:?}"));
    }
}

fn compare_type(kind: &Kind, rule: &Value, differs: &mut dyn FnMut(String)) {
    let fits = match rule["type"].as_str().unwrap_or_default() {
        "bool" => matches!(kind, Kind::Bool | Kind::Flag),
        "int" => matches!(kind, Kind::Int(..)),
        "string" => matches!(kind, Kind::Str(_) | Kind::Enum(_)),
        name if name.starts_with("text:") => matches!(kind, Kind::Text(..)),
        name if name.starts_with("array") => matches!(kind, Kind::Array(_)),
        name if name.starts_with("block:") => matches!(kind, Kind::Object(_)),
        _ => true,
    };
    // `only_if`: only one of the two text objects may have it.
    let only_elsewhere = matches!(kind, Kind::Forbidden) && rule.get("only_if").is_some();
    if !fits && !only_elsewhere {
        differs(format!("type: {}", rule["type"]));
    }
}

/// The array that a field holds, and the array in that.
fn arrays(kind: &Kind) -> (Option<&'static Array>, Option<&'static Array>) {
    let Kind::Array(array) = kind else { return (None, None) };
    match array.items {
        Kind::Array(inner) => (Some(array), Some(inner)),
        _ => (Some(array), None),
    }
}

fn length(kind: &Kind) -> Option<Max> {
    match kind {
        Kind::Str(rules) => Some(rules.max),
        Kind::Text(_, max) => Some(*max),
        _ => None,
    }
}

fn least_length(kind: &Kind) -> Option<usize> {
    match kind {
        Kind::Str(rules) => Some(rules.min),
        // Of every text object.
        Kind::Text(..) => Some(1),
        _ => None,
    }
}
