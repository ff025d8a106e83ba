//! An alert survives its plugin.

use crate::component;
use crate::test_env::TestEnv;
use crate::webhook::shown;

fn place_with(plugin: &[u8]) -> TestEnv {
    let env = TestEnv::with_route("plugin = \"broken.wasm\"");
    env.write("broken.wasm", plugin);
    env
}

/// The event arrives as a plain message that names the plugin and what happened to it; the next event fares no worse.
#[track_caller]
fn is_told_plainly(jail: &str, how: &str) {
    let env = place_with(&component::faulty());
    let _daemon = env.daemon();
    env.notify(&format!("ban --jail={jail} --ip=203.0.113.7 --failures=5"));
    let message = &env.webhook.wait_for(1)[0];
    for word in [jail, "203.0.113.7", "broken", how] {
        assert!(message.contains(&[word]), "{word}: {}", message.shown());
    }

    env.notify("ban --jail=sshd --ip=203.0.113.8");
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted, all.skipped), (2, 1, 1), "{all:?}");
    env.webhook.wait_for(1);
}

#[test]
fn a_trap_is_told_plainly() {
    is_told_plainly("~trap", "trap|unreachable|crash");
}

#[test]
fn an_endless_loop_is_told_plainly() {
    is_told_plainly("~loop", "time|ms");
}

#[test]
fn taking_all_memory_is_told_plainly() {
    is_told_plainly("~hog", "memory|MiB");
}

#[test]
fn handing_over_too_much_is_told_plainly() {
    is_told_plainly("~flood", "handed over more than");
}

#[test]
fn an_error_is_told_plainly_with_its_text() {
    is_told_plainly("~error", "the scanner is on holiday");
}

#[test]
fn a_message_that_slack_would_refuse_is_told_plainly() {
    is_told_plainly("~blank", "empty|text");
}

#[test]
fn a_plugin_that_fails_already_when_loaded_keeps_no_alert_back() {
    let env = place_with(&component::always_traps());
    env.notify("ban --jail=sshd --ip=203.0.113.7");
    env.notify("unban --jail=sshd --ip=203.0.113.7");
    let messages = env.webhook.wait_for(2);
    for message in &messages {
        assert!(message.contains(&["203.0.113.7"]) && message.contains(&["broken"]), "{}", message.shown());
    }
    assert_eq!(env.wait_until_idle().all().posted, 2);
}

#[test]
fn a_skipped_event_is_counted_and_not_told() {
    let env = place_with(&component::faulty());
    env.notify("ban --jail=sshd --ip=203.0.113.7");
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.skipped), (1, 1), "{all:?}");
    assert!(env.webhook.requests().is_empty());
}

#[test]
fn a_storm_says_that_its_plugin_fails() {
    let env = TestEnv::as_shipped(
        "",
        "plugin = \"always_traps.wasm\"\nstorm = { threshold = 1, within = \"60s\" }\ndigest_window = \"1s\"",
    );
    env.write("always_traps.wasm", component::always_traps());
    let _daemon = env.daemon();
    for number in 1..=4 {
        env.notify(&format!("ban --jail=sshd --ip=203.0.113.{number}"));
    }
    let all = env.wait_until_idle().all();
    assert_eq!(all.posted + all.digested, 4, "{all:?}");
    let messages = env.webhook.arrived();
    assert!(
        messages.iter().any(|message| message.contains(&["3 events", "always_traps.wasm"])),
        "{:#?}",
        shown(&messages)
    );
}
