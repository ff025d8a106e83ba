use super::*;
use crate::message::{Policy, Target, guard};

fn body(message: Value) -> Value {
    let policy = Policy { target: Target::TEAMS, mentions: false };
    guard(&serde_json::from_value(message).unwrap(), [], &policy).unwrap().body().clone()
}

#[test]
fn card_has_a_run_for_each_look_and_a_block_for_each_line() {
    let found = body(json!({
        "text": { "plain": "x" },
        "blocks": [
            { "header": "Ban" },
            { "section": { "text": { "rich": [
                { "text": { "text": "a", "bold": true } }, { "text": " {{DATE(2026-11-22T10:56:55Z)}}\n<at>all</at>" },
                { "link": { "url": "https://example.org/", "label": "see" } },
            ] } } },
            "divider",
            { "preformatted": "one\n  two" },
            { "buttons": [{ "label": "Look up", "url": "https://example.org/ip" }] },
            { "image": { "url": "https://example.org/map.png", "alt": "map" } },
        ],
        "color": "danger",
    }));
    let content = &found["attachments"][0]["content"];
    assert_eq!(found["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
    let link = json!({ "type": "Action.OpenUrl", "url": "https://example.org/" });
    let block = |inlines: Value| json!({ "type": "RichTextBlock", "inlines": inlines });
    let mut expected = vec![
        block(json!([{ "type": "TextRun", "text": "Ban", "weight": "Bolder", "size": "Large" }])),
        block(json!([
            { "type": "TextRun", "text": "a", "weight": "Bolder" },
            { "type": "TextRun", "text": " {\u{200b}{DATE(2026-11-22T10:56:55Z)}}" },
        ])),
        block(json!([
            { "type": "TextRun", "text": "<\u{200b}at>all<\u{200b}/at>" },
            { "type": "TextRun", "text": "see", "underline": true, "selectAction": link },
        ])),
        block(json!([{ "type": "TextRun", "text": "one", "fontType": "Monospace" }])),
        block(json!([{ "type": "TextRun", "text": "  two", "fontType": "Monospace" }])),
        json!({ "type": "Image", "url": "https://example.org/map.png", "altText": "map" }),
    ];
    expected[2]["spacing"] = "None".into();
    expected[3]["separator"] = true.into();
    expected[4]["spacing"] = "None".into();
    let container = &content["body"][0];
    assert_eq!((&container["style"], content["body"].as_array().unwrap().len()), (&json!("attention"), 1));
    assert_eq!(container["items"], Value::from(expected));
    let action = json!([{ "type": "Action.OpenUrl", "title": "Look up", "url": "https://example.org/ip" }]);
    assert_eq!(content["actions"], action);
}

#[test]
fn long_message_is_cut_to_what_a_workflow_posts() {
    for text in ["a".repeat(3_000), "a\n".repeat(1_500), "\"𝕏".repeat(1_500)] {
        let section = json!({ "section": { "text": { "plain": text } } });
        let mut found = body(json!({ "text": { "plain": "x" }, "blocks": vec![section; 6] }));
        let length = units(&found);
        assert!((13_800..=14_000).contains(&length) && found.to_string().contains('…'), "{length}");
        let before = found.clone();
        Teams.add_note(&mut found, &"no room".repeat(30));
        assert_eq!(found, before);
    }
    let mut short = body(json!({ "text": { "plain": "x" } }));
    Teams.add_note(&mut short, "a note");
    assert_eq!(short["attachments"][0]["content"]["body"][1]["inlines"][0]["text"], "a note");
}

#[test]
fn url_is_that_of_a_workflow() {
    let check = |url: &str| Teams.check_url(&Url::parse(url).unwrap()).map_err(|error| error.to_string());
    for url in [
        "https://prod-12.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=abc",
        "https://default1.19.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/abc/triggers/manual/paths/invoke?api-version=1&sp=x&sv=1.0&sig=abc",
    ] {
        assert_eq!(check(url), Ok(()));
    }
    assert!(check("https://prod-12.westeurope.logic.azure.com/workflows/abc?sig=").unwrap_err().contains("sig"));
    for url in ["https://x.webhook.office.com/webhookb2/a?sig=b", "https://outlook.office.com/webhook/a"] {
        assert!(check(url).unwrap_err().contains("retired"), "{url}");
    }
}

#[test]
fn answers_are_those_of_a_workflow() {
    let found = |status: u16, body: &str| {
        let json = serde_json::from_str(body).unwrap_or_default();
        let answer = HttpAnswer { status, header: &|_| None, body, json: &json };
        (Teams.accepts(&answer), Teams.verdict(&answer))
    };
    let error = |code: &str| json!({ "error": { "code": code, "message": "x" } }).to_string();
    assert_eq!(found(202, ""), (true, None));
    assert_eq!(found(200, "hello"), (false, None));
    assert_eq!(found(400, &error("WorkflowTriggerIsNotEnabled")).1, Some(Verdict::EndpointGone));
    assert_eq!(found(400, &error("TriggerInputSchemaMismatch")).1, Some(Verdict::Rejected));
    assert_eq!(found(400, &error("SomethingNew")).1, None);
}

#[test]
fn card_replaces_nothing_in_any_number_of_braces() {
    for text in ["{{DATE(2026-11-22T10:56:55Z)}}", "{{{DATE(x)}}}", "{{{{DATE(x)}}}}", "{{{{{x"] {
        let found = body(json!({ "text": { "plain": text } })).to_string();
        assert!(!found.contains("{{D") && !found.contains("\"{{") && !found.contains("\u{200b}{{"), "{found}");
    }
}
