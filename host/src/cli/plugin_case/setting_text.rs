//! The settings of a case: JSON as a route's TOML has them, and the texts that the plugin gets.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Returns the texts that `settings.get` returns for the values of a case, as `wit/imports.wit` promises them for those of
/// a route.
///
/// # Errors
/// When no route can have a value.
pub(super) fn texts(settings: &BTreeMap<String, Value>) -> anyhow::Result<BTreeMap<String, String>> {
    let named = |(name, value): (&String, &Value)| {
        Ok((name.clone(), text(value).with_context(|| format!("setting \"{name}\""))?))
    };
    settings.iter().map(named).collect()
}

fn text(value: &Value) -> anyhow::Result<String> {
    let Value::Array(list) = value else { return scalar(value) };
    let lines = list.iter().map(|line| {
        let line = scalar(line)?;
        if line.contains('\n') {
            bail!("an entry of a list has no line feed, since the plugin gets one entry a line");
        }
        Ok(line)
    });
    Ok(lines.collect::<anyhow::Result<Vec<_>>>()?.join("\n"))
}

fn scalar(value: &Value) -> anyhow::Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.to_string(),
            None => number.as_f64().with_context(|| format!("{number} is too large"))?.to_string(),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => {
            bail!("expected a string, a number, true, false or a list of these, as in [routes.settings]")
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_those_of_a_route() {
        for (value, expected) in [
            (json!("a\nb"), "a\nb"),
            (json!(1_000), "1000"),
            (json!(2.50), "2.5"),
            (json!(true), "true"),
            (json!(["a", 5, false]), "a\n5\nfalse"),
            (json!([]), ""),
        ] {
            assert_eq!(text(&value).unwrap(), expected);
        }
        for value in [json!(null), json!({"a": 1}), json!([["a"]]), json!(["a\nb"])] {
            assert!(text(&value).is_err(), "{value}");
        }
    }
}
