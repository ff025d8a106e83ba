//! Answers as each service documents them, and what they are classified as.

use super::*;

/// The headers of an answer that matter, as they came.
#[derive(Debug, Clone, Copy, Default)]
struct Headers<'a> {
    retry_after: Option<&'a str>,
    remaining: Option<&'a str>,
    reset_after: Option<&'a str>,
}

fn retry_after(text: &str) -> Headers<'_> {
    Headers { retry_after: Some(text), ..NONE }
}

const fn budget<'a>(remaining: &'a str, reset_after: &'a str) -> Headers<'a> {
    Headers { retry_after: None, remaining: Some(remaining), reset_after: Some(reset_after) }
}

fn classified(target: Target, status: u16, headers: Headers<'_>, body: &str) -> SendResult {
    let url = "https://chat.example.org/hooks/s3cret-s3cret".parse().unwrap();
    let redaction = Redaction::new(target, &url, None, None, None);
    let header = |name: &str| {
        let value = match name {
            "retry-after" => headers.retry_after,
            "x-ratelimit-remaining" => headers.remaining,
            "x-ratelimit-reset-after" => headers.reset_after,
            _ => None,
        };
        value.map(str::to_owned)
    };
    classify(AnswerContext { target, success: None, redaction: &redaction, now: NOW }, status, &header, body)
}

/// 2026-10-21T07:27:00Z
const NOW: Timestamp = Timestamp(1_792_567_620_000);

const NONE: Headers<'_> = Headers { retry_after: None, remaining: None, reset_after: None };

fn check(target: Target, status: u16, headers: Headers<'_>, body: &str, expected: &SendResult) {
    let without_text = match classified(target, status, headers, body) {
        SendResult::Accepted { pause, reference } => SendResult::Accepted { pause, reference },
        SendResult::RateLimited(time, _) => SendResult::RateLimited(time, String::new()),
        SendResult::Transient { after, .. } => SendResult::Transient { after, error: String::new() },
        SendResult::Unclear { after, .. } => SendResult::Unclear { after, error: String::new() },
        SendResult::Rejected(_) => REJECTED,
        SendResult::EndpointGone(_) => ENDPOINT_GONE,
        SendResult::Detached { lost, .. } => SendResult::Detached { lost, error: String::new() },
    };
    assert_eq!(without_text, *expected, "{target:?} {status} {headers:?} {body}");
}

fn waits(seconds: f64) -> SendResult {
    SendResult::RateLimited(Duration::from_secs_f64(seconds), String::new())
}

fn failed_for(seconds: u64) -> SendResult {
    SendResult::Transient { after: Some(Duration::from_secs(seconds)), error: String::new() }
}

const ACCEPTED: SendResult = SendResult::Accepted { pause: None, reference: None };
const TRANSIENT: SendResult = SendResult::Transient { after: None, error: String::new() };
const UNCLEAR: SendResult = SendResult::Unclear { after: None, error: String::new() };
const REJECTED: SendResult = SendResult::Rejected(String::new());
const ENDPOINT_GONE: SendResult = SendResult::EndpointGone(String::new());

