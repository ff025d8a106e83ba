//! {{name}}: what becomes of an event.

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "mine" });
}

// @if geo
use bindings::banhook::plugin::geo;
// @end
// @if history
use bindings::banhook::plugin::history::{self, Query, SubjectQuery};
// @end
use bindings::banhook::plugin::log::{self, Level};
use bindings::banhook::plugin::messages::{Message, Span, Style, Styled, Text};
use bindings::banhook::plugin::settings;
use bindings::banhook::plugin::types::{Action, Ban, Event};
// @if check
use bindings::exports::banhook::plugin::checker::{self, Problem};
use bindings::exports::banhook::plugin::descriptor::{self, Description, Setting, SettingKind};
// @end
// @if digest
use bindings::exports::banhook::plugin::digester::{self, Batch};
// @end
use bindings::exports::banhook::plugin::formatter::{Decision, Guest};

// @if history
const WEEK: u32 = 7 * 86_400;

// @end
struct Plugin;

impl Guest for Plugin {
    /// Posts a message, skips the event for a reason, or holds it for a digest.
    fn format(event: Event) -> Result<Decision, String> {
        log_panics();
        let ban = match &event.action {
            Action::Ban(ban) | Action::Unban(ban) => ban,
            _ => return Ok(Decision::Skip("only bans and unbans".to_owned())),
        };
        if ban.restored {
            return Ok(Decision::Skip("restored after a restart".to_owned()));
        }
        if let (Some(office), Some(subject)) = (settings::get("office"), &ban.subject)
            && subject.starts_with(&office)
        {
            return Ok(Decision::Skip("our own office".to_owned()));
        }
        Ok(Decision::Post(message(&event, ban)))
    }
}
// @if digest

impl digester::Guest for Plugin {
    fn digest(batch: Batch) -> Result<digester::Decision, String> {
        log_panics();
        let totals = batch.totals;
        if totals.bans == 0 {
            // banhook's own text goes out.
            let hints = vec![("digest".to_owned(), "built-in".to_owned())];
            let text = Text::Plain(format!("{} events", totals.events));
            return Ok(digester::Decision::Post(Message { hints: Some(hints), ..of_text(text) }));
        }
        let jails: Vec<_> = totals.by_jail.iter().map(|jail| format!("{} {}", jail.name, jail.bans)).collect();
        let text = format!("{} bans of {} subjects: {}", totals.bans, totals.subjects, jails.join(", "));
        Ok(digester::Decision::Post(of_text(Text::Plain(text))))
    }
}
// @end
// @if check

impl descriptor::Guest for Plugin {
    fn describe() -> Description {
        let office = Setting {
            name: "office".to_owned(),
            kind: SettingKind::Text,
            description: "What the addresses of our own office begin with".to_owned(),
            default: None,
        };
        let version = Some(env!("CARGO_PKG_VERSION").to_owned());
        Description { name: "{{name}}".to_owned(), version, settings: vec![office], hints: None }
    }
}

impl checker::Guest for Plugin {
    fn check() -> Vec<Problem> {
        if settings::get("office").is_none_or(|office| !office.is_empty()) {
            return Vec::new();
        }
        vec![Problem {
            setting: Some("office".to_owned()),
            line: None,
            level: checker::Level::Error,
            message: "every address begins with an empty text; leave the setting out instead".to_owned(),
            hints: None,
        }]
    }
}
// @end

/// Text of `Text::Rich` is shown as it is, whatever an attacker wrote into it.
fn message(event: &Event, ban: &Ban) -> Message {
    let is_ban = matches!(event.action, Action::Ban(_));
    let subject = ban.subject.as_deref();
    let spans = vec![
        Span::Emoji(if is_ban { "no_entry" } else { "white_check_mark" }.to_owned()),
        text(" ", None),
        text(subject.unwrap_or("somebody"), Some(Style::CODE)),
        text(if is_ban { " banned in " } else { " unbanned in " }, None),
        text(&event.jail, Some(Style::BOLD)),
        text(&format!(" on {}", event.host), None),
    ];
    // @if geo
    let place = subject.and_then(where_from).map(|place| text(&format!(", from {place}"), None));
    let spans = spans.into_iter().chain(place).collect::<Vec<_>>();
    // @end
    // @if history
    let times = if is_ban { subject.map_or(1, times_banned) } else { 1 };
    let times = (times > 1).then(|| text(&format!(", ban {times} within a week"), None));
    let spans = spans.into_iter().chain(times).collect::<Vec<_>>();
    // @end
    of_text(Text::Rich(spans))
}

fn of_text(text: Text) -> Message {
    Message {
        text,
        blocks: None,
        color: None,
        hints: None,
        tags: None,
        thread: None,
        name: None,
        replaces: None,
    }
}

fn text(text: &str, style: Option<Style>) -> Span {
    Span::Text(Styled { text: text.to_owned(), style })
}
// @if history

/// Returns how many times a subject was banned within a week, this time included.
fn times_banned(subject: &str) -> u32 {
    let subject = Some(SubjectQuery::Exact(subject.to_owned()));
    let query = Query { subject, jail: None, host: None, within: Some(WEEK), hints: None };
    // banhook logs why there is no answer.
    history::bans(&query).map_or(1, |past| past.bans + 1)
}
// @end
// @if geo

/// Returns the country in which an address is registered, if that is known.
fn where_from(subject: &str) -> Option<String> {
    // banhook logs why there is no answer.
    let place = geo::lookup(subject).ok()??;
    place.country_name.or(place.country)
}
// @end

/// Logs the message of a panic, which is lost otherwise.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log::write(Level::Error, &panic.to_string())));
}

bindings::export!(Plugin with_types_in bindings);
