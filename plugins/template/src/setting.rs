//! The names of this plugin's settings: a template and a colour for each event.

use crate::bindings::banhook::plugin::{messages::Color, types::Action};

/// The settings for one kind of event.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// Key of the template: the event's word.
    pub template: &'static str,
    /// Key of the colour.
    pub color: &'static str,
    /// The template where none is set.
    pub builtin: &'static str,
}

/// Of a jail that started.
pub const START: Settings =
    Settings { template: "start", color: "start_color", builtin: include_str!("builtin/start.j2") };
/// Of a jail that stopped.
pub const STOP: Settings = Settings { template: "stop", color: "stop_color", builtin: include_str!("builtin/stop.j2") };
/// Of a jail that was flushed.
pub const FLUSH: Settings =
    Settings { template: "flush", color: "flush_color", builtin: include_str!("builtin/flush.j2") };
/// Of a ban.
pub const BAN: Settings = Settings { template: "ban", color: "ban_color", builtin: include_str!("builtin/ban.j2") };
/// Of an unban.
pub const UNBAN: Settings =
    Settings { template: "unban", color: "unban_color", builtin: include_str!("builtin/unban.j2") };

impl Settings {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 5] = [START, STOP, FLUSH, BAN, UNBAN];

    /// The settings for what happened.
    pub fn of(action: &Action) -> Self {
        match action {
            Action::Start => START,
            Action::Stop => STOP,
            Action::Flush => FLUSH,
            Action::Ban(_) => BAN,
            Action::Unban(_) => UNBAN,
        }
    }
}

/// What a colour may be set to.
pub const COLORS: [&str; 4] = ["good", "warning", "danger", "none"];

/// The colour that a word stands for; `None` for a word that stands for none.
///
/// Without a setting a message has no bar: its emoji says the same, and Slack folds long messages with one.
pub fn parse_color(word: &str) -> Option<Option<Color>> {
    match word {
        "good" => Some(Some(Color::Good)),
        "warning" => Some(Some(Color::Warning)),
        "danger" => Some(Some(Color::Danger)),
        "none" => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_color_accepts_every_listed_color() {
        assert!(COLORS.iter().all(|word| parse_color(word).is_some()));
        assert_eq!(parse_color("red"), None);
    }
}
