//! Bad input: one error line that says what to do, the documented exit code, and nothing partially stored.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::binary::{banhook, require};
use crate::command_output::CommandOutput;
use crate::component;
use crate::polling::until;
use crate::test_env::{NOBODY, TestEnv, content_of};
use crate::webhook::Fault;

#[test]
fn notify_missing_kind_or_jail_is_rejected() {
    let env = TestEnv::new();
    env.banhook(["notify", "--jail=sshd"]).exits(2).complains(&["ban", "unban", "start"]);
    env.banhook(["notify", "explode", "--jail=sshd"]).exits(2).complains(&["explode", "ban"]);
    env.banhook(["notify", "ban", "--ip=203.0.113.7"]).exits(2).complains(&["--jail"]);
    env.banhook(["notify", "ban", "--jail=", "--ip=203.0.113.7"]).exits(2).complains(&["jail"]);
    env.banhook(["notify", "ban", "--jail=<name>", "--ip=203.0.113.7"]).exits(2).complains(&["jail"]);
    assert_eq!(env.ledger().received, 0);
}

#[test]
fn notify_invalid_optional_value_warns_and_is_omitted() {
    for (option, named) in [
        ("--failures=many", "failures"),
        ("--failures=-77", "failures"),
        ("--time=yesterday", "time"),
        ("--bantime=a week", "bantime"),
        ("--bancount=twice", "bancount"),
        ("--restored=maybe", "restored"),
    ] {
        let env = TestEnv::new();
        let output = env.banhook(["notify", "ban", "--jail=sshd", "--ip=203.0.113.7", option]).ok();
        output.complains(&[named]);
        let message = &env.webhook.wait_for(1)[0];
        assert!(message.contains(&["203.0.113.7"]), "{}", message.shown());
        let value = option.split_once('=').unwrap().1;
        assert!(!message.contains(&[value]), "{value}: {}", message.shown());
    }
}

#[test]
fn notify_unreplaced_fail2ban_tag_is_omitted() {
    let env = TestEnv::new();
    let line = "ban --jail=sshd --ip=203.0.113.7 --failures=<failures> --time=<time> --bantime=<bantime> \
                --bancount=<bancount> --restored=<restored>";
    let output = env.notify(line);
    assert_eq!(output.stderr, "", "an old fail2ban is no reason for a warning: {output}");
    let message = &env.webhook.wait_for(1)[0];
    assert!(!message.shown().contains('<'), "{}", message.shown());
}

#[test]
fn notify_invalid_utf8_stays_readable() {
    let env = TestEnv::new();
    let subject = OsStr::from_bytes(b"--ip=caf\xe9 \xff\xfe bob");
    env.banhook([OsStr::new("notify"), OsStr::new("ban"), OsStr::new("--jail=logins"), subject]).ok();
    let message = &env.webhook.wait_for(1)[0];
    assert!(message.contains(&["caf", "bob"]), "{}", message.shown());
    assert!(message.contains(&[r"caf\xE9 \xFF\xFE bob"]), "{}", message.shown());
}

#[test]
fn notify_control_characters_are_neutralized() {
    let env = TestEnv::new();
    env.banhook(["notify", "ban", "--jail=logins", "--ip=a\u{1b}[31mred\u{202e}desrever\u{7}\u{0085}z"]).ok();
    let message = &env.webhook.wait_for(1)[0];
    assert!(message.contains(&["red", "desrever", "z"]), "{}", message.shown());
    let bad = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || c == '\u{202e}';
    assert!(!message.shown().contains(bad) && !message.text().contains(bad), "{:?}", message.shown());
}

#[test]
fn cli_unknown_option_is_rejected() {
    let env = TestEnv::new();
    // clap's usage errors are several lines: people type these commands.
    for (words, named) in [(&["run", "--untill-idle"][..], "'--until-idle'"), (&["drian"], "'drain'")] {
        let output = env.banhook(words).exits(2);
        assert!(output.stderr.contains(named), "{output}");
    }
}

