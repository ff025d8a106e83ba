//! What a service without blocks shows of a message, as blocks: for a preview, which draws blocks. It is made of the parts
//! that the writer writes, cut as it cuts them, and not of its Markdown.

use blockkit::emoji;
use blockkit::inline::{Inline, Mention, Style};
use serde_json::{Value, json};

use super::super::model::{Image, Message};
use super::super::rich::to_elements;
use super::super::sanitizer::Sanitizer;
use super::layout::Part;
use super::writer::Writer;
use super::{Dialect, Shown, bar, shown};

/// Returns a body with blocks that look as the service shows the message; `None` if it shows nothing.
pub(in crate::message) fn preview(message: &Message, sanitizer: &Sanitizer, dialect: &dyn Dialect) -> Option<Value> {
    let Shown { parts, images, color, attached, text_max } = shown(message, sanitizer, dialect);
    let mut blocks = Vec::new();
    Writer(dialect).write_each(&parts, text_max, |part| blocks.push(block(part, dialect)));
    let pictures = images.iter().map(picture);
    if blocks.is_empty() && images.is_empty() {
        return None;
    }
    if !attached {
        blocks.extend(pictures);
        return Some(json!({ "blocks": blocks }));
    }
    let mut attachments = vec![json!({ "blocks": blocks })];
    if let (Some(color), Some(attachment)) = (color, attachments.first_mut()) {
        attachment["color"] = json!(bar(color));
    }
    attachments.extend(pictures.map(|picture| json!({ "blocks": [picture] })));
    Some(json!({ "attachments": attachments }))
}

fn block(part: &Part, dialect: &dyn Dialect) -> Value {
    let rich = |kind: &str, inlines: &[Inline]| {
        let elements = to_elements(inlines.iter().map(|inline| as_shown(inline, dialect)).collect(), usize::MAX);
        json!({ "type": "rich_text", "elements": [{ "type": kind, "elements": elements }] })
    };
    match part {
        Part::Text(inlines) => rich("rich_text_section", inlines),
        Part::Heading(text) => {
            json!({ "type": "header", "text": { "type": "plain_text", "text": text, "emoji": false } })
        }
        Part::Divider => json!({ "type": "divider" }),
        Part::Code(text) => rich("rich_text_preformatted", &[Inline::Text(text.clone(), Style::default())]),
        Part::Item(marker, inlines) => {
            let marker = Inline::Text(marker.clone(), Style::default());
            rich("rich_text_section", &[&[marker], &inlines[..]].concat())
        }
        Part::Quote(inlines) => rich("rich_text_quote", inlines),
    }
}

/// Returns a piece as the service shows it: some of what Slack knows is text there.
fn as_shown(inline: &Inline, dialect: &dyn Dialect) -> Inline {
    let text = |text: String| Inline::Text(text, Style::default());
    match inline {
        Inline::Mention(Mention::User(who)) if dialect.mention_one(&who.id).is_none() => {
            text(format!("@{}", who.shown()))
        }
        Inline::Mention(Mention::Group(who)) if dialect.mention_group(&who.id).is_none() => {
            text(format!("@{}", who.shown()))
        }
        Inline::Emoji(name, _) if emoji::by_name(name).is_none() => text(format!(":{name}:")),
        inline => inline.clone(),
    }
}

fn picture(image: &Image) -> Value {
    json!({ "type": "image", "image_url": image.url, "alt_text": image.alt })
}
