//! Text within a line, as a terminal shows it.

use super::line::{Piece, Style};
use crate::inline::{self, Inline, Look, Mention};

/// Finished mrkdwn.
pub fn of_mrkdwn(markup: &str, style: Style) -> Vec<Piece> {
    of(inline::from_mrkdwn(markup), style)
}

/// `plain_text` in which Slack looks for emoji.
pub fn of_plain_with_emoji(text: &str, style: Style) -> Vec<Piece> {
    of(inline::from_plain_with_emoji(text), style)
}

/// In the style of what is around them.
pub fn of(inlines: Vec<Inline>, base: Style) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for piece in inlines.into_iter().flat_map(|inline| pieces_of(inline, base)) {
        match pieces.last_mut() {
            Some(last) if last.style == piece.style => last.append(&piece),
            _ => pieces.push(piece),
        }
    }
    pieces
}

fn pieces_of(inline: Inline, base: Style) -> Vec<Piece> {
    let shown = inline.shown();
    let one = |style: Style| vec![Piece::new(&shown, style)];
    match inline {
        Inline::Text(_, look) | Inline::Emoji(_, look) | Inline::Date { look, .. } => one(styled(look, base)),
        Inline::Preformatted(_) => one(Style { preformatted: true, ..base }),
        Inline::Link { url, label, look } => link(&url, label.as_deref(), styled(look, base)),
        Inline::Mention(Mention::All(_) | Mention::Some(_)) | Inline::Channel(_) => one(Style { bold: true, ..base }),
        Inline::Quote => vec![Piece::new("▌ ", Style { dim: true, ..base })],
        Inline::Other(_) => one(Style::DIM),
    }
}

/// The label and where it leads.
fn link(url: &str, label: Option<&str>, style: Style) -> Vec<Piece> {
    let underlined = Style { underline: true, ..style };
    match label.filter(|label| *label != url) {
        Some(label) => vec![Piece::new(label, underlined), Piece::new(&format!(" ({url})"), style)],
        None => vec![Piece::new(url, underlined)],
    }
}

const fn styled(look: Look, base: Style) -> Style {
    Style {
        bold: base.bold || look.bold,
        italic: base.italic || look.italic,
        strike: base.strike || look.strike,
        code: base.code || look.code,
        underline: base.underline || look.underline,
        ..base
    }
}
