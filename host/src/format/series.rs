//! Series: posts that are alike, on many hosts or in many jails. The first goes out at once, so that no alert is late; those
//! that follow it within a time join a digest.
//!
//! A series ends when nothing has joined it for as long as its digests are open. How many there are at a time is bounded: what
//! begins no series is posted as always.

use std::collections::BTreeMap;
use std::time::Duration;

use super::window::{longer_window, milliseconds};
use crate::event::{DigestCause, Event, EventDetails, Kind, Timestamp, Totals};
use crate::store::Series;

/// The series of a route at a time. A fleet that is attacked from more addresses than this at once has a storm.
const MAX_SERIES: usize = 1_024;

/// How long a series that has ended is still known, in ms: its last digest has to find the message that it changes.
const KNOWN_FOR_MS: i64 = 60_000;

/// Bytes of a subject that may begin a series.
const SUBJECT_BYTES: usize = 256;

/// The open series of a route, by their keys.
#[derive(Debug, Default)]
pub(super) struct OpenSeries(BTreeMap<String, Series>);

impl OpenSeries {
    pub(super) fn of(stored: BTreeMap<String, Series>) -> Self {
        Self(stored)
    }

    pub(super) fn all(&self) -> &BTreeMap<String, Series> {
        &self.0
    }

    /// Returns the series with this key, if it goes on.
    pub(super) fn find(&mut self, key: &str, now: Timestamp) -> Option<&mut Series> {
        self.0.get_mut(key).filter(|series| goes_on(series, now))
    }

    /// Returns the series with this key, which may have ended a moment ago.
    pub(super) fn known(&mut self, key: &str) -> Option<&mut Series> {
        self.0.get_mut(key)
    }

    /// Begins a series, if there is room for one more. Returns whether it has.
    pub(super) fn begin(&mut self, key: String, series: Series, now: Timestamp) -> bool {
        if self.0.len() >= MAX_SERIES && !self.0.contains_key(&key) {
            self.0.retain(|_, series| goes_on(series, now));
            if self.0.len() >= MAX_SERIES {
                return false;
            }
        }
        self.0.insert(key, series);
        true
    }

    /// Forgets those that have ended and of which no digest is open.
    pub(super) fn end_old(&mut self, now: Timestamp) {
        let is_known =
            |series: &Series| series.since <= now && series.has_followers && now < series.until.plus_ms(KNOWN_FOR_MS);
        self.0.retain(|_, series| goes_on(series, now) || is_known(series));
    }
}

fn goes_on(series: &Series, now: Timestamp) -> bool {
    // One that began later than now began before the clock was set back.
    series.since <= now && now < series.until
}

/// Has one more post join a series. Returns when the digest that it joins closes. `window`: for how long its first digest is
/// open. `is_living`: its digests change one message, so later ones need not stay open for longer.
pub(super) fn join(series: &mut Series, window: Duration, is_living: bool, now: Timestamp) -> Timestamp {
    let lasts_ms = now.0.saturating_sub(series.since.0);
    let window = if is_living { window } else { longer_window(window, lasts_ms) };
    let closes_at = now.plus_ms(milliseconds(window));
    (series.until, series.has_followers) = (series.until.max(closes_at), true);
    closes_at
}

/// Returns the key of the series that an event may belong to: what happened to whom. `None`: it is about nobody, or is a ban
/// that a restart restored.
pub(super) fn key_of_subject(event: &Event) -> Option<String> {
    let kind = event.kind();
    let ban = match &event.details {
        EventDetails::Ban(ban) if ban.restored => return None,
        EventDetails::Ban(ban) | EventDetails::Unban(ban) | EventDetails::Prolong(ban) => ban,
        EventDetails::Start | EventDetails::Stop | EventDetails::Flush => return None,
    };
    let is_usable = (1..=SUBJECT_BYTES).contains(&ban.subject.len());
    is_usable.then(|| key(kind, &ban.subject))
}

