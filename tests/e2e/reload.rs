//! Changes while a daemon runs: its configuration, its plugins, its MMDB files and the URLs of its webhooks.

#[path = "../../host/src/geo/mmdb.rs"]
mod mmdb;

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::component;
use crate::polling::until;
use crate::test_env::TestEnv;

pub(crate) use mmdb::mmdb;

/// How soon a change takes effect after compilation; the machine may be busy with other tests.
const WITHIN: Duration = Duration::from_secs(5);

/// Waits until the daemon has logged this; returns how long that took.
#[track_caller]
fn wait_for_log(env: &TestEnv, words: &str) -> Duration {
    wait_for_log_times(env, words, 1)
}

/// The same until it was logged that many times.
#[track_caller]
fn wait_for_log_times(env: &TestEnv, words: &str, times: usize) -> Duration {
    let start = Instant::now();
    until("a line in the log", || {
        let log = env.log();
        if log.matches(words).count() >= times { Ok(()) } else { Err(log) }
    });
    start.elapsed()
}

/// The plugin of the route `all`, from `status`.
fn plugin(env: &TestEnv) -> Value {
    let status: Value = serde_json::from_str(&env.status(["status", "--format", "json"]).stdout).unwrap();
    status["plugins"]["all"].clone()
}

/// Replaces a file atomically, as a package manager does.
fn replace(env: &TestEnv, name: &str, content: &[u8]) {
    let fresh = env.write("fresh", content);
    fs::rename(fresh, env.path(name)).unwrap();
}

#[test]
fn reload_changed_configuration_applies_immediately() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.1", "banned in"]));

    env.configure("settings = { ban = \"changed text for {{ ip }}\" }");
    assert!(wait_for_log(&env, "new version of the route") < WITHIN);
    env.notify("ban --jail=sshd --ip=203.0.113.2");
    assert!(env.webhook.wait_for(2)[1].contains(&["changed text for 203.0.113.2"]));
}

#[test]
fn reload_sighup_rereads_configuration() {
    let env = TestEnv::new();
    let daemon = env.daemon();
    daemon.signal(Signal::HUP);
    wait_for_log(&env, "configuration reloaded");
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    env.webhook.wait_for(1);
    daemon.stop();
}

#[test]
fn reload_broken_configuration_keeps_the_old() {
    let env = TestEnv::with_route("settings = { ban = \"valid text for {{ ip }}\" }");
    let _daemon = env.daemon();
    env.write("config.toml", "[webhook.main]\n");
    wait_for_log(&env, "configuration not reloaded");
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    assert!(env.webhook.wait_for(1)[0].contains(&["valid text for 203.0.113.1"]));
    let log = env.log();
    assert!(log.contains("config.toml:1:") && log.contains("webhook"), "{log}");
}

#[test]
fn reload_changed_plugin_applies_and_broken_one_does_not() {
    let built_in = fs::read(crate::binary::root().join("plugins/dist/template.wasm")).unwrap();
    let env = TestEnv::with_route("plugin = \"own.wasm\"\ngrants.geo = false");
    env.write("own.wasm", &built_in);
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.1", "banned in"]));
    let first = plugin(&env)["sha256"].clone();

    replace(&env, "own.wasm", &component::faulty());
    wait_for_log(&env, "new version of the route");
    env.notify("ban --jail=sshd --ip=203.0.113.2");
    assert_eq!(env.wait_until_idle().all().skipped, 1);
    let second = plugin(&env)["sha256"].clone();
    assert_ne!(second, first);

    // It traps in the smoke test, so the previous version stays active.
    replace(&env, "own.wasm", &component::always_traps());
    wait_for_log(&env, "the previous version stays active: plugin own.wasm trapped");
    env.notify("ban --jail=sshd --ip=203.0.113.3");
    assert_eq!(env.wait_until_idle().all().skipped, 2);
    let state = plugin(&env);
    assert_eq!(state["sha256"], second);
    assert!(state["error"].as_str().unwrap().contains("a newer version was rejected: it trapped"), "{state}");

    // Compiled before, so it is loaded immediately.
    replace(&env, "own.wasm", &built_in);
    assert!(wait_for_log_times(&env, "new version of the route", 2) < WITHIN);
    env.notify("ban --jail=sshd --ip=203.0.113.4");
    assert!(env.webhook.wait_for(2)[1].contains(&["203.0.113.4", "banned in"]));
    let state = plugin(&env);
    assert_eq!(state["sha256"], first);
    assert_eq!(state.get("error"), None, "{state}");
}

#[test]
fn reload_plugin_that_is_not_the_pinned_one_keeps_the_previous_version() {
    let env = TestEnv::with_route("plugin = \"own.wasm\"");
    env.write("own.wasm", component::faulty());
    let pinned = env.banhook(["plugin", "pin", "all"]).ok();
    let sha256 = pinned.stdout.split('"').nth(1).unwrap_or_else(|| panic!("{pinned}")).to_owned();
    env.banhook(["config", "check"]).ok();
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    assert_eq!(env.wait_until_idle().all().skipped, 1);
    assert_eq!(plugin(&env)["sha256"], sha256);

    replace(&env, "own.wasm", &component::digests());
    wait_for_log(&env, "the previous version stays active: plugin own.wasm has the SHA-256 ");
    env.notify("ban --jail=sshd --ip=203.0.113.2");
    assert_eq!(env.wait_until_idle().all().skipped, 2);
    let state = plugin(&env);
    assert_eq!(state["sha256"], sha256);
    assert!(state["error"].as_str().unwrap().contains(&format!("and its route pins {sha256}")), "{state}");
    env.banhook(["config", "check"]).exits(2).complains(&["plugin own.wasm has the SHA-256 "]);

    env.banhook(["plugin", "pin", "all"]).ok();
    env.banhook(["config", "check"]).ok();
    wait_for_log(&env, "new version of the route");
    env.notify("ban --jail=sshd --ip=203.0.113.3");
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.3"]));
}

