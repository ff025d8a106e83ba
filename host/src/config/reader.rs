//! Reads a TOML table key by key, and knows the location of each.
//!
//! Every accessor reports a value of the wrong type and goes on; a key that no accessor read is unknown, which
//! [`Table::finish`] reports. So keys are listed once: where they are read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key_recorder::{TOP, any_keys, list, table};
use super::name::is_name;
use super::problem::{Location, Problems, may_be_url, quoted};
use super::rejected_keys::{RejectedKey, place_of};
use super::text_file::TextFile;
use crate::phrase::{did_you_mean, listed};

/// A value and its location.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) location: Location,
}

/// A table of a file, being read.
pub(super) struct Table<'a> {
    pub(super) file: &'a TextFile,
    pub(super) problems: &'a Problems,
    /// As a user writes it: `[webhooks.security]`, `[[routes]]`.
    pub(super) title: String,
    /// Where it begins.
    pub(super) location: Location,
    entries: &'a DeTable<'a>,
    read: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    /// Returns a file's outermost table.
    pub(super) fn top(file: &'a TextFile, entries: &'a DeTable<'a>, problems: &'a Problems) -> Self {
        let location = Location::whole(&file.path);
        Self { file, problems, title: TOP.to_owned(), location, entries, read: RefCell::default() }
    }

    fn inner(&self, title: String, offset: usize, entries: &'a DeTable<'a>) -> Self {
        let location = self.file.location(offset);
        Self { file: self.file, problems: self.problems, title, location, entries, read: RefCell::default() }
    }

    /// Marks a key as known and looks it up. `form`: the form that its value is expected to have, for the schema.
    fn get(&self, key: &'static str, form: impl FnOnce() -> Value) -> Option<&'a Spanned<DeValue<'a>>> {
        if let Some(keys) = &self.problems.keys {
            keys.add(&self.title, key, form());
        }
        let mut read = self.read.borrow_mut();
        if !read.contains(&key) {
            read.push(key);
        }
        self.entries.get(key)
    }

    /// Adds rules for the value of a key that was read, for the schema.
    pub(super) fn restrict(&self, key: &str, rules: impl FnOnce() -> Value) {
        if let Some(keys) = &self.problems.keys {
            keys.restrict(&self.title, key, rules());
        }
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = match value.get_ref().as_str() {
            Some(text) => quoted(text),
            None => type_name(value.get_ref()).to_owned(),
        };
        self.problems.report(
            self.file.location(value.span().start),
            format!("{}: expected {expected}, found {found}", label(key)),
        );
    }

    /// Returns the location of a key, if the table has it.
    pub(super) fn key_location(&self, key: &str) -> Option<Location> {
        self.entries.get_key_value(key).map(|(key, _)| self.file.location(key.span().start))
    }

    /// Reads a string that `parse` accepts; `expected` describes it in the error for one that it does not.
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Located<T>> {
        let value = self.get(key, || json!({ "type": "string", "description": expected }))?;
        match value.get_ref().as_str().and_then(parse) {
            Some(parsed) => Some(Located { value: parsed, location: self.file.location(value.span().start) }),
            None => {
                self.wrong(key, value, expected);
                None
            }
        }
    }

    /// Reads a string with at least one character.
    pub(super) fn string(&self, key: &'static str) -> Option<Located<String>> {
        let string = self.parsed(key, "a string", |text| Some(text.to_owned()));
        self.restrict(key, || json!({ "minLength": 1 }));
        let string = string?;
        if string.value.is_empty() {
            self.problems.report(string.location, format!("{key}: the string is empty"));
            return None;
        }
        Some(string)
    }

    /// Reads a string that names something. A URL put there by mistake is an error, since names are shown in messages.
    pub(super) fn reference(&self, key: &'static str, expected: &str) -> Option<Located<String>> {
        let name = self.string(key);
        self.restrict(key, || json!({ "description": expected }));
        let name = name?;
        if may_be_url(&name.value) {
            let message = format!("{key}: expected {expected}, found {}", quoted(&name.value));
            self.problems.report(name.location, message);
            return None;
        }
        Some(name)
    }

    /// Reads a name as [`Table::reference`] does, or `Some(None)` for `false`.
    pub(super) fn reference_or_false(&self, key: &'static str, expected: &str) -> Option<Option<Located<String>>> {
        self.get(key, || json!({ "type": "string", "minLength": 1, "description": expected }));
        let value = self.get(key, no)?;
        if value.get_ref().as_bool() == Some(false) {
            return Some(None);
        }
        if value.get_ref().as_str().is_none() {
            self.wrong(key, value, expected);
            return None;
        }
        self.reference(key, expected).map(Some)
    }

    /// Reads `true` or `false`.
    pub(super) fn bool(&self, key: &'static str) -> Option<bool> {
        self.bool_described(key, "true or false")
    }

    /// Reads `true` or `false`; `expected` describes it in the error.
    pub(super) fn bool_described(&self, key: &'static str, expected: &str) -> Option<bool> {
        let value = self.get(key, || json!({ "type": "boolean" }))?;
        let parsed = value.get_ref().as_bool();
        if parsed.is_none() {
            self.wrong(key, value, expected);
        }
        parsed
    }

    /// Returns whether a value is `false`; another accessor reads anything else.
    pub(super) fn is_false(&self, key: &'static str) -> bool {
        self.get(key, no).is_some_and(|value| value.get_ref().as_bool() == Some(false))
    }

    /// Reads a whole number, zero or more.
    pub(super) fn number(&self, key: &'static str) -> Option<Located<u64>> {
        let value = self.get(key, || json!({ "type": "integer", "minimum": 0 }))?;
        let parsed = value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
        match parsed {
            Some(parsed) => Some(Located { value: parsed, location: self.file.location(value.span().start) }),
            None => {
                self.wrong(key, value, "a whole number");
                None
            }
        }
    }

    /// Reads a list of at least one string.
    pub(super) fn strings(&self, key: &'static str) -> Option<Located<Vec<Located<String>>>> {
        let strings = self.get(key, || list(&json!({ "type": "string" }), 1))?;
        self.list(key, strings, "a list of strings", "remove the key to match all")
    }

    /// Reads a list as [`Table::strings`] does, or `Some(None)` for `false`; `expected` describes it in errors.
    pub(super) fn strings_or_false(
        &self,
        key: &'static str,
        expected: &str,
    ) -> Option<Option<Located<Vec<Located<String>>>>> {
        self.get(key, || list(&json!({ "type": "string" }), 1));
        let value = self.get(key, no)?;
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
        let location = self.file.location(list.span().start);
        let Some(values) = list.get_ref().as_array() else {
            self.wrong(key, list, expected);
            return None;
        };
        if values.is_empty() {
            self.problems.report_with(location, format!("{key}: the list is empty"), if_empty);
            return None;
        }
        let mut strings = Vec::new();
        for value in values {
            match value.get_ref().as_str() {
                Some(text) => {
                    strings.push(Located { value: text.to_owned(), location: self.file.location(value.span().start) });
                }
                None => self.wrong(key, value, expected),
            }
        }
        (strings.len() == values.len()).then_some(Located { value: strings, location })
    }

    /// Returns the table under a key; `title` is how a user writes it.
    pub(super) fn table(&self, key: &'static str, title: &str) -> Option<Self> {
        let value = self.get(key, || table(title))?;
        self.table_of(key, title, value)
    }

    fn table_of(&self, key: &str, title: &str, value: &'a Spanned<DeValue<'a>>) -> Option<Self> {
        match value.get_ref().as_table() {
            Some(entries) => Some(self.inner(title.to_owned(), value.span().start, entries)),
            None => {
                self.wrong(key, value, &format!("a table ({title})"));
                None
            }
        }
    }

    /// Returns a table as [`Table::table`] does, or `Some(None)` for `false`.
    pub(super) fn table_or_false(&self, key: &'static str, title: &str) -> Option<Option<Self>> {
        self.get(key, || table(title));
        let value = self.get(key, no)?;
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

    /// Returns the list of tables under a key: `[[routes]]`.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Self> {
        let title = format!("[[{key}]]");
        let Some(value) = self.get(key, || list(&table(&title), 0)) else { return Vec::new() };
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

    /// Returns the tables under a key by their names: `[webhooks.NAME]`.
    pub(super) fn named_tables(&self, key: &'static str) -> Vec<(Located<String>, Self)> {
        let title = format!("[{key}.NAME]");
        let value = self.get(key, || any_keys(&table(&title)));
        let Some(table) = value.and_then(|value| self.table_of(key, &title, value)) else { return Vec::new() };
        let mut tables = Vec::new();
        for (name, value) in table.entries {
            let text = name.get_ref().to_string();
            match value.get_ref().as_table() {
                Some(entries) => {
                    let inner = self.inner(format!("[{key}.{}]", label(&text)), value.span().start, entries);
                    tables.push((Located { value: text, location: self.file.location(name.span().start) }, inner));
                }
                None => self.wrong(&text, value, &format!("a table ([{key}.NAME])")),
            }
        }
        tables
    }

    /// Reads a table of any keys with strings: `[labels]`.
    pub(super) fn free_strings(&self, key: &'static str, title: &str) -> Vec<(Located<String>, String)> {
        self.free_values(key, title, "a string (in quotes)", &json!({ "type": "string" }), |value| {
            value.as_str().map(str::to_owned)
        })
    }

    /// Reads a table of any keys with strings, numbers or booleans, or lists of these, which become text with a line for
    /// each: `[routes.settings]`.
    pub(super) fn free_texts(&self, key: &'static str, title: &str) -> Vec<(Located<String>, String)> {
        let expected = "a string (in quotes), a number, true, false or a list of these";
        let form = json!({
            "type": ["string", "number", "boolean", "array"],
            "items": { "type": ["string", "number", "boolean"] },
        });
        self.free_values(key, title, expected, &form, |value| {
            let line = |item: &Spanned<DeValue<'_>>| text(item.get_ref()).filter(|line| !line.contains('\n'));
            let lines = || value.as_array()?.iter().map(line).collect::<Option<Vec<_>>>();
            text(value).or_else(|| Some(lines()?.join("\n")))
        })
    }

    /// Reads a table of any keys with lists of strings: `[fleet.reporters]`.
    pub(super) fn free_lists(&self, key: &'static str, title: &str) -> BTreeMap<String, BTreeSet<String>> {
        let value = self.get(key, || any_keys(&list(&json!({ "type": "string" }), 1)));
        let Some(table) = value.and_then(|value| self.table_of(key, title, value)) else { return BTreeMap::new() };
        let mut lists = BTreeMap::new();
        for (name, value) in table.entries {
            let name = name.get_ref().to_string();
            if let Some(strings) = self.list(&name, value, "a list of strings", "remove the key") {
                lists.insert(name, strings.value.into_iter().map(|string| string.value).collect());
            }
        }
        lists
    }

    /// Returns the values of a table as the file has them, each with the offset of its beginning.
    pub(super) fn written(&self, key: &str) -> impl Iterator<Item = (usize, &'a str)> {
        let table = self.entries.get(key).and_then(|value| value.get_ref().as_table());
        let spans = table.into_iter().flatten().map(|(_, value)| value.span());
        let text = self.file.text.as_str();
        spans.filter_map(move |span| Some((span.start, text.get(span)?)))
    }

    fn free_values(
        &self,
        key: &'static str,
        title: &str,
        expected: &str,
        form: &Value,
        read: impl Fn(&DeValue<'_>) -> Option<String>,
    ) -> Vec<(Located<String>, String)> {
        let value = self.get(key, || any_keys(form));
        let Some(table) = value.and_then(|value| self.table_of(key, title, value)) else { return Vec::new() };
        let mut values = Vec::new();
        for (name, value) in table.entries {
            let text = name.get_ref().to_string();
            match read(value.get_ref()) {
                Some(read) => {
                    values.push((Located { value: text, location: self.file.location(name.span().start) }, read));
                }
                None => self.wrong(&text, value, expected),
            }
        }
        values
    }

    /// Reports the keys that were not read: those of `rejected` with their reason, others as unknown.
    pub(super) fn finish(&self, rejected: &[(&str, RejectedKey)]) {
        let read = self.read.borrow();
        for (key, value) in self.entries {
            let name: &str = key.get_ref();
            if read.contains(&name) {
                continue;
            }
            let location = self.file.location(key.span().start);
            if let Some((_, reason)) = rejected.iter().find(|(known, _)| *known == name) {
                let (message, hint) = reason.explain(name);
                self.problems.report_with(location, message, hint);
                continue;
            }
            let known = read.iter().copied();
            // A table under that name is another key, misspelt.
            let is_table = matches!(value.get_ref(), DeValue::Table(_));
            let hint = place_of(name)
                .filter(|_| !is_table)
                .map(|place| format!("put it {place}"))
                .or_else(|| did_you_mean(name, known.clone()))
                .unwrap_or_else(|| format!("its keys are {}", listed(known, "and")));
            self.problems.report_with(location, format!("unknown key {} in {}", quoted(name), self.title), hint);
        }
    }
}

/// The form of `false`, for the schema.
fn no() -> Value {
    json!({ "const": false })
}

/// Formats a key for a message, quoted if TOML would need it to be.
fn label(key: &str) -> String {
    if is_name(key) { key.to_owned() } else { quoted(key) }
}

/// Names the type of a value for a message.
fn type_name(value: &DeValue<'_>) -> &'static str {
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

/// Returns the text of a string, a number or a boolean, as `wit/imports.wit` promises it for settings.
fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().map(|number| number.to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
