//! Slack's markup, read as Slack shows it.

use super::emoji;
use super::line::{Piece, Style};
use crate::message::escape::unescape_entities;
use crate::message::rich::is_emoji;
use crate::message::token::{Token, first, target_and_label};

/// The markup as styled pieces.
pub fn parse(markup: &str, style: Style) -> Vec<Piece> {
    let mut reader = Reader { pieces: Vec::new(), text: String::new(), style };
    reader.read(markup, style, None);
    reader.flush();
    reader.pieces
}

/// `:name:` as the emoji, or as it is.
pub fn emoji_or_name(name: &str) -> String {
    emoji::by_name(name).map_or_else(|| format!(":{name}:"), str::to_owned)
}

/// The text with its `:name:` replaced.
pub fn with_emoji(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        shown.push_str(before);
        if let Some((name, length)) = emoji_name(from) {
            shown.push_str(&emoji_or_name(name));
            rest = from.get(length..).unwrap_or_default();
        } else {
            shown.push(':');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    shown + rest
}

/// A link as text: the label and where it leads.
pub fn link(target: &str, label: Option<&str>, style: Style) -> Vec<Piece> {
    match label.filter(|label| !label.is_empty() && *label != target) {
        Some(label) => {
            vec![Piece::new(label, Style { underline: true, ..style }), Piece::new(&format!(" ({target})"), style)]
        }
        None => vec![Piece::new(target, Style { underline: true, ..style })],
    }
}

struct Reader {
    pieces: Vec<Piece>,
    /// Read, but not yet a piece, since more of the same style may follow.
    text: String,
    style: Style,
}

impl Reader {
    /// `before` is the character that stands before `markup`.
    fn read(&mut self, markup: &str, style: Style, mut before: Option<char>) {
        let mut rest = markup;
        while let Some((token, length)) = first(rest) {
            let (written, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            if let Some((inner, length, preformatted)) = code(rest) {
                let style = Style { code: !preformatted, preformatted, ..style };
                self.push(&unescape_entities(inner), style);
                rest = rest.get(length..).unwrap_or_default();
                before = Some('`');
                continue;
            }
            if let Some((inner, formatted)) = formatted(rest, before, style) {
                self.read(inner, formatted, None);
                rest = rest.get(inner.len() + 2..).unwrap_or_default();
                before = inner.chars().next_back();
                continue;
            }
            if let Some((name, length)) = emoji_name(rest) {
                self.push(&emoji_or_name(name), style);
                rest = rest.get(length..).unwrap_or_default();
                before = Some(':');
                continue;
            }
            match token {
                Token::Entity('>') | Token::Char('>') if matches!(before, None | Some('\n')) => {
                    self.push("▌", Style { dim: true, ..style });
                }
                Token::Entity(char) => self.push(char.encode_utf8(&mut [0; 4]), style),
                Token::Angle(inner) => self.angle(inner, style),
                Token::Char(_) => self.push(written, style),
            }
            before = written.chars().next_back();
            rest = after;
        }
    }

    /// What stands between `<` and `>`.
    fn angle(&mut self, inner: &str, style: Style) {
        let (target, label) = target_and_label(inner);
        let label = label.as_deref();
        if target.starts_with("!date^") {
            return self.push(label.unwrap_or("(a date)"), style);
        }
        let mention = Style { bold: true, ..style };
        if let Some(special) = target.strip_prefix('!') {
            let name = special.strip_prefix("subteam^").unwrap_or(special);
            let named = format!("@{name}");
            return self.push(label.unwrap_or(&named), mention);
        }
        for sign in ["@", "#"] {
            if let Some(id) = target.strip_prefix(sign) {
                return self.push(&format!("{sign}{}", label.unwrap_or(id)), mention);
            }
        }
        self.flush();
        self.pieces.extend(link(&target, label, style));
    }

    fn push(&mut self, text: &str, style: Style) {
        if style != self.style {
            self.flush();
            self.style = style;
        }
        self.text.push_str(text);
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::new(&self.text, self.style));
            self.text.clear();
        }
    }
}

