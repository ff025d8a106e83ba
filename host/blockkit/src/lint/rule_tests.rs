//! The rules between objects and across a message, and how findings are told.

use serde_json::{Value, json};

use super::{Rule, Severity, check};

/// What is found, as `banhook lint` shows it, with `error` in front of errors only.
fn found(body: &Value) -> Vec<String> {
    let line = |finding: &super::Finding| match finding.severity {
        Severity::Error => format!("error {finding}"),
        Severity::Warning => finding.to_string(),
    };
    check(body).iter().map(line).collect()
}

fn blocks(blocks: Value) -> Vec<String> {
    found(&json!({ "text": "fallback", "blocks": blocks }))
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "plain_text", "text": text } })
}

fn cell(text: &str) -> Value {
    json!({ "type": "raw_text", "text": text })
}

fn table(rows: Value) -> Value {
    json!({ "type": "table", "rows": rows })
}

fn data_table(rows: Value) -> Value {
    json!({ "type": "data_table", "caption": "c", "rows": rows })
}

fn pie() -> Value {
    json!({ "type": "data_visualization", "title": "t", "chart": { "type": "pie", "segments": [{ "label": "a", "value": 1 }] } })
}

fn container(children: Value) -> Value {
    json!({ "type": "container", "title": { "type": "plain_text", "text": "t" }, "child_blocks": children })
}

fn markdown(count: usize) -> Value {
    json!({ "type": "markdown", "text": "a".repeat(count) })
}

const NOTHING: [&str; 0] = [];

#[test]
fn what_is_no_message() {
    for (body, expected) in [
        (
            json!([]),
            "error /: an array, where a message must be: an object; put blocks into {\"blocks\": […]} (wrong-type)",
        ),
        (json!("x"), "error /: a string, where a message must be: an object (wrong-type)"),
        (json!(null), "error /: null, where a message must be: an object (wrong-type)"),
    ] {
        assert_eq!(found(&body), [expected]);
    }
}

#[test]
fn something_must_be_shown() {
    const NO_CONTENT: &str = "error /: neither text nor blocks nor attachments that show something (no-content)";
    for empty in [
        json!({}),
        json!({ "text": "" }),
        json!({ "text": " \n" }),
        json!({ "blocks": [], "attachments": [] }),
        json!({ "text": "", "attachments": [{ "color": "good" }] }),
    ] {
        assert_eq!(found(&empty), [NO_CONTENT], "{empty}");
    }
    for shown in [
        json!({ "text": "a" }),
        json!({ "blocks": [{ "type": "divider" }] }),
        json!({ "text": "", "blocks": [{ "type": "divider" }] }),
        json!({ "attachments": [{ "text": "a" }] }),
        json!({ "attachments": [{ "color": "good" }, { "blocks": [{ "type": "divider" }] }] }),
    ] {
        assert_eq!(found(&shown), NOTHING, "{shown}");
    }
    // One thing wrong is told once.
    assert_eq!(found(&json!({ "blocks": {} })), ["error /blocks: an object, where an array must be (wrong-type)"]);
}

#[test]
fn long_text_is_cut_and_not_refused() {
    let text = |count: usize| found(&json!({ "text": "é".repeat(count) }));
    assert_eq!(text(4_000), NOTHING);
    assert_eq!(text(4_001), ["/text: 4001 characters; Slack recommends at most 4000 (too-long)"]);
    assert_eq!(text(40_000), ["/text: 40000 characters; Slack recommends at most 4000 (too-long)"]);
    assert_eq!(text(40_001), ["/text: 40001 characters; Slack cuts what is longer than 40000 (too-long)"]);
}

#[test]
fn one_table() {
    let (a, b) = (table(json!([[cell("a")]])), data_table(json!([[cell("a")], [cell("b")]])));
    for one in [&a, &b] {
        assert_eq!(blocks(json!([one])), NOTHING);
    }
    let two = ["error /: 2 tables, at most 1 (one-table)"];
    assert_eq!(blocks(json!([a, a])), two);
    assert_eq!(blocks(json!([a, b])), two);
    assert_eq!(blocks(json!([a, container(json!([a]))])), two);
    assert_eq!(found(&json!({ "blocks": [a], "attachments": [{ "blocks": [b] }] })), two);
}

