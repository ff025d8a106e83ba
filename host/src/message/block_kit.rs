//! A message as Block Kit JSON, the body of a Slack incoming webhook.
//!
//! The channel always shows blocks, even when the plugin gave only `text`: in blocks plain text stays exactly as it is,
//! and Slack links no bare URLs, names or channels. With blocks, `text` is only the notification. A message with a
//! colour is an attachment; Slack would show `text` above it, so the notification is the attachment's `fallback`.
//!
//! Text that is too long is cut here, and a field or a piece of context that would show nothing is left out, since
//! Slack would reject the whole message for it. Lists are cut before, by `lists`.

use blockkit::limits::{ALT_MAX, BUTTON_MAX, FIELD_MAX, HEADER_MAX, TEXT_OBJECT_MAX, TITLE_MAX};
use blockkit::text::{clean, cut, one_line};
use blockkit::web_url;
use serde_json::{Map, Value, json};

use super::escape::{Mrkdwn, escape};
use super::figure;
use super::guard_error::GuardError;
use super::limits::{CELL_MAX, NOTIFICATION_MAX, RICH_TEXT_MAX};
use super::model::{
    Block, Button, ButtonStyle, Color, ContextElement, Field, Image, Message, Section, Text, Thumbnail,
};
use super::rich;
use super::sanitizer::Sanitizer;

/// Returns the body for an incoming webhook. `charts`: how many are charts; the others are text.
///
/// # Errors
/// When a raw block cannot be read.
pub(super) fn lower(message: &Message, sanitizer: &Sanitizer, mut charts: usize) -> Result<Value, GuardError> {
    let mut blocks = Vec::new();
    for (index, part) in message.blocks.iter().enumerate() {
        match part {
            Block::Raw(json) => {
                blocks.extend(sanitizer.raw(json).map_err(|source| GuardError::Raw { number: index + 1, source })?);
            }
            Block::Figure(figure) if figure.is_chart() && charts == 0 => blocks.push(in_text(figure.text())),
            part => {
                charts -= usize::from(matches!(part, Block::Figure(figure) if figure.is_chart()));
                blocks.push(block(part, sanitizer));
            }
        }
    }
    let notification = mrkdwn(&message.text, sanitizer).cut(NOTIFICATION_MAX);
    if blocks.is_empty() && !notification.is_blank() {
        blocks.push(section(Some(&message.text), &[], sanitizer));
    }

    let mut shown = Map::new();
    if !notification.is_blank() {
        let key = if message.color.is_some() { "fallback" } else { "text" };
        shown.insert(key.to_owned(), json!(notification.as_str()));
    }
    if !blocks.is_empty() {
        shown.insert("blocks".to_owned(), Value::Array(blocks));
    }
    let mut body = match message.color {
        Some(color) => {
            shown.insert("color".to_owned(), json!(color_name(color)));
            Map::from_iter([("attachments".to_owned(), json!([shown]))])
        }
        None => shown,
    };
    for unfurl in ["unfurl_links", "unfurl_media"] {
        body.insert(unfurl.to_owned(), json!(false));
    }
    Ok(Value::Object(body))
}

fn block(block: &Block, sanitizer: &Sanitizer) -> Value {
    match block {
        Block::Header(text) => json!({ "type": "header", "text": plain_text(&one_line(text), HEADER_MAX) }),
        Block::Section(Section { text, fields, accessory: None }) => section(text.as_ref(), fields, sanitizer),
        Block::Section(Section { text, fields, accessory: Some(image) }) => {
            let mut section = markup_section(text.as_ref(), fields, sanitizer);
            section.insert("accessory".to_owned(), thumbnail(image));
            Value::Object(section)
        }
        Block::Context(elements) => {
            let elements: Vec<Value> =
                elements.iter().filter_map(|element| context_element(element, sanitizer)).collect();
            json!({ "type": "context", "elements": elements })
        }
        Block::Divider => json!({ "type": "divider" }),
        Block::Image(image) => self::image(image),
        Block::Buttons(buttons) => {
            json!({ "type": "actions", "elements": buttons.iter().map(button).collect::<Vec<_>>() })
        }
        Block::Preformatted(text) => preformatted(text),
        Block::Table(rows) => table(rows, sanitizer),
        Block::Bullets(items) => list("bullet", items, sanitizer),
        Block::Numbers(items) => list("ordered", items, sanitizer),
        Block::Quote(text) => {
            let elements = rich::to_elements(rich::inlines(text, sanitizer), RICH_TEXT_MAX);
            rich_text("rich_text_quote", &elements)
        }
        Block::Figure(figure) => figure.block().clone(),
        // `lower` has inserted these already.
        Block::Raw(_) => Value::Null,
    }
}

