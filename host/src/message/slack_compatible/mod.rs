//! A message for what takes Slack's webhooks but not its blocks: Mattermost, Rocket.Chat, Discord and Zulip.
//!
//! `layout` makes parts of a message, `dialect` writes text in each one's Markdown, and here both become a body: one
//! text, or one attachment where there is a colour to show. Every character that is not ours passes
//! `Dialect::escape`, also those of a plugin's own markup: that is read into [`Inline`](blockkit::inline::Inline)s first,
//! and only what Slack would have formatted is formatted again. Raw blocks are left out.

mod dialect;
mod layout;
#[cfg(test)]
mod tests;

use blockkit::text::{cut, one_line};
use blockkit::web_url;
use serde_json::{Map, Value, json};

use super::hints::Hints;
use super::model::{Color, Image, Message};
use super::sanitizer::Sanitizer;
use super::target::Target;
use dialect::{BREAK, Dialect};
use layout::Part;

/// Characters of what a notification shows.
const FALLBACK_MAX: usize = 300;
/// Pictures in a message; Discord takes 10 attachments.
const IMAGES_MAX: usize = 9;

/// The body for the target's webhook; `None` if it would show nothing.
pub fn lower(message: &Message, sanitizer: &Sanitizer, target: Target) -> Option<Value> {
    let dialect = Dialect(target);
    let (parts, images) = layout::parts(message, sanitizer);
    body(dialect, &parts, &images, message, sanitizer)
}

fn body(dialect: Dialect, parts: &[Part], images: &[Image], message: &Message, sanitizer: &Sanitizer) -> Option<Value> {
    let target = dialect.0;
    let images: Vec<&Image> = images.iter().filter(|image| web_url(&image.url).is_some()).take(IMAGES_MAX).collect();
    let mut parts = parts.to_vec();
    if target == Target::Zulip {
        // It has no attachments to show; a link to a picture shows the picture.
        parts.extend(images.iter().map(|image| Part::picture(image)));
        if let (Some(color), false) = (message.color, parts.is_empty()) {
            layout::mark(&mut parts, mark(color));
        }
    }
    let color = message.color.filter(|_| target != Target::Zulip);
    let attached = color.is_some() || target == Target::Discord && dialect.length(&parts) > limit(target, false);
    let text = dialect.write(&parts, limit(target, attached));
    let pictures = if target == Target::Zulip { Vec::new() } else { images };
    if text.trim().is_empty() && pictures.is_empty() {
        return None;
    }

    let mut body = Map::new();
    let mut attachments = Vec::new();
    if attached {
        let fallback = plain(&layout::plain(&message.text, sanitizer));
        let mut attachment =
            Map::from_iter([("fallback".to_owned(), json!(fallback)), ("text".to_owned(), json!(text))]);
        attachment.extend(color.map(|color| ("color".to_owned(), json!(bar(color)))));
        attachments.push(Value::Object(attachment));
    } else if !text.trim().is_empty() {
        body.insert("text".to_owned(), json!(text));
    }
    attachments.extend(pictures.into_iter().map(picture));
    if !attachments.is_empty() {
        body.insert("attachments".to_owned(), Value::Array(attachments));
    }
    if let Some(topic) = Hints::of(message).topic.filter(|_| target == Target::Zulip) {
        body.insert("channel".to_owned(), json!(topic));
    }
    Some(Value::Object(body))
}

/// Its title stands in the text: here it would be read as markup by some, and shown as it is by others.
fn picture(image: &Image) -> Value {
    json!({ "fallback": plain(&image.alt), "image_url": web_url(&image.url).map(String::from) })
}

/// Text for a place without markup, in which some still look for mentions and links.
fn plain(text: &str) -> String {
    let text = one_line(text);
    let mut plain = String::new();
    for char in cut(&text, FALLBACK_MAX).chars() {
        let before = plain.chars().next_back();
        plain.push(match char {
            '<' => '‹',
            '>' => '›',
            char => char,
        });
        let address = before.is_some_and(|c: char| c.is_ascii_hexdigit() || c == ':');
        let www = char == '.' && plain.to_ascii_lowercase().ends_with("www.");
        if matches!(char, '@' | '#' | '~' | '[' | ']') || char == ':' && !address || www {
            plain.push(BREAK);
        }
    }
    plain
}

/// How many characters a message's text may have, alone or in an attachment.
///
/// Discord: 2,000, and 4,096 in what it makes of an attachment. Mattermost: 16,383, but older servers keep all
/// attachments of a message in 8,000. Rocket.Chat: 5,000 unless its admin says otherwise. Zulip: 10,000, of which
/// its bold takes some more than ours.
const fn limit(target: Target, attached: bool) -> usize {
    match (target, attached) {
        (Target::Discord, false) => 2_000,
        (Target::Discord, true) => 4_000,
        (Target::Mattermost, false) => 16_000,
        (Target::Mattermost, true) => 7_000,
        (Target::Zulip, _) => 9_500,
        (Target::RocketChat | Target::Slack, _) => 5_000,
    }
}

/// Slack's own colours: not all know its names for them.
const fn bar(color: Color) -> &'static str {
    match color {
        Color::Good => "#2eb886",
        Color::Warning => "#daa038",
        Color::Danger => "#a30200",
    }
}

/// The colour where nothing has one.
const fn mark(color: Color) -> &'static str {
    match color {
        Color::Good => "🟢",
        Color::Warning => "🟡",
        Color::Danger => "🔴",
    }
}
