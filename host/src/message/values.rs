//! The foreign values of events, found where they stand in a plugin's markup.
//!
//! One search finds them all, however many events a digest tells: the leftmost value, of those the longest.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::escape::clean;
use super::token::{Token, first};

/// Values that must not stand raw, each in the forms in which it may stand.
#[derive(Default)]
pub struct Values {
    search: Option<AhoCorasick>,
    /// In the order of the search's patterns.
    forms: Vec<Form>,
}

struct Form {
    /// As the attacker wrote it (else as a plugin escaped it).
    raw: bool,
    found: String,
    /// How it is written instead.
    safe: String,
    /// The same inside the plugin's own code.
    in_code: String,
}

/// How one value is written.
pub struct Written {
    /// As a plugin that escapes writes it.
    pub escaped: String,
    /// As it may stand.
    pub safe: String,
    /// As it may stand in inline code.
    pub in_code: String,
}

impl Values {
    /// Those of the values that `write` changes.
    pub fn new<'v>(values: impl Iterator<Item = &'v str>, write: fn(&str) -> Written) -> Self {
        let mut forms = BTreeMap::new();
        for value in values {
            let raw = clean(value);
            let Written { escaped, safe, in_code } = write(&raw);
            if safe == *raw && in_code == *raw {
                continue;
            }
            for (found, is_raw) in [(raw.into_owned(), true), (escaped, false), (safe.clone(), false)] {
                let form = Form { raw: is_raw, found: found.clone(), safe: safe.clone(), in_code: in_code.clone() };
                forms.entry(found).or_insert(form);
            }
        }
        let forms: Vec<Form> = forms.into_values().collect();
        let build = || {
            AhoCorasick::builder()
                // Used once, so what it costs to build counts.
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .match_kind(MatchKind::LeftmostLongest)
                .build(forms.iter().map(|f| &f.found))
        };
        // It fails only past 2³¹ states, which no event fills: its size is bounded where it is taken in.
        let search = if forms.is_empty() { None } else { build().ok() };
        Self { search, forms }
    }

    /// Whether one of them stands in the text as it was written.
    pub fn stand_in(&self, text: &str) -> bool {
        self.search.as_ref().is_some_and(|search| search.is_match(text))
    }

    /// The markup with every value in its safe form.
    pub fn secured<'m>(&self, markup: &'m str) -> Cow<'m, str> {
        let Some(search) = &self.search else { return Cow::Borrowed(markup) };
        let mut safe = String::with_capacity(markup.len() + 64);
        let mut at = 0;
        let mut code = false;
        while let Some(found) = search.find(aho_corasick::Input::new(markup).span(at..markup.len())) {
            // A value that begins or ends within an entity is not what stands there.
            while let Some((token, length)) = markup.get(at..).filter(|_| at < found.start()).and_then(first) {
                let length = match token {
                    Token::Entity(_) => length,
                    _ => markup.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8),
                };
                let written = markup.get(at..at + length).unwrap_or_default();
                code ^= written == "`";
                safe.push_str(written);
                at += length;
            }
            if at > found.start() {
                continue;
            }
            let rest = markup.get(at..).unwrap_or_default();
            let form = self.forms.get(found.pattern().as_usize()).filter(|form| !form.ends_inside_entity(rest));
            if let Some(form) = form.or_else(|| self.shorter(rest)) {
                safe.push_str(if code { &form.in_code } else { &form.safe });
                at += form.found.len();
            } else {
                let length = match first(rest) {
                    Some((Token::Entity(_), length)) => length,
                    _ => rest.chars().next().map_or(1, char::len_utf8),
                };
                let written = rest.get(..length).unwrap_or_default();
                code ^= written == "`";
                safe.push_str(written);
                at += length;
            }
        }
        safe.push_str(markup.get(at..).unwrap_or_default());
        Cow::Owned(safe)
    }

    /// The longest form that `text` starts with and that ends where a token does.
    fn shorter(&self, text: &str) -> Option<&Form> {
        let fits = |form: &&Form| text.starts_with(&form.found) && !form.ends_inside_entity(text);
        self.forms.iter().filter(fits).max_by_key(|form| form.found.len())
    }
}

impl Form {
    /// Whether it, which `text` starts with, ends in the middle of an entity.
    fn ends_inside_entity(&self, text: &str) -> bool {
        let Some(at) = self.found.rfind('&').filter(|_| self.raw) else { return false };
        match text.get(at..).and_then(first) {
            Some((Token::Entity(_), length)) => at + length > self.found.len(),
            _ => false,
        }
    }
}
