//! Hints: names and values in a message for what `messages.wit` has no field for.
//!
//! | name | effect |
//! | --- | --- |
//! | `topic` | the topic of the message, on Zulip; at most 60 characters |
//! | `priority` | how urgent the message is, on ntfy and for a program: `min`, `low`, `default`, `high`, `max`, or 1 to 5; before that, the color says it |
//! | `webhook` | the webhook that gets the message instead of the route's own, if the route allows it |
//! | `digest` | `never`: the message is never grouped with others; `built-in`, in a message about a digest: the text and blocks of banhook's own digest go out, with this message's color and hints |

use blockkit::text::{clean, cut, one_line};
use blockkit::{Finding, Rule, Severity};

use super::model::Message;
use super::slack_compatible::BREAK;
use crate::phrase::listed;

/// The known names.
const NAMES: [&str; 4] = ["topic", "priority", "digest", "webhook"];
/// The values of the hint `priority`, from 1 on.
const PRIORITIES: [&str; 5] = ["min", "low", "default", "high", "max"];
/// The value of the hint `digest` that has banhook's own digest go out.
const BUILT_IN: &str = "built-in";
/// The value of the hint `digest` that keeps a message out of digests.
const NEVER: &str = "never";
/// Characters of a topic at most; Zulip's limit.
const TOPIC_MAX: usize = 60;
/// Characters of an unknown name or bad value that are shown.
const SHOWN_MAX: usize = 40;

/// The hints of a message, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    /// One line, not empty.
    pub topic: Option<String>,
    /// How urgent it is: 1 to 5, where 3 is usual.
    pub priority: Option<u8>,
    /// Of a digest: banhook's own text.
    pub built_in_digest: bool,
}

impl Hints {
    /// Returns the valid ones; of several with one name the last.
    pub(super) fn of(message: &Message) -> Self {
        Self {
            topic: last(message, "topic").map(one_line).filter(|topic| !topic.trim().is_empty()).map(|topic| {
                // Zulip takes one of these for the mark of a Slack channel, and drops it.
                cut(&unlinked(topic.trim().trim_start_matches(['#', '@'])), TOPIC_MAX).into_owned()
            }),
            priority: last(message, "priority").and_then(priority),
            built_in_digest: last(message, "digest") == Some(BUILT_IN),
        }
    }
}

/// Returns the number of a priority.
fn priority(value: &str) -> Option<u8> {
    let number = (1..).zip(PRIORITIES).find(|(number, name)| value == *name || value == number.to_string());
    number.map(|(number, _)| number)
}

/// Returns whether a digest's message asks for banhook's own text.
#[must_use]
pub(crate) fn asks_for_built_in_digest(message: &Message) -> bool {
    Hints::of(message).built_in_digest
}

/// Returns whether a message goes out by itself, whatever goes on.
#[must_use]
pub(crate) fn is_never_grouped(message: &Message) -> bool {
    last(message, "digest") == Some(NEVER)
}

/// Returns the webhook that a message asks for.
#[must_use]
pub(crate) fn webhook_hint(message: &Message) -> Option<&str> {
    last(message, "webhook")
}

fn last<'m>(message: &'m Message, name: &str) -> Option<&'m str> {
    message.hints.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Returns the warning for hints where none is known.
#[must_use]
pub(crate) fn unknown_hints(hints: &[(String, String)]) -> Option<String> {
    let (name, _) = hints.first()?;
    Some(format!("unknown hint \"{}\"; a hold has none", cut(&one_line(name), SHOWN_MAX)))
}

/// Returns what is wrong with a message's hints: warnings, since the message is sent without them.
#[must_use]
pub(crate) fn check_hints(message: &Message) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, (name, value)) in message.hints.iter().enumerate() {
        let (rule, problem) = if !NAMES.contains(&name.as_str()) {
            let shown = one_line(name);
            (
                Rule::Custom("hint-unknown"),
                format!("unknown hint \"{}\"; the hints are {}", cut(&shown, SHOWN_MAX), listed(NAMES, "and")),
            )
        } else if name == "digest" && value != BUILT_IN && value != NEVER {
            let shown = clean(value);
            let expected = format!("expected \"{NEVER}\" or \"{BUILT_IN}\"");
            (Rule::Custom("hint-digest"), format!("{expected}, found \"{}\"", cut(&shown, SHOWN_MAX)))
        } else if name == "priority" && priority(value).is_none() {
            let shown = clean(value);
            let expected = format!("expected {} or a number from 1 to 5", PRIORITIES.join(", "));
            (Rule::Custom("hint-priority"), format!("{expected}, found \"{}\"", cut(&shown, SHOWN_MAX)))
        } else {
            continue;
        };
        let path = format!("/hints/{index}");
        findings.push(Finding {
            severity: Severity::Warning,
            path,
            rule,
            message: problem,
            value: None,
            limit: None,
            sources: &[],
        });
    }
    findings
}

/// Breaks what Zulip links in a topic: domains, addresses, URLs.
fn unlinked(topic: &str) -> String {
    let mut out = String::with_capacity(topic.len());
    let mut characters = topic.chars().peekable();
    while let Some(char) = characters.next() {
        out.push(char);
        let after = characters.peek().copied();
        let links = match char {
            '.' => after.is_some_and(char::is_alphabetic),
            ':' => after == Some('/') || out.to_ascii_lowercase().ends_with("bitcoin:"),
            '@' => true,
            _ => false,
        };
        if links && after.is_some() {
            out.push(BREAK);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Text;

    fn message(hints: &[(&str, &str)]) -> Message {
        let hints = hints.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Message { text: Text::Plain("x".to_owned()), hints, ..Message::default() }
    }

    #[test]
    fn hints_known_names_are_read() {
        let found =
            Hints::of(&message(&[("topic", "a"), ("topic", "#bans\n2"), ("digest", "built-in"), ("priority", "high")]));
        assert_eq!(found, Hints { topic: Some("bans 2".into()), priority: Some(4), built_in_digest: true });
        assert_eq!(Hints::of(&message(&[("topic", " "), ("digest", "x"), ("priority", "0")])), Hints::default());
        assert_eq!(Hints::of(&message(&[("topic", &"ä".repeat(61))])).topic.unwrap().chars().count(), 60);
    }

    #[test]
    fn topic_links_nothing() {
        for (topic, shown) in [
            ("see https://evil.example/x", "see https:¤//evil.¤example/x"),
            ("root@evil 203.0.113.7 a: b.", "root@¤evil 203.0.113.7 a: b."),
            ("Bitcoin:1Boat", "Bitcoin:¤1Boat"),
        ] {
            assert_eq!(Hints::of(&message(&[("topic", topic)])).topic.unwrap().replace(BREAK, "¤"), shown);
        }
    }

    #[test]
    fn check_hints_unknown_name_or_bad_value_is_a_warning() {
        let shown: Vec<String> = check_hints(&message(&[
            ("topic", "x"),
            ("colour\u{1b}", "x"),
            ("digest", "never"),
            ("digest", "x"),
            ("priority", "6"),
        ]))
        .iter()
        .map(Finding::to_string)
        .collect();
        assert_eq!(
            shown,
            [
                "/hints/1: unknown hint \"colour\\u{1b}\"; the hints are topic, priority, digest and webhook (hint-unknown)",
                "/hints/3: expected \"never\" or \"built-in\", found \"x\" (hint-digest)",
                "/hints/4: expected min, low, default, high, max or a number from 1 to 5, found \"6\" (hint-priority)",
            ]
        );
    }
}
