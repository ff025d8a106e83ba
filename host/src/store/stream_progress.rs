//! What of a stream is settled, route by route: what a worker writes into its record, and another one reads there.
//!
//! What it does not say is settled is pending. So it may say too little, and then messages are sent again; it never says too
//! much, or one would be lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sequences::Sequences;

/// Runs of pending messages that a record has at most, of all routes together: some 40 kB. Hosts read it as well.
const RUNS: usize = 4_096;

/// What of a stream is settled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct StreamProgress {
    /// All messages up to this sequence are routed; later ones are pending on all routes.
    #[serde(default)]
    pub routed: u64,
    /// By the route's name. On a route that is not here, nothing is known to be settled.
    #[serde(default)]
    pub routes: BTreeMap<String, SettledOnRoute>,
}

/// What of a stream is settled on a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SettledOnRoute {
    /// All messages up to this sequence are settled but those that are pending; later ones are pending. No more than `routed`.
    pub through: u64,
    /// Those of them that are pending.
    pub pending: Sequences,
}

impl StreamProgress {
    /// Returns whether a message is settled on a route.
    pub(crate) fn is_settled(&self, route: &str, sequence: u64) -> bool {
        let route = self.routes.get(route).filter(|_| sequence <= self.routed);
        route.is_some_and(|route| sequence <= route.through && !route.pending.contains(sequence))
    }

    /// Returns whether it says that a message is pending on a route, and not only that it may be.
    pub(super) fn names_as_pending(&self, route: &str, sequence: u64) -> bool {
        self.routes.get(route).is_some_and(|route| route.pending.contains(sequence))
    }

    /// Returns up to which sequence all messages are settled on all routes that are here.
    pub(crate) fn floor(&self) -> u64 {
        let settled = |route: &SettledOnRoute| route.pending.first().map_or(route.through, |first| first - 1);
        self.routes.values().map(settled).fold(self.routed, u64::min)
    }

    /// Returns what this worker has settled, and what `before`, the record that it found, says of messages that it has not routed
    /// yet, and of routes that no message matched here: they are as pending as they were.
    pub(crate) fn and_not_yet_routed(&self, before: &Self) -> Self {
        let mut all = self.clone();
        all.routed = self.routed.max(before.routed);
        for (name, before) in &before.routes {
            match all.routes.get_mut(name) {
                Some(route) if route.through == self.routed => {
                    route.pending.extend_after(self.routed, &before.pending);
                    route.through = before.through.max(self.routed);
                }
                // It was cut short, and says nothing of what follows.
                Some(_) => {}
                None => drop(all.routes.insert(name.clone(), before.clone())),
            }
        }
        all
    }

    /// Returns what it says of some routes.
    pub(crate) fn on_routes(&self, is_one: impl Fn(&str) -> bool) -> Self {
        let routes = self.routes.iter().filter(|(name, _)| is_one(name));
        Self { routed: self.routed, routes: routes.map(|(name, route)| (name.clone(), route.clone())).collect() }
    }

    /// Adds what another record says of routes that are not here, or of which it knows more. No longer for a floor: of a route
    /// that is in neither, it says too much then.
    pub(crate) fn add_routes(&mut self, other: &Self) {
        self.routed = self.routed.max(other.routed);
        let extent = |route: &SettledOnRoute| (route.through, route.pending.first().unwrap_or(u64::MAX));
        for (name, route) in &other.routes {
            if self.routes.get(name).is_none_or(|known| extent(known) < extent(route)) {
                self.routes.insert(name.clone(), route.clone());
            }
        }
    }

    /// Leaves out what is more than a record may have: of a route with too many runs, what follows the last that is kept is
    /// pending.
    pub(crate) fn bounded(self) -> Self {
        self.bounded_to(RUNS)
    }

