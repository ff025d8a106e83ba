//! How findings name things: values quoted and made safe, lists, the nearest known word.

use serde_json::Value;

use crate::text::{cut, one_line};

/// How much of a value a finding shows.
const SHOWN: usize = 100;

/// How alike two words must be for one to be a misspelling of the other.
const ALIKE: f64 = 0.8;

/// A value of the body, which anybody may have written.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", cut(&one_line(text), SHOWN))
}

/// The noun with its article.
pub fn a(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// `no rows`, `1 row`, `2 rows`.
pub fn counted(count: usize, nouns: &str) -> String {
    match count {
        0 => format!("no {nouns}"),
        1 => format!("1 {}", nouns.strip_suffix('s').unwrap_or(nouns)),
        _ => format!("{count} {nouns}"),
    }
}

/// `a, b or c`.
pub fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [words @ .., last] => format!("{} or {last}", words.join(", ")),
    }
}

/// Which of the known words was meant.
pub fn nearest(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    // No known word is longer, and comparing takes the square of it.
    if word.len() > SHOWN {
        return None;
    }
    known
        .map(|known| (strsim::jaro_winkler(word, known), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// What a value is, as JSON calls it.
pub const fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(
            [listed(&[]), listed(&["a"]), listed(&["a", "b"]), listed(&["a", "b", "c"])],
            ["", "a", "a or b", "a, b or c"]
        );
    }

    #[test]
    fn misspellings() {
        let known = || ["text", "block_id", "elements"].into_iter();
        assert_eq!(nearest("txet", known()), Some("text"));
        assert_eq!(nearest("element", known()), Some("elements"));
        assert_eq!(nearest("colour", known()), None);
        assert_eq!(nearest(&"text".repeat(100), known()), None);
    }

    #[test]
    fn values_are_short_and_harmless() {
        let shown = quoted(&format!("a\n\u{1b}[31m\u{202e}{}", "b".repeat(1_000)));
        assert!(shown.starts_with(r#""a \u{1b}[31m\u{202e}bbb"#) && shown.chars().count() == SHOWN + 2, "{shown}");
    }
}
