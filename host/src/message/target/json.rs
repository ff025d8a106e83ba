//! A program that takes JSON: no chat, but whatever has a URL. What it gets is the JSON form of a message, or what a template of
//! the configuration makes of it ([`BodyTemplate`](super::super::body_template::BodyTemplate)).
//!
//! | field | value |
//! | --- | --- |
//! | `version` | 1; another number means that a field has another meaning |
//! | `text` | the message as plain text; a link's target is in parentheses after it |
//! | `html` | the message with the tags `b`, `i`, `s`, `code`, `pre`, `a` and `br` |
//! | `title` | the heading that it begins with, if there is one |
//! | `color` | `#rrggbb`, if it has one |
//! | `priority` | 1 (lowest) to 5 (highest); 3 is usual |
//! | `links` | its buttons, each with `label` and `url` |
//! | `images` | its pictures, each with `url` and `alt` |
//! | `event` | of a message about one event: `id`, `kind`, `at`, `host`, `jail`, …, as they are |
//! | `digest` | of a digest: `cause`, `first`, `last` and counts |

use blockkit::limits::HEADER_MAX;
use blockkit::text::{cut, one_line};
use blockkit::web_url;
use serde_json::{Map, Value, json};

use super::super::facts::Facts;
use super::super::guard_error::GuardError;
use super::super::hints::Hints;
use super::super::html::html;
use super::super::model::{Block, Color, Image, Message};
use super::super::paragraphs::{Paragraph, ParagraphKind, Run, blocks, fitting, paragraphs, plain_text, unlink};
use super::super::sanitizer::Sanitizer;
use super::super::slack_compatible::bar;
use super::super::unlinked::Unlinked;
use super::service::{Access, HttpAnswer, Service, Verdict};

/// A program.
pub(super) struct Json;

/// The version of the JSON form.
const VERSION: u8 = 1;
/// Bytes of `text` and `html` each: what the smallest of the services in the documentation takes, Google Chat, is 32,000 for all.
const TEXT_BYTES_MAX: usize = 14_000;
/// Pictures and links, each.
const LISTED_MAX: usize = 25;

/// Whoever shows the texts may find links in them.
const UNLINKED: Unlinked = Unlinked { signs: "", addresses: false, code: true };

impl Service for Json {
    fn key(&self) -> &'static str {
        "json"
    }

    fn name(&self) -> &'static str {
        "the JSON webhook"
    }

    fn access(&self) -> Access {
        Access::Program
    }

    fn public_words(&self) -> &'static [&'static str] {
        &[]
    }

    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let (paragraphs, images) = self.shown(message, sanitizer)?;
        let mut form = Map::from_iter([
            ("version".to_owned(), json!(VERSION)),
            ("text".to_owned(), json!(plain_text(&paragraphs))),
            ("html".to_owned(), json!(html(&paragraphs))),
            ("priority".to_owned(), json!(priority(message))),
        ]);
        form.extend(title(message).map(|title| ("title".to_owned(), json!(title))));
        form.extend(message.color.map(|color| ("color".to_owned(), json!(bar(color)))));
        let links = links(message);
        if !links.is_empty() {
            form.insert("links".to_owned(), links.into());
        }
        if !images.is_empty() {
            let image =
                |image: &Image| json!({ "url": web_url(&image.url).map(String::from), "alt": label(&image.alt) });
            form.insert("images".to_owned(), images.iter().take(LISTED_MAX).map(image).collect());
        }
        Ok(Value::Object(form))
    }

    fn preview(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let (paragraphs, images) = self.shown(message, sanitizer)?;
        let mut shown = blocks(&paragraphs);
        shown.extend(
            images
                .iter()
                .take(LISTED_MAX)
                .map(|image| json!({ "type": "image", "image_url": image.url, "alt_text": image.alt })),
        );
        let priority =
            json!({ "type": "plain_text", "text": format!("priority {}", priority(message)), "emoji": false });
        shown.push(json!({ "type": "context", "elements": [priority] }));
        let mut attachment = Map::from_iter([("blocks".to_owned(), shown.into())]);
        attachment.extend(message.color.map(|color| ("color".to_owned(), json!(bar(color)))));
        Ok(json!({ "attachments": [attachment] }))
    }

    fn add_note(&self, body: &mut Value, note: &str) {
        let run = Run { text: UNLINKED.of(&one_line(note), None, None), ..Run::default() };
        let note = [Paragraph { kind: ParagraphKind::Text, runs: vec![run] }];
        for (name, note) in
            [("text", format!("\n\n{}", plain_text(&note))), ("html", format!("<br><br>{}", html(&note)))]
        {
            if let Some(Value::String(text)) = body.get_mut(name)
                && text.len() + note.len() <= TEXT_BYTES_MAX
            {
                text.push_str(&note);
            }
        }
    }

    fn add_facts(&self, body: &mut Value, facts: Facts<'_>) {
        if let Some(form) = body.as_object_mut() {
            let (name, facts) = facts.to_json();
            form.insert(name.to_owned(), facts);
        }
    }

    /// The configuration may say what else an answer must have.
    fn accepts(&self, _answer: &HttpAnswer<'_>) -> bool {
        true
    }

    fn verdict(&self, _answer: &HttpAnswer<'_>) -> Option<Verdict> {
        None
    }

    fn known_errors(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn answer_bytes(&self) -> usize {
        64 << 10
    }
}

impl Json {
    fn shown(&self, message: &Message, sanitizer: &Sanitizer) -> Result<(Vec<Paragraph>, Vec<Image>), GuardError> {
        let (paragraphs, images) = paragraphs(message, sanitizer);
        // Cut first: an ellipsis may complete a link.
        let paragraphs = fitting(paragraphs, |paragraphs| {
            let paragraphs = unlink(paragraphs, UNLINKED);
            plain_text(&paragraphs).len() <= TEXT_BYTES_MAX && html(&paragraphs).len() <= TEXT_BYTES_MAX
        });
        let paragraphs = unlink(&paragraphs, UNLINKED);
        if plain_text(&paragraphs).trim().is_empty() && images.is_empty() {
            return Err(GuardError::Empty(self.name()));
        }
        Ok((paragraphs, images))
    }
}

fn title(message: &Message) -> Option<String> {
    let Some(Block::Header(header)) = message.blocks.first() else { return None };
    let title = cut(&one_line(header), HEADER_MAX).into_owned();
    Some(UNLINKED.of(&title, None, None)).filter(|title| !title.trim().is_empty())
}

fn priority(message: &Message) -> u8 {
    Hints::of(message).priority.unwrap_or(match message.color {
        Some(Color::Danger) => 4,
        Some(Color::Good) => 2,
        Some(Color::Warning | Color::Rgb(..)) | None => 3,
    })
}

fn links(message: &Message) -> Vec<Value> {
    let buttons = message.blocks.iter().filter_map(|block| match block {
        Block::Buttons(buttons) => Some(buttons),
        _ => None,
    });
    let link = |url: url::Url, text: &str| json!({ "label": label(text), "url": String::from(url) });
    buttons.flatten().filter_map(|button| Some(link(web_url(&button.url)?, &button.label))).take(LISTED_MAX).collect()
}

fn label(text: &str) -> String {
    UNLINKED.of(&cut(&one_line(text), HEADER_MAX), None, None)
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
