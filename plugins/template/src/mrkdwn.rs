//! Text as Slack's mrkdwn: cut, made visible, neutralized and escaped, in this order.
//!
//! A value has one of two types: text, or markup, which is the engine's "safe" string. Text becomes markup only here, when
//! it is printed or by [`code`], whatever filters it passed before. The result is one line without mentions, links, dates,
//! control and direction characters. Slack has no escape for `*`, `_`, `~`, backticks, `:emoji:` and a quotation's `>`:
//! where such a character could act, it becomes one that looks like it. In [`code`] nothing but a backtick acts.

use std::fmt::{self, Write};

/// The most characters of one value that are printed. Enough for the longest host name (253) and most log lines; ten such
/// values fit into a section.
pub const VALUE_MAX: usize = 300;

/// Replaces the text that was cut off.
const CUT: char = '…';

/// Replaces a character that is invisible or changes how others are displayed.
const INVISIBLE: char = '\u{fffd}';

/// Slack's emoji whose names could be a part of an address or a time.
const HEX_EMOJI: [&str; 11] = ["100", "1234", "a", "ab", "abc", "abcd", "b", "bed", "bee", "cd", "de"];

/// The length of `&amp;`.
const LONGEST_ENTITY: usize = 5;

/// Writes text, of which nothing formats, also together with what is printed before and after it.
pub fn write_text(out: &mut impl Write, value: &str) -> fmt::Result {
    if value.len() <= VALUE_MAX && value.bytes().all(|byte| is_plain(byte) && !b"*_~`:".contains(&byte)) {
        return out.write_str(value);
    }
    let shown = visible(value);
    let mut before = None;
    for (at, character) in shown.char_indices() {
        let rest = shown.get(at..).unwrap_or_default();
        write_escaped(
            out,
            match character {
                '`' => '\'',
                '*' if acts(before, rest) => '∗',
                '_' if acts(before, rest) => 'ˍ',
                '~' if acts(before, rest) => '∼',
                ':' if may_begin_emoji(rest) => '∶',
                // Where the value is the first of its line, it would be a quotation.
                '>' if shown.get(..at).is_some_and(|start| start.trim().is_empty()) => '›',
                character => character,
            },
        )?;
        before = Some(character);
    }
    Ok(())
}

/// A value as inline code, in which Slack formats nothing. Backticks become apostrophes, since Slack cannot escape them. Empty
/// for a blank value: Slack would show empty backticks.
pub fn code(value: &str) -> String {
    let value = value.trim();
    let mut out = String::with_capacity(value.len().saturating_add(2));
    if value.is_empty() {
        return out;
    }
    out.push('`');
    if value.len() <= VALUE_MAX && value.bytes().all(|byte| is_plain(byte) && byte != b'`') {
        out.push_str(value);
    } else {
        for character in visible(value).chars() {
            // Writing to a String cannot fail.
            let _ = write_escaped(&mut out, if character == '`' { '\'' } else { character });
        }
    }
    out.push('`');
    out
}

/// Writes a link. The URL is the administrator's, with an address in it; the label is text.
pub fn write_link(out: &mut impl Write, url: &str, label: &str) -> fmt::Result {
    out.write_char('<')?;
    url.chars().try_for_each(|character| write_escaped(out, character))?;
    out.write_char('|')?;
    write_text(out, label)?;
    out.write_char('>')
}

/// Cuts finished mrkdwn to `max` characters, never inside an entity (`&lt;`) or a `<…>`.
pub fn cut(text: &mut String, max: usize) {
    if text.len() <= max {
        return;
    }
    let Some((mut end, _)) = text.char_indices().nth(max.saturating_sub(1)) else { return };
    if text.chars().nth(max).is_none() {
        return;
    }
    let kept = text.get(..end).unwrap_or_default();
    let open_after =
        |open: char, close: char| kept.rfind(open).filter(|at| kept.rfind(close).is_none_or(|closed| closed < *at));
    let markup = open_after('<', '>');
    let entity = open_after('&', ';').filter(|at| kept.len().saturating_sub(*at) < LONGEST_ENTITY);
    for open in [markup, entity].into_iter().flatten() {
        end = end.min(open);
    }
    text.truncate(end);
    text.push(CUT);
}

/// Printable ASCII that means nothing in mrkdwn's escapes.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<' | b'>')
}

fn write_escaped(out: &mut impl Write, character: char) -> fmt::Result {
    match character {
        '&' => out.write_str("&amp;"),
        '<' => out.write_str("&lt;"),
        '>' => out.write_str("&gt;"),
        character => out.write_char(character),
    }
}

/// Whether the marker that `rest` begins with can begin or end something: not between two characters of a word, nor
/// between two spaces. At the edge of the value it can, with what the template prints there.
fn acts(before: Option<char>, rest: &str) -> bool {
    let after = rest.chars().nth(1);
    let both = |is: fn(&char) -> bool| before.as_ref().is_some_and(is) && after.as_ref().is_some_and(is);
    !both(char::is_ascii_alphanumeric) && !both(|character| *character == ' ')
}

