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
    let failure = "consumed all of its 250000000 units of fuel, which stand for the time allowed (limits.time); a loop does \
                   not end, or does too much for one event";
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

/// An event of the plugin `faulty`, which fails as its jail says.
fn start(jail: &str) -> String {
    format!(r#"{{"action": "start", "at": "2026-11-22T10:00:00Z", "host": "web-1", "jail": "{jail}"}}"#)
}

#[test]
fn test_json_has_all_that_is_known_of_each_case() {
    let env = TestEnv::new();
    env.write("faulty.wasm", crate::component::faulty());
    fs::create_dir(env.path("cases")).unwrap();
    env.write(
        "cases/trap.json",
        format!(r#"{{"about": "a", "event": {}, "decision": {{"skip": "x"}}}}"#, start("~trap")),
    );
    env.write(
        "cases/error.json",
        format!(r#"{{"event": {}, "decision": {{"error": "the scanner is on holiday"}}}}"#, start("~error")),
    );
    env.write("cases/invalid.json", "{");
    let tested = env.banhook(["test", "faulty.wasm", "--format=json"]).exits(2);
    let report: Value = serde_json::from_str(&tested.stdout).unwrap_or_else(|error| panic!("{error}: {tested}"));
    let case = |name: &str| {
        let mut cases = report["cases"].as_array().unwrap().iter();
        cases.find(|case| case["file"] == format!("cases/{name}.json")).unwrap_or_else(|| panic!("{name}: {tested}"))
    };
    let trap = case("trap");
    assert_eq!(
        (&trap["result"], &trap["about"], &trap["expected"]["skip"]),
        (&"failed".into(), &"a".into(), &"x".into())
    );
    assert!(trap["decision"]["failure"].as_str().unwrap().contains("unreachable"), "{tested}");
    assert!(trap["backtrace"].to_string().contains("!format"), "the function's name: {tested}");
    assert!(trap["fuel"].as_u64().unwrap() > 0 && trap["memory"] == 131_072, "{tested}");
    assert_eq!(case("error")["result"], "passed");
    assert_eq!(case("invalid")["result"], "invalid");
    assert_eq!((&report["passed"], &report["failed"], &report["invalid"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(report["limits"]["fuel"], 250_000_000);
    assert_eq!(report["uncovered"]["decisions"], serde_json::json!(["post", "skip", "hold"]));
    assert_eq!(report["uncovered"]["events"], serde_json::json!(["stop", "flush", "ban", "unban", "prolong"]));
}

#[test]
fn test_report_shows_backtrace_cost_and_what_no_case_reaches() {
    let env = TestEnv::new();
    env.write("faulty.wasm", crate::component::faulty());
    fs::create_dir(env.path("cases")).unwrap();
    env.write("cases/trap.json", format!(r#"{{"event": {}, "decision": {{"skip": "x"}}}}"#, start("~trap")));
    let failure = "trapped: wasm `unreachable` instruction executed";
    env.write(
        "cases/known.json",
        format!(r#"{{"event": {}, "decision": {{"failure": "{failure}"}}}}"#, start("~trap")),
    );
    let tested = env.banhook(["test", "faulty.wasm"]).exits(1);
    for words in [
        "ok       cases/known.json (fails, as the case says)\n",
        "!format\n",
        "slowest cases",
        "fuel of 250.00 M  memory of 64.0 MiB  time of 250.0 ms",
        "0.1 MiB (0.2 %)",
        "no case reaches: decisions post, skip, hold and error; events start, stop, flush, ban, unban and prolong",
    ] {
        assert!(tested.stdout.contains(words), "{words}: {tested}");
    }
}

#[test]
fn test_filter_and_max_fuel_select_and_fail_cases() {
    let env = TestEnv::new();
    env.write("faulty.wasm", crate::component::faulty());
    fs::create_dir(env.path("cases")).unwrap();
    for (name, about) in [("first", "the usual one"), ("second", "another")] {
        let case = r#""decision": {"skip": "nothing to post"}"#;
        env.write(
            &format!("cases/{name}.json"),
            format!(r#"{{"about": "{about}", "event": {}, {case}}}"#, start("sshd")),
        );
    }
    for (filter, passed) in [("usual", "1 passed"), ("SECOND", "1 passed"), (".json", "2 passed")] {
        let tested = env.banhook(["test", "faulty.wasm", "--filter", filter]).ok();
        assert!(tested.stdout.contains(passed) && !tested.stdout.contains("no case reaches"), "{filter}: {tested}");
    }
    env.banhook(["test", "faulty.wasm", "--filter", "third"]).exits(2).complains(&["no case has \"third\""]);
    env.banhook(["test", "faulty.wasm", "--max-fuel", "1000000"]).ok();
    let tested = env.banhook(["test", "faulty.wasm", "--max-fuel", "5"]).exits(1);
    assert!(tested.stdout.contains("units of fuel; --max-fuel allows 5"), "{tested}");
    for (budget, words) in [
        (r#"{"fuel": 5}"#, "units of fuel; its budget is 5"),
        (r#"{"fuel": 1000000, "memory": 9}"#, "bytes of memory; its budget is 9"),
    ] {
        let decision = r#""decision": {"skip": "nothing to post"}"#;
        let case = format!(r#"{{"budget": {budget}, "event": {}, {decision}}}"#, start("sshd"));
        let file = env.write("budget.json", case);
        let tested = test(&env, Path::new("faulty.wasm"), &file).exits(1);
        assert!(tested.stdout.contains(words), "{words}: {tested}");
    }
}

#[test]
fn test_warns_of_what_production_would_do_in_silence() {
    let env = TestEnv::new();
    let guest = root().join("plugins/dist/0.1.0/rust.wasm");
    let event = r#"{"action": "ban", "at": "2026-11-22T10:00:00Z", "jail": "sshd", "subject": "203.0.113.7"}"#;
    let warning = "warning: /text/7/mention: a mention notifies nobody";
    for (more, expected) in [("", true), (r#""mentions": true, "#, false)] {
        let settings = r#""settings": {"call": "U012AB3CD", "runbook": "https://example.org"}"#;
        let case = env.write("case.json", format!(r#"{{"event": {event}, {more}{settings}}}"#));
        let tested = env.banhook([Path::new("test"), &guest, &case, Path::new("--update")]).ok();
        assert_eq!(tested.stdout.contains(warning), expected, "{tested}");
    }
    // The time of a hold, in a case with a number as a setting.
    let flush = r#"{"action": "flush", "at": "2026-11-22T10:00:00Z", "jail": "sshd"}"#;
    for (hold, warning) in [("0", "/until: not after the event"), ("100000", "/until: more than a day")] {
        let case = env.write("case.json", format!(r#"{{"event": {flush}, "settings": {{"hold": {hold}}}}}"#));
        let tested = env.banhook([Path::new("test"), &guest, &case, Path::new("--update")]).ok();
        assert!(tested.stdout.contains(warning), "{hold}: {tested}");
    }
}

#[test]
fn test_problems_with_settings_are_expected_or_a_warning() {
    let env = TestEnv::new();
    let case = |problems: &str| {
        let decision =
            r#""decision": {"error": "setting \"ban\", line 1: unknown variable \"jial\"; did you mean \"jail\"?"}"#;
        let case = format!(
            r#"{{"event": {}, "settings": {{"ban": "{{{{ jial }}}}"}}, {problems}{decision}}}"#,
            bans(1, "sshd")
        );
        env.write("case.json", case)
    };
    let tested = test(&env, Path::new("template"), &case("")).ok();
    for words in ["the plugin does not accept the setting \"ban\": line 1: ", "warning: `banhook config check` rejects"]
    {
        assert!(tested.stdout.contains(words), "{words}: {tested}");
    }
    let problem = r#"does not accept the setting \"ban\": line 1: unknown variable \"jial\"; did you mean \"jail\"?"#;
    let tested = test(&env, Path::new("template"), &case(&format!(r#""problems": ["{problem}"], "#))).ok();
    assert!(!tested.stdout.contains("warning: "), "{tested}");
    let tested = test(&env, Path::new("template"), &case(r#""problems": [], "#)).exits(1);
    assert!(tested.stdout.contains("+   \"problems\""), "{tested}");
    let case = case(r#""problems": [], "#);
    env.banhook([Path::new("test"), Path::new("template"), &case, Path::new("--update")]).ok();
    test(&env, Path::new("template"), &case).ok();
}

#[test]
fn schema_accepts_all_cases_and_no_mistake() {
    let schema: Value = serde_json::from_slice(&fs::read(root().join("plugins/case.schema.json")).unwrap()).unwrap();
    let errors = |case: &Value| crate::json_schema::errors(&schema, case);
    for folder in ["plugins/template/cases", "plugins/dist/0.1.0/cases", "plugins/scaffold/common/cases"] {
        for file in case_files(&root().join(folder)) {
            let case: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            assert_eq!(errors(&case), [""; 0], "{}", file.display());
        }
    }
    // What the schema rejects, banhook rejects.
    let env = TestEnv::new();
    let event = || -> Value { serde_json::from_str(&bans(1, "sshd")).unwrap() };
    let with = |key: &str, value: Value| {
        let mut case = serde_json::json!({ "event": event() });
        case[key] = value;
        case
    };
    let post = |message: Value| with("decision", serde_json::json!({ "post": message }));
    let text = || serde_json::json!({ "plain": "x" });
    for case in [
        serde_json::json!({}),
        with("evnt", event()),
        with("batch", serde_json::json!({ "cause": "storm", "events": [event()] })),
        serde_json::json!({ "batch": { "cause": "gale", "events": [event()] } }),
        with("settings", serde_json::json!({ "a": null })),
        with("target", "slak".into()),
        with("mentions", "yes".into()),
        with("budget", serde_json::json!({ "fule": 5 })),
        with("geo", serde_json::json!({ "203.0.113.7": { "contry": "DE" } })),
        with("history", serde_json::json!([{ "action": "ban" }])),
        with("decision", serde_json::json!({ "pots": {} })),
        with("decision", serde_json::json!({ "skip": 1 })),
        post(serde_json::json!({ "txt": text() })),
        post(serde_json::json!({ "text": "x" })),
        post(serde_json::json!({ "text": text(), "color": "pink" })),
        post(serde_json::json!({ "text": text(), "blocks": [{ "hedder": "x" }] })),
        post(serde_json::json!({ "text": { "rich": [{ "text": { "txt": "x" } }] } })),
    ] {
        assert!(!errors(&case).is_empty(), "{case}");
        let file = env.write("case.json", case.to_string());
        let output = test(&env, Path::new("template"), &file);
        assert_eq!(output.code, Some(2), "{case}: {output}");
    }
}

#[test]
fn plugin_without_cases_is_tried_on_standard_events() {
    let env = TestEnv::new();
    env.write("plugin.wasm", crate::component::faulty());
    let tested = env.banhook(["test", "plugin.wasm"]).ok();
    for name in ["standard start", "standard prolong", "hostile ban", "largest ban"] {
        assert!(tested.stdout.contains(&format!("ok       {name}\n")), "{name}: {tested}");
    }
    assert!(tested.stdout.ends_with("8 passed, 0 failed\n"), "{tested}");
    tested.complains(&["has no cases", "standard events"]);
    env.write("plugin.wasm", crate::component::always_traps());
    let failed = env.banhook(["test", "plugin.wasm"]).exits(1);
    assert!(failed.stdout.contains("FAILED   standard ban") && failed.stdout.contains("trapped"), "{failed}");
}

#[test]
fn test_watch_runs_the_cases_again_after_a_change() {
    let env = TestEnv::new();
    fs::create_dir(env.path("cases")).unwrap();
    env.write("plugin.wasm", crate::component::faulty());
    let event = r#"{"action": "start", "at": "2026-11-22T10:00:00Z", "host": "web-1", "jail": "sshd"}"#;
    env.write("cases/start.json", format!(r#"{{"event": {event}, "decision": {{"skip": "other"}}}}"#));
    let output = env.path("output");
    let mut command = env.command(crate::binary::banhook());
    command.args(["test", "--watch", "plugin.wasm"]).stdin(std::process::Stdio::null());
    let mut watching = command.stdout(fs::File::create(&output).unwrap()).spawn().unwrap();
    let shows = |text: &str| {
        crate::polling::until(text, || {
            let found = fs::read_to_string(&output).unwrap();
            if found.contains(text) { Ok(()) } else { Err(found) }
        });
    };
    shows("0 passed, 1 failed\nwaiting for a change");
    let updated = env.banhook(["test", "--update", "plugin.wasm"]).ok();
    assert!(updated.stdout.contains("1 updated"), "{updated}");
    shows("1 passed, 0 failed\nwaiting for a change");
    watching.kill().unwrap();
    watching.wait().unwrap();
}