#[test]
fn two_charts() {
    assert_eq!(blocks(json!([pie(), pie()])), NOTHING);
    assert_eq!(blocks(json!([pie(), pie(), pie()])), ["error /: 3 charts, at most 2 (too-many-charts)"]);
}

#[test]
fn markdown_in_all() {
    assert_eq!(blocks(json!([markdown(6_000), markdown(6_000)])), NOTHING);
    assert_eq!(
        blocks(json!([markdown(6_000), markdown(6_001)])),
        ["error /: 12001 characters in all markdown blocks, at most 12000 (markdown-total)"]
    );
}

#[test]
fn text_in_all_blocks() {
    let many = |last: usize| {
        let mut all = vec![section(&"😀".repeat(3_000)); 4];
        all.push(section(&"a".repeat(last)));
        json!(all)
    };
    assert_eq!(blocks(many(1_200)), NOTHING);
    let seen = "/: 13201 characters of text in all blocks, at most 13200 (blocks-text)";
    assert_eq!(blocks(many(1_201)), [seen]);
    // Wherever it stands.
    let spread = json!([
        container(json!([section(&"a".repeat(3_000)), section(&"a".repeat(3_000))])),
        { "type": "brand_new", "parts": [{ "text": "a".repeat(3_000) }] },
        { "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
            { "type": "text", "text": "a".repeat(4_200) }] }] },
    ]);
    assert!(blocks(spread).contains(&seen.to_owned()));
}

#[test]
fn rows_are_even() {
    let rows = json!([[cell("a"), cell("b")], [cell("a")], [cell("a"), cell("b"), cell("c")]]);
    let uneven = [
        "error /blocks/0/rows/1: 1 cell, and the first row has 2 (ragged-rows)",
        "error /blocks/0/rows/2: 3 cells, and the first row has 2 (ragged-rows)",
    ];
    assert_eq!(blocks(json!([table(rows.clone())])), uneven);
    assert_eq!(blocks(json!([data_table(rows)])), uneven);
}

#[test]
fn text_in_all_cells() {
    let rows = |per_cell: usize, extra: &str| {
        let cell = cell(&"a".repeat(per_cell));
        json!([vec![cell.clone(); 10], vec![cell; 9].into_iter().chain([self::cell(extra)]).collect::<Vec<_>>()])
    };
    let text = |count: usize| "a".repeat(count);
    assert_eq!(blocks(json!([table(rows(500, &text(500)))])), NOTHING);
    assert_eq!(
        blocks(json!([table(rows(500, &text(501)))])),
        ["/blocks/0/rows: 10001 characters in all cells, at most 10000 (table-text)"]
    );
    let data = |extra| blocks(json!([data_table(rows(1_000, &text(extra)))]));
    assert_eq!(data(1_000)[0], "/blocks/0/rows: 20000 characters in all cells, at most 10000 (table-text)");
    assert_eq!(data(1_001)[0], "error /blocks/0/rows: 20001 characters in all cells, at most 20000 (table-text)");
    // Rich text counts too.
    let rich = json!({ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
        { "type": "text", "text": text(10_001) }] }] });
    assert!(blocks(json!([table(json!([[rich]]))]))[0].contains("(table-text)"));
}

#[test]
fn a_header_row_is_plain() {
    let rich = json!({ "type": "rich_text", "elements": [] });
    let row = |cells: &[&Value]| json!(cells);
    let plain = cell("a");
    assert_eq!(blocks(json!([data_table(json!([row(&[&plain]), row(&[&rich])]))])), NOTHING);
    assert_eq!(
        blocks(json!([data_table(json!([row(&[&plain, &rich]), row(&[&plain, &plain])]))])),
        [
            "error /blocks/0/rows/0/1: rich_text in the header row, which takes only raw_text and raw_number (header-row)"
        ]
    );
    assert_eq!(blocks(json!([table(json!([row(&[&rich])]))])), NOTHING, "a plain table has no such row");
}

