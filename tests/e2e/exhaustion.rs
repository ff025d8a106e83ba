//! Too little memory, and no more threads: what `notify` has acknowledged is delivered later, and nothing panics.
//!
//! Rust ends a process whose allocation fails. That costs nothing but the process, since all that counts is in the store.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::binary::{banhook, require, require_root};
use crate::command_output::CommandOutput;
use crate::polling::until;
use crate::test_env::TestEnv;

/// A user of this test alone: the system counts the processes and threads of a user.
const USER: u32 = 61_234;

/// The exit code after a panic.
const PANIC: i32 = 101;

/// Runs `banhook` with so many KiB of address space.
fn within_memory(env: &TestEnv, kib: u64, arguments: &[&str]) -> CommandOutput {
    let limited = format!("ulimit -v {kib} && exec \"$0\" \"$@\"");
    CommandOutput::of(env.command("sh").args(["-c", &limited]).arg(banhook()).args(arguments))
}

/// Runs `notify` with so many KiB of address space; returns whether it has acknowledged the event.
fn notify_within(env: &TestEnv, kib: u64) -> bool {
    let output = within_memory(env, kib, &["notify", "--no-spawn", "ban", "--jail=sshd", &format!("--ip=mem-{kib}")]);
    assert_ne!(output.code, Some(PANIC), "{output}");
    output.code == Some(0)
}

// A guard: an exit code of 0 means that the event is stored.
#[test]
fn notify_with_too_little_memory_fails_or_stores_the_event() {
    const STEP: u64 = 32;
    let env = TestEnv::new();
    let mut stored = 0;
    // The least memory with which it works: too little for the program, and enough for all of it.
    let (mut fails, mut works) = (1 << 10, 4 << 20);
    while works - fails > STEP {
        let middle = fails.midpoint(works);
        let is_stored = notify_within(&env, middle);
        stored += u64::from(is_stored);
        *(if is_stored { &mut works } else { &mut fails }) = middle;
    }
    // Just below it, each step fails at another allocation.
    for kib in (works - 40 * STEP..works + 8 * STEP).step_by(7) {
        stored += u64::from(notify_within(&env, kib));
    }
    assert!(stored > 8, "{stored} stored");
    let events = env.banhook(["queue", "export"]).ok().stdout;
    assert_eq!(events.lines().count() as u64, stored, "{events}");
    env.banhook(["drain", "--timeout", "30s"]).ok();
    assert_eq!(env.wait_until_idle().all().posted, stored);
}

// A guard: whatever ends the process, the next one goes on.
#[test]
fn drain_with_too_little_memory_loses_nothing() {
    const EVENTS: u64 = 3;
    let env = TestEnv::new();
    for last in 1..=EVENTS {
        env.notify(&format!("--no-spawn ban --jail=sshd --ip=203.0.113.{last}"));
    }
    env.webhook.stop();
    for mib in [48, 56, 64, 80, 112, 160, 224, 320] {
        let output = within_memory(&env, mib << 10, &["drain", "--timeout", "1s"]);
        assert_ne!(output.code, Some(PANIC), "{output}");
        assert_ne!(output.code, Some(0), "{output}");
        env.end_runs();
        assert_eq!(env.ledger().received, EVENTS);
    }
    env.webhook.start();
    // Too little for any plugin: the plain messages go out.
    within_memory(&env, 1 << 20, &["drain", "--timeout", "30s"]).ok();
    assert_eq!(env.wait_until_idle().all().posted, EVENTS);
    let message = env.webhook.wait_for(EVENTS as usize)[0].shown();
    assert!(message.contains("203.0.113.1") && message.contains("plugin template"), "{message}");
}

// A watcher whose thread could not be started panicked, and its end as well, which aborted the daemon; where the second of
// two logs had no thread, the daemon waited for the first for ever.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn daemon_without_threads_says_so_and_loses_nothing() {
    require_root();
    require("prlimit", "util-linux");
    let env = TestEnv::new();
    let logs = ["a.log", "b.log"].map(|name| env.write(name, ""));
    let source = |log: &PathBuf| format!("[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"\n", log.display());
    env.configure(&logs.each_ref().map(source).concat());
    env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.1");
    let mine = [env.path(""), env.state(), env.path("main.url"), env.config()];
    let state = [env.state(), env.state().join("spool")];
    let state = state.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
    mine.into_iter().chain(logs).chain(state).for_each(|path| chown(path, Some(USER), Some(USER)).unwrap());
    env.webhook.stop();
    let mut ready = 0;
    // It needs some ten threads, and a process to compile.
    for most in 1..=16 {
        let mut command = env.command("prlimit");
        command.arg(format!("--nproc={most}")).arg(banhook()).arg("run").uid(USER).gid(USER);
        std::fs::write(env.path("run.log"), "").unwrap();
        let mut daemon = env.spawn(&mut command);
        let exited = until("the daemon to end or to be ready", || match (daemon.exit_status(), env.log()) {
            (Some(status), _) => Ok(Some(status)),
            (None, log) if log.contains("ready") => Ok(None),
            (None, log) => Err(log),
        });
        match exited {
            Some(status) => {
                assert_eq!(status.code(), Some(1), "{most}: {status}: {}", env.log());
                assert!(env.log().contains("Resource temporarily unavailable"), "{most}: {}", env.log());
            }
            None => {
                ready += 1;
                daemon.stop();
            }
        }
        assert!(!env.log().contains("panicked"), "{most}: {}", env.log());
        assert_eq!(env.ledger().received, 1);
    }
    assert!((1..16).contains(&ready), "ready {ready} times");
    env.webhook.start();
    let mut command = env.command(banhook());
    CommandOutput::within(command.args(["drain", "--timeout", "30s"]).uid(USER).gid(USER), Duration::from_secs(60))
        .ok();
    assert_eq!(env.wait_until_idle().all().posted, 1);
}
