use super::*;
use crate::message::{Policy, Target, guard};

fn body(message: Value) -> Value {
    let message: Message = serde_json::from_value(message).unwrap();
    let policy = Policy { target: Target::NTFY, ..Policy::default() };
    guard(&message, [], &policy).unwrap().body().clone()
}

fn verdict(status: u16, body: &str) -> (bool, Option<Verdict>, Option<f64>) {
    let json = serde_json::from_str(body).unwrap_or_default();
    let answer = HttpAnswer { status, header: &|_| None, body, json: &json };
    (Ntfy.accepts(&answer), Ntfy.verdict(&answer), Ntfy.retry_after(&answer))
}

#[test]
fn header_is_the_title_and_buttons_are_actions() {
    let button = |label: &str| json!({ "label": label, "url": "https://example.org/" });
    let found = body(json!({
        "text": { "plain": "x" },
        "blocks": [
            { "header": "Ban" },
            { "section": { "text": { "plain": "see evil.example" } } },
            { "buttons": [button("a"), { "label": "b", "url": "javascript:x" }, button("c"), button("d"), button("e")] },
        ],
        "color": "danger",
    }));
    let action = |label: &str| json!({ "action": "view", "label": label, "url": "https://example.org/" });
    let text = "see evil.\u{200b}example\n\nb  ·  e (https://example.org/)";
    let expected = json!({
        "title": "Ban", "message": text, "priority": 4, "tags": ["rotating_light"],
        "actions": [action("a"), action("c"), action("d")],
    });
    assert_eq!(found, expected);
    assert_eq!(body(json!({ "text": { "plain": "x" }, "blocks": [{ "header": "Ban" }] })), json!({ "message": "Ban" }));
}

#[test]
fn priority_is_what_the_hint_says_before_the_color() {
    let priority = |color: &str, hint: &str| {
        let hints = [["priority", hint]];
        body(json!({ "text": { "plain": "x" }, "color": color, "hints": hints }))["priority"].clone()
    };
    for (color, hint, expected) in [
        ("danger", "", json!(4)),
        ("warning", "", Value::Null),
        ("good", "", json!(2)),
        ("good", "max", json!(5)),
        ("good", "1", json!(1)),
        ("danger", "default", json!(3)),
        ("danger", "9", json!(4)),
    ] {
        assert_eq!(priority(color, hint), expected, "{color} {hint}");
    }
}

/// A character more, and a server makes an attachment of the message, or rejects its body.
#[test]
fn long_message_is_cut_to_what_is_no_attachment() {
    for text in ["a".repeat(3_000), "é".repeat(3_000), "\"\\".repeat(1_500), "🚨".repeat(3_000)] {
        let section = json!({ "section": { "text": { "plain": text } } });
        let found = body(json!({ "text": { "plain": "x" }, "blocks": vec![section; 3] }));
        let message = found["message"].as_str().unwrap();
        assert!(message.len() < 4_096 && found.to_string().len() < 8_192 && message.ends_with('…'), "{found}");
        assert!(message.len() > 4_080 || found.to_string().len() > 5_990, "{}", message.len());
        let mut noted = found.clone();
        Ntfy.add_note(&mut noted, "no room");
        assert_eq!(noted, found);
    }
    let mut short = json!({ "message": "x" });
    Ntfy.add_note(&mut short, "for the webhook \"a.b\"");
    assert_eq!(short, json!({ "message": "x\n\nfor the webhook \"a.\u{200b}b\"" }));
}

#[test]
fn topic_moves_from_the_url_into_the_body() {
    for (url, root) in
        [("https://ntfy.sh/bans-1", "https://ntfy.sh/"), ("http://localhost/a/bans-1", "http://localhost/a/")]
    {
        let url = Url::parse(url).unwrap();
        Ntfy.check_url(&url).unwrap();
        let address = Address { url: &url, channel: "", id: None };
        let Request { url, body, .. } = Ntfy.request(&address, r#"{"message":"x"}"#.to_owned(), &Way::Post);
        assert_eq!(url.as_str(), root);
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({ "message": "x", "topic": "bans-1" }));
    }
    for url in
        ["https://ntfy.sh", "https://ntfy.sh/", "https://ntfy.sh/a.b", "https://ntfy.sh/a?x", "https://ntfy.sh/a#x"]
    {
        assert!(Ntfy.check_url(&Url::parse(url).unwrap()).is_err(), "{url}");
    }
    assert!(Ntfy.check_url(&Url::parse(&format!("https://ntfy.sh/{}", "a".repeat(65))).unwrap()).is_err());
}

#[test]
fn answers_are_classified_by_their_codes() {
    let accepted = r#"{"id":"hwQ2YpKdmg","time":1795345015,"expires":1795388215,"event":"message","topic":"bans"}"#;
    assert_eq!(verdict(200, accepted), (true, None, None));
    assert!(!verdict(200, "ok").0 && !verdict(200, r#"{"id":1,"event":"open"}"#).0);
    for (status, code, expected, wait) in [
        (401, 40_101, Some(Verdict::EndpointGone), REQUEST_WAIT),
        (403, 40_301, Some(Verdict::EndpointGone), REQUEST_WAIT),
        (400, 40_009, Some(Verdict::EndpointGone), REQUEST_WAIT),
        (400, 40_014, Some(Verdict::Rejected), REQUEST_WAIT),
        (413, 41_303, Some(Verdict::Rejected), REQUEST_WAIT),
        (429, 42_901, Some(Verdict::RateLimited), REQUEST_WAIT),
        (429, 42_908, Some(Verdict::RateLimited), DAILY_WAIT),
        (500, 50_001, None, REQUEST_WAIT),
        (400, 40_099, None, REQUEST_WAIT),
    ] {
        let body = json!({ "code": code, "http": status, "error": "x" }).to_string();
        assert_eq!(verdict(status, &body), (false, expected, Some(wait)), "{code}");
    }
}
