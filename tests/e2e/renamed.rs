//! Webhooks and routes that get another name, or are taken out, while alerts wait for them or arrive: none is lost.

use std::fs;

use crate::hostile::bombs;
use crate::place::{Place, QUICK};
use crate::unrouted::until;
use crate::webhook::{Fault, Webhook, shown};

const ALONE: &str = "storm = false\nrestart = false";

fn ban(place: &Place, last: usize) {
    place.notify(&format!("ban --jail=sshd --ip=203.0.113.{last}"));
}

/// The webhook at `main.url`, by this name.
fn webhook(name: &str) -> String {
    format!("[webhooks.{name}]\nurl_file = \"main.url\"\n{QUICK}\n")
}

#[track_caller]
fn until_said(place: &Place, words: &str) {
    until(words, || {
        let said = place.said();
        if said.contains(words) { Ok(()) } else { Err(said) }
    });
}

/// Whether these arrived, and nothing is dead.
#[track_caller]
fn all_arrived(place: &Place, webhook: &Webhook, bans: std::ops::RangeInclusive<usize>) {
    let messages = webhook.wait_for(bans.clone().count());
    for last in bans {
        let is_it = |message: &crate::message::Message| message.tells(&[&format!("203.0.113.{last}` banned")]);
        assert!(messages.iter().any(is_it), "{last}: {:#?}", shown(&messages));
    }
    let all = place.settle().routes.into_values().map(|route| route.dead).sum::<u64>();
    assert_eq!(all, 0, "{}", place.said());
}

#[test]
fn what_arrives_while_a_new_plugin_is_compiled_goes_where_the_route_points_already() {
    let place = Place::new();
    place.write("config.toml", format!("{}[[routes]]\nname = \"r\"\n{ALONE}\n", webhook("old")));
    let _daemon = place.daemon();
    ban(&place, 1);
    place.webhook.wait_for(1);
    place.write("slow.wasm", bombs::endless());
    let slow = format!("plugin = \"slow.wasm\"\nlimits = {{ compile = \"3s\" }}\n{ALONE}");
    place.write("config.toml", format!("{}[[routes]]\nname = \"r\"\n{slow}\n", webhook("new")));
    until_said(&place, "read the configuration again");
    (2..=6).for_each(|last| ban(&place, last));
    all_arrived(&place, &place.webhook, 1..=6);
    assert!(!place.said().contains("stays at work"), "the plugin was given up meanwhile: nothing was tested");
}

#[test]
fn what_waits_for_a_fallback_that_is_taken_out_goes_to_the_routes_own_webhook() {
    let (place, ops) = (Place::new(), Webhook::open());
    place.write_url("ops.url", &ops);
    let with = |fallback: &str| format!("{fallback}\n{ALONE}");
    let both = with("fallback_webhook = \"ops\"") + &format!("\n[webhooks.ops]\nurl_file = \"ops.url\"\n{QUICK}");
    place.configure_both(QUICK, &both);
    let _daemon = place.daemon();
    place.webhook.will(&[Fault::NoService]);
    ops.gone();
    (1..=3).for_each(|last| ban(&place, last));
    until_said(&place, "not delivered");
    // Another way to write the same URL: it is mended.
    fs::write(place.path("main.url"), place.webhook.url()).unwrap();
    place.configure_both(&format!("{QUICK}\ntimeout = \"29s\""), &with(""));
    all_arrived(&place, &place.webhook, 1..=3);
    assert!(place.said().contains("no longer configured: main gets its messages"), "{}", place.said());
}

#[test]
fn what_the_only_webhook_was_to_get_follows_it_under_another_name() {
    let place = Place::new();
    place.write("config.toml", webhook("main"));
    let daemon = place.daemon();
    place.webhook.gone();
    (1..=2).for_each(|last| ban(&place, last));
    until_said(&place, "not delivered");
    daemon.stop();
    place.write("config.toml", webhook("security"));
    place.webhook.back();
    let _daemon = place.daemon();
    all_arrived(&place, &place.webhook, 1..=2);
}

#[test]
fn what_nobody_is_left_for_stays_dead_and_retry_says_so() {
    let place = Place::new();
    place.write("config.toml", format!("{}[[routes]]\nname = \"r\"\n{ALONE}\n", webhook("main")));
    let daemon = place.daemon();
    place.webhook.gone();
    ban(&place, 1);
    until_said(&place, "not delivered");
    let others = format!("{}{}[[routes]]\nname = \"s\"\nwebhook = \"a\"\n{ALONE}\n", webhook("a"), webhook("b"));
    place.write("config.toml", &others);
    until("it to be dead", || match place.ledger().routes["r"].dead {
        1 => Ok(()),
        _ => Err(place.said()),
    });
    place.webhook.back();
    let says = ["\"main\" is not configured any more, and neither is its route"];
    place.banhook(["queue", "retry", "--all"]).exits(1).complains(&says);
    // Its route is back, with another webhook.
    place.write("config.toml", others.replace("name = \"s\"", "name = \"r\""));
    place.banhook(["queue", "retry", "--all"]).ok();
    all_arrived(&place, &place.webhook, 1..=1);
    daemon.stop();
}

#[test]
fn what_is_given_back_is_worded_at_once_however_busy_the_others_are() {
    let place = Place::new();
    let route = |name: &str, jail: &str| format!("[[routes]]\nname = \"{name}\"\njails = [\"{jail}\"]\n{ALONE}\n");
    place.write("config.toml", webhook("main") + &route("quiet", "quiet") + &route("busy", "busy"));
    let _daemon = place.daemon();
    place.webhook.will(&[Fault::Refused]);
    place.notify("ban --jail=quiet --ip=203.0.113.1");
    until("it to be dead", || match place.ledger().routes["quiet"].dead {
        1 => Ok(()),
        _ => Err(place.said()),
    });
    place.banhook(["queue", "retry", "--all"]).ok();
    let begun = std::time::Instant::now();
    for last in 1.. {
        place.notify(&format!("ban --jail=busy --ip=198.51.100.{last}"));
        if place.webhook.arrived().iter().any(|message| message.tells(&["203.0.113.1"])) {
            break;
        }
        assert!(begun.elapsed().as_secs() < 10, "{}", place.said());
        std::thread::sleep(std::time::Duration::from_millis(100)); // not waiting for anything: the others are busy
    }
}
