//! A machine of its own for one document: namespaces in which blocks may change everything, and nothing of it stays.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::binary::{banhook, banhook_notify, require, require_mounts, root};
use crate::fleet::nats_server;
use crate::polling::until;
use crate::test_env::TestEnv;
use crate::webhook::{Webhook, shown};

/// How long one command may take; `banhook` compiles its plugin first.
const COMMAND_MAX: Duration = Duration::from_secs(120);

/// How long a command may take that downloads packages and builds a plugin with them.
const DOWNLOAD_MAX: Duration = Duration::from_secs(600);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The address that the documents ban.
const BANNED: &str = "203.0.113.7";

/// Has the directory in which the next command begins.
const DIRECTORY_FILE: &str = "/run/docs/directory";

/// Has the process group of a command that does not end by itself.
const GROUP_FILE: &str = "/run/docs/group";

/// The URLs in documents that stand for the reader's own webhook.
const EXAMPLE_URL: &str = "https://hooks.slack.com/";

/// A sandbox with a webhook on its loopback. It has no other network.
pub struct Sandbox {
    keeper: Child,
    /// Opened in the sandbox's network; closed by the same thread.
    webhook: Webhook,
    output: PathBuf,
    input: PathBuf,
}

/// A command that has ended.
pub struct Finished {
    pub code: Option<i32>,
    /// Standard output and standard error as a terminal would show them.
    pub output: String,
}

impl Finished {
    /// Returns an error with the output unless the command succeeded.
    pub fn success(self) -> Result<(), String> {
        match self.code {
            Some(0) => Ok(()),
            Some(code) => Err(format!("exit code {code}\n{}", self.output)),
            None => Err(format!("ended by a signal\n{}", self.output)),
        }
    }
}

