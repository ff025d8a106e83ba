//! `plugin`: what an author of plugins, and who is about to use one, needs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::binary::{banhook, root};
use crate::command_output::CommandOutput;
use crate::test_env::TestEnv;

#[test]
fn inspect_says_what_a_plugin_may_do_and_costs() {
    let env = TestEnv::new();
    let rust = root().join("plugins/dist/0.1.0/rust.wasm");
    let shown = env.banhook([Path::new("plugin"), Path::new("inspect"), &rust]).ok();
    for line in [
        "interface    banhook:plugin@0.1.0, world plugin",
        "may          do nothing else",
        "WASI         none",
        "import       banhook:plugin/log@0.1.0",
        "export       banhook:plugin/formatter@0.1.0",
        "settings     not described",
        "made         language: Rust",
    ] {
        assert!(shown.stdout.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    let size = fs::metadata(&rust).unwrap().len();
    assert!(shown.stdout.contains(&format!("size         {size} bytes, a core module")), "{shown}");
    let of = |event: &str| shown.stdout.lines().find(|line| line.starts_with(&format!("{event} "))).unwrap();
    let case = fs::read_to_string(root().join("plugins/dist/0.1.0/cases/unban.json")).unwrap();
    let case: serde_json::Value = serde_json::from_str(&case).unwrap();
    let skip = format!("  skip: {}", case["decision"]["skip"].as_str().unwrap());
    assert!(of("ban").ends_with("  post") && of("unban").ends_with(&skip), "{shown}");
    assert!(of("ban").split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() > 1_000, "{shown}");

    // It is compiled twice, while other tests run.
    let mut inspect = env.command(banhook());
    inspect.args(["plugin", "inspect", "template"]);
    let template = CommandOutput::within(&mut inspect, Duration::from_secs(300)).ok();
    for words in ["name         template", "+ plugin-with-settings + plugin-with-geo", "setting      links (lines): "] {
        assert!(template.stdout.contains(words), "{words}: {template}");
    }
}

#[test]
fn inspect_of_two_says_what_changed() {
    let env = TestEnv::new();
    env.write("old.wasm", crate::component::faulty());
    env.write("new.wasm", crate::component::digests());
    let changed = env.banhook(["plugin", "inspect", "old.wasm", "new.wasm"]).ok();
    for line in [
        "old.wasm -> new.wasm",
        "interface: banhook:plugin@0.1.0, world plugin -> banhook:plugin@0.1.0, world plugin-with-digest",
        "+ may: decide on digests: post, skip or hold them for a day at most",
        "+ export: banhook:plugin/digester@0.1.0",
    ] {
        assert!(changed.stdout.lines().any(|shown| shown == line), "{line}: {changed}");
    }
    assert!(changed.stdout.contains("event ban: another decision, "), "{changed}");
    // Cases are those next to the new one.
    fs::create_dir(env.path("cases")).unwrap();
    for (name, jail) in [("same", "~error"), ("other", "sshd")] {
        let event = format!(r#"{{"action": "ban", "at": "2026-11-22T10:56:55Z", "jail": "{jail}"}}"#);
        env.write(&format!("cases/{name}.json"), format!(r#"{{"event": {event}}}"#));
    }
    let changed = env.banhook(["plugin", "inspect", "old.wasm", "new.wasm", "--format", "json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&changed.stdout).unwrap();
    assert_eq!(report["new"]["exports"][1], "banhook:plugin/formatter@0.1.0", "{changed}");
    let changes: Vec<_> = report["changes"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(
        changes.contains(&"cases: 2 of 2 decisions change") && changes.contains(&"  cases/other.json"),
        "{changed}"
    );
    let same = env.banhook(["plugin", "inspect", "old.wasm", "old.wasm"]).ok();
    assert!(same.stdout.contains("the files are the same") && same.stdout.lines().count() == 2, "{same}");
}

#[test]
fn inspect_against_an_older_version_says_which_decisions_on_stored_events_change() {
    let env = TestEnv::new();
    env.write("old.wasm", crate::component::faulty());
    env.write("new.wasm", crate::component::digests());
    let inspect = |route| env.banhook(["plugin", "inspect", "new.wasm", "--against", "old.wasm", "--route", route]);
    let shown = inspect("all").ok();
    assert!(shown.stdout.contains("events: none are stored"), "{shown}");
    env.notify("ban --jail=sshd --ip=203.0.113.7");
    env.wait_until_idle();
    let shown = inspect("all").ok();
    for words in ["old.wasm -> new.wasm\n", "events: 1 of 1 decisions change\n", "  - {\"skip\":", "  + {\"post\":"] {
        assert!(shown.stdout.contains(words), "{words}: {shown}");
    }
    inspect("al").exits(2).complains(&["no route is named \"al\""]);
}

#[test]
fn inspect_of_what_does_not_load_says_why() {
    let env = TestEnv::new();
    env.write("other.wasm", crate::component::of_another_world());
    let shown = env.banhook(["plugin", "inspect", "other.wasm"]).exits(1);
    for words in
        ["interface    none of banhook's", "fault        it does not load: it does not export banhook:plugin/form"]
    {
        assert!(shown.stdout.contains(words), "{words}: {shown}");
    }
    let shown = env.banhook(["plugin", "inspect", "other.wasm", "--format", "json"]).exits(1);
    let report: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let fault = report["fault"].as_str().unwrap();
    assert!(fault.starts_with("it does not export") && report["costs"].is_null(), "{shown}");
    env.write("script.wasm", "#!/bin/sh\n");
    env.banhook(["plugin", "inspect", "script.wasm"])
        .exits(2)
        .complains(&["script.wasm is not a WebAssembly component"]);
}

#[test]
fn wit_writes_the_interface_and_keeps_what_is_there() {
    let env = TestEnv::new();
    env.banhook(["plugin", "wit"]).ok();
    for name in ["exports", "imports", "messages", "types", "worlds"] {
        let file = format!("wit/{name}.wit");
        assert_eq!(fs::read(env.path(&file)).unwrap(), fs::read(root().join(&file)).unwrap(), "{file}");
    }
    env.banhook(["plugin", "wit", "wit"]).ok();
    env.write("wit/types.wit", "changed");
    env.banhook(["plugin", "wit"])
        .exits(2)
        .complains(&["wit/types.wit is there with another content; replace it with --o"]);
    assert_eq!(fs::read(env.path("wit/types.wit")).unwrap(), b"changed");
    env.banhook(["plugin", "wit", "--overwrite"]).ok();
    assert_ne!(fs::read(env.path("wit/types.wit")).unwrap(), b"changed");
}

#[test]
fn pin_of_a_route_that_cannot_be_pinned_says_why() {
    let env = TestEnv::new();
    env.banhook(["plugin", "pin", "alll"]).exits(2).complains(&["no route is named \"alll\"; did you mean \"all\"?"]);
    env.banhook(["plugin", "pin", "all"]).exits(2).complains(&["the built-in plugin, which is a part of banhook"]);
    let env = TestEnv::with_route(&format!("sha256 = \"{}\"", "0".repeat(64)));
    env.banhook(["config", "check"]).exits(2).complains(&["sha256: the route has the built-in plugin"]);
}
