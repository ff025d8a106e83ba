use super::*;
use crate::event::{Batch, DigestCause};
use crate::message::tests::ban;
use crate::message::{Policy, Target, digest, fallback, guard};

const POLICY: Policy = Policy { target: Target::JSON, mentions: false };

fn message(json: Value) -> Message {
    serde_json::from_value(json).unwrap()
}

#[test]
fn form_has_the_message_in_each_of_its_forms_and_the_facts() {
    let message = message(json!({
        "text": { "plain": "x" },
        "blocks": [
            { "header": "Ban & more" },
            { "section": { "text": { "rich": [{ "text": { "text": "<b>", "bold": true } },
                { "link": { "url": "https://example.org/(a)", "label": "see \"it\"" } }] } } },
            { "preformatted": "a\n  b" },
            { "quote": { "plain": "one\ntwo" } },
            { "buttons": [{ "label": "a.b", "url": "https://example.org/" }, { "label": "no", "url": "javascript:x" }] },
            { "image": { "url": "https://example.org/map.png", "alt": "map" } },
        ],
        "color": "danger",
    }));
    let body = guard(&message, [&ban("203.0.113.7")], &POLICY).unwrap().body().clone();
    let text = "Ban & more\n\n<b>see \"it\" (https://example.org/%28a%29)\n\na\n  b\n\n> one\n> two\n\n\
                a.\u{200b}b (https://example.org/)  ·  no";
    let html = "<b>Ban &amp; more</b><br><br><b>&lt;b&gt;</b><a href=\"https://example.org/%28a%29\">see &quot;it&quot;</a><br><br>\
                <pre>a\n  b</pre><br><br><i>one<br>two</i><br><br><a href=\"https://example.org/\">a.\u{200b}b</a>  ·  no";
    let expected = json!({
        "version": 1, "text": text, "html": html, "title": "Ban & more", "color": "#a30200", "priority": 4,
        "links": [{ "label": "a.\u{200b}b", "url": "https://example.org/" }],
        "images": [{ "url": "https://example.org/map.png", "alt": "map" }],
        "event": {
            "id": "1", "kind": "ban", "at": "2025-11-22T10:56:55.601Z", "host": "web-1", "jail": "sshd",
            "subject": "203.0.113.7", "restored": false, "failures": 5, "labels": { "site": "fra1" },
        },
    });
    assert_eq!(body, expected);
}

#[test]
fn facts_are_those_of_what_the_message_is_about() {
    let (one, other) = (ban("203.0.113.7"), ban("203.0.113.8"));
    let batch = Batch::of(&[one.clone(), other], DigestCause::Storm, None);
    let found = digest(&batch, None, None, Target::JSON).body()["digest"].clone();
    assert_eq!((&found["cause"], &found["events"], &found["bans"]), (&json!("storm"), &json!(2), &json!(2)));
    assert_eq!(fallback(&one, "why", Target::JSON).body()["event"]["subject"], "203.0.113.7");
    // What a message does not say, the facts do not say.
    assert_eq!(fallback(&one.redacted(), "why", Target::JSON).body()["event"]["subject"], "");
    assert_eq!(fallback(&one, "why", Target::MATTERMOST).body()["event"], Value::Null);
}

#[test]
fn long_message_is_cut_in_both_forms() {
    let section = json!({ "section": { "text": { "plain": "<".repeat(3_000) } } });
    let message = message(json!({ "text": { "plain": "x" }, "blocks": vec![section; 5] }));
    let mut body = guard(&message, [&ban("x")], &POLICY).unwrap().body().clone();
    let length = |body: &Value, form: &str| body[form].as_str().unwrap().len();
    assert!((13_990..=14_000).contains(&length(&body, "html")) && length(&body, "text") < 4_000, "{body}");
    assert!(body["text"].as_str().unwrap().ends_with('…'));
    let before = body.clone();
    Json.add_note(&mut body, "a note");
    assert_eq!(body["html"], before["html"]);
    assert!(body["text"].as_str().unwrap().ends_with("…\n\na note"));
}
