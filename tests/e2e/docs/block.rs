//! The fenced blocks of a document, and the tags that say how each is checked.
//!
//! A tag is an HTML comment on the line directly above a fence, `<!-- test: … -->`, which readers do not see.

use std::fmt;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag as Element, TagEnd};

const OPEN: &str = "<!-- test:";
const CLOSE: &str = "-->";

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// The document, from the top of the tree.
    pub document: String,
    /// The line of its opening fence.
    pub line: usize,
    /// The first word after that fence.
    pub language: String,
    pub tag: Option<Tag>,
    pub content: String,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.document, self.line)
    }
}

/// How a block is checked, where its language does not say it.
#[derive(Debug, PartialEq, Eq)]
pub enum Tag {
    /// Not at all, for this reason.
    Skip(String),
    /// Its content is written to this path.
    File(String),
    /// It is a part of a configuration; the whole is written to this path if there is one.
    Fragment(Option<String>),
    /// It needs the network, from which it gets packages.
    Network,
    /// Stopped when it has printed this text: it does not end by itself.
    Stopped(String),
}

impl Tag {
    /// Reads a line above a fence; `None` if it is no tag.
    fn parse(line: &str) -> Result<Option<Self>, String> {
        let Some(tag) = line.trim().strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)) else {
            return Ok(None);
        };
        let (kind, argument) = tag.split_once(':').unwrap_or((tag, ""));
        match (kind.trim(), argument.trim()) {
            ("skip", "") => Err("a skip needs a reason: <!-- test: skip: REASON -->".to_owned()),
            ("skip", reason) => Ok(Some(Self::Skip(reason.to_owned()))),
            ("file", "") => Err("a file needs a path: <!-- test: file: PATH -->".to_owned()),
            ("file", path) => Ok(Some(Self::File(path.to_owned()))),
            ("fragment", "") => Ok(Some(Self::Fragment(None))),
            ("fragment", path) => Ok(Some(Self::Fragment(Some(path.to_owned())))),
            ("network", "") => Ok(Some(Self::Network)),
            ("until", "") => Err("until needs a text: <!-- test: until: TEXT -->".to_owned()),
            ("until", text) => Ok(Some(Self::Stopped(text.to_owned()))),
            _ => Err(format!("unknown tag {:?}; it is skip, file, fragment, network or until", tag.trim())),
        }
    }
}

/// Returns the blocks of a document in their order, or all errors in its tags.
pub fn blocks(document: &str, text: &str) -> Result<Vec<Block>, Vec<String>> {
    let (mut blocks, mut errors) = (Vec::new(), Vec::new());
    let mut tags_outside = tag_lines(text).collect::<Vec<_>>();
    let mut open: Option<Block> = None;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Element::CodeBlock(kind)) => {
                let before = &text[..range.start];
                let line = before.matches('\n').count() + 1;
                let CodeBlockKind::Fenced(info) = kind else {
                    errors.push(format!("{document}:{line}: an indented block; use a fence, which names the language"));
                    continue;
                };
                let above = before.lines().nth(line.saturating_sub(2)).filter(|_| line > 1).unwrap_or_default();
                let tag = Tag::parse(above).unwrap_or_else(|error| {
                    errors.push(format!("{document}:{line}: {error}"));
                    None
                });
                tags_outside.retain(|tag| *tag != line - 1 && !range_has_line(text, &range, *tag));
                let language = info.split([' ', ',']).next().unwrap_or_default().to_owned();
                open = Some(Block { document: document.to_owned(), line, language, tag, content: String::new() });
            }
            Event::Text(content) => {
                if let Some(block) = &mut open {
                    block.content.push_str(&content);
                }
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
            _ => {}
        }
    }
    errors
        .extend(tags_outside.iter().map(|line| format!("{document}:{line}: a tag that is not directly above a fence")));
    if errors.is_empty() { Ok(blocks) } else { Err(errors) }
}

/// Returns the numbers of the lines that hold a tag.
fn tag_lines(text: &str) -> impl Iterator<Item = usize> {
    (1..).zip(text.lines()).filter(|(_, line)| line.trim().starts_with(OPEN)).map(|(number, _)| number)
}

fn range_has_line(text: &str, range: &std::ops::Range<usize>, line: usize) -> bool {
    let line_of = |offset: usize| text[..offset].matches('\n').count() + 1;
    (line_of(range.start)..=line_of(range.end)).contains(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(line: usize, language: &str, tag: Option<Tag>, content: &str) -> Block {
        let (document, language, content) = ("a.md".to_owned(), language.to_owned(), content.to_owned());
        Block { document, line, language, tag, content }
    }

    #[test]
    fn blocks_have_line_language_tag_and_content_without_indentation() {
        let text = "# A\n\n```sh\na\n\n b\n```\n\n1. In a list:\n\n   <!-- test: file: /etc/a b -->\n   ```toml title\n   c = 1\n   ```\n\n\
                    <!-- test: skip: no network: none -->\n~~~js\n```\n~~~\n<!-- test: fragment -->\n```toml\n```\n\
                    <!-- test: until: http: -->\n```sh\n```\n<!-- test: network -->\n```sh\n```\n";
        let expected = [
            block(3, "sh", None, "a\n\n b\n"),
            block(12, "toml", Some(Tag::File("/etc/a b".to_owned())), "c = 1\n"),
            block(17, "js", Some(Tag::Skip("no network: none".to_owned())), "```\n"),
            block(21, "toml", Some(Tag::Fragment(None)), ""),
            block(24, "sh", Some(Tag::Stopped("http:".to_owned())), ""),
            block(27, "sh", Some(Tag::Network), ""),
        ];
        assert_eq!(blocks("a.md", text).unwrap(), expected);
    }

    #[test]
    fn blocks_with_wrong_tags_are_errors_with_their_line() {
        for (text, expected) in [
            ("<!-- test: skip: -->\n```sh\n```\n", "a.md:2: a skip needs a reason"),
            ("<!-- test: skip -->\n```sh\n```\n", "a.md:2: a skip needs a reason"),
            ("<!-- test: file -->\n```sh\n```\n", "a.md:2: a file needs a path"),
            ("<!-- test: until -->\n```sh\n```\n", "a.md:2: until needs a text"),
            ("<!-- test: run -->\n```sh\n```\n", "a.md:2: unknown tag \"run\""),
            ("<!-- test: fragment -->\n\n```toml\n```\n", "a.md:1: a tag that is not directly above a fence"),
            ("a\n\n    indented\n", "a.md:3: an indented block"),
        ] {
            let errors = blocks("a.md", text).unwrap_err();
            assert!(matches!(&errors[..], [error] if error.starts_with(expected)), "{text:?}: {errors:?}");
        }
    }

    #[test]
    fn blocks_may_show_a_tag() {
        assert_eq!(blocks("a.md", "```md\n<!-- test: fragment -->\n```\n").unwrap().len(), 1);
    }
}
