//! What differs between the services that take Slack's webhooks but not its blocks: their Markdown and their limits.
//!
//! What they can escape differs. Mattermost and Discord take backslashes, Zulip HTML entities, Rocket.Chat backslashes
//! before a few characters, and none of them stops mentions. Where there is no escape an invisible [`BREAK`] stands
//! between two characters that would act together: a reader sees the text unchanged.

use blockkit::emoji;

/// Zero-width space.
pub const BREAK: char = '\u{200b}';

/// One service's Markdown.
pub trait Dialect: Sync {
    /// Characters that a message's text may have, alone or in an attachment.
    fn text_max(&self, attached: bool) -> usize;

    /// What marks bold, italic and struck text.
    fn markers(&self) -> Markers;

    /// What a heading's line begins with. `None`: a heading is bold text.
    fn heading(&self) -> Option<&'static str> {
        None
    }

    /// A line across.
    fn divider(&self) -> &'static str {
        "──────────"
    }

    /// A moment, shown in each reader's own time zone. `None`: there is no form for it.
    fn date(&self, _seconds: i64) -> Option<String> {
        None
    }

    /// A mention of everybody in a channel; `whom` is Slack's word.
    fn mention_all(&self, whom: &str) -> &'static str;

    /// A mention of one user by an id of the service. `None`: ids are Slack's and mean nothing here.
    fn mention_one(&self, _id: &str) -> Option<String> {
        None
    }

    /// Whether it shows attachments, and with them a colour and pictures.
    fn has_attachments(&self) -> bool {
        true
    }

    /// Whether text that is too long for a message goes into an attachment, which takes more.
    fn attaches_long_text(&self) -> bool {
        false
    }

    /// Whether a line that begins so would be more than text.
    fn begins_block(&self, line: &str) -> bool {
        begins_block(line)
    }

    /// Adds a character of cleaned text in such a way that it shows as just that.
    fn escape(&self, place: Place<'_>, out: &mut String);

    /// The same between markers and in a link's label.
    fn escape_within(&self, place: Place<'_>, out: &mut String) {
        self.escape(place, out);
    }

    /// What stands for a backtick between markers and in a link's label.
    fn backtick_within(&self) -> char {
        '`'
    }
}

/// What stands before and after text, by its look.
#[derive(Debug, Clone, Copy)]
pub struct Markers {
    pub bold: &'static str,
    pub italic: &'static str,
    pub strike: &'static str,
}

/// A character and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Place<'t> {
    /// The character.
    pub char: char,
    /// What was written before it.
    pub before: Option<char>,
    /// The text from the character on.
    pub rest: &'t str,
    /// Whether a line begins with it.
    pub line_start: bool,
}

impl Place<'_> {
    /// The character after it.
    pub fn after(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    /// Whether it is a colon that would make a link or an emoji.
    pub fn colon_acts(&self) -> bool {
        let after = self.rest.get(1..).unwrap_or_default();
        // Some need no `//`, and another piece may complete it. What an address may hold after a colon is left alone.
        let scheme = self.before.is_some_and(|c| c.is_ascii_alphabetic())
            && !after.starts_with(|c: char| c.is_whitespace() || c.is_ascii_hexdigit());
        scheme || after.starts_with("//") || emoji::might_begin(self.rest)
    }
}

/// Whether a line that begins so would be a heading, a list, a quotation, code, a rule or a command.
pub fn begins_block(line: &str) -> bool {
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
