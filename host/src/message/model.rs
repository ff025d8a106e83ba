//! The message as a plugin decides it: Rust's mirror of `wit/messages.wit`, with a JSON form for golden files.
//!
//! Plain data. A target's module makes a body of it, and `guard` decides whether that may go out.

use serde::{Deserialize, Serialize};

use super::figure::Figure;
use crate::event::Timestamp;

/// What a plugin decides on an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Send a message now.
    Post(Message),
    /// Send nothing, for this reason.
    Skip(String),
    /// Hold it for a digest with others.
    Hold(Hold),
}

/// What a plugin decides on a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestDecision {
    /// Send a message now.
    Post(Message),
    /// Send nothing, for this reason.
    Skip(String),
    /// Keep it open until then.
    Hold(Timestamp),
}

/// Which digest an event joins, and when that closes at the latest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Events of one route with the same key join the same digest.
    pub key: String,
    /// `None`: after the route's `digest_window`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What the event counts as in the digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Names and values for what has no field here; none is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<(String, String)>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The notification, and the whole message on a target without blocks.
    pub text: Text,
    /// The blocks that the channel shows. Empty: it shows `text`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
    /// The colour of the bar at the left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// Names and values for what has no field here; see `hints`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<(String, String)>,
    /// What its event counts as in a digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The conversation that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name of the message that it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// The colour of a message's bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Color {
    /// Green.
    Good,
    /// Yellow.
    Warning,
    /// Red.
    Danger,
    /// Red, green and blue.
    Rgb(u8, u8, u8),
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Text {
    /// Text that is shown exactly as it is.
    Plain(String),
    /// Slack's mrkdwn, written by the plugin.
    Mrkdwn(String),
    /// Pieces with a style each; the host escapes them.
    Rich(Vec<Span>),
}

/// Empty text.
impl Default for Text {
    fn default() -> Self {
        Self::Plain(String::new())
    }
}

/// A piece of rich text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Text, shown exactly as it is.
    Text(Styled),
    /// An emoji by Slack's name, without colons.
    Emoji(String),
    /// A link.
    Link(Link),
    /// A time, shown in the reader's own time zone.
    Date(Date),
    /// A mention, or text where the route allows none.
    Mention(Mention),
}

/// Text with a style. In JSON a string, if it has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StyledJson", into = "StyledJson")]
pub struct Styled {
    /// The text.
    pub text: String,
    /// Its style.
    pub style: Style,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a string, or an object with \"text\" and styles")]
enum StyledJson {
    Plain(String),
    Styled {
        text: String,
        #[serde(flatten)]
        style: Style,
    },
}

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Style {
    /// In bold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bold: bool,
    /// In italics.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub italic: bool,
    /// Struck through.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strike: bool,
    /// Monospaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub code: bool,
}

/// A link; becomes plain text unless `url` parses as http or https.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The text that is shown. `None`: the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The address.
    pub url: String,
    /// Its style.
    #[serde(default, skip_serializing_if = "Style::is_plain")]
    pub style: Style,
}

/// A time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Date {
    /// When.
    pub at: Timestamp,
    /// How it is shown.
    #[serde(default, skip_serializing_if = "DateFormat::is_default")]
    pub format: DateFormat,
}

/// How a time is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateFormat {
    /// The day and the time.
    #[default]
    DateTime,
    /// The day.
    Date,
    /// The time of the day.
    Time,
    /// How long ago it is.
    Relative,
}

/// Who is notified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mention {
    /// A user, by the target's own id.
    User(String),
    /// A group of users, by the target's own id.
    Group(String),
    /// Everybody in the channel.
    Channel,
    /// Everybody in the channel who is there.
    Here,
}

impl Span {
    /// Returns text without a style.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::styled(text, Style::default())
    }

    /// Returns monospaced text.
    pub(crate) fn code(text: impl Into<String>) -> Self {
        Self::styled(text, Style { code: true, ..Style::default() })
    }

    /// Returns text with a style.
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self::Text(Styled { text: text.into(), style })
    }
}

impl Style {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl DateFormat {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl From<StyledJson> for Styled {
    fn from(json: StyledJson) -> Self {
        match json {
            StyledJson::Plain(text) => Self { text, style: Style::default() },
            StyledJson::Styled { text, style } => Self { text, style },
        }
    }
}

impl From<Styled> for StyledJson {
    fn from(Styled { text, style }: Styled) -> Self {
        if style.is_plain() { Self::Plain(text) } else { Self::Styled { text, style } }
    }
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A heading: large, bold, plain text.
    Header(String),
    /// Text and fields.
    Section(Section),
    /// Small, grey texts and pictures.
    Context(Vec<ContextElement>),
    /// A horizontal line.
    Divider,
    /// A picture.
    Image(Image),
    /// Links that look like buttons.
    Buttons(Vec<Button>),
    /// Monospaced.
    Preformatted(String),
    /// Rows of cells; the first row is the heading.
    Table(Vec<Vec<Text>>),
    /// Block Kit JSON: one block, or an array.
    Raw(String),
    /// A list with bullets.
    Bullets(Vec<Text>),
    /// A list with numbers.
    Numbers(Vec<Text>),
    /// A quotation.
    Quote(Text),
    /// A chart or a table of banhook's own.
    #[serde(skip)]
    Figure(Figure),
}

/// A piece of a [`Block::Context`]. In JSON a text is itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text, or {\"image\": …}")]
pub enum ContextElement {
    /// A text.
    Text(Text),
    /// A small picture.
    Image {
        /// The picture.
        image: Thumbnail,
    },
}

/// A small picture from the web.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thumbnail {
    /// http or https.
    pub url: String,
    /// The alternative text, for people who cannot see it.
    pub alt: String,
}

/// Text, or fields in two columns, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Above the fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// Two columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// At the right of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessory: Option<Thumbnail>,
}

/// The label in bold above the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Plain.
    pub label: String,
    /// Below it.
    pub value: Text,
}

/// A picture from the web.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// http or https.
    pub url: String,
    /// The alternative text, for people who cannot see it.
    pub alt: String,
    /// Above the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A link that looks like a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    /// The text on the button.
    pub label: String,
    /// http or https.
    pub url: String,
    /// `None`: neutral.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<ButtonStyle>,
}

/// How a button looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonStyle {
    /// Green.
    Primary,
    /// Red.
    Danger,
}