/// Whether the colon that `rest` begins with may begin an emoji. Its end may be in the next value. A colon of an IPv6
/// address or a time stays.
fn may_begin_emoji(rest: &str) -> bool {
    let after = rest.get(1..).unwrap_or_default();
    let in_name = |character: char| character.is_ascii_alphanumeric() || "_+-.'".contains(character);
    let (name, end) = after.split_at(after.find(|character| !in_name(character)).unwrap_or(after.len()));
    let is_hex = name.bytes().all(|byte| byte.is_ascii_hexdigit());
    match end.chars().next() {
        Some(':') => !is_hex || HEX_EMOJI.contains(&name.to_ascii_lowercase().as_str()),
        Some(CUT) | None => !is_hex,
        Some(_) => false,
    }
}

/// The value as one visible line, cut.
fn visible(value: &str) -> String {
    let mut characters = value.chars().map(visible_character);
    let mut out: String = characters.by_ref().take(VALUE_MAX).collect();
    if characters.next().is_some() {
        out.push(CUT);
    }
    out
}

/// The character itself, or what stands for it.
fn visible_character(character: char) -> char {
    match character {
        // A line break, of which a value has none: it could start a line of the template's own.
        '\t' | '\n' | '\x0b' | '\x0c' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        // Soft hyphen, Arabic letter mark, Mongolian vowel separator, zero-width and direction marks, overrides,
        // isolates and invisible operators, byte order mark, tags.
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' => INVISIBLE,
        control if control.is_control() => INVISIBLE,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> String {
        let mut out = String::new();
        write_text(&mut out, value).unwrap();
        out
    }

    #[test]
    fn escape_is_applied_once() {
        assert_eq!(text("plain 203.0.113.7"), "plain 203.0.113.7");
        assert_eq!(text("<!channel> &amp; <@U1>"), "&lt;!channel&gt; &amp;amp; &lt;@U1&gt;");
        assert_eq!(text("é 猫"), "é 猫");
    }

    #[test]
    fn code_invisible_characters_become_visible() {
        assert_eq!(text("a\nb\r\n---\u{2028}c\td"), "a b  --- c d");
        assert_eq!(text("\x1b[31m\u{202e}x\u{200b}\u{feff}\u{9b}\x7f\0"), "�[31m�x�����");
    }

    #[test]
    fn text_formatting_characters_are_neutralized() {
        for (value, expected) in [
            ("*b* _i_ ~s~ `c` :rotating_light:", "∗b∗ ˍiˍ ∼s∼ 'c' ∶rotating_light:"),
            ("nginx_http_auth 2*3 a * b *", "nginx_http_auth 2*3 a * b ∗"),
            (" \t> quote > no", "  › quote &gt; no"),
            // The other half may be the template's, or another value's.
            ("*", "∗"),
            (":sku", "∶sku"),
            ("a: b :+1::skin-tone-2:", "a: b ∶+1:∶skin-tone-2:"),
            ("2001:db8::1 10:56:55 2001:100::", "2001:db8::1 10:56:55 2001∶100::"),
            ("*\u{200b}b*", "∗�b∗"),
        ] {
            assert_eq!(text(value), expected);
            let long = format!("{} {value}", "é".repeat(VALUE_MAX - 10));
            assert!(!text(&long).contains("*b*"), "{long}");
        }
        assert_eq!(text(&format!("{}*b*", "x ".repeat(149))), format!("{}∗b…", "x ".repeat(149)));
    }

    #[test]
    fn code_backticks_cannot_end_it() {
        assert_eq!(code("a `b` <c>"), "`a 'b' &lt;c&gt;`");
        assert_eq!(code("2001:db8::/32"), "`2001:db8::/32`");
        assert_eq!(code(" \n"), "");
    }

    #[test]
    fn escape_long_value_is_cut_first() {
        let long = text(&"<".repeat(VALUE_MAX + 1));
        assert_eq!(long, format!("{}…", "&lt;".repeat(VALUE_MAX)));
        assert_eq!(text(&"é".repeat(VALUE_MAX)), "é".repeat(VALUE_MAX));
        assert_eq!(text(&"a".repeat(VALUE_MAX + 1)), format!("{}…", "a".repeat(VALUE_MAX)));
    }

    #[test]
    fn cut_message_keeps_entities_whole() {
        for (whole, max, expected) in [
            ("short", 5, "short"),
            ("éééé", 4, "éééé"),
            ("ééééé", 4, "ééé…"),
            ("ab&lt;cd", 5, "ab…"),
            ("ab&lt;cd", 7, "ab&lt;…"),
            ("ab <https://x.example|y> c", 12, "ab …"),
            ("R&D, written raw", 12, "R&D, writte…"),
        ] {
            let mut text = whole.to_owned();
            cut(&mut text, max);
            assert_eq!(text, expected);
            assert!(text.chars().count() <= max);
        }
    }
}