#[test]
fn classify_slack_answers() {
    for (status, headers, body, expected) in [
        (200, NONE, "ok", ACCEPTED),
        (200, NONE, "ok\n", ACCEPTED),
        (200, NONE, "{\"success\":true}", ENDPOINT_GONE),
        (200, NONE, "", ENDPOINT_GONE),
        (204, NONE, "", ENDPOINT_GONE),
        (200, NONE, "OK, queued", ENDPOINT_GONE),
        (200, NONE, "<!DOCTYPE html><title>Sign in</title>", ENDPOINT_GONE),
        (302, NONE, "", ENDPOINT_GONE),
        (400, NONE, "invalid_payload", REJECTED),
        (400, NONE, "user_not_found", REJECTED),
        (400, NONE, "no_text", REJECTED),
        (400, NONE, "too_many_attachments", REJECTED),
        (400, NONE, "invalid_blocks", REJECTED),
        (400, NONE, "invalid_blocks: too many", REJECTED),
        (400, NONE, "something_new", UNCLEAR),
        (413, NONE, "", UNCLEAR),
        (413, retry_after("5"), "", SendResult::Unclear { after: Some(Duration::from_secs(5)), error: String::new() }),
        (404, NONE, "", ENDPOINT_GONE),
        (405, NONE, "", ENDPOINT_GONE),
        (401, NONE, "", ENDPOINT_GONE),
        (403, NONE, "action_prohibited", ENDPOINT_GONE),
        (403, NONE, "invalid_token", ENDPOINT_GONE),
        (404, NONE, "channel_not_found", ENDPOINT_GONE),
        (404, NONE, "no_active_hooks", ENDPOINT_GONE),
        (404, NONE, "no_service", ENDPOINT_GONE),
        (404, NONE, "<html>", ENDPOINT_GONE),
        (410, NONE, "channel_is_archived", ENDPOINT_GONE),
        (407, NONE, "", TRANSIENT),
        (408, NONE, "", TRANSIENT),
        (429, retry_after("30"), "", waits(30.0)),
        (429, NONE, "", waits(1.0)),
        (429, retry_after("soon"), "", waits(1.0)),
        (429, retry_after("1e300"), "", waits(3_600.0)),
        (429, retry_after("NaN"), "", waits(1.0)),
        (429, NONE, "{\"retry_after\":64}", waits(1.0)),
        (500, NONE, "rollup_error", TRANSIENT),
        (503, retry_after("5"), "", failed_for(5)),
        (503, retry_after("0"), "", failed_for(1)),
        (503, retry_after("Wed, 21 Oct 2026 07:28:00 GMT"), "", failed_for(60)),
        (503, retry_after("Wed, 21 Oct 2026 07:26:59 GMT"), "", failed_for(1)),
        (503, retry_after("Wed, 21 Oct 2026"), "", TRANSIENT),
        (429, retry_after(" Wed, 21 Oct 2026 07:28:30 GMT "), "", waits(90.0)),
        (429, retry_after("Wed, 21 Oct 2026 07:27:00 GMT"), "", waits(1.0)),
        (429, retry_after("Thu, 01 Jan 1970 00:00:00 GMT"), "", waits(1.0)),
        (429, retry_after("Thu, 22 Oct 2026 07:28:00 GMT"), "", waits(3_600.0)),
        (429, retry_after("Thu, 31 Dec 2099 23:59:59 GMT"), "", waits(3_600.0)),
        (429, retry_after("Wednesday, 21-Oct-26 07:28:30 GMT"), "", waits(1.0)),
    ] {
        check(Target::SLACK, status, headers, body, &expected);
    }
    let says = classified(Target::SLACK, 404, NONE, "no_service\n");
    assert_eq!(says, SendResult::EndpointGone("404 no_service".into()));
}

#[test]
fn slack_error_outweighs_the_status() {
    for body in ["no_service_id", "no_team", "team_disabled", "posting_to_general_channel_denied"] {
        for status in [200, 400, 403, 404, 429, 500] {
            check(Target::SLACK, status, NONE, body, &ENDPOINT_GONE);
        }
    }
    for body in [
        "invalid_token",
        "action_prohibited",
        "channel_not_found",
        "channel_is_archived",
        "no_active_hooks",
        "no_service",
    ] {
        for status in [400, 403, 404, 410, 500] {
            check(Target::SLACK, status, NONE, body, &ENDPOINT_GONE);
        }
        check(Target::SLACK, 200, NONE, body, &ENDPOINT_GONE);
    }
}