    fn bounded_to(mut self, runs: usize) -> Self {
        let pending = self.routes.values().filter(|route| route.pending.first().is_some()).count();
        let share = (runs / pending.max(1)).max(1);
        for route in self.routes.values_mut().filter(|route| route.pending.runs() > share) {
            route.pending.keep_runs(share);
            route.through = route.pending.last().unwrap_or_default();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(through: u64, pending: &[u64]) -> SettledOnRoute {
        SettledOnRoute { through, pending: pending.iter().copied().collect() }
    }

    fn progress(routed: u64, routes: &[(&str, SettledOnRoute)]) -> StreamProgress {
        let routes = routes.iter().map(|(name, route)| ((*name).to_owned(), route.clone())).collect();
        StreamProgress { routed, routes }
    }

    fn settled(progress: &StreamProgress, route: &str) -> Vec<u64> {
        (1..=20).filter(|sequence| progress.is_settled(route, *sequence)).collect()
    }

    #[test]
    fn only_what_is_said_to_be_settled_is() {
        let all = progress(10, &[("a", on(10, &[3, 4, 8])), ("b", on(6, &[]))]);
        assert_eq!(settled(&all, "a"), [1, 2, 5, 6, 7, 9, 10]);
        assert_eq!(settled(&all, "b"), [1, 2, 3, 4, 5, 6]);
        assert!(settled(&all, "unknown").is_empty());
        let named: Vec<_> = (1..=20).filter(|sequence| all.names_as_pending("a", *sequence)).collect();
        assert_eq!((all.floor(), named), (2, vec![3, 4, 8]));
        assert_eq!(progress(10, &[("b", on(6, &[]))]).floor(), 6);
        assert_eq!((progress(10, &[]).floor(), StreamProgress::default().floor()), (10, 0));
    }

    #[test]
    fn progress_of_messages_not_routed_yet_is_as_it_was() {
        let before = progress(10, &[("a", on(10, &[3, 8])), ("b", on(6, &[2])), ("c", on(10, &[9]))]);
        let own = progress(5, &[("a", on(5, &[])), ("b", on(5, &[2, 4])), ("d", on(5, &[5]))]);
        let all = own.and_not_yet_routed(&before);
        assert_eq!(
            all,
            progress(10, &[("a", on(10, &[8])), ("b", on(6, &[2, 4])), ("c", on(10, &[9])), ("d", on(5, &[5])),])
        );
        assert_eq!(all.floor(), 1);
        // One that was cut short says nothing of what follows, also of what was known.
        let cut = progress(5, &[("a", on(2, &[1]))]);
        assert_eq!(cut.and_not_yet_routed(&before).routes["a"], on(2, &[1]));
        // A route that is not here any more keeps what was said of it.
        let later = progress(11, &[("a", on(11, &[])), ("b", on(11, &[]))]);
        let expected = progress(11, &[("a", on(11, &[])), ("b", on(11, &[])), ("c", on(10, &[9]))]);
        assert_eq!(later.and_not_yet_routed(&before), expected);
    }

    #[test]
    fn bounded_calls_more_pending_and_never_less() {
        let interleaved: Vec<_> = (1..=1_000).map(|number| number * 2).collect();
        let all = progress(3_000, &[("a", on(3_000, &interleaved)), ("b", on(3_000, &[7])), ("c", on(3_000, &[]))]);
        let bounded = all.clone().bounded_to(20);
        assert_eq!(bounded.routes["a"], on(20, &interleaved[..10]));
        assert_eq!((&bounded.routes["b"], bounded.floor()), (&all.routes["b"], 1));
        for route in ["a", "b", "c"] {
            assert!((1..3_001).all(|sequence| all.is_settled(route, sequence) || !bounded.is_settled(route, sequence)));
        }
        assert!((1..=3_000).filter(|sequence| bounded.is_settled("b", *sequence)).count() == 2_999);
        let widest = (1..=1_000_000_u64).map(|number| number * 2).collect();
        let largest = progress(u64::MAX, &[("a", SettledOnRoute { through: u64::MAX, pending: widest })]);
        let json = serde_json::to_string(&largest.bounded()).unwrap();
        assert!(json.len() < 64 << 10, "{}", json.len());
    }
}
