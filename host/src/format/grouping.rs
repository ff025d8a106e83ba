//! Which posts are grouped into a digest instead of getting a message each: those of a storm, those of a restart of fail2ban,
//! those about one subject, and what a plugin holds.
//!
//! A plugin has decided before that each of them is worth a message; only then is it grouped. A storm is recognized by the
//! times at which its route last had something to post.

use std::collections::VecDeque;
use std::time::Duration;

use super::series::{self, OpenSeries};
use super::window::{longer_window, milliseconds};
use crate::config::{Route, Storm};
use crate::event::{DigestCause, Event, EventDetails, Timestamp};
use crate::message::{HOLD_MS_MAX, Hold, KEY_CHARS};
use crate::store::{Closes, DigestKey, PostTimes, Series, Store, StoreError};

/// The digest of a restart closes after this long at the latest, however many events there still are.
const MAX_RESTART: Duration = Duration::from_secs(60);

/// Whether an event may be grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouping {
    /// It gets a message of its own.
    Standalone,
    /// With others of a storm or of a restart.
    Any,
    /// With others of a storm: it is an unban that was held in case a stop followed, and none has.
    StormOnly,
    /// With others of a restart: it changes a message, so it makes no storm.
    RestartOnly,
}

impl Grouping {
    /// Returns how an event may be grouped that changes a message.
    pub(super) const fn of_change(self) -> Self {
        match self {
            Self::Any | Self::RestartOnly => Self::RestartOnly,
            Self::Standalone | Self::StormOnly => Self::Standalone,
        }
    }
}

/// Returns the digest that a post joins; `None` if it gets a message of its own. `is_elsewhere`: it is for another webhook than
/// the route's, such as one for what is urgent, and joins none of the same subject.
pub(super) fn digest_of(
    route: &Route,
    recent: &mut RecentPosts,
    event: &Event,
    (grouping, living, is_elsewhere): (Grouping, bool, bool),
    now: Timestamp,
) -> Option<DigestKey> {
    if grouping == Grouping::Standalone {
        return None;
    }
    if let Some(quiet) = route.restart.filter(|_| matches!(grouping, Grouping::Any | Grouping::RestartOnly))
        && let Some(key) = digest_of_restart(event, quiet)
    {
        return Some(key);
    }
    if grouping == Grouping::RestartOnly {
        return None;
    }
    if let Some(within) = route.same_subject.filter(|_| !is_elsewhere)
        && let Some(key) = series::key_of_subject(event)
        && let Some(closes) = recent.join_series(&key, within, living, now)
    {
        return Some(DigestKey { cause: DigestCause::SameSubject, key, closes, merge_unbans: None });
    }
    digest_of_storm(route, recent, living, now)
}

/// Returns the digest of several hosts that the restart of one joins; `None`: it is the first, and others may follow it, or it
/// is for itself. `event`: one of its events. `is_living`: see [`digest_of_storm`].
pub(super) fn digest_of_restarts(
    route: &Route,
    recent: &mut RecentPosts,
    (restart, host, event): (&str, &str, i64),
    is_living: bool,
    now: Timestamp,
) -> Option<DigestKey> {
    let window = route.digest_window;
    if recent.series.find(restart, now).is_none() {
        recent.begin_series(restart.to_owned(), (event, host), window, now);
        return None;
    }
    // A host that restarts again and again says so each time, as it would by itself.
    let is_same = |series: &Series| series.host == host && !series.has_followers;
    if recent.series.find(restart, now).is_some_and(|series| is_same(series)) {
        return None;
    }
    let closes = recent.join_series(restart, window, is_living, now)?;
    Some(DigestKey { cause: DigestCause::Restarts, key: restart.to_owned(), closes, merge_unbans: None })
}

/// Returns the digest of the storm that one more post belongs to; `None`: the post goes out by itself. `living`: the storm's
/// digests change one message, so their windows need not become wider.
pub(super) fn digest_of_storm(
    route: &Route,
    recent: &mut RecentPosts,
    living: bool,
    now: Timestamp,
) -> Option<DigestKey> {
    recent.exceeds(route.storm?, now).then(|| DigestKey {
        cause: DigestCause::Storm,
        key: String::new(),
        closes: Closes::At(now.plus_ms(milliseconds(match living {
            true => route.digest_window,
            false => recent.storm_window(route.digest_window, now),
        }))),
        merge_unbans: None,
    })
}

/// Returns the digest of an event that may belong to a restart. With `actionflush` these are flush, stop, start and restored
/// bans. Without it, fail2ban lifts one ban after the other before the stop, and only the stop distinguishes these unbans
/// from others.
pub(super) fn digest_of_restart(event: &Event, quiet: Duration) -> Option<DigestKey> {
    let jail = || key_of_unbans(&event.host, &event.jail);
    let (cause, key, merge_unbans) = match &event.details {
        EventDetails::Stop | EventDetails::Flush => (DigestCause::Restart, event.host.clone(), Some(jail())),
        EventDetails::Start => (DigestCause::Restart, event.host.clone(), None),
        EventDetails::Ban(ban) if ban.restored => (DigestCause::Restart, event.host.clone(), None),
        EventDetails::Unban(_) => (DigestCause::Unbans, jail(), None),
        EventDetails::Ban(_) | EventDetails::Prolong(_) => return None,
    };
    Some(DigestKey { cause, key, closes: closes_when_quiet(quiet), merge_unbans })
}

