//! `banhook doctor` with a real fail2ban on loopback: a fault is planted, found, and named with its remedy. The table in
//! `docs/src/operating.md` lists every fault.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::binary::{banhook, banhook_notify, require_root, root};
use crate::clock_changes::library;
use crate::command_output::CommandOutput;
use crate::fail2ban::{Fail2ban, shipped_action};
use crate::https_webhook::HttpsWebhook;
use crate::test_env::{NOBODY, TestEnv};
use crate::webhook::Fault;

/// An action that blocks, as far as anybody can see.
const BLOCKS: &str = "[Definition]\nactionban = true nft add <ip>\nactionunban = true\n";
/// An action as many wrote it.
const CURL: &str =
    "[Definition]\nactionban = true curl -d <ip> https://hooks.slack.com/services/T/B/X\nactionunban = true\n";

/// How long doctor takes at most where nothing hangs; an unoptimised build compiles plugins slowly.
const SOON: Duration = Duration::from_secs(60);

/// A fail2ban whose jails block and report, and banhook, all of it well.
struct Host<'a> {
    env: &'a TestEnv,
    server: Fail2ban<'a>,
}

impl<'a> Host<'a> {
    fn start(env: &'a TestEnv) -> Self {
        Self::start_edited(env, |_| {})
    }

    /// The same, with fail2ban's configuration edited before it starts.
    fn start_edited(env: &'a TestEnv, edit: impl FnOnce(&Path)) -> Self {
        Self::start_with_action(env, &shipped_action(), edit)
    }

    fn start_with_action(env: &'a TestEnv, action: &str, edit: impl FnOnce(&Path)) -> Self {
        configure(env, "");
        env.notify("ban --jail=sshd --ip=203.0.113.1");
        env.wait_until_idle();
        env.end_runs();
        // Without events of starting jails, which may come at any moment.
        let lines: Vec<_> = action.lines().filter(|line| !line.starts_with("actionstart =")).collect();
        let server = Fail2ban::start_edited(env, banhook_notify(), &lines.join("\n"), |folder| {
            fs::write(folder.join("action.d/block.conf"), BLOCKS).unwrap();
            fs::write(folder.join("action.d/old-chat.conf"), CURL).unwrap();
            replace(&folder.join("jail.conf"), "action = banhook", "action = block\n         banhook");
            edit(folder);
        });
        let host = Self { env, server };
        host.write_client(&host.server.client_line().replace("fail2ban-client", "/usr/bin/fail2ban-client"));
        host
    }

    /// Makes `fail2ban-client` ask this server.
    fn write_client(&self, command: &str) {
        fs::create_dir_all(self.env.path("bin")).unwrap();
        let client = self.env.write("bin/fail2ban-client", format!("#!/bin/sh\nexec {command} \"$@\"\n"));
        fs::set_permissions(client, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = self.env.command(banhook());
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.env.path("bin").display());
        command.arg("doctor").env("PATH", path);
        command
    }

    fn doctor(&self) -> CommandOutput {
        CommandOutput::within(&mut self.command(), SOON)
    }
}

