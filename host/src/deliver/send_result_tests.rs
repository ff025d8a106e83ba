//! What answers mean, as each service documents them.

use super::*;

fn retry_after(text: &str) -> Headers<'_> {
    Headers { retry_after: Some(text), ..NONE }
}

const fn budget<'a>(remaining: &'a str, reset_after: &'a str) -> Headers<'a> {
    Headers { retry_after: None, remaining: Some(remaining), reset_after: Some(reset_after) }
}

fn classified(target: Target, status: u16, headers: Headers<'_>, body: &str) -> SendResult {
    let url = "https://chat.example.org/hooks/s3cret-s3cret".parse().unwrap();
    classify(AnswerContext { target, secrets: &Secrets::of([&url]), now: NOW }, status, headers, body)
}

/// 2026-10-21T07:27:00Z
const NOW: Timestamp = Timestamp(1_792_567_620_000);

const NONE: Headers<'_> = Headers { retry_after: None, remaining: None, reset_after: None };

fn check(target: Target, status: u16, headers: Headers<'_>, body: &str, expected: &SendResult) {
    let without_text = match classified(target, status, headers, body) {
        SendResult::Accepted { pause } => SendResult::Accepted { pause },
        SendResult::RateLimited(time, _) => SendResult::RateLimited(time, String::new()),
        SendResult::Transient { after, .. } => SendResult::Transient { after, error: String::new() },
        SendResult::Rejected(_) => REFUSED,
        SendResult::EndpointGone(_) => SUSPENDED,
    };
    assert_eq!(without_text, *expected, "{target:?} {status} {headers:?} {body}");
}

fn waits(seconds: f64) -> SendResult {
    SendResult::RateLimited(Duration::from_secs_f64(seconds), String::new())
}

fn failed_for(seconds: u64) -> SendResult {
    SendResult::Transient { after: Some(Duration::from_secs(seconds)), error: String::new() }
}

const ACCEPTED: SendResult = SendResult::Accepted { pause: None };
const FAILED: SendResult = SendResult::Transient { after: None, error: String::new() };
const REFUSED: SendResult = SendResult::Rejected(String::new());
const SUSPENDED: SendResult = SendResult::EndpointGone(String::new());

#[test]
fn answers_as_slack_documents_them() {
    for (status, headers, body, expected) in [
        (200, NONE, "ok", ACCEPTED),
        (200, NONE, "{\"success\":true}", ACCEPTED),
        (200, NONE, "<!DOCTYPE html><title>Sign in</title>", SUSPENDED),
        (302, NONE, "", SUSPENDED),
        (400, NONE, "invalid_payload", REFUSED),
        (400, NONE, "user_not_found", REFUSED),
        (400, NONE, "no_text", REFUSED),
        (400, NONE, "too_many_attachments", REFUSED),
        (400, NONE, "invalid_blocks", REFUSED),
        (400, NONE, "something_new", REFUSED),
        (413, NONE, "", REFUSED),
        (401, NONE, "", SUSPENDED),
        (403, NONE, "action_prohibited", SUSPENDED),
        (403, NONE, "invalid_token", SUSPENDED),
        (404, NONE, "channel_not_found", SUSPENDED),
        (404, NONE, "no_active_hooks", SUSPENDED),
        (404, NONE, "no_service", SUSPENDED),
        (404, NONE, "<html>", SUSPENDED),
        (410, NONE, "channel_is_archived", SUSPENDED),
        (407, NONE, "", FAILED),
        (408, NONE, "", FAILED),
        (429, retry_after("30"), "", waits(30.0)),
        (429, NONE, "", waits(1.0)),
        (429, retry_after("soon"), "", waits(1.0)),
        (429, retry_after("1e300"), "", waits(3_600.0)),
        (429, retry_after("NaN"), "", waits(1.0)),
        (429, NONE, "{\"retry_after\":64}", waits(1.0)),
        (500, NONE, "rollup_error", FAILED),
        (503, retry_after("5"), "", failed_for(5)),
        (503, retry_after("0"), "", failed_for(1)),
        (503, retry_after("Wed, 21 Oct 2026 07:28:00 GMT"), "", failed_for(60)),
        (503, retry_after("Wed, 21 Oct 2026 07:26:59 GMT"), "", failed_for(1)),
        (503, retry_after("Wed, 21 Oct 2026"), "", FAILED),
        (429, retry_after(" Wed, 21 Oct 2026 07:28:30 GMT "), "", waits(90.0)),
        (429, retry_after("Wed, 21 Oct 2026 07:27:00 GMT"), "", waits(1.0)),
        (429, retry_after("Thu, 01 Jan 1970 00:00:00 GMT"), "", waits(1.0)),
        (429, retry_after("Thu, 22 Oct 2026 07:28:00 GMT"), "", waits(3_600.0)),
        (429, retry_after("Thu, 31 Dec 2099 23:59:59 GMT"), "", waits(3_600.0)),
        (429, retry_after("Wednesday, 21-Oct-26 07:28:30 GMT"), "", waits(1.0)),
    ] {
        check(Target::Slack, status, headers, body, &expected);
    }
    let says = classified(Target::Slack, 404, NONE, "no_service\n");
    assert_eq!(says, SendResult::EndpointGone("404 no_service".into()));
}

