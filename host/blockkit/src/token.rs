//! The smallest pieces of Slack's markup: entities, `<…>`, and single characters.

/// A piece that must not be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'t> {
    /// `&amp;`, `&lt;` or `&gt;`, and the character that it shows.
    Entity(char),
    /// The text between `<` and `>`: a link, a mention, a date. Holds neither of the two.
    Angle(&'t str),
    /// Any other character, including a lone `<`, `>` or `&`.
    Char(char),
}

/// Returns the first token and its length in bytes; `None` at the end.
#[inline]
pub fn first(text: &str) -> Option<(Token<'_>, usize)> {
    let char = text.chars().next()?;
    let special = match char {
        '&' => entity(text),
        '<' => angle(text),
        // The common case, kept short: this runs for every character of every text.
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

/// Returns all tokens, each with its source text.
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

/// Replaces `&`, `<` and `>` by entities.
#[must_use]
pub fn escape_entities(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut rest = text;
    let special = |byte| matches!(byte, b'&' | b'<' | b'>');
    while let Some((before, special)) = rest.bytes().position(special).and_then(|at| rest.split_at_checked(at)) {
        escaped.push_str(before);
        escaped.push_str(match special.as_bytes().first() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            _ => "&gt;",
        });
        rest = special.get(1..).unwrap_or_default();
    }
    escaped.push_str(rest);
    escaped
}

/// Replaces the entities of [`escape_entities`] by their characters.
#[must_use]
pub fn unescape_entities(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    // `&` last: `&amp;lt;` is `&lt;`.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Returns target and label of `<target|label>`, without entities.
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
    fn tokens_of_markup_are_entities_angles_and_characters() {
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
