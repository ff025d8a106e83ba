//! What every message of a plugin passes before it may go out.
//!
//! Lowering escapes, disarms and cuts; the linter then refuses what Slack would refuse, and the caller sends the
//! fallback instead.

use serde_json::Value;

use super::disarm::{Disarm, Policy};
use super::lint::{Finding, Severity, check};
use super::model::Message;
use super::slack::{LowerError, lower};
use crate::event::Event;

/// A body that may go out. Only [`guard`] and `fallback` make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded(Value);

/// A message that may not go out.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// A raw block is none.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// Slack would refuse it. Not empty; errors only.
    #[error("Slack would refuse the message: {}", list(.0))]
    Refused(Vec<Finding>),
}

/// Makes a plugin's message about an event safe, or says why it cannot go out.
///
/// # Errors
/// What is wrong, where, with the limit and the value.
pub fn guard(decided: &Message, event: &Event, policy: &Policy) -> Result<Guarded, GuardError> {
    let body = lower(decided, &Disarm::new(event, policy))?;
    let mut findings = check(&body);
    findings.retain(|finding| finding.severity == Severity::Error);
    if findings.is_empty() { Ok(Guarded(body)) } else { Err(GuardError::Refused(findings)) }
}

impl Guarded {
    /// For bodies that our own code wrote.
    pub(super) const fn own(body: Value) -> Self {
        Self(body)
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Value {
        &self.0
    }

    /// The body as it is sent and stored.
    #[must_use]
    pub fn to_json_string(&self) -> String {
        self.0.to_string()
    }
}

/// The first few; a plugin that writes one block wrong writes forty so.
fn list(findings: &[Finding]) -> String {
    const SHOWN: usize = 3;
    let mut list = findings.iter().take(SHOWN).map(Finding::to_string).collect::<Vec<_>>().join("; ");
    if let Some(more) = findings.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        list.push_str(&format!("; and {more} more"));
    }
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::hostile_tests::ban;

    fn refused(message: Value) -> String {
        let message: Message = serde_json::from_value(message).unwrap();
        guard(&message, &ban("203.0.113.7"), &Policy::default()).unwrap_err().to_string()
    }

    /// The error of a message with these blocks.
    fn blocks(blocks: Value) -> String {
        let error = refused(json!({ "text": { "plain": "x" }, "blocks": blocks }));
        error.strip_prefix("Slack would refuse the message: ").map_or(error.clone(), str::to_owned)
    }

    fn many(count: usize, value: &Value) -> Value {
        Value::Array(vec![value.clone(); count])
    }

    #[test]
    fn what_slack_would_refuse() {
        let button = |url: &str| json!({ "label": "a", "url": url });
        let image = |url: &str, alt: &str| json!({ "image": { "url": url, "alt": alt } });
        let field = json!({ "label": "a", "value": { "plain": "b" } });
        let section = |text: &str| json!({ "section": { "text": { "plain": text } } });
        let raw = |block: Value| json!([{ "raw": block.to_string() }]);
        for (found, expected) in [
            (many(51, &json!("divider")), "/blocks: 51 blocks, at most 50 (blocks)"),
            (json!([{ "section": {} }]), "/blocks/0: a section holds neither text nor fields (section-empty)"),
            (json!([section(" ")]), "/blocks/0: a section holds neither text nor fields (section-empty)"),
            (
                json!(["divider", { "section": { "fields": many(11, &field) } }]),
                "/blocks/1/fields: 11 fields, at most 10 (section-fields)",
            ),
            (json!([{ "header": "" }]), "/blocks/0/text/text: no characters, at least 1 (text-empty)"),
            (json!([{ "context": [] }]), "/blocks/0/elements: no elements, at least 1 (context-elements)"),
            (
                json!([{ "context": many(11, &json!({ "plain": "a" })) }]),
                "/blocks/0/elements: 11 elements, at most 10 (context-elements)",
            ),
            (
                json!([{ "buttons": many(26, &button("https://example.org")) }]),
                "/blocks/0/elements: 26 elements, at most 25 (actions-elements)",
            ),
            (
                json!([{ "buttons": [button("javascript:alert(1)")] }]),
                "/blocks/0/elements/0/url: \"javascript:alert(1)\" is no http or https URL (url-scheme)",
            ),
            (
                json!([image("file:///etc/passwd", "a")]),
                "/blocks/0/image_url: \"file:///etc/passwd\" is no http or https URL (url-scheme)",
            ),
            (json!([image("https://example.org", " ")]), "/blocks/0/alt_text: no characters, at least 1 (image-alt)"),
            (
                json!([{ "preformatted": "" }]),
                "/blocks/0/elements/0/elements/0/text: no characters, at least 1 (text-empty)",
            ),
            (json!([{ "table": [] }]), "/blocks/0/rows: no rows, at least 1 (table-rows)"),
            (json!([{ "table": many(101, &json!(["a"])) }]), "/blocks/0/rows: 101 rows, at most 100 (table-rows)"),
            (json!([{ "table": [many(21, &json!("a"))] }]), "/blocks/0/rows/0: 21 cells, at most 20 (table-cells)"),
            (json!([{ "table": [["a"]] }, { "table": [["a"]] }]), "/: 2 tables, at most 1 (tables)"),
            (
                many(4, &section(&"a".repeat(3_000))),
                "/: 12000 characters of text in blocks, at most 10000 (blocks-text)",
            ),
            (
                raw(json!({ "type": "section", "text": { "type": "mrkdwn", "text": "a".repeat(3_001) } })),
                "/blocks/0/text/text: 3001 characters, at most 3000 (text-length)",
            ),
            (
                raw(json!({ "type": "header", "text": { "type": "plain_text", "text": "a".repeat(151) } })),
                "/blocks/0/text/text: 151 characters, at most 150 (text-length)",
            ),
            (raw(json!({ "type": "header" })), "/blocks/0/text: no text object (text-object)"),
            (json!([{ "raw": "" }]), "block 1 (raw): not JSON: EOF while parsing a value at line 1 column 0"),
        ] {
            assert_eq!(blocks(found), expected);
        }
    }

    #[test]
    fn nothing_to_show() {
        for text in [json!({ "plain": " " }), json!({ "mrkdwn": "" }), json!({ "rich": [{ "bold": "" }] })] {
            assert_eq!(
                refused(json!({ "text": text })),
                "Slack would refuse the message: /: neither text nor blocks (no-content)"
            );
        }
    }

    #[test]
    fn many_findings_are_counted() {
        let error = blocks(many(5, &json!({ "section": {} })));
        assert!(error.ends_with("(section-empty); and 2 more"), "{error}");
    }

    #[test]
    fn colour_and_nothing_else() {
        let error = refused(json!({ "text": { "plain": "" }, "color": "good" }));
        assert_eq!(error, "Slack would refuse the message: /: neither text nor blocks (no-content)");
    }
}
