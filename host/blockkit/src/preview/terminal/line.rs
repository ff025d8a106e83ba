//! Lines of text with attributes.

use crate::text::clean;

/// The attributes of a text in a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    pub bold: bool,
    pub italic: bool,
    pub strike: bool,
    pub code: bool,
    /// A block of code.
    pub preformatted: bool,
    pub dim: bool,
    pub underline: bool,
}

impl Attributes {
    /// None.
    pub const PLAIN: Self = Self {
        bold: false,
        italic: false,
        strike: false,
        code: false,
        preformatted: false,
        dim: false,
        underline: false,
    };
    /// Small print.
    pub const DIM: Self = Self { dim: true, ..Self::PLAIN };
    /// A heading.
    pub const BOLD: Self = Self { bold: true, ..Self::PLAIN };
    /// A block of code.
    pub const PREFORMATTED: Self = Self { preformatted: true, ..Self::PLAIN };
}

/// Text of the same attributes; holds line feeds, but no other control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    text: String,
    /// Its attributes.
    pub attributes: Attributes,
}

impl Piece {
    /// Cleans the text. A tab becomes four spaces, so that columns stay aligned.
    pub fn new(text: &str, attributes: Attributes) -> Self {
        Self { text: clean(text).replace('\t', "    "), attributes }
    }

    /// Appends a piece of the same attributes.
    pub fn append(&mut self, more: &Self) {
        self.text.push_str(&more.text);
    }

    /// Returns its text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// One line, without line feeds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line(Vec<Piece>);

impl Line {
    /// Makes a line of one piece; line feeds become spaces.
    pub fn new(text: &str, attributes: Attributes) -> Self {
        Self(vec![Piece::new(&text.replace('\n', " "), attributes)])
    }

    /// Breaks pieces into lines at their line feeds.
    pub fn split(pieces: Vec<Piece>) -> Vec<Self> {
        let mut lines = Vec::new();
        let mut line = Self::default();
        for piece in pieces {
            for (index, text) in piece.text.split('\n').enumerate() {
                if index > 0 {
                    lines.push(std::mem::take(&mut line));
                }
                if !text.is_empty() {
                    line.0.push(Piece { text: text.to_owned(), attributes: piece.attributes });
                }
            }
        }
        lines.push(line);
        lines
    }

    /// Inserts a text before the line.
    pub fn prefixed(mut self, text: &str, attributes: Attributes) -> Self {
        self.0.insert(0, Piece::new(text, attributes));
        self
    }

    /// Appends another line at a column.
    pub fn append_at(&mut self, column: usize, other: Self) {
        let missing = column.saturating_sub(self.columns());
        self.0.push(Piece::new(&" ".repeat(missing), Attributes::PLAIN));
        self.0.extend(other.0);
    }

    /// Returns its pieces.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Returns its width in columns.
    pub fn columns(&self) -> usize {
        self.0.iter().flat_map(|piece| piece.text.chars()).map(columns).sum()
    }
}

/// Returns the width of a character, close enough to align a preview: two columns for East Asian characters and emoji, none for
/// combining marks.
const fn columns(char: char) -> usize {
    match char {
        '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}' => 2,
        _ => 1,
    }
}
