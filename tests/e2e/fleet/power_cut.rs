//! A broker whose machine loses power: what it has not synced is lost with it. Its disk is a file, and what is in that file is
//! what the disk would have.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::attacks::{ask, connect};
use super::broker::{Broker, SUITES};
use super::member::Member;
use super::{address, order, wait_for_addresses};
use crate::binary::{require, require_mounts};
use crate::command_output::CommandOutput;
use crate::polling::until;
use crate::reliability::{FaultRow, report};
use crate::test_env::TestEnv;
use crate::webhook::shown;

/// How often the power is cut, and the bans before each time.
const CUTS: usize = 4;
const BANS: usize = 12;

/// Bytes of the disk, most of which are holes. The broker takes three quarters of it, of which the streams reserve theirs.
const BYTES: u64 = 256 << 20;

/// The setting of the workers.
const STREAM: &str = "stream_size = \"10MiB\"";

/// A file system in a file, mounted in a namespace of its own. What programs there have not synced is in memory alone for minutes.
struct Disk<'e> {
    env: &'e TestEnv,
    image: PathBuf,
    at: PathBuf,
    cuts: usize,
    /// Keeps the namespace, and with it the mount, alive.
    keeper: Child,
}

impl<'e> Disk<'e> {
    /// Makes one, and mounts it at a path.
    fn mount(env: &'e TestEnv, at: PathBuf) -> Self {
        require_mounts();
        require("mkfs.ext4", "e2fsprogs");
        let image = env.path("disk-0");
        fs::File::create(&image).unwrap().set_len(BYTES).unwrap();
        let mut format = env.command("mkfs.ext4");
        format.args(["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"]).arg(&image);
        CommandOutput::of(&mut format).ok();
        fs::create_dir_all(&at).unwrap();
        let keeper = keeper(env, &image, &at);
        Self { env, image, at, cuts: 0, keeper }
    }

    /// Cuts the power, and starts again: all that was in memory is lost. Nothing may be running there.
    fn cut(&mut self) {
        self.cuts += 1;
        let image = self.env.path(&format!("disk-{}", self.cuts));
        // Before the old one is unmounted, which writes what is in memory.
        CommandOutput::of(self.env.command("cp").arg("--sparse=always").arg(&self.image).arg(&image)).ok();
        self.keeper.kill().ok();
        self.keeper.wait().unwrap();
        fs::remove_file(&self.image).unwrap();
        self.keeper = keeper(self.env, &image, &self.at);
        self.image = image;
    }