/// Code that `text` begins with, how many bytes it takes with its fences, and whether it is a block.
fn code(text: &str) -> Option<(&str, usize, bool)> {
    if let Some((inner, _)) = text.strip_prefix("```").and_then(|rest| rest.split_once("```")) {
        return (!inner.is_empty()).then_some((inner.trim_matches('\n'), inner.len() + 6, true));
    }
    let (inner, _) = text.strip_prefix('`')?.split_once('`')?;
    (!inner.is_empty() && !inner.contains('\n')).then_some((inner, inner.len() + 2, false))
}

/// What stands between a pair of `*`, `_` or `~` at the start of `text`, and its style.
///
/// Slack takes a marker only at the edge of a word.
fn formatted(text: &str, before: Option<char>, style: Style) -> Option<(&str, Style)> {
    let marker = text.chars().next()?;
    let formatted = match marker {
        '*' if !style.bold => Style { bold: true, ..style },
        '_' if !style.italic => Style { italic: true, ..style },
        '~' if !style.strike => Style { strike: true, ..style },
        _ => return None,
    };
    let rest = text.get(1..)?.split('\n').next()?;
    if before.is_some_and(char::is_alphanumeric) || rest.starts_with(char::is_whitespace) {
        return None;
    }
    let closes = |at: usize| {
        let inside = rest.get(..at).and_then(|inner| inner.chars().next_back());
        let after = rest.get(at + 1..).and_then(|after| after.chars().next());
        inside.is_some_and(|c| !c.is_whitespace() && c != marker) && !after.is_some_and(char::is_alphanumeric)
    };
    let end = rest.match_indices(marker).map(|(at, _)| at).find(|at| closes(*at))?;
    Some((rest.get(..end)?, formatted))
}

/// The name in `:name:` at the start of `text`, and how many bytes it takes with its colons.
fn emoji_name(text: &str) -> Option<(&str, usize)> {
    let (name, _) = text.strip_prefix(':')?.split_once(':')?;
    (is_emoji(name) && name.bytes().any(|b| b.is_ascii_alphanumeric())).then_some((name, name.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces as text, with a letter for each style around those that have one.
    fn shown(markup: &str) -> String {
        let name = |style: Style| {
            [
                (style.bold, "b"),
                (style.italic, "i"),
                (style.strike, "s"),
                (style.code, "c"),
                (style.preformatted, "p"),
                (style.underline, "u"),
            ]
            .iter()
            .filter_map(|(on, name)| on.then_some(*name))
            .collect::<String>()
        };
        let piece = |piece: &Piece| match name(piece.style) {
            name if name.is_empty() => piece.text().to_owned(),
            name => format!("[{name} {}]", piece.text()),
        };
        parse(markup, Style::PLAIN).iter().map(piece).collect()
    }

    #[test]
    fn markup_as_slack_shows_it() {
        for (markup, expected) in [
            ("*a* b", "[b a] b"),
            ("_a *b*_ ~c~", "[i a ][bi b] [s c]"),
            ("2*3*4 a_b_c * d *", "2*3*4 a_b_c * d *"),
            ("*a\nb*", "*a\nb*"),
            ("**", "**"),
            ("`*a* &lt;` ```\nx\ny\n```", "[c *a* <] [p x\ny]"),
            ("a &amp;lt; &lt;!here&gt;", "a &lt; <!here>"),
            ("<https://example.org/?a=1&amp;b=2|it>", "[u it] (https://example.org/?a=1&b=2)"),
            ("<https://example.org/>", "[u https://example.org/]"),
            (
                "<!date^1^{date}|then> <!here> <@U1> <#C1|ops> <!subteam^S1|@sec>",
                "then [b @here] [b @U1] [b #ops] [b @sec]",
            ),
            (":no_entry: :nope: 2001:db8::1 ::", "⛔ :nope: 2001:db8::1 ::"),
            ("&gt; quote\n> more", "▌ quote\n▌ more"),
            ("\u{1b}[31m\u{202e}", "\\u{1b}[31m\\u{202e}"),
        ] {
            assert_eq!(shown(markup), expected, "{markup}");
        }
    }
}