#[test]
fn slacks_words_count_more_than_the_status() {
    for status in [200, 400, 403, 404, 429, 500] {
        for body in DEAD_WEBHOOK {
            check(Target::Slack, status, NONE, body, &SUSPENDED);
        }
    }
    for body in DEAD_UNLESS_OK {
        for status in [400, 403, 404, 410, 500] {
            check(Target::Slack, status, NONE, body, &SUSPENDED);
        }
        check(Target::Slack, 200, NONE, body, &ACCEPTED);
    }
}

#[test]
fn answers_of_the_others() {
    use Target::{Discord, Mattermost, RocketChat, Zulip};
    for (target, status, headers, body, expected) in [
        (Mattermost, 200, NONE, "ok", ACCEPTED),
        (Mattermost, 200, NONE, "no_team", ACCEPTED),
        (Mattermost, 400, NONE, r#"{"id":"web.incoming_webhook.invalid.app_error","message":"…"}"#, SUSPENDED),
        (Mattermost, 501, NONE, r#"{"id":"web.incoming_webhook.disabled.app_error","message":"…"}"#, SUSPENDED),
        (Mattermost, 404, NONE, r#"{"id":"web.incoming_webhook.channel.app_error","message":"…"}"#, SUSPENDED),
        (Mattermost, 403, NONE, r#"{"id":"web.incoming_webhook.channel_locked.app_error","message":"…"}"#, SUSPENDED),
        (Mattermost, 400, NONE, r#"{"id":"web.incoming_webhook.text.app_error","message":"…"}"#, REFUSED),
        (Mattermost, 400, NONE, r#"{"id":"web.incoming_webhook.parse.app_error","message":"…"}"#, REFUSED),
        (Mattermost, 401, NONE, "", SUSPENDED),
        (Mattermost, 501, NONE, "", FAILED),
        (Mattermost, 307, NONE, "", SUSPENDED),
        (Mattermost, 429, retry_after("2"), "limit exceeded", waits(2.0)),
        (RocketChat, 200, NONE, r#"{"success":true}"#, ACCEPTED),
        (RocketChat, 200, NONE, r#"{"success":false,"error":"error-invalid-channel"}"#, SUSPENDED),
        (RocketChat, 400, NONE, r#"{"success":false,"error":"invalid-channel"}"#, SUSPENDED),
        (RocketChat, 400, NONE, r#"{"success":false,"error":"Invalid integration id or token provided."}"#, SUSPENDED),
        (RocketChat, 404, NONE, r#"{"success":false,"error":"Invalid integration id or token provided."}"#, SUSPENDED),
        (RocketChat, 401, NONE, r#"{"success":false}"#, SUSPENDED),
        (RocketChat, 400, NONE, r#"{"success":false,"error":"unexpected token"}"#, REFUSED),
        (RocketChat, 200, NONE, r#"{"success":false}"#, REFUSED),
        (RocketChat, 503, NONE, "Service Unavailable", FAILED),
        (
            RocketChat,
            429,
            NONE,
            r#"{"success":false,"error":"Error, too many requests. Please slow down. You must wait 46 seconds before trying this endpoint again. [error-too-many-requests]"}"#,
            waits(46.0),
        ),
        (RocketChat, 400, NONE, r#"{"success":false,"error":"[error-too-many-requests]"}"#, waits(1.0)),
        (Discord, 200, NONE, "ok", ACCEPTED),
        (Discord, 204, NONE, "", ACCEPTED),
        (
            Discord,
            429,
            NONE,
            r#"{"message":"You are being rate limited.","retry_after":3.25,"global":false}"#,
            waits(3.25),
        ),
        (
            Discord,
            429,
            NONE,
            r#"{"message":"You are being rate limited.","retry_after":0.3,"global":false}"#,
            waits(1.0),
        ),
        (Discord, 429, retry_after("65"), r#"{"retry_after":64.57}"#, waits(65.0)),
        (Discord, 429, budget("0", "7.5"), "", waits(7.5)),
        (Discord, 429, budget("0", "Wed, 21 Oct 2026 07:28:00 GMT"), "", waits(1.0)),
        (Discord, 400, NONE, r#"{"message":"Cannot send an empty message","code":50006}"#, REFUSED),
        (Discord, 401, NONE, r#"{"message":"Invalid Webhook Token","code":50027}"#, SUSPENDED),
        (Discord, 403, NONE, r#"{"message":"Missing Access","code":50001}"#, SUSPENDED),
        (Discord, 404, NONE, r#"{"message":"Unknown Webhook","code":10015}"#, SUSPENDED),
        (Discord, 502, NONE, "<html>", FAILED),
        (Discord, 502, budget("4", "7.5"), "<html>", FAILED),
        (Zulip, 200, NONE, r#"{"result":"success","msg":""}"#, ACCEPTED),
        (Zulip, 200, NONE, r#"{"result":"error","msg":"Stream 'bans' does not exist"}"#, SUSPENDED),
        (Zulip, 400, NONE, r#"{"result":"error","msg":"…","code":"STREAM_DOES_NOT_EXIST"}"#, SUSPENDED),
        (Zulip, 401, NONE, r#"{"result":"error","msg":"Invalid API key","code":"INVALID_API_KEY"}"#, SUSPENDED),
        (Zulip, 400, NONE, r#"{"result":"error","msg":"Unsupported","code":"BAD_REQUEST"}"#, REFUSED),
        (Zulip, 429, NONE, r#"{"result":"error","code":"RATE_LIMIT_HIT","retry-after":28.7}"#, waits(28.7)),
    ] {
        check(target, status, headers, body, &expected);
    }
}

#[test]
fn a_budget_that_is_used_up() {
    for (remaining, reset_after, pause) in [
        ("0", "2.5", Some(2.5)),
        ("0", "0.3", Some(0.3)),
        ("0", "99999", Some(3_600.0)),
        ("1", "2.5", None),
        ("0", "0", None),
        ("0", "-1", None),
        ("0", "NaN", None),
        ("0", "soon", None),
    ] {
        let pause = pause.map(Duration::from_secs_f64);
        check(Target::Discord, 204, budget(remaining, reset_after), "", &SendResult::Accepted { pause });
    }
}

#[test]
fn what_is_kept_is_short_and_visible() {
    let SendResult::Rejected(says) = classified(Target::Mattermost, 400, NONE, &"\u{1b}[31m\n".repeat(500)) else {
        panic!()
    };
    assert_eq!(says.chars().count(), "400 ".len() + ANSWER_CHARS);
    assert!(says.starts_with("400 \\u{1b}[31m \\u{1b}"), "{says}");
}

#[test]
fn what_is_kept_holds_no_secret_nor_half_of_one() {
    for before in ["", "no such thing: ", &"-".repeat(ANSWER_CHARS - "/hooks/s3c".len())] {
        for status in [200, 400, 404, 429, 500] {
            let body = format!("{before}/hooks/s3cret-s3cret, /hooks/s3cret-s3cret");
            let answer = format!("{:?}", classified(Target::Zulip, status, NONE, &body));
            assert!(!answer.contains("s3c"), "{answer}");
        }
    }
}
