//! Which worker should have which shard, without clock or network: every worker decides alike by what all say of themselves.
//!
//! Each shard prefers workers in an order of its own (rendezvous hashing), so that of a worker that stops only its shards move;
//! and no worker gets more shards than its part, as long as another one can have them.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::announcement::Announcement;

/// Returns the worker that should have each shard, by its token. Only workers that are ready and have the configuration of most
/// of them are asked.
pub(super) fn wanted<'w>(workers: &[&'w Announcement]) -> BTreeMap<&'w str, &'w str> {
    let ready: Vec<_> = workers.iter().filter(|worker| worker.is_ready).collect();
    let shards: BTreeSet<&str> = ready.iter().flat_map(|worker| worker.shards.keys().map(String::as_str)).collect();
    let part = shards.len().div_ceil(ready.len().max(1));
    let (mut loads, mut wanted) = (BTreeMap::<&str, usize>::new(), BTreeMap::new());
    for shard in shards {
        let mut votes = BTreeMap::<&str, usize>::new();
        for fingerprint in ready.iter().filter_map(|worker| worker.shards.get(shard)) {
            *votes.entry(fingerprint).or_default() += 1;
        }
        // Of as many votes, the first by name.
        let most = votes.values().max().copied();
        let Some((fingerprint, _)) = votes.iter().find(|(_, count)| Some(**count) == most) else { continue };
        let can = |worker: &&&&Announcement| worker.shards.get(shard).is_some_and(|found| found == fingerprint);
        let best = ready.iter().filter(can).max_by_key(|worker| {
            let has_room = loads.get(worker.token.as_str()).copied().unwrap_or_default() < part;
            (has_room, score(shard, &worker.token))
        });
        if let Some(best) = best {
            *loads.entry(&best.token).or_default() += 1;
            wanted.insert(shard, best.token.as_str());
        }
    }
    wanted
}

/// Returns how many workers are to become the owner of a shard that nobody has before the one with this token: those that should
/// have it, then those with the configuration that it was worked on with, then those that are ready.
pub(super) fn rank(shard: &str, fingerprint: &str, workers: &[&Announcement], token: &str) -> u32 {
    let wanted = wanted(workers).get(shard).copied();
    let key = |worker: &Announcement| {
        let is_same = worker.shards.get(shard).is_some_and(|found| found == fingerprint);
        let is_wanted = wanted == Some(worker.token.as_str());
        Some((is_wanted, is_same, worker.is_ready, score(shard, &worker.token)))
            .filter(|_| worker.shards.contains_key(shard))
    };
    let own = workers.iter().find(|worker| worker.token == token).and_then(|worker| key(worker));
    let before = workers.iter().filter(|worker| worker.token != token && key(worker) > own).count();
    u32::try_from(before).unwrap_or(u32::MAX)
}

/// How much a shard prefers a worker.
fn score(shard: &str, token: &str) -> [u8; 32] {
    Sha256::new().chain_update(shard).chain_update([0]).chain_update(token).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(number: usize, shards: &[(&str, &str)]) -> Announcement {
        let shards = shards.iter().map(|(name, fingerprint)| ((*name).to_owned(), (*fingerprint).to_owned())).collect();
        Announcement { token: format!("worker-{number}"), is_ready: true, shards, ..Announcement::default() }
    }

    fn many(count: usize, shards: usize) -> Vec<Announcement> {
        let names: Vec<_> = (0..shards).map(|shard| format!("shard {shard}")).collect();
        let shards: Vec<_> = names.iter().map(|name| (name.as_str(), "f")).collect();
        (0..count).map(|number| worker(number, &shards)).collect()
    }

    fn of(workers: &[Announcement]) -> BTreeMap<&str, &str> {
        wanted(&workers.iter().collect::<Vec<_>>())
    }

    #[test]
    fn shards_are_spread_evenly_and_few_move_when_a_worker_stops() {
        for (count, shards) in [(1, 3), (2, 3), (3, 2), (3, 30), (5, 100)] {
            let workers = many(count, shards);
            let before = of(&workers);
            assert_eq!(before.len(), shards);
            for worker in &workers {
                let load = before.values().filter(|wanted| **wanted == worker.token).count();
                assert!(load <= shards.div_ceil(count), "{count} {shards}: {before:?}");
            }
            let mut reversed = workers.clone();
            reversed.reverse();
            assert_eq!(of(&reversed), before, "by all in the same way");
        }
        let workers = many(5, 100);
        let (before, after) = (of(&workers), of(&workers[1..]));
        let moved = before.iter().filter(|(shard, worker)| **worker != "worker-0" && after[*shard] != **worker).count();
        assert!(moved <= 30, "{moved} of 80 move although their worker is there");
        assert!(after.values().all(|worker| *worker != "worker-0"));
    }

    #[test]
    fn shard_goes_to_workers_that_are_ready_with_the_configuration_of_most() {
        let workers = [
            worker(0, &[("a", "1"), ("b", "1")]),
            worker(1, &[("a", "2"), ("b", "1")]),
            worker(2, &[("a", "2"), ("b", "1")]),
            Announcement { is_ready: false, ..worker(3, &[("a", "2"), ("b", "1"), ("c", "1")]) },
        ];
        let found = of(&workers);
        assert!(["worker-1", "worker-2"].contains(&found["a"]), "{found:?}");
        assert!(found["b"] != "worker-3" && !found.contains_key("c"), "{found:?}");
        assert_eq!(of(&workers[3..]), BTreeMap::new());
    }

    #[test]
    fn rank_is_a_different_one_for_each_and_first_whom_the_shard_should_have() {
        let mut workers = many(4, 5);
        workers[3].is_ready = false;
        workers[2].shards.insert("shard 1".to_owned(), "other".to_owned());
        let all: Vec<_> = workers.iter().collect();
        for shard in ["shard 0", "shard 1", "shard 4"] {
            let ranks: Vec<_> = workers.iter().map(|worker| rank(shard, "f", &all, &worker.token)).collect();
            assert_eq!(ranks.iter().collect::<BTreeSet<_>>().len(), 4, "{ranks:?}");
            let first = workers.iter().zip(&ranks).find(|(_, rank)| **rank == 0).unwrap().0;
            assert_eq!(wanted(&all)[shard], first.token);
        }
        assert_eq!(rank("shard 1", "f", &all, "worker-2"), 3, "another configuration comes last");
        assert_eq!(rank("shard 0", "f", &all, "worker-3"), 3, "and who is not ready");
        assert_eq!(rank("shard 0", "f", &[], "worker-3"), 0, "whoever is alone");
    }
}
