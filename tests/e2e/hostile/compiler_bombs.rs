//! Small components that keep a compiler busy: each is far below the size limit, and none finishes within a test.
//!
//! Processor time without a limit: `loops` (17 KB) and `blocks` (5 MB) are not finished after 48 s; `functions` (4 MB) takes
//! 17 s and 2.2 GB of memory. `loops` with 150 loops and 200 variables takes 2 s; with 200 and 400, 8 s.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::corpus::component_of;
use super::{CONTAINED, Findings, TIME, check_harmless};
use crate::binary::banhook;
use crate::message::Message;
use crate::polling::until;
use crate::test_env::{Daemon, QUICK, TestEnv, all_processes};
use crate::webhook::Webhook;

/// The limit for compiling a plugin, and the setting for it.
const COMPILE: Duration = Duration::from_secs(2);
const COMPILE_SETTING: &str = "compile = \"2s\"";

/// Generates an attacker's text.
type Make = fn() -> String;

const BOMBS: &[(&str, Make)] = &[("loops", loops), ("blocks", blocks), ("functions", functions)];

/// 300 nested loops around 1,000 variables: for each variable in each loop the compiler has to find where its value comes
/// from.
fn loops() -> String {
    const LOOPS: usize = 300;
    const LOCALS: usize = 1_000;
    let mut body = format!("{}{}", "(local i32) ".repeat(LOCALS), "loop ".repeat(LOOPS));
    for local in 0..LOCALS {
        let next = local + 1;
        writeln!(body, "local.get {local} local.get {next} i32.add local.set {next}").unwrap();
    }
    body.push_str(&"local.get 0 br_if 0 end ".repeat(LOOPS));
    bomb(&body)
}

/// 700,000 nested blocks.
fn blocks() -> String {
    const BLOCKS: usize = 700_000;
    bomb(&format!("{}{}", "block ".repeat(BLOCKS), "local.get 0 br_if 0 end ".repeat(BLOCKS)))
}

/// A function with one parameter and this body. It is never called.
fn bomb(body: &str) -> String {
    format!("(func $attack (result i32) (unreachable))\n(func (param i32) (result i32) {body} local.get 0)")
}

/// 400,000 functions.
fn functions() -> String {
    const FUNCTIONS: usize = 400_000;
    let one = "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 7)))\n";
    format!("(func $attack (result i32) (unreachable))\n{}", one.repeat(FUNCTIONS))
}

/// A component whose compilation does not finish within a test.
pub fn endless() -> Vec<u8> {
    component_of(&loops())
}

