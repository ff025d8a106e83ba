//! `test`: a plugin's cases; and that the committed template plugin decides like one built from source.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::binary::root;
use crate::test_env::TestEnv;

fn cases() -> PathBuf {
    root().join("plugins/template/cases")
}

fn case_files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no cases in {}", folder.display());
    files
}

fn test(env: &TestEnv, plugin: &Path, cases: &Path) -> crate::command_output::CommandOutput {
    env.banhook([Path::new("test"), plugin, cases])
}

#[test]
fn template_passes_its_cases() {
    let env = TestEnv::new();
    test(&env, Path::new("template"), &cases()).ok();
}

#[test]
#[ignore = "needs the template plugin built from source: cargo xtask test"]
fn template_committed_and_built_from_source_decide_alike() {
    let fresh = std::env::var_os("BANHOOK_FRESH_TEMPLATE").map(PathBuf::from).expect(
        "BANHOOK_FRESH_TEMPLATE names a template plugin built from source; run the tests by `cargo xtask test`, which sets it",
    );
    assert!(fresh.is_file(), "{} is not a file", fresh.display());
    // Both match the same golden decisions, and therefore each other.
    let env = TestEnv::new();
    test(&env, &fresh, &cases()).ok();
    test(&env, &root().join("plugins/dist/template.wasm"), &cases()).ok();
}

#[test]
fn test_wrong_golden_decision_fails_and_is_shown() {
    let env = TestEnv::new();
    let original = &case_files(&cases())[0];
    let mut case: Value = serde_json::from_slice(&fs::read(original).unwrap()).unwrap();
    assert!(change_text(&mut case["decision"]), "no text to change in {case}");
    let changed = env.write(original.file_name().unwrap().to_str().unwrap(), case.to_string());
    let failed = test(&env, Path::new("template"), &changed).exits(1);
    assert!(failed.stdout.contains("MARK-OF-THE-TEST") || failed.stderr.contains("MARK-OF-THE-TEST"), "{failed}");

    // `--update` restores it.
    env.banhook([Path::new("test"), Path::new("--update"), Path::new("template"), &changed]).ok();
    test(&env, Path::new("template"), &changed).ok();
    let updated: Value = serde_json::from_slice(&fs::read(&changed).unwrap()).unwrap();
    let committed: Value = serde_json::from_slice(&fs::read(original).unwrap()).unwrap();
    assert_eq!(updated, committed);
}

/// Changes the first text in `value`. Returns false if there is none.
fn change_text(value: &mut Value) -> bool {
    match value {
        Value::String(text) => {
            text.push_str("MARK-OF-THE-TEST");
            true
        }
        Value::Array(items) => items.iter_mut().any(change_text),
        Value::Object(fields) => fields.values_mut().any(change_text),
        _ => false,
    }
}

#[test]
fn test_missing_plugin_is_bad_input() {
    let env = TestEnv::new();
    test(&env, Path::new("no-such-plugin.wasm"), &cases()).exits(2).complains(&["no-such-plugin.wasm"]);
}

#[test]
fn test_invalid_plugin_is_named_instead_of_a_case() {
    let env = TestEnv::new();
    env.write("script.wasm", "#!/bin/sh\n");
    for command in ["test", "preview"] {
        let output = env.banhook([Path::new(command), Path::new("script.wasm"), &cases()]).exits(2);
        output.complains(&["banhook: the plugin script.wasm is not a WebAssembly component"]);
    }
}

