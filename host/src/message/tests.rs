//! Whatever an attacker writes, it goes out as text only.

use blockkit::Page;
use blockkit::text::is_hidden;
use proptest::prelude::*;

use super::active::{gained, is_strong};
use super::{
    Block, Button, Color, ContextElement, Field, Guarded, Image, Link, Mention, Message, Policy, Section, Span, Style,
    Target, Text, Thumbnail, digest, fallback, guard, guard_digest,
};
use crate::event::{Ban, Batch, DigestCause, Event, EventDetails, Timestamp};

/// A real filter captured this one: it ends a log message, begins another, and tries a shell, quotes and mentions.
const HOSTILE_ID: &str = "abc 1.2.3.4] Ban 9.9.9.9 $(id) `x` \"q\" 'é' <!channel> *b*";

/// A ban of this subject, which is also the last of its matches.
pub(super) fn ban(subject: &str) -> Event {
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
        details: EventDetails::Ban(ban),
        labels: [("site".to_owned(), "fra1".to_owned())].into(),
    }
}

/// An event in which the attacker wrote everything.
pub(super) fn hostile_event(text: &str) -> Event {
    let mut event = ban(text);
    event.host = text.to_owned();
    event.jail = text.to_owned();
    event.labels.insert("whois".to_owned(), text.to_owned());
    event
}

