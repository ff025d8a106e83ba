//! {{name}}: what becomes of an event.

// @if digest
use banhook_plugin::digest::{self, Batch};
// @end
// @if geo
use banhook_plugin::geo;
// @end
// @if history
use banhook_plugin::history::{self, Query};
// @end
use banhook_plugin::settings;
// @if check
use banhook_plugin::settings::{Description, Problem, Setting};
// @end
use banhook_plugin::{Action, Ban, Event, Plugin, Result, Rich, post, rich, skip};

// @if history
const WEEK: u32 = 7 * 86_400;

// @end
struct MyPlugin;

impl Plugin for MyPlugin {
    /// Posts a message, skips the event for a reason, or holds it for a digest.
    fn format(event: Event) -> Result {
        let ban = match &event.action {
            Action::Ban(ban) | Action::Unban(ban) => ban,
            _ => return skip("only bans and unbans"),
        };
        if ban.restored {
            return skip("restored after a restart");
        }
        if let (Some(office), Some(subject)) = (settings::get("office"), &ban.subject)
            && subject.starts_with(&office)
        {
            return skip("our own office");
        }
        post(text(&event, ban))
    }
}
// @if digest

impl banhook_plugin::Digester for MyPlugin {
    fn digest(batch: Batch) -> Result<digest::Decision> {
        let totals = batch.totals;
        if totals.bans == 0 {
            // banhook's own text goes out.
            let text = format!("{} events", totals.events);
            return post(banhook_plugin::Message::new(text).hint("digest", "built-in"));
        }
        let jails: Vec<_> = totals.by_jail.iter().map(|jail| format!("{} {}", jail.name, jail.bans)).collect();
        post(format!("{} bans of {} subjects: {}", totals.bans, totals.subjects, jails.join(", ")))
    }
}
// @end
// @if check

impl banhook_plugin::Settings for MyPlugin {
    fn describe() -> Description {
        let office = Setting::text("office", "What the addresses of our own office begin with");
        Description::new("{{name}}").version(env!("CARGO_PKG_VERSION")).setting(office)
    }

    fn check() -> Vec<Problem> {
        if settings::get("office").is_none_or(|office| !office.is_empty()) {
            return Vec::new();
        }
        vec![Problem::error("office", "every address begins with an empty text; leave the setting out instead")]
    }
}
// @end

/// Rich text is shown as it is, whatever an attacker wrote into it.
fn text(event: &Event, ban: &Ban) -> Rich {
    let is_ban = matches!(event.action, Action::Ban(_));
    let subject = ban.subject.as_deref();
    // @if history
    let times = subject.filter(|_| is_ban).and_then(times_banned);
    // @end
    rich()
        .emoji(if is_ban { "no_entry" } else { "white_check_mark" })
        .text(" ")
        .code(subject.unwrap_or("somebody"))
        .text(if is_ban { " banned in " } else { " unbanned in " })
        .bold(&event.jail)
        .text(format!(" on {}", event.host))
        // @if geo
        .optional(subject.and_then(where_from), |text, place| text.text(format!(", from {place}")))
        // @end
        // @if history
        .optional(times, |text, times| text.text(format!(", ban {times} within a week")))
        // @end
}
// @if history

/// Returns how many times a subject was banned within a week, this time included, if it was banned before.
fn times_banned(subject: &str) -> Option<u32> {
    // banhook logs why there is no answer.
    let past = history::bans(&Query::of(subject).within(WEEK)).ok()?;
    (past.bans > 0).then_some(past.bans + 1)
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

// @if neither digest nor check
banhook_plugin::export!(MyPlugin);
// @end
// @if digest only
banhook_plugin::export!(MyPlugin: digest);
// @end
// @if check only
banhook_plugin::export!(MyPlugin: settings);
// @end
// @if digest and check
banhook_plugin::export!(MyPlugin: digest, settings);
// @end
