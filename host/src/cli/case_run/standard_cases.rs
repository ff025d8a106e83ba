//! The cases of a plugin that has none of its own: events that every plugin has to survive.

use serde_json::{Value, json};

use crate::cli::plugin_case::PluginCase;
use crate::plugin::standard_events;

/// Text that an attacker may write: markup of all chats, quotes, and characters that are not shown.
const HOSTILE: &str = "<!channel> @everyone *b* _i_ ~s~ `c` ```f``` <https://evil.example|x> [x](https://evil.example) \
                       \"'$(id)\\ :skull: \u{202e}\u{200b}\u{1b}[31m\u{0} {{ ip }}";

/// Characters of a name, in the largest event.
const NAME_CHARS: usize = 4_096;

/// Log lines of the largest event, and characters of each.
const MATCHES: usize = 20;
const MATCH_CHARS: usize = 1_000;

/// Returns the cases, each with its name.
pub(super) fn standard_cases() -> anyhow::Result<Vec<(String, PluginCase)>> {
    let standard =
        standard_events().into_iter().map(|event| (format!("standard {}", event.kind().as_str()), json!(event)));
    let own = [("hostile ban", named(HOSTILE, &[HOSTILE])), ("largest ban", largest())];
    let own = own.into_iter().map(|(name, event)| (name.to_owned(), event));
    standard
        .chain(own)
        .map(|(name, event)| Ok((name, PluginCase::parse(&json!({ "event": event }).to_string())?)))
        .collect()
}

fn largest() -> Value {
    let line = "x".repeat(MATCH_CHARS);
    named(&"x".repeat(NAME_CHARS), &[line.as_str(); MATCHES])
}

fn named(name: &str, matches: &[&str]) -> Value {
    json!({
        "action": "ban", "at": "2026-01-01T00:00:00Z", "host": name, "jail": name, "subject": name, "failures": 5,
        "duration": 600, "count": 1, "matches": matches,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_cases_are_cases() {
        assert_eq!(standard_cases().unwrap().len(), 8);
    }
}
