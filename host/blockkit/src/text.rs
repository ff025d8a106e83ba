//! Text from outside, made safe to show: hidden characters become visible, and what is too long is cut.

use std::borrow::Cow;

/// Stands for the end of a text that was cut.
pub const ELLIPSIS: char = '…';

/// The text with every hidden character shown as `\u{202e}`.
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

/// Cleaned, and line feeds and tabs made spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

/// At most so many characters (code points), an ellipsis at the end of what was cut.
///
/// For text that is not escaped yet: afterwards a cut could fall inside an entity.
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

/// Characters that change how their neighbours look, or that nobody sees: controls but for line feed and tab,
/// bidi marks and overrides, zero-width characters, tags.
///
/// U+200D is among them, so emoji that it joins fall apart: an attacker's joined letters look the same as plain
/// ones, and no rule short of a table of emoji tells the two apart.
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
    fn cut_counts_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("x", 0), "…");
    }
}
