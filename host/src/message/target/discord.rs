//! Discord's webhooks: by their own address, at which a message can be changed, and at the one that takes Slack's format.
//!
//! A body is stored in Slack's format, and goes out in the one that its address takes. Fields, limits and errors:
//! <https://docs.discord.com/developers/resources/webhook#execute-webhook>.

use serde_json::{Map, Value, json};
use url::Url;

use super::super::conversation::{Reference, Way};
use super::super::guard_error::GuardError;
use super::super::model::Message;
use super::super::sanitizer::Sanitizer;
use super::super::slack_compatible::{self, BREAK, Dialect, Markers, Place, breaks_in_code};
use super::service::{Address, HttpAnswer, Request, Verdict};
use super::service::{Service, UrlProblem, segments};

/// The end of the path of the address that takes Slack's format.
const SLACK_PATH: &str = "/slack";

/// Bytes of an answer that are read: several times the largest message.
const ANSWER_BYTES: usize = 1 << 17;

/// The code of an error about a message that was deleted.
const UNKNOWN_MESSAGE: u64 = 10_008;

/// Discord.
pub(super) struct Discord;

/// The header with the requests that are left before the rate limit.
const REMAINING: &str = "x-ratelimit-remaining";
/// The header with the seconds until the rate limit is reset, with a fraction; `Retry-After` rounds them up.
const RESET_AFTER: &str = "x-ratelimit-reset-after";

/// The code of an error of a forum, which takes messages in threads only.
const FORUM: u64 = 220_001;
/// The same of the address that takes Slack's format, which a forum does not have:
/// <https://github.com/discord/discord-api-docs/issues/6964>.
const FORUM_SLACK: u64 = 220_004;

/// Codes of errors of a webhook that accepts no message: it is unknown or not allowed to post, or posts to a forum.
const DISABLED: [u64; 10] = [10_003, 10_004, 10_015, 40_001, 50_001, 50_013, 50_027, FORUM, 220_003, FORUM_SLACK];

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
            UrlProblem("the path is not that of a Discord webhook: https://discord.com/api/webhooks/…/…");
        let segments = segments(url);
        let path = match segments.as_slice() {
            ["api", version, path @ ..] if version.starts_with('v') => path,
            ["api", path @ ..] => path,
            _ => return Err(OTHER),
        };
        match path {
            ["webhooks", id, token] | ["webhooks", id, token, "slack"] if !id.is_empty() && !token.is_empty() => Ok(()),
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
        if code == UNKNOWN_MESSAGE {
            return Some(Verdict::Unreachable);
        }
        REJECTED.contains(&code).then_some(Verdict::Rejected)
    }

    fn advice(&self, answer: &HttpAnswer<'_>) -> Option<&'static str> {
        match answer.json["code"].as_u64()? {
            FORUM => Some("the channel is a forum: add ?thread_id=ID of one of its posts to the webhook's URL"),
            FORUM_SLACK => {
                Some("the channel is a forum: use the webhook's URL without /slack, with ?thread_id=ID of a post")
            }
            _ => None,
        }
    }

    fn retry_after(&self, answer: &HttpAnswer<'_>) -> Option<f64> {
        answer.header_seconds(RESET_AFTER).or_else(|| answer.json["retry_after"].as_f64())
    }

    fn pause(&self, answer: &HttpAnswer<'_>) -> Option<f64> {
        let used_up = (answer.header)(REMAINING)?.trim() == "0";
        answer.header_seconds(RESET_AFTER).filter(|_| used_up)
    }

    fn has_conversations(&self) -> bool {
        true
    }

    /// A webhook cannot reply: what would be beneath a message is one of its own.
    fn request(&self, address: &Address<'_>, body: String, way: &Way) -> Request {
        let mut url = address.url.clone();
        // Only the answer of its own address names the message, so nothing that went to the other one is ever changed.
        let own = Some(&body).filter(|_| !url.path().ends_with(SLACK_PATH)).and_then(|body| Self::native(body));
        let Some(own) = own else { return Request { patches: false, url, body } };
        let is_change = match way {
            Way::Change(reference) => {
                url.set_path(&format!("{}/messages/{}", url.path().trim_end_matches('/'), reference.id));
                true
            }
            Way::Post | Way::Beneath(_) => false,
        };
        if !is_change && !url.query_pairs().any(|(name, _)| name == "wait") {
            // Otherwise there is neither the message in the answer nor an error of one that was not saved.
            url.query_pairs_mut().append_pair("wait", "true");
        }
        Request { patches: is_change, url, body: own.to_string() }
    }

    fn reference(&self, answer: &HttpAnswer<'_>) -> Option<Reference> {
        let text = |key: &str| Some(answer.text(key).to_owned()).filter(|text| !text.is_empty());
        Some(Reference { channel: text("channel_id")?, id: text("id")?, of: String::new(), thread: None })
    }

    /// The answer repeats the message.
    fn answer_bytes(&self) -> usize {
        ANSWER_BYTES
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
            "Unknown Message",
            "Unknown Webhook",
            "You are being rate limited",
        ]
    }
}

