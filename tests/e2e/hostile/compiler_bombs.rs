//! Small components that a compiler chokes on: each is far below the size that is allowed, and none was ever finished by
//! the test's patience.
//!
//! In processor time, with nothing to stop them: `loops`, 17 KB, is not done after 48 s, nor is `blocks`, 5 MB;
//! `functions`, 4 MB, takes 17 s and 2.2 GB of memory. Of `loops` with 150 loops and 200 variables, 2 s; with 200 and 400,
//! 8 s.

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use super::corpus::component_of;
use super::{CONTAINED, Findings, TIME, is_harmless};
use crate::polling::until;
use crate::test_env::{Daemon, QUICK, TestEnv};
use crate::webhook::Webhook;

/// A route's limit for compiling its plugin, and how it is set.
const COMPILE: Duration = Duration::from_secs(2);
const COMPILE_SETTING: &str = "compile = \"2s\"";

/// Makes an attacker's text.
type Make = fn() -> String;

const BOMBS: &[(&str, Make)] = &[("loops", loops), ("blocks", blocks), ("functions", functions)];

/// 300 loops in each other around 1,000 variables: for each variable in each loop a compiler has to find out where its
/// value comes from.
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

/// 700,000 blocks in each other.
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

/// A component that is not compiled within any test's time.
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
    // The first time the built-in plugin is compiled; the second time it is as in peace.
    let [_, calm] = ["198.51.100.1", "198.51.100.2"].map(|subject| {
        let told = env.webhook.arrived().len();
        let (daemon, begun) = start(&env, subject);
        env.webhook.wait_for(told + 1);
        let calm = env.webhook.arrivals()[told].0.saturating_duration_since(begun);
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

    let (daemon, begun) = start(&env, "203.0.113.7");
    env.webhook.wait_for(3);
    // Not when the daemon is ready: it waits for its plugins a while.
    let witnessed = env.webhook.arrivals()[2].0.saturating_duration_since(begun);
    let messages = attacked.wait_for(BOMBS.len());
    let told = begun.elapsed();
    eprintln!("the witness was told after {witnessed:?}, in peace after {calm:?}; the others after {told:?}");

    let mut findings = Findings::default();
    // They may be compiled one after the other.
    let allowed = COMPILE * CONTAINED * u32::try_from(BOMBS.len()).unwrap();
    findings.expect(told < allowed + calm, "bombs", || format!("took {told:?}, allowed are {allowed:?}"));
    findings.expect(witnessed < COMPILE / 2 + calm, "witness", || format!("was told after {witnessed:?}"));
    for (name, _) in BOMBS {
        let file = format!("{name}.wasm");
        let message = messages.iter().find(|message| message.contains(&["203.0.113.7", &file, "compil"]));
        let all: Vec<_> = messages.iter().map(|message| message.shown()).collect();
        findings.expect(message.is_some(), name, || format!("nothing is said of compiling: {all:?}"));
    }
    messages.iter().for_each(|message| is_harmless(message, "bombs", &mut findings));
    // What compiled is gone, and left nothing that would be taken for a compiled plugin.
    until("the compilers to be gone", || match env.processes().len() {
        1 => Ok(()),
        count => Err(format!("{count} processes")),
    });
    let compiled = fs::read_dir(env.state().join("cache")).into_iter().flatten().count();
    findings.expect(compiled <= 1, "cache", || format!("{compiled} files"));
    daemon.stop();
    findings.none();
}

/// A daemon that finds an event waiting, and when it was started: the event meets plugins that are not compiled yet.
fn start(env: &TestEnv, subject: &str) -> (Daemon, Instant) {
    env.notify(&format!("ban --no-spawn --jail=~sshd --ip={subject}"));
    let begun = Instant::now();
    (env.daemon(), begun)
}
