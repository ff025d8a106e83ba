//! Text from outside, made safe to show: hidden characters become visible, and what is too long is cut.

use std::borrow::Cow;

/// Marks the end of a text that was cut.
pub const ELLIPSIS: char = '…';

/// Returns the text with every [hidden](is_hidden) character written as in `\u{202e}`.
#[inline]
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if is_hidden(char) {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    Cow::Owned(shown)
}

/// Returns the [clean] text on one line: line feeds and tabs become spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

/// Returns at most `max_chars` characters (code points), with an ellipsis at the end if something was cut.
///
/// Cut a text before you escape it: otherwise the cut could fall inside an entity.
#[inline]
#[must_use]
pub fn cut(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.chars().nth(max_chars).is_none() {
        return Cow::Borrowed(text);
    }
    let mut kept: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    kept.push(ELLIPSIS);
    Cow::Owned(kept)
}

/// Returns whether a character is invisible or changes how its neighbours look: controls except line feed and tab, bidi
/// marks and overrides, zero-width characters, tags.
///
/// U+200D is among them, so emoji that it joins fall apart: letters that an attacker joins look the same as plain ones, and
/// only a table of all emoji could tell the two apart.
#[inline]
#[must_use]
pub const fn is_hidden(char: char) -> bool {
    matches!(char,
        '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' // C0 but \t \n, DEL, C1
        | '\u{ad}' // soft hyphen
        | '\u{61c}' // Arabic letter mark
        | '\u{180e}' // Mongolian vowel separator
        | '\u{200b}'..='\u{200f}' // zero width, joiners, LRM, RLM
        | '\u{2028}'..='\u{202e}' // line and paragraph separator, bidi embeddings and overrides
        | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, bidi isolates, deprecated format characters
        | '\u{feff}' // byte order mark
        | '\u{fff9}'..='\u{fffb}' // interlinear annotation
        | '\u{e0000}'..='\u{e007f}' // tags
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_of_hidden_characters_shows_their_numbers() {
        for (text, cleaned) in [
            ("a\u{202e}b\u{1b}[31m", "a\\u{202e}b\\u{1b}[31m"),
            ("\u{200d}\u{feff}\0", "\\u{200d}\\u{feff}\\u{0}"),
            ("two\nlines\tä 👍", "two\nlines\tä 👍"),
        ] {
            assert_eq!(clean(text), cleaned);
        }
    }

    #[test]
    fn one_line_of_lines_has_spaces_between_them() {
        assert_eq!(one_line("two\nlines\t\r"), "two lines \\u{d}");
    }

    #[test]
    fn cut_of_long_text_counts_characters_and_ends_in_an_ellipsis() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("x", 0), "…");
    }
}
