//! `setup` and `uninstall` with a real fail2ban on loopback: what they write, what they leave alone, and that every jail
//! blocks before, between and after.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::binary::{banhook, banhook_notify, require_root};
use crate::command_output::CommandOutput;
use crate::fail2ban::{Fail2ban, shipped_action};
use crate::test_env::{NOBODY, TestEnv};

/// An action that blocks, as far as anybody can see.
const BLOCKS: &str = "[Definition]\nactionban = true nft add <ip>\nactionunban = true\n";

/// How long setup may take with doctor at its end; an unoptimised build compiles plugins slowly.
const SOON: Duration = Duration::from_secs(120);

/// A host with a running fail2ban whose jails `sshd` and `logins` block, and no banhook.
struct Host<'a> {
    env: &'a TestEnv,
    server: Fail2ban<'a>,
}

impl<'a> Host<'a> {
    fn start(env: &'a TestEnv) -> Self {
        Self::start_edited(env, |_| {})
    }

    fn start_edited(env: &'a TestEnv, edit: impl FnOnce(&Path)) -> Self {
        fs::rename(env.path("main.url"), env.path("given.url")).unwrap();
        fs::remove_file(env.config()).unwrap();
        let server = Fail2ban::start_edited(env, banhook_notify(), "", |folder| {
            fs::remove_file(folder.join("action.d/banhook.conf")).unwrap();
            fs::write(folder.join("action.d/block.conf"), BLOCKS).unwrap();
            fs::create_dir(folder.join("jail.d")).unwrap();
            let jails = fs::read_to_string(folder.join("jail.conf")).unwrap();
            let stock = jails.lines().map(|line| match line.starts_with("action = ") {
                true => "action_ = block\naction = %(action_)s",
                false => line,
            });
            fs::write(folder.join("jail.conf"), stock.collect::<Vec<_>>().join("\n")).unwrap();
            edit(folder);
        });
        fs::create_dir(env.path("bin")).unwrap();
        let client = server.client_line().replace("fail2ban-client", "/usr/bin/fail2ban-client");
        let script = env.write("bin/fail2ban-client", format!("#!/bin/sh\nexec {client} \"$@\"\n"));
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
        Self { env, server }
    }

    /// `banhook COMMAND` for this fail2ban.
    fn command(&self, name: &str) -> Command {
        let mut command = self.env.command(banhook());
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.env.path("bin").display());
        command.arg(name).arg("--fail2ban").arg(self.server.folder()).env("PATH", path);
        command
    }

    fn setup(&self, arguments: &[&str]) -> CommandOutput {
        let url = self.env.path("given.url");
        let output = CommandOutput::within(self.command("setup").arg("--url-file").arg(url).args(arguments), SOON);
        assert!(!output.to_string().contains(self.env.webhook.secret()), "{output}");
        output
    }

    fn uninstall(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::within(self.command("uninstall").args(arguments), SOON)
    }

    /// The actions of each running jail.
    fn running(&self) -> BTreeMap<&'static str, String> {
        let actions = |jail| self.server.client(&format!("get {jail} actions")).ok().stdout;
        ["sshd", "logins"].map(|jail| (jail, actions(jail).lines().nth(1).unwrap_or_default().to_owned())).into()
    }

    /// The configured actions of each jail, as the next restart reads them, by fail2ban's own client.
    fn configured(&self) -> BTreeMap<&'static str, String> {
        let dump = self.server.client("-d").ok().stdout;
        assert!(!dump.contains("config-error"), "{dump}");
        let actions = |jail: &str| {
            let begin = format!("['set', '{jail}', 'addaction', '");
            let names = dump.lines().filter_map(|line| line.strip_prefix(&begin)?.strip_suffix("']"));
            names.collect::<Vec<_>>().join(", ")
        };
        ["sshd", "logins"].map(|jail| (jail, actions(jail))).into()
    }

    fn jails_file(&self) -> PathBuf {
        self.server.folder().join("jail.d/banhook.conf")
    }

    fn action_file(&self) -> PathBuf {
        self.server.folder().join("action.d/banhook.conf")
    }

    /// Every file that setup may write, with its text, mode and time of change.
    fn files(&self) -> Vec<(PathBuf, String, u32, i64)> {
        let files = [self.env.config(), self.env.path("main.url"), self.action_file(), self.jails_file()];
        let existing = files.into_iter().filter_map(|path| Some((fs::metadata(&path).ok()?, path)));
        existing
            .map(|(meta, path)| {
                let text = fs::read_to_string(&path).unwrap();
                (path, text, meta.mode() & 0o7777, meta.mtime_nsec())
            })
            .collect()
    }
}

