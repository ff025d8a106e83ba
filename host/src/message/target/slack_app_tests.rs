use super::*;
use crate::event::{Event, EventDetails};
use crate::message::{Target, fallback};

fn address(url: &Url) -> Address<'_> {
    Address { url, channel: "#bans", id: None }
}

fn reference(thread: Option<&str>) -> Reference {
    Reference { channel: "C1".to_owned(), id: "1.2".to_owned(), of: String::new(), thread: thread.map(str::to_owned) }
}

fn request(body: &Value, way: &Way) -> (String, Value) {
    let url = Url::parse("https://slack.com/api/").unwrap();
    let Request { url, body, .. } = SlackApp.request(&address(&url), body.to_string(), way);
    (url.into(), serde_json::from_str(&body).unwrap())
}

fn answer<T>(status: u16, body: &str, of: impl Fn(&HttpAnswer<'_>) -> T) -> T {
    let json = serde_json::from_str(body).unwrap_or_default();
    of(&HttpAnswer { status, header: &|_| None, body, json: &json })
}

#[test]
fn request_goes_to_the_method_and_channel_of_its_way() {
    let body = json!({ "text": "a", "blocks": [{}], "unfurl_links": false });
    let mut posted = body.clone();
    posted["channel"] = "#bans".into();
    assert_eq!(request(&body, &Way::Post), ("https://slack.com/api/chat.postMessage".to_owned(), posted.clone()));
    for (above, parent) in [(reference(None), "1.2"), (reference(Some("1.1")), "1.1")] {
        posted["channel"] = "C1".into();
        posted["thread_ts"] = parent.into();
        let found = request(&body, &Way::Beneath(above));
        assert_eq!(found, ("https://slack.com/api/chat.postMessage".to_owned(), posted.clone()));
    }
    let changed =
        json!({ "text": "a", "blocks": [{}], "attachments": [], "channel": "C1", "ts": "1.2", "parse": "none" });
    let found = request(&body, &Way::Change(reference(Some("1.1"))));
    assert_eq!(found, ("https://slack.com/api/chat.update".to_owned(), changed));
    // Where a text has no blocks, those of before are removed.
    assert_eq!(request(&json!({ "text": "a" }), &Way::Change(reference(None))).1["blocks"], json!([]));
}

#[test]
fn body_is_that_of_a_webhook() {
    let event = Event::from_json(r#"{"at":"2026-11-22T10:56:55.601Z","jail":"<!here>","action":"stop"}"#).unwrap();
    assert!(matches!(event.details, EventDetails::Stop));
    let [of_app, of_webhook] = [Target::SLACK_APP, Target::SLACK].map(|target| fallback(&event, "why", target));
    assert_eq!(of_app.body(), of_webhook.body());
}

#[test]
fn place_is_what_the_answer_says() {
    let found = |body: &str| answer(200, body, |answer| SlackApp.reference(answer));
    assert_eq!(found(r#"{"ok":true,"channel":"C1","ts":"1.2","message":{"text":"a"}}"#), Some(reference(None)));
    for without in [
        r#"{"ok":true,"channel":"C1"}"#,
        r#"{"ok":true,"ts":"1.2","channel":""}"#,
        r#"{"ok":true,"ts":1,"channel":"C1"}"#,
    ] {
        assert_eq!(found(without), None, "{without}");
    }
}

#[test]
fn errors_are_classified_by_their_names_and_every_one_by_one_list() {
    let verdict = |error: &str| {
        answer(200, &json!({ "ok": false, "error": error }).to_string(), |answer| {
            assert!(!SlackApp.accepts(answer));
            SlackApp.verdict(answer).unwrap()
        })
    };
    for (error, expected) in [
        ("channel_not_found", Verdict::EndpointGone),
        ("not_in_channel", Verdict::EndpointGone),
        ("token_revoked", Verdict::EndpointGone),
        ("account_inactive", Verdict::EndpointGone),
        ("missing_scope", Verdict::EndpointGone),
        ("is_archived", Verdict::EndpointGone),
        ("msg_too_long", Verdict::Rejected),
        ("invalid_blocks", Verdict::Rejected),
        ("no_text", Verdict::Rejected),
        ("ratelimited", Verdict::RateLimited),
        ("internal_error", Verdict::Transient),
        ("edit_window_closed", Verdict::Unchangeable),
        ("cant_update_message", Verdict::Unchangeable),
        ("message_not_found", Verdict::Unreachable),
        ("something_new", Verdict::Unclear),
        ("", Verdict::Unclear),
    ] {
        assert_eq!(verdict(error), expected, "{error}");
    }
    let mut known = SlackApp.known_errors();
    let count = known.len();
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), count, "an error is in two lists");
    assert_eq!(answer(200, "ok", |answer| (SlackApp.accepts(answer), SlackApp.verdict(answer))), (false, None));
    assert!(answer(200, r#"{"ok":true}"#, |answer| SlackApp.accepts(answer)));
}

#[test]
fn path_is_that_of_the_methods() {
    let check = |url: &str| SlackApp.check_path(&Url::parse(url).unwrap()).is_ok();
    assert!(check("https://slack.com/api/") && check("https://slack-gov.com/api/"));
    assert!(!check("https://slack.com/") && !check("https://slack.com/api/chat.postMessage"));
}

#[test]
fn channel_is_an_id_or_a_name() {
    for text in ["C012AB3CD", "G1", "D0", "#alerts", "#überwachung"] {
        assert!(is_channel(text), "{text}");
    }
    for text in ["", "#", "alerts", "C", "c012", "U012AB3CD", "#a b", "C01-2"] {
        assert!(!is_channel(text), "{text}");
    }
}
