//! The example plugin in Rust: posts bans, skips events that are not news, and holds flushes for a digest.

#![allow(unsafe_code)] // For the export macro: the exports of a component are unsafe symbols by nature.

mod bindings;

use bindings::banhook::plugin::clock::{self, Weekday};
use bindings::banhook::plugin::log::{self, Level};
use bindings::banhook::plugin::messages::{
    Block, Color, ContextElement, Date, DateFormat, Field, Link, Mention, Message, Section, Span, Style, Styled, Text,
    Thumbnail,
};
use bindings::banhook::plugin::settings;
use bindings::banhook::plugin::types::{Action, Ban, Duration, Event};
use bindings::exports::banhook::plugin::formatter::{Decision, Guest, Hold};

struct Plugin;

impl Guest for Plugin {
    fn format(event: Event) -> Result<Decision, String> {
        log::write(Level::Info, &format!("{} on {}", event.jail, event.host));
        let set: Vec<_> = settings::all().into_iter().map(|(key, _)| key).collect();
        log::write(Level::Debug, &format!("settings: {}", set.join(", ")));

        if settings::get("retired").as_ref() == Some(&event.host) {
            return Err(format!("{} is retired and should not ban anybody", event.host));
        }
        match &event.action {
            Action::Start | Action::Stop | Action::Unban(_) | Action::Other(_) => {
                Ok(Decision::Skip("only bans are told".to_owned()))
            }
            Action::Flush => {
                let tags = Some(site(&event).map(ToOwned::to_owned).into_iter().collect());
                Ok(Decision::Hold(Hold { key: event.jail, until: until()?, tags, hints: None }))
            }
            Action::Ban(ban) if ban.restored => Ok(Decision::Skip("told before the restart".to_owned())),
            Action::Ban(ban) => Ok(Decision::Post(message(&event, ban))),
        }
    }
}

/// When the digest closes, from the setting `hold` (seconds). `None`: not set.
fn until() -> Result<Option<f64>, String> {
    let Some(hold) = settings::get("hold") else { return Ok(None) };
    let seconds: u32 = hold.parse().map_err(|_| format!("setting \"hold\" is no number of seconds: {hold}"))?;
    Ok(Some(clock::now() + f64::from(seconds) * 1000.0))
}

fn message(event: &Event, ban: &Ban) -> Message {
    let text = headline(event, ban);
    let accessory = settings::get("picture").map(|url| Thumbnail { url, alt: "a picture".to_owned() });
    let fields = Some(fields(event, ban));
    let mut blocks = vec![Block::Section(Section { text: Some(text.clone()), fields, accessory })];
    match ban.matches.as_slice() {
        [] => {}
        [line] => blocks.push(Block::Preformatted(line.clone())),
        lines => blocks.push(Block::Bullets(lines.iter().cloned().map(Text::Plain).collect())),
    }
    if let Some(url) = settings::get("runbook") {
        let link = Link { label: Some("What to do".to_owned()), url, style: None };
        blocks.push(Block::Context(vec![ContextElement::Text(Text::Rich(vec![Span::Link(link)]))]));
    }
    let is_permanent = matches!(ban.duration, Some(Duration::Permanent));
    let purple = Color::Rgb((0x80, 0x40, 0xc0));
    Message {
        text,
        blocks: Some(blocks),
        color: if is_permanent { Some(Color::Danger) } else { ban.by_hand.filter(|by_hand| *by_hand).map(|_| purple) },
        // A permanent ban does not vanish in a storm's digest; in that of a backlog it counts as permanent.
        hints: is_permanent.then(|| vec![("digest".to_owned(), "never".to_owned())]),
        tags: is_permanent.then(|| vec!["permanent".to_owned()]),
        // All bans in a jail are one conversation.
        thread: Some(event.jail.clone()),
        name: Some(event.id.clone()),
        replaces: None,
    }
}

/// The label `site` of the configuration.
fn site(event: &Event) -> Option<&str> {
    event.labels.iter().find(|(name, _)| name == "site").map(|(_, site)| site.as_str())
}

/// The host escapes spans of `rich` text, so text from outside needs no escaping here.
fn headline(event: &Event, ban: &Ban) -> Text {
    let subject = ban.subject.as_deref().unwrap_or("somebody");
    let site = site(event).map(|site| format!(" ({site})"));
    let mut spans = vec![
        Span::Emoji("no_entry".to_owned()),
        plain(" "),
        styled(subject, Some(Style::CODE)),
        plain(" banned in "),
        styled(&event.jail, Some(Style::BOLD)),
        plain(&format!(" on {}{}", event.host, site.unwrap_or_default())),
    ];
    if let Some(began) = ban.began {
        spans.extend([plain(", "), Span::Date(Date { at: began, format: Some(DateFormat::Relative) })]);
    }
    if let Some(user) = settings::get("call") {
        spans.extend([plain(" "), Span::Mention(Mention::User(user))]);
    }
    Text::Rich(spans)
}

fn plain(text: &str) -> Span {
    styled(text, None)
}

fn styled(text: &str, style: Option<Style>) -> Span {
    Span::Text(Styled { text: text.to_owned(), style })
}

fn fields(event: &Event, ban: &Ban) -> Vec<Field> {
    let duration = ban.duration.map(|duration| match duration {
        Duration::Seconds(seconds) => format!("{seconds} s"),
        Duration::Permanent => "permanent".to_owned(),
    });
    let fields = [
        ("Failures", ban.failures.map(|failures| failures.to_string())),
        ("By hand", ban.by_hand.filter(|by_hand| *by_hand).map(|_| "yes".to_owned())),
        ("Bans so far", ban.count.map(|count| count.to_string())),
        ("For", duration),
        ("Local time", Some(local_time(event.at))),
    ];
    let known = fields.into_iter().filter_map(|(label, value)| Some((label, value?)));
    known.map(|(label, value)| Field { label: label.to_owned(), value: Text::Plain(value) }).collect()
}

/// In the route's time zone, as in `Sunday 2026-11-22 11:56`.
fn local_time(at: f64) -> String {
    let at = clock::local(at);
    let weekday = match at.weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    };
    format!("{weekday} {}-{:02}-{:02} {:02}:{:02}", at.year, at.month, at.day, at.hour, at.minute)
}

// The exports exist only in WebAssembly.
#[cfg(target_family = "wasm")]
bindings::export!(Plugin with_types_in bindings);
