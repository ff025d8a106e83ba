//! What changes beneath a running daemon: its configuration, its plugins, the URLs of its webhooks.

#[path = "../../host/src/plugin/geo/mmdb.rs"]
mod mmdb;

use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::component;
use crate::place::Place;
use crate::unrouted::until;

pub(crate) use mmdb::mmdb;

/// The first address of a network, for `mmdb`.
fn address(network: &str) -> Option<IpAddr> {
    network.split('/').next()?.parse().ok()
}

/// A change takes effect within this, once it is compiled; the machine may be busy with other tests.
const WITHIN: Duration = Duration::from_secs(5);

/// Waits until the daemon has said this, and returns how long that took.
#[track_caller]
fn until_said(place: &Place, words: &str) -> Duration {
    until_said_times(place, words, 1)
}

/// The same for the so many-th time.
#[track_caller]
fn until_said_times(place: &Place, words: &str, times: usize) -> Duration {
    let begun = Instant::now();
    until("the daemon to say so", || {
        let said = fs::read_to_string(place.path("run.log")).unwrap();
        if said.matches(words).count() >= times { Ok(()) } else { Err(said) }
    });
    begun.elapsed()
}

/// What `status` says of the plugin of the route `all`.
fn plugin(place: &Place) -> Value {
    let status: Value = serde_json::from_str(&place.banhook(["status", "--format", "json"]).ok().stdout).unwrap();
    status["plugins"]["all"].clone()
}

/// Puts a file into the place of another, as a package manager does.
fn replace(place: &Place, name: &str, content: &[u8]) {
    let fresh = place.write("fresh", content);
    fs::rename(fresh, place.path(name)).unwrap();
}

#[test]
fn a_changed_configuration_counts_at_once() {
    let place = Place::new();
    let _daemon = place.daemon();
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    assert!(place.webhook.wait_for(1)[0].tells(&["203.0.113.1", "banned in"]));

    place.configure("settings = { ban = \"changed words for {{ ip }}\" }");
    assert!(until_said(&place, "took up") < WITHIN);
    place.notify("ban --jail=sshd --ip=203.0.113.2");
    assert!(place.webhook.wait_for(2)[1].tells(&["changed words for 203.0.113.2"]));
}

#[test]
fn sighup_reads_everything_again() {
    let place = Place::new();
    let daemon = place.daemon();
    daemon.signal(Signal::HUP);
    until_said(&place, "read the configuration again");
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    place.webhook.wait_for(1);
    daemon.stop();
}

#[test]
fn a_broken_configuration_leaves_the_old_one_at_work() {
    let place = Place::with_route("settings = { ban = \"good words for {{ ip }}\" }");
    let _daemon = place.daemon();
    place.write("config.toml", "[webhook.main]\n");
    until_said(&place, "going on with the configuration as it was");
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    assert!(place.webhook.wait_for(1)[0].tells(&["good words for 203.0.113.1"]));
    let said = fs::read_to_string(place.path("run.log")).unwrap();
    assert!(said.contains("config.toml:1:") && said.contains("webhook"), "{said}");
}

#[test]
fn a_changed_plugin_takes_over_and_a_broken_one_does_not() {
    let built_in = fs::read(crate::binary::root().join("plugins/dist/template.wasm")).unwrap();
    let place = Place::with_route("plugin = \"own.wasm\"");
    place.write("own.wasm", &built_in);
    let _daemon = place.daemon();
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    assert!(place.webhook.wait_for(1)[0].tells(&["203.0.113.1", "banned in"]));
    let first = plugin(&place)["sha256"].clone();

    replace(&place, "own.wasm", &component::moody());
    until_said(&place, "took up");
    place.notify("ban --jail=sshd --ip=203.0.113.2");
    assert_eq!(place.settle().all().skipped, 1);
    let second = plugin(&place)["sha256"].clone();
    assert_ne!(second, first);

    // It traps already in its trial, so the one before stays.
    replace(&place, "own.wasm", &component::doomed());
    until_said(&place, "the one before stays at work: plugin own.wasm trapped");
    place.notify("ban --jail=sshd --ip=203.0.113.3");
    assert_eq!(place.settle().all().skipped, 2);
    let state = plugin(&place);
    assert_eq!(state["sha256"], second);
    assert!(state["error"].as_str().unwrap().contains("a newer version was not taken, since it trapped"), "{state}");

    // Compiled already, so it is there at once.
    replace(&place, "own.wasm", &built_in);
    assert!(until_said_times(&place, "took up", 2) < WITHIN);
    place.notify("ban --jail=sshd --ip=203.0.113.4");
    assert!(place.webhook.wait_for(2)[1].tells(&["203.0.113.4", "banned in"]));
    let state = plugin(&place);
    assert_eq!(state["sha256"], first);
    assert_eq!(state.get("error"), None, "{state}");
}

#[test]
fn a_webhook_that_moves_gets_what_the_old_one_did_not() {
    let place = Place::new();
    let _daemon = place.daemon();
    let right = fs::read(place.path("main.url")).unwrap();
    // Nothing listens there.
    fs::write(place.path("main.url"), "http://127.0.0.1:9/services/T/B/moved").unwrap();
    until_said(&place, "read the configuration again");
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    until_said(&place, "not delivered");
    let begun = Instant::now();
    fs::write(place.path("main.url"), right).unwrap();
    place.webhook.wait_for(1);
    assert!(begun.elapsed() < WITHIN, "{:?}", begun.elapsed());
}

