//! Lines of styled text.

use crate::text::clean;

/// How a piece looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    pub bold: bool,
    pub italic: bool,
    pub strike: bool,
    pub code: bool,
    /// Code in a block of its own.
    pub preformatted: bool,
    pub dim: bool,
    pub underline: bool,
}

impl Style {
    /// As it is.
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

/// Text of one style; holds line feeds, but no other control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    text: String,
    /// How it looks.
    pub style: Style,
}

impl Piece {
    /// Cleaned; a tab becomes four spaces, so that columns stay columns.
    pub fn new(text: &str, style: Style) -> Self {
        Self { text: clean(text).replace('\t', "    "), style }
    }

    /// Adds what another one of the same style shows.
    pub fn append(&mut self, more: &Self) {
        self.text.push_str(&more.text);
    }

    /// What it shows.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// One line, without line feeds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line(Vec<Piece>);

impl Line {
    /// One line of one style; line feeds become spaces.
    pub fn new(text: &str, style: Style) -> Self {
        Self(vec![Piece::new(&text.replace('\n', " "), style)])
    }

    /// Pieces as lines, broken at their line feeds.
    pub fn broken(pieces: Vec<Piece>) -> Vec<Self> {
        let mut lines = Vec::new();
        let mut line = Self::default();
        for piece in pieces {
            for (index, text) in piece.text.split('\n').enumerate() {
                if index > 0 {
                    lines.push(std::mem::take(&mut line));
                }
                if !text.is_empty() {
                    line.0.push(Piece { text: text.to_owned(), style: piece.style });
                }
            }
        }
        lines.push(line);
        lines
    }

    /// The same with something before it.
    pub fn after(mut self, text: &str, style: Style) -> Self {
        self.0.insert(0, Piece::new(text, style));
        self
    }

    /// Adds a line at the end, at a column.
    pub fn join(&mut self, column: usize, other: Self) {
        let missing = column.saturating_sub(self.columns());
        self.0.push(Piece::new(&" ".repeat(missing), Style::PLAIN));
        self.0.extend(other.0);
    }

    /// Its pieces.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// How many columns of a terminal it takes.
    pub fn columns(&self) -> usize {
        self.0.iter().flat_map(|piece| piece.text.chars()).map(columns).sum()
    }
}

/// Near enough to align a preview: East Asian and emoji two, combining marks none.
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
