//! Messages and their texts.

use std::fmt::Display;

use crate::{Block, Color, Message, Mrkdwn, Rich, Text};

impl Message {
    /// A message of this text; `Message { color: Some(Color::Danger), ..Message::new(text) }` has more than that.
    pub fn new(text: impl Into<Text>) -> Self {
        Self {
            text: text.into(),
            blocks: None,
            color: None,
            hints: None,
            tags: None,
            thread: None,
            name: None,
            replaces: None,
        }
    }

    /// Adds a block. With blocks, `text` is only the notification.
    #[must_use]
    pub fn block(mut self, block: Block) -> Self {
        self.blocks.get_or_insert_default().push(block);
        self
    }

    /// The bar at the left.
    #[must_use]
    pub fn color(self, color: Color) -> Self {
        Self { color: Some(color), ..self }
    }

    /// Adds a hint, such as `topic`.
    #[must_use]
    pub fn hint(mut self, name: impl Display, value: impl Display) -> Self {
        self.hints.get_or_insert_default().push((name.to_string(), value.to_string()));
        self
    }

    /// Adds what the event counts as in `totals.by_tag`.
    #[must_use]
    pub fn tag(mut self, tag: impl Display) -> Self {
        self.tags.get_or_insert_default().push(tag.to_string());
        self
    }

    /// The conversation that it belongs to.
    #[must_use]
    pub fn thread(self, thread: impl Display) -> Self {
        Self { thread: Some(thread.to_string()), ..self }
    }

    /// Its own name, by which a later message can replace it.
    #[must_use]
    pub fn name(self, name: impl Display) -> Self {
        Self { name: Some(name.to_string()), ..self }
    }

    /// The name of the message that it replaces.
    #[must_use]
    pub fn replaces(self, name: impl Display) -> Self {
        Self { replaces: Some(name.to_string()), ..self }
    }
}

impl<T: Into<Text>> From<T> for Message {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Shown as it is.
impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

/// Shown as it is.
impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::Plain(text.clone())
    }
}

/// Shown as it is.
impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<Rich> for Text {
    fn from(rich: Rich) -> Self {
        Self::Rich(rich.into())
    }
}

impl From<Mrkdwn> for Text {
    fn from(markup: Mrkdwn) -> Self {
        Self::Mrkdwn(markup.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mrkdwn, rich};

    #[test]
    fn text_is_markup_only_where_a_type_says_so() {
        let hostile = "<!channel> *bold*";
        assert_eq!(Text::from(hostile), Text::Plain(hostile.to_owned()));
        assert_eq!(Text::from(mrkdwn!("*{}*", hostile)), Text::Mrkdwn("*&lt;!channel&gt; *bold**".to_owned()));
        assert!(matches!(Text::from(rich().text(hostile)), Text::Rich(spans) if spans.len() == 1));
    }

    #[test]
    fn message_has_what_was_added() {
        let message = Message::new("a").block(Block::Divider).block(Block::Divider).color(Color::Good).tag("DE");
        let message = message.hint("topic", "bans").thread("t").name("n").replaces("o");
        assert_eq!(message.blocks, Some(vec![Block::Divider, Block::Divider]));
        assert_eq!(message.hints, Some(vec![("topic".to_owned(), "bans".to_owned())]));
        assert_eq!((message.color, message.tags), (Some(Color::Good), Some(vec!["DE".to_owned()])));
        let names = [message.thread, message.name, message.replaces];
        assert_eq!(names, ["t", "n", "o"].map(|name| Some(name.to_owned())));
    }
}
