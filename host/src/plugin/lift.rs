//! Lifts decisions and messages: the types generated from `wit/` as banhook's own. Every text and list in them is bounded
//! here.

use super::bindings::banhook::plugin::messages as wit;
use super::bindings::exports::banhook::plugin::{checker, digester, formatter};
use super::error::SettingProblem;
use super::{Limits, PluginError};
use crate::event::Timestamp;
use crate::message::{
    Block, Button, ButtonStyle, Color, Decision, DigestDecision, Field, Hold, Image, Link, Message, Section, Span, Text,
};

/// Bytes of each text about a setting.
const PROBLEM_BYTES: usize = 1_000;

/// The bounds of one decision; each of its texts and lists passes here.
struct Bounds<'a>(&'a Limits);

/// Lifts a decision.
///
/// # Errors
/// When a text or list is longer than the limits allow.
pub(super) fn decision(decision: formatter::Decision, limits: &Limits) -> Result<Decision, PluginError> {
    let bounds = Bounds(limits);
    Ok(match decision {
        formatter::Decision::Post(post) => Decision::Post(bounds.message(post)?),
        formatter::Decision::Skip(reason) => Decision::Skip(bounds.string("a reason", reason)?),
        formatter::Decision::Hold(hold) => Decision::Hold(Hold {
            key: bounds.string("a key", hold.key)?,
            until: hold.until.map(until).transpose()?,
            tags: bounds.tags(hold.tags)?,
            hints: bounds.hints(hold.hints)?,
        }),
    })
}

/// Lifts a decision on a digest.
///
/// # Errors
/// As [`decision`].
pub(super) fn digest_decision(decision: digester::Decision, limits: &Limits) -> Result<DigestDecision, PluginError> {
    let bounds = Bounds(limits);
    Ok(match decision {
        digester::Decision::Post(post) => DigestDecision::Post(bounds.message(post)?),
        digester::Decision::Skip(reason) => DigestDecision::Skip(bounds.string("a reason", reason)?),
        digester::Decision::Hold(at) => DigestDecision::Hold(until(at)?),
    })
}

/// Lifts what a plugin found in its settings. Texts are cut.
pub(super) fn problem(problem: checker::Problem) -> SettingProblem {
    SettingProblem {
        setting: problem.setting.map(|setting| shortened(setting, PROBLEM_BYTES)),
        line: problem.line,
        is_warning: problem.level == checker::Level::Warn,
        message: shortened(problem.message, PROBLEM_BYTES),
    }
}

