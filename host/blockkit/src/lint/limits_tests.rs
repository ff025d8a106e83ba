//! The table against `testdata/limits.json`, which says source by source what each limit is.

use serde_json::{Map, Value};

use super::schema::{Field, Kind, Max, Need, Object};
use super::table_tests::Tour;

const LIMITS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/limits.json"));

/// What the list calls by other names than the table.
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

/// Required there, and here no more than a warning: its own note says that sources disagree.
const REQUIRED_BY_SOME: &[(&str, &str)] = &[("task_card", "status")];

type Problems = Vec<String>;

#[test]
fn the_table_says_what_the_sources_say() {
    let limits: Value = serde_json::from_str(LIMITS).unwrap();
    let objects = Tour::whole().seen;
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
                problems.push(format!("{name}: not in the table"));
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
            None => problems.push(format!("{name}.{key}: not in the table")),
            Some(field) => compare_field(object, field, rule, &mut |what| {
                let note = rule.get("note").or(rule.get("disputed")).unwrap_or(&Value::Null);
                problems.push(format!(
                    "{name}.{key}: {what}, and the table says {:?} {:?} ({note})",
                    field.need, field.kind
                ));
            }),
        }
    }
    fields
}

fn compare_field(object: &Object, field: &Field, rule: &Value, differs: &mut dyn FnMut(String)) {
    let is_in_group = object.any_of.contains(&field.key) || object.one_of.contains(&field.key);
    let need = match &rule["required"] {
        // What a message must have is in `whole`.
        Value::String(_) if object.name == "message" => field.need == Need::Optional,
        Value::String(group) if group.starts_with("any_of") => object.any_of.contains(&field.key),
        Value::String(_) => object.one_of.contains(&field.key),
        Value::Bool(true) if REQUIRED_BY_SOME.contains(&(object.name, field.key)) => field.need == Need::Disputed,
        Value::Bool(true) => field.need == Need::Required,
        _ => field.need == Need::Optional && !is_in_group,
    };
    if !need {
        differs(format!("required: {}", rule["required"]));
    }
    let disputed = rule.get("disputed").is_some();
    let number = |key: &str| rule[key].as_u64().map(|number| number as usize);
    let mut most = |what: &str, found: Option<Max>| {
        if let Some(limit) = number(what) {
            let fits = match found {
                Some(max) if disputed && !what.starts_with("row_") => {
                    max.agreed != max.largest && (max.agreed == limit || max.largest == limit)
                }
                found => found == Some(Max { agreed: limit, largest: limit }),
            };
            if !fits {
                differs(format!("{what}: {limit}"));
            }
        }
    };
    let kind = &field.kind;
    let (list, inner) = match kind {
        Kind::List(list) => match &list.items {
            Kind::List(inner) => (Some(list), Some(inner)),
            _ => (Some(list), None),
        },
        _ => (None, None),
    };
    // A message's text is cut and not refused: `whole`.
    if object.name != "message" {
        most("max_len", length(kind));
    }
    most("max_items", list.map(|list| list.max));
    most("row_max_items", inner.map(|inner| inner.max));
    most("item_max_len", list.and_then(|list| length(&list.items)));
    let least = [
        ("min_items", list.map(|list| list.min)),
        ("row_min_items", inner.map(|inner| inner.min)),
        ("min_len", least_length(kind)),
    ];
    for (what, found) in least {
        if number(what).is_some() && number(what) != found {
            differs(format!("{what}: {}", rule[what]));
        }
    }
    if let Kind::Int(min, max) = kind {
        for (what, found) in [("min", min), ("max", max)] {
            if rule[what].as_i64().is_some_and(|limit| limit != *found) {
                differs(format!("{what}: {}", rule[what]));
            }
        }
    }
    if let (Some(theirs), true) = (rule["enum"].as_array(), rule["enum"][0].is_string()) {
        let theirs: Vec<_> = theirs.iter().filter_map(Value::as_str).collect();
        let innermost = inner.or(list).map_or(kind, |list| &list.items);
        let ours: Vec<&str> = match innermost {
            Kind::Enum(words) => words.to_vec(),
            Kind::Typed(types) => types.listed.iter().map(|object| object.name).collect(),
            _ => vec![],
        };
        // Types of charts with axes differ only in name.
        if !(theirs.iter().all(|word| ours.contains(word)) && ours.len() == theirs.len()) {
            differs(format!("one of {theirs:?}"));
        }
    }
    let shape = match rule["type"].as_str().unwrap_or_default() {
        "bool" => matches!(kind, Kind::Flag),
        "int" => matches!(kind, Kind::Int(..)),
        "string" => matches!(kind, Kind::Str(_) | Kind::Enum(_)),
        text if text.starts_with("text:") => matches!(kind, Kind::Text(..)),
        array if array.starts_with("array") => list.is_some(),
        block if block.starts_with("block:") => matches!(kind, Kind::Object(_)),
        _ => true,
    };
    // `only_if`: the other of the two text objects may not have it.
    let only_elsewhere = matches!(kind, Kind::Never) && rule.get("only_if").is_some();
    if !shape && !only_elsewhere {
        differs(format!("type: {}", rule["type"]));
    }
    if rule["source"].as_str().is_some_and(|source| source.starts_with("UNSOURCED")) && field.sure {
        differs("no source, so no more than a warning".to_owned());
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
