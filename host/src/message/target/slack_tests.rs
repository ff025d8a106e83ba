//! What the guard refuses for Slack, and what it cuts so that nothing is left to refuse.

use serde_json::{Value, json};

use crate::message::tests::ban;
use crate::message::{Message, Policy, guard};

fn refused(message: Value) -> String {
    let message: Message = serde_json::from_value(message).unwrap();
    guard(&message, [&ban("203.0.113.7")], &Policy::default()).unwrap_err().to_string()
}

/// The error of a message with these blocks.
fn blocks(blocks: Value) -> String {
    let error = refused(json!({ "text": { "plain": "x" }, "blocks": blocks }));
    error.strip_prefix("Slack would reject the message: ").map_or(error.clone(), str::to_owned)
}

fn many(count: usize, value: &Value) -> Value {
    Value::Array(vec![value.clone(); count])
}

#[test]
fn guard_message_that_slack_would_refuse_is_rejected() {
    let button = |url: &str| json!({ "label": "a", "url": url });
    let image = |url: &str, alt: &str| json!({ "image": { "url": url, "alt": alt } });
    let a = json!({ "plain": "a" });
    let section = |text: &str| json!({ "section": { "text": { "plain": text } } });
    let raw = |block: Value| json!([{ "raw": block.to_string() }]);
    for (found, expected) in [
        (json!([{ "section": {} }]), "/blocks/0: a section block requires text or fields (missing-one-of)"),
        (json!([section(" ")]), "/blocks/0: a section block requires text or fields (missing-one-of)"),
        (json!([{ "header": "" }]), "/blocks/0/text/text: no characters, at least 1 (too-short)"),
        (json!([{ "context": [] }]), "/blocks/0/elements: no elements, at least 1 (too-few)"),
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
        (json!([{ "table": [[a]] }, { "table": [[a]] }]), "/: 2 tables, at most 1 (too-many-tables)"),
        (many(4, &section(&"a".repeat(3_000))), "/: 12000 characters of text in blocks, at most 10000 (blocks-text)"),
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
fn guard_blank_message_is_rejected() {
    for text in [json!({ "plain": " " }), json!({ "mrkdwn": "" }), json!({ "rich": [{ "text": "" }] })] {
        assert_eq!(
            refused(json!({ "text": text })),
            "Slack would reject the message: /: no text, blocks or attachments to show (no-content)"
        );
    }
}

#[test]
fn guard_error_counts_further_findings() {
    let error = blocks(many(5, &json!({ "section": {} })));
    assert!(error.ends_with("(missing-one-of); and 2 more"), "{error}");
}

#[test]
fn guard_color_without_text_is_rejected() {
    let error = refused(json!({ "text": { "plain": "" }, "color": "good" }));
    assert_eq!(error, "Slack would reject the message: /: no text, blocks or attachments to show (no-content)");
}

#[test]
fn guard_long_texts_are_cut_and_pass() {
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
        json!({ "table": [[plain, markup], [plain]] }),
        json!({ "bullets": [plain, markup] }),
        json!({ "quote": markup }),
    ] {
        let message: Message = serde_json::from_value(json!({ "text": markup, "blocks": [block] })).unwrap();
        let guarded = guard(&message, [&ban("203.0.113.7")], &Policy::default());
        assert!(guarded.is_ok(), "{block:.60}: {}", guarded.unwrap_err());
    }
}
