//! The line of plain text that describes an event, for the fallback message and for logs.

use blockkit::text::{cut, one_line};

use crate::event::{Ban, BanDuration, Event, EventDetails};
use crate::phrase::counted;

/// Characters of a foreign value that are shown. All values of a summary together, escaped, stay below Slack's 3,000.
const VALUE_MAX: usize = 120;

/// Returns the event in one line of plain text: `203.0.113.7 banned in sshd on web-1: 5 failures, for 10 min`.
///
/// Bounded, and without control characters.
#[must_use]
pub(crate) fn summary(event: &Event) -> String {
    let jail = shown(&event.jail);
    let host = if event.host.is_empty() { String::new() } else { format!(" on {}", shown(&event.host)) };
    match &event.details {
        EventDetails::Start => format!("Jail {jail} started{host}"),
        EventDetails::Stop => format!("Jail {jail} stopped{host}"),
        EventDetails::Flush => format!("All bans lifted in {jail}{host}"),
        EventDetails::Ban(ban) => {
            let verb = if ban.restored { "is still banned" } else { "banned" };
            format!("{} {verb} in {jail}{host}{}", subject(ban), details(ban))
        }
        EventDetails::Unban(ban) => format!("{} unbanned in {jail}{host}", subject(ban)),
        EventDetails::Prolong(ban) => format!("{} banned for longer in {jail}{host}{}", subject(ban), details(ban)),
    }
}

fn subject(ban: &Ban) -> String {
    if ban.subject.is_empty() { "Someone unknown".to_owned() } else { shown(&ban.subject) }
}

fn details(ban: &Ban) -> String {
    let restored = ban.restored.then(|| "restored after a restart".to_owned());
    let failures = ban.failures.map(|failures| match failures {
        0 => "manual ban".to_owned(),
        failures => counted(failures, "failure"),
    });
    let duration = ban.duration.map(|duration| match duration {
        BanDuration::Permanent => "permanent".to_owned(),
        BanDuration::Seconds(seconds) => format!("for {}", span(seconds)),
    });
    let count = ban.count.filter(|count| *count > 1).map(|count| format!("ban number {count}"));
    let details: Vec<String> = restored.into_iter().chain(failures).chain(duration).chain(count).collect();
    if details.is_empty() { String::new() } else { format!(": {}", details.join(", ")) }
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
            (r#""action":"start","host":"web-1""#, "Jail sshd started on web-1"),
            (r#""action":"stop""#, "Jail sshd stopped"),
            (r#""action":"flush","host":"web-1""#, "All bans lifted in sshd on web-1"),
            (r#""action":"unban","subject":"::1","failures":5"#, "::1 unbanned in sshd"),
            (
                r#""action":"prolong","subject":"x","duration":7200,"count":3"#,
                "x banned for longer in sshd: for 2 h, ban number 3",
            ),
            (r#""action":"ban""#, "Someone unknown banned in sshd"),
            (r#""action":"ban","subject":"x","failures":0"#, "x banned in sshd: manual ban"),
            (
                r#""action":"ban","subject":"x","host":"web-1","failures":5,"count":2,"duration":600,"restored":true"#,
                "x is still banned in sshd on web-1: restored after a restart, 5 failures, for 10 min, ban number 2",
            ),
            (
                r#""action":"ban","subject":"x","failures":1,"count":1,"duration":"permanent""#,
                "x banned in sshd: 1 failure, permanent",
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