#[test]
fn config_check_unknown_key_suggests_nearest() {
    let env = TestEnv::with_route("plugn = \"sec.wasm\"");
    for command in ["check", "run"] {
        config(&env, command).exits(2).complains(&["plugn", "plugin", "config.toml"]);
    }
}

#[test]
fn config_check_invalid_toml_names_the_file() {
    let env = TestEnv::with_route("jails = [");
    config(&env, "check").exits(2).complains(&["config.toml"]);
}

#[test]
fn config_check_missing_configuration_names_the_file() {
    let env = TestEnv::new();
    fs::remove_file(env.config()).unwrap();
    config(&env, "check").exits(2).complains(&["config.toml"]);
}

#[test]
fn config_check_missing_plugin_names_the_file() {
    let env = TestEnv::with_route("plugin = \"sec.wasm\"");
    config(&env, "check").exits(2).complains(&["config.toml:", "sec.wasm"]);
}

#[test]
fn config_check_component_of_another_world_names_missing_export() {
    let env = TestEnv::with_route("plugin = \"clock.wasm\"");
    env.write("clock.wasm", component::of_another_world());
    config(&env, "check").exits(2).complains(&["clock.wasm", "formatter"]);
}

#[test]
fn config_check_invalid_component_names_the_file() {
    for content in [&b"#!/bin/sh\necho no\n"[..], b"", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0\xff\xff"] {
        let env = TestEnv::with_route("plugin = \"script.wasm\"");
        env.write("script.wasm", content);
        config(&env, "check").exits(2).complains(&["script.wasm"]);
    }
}

#[test]
fn config_check_invalid_url_is_rejected_without_showing_it() {
    for url in [
        "not a url TOPSECRET",
        "ftp://hooks.slack.com/services/T0/B0/TOPSECRET",
        "http://hooks.slack.com/services/T0/B0/TOPSECRET",
    ] {
        let env = TestEnv::new();
        env.write("main.url", url);
        let output = config(&env, "check").exits(2);
        output.complains(&["config.toml:2", "url"]);
        assert!(!output.stderr.contains("TOPSECRET") && !output.stdout.contains("TOPSECRET"), "{output}");
    }
}

#[test]
fn config_check_exposed_url_file_is_rejected() {
    let env = TestEnv::new();
    for (mode, command) in [(0o644, "o-rwx"), (0o620, "go-w")] {
        fs::set_permissions(env.path("main.url"), fs::Permissions::from_mode(mode)).unwrap();
        let output = config(&env, "check").exits(2);
        output.complains(&[
            "main.url contains a secret",
            &format!("mode {mode:04o}"),
            &format!("run: chmod {command} "),
        ]);
    }
}

#[test]
fn config_check_unknown_webhook_names_it() {
    let env = TestEnv::new();
    fs::write(
        env.config(),
        "[webhooks.main]\nurl_file = \"main.url\"\n\n[[routes]]\nname = \"all\"\nwebhook = \"mian\"\n",
    )
    .unwrap();
    config(&env, "check").exits(2).complains(&["mian"]);
}

/// Runs `config check`, or `run`, which reads the same configuration.
fn config(env: &TestEnv, command: &str) -> CommandOutput {
    match command {
        "check" => env.banhook(["config", "check"]),
        command => env.banhook([command]),
    }
}

#[test]
fn notify_state_dir_is_a_file_reports_error() {
    let env = TestEnv::new();
    env.write("state", "somebody's notes");
    env.banhook(["notify", "ban", "--jail=sshd", "--ip=203.0.113.7"]).exits(1).complains(&["state"]);
    assert_eq!(fs::read_to_string(env.state()).unwrap(), "somebody's notes");
}

