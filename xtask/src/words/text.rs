//! The texts of a file in which words are looked for, each of one scope, with its position in the file.

use std::path::Path;

use super::rust::Lexer;

/// The characters that begin a comment's lines, in all languages of the tree.
pub(super) const COMMENT_MARKS: &str = "/!*#;";

/// The kind of words a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One Rust identifier.
    Identifier,
    /// SQL in a string literal, without its comments.
    Sql,
    /// Text for people: comments, other string literals, documents.
    Prose,
}

/// A text in one scope. Lines of a paragraph are joined by a space, so that a phrase is found across their end.
#[derive(Debug)]
pub struct Text {
    /// The kind of its words.
    pub scope: Scope,
    text: String,
    /// Of an identifier: its words.
    words: String,
    /// Origins of its pieces: offset in the text, offset in the file. In ascending order.
    origins: Vec<(usize, usize)>,
}

impl Text {
    pub(super) const fn new(scope: Scope) -> Self {
        Self { scope, text: String::new(), words: String::new(), origins: Vec::new() }
    }

    /// Makes a text of one identifier.
    pub(super) fn identifier(name: &str, offset: usize) -> Self {
        let origins = vec![(0, offset)];
        Self {
            scope: Scope::Identifier,
            text: name.to_owned(),
            words: snake_case(name.trim_start_matches("r#")),
            origins,
        }
    }

    /// Joins the paragraphs of `source`, which is at `offset` in the file. Spaces and `marks` at the start of lines are dropped.
    pub(super) fn paragraphs(source: &str, offset: usize, marks: &str) -> Self {
        let mut text = Self::new(Scope::Prose);
        let mut start = offset;
        for line in source.split_inclusive('\n') {
            text.add_line(line, start, marks);
            start += line.len();
        }
        text
    }

    /// Adds a line that is at `offset` in the file; a blank one ends a paragraph.
    pub(super) fn add_line(&mut self, line: &str, offset: usize, marks: &str) {
        let content = line.trim_start_matches(|c: char| c.is_whitespace() || marks.contains(c));
        let indent = line.len() - content.len();
        // A backslash at the end continues a string literal on the next line.
        let content = content.trim_end().trim_end_matches('\\').trim_end();
        if content.is_empty() {
            self.text.push('\n');
            return;
        }
        self.origins.push((self.text.len(), offset + indent));
        self.text.push_str(content);
        self.text.push(' ');
    }

    /// Returns the text itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns an identifier's words in lower case, separated by underscores.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Returns the offset in the file of the byte `at` of the text.
    pub fn offset(&self, at: usize) -> usize {
        let index = self.origins.partition_point(|(here, _)| *here <= at);
        let origin = index.checked_sub(1).and_then(|index| self.origins.get(index));
        origin.map_or(0, |(here, there)| there + (at - here))
    }
}

/// Splits a file into texts. Anything but Rust and TOML is prose as a whole.
///
/// # Errors
/// Rust that cannot be parsed.
pub fn texts(lexer: &Lexer, path: &str, content: &str) -> anyhow::Result<Vec<Text>> {
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("rs") => lexer.texts(content, path.starts_with("host/src/store/")),
        Some("toml") => Ok(vec![comments_of_toml(content)]),
        // Headings keep their mark, so that a rule can name it.
        Some("md") => Ok(vec![Text::paragraphs(content, 0, "")]),
        _ => Ok(vec![Text::paragraphs(content, 0, COMMENT_MARKS)]),
    }
}

fn comments_of_toml(content: &str) -> Text {
    let mut text = Text::new(Scope::Prose);
    let mut quote = None;
    let mut start = 0;
    for line in content.split_inclusive('\n') {
        let comment = comment_of_toml(line, &mut quote);
        text.add_line(line.get(comment..).unwrap_or_default(), start + comment, COMMENT_MARKS);
        start += line.len();
    }
    text
}

/// Returns where the comment of a line starts, or the line's length. `quote` is the string that continues from the line
/// before.
fn comment_of_toml(line: &str, quote: &mut Option<&'static str>) -> usize {
    const QUOTES: [&str; 4] = ["\"\"\"", "'''", "\"", "'"];
    let mut at = 0;
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().map_or(1, char::len_utf8);
        at += match *quote {
            Some(open) if rest.starts_with(open) => {
                *quote = None;
                open.len()
            }
            Some(open) if open.starts_with('"') && rest.starts_with('\\') => {
                1 + rest.chars().nth(1).map_or(0, char::len_utf8)
            }
            Some(_) => first,
            None if rest.starts_with('#') => return at,
            None => {
                *quote = QUOTES.into_iter().find(|open| rest.starts_with(open));
                quote.map_or(first, str::len)
            }
        };
    }
    // Only strings in triple quotes continue on the next line.
    *quote = quote.filter(|open| open.len() == 3);
    line.len()
}

/// Normalizes `MaxAge`, `MAX_AGE` and `max_age` to `max_age`.
fn snake_case(identifier: &str) -> String {
    let mut words = String::new();
    let mut before = '_';
    let mut following = identifier.chars().skip(1);
    for c in identifier.chars() {
        let after = following.next().unwrap_or('_');
        let starts_word = c.is_uppercase() && (!before.is_uppercase() || after.is_lowercase());
        if starts_word && before != '_' {
            words.push('_');
        }
        words.extend(c.to_lowercase());
        before = c;
    }
    words
}
