//! When a route last had something to post: a storm is recognized by it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::config::Storm;
use crate::event::Timestamp;

/// The times of a route's posts, as far as its `storm` looks back.
#[derive(Debug, Default)]
pub(super) struct RecentPosts {
    posts: VecDeque<Timestamp>,
    changed: bool,
}

impl RecentPosts {
    pub(super) fn of(posts: Vec<Timestamp>) -> Self {
        Self { posts: posts.into(), changed: false }
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
        self.changed = true;
        exceeds
    }

    /// Returns all of them, if they have changed since the last call.
    pub(super) fn changed(&mut self) -> Option<Vec<Timestamp>> {
        std::mem::take(&mut self.changed).then(|| self.posts.iter().copied().collect())
    }
}

/// Returns a duration in ms, saturating.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceeds_at(recent: &mut RecentPosts, times: &[i64]) -> Vec<bool> {
        let storm = Storm { threshold: 3, within: Duration::from_secs(60) };
        times.iter().map(|at| recent.exceeds(storm, Timestamp(*at * 1_000))).collect()
    }

    #[test]
    fn storm_begins_past_the_threshold_and_ends_when_it_is_quieter() {
        let mut recent = RecentPosts::default();
        assert_eq!(exceeds_at(&mut recent, &[100, 100, 100, 100, 159, 159]), [false, false, false, true, true, true]);
        // With two at 159, this is the third; grouped posts count as well.
        assert_eq!(exceeds_at(&mut recent, &[161, 218, 219]), [false, true, false]);
        assert_eq!(recent.changed().unwrap().len(), 3);
        assert_eq!(recent.changed(), None);
        // A clock that is set back causes no storm.
        assert_eq!(exceeds_at(&mut recent, &[10, 10, 10, 10]), [false, false, false, true]);
    }
}
