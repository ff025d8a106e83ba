//! The rules between objects and across a message, and the texts of findings.

use serde_json::{Value, json};

use crate::lint::{Rule, Severity, check};

/// The findings as text, with `error` before errors.
fn found(body: &Value) -> Vec<String> {
    let line = |finding: &crate::lint::Finding| match finding.severity {
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
fn check_of_another_json_type_names_it() {
    for (body, expected) in [
        (
            json!([]),
            "error /: expected a message object, found an array; wrap blocks in {\"blocks\": […]} (wrong-type)",
        ),
        (json!("x"), "error /: expected a message object, found a string (wrong-type)"),
        (json!(null), "error /: expected a message object, found null (wrong-type)"),
    ] {
        assert_eq!(found(&body), [expected]);
    }
}

#[test]
fn check_without_content_is_an_error() {
    const NO_CONTENT: &str = "error /: no text, blocks or attachments to show (no-content)";
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
    // One mistake is one finding.
    assert_eq!(found(&json!({ "blocks": {} })), ["error /blocks: expected an array, found an object (wrong-type)"]);
}

#[test]
fn check_of_long_text_is_a_warning() {
    let text = |count: usize| found(&json!({ "text": "é".repeat(count) }));
    assert_eq!(text(4_000), NOTHING);
    assert_eq!(text(4_001), ["/text: 4001 characters; Slack recommends at most 4000 (too-long)"]);
    assert_eq!(text(40_000), ["/text: 40000 characters; Slack recommends at most 4000 (too-long)"]);
    assert_eq!(text(40_001), ["/text: 40001 characters; Slack truncates text longer than 40000 (too-long)"]);
}

#[test]
fn check_of_two_tables_is_an_error() {
    let (a, b) = (table(json!([[cell("a")]])), data_table(json!([[cell("a")], [cell("b")]])));
    for one in [&a, &b] {
        assert_eq!(blocks(json!([one])), NOTHING);
    }
    let two = ["error /: 2 tables, at most 1 (too-many-tables)"];
    assert_eq!(blocks(json!([a, a])), two);
    assert_eq!(blocks(json!([a, b])), two);
    assert_eq!(blocks(json!([a, container(json!([a]))])), two);
    assert_eq!(found(&json!({ "blocks": [a], "attachments": [{ "blocks": [b] }] })), two);
}

#[test]
fn check_of_three_charts_is_an_error() {
    assert_eq!(blocks(json!([pie(), pie()])), NOTHING);
    assert_eq!(blocks(json!([pie(), pie(), pie()])), ["error /: 3 charts, at most 2 (too-many-charts)"]);
}

#[test]
fn check_counts_the_text_of_all_markdown_blocks() {
    assert_eq!(blocks(json!([markdown(6_000), markdown(6_000)])), NOTHING);
    assert_eq!(
        blocks(json!([markdown(6_000), markdown(6_001)])),
        ["error /: 12001 characters in all markdown blocks, at most 12000 (markdown-total)"]
    );
}

#[test]
fn check_counts_the_text_of_all_blocks() {
    let many = |last: usize| {
        let mut all = vec![section(&"😀".repeat(3_000)); 4];
        all.push(section(&"a".repeat(last)));
        json!(all)
    };
    assert_eq!(blocks(many(1_200)), NOTHING);
    let seen = "/: 13201 characters of text in all blocks, at most 13200 (blocks-text)";
    assert_eq!(blocks(many(1_201)), [seen]);
    // In any block, known or not.
    let spread = json!([
        container(json!([section(&"a".repeat(3_000)), section(&"a".repeat(3_000))])),
        { "type": "brand_new", "parts": [{ "text": "a".repeat(3_000) }] },
        { "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
            { "type": "text", "text": "a".repeat(4_200) }] }] },
    ]);
    assert!(blocks(spread).contains(&seen.to_owned()));
}

#[test]
fn check_of_a_row_of_another_length_is_an_error() {
    let rows = json!([[cell("a"), cell("b")], [cell("a")], [cell("a"), cell("b"), cell("c")]]);
    let uneven = [
        "error /blocks/0/rows/1: 1 cell, but the first row has 2 (ragged-rows)",
        "error /blocks/0/rows/2: 3 cells, but the first row has 2 (ragged-rows)",
    ];
    assert_eq!(blocks(json!([table(rows.clone())])), uneven);
    assert_eq!(blocks(json!([data_table(rows)])), uneven);
}

#[test]
fn check_counts_the_text_of_all_cells() {
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
fn check_of_rich_text_in_a_header_row_is_an_error() {
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
    assert_eq!(blocks(json!([table(json!([row(&[&rich])]))])), NOTHING, "a table has no header row");
}

#[test]
fn check_of_a_series_without_a_point_for_each_category_is_an_error() {
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
                    "{path}/series/1/data: {have} for 2 categories; each category needs exactly one (points-per-category)"
                )]
            );
        }
        assert_eq!(
            chart(kind, &["a"], json!([series("s", &["a"]), series("s", &["a"])])),
            [format!("{path}/series/1: \"s\" is not unique (duplicate-name)")]
        );
        let twice = chart(kind, &["a", "a"], json!([series("s", &["a", "a"])]));
        assert_eq!(twice, [format!("{path}/axis_config/categories/1: \"a\" is not unique (duplicate-name)")]);
    }
}

