//! Upgrades: a store of each released schema is read by this version, and migrated by the next one, which is killed at some of
//! its system calls. The next version is this one with one more table.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::binary::require;
use crate::command_output::CommandOutput;
use crate::delivered::{Delivered, jail};
use crate::reliability::{FaultRow, report};
use crate::test_env::TestEnv;

/// The stores, one of each released schema.
const STORES: [&str; 1] = [include_str!("upgrade/schema-1.sql")];

/// The events that wait in each, and how many it has received.
const WAITING: std::ops::Range<u32> = 3..8;
const EVENTS: u64 = 8;

/// System calls at which the next version is killed: those of SQLite, and what a process begins with.
const CALLS: [&str; 3] = ["pwrite64", "fdatasync", "openat"];

/// Of each kind, the calls at which it may be killed.
const KILLS: std::ops::RangeInclusive<u32> = 1..=60;

/// One of so many is tried.
const STEP: usize = 4;

/// Makes the state directory of a store.
fn make(env: &TestEnv, store: &str) {
    require("sqlite3", "sqlite3");
    fs::DirBuilder::new().mode(0o700).create(env.state()).unwrap();
    let database = env.state().join("banhook.sqlite3");
    let sql = env.write("store.sql", store);
    CommandOutput::of(env.command("sqlite3").arg(&database).arg(format!(".read {}", sql.display()))).ok();
    env.copy_plugin_cache();
}

/// The version of a store's schema, by a copy of it: to open it would repair it.
fn schema_of(env: &TestEnv) -> u32 {
    let copy = env.path("copy");
    CommandOutput::of(env.command("cp").arg("-rT").arg(env.state()).arg(&copy)).ok();
    let asked = CommandOutput::of(env.command("sqlite3").arg(copy.join("banhook.sqlite3")).arg("PRAGMA user_version"));
    fs::remove_dir_all(copy).unwrap();
    asked.ok().stdout.trim().parse().unwrap()
}

/// Fails unless everything has arrived and is counted. Returns how many messages arrived again.
#[track_caller]
fn check(env: &TestEnv, program: &Path, failure: &str) -> usize {
    let delivered = Delivered::of(&env.webhook.arrived());
    assert_eq!(delivered.jails, WAITING.map(jail).collect::<BTreeSet<_>>(), "{failure}");
    let status = CommandOutput::of(env.command(program).args(["status", "--check"])).ok();
    assert!(status.stdout.contains("every event is accounted for"), "{failure}: {status}");
    assert!(status.stdout.contains(&format!("events: {EVENTS} received")), "{failure}: {status}");
    delivered.repeated
}

#[test]
fn store_of_each_released_schema_is_delivered() {
    for store in STORES {
        let env = TestEnv::new();
        make(&env, store);
        env.banhook(["drain", "--timeout", "50s"]).ok();
        check(&env, crate::binary::banhook(), "");
    }
}

#[test]
#[ignore = "needs strace and a package: cargo xtask test"]
fn migration_killed_at_a_call_is_completed_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let next = next_version(folder.path());
    let (mut killed, mut before, mut repeated) = (0, 0, 0);
    for store in STORES {
        for (call, number) in CALLS.iter().flat_map(|call| KILLS.step_by(STEP).map(move |number| (call, number))) {
            let env = TestEnv::new();
            make(&env, store);
            let first = schema_of(&env);
            let mut strace = env.command("strace");
            strace.args(["-f", "-q", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
            strace.arg("-e").arg(format!("inject={call}:signal=KILL:when={number}"));
            let output = CommandOutput::of(strace.arg(&next).args(["drain", "--timeout", "30s"]));
            let failure = format!("killed at {call} {number}: {output}");
            // strace ends as the program does.
            let was_killed = output.code.is_none();
            assert!(was_killed || output.code == Some(0), "{failure}");
            killed += u64::from(was_killed);
            before += u64::from(was_killed && schema_of(&env) == first);
            CommandOutput::of(env.command(&next).args(["drain", "--timeout", "50s"])).ok();
            assert!(schema_of(&env) > first, "{failure}");
            let again = check(&env, &next, &failure);
            assert!(again <= usize::from(was_killed), "{failure}: {again} messages arrived again");
            repeated += again;
        }
    }
    assert!(before > 3 && killed > before + 3, "{killed} kills, {before} of them before the migration");
    let fault = "`kill -9` of a version with one more table, at a system call of its first start".to_owned();
    let result = format!(
        "{before} before the migration was complete; the next start completed it; nothing lost, {repeated} messages sent twice"
    );
    report("upgrade", &[FaultRow { fault, count: killed, result }]);
}

/// The program of the next version, from its package.
fn next_version(folder: &Path) -> PathBuf {
    let packages = PathBuf::from(std::env::var_os("BANHOOK_PACKAGES").expect("BANHOOK_PACKAGES: cargo xtask test"));
    let mut unpack = std::process::Command::new("dpkg-deb");
    CommandOutput::of(unpack.arg("--extract").arg(packages.join("next.deb")).arg(folder)).ok();
    folder.join("usr/bin/banhook")
}
