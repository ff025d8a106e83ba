//! The layout of a message for targets without blocks: its parts from top to bottom, and its pictures.

use blockkit::inline::{self, Inline, Style};
use blockkit::limits::{BUTTON_MAX, FIELD_MAX, HEADER_MAX, TEXT_OBJECT_MAX, TITLE_MAX};
use blockkit::text::{clean, one_line};
use blockkit::web_url;

use super::super::limits::{CELL_MAX, RICH_TEXT_MAX};
use super::super::model::{Block, Button, ContextElement, Field, Image, Message, Section, Text, Thumbnail};
use super::super::rich;
use super::super::sanitizer::Sanitizer;

/// Characters of a cell, in a table that is drawn with spaces.
const CELL_COLUMNS_MAX: usize = 60;

/// A part of a message, on lines of its own.
#[derive(Debug, Clone)]
pub(in crate::message) enum Part {
    /// Text, cut to its limit.
    Text(Vec<Inline>),
    /// A heading.
    Heading(String),
    /// A horizontal line.
    Divider,
    /// Monospaced.
    Code(String),
    /// An item of a list, after its marker.
    Item(String, Vec<Inline>),
    /// A quotation.
    Quote(Vec<Inline>),
}

impl Part {
    /// Returns a line of text without formatting.
    pub(super) fn plain(text: &str) -> Self {
        Self::Text(vec![plain_text(&one_line(text))])
    }

    /// Returns a link to a picture.
    pub(in crate::message) fn picture(image: &Image) -> Self {
        Self::Text(vec![link(&image.alt, &image.url)])
    }
}

/// Returns the parts of a message, and its pictures.
pub(in crate::message) fn parts(message: &Message, sanitizer: &Sanitizer) -> (Vec<Part>, Vec<Image>) {
    let mut parts = Vec::new();
    let mut images = Vec::new();
    for block in &message.blocks {
        match block {
            Block::Header(header) => parts.push(Part::Heading(cut(&one_line(header), HEADER_MAX))),
            Block::Section(section) => {
                self::section(section, sanitizer, &mut parts);
                images.extend(section.accessory.iter().map(picture));
            }
            Block::Context(elements) => {
                parts.push(Part::Text(context(elements, sanitizer)));
                images.extend(elements.iter().filter_map(|element| match element {
                    ContextElement::Image { image } => Some(picture(image)),
                    ContextElement::Text(_) => None,
                }));
            }
            Block::Divider => parts.push(Part::Divider),
            Block::Image(image) => {
                parts.extend(
                    image.title.as_ref().map(|title| Part::Text(vec![bold(&cut(&one_line(title), TITLE_MAX))])),
                );
                images.push(image.clone());
            }
            Block::Buttons(buttons) => parts.push(Part::Text(self::buttons(buttons))),
            Block::Preformatted(text) => parts.push(Part::Code(cut(&clean(text), RICH_TEXT_MAX))),
            Block::Table(rows) => parts.push(Part::Code(table(rows, sanitizer))),
            Block::Raw(_) => {}
            Block::Bullets(items) => {
                parts.extend(items.iter().map(|item| self::item("• ".to_owned(), item, sanitizer)))
            }
            Block::Numbers(items) => {
                parts.extend((1..).zip(items).map(|(number, item)| self::item(format!("{number}. "), item, sanitizer)));
            }
            Block::Quote(text) => parts.push(Part::Quote(self::text(text, RICH_TEXT_MAX, sanitizer))),
            Block::Figure(figure) => {
                let (title, lines) = figure.text();
                parts.extend([Part::Text(vec![bold(&title)]), Part::Code(cut(&lines, RICH_TEXT_MAX))]);
            }
        }
    }
    parts.retain(|part| !part.is_blank());
    if parts.is_empty() && images.is_empty() {
        parts.push(Part::Text(text(&message.text, TEXT_OBJECT_MAX, sanitizer)));
        parts.retain(|part| !part.is_blank());
    }
    (parts, images)
}

/// Puts a mark before the first part.
pub(super) fn mark(parts: &mut Vec<Part>, mark: &str) {
    match parts.first_mut() {
        Some(Part::Heading(text)) => text.insert_str(0, &format!("{mark} ")),
        Some(Part::Text(inlines)) => inlines.insert(0, plain_text(&format!("{mark} "))),
        Some(Part::Code(_) | Part::Divider | Part::Item(..) | Part::Quote(_)) | None => {
            parts.insert(0, Part::Text(vec![plain_text(mark)]))
        }
    }
}