/// Harmless text of as many lines, to see what a message itself makes active.
pub(super) fn harmless(text: &str) -> String {
    let line = |line: &str| if line.trim().is_empty() { line.to_owned() } else { "harmless".to_owned() };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Returns what is sent: the message, or the fallback if the message is rejected.
pub(super) fn sent(message: &Message, event: &Event, policy: &Policy) -> Guarded {
    guard(message, [event], policy).unwrap_or_else(|error| fallback(event, &error.to_string(), policy.target))
}

/// Whether foreign text makes nothing active, however a message is made of it.
fn on_each_target(
    text: &str,
    mentions: bool,
    counts: fn(&str) -> bool,
    message: fn(&str) -> Message,
) -> Result<(), TestCaseError> {
    for target in Target::ALL.iter().copied() {
        let body = |text: &str| sent(&message(text), &hostile_event(text), &Policy { mentions, target });
        assert_same(&body(text), &body(&harmless(text)), target, counts)?;
    }
    Ok(())
}

fn assert_same(
    body: &Guarded,
    harmless: &Guarded,
    target: Target,
    counts: fn(&str) -> bool,
) -> Result<(), TestCaseError> {
    let mut gained = gained(target, body.body(), harmless.body());
    gained.retain(|kind| counts(kind));
    prop_assert!(gained.is_empty(), "{target:?} gained {gained:?}: {}", body.to_json_string());
    let shown = blockkit::to_terminal(body.body(), false);
    // `BREAK` is shown as what it is.
    prop_assert!(!shown.contains(is_hidden), "{shown:?}");
    Ok(())
}

fn all(_: &str) -> bool {
    true
}

/// A message with the text everywhere that the host escapes it.
pub(super) fn safe_texts(text: &str) -> Message {
    let spans = || {
        let text = || text.to_owned();
        let plain = Style::default();
        let (bold, italic, code) =
            (Style { bold: true, ..plain }, Style { italic: true, ..plain }, Style { code: true, ..plain });
        let link =
            |label: String, url: &str, style| Span::Link(Link { label: Some(label), url: url.to_owned(), style });
        let spans = [
            Span::text(text()),
            Span::styled(text(), bold),
            Span::styled(text(), italic),
            Span::styled(text(), code),
            Span::styled(text(), Style { bold: true, italic: true, strike: true, code: false }),
            Span::styled(text(), Style { bold: true, italic: true, strike: true, code: true }),
            // Otherwise `:skull:` is one.
            Span::Emoji(format!("{} is no name", text())),
            link(text(), "javascript:x", bold),
            link(text(), "https://example.org", plain),
            link(text(), "https://example.org", Style { bold: true, strike: true, ..plain }),
        ];
        // Apart, or whether a marker stands at the edge of a word would depend on the text.
        Text::Rich(spans.into_iter().flat_map(|span| [span, Span::text(" . ")]).collect())
    };
    let plain = || Text::Plain(text.to_owned());
    let thumbnail = || Thumbnail { url: format!("https://example.org/{text}"), alt: text.to_owned() };
    Message {
        text: spans(),
        blocks: vec![
            Block::Header(text.to_owned()),
            Block::Section(Section {
                text: Some(plain()),
                fields: vec![Field { label: text.to_owned(), value: plain() }],
                accessory: Some(thumbnail()),
            }),
            Block::Section(Section { text: Some(spans()), ..Section::default() }),
            Block::Section(Section {
                fields: vec![Field { label: "x".to_owned(), value: spans() }],
                ..Section::default()
            }),
            Block::Context(vec![ContextElement::Text(spans()), ContextElement::Image { image: thumbnail() }]),
            Block::Preformatted(text.to_owned()),
            Block::Table(vec![vec![plain()]]),
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
        color: Some(Color::Good),
        ..Message::default()
    }
}

/// The same with lists, quotations and cells, which would make one message too long.
pub(super) fn safe_lists(text: &str) -> Message {
    let plain = || Text::Plain(text.to_owned());
    let bold = Style { bold: true, ..Style::default() };
    let link = Link { label: Some(text.to_owned()), url: "https://example.org".to_owned(), style: bold };
    let spans = [Span::styled(text, bold), Span::text(" . "), Span::code(text), Span::text(" . "), Span::Link(link)];
    let rich = || Text::Rich(spans.to_vec());
    Message {
        text: rich(),
        blocks: vec![
            Block::Bullets(vec![plain(), rich()]),
            Block::Numbers(vec![rich(), plain()]),
            Block::Quote(rich()),
            Block::Quote(plain()),
            Block::Table(vec![vec![plain(), rich()]]),
        ],
        ..Message::default()
    }
}

/// A message whose plugin puts the text into its own markup as it is.
pub(super) fn careless(text: &str) -> Message {
    let markup =
        format!("*{text}* <https://example.org/|own> <!date^1763809015^{{date}}|then> {text} _{text}_ `{text}`");
    let mut message = plain(text);
    message.text = Text::Mrkdwn(markup.clone());
    message.color = Some(Color::Danger);
    message.blocks = vec![
        Block::Section(Section {
            text: Some(Text::Mrkdwn(markup.clone())),
            fields: vec![Field { label: text.to_owned(), value: Text::Mrkdwn(text.to_owned()) }],
            ..Section::default()
        }),
        Block::Context(vec![
            ContextElement::Text(Text::Mrkdwn(format!("x {text}"))),
            ContextElement::Text(Text::Plain(text.to_owned())),
        ]),
        Block::Bullets(vec![Text::Mrkdwn(markup.clone()), Text::Mrkdwn(text.to_owned())]),
        Block::Quote(Text::Mrkdwn(markup.clone())),
        Block::Table(vec![vec![Text::Mrkdwn(markup)]]),
    ];
    message
}

/// A message whose plugin puts the text into Block Kit JSON as it is.
pub(super) fn raw(text: &str) -> Message {
    let mut message = plain(text);
    let raw = serde_json::json!([
        { "type": "section", "text": { "type": "mrkdwn", "text": format!("*{text}* <https://example.org/|own> {text}") } },
        { "type": "section", "text": { "type": "plain_text", "text": text } },
        { "type": "context", "elements": [{ "type": "mrkdwn", "text": text, "verbatim": false }] },
        { "type": "markdown", "text": format!("x {text}") },
        { "type": "alert", "text": { "type": "mrkdwn", "text": text } },
        { "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
            { "type": "text", "text": text }, { "type": "broadcast", "range": "channel" } ] }] },
    ]);
    message.blocks = vec![Block::Raw(raw.to_string())];
    message
}

/// A message whose plugin puts a part of the text into its own markup.
fn cutting(text: &str) -> Message {
    let part: String = text.chars().skip(2).take(40).collect();
    let mut message = plain(text);
    message.text = Text::Mrkdwn(format!("x {part}"));
    message.blocks =
        vec![Block::Section(Section { text: Some(Text::Mrkdwn(format!("*x* {part} x"))), ..Section::default() })];
    message
}