#[test]
fn check_of_duplicate_ids_is_a_warning() {
    let divider = |id: &str| json!({ "type": "divider", "block_id": id });
    assert_eq!(blocks(json!([divider("a"), divider("b")])), NOTHING);
    let again = |path: &str| format!("{path}/block_id: an earlier block has the block_id \"a\" (duplicate-block-id)");
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
            "/blocks/0/child_blocks/1/elements/2/action_id: an earlier element of this block has the action_id \"b\" (duplicate-action-id)"
        ]
    );
}

#[test]
fn check_of_an_unknown_block_names_it_and_checks_its_links() {
    assert_eq!(
        blocks(json!([{ "type": "secton", "text": 3 }, { "type": "brand_new", "deep": [{ "url": "javascript:x" }] }])),
        [
            "/blocks/0/type: unknown block type \"secton\"; did you mean \"section\"? (unknown-type)",
            "/blocks/1/type: unknown block type \"brand_new\" (unknown-type)",
            "error /blocks/1/deep/0/url: expected an http or https URL, found \"javascript:x\" (url)",
        ]
    );
}

#[test]
fn check_of_a_misspelt_field_suggests_the_known_one() {
    let header = json!({ "type": "header", "txet": { "type": "plain_text", "text": "a" } });
    assert_eq!(
        blocks(json!([header])),
        [
            "error /blocks/0: a header block requires \"text\" (missing)",
            "/blocks/0/txet: a header block has no field \"txet\"; did you mean \"text\"? (unknown-field)",
        ]
    );
}

#[test]
fn check_of_a_string_as_text_object_shows_the_object() {
    assert_eq!(
        blocks(json!([{ "type": "section", "text": "a" }])),
        [
            "error /blocks/0/text: expected a text object ({\"type\": \"plain_text\", \"text\": …}), found a string (wrong-type)"
        ]
    );
}

#[test]
fn check_of_mrkdwn_in_a_menu_option_is_an_error() {
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
        assert_eq!(actions(kind, "mrkdwn"), [format!("{path}: expected plain_text, found mrkdwn (text-type)")]);
    }
}

#[test]
fn check_returns_findings_in_the_order_of_the_definitions() {
    let body = r#"{"zzz": 1, "blocks": [
        {"text": {"text": "", "type": "mrkdwn"}, "type": "header"},
        {"fields": [], "block_id": 7, "type": "section", "accessory": {"type": "button"}},
        {"type": "image"}], "unfurl_links": "no", "text": 3}"#;
    let expected = [
        "error /text: expected a string, found a number (wrong-type)",
        "error /blocks/0/text/type: expected plain_text, found mrkdwn (text-type)",
        "error /blocks/0/text/text: no characters, at least 1 (too-short)",
        "error /blocks/1/block_id: expected a string, found a number (wrong-type)",
        "error /blocks/1/fields: no fields, at least 1 (too-few)",
        "error /blocks/1/accessory: a button element requires \"text\" (missing)",
        "error /blocks/2: an image block requires \"alt_text\" (missing)",
        "error /blocks/2: an image block requires image_url or slack_file (missing-one-of)",
        "error /unfurl_links: expected true or false, found a string (wrong-type)",
        "/zzz: a message has no field \"zzz\" (unknown-field)",
    ];
    assert_eq!(found(&serde_json::from_str(body).unwrap()), expected);
}

/// Slack's own examples have `"link_names": 1`.
#[test]
fn check_flags_of_the_body_may_be_numbers() {
    for key in ["link_names", "unfurl_links", "unfurl_media", "mrkdwn"] {
        for good in [json!(0), json!(1), json!(true)] {
            let warnings = found(&json!({ "text": "a", key: good }));
            assert!(!warnings.iter().any(|finding| finding.contains("wrong-type")), "{key}: {warnings:?}");
        }
        for bad in [json!(2), json!(-1), json!(0.5), json!("1"), json!([])] {
            let errors = found(&json!({ "text": "a", key: bad }));
            assert!(errors.iter().any(|finding| finding.contains("wrong-type")), "{key}: {errors:?}");
        }
    }
}

#[test]
fn check_of_hostile_values_returns_clean_messages() {
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

#[test]
fn check_of_a_body_with_20_000_mistakes_returns_them_all() {
    let elements: Vec<Value> = (0..20_000).map(|_| json!({ "type": "button", "action_id": "a" })).collect();
    let findings = check(&json!({ "text": "a", "blocks": [{ "type": "actions", "elements": elements }] }));
    let of = |rule: Rule| findings.iter().filter(|finding| finding.rule == rule).count();
    assert_eq!((of(Rule::TooMany), of(Rule::Missing), of(Rule::DuplicateActionId)), (1, 20_000, 19_999));
}

#[test]
fn check_of_deep_nesting_returns() {
    let mut deep = json!({ "type": "divider" });
    for _ in 0..60 {
        deep = container(json!([deep]));
    }
    let inside = check(&json!({ "blocks": [deep] }));
    assert!(inside.iter().all(|finding| finding.rule == Rule::MisplacedType), "{inside:?}");
    assert_eq!(inside.len(), 59, "a container in a container, each time");
}
