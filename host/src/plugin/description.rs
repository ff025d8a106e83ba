//! What a plugin says of itself, and whether a route's settings are those that it has.

use std::collections::BTreeMap;

use super::PluginError;
use super::error::SettingProblem;
use crate::phrase::{did_you_mean, listed};

/// A plugin, as its author describes it. The texts are its own: hostile, bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// All of its settings.
    pub settings: Vec<SettingDescription>,
}

/// A setting, as the plugin's author describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingDescription {
    /// Its key.
    pub name: String,
    /// What its value is.
    pub kind: SettingKind,
    /// What it does.
    pub description: String,
    /// Its value where a route has none.
    pub default: Option<String>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SettingKind {
    /// Any text, or a list.
    Text,
    /// Texts, one a line.
    Lines,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl Description {
    /// Returns what is wrong with a route's settings.
    pub(crate) fn check(&self, settings: &BTreeMap<String, String>) -> Vec<PluginError> {
        settings.iter().filter_map(|(name, value)| self.problem(name, value)).collect()
    }

    fn problem(&self, name: &str, value: &str) -> Option<PluginError> {
        let names = || self.settings.iter().map(|setting| setting.name.as_str());
        let message = match self.settings.iter().find(|known| known.name == name).map(|known| known.kind) {
            Some(SettingKind::Number) if value.parse::<f64>().is_err() => "expected a number".to_owned(),
            Some(SettingKind::Boolean) if !["true", "false"].contains(&value) => "expected true or false".to_owned(),
            Some(_) => return None,
            None => match did_you_mean(name, names()) {
                Some(suggestion) => format!("unknown setting; {suggestion}"),
                None if self.settings.is_empty() => "unknown setting; it has none".to_owned(),
                None => format!("unknown setting; known are {}", listed(names(), "and")),
            },
        };
        let setting = Some(name.to_owned());
        Some(PluginError::Setting(SettingProblem { setting, line: None, is_warning: false, message }))
    }
}
