//! What is left of answers: what a service is known to say, plain words, and never anything of a secret.

use proptest::prelude::*;

use super::*;

fn redaction(target: Target, url: &str) -> Redaction {
    Redaction::new(target, &url.parse().unwrap(), None, None, None)
}

fn answer(redaction: &Redaction, body: &str) -> String {
    redaction.answer(body, &serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn answer_known_error_is_kept_whole_and_alone() {
    for (target, body, kept) in [
        (Target::SLACK, "invalid_blocks", "invalid_blocks"),
        (Target::SLACK, "invalid_blocks_format", "invalid_blocks_format"),
        (Target::SLACK, "no_service_id", "no_service_id"),
        (
            Target::MATTERMOST,
            r#"{"id":"web.incoming_webhook.permissions.app_error","message":"Inappropriate channel permissions."}"#,
            "web.incoming_webhook.permissions.app_error",
        ),
        (
            Target::ROCKETCHAT,
            r#"{"success":false,"error":"Invalid integration id or token provided."}"#,
            "Invalid integration id or token provided",
        ),
        (Target::ROCKETCHAT, r#"{"success":false,"error":"error-invalid-channel"}"#, "error-invalid-channel"),
        (Target::DISCORD, r#"{"message":"Unknown Webhook","code":10015}"#, "Unknown Webhook"),
        (
            Target::ZULIP,
            r#"{"result":"error","msg":"Stream 'bans' does not exist","code":"STREAM_DOES_NOT_EXIST"}"#,
            "STREAM_DOES_NOT_EXIST",
        ),
        (
            Target::NTFY,
            r#"{"code":40010,"http":400,"error":"invalid request: topic name is disallowed"}"#,
            "topic name is disallowed",
        ),
    ] {
        assert_eq!(answer(&redaction(target, "https://chat.example.org/hooks/s3cret-s3cret"), body), kept, "{body}");
    }
}

#[test]
fn answer_other_text_is_kept_as_plain_words() {
    let redaction = redaction(Target::MATTERMOST, "https://chat.example.org/hooks/s3cret-s3cret");
    for (body, kept) in [
        ("something_new", "something_new"),
        ("Blocked by policy: ask your administrator.", "Blocked by policy ask your administrator"),
        (r#"{"id":"api.context.new.app_error","message":"Not today, can't."}"#, "… Not today can't"),
        (r#"{"status_code":400,"details":{"message":"nested"}}"#, ""),
        (r#"["one", "two"]"#, "one two"),
        ("<html><h1>502 Bad Gateway</h1></html>", "… Bad …"),
        ("\u{1b}[31m \u{202e}x ok\nok", "… ok ok"),
        ("limit exceeded 12 times", "limit exceeded … times"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaa", ""),
        ("", ""),
    ] {
        assert_eq!(answer(&redaction, body), kept, "{body}");
    }
    let long = answer(&redaction, &"words ".repeat(100));
    assert_eq!(long.chars().count(), WORDS_MAX + 1);
    assert!(long.ends_with('…'), "{long}");
}

#[test]
fn answer_secret_that_is_repeated_is_left_out_in_every_form() {
    let url = "https://chat.example.org/hooks/s3/s3cr%2Fet%C3%A9?api_key=k%26y/+w'ord&stream=bans-zone&topsecret";
    let redaction = redaction(Target::ZULIP, url);
    for (text, shown) in [
        ("<pre>Cannot POST /hooks/s3/s3cr%2Fet%C3%A9</pre>", "… POST …"),
        ("The requested URL /hooks/s3/s3cr/et\u{e9} was not found", "The requested URL … was not found"),
        ("no /s3/s3cr%2fet%c3%a9 here", "no … here"),
        ("no S3CR&#x2F;ET\u{e9} there", "no … there"),
        ("no s3cr&#47;et&#233; there", "no … there"),
        (r#"{"path":"\/hooks\/s3\/s3cr\/et\u00e9","n":1}"#, ""),
        ("twice: s3cr%252Fet%25C3%25A9.", "twice …"),
        ("k%26y/+w'ord", ""),
        ("key k&amp;y/ w&#39;ord is wrong", "key … is wrong"),
        ("{\"msg\":\"k&y/ w'ord\"}", ""),
        ("topsecret?", ""),
        ("TopSecret top_secret top-sec t.o.p.s.e.c", ""),
        ("a t&#111;psecret, a top%73ecret, a top\\u0073ecret", "a … a … a …"),
        ("dG9wc2VjcmV0", ""),
    ] {
        assert_eq!(answer(&redaction, text), shown, "{text}");
    }
}

#[test]
fn answer_public_words_of_the_url_are_kept() {
    let slack = redaction(Target::SLACK, "https://hooks.slack.com/services/T0123456/B0123456/s3cretX");
    assert_eq!(answer(&slack, "our services and hooks, B0123456"), "our services and hooks …");
    let mattermost = redaction(Target::MATTERMOST, "https://chat.example.org/hooks/s3cretX");
    assert_eq!(answer(&mattermost, "these hooks are closed"), "these hooks are closed");
}

#[test]
fn answer_proxy_credentials_are_left_out() {
    let url = "https://hooks.slack.com/services/T/B/s3cretX".parse().unwrap();
    let proxy = "http://Walter:sword%66ish@proxy.example:3128".parse().unwrap();
    let redaction = Redaction::new(Target::SLACK, &url, Some(&proxy), None, None);
    assert_eq!(answer(&redaction, "not you, walter, with swordfish"), "not you … with …");
    assert_eq!(
        redaction.error("no connection: proxy says swordfish (os error 111)"),
        "no connection: proxy says … (os error 111)"
    );
    let spaced = "http://a:my%20cat%20is%20fat@proxy.example:3128".parse().unwrap();
    let redaction = Redaction::new(Target::SLACK, &url, Some(&spaced), None, None);
    assert_eq!(answer(&redaction, "the password my cat is fat was wrong"), "the password … was wrong");
}

#[test]
fn answer_secret_that_is_cut_off_is_left_out() {
    let redaction = redaction(Target::MATTERMOST, "http://localhost/hooks/Secr%2Fet-and-more");
    let whole = "Cannot POST /hooks/Secr%2Fet-and-more";
    for cut in 13..=whole.len() {
        assert_eq!(answer(&redaction, &whole[..cut]), "Cannot POST …", "{}", &whole[..cut]);
    }
    assert_eq!(answer(&redaction, "POST hooks Secr\u{fffd}"), "POST hooks …");
}

/// Ways in which servers write a text, once or twice over.
fn escaped(text: &str, way: usize) -> String {
    let each = |escape: &dyn Fn(char) -> String| text.chars().map(escape).collect::<String>();
    match way % 6 {
        0 => text.to_owned(),
        1 => text.to_uppercase(),
        2 => each(&|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("&#{};", u32::from(c)) }),
        3 => each(&|c| format!("&#x{:x};", u32::from(c))),
        4 => each(&|c| if c == 'e' { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }),
        _ => each(&|c| if c == 'e' { format!("%{:02X}", u32::from(c)) } else { c.to_string() }),
    }
}

proptest! {
    #[test]
    fn answer_shares_no_run_with_a_secret(
        text in ".{0,40}", path in "[a-z%&;#/+\\\\0-9é]{0,20}", user in "[a-zé ]{0,12}", ways in prop::array::uniform2(0..6_usize)
    ) {
        let url: Url = format!("http://localhost/{path}").parse().unwrap();
        let mut proxy: Url = "http://localhost/".parse().unwrap();
        proxy.set_username(&user).unwrap();
        let redaction = Redaction::new(Target::MATTERMOST, &url, Some(&proxy), None, None);
        for secret in [url.path(), &decoded(url.path()), &user] {
            let body = format!("{text} {} {text}", ways.iter().fold(secret.to_owned(), |text, way| escaped(&text, *way)));
            let kept = redaction.answer(&body, &Value::Null);
            let kept: Vec<u8> = kept.split(LEFT_OUT).flat_map(|part| normalized(part).chain([b' '])).collect();
            for run in kept.array_windows::<RUN>() {
                prop_assert!(!redaction.runs.contains(run), "{kept:?}");
            }
        }
    }
}
