//! Which posts are told together fallback_message of one by one: those of a storm, and what a restart of fail2ban consists of.
//!
//! A plugin has decided before that each of them is worth a message; only then is it looked at here.

use std::collections::VecDeque;
use std::time::Duration;

use crate::config::{Route, Storm};
use crate::event::DigestCause;
use crate::event::{Event, EventDetails, Timestamp};
use crate::store::{Closes, DigestKey};

/// What a restart consists of is told after this long at the latest, however many events there still are.
const RESTART_MOST: Duration = Duration::from_secs(60);

/// When a route had something to post, as far as its `storm` looks back.
#[derive(Debug, Default)]
pub(super) struct Recent {
    posts: VecDeque<Timestamp>,
    changed: bool,
}

impl Recent {
    pub(super) fn of(posts: Vec<Timestamp>) -> Self {
        Self { posts: posts.into(), changed: false }
    }

    /// Takes note of a post. Says whether it is one more than may be told one by one.
    fn is_over(&mut self, storm: Storm, now: Timestamp) -> bool {
        let since = now.plus_ms(-milliseconds(storm.within));
        // One that is later than now is of a time before the clock was set back.
        self.posts.retain(|at| since < *at && *at <= now);
        let over = usize::try_from(storm.threshold).unwrap_or(usize::MAX);
        let is_over = self.posts.len() >= over;
        self.posts.push_back(now);
        while self.posts.len() > over {
            self.posts.pop_front();
        }
        self.changed = true;
        is_over
    }

    /// All of them, if they have changed since this was asked last.
    pub(super) fn changed(&mut self) -> Option<Vec<Timestamp>> {
        std::mem::take(&mut self.changed).then(|| self.posts.iter().copied().collect())
    }
}

/// The message that a post joins fallback_message of making one of its own. `waited`: it is an unban that was held already, and no
/// stop has followed.
pub(super) fn digest_key(
    route: &Route,
    recent: &mut Recent,
    event: &Event,
    waited: bool,
    now: Timestamp,
) -> Option<DigestKey> {
    if let Some(quiet) = route.restart.filter(|_| !waited)
        && let Some(digest_key) = of_restart(event, quiet)
    {
        return Some(digest_key);
    }
    let storm = route.storm?;
    let closes = Closes::At(now.plus_ms(milliseconds(route.digest_window)));
    recent.is_over(storm, now).then(|| DigestKey {
        cause: DigestCause::Storm,
        key: String::new(),
        closes,
        merge_unbans: None,
    })
}

/// What may be part of a restart: with `actionflush` that is flush, stop, start and restored bans; without it, fail2ban
/// lifts one ban after the other before the stop, which is all that tells these unbans from others.
fn of_restart(event: &Event, quiet: Duration) -> Option<DigestKey> {
    // JSON, since a jail's name may contain anything.
    let jail = || serde_json::json!([event.host, event.jail]).to_string();
    let (cause, key, merge_unbans) = match &event.details {
        EventDetails::Stop | EventDetails::Flush => (DigestCause::Restart, event.host.clone(), Some(jail())),
        EventDetails::Start => (DigestCause::Restart, event.host.clone(), None),
        EventDetails::Ban(ban) if ban.restored => (DigestCause::Restart, event.host.clone(), None),
        EventDetails::Unban(_) => (DigestCause::Unbans, jail(), None),
        EventDetails::Ban(_) => return None,
    };
    let closes = Closes::Quiet { quiet_ms: milliseconds(quiet), max_ms: milliseconds(RESTART_MOST) };
    Some(DigestKey { cause, key, closes, merge_unbans })
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over_at(recent: &mut Recent, times: &[i64]) -> Vec<bool> {
        let storm = Storm { threshold: 3, within: Duration::from_secs(60) };
        times.iter().map(|at| recent.is_over(storm, Timestamp(*at * 1_000))).collect()
    }

    #[test]
    fn a_storm_begins_with_one_too_many_and_ends_when_it_is_quieter() {
        let mut recent = Recent::default();
        assert_eq!(over_at(&mut recent, &[100, 100, 100, 100, 159, 159]), [false, false, false, true, true, true]);
        // With two at 159, this is the third; what was grouped counts as well.
        assert_eq!(over_at(&mut recent, &[161, 218, 219]), [false, true, false]);
        assert_eq!(recent.changed().unwrap().len(), 3);
        assert_eq!(recent.changed(), None);
        // A clock that is set back makes nothing a storm.
        assert_eq!(over_at(&mut recent, &[10, 10, 10, 10]), [false, false, false, true]);
    }
}