#[test]
fn series_fit_their_categories() {
    let chart = |kind: &str, categories: &[&str], series: Value| {
        let chart = json!({ "type": kind, "axis_config": { "categories": categories }, "series": series });
        blocks(json!([{ "type": "data_visualization", "title": "t", "chart": chart }]))
    };
    let point = |label: &str| json!({ "label": label, "value": -1.5 });
    let series = |name: &str, labels: &[&str]| json!({ "name": name, "data": labels.iter().map(|label| point(label)).collect::<Vec<_>>() });
    for kind in ["bar", "area", "line"] {
        assert_eq!(chart(kind, &["a", "b"], json!([series("s", &["b", "a"]), series("t", &["a", "b"])])), NOTHING);
        let path = "error /blocks/0/chart";
        for (labels, have) in [(&["a"][..], "1 point"), (&["a", "b", "b"], "3 points"), (&["a", "c"], "2 points")] {
            assert_eq!(
                chart(kind, &["a", "b"], json!([series("s", &["a", "b"]), series("t", labels)])),
                [format!(
                    "{path}/series/1/data: {have}, where each category (2) must have exactly one (points-per-category)"
                )]
            );
        }
        assert_eq!(
            chart(kind, &["a"], json!([series("s", &["a"]), series("s", &["a"])])),
            [format!("{path}/series/1: \"s\" is there twice (duplicate-name)")]
        );
        let twice = chart(kind, &["a", "a"], json!([series("s", &["a", "a"])]));
        assert_eq!(twice, [format!("{path}/axis_config/categories/1: \"a\" is there twice (duplicate-name)")]);
    }
}

#[test]
fn ids_are_unique_where_they_must_be() {
    let divider = |id: &str| json!({ "type": "divider", "block_id": id });
    assert_eq!(blocks(json!([divider("a"), divider("b")])), NOTHING);
    let again = |path: &str| format!("{path}/block_id: \"a\" is the id of another block too (duplicate-block-id)");
    assert_eq!(blocks(json!([divider("a"), divider("b"), divider("a")])), [again("/blocks/2")]);
    assert_eq!(blocks(json!([divider("a"), container(json!([divider("a")]))])), [again("/blocks/1/child_blocks/0")]);
    let attached = json!({ "text": "x", "blocks": [divider("a")], "attachments": [{ "blocks": [divider("a")] }] });
    assert_eq!(found(&attached), [again("/attachments/0/blocks/0")]);

    let button = |id: &str| json!({ "type": "button", "action_id": id, "text": { "type": "plain_text", "text": "a" } });
    let actions =
        |ids: &[&str]| json!({ "type": "actions", "elements": ids.iter().map(|id| button(id)).collect::<Vec<_>>() });
    assert_eq!(blocks(json!([actions(&["a", "b"]), actions(&["a", "b"])])), NOTHING, "each block has its own");
    assert_eq!(
        blocks(json!([container(json!([actions(&["a"]), actions(&["b", "c", "b"])]))])),
        [
            "/blocks/0/child_blocks/1/elements/2/action_id: \"b\" is the id of another element of this block too (duplicate-action-id)"
        ]
    );
}

#[test]
fn unknown_blocks_are_named_and_their_links_looked_at() {
    assert_eq!(
        blocks(json!([{ "type": "secton", "text": 3 }, { "type": "brand_new", "deep": [{ "url": "javascript:x" }] }])),
        [
            "/blocks/0/type: unknown block type \"secton\"; did you mean \"section\"? (unknown-type)",
            "/blocks/1/type: unknown block type \"brand_new\" (unknown-type)",
            "error /blocks/1/deep/0/url: \"javascript:x\" is no http or https URL (url)",
        ]
    );
}

#[test]
fn misspelt_fields_are_named() {
    let header = json!({ "type": "header", "txet": { "type": "plain_text", "text": "a" } });
    assert_eq!(
        blocks(json!([header])),
        [
            "error /blocks/0: no \"text\", which a header block needs (missing)",
            "/blocks/0/txet: a header block has no field \"txet\"; did you mean \"text\"? (unknown-field)",
        ]
    );
}

