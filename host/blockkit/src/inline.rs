//! Text within a line, as Slack reads it: the common form of mrkdwn and of `rich_text` elements.
//!
//! A preview, or a conversion to another chat's markup, starts from these pieces, so that Slack's markup is parsed in
//! one place and everything else only writes text of its own.

use serde_json::Value;

use crate::emoji;
use crate::text::{self, clean};
use crate::token::{Token, first, target_and_label, unescape_entities};

/// The formatting of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// `*bold*`
    pub bold: bool,
    /// `_italic_`
    pub italic: bool,
    /// `~strike~`
    pub strike: bool,
    /// Inline code.
    pub code: bool,
    /// Underlined; only `rich_text` has it.
    pub underline: bool,
}

/// A piece of text. Its strings hold line feeds and tabs, but no other hidden character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// Literal text.
    Text(String, Look),
    /// A block of code within mrkdwn.
    Preformatted(String),
    /// An emoji, by Slack's name.
    Emoji(String, Look),
    /// A link. Its URL is not checked: see [`web_url`](crate::web_url).
    Link {
        /// Its target.
        url: String,
        /// The text to show; `None`: the URL.
        label: Option<String>,
        /// Its formatting.
        look: Look,
    },
    /// A point in time, which Slack shows in the reader's time zone.
    Date {
        /// Seconds since 1970.
        seconds: i64,
        /// The text to show where the reader's time zone is not known.
        fallback: String,
        /// Its formatting.
        look: Look,
    },
    /// A mention.
    Mention(Mention),
    /// A channel's name or id.
    Channel(String),
    /// The start of a quoted line.
    Quote,
    /// An element that is not drawn, by its type.
    Other(String),
}

/// The people whom a mention notifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mention {
    /// `here`, `channel` or `everyone`.
    All(String),
    /// A user or a group, by name or id.
    Some(String),
}

impl Inline {
    /// Returns its text as a reader sees it, without formatting.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text, _) | Self::Preformatted(text) => text.clone(),
            Self::Emoji(name, _) => emoji::by_name(name).unwrap_or_else(|| format!(":{name}:")),
            Self::Link { url, label, .. } => label.as_ref().unwrap_or(url).clone(),
            Self::Date { fallback, .. } => fallback.clone(),
            Self::Mention(Mention::All(name) | Mention::Some(name)) => format!("@{name}"),
            Self::Channel(name) => format!("#{name}"),
            Self::Quote => String::new(),
            Self::Other(name) => format!("[{name}]"),
        }
    }
}

/// Returns at most `max_chars` characters as a reader sees them, with an ellipsis at the end if something was cut. Only
/// text is cut; other pieces are kept whole or left out.
#[must_use]
pub fn cut(inlines: Vec<Inline>, max_chars: usize) -> Vec<Inline> {
    let length = |inline: &Inline| inline.shown().chars().count();
    if inlines.iter().map(length).sum::<usize>() <= max_chars {
        return inlines;
    }
    let mut left = max_chars.saturating_sub(1);
    let mut kept = Vec::new();
    for inline in inlines {
        let length = length(&inline);
        if length <= left {
            left -= length;
            kept.push(inline);
            continue;
        }
        match inline {
            Inline::Text(text, look) => kept.push(Inline::Text(text::cut(&text, left + 1).into_owned(), look)),
            Inline::Preformatted(text) => kept.push(Inline::Preformatted(text::cut(&text, left + 1).into_owned())),
            _ => kept.push(Inline::Text("…".to_owned(), Look::default())),
        }
        break;
    }
    kept
}

/// Parses mrkdwn.
#[must_use]
pub fn from_mrkdwn(markup: &str) -> Vec<Inline> {
    let mut reader = Reader { pieces: Vec::new(), text: String::new(), look: Look::default() };
    reader.read(&clean(markup), Look::default(), None);
    reader.flush();
    reader.pieces
}

