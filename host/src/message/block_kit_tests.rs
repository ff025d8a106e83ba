//! Messages, and the Block Kit JSON that they become.

use blockkit::check;

use super::*;
use crate::message::tests::ban;

/// Lowers a message, given as the JSON that golden files hold.
fn lowered(message: Value) -> Value {
    let message: Message = serde_json::from_value(message).unwrap();
    lower(&message, &Sanitizer::new([&ban("203.0.113.7")], false), 0).unwrap()
}

/// The blocks of a message of one block.
fn blocks(block: Value) -> Value {
    let body = lowered(json!({ "text": { "plain": "x" }, "blocks": [block] }));
    assert_eq!(check(&body), [], "{body}");
    body["blocks"].clone()
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

#[test]
fn lower_text_without_blocks_becomes_a_section() {
    assert_eq!(
        lowered(json!({ "text": { "plain": "<!here> *b*" } })),
        json!({
            "text": "&lt;!here&gt; ∗b∗",
            "blocks": [{ "type": "section", "text": plain("<!here> *b*") }],
            "unfurl_links": false,
            "unfurl_media": false,
        })
    );
    assert_eq!(
        lowered(json!({ "text": { "mrkdwn": "*b* <!here>" } }))["blocks"],
        json!([{ "type": "section", "text": mrkdwn("*b* &lt;!here&gt;") }])
    );
    let rich = lowered(json!({ "text": { "rich": [{ "text": { "text": "b", "bold": true } }] } }));
    assert_eq!(rich["text"], "*b*");
    assert_eq!(rich["blocks"][0]["type"], "rich_text");
}

#[test]
fn lower_color_makes_an_attachment() {
    assert_eq!(
        lowered(json!({ "text": { "plain": "a & b" }, "color": "danger", "blocks": ["divider"] })),
        json!({
            "attachments": [{ "color": "danger", "fallback": "a &amp; b", "blocks": [{ "type": "divider" }] }],
            "unfurl_links": false,
            "unfurl_media": false,
        })
    );
    let own = lowered(json!({ "text": { "plain": "a" }, "color": { "rgb": [255, 128, 0] } }));
    assert_eq!(own["attachments"][0]["color"], "#ff8000");
    let alone = lowered(json!({ "text": { "plain": "a" }, "color": "good" }));
    assert_eq!(alone["attachments"][0]["blocks"], json!([{ "type": "section", "text": plain("a") }]));
}

#[test]
fn lower_every_block() {
    for (block, expected) in [
        (json!({ "header": "a\nb" }), json!([{ "type": "header", "text": plain("a b") }])),
        (json!("divider"), json!([{ "type": "divider" }])),
        (
            json!({ "section": { "text": { "plain": "<a>" }, "fields": [
                { "label": "Jail", "value": { "plain": "<b>" } },
                { "label": "", "value": { "mrkdwn": "*c*" } },
                { "label": "d & e", "value": { "rich": [{ "text": { "text": "f", "code": true } }] } },
                { "label": "", "value": { "plain": " " } },
            ] } }),
            json!([{ "type": "section", "text": plain("<a>"), "fields": [
                mrkdwn("*Jail*\n&lt;b&gt;"), mrkdwn("*c*"), mrkdwn("*d &amp; e*\n`f`"),
            ] }]),
        ),
        (
            json!({ "section": { "text": { "rich": [{ "text": "a " }, { "text": { "text": "b", "bold": true } }] } } }),
            json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
                { "type": "text", "text": "a " }, { "type": "text", "text": "b", "style": { "bold": true } },
            ] }] }]),
        ),
        (
            json!({ "context": [{ "plain": "a" }, { "plain": "" }, { "mrkdwn": "_b_" }, { "rich": [{ "text": "*c*" }] },
                { "rich": [{ "text": { "text": "d", "italic": true } }] }] }),
            json!([{ "type": "context", "elements": [plain("a"), mrkdwn("_b_"), plain("*c*"), mrkdwn("_d_")] }]),
        ),
        (
            json!({ "image": { "url": "https://example.org/a b.png", "alt": "map", "title": "Map" } }),
            json!([{ "type": "image", "image_url": "https://example.org/a%20b.png", "alt_text": "map",
                "title": plain("Map") }]),
        ),
        (
            json!({ "buttons": [{ "label": "Look", "url": "https://example.org", "style": "danger" },
                { "label": "Up", "url": "http://example.org/x" }] }),
            json!([{ "type": "actions", "elements": [
                { "type": "button", "text": plain("Look"), "url": "https://example.org/", "style": "danger" },
                { "type": "button", "text": plain("Up"), "url": "http://example.org/x" },
            ] }]),
        ),
        (
            json!({ "preformatted": "```a\n<b>" }),
            json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_preformatted", "elements": [
                { "type": "text", "text": "```a\n<b>" },
            ] }] }]),
        ),
        (
            json!({ "table": [[{ "plain": "a" }, { "plain": "b" }], [{ "plain": "" }], [{ "rich": [{ "text": "<c>" }] }, { "plain": "\u{1b}d" }]] }),
            json!([{ "type": "table", "rows": [
                [{ "type": "raw_text", "text": "a" }, { "type": "raw_text", "text": "b" }],
                [{ "type": "raw_text", "text": " " }, { "type": "raw_text", "text": " " }],
                [{ "type": "raw_text", "text": "<c>" }, { "type": "raw_text", "text": "\\u{1b}d" }],
            ] }]),
        ),
        (
            json!({ "section": { "text": { "rich": [{ "text": { "text": "b", "bold": true } }] },
                "accessory": { "url": "https://example.org/a.png", "alt": "a\nb" } } }),
            json!([{ "type": "section", "text": mrkdwn("*b*"),
                "accessory": { "type": "image", "image_url": "https://example.org/a.png", "alt_text": "a b" } }]),
        ),
        (
            json!({ "context": [{ "image": { "url": "https://example.org/a.png", "alt": "a" } }, { "plain": "b" }] }),
            json!([{ "type": "context", "elements": [
                { "type": "image", "image_url": "https://example.org/a.png", "alt_text": "a" }, plain("b"),
            ] }]),
        ),
        (
            json!({ "bullets": [{ "plain": "*a*" }, { "plain": "" }, { "mrkdwn": "*b* <https://example.org|c> :wave:" }] }),
            json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_list", "style": "bullet", "elements": [
                { "type": "rich_text_section", "elements": [{ "type": "text", "text": "*a*" }] },
                { "type": "rich_text_section", "elements": [
                    { "type": "text", "text": "b", "style": { "bold": true } },
                    { "type": "text", "text": " " },
                    { "type": "link", "url": "https://example.org", "text": "c" },
                    { "type": "text", "text": " " },
                    { "type": "emoji", "name": "wave" },
                ] },
            ] }] }]),
        ),
        (
            json!({ "numbers": [{ "plain": "a" }] }),
            json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_list", "style": "ordered", "elements": [
                { "type": "rich_text_section", "elements": [{ "type": "text", "text": "a" }] },
            ] }] }]),
        ),
        (
            json!({ "quote": { "plain": "> a\nb" } }),
            json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_quote", "elements": [
                { "type": "text", "text": "> a\nb" },
            ] }] }]),
        ),
        (
            json!({ "table": [[{ "rich": [{ "text": { "text": "a", "code": true } }] }]] }),
            json!([{ "type": "table", "rows": [[{ "type": "rich_text", "elements": [{ "type": "rich_text_section",
                "elements": [{ "type": "text", "text": "a", "style": { "code": true } }] }] }]] }]),
        ),
        (
            json!({ "raw": r#"[{"type":"divider"},{"type":"header","text":{"type":"plain_text","text":"a"}}]"# }),
            json!([{ "type": "divider" }, { "type": "header", "text": { "type": "plain_text", "text": "a" } }]),
        ),
    ] {
        assert_eq!(blocks(block.clone()), expected, "{block}");
    }
}