/// JSON, since a subject may contain anything. It is read as text where a subject is forgotten.
fn key(kind: Kind, subject: &str) -> String {
    serde_json::json!([kind.as_str(), subject]).to_string()
}

/// Returns the key of the series that the restart of a host belongs to: hosts that stopped are not among those that started
/// again. `None`: a restart in which not all jails started is for itself.
pub(super) fn key_of_restart(cause: DigestCause, totals: &Totals) -> Option<&'static str> {
    match cause {
        DigestCause::Restart if totals.stops == 0 && totals.starts > 0 => Some("start"),
        DigestCause::Restart if totals.starts > 0 && totals.starts < totals.stops => None,
        DigestCause::Restart => Some("restart"),
        DigestCause::Stop => Some("stop"),
        _ => Some("other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Ban;

    fn series(since: i64, until: i64) -> Series {
        let host = "web-1".to_owned();
        Series { event: 1, host, since: Timestamp(since), until: Timestamp(until), has_followers: false }
    }

    #[test]
    fn series_goes_on_while_its_posts_come_and_ends_when_none_has() {
        let mut open = OpenSeries::default();
        assert!(open.begin("a".to_owned(), series(1_000, 31_000), Timestamp(1_000)));
        assert!(open.find("b", Timestamp(1_000)).is_none());
        let found = open.find("a", Timestamp(30_999)).unwrap();
        assert_eq!(join(found, Duration::from_secs(30), false, Timestamp(30_999)), Timestamp(60_999));
        // It lasts for longer than a window, so the next one is longer.
        let found = open.find("a", Timestamp(60_998)).unwrap();
        assert_eq!(join(found, Duration::from_secs(30), false, Timestamp(60_998)), Timestamp(120_998));
        let found = open.find("a", Timestamp(120_997)).unwrap();
        assert_eq!(join(found, Duration::from_secs(30), true, Timestamp(120_997)), Timestamp(150_997));
        assert!(open.find("a", Timestamp(150_997)).is_none());
        open.end_old(Timestamp(150_997));
        assert!(open.known("a").is_some(), "its last digest closes now");
        open.end_old(Timestamp(150_997 + KNOWN_FOR_MS));
        assert!(open.known("a").is_none());
    }

    #[test]
    fn series_from_before_the_clock_was_set_back_is_over() {
        let mut open = OpenSeries::default();
        open.begin("a".to_owned(), series(1_000, 31_000), Timestamp(1_000));
        assert!(open.find("a", Timestamp(999)).is_none());
    }

    #[test]
    fn series_are_bounded_and_those_that_are_over_make_room() {
        let mut open = OpenSeries::default();
        for number in 0..MAX_SERIES {
            assert!(open.begin(number.to_string(), series(0, 10), Timestamp(0)));
        }
        assert!(!open.begin("more".to_owned(), series(9, 20), Timestamp(9)));
        assert!(open.find("0", Timestamp(9)).is_some());
        assert!(open.begin("more".to_owned(), series(10, 20), Timestamp(10)));
        assert_eq!(open.all().len(), 1);
    }

    #[test]
    fn key_is_that_of_what_happened_to_whom() {
        let event = |details| Event {
            id: String::new(),
            at: Timestamp(0),
            host: "web-1".to_owned(),
            jail: "sshd".to_owned(),
            details,
            labels: BTreeMap::new(),
        };
        let of = |subject: &str, restored| Ban { subject: subject.to_owned(), restored, ..Ban::default() };
        let key = |details| key_of_subject(&event(details));
        assert_eq!(key(EventDetails::Ban(of("a\"b", false))).unwrap(), r#"["ban","a\"b"]"#);
        assert_eq!(key(EventDetails::Unban(of("a", true))).unwrap(), r#"["unban","a"]"#);
        assert_eq!(key(EventDetails::Ban(of("a", true))), None, "restored");
        for nobody in [
            EventDetails::Ban(of("", false)),
            EventDetails::Ban(of(&"x".repeat(SUBJECT_BYTES + 1), false)),
            EventDetails::Stop,
        ] {
            assert_eq!(key(nobody), None);
        }
    }
}