/// Parses the text of a `plain_text` object with `emoji: true`: `:name:` becomes an emoji.
#[must_use]
pub fn from_plain_with_emoji(text: &str) -> Vec<Inline> {
    let text = clean(text);
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest: &str = &text;
    while let Some(char) = rest.chars().next() {
        let length = if let Some((name, length)) = emoji::at_start(rest) {
            pieces.push(Inline::Text(std::mem::take(&mut plain), Look::default()));
            pieces.push(Inline::Emoji(name.to_owned(), Look::default()));
            length
        } else {
            plain.push(char);
            char.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    pieces.push(Inline::Text(plain, Look::default()));
    pieces
}

/// Reads an element of a `rich_text` section.
#[must_use]
pub fn from_element(element: &Value) -> Inline {
    let text = |key: &str| clean(element[key].as_str().unwrap_or_default()).into_owned();
    let on = |name: &str| element["style"].get(name).and_then(Value::as_bool).unwrap_or(false);
    let look = Look {
        bold: on("bold"),
        italic: on("italic"),
        strike: on("strike"),
        code: on("code"),
        underline: on("underline"),
    };
    match text("type").as_str() {
        "text" => Inline::Text(text("text"), look),
        "link" => Inline::Link { url: text("url"), label: Some(text("text")).filter(|label| !label.is_empty()), look },
        "emoji" => Inline::Emoji(text("name"), look),
        "date" => Inline::Date {
            seconds: element["timestamp"].as_i64().unwrap_or_default(),
            fallback: Some(text("fallback")).filter(|text| !text.is_empty()).unwrap_or_else(|| "(a date)".to_owned()),
            look,
        },
        "broadcast" => Inline::Mention(Mention::All(text("range"))),
        "user" => Inline::Mention(Mention::Some(text("user_id"))),
        "usergroup" => Inline::Mention(Mention::Some(text("usergroup_id"))),
        "team" => Inline::Mention(Mention::Some(text("team_id"))),
        "channel" => Inline::Channel(text("channel_id")),
        "color" => Inline::Text(text("value"), look),
        other => Inline::Other(other.to_owned()),
    }
}

struct Reader {
    pieces: Vec<Inline>,
    /// Read, but not yet a piece, since more of the same look may follow.
    text: String,
    look: Look,
}

impl Reader {
    /// `before` is the character that stands before `markup`.
    fn read(&mut self, markup: &str, look: Look, mut before: Option<char>) {
        let mut rest = markup;
        while let Some((token, length)) = first(rest) {
            let (written, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            if let Some((inner, length, preformatted)) = code(rest) {
                if preformatted {
                    self.add(Inline::Preformatted(unescape_entities(inner)));
                } else {
                    self.push(&unescape_entities(inner), Look { code: true, ..look });
                }
                rest = rest.get(length..).unwrap_or_default();
                before = Some('`');
                continue;
            }
            if let Some((inner, formatted)) = formatted(rest, before, look) {
                self.read(inner, formatted, Some('*'));
                rest = rest.get(inner.len() + 2..).unwrap_or_default();
                before = Some('*');
                continue;
            }
            if let Some((name, length)) = emoji::at_start(rest).filter(|_| emoji::acts_at_start(rest)) {
                self.add(Inline::Emoji(name.to_owned(), look));
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
                Token::Entity(char) => self.push(char.encode_utf8(&mut [0; 4]), look),
                Token::Angle(inner) => self.angle(inner, look),
                Token::Char(_) => self.push(written, look),
            }
            before = written.chars().next_back();
            rest = after;
        }
    }

    /// What stands between `<` and `>`.
    fn angle(&mut self, inner: &str, look: Look) {
        let (target, label) = target_and_label(inner);
        if let Some(date) = target.strip_prefix("!date^") {
            let seconds = date.split('^').next().and_then(|at| at.parse().ok()).unwrap_or_default();
            let fallback = label.unwrap_or_else(|| "(a date)".to_owned());
            return self.add(Inline::Date { seconds, fallback, look });
        }
        if let Some(special) = target.strip_prefix('!') {
            return self.add(Inline::Mention(match special.strip_prefix("subteam^") {
                Some(id) => Mention::Some(label.as_deref().unwrap_or(id).trim_start_matches('@').to_owned()),
                None => Mention::All(special.to_owned()),
            }));
        }
        if let Some(id) = target.strip_prefix('@') {
            return self.add(Inline::Mention(Mention::Some(label.unwrap_or_else(|| id.to_owned()))));
        }
        if let Some(id) = target.strip_prefix('#') {
            return self.add(Inline::Channel(label.unwrap_or_else(|| id.to_owned())));
        }
        let label = label.filter(|label| !label.is_empty() && *label != target);
        self.add(Inline::Link { url: target, label, look });
    }

    fn add(&mut self, piece: Inline) {
        self.flush();
        self.pieces.push(piece);
    }

    fn push(&mut self, text: &str, look: Look) {
        if look != self.look {
            self.flush();
            self.look = look;
        }
        self.text.push_str(text);
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Inline::Text(std::mem::take(&mut self.text), self.look));
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

/// What stands between a pair of `*`, `_` or `~` at the start of `text`, and how that looks.
///
/// Slack takes a marker only at the edge of a word.
fn formatted(text: &str, before: Option<char>, look: Look) -> Option<(&str, Look)> {
    let marker = text.chars().next()?;
    let formatted = match marker {
        '*' if !look.bold => Look { bold: true, ..look },
        '_' if !look.italic => Look { italic: true, ..look },
        '~' if !look.strike => Look { strike: true, ..look },
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

/// Where a marker stands, but not in inline code.
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

    /// Pieces as text, with letters for their looks.
    fn shown(markup: &str) -> String {
        let looks = |look: Look, text: &str| {
            let marks = [(look.bold, 'b'), (look.italic, 'i'), (look.strike, 's'), (look.code, 'c')];
            let marks: String = marks.iter().filter_map(|(on, mark)| on.then_some(*mark)).collect();
            if marks.is_empty() { text.to_owned() } else { format!("[{marks} {text}]") }
        };
        let piece = |piece: Inline| match piece {
            Inline::Text(text, look) => looks(look, &text),
            Inline::Preformatted(text) => format!("[p {text}]"),
            Inline::Emoji(name, _) => format!("[e {name}]"),
            Inline::Link { url, label: Some(label), .. } => format!("[l {label} {url}]"),
            Inline::Link { url, label: None, .. } => format!("[l {url}]"),
            Inline::Date { seconds, fallback, .. } => format!("[d {seconds} {fallback}]"),
            Inline::Mention(Mention::All(name) | Mention::Some(name)) => format!("[@ {name}]"),
            Inline::Channel(name) => format!("[# {name}]"),
            Inline::Quote => "[q]".to_owned(),
            Inline::Other(name) => format!("[? {name}]"),
        };
        from_mrkdwn(markup).into_iter().map(piece).collect()
    }

    #[test]
    fn markup_as_slack_reads_it() {
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
