//! The settings of the route, and what a plugin says of its own: see [`Settings`](crate::Settings).

use std::fmt::Display;
use std::str::FromStr;

use crate::Result;
pub use crate::bindings::imports::banhook::plugin::settings::{all, get};
pub use crate::bindings::settings::exports::banhook::plugin::checker::{Level, Problem};
pub use crate::bindings::settings::exports::banhook::plugin::descriptor::{Description, Setting, SettingKind};

/// Returns a setting as a number or another type; `None` if it is not set.
///
/// # Errors
/// Names the setting if its text cannot be read as that.
pub fn parse<T: FromStr<Err: Display>>(key: &str) -> Result<Option<T>> {
    get(key).map(|value| read(key, &value)).transpose()
}

/// Returns the entries of a setting that is a list; none if it is not set.
#[must_use]
pub fn lines(key: &str) -> Vec<String> {
    get(key).map(|value| value.lines().map(str::to_owned).collect()).unwrap_or_default()
}

fn read<T: FromStr<Err: Display>>(key: &str, value: &str) -> Result<T> {
    value.parse().map_err(|error| format!("setting \"{key}\" is \"{value}\": {error}").into())
}

impl Description {
    /// A plugin by its name, as `banhook status` shows it.
    pub fn new(name: impl Display) -> Self {
        Self { name: name.to_string(), version: None, settings: Vec::new(), hints: None }
    }

    /// Its version: `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn version(self, version: impl Display) -> Self {
        Self { version: Some(version.to_string()), ..self }
    }

    /// Adds a setting. All that it has are needed: another one is an error in a route.
    #[must_use]
    pub fn setting(mut self, setting: Setting) -> Self {
        self.settings.push(setting);
        self
    }
}

impl Setting {
    fn new(name: impl Display, kind: SettingKind, description: impl Display) -> Self {
        Self { name: name.to_string(), kind, description: description.to_string(), default: None }
    }

    /// Any text.
    pub fn text(name: impl Display, description: impl Display) -> Self {
        Self::new(name, SettingKind::Text, description)
    }

    /// A number.
    pub fn number(name: impl Display, description: impl Display) -> Self {
        Self::new(name, SettingKind::Number, description)
    }

    /// `true` or `false`.
    pub fn boolean(name: impl Display, description: impl Display) -> Self {
        Self::new(name, SettingKind::Boolean, description)
    }

    /// A list of texts.
    pub fn lines(name: impl Display, description: impl Display) -> Self {
        Self::new(name, SettingKind::Lines, description)
    }

    /// Its value where a route has none.
    #[must_use]
    pub fn default(self, value: impl Display) -> Self {
        Self { default: Some(value.to_string()), ..self }
    }
}

impl Problem {
    /// A setting that the plugin cannot work with. Say what would be right.
    pub fn error(setting: impl Display, message: impl Display) -> Self {
        let (setting, message) = (Some(setting.to_string()), message.to_string());
        Self { setting, line: None, level: Level::Error, message, hints: None }
    }

    /// A setting that is suspicious; the plugin is used.
    pub fn warning(setting: impl Display, message: impl Display) -> Self {
        Self { level: Level::Warn, ..Self::error(setting, message) }
    }

    /// The line of the setting's text, from 1.
    #[must_use]
    pub fn line(self, line: u32) -> Self {
        Self { line: Some(line), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_names_the_setting_and_its_value() {
        assert_eq!(read::<u32>("limit", "12").unwrap(), 12);
        let error = String::from(read::<u32>("limit", "many").unwrap_err());
        assert_eq!(error, "setting \"limit\" is \"many\": invalid digit found in string");
    }
}
