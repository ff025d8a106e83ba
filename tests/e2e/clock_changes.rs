//! The system clock is set while a daemon runs: it keeps running, and no message waits for a day that has passed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::binary::{banhook, require};
use crate::polling::within;
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::Fault;

/// How soon after the clock is set everything due is sent: each worker polls once a second.
const SOON: Duration = Duration::from_secs(8);

/// Both waits are longer than `SOON`: without the change of the clock the messages would still be pending.
const DIGESTS: &str = "storm = { threshold = 2, within = \"60s\" }\ndigest_window = \"10m\"\nrestart = false";
const RETRY_AFTER: u64 = 600;

/// The clock of a test environment's processes, by Debian's libfaketime. A file has its offset; monotonic clocks are real.
pub struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

impl FakeClock {
    pub fn new(env: &TestEnv) -> Self {
        require("faketime", "faketime");
        let clock = Self { library: library(), file: env.path("clock") };
        clock.set("+0d");
        clock
    }

    pub fn set(&self, offset: &str) {
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, offset).unwrap();
        fs::rename(fresh, &self.file).unwrap();
    }

    pub fn command(&self, env: &TestEnv) -> Command {
        let mut command = env.command(banhook());
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        command
    }
}

/// The library, in the folder of this architecture.
pub fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    folders
        .map(|folder| folder.join("faketime/libfaketime.so.1"))
        .find(|library| Path::exists(library))
        .expect("this test needs libfaketime: apt-get install --no-install-recommends faketime")
}

#[test]
#[ignore = "needs faketime: cargo xtask test"]
fn clock_set_forward_a_day_delivers_pending_messages() {
    delivers_after(&["+1d"]);
}

#[test]
#[ignore = "needs faketime: cargo xtask test"]
fn clock_set_back_a_day_delivers_pending_messages() {
    delivers_after(&["-1d"]);
}

#[test]
#[ignore = "needs faketime: cargo xtask test"]
fn clock_set_forward_and_back_delivers_pending_messages() {
    delivers_after(&["+1d", "+0d"]);
}

/// Sets the clock while two messages wait after a 429 and three events are in an open digest; repeats that per setting.
fn delivers_after(settings: &[&str]) {
    let env = TestEnv::new();
    env.configure_both(QUICK, DIGESTS);
    let clock = FakeClock::new(&env);
    let ban = |number: u32| {
        let status = clock
            .command(&env)
            .args(["notify", "--no-spawn", "ban", "--jail=sshd", &format!("--ip=203.0.113.{number}")])
            .status();
        assert!(status.unwrap().success());
    };
    let mut daemon = env.daemon_of(clock.command(&env).arg("run"));
    for (round, setting) in settings.iter().enumerate() {
        let (first, before) = (round as u32 * 5, env.webhook.arrived().len());
        env.webhook.inject(&[Fault::RateLimited(RETRY_AFTER)]);
        (first + 1..=first + 5).for_each(ban);
        within(SOON, "two pending messages and three events in a digest", || match pending(&env) {
            (2, 3, true) => Ok(()),
            other => Err(format!("{other:?} {}", env.log())),
        });
        assert_eq!(env.webhook.arrived().len(), before);
        clock.set(setting);
        within(SOON, "everything to be delivered", || match env.webhook.arrived().len() - before {
            3 => Ok(()),
            arrived => Err(format!("{arrived} messages: {:?} {}", pending(&env), env.log())),
        });
        assert!(daemon.exit_status().is_none(), "{}", env.log());
    }
    let expected = 5 * settings.len() as u64;
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted + all.digested, all.dead), (expected, expected, 0), "{all:?}");
    assert_eq!(env.webhook.arrived().len(), 3 * settings.len());
    daemon.stop();
    assert!(!env.log().contains("panicked"), "{}", env.log());
}

/// Pending messages, events in open digests, and whether the webhook's last request failed.
fn pending(env: &TestEnv) -> (u64, u64, bool) {
    let status = env.status(["status", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let main = &json["webhooks"]["main"];
    let number = |key: &str| main[key].as_u64().unwrap_or_default();
    (number("pending"), number("digest_events"), main["last_error"].is_string())
}
