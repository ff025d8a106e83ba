//! The line of plain text that describes an event, for the fallback message and for logs.

use blockkit::text::{cut, one_line};

use crate::event::{Ban, BanDuration, Event, EventDetails};

/// Characters of a foreign value that are shown. All values of a summary together, escaped, stay below Slack's 3,000.
const VALUE_MAX: usize = 120;

/// Returns the event in one line of plain text: `203.0.113.7 banned in sshd on web-1 after 5 failures for 10 min`.
///
/// Bounded, and without control characters.
#[must_use]
pub(crate) fn summary(event: &Event) -> String {
    let jail = shown(&event.jail);
    let place = if event.host.is_empty() { jail.clone() } else { format!("{jail} on {}", shown(&event.host)) };
    match &event.details {
        EventDetails::Start => format!("jail {place} started"),
        EventDetails::Stop => format!("jail {place} stopped"),
        EventDetails::Flush => format!("all bans lifted in {place}"),
        EventDetails::Ban(ban) => format!("{} banned in {place}{}", subject(ban), details(ban)),
        EventDetails::Unban(ban) => format!("{} unbanned in {place}", subject(ban)),
    }
}

fn subject(ban: &Ban) -> String {
    if ban.subject.is_empty() { "(unknown)".to_owned() } else { shown(&ban.subject) }
}

fn details(ban: &Ban) -> String {
    let mut details = match ban.failures {
        None => String::new(),
        Some(0) => " by hand".to_owned(),
        Some(1) => " after 1 failure".to_owned(),
        Some(failures) => format!(" after {failures} failures"),
    };
    match ban.duration {
        None => {}
        Some(BanDuration::Permanent) => details.push_str(" permanently"),
        Some(BanDuration::Seconds(seconds)) => details.push_str(&format!(" for {}", span(seconds))),
    }
    let count = ban.count.filter(|count| *count > 1).map(|count| format!("ban number {count}"));
    let restored = ban.restored.then(|| "restored".to_owned());
    let notes: Vec<String> = count.into_iter().chain(restored).collect();
    if !notes.is_empty() {
        details.push_str(&format!(" ({})", notes.join(", ")));
    }
    details
}

/// Returns a duration in its two largest units: `1 d 12 h`.
pub(super) fn span(seconds: u32) -> String {
    const UNITS: [(u32, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, unit) in UNITS {
        if rest >= length {
            parts.push(format!("{} {unit}", rest / length));
            rest %= length;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

/// Returns a foreign value on one line, cut.
pub(super) fn shown(foreign: &str) -> String {
    cut(&one_line(foreign), VALUE_MAX).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: &str) -> Event {
        Event::from_json(&format!(r#"{{"at":"2026-11-22T10:56:55.601Z","jail":"sshd",{json}}}"#)).unwrap()
    }

    #[test]
    fn summary_of_every_kind() {
        for (json, expected) in [
            (r#""action":"start","host":"web-1""#, "jail sshd on web-1 started"),
            (r#""action":"stop""#, "jail sshd stopped"),
            (r#""action":"flush","host":"web-1""#, "all bans lifted in sshd on web-1"),
            (r#""action":"unban","subject":"::1","failures":5"#, "::1 unbanned in sshd"),
            (r#""action":"ban""#, "(unknown) banned in sshd"),
            (r#""action":"ban","subject":"x","failures":0"#, "x banned in sshd by hand"),
            (
                r#""action":"ban","subject":"x","host":"web-1","failures":5,"count":2,"duration":600,"restored":true"#,
                "x banned in sshd on web-1 after 5 failures for 10 min (ban number 2, restored)",
            ),
            (
                r#""action":"ban","subject":"x","failures":1,"count":1,"duration":"permanent""#,
                "x banned in sshd after 1 failure permanently",
            ),
            (r#""action":"ban","subject":"a\nb\u001b\u202e""#, r"a b\u{1b}\u{202e} banned in sshd"),
        ] {
            assert_eq!(summary(&event(json)), expected);
        }
    }

    #[test]
    fn span_shows_two_units() {
        for (seconds, expected) in
            [(0, "0 s"), (59, "59 s"), (600, "10 min"), (5_400, "1 h 30 min"), (90_061, "1 d 1 h")]
        {
            assert_eq!(span(seconds), expected);
        }
    }
}
