//! Text within a line in a terminal.

use super::line::{Attributes, Piece};
use crate::inline::{self, Inline, Style};

/// Makes pieces of mrkdwn.
pub fn of_mrkdwn(markup: &str, attributes: Attributes) -> Vec<Piece> {
    of(crate::mrkdwn::parse(markup), attributes)
}

/// Makes pieces of `plain_text` in which Slack recognizes emoji.
pub fn of_plain_with_emoji(text: &str, attributes: Attributes) -> Vec<Piece> {
    of(inline::from_plain_with_emoji(text), attributes)
}

/// Makes pieces that add to the attributes of their surroundings.
pub fn of(inlines: Vec<Inline>, base: Attributes) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for piece in inlines.into_iter().flat_map(|inline| pieces_of(inline, base)) {
        match pieces.last_mut() {
            Some(last) if last.attributes == piece.attributes => last.append(&piece),
            _ => pieces.push(piece),
        }
    }
    pieces
}

fn pieces_of(inline: Inline, base: Attributes) -> Vec<Piece> {
    let shown = inline.shown();
    let one = |attributes: Attributes| vec![Piece::new(&shown, attributes)];
    match inline {
        Inline::Text(_, style) | Inline::Emoji(_, style) | Inline::Date { style, .. } => one(styled(style, base)),
        Inline::Preformatted(_) => one(Attributes { preformatted: true, ..base }),
        Inline::Link { url, label, style } => link(&url, label.as_deref(), styled(style, base)),
        Inline::Mention(_) | Inline::Channel(_) => one(Attributes { bold: true, ..base }),
        Inline::Quote => vec![Piece::new("▌ ", Attributes { dim: true, ..base })],
        Inline::Other(_) => one(Attributes::DIM),
    }
}

/// The label and its URL.
fn link(url: &str, label: Option<&str>, attributes: Attributes) -> Vec<Piece> {
    let underlined = Attributes { underline: true, ..attributes };
    match label.filter(|label| *label != url) {
        Some(label) => vec![Piece::new(label, underlined), Piece::new(&format!(" ({url})"), attributes)],
        None => vec![Piece::new(url, underlined)],
    }
}

const fn styled(style: Style, base: Attributes) -> Attributes {
    Attributes {
        bold: base.bold || style.bold,
        italic: base.italic || style.italic,
        strike: base.strike || style.strike,
        code: base.code || style.code,
        underline: base.underline || style.underline,
        ..base
    }
}