/// The text and nothing else.
pub(super) fn plain(text: &str) -> Message {
    Message {
        text: Text::Plain(text.to_owned()),
        hints: vec![("topic".to_owned(), text.to_owned())],
        ..Message::default()
    }
}

/// Any text, mostly of characters that are special to Slack and to terminals.
pub(super) fn foreign() -> impl Strategy<Value = String> {
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
        "@everyone",
        "@channel ",
        "@**all**",
        "#general",
        "~town-square",
        "www.evil.example",
        "evil.example",
        "root@evil.example",
        "*b*",
        "_i_",
        "~s~",
        "**",
        "```",
        "||",
        "$$x$$",
        ":skull:",
        "\n# ",
        "\n- ",
        "\n1. ",
        "\n> ",
        "\n---\n",
        "\n    ",
        "\\",
        "(",
        "[",
        "+491",
        "/me ",
        "&#42;",
        "](",
        "](https://evil.example/login)",
        "localhost:8080",
        "http:evil.example/login",
        "tel:110",
        "mailto:x",
        "evil.com/login",
        "bitcoin:1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
        "fe80:12::1",
        "\\(x^2\\)",
        ":)",
        "8)",
        "(y)",
        ";-)",
        "<3",
        "x-d",
        "'",
        ".",
        "/",
        "-",
        "$",
        "x",
        " ",
        "é",
        "203.0.113.7",
    ]);
    let pieces = prop::collection::vec(prop_oneof![4 => special.prop_map(str::to_owned), 1 => any::<String>()], 1..12);
    prop_oneof![pieces.prop_map(|pieces| pieces.concat()), Just(HOSTILE_ID.to_owned())]
        // Slack refuses text that shows nothing.
        .prop_filter("blank", |text| !text.trim().is_empty())
}

// More cases: `PROPTEST_CASES=20000 cargo test -p banhook message::hostile`.
proptest! {
    #[test]
    fn fallback_of_foreign_text_is_harmless(text in foreign()) {
        for target in Target::ALL.iter().copied() {
            let body = |text: &str| fallback(&hostile_event(text), text, target);
            assert_same(&body(&text), &body(&harmless(&text)), target, all)?;
        }
    }

    #[test]
    fn digest_of_foreign_text_is_harmless(text in foreign(), cause in 0..6_usize) {
        const CAUSES: [DigestCause; 6] = [DigestCause::Held, DigestCause::Storm, DigestCause::Backlog, DigestCause::Restart, DigestCause::Stop, DigestCause::Other];
        let of = |text: &str| [hostile_event(text), ban(text), hostile_event(text), ban("203.0.113.9")];
        for target in Target::ALL.iter().copied() {
            // One event stands for one host and jail, which are named elsewhere than several.
            for count in [1, 4] {
                let body = |text: &str| {
                    digest(&Batch::of(&of(text)[..count], CAUSES[cause], Some(text.to_owned())), None, Some(text), target)
                };
                assert_same(&body(&text), &body(&harmless(&text)), target, all)?;
            }
        }
    }

    #[test]
    fn guard_plain_text_is_harmless(text in foreign()) {
        on_each_target(&text, false, all, plain)?;
    }

    #[test]
    fn guard_escaped_places_are_harmless(text in foreign(), mentions: bool) {
        on_each_target(&text, mentions, all, safe_texts)?;
    }

    #[test]
    fn guard_lists_are_harmless(text in foreign(), mentions: bool) {
        on_each_target(&text, mentions, all, safe_lists)?;
    }

    #[test]
    fn guard_mentions_of_foreign_text_are_text(text in foreign()) {
        on_each_target(&text, false, all, |text| {
            let mentions = [Mention::User(text.to_owned()), Mention::Group(text.to_owned()), Mention::Channel, Mention::Here];
            let apart = |mention| [Span::Mention(mention), Span::text(" . ")];
            let spans = Text::Rich(mentions.into_iter().flat_map(apart).collect());
            Message { text: spans.clone(), blocks: vec![Block::Bullets(vec![spans])], ..Message::default() }
        })?;
    }

    #[test]
    fn guard_unescaped_markup_is_harmless(text in foreign(), mentions: bool) {
        on_each_target(&text, mentions, all, careless)?;
    }

    #[test]
    fn guard_raw_blocks_are_harmless(text in foreign(), mentions: bool) {
        on_each_target(&text, mentions, all, raw)?;
    }

    #[test]
    fn guard_cut_values_mention_nobody(text in foreign(), mentions: bool) {
        on_each_target(&text, mentions, is_strong, cutting)?;
    }
}

