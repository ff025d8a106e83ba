//! Converts rendered lines to a message: the main text, and below a line `---` the small print.
//!
//! Blank lines are left out, so that a template can have each condition on a line of its own. The lines of the small print
//! are joined with dots; another `---` starts a new line in it.

use std::borrow::Cow;

use crate::bindings::banhook::plugin::messages::{Block, Color, ContextElement, Message, Section, Text};
use crate::mrkdwn;

/// The line of a template below which the small print starts.
const SEPARATOR: &str = "---";

/// Replaces [`SEPARATOR`] while a template is rendered: a control character, which no value can contain. A subject called
/// `---` is therefore not a separator.
const MARK: char = '\x1e';

/// Joins two lines of small print.
const JOINER: &str = " · ";

/// Slack's limit for the text of a section, and the interface's for the text of a message.
const TEXT_MAX: usize = 3000;

/// Slack's limit for an element of a context block is not documented; 2,000 is the lowest that is reported.
const SMALL_PRINT_MAX: usize = 2000;

/// The source with marked separators. Line numbers do not change.
pub fn mark(source: &str) -> Cow<'_, str> {
    let is_separator = |line: &str| line.trim() == SEPARATOR;
    if !source.lines().any(is_separator) {
        return Cow::Borrowed(source);
    }
    let mut out = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        if is_separator(line) {
            out.push(MARK);
            out.push('\n');
        } else {
            out.push_str(line);
        }
    }
    Cow::Owned(out)
}

/// The message of a rendered template; `None` if the text is empty.
pub fn message(rendered: &str, color: Option<Color>) -> Option<Message> {
    let mut parts = rendered.split(MARK);
    let mut main = lines(parts.next().unwrap_or_default(), "\n");
    let mut small_print = String::new();
    for part in parts {
        append(&mut small_print, "\n", &lines(part, JOINER));
    }
    mrkdwn::cut(&mut main, TEXT_MAX);
    mrkdwn::cut(&mut small_print, SMALL_PRINT_MAX);

    // The notification and targets without blocks show both parts.
    let mut text = main.clone();
    append(&mut text, "\n", &small_print);
    mrkdwn::cut(&mut text, TEXT_MAX);
    if text.is_empty() {
        return None;
    }
    let blocks = (!small_print.is_empty()).then(|| {
        let section =
            (!main.is_empty()).then_some(Section { text: Some(Text::Mrkdwn(main)), fields: None, accessory: None });
        let context = Block::Context(vec![ContextElement::Text(Text::Mrkdwn(small_print))]);
        section.map(Block::Section).into_iter().chain([context]).collect()
    });
    Some(Message { blocks, ..of_text(Text::Mrkdwn(text), color) })
}

/// A message of a text alone.
pub fn of_text(text: Text, color: Option<Color>) -> Message {
    Message { text, blocks: None, color, hints: None, tags: None, thread: None, name: None, replaces: None }
}

/// The lines that are not blank, joined.
fn lines(text: &str, joiner: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        append(&mut out, joiner, line.trim());
    }
    out
}

fn append(out: &mut String, joiner: &str, text: &str) {
    if !out.is_empty() && !text.is_empty() {
        out.push_str(joiner);
    }
    out.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mrkdwn(text: &str) -> Text {
        Text::Mrkdwn(text.to_owned())
    }

    fn section(text: &str) -> Block {
        Block::Section(Section { text: Some(mrkdwn(text)), fields: None, accessory: None })
    }

    fn context(text: &str) -> Block {
        Block::Context(vec![ContextElement::Text(mrkdwn(text))])
    }

    #[test]
    fn layout_text_without_small_print_has_no_blocks() {
        let message = message("\n one \n\n two\n", Some(Color::Danger)).unwrap();
        assert_eq!(message, of_text(mrkdwn("one\ntwo"), Some(Color::Danger)));
    }

    #[test]
    fn layout_small_print_lines_are_joined() {
        let message = message(&mark("main\n ---\na\n\nb\n---\r\nc\n"), None).unwrap();
        assert_eq!(message.text, mrkdwn("main\na · b\nc"));
        assert_eq!(message.blocks, Some(vec![section("main"), context("a · b\nc")]));
    }

    #[test]
    fn layout_missing_part_is_omitted() {
        assert_eq!(message(" \n\n", None), None);
        assert_eq!(message(&mark("\n---\n"), None), None);
        assert_eq!(message(&mark("main\n---\n"), None).unwrap().blocks, None);
        let small_only = message(&mark("---\na"), None).unwrap();
        assert_eq!(small_only.blocks, Some(vec![context("a")]));
    }

    #[test]
    fn layout_marks_keep_line_numbers() {
        assert_eq!(mark("a\n---\nb --- c\n----"), "a\n\x1e\nb --- c\n----");
        assert!(matches!(mark("no line"), Cow::Borrowed(_)));
    }

    #[test]
    fn layout_long_text_is_cut() {
        let long = "x".repeat(TEXT_MAX + 1);
        let message = message(&format!("{long}\n{MARK}\n{long}"), None).unwrap();
        let Text::Mrkdwn(text) = message.text else { panic!("not mrkdwn") };
        assert_eq!(text.chars().count(), TEXT_MAX);
        assert_eq!(message.blocks.unwrap().len(), 2);
    }
}
