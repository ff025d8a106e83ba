//! The message as a plugin decides it: Rust's mirror of `wit/messages.wit`, with a JSON form for golden files.
//!
//! Plain data. A target's module makes a body of it, and `guard` decides whether that may go out.

use serde::{Deserialize, Serialize};

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
    /// Without a style.
    Text(String),
    /// In bold.
    Bold(String),
    /// In italics.
    Italic(String),
    /// Struck through.
    Strike(String),
    /// Monospaced.
    Code(String),
    /// An emoji by Slack's name, without colons.
    Emoji(String),
    /// A link.
    Link(Link),
    /// A time, shown in the reader's own time zone.
    Date(Timestamp),
}

/// A link; becomes plain text unless `url` parses as http or https.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The text that is shown. Empty: the URL.
    pub label: String,
    /// The address.
    pub url: String,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A heading: large, bold, plain text.
    Header(String),
    /// Text and fields.
    Section(Section),
    /// Small, grey texts.
    Context(Vec<Text>),
    /// A horizontal line.
    Divider,
    /// A picture.
    Image(Image),
    /// Links that look like buttons.
    Buttons(Vec<Button>),
    /// Monospaced.
    Preformatted(String),
    /// Rows of plain cells; the first row is the heading.
    Table(Vec<Vec<String>>),
    /// Block Kit JSON: one block, or an array.
    Raw(String),
}

/// Text, or fields in two columns, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Above the fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// Two columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
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
