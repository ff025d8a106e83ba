//! Parses mrkdwn, the markup of Slack's text objects and attachments, as Slack does.

use crate::emoji;
use crate::inline::{Inline, Mention, Mentioned, Style};
use crate::text::clean;
use crate::token::{Token, first, target_and_label, unescape_entities};

/// Parses mrkdwn into pieces.
#[must_use]
pub fn parse(markup: &str) -> Vec<Inline> {
    let mut parser = Parser { pieces: Vec::new(), text: String::new(), style: Style::default() };
    parser.parse(&clean(markup), Style::default(), None);
    parser.flush();
    parser.pieces
}

struct Parser {
    pieces: Vec<Inline>,
    /// The start of the next piece: more of the same style may follow.
    text: String,
    style: Style,
}

impl Parser {
    /// Parses `markup`, which follows the character `before`.
    fn parse(&mut self, markup: &str, style: Style, mut before: Option<char>) {
        let mut rest = markup;
        while let Some((token, length)) = first(rest) {
            let (written, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            if let Some((inner, length, preformatted)) = code(rest) {
                if preformatted {
                    self.add(Inline::Preformatted(unescape_entities(inner)));
                } else {
                    self.push(&unescape_entities(inner), Style { code: true, ..style });
                }
                rest = rest.get(length..).unwrap_or_default();
                before = Some('`');
                continue;
            }
            if let Some((inner, formatted)) = formatted(rest, before, style) {
                self.parse(inner, formatted, Some('*'));
                rest = rest.get(inner.len() + 2..).unwrap_or_default();
                before = Some('*');
                continue;
            }
            if let Some((name, length)) = emoji::at_start(rest).filter(|_| emoji::acts_at_start(rest)) {
                self.add(Inline::Emoji(name.to_owned(), style));
                rest = rest.get(length..).unwrap_or_default();
                before = Some(':');
                continue;
            }
            match token {
                Token::Entity('>') | Token::Char('>') if matches!(before, None | Some('\n')) => {
                    self.add(Inline::Quote);
                    before = Some(' ');
                    rest = after.strip_prefix(' ').unwrap_or(after);
                    continue;
                }
                Token::Entity(char) => self.push(char.encode_utf8(&mut [0; 4]), style),
                Token::Angle(inner) => self.angle(inner, style),
                Token::Char(_) => self.push(written, style),
            }
            before = written.chars().next_back();
            rest = after;
        }
    }

    /// Parses the text between `<` and `>`.
    fn angle(&mut self, inner: &str, style: Style) {
        let (target, label) = target_and_label(inner);
        if let Some(date) = target.strip_prefix("!date^") {
            let mut parts = date.split('^');
            let seconds = parts.next().and_then(|at| at.parse().ok()).unwrap_or_default();
            let format = parts.next().unwrap_or_default().to_owned();
            let fallback = label.unwrap_or_else(|| "(a date)".to_owned());
            return self.add(Inline::Date { seconds, format, fallback, style });
        }
        if let Some(special) = target.strip_prefix('!') {
            return self.add(Inline::Mention(match special.strip_prefix("subteam^") {
                Some(id) => Mention::Group(Mentioned {
                    id: id.to_owned(),
                    name: label.map(|label| label.trim_start_matches('@').to_owned()),
                }),
                None => Mention::All(special.to_owned()),
            }));
        }
        if let Some(id) = target.strip_prefix('@') {
            return self.add(Inline::Mention(Mention::User(Mentioned { id: id.to_owned(), name: label })));
        }
        if let Some(id) = target.strip_prefix('#') {
            return self.add(Inline::Channel(label.unwrap_or_else(|| id.to_owned())));
        }
        let label = label.filter(|label| !label.is_empty() && *label != target);
        self.add(Inline::Link { url: target, label, style });
    }

    fn add(&mut self, piece: Inline) {
        self.flush();
        self.pieces.push(piece);
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
            self.pieces.push(Inline::Text(std::mem::take(&mut self.text), self.style));
        }
    }
}

/// Returns the code that `text` begins with, its length in bytes with the fences, and whether it is a block.
fn code(text: &str) -> Option<(&str, usize, bool)> {
    if let Some((inner, _)) = text.strip_prefix("```").and_then(|rest| rest.split_once("```")) {
        return (!inner.is_empty()).then_some((inner.trim_matches('\n'), inner.len() + 6, true));
    }
    let (inner, _) = text.strip_prefix('`')?.split_once('`')?;
    (!inner.is_empty() && !inner.contains('\n')).then_some((inner, inner.len() + 2, false))
}