fn actions(sshd: &str, logins: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([("sshd", sshd.to_owned()), ("logins", logins.to_owned())])
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_of_a_fresh_host_is_tested_end_to_end_and_uninstall_leaves_what_was_there() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    host.server.client("set sshd banip 203.0.113.9").ok();
    let before = (host.configured(), host.running());
    assert_eq!(before, (actions("block", "block"), actions("block", "block")));

    let output = host.setup(&[]).ok();
    for line in
        ["wrote ", "banhook's action will be in the jails logins and sshd", "restarted the jails", "ok    send: "]
    {
        assert!(output.stdout.contains(line), "{line}: {output}");
    }
    let after = actions("block, banhook", "block, banhook");
    assert_eq!((host.configured(), host.running()), (after.clone(), after));
    let files = host.files();
    assert_eq!(files.iter().map(|(.., mode, _)| *mode).collect::<Vec<_>>(), [0o644, 0o600, 0o644, 0o644]);
    assert_eq!(files[1].1, fs::read_to_string(env.path("given.url")).unwrap());
    assert!(files[2].1.ends_with(&shipped_action()) && files[2].1.starts_with("# Written by"), "{files:?}");
    assert!(host.server.client("status sshd").ok().stdout.contains("203.0.113.9"), "the ban stays");

    let second = host.setup(&[]).ok();
    assert!(second.stdout.contains("nothing was changed") && !second.stdout.contains("wrote"), "{second}");
    assert_eq!(host.files(), files);

    host.uninstall(&["--purge"]).ok();
    assert_eq!(host.files(), []);
    assert!(!env.state().exists());
    assert_eq!((host.configured(), host.running()), before);
    assert!(host.server.client("status sshd").ok().stdout.contains("203.0.113.9"), "the ban stays");
    assert!(host.uninstall(&[]).ok().stdout.contains("nothing of banhook is here"));
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_of_some_jails_keeps_to_them_until_others_are_named() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    host.setup(&["--jail", "sshd", "--no-doctor"]).ok();
    assert_eq!(host.configured(), actions("block, banhook", "block"));
    assert!(host.setup(&["--no-doctor"]).ok().stdout.contains("nothing was changed"));
    host.setup(&["--jail", "logins", "--jail", "sshd", "--no-doctor"]).ok();
    assert_eq!(host.configured(), actions("block, banhook", "block, banhook"));
    assert_eq!(host.running(), actions("block", "block"), "nothing was restarted");
    host.setup(&["--jail", "nginx"]).exits(2).complains(&["no enabled jail nginx", "logins and sshd"]);
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_names_the_jails_that_have_an_action_of_their_own() {
    let env = TestEnv::new();
    let host = Host::start_edited(&env, |folder| {
        fs::write(folder.join("jail.local"), "[logins]\n\naction = block[actname=own]\n").unwrap();
    });
    let output = host.setup(&[]).exits(1);
    let line = format!(
        "TO DO: the jail logins: `action` is set at {}/jail.local:3, under [logins]",
        host.server.folder().display()
    );
    assert!(output.stdout.contains(&line) && !output.stdout.contains("send:"), "{output}");
    assert_eq!(host.configured(), actions("block, banhook", "own"));
    assert_eq!(host.running(), host.configured());

    // As it says: the printed line goes below.
    let added = output.stdout.lines().find(|line| line.trim().starts_with("banhook[")).unwrap();
    let mut local = fs::OpenOptions::new().append(true).open(host.server.folder().join("jail.local")).unwrap();
    writeln!(local, "{added}").unwrap();
    assert!(host.setup(&["--no-doctor"]).ok().stdout.contains("nothing was changed"));
    assert_eq!(host.configured(), actions("block, banhook", "own, banhook"));

    // The jail in jail.local still names the action: without its file fail2ban would drop the jail.
    let kept = host.uninstall(&["--no-restart"]).exits(1);
    assert!(kept.stdout.contains("jail.local:4 names it") && host.action_file().exists(), "{kept}");
    assert_eq!(host.configured(), actions("block", "own, banhook"));
    fs::write(host.server.folder().join("jail.local"), "").unwrap();
    host.uninstall(&[]).ok();
    assert!(!host.action_file().exists());
    assert_eq!(host.configured(), actions("block", "block"));
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_never_replaces_an_action_of_the_administrator() {
    for (file, other) in [("jail.local", "in a later file"), ("jail.d/aaa.conf", "in an earlier file")] {
        let env = TestEnv::new();
        let host = Host::start_edited(&env, |folder| {
            fs::write(folder.join(file), "[DEFAULT]\naction = block[actname=mine]\n").unwrap();
        });
        for arguments in [&["--no-doctor"][..], &["--no-doctor", "--jail", "sshd"]] {
            let output = host.setup(arguments).exits(1);
            let words = format!("`action` is set at {}/{file}:2, under [DEFAULT]", host.server.folder().display());
            assert!(output.stdout.contains(&words), "{other}: {output}");
            assert!(!host.jails_file().exists(), "{other}: {output}");
            assert_eq!(host.configured(), actions("mine", "mine"), "{other}");
        }
    }
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_with_an_unreadable_fail2ban_writes_no_jails() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    fs::remove_file(host.server.folder().join("filter.d/sshd.conf")).unwrap();
    let output = host.setup(&[]).exits(1);
    assert!(output.stdout.contains("fail2ban's configuration has an error"), "{output}");
    assert!(output.stdout.contains("    [DEFAULT]\n    action = %(action_)s\n"), "{output}");
    assert!(!host.jails_file().exists() && env.config().exists());
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_dry_run_shows_everything_but_the_secret_and_writes_nothing() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let output = host.setup(&["--dry-run"]).ok();
    for part in
        ["(the URL of the webhook)", "url_file = \"main.url\"", "actionban = <banhook> ban", "action = %(action_)s"]
    {
        assert!(output.stdout.contains(part), "{part}: {output}");
    }
    assert_eq!(host.files(), []);
    assert_eq!(host.running(), actions("block", "block"));
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_and_uninstall_leave_files_alone_that_a_person_changed() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    host.setup(&["--no-doctor"]).ok();
    for file in [env.config(), host.jails_file()] {
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text + "# mine\n").unwrap();
    }
    let files = host.files();
    let output = host.setup(&["--no-doctor", "--jail", "sshd"]).ok();
    assert!(output.stdout.contains("it is yours"), "{output}");
    let kept = host.uninstall(&["--no-restart"]).exits(1);
    assert!(kept.stdout.contains("a person changed it") && kept.stdout.contains("names it"), "{kept}");
    assert_eq!(host.files(), files);

    // A packaged action file, and a URL that was changed later, are not setup's.
    fs::remove_file(host.jails_file()).unwrap();
    fs::remove_file(env.config()).unwrap();
    fs::write(host.action_file(), shipped_action()).unwrap();
    env.write("given.url", env.webhook.url().replace("/services/", "/services/X"));
    let again = host.setup(&["--no-doctor"]).ok();
    assert!(!again.stdout.contains("action.d") && again.stdout.contains("it has another URL"), "{again}");
    let now = fs::File::options().append(true).open(env.path("main.url")).unwrap();
    now.set_modified(std::time::SystemTime::now() + Duration::from_secs(60)).unwrap();
    let kept = host.uninstall(&["--no-restart"]).exits(1);
    assert!(kept.stdout.contains("it was not written by setup") && kept.stdout.contains("it has a secret"), "{kept}");
    let left: Vec<_> = host.files().into_iter().map(|(path, ..)| path).collect();
    assert_eq!(left, [env.path("main.url"), host.action_file()]);
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn uninstall_with_purge_removes_nothing_beside_a_daemon() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    host.setup(&["--no-doctor"]).ok();
    let files = host.files();
    let daemon = env.daemon();
    host.uninstall(&["--purge"]).exits(1).complains(&["another banhook is running"]);
    assert_eq!(host.files(), files);
    daemon.stop();
    env.write("state/mine", "");
    let purged = host.uninstall(&["--purge"]).ok();
    assert!(purged.stdout.contains("other files are left there") && env.path("state/mine").exists(), "{purged}");
    assert_eq!(fs::read_dir(env.state()).unwrap().count(), 1);
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_below_a_root_writes_only_there() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let root = env.path("root");
    let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap());
    let folder = inside(host.server.folder());
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    CommandOutput::of(Command::new("cp").arg("-r").arg(host.server.folder()).arg(&folder)).ok();
    let below = ["--root", root.to_str().unwrap()];
    let output = host.setup(&below).ok();
    assert!(output.stdout.contains("restart fail2ban there") && !output.stdout.contains("send:"), "{output}");
    assert_eq!(host.files(), [], "nothing outside");
    assert_eq!(host.running(), actions("block", "block"));
    for file in [env.config(), env.path("main.url"), host.action_file(), host.jails_file()] {
        assert!(inside(&file).is_file(), "{}", file.display());
    }
    let jails = fs::read_to_string(inside(&host.jails_file())).unwrap();
    let options =
        format!("banhook[options=\"--config={} --state-dir={}\"]", env.config().display(), env.state().display());
    assert!(jails.contains(&options), "{jails}");
    host.uninstall(&below).ok();
    assert!(!inside(&env.config()).exists() && !inside(&host.action_file()).exists());

    // A link in it must not lead out of it.
    let target = env.path("outside");
    fs::create_dir(&target).unwrap();
    let parent = inside(&env.config()).parent().unwrap().join("etc");
    symlink(&target, &parent).unwrap();
    let config = env.path("etc/config.toml");
    let output = host.setup(&[below[0], below[1], "--config", config.to_str().unwrap()]).exits(1);
    output.complains(&["leads out of"]);
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_gives_the_secret_to_the_group_of_the_user_that_runs_banhook() {
    require_root();
    let env = TestEnv::new();
    let host = Host::start(&env);
    fs::create_dir(env.state()).unwrap();
    chown(env.state(), Some(NOBODY), Some(NOBODY)).unwrap();
    host.setup(&["--no-doctor"]).ok();
    let meta = fs::metadata(env.path("main.url")).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (0, NOBODY, 0o640));
    fs::set_permissions(env.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    env.banhook(["config", "check"]).ok();
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_reads_the_url_from_standard_input_and_says_what_is_wrong_with_it() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let run = |input: &str| {
        let mut command = host.command("setup");
        command.arg("--no-doctor").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, error) = run("https://hooks.slack.com/SECRETPART\n");
    assert!(code == Some(2) && error.contains("the URL cannot be used") && !error.contains("SECRETPART"), "{error}");
    assert!(run("").1.contains("no URL was given"));
    assert_eq!(host.files(), []);
    assert_eq!(run(&format!("{}\n", env.webhook.url())), (Some(0), String::new()));
    assert_eq!(fs::read_to_string(env.path("main.url")).unwrap().trim(), env.webhook.url());
}

/// Runs a program on a terminal of its own, and types what comes after each prompt.
const TERMINAL: &str = "
import os, pty, sys, termios, time
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:sys.argv.index('--')])
typed, seen, waiting = sys.argv[sys.argv.index('--') + 1:], b'', 0
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    seen += part
    if typed and typed[0].encode() in seen[waiting:]:
        waiting = len(seen)
        # The terminal drops everything that is typed before the echo is off.
        while 'not shown' in typed[0] and termios.tcgetattr(terminal)[3] & termios.ECHO:
            time.sleep(0.01)
        os.write(terminal, os.environ[typed[1]].encode() + b'\\n')
        typed = typed[2:]
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn setup_on_a_terminal_asks_and_shows_no_url() {
    let env = TestEnv::new();
    let host = Host::start(&env);
    let inner = host.command("setup");
    let mut command = host.env.command("python3");
    command.args(["-c", TERMINAL]).arg(inner.get_program()).args(inner.get_args());
    command.args(["--no-doctor", "--", "is not shown): ", "TYPED_URL", "[all]: ", "TYPED_JAILS"]);
    let path = inner.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap();
    command.env("TYPED_URL", env.webhook.url()).env("TYPED_JAILS", "logins").env("PATH", path).env("TERM", "xterm");
    let output = CommandOutput::of(&mut command).ok();
    assert!(output.stdout.contains("Jails, with spaces between (logins and sshd)"), "{output}");
    assert!(!output.stdout.contains(env.webhook.secret()), "{output}");
    assert_eq!(fs::read_to_string(env.path("main.url")).unwrap().trim(), env.webhook.url());
    assert_eq!(host.configured(), actions("block", "block, banhook"));
}