/// The usual configuration, with more lines at its end; fail2ban's database is the server's.
fn configure(env: &TestEnv, lines: &str) {
    env.configure(&format!("{lines}\n[fail2ban]\ndatabase = \"{}\"", env.path("fail2ban/bans.sqlite3").display()));
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

impl CommandOutput {
    /// Fails unless doctor finds this with this remedy, and finds nothing else. `level`: `FAIL` or `warn`.
    #[track_caller]
    fn finds_only(&self, level: &str, words: &str, remedy: &str) {
        let other: Vec<_> = self.lines_of(level, words, remedy);
        assert!(other.is_empty(), "it finds more: {other:#?}\n{self}");
    }

    /// Fails unless doctor finds this with this remedy; returns what else it finds.
    #[track_caller]
    pub fn lines_of(&self, level: &str, words: &str, remedy: &str) -> Vec<&str> {
        let lines: Vec<_> = self.stdout.lines().collect();
        let is_found =
            |pair: &&[&str]| pair[0].starts_with(level) && pair[0].contains(words) && pair[1].contains(remedy);
        assert!(lines.windows(2).any(|pair| is_found(&pair)), "no {level} {words:?} with {remedy:?}: {self}");
        let has_failed = lines.iter().any(|line| line.starts_with("FAIL"));
        assert_eq!(self.code, Some(i32::from(has_failed)), "{self}");
        let row = format!("| `{words}` | {remedy} |");
        let documented = fs::read_to_string(root().join("docs/src/operating.md")).unwrap();
        assert!(documented.contains(&row), "docs/src/operating.md has no row: {row}");
        let is_other = |line: &&str| !line.starts_with("ok") && !line.starts_with(' ') && !line.contains(words);
        lines.into_iter().filter(is_other).collect()
    }
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_of_a_healthy_host_finds_nothing_and_changes_nothing() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let (messages, received) = (env.webhook.arrived().len(), env.ledger().received);
    let output = host.doctor().ok();
    assert!(output.stdout.lines().all(|line| line.starts_with("ok")), "{output}");
    for check in ["fail2ban", "jails", "configuration", "state", "disk", "webhook", "clock"] {
        assert!(output.stdout.contains(&format!("ok    {check}: ")), "{output}");
    }
    assert_eq!((env.webhook.arrived().len(), env.ledger().received), (messages, received));
    assert!(!output.stdout.contains(env.webhook.secret()), "{output}");
    let json = CommandOutput::of(host.command().args(["--format", "json"])).ok();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["worst"], "ok", "{json}");
    assert_eq!(json["findings"].as_array().unwrap().len(), output.stdout.lines().count(), "{json}");
    host.server.assert_no_errors();
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_without_client_says_so() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let output = CommandOutput::of(host.command().env("PATH", "/nonexistent"));
    output.finds_only("FAIL", "fail2ban-client is not found", "install fail2ban");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_of_a_stopped_fail2ban_says_so() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    host.server.stop();
    env.wait_until_idle();
    host.doctor().finds_only("FAIL", "fail2ban is not running", "systemctl start fail2ban");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_of_a_busy_fail2ban_waits_for_no_jail_and_goes_on() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let pid = host.server.pid().unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let output = host.doctor();
    kill_process(pid, Signal::CONT).unwrap();
    output.finds_only("warn", "fail2ban did not answer within 10 s", "run doctor again");
    assert!(output.took < SOON && output.stdout.contains("ok    webhook"), "{output}");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_of_a_fail2ban_that_becomes_busy_says_how_many_jails_it_checked() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let client = host.server.client_line().replace("fail2ban-client", "/usr/bin/fail2ban-client");
    let stop =
        format!("case \"$*\" in 'get sshd actions') kill -STOP {};; esac", host.server.pid().unwrap().as_raw_nonzero());
    let script = env.path("bin/fail2ban-client");
    fs::write(&script, format!("#!/bin/sh\n{stop}\nexec {client} \"$@\"\n")).unwrap();
    let output = host.doctor();
    kill_process(host.server.pid().unwrap(), Signal::CONT).unwrap();
    output.finds_only("warn", "checked 1 of 2 jails", "run doctor again");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_that_no_jail_has_the_action() {
    let env = TestEnv::new();
    let host = Host::start_edited(&env, |folder| {
        let jails = fs::read_to_string(folder.join("jail.conf")).unwrap();
        let without: Vec<_> = jails.lines().filter(|line| !line.trim().starts_with("banhook")).collect();
        fs::write(folder.join("jail.conf"), without.join("\n")).unwrap();
    });
    host.doctor().finds_only("FAIL", "no jail has banhook's action", "put into jail.local");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_jail_without_the_action() {
    let env = TestEnv::new();
    let host = Host::start_edited(&env, |folder| {
        replace(&folder.join("jail.conf"), "[logins]\n", "[logins]\naction = block\n");
    });
    host.doctor().finds_only("warn", "the jail logins without banhook's action", "put into jail.local");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_an_action_that_blocks_nobody() {
    let env = TestEnv::new();
    let host = Host::start_edited(&env, |folder| {
        replace(&folder.join("jail.conf"), "action = block\n        ", "action =");
    });
    host.doctor().finds_only("FAIL", "attackers are reported and not banned", "put into jail.local");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_an_old_action_that_posts_too() {
    let env = TestEnv::new();
    let host = Host::start_edited(&env, |folder| {
        replace(&folder.join("jail.conf"), "action = block\n", "action = block\n         old-chat\n");
    });
    let output = host.doctor();
    output.finds_only("warn", "posts to a chat too", "remove old-chat from `action`");
    assert!(!output.stdout.contains("hooks.slack.com"), "{output}");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_an_action_that_a_reload_did_not_add() {
    let env = TestEnv::new();
    let host = Host::start_edited(&env, |folder| {
        replace(&folder.join("jail.conf"), "[logins]\n", "[logins]\naction = block\n");
    });
    replace(&host.server.folder().join("jail.conf"), "[logins]\naction = block\n", "[logins]\n");
    host.server.client("reload").ok();
    let output = host.doctor();
    let other = output.lines_of("FAIL", "fail2ban does not run it", "systemctl restart fail2ban");
    assert_eq!(other.len(), 1, "that the jail is without the action: {output}");
    host.server.client("restart").ok();
    env.wait_until_idle();
    assert!(host.doctor().ok().stdout.lines().all(|line| line.starts_with("ok")));
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_configuration_of_fail2ban_that_cannot_be_read() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    fs::remove_file(host.server.folder().join("filter.d/sshd.conf")).unwrap();
    let words = "fail2ban's configuration has an error";
    host.doctor().finds_only("FAIL", words, "fail2ban-client -t shows what is wrong");
}

/// Plants a fault in the command of the action that runs on a ban.
#[track_caller]
fn doctor_of_ban_command(from: &str, to: &str, level: &str, words: &str, remedy: &str) {
    let env = TestEnv::new();
    let shipped = shipped_action();
    assert!(shipped.contains(from), "{shipped}");
    let lines = shipped.lines().map(|line| match line.starts_with("actionban =") {
        true => line.replace(from, to),
        false => line.to_owned(),
    });
    let host = Host::start_with_action(&env, &lines.collect::<Vec<_>>().join("\n"), |_| {});
    host.doctor().finds_only(level, words, remedy);
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_tag_in_single_quotes() {
    let remedy = "put each tag in double quotes";
    doctor_of_ban_command("\"<ip>\"", "'<ip>'", "FAIL", "<ip> is in single quotes", remedy);
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_tag_without_quotes() {
    doctor_of_ban_command("\"<ip>\"", "<ip>", "FAIL", "<ip> is not in quotes", "put each tag in double quotes");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_tag_with_text_of_a_log() {
    let with_matches = "--failures=\"<failures>\" --host=\"<F-USER>\"";
    doctor_of_ban_command(
        "--failures=\"<failures>\"",
        with_matches,
        "FAIL",
        "actionban passes <F-USER>",
        "remove the tag",
    );
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_misspelt_option() {
    let words = "ignored the unknown option \"--hots\"";
    doctor_of_ban_command("--failures=", "--hots=a --failures=", "warn", words, "correct options= in jail.local");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_program_that_is_not_there() {
    let env = TestEnv::new();
    let host = Host::start_edited(&env, |folder| {
        replace(&folder.join("jail.conf"), "banhook[banhook=\"", "banhook[banhook=\"/nonexistent");
    });
    host.doctor().finds_only("FAIL", "which is no program that can be run", "install banhook there");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_an_action_with_another_state_directory() {
    let env = TestEnv::new();
    let host = Host::start_edited(&env, |folder| {
        let here = format!("--state-dir={}", env.state().display());
        replace(&folder.join("jail.conf"), &here, &format!("--state-dir={}", env.path("elsewhere").display()));
    });
    host.doctor().finds_only("FAIL", "the action uses the state directory", "give both the same --state-dir");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_that_action_and_log_are_both_used() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    configure(&env, &format!("[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"\n", host.server.log_path().display()));
    host.doctor().finds_only("warn", "are reported by the action and read in", "one is enough");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_another_database_of_fail2ban() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    env.configure("");
    host.doctor().finds_only("warn", "bans come without log lines", "under [fail2ban], or database = false");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_jails_without_a_route() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    configure(&env, "jails = [\"sshd\"]");
    host.doctor().finds_only("warn", "no route matches bans of the jail logins", "add them to `jails` of a route");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_misspelt_jail() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    configure(&env, "jails = [\"*\", \"sshdd\"]");
    host.doctor().finds_only("warn", "\"sshdd\" matches no known jail", "did you mean \"sshd\"?");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_broken_configuration() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    configure(&env, "pluggin = \"x.wasm\"");
    host.doctor().finds_only("FAIL", "unknown key \"pluggin\"", "did you mean \"plugin\"?");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_broken_plugin() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    env.write("x.wasm", "no plugin");
    configure(&env, "plugin = \"x.wasm\"");
    host.doctor().finds_only(
        "FAIL",
        "plugin x.wasm is not a WebAssembly component",
        "use the .wasm file that your toolchain built",
    );
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_configuration_that_others_may_write() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    set_mode(&env.config(), 0o666);
    host.doctor().finds_only("warn", "others than its owner may write", "run: chmod go-w");
}

#[test]
#[ignore = "needs fail2ban, and root to act as another user: cargo xtask test"]
fn doctor_finds_a_file_that_the_owner_of_the_state_directory_cannot_read() {
    require_root();
    let env = TestEnv::new();
    let host = Host::start(&env);
    set_mode(&env.path(""), 0o755);
    set_mode(&env.path("fail2ban/bans.sqlite3"), 0o644);
    for file in fs::read_dir(env.state()).unwrap() {
        chown(file.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    chown(env.state(), Some(NOBODY), Some(NOBODY)).unwrap();
    let output = host.doctor();
    output.lines_of("FAIL", "user nobody cannot read", "run: chown nobody:");
    assert!(output.stdout.contains("ok    fail2ban"), "fail2ban is asked as root: {output}");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_state_directory_that_others_may_write() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    set_mode(&env.state(), 0o777);
    host.doctor().finds_only("FAIL", "others than its owner may write", "run: chmod go-w");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_damaged_store() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let database = fs::read_dir(env.state()).unwrap().flatten().map(|entry| entry.path());
    for file in database.filter(|path| path.extension().is_some_and(|end| end == "sqlite3")) {
        fs::write(file, [b'x'; 8_192]).unwrap();
    }
    host.doctor().finds_only("FAIL", "is damaged", "move it, with -wal and -shm, away");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_suspended_webhook() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    env.webhook.inject(&[Fault::NoService; 3]);
    env.notify("ban --jail=sshd --ip=203.0.113.7 --no-spawn");
    env.banhook(["drain", "--timeout", "3s"]);
    let output = host.doctor();
    output.lines_of("FAIL", "webhook main is suspended", "put a working URL into the webhook's URL file");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_dead_messages() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    env.webhook.inject(&[Fault::Rejected; 3]);
    env.notify("ban --jail=sshd --ip=203.0.113.7 --no-spawn");
    env.banhook(["drain", "--timeout", "3s"]);
    host.doctor().finds_only("FAIL", "1 dead message of webhook main", "banhook queue list --dead shows why");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_events_that_nobody_delivers() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    env.notify("ban --jail=sshd --ip=203.0.113.7 --no-spawn");
    host.doctor().finds_only("warn", "1 event pending, and no daemon is running", "run `banhook drain`");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_server_that_does_not_run() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    env.webhook.stop();
    host.doctor().finds_only("FAIL", "no connection: Connection refused", "see that the server runs");
}

/// Plants another webhook's URL, with more lines in its table.
#[track_caller]
fn doctor_of_webhook(url: &str, lines: &str, words: &str, remedy: &str) {
    let env = TestEnv::new();
    let host = Host::start(&env);
    env.write("main.url", url);
    env.configure_both(lines, &format!("[fail2ban]\ndatabase = \"{}\"", env.path("fail2ban/bans.sqlite3").display()));
    host.doctor().finds_only("FAIL", words, remedy);
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_host_that_does_not_exist() {
    let lines = "target = \"mattermost\"";
    let remedy = "see that this host resolves names";
    doctor_of_webhook("https://chat.invalid/hooks/xyz", lines, "failed to lookup address", remedy);
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_finds_a_proxy_that_does_not_run() {
    let lines = "target = \"mattermost\"\nproxy = \"http://127.0.0.1:9\"";
    doctor_of_webhook(
        "https://chat.invalid/hooks/xyz",
        lines,
        "no connection through the proxy",
        "correct proxy of the webhook",
    );
}

#[test]
#[ignore = "needs fail2ban, python3 and openssl: cargo xtask test"]
fn doctor_finds_a_certificate_that_nobody_trusts() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let webhook = HttpsWebhook::open(&env);
    env.write("main.url", webhook.url());
    host.doctor().finds_only("FAIL", "invalid peer certificate", "install the package ca-certificates");
}

#[test]
#[ignore = "needs fail2ban and faketime: cargo xtask test"]
fn doctor_finds_a_clock_that_is_wrong() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let at = |time: &str| {
        let mut command = host.command();
        command.env("LD_PRELOAD", library()).env("FAKETIME", time).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        CommandOutput::within(&mut command, SOON)
    };
    at("+1h").finds_only("warn", "the clock is 60 minutes ahead of", "set the clock");
    at("2001-01-01 00:00:00").finds_only("FAIL", "the clock was never set", "set the clock");
}

/// Runs `doctor --send`, after which everything is delivered.
fn send(host: &Host<'_>) -> CommandOutput {
    CommandOutput::within(host.command().arg("--send"), SOON * 3)
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_send_goes_from_the_action_to_the_webhook_and_bans_nobody() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let before = (env.webhook.arrived().len(), env.ledger().received);
    for daemon in [None, Some(env.daemon())] {
        let (messages, received) = (env.webhook.arrived().len(), env.ledger().received);
        let output = send(&host).ok();
        let words = "by the route all to the webhook main, which accepted it";
        assert!(output.stdout.lines().all(|line| line.starts_with("ok")) && output.stdout.contains(words), "{output}");
        let arrived = env.webhook.wait_for(messages + 1);
        let shown = arrived[messages].shown();
        assert!(shown.contains("banhook-doctor-test-") && shown.contains("logins"), "{shown}");
        assert_eq!(env.wait_until_idle().received, received + 1);
        drop(daemon);
    }
    assert_eq!((env.webhook.arrived().len(), env.ledger().received), (before.0 + 2, before.1 + 2));
    let banned = host.server.client("banned").ok();
    assert!(!banned.stdout.contains("banhook-doctor"), "{banned}");
    host.server.assert_no_errors();
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_send_to_a_webhook_that_rejects_it_says_so() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    env.webhook.inject(&[Fault::Rejected; 2]);
    let output = send(&host);
    output.finds_only("FAIL", "on the route all, is dead", "banhook queue list --dead shows why");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_send_by_a_route_of_no_jail_says_so() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    configure(&env, "jails = [\"recidive\"]");
    let other = send(&host);
    let other =
        other.lines_of("FAIL", "no route matches a ban in the jail", "run `banhook config explain ban --jail logins`");
    assert_eq!(other.len(), 1, "that no route matches the jails: {other:#?}");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn doctor_send_by_an_action_that_fails_says_so() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    host.server.client("set logins action banhook actionban false").ok();
    let output = send(&host);
    output.lines_of("FAIL", "the command of the action banhook in the jail logins failed", "correct the action file");
}