#[test]
fn what_waits_for_a_webhook_that_becomes_another_kind_of_service_is_worded_anew() {
    let place = Place::new();
    let _daemon = place.daemon();
    let right = fs::read(place.path("main.url")).unwrap();
    fs::write(place.path("main.url"), "http://127.0.0.1:9/services/T/B/moved").unwrap();
    until_said(&place, "read the configuration again");
    // Two words that Slack and Mattermost act on, and what each wants escaped.
    for octet in 1..=3 {
        place.notify(&format!("ban --jail=<!here>@all --ip=203.0.113.{octet}"));
    }
    until_said(&place, "not delivered");
    place.configure_both("target = \"mattermost\"\nrate = \"20/s\"", "storm = false\nrestart = false");
    until_said_times(&place, "read the configuration again", 2);
    fs::write(place.path("main.url"), right).unwrap();
    let messages = place.webhook.wait_for(3);
    for (message, octet) in messages.iter().zip(1..) {
        let body = String::from_utf8_lossy(message.body());
        assert!(message.tells(&[&format!("203.0.113.{octet}"), "banned in"]), "{body}");
        assert!(!body.contains("blocks") && !body.contains("&lt;") && !body.contains("@all"), "{body}");
    }
    let all = place.settle().all();
    assert_eq!((all.posted, all.pending), (3, 0));
}

#[test]
fn a_changed_mmdb_file_is_read_again_and_a_broken_one_is_not() {
    let place = Place::with_route("plugin = \"own.wasm\"\ngrants.geo = [\"country.mmdb\"]");
    place.write("own.wasm", component::asks_geo());
    let country = |code| mmdb(4, 24, &[("203.0.113.0/24", serde_json::json!({ "country_code": code }))]);
    place.write("country.mmdb", country("DE"));
    let _daemon = place.daemon();
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    assert_eq!(place.settle().all().skipped, 1);
    replace(&place, "country.mmdb", &country("FR"));
    until_said(&place, "country.mmdb again");
    replace(&place, "country.mmdb", b"<html>404</html>");
    until_said(&place, "the one before stays at work: ");
    place.notify("ban --jail=sshd --ip=203.0.113.2");
    assert_eq!(place.settle().all().skipped, 2);
}

#[test]
fn what_a_removed_route_still_had_to_word_is_told_plainly() {
    let place = Place::new();
    let route = |name: &str| {
        format!(
            "[webhooks.main]\nurl_file = \"main.url\"\n\n[[routes]]\nname = \"{name}\"\nplugin = \"slow.wasm\"\n\n[routes.limits]\ntime = \"3s\"\n"
        )
    };
    place.write("slow.wasm", component::moody());
    place.write("config.toml", route("old"));
    let daemon = place.daemon();
    // Ten seconds of endless loops for the old route; it is gone after the first.
    for octet in 1..=4 {
        place.notify(&format!("ban --jail=~loop --ip=203.0.113.{octet}"));
    }
    until("the old route to have all of them", || match place.ledger().unrouted {
        0 => Ok(()),
        left => Err(left.to_string()),
    });
    place.write("config.toml", route("new"));
    let messages = place.webhook.wait_for(4);
    assert!(messages.iter().any(|message| message.tells(&["no longer configured"])));
    let old = place.settle().routes["old"];
    assert_eq!((old.matched, old.posted), (4, 4), "{old:?}");
    drop(daemon);
}

#[test]
fn a_plugin_that_always_fails_is_left_alone_for_a_while_and_says_so_once() {
    let place = Place::with_route("plugin = \"own.wasm\"");
    place.write("own.wasm", component::moody());
    let _daemon = place.daemon();
    for octet in 1..=13 {
        place.notify(&format!("ban --jail=~trap --ip=203.0.113.{octet}"));
    }
    let messages = place.webhook.wait_for(13);
    let telling = |words: &str| messages.iter().filter(|message| message.tells(&[words])).count();
    assert_eq!(telling("10 failures in a row, so it is not called for the next 60 s"), 1);
    assert_eq!(telling("is not called for a while, after 10 failures in a row"), 3);
    let state = plugin(&place);
    assert_eq!(state["failures"], 10, "{state}");
    assert!(state["paused_until"].is_string() && state["error"].as_str().unwrap().contains("trapped"), "{state}");
    let text = place.banhook(["status"]).ok().stdout;
    assert!(text.contains("plugin own.wasm (sha256 ") && text.contains("paused until"), "{text}");

    // A new version is called at once.
    let built_in = fs::read(crate::binary::root().join("plugins/dist/template.wasm")).unwrap();
    replace(&place, "own.wasm", &built_in);
    until_said(&place, "took up");
    place.notify("ban --jail=~trap --ip=203.0.113.99");
    assert!(place.webhook.wait_for(14)[13].tells(&["203.0.113.99", "banned in"]));
}
