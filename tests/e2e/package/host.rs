//! A Debian host of its own, into which packages are installed: the small root that `cargo xtask test` made, with
//! Debian's fail2ban, its own network and firewall, and a webhook on loopback. Nothing of it stays.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::binary::{require, require_mounts, require_root};
use crate::command_output::CommandOutput;
use crate::polling::until;
use crate::webhook::Webhook;

/// How long a command may take: apt, and an unoptimised banhook that compiles its plugin first.
const COMMAND_MAX: Duration = Duration::from_secs(120);

/// A host. Its processes end on drop.
pub struct Host {
    keeper: Child,
    pub webhook: Webhook,
}

impl Host {
    /// Opens one, and moves the calling thread into its network for good.
    pub fn open() -> Self {
        require_root();
        require_mounts();
        require("debootstrap", "debootstrap");
        let mut keeper = Command::new("unshare")
            .current_dir("/")
            .args(["--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc", "sh", "-c"])
            .args([include_str!("host.sh"), "host.sh"])
            .args([made("BANHOOK_DEBIAN_ROOT"), made("BANHOOK_PACKAGES")])
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
            panic!("the host needs root, CAP_SYS_ADMIN and overlayfs: {reason}");
        }
        let network = File::open(format!("/proc/{}/ns/net", keeper.id())).unwrap();
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        Self { keeper, webhook: Webhook::open() }
    }

    /// A command on the host, by root after a login. The calling thread is in its network, or a thread that one started.
    pub fn command(&self, command: &[&str]) -> Command {
        let namespace = |option: &str, name: &str| format!("--{option}=/proc/{}/ns/{name}", self.keeper.id());
        let mut nsenter = Command::new("nsenter");
        nsenter
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args([namespace("mount", "mnt"), namespace("pid", "pid_for_children"), namespace("uts", "uts")])
            .args(["chroot", "/mnt/root"])
            .args(command);
        nsenter
    }

    /// Runs a shell script that stops at the first command that fails.
    pub fn sh(&self, script: &str) -> CommandOutput {
        CommandOutput::within(&mut self.command(&["sh", "-e", "-c", script]), COMMAND_MAX)
    }

    /// Writes a file.
    #[track_caller]
    pub fn write(&self, path: &str, content: &str) {
        let script = "printf %s \"$2\" >\"$1\"";
        CommandOutput::of(&mut self.command(&["sh", "-e", "-c", script, "sh", path, content])).ok();
    }

    /// Returns the content of a file.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        CommandOutput::of(&mut self.command(&["cat", path])).ok().stdout
    }

    /// Installs `banhook.deb` or `next.deb` as an administrator does, without a network.
    #[track_caller]
    pub fn install(&self, package: &str) {
        self.sh(&apt_install(package)).ok();
    }

    /// Bans an address in the jail `sshd`.
    #[track_caller]
    pub fn ban(&self, address: &str) {
        self.sh(&format!("fail2ban-client set sshd banip {address}")).ok();
    }

    /// Fails unless the firewall rejects an address soon.
    #[track_caller]
    pub fn expect_blocked(&self, address: &str) {
        until(&format!("{address} to be blocked"), || {
            let rules = self.sh("iptables -n -L f2b-sshd");
            if rules.stdout.contains(&format!(" {address} ")) { Ok(()) } else { Err(rules.to_string()) }
        });
    }

    /// Starts fail2ban as its service does.
    #[track_caller]
    pub fn start_fail2ban(&self) {
        self.sh("fail2ban-client start").ok();
    }

    /// Waits until the webhook has messages that show each of these texts.
    #[track_caller]
    pub fn wait_for_messages(&self, texts: &[String]) {
        until("the messages", || {
            let arrived: Vec<_> = self.webhook.arrived().iter().map(|message| message.shown()).collect();
            let missing: Vec<_> =
                texts.iter().filter(|text| !arrived.iter().any(|message| message.contains(*text))).collect();
            match missing.is_empty() {
                true => Ok(()),
                false => Err(format!("{missing:?} not in {} messages", arrived.len())),
            }
        });
    }
}

/// The command that installs a package.
pub fn apt_install(package: &str) -> String {
    format!("apt-get install --yes --quiet --allow-downgrades /packages/{package}")
}

/// The path of something that `cargo xtask test` made.
fn made(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => panic!("{variable} is not set: cargo xtask test"),
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Its first process ends, and with that every other one.
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}
