//! Template errors for the author of the template: the setting, the line, and a suggestion.

use minijinja::ErrorKind;

use crate::names::names;
use crate::setting::Settings;
use crate::{filters, nearest};

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
    /// Converts an error of the engine. `unknown` are the names in the template that no event has, `source` is its text, and
    /// `tag` the `{{ … }}` that failed, if it is known.
    pub fn new(
        settings: &Settings,
        error: &minijinja::Error,
        unknown: &[String],
        source: &str,
        tag: Option<&str>,
    ) -> Self {
        let place = tag.map(|tag| format!("{tag}: ")).unwrap_or_default();
        let is_in_line = |name: &&String| {
            names(source).iter().any(|used| used.name == **name && error.line().is_none_or(|line| line == used.line))
        };
        let message = match error.kind() {
            ErrorKind::UndefinedError => match unknown.iter().find(is_in_line) {
                Some(name) => unknown_variable(settings, name),
                None => format!("{place}a value that does not exist is used"),
            },
            ErrorKind::UnknownFilter => unknown_of("filter", error, filters::names()),
            ErrorKind::UnknownTest => unknown_of("test", error, filters::TESTS),
            ErrorKind::UnknownFunction => unknown_of("function", error, []),
            kind => match error.detail() {
                Some(detail) => format!("{place}{kind}: {detail}"),
                None => format!("{place}{kind}"),
            },
        };
        Self { setting: settings.template, line: error.line(), message }
    }

    /// An error in this line.
    pub fn at(settings: &Settings, line: usize, message: String) -> Self {
        Self { setting: settings.template, line: Some(line), message }
    }

    /// The error for a variable that no event has, in this line.
    pub fn unknown_variable(settings: &Settings, name: &str, line: Option<usize>) -> Self {
        Self { setting: settings.template, line, message: unknown_variable(settings, name) }
    }

    /// The error with its setting and line.
    pub fn in_full(&self) -> String {
        match self.line {
            Some(line) => format!("setting \"{}\", line {line}: {}", self.setting, self.message),
            None => format!("setting \"{}\": {}", self.setting, self.message),
        }
    }
}

fn unknown_variable(settings: &Settings, name: &str) -> String {
    format!("unknown variable \"{name}\"{}", nearest::suggestion(name, settings.variables.iter().copied()))
}

/// The message for an unknown filter or test.
pub fn unknown_name(kind: &str, name: &str, known: impl IntoIterator<Item = &'static str>) -> String {
    format!("unknown {kind} \"{name}\"{}", nearest::suggestion(name, known))
}

/// Converts the engine's `filter spn is unknown`, or `spn is unknown` for a function.
fn unknown_of(kind: &str, error: &minijinja::Error, known: impl IntoIterator<Item = &'static str>) -> String {
    let detail = error.detail().unwrap_or_default();
    let name = detail.trim_end_matches(" is unknown");
    let name = name.strip_prefix(kind).unwrap_or(name).trim();
    unknown_name(kind, name, known)
}