impl Discord {
    /// Returns a body in Discord's own format: the text, and what an attachment becomes.
    fn native(body: &str) -> Option<Value> {
        let body: Map<String, Value> = serde_json::from_str(body).ok()?;
        let attachments = body.get("attachments").and_then(Value::as_array).into_iter().flatten();
        let embeds: Vec<Value> = attachments.filter_map(embed).collect();
        // Both, since what a change leaves out stays as it was.
        Some(json!({ "content": body.get("text").and_then(Value::as_str).unwrap_or_default(), "embeds": embeds }))
    }
}

fn embed(attachment: &Value) -> Option<Value> {
    let mut embed = Map::new();
    if let Some(text) = attachment.get("text") {
        embed.insert("description".to_owned(), text.clone());
    }
    let color = attachment.get("color").and_then(Value::as_str).and_then(|color| color.strip_prefix('#'));
    if let Some(color) = color.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
        embed.insert("color".to_owned(), color.into());
    }
    if let Some(url) = attachment.get("image_url") {
        embed.insert("image".to_owned(), json!({ "url": url }));
    }
    (!embed.is_empty()).then_some(Value::Object(embed))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, body: &str, way: &Way) -> (bool, String, String) {
        let url = Url::parse(url).unwrap();
        let Request { patches, url, body } =
            Discord.request(&Address { url: &url, channel: "", id: None }, body.to_owned(), way);
        (patches, url.into(), body)
    }

    fn change() -> Way {
        Way::Change(Reference { channel: "9".to_owned(), id: "42".to_owned(), of: String::new(), thread: None })
    }

    const OWN: &str = "https://discord.com/api/webhooks/1/s3cret";
    const BODY: &str = r##"{"text":"a","attachments":[{"fallback":"b","text":"b","color":"#a30200"},{"fallback":"c","image_url":"https://example.org/c"}]}"##;

    #[test]
    fn request_to_its_own_address_has_its_own_format_and_can_change_a_message() {
        let own = json!({
            "content": "a",
            "embeds": [{ "description": "b", "color": 0xa3_02_00 }, { "image": { "url": "https://example.org/c" } }],
        });
        let (patches, url, body) = request(OWN, BODY, &Way::Post);
        assert_eq!((patches, url.as_str()), (false, "https://discord.com/api/webhooks/1/s3cret?wait=true"));
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), own);
        let (patches, url, body) = request(&format!("{OWN}?thread_id=7"), BODY, &change());
        assert_eq!(
            (patches, url.as_str()),
            (true, "https://discord.com/api/webhooks/1/s3cret/messages/42?thread_id=7")
        );
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), own);
        // What was there before goes.
        let (_, _, body) = request(OWN, r#"{"text":"a"}"#, &change());
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({ "content": "a", "embeds": [] }));
    }

    #[test]
    fn request_to_the_address_for_slack_is_the_stored_body() {
        let url = format!("{OWN}/slack");
        assert_eq!(request(&url, BODY, &Way::Post), (false, url, BODY.to_owned()));
    }

    #[test]
    fn answer_with_a_message_says_where_it_is() {
        let answer = |body: &str| {
            let json = serde_json::from_str(body).unwrap_or_default();
            let answer = HttpAnswer { status: 200, header: &|_| None, body, json: &json };
            (
                Discord.accepts(&answer),
                Discord.reference(&answer).map(|reference| reference.id),
                Discord.verdict(&answer),
            )
        };
        assert_eq!(answer(r#"{"id":"42","channel_id":"9","content":"a"}"#), (true, Some("42".to_owned()), None));
        assert_eq!(answer("ok"), (true, None, None));
        let deleted = r#"{"message":"Unknown Message","code":10008}"#;
        assert_eq!(answer(deleted), (false, None, Some(Verdict::Unreachable)));
    }
}
