//! The names of this plugin's settings: a template and a colour for each event and for digests, and `links`.

use crate::bindings::banhook::plugin::{messages::Color, types::Action};
use crate::{digest_variables, links, variables};

/// The settings for one kind of event.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// The key of the template: the kind of event.
    pub template: &'static str,
    /// The key of the colour.
    pub color: &'static str,
    /// The built-in template; empty: banhook's own digest.
    pub builtin: &'static str,
    /// The names of the template's variables.
    pub variables: &'static [&'static str],
}

const fn of_event(template: &'static str, color: &'static str, builtin: &'static str) -> Settings {
    Settings { template, color, builtin, variables: &variables::NAMES }
}

/// The settings for a jail that started.
pub const START: Settings = of_event("start", "start_color", include_str!("builtin/start.j2"));
/// The settings for a jail that stopped.
pub const STOP: Settings = of_event("stop", "stop_color", include_str!("builtin/stop.j2"));
/// The settings for a jail that was flushed.
pub const FLUSH: Settings = of_event("flush", "flush_color", include_str!("builtin/flush.j2"));
/// The settings for a ban.
pub const BAN: Settings = of_event("ban", "ban_color", include_str!("builtin/ban.j2"));
/// The settings for an unban.
pub const UNBAN: Settings = of_event("unban", "unban_color", include_str!("builtin/unban.j2"));
/// The settings for a digest.
pub const DIGEST: Settings =
    Settings { template: "digest", color: "digest_color", builtin: "", variables: &digest_variables::NAMES };

impl Settings {
    /// All settings, in the documented order.
    pub const ALL: [Self; 6] = [START, STOP, FLUSH, BAN, UNBAN, DIGEST];

    /// The keys of all settings, `links` included.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().flat_map(|known| [known.template, known.color]).chain([links::SETTING])
    }

    /// The settings for a kind of event.
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

/// The values of a color.
#[cfg(test)]
const COLORS: [&str; 4] = ["good", "warning", "danger", "none"];

/// Parses a color; `None` if it is invalid.
///
/// Without a setting a message has no coloured bar: its emoji shows the same, and Slack collapses long messages with a bar.
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