/// Returns the text between a pair of `*`, `_` or `~` at the start of `text`, and its style.
///
/// Slack recognizes a marker only at the edge of a word.
fn formatted(text: &str, before: Option<char>, style: Style) -> Option<(&str, Style)> {
    let marker = text.chars().next()?;
    let formatted = match marker {
        '*' if !style.bold => Style { bold: true, ..style },
        '_' if !style.italic => Style { italic: true, ..style },
        '~' if !style.strike => Style { strike: true, ..style },
        _ => return None,
    };
    let rest = text.get(1..)?.split('\n').next()?;
    if before.is_some_and(char::is_alphanumeric) || rest.starts_with(|c: char| c.is_whitespace() || c == marker) {
        return None;
    }
    let closes = |at: usize| {
        let inside = rest.get(..at).and_then(|inner| inner.chars().next_back());
        let after = rest.get(at + 1..).and_then(|after| after.chars().next());
        inside.is_some_and(|c| !c.is_whitespace() && c != marker) && !after.is_some_and(char::is_alphanumeric)
    };
    let end = outside_code(rest, marker).find(|at| closes(*at))?;
    Some((rest.get(..end)?, formatted))
}

/// Returns the positions of a marker outside inline code.
fn outside_code(text: &str, marker: char) -> impl Iterator<Item = usize> {
    let mut skip_to = 0;
    text.char_indices().filter_map(move |(at, char)| {
        if at < skip_to {
            return None;
        }
        if let Some((_, length, _)) = text.get(at..).filter(|_| char == '`').and_then(code) {
            skip_to = at + length;
        }
        (char == marker).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces as text, with letters for their styles.
    fn shown(markup: &str) -> String {
        let marked = |style: Style, text: &str| {
            let marks = [(style.bold, 'b'), (style.italic, 'i'), (style.strike, 's'), (style.code, 'c')];
            let marks: String = marks.iter().filter_map(|(on, mark)| on.then_some(*mark)).collect();
            if marks.is_empty() { text.to_owned() } else { format!("[{marks} {text}]") }
        };
        let piece = |piece: Inline| match piece {
            Inline::Text(text, style) => marked(style, &text),
            Inline::Preformatted(text) => format!("[p {text}]"),
            Inline::Emoji(name, _) => format!("[e {name}]"),
            Inline::Link { url, label: Some(label), .. } => format!("[l {label} {url}]"),
            Inline::Link { url, label: None, .. } => format!("[l {url}]"),
            Inline::Date { seconds, fallback, .. } => format!("[d {seconds} {fallback}]"),
            Inline::Mention(_) => format!("[@ {}]", piece.shown().trim_start_matches('@')),
            Inline::Channel(name) => format!("[# {name}]"),
            Inline::Quote => "[q]".to_owned(),
            Inline::Other(name) => format!("[? {name}]"),
        };
        parse(markup).into_iter().map(piece).collect()
    }

    #[test]
    fn parse_reads_markup_as_slack_does() {
        for (markup, expected) in [
            ("*a* b", "[b a] b"),
            ("_a *b*_ ~c~", "[i a ][bi b] [s c]"),
            ("2*3*4 a_b_c * d *", "2*3*4 a_b_c * d *"),
            ("*a\nb*", "*a\nb*"),
            ("*a `b*` c* `*`", "[b a ][bc b*][b  c] [c *]"),
            ("** **all**", "** *[b all]*"),
            ("`*a* &lt;` ```\nx\ny\n```", "[c *a* <] [p x\ny]"),
            ("a &amp;lt; &lt;!here&gt;", "a &lt; <!here>"),
            ("<https://example.org/?a=1&amp;b=2|it>", "[l it https://example.org/?a=1&b=2]"),
            ("<https://example.org/>", "[l https://example.org/]"),
            ("<!date^1^{date}|then> <!here>", "[d 1 then] [@ here]"),
            ("<@U1> <#C1|ops> <!subteam^S1|@sec>", "[@ U1] [# ops] [@ sec]"),
            (":no_entry: :nope: 2001:db8::1 ::", "[e no_entry] [e nope] 2001:db8::1 ::"),
            ("&gt; quote\n> more *>*", "[q]quote\n[q]more [b >]"),
            ("\u{1b}[31m\u{202e}", "\\u{1b}[31m\\u{202e}"),
        ] {
            assert_eq!(shown(markup), expected, "{markup}");
        }
    }
}
