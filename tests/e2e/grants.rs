//! `[routes.grants]`: ungranted imports are found by `config check`, and granted ones answer the plugin.

use crate::component;
use crate::test_env::TestEnv;

#[test]
fn config_check_ungranted_import_names_the_line_to_add() {
    for (plugin, import, line) in [
        (component::asks_history(), "history", "add history = true"),
        (component::asks_geo(), "geo", "add geo = [\"FILE.mmdb\"]"),
    ] {
        let env = TestEnv::with_route("plugin = \"asks.wasm\"");
        env.write("asks.wasm", &plugin);
        let rejected = env.banhook(["config", "check"]).exits(2);
        rejected.complains(&["asks.wasm", &format!("imports {import}, which route"), line, "[routes.grants]"]);

        env.configure(&format!("plugin = \"asks.wasm\"\ngrants.{import} = false"));
        env.banhook(["config", "check"]).ok();
    }
}

#[test]
fn grant_geo_broken_mmdb_is_named_and_alert_is_sent() {
    let env = TestEnv::with_route("grants.geo = [\"country.mmdb\"]");
    env.banhook(["config", "check"]).exits(2).complains(&["config.toml:11", "country.mmdb", "No such file"]);
    env.write("country.mmdb", "<html>404</html>");
    env.banhook(["config", "check"]).exits(2).complains(&["country.mmdb", "is not an MMDB file"]);
    env.notify("ban --jail=sshd --ip=203.0.113.7");
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.7"]));
}

#[test]
fn grant_history_returns_routed_bans() {
    let env = TestEnv::with_route("plugin = \"asks.wasm\"\ngrants.history = true");
    env.write("asks.wasm", component::asks_history());
    let daemon = env.daemon();
    // The first ban has no history, so the plugin traps and the fallback message is sent.
    env.notify("ban --jail=~sshd --ip=203.0.113.7");
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.7"]));
    env.notify("ban --jail=~sshd --ip=203.0.113.8");
    let all = env.wait_until_idle().all();
    assert_eq!((all.posted, all.skipped), (1, 1), "{all:?}");
    daemon.stop();
    // The history outlives the process.
    env.notify("ban --jail=~sshd --ip=203.0.113.9");
    let all = env.wait_until_idle().all();
    assert_eq!((all.posted, all.skipped), (1, 2), "{all:?}");
}

#[test]
fn test_case_provides_history_and_geo_answers() {
    let env = TestEnv::new();
    let history = env.write("history.wasm", component::asks_history());
    let event = r#"{"id": "all", "action": "ban", "at": "2026-11-22T10:00:00Z", "host": "web-1", "jail": "sshd", "subject": "203.0.113.7"}"#;
    let before = r#"[
        {"action": "ban", "at": "2026-11-22T09:00:00Z", "jail": "sshd", "subject": "203.0.113.7"},
        {"action": "ban", "at": "2026-11-22T09:10:00Z", "jail": "sshd", "subject": "203.0.113.8", "host": "web-2"},
        {"action": "ban", "at": "2026-11-22T09:20:00Z", "jail": "sshd", "subject": "203.0.113.8", "restored": true},
        {"action": "ban", "at": "2026-11-22T10:20:00Z", "jail": "sshd", "subject": "203.0.113.9"}
    ]"#;
    let two_bans = format!(r#"{{"event": {event}, "history": {before}, "decision": {{"skip": "2222"}}}}"#);
    let none = format!(r#"{{"event": {event}, "decision": {{"skip": "0000"}}}}"#);
    let (two_bans, none) = (env.write("two-bans.json", two_bans), env.write("none.json", none));
    env.banhook(["test".as_ref(), history.as_os_str(), two_bans.as_os_str(), none.as_os_str()]).ok();

    let geo = env.write("geo.wasm", component::asks_geo());
    let germany = r#"{"203.0.113.7": {"country": "DE", "as_number": 64496, "labels": {"city": "Berlin"}}}"#;
    let known = format!(r#"{{"event": {event}, "geo": {germany}, "decision": {{"skip": "DE"}}}}"#);
    let unknown = format!(r#"{{"event": {event}, "decision": {{"skip": "?"}}}}"#);
    let (known, unknown) = (env.write("known.json", known), env.write("unknown.json", unknown));
    env.banhook(["test".as_ref(), geo.as_os_str(), known.as_os_str(), unknown.as_os_str()]).ok();

    // `--update` keeps the provided answers.
    let wrong = std::fs::read_to_string(&known).unwrap().replace(r#"{"skip": "DE"}"#, r#"{"skip": "FR"}"#);
    let wrong = env.write("wrong.json", wrong);
    env.banhook(["test".as_ref(), geo.as_os_str(), wrong.as_os_str()]).exits(1);
    env.banhook(["test".as_ref(), "--update".as_ref(), geo.as_os_str(), wrong.as_os_str()]).ok();
    let updated: serde_json::Value = serde_json::from_slice(&std::fs::read(&wrong).unwrap()).unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&std::fs::read(&known).unwrap()).unwrap();
    assert_eq!((&updated["geo"], &updated["decision"]), (&expected["geo"], &expected["decision"]));
}
