//! What a message of the stream has: an event with its host filled in, as JSON; and who may have sent it.

use std::collections::{BTreeMap, BTreeSet};

use super::subjects::host_token;
use crate::event::{Event, EventDetails};

/// Bytes of a message at most, less than what the broker takes.
pub(super) const BODY_BYTES: usize = 60 << 10;

/// The label of an event that another host reported, which has that host's token.
const REPORTED_BY: &str = "reported_by";

/// Returns the message of an event. Of one that is too long, the last log lines are left out.
pub(super) fn body(event: &Event) -> String {
    let mut event = event.clone();
    loop {
        let json = event.to_json();
        let (EventDetails::Ban(ban) | EventDetails::Unban(ban) | EventDetails::Prolong(ban)) = &mut event.details
        else {
            return json;
        };
        if json.len() <= BODY_BYTES || ban.matches.is_empty() {
            return json;
        }
        let kept = ban.matches.len() / 2;
        ban.matches.truncate(kept);
    }
}

/// Reads the message that a host sent under its subject. Who reported an event is the subject's word, which the broker
/// checks, and never the message's.
///
/// # Errors
/// What is wrong with it.
pub(super) fn event(token: &str, body: &[u8], reporters: &BTreeMap<String, BTreeSet<String>>) -> Result<Event, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let mut event = Event::from_stored_json(text).map_err(|error| error.to_string())?;
    if event.id.is_empty() || event.host.is_empty() {
        return Err("it has no id or no host".to_owned());
    }
    event.labels.remove(REPORTED_BY);
    if host_token(&event.host) == token {
        return Ok(event);
    }
    let may_report =
        |(reporter, hosts): (&String, &BTreeSet<String>)| host_token(reporter) == token && hosts.contains(&event.host);
    if !reporters.iter().any(may_report) {
        return Err(format!("{token} reports an event of {}, which [fleet.reporters] does not allow", event.host));
    }
    event.labels.insert(REPORTED_BY.to_owned(), token.to_owned());
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Ban, Timestamp};

    fn sent(host: &str) -> Event {
        let ban = Ban { subject: "203.0.113.9".to_owned(), ..Ban::default() };
        Event {
            id: "an id".to_owned(),
            at: Timestamp(1),
            host: host.to_owned(),
            jail: "sshd".to_owned(),
            details: EventDetails::Ban(ban),
            labels: [(REPORTED_BY.to_owned(), "forged".to_owned())].into(),
        }
    }

    #[test]
    fn event_is_of_the_host_that_sent_it_or_of_one_that_it_may_report() {
        let reporters = [("log.example".to_owned(), ["web-1".to_owned()].into())].into();
        let read = |token: &str, host: &str| event(token, body(&sent(host)).as_bytes(), &reporters);
        let own = read("web-1_example", "web-1.example").unwrap();
        assert_eq!((own.host.as_str(), own.labels.len()), ("web-1.example", 0));
        let reported = read("log_example", "web-1").unwrap();
        assert_eq!(reported.labels.get(REPORTED_BY).map(String::as_str), Some("log_example"));
        for (token, host) in [("web-2", "web-1"), ("log_example", "web-2"), ("log_example", "")] {
            assert!(read(token, host).is_err(), "{token} {host}");
        }
        for junk in [&b""[..], b"{", b"\xff", br#"{"action":"ban"}"#] {
            assert!(event("web-1", junk, &reporters).is_err());
        }
    }

    #[test]
    fn body_of_a_long_event_has_fewer_log_lines() {
        let mut long = sent("web-1");
        if let EventDetails::Ban(ban) = &mut long.details {
            ban.matches = (0..1_000).map(|number| format!("{number} {}", "x".repeat(200))).collect();
        }
        let body = body(&long);
        assert!(body.len() <= BODY_BYTES, "{}", body.len());
        let read = event("web-1", body.as_bytes(), &BTreeMap::new()).unwrap();
        assert!(read.ban().unwrap().matches[0].starts_with("0 "));
    }
}
