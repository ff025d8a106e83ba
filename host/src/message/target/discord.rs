//! Discord's webhooks, at the address that takes Slack's format.

use serde_json::Value;
use url::Url;

use super::super::guard_error::GuardError;
use super::super::model::Message;
use super::super::sanitizer::Sanitizer;
use super::super::slack_compatible::{self, BREAK, Dialect, Markers, Place, breaks_in_code};
use super::service::{HttpAnswer, Verdict};
use super::service::{Service, UrlProblem, segments};

/// Discord.
pub(super) struct Discord;

/// The header with the requests that are left before the rate limit.
const REMAINING: &str = "x-ratelimit-remaining";
/// The header with the seconds until the rate limit is reset, with a fraction; `Retry-After` rounds them up.
const RESET_AFTER: &str = "x-ratelimit-reset-after";

/// Codes of errors of a webhook that accepts no message: it is unknown or not allowed to post, or posts to a forum.
const DISABLED: [u64; 9] = [10_003, 10_004, 10_015, 40_001, 50_001, 50_013, 50_027, 220_001, 220_003];

/// Codes of errors about a message: too large, empty, invalid, or held back by a filter.
const REJECTED: [u64; 6] = [40_005, 50_006, 50_035, 50_109, 200_000, 240_000];

impl Service for Discord {
    fn key(&self) -> &'static str {
        "discord"
    }

    fn name(&self) -> &'static str {
        "Discord"
    }

    /// With the two test versions and the old name.
    fn hosts(&self) -> &'static [&'static str] {
        &["discord.com", "ptb.discord.com", "canary.discord.com", "discordapp.com"]
    }

    fn check_path(&self, url: &Url) -> Result<(), UrlProblem> {
        const OTHER: UrlProblem =
            UrlProblem("the path is not that of a Discord webhook: https://discord.com/api/webhooks/…/…/slack");
        let segments = segments(url);
        let path = match segments.as_slice() {
            ["api", version, path @ ..] if version.starts_with('v') => path,
            ["api", path @ ..] => path,
            _ => return Err(OTHER),
        };
        match path {
            ["webhooks", id, token, rest @ ..] if !id.is_empty() && !token.is_empty() => match rest {
                ["slack"] => Ok(()),
                [] => Err(UrlProblem(
                    "the URL takes messages in Discord's own format; add /slack to its path, before a ? if there is one",
                )),
                _ => Err(OTHER),
            },
            _ => Err(OTHER),
        }
    }

    fn public_words(&self) -> &'static [&'static str] {
        &["api", "webhooks", "slack", "wait", "true"]
    }

    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let body = slack_compatible::lower(message, sanitizer, self);
        body.map(Value::Object).ok_or(GuardError::Empty(self.name()))
    }

    /// Nothing, or `ok`; with `?wait=true`, the message.
    fn accepts(&self, answer: &HttpAnswer<'_>) -> bool {
        matches!(answer.body, "" | "ok") || answer.json["id"].is_string()
    }

    fn dialect(&self) -> Option<&dyn Dialect> {
        Some(self)
    }

    fn add_note(&self, body: &mut Value, note: &str) {
        slack_compatible::add_note(body, note, self);
    }

    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict> {
        let code = answer.json["code"].as_u64()?;
        if DISABLED.contains(&code) {
            return Some(Verdict::EndpointGone);
        }
        REJECTED.contains(&code).then_some(Verdict::Rejected)
    }

    fn retry_after(&self, answer: &HttpAnswer<'_>) -> Option<f64> {
        answer.header_seconds(RESET_AFTER).or_else(|| answer.json["retry_after"].as_f64())
    }

    fn pause(&self, answer: &HttpAnswer<'_>) -> Option<f64> {
        let used_up = (answer.header)(REMAINING)?.trim() == "0";
        answer.header_seconds(RESET_AFTER).filter(|_| used_up)
    }

    /// The texts of its JSON error codes.
    fn known_errors(&self) -> Vec<&'static str> {
        vec![
            "Cannot send an empty message",
            "Invalid Form Body",
            "Invalid Webhook Token",
            "Missing Access",
            "Missing Permissions",
            "Unknown Channel",
            "Unknown Webhook",
            "You are being rate limited",
        ]
    }
}

impl Dialect for Discord {
    /// 2,000 characters, and 4,096 in what Discord makes of an attachment.
    fn text_max(&self, attached: bool) -> usize {
        if attached { 4_000 } else { 2_000 }
    }

    fn markers(&self) -> Markers {
        Markers { bold: "**", italic: "*", strike: "~~" }
    }

    fn date(&self, seconds: i64, format: &str) -> Option<String> {
        let style = match (format.contains("{ago}"), format.contains("{date"), format.contains("{time")) {
            (true, ..) => 'R',
            (_, true, false) => 'D',
            (_, false, true) => 't',
            _ => 'f',
        };
        Some(format!("<t:{seconds}:{style}>"))
    }

    fn mention_all(&self, whom: &str) -> &'static str {
        if whom == "here" { "@here" } else { "@everyone" }
    }

    fn mention_one(&self, id: &str) -> Option<String> {
        id.bytes().all(|b| b.is_ascii_digit()).then(|| format!("<@{id}>"))
    }

    fn mention_group(&self, id: &str) -> Option<String> {
        id.bytes().all(|b| b.is_ascii_digit()).then(|| format!("<@&{id}>"))
    }

    fn attaches_long_text(&self) -> bool {
        true
    }

    fn escape(&self, place: Place<'_>, out: &mut String) {
        const ENTITIES: [&str; 4] = ["&amp;", "&lt;", "&gt;", "&#"];
        match place.char {
            // A link's label knows no escapes.
            ']' if place.after() == Some('(') => out.extend(['\\', ']', BREAK]),
            // A `>` begins a quotation behind a marker, too.
            char @ ('\\' | '*' | '_' | '~' | '`' | '|' | '[' | ']' | '>') => out.extend(['\\', char]),
            // The server looks for mentions before escapes.
            '<' => out.extend(['\\', '<', BREAK]),
            char @ ('@' | '#') => out.extend([char, BREAK]),
            ':' if place.colon_acts() => out.push_str("\\:"),
            '&' if ENTITIES.iter().any(|entity| place.rest.starts_with(entity)) => out.extend(['&', BREAK]),
            char => out.push(char),
        }
    }

    /// The label of a link of ours may run into code, up to a `](`.
    fn breaks_in_code(&self, char: char, rest: &str) -> bool {
        breaks_in_code(char, rest) || char == ']' && rest.starts_with('(')
    }
}
