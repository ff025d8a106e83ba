//! Whatever an attacker writes, only text of theirs goes out.

use proptest::prelude::*;
use serde_json::Value;

use super::escape::is_hidden;
use super::token::{Token, tokens};
use super::{
    Block, Button, Field, Guarded, Image, Link, Message, Policy, Section, Span, Text, fallback, guard, render,
};
use crate::event::{Action, Ban, Event, Timestamp};

/// A real filter captured this one: it ends a log message, begins another, and tries shell, quotes and mentions.
const HOSTILE_ID: &str = "abc 1.2.3.4] Ban 9.9.9.9 $(id) `x` \"q\" 'é' <!channel> *b*";

/// A ban of this subject, which is also the last of its matches.
pub fn ban(subject: &str) -> Event {
    let ban = Ban {
        subject: subject.to_owned(),
        failures: Some(5),
        matches: vec!["a line".to_owned(), subject.to_owned()],
        ..Ban::default()
    };
    Event {
        id: "1".to_owned(),
        at: Timestamp(1_763_809_015_601),
        host: "web-1".to_owned(),
        jail: "sshd".to_owned(),
        action: Action::Ban(ban),
        labels: [("site".to_owned(), "fra1".to_owned())].into(),
    }
}

/// An event in which the attacker wrote everything.
fn hostile_event(text: &str) -> Event {
    let mut event = ban(text);
    event.host = text.to_owned();
    event.jail = text.to_owned();
    event.labels.insert("whois".to_owned(), text.to_owned());
    event
}

/// Calls `visit` with every object in a body.
fn visit_objects(value: &Value, visit: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            visit(fields);
            fields.values().for_each(|value| visit_objects(value, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| visit_objects(item, visit)),
        _ => {}
    }
}

/// Every text in a body that Slack reads as markup.
fn markup(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    visit_objects(body, &mut |fields| {
        let kind = fields.get("type").and_then(Value::as_str);
        if !matches!(kind, None | Some("mrkdwn" | "markdown")) {
            return;
        }
        for key in ["text", "fallback"] {
            found.extend(fields.get(key).and_then(Value::as_str).map(str::to_owned));
        }
    });
    found
}

/// Whether nothing in a body acts but the plugin's `own`, and nothing in it is hidden.
fn assert_harmless(guarded: &Guarded, own: &[&str]) -> Result<(), TestCaseError> {
    let body = guarded.body();
    for text in markup(body) {
        for (token, written) in tokens(&text) {
            let active = matches!(token, Token::Angle(_) | Token::Char('<')) && !own.contains(&written);
            prop_assert!(!active, "{written} in {text}");
        }
    }
    let mut problems = Vec::new();
    visit_objects(body, &mut |fields| {
        let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
        let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
        let acts = match kind {
            "user" | "usergroup" | "broadcast" => true,
            "mrkdwn" => fields.get("verbatim") != Some(&Value::Bool(true)),
            "markdown" => text.contains("](") || text.contains("://"),
            _ => false,
        };
        // Decoded, so that JSON's own escapes hide nothing.
        let hides = fields.iter().any(|(key, value)| {
            key.contains(is_hidden) || value.as_str().is_some_and(|value| value.contains(is_hidden))
        });
        if acts || hides {
            problems.push(Value::Object(fields.clone()));
        }
    });
    prop_assert!(problems.is_empty(), "{problems:?}");
    let shown = render::to_terminal(body, false);
    prop_assert!(!shown.contains(is_hidden), "{shown:?}");
    Ok(())
}

/// A message with the text everywhere that the host escapes it.
fn safe_texts(text: &str) -> Message {
    let spans = || {
        let text = || text.to_owned();
        let link = |label: String, url: &str| Span::Link(Link { label, url: url.to_owned() });
        Text::Rich(vec![
            Span::Text(text()),
            Span::Bold(text()),
            Span::Code(text()),
            Span::Emoji(text()),
            link(text(), "javascript:x"),
        ])
    };
    let plain = || Text::Plain(text.to_owned());
    Message {
        text: spans(),
        blocks: vec![
            Block::Header(text.to_owned()),
            Block::Section(Section {
                text: Some(plain()),
                fields: vec![Field { label: text.to_owned(), value: plain() }],
            }),
            Block::Section(Section { text: Some(spans()), fields: vec![] }),
            Block::Section(Section { text: None, fields: vec![Field { label: "x".to_owned(), value: spans() }] }),
            Block::Context(vec![spans()]),
            Block::Preformatted(text.to_owned()),
            Block::Table(vec![vec![text.to_owned()]]),
            Block::Image(Image {
                url: format!("https://example.org/{text}"),
                alt: text.to_owned(),
                title: Some(text.to_owned()),
            }),
            Block::Buttons(vec![Button {
                label: text.to_owned(),
                url: format!("https://example.org/{text}"),
                style: None,
            }]),
        ],
        color: None,
        hints: vec![],
    }
}