#[test]
fn reload_changed_url_receives_pending_messages() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    let right = fs::read(env.path("main.url")).unwrap();
    // Nothing listens there.
    fs::write(env.path("main.url"), "http://127.0.0.1:9/services/T/B/moved").unwrap();
    wait_for_log(&env, "configuration reloaded");
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    wait_for_log(&env, "not delivered");
    let start = Instant::now();
    fs::write(env.path("main.url"), right).unwrap();
    env.webhook.wait_for(1);
    assert!(start.elapsed() < WITHIN, "{:?}", start.elapsed());
}

#[test]
fn reload_changed_target_reformats_pending_messages() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    let right = fs::read(env.path("main.url")).unwrap();
    fs::write(env.path("main.url"), "http://127.0.0.1:9/services/T/B/moved").unwrap();
    wait_for_log(&env, "configuration reloaded");
    // A mention of Slack and one of Mattermost, which each target escapes in its own way.
    for octet in 1..=3 {
        env.notify(&format!("ban --jail=<!here>@all --ip=203.0.113.{octet}"));
    }
    wait_for_log(&env, "not delivered");
    env.configure_both("target = \"mattermost\"\nrate = \"20/s\"", "storm = false\nrestart = false");
    wait_for_log_times(&env, "configuration reloaded", 2);
    fs::write(env.path("main.url"), right).unwrap();
    let messages = env.webhook.wait_for(3);
    for (message, octet) in messages.iter().zip(1..) {
        let body = String::from_utf8_lossy(message.body());
        assert!(message.contains(&[&format!("203.0.113.{octet}"), "banned in"]), "{body}");
        assert!(!body.contains("blocks") && !body.contains("&lt;") && !body.contains("@all"), "{body}");
    }
    let all = env.wait_until_idle().all();
    assert_eq!((all.posted, all.pending), (3, 0));
}

#[test]
fn reload_changed_mmdb_applies_and_broken_one_does_not() {
    let env = TestEnv::with_route("plugin = \"own.wasm\"\ngrants.geo = [\"country.mmdb\"]");
    env.write("own.wasm", component::asks_geo());
    let country = |code| mmdb(4, 24, &[("203.0.113.0/24", serde_json::json!({ "country_code": code }))]);
    env.write("country.mmdb", country("DE"));
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    assert_eq!(env.wait_until_idle().all().skipped, 1);
    replace(&env, "country.mmdb", &country("FR"));
    wait_for_log(&env, "country.mmdb reloaded");
    replace(&env, "country.mmdb", b"<html>404</html>");
    wait_for_log(&env, "the previous file stays in use: ");
    env.notify("ban --jail=sshd --ip=203.0.113.2");
    assert_eq!(env.wait_until_idle().all().skipped, 2);
}

#[test]
fn reload_removed_route_sends_fallback_for_its_events() {
    let env = TestEnv::new();
    let route = |name: &str| {
        format!(
            "[webhooks.main]\nurl_file = \"main.url\"\n\n[[routes]]\nname = \"{name}\"\nplugin = \"slow.wasm\"\n\n[routes.limits]\ntime = \"3s\"\n"
        )
    };
    env.write("slow.wasm", component::faulty());
    env.write("config.toml", route("old"));
    let daemon = env.daemon();
    // Twelve seconds of endless loops for the old route, which is removed during the first.
    for octet in 1..=4 {
        env.notify(&format!("ban --jail=~loop --ip=203.0.113.{octet}"));
    }
    until("the old route to receive all of them", || match env.ledger().unrouted {
        0 => Ok(()),
        unrouted => Err(unrouted.to_string()),
    });
    env.write("config.toml", route("new"));
    let messages = env.webhook.wait_for(4);
    assert!(messages.iter().any(|message| message.contains(&["no longer configured"])));
    let old = env.wait_until_idle().routes["old"];
    assert_eq!((old.matched, old.posted), (4, 4), "{old:?}");
    drop(daemon);
}

#[test]
fn plugin_failing_repeatedly_is_paused_and_reported_once() {
    let env = TestEnv::with_route("plugin = \"own.wasm\"\ngrants.geo = false");
    env.write("own.wasm", component::faulty());
    let _daemon = env.daemon();
    for octet in 1..=13 {
        env.notify(&format!("ban --jail=~trap --ip=203.0.113.{octet}"));
    }
    let messages = env.webhook.wait_for(13);
    let count_of = |words: &str| messages.iter().filter(|message| message.contains(&[words])).count();
    assert_eq!(count_of("After 10 failures in a row it is paused for 60 s"), 1);
    assert_eq!(count_of("is paused after 10 failures in a row"), 3);
    let state = plugin(&env);
    assert_eq!(state["failures"], 10, "{state}");
    assert!(state["paused_until"].is_string() && state["error"].as_str().unwrap().contains("trapped"), "{state}");
    let text = env.status(["status"]).stdout;
    assert!(text.contains("plugin own.wasm (sha256 ") && text.contains("paused until"), "{text}");

    // A new version is called immediately.
    let built_in = fs::read(crate::binary::root().join("plugins/dist/template.wasm")).unwrap();
    replace(&env, "own.wasm", &built_in);
    wait_for_log(&env, "new version of the route");
    env.notify("ban --jail=~trap --ip=203.0.113.99");
    assert!(env.webhook.wait_for(14)[13].contains(&["203.0.113.99", "banned in"]));
}
