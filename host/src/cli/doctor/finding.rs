//! What a check found: a line with its level, and the remedy.

use std::fmt::Write as _;

use serde::Serialize;

use crate::message::one_line;
use crate::phrase::without_error_numbers;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It may be a mistake, or could not be checked.
    Warn,
    /// Alerts, or bans, are lost or late.
    Fail,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// What to do; of what is well, what would be better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, text: text.into(), remedy: None }
    }

    /// Something may be wrong.
    pub(super) fn warn(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Warn, text: text.into(), remedy: Some(remedy.into()) }
    }

    /// Something is wrong.
    pub(super) fn fail(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Fail, ..Self::warn(check, text, remedy) }
    }

    /// Takes the words of another command's error or warning, whose last part is what to do; `otherwise`: what to do if it
    /// does not say so.
    pub(super) fn of_error(check: &'static str, level: Level, error: &str, otherwise: &str) -> Self {
        let error = without_error_numbers(error);
        let (text, remedy) = error.rsplit_once("; ").unwrap_or((&error, otherwise));
        Self { level, ..Self::warn(check, text, remedy) }
    }

    /// Describes it for people: a line, and another one for the remedy.
    pub(super) fn lines(&self) -> String {
        let level = match self.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        let mut lines = format!("{level}  {}: {}\n", self.check, one_line(&self.text));
        if let Some(remedy) = &self.remedy {
            let _ = writeln!(lines, "      → {}", one_line(remedy));
        }
        lines
    }
}

/// Returns the worst level of findings.
pub(super) fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_error_ends_with_the_remedy() {
        let of = |error| Finding::of_error("state", Level::Fail, error, "see the log");
        assert_eq!(
            of("cannot read f: Permission denied (os error 13); run: chown b: f").lines(),
            "FAIL  state: cannot read f: Permission denied\n      → run: chown b: f\n"
        );
        assert_eq!(of("odd").remedy.as_deref(), Some("see the log"));
    }
}