const OWN: [&str; 2] = ["<https://example.org/|own>", "<!date^1763809015^{date}|then>"];

/// A message whose plugin puts the text into its own markup as it is.
fn careless(text: &str) -> Message {
    let markup = format!("*{text}* {} {} {text}", OWN[0], OWN[1]);
    // Plugins cut.
    let part: String = text.chars().skip(2).take(40).collect();
    let raw = serde_json::json!([
        { "type": "section", "text": { "type": "mrkdwn", "text": markup } },
        { "type": "section", "text": { "type": "plain_text", "text": text.to_owned() } },
        { "type": "markdown", "text": format!("x {text}") },
        { "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
            { "type": "text", "text": text.to_owned() }, { "type": "broadcast", "range": "channel" } ] }] },
    ]);
    Message {
        text: Text::Mrkdwn(markup.clone()),
        blocks: vec![
            Block::Section(Section {
                text: Some(Text::Mrkdwn(markup)),
                fields: vec![Field { label: "x".to_owned(), value: Text::Mrkdwn(format!("x {part}")) }],
            }),
            Block::Raw(raw.to_string()),
        ],
        color: Some(super::Color::Danger),
        hints: vec![],
    }
}

/// Anything, with a bent for what is special to Slack and to terminals.
fn foreign() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "<",
        ">",
        "&",
        "|",
        "!",
        "@",
        "#",
        "^",
        "`",
        "*",
        "_",
        "~",
        ":",
        "\n",
        "\r",
        "\t",
        "\u{1b}[31m",
        "\u{9b}",
        "\u{202e}",
        "\u{200b}",
        "\u{feff}",
        "\0",
        "&lt;",
        "&amp;",
        "<!channel>",
        "<@U024BE7LH>",
        "<!subteam^S1|x>",
        "<https://evil.example|x>",
        "https://evil.example",
        "<#C1|x>",
        "<!date^1^{date}^https://evil.example|x>",
        "<mailto:x@evil.example>",
        "<https://evil.example|",
        "](https://evil.example)",
        "x",
        "é",
        "203.0.113.7",
    ]);
    let pieces = prop::collection::vec(prop_oneof![4 => special.prop_map(str::to_owned), 1 => any::<String>()], 1..12);
    prop_oneof![pieces.prop_map(|pieces| pieces.concat()), Just(HOSTILE_ID.to_owned())]
        // Slack refuses text that shows nothing.
        .prop_filter("blank", |text| !text.trim().is_empty())
}

proptest! {
    #[test]
    fn fallback_is_harmless(text in foreign()) {
        assert_harmless(&fallback(&hostile_event(&text), &text), &[])?;
    }

    #[test]
    fn plain_and_rich_are_harmless(text in foreign()) {
        let mut message = safe_texts(&text);
        for alone in [false, true] {
            if alone {
                message.blocks.clear();
                message.text = Text::Plain(text.clone());
            }
            let guarded = guard(&message, &hostile_event(&text), &Policy::default());
            assert_harmless(&guarded.map_err(|error| TestCaseError::fail(error.to_string()))?, &[])?;
        }
    }

    #[test]
    fn careless_markup_is_harmless(text in foreign(), mentions: bool) {
        let mut message = careless(&text);
        if mentions {
            // The element is the plugin's own, and then allowed.
            message.blocks.pop();
        }
        let guarded = guard(&message, &hostile_event(&text), &Policy { mentions });
        assert_harmless(&guarded.map_err(|error| TestCaseError::fail(error.to_string()))?, &OWN)?;
    }
}

#[test]
fn the_hostile_id() {
    let event = hostile_event(HOSTILE_ID);
    for message in [safe_texts(HOSTILE_ID), careless(HOSTILE_ID)] {
        let guarded = guard(&message, &event, &Policy::default()).unwrap();
        assert_harmless(&guarded, &OWN).unwrap();
    }
    let body = fallback(&event, "").to_json_string();
    assert!(body.contains("&lt;!channel&gt; *b* banned in"), "{body}");
}
