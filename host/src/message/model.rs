//! The message as a plugin decides it: Rust's mirror of `wit/messages.wit`, with a JSON form for golden files.
//!
//! Plain data. What it becomes for a target is `slack`'s business, and whether it may go out is `guard`'s.

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Tell it now.
    Post(Message),
    /// Not worth a message, and why.
    Skip(String),
    /// Hold it, to be told together with others.
    Digest(Hold),
}

/// With which others an event is told, and when at the latest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Events of one route with the same key come in one digest.
    pub key: String,
    /// `None`: the route's window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The notification, and all that a target without blocks shows.
    pub text: Text,
    /// What the channel shows; empty: `text` is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
    /// The bar at the left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// The escape hatch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<(String, String)>,
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
    /// Shown exactly as it is.
    Plain(String),
    /// Slack's mrkdwn, written by the plugin.
    Mrkdwn(String),
    /// Pieces with formatting, each escaped by the host.
    Rich(Vec<Span>),
}

/// A piece of rich text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// As it is.
    Text(String),
    /// In bold.
    Bold(String),
    /// In italics.
    Italic(String),
    /// Struck through.
    Strike(String),
    /// Monospaced.
    Code(String),
    /// By Slack's name, without colons.
    Emoji(String),
    /// A link.
    Link(Link),
    /// A moment, in the reader's own time zone.
    Date(Timestamp),
}

/// A link; becomes plain text unless `url` parses as http or https.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// What is shown; empty: the URL.
    pub label: String,
    /// Where it leads.
    pub url: String,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// Large and bold, plain.
    Header(String),
    /// The usual text.
    Section(Section),
    /// Small and grey.
    Context(Vec<Text>),
    /// A line across.
    Divider,
    /// A picture.
    Image(Image),
    /// Links that look like buttons.
    Buttons(Vec<Button>),
    /// Monospaced.
    Preformatted(String),
    /// Rows of plain cells, the first is the heading.
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
    /// For those who cannot see it.
    pub alt: String,
    /// Above the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A link that looks like a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    /// What stands on it.
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
