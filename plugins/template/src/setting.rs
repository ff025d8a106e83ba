//! The names of this plugin's settings: a template and a colour for each event and for digests, and `links`.

use crate::bindings::banhook::plugin::{messages::Color, types::Action};
use crate::bindings::exports::banhook::plugin::descriptor::SettingKind;
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
/// The settings for a ban that was made longer.
pub const PROLONG: Settings = of_event("prolong", "prolong_color", include_str!("builtin/prolong.j2"));
/// The settings for a digest.
pub const DIGEST: Settings =
    Settings { template: "digest", color: "digest_color", builtin: "", variables: &digest_variables::NAMES };

impl Settings {
    /// All settings, in the documented order.
    pub const ALL: [Self; 7] = [START, STOP, FLUSH, BAN, UNBAN, PROLONG, DIGEST];

    /// The settings for a kind of event; `None` for one that this plugin does not know.
    pub fn of(action: &Action) -> Option<Self> {
        Some(match action {
            Action::Start => START,
            Action::Stop => STOP,
            Action::Flush => FLUSH,
            Action::Ban(_) => BAN,
            Action::Unban(_) => UNBAN,
            Action::Other(other) if other.name == PROLONG.template => PROLONG,
            Action::Other(_) => return None,
        })
    }
}

/// All settings: the key of each, what its value is, and what it does.
pub fn described() -> impl Iterator<Item = (&'static str, SettingKind, String)> {
    let of_kind = |Settings { template, color, .. }: Settings| {
        let about = match template {
            "digest" => "many events".to_owned(),
            kind => format!("a {kind}"),
        };
        [
            (template, SettingKind::Text, format!("The template of the message about {about}")),
            (color, SettingKind::Text, format!("The color of the message about {about}")),
        ]
    };
    let links =
        (links::SETTING, SettingKind::Lines, "Pages about an address, by name or as a URL with {ip}".to_owned());
    Settings::ALL.into_iter().flat_map(of_kind).chain([links])
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
        _ => parse_rgb(word).map(Some),
    }
}

/// Parses `#ff8000`.
fn parse_rgb(word: &str) -> Option<Color> {
    let digits =
        word.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some(Color::Rgb((red, green, blue)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_color_accepts_every_listed_color() {
        assert!(COLORS.iter().all(|word| parse_color(word).is_some()));
        for wrong in ["red", "#ff800", "#ff80000", "#gg8000", "#+f8000", "ff8000"] {
            assert_eq!(parse_color(wrong), None, "{wrong}");
        }
        assert_eq!(parse_color("#ff8000"), Some(Some(Color::Rgb((255, 128, 0)))));
    }
}