    fn sh(&self, script: &str) -> CommandOutput {
        let mut command = self.env.command("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.keeper.id()));
        CommandOutput::of(command.args(["--", "sh", "-c", script, "sh"]).arg(&self.at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        self.keeper.kill().ok();
        self.keeper.wait().ok();
    }
}

/// Mounts an image in a namespace that lives as long as the process that is returned.
fn keeper(env: &TestEnv, image: &std::path::Path, at: &std::path::Path) -> Child {
    let mounted = env.path("mounted");
    fs::remove_file(&mounted).ok();
    // The journal is not written by itself, either.
    let script = "mount -o loop,commit=600 \"$1\" \"$2\" && : > \"$3\" && exec cat";
    let mut command: Command = env.command("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(image).arg(at).arg(&mounted);
    let keeper = command.stdin(Stdio::piped()).spawn().unwrap();
    until("the disk to be mounted", || if mounted.exists() { Ok(()) } else { Err(String::new()) });
    keeper
}

/// The last message of the stream, as the broker says; 0: it has no stream.
fn last_message(broker: &Broker<'_>) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let owner = connect(broker, "worker.nkey", "_INBOX_operator").await;
        let info = ask(&owner, "$JS.API.STREAM.INFO.BANHOOK", json!({}).to_string()).await.unwrap();
        info["state"]["last_seq"].as_u64().unwrap_or_default()
    })
}

#[test]
#[ignore = "needs root, to mount a disk: cargo xtask test"]
fn disk_whose_power_is_cut_has_what_was_synced_and_nothing_else() {
    let env = TestEnv::new();
    let mut disk = Disk::mount(&env, env.path("at"));
    disk.sh("cd \"$1\" && echo 1 > synced && sync synced && echo 2 >> synced && echo 3 > other").ok();
    disk.cut();
    let left = disk.sh("cd \"$1\" && cat synced && ls").ok();
    assert_eq!(left.stdout, "1\nlost+found\nsynced\n");
}

/// The host has everything as well, but need not send it again.
#[test]
#[ignore = "needs nats-server, and root, to mount a disk: cargo xtask test"]
fn fleet_broker_that_syncs_and_loses_power_loses_nothing_that_it_has_acknowledged() {
    let mut kept = 0;
    for suite in SUITES {
        let env = TestEnv::new();
        let mut broker = Broker::set_up(&env, suite, &["web-1"]);
        let mut disk = Disk::mount(&env, broker.stored());
        broker.resume_in(disk.keeper.id());
        let mut worker = Member::worker(&env, &broker, "worker", STREAM);
        let mut host = Member::host(&env, &broker, "web-1");
        worker.start();
        host.start();
        (0..BANS).for_each(|number| host.ban(&address(number)));
        wait_for_addresses(&env, 0..BANS, &[&worker, &host]);
        // From now on, the broker and the host alone have what comes.
        worker.stop();
        let mut acknowledged = 0;
        for cut in 1..=CUTS {
            let before = host.status()["forwarded"].as_u64().unwrap();
            (cut * BANS..(cut + 1) * BANS).for_each(|number| host.ban(&address(number)));
            until("some of them to be forwarded", || {
                let status = host.status();
                if status["forwarded"].as_u64() > Some(before) { Ok(()) } else { Err(status.to_string()) }
            });
            broker.kill();
            acknowledged = host.status()["forwarded"].as_u64().unwrap();
            disk.cut();
            broker.resume_in(disk.keeper.id());
            let last = last_message(&broker);
            assert!(last >= acknowledged, "{suite}: {acknowledged} were acknowledged, and {last} are left");
        }
        assert!(acknowledged > BANS as u64);
        let bans = (CUTS + 1) * BANS + 1;
        host.ban(&address(bans - 1));
        worker.start();
        let messages = wait_for_addresses(&env, 0..bans, &[&worker, &host]);
        assert_eq!(messages, bans, "{suite}: {:?}", shown(&env.webhook.arrived()));
        assert_eq!(order(&env.webhook.arrived(), bans), (0..bans).collect::<Vec<_>>(), "{suite}");
        assert!(!host.log().contains("events are forwarded again events="), "{}", host.log());
        host.wait_until_forwarded(bans as u64);
        kept += acknowledged;
    }
    let row = FaultRow {
        fault: "fleet: the broker loses power while it writes, and syncs (as `fleet init` sets it up)".to_owned(),
        count: (CUTS * SUITES.len()) as u64,
        result: format!("of {kept} acknowledged bans none lost, none sent twice"),
    };
    report("fleet_power_synced", &[row]);
}

/// As NATS does by default, which syncs every other minute. The hosts have it all, and publish it again.
#[test]
#[ignore = "needs nats-server, and root, to mount a disk: cargo xtask test"]
fn fleet_broker_that_does_not_sync_and_loses_power_gets_again_what_it_lost() {
    let mut lost = 0;
    for suite in SUITES {
        let env = TestEnv::new();
        let mut broker = Broker::set_up(&env, suite, &["web-1"]);
        let conf = broker.directory().join("banhook-nats.conf");
        let text = fs::read_to_string(&conf).unwrap();
        let by_default = text.replace("sync_interval: always", "");
        assert_ne!(text, by_default);
        fs::write(conf, by_default).unwrap();
        let mut disk = Disk::mount(&env, broker.stored());
        broker.resume_in(disk.keeper.id());
        let mut worker = Member::worker(&env, &broker, "worker", STREAM);
        let mut host = Member::host(&env, &broker, "web-1");
        worker.start();
        host.start();
        (0..BANS).for_each(|number| host.ban(&address(number)));
        wait_for_addresses(&env, 0..BANS, &[&worker, &host]);
        worker.stop();
        (BANS..2 * BANS).for_each(|number| host.ban(&address(number)));
        host.wait_until_forwarded(2 * BANS as u64);
        broker.kill();
        disk.cut();
        broker.resume_in(disk.keeper.id());
        // Otherwise this would show nothing.
        let last = last_message(&broker);
        assert!(last < 2 * BANS as u64, "{suite}: nothing was lost");
        lost += 2 * BANS as u64 - last;
        host.ban(&address(2 * BANS));
        worker.start();
        let messages = wait_for_addresses(&env, 0..2 * BANS + 1, &[&worker, &host]);
        host.wait_for_log("events are forwarded again events=");
        assert_eq!(messages, 2 * BANS + 1, "{suite}: {:?}", shown(&env.webhook.arrived()));
        host.wait_until_forwarded(2 * BANS as u64 + 1);
    }
    report(
        "fleet_power",
        &[FaultRow {
            fault: "fleet: the broker loses power, and had not synced (the default of NATS)".to_owned(),
            count: SUITES.len() as u64,
            result: format!("it lost {lost} acknowledged bans, which the hosts sent again; none lost, none sent twice"),
        }],
    );
}
