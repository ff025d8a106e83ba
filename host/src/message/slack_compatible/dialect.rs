//! The differences between the services that take Slack's webhooks but not its blocks: their Markdown and their limits.
//!
//! Mattermost and Discord take backslashes as escapes, Zulip HTML entities, Rocket.Chat backslashes before a few
//! characters, and none of these stops mentions. Where there is no escape, an invisible [`BREAK`] stands between two
//! characters that would act together: a reader sees the text unchanged.

use blockkit::emoji;

/// Zero-width space.
pub(crate) const BREAK: char = '\u{200b}';

/// One service's Markdown.
pub trait Dialect: Sync {
    /// Characters that a message's text may have, alone or in an attachment.
    fn text_max(&self, attached: bool) -> usize;

    /// The markers of bold, italic and struck text.
    fn markers(&self) -> Markers;

    /// The beginning of a heading's line. `None`: a heading is bold text.
    fn heading(&self) -> Option<&'static str> {
        None
    }

    /// A horizontal line.
    fn divider(&self) -> &'static str {
        "──────────"
    }

    /// A time that each reader sees in their own time zone; `format` is Slack's, `{date} at {time}`. `None`: the service has
    /// no form for it.
    fn date(&self, _seconds: i64, _format: &str) -> Option<String> {
        None
    }

    /// A mention of everybody in a channel; `whom` is Slack's word.
    fn mention_all(&self, whom: &str) -> &'static str;

    /// A mention of one user by an id of the service. `None`: the id is Slack's and means nothing here.
    fn mention_one(&self, _id: &str) -> Option<String> {
        None
    }

    /// A mention of a group of users, in the same way.
    fn mention_group(&self, _id: &str) -> Option<String> {
        None
    }

    /// Whether the service shows attachments, and with them a colour and pictures.
    fn has_attachments(&self) -> bool {
        true
    }

    /// Whether text that is too long for a message goes into an attachment, which takes more.
    fn attaches_long_text(&self) -> bool {
        false
    }

    /// Whether a line that begins with this would be more than text.
    fn begins_block(&self, line: &str) -> bool {
        begins_block(line)
    }

    /// Adds a character of cleaned text so that exactly this character is shown.
    fn escape(&self, place: Place<'_>, out: &mut String);

    /// The same between markers and in a link's label.
    fn escape_within(&self, place: Place<'_>, out: &mut String) {
        self.escape(place, out);
    }

    /// The replacement of a backtick between markers and in a link's label.
    fn backtick_within(&self) -> char {
        '`'
    }

    /// A link in a form of the service's own, to a URL of which nothing acts. `None`: `[label](url)`.
    fn link(&self, _url: &str, _label: &str) -> Option<String> {
        None
    }

    /// Whether a character of inline code is kept apart from the text after it.
    fn breaks_in_code(&self, char: char, rest: &str) -> bool {
        breaks_in_code(char, rest)
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
    /// The character that was written before it.
    pub before: Option<char>,
    /// The text from the character on.
    pub rest: &'t str,
    /// Whether a line begins with it.
    pub line_start: bool,
}

impl Place<'_> {
    /// The character after it.
    pub(crate) fn after(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    /// Whether it is a colon that would make a link or an emoji.
    pub(crate) fn colon_acts(&self) -> bool {
        let after = self.rest.get(1..).unwrap_or_default();
        // Some schemes need no `//`, and another piece may complete one. A colon of an IPv6 address stays.
        let hex = after.starts_with(|c: char| c.is_ascii_hexdigit());
        let scheme = self.before.is_some_and(|c| c.is_ascii_alphabetic() && !(hex && c.is_ascii_hexdigit()))
            && !after.starts_with(char::is_whitespace);
        // No emoji is called `-`, but some parsers take it for one.
        let end = after.find(|c: char| !"_+-.'".contains(c)).unwrap_or(after.len());
        let punctuation = end > 0 && after.get(end..).is_some_and(|rest| rest.starts_with(':'));
        scheme || after.starts_with("//") || punctuation || emoji::might_begin(self.rest)
    }

    /// Whether one of these emoticons, in any case, begins with it.
    pub(crate) fn begins_emoticon(&self, emoticons: &[&str]) -> bool {
        let in_word = self.char.is_alphanumeric() && self.before.is_some_and(char::is_alphanumeric);
        let begins = |emoticon: &str| {
            let Some((start, after)) = self.rest.split_at_checked(emoticon.len()) else { return false };
            let joined = start.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric);
            start.eq_ignore_ascii_case(emoticon) && !joined
        };
        !in_word && emoticons.iter().any(|emoticon| begins(emoticon))
    }
}

/// Returns whether a character of code begins a mention: nothing is formatted in code, but some services look for
/// mentions, and translate Slack's before they look for code.
pub(crate) fn breaks_in_code(char: char, rest: &str) -> bool {
    const NAMES: [&str; 8] = ["everyone", "here", "channel", "all", "**", "_**", "!", "&"];
    let calls = |name: &str| rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    char == '<' || char == '@' && NAMES.iter().any(|name| calls(name))
}

/// Returns whether a line that begins with this would be a heading, a list, a quotation, code, a rule or a command.
pub(crate) fn begins_block(line: &str) -> bool {
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
