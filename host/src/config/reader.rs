//! Walks a TOML table, key by key, and knows where each stands.
//!
//! Every accessor reports a value of the wrong type and goes on; a key that nobody asked for is unknown, which
//! [`Table::finish`] reports. So the keys are listed once: where they are read.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::name::is_name;
use super::problem::{Location, Problems, may_be_url, quoted};
use super::refused::Refusal;
use super::source::Source;
use crate::phrase::{did_you_mean, listed};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Location,
}

/// A table of a file, being read.
pub(super) struct Table<'a> {
    pub(super) source: &'a Source,
    pub(super) problems: &'a Problems,
    /// How a user knows it: `[webhooks.security]`, `[[routes]]`.
    pub(super) title: String,
    /// Where it begins.
    pub(super) place: Location,
    entries: &'a DeTable<'a>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    /// A file's outermost table.
    pub(super) fn top(source: &'a Source, entries: &'a DeTable<'a>, problems: &'a Problems) -> Self {
        let place = Location::whole(&source.path);
        Self { source, problems, title: "the configuration".to_owned(), place, entries, asked: RefCell::default() }
    }

    fn inner(&self, title: String, offset: usize, entries: &'a DeTable<'a>) -> Self {
        let place = self.source.place(offset);
        Self { source: self.source, problems: self.problems, title, place, entries, asked: RefCell::default() }
    }

    /// Marks a key as known and looks it up.
    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.entries.get(key)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = match value.get_ref().as_str() {
            Some(text) => quoted(text),
            None => kind(value.get_ref()).to_owned(),
        };
        self.problems.report(
            self.source.place(value.span().start),
            format!("{}: expected {expected}, found {found}", label(key)),
        );
    }

    /// Where a key's name stands, if the table has it.
    pub(super) fn key_place(&self, key: &str) -> Option<Location> {
        self.entries.get_key_value(key).map(|(key, _)| self.source.place(key.span().start))
    }

    /// A string that `parse` understands; `expected` says what that is, for one that it does not.
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Located<T>> {
        let value = self.get(key)?;
        match value.get_ref().as_str().and_then(parse) {
            Some(parsed) => Some(Located { value: parsed, place: self.source.place(value.span().start) }),
            None => {
                self.wrong(key, value, expected);
                None
            }
        }
    }

    /// A string with at least one character.
    pub(super) fn string(&self, key: &'static str) -> Option<Located<String>> {
        let string = self.parsed(key, "a string", |text| Some(text.to_owned()))?;
        if string.value.is_empty() {
            self.problems.report(string.place, format!("{key}: the string is empty"));
            return None;
        }
        Some(string)
    }

    /// A string that names something. A URL put there by mistake is refused, since names are shown in messages.
    pub(super) fn reference(&self, key: &'static str, expected: &str) -> Option<Located<String>> {
        let name = self.string(key)?;
        if may_be_url(&name.value) {
            let message = format!("{key}: expected {expected}, found {}", quoted(&name.value));
            self.problems.report(name.place, message);
            return None;
        }
        Some(name)
    }

    /// As `reference`, and `Some(None)` for `false`.
    pub(super) fn reference_or_false(&self, key: &'static str, expected: &str) -> Option<Option<Located<String>>> {
        let value = self.get(key)?;
        if value.get_ref().as_bool() == Some(false) {
            return Some(None);
        }
        if value.get_ref().as_str().is_none() {
            self.wrong(key, value, expected);
            return None;
        }
        self.reference(key, expected).map(Some)
    }

    /// `true` or `false`.
    pub(super) fn bool(&self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let parsed = value.get_ref().as_bool();
        if parsed.is_none() {
            self.wrong(key, value, "true or false");
        }
        parsed
    }

    /// Whether it is `false`; anything else is for the accessor that is asked next.
    pub(super) fn is_false(&self, key: &'static str) -> bool {
        self.get(key).is_some_and(|value| value.get_ref().as_bool() == Some(false))
    }

    /// A whole number, zero or more.
    pub(super) fn number(&self, key: &'static str) -> Option<Located<u64>> {
        let value = self.get(key)?;
        let parsed = value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
        match parsed {
            Some(parsed) => Some(Located { value: parsed, place: self.source.place(value.span().start) }),
            None => {
                self.wrong(key, value, "a whole number");
                None
            }
        }
    }

    /// A list of strings with at least one in it, and where the list stands.
    pub(super) fn strings(&self, key: &'static str) -> Option<Located<Vec<Located<String>>>> {
        let list = self.get(key)?;
        self.list(key, list, "a list of strings", "leave it out for all")
    }

    /// As `strings`, and `Some(None)` for `false`; `expected` says what else it may be.
    pub(super) fn strings_or_false(
        &self,
        key: &'static str,
        expected: &str,
    ) -> Option<Option<Located<Vec<Located<String>>>>> {
        let value = self.get(key)?;
        if value.get_ref().as_bool() == Some(false) {
            return Some(None);
        }
        self.list(key, value, expected, "write false for none").map(Some)
    }

    fn list(
        &self,
        key: &str,
        list: &Spanned<DeValue<'_>>,
        expected: &str,
        if_empty: &str,
    ) -> Option<Located<Vec<Located<String>>>> {
        let place = self.source.place(list.span().start);
        let Some(values) = list.get_ref().as_array() else {
            self.wrong(key, list, expected);
            return None;
        };
        if values.is_empty() {
            self.problems.report_with(place, format!("{key}: the list is empty"), if_empty);
            return None;
        }
        let mut strings = Vec::new();
        for value in values {
            match value.get_ref().as_str() {
                Some(text) => {
                    strings.push(Located { value: text.to_owned(), place: self.source.place(value.span().start) });
                }
                None => self.wrong(key, value, expected),
            }
        }
        (strings.len() == values.len()).then_some(Located { value: strings, place })
    }

    /// The table under a key; `title` is how a user writes it.
    pub(super) fn table(&self, key: &'static str, title: &str) -> Option<Self> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(entries) => Some(self.inner(title.to_owned(), value.span().start, entries)),
            None => {
                self.wrong(key, value, &format!("a table ({title})"));
                None
            }
        }
    }

    /// As `table`, and `Some(None)` for `false`.
    pub(super) fn table_or_false(&self, key: &'static str, title: &str) -> Option<Option<Self>> {
        let value = self.get(key)?;
        if value.get_ref().as_bool() == Some(false) {
            return Some(None);
        }
        match value.get_ref().as_table() {
            Some(entries) => Some(Some(self.inner(title.to_owned(), value.span().start, entries))),
            None => {
                self.wrong(key, value, &format!("a table ({title}), or false"));
                None
            }
        }
    }

    /// The list of tables under a key: `[[routes]]`.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Self> {
        let title = format!("[[{key}]]");
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(values) = value.get_ref().as_array() else {
            self.wrong(key, value, &format!("a list of tables ({title})"));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for value in values {
            match value.get_ref().as_table() {
                Some(entries) => tables.push(self.inner(title.clone(), value.span().start, entries)),
                None => self.wrong(key, value, &format!("a table ({title})")),
            }
        }
        tables
    }

    /// The tables under a key by their names: `[webhooks.NAME]`.
    pub(super) fn named_tables(&self, key: &'static str) -> Vec<(Located<String>, Self)> {
        let Some(table) = self.table(key, &format!("[{key}.NAME]")) else { return Vec::new() };
        let mut tables = Vec::new();
        for (name, value) in table.entries {
            let text = name.get_ref().to_string();
            match value.get_ref().as_table() {
                Some(entries) => {
                    let inner = self.inner(format!("[{key}.{}]", label(&text)), value.span().start, entries);
                    tables.push((Located { value: text, place: self.source.place(name.span().start) }, inner));
                }
                None => self.wrong(&text, value, &format!("a table ([{key}.NAME])")),
            }
        }
        tables
    }

    /// A table of free keys with strings: `[labels]`.
    pub(super) fn free_strings(&self, key: &'static str, title: &str) -> Vec<(Located<String>, String)> {
        let Some(table) = self.table(key, title) else { return Vec::new() };
        let mut strings = Vec::new();
        for (name, value) in table.entries {
            let text = name.get_ref().to_string();
            match value.get_ref().as_str() {
                Some(string) => {
                    let name = Located { value: text, place: self.source.place(name.span().start) };
                    strings.push((name, string.to_owned()));
                }
                None => self.wrong(&text, value, "a string (in quotes)"),
            }
        }
        strings
    }

    /// Reports the keys that nobody asked for: those of `refused` with their reason, others as unknown.
    pub(super) fn finish(&self, refused: &[(&str, Refusal)]) {
        let asked = self.asked.borrow();
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if asked.contains(&name) {
                continue;
            }
            let place = self.source.place(key.span().start);
            if let Some((_, refusal)) = refused.iter().find(|(known, _)| *known == name) {
                let (message, hint) = refusal.explain(name);
                self.problems.report_with(place, message, hint);
                continue;
            }
            let known = asked.iter().copied();
            let hint =
                did_you_mean(name, known.clone()).unwrap_or_else(|| format!("it takes {}", listed(known, "and")));
            self.problems.report_with(place, format!("unknown key {} in {}", quoted(name), self.title), hint);
        }
    }
}

/// A key for a message: as it is, unless it is one that only quotes could write.
fn label(key: &str) -> String {
    if is_name(key) { key.to_owned() } else { quoted(key) }
}

/// What a value is, in a user's words.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