/// Replaces the charts and tables of a body by text; returns whether it has any.
pub(super) fn without_figures(body: &mut Value) -> bool {
    let mut has_figures = false;
    for block in body.get_mut("blocks").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(text) = figure::text(block) {
            *block = in_text(text);
            has_figures = true;
        }
    }
    has_figures
}

/// Returns a chart or a table as text: its title, and its lines.
fn in_text((title, lines): (String, String)) -> Value {
    let title = json!({ "type": "text", "text": title, "style": { "bold": true } });
    let mut block = preformatted(&lines);
    if let Some(Value::Array(elements)) = block.get_mut("elements") {
        elements.insert(0, json!({ "type": "rich_text_section", "elements": [title] }));
    }
    block
}

/// Returns a context block of plain text.
pub(super) fn small_print(text: &str) -> Value {
    json!({ "type": "context", "elements": [plain_text(&one_line(text), TEXT_OBJECT_MAX)] })
}

/// Returns a section, or a `rich_text` block for rich text alone, which would have to be markup in a section.
fn section(text: Option<&Text>, fields: &[Field], sanitizer: &Sanitizer) -> Value {
    if let (Some(text @ Text::Rich(_)), []) = (text, fields) {
        let elements = rich::to_elements(rich::inlines(text, sanitizer), RICH_TEXT_MAX);
        if !elements.is_empty() {
            return rich_text("rich_text_section", &elements);
        }
    }
    Value::Object(markup_section(text, fields, sanitizer))
}

/// Returns a section of text objects.
fn markup_section(text: Option<&Text>, fields: &[Field], sanitizer: &Sanitizer) -> Map<String, Value> {
    let mut section = Map::from_iter([("type".to_owned(), json!("section"))]);
    if let Some(text) = text.and_then(|text| text_object(text, TEXT_OBJECT_MAX, sanitizer)) {
        section.insert("text".to_owned(), text);
    }
    let fields: Vec<Value> = fields.iter().filter_map(|part| field(part, sanitizer)).collect();
    if !fields.is_empty() {
        section.insert("fields".to_owned(), Value::Array(fields));
    }
    section
}

/// Returns a text or a picture of a context block; `None` if it would show nothing.
fn context_element(element: &ContextElement, sanitizer: &Sanitizer) -> Option<Value> {
    match element {
        ContextElement::Text(text) => text_object(text, TEXT_OBJECT_MAX, sanitizer),
        ContextElement::Image { image } => Some(thumbnail(image)),
    }
}

/// Returns an image element.
fn thumbnail(image: &Thumbnail) -> Value {
    json!({ "type": "image", "image_url": url(&image.url), "alt_text": cut(&one_line(&image.alt), ALT_MAX) })
}

/// Returns a list. An item that would show nothing is left out, and all of them together are as long as one text.
fn list(style: &str, items: &[Text], sanitizer: &Sanitizer) -> Value {
    let mut left = RICH_TEXT_MAX;
    let mut sections = Vec::new();
    for item in items.iter().map(|item| rich::inlines(item, sanitizer)) {
        let length = item.iter().map(|inline| inline.shown().chars().count()).sum::<usize>();
        let elements = rich::to_elements(item, left);
        if left == 0 || elements.is_empty() {
            continue;
        }
        left = left.saturating_sub(length);
        sections.push(json!({ "type": "rich_text_section", "elements": elements }));
    }
    json!({ "type": "rich_text", "elements": [{ "type": "rich_text_list", "style": style, "elements": sections }] })
}

/// Returns a field as a text object; `None` if it would show nothing.
fn field(field: &Field, sanitizer: &Sanitizer) -> Option<Value> {
    let mut text = rich::bold(&field.label);
    if !text.is_blank() {
        text.push(&Mrkdwn::literal("\n"));
    }
    text.push(&mrkdwn(&field.value, sanitizer));
    (!text.is_blank()).then(|| mrkdwn_object(text, FIELD_MAX))
}

