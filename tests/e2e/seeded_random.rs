//! Random choices that can be made again: a failed test prints its seed, and `BANHOOK_SEED` takes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A stream of choices (SplitMix64). Says how it began if its test fails.
pub struct SeededRandom {
    seed: u64,
    state: u64,
    of: String,
}

/// The seed of this run, another one each time unless `BANHOOK_SEED` says which.
pub fn seed() -> u64 {
    std::env::var("BANHOOK_SEED").map_or_else(
        |_| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            now.as_secs() ^ u64::from(now.subsec_nanos()) ^ u64::from(std::process::id()) << 32
        },
        |text| text.parse().unwrap(),
    )
}

impl SeededRandom {
    /// The choices of one part of a run, the same for the same seed and number.
    pub fn of(what: &str, seed: u64, number: u32) -> Self {
        let state = seed.wrapping_add(u64::from(number).wrapping_mul(0x2545_f491_4f6c_dd1d));
        Self { seed, state, of: format!("{what} {number}") }
    }

    /// Choices of their own for a thread.
    pub fn another(&mut self) -> Self {
        Self { seed: self.seed, state: self.next(), of: self.of.clone() }
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound)).unwrap()
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// A time of up to so many milliseconds.
    pub fn time(&mut self, most_ms: u32) -> Duration {
        Duration::from_micros(u64::from(self.below(most_ms * 1_000 + 1)))
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

impl Drop for SeededRandom {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}; again with BANHOOK_SEED={}", self.of, self.seed);
        }
    }
}
