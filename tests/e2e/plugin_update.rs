//! `plugin update` and `rollback`: another version of a route's plugin, after it has shown what it changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::binary::require_root;
use crate::command_output::CommandOutput;
use crate::component;
use crate::polling::until;
use crate::test_env::{NOBODY, TestEnv};

fn hash(env: &TestEnv, file: &str) -> Vec<u8> {
    fs::read(env.path(file)).unwrap()
}

/// A directory with a new version, and a case that it passes, or not.
fn new_version(env: &TestEnv, passes: bool) -> PathBuf {
    fs::create_dir_all(env.path("new/cases")).unwrap();
    let jail = if passes { "sshd" } else { "~trap" };
    let case = format!(
        r#"{{"event": {{"action": "ban", "at": "2026-11-22T10:56:55Z", "jail": "{jail}", "subject": "203.0.113.7"}}}}"#
    );
    env.write("new/cases/ban.json", case);
    let plugin = env.write("new/plugin.wasm", component::faulty());
    env.banhook(["test", "--update", "new/plugin.wasm"]).ok();
    if !passes {
        let case = fs::read_to_string(env.path("new/cases/ban.json")).unwrap();
        fs::write(env.path("new/cases/ban.json"), case.replace("failure", "error")).unwrap();
    }
    plugin
}

#[test]
fn update_shows_what_changes_and_rollback_brings_the_old_version_back() {
    let env = TestEnv::with_route("plugin = \"own.wasm\"");
    env.write("own.wasm", component::digests());
    env.banhook(["plugin", "pin", "all"]).ok();
    let (old, pinned) = (hash(&env, "own.wasm"), fs::read_to_string(env.config()).unwrap());
    let daemon = env.daemon();
    for octet in 1..=8 {
        env.notify(&format!("ban --jail=sshd --ip=203.0.113.{octet}"));
    }
    env.wait_until_idle();
    new_version(&env, true);

    let shown = env.banhook(["plugin", "update", "all", "new/plugin.wasm", "--dry-run"]).ok();
    for words in
        ["own.wasm -> new/plugin.wasm", "- may: decide on digests", "cases: 1 passed, 0 failed", "nothing was changed"]
    {
        assert!(shown.stdout.contains(words), "{words}: {shown}");
    }
    assert!(shown.stdout.contains("events: ") && shown.stdout.contains(" of 8 decisions change"), "{shown}");
    assert_eq!(hash(&env, "own.wasm"), old);
    // Nobody is asked where nobody can answer.
    env.banhook(["plugin", "update", "all", "new/plugin.wasm"]).exits(2).complains(&["add --yes"]);
    assert_eq!(hash(&env, "own.wasm"), old);

    let updated = env.banhook(["plugin", "update", "all", "new/plugin.wasm", "--yes"]).ok();
    assert!(updated.stdout.contains("banhook plugin rollback all"), "{updated}");
    assert_eq!((hash(&env, "own.wasm"), hash(&env, "own.wasm.previous")), (hash(&env, "new/plugin.wasm"), old.clone()));
    // The pin follows, so that the daemon takes the new version.
    let repinned = fs::read_to_string(env.config()).unwrap();
    assert_ne!(repinned, pinned);
    let sha256 = repinned.split("sha256 = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let in_use = |sha256: &str| {
        until("the daemon to use the version", || {
            let status = env.status(["status", "--format", "json"]).stdout;
            if status.contains(sha256) { Ok(()) } else { Err(status) }
        });
    };
    in_use(&sha256);

    env.banhook(["plugin", "rollback", "all"]).ok();
    assert_eq!((hash(&env, "own.wasm"), fs::read_to_string(env.config()).unwrap()), (old, pinned.clone()));
    in_use(pinned.split("sha256 = \"").nth(1).unwrap().split('"').next().unwrap());
    daemon.stop();
}

/// As on a host with the package: only root may read and replace plugins, and the state directory is another user's.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn update_by_root_of_another_users_state_directory_replaces_the_plugin() {
    require_root();
    let env = TestEnv::with_route("plugin = \"plugins/own.wasm\"");
    for folder in ["plugins", "new"] {
        fs::create_dir(env.path(folder)).unwrap();
        fs::set_permissions(env.path(folder), fs::Permissions::from_mode(0o700)).unwrap();
    }
    env.write("plugins/own.wasm", component::digests());
    env.notify("ban --jail=sshd --ip=203.0.113.7");
    env.wait_until_idle();
    env.end_runs();
    CommandOutput::of(env.command("chown").args(["-R", &NOBODY.to_string()]).arg(env.state())).ok();
    fs::set_permissions(env.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    new_version(&env, true);
    let compared = ["plugin", "inspect", "new/plugin.wasm", "--against", "plugins/own.wasm", "--route", "all"];
    for command in [&compared[..], &["plugin", "update", "all", "new/plugin.wasm", "--yes"]] {
        let output = env.banhook(command).ok();
        assert!(output.stdout.contains("events: 1 of 1 decisions change"), "{output}");
    }
    assert_eq!(hash(&env, "plugins/own.wasm"), hash(&env, "new/plugin.wasm"));
}

#[test]
fn update_to_a_version_that_fails_its_cases_changes_nothing() {
    let env = TestEnv::with_route("plugin = \"own.wasm\"");
    env.write("own.wasm", component::digests());
    let old = hash(&env, "own.wasm");
    env.banhook(["plugin", "rollback", "all"]).exits(2).complains(&["there is no", "own.wasm.previous"]);
    new_version(&env, false);
    let refused = env.banhook(["plugin", "update", "all", "new/plugin.wasm", "--yes"]).exits(1);
    assert!(
        refused.stdout.contains("cases: 0 passed, 1 failed") && refused.stdout.contains("nothing was changed"),
        "{refused}"
    );
    env.write("other.wasm", component::of_another_world());
    let refused = env.banhook(["plugin", "update", "all", "other.wasm", "--yes"]).exits(1);
    assert!(refused.stdout.contains("other.wasm does not load"), "{refused}");
    env.banhook(["plugin", "update", "al", "other.wasm", "--yes"]).exits(2).complains(&["did you mean \"all\"?"]);
    assert_eq!(hash(&env, "own.wasm"), old);
    assert!(!env.path("own.wasm.previous").exists());
}
