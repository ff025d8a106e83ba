//! What every message of a plugin passes before it may go out.
//!
//! Lowering escapes, disarms and cuts; the linter then refuses what Slack would refuse, and the caller sends the
//! fallback instead. Of the other targets' bodies nothing is left to refuse but that they show nothing.

use blockkit::{Finding, Rule, Severity, check_and_count};
use serde_json::Value;

use super::limits::{BLOCKS_TEXT_MAX, BODY_BYTES_MAX};
use super::model::Message;
use super::sanitizer::Sanitizer;
use super::slack::LowerError;
use super::target::Target;
use super::{slack, slack_compatible};
use crate::event::{Batch, Event};

/// What a route allows its plugin's messages, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Mentions of users, groups and the whole channel.
    pub mentions: bool,
    /// What the webhook speaks.
    pub target: Target,
}

/// A body that may go out. Only [`guard`], [`guard_digest`], `fallback` and `digest` make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    body: Value,
    target: Target,
}

/// A message that may not go out.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// A raw block is none.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// Slack would refuse it. Not empty; errors only.
    #[error("Slack would refuse the message: {}", list(.0))]
    Refused(Vec<Finding>),
    /// For a target without blocks: neither text nor a block that it shows.
    #[error("the message shows nothing on {}", .0.name())]
    Empty(Target),
}

/// Only warnings to an author who reads them, but nobody reads the guard's: people have seen Slack refuse texts that
/// show nothing, and a link must be one of the web.
const ALSO_REFUSED: [Rule; 2] = [Rule::Blank, Rule::Url];

/// Makes a plugin's message about events safe, or says why it cannot go out.
///
/// # Errors
/// What is wrong, where, with the limit and the value.
pub fn guard<'e>(
    decided: &Message,
    events: impl IntoIterator<Item = &'e Event>,
    policy: &Policy,
) -> Result<Guarded, GuardError> {
    disarmed(decided, &Sanitizer::new(events, policy.mentions), policy)
}

/// The same for a plugin's message about a batch.
///
/// # Errors
/// As [`guard`].
pub fn guard_digest(decided: &Message, batch: &Batch, policy: &Policy) -> Result<Guarded, GuardError> {
    disarmed(decided, &Sanitizer::for_batch(batch, policy.mentions), policy)
}

fn disarmed(decided: &Message, sanitizer: &Sanitizer, policy: &Policy) -> Result<Guarded, GuardError> {
    if policy.target != Target::Slack {
        let body =
            slack_compatible::lower(decided, sanitizer, policy.target).ok_or(GuardError::Empty(policy.target))?;
        return Ok(Guarded { body, target: policy.target });
    }
    let body = slack::lower(decided, sanitizer)?;
    let (mut findings, text) = check_and_count(&body);
    findings.retain(|finding| finding.severity == Severity::Error || ALSO_REFUSED.contains(&finding.rule));
    findings.extend(own_limit(Rule::BlocksText, "characters of text in blocks", text, BLOCKS_TEXT_MAX));
    findings.extend(own_limit(Rule::Custom("body-size"), "bytes", bytes(&body), BODY_BYTES_MAX));
    if findings.is_empty() { Ok(Guarded { body, target: policy.target }) } else { Err(GuardError::Refused(findings)) }
}

/// A limit that Slack does not document, and that a message which must arrive stays below.
fn own_limit(rule: Rule, what: &str, count: usize, max: usize) -> Option<Finding> {
    let number = |count: usize| i64::try_from(count).ok();
    (count > max).then(|| Finding {
        severity: Severity::Error,
        path: String::new(),
        rule,
        message: format!("{count} {what}, at most {max}"),
        value: number(count),
        limit: number(max),
        sources: &[],
    })
}

/// How long a body is, but for the escapes in its strings.
fn bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| bytes(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + bytes(value) + 4).sum::<usize>() + 2,
    }
}

