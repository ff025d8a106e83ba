//! `[routes.grants]`: what is refused and found before the first ban, and what a plugin's cases answer.

use crate::component;
use crate::place::Place;

#[test]
fn an_import_that_the_route_does_not_grant_is_named_with_the_line_to_add() {
    for (plugin, import, line) in
        [(component::asks_history(), "history", "add history = true"), (component::asks_geo(), "geo", "add geo = [")]
    {
        let place = Place::with_route("plugin = \"asks.wasm\"");
        place.write("asks.wasm", &plugin);
        let refused = place.banhook(["config", "check"]).exits(2);
        refused.complains(&["asks.wasm", &format!("imports {import}"), line, "[routes.grants]"]);

        place.configure(&format!("plugin = \"asks.wasm\"\ngrants.{import} = false"));
        place.banhook(["config", "check"]).ok();
    }
}

#[test]
fn a_broken_mmdb_file_is_named_and_keeps_no_alert_back() {
    let place = Place::with_route("grants.geo = [\"country.mmdb\"]");
    place.banhook(["config", "check"]).exits(2).complains(&["config.toml:11", "country.mmdb", "does not exist"]);
    place.write("country.mmdb", "<html>404</html>");
    place.banhook(["config", "check"]).exits(2).complains(&["country.mmdb", "no MMDB file"]);
    place.notify("ban --jail=sshd --ip=203.0.113.7");
    assert!(place.webhook.wait_for(1)[0].tells(&["203.0.113.7"]));
}

#[test]
fn a_daemon_tells_of_the_bans_that_it_has_routed() {
    let place = Place::with_route("plugin = \"asks.wasm\"\ngrants.history = true");
    place.write("asks.wasm", component::asks_history());
    let daemon = place.daemon();
    // The first one finds nothing before it and traps, so it is told plainly.
    place.notify("ban --jail=~sshd --ip=203.0.113.7");
    assert!(place.webhook.wait_for(1)[0].tells(&["203.0.113.7"]));
    place.notify("ban --jail=~sshd --ip=203.0.113.8");
    let all = place.settle().all();
    assert_eq!((all.posted, all.skipped), (1, 1), "{all:?}");
    daemon.stop();
    // What is remembered outlives the process.
    place.notify("ban --jail=~sshd --ip=203.0.113.9");
    let all = place.settle().all();
    assert_eq!((all.posted, all.skipped), (1, 2), "{all:?}");
}

#[test]
fn a_case_holds_the_answers_of_history_and_geo() {
    let place = Place::new();
    let history = place.write("history.wasm", component::asks_history());
    let event = r#"{"id": "all", "action": "ban", "at": "2026-11-22T10:00:00Z", "host": "web-1", "jail": "sshd", "subject": "203.0.113.7"}"#;
    let before = r#"[
        {"action": "ban", "at": "2026-11-22T09:00:00Z", "jail": "sshd", "subject": "203.0.113.7"},
        {"action": "ban", "at": "2026-11-22T09:10:00Z", "jail": "sshd", "subject": "203.0.113.8", "host": "web-2"},
        {"action": "ban", "at": "2026-11-22T09:20:00Z", "jail": "sshd", "subject": "203.0.113.8", "restored": true},
        {"action": "ban", "at": "2026-11-22T10:20:00Z", "jail": "sshd", "subject": "203.0.113.9"}
    ]"#;
    let two_bans = format!(r#"{{"event": {event}, "history": {before}, "decision": {{"skip": "2222"}}}}"#);
    let none = format!(r#"{{"event": {event}, "decision": {{"skip": "0000"}}}}"#);
    let (two_bans, none) = (place.write("two-bans.json", two_bans), place.write("none.json", none));
    place.banhook(["test".as_ref(), history.as_os_str(), two_bans.as_os_str(), none.as_os_str()]).ok();

    let geo = place.write("geo.wasm", component::asks_geo());
    let germany = r#"{"203.0.113.7": {"country": "DE", "as_number": 64496, "labels": {"city": "Berlin"}}}"#;
    let known = format!(r#"{{"event": {event}, "geo": {germany}, "decision": {{"skip": "DE"}}}}"#);
    let unknown = format!(r#"{{"event": {event}, "decision": {{"skip": "?"}}}}"#);
    let (known, unknown) = (place.write("known.json", known), place.write("unknown.json", unknown));
    place.banhook(["test".as_ref(), geo.as_os_str(), known.as_os_str(), unknown.as_os_str()]).ok();

    // `--update` keeps the answers.
    let wrong = std::fs::read_to_string(&known).unwrap().replace(r#"{"skip": "DE"}"#, r#"{"skip": "FR"}"#);
    let wrong = place.write("wrong.json", wrong);
    place.banhook(["test".as_ref(), geo.as_os_str(), wrong.as_os_str()]).exits(1);
    place.banhook(["test".as_ref(), "--update".as_ref(), geo.as_os_str(), wrong.as_os_str()]).ok();
    let updated: serde_json::Value = serde_json::from_slice(&std::fs::read(&wrong).unwrap()).unwrap();
    let meant: serde_json::Value = serde_json::from_slice(&std::fs::read(&known).unwrap()).unwrap();
    assert_eq!((&updated["geo"], &updated["decision"]), (&meant["geo"], &meant["decision"]));
}
