//! Lifts decisions and messages: the types generated from `wit/` as banhook's own. Every text and list in them is bounded
//! here.

use super::bindings::banhook::plugin::messages as wit;
use super::bindings::exports::banhook::plugin::{checker, descriptor, digester, formatter};
use super::description::{Description, SettingDescription, SettingKind};
use super::error::SettingProblem;
use super::{Limits, PluginError};
use crate::event::Timestamp;
use crate::message::{
    Block, Button, ButtonStyle, Color, ContextElement, Date, DateFormat, Decision, DigestDecision, Field, Hold, Image,
    Link, Mention, Message, Section, Span, Style, Text, Thumbnail, cut, one_line,
};

/// Characters of a plugin's name, and settings that it may have, as `wit/exports.wit` promises.
const NAME_CHARS: usize = 100;
const SETTINGS: usize = 200;

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

/// Lifts what a plugin says of itself, with the name of a hint that is not known. Texts and lists are cut.
pub(super) fn description(description: descriptor::Description) -> (Description, Option<String>) {
    let name = |text: String| one_line(&cut(&text, NAME_CHARS));
    let setting = |setting: descriptor::Setting| {
        let kind = match setting.kind {
            descriptor::SettingKind::Text => SettingKind::Text,
            descriptor::SettingKind::Lines => SettingKind::Lines,
            descriptor::SettingKind::Number => SettingKind::Number,
            descriptor::SettingKind::Boolean => SettingKind::Boolean,
        };
        SettingDescription {
            name: shortened(setting.name, PROBLEM_BYTES),
            kind,
            description: shortened(setting.description, PROBLEM_BYTES),
            default: setting.default.map(|text| shortened(text, PROBLEM_BYTES)),
        }
    };
    let lifted = Description {
        name: name(description.name),
        version: description.version.map(name),
        settings: description.settings.into_iter().take(SETTINGS).map(setting).collect(),
    };
    (lifted, description.hints.unwrap_or_default().into_iter().next().map(|(name, _)| name))
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

    fn key(&self, key: Option<String>) -> Result<Option<String>, PluginError> {
        key.map(|key| self.string("a thread or name", key)).transpose()
    }

    fn message(&self, message: wit::Message) -> Result<Message, PluginError> {
        Ok(Message {
            text: self.text(message.text)?,
            blocks: self.list("a list of blocks", message.blocks.unwrap_or_default(), |block| self.block(block))?,
            color: message.color.map(|color| match color {
                wit::Color::Good => Color::Good,
                wit::Color::Warning => Color::Warning,
                wit::Color::Danger => Color::Danger,
                wit::Color::Rgb((red, green, blue)) => Color::Rgb(red, green, blue),
            }),
            hints: self.hints(message.hints)?,
            tags: self.tags(message.tags)?,
            thread: self.key(message.thread)?,
            name: self.key(message.name)?,
            replaces: self.key(message.replaces)?,
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
            wit::Span::Text(styled) => Span::styled(string(styled.text)?, style(styled.style)),
            wit::Span::Emoji(name) => Span::Emoji(string(name)?),
            wit::Span::Link(link) => Span::Link(Link {
                label: link.label.map(string).transpose()?,
                url: string(link.url)?,
                style: style(link.style),
            }),
            wit::Span::Date(date) => Span::Date(Date { at: timestamp(date.at), format: date_format(date.format) }),
            wit::Span::Mention(mention) => Span::Mention(match mention {
                wit::Mention::User(id) => Mention::User(string(id)?),
                wit::Mention::Group(id) => Mention::Group(string(id)?),
                wit::Mention::Channel => Mention::Channel,
                wit::Mention::Here => Mention::Here,
            }),
        })
    }

    fn block(&self, block: wit::Block) -> Result<Block, PluginError> {
        let string = |text| self.string("a text", text);
        let items = |items| self.list("a list of items", items, |item| self.text(item));
        Ok(match block {
            wit::Block::Header(text) => Block::Header(string(text)?),
            wit::Block::Section(section) => Block::Section(Section {
                text: section.text.map(|text| self.text(text)).transpose()?,
                fields: self.list("a list of fields", section.fields.unwrap_or_default(), |field| {
                    Ok(Field { label: string(field.label)?, value: self.text(field.value)? })
                })?,
                accessory: section.accessory.map(|image| self.thumbnail(image)).transpose()?,
            }),
            wit::Block::Context(elements) => {
                Block::Context(self.list("a list of texts", elements, |element| self.context_element(element))?)
            }
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
            wit::Block::Table(rows) => Block::Table(
                self.list("a list of rows", rows, |row| self.list("a row of cells", row, |cell| self.text(cell)))?,
            ),
            wit::Block::Raw(json) => Block::Raw(self.string("a raw block", json)?),
            wit::Block::Bullets(list) => Block::Bullets(items(list)?),
            wit::Block::Numbers(list) => Block::Numbers(items(list)?),
            wit::Block::Quote(text) => Block::Quote(self.text(text)?),
        })
    }

    fn context_element(&self, element: wit::ContextElement) -> Result<ContextElement, PluginError> {
        Ok(match element {
            wit::ContextElement::Text(text) => ContextElement::Text(self.text(text)?),
            wit::ContextElement::Image(image) => ContextElement::Image { image: self.thumbnail(image)? },
        })
    }

    fn thumbnail(&self, image: wit::Thumbnail) -> Result<Thumbnail, PluginError> {
        Ok(Thumbnail { url: self.string("a URL", image.url)?, alt: self.string("a text", image.alt)? })
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

fn style(style: Option<wit::Style>) -> Style {
    let style = style.unwrap_or(wit::Style::empty());
    let has = |one| style.contains(one);
    Style {
        bold: has(wit::Style::BOLD),
        italic: has(wit::Style::ITALIC),
        strike: has(wit::Style::STRIKE),
        code: has(wit::Style::CODE),
    }
}

fn date_format(format: Option<wit::DateFormat>) -> DateFormat {
    match format {
        None | Some(wit::DateFormat::DateTime) => DateFormat::DateTime,
        Some(wit::DateFormat::Date) => DateFormat::Date,
        Some(wit::DateFormat::Time) => DateFormat::Time,
        Some(wit::DateFormat::Relative) => DateFormat::Relative,
    }
}

/// A time that a plugin gave; saturates, and NaN is the epoch.
#[allow(clippy::cast_possible_truncation, reason = "saturates, as documented")]
pub(super) const fn timestamp(ms: f64) -> Timestamp {
    Timestamp(ms as i64)
}
