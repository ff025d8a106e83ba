//! All attacks again and again: the daemon holds no more afterwards than before.

use std::time::{Duration, Instant};

use super::corpus::CASES;
use super::process::Process;
use super::{AttackEnv, Findings};
use crate::test_env::TestEnv;

/// How often each attacker attacks; CI takes a tenth of the 1,000 that `BANHOOK_SOAK=1000` asks for.
const ROUNDS: u32 = 100;

/// Short, so that a round takes the endless loops little time. What needs longer is stopped by it, which is as well.
const TIME: Duration = Duration::from_millis(30);

/// One round in so many, at least `WARM_UP_LEAST`, comes before the first look: until then caches fill (SQLite's pages,
/// the pool's slots, an arena of the allocator for each thread).
const WARM_UP: u32 = 10;
const WARM_UP_LEAST: u32 = 10;

/// What may have come on top. The allocator gives freed memory back by its own rules, and each arena may keep some MiB
/// of it. A leak shows all the same: in CI's 90 rounds of some 70 attacks, one of 3 KiB for each attack; in a whole
/// soak, one of 300 bytes.
const TOLERANCE: u64 = 16 << 20;

/// How many rounds the daemon may be behind: asking it how far it is takes time too.
const BEHIND: u32 = 4;

/// Threads and files that may have come on top: those of a worker or a connection that is open at the moment.
const AT_THE_MOMENT: usize = 8;

#[test]
fn soak_daemon_memory_returns_to_baseline() {
    let rounds = std::env::var("BANHOOK_SOAK").map_or(ROUNDS, |text| text.parse().unwrap());
    let arena = AttackEnv::new(TestEnv::new());
    let env = &arena.env;
    CASES.iter().for_each(|case| case.write_into(&env.path("")));
    // In the calm jail all that can behave do, so that none is taken for one that always fails and left alone.
    arena.configure("\"~soak\", \"calm\"", CASES.iter().map(|case| (case, TIME)));
    let daemon = env.daemon();
    let process = Process(daemon.pid());
    let round = |number: u32| {
        let [high, low] = [number / 250, number % 250 + 1];
        env.notify(&format!("ban --jail=~soak --ip=10.0.{high}.{low}"));
        env.notify(&format!("ban --jail=calm --ip=10.1.{high}.{low}"));
        if number.is_multiple_of(BEHIND) {
            env.wait_until_idle();
        }
    };

    let begun = Instant::now();
    let warm_up = (rounds / WARM_UP).max(WARM_UP_LEAST);
    (0..warm_up).for_each(round);
    env.wait_until_idle();
    let before = (process.memory(), process.threads(), process.files());
    (warm_up..rounds).for_each(round);
    let ledger = env.wait_until_idle();
    let after = (process.memory(), process.threads(), process.files());
    eprintln!(
        "{rounds} rounds in {:?}: {} MiB after {warm_up}, {} MiB at the end",
        begun.elapsed(),
        before.0 >> 20,
        after.0 >> 20
    );

    let mut findings = Findings::default();
    findings.expect(after.0 <= before.0 + TOLERANCE, "memory", || format!("{} bytes, then {}", before.0, after.0));
    findings.expect(after.1 <= before.1 + AT_THE_MOMENT, "threads", || format!("{}, then {}", before.1, after.1));
    findings.expect(after.2 <= before.2 + AT_THE_MOMENT, "files", || format!("{}, then {}", before.2, after.2));
    for case in CASES {
        let counts = ledger.routes[case.name];
        let ended = counts.posted + counts.digested + counts.skipped;
        let all_ended = counts.matched == u64::from(2 * rounds) && counts.matched == ended;
        findings.expect(all_ended, case.name, || format!("{counts:?}"));
    }
    daemon.stop();
    findings.none();
}