#[test]
fn compiler_bomb_is_stopped_and_delays_no_other_route() {
    let env = TestEnv::new();
    let attacked = Webhook::open();
    env.write_url("attacked.url", &attacked);
    let mut text = format!(
        "[webhooks.main]\nurl_file = \"main.url\"\n{QUICK}\n[webhooks.attacked]\nurl_file = \"attacked.url\"\n{QUICK}\n\
        [[routes]]\nname = \"witness\"\nwebhook = \"main\"\nstorm = false\nrestart = false\n"
    );
    env.write("config.toml", &text);
    // The first run compiles the built-in plugin; the second is the baseline.
    let [_, calm] = ["198.51.100.1", "198.51.100.2"].map(|subject| {
        let before = env.webhook.arrived().len();
        let (daemon, started) = start(&env, subject);
        env.webhook.wait_for(before + 1);
        let calm = env.webhook.arrivals()[before].0.saturating_duration_since(started);
        daemon.stop();
        calm
    });

    for (name, make) in BOMBS {
        env.write(&format!("{name}.wasm"), component_of(&make()));
        let time = TIME.as_millis();
        write!(
            text,
            "[[routes]]\nname = \"{name}\"\nwebhook = \"attacked\"\nplugin = \"{name}.wasm\"\n\
            storm = false\nrestart = false\nlimits = {{ time = \"{time}ms\", {COMPILE_SETTING} }}\n"
        )
        .unwrap();
    }
    env.write("config.toml", text);

    let (daemon, started) = start(&env, "203.0.113.7");
    env.webhook.wait_for(3);
    // Measured from the start: the daemon waits for its plugins before it is ready.
    let witnessed = env.webhook.arrivals()[2].0.saturating_duration_since(started);
    let messages = attacked.wait_for(BOMBS.len());
    let took = started.elapsed();
    eprintln!("the witness took {witnessed:?}, without attackers {calm:?}; the others took {took:?}");

    let mut findings = Findings::default();
    // The plugins may be compiled one after the other.
    let allowed = COMPILE * CONTAINED * u32::try_from(BOMBS.len()).unwrap();
    findings.expect(took < allowed + calm, "bombs", || format!("took {took:?}, at most {allowed:?} allowed"));
    findings.expect(witnessed < COMPILE / 2 + calm, "witness", || format!("took {witnessed:?}"));
    for (name, _) in BOMBS {
        let file = format!("{name}.wasm");
        let message = messages.iter().find(|message| message.contains(&["203.0.113.7", &file, "compil"]));
        let all: Vec<_> = messages.iter().map(|message| message.shown()).collect();
        findings.expect(message.is_some(), name, || format!("the failed compilation is not reported: {all:?}"));
    }
    messages.iter().for_each(|message| check_harmless(message, "bombs", &mut findings));
    // The compilers have exited and left no file that would be used as a compiled plugin.
    until("the compilers to exit", || match compilers(&daemon) {
        0 => Ok(()),
        count => Err(format!("{count} compilers")),
    });
    let compiled = fs::read_dir(env.state().join("cache")).into_iter().flatten().count();
    findings.expect(compiled <= 1, "cache", || format!("{compiled} files"));
    daemon.stop();
    findings.none();
}

// Four at once took 600 MB each, and none finished in time.
#[test]
fn compilers_of_many_plugins_run_two_at_a_time() {
    const PLUGINS: usize = 5;
    const AT_ONCE: usize = 2;
    let env = TestEnv::new();
    let mut text = format!("[webhooks.main]\nurl_file = \"main.url\"\n{QUICK}\n");
    for number in 0..PLUGINS {
        let bomb = format!("{}(func (result i32) (i32.const {number}))", loops());
        env.write(&format!("{number}.wasm"), component_of(&bomb));
        write!(
            text,
            "[[routes]]\nname = \"{number}\"\nwebhook = \"main\"\nplugin = \"{number}.wasm\"\nlimits = {{ {COMPILE_SETTING} }}\n"
        )
        .unwrap();
    }
    env.write("config.toml", text);
    env.notify("ban --no-spawn --jail=sshd --ip=203.0.113.7");
    let daemon = env.spawn(env.command(banhook()).arg("run"));
    let mut most = 0;
    until("a message of each route", || {
        most = most.max(compilers(&daemon));
        let arrived = env.webhook.arrived();
        let is_stopped = |message: &Message| message.contains(&["203.0.113.7", "compil", "(limits.compile)"]);
        let stopped = arrived.iter().filter(|message| is_stopped(message)).count();
        if stopped == PLUGINS { Ok(()) } else { Err(format!("{stopped} of {}", arrived.len())) }
    });
    assert_eq!(most, AT_ONCE);
    daemon.stop();
}

/// How many compilers of a daemon run: its child processes.
fn compilers(daemon: &Daemon) -> usize {
    let parent = format!("\nPPid:\t{}\n", daemon.pid());
    let is_child = |path: &Path| fs::read_to_string(path.join("status")).is_ok_and(|status| status.contains(&parent));
    all_processes().filter(|(_, path)| is_child(path)).count()
}

/// Starts a daemon with an unrouted event, which meets plugins that are not compiled yet. Returns the time of the start.
fn start(env: &TestEnv, subject: &str) -> (Daemon, Instant) {
    env.notify(&format!("ban --no-spawn --jail=~sshd --ip={subject}"));
    let started = Instant::now();
    (env.daemon(), started)
}
