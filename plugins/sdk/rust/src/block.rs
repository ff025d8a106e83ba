//! Blocks, the parts of a message.

use std::fmt::Display;

use crate::{Block, Button, ButtonStyle, ContextElement, Field, Image, Section, Text, Thumbnail};

impl Block {
    /// Large and bold; one line, at most 150 characters.
    pub fn header(text: impl Display) -> Self {
        Self::Header(text.to_string())
    }

    /// The usual text.
    pub fn section(text: impl Into<Text>) -> Self {
        Self::Section(Section { text: Some(text.into()), ..Section::default() })
    }

    /// Two columns of at most 10 fields.
    pub fn fields(fields: impl IntoIterator<Item = Field>) -> Self {
        Self::Section(Section { fields: Some(fields.into_iter().collect()), ..Section::default() })
    }

    /// Small and gray: at most 10 texts and pictures.
    pub fn context<T: Into<ContextElement>>(pieces: impl IntoIterator<Item = T>) -> Self {
        Self::Context(pieces.into_iter().map(Into::into).collect())
    }

    /// A picture from the web, and what it shows.
    pub fn image(url: impl Display, alt: impl Display) -> Self {
        Self::Image(Image { url: url.to_string(), alt: alt.to_string(), title: None })
    }

    /// At most 25 links that look like buttons.
    pub fn buttons(buttons: impl IntoIterator<Item = Button>) -> Self {
        Self::Buttons(buttons.into_iter().collect())
    }

    /// Monospaced; for log lines.
    pub fn preformatted(text: impl Display) -> Self {
        Self::Preformatted(text.to_string())
    }

    /// Rows of cells, of which the first is the heading.
    pub fn table<R, T>(rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = T>,
        T: Into<Text>,
    {
        Self::Table(rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect())
    }

    /// A list with bullets.
    pub fn bullets<T: Into<Text>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::Bullets(items.into_iter().map(Into::into).collect())
    }

    /// A list with numbers.
    pub fn numbers<T: Into<Text>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::Numbers(items.into_iter().map(Into::into).collect())
    }

    /// Somebody else's words.
    pub fn quote(text: impl Into<Text>) -> Self {
        Self::Quote(text.into())
    }
}

impl Default for Section {
    /// Text or fields have to be added.
    fn default() -> Self {
        Self { text: None, fields: None, accessory: None }
    }
}

impl Field {
    /// A label and its value.
    pub fn new(label: impl Display, value: impl Into<Text>) -> Self {
        Self { label: label.to_string(), value: value.into() }
    }
}

impl Button {
    /// A link that looks like a button. The URL must be http or https.
    pub fn new(label: impl Display, url: impl Display) -> Self {
        Self { label: label.to_string(), url: url.to_string(), style: None }
    }

    /// Green or red.
    #[must_use]
    pub fn style(self, style: ButtonStyle) -> Self {
        Self { style: Some(style), ..self }
    }
}

impl Thumbnail {
    /// A small picture from the web, and what it shows.
    pub fn new(url: impl Display, alt: impl Display) -> Self {
        Self { url: url.to_string(), alt: alt.to_string() }
    }
}

impl<T: Into<Text>> From<T> for ContextElement {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

impl From<Thumbnail> for ContextElement {
    fn from(picture: Thumbnail) -> Self {
        Self::Image(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Text {
        Text::Plain(text.to_owned())
    }

    #[test]
    fn blocks_take_texts_of_every_kind() {
        assert_eq!(Block::bullets(["a", "b"]), Block::Bullets(vec![plain("a"), plain("b")]));
        assert_eq!(Block::table([["a"], ["b"]]), Block::Table(vec![vec![plain("a")], vec![plain("b")]]));
        let picture = Thumbnail::new("https://example.org/a.png", "a");
        let context = Block::context([ContextElement::from("a"), picture.clone().into()]);
        assert_eq!(context, Block::Context(vec![ContextElement::Text(plain("a")), ContextElement::Image(picture)]));
        let fields = Some(vec![Field::new("Failures", 5.to_string())]);
        assert_eq!(Block::fields(fields.clone().unwrap()), Block::Section(Section { fields, ..Section::default() }));
    }
}
