//! Failing plugins: each event is delivered as the host's fallback message, which names the failure.

use crate::component;
use crate::test_env::TestEnv;
use crate::webhook::{Fault, shown};

fn env_with(plugin: &[u8]) -> TestEnv {
    let env = TestEnv::with_route("plugin = \"broken.wasm\"");
    env.write("broken.wasm", plugin);
    env
}

/// Checks that the event arrives as the fallback message, which names the plugin and its failure, and that the next event
/// is handled normally.
#[track_caller]
fn sends_fallback(jail: &str, failure: &str) {
    let env = env_with(&component::faulty());
    let _daemon = env.daemon();
    env.notify(&format!("ban --jail={jail} --ip=203.0.113.7 --failures=5"));
    let message = &env.webhook.wait_for(1)[0];
    for word in [jail, "203.0.113.7", "broken.wasm", failure] {
        assert!(message.contains(&[word]), "{word}: {}", message.shown());
    }

    env.notify("ban --jail=sshd --ip=203.0.113.8");
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted, all.skipped), (2, 1, 1), "{all:?}");
    env.webhook.wait_for(1);
}

#[test]
fn plugin_trapping_sends_fallback() {
    sends_fallback("~trap", "trapped: wasm `unreachable` instruction executed");
}

#[test]
fn plugin_looping_forever_sends_fallback() {
    sends_fallback("~loop", "was stopped after");
}

#[test]
fn plugin_exhausting_memory_sends_fallback() {
    sends_fallback("~hog", "limits.memory");
}

#[test]
fn plugin_returning_too_much_data_sends_fallback() {
    sends_fallback("~flood", "passed more than");
}

#[test]
fn plugin_returning_error_sends_fallback_with_its_text() {
    sends_fallback("~error", "the scanner is on holiday");
}

#[test]
fn plugin_returning_invalid_message_sends_fallback() {
    sends_fallback("~blank", "no text");
}

#[test]
fn plugin_failing_at_load_sends_fallback() {
    let env = env_with(&component::always_traps());
    env.notify("ban --jail=sshd --ip=203.0.113.7");
    env.notify("unban --jail=sshd --ip=203.0.113.7");
    let messages = env.webhook.wait_for(2);
    for message in &messages {
        assert!(message.contains(&["203.0.113.7"]) && message.contains(&["broken.wasm"]), "{}", message.shown());
    }
    assert_eq!(env.wait_until_idle().all().posted, 2);
}

#[test]
fn plugin_skipping_event_counts_it_and_sends_nothing() {
    let env = env_with(&component::faulty());
    env.notify("ban --jail=sshd --ip=203.0.113.7");
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.skipped), (1, 1), "{all:?}");
    assert!(env.webhook.requests().is_empty());
}

#[test]
fn storm_with_failing_plugin_names_it_in_digest() {
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
        messages.iter().any(|message| message.contains(&["3 more bans", "always_traps.wasm"])),
        "{:#?}",
        shown(&messages)
    );
}

#[test]
fn redacted_fallback_says_nobody_in_any_message_of_banhook() {
    let env = TestEnv::as_shipped(
        "",
        "plugin = \"own.wasm\"\nfallback = \"redacted\"\nstorm = { threshold = 2, within = \"60s\" }\ndigest_window = \"1s\"",
    );
    // It returns an error, posts a message that the webhook rejects, and formats no digests.
    env.write("own.wasm", component::faulty());
    let daemon = env.daemon();
    env.notify("ban --jail=~error --ip=203.0.113.77 --failures=5");
    assert!(env.webhook.wait_for(1)[0].contains(&["own.wasm", "failed", "banhook's log says how"]));
    for number in 1..=4 {
        env.notify(&format!("ban --jail=~trap --ip=203.0.113.{number}"));
    }
    let all = env.wait_until_idle().all();
    assert_eq!(all.posted + all.digested, 5, "{all:?}");
    daemon.stop();
    // The same in the message that goes out when the chat rejects the plugin's.
    env.write("own.wasm", component::digests());
    env.webhook.inject(&[Fault::Rejected]);
    env.notify("ban --jail=posts --ip=203.0.113.78");
    env.wait_until_idle();
    let messages = env.webhook.arrived();
    assert!(messages.iter().any(|message| message.contains(&["rejected the formatted message"])));
    for message in shown(&messages) {
        assert!(!message.contains("203.0.113."), "{message}");
    }
    assert!(env.banhook(["config", "show"]).ok().stdout.contains("fallback = \"redacted\""));
}
