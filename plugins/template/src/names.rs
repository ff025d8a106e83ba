//! The tags of a template, the filters and tests that it uses, and the lines of its names, which MiniJinja does not tell: it
//! stops at the first mistake, and never looks into a branch that is not taken.

/// How a template uses a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// As a value.
    Variable,
    /// After `|`, or in `{% filter … %}`.
    Filter,
    /// After `is`.
    Test,
}

/// A name in a template.
#[derive(Debug, PartialEq, Eq)]
pub struct Name<'s> {
    /// The line, counted from 1.
    pub line: usize,
    /// How it is used.
    pub used: Use,
    /// The name.
    pub name: &'s str,
}

/// The names in `{{ … }}` and `{% … %}`, in their order. Keywords are among the variables; attributes, arguments' names and
/// what stands in quotes are not.
pub fn names(source: &str) -> Vec<Name<'_>> {
    scan(source).0
}

/// The tags of a template, each with the line on which it begins: `{{ … }}`, `{% … %}` and `{# … #}`.
pub fn tags(source: &str) -> Vec<(usize, &str)> {
    scan(source).1
}

fn scan(source: &str) -> (Vec<Name<'_>>, Vec<(usize, &str)>) {
    let (mut names, mut tags) = (Vec::new(), Vec::new());
    let mut rest = source;
    while let Some(tag) = rest.find('{').and_then(|at| rest.get(at..)) {
        rest = tag.get(1..).unwrap_or_default();
        let end = match rest.bytes().next() {
            Some(b'#') => rest.find("#}").unwrap_or(rest.len()),
            Some(b'{') => of_tag(source, rest, "}}", &mut names),
            Some(b'%') => of_tag(source, rest, "%}", &mut names),
            _ => continue,
        };
        // With both brackets; a tag may have no end.
        let tag = tag.get(..end + 3).unwrap_or(tag);
        tags.push((line(source, tag), tag));
        rest = rest.get(tag.len() - 1..).unwrap_or_default();
    }
    (names, tags)
}

/// The line on which a part of the template begins, counted from 1.
fn line(source: &str, part: &str) -> usize {
    let at = part.as_ptr().addr().checked_sub(source.as_ptr().addr());
    at.and_then(|at| source.get(..at)).unwrap_or_default().matches('\n').count() + 1
}

/// Finds the names of the tag that `rest` begins in. Returns where it ends.
fn of_tag<'s>(source: &'s str, rest: &'s str, close: &str, names: &mut Vec<Name<'s>>) -> usize {
    let mut at = 1;
    let mut before = "";
    while let Some(text) = rest.get(at..).filter(|text| !text.is_empty() && !text.starts_with(close)) {
        let token = text.get(..length(text)).unwrap_or(text);
        let after = text.get(token.len()..).unwrap_or_default().trim_start();
        let used = match before {
            "." => None,
            "|" | "filter" => Some(Use::Filter),
            "is" | "is not" => Some(Use::Test),
            // The name of an argument.
            _ if after.starts_with('=') && !after.starts_with("==") && before != "set" => None,
            _ => Some(Use::Variable),
        };
        if let Some(used) = used.filter(|_| is_name(token) && !(before == "is" && token == "not")) {
            names.push(Name { line: line(source, token), used, name: token });
        }
        if !token.trim().is_empty() {
            before = if before == "is" && token == "not" { "is not" } else { token };
        }
        at += token.len();
    }
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|character: char| character.is_alphabetic() || character == '_')
}

/// The length of the first token: a name or number, a text in quotes, or one character.
fn length(text: &str) -> usize {
    let mut characters = text.char_indices();
    let Some((_, first)) = characters.next() else { return 0 };
    if first == '"' || first == '\'' {
        let mut escaped = false;
        for (at, character) in characters {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                quote if quote == first => return at + 1,
                _ => {}
            }
        }
        return text.len();
    }
    if first.is_alphanumeric() || first == '_' {
        return text.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(text.len());
    }
    first.len_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, used: Use) -> Vec<(usize, &str)> {
        names(source).into_iter().filter(|name| name.used == used).map(|name| (name.line, name.name)).collect()
    }

    #[test]
    fn names_have_their_use_and_line() {
        let source = "jail {{ ip | code }}\n{# {{ no }} #}{% if jail is not startingwith('s') and x.y is defined %}\n\
            {{ labels.site | replace(\"a | b\", 'c\\'d' | upper) }} {{ duration | span(prefix=pre) }}{ipp}\n\
            {% filter lower %}{{ a == b }}{% endfilter %}";
        assert_eq!(found(source, Use::Filter), [(1, "code"), (3, "replace"), (3, "upper"), (3, "span"), (4, "lower")]);
        assert_eq!(found(source, Use::Test), [(2, "startingwith"), (2, "defined")]);
        let variables = found(source, Use::Variable);
        for known in [(1, "ip"), (2, "jail"), (2, "x"), (3, "labels"), (3, "duration"), (3, "pre"), (4, "a"), (4, "b")]
        {
            assert!(variables.contains(&known), "{known:?} in {variables:?}");
        }
        for other in ["no", "y", "site", "prefix", "ipp", "c", "d"] {
            assert!(variables.iter().all(|(_, name)| *name != other), "{other} in {variables:?}");
        }
    }

    #[test]
    fn tags_are_whole_and_have_their_line() {
        assert_eq!(
            tags("a {x}\n{{ b['}}'] }}{# {{ c }} #}\n{% if d\n%}é{{e}}{{ f"),
            [(2, "{{ b['}}'] }}"), (2, "{# {{ c }} #}"), (3, "{% if d\n%}"), (4, "{{e}}"), (4, "{{ f")]
        );
    }

    #[test]
    fn names_of_damaged_templates_end() {
        for source in ["{", "{{", "{{ 'x", "{% ü", "{#", "{{ a \\", "{{{", "{%}", "}}{{ é | 猫 }}"] {
            let _ = (names(source), tags(source));
        }
        assert_eq!(found("}}{{ é | 猫 }}", Use::Filter), [(1, "猫")]);
    }
}
