//! Rich text: pieces with markup. banhook escapes each, so they may come from outside.

use std::fmt::Display;

use crate::{Date, DateFormat, Link, Mention, Span, Style, Styled, Timestamp};

/// Text of pieces with markup, made with [`rich`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rich(Vec<Span>);

/// Begins rich text: `rich().emoji("no_entry").text(" ").code(subject).text(" banned in ").bold(jail)`.
#[must_use]
pub fn rich() -> Rich {
    Rich::default()
}

impl Rich {
    /// Adds text.
    #[must_use]
    pub fn text(self, text: impl Display) -> Self {
        self.span(Span::Text(Styled { text: text.to_string(), style: None }))
    }

    /// Adds text that looks like this, such as `Style::BOLD | Style::STRIKE`.
    #[must_use]
    pub fn styled(self, text: impl Display, style: Style) -> Self {
        self.span(Span::Text(Styled { text: text.to_string(), style: Some(style) }))
    }

    /// Adds text in bold.
    #[must_use]
    pub fn bold(self, text: impl Display) -> Self {
        self.styled(text, Style::BOLD)
    }

    /// Adds text in italics.
    #[must_use]
    pub fn italic(self, text: impl Display) -> Self {
        self.styled(text, Style::ITALIC)
    }

    /// Adds text that is struck through.
    #[must_use]
    pub fn strike(self, text: impl Display) -> Self {
        self.styled(text, Style::STRIKE)
    }

    /// Adds monospaced text.
    #[must_use]
    pub fn code(self, text: impl Display) -> Self {
        self.styled(text, Style::CODE)
    }

    /// Adds an emoji by Slack's name, without colons: `no_entry`.
    #[must_use]
    pub fn emoji(self, name: impl Display) -> Self {
        self.span(Span::Emoji(name.to_string()))
    }

    /// Adds a link. The URL must be http or https, or the label is shown as text.
    #[must_use]
    pub fn link(self, label: impl Display, url: impl Display) -> Self {
        self.span(Span::Link(Link { label: Some(label.to_string()), url: url.to_string(), style: None }))
    }

    /// Adds a moment, in the reader's own time zone.
    #[must_use]
    pub fn date(self, at: Timestamp, format: DateFormat) -> Self {
        self.span(Span::Date(Date { at, format: Some(format) }))
    }

    /// Notifies somebody, if the route has `mentions = true`.
    #[must_use]
    pub fn mention(self, who: Mention) -> Self {
        self.span(Span::Mention(who))
    }

    /// Adds what belongs to a value, if there is one: `.optional(ban.count, |text, count| text.bold(count))`.
    #[must_use]
    pub fn optional<T>(self, value: Option<T>, add: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => add(self, value),
            None => self,
        }
    }

    /// Adds a piece of any kind.
    #[must_use]
    pub fn span(mut self, span: Span) -> Self {
        self.0.push(span);
        self
    }
}

impl From<Rich> for Vec<Span> {
    fn from(Rich(spans): Rich) -> Self {
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rich_has_the_pieces_in_order() {
        let text = |text: &str, style| Span::Text(Styled { text: text.to_owned(), style });
        let made = rich()
            .emoji("no_entry")
            .text(5)
            .code(String::from("a"))
            .styled("b", Style::BOLD | Style::STRIKE)
            .link("c", "https://example.org")
            .date(1.0, DateFormat::Relative)
            .mention(Mention::Here)
            .optional(Some("d"), |text, value| text.bold(value))
            .optional(None, |text, value: &str| text.text(value));
        let expected = vec![
            Span::Emoji("no_entry".to_owned()),
            text("5", None),
            text("a", Some(Style::CODE)),
            text("b", Some(Style::BOLD | Style::STRIKE)),
            Span::Link(Link { label: Some("c".to_owned()), url: "https://example.org".to_owned(), style: None }),
            Span::Date(Date { at: 1.0, format: Some(DateFormat::Relative) }),
            Span::Mention(Mention::Here),
            text("d", Some(Style::BOLD)),
        ];
        assert_eq!(Vec::from(made), expected);
    }
}
