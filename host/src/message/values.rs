//! The search for the events' foreign values in a plugin's markup.
//!
//! Plugins change values before they paste them in: they cut them, put them on one line, change their case, leave out
//! what is invisible. Each value is searched for in these spellings, and of a long one its beginning is enough.
//!
//! The leftmost value counts, and of several at one place the longest. The few values of one event are searched for one
//! by one; for the many of a digest there is one search over all of them, which takes longer to build.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use blockkit::text::{clean, is_hidden, one_line};
use blockkit::token::{Token, first, unescape_entities};
use memchr::memmem;

/// Up to so many forms are searched for one by one.
const FEW: usize = 32;

/// So many characters of a longer value are found without the rest, which a plugin may have cut.
const BEGINNING: usize = 12;

/// Values that must not stand unescaped, each in the forms in which it may occur.
pub(super) struct Values {
    write: Write,
    search: Option<AhoCorasick>,
    /// In the order of the search's patterns.
    forms: Vec<EscapedForm>,
}

struct EscapedForm {
    written: Written,
    found: String,
    /// Of a beginning: what follows it in the values.
    behind: Vec<(Written, String)>,
    /// The form that replaces it; none for a beginning.
    safe: String,
    /// The form that replaces it in the plugin's own inline code.
    in_code: String,
}

/// How a plugin wrote a value. Of several that fit equally well the last counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Written {
    /// In the form that may stand.
    Safe,
    /// As a plugin escapes it.
    Escaped,
    /// As it is.
    Raw,
}

/// Returns how a value is written; `None`: as it is.
pub(super) type Write = fn(&str) -> Option<EscapedValue>;

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
    pub(super) fn new<'v>(values: impl Iterator<Item = &'v str>, write: Write) -> Self {
        let mut forms: BTreeMap<String, EscapedForm> = BTreeMap::new();
        for value in values {
            let raw = clean(value);
            if raw == value && write(&raw).is_none() {
                continue;
            }
            for raw in spellings(value) {
                let Some(EscapedValue { escaped, safe, in_code }) = write(&raw) else { continue };
                for (written, text) in [(Written::Raw, &raw), (Written::Safe, &safe), (Written::Escaped, &escaped)] {
                    if written == Written::Escaped && escaped == safe {
                        continue;
                    }
                    let Some((end, _)) = text.char_indices().nth(BEGINNING) else {
                        let form = || EscapedForm::new(written, text, &safe, &in_code);
                        forms.entry(text.clone()).or_insert_with(form);
                        continue;
                    };
                    let (found, behind) = text.split_at_checked(end).unwrap_or_default();
                    let form =
                        forms.entry(found.to_owned()).or_insert_with(|| EscapedForm::new(written, found, "", ""));
                    form.behind.push((written, behind.to_owned()));
                }
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
        Self { write, search: search.and_then(Result::ok), forms }
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
                at += self.push(form, rest, code, &mut safe);
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

    /// Adds the safe form of what `text` begins with, and returns how long that was.
    fn push(&self, form: &EscapedForm, text: &str, code: bool, out: &mut String) -> usize {
        if form.behind.is_empty() {
            out.push_str(if code { &form.in_code } else { &form.safe });
            return form.found.len();
        }
        let (written, part) = form.with_behind(text);
        let raw = match written {
            Written::Raw => Cow::Borrowed(part),
            Written::Escaped => Cow::Owned(unescape_entities(part)),
            Written::Safe => {
                out.push_str(part);
                return part.len();
            }
        };
        match (self.write)(&raw) {
            Some(EscapedValue { in_code, .. }) if code => out.push_str(&in_code),
            Some(EscapedValue { safe, .. }) => out.push_str(&safe),
            None => out.push_str(&raw),
        }
        part.len()
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

/// Returns the spellings in which plugins put a value into their markup.
fn spellings(value: &str) -> BTreeSet<String> {
    let mut spellings = BTreeSet::from([clean(value).into_owned()]);
    let mut add = |text: &str| {
        let line = one_line(text);
        spellings.extend([line.to_lowercase(), line.to_uppercase(), line.trim().to_owned(), line]);
    };
    add(value);
    if value.contains(is_hidden) {
        add(&value.chars().filter(|char| !is_hidden(*char)).collect::<String>());
        add(&value.chars().map(|char| if is_hidden(char) { '\u{fffd}' } else { char }).collect::<String>());
    }
    spellings
}

impl EscapedForm {
    fn new(written: Written, found: &str, safe: &str, in_code: &str) -> Self {
        Self {
            written,
            found: found.to_owned(),
            behind: Vec::new(),
            safe: safe.to_owned(),
            in_code: in_code.to_owned(),
        }
    }

    /// Returns as much of `text`, which begins with the form, as is in one of the values, and how that is written.
    fn with_behind<'t>(&self, text: &'t str) -> (Written, &'t str) {
        let after = text.get(self.found.len()..).unwrap_or_default();
        let end = |behind: &str| {
            let same = after.chars().zip(behind.chars()).take_while(|(one, other)| one == other);
            self.found.len() + same.map(|(char, _)| char.len_utf8()).sum::<usize>()
        };
        let longest = self.behind.iter().map(|(written, behind)| (end(behind), *written)).max();
        let (end, written) = longest.unwrap_or((self.found.len(), self.written));
        let part = text.get(..end).unwrap_or_default();
        // Not a part of an entity: the plugin escaped what stands there.
        let entity = part.rfind('&').filter(|at| {
            let token = text.get(*at..).and_then(first);
            written == Written::Raw && matches!(token, Some((Token::Entity(_), length)) if at + length > end)
        });
        (written, entity.and_then(|at| text.get(..at)).unwrap_or(part))
    }

    /// Returns whether the form, which `text` starts with, ends inside an entity. A beginning is cut before one.
    fn ends_inside_entity(&self, text: &str) -> bool {
        let Some(at) = self.found.rfind('&').filter(|_| self.written == Written::Raw && self.behind.is_empty()) else {
            return false;
        };
        match text.get(at..).and_then(first) {
            Some((Token::Entity(_), length)) => at + length > self.found.len(),
            _ => false,
        }
    }
}