#[test]
fn notify_unwritable_state_dir_reports_error() {
    let env = TestEnv::new();
    fs::create_dir(env.state()).unwrap();
    fs::set_permissions(env.state(), fs::Permissions::from_mode(0o555)).unwrap();
    // Root can write anywhere, and other users may not be able to read the binary.
    let copy = env.path("banhook");
    CommandOutput::of(env.command("cp").arg(banhook()).arg(&copy)).ok();
    fs::set_permissions(env.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = env.command(copy);
    command.args(["notify", "ban", "--jail=sshd", "--ip=203.0.113.7"]);
    if rustix::process::getuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    CommandOutput::of(&mut command).exits(1).complains(&["state"]);
    assert_eq!(fs::read_dir(env.state()).unwrap().count(), 0);
}

/// Fills a small disk with events until `notify` fails; then frees space.
const FILL_THE_DISK: &str = r#"
set -eu
mkdir -p "$BANHOOK_STATE_DIR"
[ "$SMALL_DISK" = limit ] || mount -t tmpfs -o size=1m small "$BANHOOK_STATE_DIR"
# With the signal ignored, a file over the limit is an error of write(2), like a full disk.
trap '' XFSZ
stored=0
set +e
while [ $stored -lt 5000 ]; do
    if [ "$SMALL_DISK" = limit ]; then
        (ulimit -f 512; exec "$BANHOOK" notify --no-spawn ban --jail=sshd --ip="user $stored" 2>error)
    else
        [ $stored -lt 3 ] || [ -e "$BANHOOK_STATE_DIR/ballast" ] || cat /dev/zero 2>/dev/null >"$BANHOOK_STATE_DIR/ballast"
        "$BANHOOK" notify --no-spawn ban --jail=sshd --ip="user $stored" 2>error
    fi
    code=$?
    [ $code = 0 ] || break
    stored=$((stored + 1))
done
rm -f "$BANHOOK_STATE_DIR/ballast"
"$BANHOOK" status --format json >after || exit 90
"$BANHOOK" notify --no-spawn ban --jail=sshd --ip="one more" || exit 91
"$BANHOOK" status --format json >later || exit 92
echo "$stored $code"
"#;

#[test]
fn notify_full_disk_reports_error_and_keeps_stored_events() {
    let env = TestEnv::new();
    // Root mounts a small disk in a new namespace; other users get a limit on the size of files.
    let can_mount = Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|probe| probe.status.success());
    let mut command = if can_mount { env.command("unshare") } else { env.command("sh") };
    command.args(if can_mount { &["-m", "sh", "-c"][..] } else { &["-c"] }).arg(FILL_THE_DISK);
    command.env("BANHOOK", banhook()).env("SMALL_DISK", if can_mount { "mount" } else { "limit" });
    let filled = CommandOutput::of(&mut command).ok();
    let (stored, code) = filled.stdout.trim().split_once(' ').unwrap_or_else(|| panic!("{filled}"));
    let stored: u64 = stored.parse().unwrap();
    assert!(stored >= 3, "{filled}");
    assert_eq!(code, "1", "{filled}");
    let error = fs::read_to_string(env.path("error")).unwrap();
    let lines = error.lines().filter(|line| !line.trim().is_empty()).count();
    assert!((1..=2).contains(&lines) && error.to_lowercase().contains("state"), "{error}");
    let received = |file: &str| {
        let json: serde_json::Value = serde_json::from_slice(&fs::read(env.path(file)).unwrap()).unwrap();
        json["received"].as_u64().unwrap()
    };
    assert_eq!(received("after"), stored, "{filled}");
    // It continues once there is space; what was refused may have left a part of a record.
    assert!((stored + 1..=stored + 2).contains(&received("later")), "{filled}");
}

#[test]
fn errors_never_contain_the_webhook_secret() {
    let env = TestEnv::new();
    env.webhook.stop();
    env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
    let outputs = [
        env.banhook(["drain", "--timeout", "1s"]).exits(1),
        env.banhook(["status"]),
        env.banhook(["status", "--format", "json"]),
        env.banhook(["config", "check"]),
    ];
    for output in outputs {
        assert!(!output.to_string().contains(env.webhook.secret()), "{output}");
    }
}