/// Returns a text without formatting.
pub(super) fn plain(text: &Text, sanitizer: &Sanitizer) -> String {
    self::text(text, TEXT_OBJECT_MAX, sanitizer).iter().map(Inline::shown).collect()
}

impl Part {
    fn is_blank(&self) -> bool {
        match self {
            Self::Text(inlines) | Self::Item(_, inlines) | Self::Quote(inlines) => {
                inlines.iter().all(|inline| inline.shown().trim().is_empty())
            }
            Self::Heading(text) | Self::Code(text) => text.trim().is_empty(),
            Self::Divider => false,
        }
    }
}

fn text(text: &Text, max_chars: usize, sanitizer: &Sanitizer) -> Vec<Inline> {
    inline::cut(rich::inlines(text, sanitizer), max_chars)
}

/// Returns an item of a list, on one line.
fn item(marker: String, text: &Text, sanitizer: &Sanitizer) -> Part {
    let mut inlines = self::text(text, TEXT_OBJECT_MAX, sanitizer);
    for inline in &mut inlines {
        if let Inline::Text(text, _) | Inline::Preformatted(text) = inline {
            *text = one_line(text);
        }
    }
    Part::Item(marker, inlines)
}

fn picture(Thumbnail { url, alt }: &Thumbnail) -> Image {
    Image { url: url.clone(), alt: alt.clone(), title: None }
}

fn section(Section { text, fields, accessory: _ }: &Section, sanitizer: &Sanitizer, parts: &mut Vec<Part>) {
    parts.extend(text.as_ref().map(|text| Part::Text(self::text(text, TEXT_OBJECT_MAX, sanitizer))));
    let mut lines = Vec::new();
    for field in fields {
        let line = self::field(field, sanitizer);
        if line.iter().all(|inline| inline.shown().trim().is_empty()) {
            continue;
        }
        if !lines.is_empty() {
            lines.push(plain_text("\n"));
        }
        lines.extend(line);
    }
    if !lines.is_empty() {
        parts.push(Part::Text(lines));
    }
}

fn field(Field { label, value }: &Field, sanitizer: &Sanitizer) -> Vec<Inline> {
    let label = one_line(label);
    let mut line = Vec::new();
    if !label.trim().is_empty() {
        line.push(bold(&cut(&label, FIELD_MAX)));
        line.push(plain_text(": "));
    }
    line.extend(text(value, FIELD_MAX, sanitizer));
    line
}

fn context(elements: &[ContextElement], sanitizer: &Sanitizer) -> Vec<Inline> {
    let mut line = Vec::new();
    for element in elements {
        let ContextElement::Text(text) = element else { continue };
        let shown = self::text(text, TEXT_OBJECT_MAX, sanitizer);
        if !line.is_empty() && !shown.is_empty() {
            line.push(plain_text("  "));
        }
        line.extend(shown);
    }
    line
}

fn buttons(buttons: &[Button]) -> Vec<Inline> {
    let mut line = Vec::new();
    for Button { label, url, .. } in buttons {
        if !line.is_empty() {
            line.push(plain_text("  ·  "));
        }
        line.push(link(&cut(label, BUTTON_MAX), url));
    }
    line
}

/// Returns a link; its label as text, if the URL is not http or https.
fn link(label: &str, url: &str) -> Inline {
    let label = one_line(label);
    match web_url(url) {
        Some(url) => {
            let label = Some(label).filter(|label| !label.trim().is_empty());
            Inline::Link { url: url.into(), label, style: Style::default() }
        }
        None => Inline::Text(label, Style::default()),
    }
}

/// Draws a table with spaces: two of the four services have no tables, and those of the others cannot hold every text.
fn table(rows: &[Vec<Text>], sanitizer: &Sanitizer) -> String {
    let cell = |text: &Text| {
        let text = cut(&one_line(&plain(text, sanitizer)), CELL_MAX.min(CELL_COLUMNS_MAX));
        let columns = text.chars().count();
        (text, columns)
    };
    let rows: Vec<Vec<(String, usize)>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, (_, columns)) in widths.iter_mut().zip(row) {
            *width = (*width).max(*columns);
        }
    }
    let line = |row: &Vec<(String, usize)>| {
        let cells =
            row.iter().zip(&widths).map(|((text, columns), width)| format!("{text}{}", " ".repeat(width - columns)));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn bold(text: &str) -> Inline {
    Inline::Text(text.to_owned(), Style { bold: true, ..Style::default() })
}

fn plain_text(text: &str) -> Inline {
    Inline::Text(text.to_owned(), Style::default())
}

fn cut(text: &str, max_chars: usize) -> String {
    blockkit::text::cut(text, max_chars).into_owned()
}