#[test]
fn lower_long_text_is_cut() {
    let long = "<".repeat(5_000);
    for (block, pointer, max) in [
        (json!({ "header": long }), "/0/text/text", HEADER_MAX),
        (json!({ "section": { "text": { "plain": long } } }), "/0/text/text", TEXT_OBJECT_MAX),
        // An entity takes four characters, the ellipsis one.
        (json!({ "section": { "text": { "mrkdwn": long } } }), "/0/text/text", 2_997),
        (
            json!({ "section": { "text": { "rich": [{ "text": { "text": long, "bold": true } }] } } }),
            "/0/elements/0/elements/0/text",
            RICH_TEXT_MAX,
        ),
        (json!({ "section": { "fields": [{ "label": "l", "value": { "plain": long } }] } }), "/0/fields/0/text", 1_997),
        (json!({ "context": [{ "plain": long }] }), "/0/elements/0/text", TEXT_OBJECT_MAX),
        (json!({ "preformatted": long }), "/0/elements/0/elements/0/text", RICH_TEXT_MAX),
        (json!({ "table": [[{ "plain": long }]] }), "/0/rows/0/0/text", CELL_MAX),
        (
            json!({ "buttons": [{ "label": long, "url": "https://example.org" }] }),
            "/0/elements/0/text/text",
            BUTTON_MAX,
        ),
    ] {
        let blocks = blocks(block);
        let text = blocks.pointer(pointer).and_then(Value::as_str).unwrap();
        assert_eq!(text.chars().count(), max, "{pointer}");
        assert!(text.ends_with('…'));
    }
}

#[test]
fn lower_bad_raw_block_is_named() {
    let message = json!({ "text": { "plain": "x" }, "blocks": ["divider", { "raw": "{" }] });
    let message: Message = serde_json::from_value(message).unwrap();
    let error = lower(&message, &Sanitizer::new([&ban("x")], false), 0).unwrap_err();
    assert_eq!(error.to_string(), "block 2 (raw): not JSON: EOF while parsing an object at line 1 column 1");
}
