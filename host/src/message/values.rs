//! The search for the events' foreign values in a plugin's markup.
//!
//! The leftmost value counts, and of several at one place the longest. The few values of one event are searched for one
//! by one; for the many of a digest there is one search over all of them, which takes longer to build.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use blockkit::text::clean;
use blockkit::token::{Token, first};
use memchr::memmem;

/// Up to so many forms are searched for one by one.
const FEW: usize = 32;

/// Values that must not stand unescaped, each in the forms in which it may occur.
#[derive(Default)]
pub(super) struct Values {
    search: Option<AhoCorasick>,
    /// In the order of the search's patterns.
    forms: Vec<EscapedForm>,
}

struct EscapedForm {
    /// Whether this is the value itself; otherwise it is the value as a plugin escaped it.
    raw: bool,
    found: String,
    /// The form that replaces it.
    safe: String,
    /// The form that replaces it in the plugin's own inline code.
    in_code: String,
}

/// The forms of one value.
pub(super) struct EscapedValue {
    /// As a plugin writes it that escapes values.
    pub escaped: String,
    /// As it may stand in markup.
    pub safe: String,
    /// As it may stand in inline code.
    pub in_code: String,
}

impl Values {
    /// Returns the values that `write` changes.
    pub(super) fn new<'v>(values: impl Iterator<Item = &'v str>, write: fn(&str) -> EscapedValue) -> Self {
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
                // It serves one message, so the cost of building it matters.
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .match_kind(MatchKind::LeftmostLongest)
                .build(forms.iter().map(|f| &f.found))
        });
        // Building fails only past 2³¹ states, which no event reaches; the search one by one finds the same.
        Self { search: search.and_then(Result::ok), forms }
    }

    /// Returns whether one of them occurs in the text.
    pub(super) fn contains(&self, text: &str) -> bool {
        match &self.search {
            Some(search) => search.is_match(text),
            None => self.forms.iter().any(|form| memmem::find(text.as_bytes(), form.found.as_bytes()).is_some()),
        }
    }

    /// Returns the markup with every value in its safe form.
    pub(super) fn sanitize<'m>(&self, markup: &'m str) -> Cow<'m, str> {
        if !self.contains(markup) {
            return Cow::Borrowed(markup);
        }
        let mut places = Occurrences::new(self, markup);
        let mut safe = String::with_capacity(markup.len() + 64);
        let mut at = 0;
        let mut code = false;
        while let Some((start, form)) = places.next(at) {
            // A match that begins or ends inside an entity is not the value.
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

    /// Returns the longest form that `text` starts with and that ends where a token ends.
    fn shorter(&self, text: &str) -> Option<&EscapedForm> {
        let fits = |form: &&EscapedForm| text.starts_with(&form.found) && !form.ends_inside_entity(text);
        self.forms.iter().filter(fits).max_by_key(|form| form.found.len())
    }
}

/// The places of the values in one text, from left to right.
struct Occurrences<'a> {
    values: &'a Values,
    markup: &'a str,
    /// The next place of each form, if there is no search over all of them.
    each: Vec<Option<usize>>,
}

impl<'a> Occurrences<'a> {
    fn new(values: &'a Values, markup: &'a str) -> Self {
        let each = if values.search.is_some() { Vec::new() } else { vec![Some(0); values.forms.len()] };
        let mut places = Self { values, markup, each };
        for index in 0..places.each.len() {
            places.search_form(index, 0);
        }
        places
    }

    /// Returns the first place from `from` on; of several forms there, the longest.
    fn next(&mut self, from: usize) -> Option<(usize, &'a EscapedForm)> {
        if let Some(search) = &self.values.search {
            let found = search.find(Input::new(self.markup).span(from..self.markup.len()))?;
            return Some((found.start(), self.values.forms.get(found.pattern().as_usize())?));
        }
        for index in 0..self.each.len() {
            if self.each.get(index).is_some_and(|at| at.is_some_and(|at| at < from)) {
                self.search_form(index, from);
            }
        }
        let standing = self.each.iter().zip(&self.values.forms).filter_map(|(at, form)| Some(((*at)?, form)));
        standing.min_by_key(|(at, form)| (*at, Reverse(form.found.len())))
    }

    /// Searches for one form from `from` on.
    fn search_form(&mut self, index: usize, from: usize) {
        let (Some(form), Some(at)) = (self.values.forms.get(index), self.each.get_mut(index)) else { return };
        let rest = self.markup.as_bytes().get(from..).unwrap_or_default();
        *at = memmem::find(rest, form.found.as_bytes()).map(|found| from + found);
    }
}

impl EscapedForm {
    /// Returns whether the form, which `text` starts with, ends inside an entity.
    fn ends_inside_entity(&self, text: &str) -> bool {
        let Some(at) = self.found.rfind('&').filter(|_| self.raw) else { return false };
        match text.get(at..).and_then(first) {
            Some((Token::Entity(_), length)) => at + length > self.found.len(),
            _ => false,
        }
    }
}
