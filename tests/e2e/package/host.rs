//! A Debian host of its own, into which packages are installed: the small root that `cargo xtask test` made, with
//! Debian's fail2ban, its own network and firewall, and a webhook on loopback; with systemd, or without it. Nothing of it
//! stays.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::binary::{require, require_mounts, require_root};
use crate::command_output::CommandOutput;
use crate::polling::{until, within};
use crate::test_env::TestEnv;
use crate::webhook::Webhook;

/// How long a command may take: apt, and an unoptimised banhook that compiles its plugin first.
const COMMAND_MAX: Duration = Duration::from_secs(120);

/// How long systemd may take to start everything.
const BOOT_WITHIN: Duration = Duration::from_secs(60);

/// A host. Its processes end on drop.
pub struct Host {
    keeper: Child,
    /// Its first process, if it has booted.
    init: Option<u32>,
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
        move_into_network_of(keeper.id());
        Self { keeper, init: None, webhook: Webhook::open() }
    }

    /// Boots one with systemd, and moves the calling thread into its network for good. Its console goes to a file of the
    /// environment.
    pub fn boot(env: &TestEnv) -> Self {
        require_root();
        require_mounts();
        let console = env.path("console");
        let output = File::create(&console).unwrap();
        let keeper = Command::new("unshare")
            .current_dir("/")
            .args(["--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc", "sh", "-c"])
            .args([include_str!("boot.sh"), "boot.sh"])
            .args([made("BANHOOK_DEBIAN_ROOT"), made("BANHOOK_PACKAGES")])
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let said = || fs::read_to_string(&console).unwrap();
        let init = until("systemd to start", || descendant(keeper.id(), "systemd").ok_or_else(said));
        move_into_network_of(init);
        let host = Self { keeper, init: Some(init), webhook: Webhook::open() };
        within(BOOT_WITHIN, "the host to be up", || {
            let active = host.sh("systemctl is-active multi-user.target");
            if active.code == Some(0) { Ok(()) } else { Err(format!("{active}\n{}", said())) }
        });
        host
    }

    /// Waits until the host has powered off.
    pub fn wait_until_off(&mut self) {
        until("the host to power off", || match self.keeper.try_wait().unwrap() {
            Some(status) if status.success() => Ok(()),
            status => Err(format!("{status:?}")),
        });
    }

    /// A command on the host, by root after a login. The calling thread is in its network, or a thread that one started.
    pub fn command(&self, command: &[&str]) -> Command {
        let process = self.init.unwrap_or(self.keeper.id());
        let namespace = |option: &str, name: &str| format!("--{option}=/proc/{process}/ns/{name}");
        let pid = if self.init.is_some() { "pid" } else { "pid_for_children" };
        let mut nsenter = Command::new("nsenter");
        nsenter
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args([namespace("mount", "mnt"), namespace("pid", pid), namespace("uts", "uts")])
            .args(self.init.map(|init| format!("--root=/proc/{init}/root")))
            .args(self.init.map(|init| format!("--wd=/proc/{init}/root")))
            .args(if self.init.is_some() { &[][..] } else { &["chroot", "/mnt/root"] })
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

fn move_into_network_of(process: u32) {
    let network = File::open(format!("/proc/{process}/ns/net")).unwrap();
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

/// The first process of this name that a process has started, or one that it started.
fn descendant(process: u32, name: &str) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    children.split_whitespace().filter_map(|child| child.parse().ok()).find_map(|child| {
        let is_named = fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|comm| comm.trim() == name);
        if is_named { Some(child) } else { descendant(child, name) }
    })
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
        if self.init.is_some() {
            self.keeper.kill().ok();
        }
        self.keeper.wait().ok();
    }
}
