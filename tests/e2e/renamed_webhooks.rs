//! Webhooks and routes that get another name, or are taken out, while alerts wait for them or arrive: none is lost.

use std::fs;

use crate::hostile::compiler_bombs;
use crate::polling::until;
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::{Fault, Webhook, shown};

const ALONE: &str = "storm = false\nrestart = false";

fn ban(env: &TestEnv, last: usize) {
    env.notify(&format!("ban --jail=sshd --ip=203.0.113.{last}"));
}

/// The webhook at `main.url`, by this name.
fn webhook(name: &str) -> String {
    format!("[webhooks.{name}]\nurl_file = \"main.url\"\n{QUICK}\n")
}

#[track_caller]
fn until_said(env: &TestEnv, words: &str) {
    until(words, || {
        let said = env.log();
        if said.contains(words) { Ok(()) } else { Err(said) }
    });
}

/// Whether these arrived, and nothing is dead.
#[track_caller]
fn all_arrived(env: &TestEnv, webhook: &Webhook, bans: std::ops::RangeInclusive<usize>) {
    let messages = webhook.wait_for(bans.clone().count());
    for last in bans {
        let is_it = |message: &crate::message::Message| message.contains(&[&format!("203.0.113.{last}` banned")]);
        assert!(messages.iter().any(is_it), "{last}: {:#?}", shown(&messages));
    }
    let all = env.wait_until_idle().routes.into_values().map(|route| route.dead).sum::<u64>();
    assert_eq!(all, 0, "{}", env.log());
}

#[test]
fn events_during_plugin_compilation_go_to_the_new_webhook() {
    let env = TestEnv::new();
    env.write("config.toml", format!("{}[[routes]]\nname = \"r\"\n{ALONE}\n", webhook("old")));
    let _daemon = env.daemon();
    ban(&env, 1);
    env.webhook.wait_for(1);
    env.write("slow.wasm", compiler_bombs::endless());
    let slow = format!("plugin = \"slow.wasm\"\nlimits = {{ compile = \"3s\" }}\n{ALONE}");
    env.write("config.toml", format!("{}[[routes]]\nname = \"r\"\n{slow}\n", webhook("new")));
    until_said(&env, "configuration reloaded");
    (2..=6).for_each(|last| ban(&env, last));
    all_arrived(&env, &env.webhook, 1..=6);
    assert!(!env.log().contains("stays active"), "the plugin was given up meanwhile: nothing was tested");
}

#[test]
fn removed_fallback_returns_messages_to_own_webhook() {
    let (env, ops) = (TestEnv::new(), Webhook::open());
    env.write_url("ops.url", &ops);
    let with = |fallback: &str| format!("{fallback}\n{ALONE}");
    let both = with("fallback_webhook = \"ops\"") + &format!("\n[webhooks.ops]\nurl_file = \"ops.url\"\n{QUICK}");
    env.configure_both(QUICK, &both);
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::NoService]);
    ops.stop();
    (1..=3).for_each(|last| ban(&env, last));
    until_said(&env, "not delivered");
    // Another way to write the same URL: it is mended.
    fs::write(env.path("main.url"), env.webhook.url()).unwrap();
    env.configure_both(&format!("{QUICK}\ntimeout = \"29s\""), &with(""));
    all_arrived(&env, &env.webhook, 1..=3);
    assert!(env.log().contains("no longer configured: messages reassigned"), "{}", env.log());
}

#[test]
fn renamed_only_webhook_receives_pending_messages() {
    let env = TestEnv::new();
    env.write("config.toml", webhook("main"));
    let daemon = env.daemon();
    env.webhook.stop();
    (1..=2).for_each(|last| ban(&env, last));
    until_said(&env, "not delivered");
    daemon.stop();
    env.write("config.toml", webhook("security"));
    env.webhook.start();
    let _daemon = env.daemon();
    all_arrived(&env, &env.webhook, 1..=2);
}

#[test]
fn removed_route_and_webhook_keep_message_dead() {
    let env = TestEnv::new();
    env.write("config.toml", format!("{}[[routes]]\nname = \"r\"\n{ALONE}\n", webhook("main")));
    let daemon = env.daemon();
    env.webhook.stop();
    ban(&env, 1);
    until_said(&env, "not delivered");
    let others = format!("{}{}[[routes]]\nname = \"s\"\nwebhook = \"a\"\n{ALONE}\n", webhook("a"), webhook("b"));
    env.write("config.toml", &others);
    until("it to be dead", || match env.ledger().routes["r"].dead {
        1 => Ok(()),
        _ => Err(env.log()),
    });
    env.webhook.start();
    let says = ["neither its webhook \"main\" nor its route is configured any more"];
    env.banhook(["queue", "retry", "--all"]).exits(1).complains(&says);
    // Its route is back, with another webhook.
    env.write("config.toml", others.replace("name = \"s\"", "name = \"r\""));
    env.banhook(["queue", "retry", "--all"]).ok();
    all_arrived(&env, &env.webhook, 1..=1);
    daemon.stop();
}

#[test]
fn retried_event_is_formatted_soon_despite_busy_route() {
    let env = TestEnv::new();
    let route = |name: &str, jail: &str| format!("[[routes]]\nname = \"{name}\"\njails = [\"{jail}\"]\n{ALONE}\n");
    env.write("config.toml", webhook("main") + &route("quiet", "quiet") + &route("busy", "busy"));
    let _daemon = env.daemon();
    env.webhook.inject(&[Fault::Rejected]);
    env.notify("ban --jail=quiet --ip=203.0.113.1");
    until("it to be dead", || match env.ledger().routes["quiet"].dead {
        1 => Ok(()),
        _ => Err(env.log()),
    });
    env.banhook(["queue", "retry", "--all"]).ok();
    let begun = std::time::Instant::now();
    for last in 1.. {
        env.notify(&format!("ban --jail=busy --ip=198.51.100.{last}"));
        if env.webhook.arrived().iter().any(|message| message.contains(&["203.0.113.1"])) {
            break;
        }
        assert!(begun.elapsed().as_secs() < 10, "{}", env.log());
        std::thread::sleep(std::time::Duration::from_millis(100)); // not waiting for anything: the others are busy
    }
}
