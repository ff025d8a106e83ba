//! Foreign text becomes finished markup, which has a type of its own.
//!
//! Slack's markup has three escapes, `&amp;`, `&lt;` and `&gt;`; they neutralize mentions, links and dates. It has none
//! for what formats (`*`, `_`, `~`, backticks, `:emoji:`, a quotation's `>`): where such a character could act it is
//! replaced by one that looks like it. Text that has to stay exact goes into `plain_text` or `rich_text`.

use std::borrow::Cow;

use blockkit::emoji;
use blockkit::text::{ELLIPSIS, clean, one_line};
use blockkit::token::{escape_entities, tokens};

/// Finished Slack markup without hidden characters.
///
/// Only [`escape`] and [`code`] make it of foreign text, and only `Sanitizer::mrkdwn` of a plugin's own markup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mrkdwn(String);

impl Mrkdwn {
    /// Returns markup that stands in banhook's source.
    #[must_use]
    pub(crate) fn literal(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// Returns markup that the sanitizer has passed.
    pub(super) const fn sanitized(markup: String) -> Self {
        Self(markup)
    }

    /// Adds more markup at the end.
    pub(crate) fn push(&mut self, more: &Self) {
        self.0.push_str(&more.0);
    }

    /// Cuts it to at most `max_chars` characters, with entities counted as they are written; never inside an entity or
    /// `<…>`.
    #[must_use]
    pub(crate) fn cut(self, max_chars: usize) -> Self {
        if self.0.len() <= max_chars || self.0.chars().count() <= max_chars {
            return self;
        }
        let mut kept = String::new();
        let mut left = max_chars.saturating_sub(1);
        for (_, written) in tokens(&self.0) {
            let Some(after) = left.checked_sub(written.chars().count()) else { break };
            kept.push_str(written);
            left = after;
        }
        kept.push(ELLIPSIS);
        Self(kept)
    }

    /// Returns whether a reader would see nothing.
    #[must_use]
    pub(crate) fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Returns the markup as Slack takes it.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the markup as Slack takes it.
    #[must_use]
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Returns foreign text as markup that shows exactly that text, unformatted, with hidden characters made visible.
#[must_use]
pub(crate) fn escape(foreign: &str) -> Mrkdwn {
    Mrkdwn(escape_entities(&neutralize(&clean(foreign))))
}

/// Returns foreign text as inline code that it cannot break out of: one line, backticks shown as `'`.
#[must_use]
pub(crate) fn code(foreign: &str) -> Mrkdwn {
    let inner = one_line(foreign).replace('`', "'");
    if inner.trim().is_empty() { escape(&inner) } else { Mrkdwn(format!("`{}`", escape_entities(&inner))) }
}

/// Replaces what would format in cleaned text: `*`, `_` and `~` at the edge of a word, backticks, the colon before an
/// emoji's name and `>` at the start of a line become characters that look like them.
pub(super) fn neutralize(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'*' | b'_' | b'~' | b'`' | b':' | b'>')) {
        return Cow::Borrowed(text);
    }
    // First, since what a backtick becomes may stand in an emoji's name.
    let text = if text.contains('`') { Cow::Owned(text.replace('`', "'")) } else { Cow::Borrowed(text) };
    let mut shown = String::with_capacity(text.len() + 8);
    let mut at = 0;
    let special = |byte| matches!(byte, b'*' | b'_' | b'~' | b':' | b'>');
    while let Some(found) = text.get(at..).and_then(|rest| rest.bytes().position(special)) {
        let (passed, rest) = text.split_at_checked(at + found).unwrap_or_default();
        shown.push_str(passed.get(at..).unwrap_or_default());
        let before = passed.chars().next_back();
        shown.push(match rest.chars().next() {
            Some('*') if acts(before, rest) => '∗',
            Some('_') if acts(before, rest) => 'ˍ',
            Some('~') if acts(before, rest) => '∼',
            Some(':') if emoji::might_begin(rest) => '∶',
            Some('>') if matches!(before, None | Some('\n')) => '›',
            Some(char) => char,
            None => break,
        });
        at += found + 1;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(shown)
}

/// Whether the marker that `rest` begins with can begin or end something: not between two characters of a word, nor
/// between two spaces. Slack does not document which other characters belong to a word.
fn acts(before: Option<char>, rest: &str) -> bool {
    let after = rest.chars().nth(1);
    let both = |is: fn(&char) -> bool| before.as_ref().is_some_and(is) && after.as_ref().is_some_and(is);
    !both(char::is_ascii_alphanumeric) && !both(|char| *char == ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_foreign_markup_is_text() {
        for (foreign, escaped) in [
            ("a & b", "a &amp; b"),
            ("<!channel>", "&lt;!channel&gt;"),
            ("&lt;", "&amp;lt;"),
            ("a\u{202e}b\u{1b}[31m", "a\\u{202e}b\\u{1b}[31m"),
            ("two\nlines\t", "two\nlines\t"),
            ("\u{200d}", "\\u{200d}"),
        ] {
            assert_eq!(escape(foreign).as_str(), escaped);
        }
    }

    #[test]
    fn escape_formatting_characters_are_replaced() {
        for (foreign, escaped) in [
            ("*b* _i_ ~s~ `c`", "∗b∗ ˍiˍ ∼s∼ 'c'"),
            ("nginx_http_auth 2*3 a * b", "nginx_http_auth 2*3 a * b"),
            ("nginx-*", "nginx-∗"),
            (":skull: 2001:db8::1 10:56:55", "∶skull: 2001:db8::1 10:56:55"),
            ("> a\n> b -> c", "› a\n› b -&gt; c"),
        ] {
            assert_eq!(escape(foreign).as_str(), escaped);
        }
    }

    #[test]
    fn code_foreign_text_stays_code() {
        for (foreign, coded) in
            [("a`b", "`a'b`"), ("```\nx", "`''' x`"), ("<@U1>", "`&lt;@U1&gt;`"), ("", ""), (" ", " ")]
        {
            assert_eq!(code(foreign).as_str(), coded);
        }
    }

    #[test]
    fn cut_falls_between_tokens() {
        for (markup, max, cut) in [
            ("a&amp;b", 7, "a&amp;b"),
            ("a&amp;b", 6, "a…"),
            ("a&amp;bcd", 8, "a&amp;b…"),
            ("see <https://example.org|it> there", 20, "see …"),
        ] {
            assert_eq!(Mrkdwn(markup.to_owned()).cut(max).as_str(), cut);
        }
    }
}