proptest! {
    /// Foreign text adds no tag and no attribute to a page, whatever shows it.
    #[test]
    fn to_html_foreign_text_adds_no_markup(text in foreign()) {
        let page = |text: &str| {
            let body = sent(&safe_texts(text), &hostile_event(text), &Policy::default());
            blockkit::to_html(&Page { title: text, sender: text }, [(text, body.body())])
        };
        let count = |page: &str, sign: char| page.chars().filter(|c| *c == sign).count();
        let (page, harmless) = (page(&format!("{text}<")), page(&format!("{}<", harmless(&text))));
        for sign in ['<', '>', '"'] {
            // Fewer, where a line feed in the text keeps something from being bold.
            prop_assert!(count(&page, sign) <= count(&harmless, sign), "{} {}", page.split("<main>").last().unwrap(), harmless.split("<main>").last().unwrap());
        }
        prop_assert!(!page.contains(is_hidden));
    }
}

#[test]
fn guard_hostile_id_is_harmless() {
    let event = hostile_event(HOSTILE_ID);
    for message in [plain, safe_texts, safe_lists, careless, raw] {
        on_each_target(HOSTILE_ID, true, all, message).unwrap();
    }
    on_each_target(HOSTILE_ID, true, is_strong, cutting).unwrap();
    let body = fallback(&event, "", Target::SLACK).to_json_string();
    assert!(body.contains("&lt;!channel&gt; ∗b∗ banned in"), "{body}");
}

/// A digest has many events: the values of each are searched for.
#[test]
fn guard_values_of_many_events_are_escaped() {
    let events: Vec<Event> = (0..200).map(|n| ban(&format!("<https://evil.example/{n}|x> *{n}*"))).collect();
    let markup: String = (0..50).map(|n| format!("<https://evil.example/{n}|x> *{n}* ")).collect();
    let mut message = plain("x");
    message.text = Text::Mrkdwn(markup);
    let body = guard(&message, &events, &Policy::default()).unwrap().to_json_string();
    assert!(body.contains("&lt;https://evil.example/49|x&gt; ∗49∗"), "{body}");
    assert!(!body.contains('<') && !body.contains("*4"), "{body}");
}

/// Names of events that a batch only counts are foreign, too.
#[test]
fn guard_digest_values_of_unlisted_events_are_escaped() {
    const LINK: &str = "<https://evil.example|x>";
    let mut events: Vec<Event> = (0..300).map(|n| ban(&n.to_string())).collect();
    for event in events.iter_mut().skip(100).take(100) {
        *event = hostile_event(LINK);
    }
    let mut batch = Batch::of(&events, DigestCause::Held, Some("<https://evil.example|key>".to_owned()));
    assert!(!batch.events.iter().any(|event| event.jail == LINK));
    batch.labels.insert("by".to_owned(), "<https://evil.example|label>".to_owned());
    for (markup, safe) in [
        (LINK, "&lt;https://evil.example|x&gt;"),
        ("<https://evil.example|key>", "&lt;https://evil.example|key&gt;"),
        ("<https://evil.example|label>", "&lt;https://evil.example|label&gt;"),
    ] {
        let mut message = plain("x");
        message.text = Text::Mrkdwn(format!("*{markup}*"));
        let guarded = guard_digest(&message, &batch, None, &Policy::default()).unwrap();
        assert_eq!(guarded.body()["text"], format!("*{safe}*"));
    }
}
