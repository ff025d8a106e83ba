//! `queue export --case`: what was decided on real events can be tested.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::component;
use crate::polling::until;
use crate::reload::mmdb;
use crate::test_env::TestEnv;

/// Writes what an export prints into a file, and runs it as a case of the plugin.
#[track_caller]
fn passes(env: &TestEnv, plugin: &str, arguments: &[&str]) -> Value {
    let exported = env.banhook(["queue", "export", "--case"].iter().chain(arguments)).ok();
    let file = env.write("exported.json", &exported.stdout);
    let tested = env.banhook([Path::new("test"), Path::new(plugin), &file]).ok();
    assert!(tested.stdout.ends_with("1 passed, 0 failed\n") && !tested.stdout.contains("warning"), "{tested}");
    serde_json::from_str(&exported.stdout).unwrap()
}

fn last_event(env: &TestEnv) -> Value {
    serde_json::from_str(&env.banhook(["queue", "export", "--last", "1"]).ok().stdout).unwrap()
}

#[test]
fn case_of_an_event_has_the_past_bans_that_its_plugin_asked_about() {
    let env = TestEnv::with_route("plugin = \"asks.wasm\"\ngrants.history = true\ntimezone = \"Europe/Berlin\"");
    env.write("asks.wasm", component::asks_history());
    let daemon = env.daemon();
    for octet in 1..=3 {
        env.notify(&format!("ban --jail=sshd --ip=93.184.216.{octet}"));
    }
    assert_eq!(env.wait_until_idle().all().skipped, 3);
    let event = last_event(&env);
    let id = event["id"].as_str().unwrap();
    let case = passes(&env, "asks.wasm", &[id]);
    // Two bans of two subjects on one host: the event itself is not its own past.
    assert_eq!(case["decision"], json!({ "skip": "2212" }));
    let past: Vec<_> = case["history"].as_array().unwrap().iter().map(|ban| ban["subject"].clone()).collect();
    assert_eq!(past, ["93.184.216.1", "93.184.216.2"]);
    assert_eq!((&case["timezone"], &case["event"]["id"]), (&json!("Europe/Berlin"), &json!(id)));

    let redacted = passes(&env, "asks.wasm", &[id, "--redact"]);
    assert_eq!(redacted["decision"], case["decision"]);
    let text = redacted.to_string();
    assert!(!text.contains("93.184") && !text.contains(id) && text.contains("192.0.2."), "{text}");
    drop(daemon);
}

#[test]
fn case_of_an_event_has_the_place_that_its_plugin_was_given() {
    let env =
        TestEnv::with_route("plugin = \"asks.wasm\"\ngrants.geo = [\"country.mmdb\"]\nsettings.a = [\"x\", \"y\"]");
    env.write("asks.wasm", component::asks_geo());
    env.write("country.mmdb", mmdb(4, 24, &[("93.184.216.0/24", json!({ "country_code": "US" }))]));
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=93.184.216.34");
    assert_eq!(env.wait_until_idle().all().skipped, 1);
    let event = last_event(&env);
    let case = passes(&env, "asks.wasm", &[event["id"].as_str().unwrap()]);
    assert_eq!(case["decision"], json!({ "skip": "US" }));
    assert_eq!(case["geo"], json!({ "93.184.216.34": { "country": "US" } }));
    assert_eq!(case["settings"], json!({ "a": "x\ny" }));
    let redacted = passes(&env, "asks.wasm", &[event["id"].as_str().unwrap(), "--redact"]);
    assert_eq!(redacted["decision"], case["decision"]);
    assert!(!redacted.to_string().contains("93.184"), "{redacted}");
}

#[test]
fn case_of_a_digest_has_its_events_and_settings() {
    let env = TestEnv::as_shipped(
        "target = \"mattermost\"",
        "storm = { threshold = 2, within = \"60s\" }\ndigest_window = \"1s\"\n[routes.settings]\ndigest = \"{{ totals.bans }} bans of {{ totals.subjects }}\"",
    );

    env.webhook.stop();
    let daemon = env.daemon();
    for octet in 1..=5 {
        env.notify(&format!("ban --jail=sshd --ip=203.0.113.{octet}"));
    }
    let id = until("a digest that is closed", || {
        let list = env.banhook(["queue", "list", "--format", "json"]).ok().stdout;
        let messages: Vec<Value> = serde_json::from_str(&list).unwrap();
        let digest = messages.iter().find(|message| message["cause"] == "storm" && message["state"] == "ready");
        digest.map(|digest| digest["id"].to_string()).ok_or(list)
    });
    daemon.stop();
    let case = passes(&env, "template", &[&id]);
    assert_eq!((&case["batch"]["cause"], &case["target"]), (&json!("storm"), &json!("mattermost")));
    let events = case["batch"]["events"].as_array().unwrap().len();
    assert_eq!(case["decision"]["post"]["text"]["mrkdwn"], format!("{events} bans of {events}"), "{case}");
    assert!(passes(&env, "template", &[&id, "--redact"])["batch"].is_object());
}

#[test]
fn case_of_what_is_not_there_says_so() {
    let env = TestEnv::new();
    env.banhook(["queue", "export", "--case", "7"]).exits(1).complains(&["nothing is stored yet"]);
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    env.wait_until_idle();
    env.banhook(["queue", "export", "--case", "77"]).exits(1).complains(&["77"]);
    env.banhook(["queue", "export", "--case", "x"]).exits(1).complains(&["no stored event this id: x"]);
    let event = last_event(&env);
    let id = event["id"].as_str().unwrap();
    let config = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), format!("{config}\n[[routes]]\nname = \"more\"\nwebhook = \"main\"\n")).unwrap();
    env.banhook(["queue", "export", "--case", id]).exits(2).complains(&["all and more", "--route"]);
    env.banhook(["queue", "export", "--case", id, "--route", "more"]).ok();
}
