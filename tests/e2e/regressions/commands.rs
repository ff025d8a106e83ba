//! The command line and the configuration.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use crate::binary::banhook;
use crate::command_output::CommandOutput;
use crate::component;
use crate::test_env::{Ledger, QUICK, TestEnv};

const BAN: [&str; 3] = ["ban", "--jail=sshd", "--ip=203.0.113.7"];

/// Runs `banhook BEFORE notify FIRST ban --jail=sshd --ip=203.0.113.7`, checks that the ban is stored, and returns what was
/// printed on stderr, and the events as `queue export` prints them.
#[track_caller]
fn stored_in_spite_of(before: &[&str], first: &[&str]) -> (String, String) {
    let env = TestEnv::new();
    let arguments = [before, &["notify", "--no-spawn"], first, &BAN].concat();
    let output = env.banhook(arguments).ok();
    assert_eq!(env.ledger().received, 1, "{output}");
    let events = env.banhook(["queue", "export"]).ok().stdout;
    assert!(events.contains(r#""action":"ban""#) && events.contains(r#""subject":"203.0.113.7""#), "{events}");
    (output.stderr, events)
}

// An action with `options="--host mail-1"`.
#[test]
fn notify_with_its_options_before_the_command_stores_the_event() {
    for before in [&["--host", "mail-1"][..], &["--host=mail-1"], &["--host", "mail-1", "--no-spawn"]] {
        let (stderr, events) = stored_in_spite_of(before, &[]);
        assert_eq!(stderr, "", "{before:?}");
        assert!(events.contains(r#""host":"mail-1""#), "{events}");
    }
}

// `notify --dry-run ban …` swallowed the word `ban`.
#[test]
fn notify_with_an_unknown_option_stores_the_event_and_names_the_option() {
    for (before, first, named) in [
        (&[][..], &["--dry-run"][..], "--dry-run"),
        (&["--dry-run"], &[], "--dry-run"),
        (&["--hots", "mail-1"], &[], "did you mean --host?"),
        (&["--hots", "run"], &[], "--hots"),
        (&[], &["--hots", "mail-1"], "--hots"),
        (&[], &["--hots=mail-1"], "--hots"),
        (&["-v"], &["-v"], "-v"),
        (&["--"], &[], "--"),
    ] {
        let (stderr, _) = stored_in_spite_of(before, first);
        assert!(stderr.contains(named), "{before:?} {first:?}: {stderr}");
    }
}

#[test]
fn notify_with_a_forgotten_value_stores_the_event_and_names_the_option() {
    for (before, first) in [(&["--host"][..], &[][..]), (&["--host", "--no-spawn"], &[]), (&[], &["--host"])] {
        let (stderr, _) = stored_in_spite_of(before, first);
        assert!(stderr.contains("--host has no value"), "{before:?} {first:?}: {stderr}");
    }
    // The environment of the test says where the state is.
    for before in [&["--state-dir"][..], &["--state-dir="], &["--config", "--state-dir"]] {
        let (stderr, _) = stored_in_spite_of(before, &[]);
        assert!(stderr.contains("--state-dir has no value"), "{before:?}: {stderr}");
    }
}

/// A configuration with these routes, one webhook and no digests.
fn with_routes(routes: &str) -> TestEnv {
    let env = TestEnv::new();
    let routes = routes.replace("[[routes]]", "[[routes]]\nstorm = false\nrestart = false");
    fs::write(env.config(), format!("[webhooks.main]\nurl_file = \"main.url\"\n{QUICK}\n{routes}")).unwrap();
    env
}

/// The ledger once these events were delivered by these routes.
fn delivered(routes: &str, events: &[&str]) -> Ledger {
    let env = with_routes(routes);
    for event in events {
        env.notify(&format!("--no-spawn {event} --ip=203.0.113.7"));
    }
    env.banhook(["drain", "--timeout", "20s"]).ok();
    env.ledger()
}

// fail2ban#2991, mailinabox#771: a `!` was accepted, and did nothing or lost bans.
#[test]
fn route_excludes_jails() {
    let ledger = delivered(
        "[[routes]]\nname = \"others\"\njails = [\"!nginx-*\", \"*\"]
         [[routes]]\nname = \"but\"\njails = [\"!recidive\"]",
        &["ban --jail=sshd", "ban --jail=nginx-auth", "ban --jail=recidive"],
    );
    assert_eq!((ledger.routes["others"].posted, ledger.routes["but"].posted), (2, 2), "{ledger:?}");
}

#[test]
fn route_with_stop_is_not_repeated_by_a_catch_all() {
    let ledger = delivered(
        "[[routes]]\nname = \"web\"\njails = [\"nginx-*\"]\nevents = [\"ban\"]\nstop = true
         [[routes]]\nname = \"rest\"",
        &["ban --jail=nginx-a", "unban --jail=nginx-a", "ban --jail=sshd"],
    );
    assert_eq!((ledger.routes["web"].posted, ledger.routes["rest"].posted), (1, 2), "{ledger:?}");
}

#[test]
fn config_check_lists_known_jails_by_route_and_warns_of_near_misses() {
    let env = with_routes(
        "[[routes]]\nname = \"web\"\njails = [\"Nginx-*\", \"sshd,dovecot\"]
         [[routes]]\nname = \"ssh\"\njails = [\"sshd\"]\nevents = [\"ban\"]",
    );
    for jail in ["sshd", "nginx-auth"] {
        env.notify(&format!("--no-spawn start --jail={jail}"));
    }
    let output = env.banhook(["config", "check"]).ok();
    for line in ["  ssh (ban): sshd\n", "  no route: nginx-auth\n"] {
        assert!(output.stdout.contains(line), "{output}");
    }
    for warning in [
        "one pattern",
        "write \"sshd\", \"dovecot\"",
        "\"Nginx-*\" matches no known jail; did you mean \"nginx-auth\"?",
    ] {
        assert!(output.stderr.contains(warning), "{output}");
    }
}

// A client that never answers, as behind an action that hangs.
#[test]
fn config_check_does_not_wait_for_a_busy_fail2ban() {
    use std::os::unix::fs::PermissionsExt;
    let env = TestEnv::new();
    env.notify("--no-spawn start --jail=sshd");
    let client = env.write("fail2ban-client", "#!/bin/sh\ntrap '' TERM\nsleep 600\n");
    fs::set_permissions(&client, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = env.command(banhook());
    command.env("PATH", format!("{}:/usr/bin:/bin", env.path("").display())).args(["config", "check"]);
    let output = CommandOutput::of(&mut command).ok();
    assert!(output.stdout.contains("fail2ban did not answer") && output.stdout.contains("all: sshd"), "{output}");
    assert!(output.took < Duration::from_secs(60), "{output}");
}

#[test]
fn config_explain_shows_routes_reasons_and_messages_and_stores_nothing() {
    let env = with_routes(
        "[[routes]]\nname = \"web\"\njails = [\"nginx-*\", \"!nginx-b*\"]\nstop = true
         [routes.settings]\nban = \"WEB {{ ip }}\"
         [[routes]]\nname = \"unbans\"\nevents = [\"unban\"]
         [[routes]]\nname = \"broken\"\njails = [\"sshd\"]\n[routes.settings]\nban = \"{{ nope }}\"
         [[routes]]\nname = \"all\"\n[routes.settings]\nban = \"ALL {{ ip }} in {{ jail }}\"",
    );
    let output = env.banhook(["config", "explain", "ban", "--jail", "nginx-a", "--ip=203.0.113.7"]).ok();
    for text in [
        "── route web matches ──\nto webhook main:\nWEB 203.0.113.7",
        "── route unbans does not match ──\nits events are unban, and this is a ban",
        "── route broken does not match ──\nits jails, \"sshd\", do not match \"nginx-a\"",
        "── route all does not match ──\nthe route web before it matches, and has stop = true",
        "The event goes to 1 route.",
    ] {
        assert!(output.stdout.contains(text), "{text:?}: {output}");
    }
    // JSON, as a file and on standard input.
    let event = r#"{"action": "ban", "jail": "sshd", "subject": "203.0.113.8"}"#;
    env.write("event.json", format!("{{\"event\": {event}}}"));
    let from_file = env.banhook(["config", "explain", "event.json"]).ok();
    let mut command = env.command(banhook());
    command.args(["config", "explain", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(event.as_bytes()).unwrap();
    let from_stdin = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(from_file.stdout, from_stdin);
    assert!(
        from_stdin.contains("ALL 203.0.113.8 in sshd") && from_stdin.contains("a plain message goes out"),
        "{from_stdin}"
    );
    for (arguments, named) in [
        (&["ban"][..], "--jail"),
        (&["event.json", "--jail=x"], "JSON"),
        (&["bann"], "cannot read bann"),
        (&["ban", "--jail=j", "--jial=x"], "--jial"),
    ] {
        let output = env.banhook([&["config", "explain"], arguments].concat()).exits(2);
        assert!(output.stderr.contains(named), "{output}");
    }
    assert!(!env.state().exists(), "nothing is stored");
    assert!(env.webhook.requests().is_empty());

    env.banhook(["mute", "--jail=sshd", "--for=1h", "--reason=pentest"]).ok();
    let muted = env.banhook(["config", "explain", "event.json"]).ok();
    assert!(muted.stdout.contains("\nmute 1: jail sshd until ") && muted.stdout.contains(": pentest\n"), "{muted}");
    assert!(muted.stdout.ends_with("The event goes to 2 routes and is skipped there: it is muted.\n"), "{muted}");
    let other = env.banhook(["config", "explain", "ban", "--jail=nginx-a", "--ip=203.0.113.7"]).ok();
    assert!(!other.stdout.contains("mute"), "{other}");
}

// fail2ban 0.9, which does not know the tag `<restored>`.
#[test]
fn restored_bans_of_fail2ban_0_9_are_recognized_by_the_start() {
    let env = TestEnv::new();
    let ban = |last: u8| format!("--no-spawn ban --jail=sshd --ip=203.0.113.{last} --restored=<restored>");
    env.notify(&ban(1));
    env.notify("--no-spawn stop --jail=sshd");
    env.notify("--no-spawn start --jail=sshd");
    (1..=3).for_each(|last| drop(env.notify(&ban(last))));
    env.banhook(["drain"]).ok();
    let events = env.banhook(["queue", "export"]).ok().stdout;
    let restored: Vec<_> = events.lines().map(|event| event.contains("\"restored\":true")).collect();
    assert_eq!(restored, [false, false, false, true, true, true], "{events}");
}

// `completions` suggested `compile`, which only banhook itself runs.
#[test]
fn suggestions_and_hints_lead_somewhere() {
    let env = TestEnv::new();
    let output = env.banhook(["completions"]).exits(2);
    assert!(output.stderr.contains("completions") && !output.stderr.contains("compile"), "{output}");
    assert!(!env.banhook([""; 0]).exits(2).stderr.contains("compile"));
    for (setting, named) in [("restart = \"0s\"", "or false"), ("continue = false", "stop = true")] {
        env.configure_both("", setting);
        let output = env.banhook(["config", "check"]).exits(2);
        assert!(output.stderr.contains(named), "{output}");
    }
    env.write("main.url", "https://discord.com/api/webhooks/SECRET?thread_id=5");
    env.configure_both("target = \"discord\"", "");
    let output = env.banhook(["config", "check"]).exits(2);
    assert!(output.stderr.contains("not that of a Discord webhook") && !output.stderr.contains("SECRET"), "{output}");
}

// An administrator's first template: Markdown, and mentions as in Slack's own window.
#[test]
fn config_check_likely_mistakes_of_a_template_are_warnings() {
    let env = TestEnv::new();
    env.configure_both("", "[routes.settings]\nban = \"\"\"\n{{ ip }}\n**{{ jail }}** at {{ at }} @here\"\"\"");
    let output = env.banhook(["config", "check"]).ok();
    let config = fs::read_to_string(env.config()).unwrap();
    let line = config.lines().position(|line| line.starts_with("**")).unwrap() + 1;
    for (column, named) in [
        ("", "\"**{{ jail }}**\" is not Slack's markup; write *{{ jail }}*"),
        ("", "prints seconds since 1970; write {{ at | date }}"),
        (":28", "@here is only text, on every target; write <!here>, and add mentions = true to the route"),
    ] {
        let place = format!("config.toml:{line}{column}: ");
        let has = |warning: &&str| warning.contains("warning: ") && warning.contains(&place) && warning.contains(named);
        assert!(output.stderr.lines().any(|warning| has(&warning)), "{place}{named}: {output}");
    }
}

// The file could be named, and not the command that helps.
#[test]
fn files_that_cannot_be_read_or_parsed_are_named_with_the_reason() {
    let env = TestEnv::new();
    env.write("empty.json", "");
    env.write("cut.json", "{\n\"event\": {");
    for arguments in [&["config", "explain"][..], &["lint"], &["preview", "template"]] {
        for (file, reason) in [("empty.json", "is empty"), ("cut.json", "at line 2")] {
            let output = env.banhook([arguments, &[file]].concat()).exits(2);
            assert!(output.stderr.contains(file) && output.stderr.contains(reason), "{output}");
        }
    }
    let output = env.banhook(["lint", "absent.json"]).exits(2);
    assert!(output.stderr.contains("No such file") && !output.stderr.contains("os error"), "{output}");
}

#[test]
fn config_check_core_module_is_named() {
    let env = TestEnv::with_route("plugin = \"core.wasm\"");
    env.write("core.wasm", component::core_module());
    env.banhook(["config", "check"]).exits(2).complains(&["core.wasm", "core module", "wit-bindgen"]);
}

// Slack's own form, and what older scripts and Windows editors write.
#[test]
fn lint_takes_link_names_as_a_number_and_names_other_forms() {
    let env = TestEnv::new();
    env.write("names.json", r#"{"text": "a", "link_names": 1}"#);
    env.write("form.txt", r#"payload={"text": "a"}"#);
    env.banhook(["lint", "names.json", "form.txt"]).ok();
    env.write("bom.json", "\u{feff}{\"text\": \"a\"}");
    env.banhook(["lint", "bom.json"]).exits(2).complains(&["byte order mark"]);
}