/// Cuts a text.
pub(super) fn shortened(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// A time at which something is to happen.
fn until(ms: f64) -> Result<Timestamp, PluginError> {
    if ms.is_nan() { Err(PluginError::NotANumber("a time (until)")) } else { Ok(timestamp(ms)) }
}

impl Bounds<'_> {
    fn string(&self, what: &'static str, text: String) -> Result<String, PluginError> {
        let (found, allowed) = (text.len(), self.0.text);
        if found <= allowed { Ok(text) } else { Err(PluginError::TooLong { what, found, allowed, limit: "text" }) }
    }

    fn list<T, U>(
        &self,
        what: &'static str,
        list: Vec<T>,
        each: impl FnMut(T) -> Result<U, PluginError>,
    ) -> Result<Vec<U>, PluginError> {
        let (found, allowed) = (list.len(), self.0.items);
        if found > allowed {
            return Err(PluginError::TooLong { what, found, allowed, limit: "items" });
        }
        list.into_iter().map(each).collect()
    }

    fn hints(&self, hints: Option<Vec<(String, String)>>) -> Result<Vec<(String, String)>, PluginError> {
        let hint = |(name, value)| Ok((self.string("a hint", name)?, self.string("a hint", value)?));
        self.list("a list of hints", hints.unwrap_or_default(), hint)
    }

    fn tags(&self, tags: Option<Vec<String>>) -> Result<Vec<String>, PluginError> {
        self.list("a list of tags", tags.unwrap_or_default(), |tag| self.string("a tag", tag))
    }

    fn message(&self, message: wit::Message) -> Result<Message, PluginError> {
        Ok(Message {
            text: self.text(message.text)?,
            blocks: self.list("a list of blocks", message.blocks.unwrap_or_default(), |block| self.block(block))?,
            color: message.color.map(|color| match color {
                wit::Color::Good => Color::Good,
                wit::Color::Warning => Color::Warning,
                wit::Color::Danger => Color::Danger,
            }),
            hints: self.hints(message.hints)?,
            tags: self.tags(message.tags)?,
        })
    }

    fn text(&self, text: wit::Text) -> Result<Text, PluginError> {
        Ok(match text {
            wit::Text::Plain(text) => Text::Plain(self.string("a text", text)?),
            wit::Text::Mrkdwn(text) => Text::Mrkdwn(self.string("a text", text)?),
            wit::Text::Rich(spans) => Text::Rich(self.list("a list of spans", spans, |span| self.span(span))?),
        })
    }

    fn span(&self, span: wit::Span) -> Result<Span, PluginError> {
        let string = |text| self.string("a span", text);
        Ok(match span {
            wit::Span::Text(text) => Span::Text(string(text)?),
            wit::Span::Bold(text) => Span::Bold(string(text)?),
            wit::Span::Italic(text) => Span::Italic(string(text)?),
            wit::Span::Strike(text) => Span::Strike(string(text)?),
            wit::Span::Code(text) => Span::Code(string(text)?),
            wit::Span::Emoji(name) => Span::Emoji(string(name)?),
            wit::Span::Link(link) => Span::Link(Link { label: string(link.label)?, url: string(link.url)? }),
            wit::Span::Date(at) => Span::Date(timestamp(at)),
        })
    }

    fn block(&self, block: wit::Block) -> Result<Block, PluginError> {
        let string = |text| self.string("a text", text);
        Ok(match block {
            wit::Block::Header(text) => Block::Header(string(text)?),
            wit::Block::Section(section) => Block::Section(Section {
                text: section.text.map(|text| self.text(text)).transpose()?,
                fields: self.list("a list of fields", section.fields.unwrap_or_default(), |field| {
                    Ok(Field { label: string(field.label)?, value: self.text(field.value)? })
                })?,
            }),
            wit::Block::Context(texts) => Block::Context(self.list("a list of texts", texts, |text| self.text(text))?),
            wit::Block::Divider => Block::Divider,
            wit::Block::Image(image) => Block::Image(Image {
                url: string(image.url)?,
                alt: string(image.alt)?,
                title: image.title.map(string).transpose()?,
            }),
            wit::Block::Buttons(buttons) => {
                Block::Buttons(self.list("a list of buttons", buttons, |button| self.button(button))?)
            }
            wit::Block::Preformatted(text) => Block::Preformatted(string(text)?),
            wit::Block::Table(rows) => Block::Table(self.list("a list of rows", rows, |row| {
                self.list("a row of cells", row, |cell| self.string("a cell", cell))
            })?),
            wit::Block::Raw(json) => Block::Raw(self.string("a raw block", json)?),
        })
    }

    fn button(&self, button: wit::Button) -> Result<Button, PluginError> {
        Ok(Button {
            label: self.string("a button's label", button.label)?,
            url: self.string("a button's URL", button.url)?,
            style: button.style.map(|style| match style {
                wit::ButtonStyle::Primary => ButtonStyle::Primary,
                wit::ButtonStyle::Danger => ButtonStyle::Danger,
            }),
        })
    }
}

/// A time that a plugin gave; saturates, and NaN is the epoch.
#[allow(clippy::cast_possible_truncation, reason = "saturates, as documented")]
pub(super) const fn timestamp(ms: f64) -> Timestamp {
    Timestamp(ms as i64)
}
