//! Bodies and their drawing in a terminal.

use serde_json::json;

use super::*;

#[test]
fn to_terminal_of_every_block_shows_its_text() {
    let rich = |kind: &str, text: &str| json!({ "type": kind, "elements": [{ "type": "text", "text": text }] });
    let body = json!({ "text": "only the notification", "blocks": [
        { "type": "header", "text": { "type": "plain_text", "text": ":shield: Ban" } },
        { "type": "section", "text": { "type": "mrkdwn", "text": "*203.0.113.7* in `sshd`\n<https://example.org|more>" },
            "fields": [
                { "type": "mrkdwn", "text": "*Jail*\nsshd" }, { "type": "mrkdwn", "text": "*Host*\nweb-1" },
                { "type": "plain_text", "text": ":shield:", "emoji": false },
            ],
            "accessory": { "type": "button", "text": { "type": "plain_text", "text": "Style" }, "url": "https://example.org" } },
        { "type": "divider" },
        { "type": "context", "elements": [{ "type": "plain_text", "text": "a" }, { "type": "mrkdwn", "text": "_b_" },
            { "type": "image", "alt_text": "map", "image_url": "https://example.org/m.png" }] },
        { "type": "image", "alt_text": "map", "image_url": "https://example.org/m.png",
            "title": { "type": "plain_text", "text": "Map" } },
        { "type": "rich_text", "elements": [
            rich("rich_text_section", "a\nb"),
            { "type": "rich_text_list", "style": "ordered", "indent": 1,
                "elements": [rich("rich_text_section", "one"), rich("rich_text_section", "two\nlines")] },
            { "type": "rich_text_list", "style": "bullet", "elements": [rich("rich_text_section", "x")] },
            rich("rich_text_quote", "quoted"),
        ] },
        { "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
            { "type": "emoji", "name": "lock" }, { "type": "link", "url": "https://example.org", "text": "l" },
            { "type": "broadcast", "range": "here" }, { "type": "date", "timestamp": 1, "format": "{date}", "fallback": "then" },
        ] }] },
        { "type": "table", "rows": [
            [{ "type": "raw_text", "text": "Jail" }, { "type": "raw_text", "text": "Bans" }],
            [{ "type": "raw_text", "text": "nginx-http" }, { "type": "raw_number", "value": 3, "text": "3" }],
        ] },
        { "type": "actions", "elements": [
            { "type": "button", "text": { "type": "plain_text", "text": "A" }, "url": "https://example.org/a" },
            { "type": "static_select" } ] },
        { "type": "video" },
        7,
    ] });
    let expected = "\
🛡️ Ban
203.0.113.7 in `sshd`
more (https://example.org)
Jail   Host
sshd   web-1
:shield:
[Style](https://example.org)
────────────────────────
a  b  [image: map](https://example.org/m.png)
Map
[image: map](https://example.org/m.png)
a
b
  1. one
  2. two
     lines
• x
▌ quoted
🔒l (https://example.org)@herethen
Jail         Bans
nginx-http   3
[A](https://example.org/a)  [static_select]
[video block, not drawn here]
[a block without a type]
";
    assert_eq!(to_terminal(&body, false), expected);
}

#[test]
fn to_terminal_of_charts_is_bars() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/html/charts.json");
    let body = serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
    let expected = "\
Bans per day
Sun 22 Nov 8 ████████████████████████
Mon 23 Nov 0
Tue 24 Nov 4 ████████████
By <jail>
sshd           9 ████████████████████████
<b>\"nginx\"</b> 2 ██████
other          1 ███
By host
web-1: Mon 1.5 ████████████
web-1: Tue  -2 ████████████████
web-2: Mon   0
web-2: Tue   3 ████████████████████████
Bars
a 3 ████████████████████████
Nothing
Most banned
Subject       Bans
203.0.113.7   9
";
    assert_eq!(to_terminal(&body, false), expected);
}

#[test]
fn to_terminal_of_preformatted_text_is_indented() {
    let body = json!({ "blocks": [{ "type": "rich_text", "elements": [{ "type": "rich_text_preformatted",
        "elements": [{ "type": "text", "text": "one\n\ttwo" }] }] }] });
    assert_eq!(to_terminal(&body, false), "  one\n      two\n");
    assert_eq!(to_terminal(&body, true), "  \u{1b}[36mone\u{1b}[0m\n  \u{1b}[36m    two\u{1b}[0m\n");
}

#[test]
fn to_terminal_of_attachments_has_a_bar() {
    for (body, colors, expected) in [
        (json!({ "text": "*a* &amp; b\nc" }), false, "a & b\nc\n"),
        (json!({ "text": "*a*" }), true, "\u{1b}[1ma\u{1b}[0m\n"),
        (
            json!({ "attachments": [{ "color": "danger", "fallback": "f", "blocks": [{ "type": "divider" }] }] }),
            false,
            "│ ────────────────────────\n",
        ),
        (json!({ "attachments": [{ "color": "good", "fallback": "f" }] }), true, "\u{1b}[32m│\u{1b}[0m f\n"),
        (json!({ "attachments": [{ "color": "#ff8000", "text": "t" }] }), true, "\u{1b}[38;2;255;128;0m│\u{1b}[0m t\n"),
        (
            json!({ "attachments": [{ "color": "\u{1b}", "pretext": "p", "title": "t", "fields": [{ "title": "a", "value": "b" }] }] }),
            false,
            "│ p\n│ t\n│ a\n│ b\n",
        ),
        (json!({}), true, ""),
        (json!([1]), true, ""),
    ] {
        assert_eq!(to_terminal(&body, colors), expected, "{body}");
    }
}

#[test]
fn to_terminal_of_hostile_text_has_no_control_character() {
    let body = json!({ "text": "\u{1b}]0;title\u{7}", "attachments": [
        { "fallback": "\u{9b}31m" },
        { "blocks": [{ "type": "a\u{1b}[2J" }, { "type": "image", "image_url": "x\r\ny", "alt_text": "\u{202e}" }] },
    ] });
    let shown = to_terminal(&body, false);
    assert_eq!(
        shown,
        "\\u{1b}]0;title\\u{7}\n│ \\u{9b}31m\n│ [a\\u{1b}[2J block, not drawn here]\n│ [image: \\u{202e}](x\\u{d} y)\n"
    );
}