#[test]
fn test_time_limit_counts_fuel() {
    let env = TestEnv::new();
    env.write("faulty.wasm", crate::component::faulty());
    let event = r#"{"action": "start", "at": "2026-11-22T10:00:00Z", "host": "web-1", "jail": "~loop"}"#;
    let failure = "consumed all of its 250000000 units of fuel, which stand for the time allowed (limits.time)";
    env.write("loop.json", format!(r#"{{"event": {event}, "decision": {{"failure": "{failure}"}}}}"#));
    env.banhook(["test", "faulty.wasm", "loop.json"]).ok();
}

/// Bans of one jail in JSON, for the batch of a case.
fn bans(count: usize, jail: &str) -> String {
    let ban = |n: usize| {
        format!(
            r#"{{"action": "ban", "at": "2026-11-22T10:00:{n:02}Z", "host": "web-1", "jail": "{jail}", "subject": "203.0.113.{n}"}}"#
        )
    };
    (0..count).map(ban).collect::<Vec<_>>().join(", ")
}

#[test]
fn digests_fixture_follows_the_jail_name() {
    let env = TestEnv::new();
    env.write("digests.wasm", crate::component::digests());
    let text = |text: &str| format!(r#"{{"post": {{"text": {{"plain": "{text}"}}}}}}"#);
    let held = |jail: &str| format!(r#"{{"hold": {{"key": "{jail}", "tags": ["{jail}"]}}}}"#);
    for (jail, decision) in [
        ("sshd", text("ban 203.0.113.0 in sshd")),
        ("~skip", r#"{"skip": "not worth a message"}"#.to_owned()),
        ("~hold", held("~hold")),
        ("~hold-trap", held("~hold-trap")),
        (
            "~hold-5",
            r#"{"hold": {"key": "~hold-5", "until": "2026-11-22T10:00:05.000Z", "tags": ["~hold-5"]}}"#.to_owned(),
        ),
    ] {
        let case = env.write("case.json", format!(r#"{{"event": {}, "decision": {decision}}}"#, bans(1, jail)));
        test(&env, Path::new("digests.wasm"), &case).ok();
    }
    for (about, events, decision) in [
        (r#""cause": "storm""#, bans(12, "sshd"), text("12 events (storm, no key), 12 listed, 12 bans")),
        (r#""cause": "held", "key": "k""#, bans(2, "~hold"), text("2 events (held, k), 2 listed, 2 bans")),
        (
            r#""cause": "held", "key": "~hold-now", "at": "2026-11-22T10:00:30Z""#,
            bans(2, "~hold"),
            text("2 events (held, ~hold-now), 2 listed, 2 bans at 1795341630"),
        ),
        (
            r#""cause": "held", "key": "k", "tags": [["DE", "DE"], ["DE", "FR"]]"#,
            bans(2, "~hold"),
            text("2 events (held, k), 2 listed, 2 bans, 2 of DE"),
        ),
        (r#""cause": "storm""#, bans(2, "~post-skip"), r#"{"skip": "not worth a message"}"#.to_owned()),
        (
            r#""cause": "storm", "at": "2026-11-22T10:00:02Z""#,
            bans(2, "~post-wait"),
            r#"{"hold": "2026-11-22T10:00:10.000Z"}"#.to_owned(),
        ),
        (r#""cause": "storm""#, bans(2, "~post-error"), r#"{"error": "the digest is on holiday"}"#.to_owned()),
    ] {
        let case = format!(r#"{{"batch": {{{about}, "events": [{events}]}}, "decision": {decision}}}"#);
        let case = env.write("case.json", case);
        test(&env, Path::new("digests.wasm"), &case).ok();
    }
}

#[test]
fn test_case_with_failing_digest_fails() {
    let env = TestEnv::new();
    env.write("digests.wasm", crate::component::digests());
    for (key, error) in [("~hold-trap", "unreachable"), ("~hold-blank", "Slack would reject the message")] {
        let events = bans(2, "sshd");
        let case = format!(r#"{{"batch": {{"cause": "held", "key": "{key}", "events": [{events}]}}}}"#);
        let case = env.write("case.json", case);
        let failed = test(&env, Path::new("digests.wasm"), &case).exits(1);
        assert!(failed.stdout.contains(error), "{failed}");
        // The fallback message names the failure.
        let preview = env.banhook([Path::new("preview"), Path::new("digests.wasm"), &case]).ok();
        for words in [
            "⛔ 2 bans on `web-1` in 1 s\n`sshd`: `203.0.113.0` · `203.0.113.1`\n".to_owned(),
            format!("grouped by the plugin as `{key}` · "),
            error.to_owned(),
        ] {
            assert!(preview.stdout.contains(&words), "{words}: {preview}");
        }
    }
}

#[test]
fn test_batch_for_plugin_without_digester_fails() {
    let env = TestEnv::new();
    let case = format!(r#"{{"batch": {{"cause": "storm", "events": [{}]}}}}"#, bans(12, "sshd"));
    let case = env.write("case.json", case);
    env.write("faulty.wasm", crate::component::faulty());
    // The other case runs.
    let other = env.write("other.json", format!(r#"{{"event": {}}}"#, bans(1, "sshd")));
    let arguments = [Path::new("test"), Path::new("faulty.wasm"), &case, &other];
    let failed = env.banhook(arguments).exits(1);
    for words in ["FAILED   ", "case.json", "exports no digester", "preview", "other.json"] {
        assert!(failed.stdout.contains(words), "{words}: {failed}");
    }
    let before = fs::read(&case).unwrap();
    env.banhook([Path::new("test"), Path::new("--update"), Path::new("faulty.wasm"), &case]).exits(1);
    assert_eq!(fs::read(&case).unwrap(), before, "there is no decision to write");
    // The built-in plugin has banhook's own text go out, unless a template says otherwise.
    for plugin in ["faulty.wasm", "template"] {
        let preview = env.banhook([Path::new("preview"), Path::new(plugin), &case]).ok();
        for words in ["⛔ 12 more bans on `web-1` in 11 s", "`sshd`: `203.0.113.0` · ", "too many messages at once · "]
        {
            assert!(preview.stdout.contains(words), "{words}: {preview}");
        }
    }
}

#[test]
fn test_case_without_exactly_one_of_event_and_batch_is_rejected() {
    let env = TestEnv::new();
    let event = bans(1, "sshd");
    for (case, error) in [
        (format!(r#"{{"event": {event}, "batch": {{"cause": "storm", "events": [{event}]}}}}"#), "one of the two"),
        (r#"{"about": "nothing"}"#.to_owned(), "neither an \"event\" nor a \"batch\""),
        (r#"{"batch": {"cause": "storm", "events": []}}"#.to_owned(), "has no \"events\""),
        (format!(r#"{{"event": {event}, "timezone": "Mars/Olympus"}}"#), "Mars/Olympus"),
        (r#"{"batch": {"cause": "gale", "events": []}}"#.to_owned(), "unknown variant `gale`"),
        (r#"{"batch": {"cause": "held", "kye": "x", "events": []}}"#.to_owned(), "unknown field `kye`"),
    ] {
        let case = env.write("case.json", case);
        test(&env, Path::new("template"), &case).exits(2).complains(&["case.json", error]);
    }
}

#[test]
fn test_broken_case_does_not_stop_others() {
    let env = TestEnv::new();
    env.write("a.json", "{");
    let event = bans(1, "sshd");
    env.write("b.json", format!(r#"{{"event": {event}, "settings": {{"ban": ""}}, "decision": {{"skip": "x"}}}}"#));
    env.write("c.json", r#"{"about": "nothing"}"#);
    let tested = env.banhook(["test", "template", "a.json", "b.json", "c.json"]).exits(2);
    for line in ["INVALID  a.json", "FAILED   b.json: ", "INVALID  c.json", "0 passed, 1 failed, 2 invalid"] {
        assert!(tested.stdout.lines().any(|printed| printed == line), "{line}: {tested}");
    }
    for error in [
        "a.json is not a valid case: it ends before its JSON is complete",
        "c.json is not a valid case: it has neither",
    ] {
        assert!(tested.stderr.contains(error), "{error}: {tested}");
    }
}