fn image(image: &Image) -> Value {
    let alt = one_line(&image.alt);
    let alt = cut(&alt, ALT_MAX);
    let url = url(&image.url);
    match image.title.as_deref().filter(|title| !title.trim().is_empty()) {
        Some(title) => {
            let title = plain_text(&one_line(title), TITLE_MAX);
            json!({ "type": "image", "image_url": url, "alt_text": alt, "title": title })
        }
        None => json!({ "type": "image", "image_url": url, "alt_text": alt }),
    }
}

/// Returns a button without an `action_id`, which is optional: nothing reacts to the click.
fn button(button: &Button) -> Value {
    let label = plain_text(&one_line(&button.label), BUTTON_MAX);
    let url = url(&button.url);
    let style = match button.style {
        Some(ButtonStyle::Primary) => "primary",
        Some(ButtonStyle::Danger) => "danger",
        None => return json!({ "type": "button", "text": label, "url": url }),
    };
    json!({ "type": "button", "text": label, "url": url, "style": style })
}

fn preformatted(text: &str) -> Value {
    let text = clean(text);
    rich_text("rich_text_preformatted", &[json!({ "type": "text", "text": cut(&text, RICH_TEXT_MAX) })])
}

fn rich_text(kind: &str, elements: &[Value]) -> Value {
    json!({ "type": "rich_text", "elements": [{ "type": kind, "elements": elements }] })
}

/// Returns a table in which missing and empty cells hold a space: Slack requires rows of one length, and text in each.
fn table(rows: &[Vec<Text>], sanitizer: &Sanitizer) -> Value {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let raw = |text: &str| json!({ "type": "raw_text", "text": text });
    let cell = |text: &Text| {
        let inlines = rich::inlines(text, sanitizer);
        match rich::as_plain(&inlines) {
            Some(text) if text.trim().is_empty() => raw(" "),
            Some(text) => raw(&cut(&text, CELL_MAX)),
            None => rich_text("rich_text_section", &rich::to_elements(inlines, CELL_MAX)),
        }
    };
    let row = |row: &Vec<Text>| -> Value {
        let missing = columns.saturating_sub(row.len());
        row.iter().map(cell).chain(std::iter::repeat_n(raw(" "), missing)).collect()
    };
    json!({ "type": "table", "rows": rows.iter().map(row).collect::<Vec<_>>() })
}

/// Returns a text as markup that is not cut yet.
fn mrkdwn(text: &Text, sanitizer: &Sanitizer) -> Mrkdwn {
    match text {
        Text::Plain(text) => escape(text),
        Text::Mrkdwn(markup) => sanitizer.mrkdwn(markup),
        Text::Rich(spans) => rich::to_mrkdwn(spans, sanitizer),
    }
}

/// Returns a text object, a plain one where that shows the same; `None` if it would show nothing.
fn text_object(text: &Text, max_chars: usize, sanitizer: &Sanitizer) -> Option<Value> {
    let shown = |markup: Mrkdwn| (!markup.is_blank()).then(|| mrkdwn_object(markup, max_chars));
    let plain = |text: &str| (!text.trim().is_empty()).then(|| plain_text(text, max_chars));
    match text {
        Text::Plain(text) => plain(text),
        Text::Rich(spans) => match rich::as_plain(&rich::inlines(text, sanitizer)) {
            Some(text) => plain(&text),
            None => shown(rich::to_mrkdwn(spans, sanitizer)),
        },
        Text::Mrkdwn(markup) => shown(sanitizer.mrkdwn(markup)),
    }
}

/// Returns a plain text object. `emoji: false`, or Slack would show `:skull:` as an emoji.
fn plain_text(foreign: &str, max_chars: usize) -> Value {
    let text = clean(foreign);
    json!({ "type": "plain_text", "text": cut(&text, max_chars), "emoji": false })
}

/// Returns a markup object. `verbatim`, or Slack would link URLs, channels and names in it.
fn mrkdwn_object(text: Mrkdwn, max_chars: usize) -> Value {
    json!({ "type": "mrkdwn", "text": text.cut(max_chars).into_string(), "verbatim": true })
}

/// Returns the URL, normalized; anything but an http or https URL stays, for the linter to name.
fn url(text: &str) -> String {
    web_url(text).map_or_else(|| one_line(text), String::from)
}

fn color_name(color: Color) -> String {
    match color {
        Color::Good => "good".to_owned(),
        Color::Warning => "warning".to_owned(),
        Color::Danger => "danger".to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

#[cfg(test)]
#[path = "block_kit_tests.rs"]
mod tests;
