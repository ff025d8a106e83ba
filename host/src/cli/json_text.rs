//! JSON that a person wrote: an error says where it is wrong, and what was probably meant.

use anyhow::anyhow;
use serde::de::DeserializeOwned;

use crate::phrase::did_you_mean;

/// What some editors begin a file with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parses JSON, also after a byte order mark.
pub(super) fn parse_json<T: DeserializeOwned>(text: &[u8]) -> anyhow::Result<T> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    serde_json::from_slice(text).map_err(|error| match error.is_eof() {
        true if text.trim_ascii().is_empty() => anyhow!("it is empty"),
        true => anyhow!("it ends before its JSON is complete, at line {}", error.line()),
        false => anyhow!(with_suggestion(&error.to_string(), &[])),
    })
}

/// Adds to serde's error about an unknown field or variant which of the known ones, or of `more`, was probably meant.
pub(super) fn with_suggestion(error: &str, more: &[&str]) -> String {
    let suggestion = ["unknown field `", "unknown variant `"].iter().find_map(|begin| {
        let (word, rest) = error.split_once(begin)?.1.split_once("`, expected")?;
        let known = rest.split('`').skip(1).step_by(2).chain(more.iter().copied());
        did_you_mean(word, known)
    });
    suggestion.map_or_else(|| error.to_owned(), |suggestion| format!("{error}; {suggestion}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_json_says_where_it_ends() {
        let error = |text: &str| parse_json::<serde_json::Value>(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error(" \n"), "it is empty");
        assert_eq!(error("{\n\"a\": [1,\n"), "it ends before its JSON is complete, at line 3");
        assert_eq!(error("{\n\"a\": x}"), "expected value at line 2 column 6");
        assert_eq!(parse_json::<u8>("\u{feff}1".as_bytes()).unwrap(), 1);
    }

    #[test]
    fn with_suggestion_names_the_field_that_was_meant() {
        let field = "unknown field `jial`, expected one of `action`, `jail` at line 1 column 5";
        assert_eq!(with_suggestion(field, &[]), format!("{field}; did you mean \"jail\"?"));
        let variant = "unknown variant `erorr`, expected `post` or `skip`";
        assert_eq!(with_suggestion(variant, &["error"]), format!("{variant}; did you mean \"error\"?"));
        for error in
            ["unknown field `x`, there are no fields", "unknown field `zzzz`, expected `post`", "missing field"]
        {
            assert_eq!(with_suggestion(error, &[]), error);
        }
    }
}
