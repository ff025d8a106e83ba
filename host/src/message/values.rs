//! The foreign values of events, found where they stand in a plugin's markup.
//!
//! The leftmost value is taken, of those the longest. The few values of one event are looked for one by one; for the many
//! of a digest there is a search over all of them, which takes longer to build than to look a few times.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use blockkit::text::clean;
use blockkit::token::{Token, first};
use memchr::memmem;

/// Forms up to which each is looked for by itself.
const FEW: usize = 32;

/// Values that must not stand raw, each in the forms in which it may stand.
#[derive(Default)]
pub struct Values {
    search: Option<AhoCorasick>,
    /// In the order of the search's patterns.
    forms: Vec<EscapedForm>,
}

struct EscapedForm {
    /// As the attacker wrote it (else as a plugin escaped it).
    raw: bool,
    found: String,
    /// How it is written instead.
    safe: String,
    /// The same inside the plugin's own code.
    in_code: String,
}

/// How one value is written.
pub struct EscapedValue {
    /// As a plugin that escapes writes it.
    pub escaped: String,
    /// As it may stand.
    pub safe: String,
    /// As it may stand in inline code.
    pub in_code: String,
}

impl Values {
    /// Those of the values that `write` changes.
    pub fn new<'v>(values: impl Iterator<Item = &'v str>, write: fn(&str) -> EscapedValue) -> Self {
        let mut forms = BTreeMap::new();
        for value in values {
            let raw = clean(value);
            let EscapedValue { escaped, safe, in_code } = write(&raw);
            if safe == *raw && in_code == *raw {
                continue;
            }
            for (found, is_raw) in [(raw.into_owned(), true), (escaped, false), (safe.clone(), false)] {
                let form =
                    EscapedForm { raw: is_raw, found: found.clone(), safe: safe.clone(), in_code: in_code.clone() };
                forms.entry(found).or_insert(form);
            }
        }
        let forms: Vec<EscapedForm> = forms.into_values().collect();
        let search = (forms.len() > FEW).then(|| {
            AhoCorasick::builder()
                // Used for one message, so what it costs to build counts.
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .match_kind(MatchKind::LeftmostLongest)
                .build(forms.iter().map(|f| &f.found))
        });
        // It fails only past 2³¹ states, which no event fills; one by one would find them too.
        Self { search: search.and_then(Result::ok), forms }
    }

    /// Whether one of them stands in the text as it was written.
    pub fn contains(&self, text: &str) -> bool {
        match &self.search {
            Some(search) => search.is_match(text),
            None => self.forms.iter().any(|form| memmem::find(text.as_bytes(), form.found.as_bytes()).is_some()),
        }
    }

    /// The markup with every value in its safe form.
    pub fn sanitize<'m>(&self, markup: &'m str) -> Cow<'m, str> {
        if !self.contains(markup) {
            return Cow::Borrowed(markup);
        }
        let mut places = Occurrences::new(self, markup);
        let mut safe = String::with_capacity(markup.len() + 64);
        let mut at = 0;
        let mut code = false;
        while let Some((start, form)) = places.next(at) {
            // A value that begins or ends within an entity is not what stands there.
            while let Some((token, length)) = markup.get(at..).filter(|_| at < start).and_then(first) {
                let length = match token {
                    Token::Entity(_) => length,
                    _ => markup.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8),
                };
                let written = markup.get(at..at + length).unwrap_or_default();
                code ^= written == "`";
                safe.push_str(written);
                at += length;
            }
            if at > start {
                continue;
            }
            let rest = markup.get(at..).unwrap_or_default();
            let form = Some(form).filter(|form| !form.ends_inside_entity(rest));
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
    fn shorter(&self, text: &str) -> Option<&EscapedForm> {
        let fits = |form: &&EscapedForm| text.starts_with(&form.found) && !form.ends_inside_entity(text);
        self.forms.iter().filter(fits).max_by_key(|form| form.found.len())
    }
}

/// Where the values stand in one text, from left to right.
struct Occurrences<'a> {
    values: &'a Values,
    markup: &'a str,
    /// Where there is no search over all: where each form stands next.
    each: Vec<Option<usize>>,
}

impl<'a> Occurrences<'a> {
    fn new(values: &'a Values, markup: &'a str) -> Self {
        let each = if values.search.is_some() { Vec::new() } else { vec![Some(0); values.forms.len()] };
        let mut places = Self { values, markup, each };
        for index in 0..places.each.len() {
            places.look(index, 0);
        }
        places
    }

    /// The first one from there on; of several, the longest.
    fn next(&mut self, from: usize) -> Option<(usize, &'a EscapedForm)> {
        if let Some(search) = &self.values.search {
            let found = search.find(Input::new(self.markup).span(from..self.markup.len()))?;
            return Some((found.start(), self.values.forms.get(found.pattern().as_usize())?));
        }
        for index in 0..self.each.len() {
            if self.each.get(index).is_some_and(|at| at.is_some_and(|at| at < from)) {
                self.look(index, from);
            }
        }
        let standing = self.each.iter().zip(&self.values.forms).filter_map(|(at, form)| Some(((*at)?, form)));
        standing.min_by_key(|(at, form)| (*at, Reverse(form.found.len())))
    }

    /// Looks for one form from there on.
    fn look(&mut self, index: usize, from: usize) {
        let (Some(form), Some(at)) = (self.values.forms.get(index), self.each.get_mut(index)) else { return };
        let rest = self.markup.as_bytes().get(from..).unwrap_or_default();
        *at = memmem::find(rest, form.found.as_bytes()).map(|found| from + found);
    }
}

impl EscapedForm {
    /// Whether it, which `text` starts with, ends in the middle of an entity.
    fn ends_inside_entity(&self, text: &str) -> bool {
        let Some(at) = self.found.rfind('&').filter(|_| self.raw) else { return false };
        match text.get(at..).and_then(first) {
            Some((Token::Entity(_), length)) => at + length > self.found.len(),
            _ => false,
        }
    }
}