#[test]
fn text_as_a_string_says_what_to_write() {
    assert_eq!(
        blocks(json!([{ "type": "section", "text": "a" }])),
        [
            "error /blocks/0/text: a string, where a text object ({\"type\": \"plain_text\", \"text\": …}) must be (wrong-type)"
        ]
    );
}

#[test]
fn options_of_menus_are_plain() {
    let option = |kind: &str| json!({ "text": { "type": kind, "text": "a" }, "value": "v" });
    let actions = |kind: &str, text: &str| {
        blocks(json!([{ "type": "actions", "elements": [{ "type": kind, "options": [option(text)] }] }]))
    };
    for kind in ["checkboxes", "radio_buttons"] {
        assert_eq!(actions(kind, "mrkdwn"), NOTHING);
    }
    for kind in ["static_select", "multi_static_select", "overflow"] {
        assert_eq!(actions(kind, "plain_text"), NOTHING);
        let path = "error /blocks/0/elements/0/options/0/text/type";
        assert_eq!(actions(kind, "mrkdwn"), [format!("{path}: mrkdwn, where plain_text must be (text-type)")]);
    }
}

/// Everything at once, in the order of the body and of the table, whatever order the JSON has.
#[test]
fn all_findings_in_a_stable_order() {
    let body = r#"{"zzz": 1, "blocks": [
        {"text": {"text": "", "type": "mrkdwn"}, "type": "header"},
        {"fields": [], "block_id": 7, "type": "section", "accessory": {"type": "button"}},
        {"type": "image"}], "unfurl_links": "no", "text": 3}"#;
    let expected = [
        "error /text: a number, where a string must be (wrong-type)",
        "error /blocks/0/text/type: mrkdwn, where plain_text must be (text-type)",
        "error /blocks/0/text/text: no characters, at least 1 (too-short)",
        "error /blocks/1/block_id: a number, where a string must be (wrong-type)",
        "error /blocks/1/fields: no fields, at least 1 (too-few)",
        "error /blocks/1/accessory: no \"text\", which a button element needs (missing)",
        "error /blocks/2: no \"alt_text\", which an image block needs (missing)",
        "error /blocks/2: no image_url or slack_file; an image block needs one (missing-one-of)",
        "error /unfurl_links: a string, where true or false must be (wrong-type)",
        "/zzz: a message has no field \"zzz\" (unknown-field)",
    ];
    assert_eq!(found(&serde_json::from_str(body).unwrap()), expected);
}

#[test]
fn what_the_body_says_is_harmless_in_a_message() {
    let hostile = "\u{1b}[31m\u{202e}\n<!channel>";
    let body = json!({ "text": "a", hostile: 1, "blocks": [
        { "type": hostile }, { "type": "image", "image_url": hostile, "alt_text": "a", "block_id": hostile },
        { "type": "divider", "block_id": hostile }, { "type": "alert", "level": hostile }] });
    let findings = check(&body);
    assert!(findings.len() >= 5, "{findings:#?}");
    for finding in findings {
        assert!(!finding.message.contains(|c: char| c.is_control() || c == '\u{202e}'), "{finding:?}");
    }
}

/// A message that is wrong everywhere costs no more than a message.
#[test]
fn much_that_is_wrong() {
    let elements: Vec<Value> = (0..20_000).map(|_| json!({ "type": "button", "action_id": "a" })).collect();
    let findings = check(&json!({ "text": "a", "blocks": [{ "type": "actions", "elements": elements }] }));
    let of = |rule: Rule| findings.iter().filter(|finding| finding.rule == rule).count();
    assert_eq!((of(Rule::TooMany), of(Rule::Missing), of(Rule::DuplicateActionId)), (1, 20_000, 19_999));
}

#[test]
fn deep_nesting_ends() {
    let mut deep = json!({ "type": "divider" });
    for _ in 0..60 {
        deep = container(json!([deep]));
    }
    let inside = check(&json!({ "blocks": [deep] }));
    assert!(inside.iter().all(|finding| finding.rule == Rule::MisplacedType), "{inside:?}");
    assert_eq!(inside.len(), 59, "a container in a container, each time");
}