/// Returns the digest of the restart that unbans belong to, a stop having followed that the route does not match.
pub(super) fn restart_of_unbans(host: &str, quiet: Duration) -> DigestKey {
    let (cause, key) = (DigestCause::Restart, host.to_owned());
    DigestKey { cause, key, closes: closes_when_quiet(quiet), merge_unbans: None }
}

fn closes_when_quiet(quiet: Duration) -> Closes {
    Closes::Quiet { quiet_ms: milliseconds(quiet), max_ms: milliseconds(MAX_RESTART) }
}

/// Returns the key of a jail's unbans: JSON, since a jail's name may contain anything.
fn key_of_unbans(host: &str, jail: &str) -> String {
    serde_json::json!([host, jail]).to_string()
}

/// Returns the host and the jail of a key of unbans.
pub(super) fn jail_of_unbans(key: &str) -> Option<(String, String)> {
    serde_json::from_str(key).ok()
}

/// Returns the digest that a plugin's hold asks for. Closes after the route's window where the hold names no time.
pub(super) fn digest_of_hold(route: &Route, Hold { key, until, .. }: Hold, now: Timestamp) -> DigestKey {
    let window = now.plus_ms(milliseconds(route.digest_window));
    let until = until.map_or(window, |until| until.min(now.plus_ms(HOLD_MS_MAX)));
    let key = key.chars().take(KEY_CHARS).collect();
    DigestKey { cause: DigestCause::Held, key, closes: Closes::At(until), merge_unbans: None }
}

/// The times of a route's posts, as far as its `storm` looks back.
#[derive(Debug, Default)]
pub(super) struct RecentPosts {
    posts: VecDeque<Timestamp>,
    storm_since: Option<Timestamp>,
    series: OpenSeries,
    /// How often something had been forgotten when they were read.
    pub(super) forgettings: i64,
    changed: bool,
}

impl RecentPosts {
    pub(super) fn of(PostTimes { posts, storm_since, series, forgettings }: PostTimes) -> Self {
        Self { posts: posts.into(), storm_since, series: OpenSeries::of(series), forgettings, changed: false }
    }

    /// Returns the posts of a route, from the store on first use.
    pub(super) fn read<'r>(slot: &'r mut Option<Self>, store: &Store, route: &str) -> Result<&'r mut Self, StoreError> {
        Ok(match slot {
            Some(recent) => recent,
            None => slot.insert(Self::of(store.recent_posts(route)?)),
        })
    }

    /// Records a post. Returns whether it is one more than the storm's threshold lets through.
    pub(super) fn exceeds(&mut self, storm: Storm, now: Timestamp) -> bool {
        let since = now.plus_ms(-milliseconds(storm.within));
        // One that is later than now was recorded before the clock was set back.
        self.posts.retain(|at| since < *at && *at <= now);
        let threshold = usize::try_from(storm.threshold).unwrap_or(usize::MAX);
        let exceeds = self.posts.len() >= threshold;
        self.posts.push_back(now);
        while self.posts.len() > threshold {
            self.posts.pop_front();
        }
        self.storm_since = exceeds.then(|| self.storm_since.filter(|since| *since <= now).unwrap_or(now));
        self.changed = true;
        exceeds
    }

    /// Returns how long the next digest of the storm stays open: longer, the longer the storm lasts. `first`: the window of
    /// its first digest.
    pub(super) fn storm_window(&self, first: Duration, now: Timestamp) -> Duration {
        longer_window(first, self.storm_since.map_or(0, |since| now.0.saturating_sub(since.0)))
    }

    /// Begins a series with a message that goes out by itself, about an event of a host.
    pub(super) fn begin_series(&mut self, key: String, (event, host): (i64, &str), within: Duration, now: Timestamp) {
        let until = now.plus_ms(milliseconds(within));
        let series = Series { event, host: host.to_owned(), since: now, until, has_followers: false };
        self.changed |= self.series.begin(key, series, now);
    }

    /// Has one more post join a series. Returns when its digest closes; `None`: there is no such series.
    fn join_series(&mut self, key: &str, window: Duration, is_living: bool, now: Timestamp) -> Option<Closes> {
        let series = self.series.find(key, now)?;
        self.changed = true;
        Some(Closes::At(series::join(series, window, is_living, now)))
    }

    /// Returns an event of the message that tells of a series; `None`: the series is not known any more.
    pub(super) fn event_of_series(&mut self, key: &str) -> Option<i64> {
        self.series.known(key).map(|series| series.event)
    }

    /// Has another message tell of a series, that with this event.
    pub(super) fn go_on_in(&mut self, key: &str, event: i64) {
        if let Some(series) = self.series.known(key) {
            series.event = event;
            self.changed = true;
        }
    }

    /// Returns all of them, if they have changed since the last call.
    pub(super) fn changed(&mut self, now: Timestamp) -> Option<PostTimes> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.series.end_old(now);
        let posts = self.posts.iter().copied().collect();
        let (storm_since, series) = (self.storm_since, self.series.all().clone());
        Some(PostTimes { posts, storm_since, series, forgettings: self.forgettings })
    }
}

#[cfg(test)]
#[path = "grouping_tests.rs"]
mod tests;
