//! Text within a line, as Slack reads it: the common form of mrkdwn and of `rich_text` elements.
//!
//! A preview, or a conversion to another chat's markup, starts from these pieces, so that Slack's markup is parsed in
//! one place ([`mrkdwn`](crate::mrkdwn)) and everything else only writes text of its own.

use serde_json::Value;

use crate::emoji;
use crate::text::{self, ELLIPSIS, clean};

/// The formatting of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// `*bold*`
    pub bold: bool,
    /// `_italic_`
    pub italic: bool,
    /// `~strike~`
    pub strike: bool,
    /// Inline code.
    pub code: bool,
    /// Underlined; only `rich_text` has it.
    pub underline: bool,
}

/// A piece of text. Its strings hold line feeds and tabs, but no other hidden character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// Literal text.
    Text(String, Style),
    /// A block of code within mrkdwn.
    Preformatted(String),
    /// An emoji, by Slack's name.
    Emoji(String, Style),
    /// A link. Its URL is not checked: see [`web_url`](crate::web_url).
    Link {
        /// Its target.
        url: String,
        /// The text to show; `None`: the URL.
        label: Option<String>,
        /// Its formatting.
        style: Style,
    },
    /// A point in time, which Slack shows in the reader's time zone.
    Date {
        /// Seconds since 1970.
        seconds: i64,
        /// How Slack shows it: text with `{date}`, `{time}` and the like.
        format: String,
        /// The text to show where the reader's time zone is not known.
        fallback: String,
        /// Its formatting.
        style: Style,
    },
    /// A mention.
    Mention(Mention),
    /// A channel's name or id.
    Channel(String),
    /// The start of a quoted line.
    Quote,
    /// An element that is not drawn, by its type.
    Other(String),
}

/// The people whom a mention notifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mention {
    /// `here`, `channel` or `everyone`.
    All(String),
    /// A user.
    User(Mentioned),
    /// A group of users, or a whole team.
    Group(Mentioned),
}

/// Somebody whom a mention notifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mentioned {
    /// The id.
    pub id: String,
    /// The name to show; `None`: the id.
    pub name: Option<String>,
}

impl Mentioned {
    /// Returns somebody of whom only the id is known.
    #[must_use]
    pub fn by_id(id: impl Into<String>) -> Self {
        Self { id: id.into(), name: None }
    }

    /// Returns what a reader sees.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.id)
    }
}

impl Inline {
    /// Returns its text as a reader sees it, without formatting.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text, _) | Self::Preformatted(text) => text.clone(),
            Self::Emoji(name, _) => emoji::by_name(name).unwrap_or_else(|| format!(":{name}:")),
            Self::Link { url, label, .. } => label.as_ref().unwrap_or(url).clone(),
            Self::Date { fallback, .. } => fallback.clone(),
            Self::Mention(Mention::All(name)) => format!("@{name}"),
            Self::Mention(Mention::User(who) | Mention::Group(who)) => format!("@{}", who.shown()),
            Self::Channel(name) => format!("#{name}"),
            Self::Quote => String::new(),
            Self::Other(name) => format!("[{name}]"),
        }
    }
}

/// Returns at most `max_chars` characters as a reader sees them, with an ellipsis at the end if something was cut. Only
/// text is cut; other pieces are kept whole or left out.
#[must_use]
pub fn cut(inlines: Vec<Inline>, max_chars: usize) -> Vec<Inline> {
    let length = |inline: &Inline| inline.shown().chars().count();
    if inlines.iter().map(length).sum::<usize>() <= max_chars {
        return inlines;
    }
    let mut left = max_chars.saturating_sub(1);
    let mut kept = Vec::new();
    for inline in inlines {
        let length = length(&inline);
        if length <= left {
            left -= length;
            kept.push(inline);
            continue;
        }
        match inline {
            Inline::Text(text, style) => kept.push(Inline::Text(text::cut(&text, left + 1).into_owned(), style)),
            Inline::Preformatted(text) => kept.push(Inline::Preformatted(text::cut(&text, left + 1).into_owned())),
            _ => kept.push(Inline::Text(ELLIPSIS.to_string(), Style::default())),
        }
        break;
    }
    kept
}

/// Parses the text of a `plain_text` object with `emoji: true`: `:name:` becomes an emoji.
#[must_use]
pub fn from_plain_with_emoji(text: &str) -> Vec<Inline> {
    let text = clean(text);
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest: &str = &text;
    while let Some(char) = rest.chars().next() {
        let length = if let Some((name, length)) = emoji::at_start(rest) {
            pieces.push(Inline::Text(std::mem::take(&mut plain), Style::default()));
            pieces.push(Inline::Emoji(name.to_owned(), Style::default()));
            length
        } else {
            plain.push(char);
            char.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    pieces.push(Inline::Text(plain, Style::default()));
    pieces
}

/// Reads an element of a `rich_text` section.
#[must_use]
pub fn from_element(element: &Value) -> Inline {
    let text = |key: &str| clean(element[key].as_str().unwrap_or_default()).into_owned();
    let on = |name: &str| element["style"].get(name).and_then(Value::as_bool).unwrap_or(false);
    let style = Style {
        bold: on("bold"),
        italic: on("italic"),
        strike: on("strike"),
        code: on("code"),
        underline: on("underline"),
    };
    match text("type").as_str() {
        "text" => Inline::Text(text("text"), style),
        "link" => Inline::Link { url: text("url"), label: Some(text("text")).filter(|label| !label.is_empty()), style },
        "emoji" => Inline::Emoji(text("name"), style),
        "date" => Inline::Date {
            seconds: element["timestamp"].as_i64().unwrap_or_default(),
            format: text("format"),
            fallback: Some(text("fallback")).filter(|text| !text.is_empty()).unwrap_or_else(|| "(a date)".to_owned()),
            style,
        },
        "broadcast" => Inline::Mention(Mention::All(text("range"))),
        "user" => Inline::Mention(Mention::User(Mentioned::by_id(text("user_id")))),
        "usergroup" => Inline::Mention(Mention::Group(Mentioned::by_id(text("usergroup_id")))),
        "team" => Inline::Mention(Mention::Group(Mentioned::by_id(text("team_id")))),
        "channel" => Inline::Channel(text("channel_id")),
        "color" => Inline::Text(text("value"), style),
        other => Inline::Other(other.to_owned()),
    }
}
