//! What the answer of a program must have to say that it has the message, next to a status of success.

use serde_json::Value;

/// A place in the JSON of an answer, and the value there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SuccessRule {
    pointer: String,
    value: Value,
}

impl SuccessRule {
    /// The form of a rule, for messages.
    pub(super) const FORM: &str = "a JSON pointer and a JSON value, such as /ok = true or /status = \"sent\"";

    /// Parses `/ok = true` (RFC 6901 has the pointers).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (pointer, value) = text.split_once('=')?;
        let pointer = pointer.trim();
        let value = serde_json::from_str(value.trim()).ok()?;
        pointer.starts_with('/').then(|| Self { pointer: pointer.to_owned(), value })
    }

    /// Returns whether an answer is as it says.
    #[must_use]
    pub(crate) fn holds(&self, answer: &Value) -> bool {
        answer.pointer(&self.pointer) == Some(&self.value)
    }

    /// Returns the rule as it is written in the configuration.
    #[must_use]
    pub(crate) fn to_text(&self) -> String {
        format!("{} = {}", self.pointer, self.value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rule_compares_one_place_of_the_answer() {
        let rule = SuccessRule::parse(r#"/result/0/state="a = b""#).unwrap();
        assert!(rule.holds(&json!({ "result": [{ "state": "a = b" }] })));
        assert!(!rule.holds(&json!({ "result": [{ "state": "a" }] })) && !rule.holds(&Value::Null));
        assert_eq!(SuccessRule::parse(&rule.to_text()), Some(rule));
        assert!(SuccessRule::parse("/ok = true").unwrap().holds(&json!({ "ok": true })));
        for text in ["", "/ok", "ok = true", "/ok = yes", "= 1"] {
            assert_eq!(SuccessRule::parse(text), None, "{text}");
        }
    }
}
