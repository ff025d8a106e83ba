//! Reproducible random choices: a failing test prints its seed, and `BANHOOK_SEED` repeats it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A random number generator (SplitMix64) that prints its seed when its test fails.
pub struct SeededRandom {
    seed: u64,
    state: u64,
    name: String,
}

/// The seed of this run: `BANHOOK_SEED`, or a different one each time.
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
    /// The generator of one part of a run. The same seed and number give the same choices.
    pub fn new(part: &str, seed: u64, number: u32) -> Self {
        let state = seed.wrapping_add(u64::from(number).wrapping_mul(0x2545_f491_4f6c_dd1d));
        Self { seed, state, name: format!("{part} {number}") }
    }

    /// An independent generator, for another thread.
    pub fn fork(&mut self) -> Self {
        Self { seed: self.seed, state: self.next(), name: self.name.clone() }
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound)).unwrap()
    }

    /// True with a probability of one in `times`.
    pub fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// A duration of at most so many milliseconds.
    pub fn duration(&mut self, most_ms: u32) -> Duration {
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
            eprintln!("failed in {}; BANHOOK_SEED={} repeats it", self.name, self.seed);
        }
    }
}
