//! What is wrong with a template, worded for who wrote it: the setting, the line, the likely cure.

use minijinja::ErrorKind;

use crate::{filters, nearest, variables};

/// A template that does not compile or render.
#[derive(Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The setting that holds the template.
    pub setting: &'static str,
    /// Counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl TemplateError {
    /// From the engine's error. `undeclared` are the names that the template uses and does not set itself.
    pub fn new(setting: &'static str, error: &minijinja::Error, undeclared: &[String]) -> Self {
        let message = match error.kind() {
            ErrorKind::UndefinedError => match undeclared.iter().find(|name| !variables::is_known(name)) {
                Some(name) => unknown_variable(name),
                None => "a value that does not exist is used".to_owned(),
            },
            ErrorKind::UnknownFilter => unknown("filter", error, filters::names()),
            ErrorKind::UnknownTest => unknown("test", error, filters::TESTS),
            ErrorKind::UnknownFunction => unknown("function", error, []),
            kind => match error.detail() {
                Some(detail) => format!("{kind}: {detail}"),
                None => kind.to_string(),
            },
        };
        Self { setting, line: error.line(), message }
    }

    /// The error for a variable that no event has.
    pub fn unknown_variable(setting: &'static str, name: &str) -> Self {
        Self { setting, line: None, message: unknown_variable(name) }
    }

    /// The whole of it in one line.
    pub fn in_full(&self) -> String {
        match self.line {
            Some(line) => format!("setting \"{}\", line {line}: {}", self.setting, self.message),
            None => format!("setting \"{}\": {}", self.setting, self.message),
        }
    }

    /// For where the setting is named beside it.
    pub fn without_setting(&self) -> String {
        match self.line {
            Some(line) => format!("line {line}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

fn unknown_variable(name: &str) -> String {
    format!("unknown variable \"{name}\"{}", nearest::suggestion(name, variables::NAMES))
}

/// The engine says `filter spn is unknown`; of a function only `spn is unknown`.
fn unknown(what: &str, error: &minijinja::Error, known: impl IntoIterator<Item = &'static str>) -> String {
    let detail = error.detail().unwrap_or_default();
    let name = detail.trim_end_matches(" is unknown");
    let name = name.strip_prefix(what).unwrap_or(name).trim();
    format!("unknown {what} \"{name}\"{}", nearest::suggestion(name, known))
}
