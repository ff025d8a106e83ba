//! Between banhook's own types and those generated from `wit/`: an event going in, a decision coming out.

use super::bindings::banhook::plugin::{messages as wit, types};
use super::bindings::exports::banhook::plugin::formatter;
use super::imports::{milliseconds, timestamp};
use crate::event::{Action, Ban, BanDuration, Event, Family};
use crate::message::{
    Block, Button, ButtonStyle, Color, Decision, Field, Hold, Image, Link, Message, Section, Span, Text,
};

/// Matched log lines that a plugin is given at most, and bytes of each; as `wit/types.wit` promises.
const MATCHES: usize = 20;
const MATCH_BYTES: usize = 1_000;

pub(super) fn event(event: &Event) -> types::Event {
    let mut labels = event.labels.clone();
    if let Some(at) = event.ban().and_then(|ban| ban.ticket_at) {
        labels.insert("ticket-at".to_owned(), at.to_string());
    }
    types::Event {
        id: event.id.clone(),
        at: milliseconds(event.at),
        host: event.host.clone(),
        jail: event.jail.clone(),
        action: match &event.action {
            Action::Start => types::Action::Start,
            Action::Stop => types::Action::Stop,
            Action::Flush => types::Action::Flush,
            Action::Ban(details) => types::Action::Ban(ban(details)),
            Action::Unban(details) => types::Action::Unban(ban(details)),
        },
        labels: labels.into_iter().collect(),
    }
}

fn ban(ban: &Ban) -> types::Ban {
    types::Ban {
        subject: ban.subject.clone(),
        family: match ban.family() {
            Family::Ipv4 => types::Family::Ipv4,
            Family::Ipv6 => types::Family::Ipv6,
            Family::Ipv4Network => types::Family::Ipv4Network,
            Family::Ipv6Network => types::Family::Ipv6Network,
            Family::Name => types::Family::Name,
            Family::Other => types::Family::Other,
        },
        failures: ban.failures,
        count: ban.count,
        duration: ban.duration.map(|duration| match duration {
            BanDuration::Seconds(seconds) => types::Duration::Seconds(seconds),
            BanDuration::Permanent => types::Duration::Permanent,
        }),
        restored: ban.restored,
        matches: ban
            .matches
            .iter()
            .take(MATCHES)
            .map(|line| line.get(..line.floor_char_boundary(MATCH_BYTES)).unwrap_or_default().to_owned())
            .collect(),
    }
}

pub(super) fn decision(decision: formatter::Decision) -> Decision {
    match decision {
        formatter::Decision::Post(post) => Decision::Post(message(post)),
        formatter::Decision::Skip(reason) => Decision::Skip(reason),
        formatter::Decision::Digest(hold) => Decision::Digest(Hold { key: hold.key, until: hold.until.map(timestamp) }),
    }
}

fn message(message: wit::Message) -> Message {
    Message {
        text: text(message.text),
        blocks: message.blocks.unwrap_or_default().into_iter().map(block).collect(),
        color: message.color.map(|color| match color {
            wit::Color::Good => Color::Good,
            wit::Color::Warning => Color::Warning,
            wit::Color::Danger => Color::Danger,
        }),
        hints: message.hints.unwrap_or_default(),
    }
}

fn text(text: wit::Text) -> Text {
    match text {
        wit::Text::Plain(text) => Text::Plain(text),
        wit::Text::Mrkdwn(text) => Text::Mrkdwn(text),
        wit::Text::Rich(spans) => Text::Rich(spans.into_iter().map(span).collect()),
    }
}

fn span(span: wit::Span) -> Span {
    match span {
        wit::Span::Text(text) => Span::Text(text),
        wit::Span::Bold(text) => Span::Bold(text),
        wit::Span::Italic(text) => Span::Italic(text),
        wit::Span::Strike(text) => Span::Strike(text),
        wit::Span::Code(text) => Span::Code(text),
        wit::Span::Emoji(name) => Span::Emoji(name),
        wit::Span::Link(link) => Span::Link(Link { label: link.label, url: link.url }),
        wit::Span::Date(at) => Span::Date(timestamp(at)),
    }
}

fn block(block: wit::Block) -> Block {
    match block {
        wit::Block::Header(text) => Block::Header(text),
        wit::Block::Section(section) => Block::Section(Section {
            text: section.text.map(text),
            fields: section
                .fields
                .unwrap_or_default()
                .into_iter()
                .map(|field| Field { label: field.label, value: text(field.value) })
                .collect(),
        }),
        wit::Block::Context(texts) => Block::Context(texts.into_iter().map(text).collect()),
        wit::Block::Divider => Block::Divider,
        wit::Block::Image(image) => Block::Image(Image { url: image.url, alt: image.alt, title: image.title }),
        wit::Block::Buttons(buttons) => Block::Buttons(buttons.into_iter().map(button).collect()),
        wit::Block::Preformatted(text) => Block::Preformatted(text),
        wit::Block::Table(rows) => Block::Table(rows),
        wit::Block::Raw(json) => Block::Raw(json),
    }
}

fn button(button: wit::Button) -> Button {
    Button {
        label: button.label,
        url: button.url,
        style: button.style.map(|style| match style {
            wit::ButtonStyle::Primary => ButtonStyle::Primary,
            wit::ButtonStyle::Danger => ButtonStyle::Danger,
        }),
    }
}