impl Sandbox {
    /// Opens one, and moves the calling thread into its network for good.
    pub fn open(env: &TestEnv) -> Self {
        require_mounts();
        require("fail2ban-client", "fail2ban");
        require("python3", "python3");
        let mut keeper = with_environment(Command::new("unshare"))
            .current_dir("/")
            .args(["--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc", "sh", "-c"])
            .args([include_str!("sandbox.sh"), "sandbox.sh"])
            .args([root().canonicalize().unwrap(), banhook().to_owned(), banhook_notify().to_owned(), nats_server()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line != "ready\n" {
            let mut reason = String::new();
            keeper.stderr.take().unwrap().read_to_string(&mut reason).unwrap();
            panic!("the sandbox needs root, CAP_SYS_ADMIN and overlayfs: {reason}");
        }
        let network = File::open(format!("/proc/{}/ns/net", keeper.id())).unwrap();
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        Self { keeper, webhook: Webhook::open(), output: env.path("output"), input: env.path("input") }
    }

    /// Runs a shell script that stops at the first command that fails. The next command begins in the directory where it
    /// ends.
    pub fn sh(&self, script: &str) -> Finished {
        self.run(&["sh", "-e", "-c", &self.reported(script)], "")
    }

    /// Runs a shell script that also has the network of this machine.
    pub fn sh_with_network(&self, script: &str) -> Finished {
        // The thread that opened the sandbox is in its network, the process is not.
        let network = format!("--net=/proc/{}/ns/net", std::process::id());
        let child = self.spawn(&[&network], &["sh", "-e", "-c", &self.reported(script)], "");
        self.wait(child, DOWNLOAD_MAX, |_| false)
    }

    /// Runs a shell script that does not end by itself until its output contains a text.
    pub fn sh_until(&self, script: &str, text: &str) -> Result<(), String> {
        let script = format!("echo $$ >{GROUP_FILE}\n{}", self.localized(script));
        let child = self.spawn(&[], &["setsid", "sh", "-e", "-c", &script], "");
        let finished = self.wait(child, COMMAND_MAX, |output| output.contains(text));
        self.run(&["sh", "-c", "kill -TERM -- -$(cat \"$0\")", GROUP_FILE], "");
        if finished.output.contains(text) { Ok(()) } else { Err(format!("no {text:?} in\n{}", finished.output)) }
    }

    /// Completes a script so that it leaves behind in which directory it ended.
    fn reported(&self, script: &str) -> String {
        format!("trap 'pwd >{DIRECTORY_FILE}' EXIT\n{}", self.localized(script))
    }

    /// Writes a file, with the directories above it; one that exists keeps its permissions.
    pub fn write(&self, path: &str, content: &str) -> Result<(), String> {
        let script = "mkdir -p \"$(dirname \"$1\")\" && cat >\"$1\"";
        self.run(&["sh", "-c", script, "sh", path], &self.localized(content)).success()
    }

    /// Writes a file unless it exists.
    pub fn write_secret_if_missing(&self, path: &str, content: &str) -> Result<(), String> {
        match self.run(&["test", "-e", path], "").code {
            Some(0) => Ok(()),
            _ => {
                self.write(path, content)?;
                self.sh(&format!("chmod 600 {path}")).success().map(drop)
            }
        }
    }

    /// Returns the webhook's URL.
    pub fn url(&self) -> String {
        self.webhook.url()
    }

    /// Waits until the webhook has accepted the alert of the address that the documents ban.
    pub fn wait_for_alert(&self) {
        until("the alert", || {
            let shown = shown(&self.webhook.arrived());
            if shown.iter().any(|message| message.contains(BANNED)) { Ok(()) } else { Err(format!("{shown:?}")) }
        });
    }

    /// Returns the number of messages that the webhook accepted; panics if Slack would have rejected one.
    pub fn messages(&self) -> usize {
        self.webhook.arrived().len()
    }

    /// Runs a program with `input` as its standard input.
    pub fn run(&self, command: &[&str], input: &str) -> Finished {
        self.wait(self.spawn(&[], command, input), COMMAND_MAX, |_| false)
    }

    /// Starts a program, with options of `nsenter`.
    fn spawn(&self, options: &[&str], command: &[&str], input: &str) -> Child {
        let namespace = |option: &str, name: &str| format!("--{option}=/proc/{}/ns/{name}", self.keeper.id());
        fs::write(&self.input, input).unwrap();
        let output = File::create(&self.output).unwrap();
        with_environment(Command::new("nsenter"))
            .args([namespace("mount", "mnt"), namespace("pid", "pid_for_children"), namespace("uts", "uts")])
            .args(options)
            .args(["sh", "-c", "cd \"$(cat \"$0\")\" && exec \"$@\"", DIRECTORY_FILE])
            .args(command)
            // Files: a process that a command leaves in the background would keep a pipe open.
            .stdin(File::open(&self.input).unwrap())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap()
    }

    /// Waits until a program ends, or has printed what is enough.
    fn wait(&self, mut child: Child, longest: Duration, is_enough: impl Fn(&str) -> bool) -> Finished {
        let printed = || String::from_utf8_lossy(&fs::read(&self.output).unwrap()).into_owned();
        let deadline = Instant::now() + longest;
        let (status, late) = loop {
            match child.try_wait().unwrap() {
                Some(status) => break (Some(status), String::new()),
                None if is_enough(&printed()) => break (None, String::new()),
                None if Instant::now() > deadline => break (None, format!("\nstill running after {longest:?}")),
                None => std::thread::sleep(POLL_INTERVAL),
            }
        };
        if status.is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        Finished { code: status.and_then(|status| status.code()), output: printed() + &late }
    }

    /// Puts the sandbox's webhook in place of the documents' example URLs.
    fn localized(&self, text: &str) -> String {
        let mut localized = String::new();
        let mut rest = text;
        while let Some((before, example)) = rest.split_once(EXAMPLE_URL) {
            let end = example.find(|c: char| c.is_whitespace() || "\"'`<>)".contains(c)).unwrap_or(example.len());
            localized.extend([before, &self.webhook.url()]);
            rest = &example[end..];
        }
        localized + rest
    }
}

/// Gives a command the environment that root has after a login.
fn with_environment(mut command: Command) -> Command {
    command
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8");
    command
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Its first process ends, and with that every other one.
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}
