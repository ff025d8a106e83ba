//! Text from outside, made safe to show: hidden characters become visible, and what is too long is cut.

use std::borrow::Cow;

use icu_properties::CodePointSetData;
use icu_properties::props::{DefaultIgnorableCodePoint, ExtendedPictographic};

/// Marks the end of a text that was cut.
pub const ELLIPSIS: char = '…';

/// Returns the text with every [hidden](is_hidden) character written as in `\u{202e}`. A variation selector stays where it
/// belongs: after an emoji, and in a keycap.
#[inline]
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    // The common case, without a look at characters.
    if text.bytes().all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    if !text.contains(|char| is_hidden(char) || is_variation_selector(char)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(char) = characters.next() {
        let stray = is_variation_selector(char) && !selects(before, characters.peek().copied());
        if is_hidden(char) || stray {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
        before = Some(char);
    }
    Cow::Owned(shown)
}

/// The selectors of text and emoji presentation: the `\u{fe0f}` in ⚠️.
const fn is_variation_selector(char: char) -> bool {
    matches!(char, '\u{fe0e}' | '\u{fe0f}')
}

/// Returns whether a variation selector between these characters has an effect.
fn selects(before: Option<char>, after: Option<char>) -> bool {
    const KEYCAP: char = '\u{20e3}';
    before.is_some_and(|before| match before {
        '0'..='9' | '#' | '*' => after == Some(KEYCAP),
        before => CodePointSetData::new::<ExtendedPictographic>().contains(before),
    })
}

/// Returns the [clean] text on one line: line feeds and tabs become spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    let text = clean(text);
    if text.bytes().any(|byte| matches!(byte, b'\n' | b'\t')) {
        text.replace(['\n', '\t'], " ")
    } else {
        text.into_owned()
    }
}

/// Returns at most `max_chars` characters (code points), with an ellipsis at the end if something was cut.
///
/// Cut a text before you escape it: otherwise the cut could fall inside an entity.
#[inline]
#[must_use]
pub fn cut(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.len() <= max_chars || text.chars().nth(max_chars).is_none() {
        return Cow::Borrowed(text);
    }
    let mut kept: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    kept.push(ELLIPSIS);
    Cow::Owned(kept)
}

/// Returns whether a character is invisible or changes how its neighbours look: controls except line feed and tab, line
/// separators, annotations, and what Unicode calls default-ignorable: bidi marks and overrides, zero-width characters,
/// fillers, tags. Variation selectors are left to [`clean`].
///
/// U+200D is among them, so emoji that it joins fall apart: letters that an attacker joins look the same as plain ones, and
/// only a table of all emoji could tell the two apart.
#[inline]
#[must_use]
pub fn is_hidden(char: char) -> bool {
    match char {
        '\t' | '\n' | ' '..='~' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true, // C0, DEL, C1
        '\u{a0}'..='\u{ac}' => false,
        '\u{2028}'..='\u{202e}' | '\u{fff9}'..='\u{fffb}' => true,
        char => !is_variation_selector(char) && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char),
    }
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
    fn clean_of_default_ignorable_characters_shows_their_numbers() {
        let ranges = [
            '\u{ad}'..='\u{ad}',
            '\u{34f}'..='\u{34f}',
            '\u{61c}'..='\u{61c}',
            '\u{115f}'..='\u{1160}',
            '\u{17b4}'..='\u{17b5}',
            '\u{180b}'..='\u{180f}',
            '\u{200b}'..='\u{200f}',
            '\u{202a}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{3164}'..='\u{3164}',
            '\u{fe00}'..='\u{fe0f}',
            '\u{feff}'..='\u{feff}',
            '\u{ffa0}'..='\u{ffa0}',
            '\u{fff0}'..='\u{fff8}',
            '\u{1bca0}'..='\u{1bca3}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0000}'..='\u{e0fff}',
        ];
        for char in ranges.into_iter().flatten() {
            assert_eq!(clean(&format!("a{char}b")), format!("a\\u{{{:x}}}b", u32::from(char)));
        }
    }

    #[test]
    fn clean_of_a_variation_selector_keeps_it_in_emoji() {
        for (text, cleaned) in [
            ("⚠\u{fe0f} ⏹\u{fe0f}", "⚠\u{fe0f} ⏹\u{fe0f}"),
            ("1\u{fe0f}\u{20e3}", "1\u{fe0f}\u{20e3}"),
            ("1\u{fe0f}2", "1\\u{fe0f}2"),
            ("\u{fe0e}", "\\u{fe0e}"),
            ("⚠\u{fe0f}\u{fe0f}", "⚠\u{fe0f}\\u{fe0f}"),
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