/// Only what the service says of a message is about the message.
#[test]
fn status_without_a_documented_error_is_never_final() {
    for target in Target::ALL.iter().copied() {
        for status in [
            101, 400, 402, 406, 409, 411, 412, 413, 414, 415, 416, 417, 418, 422, 424, 426, 428, 431, 444, 451, 460,
            494, 495, 496, 497, 498, 499, 600, 777, 999,
        ] {
            check(target, status, NONE, "<html>nginx</html>", &UNCLEAR);
            check(target, status, NONE, "", &UNCLEAR);
        }
        for status in [407, 408, 421, 423, 425, 449, 500, 501, 502, 503, 504, 507, 511, 520, 529, 599] {
            check(target, status, NONE, "", &TRANSIENT);
        }
        for status in [301, 302, 303, 304, 307, 308, 401, 403, 404, 405, 410] {
            check(target, status, NONE, "", &ENDPOINT_GONE);
        }
    }
}

/// bitrise-steplib/steps-slack-message#19: the status says yes, the answer says no.
#[test]
fn success_is_what_the_answer_says() {
    for (body, expected) in [
        (r#"{"ok":false,"error":"invalid_auth"}"#, ENDPOINT_GONE),
        (r#"{"ok":false,"error":"token_revoked"}"#, ENDPOINT_GONE),
        (r#"{"ok":false,"error":"not_in_channel","warning":"x"}"#, ENDPOINT_GONE),
        (r#"{"ok":false,"error":"invalid_blocks"}"#, REJECTED),
        (r#"{"ok":false,"error":"ratelimited"}"#, waits(1.0)),
        (r#"{"ok":false,"error":"internal_error"}"#, TRANSIENT),
        (r#"{"ok":false,"error":"something_new"}"#, UNCLEAR),
        (r#"{"ok":true,"result":{}}"#, ENDPOINT_GONE),
        (r#"{"message":"Workflow was started"}"#, ENDPOINT_GONE),
        (r#"{"success":true}"#, ENDPOINT_GONE),
        ("true", ENDPOINT_GONE),
        ("Accepted", ENDPOINT_GONE),
        ("invalid_payload", REJECTED),
    ] {
        check(Target::SLACK, 200, NONE, body, &expected);
    }
    for (target, own) in [
        (Target::MATTERMOST, "ok"),
        (Target::ROCKETCHAT, r#"{"success":true}"#),
        (Target::DISCORD, r#"{"id":"1","content":"x"}"#),
        (Target::ZULIP, r#"{"result":"success","msg":""}"#),
        (Target::TELEGRAM, r#"{"ok":true,"result":true}"#),
        (Target::TEAMS, ""),
        (Target::NTFY, r#"{"id":"hwQ2YpKdmg","event":"message","topic":"bans"}"#),
    ] {
        check(target, 200, NONE, own, &ACCEPTED);
        for foreign in [r#"{"message":"Workflow was started"}"#, "hello", "<!DOCTYPE html>"] {
            check(target, 200, NONE, foreign, &ENDPOINT_GONE);
        }
    }
    let says = classified(Target::SLACK, 200, NONE, r#"{"message":"Workflow was started"}"#);
    let error = "200 Workflow was started: this is no answer of Slack";
    assert_eq!(says, SendResult::EndpointGone(error.into()));
}

#[test]
fn classify_answers_of_the_other_services() {
    const MATTERMOST: Target = Target::MATTERMOST;
    const ROCKETCHAT: Target = Target::ROCKETCHAT;
    const DISCORD: Target = Target::DISCORD;
    const ZULIP: Target = Target::ZULIP;
    for (target, status, headers, body, expected) in [
        (MATTERMOST, 200, NONE, "ok", ACCEPTED),
        (MATTERMOST, 200, NONE, "no_team", ENDPOINT_GONE),
        (MATTERMOST, 400, NONE, r#"{"id":"model.post.is_valid.msg.app_error","message":"…"}"#, REJECTED),
        (MATTERMOST, 400, NONE, r#"{"id":"api.context.something.new","message":"…"}"#, UNCLEAR),
        (MATTERMOST, 400, NONE, r#"{"id":"web.incoming_webhook.invalid.app_error","message":"…"}"#, ENDPOINT_GONE),
        (MATTERMOST, 501, NONE, r#"{"id":"web.incoming_webhook.disabled.app_error","message":"…"}"#, ENDPOINT_GONE),
        (MATTERMOST, 404, NONE, r#"{"id":"web.incoming_webhook.channel.app_error","message":"…"}"#, ENDPOINT_GONE),
        (
            MATTERMOST,
            403,
            NONE,
            r#"{"id":"web.incoming_webhook.channel_locked.app_error","message":"…"}"#,
            ENDPOINT_GONE,
        ),
        (MATTERMOST, 400, NONE, r#"{"id":"web.incoming_webhook.text.app_error","message":"…"}"#, REJECTED),
        (MATTERMOST, 400, NONE, r#"{"id":"web.incoming_webhook.parse.app_error","message":"…"}"#, REJECTED),
        (MATTERMOST, 401, NONE, "", ENDPOINT_GONE),
        (MATTERMOST, 501, NONE, "", TRANSIENT),
        (MATTERMOST, 307, NONE, "", ENDPOINT_GONE),
        (MATTERMOST, 429, retry_after("2"), "limit exceeded", waits(2.0)),
        (ROCKETCHAT, 200, NONE, r#"{"success":true}"#, ACCEPTED),
        (ROCKETCHAT, 200, NONE, r#"{"success":false,"error":"error-invalid-channel"}"#, ENDPOINT_GONE),
        (ROCKETCHAT, 400, NONE, r#"{"success":false,"error":"invalid-channel"}"#, ENDPOINT_GONE),
        (
            ROCKETCHAT,
            400,
            NONE,
            r#"{"success":false,"error":"Invalid integration id or token provided."}"#,
            ENDPOINT_GONE,
        ),
        (
            ROCKETCHAT,
            404,
            NONE,
            r#"{"success":false,"error":"Invalid integration id or token provided."}"#,
            ENDPOINT_GONE,
        ),
        (ROCKETCHAT, 401, NONE, r#"{"success":false}"#, ENDPOINT_GONE),
        (ROCKETCHAT, 400, NONE, r#"{"success":false,"error":"unexpected token"}"#, UNCLEAR),
        (ROCKETCHAT, 400, NONE, r#"{"success":false,"error":"[error-message-size-exceeded]"}"#, REJECTED),
        (ROCKETCHAT, 200, NONE, r#"{"success":false}"#, UNCLEAR),
        (ROCKETCHAT, 503, NONE, "Service Unavailable", TRANSIENT),
        (
            ROCKETCHAT,
            429,
            NONE,
            r#"{"success":false,"error":"Error, too many requests. Please slow down. You must wait 46 seconds before trying this endpoint again. [error-too-many-requests]"}"#,
            waits(46.0),
        ),
        (ROCKETCHAT, 400, NONE, r#"{"success":false,"error":"[error-too-many-requests]"}"#, waits(1.0)),
        (DISCORD, 200, NONE, "ok", ACCEPTED),
        (DISCORD, 204, NONE, "", ACCEPTED),
        (
            DISCORD,
            429,
            NONE,
            r#"{"message":"You are being rate limited.","retry_after":3.25,"global":false}"#,
            waits(3.25),
        ),
        (
            DISCORD,
            429,
            NONE,
            r#"{"message":"You are being rate limited.","retry_after":0.3,"global":false}"#,
            waits(1.0),
        ),
        (DISCORD, 429, retry_after("65"), r#"{"retry_after":64.57}"#, waits(65.0)),
        (DISCORD, 429, budget("0", "7.5"), "", waits(7.5)),
        (DISCORD, 429, budget("0", "Wed, 21 Oct 2026 07:28:00 GMT"), "", waits(1.0)),
        (DISCORD, 400, NONE, r#"{"message":"Cannot send an empty message","code":50006}"#, REJECTED),
        (DISCORD, 400, NONE, r#"{"message":"Invalid Form Body","code":50035,"errors":{}}"#, REJECTED),
        (DISCORD, 400, NONE, r#"{"message":"Message blocked","code":240000}"#, REJECTED),
        (DISCORD, 400, NONE, r#"{"message":"thread_name or thread_id","code":220001}"#, ENDPOINT_GONE),
        (DISCORD, 400, NONE, r#"{"message":"new","code":1}"#, UNCLEAR),
        (DISCORD, 200, NONE, r#"{"id":"123","content":"x"}"#, ACCEPTED),
        (DISCORD, 401, NONE, r#"{"message":"Invalid Webhook Token","code":50027}"#, ENDPOINT_GONE),
        (DISCORD, 403, NONE, r#"{"message":"Missing Access","code":50001}"#, ENDPOINT_GONE),
        (DISCORD, 400, NONE, r#"{"message":"Webhook services cannot be used","code":220004}"#, ENDPOINT_GONE),
        (DISCORD, 404, NONE, r#"{"message":"Unknown Webhook","code":10015}"#, ENDPOINT_GONE),
        (DISCORD, 502, NONE, "<html>", TRANSIENT),
        (DISCORD, 502, budget("4", "7.5"), "<html>", TRANSIENT),
        (ZULIP, 200, NONE, r#"{"result":"success","msg":""}"#, ACCEPTED),
        (ZULIP, 200, NONE, r#"{"result":"error","msg":"Stream 'bans' does not exist"}"#, ENDPOINT_GONE),
        (ZULIP, 400, NONE, r#"{"result":"error","msg":"…","code":"STREAM_DOES_NOT_EXIST"}"#, ENDPOINT_GONE),
        (ZULIP, 401, NONE, r#"{"result":"error","msg":"Invalid API key","code":"INVALID_API_KEY"}"#, ENDPOINT_GONE),
        (ZULIP, 400, NONE, r#"{"result":"error","msg":"Unsupported","code":"BAD_REQUEST"}"#, REJECTED),
        (ZULIP, 400, NONE, r#"{"result":"error","msg":"New","code":"SOMETHING_NEW"}"#, UNCLEAR),
        (ZULIP, 429, NONE, r#"{"result":"error","code":"RATE_LIMIT_HIT","retry-after":28.7}"#, waits(28.7)),
        (Target::TELEGRAM, 401, NONE, r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#, ENDPOINT_GONE),
        (Target::TELEGRAM, 404, NONE, r#"{"ok":false,"error_code":404,"description":"Not Found"}"#, ENDPOINT_GONE),
        (
            Target::TELEGRAM,
            400,
            NONE,
            r#"{"ok":false,"error_code":400,"description":"Bad Request: message is not modified"}"#,
            ACCEPTED,
        ),
        (
            Target::TELEGRAM,
            429,
            NONE,
            r#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":35}}"#,
            waits(35.0),
        ),
        (Target::TELEGRAM, 400, NONE, r#"{"ok":false,"error_code":400,"description":"Bad Request: new"}"#, UNCLEAR),
        (Target::TELEGRAM, 502, NONE, r#"{"ok":false,"error_code":502,"description":"Bad Gateway"}"#, TRANSIENT),
        (Target::TEAMS, 202, NONE, "", ACCEPTED),
        (Target::TEAMS, 400, NONE, r#"{"error":{"code":"TriggerInputSchemaMismatch","message":"x"}}"#, REJECTED),
        (Target::TEAMS, 400, NONE, r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"x"}}"#, ENDPOINT_GONE),
        (Target::TEAMS, 401, NONE, r#"{"error":{"code":"Something","message":"x"}}"#, ENDPOINT_GONE),
        (Target::TEAMS, 429, retry_after("12"), "", waits(12.0)),
        (Target::TEAMS, 502, NONE, r#"{"error":{"code":"NoResponse","message":"x"}}"#, TRANSIENT),
        (Target::JSON, 200, NONE, "", ACCEPTED),
        (Target::JSON, 202, NONE, "<html>", ACCEPTED),
        (Target::JSON, 400, NONE, r#"{"error":"no"}"#, UNCLEAR),
        (Target::JSON, 404, NONE, "", ENDPOINT_GONE),
        (Target::JSON, 429, retry_after("2"), "", waits(2.0)),
        (Target::NTFY, 401, NONE, r#"{"code":40101,"http":401,"error":"unauthorized"}"#, ENDPOINT_GONE),
        (Target::NTFY, 400, NONE, r#"{"code":40014,"http":400,"error":"attachments not allowed"}"#, REJECTED),
        (Target::NTFY, 413, NONE, r#"{"code":41303,"http":413,"error":"JSON body too large"}"#, REJECTED),
        (Target::NTFY, 429, NONE, r#"{"code":42901,"http":429,"error":"limit reached"}"#, waits(5.0)),
        (Target::NTFY, 429, NONE, r#"{"code":42908,"http":429,"error":"limit reached"}"#, waits(3_600.0)),
        (Target::NTFY, 429, retry_after("7"), r#"{"code":42908,"http":429,"error":"limit reached"}"#, waits(7.0)),
        (Target::NTFY, 400, NONE, r#"{"code":40099,"http":400,"error":"new"}"#, UNCLEAR),
    ] {
        check(target, status, headers, body, &expected);
    }
}

#[test]
fn answer_that_is_not_what_the_configuration_says_is_no_success() {
    let url = "https://chat.example.org/hooks/s3cret-s3cret".parse().unwrap();
    let redaction = Redaction::new(Target::JSON, &url, None, None, None).and("hidden-value");
    let rule = SuccessRule::parse("/ok = true").unwrap();
    let context = AnswerContext { target: Target::JSON, success: Some(&rule), redaction: &redaction, now: NOW };
    let result = |status: u16, body: &str| classify(context, status, &|_| None, body);
    assert_eq!(result(200, r#"{"ok":true}"#), ACCEPTED);
    for body in [r#"{"ok":false,"error":"not hidden-value now"}"#, r#"{"ok":"true"}"#, "ok", ""] {
        let SendResult::Unclear { after: None, error } = result(200, body) else { panic!("{body}") };
        assert!(error.contains("success is another answer") && !error.contains("hidden"), "{error}");
    }
    assert!(matches!(result(500, r#"{"ok":true}"#), SendResult::Transient { .. }));
}

#[test]
fn error_of_a_forum_says_what_to_do() {
    for (code, words) in [(220_001, "add ?thread_id=ID"), (220_004, "without /slack, with ?thread_id=ID")] {
        let body = format!(r#"{{"message":"it is a forum","code":{code}}}"#);
        let SendResult::EndpointGone(error) = classified(Target::DISCORD, 400, NONE, &body) else { panic!("{code}") };
        assert!(error.starts_with("400 ") && error.contains(words), "{error}");
    }
}

#[test]
fn classify_used_up_budget_pauses() {
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
        check(
            Target::DISCORD,
            204,
            budget(remaining, reset_after),
            "",
            &SendResult::Accepted { pause, reference: None },
        );
    }
}

#[test]
fn answer_error_holds_no_secret_nor_a_part_of_one() {
    for before in ["", "no such thing: ", &"-".repeat(189)] {
        for status in [200, 400, 404, 429, 500] {
            let body = format!("{before}/hooks/s3cret-s3cret, /hooks/s3cret-s3cret");
            let answer = format!("{:?}", classified(Target::ZULIP, status, NONE, &body));
            assert!(!answer.contains("s3c"), "{answer}");
        }
    }
}
