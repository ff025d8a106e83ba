//! JSON that a person wrote: an error says where it is wrong.

use anyhow::anyhow;
use serde::de::DeserializeOwned;

/// What some editors begin a file with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parses JSON, also after a byte order mark.
pub(super) fn parse_json<T: DeserializeOwned>(text: &[u8]) -> anyhow::Result<T> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    serde_json::from_slice(text).map_err(|error| match error.is_eof() {
        true if text.trim_ascii().is_empty() => anyhow!("it is empty"),
        true => anyhow!("it ends before its JSON is complete, at line {}", error.line()),
        false => error.into(),
    })
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
}
