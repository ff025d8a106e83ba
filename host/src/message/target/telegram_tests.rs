use super::*;
use crate::message::{Policy, Target, guard};

const POLICY: Policy = Policy { target: Target::TELEGRAM, mentions: false };

fn body(message: Value) -> Value {
    guard(&serde_json::from_value(message).unwrap(), [], &POLICY).unwrap().body().clone()
}

fn request(channel: &str, way: &Way) -> (String, Value) {
    let url = Url::parse("https://api.telegram.org/bot1:abc/").unwrap();
    let address = Address { url: &url, channel, id: None };
    let Request { url, body, .. } = Telegram.request(&address, r#"{"text":"a"}"#.to_owned(), way);
    (url.path().to_owned(), serde_json::from_str(&body).unwrap())
}

fn verdict(status: u16, body: &Value) -> (bool, Option<Verdict>, Option<f64>) {
    let answer = HttpAnswer { status, header: &|_| None, body: "", json: body };
    (Telegram.accepts(&answer), Telegram.verdict(&answer), Telegram.retry_after(&answer))
}

/// What each entity covers, by its kind.
fn covered(body: &Value) -> Vec<(String, String)> {
    let units: Vec<u16> = body["text"].as_str().unwrap().encode_utf16().collect();
    let of = |entity: &Value| {
        let [offset, length] = ["offset", "length"].map(|key| entity[key].as_u64().unwrap() as usize);
        (entity["type"].as_str().unwrap().to_owned(), String::from_utf16(&units[offset..offset + length]).unwrap())
    };
    body["entities"].as_array().into_iter().flatten().map(of).collect()
}

#[test]
fn entities_count_utf16_and_code_stays_as_it_is() {
    let found = body(json!({
        "text": { "plain": "x" },
        "blocks": [
            { "header": "🚨 Ban" },
            { "section": { "text": { "rich": [
                { "text": "𝕏 " }, { "text": { "text": "203.0.113.7", "code": true } }, { "text": " 203.0.113.8 " },
                { "text": { "text": "b", "bold": true, "strike": true } }, { "text": " " },
                { "link": { "url": "https://example.org/(a)", "label": "see evil.example" } },
            ] } } },
            { "preformatted": "/start @x" },
            { "quote": { "plain": "one\ntwo" } },
        ],
        "color": "danger",
    }));
    let text = "🔴 🚨 Ban\n\n𝕏 203.0.113.7 203.\u{200b}0.\u{200b}113.\u{200b}8 b see evil.\u{200b}example\n\n/start @x\n\none\ntwo";
    assert_eq!(found["text"], text);
    let expected = [
        ("bold", "🔴 🚨 Ban"),
        ("code", "203.0.113.7"),
        ("bold", "b"),
        ("strikethrough", "b"),
        ("text_link", "see evil.\u{200b}example"),
        ("pre", "/start @x"),
        ("blockquote", "one\ntwo"),
    ];
    assert_eq!(covered(&found), expected.map(|(kind, text)| (kind.to_owned(), text.to_owned())));
    assert_eq!(found["entities"][4]["url"], "https://example.org/%28a%29");
    assert_eq!(found["link_preview_options"], json!({ "is_disabled": true }));
    // More entities than are kept: what would be code is broken, too.
    let code = |_| json!({ "text": { "text": "1.2.3.4", "code": true } });
    let many: Vec<Value> = (0..101).flat_map(|index| [code(index), json!({ "text": " " })]).collect();
    let found = body(json!({ "text": { "rich": many } }));
    assert_eq!(found["entities"].as_array().unwrap().len(), ENTITIES_MAX);
    assert!(!found["text"].as_str().unwrap().contains("1.2"));
}

#[test]
fn long_message_is_cut_to_what_is_counted() {
    for text in ["a".repeat(3_000), "𝕏".repeat(3_000), "a.b ".repeat(700)] {
        let section = json!({ "section": { "text": { "plain": text } } });
        let mut found = body(json!({ "text": { "plain": "x" }, "blocks": vec![section; 3] }));
        let text = found["text"].as_str().unwrap().to_owned();
        assert!((4_090..=4_096).contains(&units(&text)) && text.ends_with('…'), "{}", units(&text));
        Telegram.add_note(&mut found, "no room");
        assert_eq!(found["text"], text);
    }
}

#[test]
fn request_goes_to_the_method_and_chat_of_its_way() {
    let reference = |thread: Option<&str>| Reference {
        channel: "-1007".to_owned(),
        id: "12".to_owned(),
        of: String::new(),
        thread: thread.map(str::to_owned),
    };
    let found = request("@bans", &Way::Post);
    assert_eq!(found, ("/bot1:abc/sendMessage".to_owned(), json!({ "text": "a", "chat_id": "@bans" })));
    let found = request("-1007/5", &Way::Post).1;
    assert_eq!(found, json!({ "text": "a", "chat_id": "-1007", "message_thread_id": 5 }));
    for (above, parent) in [(reference(None), 12), (reference(Some("11")), 11)] {
        let found = request("-1007/5", &Way::Beneath(above));
        let reply = json!({ "message_id": parent, "allow_sending_without_reply": false });
        let expected = json!({ "text": "a", "chat_id": "-1007", "message_thread_id": 5, "reply_parameters": reply });
        assert_eq!(found, ("/bot1:abc/sendMessage".to_owned(), expected));
    }
    let found = request("@bans", &Way::Change(reference(Some("11"))));
    let expected = json!({ "text": "a", "chat_id": "-1007", "message_id": 12 });
    assert_eq!(found, ("/bot1:abc/editMessageText".to_owned(), expected));
}

#[test]
fn place_is_what_the_answer_says() {
    let found = |json: &Value| Telegram.reference(&HttpAnswer { status: 200, header: &|_| None, body: "", json });
    let result = json!({ "ok": true, "result": { "message_id": 12, "chat": { "id": -1_007, "type": "supergroup" } } });
    let expected = Reference { channel: "-1007".to_owned(), id: "12".to_owned(), of: String::new(), thread: None };
    assert_eq!(found(&result), Some(expected));
    assert_eq!(found(&json!({ "ok": true, "result": true })), None);
}

#[test]
fn errors_are_classified_by_their_texts() {
    for (code, description, expected) in [
        (401, "Unauthorized", Verdict::EndpointGone),
        (400, "Bad Request: chat not found", Verdict::EndpointGone),
        (400, "Bad Request: message thread not found", Verdict::EndpointGone),
        (403, "Forbidden: bot was kicked from the supergroup chat", Verdict::EndpointGone),
        (400, "Bad Request: message is too long", Verdict::Rejected),
        (400, "Bad Request: message text is empty", Verdict::Rejected),
        (400, "Bad Request: message can't be edited", Verdict::Unchangeable),
        (400, "Bad Request: message to edit not found", Verdict::Unreachable),
        (400, "Bad Request: message to be replied not found", Verdict::Unreachable),
        (
            400,
            "Bad Request: message is not modified: specified new message content and reply markup are",
            Verdict::Accepted,
        ),
        (429, "Too Many Requests: retry after 35", Verdict::RateLimited),
        (400, "Bad Request: something new", Verdict::Unclear),
    ] {
        let answer = json!({ "ok": false, "error_code": code, "description": description });
        assert_eq!(verdict(code, &answer), (false, Some(expected), None), "{description}");
    }
    let limited = json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 35 } });
    assert_eq!(verdict(429, &limited), (false, Some(Verdict::RateLimited), Some(35.0)));
    assert_eq!(verdict(200, &json!({ "ok": true, "result": {} })), (true, None, None));
    assert_eq!(verdict(200, &Value::Null), (false, None, None));
    let mut known = Telegram.known_errors();
    let count = known.len();
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), count, "an error is in two lists");
}

#[test]
fn token_and_chat_have_their_forms() {
    assert!(is_token("123456:ABC-DEF_1") && ["-100123", "42", "@bans_1"].into_iter().all(is_channel));
    for text in ["", "abc", "123456", ":ABC", "123456:", "123456:A/B", "12x:ABCD"] {
        assert!(!is_token(text), "{text}");
    }
    for text in ["", "-", "bans", "@a", "@bans.x", "-100/5", "@"] {
        assert!(!is_channel(text), "{text}");
    }
    let check = |url: &str| Telegram.check_path(&Url::parse(url).unwrap()).is_ok();
    assert!(check("https://api.telegram.org/bot1:abc/") && !check("https://api.telegram.org/bot1:abc/sendMessage"));
}