impl Guarded {
    /// For bodies that our own code wrote.
    pub(super) const fn own(body: Value, target: Target) -> Self {
        Self { body, target }
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Value {
        &self.body
    }

    /// The body as it is sent and stored.
    #[must_use]
    pub fn to_json_string(&self) -> String {
        self.body.to_string()
    }

    /// Whose format it is in.
    #[must_use]
    pub const fn target(&self) -> Target {
        self.target
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
        guard(&message, [&ban("203.0.113.7")], &Policy::default()).unwrap_err().to_string()
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
            (many(51, &json!("divider")), "/blocks: 51 blocks, at most 50 (too-many)"),
            (json!([{ "section": {} }]), "/blocks/0: a section block requires text or fields (missing-one-of)"),
            (json!([section(" ")]), "/blocks/0: a section block requires text or fields (missing-one-of)"),
            (
                json!(["divider", { "section": { "fields": many(11, &field) } }]),
                "/blocks/1/fields: 11 fields, at most 10 (too-many)",
            ),
            (json!([{ "header": "" }]), "/blocks/0/text/text: no characters, at least 1 (too-short)"),
            (json!([{ "context": [] }]), "/blocks/0/elements: no elements, at least 1 (too-few)"),
            (
                json!([{ "context": many(11, &json!({ "plain": "a" })) }]),
                "/blocks/0/elements: 11 elements, at most 10 (too-many)",
            ),
            (
                json!([{ "buttons": many(26, &button("https://example.org")) }]),
                "/blocks/0/elements: 26 elements, at most 25 (too-many)",
            ),
            (
                json!([{ "buttons": [button("javascript:alert(1)")] }]),
                "/blocks/0/elements/0/url: expected an http or https URL, found \"javascript:alert(1)\" (url)",
            ),
            (
                json!([image("file:///etc/passwd", "a")]),
                "/blocks/0/image_url: expected an http or https URL, found \"file:///etc/passwd\" (url)",
            ),
            (json!([image("https://example.org", " ")]), "/blocks/0/alt_text: is blank (blank)"),
            (json!([{ "preformatted": "" }]), "/blocks/0/elements/0/elements/0/text: is empty (blank)"),
            (json!([{ "table": [] }]), "/blocks/0/rows: no rows, at least 1 (too-few)"),
            (json!([{ "table": many(101, &json!(["a"])) }]), "/blocks/0/rows: 101 rows, at most 100 (too-many)"),
            (json!([{ "table": [many(21, &json!("a"))] }]), "/blocks/0/rows/0: 21 cells, at most 20 (too-many)"),
            (json!([{ "table": [["a"]] }, { "table": [["a"]] }]), "/: 2 tables, at most 1 (too-many-tables)"),
            (
                many(4, &section(&"a".repeat(3_000))),
                "/: 12000 characters of text in blocks, at most 10000 (blocks-text)",
            ),
            (
                raw(json!({ "type": "section", "text": { "type": "mrkdwn", "text": "a".repeat(3_001) } })),
                "/blocks/0/text/text: 3001 characters, at most 3000 (too-long)",
            ),
            (
                raw(json!({ "type": "header", "text": { "type": "plain_text", "text": "a".repeat(151) } })),
                "/blocks/0/text/text: 151 characters, at most 150 (too-long)",
            ),
            (raw(json!({ "type": "header" })), "/blocks/0: a header block requires \"text\" (missing)"),
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
                "Slack would refuse the message: /: no text, blocks or attachments to show (no-content)"
            );
        }
    }

    #[test]
    fn many_findings_are_counted() {
        let error = blocks(many(5, &json!({ "section": {} })));
        assert!(error.ends_with("(missing-one-of); and 2 more"), "{error}");
    }

    #[test]
    fn colour_and_nothing_else() {
        let error = refused(json!({ "text": { "plain": "" }, "color": "good" }));
        assert_eq!(error, "Slack would refuse the message: /: no text, blocks or attachments to show (no-content)");
    }

    #[test]
    fn long_texts_are_cut_to_what_slack_takes() {
        let long = "<é😀>".repeat(10_000);
        let plain = json!({ "plain": long });
        let markup = json!({ "mrkdwn": long });
        for block in [
            json!({ "header": long }),
            json!({ "section": { "text": plain } }),
            json!({ "section": { "text": markup } }),
            json!({ "section": { "fields": [{ "label": long, "value": plain }] } }),
            json!({ "context": [plain, markup] }),
            json!({ "image": { "url": "https://example.org", "alt": long, "title": long } }),
            json!({ "buttons": [{ "label": long, "url": "https://example.org" }] }),
            json!({ "preformatted": long }),
            json!({ "table": [[long, long], [long]] }),
        ] {
            let message: Message = serde_json::from_value(json!({ "text": markup, "blocks": [block] })).unwrap();
            let guarded = guard(&message, [&ban("203.0.113.7")], &Policy::default());
            assert!(guarded.is_ok(), "{block:.60}: {}", guarded.unwrap_err());
        }
    }
}
