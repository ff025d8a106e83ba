//! A clock that is set while a daemon works: it neither dies nor lets a message wait for a day that has passed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::binary::{banhook, require};
use crate::polling::within;
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::Fault;

/// All that was due is sent so soon after the clock was set: everybody looks each second.
const SOON: Duration = Duration::from_secs(8);

/// Past this they would still wait, if the clock had not been set.
const FOLDED: &str = "storm = { threshold = 2, within = \"60s\" }\ndigest_window = \"10m\"\nrestart = false";
const RETRY_AFTER: u64 = 600;

/// The clock of a place's processes, by Debian's libfaketime: what it shows is a file's to say. Monotonic clocks go on.
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    fn of(env: &TestEnv) -> Self {
        require("faketime", "faketime");
        let clock = Self { library: library(), file: env.path("clock") };
        clock.set("+0d");
        clock
    }

    fn set(&self, offset: &str) {
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, offset).unwrap();
        fs::rename(fresh, &self.file).unwrap();
    }

    fn command(&self, env: &TestEnv) -> Command {
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

/// Each architecture has a folder of its own.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    folders
        .map(|folder| folder.join("faketime/libfaketime.so.1"))
        .find(|library| Path::exists(library))
        .expect("this test needs libfaketime: apt-get install --no-install-recommends faketime")
}

#[test]
fn clock_set_forward_a_day_delivers_pending_messages() {
    goes_out_after(&["+1d"]);
}

#[test]
fn clock_set_back_a_day_delivers_pending_messages() {
    goes_out_after(&["-1d"]);
}

#[test]
fn clock_set_forward_and_back_delivers_pending_messages() {
    goes_out_after(&["+1d", "+0d"]);
}

/// Two messages behind a 429 and an open storm digest of three, when the clock is set; then as many again.
fn goes_out_after(settings: &[&str]) {
    let env = TestEnv::new();
    env.configure_both(QUICK, FOLDED);
    let clock = Clock::of(&env);
    let ban = |number: u32| {
        let status = clock
            .command(&env)
            .args(["notify", "--no-spawn", "ban", "--jail=sshd", &format!("--ip=203.0.113.{number}")])
            .status();
        assert!(status.unwrap().success());
    };
    let mut daemon = env.daemon_of(clock.command(&env).arg("run"));
    for (round, setting) in settings.iter().enumerate() {
        let (first, told) = (round as u32 * 5, env.webhook.arrived().len());
        env.webhook.inject(&[Fault::RateLimited(RETRY_AFTER)]);
        (first + 1..=first + 5).for_each(ban);
        within(SOON, "two to be pending and three to be held", || match unrouted(&env) {
            (2, 3, true) => Ok(()),
            other => Err(format!("{other:?} {}", env.log())),
        });
        assert_eq!(env.webhook.arrived().len(), told);
        clock.set(setting);
        within(SOON, "everything to be delivered", || match env.webhook.arrived().len() - told {
            3 => Ok(()),
            arrived => Err(format!("{arrived} messages: {:?} {}", unrouted(&env), env.log())),
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

/// Messages that are pending, events that are held, and whether the webhook is left alone.
fn unrouted(env: &TestEnv) -> (u64, u64, bool) {
    let status = env.banhook(["status", "--format", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let main = &json["webhooks"]["main"];
    let number = |key: &str| main[key].as_u64().unwrap_or_default();
    (number("pending"), number("digest_events"), main["last_error"].is_string())
}
