//! The same messages for every target: `testdata/targets/NAME.json` holds a message, `NAME.TARGET.json` what each
//! target gets for it. `UPDATE_GOLDEN=1` rewrites those.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::{GuardError, Message, Policy, Target, guard};
use crate::message::tests::ban;

/// A message as its file has it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Whether the route allows mentions.
    #[serde(default)]
    mentions: bool,
    /// Who was banned.
    subject: String,
    message: Message,
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/message/testdata/targets");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.file_name().unwrap().to_str().unwrap().matches('.').count() == 1);
    files.sort();
    files
}

#[test]
fn lower_golden_messages() {
    let cases = cases();
    assert!(cases.len() > 5, "{cases:?}");
    let mut wrong = Vec::new();
    for file in cases {
        let case: Case = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        for target in Target::ALL.iter().copied() {
            let policy = Policy { mentions: case.mentions, target };
            let found = match guard(&case.message, [&ban(&case.subject)], &policy) {
                Ok(body) => body.body().clone(),
                Err(error) => json!({ "refused": error.to_string() }),
            };
            let mut found = serde_json::to_string_pretty(&found).unwrap();
            // Seen in review.
            found = found.replace(super::BREAK, "\\u200b") + "\n";
            // An app's body is that of a webhook.
            let format = if target == Target::SLACK_APP { Target::SLACK } else { target };
            let golden = file.with_extension(format!("{}.json", format.as_str()));
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&golden, found).unwrap();
            } else if fs::read_to_string(&golden).unwrap_or_default() != found {
                wrong.push(format!("{} is not what was found:\n{found}", golden.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn lower_foreign_text_escapes_what_acts() {
    let shown = |target: Target, foreign: &str| {
        let message = serde_json::from_value(json!({ "text": { "plain": foreign } })).unwrap();
        let body = guard(&message, [], &Policy { mentions: false, target }).unwrap();
        body.body()["text"].as_str().unwrap().replace(super::BREAK, "¤")
    };
    for (foreign, mattermost, rocketchat, discord, zulip) in [
        ("203.0.113.7", "203.0.113.7", r"203\.0\.113\.7", "203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::1", "2001:db8::1", "2001&#58;db8&#58;&#58;1"),
        ("fe80:12::1", "fe80&#58;12::1", "fe80:12::1", "fe80:12::1", "fe80&#58;12&#58;&#58;1"),
        ("*b*", r"¤\*b\*", r"¤\*b\*", r"¤\*b\*", "&#42;b&#42;"),
        ("x @all", "x @¤all", "x @¤all", "x @¤all", "x &#64;all"),
        ("<@1>", "&#60;@¤1&gt;", "<¤@¤1>", r"\<¤@¤1\>", "&#60;&#64;1&#62;"),
        ("https://x.y", "https&#58;//x.y", r"https:¤//x\.y", r"https\://x.y", "https&#58;//x&#46;y"),
        ("&lt;", "&amp;lt;", "&lt;", "&¤lt;", "&#38;lt;"),
        ("http:a", "http&#58;a", "http:¤a", r"http\:a", "http&#58;a"),
        ("a.com/b", r"a\.com/b", r"a\.com/b", "a.com/b", "a&#46;com/b"),
        ("localhost:80", "localhost&#58;80", "l¤ocalhost:¤80", r"localhost\:80", "localhost&#58;80"),
        ("](x)", r"\](x)", "]¤(x¤)", r"\]¤(x)", "&#93;&#40;x&#41;"),
        (r"\(x\)", r"\\(x\\)", r"\¤(x\¤)", r"\\(x\\)", "&#92;&#40;x&#92;&#41;"),
        ("x :) 8)", "x &#58;) 8)", "x :¤) 8¤)", "x :) 8)", "x &#58;&#41; 8&#41;"),
        ("<3 x-d", r"&#60;3 x\-d", "<¤3 x-d", r"\<¤3 x-d", "&#60;3 x-d"),
        ("1. a", "¤1. a", r"¤1\. a", "¤1. a", "1&#46; a"),
        ("(unknown)", "(unknown)", "(unknown)", "(unknown)", "&#40;unknown&#41;"),
    ] {
        for (target, expected) in [
            (Target::MATTERMOST, mattermost),
            (Target::ROCKETCHAT, rocketchat),
            (Target::DISCORD, discord),
            (Target::ZULIP, zulip),
        ] {
            assert_eq!(shown(target, foreign), expected, "{target:?} {foreign}");
        }
    }
}

/// Each service gets as much as it takes, and never half of an escape.
#[test]
fn lower_long_message_is_cut_to_what_the_service_takes() {
    const TEXT_MAX: [(Target, usize, usize); 4] = [
        (Target::MATTERMOST, 16_000, 7_000),
        (Target::ROCKETCHAT, 5_000, 5_000),
        (Target::DISCORD, 2_000, 4_000),
        (Target::ZULIP, 9_500, 9_500),
    ];
    let section = json!({ "section": { "text": { "plain": "<&*@".repeat(700) } } });
    let table = json!({ "table": vec![vec![json!({ "plain": "`<".repeat(100) }); 5]; 100] });
    for (blocks, color) in [
        (vec![section.clone(); 10], Value::Null),
        (vec![section.clone(); 10], json!("good")),
        (vec![json!({ "preformatted": "a\n".repeat(1_400) }); 10], Value::Null),
        (vec![section, table], json!("good")),
    ] {
        let message: Message =
            serde_json::from_value(json!({ "text": { "plain": "x" }, "blocks": blocks, "color": color })).unwrap();
        for (target, alone_max, attached_max) in TEXT_MAX {
            let body = guard(&message, [&ban("x")], &Policy { mentions: false, target }).unwrap();
            let attachment = body.body().pointer("/attachments/0/text").and_then(Value::as_str);
            let alone = body.body()["text"].as_str();
            let (text, attached) = attachment.map_or_else(|| (alone.unwrap(), false), |text| (text, true));
            let length = text.chars().count();
            let limit = if attached { attached_max } else { alone_max };
            assert!((limit - 700..=limit).contains(&length), "{target:?} {attached} {length}");
            assert!(text.ends_with('…') || text.ends_with("…\n```"), "{target:?} …{}", &text[text.len() - 20..]);
        }
    }
}

#[test]
fn lower_blank_message_is_refused() {
    let message: Message = serde_json::from_value(json!({ "text": { "plain": " " } })).unwrap();
    let error = guard(&message, [&ban("x")], &Policy { mentions: false, target: Target::ZULIP }).unwrap_err();
    assert!(matches!(error, GuardError::Empty("Zulip")));
    assert_eq!(error.to_string(), "the message shows nothing on Zulip");
}
