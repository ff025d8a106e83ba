//! Webhooks and routes are renamed or removed while messages are pending or events arrive: none is lost.

use std::fs;

use crate::hostile::compiler_bombs;
use crate::polling::until;
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::{Fault, Webhook, shown};

const NO_DIGESTS: &str = "storm = false\nrestart = false";

fn ban(env: &TestEnv, last: usize) {
    env.notify(&format!("ban --jail=sshd --ip=203.0.113.{last}"));
}

/// The configuration of the webhook at `main.url` under this name.
fn webhook(name: &str) -> String {
    format!("[webhooks.{name}]\nurl_file = \"main.url\"\n{QUICK}\n")
}

#[track_caller]
fn wait_for_log(env: &TestEnv, words: &str) {
    until(words, || {
        let log = env.log();
        if log.contains(words) { Ok(()) } else { Err(log) }
    });
}

/// Waits for the messages of these bans, and checks that none is dead.
#[track_caller]
fn wait_for_bans(env: &TestEnv, webhook: &Webhook, bans: std::ops::RangeInclusive<usize>) {
    let messages = webhook.wait_for(bans.clone().count());
    for last in bans {
        let matches = |message: &crate::message::Message| message.contains(&[&format!("203.0.113.{last}` banned")]);
        assert!(messages.iter().any(matches), "{last}: {:#?}", shown(&messages));
    }
    let dead = env.wait_until_idle().routes.into_values().map(|route| route.dead).sum::<u64>();
    assert_eq!(dead, 0, "{}", env.log());
}

#[test]
fn events_during_plugin_compilation_go_to_the_new_webhook() {
    let env = TestEnv::new();
    env.write("config.toml", format!("{}[[routes]]\nname = \"r\"\n{NO_DIGESTS}\n", webhook("old")));
    let _daemon = env.daemon();
    ban(&env, 1);
    env.webhook.wait_for(1);
    env.write("slow.wasm", compiler_bombs::endless());
    let slow = format!("plugin = \"slow.wasm\"\nlimits = {{ compile = \"3s\" }}\n{NO_DIGESTS}");
    env.write("config.toml", format!("{}[[routes]]\nname = \"r\"\n{slow}\n", webhook("new")));
    wait_for_log(&env, "configuration reloaded");
    (2..=6).for_each(|last| ban(&env, last));
    wait_for_bans(&env, &env.webhook, 1..=6);
    assert!(!env.log().contains("stays active"), "the compilation timed out too early: nothing was tested");
}

#[test]
fn removed_fallback_returns_messages_to_own_webhook() {
    let (env, ops) = (TestEnv::new(), Webhook::open());
    env.write_url("ops.url", &ops);
    let with = |fallback: &str| format!("{fallback}\n{NO_DIGESTS}");
    let both = with("fallback_webhook = \"ops\"") + &format!("\n[webhooks.ops]\nurl_file = \"ops.url\"\n{QUICK}");
    env.configure_both(QUICK, &both);
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::NoService]);
    ops.stop();
    (1..=3).for_each(|last| ban(&env, last));
    wait_for_log(&env, "not delivered");
    // The same URL, written differently: it counts as changed.
    fs::write(env.path("main.url"), env.webhook.url()).unwrap();
    env.configure_both(&format!("{QUICK}\ntimeout = \"29s\""), &with(""));
    wait_for_bans(&env, &env.webhook, 1..=3);
    assert!(env.log().contains("no longer configured: messages reassigned"), "{}", env.log());
}

#[test]
fn renamed_only_webhook_receives_pending_messages() {
    let env = TestEnv::new();
    env.write("config.toml", webhook("main"));
    let daemon = env.daemon();
    env.webhook.stop();
    (1..=2).for_each(|last| ban(&env, last));
    wait_for_log(&env, "not delivered");
    // An event that is not formatted yet when its route ends goes out plain.
    until("both messages to be pending", || {
        let status = env.status(["status", "--format", "json"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&status).unwrap();
        if json["webhooks"]["main"]["pending"] == 2 { Ok(()) } else { Err(status) }
    });
    daemon.stop();
    env.write("config.toml", webhook("security"));
    env.webhook.start();
    let _daemon = env.daemon();
    wait_for_bans(&env, &env.webhook, 1..=2);
}

#[test]
fn removed_route_and_webhook_keep_message_dead() {
    let env = TestEnv::new();
    env.write("config.toml", format!("{}[[routes]]\nname = \"r\"\n{NO_DIGESTS}\n", webhook("main")));
    let daemon = env.daemon();
    env.webhook.stop();
    ban(&env, 1);
    wait_for_log(&env, "not delivered");
    let others = format!("{}{}[[routes]]\nname = \"s\"\nwebhook = \"a\"\n{NO_DIGESTS}\n", webhook("a"), webhook("b"));
    env.write("config.toml", &others);
    until("the message to be dead", || match env.ledger().routes["r"].dead {
        1 => Ok(()),
        _ => Err(env.log()),
    });
    env.webhook.start();
    let error = ["neither its webhook \"main\" nor its route is configured any more"];
    env.banhook(["queue", "retry", "--all"]).exits(1).complains(&error);
    // The route exists again, with another webhook.
    env.write("config.toml", others.replace("name = \"s\"", "name = \"r\""));
    env.banhook(["queue", "retry", "--all"]).ok();
    wait_for_bans(&env, &env.webhook, 1..=1);
    daemon.stop();
}

#[test]
fn retried_event_is_formatted_soon_despite_busy_route() {
    let env = TestEnv::new();
    let route = |name: &str, jail: &str| format!("[[routes]]\nname = \"{name}\"\njails = [\"{jail}\"]\n{NO_DIGESTS}\n");
    env.write("config.toml", webhook("main") + &route("quiet", "quiet") + &route("busy", "busy"));
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::Rejected; 2]);
    env.notify("ban --jail=quiet --ip=203.0.113.1");
    until("the message to be dead", || match env.ledger().routes["quiet"].dead {
        1 => Ok(()),
        _ => Err(env.log()),
    });
    env.banhook(["queue", "retry", "--all"]).ok();
    let start = std::time::Instant::now();
    for last in 1.. {
        env.notify(&format!("ban --jail=busy --ip=198.51.100.{last}"));
        if env.webhook.arrived().iter().any(|message| message.contains(&["203.0.113.1"])) {
            break;
        }
        assert!(start.elapsed().as_secs() < 10, "{}", env.log());
        std::thread::sleep(std::time::Duration::from_millis(100)); // not a wait: this keeps the other route busy
    }
}
