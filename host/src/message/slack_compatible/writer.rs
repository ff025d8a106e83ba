//! Writes the parts of a message in one service's Markdown.

use std::borrow::Cow;

use blockkit::emoji;
use blockkit::inline::{self, Inline, Mention, Style};
use blockkit::text::cut;

use super::dialect::{BREAK, Dialect, Markers, Place};
use super::layout::Part;

/// Ends a message that was cut.
const CUT: &str = "…";

/// A writer of a service's Markdown.
#[derive(Clone, Copy)]
pub(super) struct Writer<'d>(pub &'d dyn Dialect);

impl Writer<'_> {
    /// Returns all parts, one below the other, in at most `max_chars` characters. Text is cut before it is escaped.
    pub(super) fn write(self, parts: &[Part], max_chars: usize) -> String {
        self.write_each(parts, max_chars, |_| {})
    }

    /// The same; `each` gets what is written of each part.
    pub(super) fn write_each(self, parts: &[Part], max_chars: usize, mut each: impl FnMut(&Part)) -> String {
        let mut written = String::new();
        let mut after_item = false;
        for part in parts {
            let left = max_chars.saturating_sub(written.chars().count() + "\n\n".len() + CUT.len());
            let text = self.part(part);
            let fits = text.chars().count() <= left;
            let text = if fits {
                each(part);
                text
            } else {
                let (shortened, text) = self.shortened(part, left).unzip();
                shortened.iter().for_each(&mut each);
                text.unwrap_or_default()
            };
            if !written.is_empty() && !text.is_empty() {
                let is_next_item = matches!(part, Part::Item(..)) && after_item;
                let close = matches!(part, Part::Divider) || is_next_item || written.ends_with('\n');
                written.push_str(if close { "\n" } else { "\n\n" });
            }
            after_item = matches!(part, Part::Item(..));
            written.push_str(&text);
            if !fits {
                if !written.ends_with(CUT) {
                    written.push_str(CUT);
                }
                break;
            }
        }
        written
    }

    /// Returns the number of characters that all parts take.
    pub(super) fn length(self, parts: &[Part]) -> usize {
        parts.iter().map(|part| self.part(part).chars().count() + 2).sum()
    }

    /// Returns a part, cut so that it fits once it is written, and that; `None` if nothing of it fits.
    fn shortened(self, part: &Part, max_chars: usize) -> Option<(Part, String)> {
        let mut chars = max_chars;
        while chars > 0 {
            let part = match part {
                Part::Text(inlines) => Part::Text(inline::cut(inlines.clone(), chars)),
                Part::Item(marker, inlines) => Part::Item(marker.clone(), inline::cut(inlines.clone(), chars)),
                Part::Quote(inlines) => Part::Quote(inline::cut(inlines.clone(), chars)),
                Part::Code(text) => Part::Code(cut(text, chars).into_owned()),
                Part::Heading(text) => Part::Heading(cut(text, chars).into_owned()),
                Part::Divider => return None,
            };
            let text = self.part(&part);
            let length = text.chars().count();
            if length <= max_chars {
                return Some((part, text));
            }
            // An escaped character has up to nine characters; the next attempt is at least one shorter.
            chars = (chars * max_chars / length).min(chars - 1);
        }
        None
    }

    fn part(self, part: &Part) -> String {
        match part {
            Part::Text(inlines) => self.inlines(inlines),
            Part::Item(marker, inlines) => format!("{marker}{}", self.inlines(inlines)),
            Part::Quote(inlines) => {
                let text = self.inlines(inlines);
                text.split('\n').map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
            }
            Part::Heading(text) => match self.0.heading() {
                Some(marker) => format!("{marker}{}", self.escaped(text)),
                None => self.inlines(&[Inline::Text(text.clone(), Style { bold: true, ..Style::default() })]),
            },
            Part::Divider => self.0.divider().to_owned(),
            Part::Code(text) => self.fence(text),
        }
    }

    fn inlines(self, inlines: &[Inline]) -> String {
        let mut out = String::new();
        for (index, inline) in inlines.iter().enumerate() {
            match inline {
                Inline::Text(text, style) if style.code => out.push_str(&self.code(text)),
                Inline::Text(text, style) => {
                    let next = inlines.get(index + 1).and_then(|next| next.shown().chars().next());
                    self.styled(text, *style, next, &mut out);
                }
                Inline::Preformatted(text) => {
                    if !out.is_empty() && !out.ends_with('\n') {
                        out.push('\n');
                    }
                    out.push_str(&self.fence(text));
                    out.push('\n');
                }
                Inline::Emoji(name, _) => match emoji::by_name(name) {
                    Some(characters) => out.push_str(&characters),
                    None => self.escape(&format!(":{name}:"), false, &mut out),
                },
                Inline::Link { url, label, .. } => self.link(url, label.as_deref(), &mut out),
                Inline::Date { seconds, format, fallback, .. } => self.date((*seconds, format), fallback, &mut out),
                Inline::Mention(mention) => self.mention(mention, &mut out),
                Inline::Channel(_) | Inline::Other(_) => self.escape(&inline.shown(), false, &mut out),
                Inline::Quote => out.push_str("> "),
            }
        }
        end_quotations(&out)
    }

    /// Adds text with markers around each line's words, or without them where the service would not recognize them.
    fn styled(self, text: &str, style: Style, next: Option<char>, out: &mut String) {
        let Markers { bold, italic, strike } = self.0.markers();
        let markers: Vec<&str> = [(style.strike, strike), (style.bold, bold), (style.italic, italic)]
            .into_iter()
            .filter_map(|(on, marker)| on.then_some(marker))
            .collect();
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                out.push('\n');
            }
            let words = line.trim();
            let (before, after) = line.split_once(words).unwrap_or((line, ""));
            let last_line = text.matches('\n').count() == index;
            let joined = before.is_empty() && out.ends_with(char::is_alphanumeric)
                || after.is_empty() && last_line && next.is_some_and(char::is_alphanumeric);
            if markers.is_empty() || words.is_empty() || joined {
                self.escape(line, false, out);
                continue;
            }
            self.escape(before, false, out);
            out.extend(markers.iter().copied());
            self.escape(words, true, out);
            out.extend(markers.iter().rev().copied());
            out.push_str(after);
        }
    }

    fn link(self, url: &str, label: Option<&str>, out: &mut String) {
        let target = encoded_url(url);
        if !target.starts_with("http://") && !target.starts_with("https://") {
            return self.escape(label.unwrap_or(url), false, out);
        }
        match label {
            Some(label) if let Some(link) = self.0.link(&target, label) => out.push_str(&link),
            Some(label) => {
                out.push('[');
                self.escape(label, true, out);
                out.push_str("](");
                out.push_str(&target);
                out.push(')');
            }
            None => out.push_str(&target),
        }
    }

    fn date(self, (seconds, format): (i64, &str), fallback: &str, out: &mut String) {
        match self.0.date(seconds, format) {
            Some(date) => out.push_str(&date),
            None => self.escape(fallback, false, out),
        }
    }

    /// Adds a mention. The sanitizer lets only those through that the route allows.
    fn mention(self, mention: &Mention, out: &mut String) {
        let (who, written) = match mention {
            Mention::All(whom) => return out.push_str(self.0.mention_all(whom)),
            Mention::User(who) => (who, self.0.mention_one(&who.id)),
            Mention::Group(who) => (who, self.0.mention_group(&who.id)),
        };
        match written {
            Some(mention) => out.push_str(&mention),
            None => self.escape(&format!("@{}", who.shown()), false, out),
        }
    }

    fn escaped(self, text: &str) -> String {
        // Not the start of a line: the marker stands before it.
        let mut out = " ".to_owned();
        self.escape(text, false, &mut out);
        out.split_off(1)
    }

    /// Adds cleaned text so that exactly this text is shown. `within`: between markers, or in a link's label.
    fn escape(self, text: &str, within: bool, out: &mut String) {
        // First, since the replacement may stand in an emoji's name.
        let text = match self.0.backtick_within() {
            '`' => Cow::Borrowed(text),
            _ if !within => Cow::Borrowed(text),
            other => Cow::Owned(text.replace('`', other.encode_utf8(&mut [0; 4]))),
        };
        for (at, char) in text.char_indices() {
            let rest = text.get(at..).unwrap_or_default();
            let line_start = !within && (out.is_empty() || out.ends_with('\n'));
            let place = Place { char, before: out.chars().next_back(), rest, line_start };
            if line_start && self.0.begins_block(rest) {
                out.push(BREAK);
            }
            if within {
                self.0.escape_within(place, out);
            } else {
                self.0.escape(place, out);
            }
        }
    }

    /// Returns inline code that the text cannot break out of.
    fn code(self, text: &str) -> String {
        let text = text.replace(['\n', '\t'], " ").replace('`', "'");
        if text.trim().is_empty() { text } else { format!("`{}`", self.unlinked(&text)) }
    }

    /// Returns code on lines of its own.
    fn fence(self, text: &str) -> String {
        let text = text.replace("```", "'''").replace("~~~", "∼∼∼");
        format!("```\n{}\n```", self.unlinked(text.trim_matches('\n')))
    }

    /// Breaks what some services find in code.
    fn unlinked(self, code: &str) -> String {
        let mut out = String::with_capacity(code.len());
        for (at, char) in code.char_indices() {
            out.push(char);
            if self.0.breaks_in_code(char, code.get(at + char.len_utf8()..).unwrap_or_default()) {
                out.push(BREAK);
            }
        }
        out
    }
}

/// Returns a URL with escapes for the characters that a URL may hold and Markdown, or a finder of links, reads.
pub(in crate::message) fn encoded_url(url: &str) -> String {
    let mut encoded = String::with_capacity(url.len());
    for char in url.chars() {
        match char {
            '(' | ')' | '*' | '_' | '~' | '|' | '\\' | '<' | '>' | '[' | ']' | '`' | '\'' | '!' | '@' | '$' => {
                encoded.push_str(&format!("%{:02X}", u32::from(char)));
            }
            char => encoded.push(char),
        }
    }
    encoded
}

/// Ends each quotation with the empty line that it needs.
fn end_quotations(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let quotes = line.starts_with('>');
        if quoted && !quotes && !line.is_empty() {
            out.push('\n');
        }
        out.push_str(line);
        quoted = quotes;
    }
    out
}
