//! A message for services that take Slack's webhooks but not its blocks: Mattermost, Rocket.Chat, Discord and Zulip.
//!
//! `layout` makes parts of a message, `writer` writes them in the Markdown of a [`Dialect`], and here they become a body:
//! one text, or one attachment where there is a colour to show. Every foreign character passes
//! [`Dialect::escape`], also those in a plugin's own markup: that is read into
//! [`Inline`](blockkit::inline::Inline)s first, and only what Slack would have formatted is formatted again. Raw blocks are
//! left out.

mod dialect;
mod layout;
mod preview;
#[cfg(test)]
mod tests;
mod writer;

use blockkit::text::{cut, one_line};
use blockkit::web_url;
use serde_json::{Map, Value, json};

use super::model::{Color, Image, Message};
use super::sanitizer::Sanitizer;
pub(super) use dialect::{BREAK, Dialect, Markers, Place, begins_block, breaks_in_code};
pub(super) use layout::{Part, parts};
pub(super) use preview::preview;
use writer::Writer;
pub(super) use writer::encoded_url;

/// Characters of a notification.
const FALLBACK_MAX: usize = 300;
/// Pictures in a message; Discord takes 10 attachments.
const IMAGES_MAX: usize = 9;

/// A message as a service shows it.
struct Shown {
    /// From top to bottom.
    parts: Vec<Part>,
    /// Below them.
    images: Vec<Image>,
    /// The bar at the left.
    color: Option<Color>,
    /// Whether the parts are in an attachment.
    attached: bool,
    /// Characters that the parts may have.
    text_max: usize,
}

/// Returns the body for a service's webhook; `None` if it would show nothing.
pub(super) fn lower(message: &Message, sanitizer: &Sanitizer, dialect: &dyn Dialect) -> Option<Map<String, Value>> {
    let Shown { parts, images, color, attached, text_max } = shown(message, sanitizer, dialect);
    let text = Writer(dialect).write(&parts, text_max);
    if text.trim().is_empty() && images.is_empty() {
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
    attachments.extend(images.iter().map(picture));
    if !attachments.is_empty() {
        body.insert("attachments".to_owned(), Value::Array(attachments));
    }
    Some(body)
}

fn shown(message: &Message, sanitizer: &Sanitizer, dialect: &dyn Dialect) -> Shown {
    let (mut parts, mut images) = parts(message, sanitizer);
    images.retain(|image| web_url(&image.url).is_some());
    images.truncate(IMAGES_MAX);
    let mut color = message.color;
    if !dialect.has_attachments() {
        // A link to a picture shows the picture.
        parts.extend(images.drain(..).map(|image| Part::picture(&image)));
        if let (Some(color), false) = (color.take(), parts.is_empty()) {
            layout::mark(&mut parts, mark(color));
        }
    }
    let is_long = || Writer(dialect).length(&parts) > dialect.text_max(false);
    let attached = color.is_some() || dialect.attaches_long_text() && is_long();
    let text_max = dialect.text_max(attached);
    Shown { parts, images, color, attached, text_max }
}

/// Adds a line to the text of a body that [`lower`] made, unless it would become too long.
pub(super) fn add_note(body: &mut Value, note: &str, dialect: &dyn Dialect) {
    let attached = body.get("text").is_none();
    let place = match attached {
        true => body.get_mut("attachments").and_then(|attachments| attachments.get_mut(0)),
        false => Some(body),
    };
    let text_max = dialect.text_max(attached);
    let line = Writer(dialect).write(&[Part::plain(note)], text_max);
    if let Some(Value::String(text)) = place.and_then(|place| place.get_mut("text"))
        && text.chars().count() + "\n\n".len() + line.chars().count() <= text_max
    {
        text.push_str("\n\n");
        text.push_str(&line);
    }
}

/// Returns a picture's attachment. The title stands in the text: some services would read it here as markup, others
/// show it as it is.
fn picture(image: &Image) -> Value {
    json!({ "fallback": plain(&image.alt), "image_url": web_url(&image.url).map(String::from) })
}

/// Returns text for a place without markup, in which some services still link mentions and URLs.
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

/// Returns Slack's own colour: not every service knows its name.
pub(super) fn bar(color: Color) -> String {
    let (red, green, blue) = rgb(color);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

const fn rgb(color: Color) -> (u8, u8, u8) {
    match color {
        Color::Good => (0x2e, 0xb8, 0x86),
        Color::Warning => (0xda, 0xa0, 0x38),
        Color::Danger => (0xa3, 0x02, 0x00),
        Color::Rgb(red, green, blue) => (red, green, blue),
    }
}

/// Returns what stands for the colour where nothing can have one: the nearest of these.
pub(super) fn mark(color: Color) -> &'static str {
    const MARKS: [((u8, u8, u8), &str); 9] = [
        ((0x2e, 0xb8, 0x86), "🟢"),
        ((0x00, 0xc0, 0x00), "🟢"),
        ((0xda, 0xa0, 0x38), "🟡"),
        ((0xff, 0x80, 0x00), "🟠"),
        ((0xa3, 0x02, 0x00), "🔴"),
        ((0x20, 0x60, 0xe0), "🔵"),
        ((0x90, 0x40, 0xc0), "🟣"),
        ((0x20, 0x20, 0x20), "⚫"),
        ((0xe0, 0xe0, 0xe0), "⚪"),
    ];
    let (red, green, blue) = rgb(color);
    let square = |one: u8, other: u8| u32::from(one.abs_diff(other)).pow(2);
    let distance = |(r, g, b): (u8, u8, u8)| square(r, red) + square(g, green) + square(b, blue);
    MARKS.iter().min_by_key(|(near, _)| distance(*near)).map_or("⚪", |(_, mark)| mark)
}
