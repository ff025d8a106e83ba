//! Template errors for the author of the template: the setting, the line, and a suggestion.

use minijinja::ErrorKind;

use crate::{filters, nearest, variables};

/// A template that does not compile or render.
#[derive(Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The setting that holds the template.
    pub setting: &'static str,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The error.
    pub message: String,
}

impl TemplateError {
    /// Converts an error of the engine. `undeclared` are the names that the template uses and does not set itself.
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

    /// The error with its setting and line.
    pub fn in_full(&self) -> String {
        match self.line {
            Some(line) => format!("setting \"{}\", line {line}: {}", self.setting, self.message),
            None => format!("setting \"{}\": {}", self.setting, self.message),
        }
    }

    /// The error for a place that names the setting already.
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

/// Converts the engine's `filter spn is unknown`, or `spn is unknown` for a function.
fn unknown(kind: &str, error: &minijinja::Error, known: impl IntoIterator<Item = &'static str>) -> String {
    let detail = error.detail().unwrap_or_default();
    let name = detail.trim_end_matches(" is unknown");
    let name = name.strip_prefix(kind).unwrap_or(name).trim();
    format!("unknown {kind} \"{name}\"{}", nearest::suggestion(name, known))
}
