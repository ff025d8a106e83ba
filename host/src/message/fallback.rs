//! The fallback message: a plain one, for an event that a plugin cannot format.

use blockkit::text::{cut, one_line};

use super::facts::Facts;
use super::guard::Guarded;
use super::model::{Block, ContextElement, Message, Section, Text};
use super::summary::summary;
use super::target::Target;
use crate::event::Event;

/// Characters of the reason that are shown.
const WHY_MAX: usize = 500;

/// Returns the event as a plain message, with the reason for the fallback in small print.
///
/// `why` says which plugin failed and how; it may hold hostile text of any length.
#[must_use]
pub fn fallback(event: &Event, why: &str, target: Target) -> Guarded {
    Guarded::own(&fallback_message(event, why), Some(Facts::Event(event)), target, "an event")
}

/// Returns the message of [`fallback`].
pub(super) fn fallback_message(event: &Event, why: &str) -> Message {
    plain(summary(event), why)
}

/// Returns a message of banhook's own that is about no event: a text, and small print below it.
#[must_use]
pub(crate) fn notice(text: &str, small_print: &str, target: Target) -> Guarded {
    Guarded::own(&plain(one_line(text), small_print), None, target, "a notice of banhook")
}

/// Returns a message of banhook's own that is about no single event.
#[must_use]
pub(crate) fn banhooks_own(message: &Message, target: Target) -> Guarded {
    let text = match &message.text {
        Text::Plain(text) => text.as_str(),
        Text::Mrkdwn(_) | Text::Rich(_) => "",
    };
    Guarded::own(message, None, target, text)
}

/// Returns a text with small print as a message.
fn plain(text: String, why: &str) -> Message {
    let section = Block::Section(Section { text: Some(Text::Plain(text.clone())), ..Section::default() });
    let small_print = small_print(why).map(|why| Block::Context(vec![ContextElement::Text(Text::Plain(why))]));
    let blocks = [section].into_iter().chain(small_print).collect();
    Message { text: Text::Plain(text), blocks, ..Message::default() }
}

/// Returns the reason on one line; `None` if it would show nothing.
pub(super) fn small_print(why: &str) -> Option<String> {
    // Cut first, since a plugin may make it of any length.
    Some(one_line(&cut(why, WHY_MAX))).filter(|why| !why.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use blockkit::check;
    use serde_json::json;

    use super::*;
    use crate::event::EventDetails;

    fn event(json: &str) -> Event {
        Event::from_json(&format!(r#"{{"at":"2026-11-22T10:56:55.601Z","jail":"sshd",{json}}}"#)).unwrap()
    }

    #[test]
    fn fallback_shows_the_summary_and_the_reason() {
        let guarded =
            fallback(&event(r#""action":"stop","host":"<a>""#), "plugin sec.wasm: <!here>\n*trap*", Target::SLACK);
        let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
        assert_eq!(
            guarded.body(),
            &json!({
                "text": "Jail sshd stopped on &lt;a&gt;",
                "blocks": [
                    {"type": "section", "text": plain("Jail sshd stopped on <a>")},
                    {"type": "context", "elements": [plain("plugin sec.wasm: <!here> *trap*")]},
                ],
                "unfurl_links": false,
                "unfurl_media": false,
            })
        );
    }

    #[test]
    fn fallback_of_extreme_values_is_never_refused() {
        let long = "<".repeat(100_000);
        let mut event = event(r#""action":"ban","subject":"x","failures":5,"duration":600"#);
        event.jail.clone_from(&long);
        event.host.clone_from(&long);
        if let EventDetails::Ban(ban) = &mut event.details {
            ban.subject.clone_from(&long);
        }
        for target in Target::ALL.iter().copied() {
            let body = fallback(&event, &long, target).to_json_string();
            assert!(body.chars().count() < 10_000, "{target:?}");
        }
        for why in [&long, "", " \n"] {
            assert_eq!(check(fallback(&event, why, Target::SLACK).body()), []);
        }
    }
}
