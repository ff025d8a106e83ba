//! Text in the Markdown of each target.
//!
//! What they can escape differs. Mattermost and Discord take backslashes, Zulip HTML entities, Rocket.Chat backslashes
//! before a few characters, and none of them stops mentions. Where there is no escape an invisible [`BREAK`] stands
//! between two characters that would act together: a reader sees the text unchanged.

use blockkit::emoji;
use blockkit::inline::{self, Inline, Look, Mention};
use blockkit::text::cut;

use super::super::target::Target;
use super::layout::Part;

/// Zero-width space.
pub const BREAK: char = '\u{200b}';

/// What stands for the rest of a message that is too long.
const CUT: &str = "…";

/// One target's Markdown.
#[derive(Debug, Clone, Copy)]
pub struct Dialect(pub Target);

impl Dialect {
    /// All parts, one below the other, in at most so many characters. What does not fit is cut before it is escaped.
    pub fn write(self, parts: &[Part], max_chars: usize) -> String {
        let mut written = String::new();
        for part in parts {
            let left = max_chars.saturating_sub(written.chars().count() + "\n\n".len() + CUT.len());
            let text = self.part(part);
            let fits = text.chars().count() <= left;
            let text = if fits { text } else { self.shortened(part, left) };
            if !written.is_empty() && !text.is_empty() {
                written.push_str(if matches!(part, Part::Divider) || written.ends_with('\n') { "\n" } else { "\n\n" });
            }
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

    /// How many characters all parts take.
    pub fn length(self, parts: &[Part]) -> usize {
        parts.iter().map(|part| self.part(part).chars().count() + 2).sum()
    }

    /// A part, cut so that it fits once it is written; empty if nothing of it does.
    fn shortened(self, part: &Part, max_chars: usize) -> String {
        let mut chars = max_chars;
        while chars > 0 {
            let part = match part {
                Part::Text(inlines) => Part::Text(inline::cut(inlines.clone(), chars)),
                Part::Code(text) => Part::Code(cut(text, chars).into_owned()),
                Part::Heading(text) => Part::Heading(cut(text, chars).into_owned()),
                Part::Divider => return String::new(),
            };
            let text = self.part(&part);
            let length = text.chars().count();
            if length <= max_chars {
                return text;
            }
            // What is escaped takes up to nine characters; the estimate falls short of none.
            chars = (chars * max_chars / length).min(chars - 1);
        }
        String::new()
    }

    fn part(self, part: &Part) -> String {
        match part {
            Part::Text(inlines) => self.inlines(inlines),
            Part::Heading(text) => {
                let bold = Inline::Text(text.clone(), Look { bold: true, ..Look::default() });
                match self.0 {
                    Target::Mattermost => format!("#### {}", self.escaped(text, false)),
                    Target::Zulip => format!("## {}", self.escaped(text, false)),
                    Target::Slack | Target::RocketChat | Target::Discord => self.inlines(&[bold]),
                }
            }
            Part::Divider => match self.0 {
                Target::Mattermost => "\n---".to_owned(),
                Target::Zulip => "\n----".to_owned(),
                Target::Slack | Target::RocketChat | Target::Discord => "──────────".to_owned(),
            },
            Part::Code(text) => fence(text),
        }
    }

    fn inlines(self, inlines: &[Inline]) -> String {
        let mut out = String::new();
        for (index, inline) in inlines.iter().enumerate() {
            match inline {
                Inline::Text(text, look) if look.code => out.push_str(&code(text)),
                Inline::Text(text, look) => {
                    let next = inlines.get(index + 1).and_then(|next| next.shown().chars().next());
                    self.styled(text, *look, next, &mut out);
                }
                Inline::Preformatted(text) => {
                    if !out.is_empty() && !out.ends_with('\n') {
                        out.push('\n');
                    }
                    out.push_str(&fence(text));
                    out.push('\n');
                }
                Inline::Emoji(name, _) => match emoji::by_name(name) {
                    Some(characters) => out.push_str(&characters),
                    None => self.escape(&format!(":{name}:"), false, &mut out),
                },
                Inline::Link { url, label, .. } => self.link(url, label.as_deref(), &mut out),
                Inline::Date { seconds, fallback, .. } => self.date(*seconds, fallback, &mut out),
                Inline::Mention(mention) => self.mention(mention, &mut out),
                Inline::Channel(_) | Inline::Other(_) => self.escape(&inline.shown(), false, &mut out),
                Inline::Quote => out.push_str("> "),
            }
        }
        end_quotations(&out)
    }

    /// Markers around each line's words; none where the target would not take them.
    fn styled(self, text: &str, look: Look, next: Option<char>, out: &mut String) {
        let (bold, italic, strike) = match self.0 {
            Target::Mattermost => ("**", "_", "~~"),
            Target::Discord => ("**", "*", "~~"),
            // What takes Zulip's place of Slack turns `*bold*` into `**bold**`, and `_italic_` into `*italic*`.
            Target::Zulip => ("*", "_", "~~"),
            Target::RocketChat | Target::Slack => ("*", "_", "~"),
        };
        let markers: Vec<&str> = [(look.strike, strike), (look.bold, bold), (look.italic, italic)]
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
        // What a URL may hold and Markdown reads.
        let mut target = String::with_capacity(url.len());
        for char in url.chars() {
            match char {
                '(' | ')' | '*' | '_' | '~' | '|' | '\\' | '<' | '>' | '[' | ']' | '`' | '\'' | '!' | '@' | '$' => {
                    target.push_str(&format!("%{:02X}", u32::from(char)));
                }
                char => target.push(char),
            }
        }
        if !target.starts_with("http://") && !target.starts_with("https://") {
            return self.escape(label.unwrap_or(url), false, out);
        }
        match label {
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

    fn date(self, seconds: i64, fallback: &str, out: &mut String) {
        match (self.0, jiff::Timestamp::from_second(seconds)) {
            (Target::Discord, _) => out.push_str(&format!("<t:{seconds}:f>")),
            (Target::Zulip, Ok(at)) => out.push_str(&format!("<time:{}>", at.strftime("%Y-%m-%dT%H:%M:%SZ"))),
            _ => self.escape(fallback, false, out),
        }
    }

    /// Only what the guard let through comes here: a mention that the route allows.
    fn mention(self, mention: &Mention, out: &mut String) {
        match mention {
            Mention::All(whom) => out.push_str(match (self.0, whom.as_str()) {
                (Target::Zulip, _) => "@**all**",
                (_, "here") => "@here",
                (Target::Mattermost, "channel") => "@channel",
                (Target::Discord, _) => "@everyone",
                _ => "@all",
            }),
            Mention::Some(id) if self.0 == Target::Discord && id.bytes().all(|b| b.is_ascii_digit()) => {
                out.push_str(&format!("<@{id}>"));
            }
            // Slack's ids mean nothing elsewhere.
            Mention::Some(id) => self.escape(&format!("@{id}"), false, out),
        }
    }

    fn escaped(self, text: &str, within: bool) -> String {
        // Not the start of a line: something of ours stands before it.
        let mut out = " ".to_owned();
        self.escape(text, within, &mut out);
        out.split_off(1)
    }

    /// Adds cleaned text that shows as just that text. `within`: between markers, or in a link's label.
    fn escape(self, text: &str, within: bool, out: &mut String) {
        // First, since what a backtick becomes may stand in an emoji's name.
        let text = if within && self.0 == Target::RocketChat { &text.replace('`', "'") } else { text };
        for (at, char) in text.char_indices() {
            let rest = text.get(at..).unwrap_or_default();
            let line_start = !within && (out.is_empty() || out.ends_with('\n'));
            let before = out.chars().next_back();
            // Zulip's entities begin nothing; its own code begins with spaces.
            if line_start && begins_a_block(rest) && (self.0 != Target::Zulip || char.is_whitespace()) {
                out.push(BREAK);
            }
            match self.0 {
                Target::Slack => out.push(char),
                Target::Mattermost => mattermost(char, before, rest, out),
                Target::RocketChat if within => rocket_chat_within(char, rest, out),
                Target::RocketChat => rocket_chat(char, before, rest, out),
                Target::Discord => discord(char, before, rest, out),
                Target::Zulip => zulip(char, before, rest, line_start, out),
            }
        }
    }
}

fn mattermost(char: char, before: Option<char>, rest: &str, out: &mut String) {
    match char {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '$' => out.push_str("&#36;"),
        '\\' | '*' | '_' | '`' | '[' | ']' | '|' => out.extend(['\\', char]),
        // A channel's name follows it, too.
        '~' => out.extend(['\\', '~', BREAK]),
        '@' | '#' => out.extend([char, BREAK]),
        ':' if colon_acts(before, rest) => out.extend([':', BREAK]),
        '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("\\."),
        char => out.push(char),
    }
}

fn rocket_chat(char: char, before: Option<char>, rest: &str, out: &mut String) {
    match char {
        '\\' | '*' | '_' | '~' | '`' => out.extend(['\\', char]),
        // It links bare domains and addresses.
        '.' if before.is_some_and(char::is_alphanumeric) => out.push_str("\\."),
        char => rocket_chat_breaks(char, before, rest, out),
    }
}

/// Between its markers Rocket.Chat knows neither escapes nor bare links.
fn rocket_chat_within(char: char, rest: &str, out: &mut String) {
    let before = out.chars().next_back();
    match char {
        '\\' => out.push('∖'),
        '*' => out.push('∗'),
        '_' => out.push('ˍ'),
        '~' => out.push('∼'),
        '|' => out.push('¦'),
        ']' => out.push('］'),
        '.' if before.is_some_and(char::is_alphanumeric) && rest.chars().nth(1).is_some_and(char::is_alphabetic) => {
            out.push('․')
        }
        char => rocket_chat_breaks(char, before, rest, out),
    }
}

fn rocket_chat_breaks(char: char, before: Option<char>, rest: &str, out: &mut String) {
    match char {
        // The last one begins a number to call.
        '@' | '#' | '<' | '[' | ']' | '|' | '+' => out.extend([char, BREAK]),
        // Of formulas, which anything may stand in.
        '$' => out.push('＄'),
        ':' if colon_acts(before, rest) => out.extend([':', BREAK]),
        char => out.push(char),
    }
}

fn discord(char: char, before: Option<char>, rest: &str, out: &mut String) {
    const ENTITIES: [&str; 4] = ["&amp;", "&lt;", "&gt;", "&#"];
    match char {
        '\\' | '*' | '_' | '~' | '`' | '|' | '[' | ']' => out.extend(['\\', char]),
        '@' | '#' | '<' => out.extend([char, BREAK]),
        ':' if colon_acts(before, rest) => out.push_str("\\:"),
        '&' if ENTITIES.iter().any(|entity| rest.starts_with(entity)) => out.extend(['&', BREAK]),
        char => out.push(char),
    }
}

/// Zulip has no backslash escapes, but shows HTML entities, after it has looked for everything else.
fn zulip(char: char, before: Option<char>, rest: &str, line_start: bool, out: &mut String) {
    let after = rest.chars().nth(1);
    let digit = |char: Option<char>| char.is_some_and(|c| c.is_ascii_digit());
    let acts = match char {
        '&' | '<' | '>' | '*' | '_' | '~' | '`' | '[' | ']' | '(' | ')' | '{' | '}' | '@' | '#' | '|' | '!' | '\\'
        | '$' | '^' => true,
        ':' => colon_acts(before, rest) || !digit(before) && !after.is_some_and(|c| c.is_ascii_hexdigit()),
        // It links bare domains.
        '.' => !digit(before) || !digit(after),
        '/' | '-' | '+' | '=' => line_start,
        _ => false,
    };
    if acts {
        out.push_str(&format!("&#{};", u32::from(char)));
    } else {
        out.push(char);
    }
}

/// Whether the colon that `rest` begins with would make a link or an emoji.
fn colon_acts(before: Option<char>, rest: &str) -> bool {
    let after = rest.get(1..).unwrap_or_default();
    // Some need no `//`, and another piece may complete it. What an address may hold behind a colon is left alone.
    let scheme = before.is_some_and(|c| c.is_ascii_alphabetic())
        && !after.starts_with(|c: char| c.is_whitespace() || c.is_ascii_hexdigit());
    scheme || after.starts_with("//") || emoji::might_begin(rest)
}

/// Whether a line that begins so would be a heading, a list, a quotation, code, a rule or a command.
fn begins_a_block(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let after = line.get(digits..).unwrap_or_default();
    let mut after = after.chars();
    let listed = digits > 0
        && match after.next() {
            None => true,
            Some('.' | ')') => !after.next().is_some_and(|c| c.is_ascii_alphanumeric()),
            Some(_) => false,
        };
    listed || line.starts_with(|c: char| c.is_whitespace() && c != '\n' || "#>-+=/*_~`|:•".contains(c))
}

/// A quotation goes on until an empty line.
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

/// Code on one line, that the text cannot break out of.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\t'], " ").replace('`', "'");
    if text.trim().is_empty() { text } else { format!("`{}`", unlinked(&text)) }
}

/// Code on lines of its own.
fn fence(text: &str) -> String {
    let text = text.replace("```", "'''").replace("~~~", "∼∼∼");
    format!("```\n{}\n```", unlinked(text.trim_matches('\n')))
}

/// In code nothing is formatted, but some look for mentions there, and translate Slack's before they look for code.
fn unlinked(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    for (at, char) in code.char_indices() {
        out.push(char);
        let rest = code.get(at + char.len_utf8()..).unwrap_or_default();
        let calls = || {
            let rest = rest.to_ascii_lowercase();
            ["everyone", "here", "channel", "all", "**", "_**", "!", "&"].iter().any(|name| rest.starts_with(name))
        };
        if char == '<' || char == '@' && calls() {
            out.push(BREAK);
        }
    }
    out
}