#[test]
fn webhook_answer_repeating_its_url_is_redacted_everywhere() {
    const KEY: &str = "XKEYX0123456789";
    let env = TestEnv::new();
    env.write("main.url", format!("{}?api_key={KEY}", env.webhook.url()));
    let statuses = ["400 Bad Request", "503 Service Unavailable", "307 Temporary Redirect", "404 Not Found"];
    // The last one for as long as anybody asks: once a message is accepted, its error is no longer shown.
    let last = std::iter::repeat_n("404 Not Found", 50);
    env.webhook.inject(&statuses.into_iter().chain(last).map(Fault::Echo).collect::<Vec<_>>());
    for (requests, last) in [(1, 1), (3, 2)] {
        env.notify(&format!("ban --jail=sshd --ip=203.0.113.{last}"));
        until("requests to the webhook", || match env.webhook.requests().len() {
            count if count >= requests => Ok(()),
            count => Err(format!("{count} requests")),
        });
    }
    // The webhook is suspended now. `drain` has it probed, by itself or by the run that is delivering.
    until("another request", || {
        let drained = env.banhook(["drain", "--timeout", "10s"]);
        if env.webhook.requests().len() >= statuses.len() { Ok(()) } else { Err(drained.to_string()) }
    });
    let outputs = [
        env.status(["status"]),
        env.status(["status", "--format", "json"]),
        env.banhook(["queue", "list"]).ok(),
        env.banhook(["queue", "list", "--format", "json"]).ok(),
        env.banhook(["queue", "show", "1"]).ok(),
        env.banhook(["queue", "show", "2", "--format", "json"]).ok(),
    ];
    let outputs: String = outputs.map(|output| output.to_string()).concat();
    let log = fs::read_to_string(env.state().join("banhook.log")).unwrap();
    for text in [&outputs, &log] {
        assert!(text.contains("… POST … no … here"), "{text}");
    }
    let stored = content_of(&env.state());
    for secret in [env.webhook.secret(), KEY] {
        assert!(!outputs.contains(secret) && !log.contains(secret), "{outputs}{log}");
        assert!(!stored.windows(secret.len()).any(|part| part == secret.as_bytes()), "it is in the state directory");
    }
}

#[test]
fn status_missing_configuration_is_reported() {
    let env = TestEnv::new();
    let status = || env.status(["status"]).stdout;
    let fresh = status();
    for words in ["Nothing is stored yet", "\nall          0 ", "\nwebhook main: nothing pending\n"] {
        assert!(fresh.contains(words), "{words:?} in {fresh}");
    }
    env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
    fs::remove_file(env.config()).unwrap();
    assert!(status().contains("The configuration cannot be loaded: "), "{}", status());
    assert!(status().contains("No daemon is running. "), "{}", status());
}

#[test]
fn state_dir_symlink_is_not_followed() {
    let env = TestEnv::new();
    env.webhook.stop();
    env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
    let elsewhere = env.path("elsewhere");
    for file in ["banhook.log", "writer.lock"] {
        std::os::unix::fs::symlink(&elsewhere, env.state().join(file)).unwrap();
    }
    env.notify("ban --jail=sshd --ip=203.0.113.8");
    env.banhook(["drain", "--timeout", "1s"]).exits(1).complains(&["writer.lock"]);
    assert!(!elsewhere.exists());
}

/// Reports a missing program here, rather than in the middle of another test.
#[test]
#[ignore = "needs fail2ban and strace: cargo xtask test"]
fn test_environment_required_programs_are_installed() {
    for (program, package) in [("fail2ban-client", "fail2ban"), ("strace", "strace"), ("unshare", "util-linux")] {
        require(program, package);
    }
    assert!(Path::new("/proc/self/cmdline").exists(), "the tests need /proc");
}
