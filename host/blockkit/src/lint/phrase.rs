//! Phrases of findings: quoted values made safe, lists, counted nouns, the likely spelling.

use serde_json::Value;

use crate::text::{cut, one_line};

/// The number of characters of a value that a finding shows.
const SHOWN: usize = 100;

/// The Jaro-Winkler similarity from which a word counts as a misspelling of another.
const SIMILAR: f64 = 0.8;

/// A value of the body, which may be hostile.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", cut(&one_line(text), SHOWN))
}

/// A noun with its article.
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
pub fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [words @ .., last] => format!("{} or {last}", words.join(", ")),
    }
}

/// Returns the known word of which `word` is most likely a misspelling.
pub fn nearest(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    // No known word is longer, and the time that the comparison takes grows with the square of the length.
    if word.len() > SHOWN {
        return None;
    }
    known
        .map(|known| (strsim::jaro_winkler(word, known), known))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// The JSON type of a value.
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
    fn either_of_several_words_joins_the_last_with_or() {
        assert_eq!(
            [either(&[]), either(&["a"]), either(&["a", "b"]), either(&["a", "b", "c"])],
            ["", "a", "a or b", "a, b or c"]
        );
    }

    #[test]
    fn nearest_of_a_misspelling_is_the_known_word() {
        let known = || ["text", "block_id", "elements"].into_iter();
        assert_eq!(nearest("txet", known()), Some("text"));
        assert_eq!(nearest("element", known()), Some("elements"));
        assert_eq!(nearest("colour", known()), None);
        assert_eq!(nearest(&"text".repeat(100), known()), None);
    }

    #[test]
    fn quoted_hostile_value_is_short_and_harmless() {
        let shown = quoted(&format!("a\n\u{1b}[31m\u{202e}{}", "b".repeat(1_000)));
        assert!(shown.starts_with(r#""a \u{1b}[31m\u{202e}bbb"#) && shown.chars().count() == SHOWN + 2, "{shown}");
    }
}
