//! The smallest pieces of Slack's markup: entities, `<…>`, and single characters.

/// A piece that must not be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'t> {
    /// `&amp;`, `&lt;` or `&gt;`, and the character that it shows.
    Entity(char),
    /// What stands between `<` and `>`: a link, a mention, a date. Holds neither of the two.
    Angle(&'t str),
    /// Any other character, a lone `<`, `>` or `&` included.
    Char(char),
}

/// The first token and how many bytes it takes; `None` at the end.
#[inline]
pub fn first(text: &str) -> Option<(Token<'_>, usize)> {
    let char = text.chars().next()?;
    let special = match char {
        '&' => entity(text),
        '<' => angle(text),
        // Nearly all of them: this is asked of every character of every text.
        _ => None,
    };
    Some(special.unwrap_or((Token::Char(char), char.len_utf8())))
}

fn entity(text: &str) -> Option<(Token<'_>, usize)> {
    const ENTITIES: [(&str, char); 3] = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')];
    let (entity, shown) = ENTITIES.into_iter().find(|(entity, _)| text.starts_with(entity))?;
    Some((Token::Entity(shown), entity.len()))
}

fn angle(text: &str) -> Option<(Token<'_>, usize)> {
    let after = text.strip_prefix('<')?;
    let (inner, end) = after.split_at_checked(after.find(['<', '>'])?)?;
    end.starts_with('>').then_some((Token::Angle(inner), inner.len() + 2))
}

/// All tokens, each with the text as it is written.
#[inline]
pub fn tokens(text: &str) -> impl Iterator<Item = (Token<'_>, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (token, length) = first(rest)?;
        let (written, after) = rest.split_at_checked(length)?;
        rest = after;
        Some((token, written))
    })
}

/// The three escapes alone, `&` first.
#[must_use]
pub fn escape_entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Undoes [`escape_entities`], `&` last.
#[must_use]
pub fn unescape_entities(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Target and label of `<target|label>`, without entities.
pub fn target_and_label(inner: &str) -> (String, Option<String>) {
    match inner.split_once('|') {
        Some((target, label)) => (unescape_entities(target), Some(unescape_entities(label))),
        None => (unescape_entities(inner), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        for (text, expected) in [
            ("a&lt;", vec![Token::Char('a'), Token::Entity('<')]),
            ("<a|b>c", vec![Token::Angle("a|b"), Token::Char('c')]),
            ("<<a>", vec![Token::Char('<'), Token::Angle("a")]),
            ("<>", vec![Token::Angle("")]),
            ("&x<", vec![Token::Char('&'), Token::Char('x'), Token::Char('<')]),
        ] {
            assert_eq!(tokens(text).map(|(token, _)| token).collect::<Vec<_>>(), expected, "{text}");
            assert_eq!(tokens(text).map(|(_, written)| written).collect::<String>(), text);
        }
    }
}
